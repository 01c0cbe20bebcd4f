//! How later looks stand: for lists, metrics and whoever asks.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::app::{AppError, Quietus};
use crate::store::{LaterLookCounts, Reappearance, ReappearanceState};

/// Places that could not be looked at that are named one by one.
const NAMED: u32 = 100;

/// How later looks stand.
#[derive(Debug, Clone, Serialize)]
pub struct LaterLookFacts {
    /// How long after one look the next one follows; `None` where nobody is looked for.
    pub every: Option<String>,
    /// For how long after an erasure its person is looked for, at least.
    pub lasting: String,
    /// Persons and systems that are looked after; one person in two systems counts twice.
    pub living: u64,
    /// When the one was looked at that has waited longest.
    pub oldest_seen: Option<Timestamp>,
    /// How often something was found again, ever.
    pub reappeared: u64,
    /// Of those, how many wait for a person.
    pub asking: u64,
    /// How many could not be looked at when it was tried last.
    pub troubled: u64,
    /// Some of them, the longest first.
    pub troubles: Vec<TroubleFacts>,
}

/// A place where somebody could not be looked for.
#[derive(Debug, Clone, Serialize)]
pub struct TroubleFacts {
    /// The person's case.
    pub case: Uuid,
    /// The system.
    pub system: String,
    /// When it was looked at last.
    pub seen_at: Timestamp,
    /// Why it cannot be, in words.
    pub why: String,
}

/// Something of a person that was there again.
#[derive(Debug, Clone, Serialize)]
pub struct ReappearanceFacts {
    /// The person's case.
    pub case: Uuid,
    /// The system.
    pub system: String,
    /// When it was last seen that nothing is back.
    pub last_well_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// How many records.
    pub records: u64,
    /// `asks`, `again`, `left` or `gone`.
    pub state: ReappearanceState,
    /// Why a person is asked.
    pub why: Option<String>,
    /// State of the job that does again what had been done.
    pub job: Option<String>,
    /// When it was done again, verified.
    pub done_again_at: Option<Timestamp>,
    /// The certificate of the case that is in force.
    pub certificate: Option<Uuid>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl Quietus {
    /// How later looks stand, with some of the places that could not be looked at.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_later_looks(&self) -> Result<LaterLookFacts, AppError> {
        let LaterLookCounts { living, troubled, oldest_seen, reappeared, asking } =
            self.store.later_look_counts().await?;
        let troubles = self.store.troubled_looks(NAMED).await?.into_iter();
        let settings = &self.instance.later_looks;
        Ok(LaterLookFacts {
            every: settings.every.map(|period| period.to_string()),
            lasting: settings.lasting.to_string(),
            living,
            oldest_seen,
            reappeared,
            asking,
            troubled,
            troubles: troubles
                .map(|one| TroubleFacts {
                    case: one.case_id,
                    system: one.system,
                    seen_at: one.seen_at,
                    why: one.trouble.unwrap_or_default(),
                })
                .collect(),
        })
    }

    /// Counts of later looks, for metrics.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn later_look_counts(&self) -> Result<LaterLookCounts, AppError> {
        Ok(self.store.later_look_counts().await?)
    }

    /// What was found again, the latest first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_reappearances(&self, limit: u32) -> Result<Vec<ReappearanceFacts>, AppError> {
        let mut facts = Vec::new();
        for one in self.store.latest_reappearances(limit).await? {
            facts.push(self.reappearance_facts(one).await?);
        }
        Ok(facts)
    }

    async fn reappearance_facts(&self, one: Reappearance) -> Result<ReappearanceFacts, AppError> {
        let job = match one.job_id {
            Some(id) => self.store.job(id).await?,
            None => None,
        };
        let certificate = self.store.certificate_of_case(one.case_id).await?;
        let decided = one.decided;
        Ok(ReappearanceFacts {
            case: one.case_id,
            system: one.system,
            last_well_at: one.well_at,
            found_at: one.found_at,
            records: one.records,
            state: one.state,
            why: one.why,
            job: job.as_ref().map(|job| job.state.to_string()),
            done_again_at: job.and_then(|job| job.settled_at),
            certificate: certificate.map(|one| one.summary.id),
            decided_by: decided.as_ref().map(|decided| decided.0.clone()),
            decided_at: decided.as_ref().map(|decided| decided.1),
            reason: decided.map(|decided| decided.2),
        })
    }
}
