//! The beginning of a quarantine: everything that was done on a system since the restored state is
//! planned again, in the transaction that closes the system.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::app::carry_out::Payload;
use crate::app::open_case::Opening;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{Acting, LeftOut};
use crate::store::{CaseCause, JobKind, NewCase, NewJob, NewRestore, Replayable, RestoreBegun};

/// Attempts before a person is asked; those that end without a job's fault do not count.
const ATTEMPTS: u32 = 8;
/// By how much the clock of a copy and ours may differ: what is done twice does no harm, what is
/// left out does.
const CLOCKS_DIFFER: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// A restore that somebody tells of, or that was noticed.
#[derive(Debug, Clone)]
pub struct BeginRestore {
    /// The system that was put back.
    pub system: String,
    /// It holds the state of this moment.
    pub taken_at: Timestamp,
    /// The copy that it was restored from, where somebody says so.
    pub copy: Option<String>,
    /// Somebody tells of it; otherwise its canary did.
    pub announced: bool,
    /// Since when what had gone may be back; now where nothing else is known.
    pub back_since: Option<Timestamp>,
    /// Why, without personal data.
    pub reason: String,
    /// Who.
    pub actor: Actor,
}

/// A quarantine that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The restore.
    pub restore: Uuid,
    /// The case that carries out what rules have made due.
    pub case: Uuid,
    /// It exceeds a cap and waits for a second person.
    pub waits_for_approval: bool,
    /// Cases of persons that are done again.
    pub replays: u64,
    /// Cases of persons who are forgotten, so that they cannot be looked for.
    pub forgotten: u64,
    /// Why the application is not kept out, where that was wanted, in words.
    pub not_kept_out: Vec<String>,
}

impl Quietus {
    /// Puts a system that was restored in quarantine, and plans again everything that was done on it
    /// since the restored state.
    ///
    /// # Errors
    /// Where there is no such database, the moment lies in the future, or it is in quarantine
    /// already; nothing is changed then.
    pub async fn begin_restore(&self, given: BeginRestore) -> Result<Begun, AppError> {
        let now = self.now();
        let system = self.restorable(&given, now).await?;
        let mut counted = self.counted_plan(now, &Acting::Everything, Some(&system)).await?;
        let others = self.map.systems.keys().filter(|name| **name != system);
        let others = others.map(|name| LeftOut {
            system: name.clone(),
            why: format!("it is not what was restored: that was `{system}`"),
        });
        counted.plan.left_out.retain(|one| one.system == system);
        counted.plan.left_out.extend(others);
        let case = self.ids.new_id();
        let waits_for_approval = !counted.exceeded.is_empty();
        let opening = Opening {
            cause: CaseCause::Command,
            actor: given.actor.clone(),
            moment: now,
            acting: &Acting::Everything,
            occurrence: None,
        };
        let new_case = self.new_case(case, opening, counted)?;
        let mut begun = Begun {
            restore: self.ids.new_id(),
            case,
            waits_for_approval,
            replays: 0,
            forgotten: 0,
            not_kept_out: Vec::new(),
        };
        self.put_in_quarantine((&system, &given), new_case, &mut begun).await?;
        self.wake.up();
        if let Some(restore) = self.store.restore(begun.restore).await? {
            begun.not_kept_out = self.shut_out(&restore).await?;
        }
        Ok(begun)
    }

    /// Writes the quarantine down, with what is done again; anew where a person was forgotten in between.
    async fn put_in_quarantine(
        &self,
        (system, given): (&SystemName, &BeginRestore),
        case: NewCase,
        begun: &mut Begun,
    ) -> Result<(), AppError> {
        let now = self.now();
        loop {
            let (replays, forgotten) = self.replays(system, given.taken_at).await?;
            begun.replays = u64::try_from(replays.len()).unwrap_or(u64::MAX);
            begun.forgotten = forgotten;
            let new = NewRestore {
                id: begun.restore,
                system: system.clone(),
                taken_at: given.taken_at,
                copy: given.copy.clone(),
                announced: given.announced,
                back_since: given.back_since.unwrap_or(now).min(now),
                begun_by: given.actor.0.clone(),
                reason: given.reason.clone(),
                case: case.clone(),
                replays,
                forgotten,
                evidence: vec![self.record_begun(given, begun)?],
            };
            match self.store.begin_restore(new, now).await? {
                RestoreBegun::Yes => return Ok(()),
                RestoreBegun::UnderWay => return Err(under_way(system)),
                RestoreBegun::SomebodyForgotten => {}
            }
        }
    }

    /// The system, if it can be in quarantine now.
    async fn restorable(
        &self,
        given: &BeginRestore,
        now: Timestamp,
    ) -> Result<SystemName, AppError> {
        let system = self.system(&given.system)?;
        if system.is_house() {
            return Err(AppError::Input(
                "quietus' own database is in no quarantine: `quietus recover` brings it forward after a copy was put back".to_owned(),
            ));
        }
        if !system.is_database() {
            return Err(AppError::Input(format!(
                "`{}` is no database of the data map: what others restore is in their own hands",
                system.name
            )));
        }
        if given.taken_at > now {
            return Err(AppError::Input(format!(
                "{} lies in the future: name the moment whose state the system holds now, such as the one at which its copy was begun",
                given.taken_at
            )));
        }
        if given.copy.as_deref().is_some_and(|copy| !is_of_a_copy(copy)) {
            return Err(AppError::Input(
                "write the store and the copy's identifier, such as `nightly/20261128-030002F`: letters, digits and `. _ - : + /`, at most 200".to_owned(),
            ));
        }
        let under_way_now = self.store.restores_under_way().await?;
        if under_way_now.iter().any(|one| one.system == system.name.as_str()) {
            return Err(under_way(&system.name));
        }
        Ok(system.name.clone())
    }

    /// A job for each case in which something was done on a system since a moment; and in how many
    /// the person is forgotten.
    async fn replays(
        &self,
        system: &SystemName,
        taken_at: Timestamp,
    ) -> Result<(Vec<(Uuid, NewJob)>, u64), AppError> {
        let since = taken_at.checked_sub(CLOCKS_DIFFER).unwrap_or(taken_at);
        let mut cases: BTreeMap<Uuid, (Replayable, Payload)> = BTreeMap::new();
        for one in self.store.replayable(system.as_str(), since).await? {
            let payload: Payload = serde_json::from_value(one.payload.clone())
                .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
            let known = cases.remove(&one.case_id).map(|(_, known)| known);
            cases.insert(
                one.case_id,
                (one, known.map_or(payload.clone(), |known| widest(known, payload))),
            );
        }
        let (mut jobs, mut forgotten) = (Vec::with_capacity(cases.len()), 0);
        for (case, (done, payload)) in cases {
            if done.forgotten {
                forgotten += 1;
                continue;
            }
            if !self.still_holds(&done).await? {
                continue;
            }
            let payload = serde_json::to_value(payload)
                .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })?;
            let job = NewJob {
                id: self.ids.new_id(),
                system: system.clone(),
                kind: JobKind::Replay,
                blocked: None,
                held_by: None,
                available_at: self.now(),
                attempts_allowed: ATTEMPTS,
                payload,
                total_estimate: None,
            };
            jobs.push((case, job));
        }
        Ok((jobs, forgotten))
    }

    /// Whether what was done is still wanted: a restriction that was lifted since is not imposed
    /// again, and a person who was restricted once more since is not freed.
    async fn still_holds(&self, done: &Replayable) -> Result<bool, AppError> {
        match done.asked {
            // Between one look of an upkeep and the certificate that plans the next one there is none.
            AskedRight::Restriction | AskedRight::Objection => {
                Ok(done.keeps_up || !self.restricts_no_more(done.case_id).await?)
            }
            AskedRight::Lifting => Ok(!self.is_restricted_again(done.case_id).await?),
            _ => Ok(true),
        }
    }

    fn record_begun(
        &self,
        given: &BeginRestore,
        begun: &Begun,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        self.record(
            EvidenceKind::RestoreBegun,
            About::default(),
            &json!({
                "restore": begun.restore,
                "system": given.system,
                "takenAt": given.taken_at,
                "copy": given.copy,
                "announced": given.announced,
                "backSince": given.back_since,
                "by": given.actor.0,
                "reason": given.reason,
                "case": begun.case,
                "replays": begun.replays,
                "forgotten": begun.forgotten,
            }),
        )
    }
}

/// Whether a text is the name of a copy, and nobody's address.
fn is_of_a_copy(text: &str) -> bool {
    let fits = |one: char| one.is_ascii_alphanumeric() || "._-:+/".contains(one);
    (1..=200).contains(&text.len()) && text.chars().all(fits)
}

/// What covers both: the later moment, by which more of what a minimum keeps may go.
fn widest(one: Payload, other: Payload) -> Payload {
    match (one, other) {
        (
            Payload::Person { most_records: mine, moment: early, anew: earlier, .. },
            Payload::Person { most_records, holds_version, moment, anew },
        ) => Payload::Person {
            most_records: mine.max(most_records),
            holds_version,
            moment: early.max(moment),
            // Of before they were known by something else.
            anew: earlier && anew,
        },
        (_, other) => other,
    }
}

fn under_way(system: &SystemName) -> AppError {
    AppError::Input(format!(
        "`{system}` is in quarantine already: `quietus restore show {system}` says how far it is"
    ))
}
