//! Our own house: what Quietus itself keeps, whether any of it is overdue, and whether a disposal of
//! it has something to do. The disposal itself is the engine's: our store is a system of the data map
//! with rules, a schedule, holds, caps, verification and a certificate like any other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::Fault;

use super::{AppError, Quietus};
use crate::datamap::house::{HOUSE, Kept, KeptIn, Until, inventory};
use crate::domain::{RetentionPeriod, Rounding, SystemName};
use crate::plan::Acting;
use crate::store::OwnRows;

/// Records that are written down as over in one transaction.
const BATCH: u32 = 500;
/// How long after its day a record may still be there: the schedule is daily, and a hold, a pause or
/// a machine that was off is an alarm from then on.
const SLACK: SignedDuration = SignedDuration::from_hours(49);

/// Something that Quietus keeps, as it stands now.
#[derive(Debug, Clone, Copy)]
pub struct KeptNow {
    /// What it is.
    pub kept: &'static Kept,
    /// For a table: its rows.
    pub rows: Option<u64>,
    /// For a table whose rows have a moment: when the oldest was written.
    pub oldest: Option<Timestamp>,
    /// How long it is kept, where a rule says so.
    pub period: Option<RetentionPeriod>,
    /// When the first of it goes, where what it is about is over.
    pub goes_from: Option<Timestamp>,
    /// It should have gone by now.
    pub overdue: bool,
}

impl Quietus {
    /// Everything that Quietus keeps, as it stands now.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn own_house(&self) -> Result<Vec<KeptNow>, AppError> {
        let rows = self.store.own_rows().await?;
        let rows: BTreeMap<&str, OwnRows> = rows.into_iter().map(|one| (one.table, one)).collect();
        let now = self.now();
        let at_present = |kept: &'static Kept| {
            let counted = rows.get(kept.name).filter(|_| kept.place == KeptIn::Store);
            let period = match kept.until {
                Until::Rule { entry, .. } => self.instance.own_records.period(entry),
                Until::Shredded => Some(self.instance.evidence.details_for),
                Until::Served(_) | Until::Stays(_) => None,
            };
            let goes_from = counted
                .and_then(|one| one.over_since)
                .zip(period)
                .map(|(since, period)| period.due_at(since, Rounding::None, &self.zone));
            KeptNow {
                kept,
                rows: counted.map(|one| one.rows),
                oldest: counted.and_then(|one| one.oldest),
                period,
                goes_from,
                overdue: goes_from.is_some_and(|at| now.duration_since(at) > SLACK),
            }
        };
        Ok(inventory().map(at_present).collect())
    }

    /// For how long the oldest of our own records should have gone; zero where none should have.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn own_records_overdue(&self) -> Result<SignedDuration, AppError> {
        let now = self.now();
        let mut longest = SignedDuration::ZERO;
        for (entry, since) in self.store.over_since().await? {
            let Some(period) = self.instance.own_records.period(entry) else { continue };
            let late = now.duration_since(period.due_at(since, Rounding::None, &self.zone));
            if late > SLACK {
                longest = longest.max(late);
            }
        }
        Ok(longest)
    }

    /// Whether a disposal of our own records at a moment would find something to do, or something
    /// that keeps it from its work and that a person should see.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn own_records_are_due(&self, moment: Timestamp) -> Result<bool, AppError> {
        self.close_own_records().await?;
        let known = self.rules.schedules.keys().filter(|name| name.as_str() == HOUSE);
        let acting = Acting::Schedules(known.cloned().collect());
        let only = SystemName::parse(HOUSE).ok();
        let counted = self.counted_plan(moment, &acting, only.as_ref()).await?;
        let has_work = counted.counts.values().any(|counts| {
            let is_due = counts.collections.iter().any(|one| one.delete > 0);
            is_due || !counts.drift.is_empty() || !counts.refusals.is_empty()
        });
        let is_lasting = |fault: &Fault| match fault {
            // The next occurrence looks again.
            Fault::Transient { .. } => {
                tracing::warn!(%fault, "our own records could not be counted");
                false
            }
            _ => true,
        };
        Ok(has_work || counted.faults.values().any(is_lasting))
    }

    /// Writes down of which of our own records what they are about is over; how many there were.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn close_own_records(&self) -> Result<u64, AppError> {
        let mut closed = 0;
        loop {
            let some = self.store.close_own_records(BATCH).await?;
            closed += some;
            if some < u64::from(BATCH) {
                return Ok(closed);
            }
        }
    }
}
