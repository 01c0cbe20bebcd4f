//! `quietus backup inside`: erasing one person's files inside of copies, which two persons decide.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use uuid::Uuid;

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, number, read_id, say};
use super::plan_text::new_table;
use super::remark::actor;
use super::{FINE, NOT_DONE};
use crate::app::backup::inside::{InsideEnd, InsidePreview};
use crate::app::{AppError, Quietus};
use crate::domain::Remark;
use crate::store::{InsideErasureRow, InsideState};

/// How many are listed.
const LISTED: u32 = 50;
/// How many copies are named.
const NAMED: usize = 20;

/// What to do about a person's files inside of copies.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["store", "approve", "refuse"])))]
#[command(after_help = "Examples:
  quietus backup inside                        what was asked for, and how it ended
  quietus backup inside attic --request 0198…
  quietus backup inside attic --request 0198… --ask --by ada --reason \"photographs, OPS-77\"
  quietus backup inside --approve 0198… --by grace
  quietus backup inside --refuse 0198… --by grace --reason \"a lawsuit is coming, OPS-78\"

Without `--ask` nothing is changed: it says which copies hold files of the person. What a second
person approves is carried out at once, and cannot be taken back. Ends with the exit code 1 where the
store keeps something, or it could not be carried out yet.")]
pub struct InsideArguments {
    /// The store of copies.
    #[arg(requires = "request")]
    pub store: Option<String>,
    /// The request by which the person was erased.
    #[arg(long, value_name = "ID", value_parser = read_id, requires = "store")]
    pub request: Option<Uuid>,
    /// Ask for it; a second person decides.
    #[arg(long, requires = "store", requires = "reason")]
    pub ask: bool,
    /// Agree to what was asked for: it is carried out at once.
    #[arg(long, value_name = "ID", value_parser = read_id)]
    pub approve: Option<Uuid>,
    /// Decide that it is not carried out.
    #[arg(long, value_name = "ID", value_parser = read_id, requires = "reason")]
    pub refuse: Option<Uuid>,
    /// Why, in one line that names nobody, such as the number of a ticket.
    #[arg(long, value_name = "WHY")]
    pub reason: Option<Remark>,
    /// Who asks or decides.
    #[arg(long, value_name = "NAME", default_value = "operator", env = "QUIETUS_BY")]
    pub by: Remark,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(product: &Arc<Quietus>, arguments: &InsideArguments) -> Result<u8, AppError> {
    let by = actor(&arguments.by);
    let reason = arguments.reason.as_ref().map(Remark::as_str).unwrap_or_default();
    if let Some(id) = arguments.approve {
        let end = Box::pin(product.approve_inside(id, &by)).await;
        product.advance_log().await?;
        return Ok(tell_end(product, &end?));
    }
    if let Some(id) = arguments.refuse {
        product.refuse_inside(id, (&by, reason)).await?;
        product.advance_log().await?;
        say("it is not carried out");
        return Ok(FINE);
    }
    let (Some(store), Some(request)) = (&arguments.store, arguments.request) else {
        return list(product, arguments.json).await;
    };
    if !arguments.ask {
        let preview = product.inside_preview(store, request).await?;
        print_preview(&preview, arguments.json)?;
        return Ok(FINE);
    }
    let (id, preview) = product.ask_inside(store, request, (&by, reason)).await?;
    product.advance_log().await?;
    if arguments.json {
        say(format!("{:#}", serde_json::json!({ "id": id, "preview": preview })));
        return Ok(FINE);
    }
    print_preview(&preview, false)?;
    say(format!("{WARN}asked for as {id}{WARN:#}; somebody else decides:"));
    say(format!("  quietus backup inside --approve {id} --by NAME"));
    Ok(FINE)
}

/// Says how many erasures inside copies wait for a second person, or could not be carried out.
///
/// # Errors
/// Where the store is not there.
pub async fn tell_inside(product: &Quietus) -> Result<(), AppError> {
    let rows = product.inside_erasures(LISTED).await?;
    let asked = rows.iter().filter(|row| row.state == InsideState::Asked).count();
    let stuck = rows.iter().filter(|row| row.trouble.is_some()).count();
    for (many, what) in
        [(asked, "wait for a second person"), (stuck, "could not be carried out yet")]
    {
        if many > 0 {
            say(format!(
                "{WARN}inside of copies{WARN:#}: {many} erasure(s) {what}: quietus backup inside"
            ));
        }
    }
    Ok(())
}

fn print_preview(preview: &InsidePreview, as_json: bool) -> Result<(), AppError> {
    if as_json {
        let text = serde_json::to_string_pretty(preview);
        say(text.map_err(|error| AppError::Unreadable {
            what: "a list of copies",
            why: error.to_string(),
        })?);
        return Ok(());
    }
    let systems: Vec<&str> =
        preview.systems.iter().map(crate::domain::SystemName::as_str).collect();
    say(format!(
        "{STRONG}{}{STRONG:#}: {} copies hold {} files and folders of the person, by {}",
        preview.store,
        number(u64::try_from(preview.copies.len()).unwrap_or(u64::MAX)),
        number(preview.entries()),
        systems.join(", ")
    ));
    for one in preview.copies.iter().take(NAMED) {
        say(format!("  {} in {}", number(one.entries), one.copy));
    }
    if let Some(more) = preview.copies.len().checked_sub(NAMED).filter(|more| *more > 0) {
        say(format!("  {DIM}and {more} more{DIM:#}"));
    }
    Ok(())
}

fn tell_end(product: &Quietus, end: &InsideEnd) -> u8 {
    match end {
        InsideEnd::Done { gone, copies, kept } => {
            say(format!(
                "{GOOD}{} files and folders are gone from {} copies{GOOD:#}",
                number(*gone),
                number(*copies)
            ));
            for (stay, many) in kept {
                let until =
                    stay.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
                say(format!("  {WARN}{} stay{until}{WARN:#}: {}", number(*many), stay.why));
            }
            if kept.is_empty() {
                say(
                    "  the store is asked again, and the final certificate follows, with the next run",
                );
                return FINE;
            }
        }
        InsideEnd::PutOff { why, try_at } => {
            let at = try_at.to_zoned(product.zone().clone()).strftime("%Y-%m-%d %H:%M");
            say(format!("{BAD}it could not be carried out{BAD:#}: {why}"));
            say(format!("  `quietus run` tries again from {at} on, and so does --approve"));
        }
    }
    NOT_DONE
}

async fn list(product: &Quietus, as_json: bool) -> Result<u8, AppError> {
    let rows = product.inside_erasures(LISTED).await?;
    if as_json {
        let all: Vec<_> = rows.iter().map(row_json).collect();
        say(format!("{:#}", serde_json::json!(all)));
        return Ok(FINE);
    }
    if rows.is_empty() {
        say("nobody has asked for an erasure inside of copies");
        return Ok(FINE);
    }
    let mut table = new_table(&["erasure", "store", "case", "asked", "by", "why", "state"]);
    for row in &rows {
        table.add_row([
            row.id.to_string(),
            row.store.clone(),
            row.case_id.to_string(),
            row.asked_at.to_zoned(product.zone().clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            row.asked_by.clone(),
            row.reason.clone(),
            state(row),
        ]);
    }
    say(table);
    Ok(FINE)
}

fn state(row: &InsideErasureRow) -> String {
    let by = row.decided.as_ref().map_or_else(String::new, |(by, _)| format!(" by {by}"));
    let more = match (&row.ended, &row.trouble, &row.refusal) {
        (Some((_, gone, kept)), ..) => format!(": {} gone, {} kept", number(*gone), number(*kept)),
        (None, Some((why, _)), _) => format!(", not done yet: {why}"),
        (None, None, Some(why)) => format!(": {why}"),
        (None, None, None) => String::new(),
    };
    format!("{}{by}{more}", row.state)
}

fn row_json(row: &InsideErasureRow) -> serde_json::Value {
    serde_json::json!({
        "id": row.id,
        "case": row.case_id,
        "store": row.store,
        "asked_at": row.asked_at,
        "asked_by": row.asked_by,
        "reason": row.reason,
        "state": row.state,
        "decided_by": row.decided.as_ref().map(|(by, _)| by),
        "decided_at": row.decided.as_ref().map(|(_, at)| at),
        "refusal": row.refusal,
        "ended_at": row.ended.map(|(at, ..)| at),
        "gone": row.ended.map(|(_, gone, _)| gone),
        "kept": row.ended.map(|(.., kept)| kept),
        "trouble": row.trouble.as_ref().map(|(why, _)| why),
        "try_at": row.trouble.as_ref().map(|(_, at)| at),
    })
}
