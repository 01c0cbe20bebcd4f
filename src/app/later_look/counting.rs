//! Counting what is back, of many persons together; and, of those of whom something is, once more by
//! the rules of their own case, with how much of it is of later than what was done.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{Counts, SubjectAction};
use uuid::Uuid;

use super::is_for_a_person;
use crate::app::over_jobs::as_of;
use crate::app::request::{Drilled, Sighted, Wanted, action_of};
use crate::app::{AppError, Quietus};
use crate::domain::{JobState, SystemName};
use crate::plan::ProbeName;
use crate::store::{Case, Job, JobKind, LaterLook};

/// A system that did not answer is asked again after so long.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_hours(1);
/// What somebody has to mend is looked at again after so long.
const AFTER_A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What was seen of one person, by system.
pub(super) struct CaseSeen {
    pub(super) case: Case,
    pub(super) action: SubjectAction,
    /// The drill for which the person was invented.
    pub(super) drill: Option<Drilled>,
    pub(super) systems: Vec<SystemSeen>,
}

/// What was seen of one person in one system.
pub(super) struct SystemSeen {
    pub(super) look: LaterLook,
    pub(super) name: SystemName,
    /// The moment that decides what a minimum keeps; `None` is that of the case.
    pub(super) moment: Option<Timestamp>,
    /// Records that would go or be restricted.
    pub(super) due: u64,
    /// Records that would and that a legal hold keeps, which had kept none when it was done.
    pub(super) held: u64,
    /// Records of after what was done.
    pub(super) later: u64,
    /// The rules of now keep some of what those of the case would erase.
    pub(super) kept_now: bool,
    /// Why it could not be looked at, and when to look again.
    pub(super) trouble: Option<(String, Timestamp)>,
}

impl SystemSeen {
    pub(super) fn is_back(&self) -> bool {
        self.trouble.is_none() && self.records() > 0
    }

    pub(super) fn records(&self) -> u64 {
        self.due + self.held
    }
}

impl CaseSeen {
    pub(super) fn is_back(&self) -> bool {
        self.systems.iter().any(SystemSeen::is_back)
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.systems.iter().any(|one| one.trouble.is_some())
    }
}

/// A case whose person is looked for.
struct LookedFor {
    case: Case,
    jobs: Vec<Job>,
    looks: Vec<LaterLook>,
}

/// Whether the person of a case is looked for at present.
enum Looked {
    Now(Box<Wanted>),
    /// What was done is being renewed at this moment.
    Later,
    /// Nobody is to be looked for by it any more.
    NoMore,
    /// It cannot be read who it is.
    Unreadable(String),
}

impl Quietus {
    /// Looks for the persons of these cases.
    pub(super) async fn look_at_cases(&self, cases: &[Uuid]) -> Result<Vec<CaseSeen>, AppError> {
        let (mut people, mut wanted, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for &id in cases {
            let Some(case) = self.store.case(id).await? else { continue };
            let jobs = self.store.jobs_of_case(id).await?;
            let looks = self.store.later_looks_of(id).await?;
            let looked_for = LookedFor { case, jobs, looks };
            match self.is_looked_for(&looked_for).await? {
                Looked::Now(one) => {
                    wanted.push(*one);
                    people.push(looked_for);
                }
                Looked::Later => {}
                Looked::NoMore => {
                    self.store.end_later_looks(id, self.now()).await?;
                }
                Looked::Unreadable(why) => seen.push(self.unseen(looked_for, &why)),
            }
        }
        let sighted = Box::pin(self.sight(&wanted)).await?;
        for ((one, wanted), sighted) in people.into_iter().zip(wanted).zip(sighted) {
            let drill = wanted.request.record.drill.clone();
            let one = self.seen_of(one, (action_of(&wanted.request), drill), &sighted).await?;
            // Before any job goes by it.
            if one.is_back() {
                self.keep_found_by(&wanted, &sighted.found_by).await?;
            }
            seen.push(one);
        }
        Ok(seen)
    }

    async fn is_looked_for(&self, one: &LookedFor) -> Result<Looked, AppError> {
        let Some(stored) = self.store.request_of_case(one.case.id).await? else {
            return Ok(Looked::NoMore);
        };
        if stored.forgotten_at.is_some() {
            return Ok(Looked::NoMore);
        }
        let wanted = match self.wanted_by(stored) {
            Ok(wanted) => wanted,
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => return Ok(Looked::Unreadable(error.to_string())),
        };
        if action_of(&wanted.request) == SubjectAction::Erase {
            return Ok(Looked::Now(Box::new(wanted)));
        }
        // A restriction lasts as long as it is kept up.
        let mut upkeep = one.jobs.iter().filter(|job| job.kind == JobKind::Upkeep);
        if upkeep.clone().any(|job| !job.state.is_final()) {
            return Ok(Looked::Now(Box::new(wanted)));
        }
        let ended = wanted.request.record.restriction_ended_by.is_some()
            || upkeep.any(|job| job.state == JobState::Cancelled);
        Ok(if ended { Looked::NoMore } else { Looked::Later })
    }

    /// Nothing could be seen of somebody anywhere.
    fn unseen(&self, one: LookedFor, why: &str) -> CaseSeen {
        let again_at = self.later_by(AFTER_A_DAY);
        let blank = blank_of(&one).into_iter();
        let systems = blank
            .map(|system| SystemSeen { trouble: Some((why.to_owned(), again_at)), ..system })
            .collect();
        CaseSeen { case: one.case, action: SubjectAction::Erase, drill: None, systems }
    }

    fn later_by(&self, time: SignedDuration) -> Timestamp {
        let now = self.now();
        now.checked_add(time).unwrap_or(now)
    }

    async fn seen_of(
        &self,
        one: LookedFor,
        (action, drill): (SubjectAction, Option<Drilled>),
        sighted: &Sighted,
    ) -> Result<CaseSeen, AppError> {
        if !sighted.doubts.is_empty() {
            let why = format!("somebody has to say who is meant: {}", sighted.doubts.join("; "));
            return Ok(self.unseen(one, &why));
        }
        let mut systems = blank_of(&one);
        for system in &mut systems {
            if !self.map.systems.contains_key(&system.name) {
                let why = "the data map has no such system any more: write it back for as long as persons are looked for there";
                system.trouble = Some((why.to_owned(), self.later_by(AFTER_A_DAY)));
                continue;
            }
            match sighted.counts.get(&system.name) {
                // Nothing that is known of the person leads there any more.
                None => {}
                Some(Err(why)) => {
                    system.trouble = Some((why.clone(), self.later_by(AFTER_A_FAULT)));
                }
                Some(Ok(counts)) => {
                    system.due = due(counts, action);
                    if action == SubjectAction::Erase && !was_held(&one.jobs, system) {
                        system.held = counts.collections.iter().map(|one| one.held).sum();
                    }
                }
            }
        }
        let mut seen = CaseSeen { case: one.case, action, drill, systems };
        if seen.is_back() {
            self.look_closely(&mut seen, sighted).await?;
        }
        Ok(seen)
    }

    /// Something is back by the rules of now. Whether it is by those of the case, and what is of
    /// later, decides; of later may be what another system has.
    async fn look_closely(&self, seen: &mut CaseSeen, sighted: &Sighted) -> Result<(), AppError> {
        let CaseSeen { case, action, systems, .. } = seen;
        for system in systems.iter_mut().filter(|one| one.trouble.is_none()) {
            let Some(Ok(now)) = sighted.counts.get(&system.name) else { continue };
            let moments = (system.moment.unwrap_or(case.moment), system.look.done_at);
            let counted = self.sight_closely(case, &sighted.scope, &system.name, moments).await?;
            let counts = match counted {
                Ok(counts) => counts,
                Err(why) => {
                    system.trouble = Some((why, self.later_by(AFTER_A_FAULT)));
                    continue;
                }
            };
            system.later = later(&counts);
            system.kept_now = keeps_more(now, &counts);
            system.due = if *action == SubjectAction::Erase || system.later == 0 {
                due(&counts, *action)
            } else {
                // New records of somebody who is restricted are for the upkeep.
                0
            };
        }
        Ok(())
    }
}

/// Nothing seen yet.
fn blank_of(one: &LookedFor) -> Vec<SystemSeen> {
    let named =
        one.looks.iter().filter_map(|look| Some((look, SystemName::parse(&look.system).ok()?)));
    named
        .map(|(look, name)| SystemSeen {
            look: look.clone(),
            moment: moment_of(&one.jobs, name.as_str()),
            name,
            due: 0,
            held: 0,
            later: 0,
            kept_now: false,
            trouble: None,
        })
        .collect()
}

/// The latest moment as of which something was done in a system; `None` is that of the case.
pub(super) fn moment_of(jobs: &[Job], system: &str) -> Option<Timestamp> {
    let own = jobs.iter().filter(|job| is_for_a_person(job) && job.system == system);
    own.filter_map(as_of).max()
}

/// A hold kept something when it was done, and a job waits for its release.
fn was_held(jobs: &[Job], system: &SystemSeen) -> bool {
    let mut own = jobs.iter().filter(|job| job.system == system.look.system);
    own.any(|job| job.kind == JobKind::Retained && job.state == JobState::Held)
}

/// Records that are to be gone or restricted and are not.
fn due(counts: &Counts, action: SubjectAction) -> u64 {
    let of = |one: &quietus_connectors::ProbeCount| match action {
        SubjectAction::Erase => one.delete + one.treat.values().sum::<u64>() + one.restrict,
        SubjectAction::Restrict => one.restrict,
        SubjectAction::Lift => 0,
    };
    counts.collections.iter().map(of).sum()
}

/// Records of later than what was done.
fn later(counts: &Counts) -> u64 {
    let probes = counts.collections.iter().flat_map(|one| &one.probes);
    let is_later = |name: &str| matches!(ProbeName::parse(name), Some(ProbeName::Later(_)));
    probes.filter(|(name, _)| is_later(name)).map(|(_, count)| count).sum()
}

/// Whether the rules of now would erase less of a collection than those of the case.
fn keeps_more(now: &Counts, of_case: &Counts) -> bool {
    let erased = |counts: &Counts, name: &str| {
        let mut named = counts.collections.iter().filter(|one| one.collection == name);
        named.next().map_or(0, |one| one.delete + one.treat.values().sum::<u64>())
    };
    let mut collections = of_case.collections.iter();
    collections.any(|one| erased(now, &one.collection) < erased(of_case, &one.collection))
}
