//! Systems that are spared, and what waits for them: breakers that are open, pauses that systems asked
//! for, and backlogs under limits with the day by which they are done.

use jiff::SignedDuration;

use super::{Finding, Found};
use crate::app::Quietus;
use crate::app::spared::{Spared, SparedBy, Waits};
use crate::domain::AlarmKind;

/// A system that is started anew, or has a moment of trouble, answers again within this time.
const ANSWERS_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// A backlog that is done within this time is how limits are meant.
const DONE_WITHIN: SignedDuration = SignedDuration::from_hours(24);

impl Quietus {
    /// Systems that are spared because they fail, or because they asked for it.
    pub(super) async fn breakers_at_fault(&self) -> Found {
        let mut found = Vec::new();
        for waits in self.what_waits().await? {
            let Some(spared) = &waits.spared else { continue };
            if !matches!(spared.by, SparedBy::Limit { .. }) {
                found.push(self.spared_in_words(spared, &waits));
            }
        }
        Ok(found)
    }

    fn spared_in_words(&self, spared: &Spared, waits: &Waits) -> Finding {
        let place = format!("system {}", spared.system);
        let what = format!("{}; {}", spared.words(self.now()), jobs_in_words(waits));
        let lasts = spared.since.is_some_and(|since| self.has_lasted(ANSWERS_WITHIN, since));
        let is_breaker = waits.breaker_is_open();
        let finding = if lasts || waits.late > 0 {
            Finding::wrong(place, what)
        } else {
            Finding::look(place, what)
        };
        let finding = finding.since(spared.since.or(waits.since));
        if !is_breaker {
            return finding
                .kind(AlarmKind::SystemLeftAlone)
                .advice("its jobs go on by themselves after that, and lose no attempt");
        }
        finding
            .kind(AlarmKind::SystemFailing)
            .advice(
                "mend the cause: the first job that comes through closes the breaker, and the others go on; `retry` has it tried at once",
            )
            .command(format!("quietus connector test {}", spared.system))
            .command(format!("quietus retry --system {}", spared.system))
    }

    /// Systems with limits for which more waits than is begun in a day, or something for too long.
    pub(super) async fn backlogs_at_fault(&self) -> Found {
        let now = self.now();
        let mut found = Vec::new();
        for waits in self.what_waits().await? {
            let Some(done_at) = waits.done_at else { continue };
            let lasts = done_at.duration_since(now) > DONE_WITHIN;
            if !lasts && waits.late == 0 {
                continue;
            }
            let place = format!("system {}", waits.system);
            let day = self.zone.to_datetime(done_at).date();
            let what = format!("{}, at {} done by {day}", jobs_in_words(&waits), waits.pace);
            let finding = if waits.late > 0 {
                Finding::wrong(place, what).advice(
                    "ask whoever runs it for more and raise its `limits`, or prolong requests where the law allows it",
                )
            } else {
                Finding::look(place, what)
            };
            found.push(
                finding
                    .kind(AlarmKind::BacklogLasting)
                    .since(waits.since)
                    .command("quietus request list --at-risk"),
            );
        }
        Ok(found)
    }

    /// Limits in few words.
    pub(super) fn limits_in_words(&self) -> String {
        match self.limits().len() {
            0 => "no system has limits".to_owned(),
            many => {
                format!("{many} system(s) have limits, and nothing waits for longer than a day")
            }
        }
    }
}

/// What waits for a system, such as `312 jobs wait, 12 of them beyond their last day (from 2026-12-01
/// on)`.
fn jobs_in_words(waits: &Waits) -> String {
    let jobs = match waits.jobs {
        0 => "nothing waits".to_owned(),
        1 => "1 job waits".to_owned(),
        many => format!("{many} jobs wait"),
    };
    match waits.first_late_on {
        Some(day) => format!(
            "{jobs}, {} of them beyond the last day by law (the first on {day})",
            waits.late
        ),
        None => jobs,
    }
}
