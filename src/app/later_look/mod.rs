//! Later looks: long after somebody was erased or restricted, whether something of theirs is back,
//! because an import has brought it for example.
//!
//! Everybody whose time has come is counted together, with the few statements that as many new
//! requests would cost. What is old goes again by a job of the kind `replay` in the person's own
//! case; what may be of a new relationship waits for a person. Who is forgotten cannot be looked
//! for, so nobody is forgotten before their last look.

mod counting;
mod decide;
mod found;
mod standing;
mod stated;

pub use crate::store::LaterLookCounts;
pub use decide::Decision;
pub use standing::{LaterLookFacts, ReappearanceFacts, TroubleFacts};

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::SubjectAction;
use uuid::Uuid;

use super::crash::CrashPoint;
use super::request::{OpenRequest, action_of};
use super::{AppError, Quietus};
use crate::domain::{JobState, Rounding, SystemName};
use crate::store::{Job, JobKind, Lead};

use self::counting::CaseSeen;

/// The right to look, which one process has at a time.
const LEAD: &str = "later looks";
/// Persons counted together.
const TOGETHER: usize = 250;
/// Cases looked at in one go; what is left is looked at with the next ring.
const MOST_CASES: u32 = 20_000;
/// Time between two times at which everybody is noted down for whom something was done.
const PLANTED_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What was seen of one person in one system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeenIn {
    pub(crate) system: String,
    /// Something of theirs is back.
    pub(crate) back: bool,
    /// Why nobody knows.
    pub(crate) trouble: Option<String>,
}

/// What came of looking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LookTally {
    /// Persons who were looked for.
    pub persons: u64,
    /// Persons who could not be looked for everywhere.
    pub troubled: u64,
    /// Persons of whom something is back, and what was done is done again.
    pub again: u64,
    /// Persons of whom something is back, and somebody has to decide.
    pub asks: u64,
    /// Another process is looking at this moment, so that nothing was looked at here.
    pub elsewhere: bool,
}

impl Quietus {
    /// Looks for everybody whose time has come.
    ///
    /// # Errors
    /// Where the store is not there. That a system does not answer is written down, and it is asked
    /// again in an hour.
    pub async fn look_for_due(&self) -> Result<LookTally, AppError> {
        let Some(seen_until) = self.due_if_seen_until() else { return Ok(LookTally::default()) };
        if self.stands_still().await?.is_some() {
            return Ok(LookTally::default());
        }
        if self.is_time_to_plant() {
            self.plant_looks().await?;
        }
        Box::pin(self.look_with_lead((seen_until, self.now()))).await
    }

    /// Looks now for everybody who is looked for, whatever the pace.
    ///
    /// # Errors
    /// Where the instance looks for nobody, or the store is not there.
    pub async fn look_for_everybody(&self) -> Result<LookTally, AppError> {
        if self.instance.later_looks.every.is_none() {
            return Err(AppError::Input(
                "this instance looks for nobody: see `later_looks` in `quietus.yaml`".to_owned(),
            ));
        }
        self.plant_looks().await?;
        // Also where it was tried in vain a moment ago.
        Box::pin(self.look_with_lead((self.now(), Timestamp::MAX))).await
    }

    /// Looks now for the person of one case, whatever the pace; what was seen in each system, or
    /// `None` where another process is looking.
    ///
    /// # Errors
    /// As [`Self::look_for_everybody`].
    pub(crate) async fn look_for_case(&self, case: Uuid) -> Result<Option<Vec<SeenIn>>, AppError> {
        self.plant_looks().await?;
        let holder = self.ids.new_id().to_string();
        if !self.may_look(&holder).await? {
            return Ok(None);
        }
        let seen = Box::pin(self.look_at_one(case)).await;
        self.store.yield_lead(LEAD, &holder).await?;
        seen.map(Some)
    }

    async fn look_at_one(&self, case: Uuid) -> Result<Vec<SeenIn>, AppError> {
        let seen = Box::pin(self.look_at_cases(&[case])).await?;
        let seen_in = |one: &counting::SystemSeen| SeenIn {
            system: one.look.system.clone(),
            back: one.is_back(),
            trouble: one.trouble.as_ref().map(|trouble| trouble.0.clone()),
        };
        let told = seen.iter().flat_map(|one| one.systems.iter().map(seen_in)).collect();
        let (found, others): (Vec<_>, Vec<_>) = seen.into_iter().partition(CaseSeen::is_back);
        self.keep_without_findings(&others).await?;
        self.crash.reach(CrashPoint::LookedAgain);
        self.keep_findings(found, &mut LookTally::default()).await?;
        self.wake.up();
        Ok(told)
    }

    /// Who was looked for last at this moment or before is due; `None` where nobody is looked for.
    fn due_if_seen_until(&self) -> Option<Timestamp> {
        let every = self.instance.later_looks.every?;
        every.cutoff(self.now(), Rounding::None, &self.zone)
    }

    fn is_time_to_plant(&self) -> bool {
        let now = self.now();
        let mut planted_at =
            self.looks_planted_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let soon =
            |at: Timestamp| (SignedDuration::ZERO..PLANTED_EVERY).contains(&now.duration_since(at));
        if planted_at.is_some_and(soon) {
            return false;
        }
        *planted_at = Some(now);
        true
    }

    /// Notes down for whom something was done since, and who is forgotten.
    async fn plant_looks(&self) -> Result<(), AppError> {
        for system in self.map.systems.values().filter(|one| one.holds_persons()) {
            self.store.plant_later_looks(system.name.as_str()).await?;
        }
        self.store.end_looks_for_forgotten(self.now()).await?;
        Ok(())
    }

    async fn look_with_lead(&self, due: (Timestamp, Timestamp)) -> Result<LookTally, AppError> {
        let holder = self.ids.new_id().to_string();
        if !self.may_look(&holder).await? {
            return Ok(LookTally { elsewhere: true, ..LookTally::default() });
        }
        let tally = Box::pin(self.look_for_those(due, &holder)).await;
        self.store.yield_lead(LEAD, &holder).await?;
        tally
    }

    async fn may_look(&self, holder: &str) -> Result<bool, AppError> {
        let until = self.lease_until();
        Ok(self.store.try_lead(Lead { name: LEAD, holder, until }, self.now()).await?)
    }

    /// What is well is written down at once; what is back only once it is known of how many.
    async fn look_for_those(
        &self,
        (seen_until, tried_until): (Timestamp, Timestamp),
        holder: &str,
    ) -> Result<LookTally, AppError> {
        let mut tally = LookTally::default();
        let mut back: Vec<CaseSeen> = Vec::new();
        let due = self.store.cases_to_look_for(seen_until, tried_until, MOST_CASES).await?;
        for cases in due.chunks(TOGETHER) {
            if !self.may_look(holder).await? {
                return Ok(tally);
            }
            let seen = Box::pin(self.look_at_cases(cases)).await?;
            let (found, others): (Vec<_>, Vec<_>) = seen.into_iter().partition(CaseSeen::is_back);
            tally.persons += count(found.len() + others.len());
            tally.troubled += count(others.iter().filter(|one| one.is_troubled()).count());
            self.keep_without_findings(&others).await?;
            back.extend(found);
        }
        self.crash.reach(CrashPoint::LookedAgain);
        self.keep_findings(back, &mut tally).await?;
        if tally.again > 0 {
            self.wake.up();
        }
        Ok(tally)
    }

    /// Whether the person of a closed request has to be known for longer, because looks are promised
    /// or somebody has to decide about what a look has found.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn is_still_looked_for(
        &self,
        request: &OpenRequest,
        (case, jobs): (Uuid, &[Job]),
    ) -> Result<bool, AppError> {
        let Some(seen_until) = self.due_if_seen_until() else { return Ok(false) };
        if action_of(request) != SubjectAction::Erase {
            return Ok(false);
        }
        let lasting = self.instance.later_looks.lasting;
        let now = self.now();
        let promised = jobs
            .iter()
            .filter(|job| is_for_a_person(job) && self.is_in_a_database(job))
            .filter_map(|job| job.settled_at)
            .any(|at| lasting.due_at(at, Rounding::None, &self.zone) > now);
        Ok(promised || self.store.owes_a_look(case, seen_until).await?)
    }

    fn is_in_a_database(&self, job: &Job) -> bool {
        let name = SystemName::parse(&job.system).ok();
        let system = name.and_then(|name| self.map.systems.get(&name));
        system.is_some_and(crate::datamap::System::is_database)
    }
}

/// It has erased or restricted something of a person.
fn is_for_a_person(job: &Job) -> bool {
    use JobKind::{Replay, Request, Retained, Upkeep};
    job.state == JobState::Completed && matches!(job.kind, Request | Retained | Upkeep | Replay)
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}
