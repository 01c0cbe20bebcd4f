//! Shredding: what the evidence of a case means is destroyed, that it was recorded stays in the log.
//! The certificate and its proofs go on verifying; nobody can say any more what was behind a leaf.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::{CaseState, RequestState, RetentionPeriod, Rounding};
use crate::evidence::EvidenceKind;
use crate::store::{OldDetails, Shredded};

/// Cases shredded in one go of the house-keeping.
const CASES: u32 = 100;
/// Attempts where details are written at the same moment.
const ATTEMPTS: u32 = 3;

/// What was shredded, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShredTally {
    /// Cases.
    pub cases: u64,
    /// Data keys that were destroyed.
    pub keys: u64,
    /// Details that cannot be read any more.
    pub details: u64,
    /// Manifests of records in which nobody can look any more.
    pub manifests: u64,
    /// Persons who were forgotten with them.
    pub persons: u64,
}

impl ShredTally {
    /// What goes with a case, persons aside.
    fn of(living: Shredded) -> Self {
        let Shredded { keys, details, manifests } = living;
        Self { cases: 1, keys, details, manifests, persons: 0 }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.keys += other.keys;
        self.details += other.details;
        self.manifests += other.manifests;
        self.persons += other.persons;
    }
}

/// Which cases to shred.
#[derive(Debug, Clone)]
pub enum Shredding {
    /// These.
    Cases(Vec<Uuid>),
    /// Those that are over for longer than a period (the instance's own for `None`), only those of
    /// a rule where one is given, and with no rule also what belongs to no case.
    OverFor {
        /// How long.
        period: Option<RetentionPeriod>,
        /// Which rule.
        rule: Option<String>,
    },
}

impl Quietus {
    /// What a shredding would take: at most 1000 cases.
    ///
    /// # Errors
    /// Where a case is not there or not over.
    pub async fn to_shred(&self, wanted: &Shredding) -> Result<(Vec<Uuid>, ShredTally), AppError> {
        let mut tally = ShredTally::default();
        let (cases, old) = self.found_to_shred(wanted, 1000).await?;
        for case in &cases {
            let living = self.living(*case).await?;
            let persons = u64::from(self.remembers(*case).await?);
            if living != Shredded::default() || persons > 0 {
                tally.add(ShredTally { persons, ..ShredTally::of(living) });
            }
        }
        for one in old {
            tally.add(ShredTally { keys: 1, details: one.details, ..ShredTally::default() });
        }
        Ok((cases, tally))
    }

    /// Shreds what is wanted, at most 1000 cases, and cleans the store after it.
    ///
    /// # Errors
    /// Where a case is not there or not over; then nothing was changed.
    pub async fn shred(
        &self,
        wanted: &Shredding,
        why: &str,
        actor: &Actor,
    ) -> Result<ShredTally, AppError> {
        self.shred_some(wanted, 1000, (why, actor)).await
    }

    /// Shreds what is due by the instance's own period, a bounded part of it.
    ///
    /// # Errors
    /// Where the store does not do its part.
    pub async fn shred_due(&self) -> Result<ShredTally, AppError> {
        let wanted = Shredding::OverFor { period: None, rule: None };
        let actor = Actor("quietus".to_owned());
        self.shred_some(&wanted, CASES, ("the period for details is over", &actor)).await
    }

    async fn shred_some(
        &self,
        wanted: &Shredding,
        limit: u32,
        said: (&str, &Actor),
    ) -> Result<ShredTally, AppError> {
        let (cases, old) = self.found_to_shred(wanted, limit).await?;
        let mut tally = ShredTally::default();
        for case in cases {
            tally.add(self.shred_case(case, said).await?);
        }
        for one in old {
            tally.add(self.shred_old(one, said).await?);
        }
        if tally != ShredTally::default() && !self.store.scrub().await? {
            tracing::warn!("somebody reads the store: its file is cleaned with the next shredding");
        }
        Ok(tally)
    }

    async fn found_to_shred(
        &self,
        wanted: &Shredding,
        limit: u32,
    ) -> Result<(Vec<Uuid>, Vec<OldDetails>), AppError> {
        match wanted {
            Shredding::Cases(cases) => {
                for case in cases {
                    self.check_over(*case).await?;
                }
                Ok((cases.clone(), Vec::new()))
            }
            Shredding::OverFor { period, rule } => {
                let Some(before) = self.over_before(*period) else { return Ok(<_>::default()) };
                let cases = self.store.cases_to_shred(before, rule.as_deref(), limit).await?;
                let old = match rule {
                    None => self.store.old_details_of_no_case(before, limit).await?,
                    Some(_) => Vec::new(),
                };
                Ok((cases, old))
            }
        }
    }

    fn over_before(&self, period: Option<RetentionPeriod>) -> Option<Timestamp> {
        let period = period.unwrap_or(self.instance.evidence.details_for);
        period.cutoff(self.now(), Rounding::None, &self.zone)
    }

    /// Refuses a case that is not over, and says what keeps it.
    async fn check_over(&self, id: Uuid) -> Result<(), AppError> {
        let case = self.store.case(id).await?.ok_or_else(|| {
            AppError::Input(format!("there is no case `{id}`: see `quietus status`"))
        })?;
        let mut needed = Vec::new();
        if case.state != CaseState::Closed {
            needed.push("it is not closed");
        }
        if self.store.jobs_of_case(id).await?.iter().any(|job| !job.state.is_final()) {
            needed.push("a job of it waits for its day");
        }
        let request = self.store.request_of_case(id).await?;
        if request.is_some_and(|request| request.state != RequestState::Closed) {
            needed.push("its request is not closed");
        }
        if needed.is_empty() && !self.store.is_over(id).await? {
            needed.push("its certificate is not in the log yet");
        }
        if needed.is_empty() {
            return Ok(());
        }
        Err(AppError::Input(format!(
            "case `{id}` cannot be shredded: {}; nothing was changed",
            needed.join(", ")
        )))
    }

    async fn living(&self, case: Uuid) -> Result<Shredded, AppError> {
        Ok(self.store.living_details(case).await?)
    }

    async fn remembers(&self, case: Uuid) -> Result<bool, AppError> {
        let request = self.store.request_of_case(case).await?;
        Ok(request.is_some_and(|request| {
            request.state == RequestState::Closed && request.forgotten_at.is_none()
        }))
    }

    async fn shred_case(
        &self,
        case: Uuid,
        (why, actor): (&str, &Actor),
    ) -> Result<ShredTally, AppError> {
        let forgets = self.remembers(case).await?;
        if forgets && let Some(stored) = self.store.request_of_case(case).await? {
            self.forget_stored(&stored).await?;
        }
        for _ in 0..ATTEMPTS {
            let living = self.living(case).await?;
            let persons = u64::from(forgets);
            if living == Shredded::default() {
                return Ok(ShredTally { persons, ..ShredTally::default() });
            }
            let mut detail = json!({
                "case": case,
                "what": "the keys and details of a case",
                "why": why,
                "keys": living.keys.to_string(),
                "details": living.details.to_string(),
                "by": actor.0,
            });
            if living.manifests > 0 {
                detail["recordManifests"] = json!(living.manifests.to_string());
            }
            let about = About { case: Some(case), job: None };
            let shredded = self.record(EvidenceKind::EvidenceShredded, about, &detail)?;
            let done = self.store.shred_case(case, living, self.now(), vec![shredded]).await?;
            self.epochs.forget(Some(case));
            if done {
                return Ok(ShredTally { persons, ..ShredTally::of(living) });
            }
        }
        Err(AppError::Input(format!(
            "case `{case}` is being worked on at this moment: try again when it is over"
        )))
    }

    /// What belongs to no case, such as that a request was taken in, once all that its key seals is
    /// old enough.
    async fn shred_old(
        &self,
        old: OldDetails,
        (why, actor): (&str, &Actor),
    ) -> Result<ShredTally, AppError> {
        let shredded = self.record(
            EvidenceKind::EvidenceShredded,
            About::default(),
            &json!({
                "dataKey": old.key,
                "what": "details of no case",
                "why": why,
                "details": old.details.to_string(),
                "by": actor.0,
            }),
        )?;
        self.epochs.forget(None);
        if self.store.shred_old_details(old, self.now(), vec![shredded]).await? {
            return Ok(ShredTally { keys: 1, details: old.details, ..ShredTally::default() });
        }
        Ok(ShredTally::default())
    }
}
