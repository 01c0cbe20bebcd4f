//! What a certificate says of files and logs of the systems in which its case has erased something,
//! and who looks at them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{ResidueLook, ResidueSight, ResidueWait, residue_stages};
use serde_json::{Value, json};
use uuid::Uuid;

use super::seen::{FilesSeen, NOT_ASKED, NOT_LOOKED};
use crate::app::backup::{has_erased, later};
use crate::app::carry_out::Payload;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::datamap::{Residues, System};
use crate::domain::{CollectionName, JobState, SystemName};
use crate::evidence::EvidenceKind;
use crate::evidence::files::{StatedFiles, StatedStage};
use crate::evidence::statement::{EvidenceReference, SystemStatement};
use crate::store::{Case, Detail, Job, JobKind, NewJob, OutboxEntry};

/// For so long whoever certifies waits for a system that says where its logs stand.
const MOST_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// A system that nobody could look at while its case was certified is looked at after this time.
const SOON: SignedDuration = SignedDuration::from_mins(1);
/// Attempts of a look that are lost before a person is asked; those that end do not count.
const ATTEMPTS: u32 = 8;

/// Where logs of systems stood, and when somebody asked: one answer serves everybody whose erasure was
/// over before, in the same collections.
#[derive(Default)]
pub(crate) struct Marks(Mutex<KnownMarks>);

/// By system and collections: when somebody asked, and the answer.
type KnownMarks = BTreeMap<(SystemName, Vec<String>), (Timestamp, ResidueSight)>;

impl Marks {
    fn since(
        &self,
        system: &SystemName,
        collections: &[String],
        over: Timestamp,
    ) -> Option<(Timestamp, ResidueSight)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(&(system.clone(), collections.to_vec()));
        found.filter(|(asked_at, _)| *asked_at > over).cloned()
    }

    fn learn(
        &self,
        system: &SystemName,
        collections: &[String],
        (asked_at, sight): (Timestamp, &ResidueSight),
    ) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((system.clone(), collections.to_vec()), (asked_at, sight.clone()));
    }
}

/// Files and logs of what one case has erased.
#[derive(Default)]
pub(crate) struct FilesOfCase {
    systems: Vec<FilesOfSystem>,
}

/// Those of one system.
struct FilesOfSystem {
    system: SystemName,
    kind: String,
    seen: FilesSeen,
    /// Entries of the log about looks at it.
    evidence: Vec<EvidenceReference>,
    /// A look that nobody has planned yet.
    planned: Option<NewJob>,
    /// It was looked at for the first time.
    is_first: bool,
    /// Looks that this one takes the place of.
    outdated: Vec<Uuid>,
}

/// What a look is for.
pub(crate) struct FilesLook {
    pub(super) at: Timestamp,
    pub(super) collections: Vec<String>,
    pub(super) mark: Option<Value>,
    pub(super) seen: FilesSeen,
}

impl FilesLook {
    /// As it was planned, and as it was seen last.
    pub(super) fn of(job: &Job) -> Result<Self, AppError> {
        let unreadable = |why: String| AppError::Unreadable { what: "a job", why };
        let mut waiting = match serde_json::from_value(job.payload.clone()) {
            Ok(Payload::Residue { at, collections, mark, seen }) => {
                Self { at, collections, mark, seen }
            }
            Ok(_) => return Err(unreadable("it is no look at files".to_owned())),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        if let Some(done) = &job.done {
            let seen = serde_json::from_value(done["seen"].clone());
            waiting.seen = seen.map_err(|error| unreadable(error.to_string()))?;
            waiting.mark = Some(done["mark"].clone()).filter(|mark| !mark.is_null());
        }
        Ok(waiting)
    }
}

impl Quietus {
    /// What is known of files and logs of everything that a case has erased, with a look at each
    /// system that is not planned yet.
    ///
    /// # Errors
    /// Where our own store is not there.
    pub(crate) async fn files_of_case(
        &self,
        jobs: &[Job],
        statements: &[SystemStatement],
        details: &[Detail],
    ) -> Result<FilesOfCase, AppError> {
        let mut systems = Vec::new();
        for (name, at) in self.erased(jobs, statements) {
            let looks: Vec<&Job> = looks_at(jobs, &name).collect();
            let mapped = self.map.systems.get(&name);
            let asked = mapped.and_then(|one| Some((one, one.residues.as_ref()?)));
            if looks.is_empty() && asked.is_none() {
                continue;
            }
            let collections = self.collections_of(&name, statements);
            let Some(mut one) =
                self.files_of_system(&looks, asked, (name, at, collections)).await?
            else {
                continue;
            };
            one.evidence = self.references_about(&looks, details).await?;
            systems.push(one);
        }
        Ok(FilesOfCase { systems })
    }

    /// Collections of a system of which something was erased, by their names there.
    fn collections_of(
        &self,
        system: &SystemName,
        statements: &[SystemStatement],
    ) -> BTreeSet<String> {
        let mapped = self.map.systems.get(system);
        let source = |name: &CollectionName| {
            let collection = mapped.and_then(|system| system.collections.get(name));
            collection.map_or_else(|| name.to_string(), |one| one.source.clone())
        };
        let own = statements.iter().filter(|one| one.system.id == *system && has_erased(one));
        own.filter_map(|one| one.collection.as_ref()).map(source).collect()
    }

    async fn files_of_system(
        &self,
        looks: &[&Job],
        asked: Option<(&System, &Residues)>,
        (name, at, collections): (SystemName, Timestamp, BTreeSet<String>),
    ) -> Result<Option<FilesOfSystem>, AppError> {
        let mut one = FilesOfSystem {
            kind: asked.map_or_else(String::new, |(system, _)| system.kind.clone()),
            system: name,
            seen: FilesSeen::nothing(&[], NOT_ASKED),
            evidence: Vec::new(),
            planned: None,
            is_first: false,
            outdated: Vec::new(),
        };
        let last = looks.iter().filter(|job| job.state != JobState::Cancelled);
        let last = last.max_by_key(|job| (job.created_at, job.id)).copied();
        if let Some(job) = last {
            let waiting = FilesLook::of(job)?;
            let covers = waiting.at >= at
                && collections.iter().all(|name| waiting.collections.contains(name));
            if covers && (!job.state.is_final() || waiting.seen.gone() || asked.is_none()) {
                one.seen = waiting.seen;
                return Ok(Some(one));
            }
            if asked.is_none() {
                // Whoever looked did so before the last of it was erased.
                one.seen = waiting.seen.not_covering();
                return Ok(Some(one));
            }
        }
        let Some((system, residues)) = asked else { return Ok(None) };
        let open = looks.iter().filter(|job| !job.state.is_final());
        one.outdated = open.map(|job| job.id).collect();
        let collections: Vec<String> = collections.into_iter().collect();
        let (mark, seen) = self.first_sight(system, residues, &collections, at).await;
        one.is_first = true;
        if !seen.gone() {
            let pause =
                if seen.looked_at.is_none() { SOON.min(residues.look) } else { residues.look };
            let payload = Payload::Residue { at, collections, mark, seen: seen.clone() };
            one.planned = Some(NewJob {
                id: self.ids.new_id(),
                system: system.name.clone(),
                kind: JobKind::Residue,
                blocked: None,
                held_by: None,
                available_at: later(self.now(), pause),
                attempts_allowed: ATTEMPTS,
                payload: serde_json::to_value(payload).map_err(|error| AppError::Unreadable {
                    what: "a job",
                    why: error.to_string(),
                })?,
                total_estimate: None,
            });
        }
        one.seen = seen;
        Ok(Some(one))
    }

    /// Where the logs of a system stand now that something was erased there, and what is gone already.
    /// Nothing is driven. Where it does not answer soon, nothing is known yet, and a job looks.
    async fn first_sight(
        &self,
        system: &System,
        residues: &Residues,
        collections: &[String],
        over: Timestamp,
    ) -> (Option<Value>, FilesSeen) {
        let nothing = FilesSeen::nothing(&residues.stages, NOT_ASKED);
        if let Some((asked_at, sight)) = self.marks.since(&system.name, collections, over) {
            return (Some(sight.mark), nothing.after(&sight.stages, asked_at));
        }
        let asked_at = self.now();
        let look = ResidueLook {
            stages: residues.stages.clone(),
            drive: residues.drive.clone(),
            acts: false,
            waits: vec![ResidueWait { collections: collections.to_vec(), mark: None }],
        };
        let answer = match self.connect(system) {
            Ok(connector) => {
                let sight = connector.look_at_residues(&look);
                let answer = self.answer_in_time(&system.name, MOST_PATIENCE, sight).await;
                let Some(answer) = answer else {
                    return (None, FilesSeen::nothing(&residues.stages, NOT_LOOKED));
                };
                answer.map_err(|fault| fault.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match answer.map(|mut seen| seen.pop()) {
            Ok(Some(sight)) => {
                self.marks.learn(&system.name, collections, (asked_at, &sight));
                let seen = nothing.after(&sight.stages, self.now());
                (Some(sight.mark), seen)
            }
            Ok(None) => (None, nothing),
            Err(why) => {
                tracing::warn!(system = %system.name, %why, "nobody can say where its logs stand; it is asked again");
                (None, nothing)
            }
        }
    }

    /// What a certificate's writing brings to the log about files: what was seen of each system the
    /// first time.
    pub(crate) fn first_sights(
        &self,
        case: &Case,
        files: &FilesOfCase,
    ) -> Result<Vec<OutboxEntry>, AppError> {
        let first = files.systems.iter().filter(|one| one.is_first);
        let entries = first.map(|one| {
            self.record(
                EvidenceKind::ResidueObserved,
                About { case: Some(case.id), job: None },
                &json!({
                    "case": case.id,
                    "job": one.planned.as_ref().map(|job| job.id),
                    "system": one.system,
                    "seen": one.seen,
                    "lookedAtAgain": one.planned.as_ref().map(|job| job.available_at),
                }),
            )
        });
        entries.collect()
    }
}

impl FilesOfCase {
    /// Looks that are not planned yet.
    pub(crate) fn planned(&self) -> impl Iterator<Item = NewJob> + '_ {
        self.systems.iter().filter_map(|one| one.planned.clone())
    }

    /// Looks that others have taken the place of.
    pub(crate) fn outdated(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.systems.iter().flat_map(|one| one.outdated.iter().copied())
    }

    /// States them where something was erased.
    pub(crate) fn state(
        &self,
        statements: &mut [SystemStatement],
        now: Timestamp,
        zone: &TimeZone,
    ) {
        for statement in statements.iter_mut().filter(|one| has_erased(one)) {
            let own = self.systems.iter().find(|one| one.system == statement.system.id);
            let Some(one) = own else { continue };
            statement.files = Some(one.stated(now, zone));
            statement.evidence.extend(one.evidence.iter().cloned());
        }
    }
}

impl FilesOfSystem {
    fn stated(&self, now: Timestamp, zone: &TimeZone) -> StatedFiles {
        let day = |moment: Timestamp| moment.to_zoned(zone.clone()).date();
        let words = residue_stages(&self.kind);
        let stages = self.seen.stages.iter().map(|one| {
            let what = words.iter().find(|stage| stage.name == one.stage);
            // A day that is over without anybody having looked is promised to nobody.
            let gone_by = one.gone_by.filter(|at| one.gone_at.is_none() && *at > now).map(day);
            let why = || one.why.clone().unwrap_or_else(|| NOT_ASKED.to_owned());
            StatedStage {
                stage: one.stage.clone(),
                what: what.map_or(&*one.stage, |stage| stage.what).to_owned(),
                gone_by,
                reason: (one.gone_at.is_none() && gone_by.is_none()).then(why),
                seen_gone_at: one.gone_at,
            }
        });
        let stages: Vec<StatedStage> = stages.collect();
        let left = || stages.iter().filter(|one| one.seen_gone_at.is_none());
        let reason = left().find_map(|one| one.reason.clone());
        let gone_by = left().filter_map(|one| one.gone_by).max().filter(|_| reason.is_none());
        let gone = self.seen.gone();
        StatedFiles {
            gone_by,
            reason,
            seen_gone_at: stages.iter().filter_map(|one| one.seen_gone_at).max().filter(|_| gone),
            looked_at: self.seen.looked_at,
            stages,
        }
    }
}

fn looks_at<'a>(jobs: &'a [Job], system: &SystemName) -> impl Iterator<Item = &'a Job> {
    let system = system.to_string();
    jobs.iter().filter(move |job| job.kind == JobKind::Residue && job.system == system)
}
