//! What people are told of systems that are spared or have limits: why their jobs wait, and until when.

use super::opening::{BAD, WARN, number, say};
use crate::app::spared::{SparedBy, Waits};
use crate::app::{AppError, Quietus};

/// Says which systems are spared and why, what waits for them and for those with limits, and by when it
/// is done.
///
/// # Errors
/// Where the store is not there.
pub(super) async fn tell_what_waits(product: &Quietus) -> Result<(), AppError> {
    let now = product.now();
    for waits in product.what_waits().await? {
        if let Some(spared) = &waits.spared {
            let title = match spared.by {
                SparedBy::Breaker { .. } => "breaker open",
                SparedBy::Itself => "left alone",
                SparedBy::Limit { .. } => "at its limit",
            };
            say(format!("{WARN}{title}{WARN:#}: {}: {}", waits.system, spared.words(now)));
        }
        tell_backlog(product, &waits);
    }
    Ok(())
}

fn tell_backlog(product: &Quietus, waits: &Waits) {
    if waits.jobs == 0 {
        return;
    }
    let jobs = number(waits.jobs);
    let done = match waits.done_at {
        Some(done_at) => {
            let day = product.zone().to_datetime(done_at).date();
            format!(", at {} done by {day}", waits.pace)
        }
        None => String::new(),
    };
    say(format!("  {jobs} job(s) wait at {}{done}", waits.system));
    if let Some(day) = waits.first_late_on {
        say(format!(
            "  {BAD}{} of them beyond the last day by law{BAD:#}, the first on {day}: see `quietus doctor`",
            number(waits.late)
        ));
    }
}
