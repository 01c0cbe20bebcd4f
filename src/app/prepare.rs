//! Before the connector is asked: is the job still wanted, may it start now, what exactly is the
//! order with the holds of this moment, and the intent on record.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{Connector, Fault, Order, Predicate, SubjectRequest};
use serde_json::json;

use super::account::Ordered;
use super::carry_out::{Attempt, Ending, Payload};
use super::circumstances::{Basis, Circumstances};
use super::deaths::last_attempt;
use super::done::Done;
use super::law::{GoesBy, Law};
use super::mutation::Mutation;
use super::opening::Pinned;
use super::over_jobs::as_of;
use super::plan_on_record::{PartOnRecord, PlannedWith};
use super::recording::About;
use super::request::PersonPart;
use super::waiting::{acting_from, same_question};
use super::{AppError, Quietus};
use crate::datamap::DataMap;
use crate::domain::{LegalHold, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{FindingKind, SystemPlan, compile, concerns_system};
use crate::schedule::Timetable;
use crate::store::{BlockedReason, HoldFilter, Settlement, Start, Started, StillMine};

/// An order ready to be carried out, or the reason for which it is not.
pub(super) enum Ready {
    Order(Box<Prepared>),
    Ended(Box<Ending>),
}

pub(super) struct Prepared {
    pub(super) order: Order,
    /// What the order was made from.
    pub(super) plan: SystemPlan,
    /// What earlier attempts have done.
    pub(super) done: Done,
    /// There is something that was not counted with the case, so that it is counted again.
    pub(super) is_uncounted: bool,
    pub(super) connector: Box<dyn Connector>,
    pub(super) started: StillMine,
    pub(super) timetable: Option<Timetable>,
}

/// An order compiled with the holds of a moment.
pub(super) struct Compiled {
    pub(super) plan: SystemPlan,
    pub(super) ordered: Ordered,
    /// Those that speak of its system.
    holds: Vec<LegalHold>,
    holds_version: u64,
    pauses_version: u64,
    rules_version: u64,
    /// For a third party: whom it is asked about.
    persons: Option<SubjectRequest>,
    /// For a third party: why it cannot be asked.
    unreached: Option<String>,
}

impl Compiled {
    /// A part of a request, which may be a third party's.
    pub(super) fn of_part(
        attempt: &Attempt<'_>,
        (map, law): (&DataMap, &Law),
        part: PersonPart,
        circumstances: &Circumstances,
    ) -> Result<Self, AppError> {
        let compiled = compiled_with(attempt, (map, law), part.plan, circumstances)?;
        Ok(Self { persons: part.persons, unreached: part.unreached, ..compiled })
    }
}

fn ended(attempt: &Attempt<'_>, settlement: Settlement, words: &str) -> Ready {
    Ready::Ended(Box::new(Ending {
        settlement,
        done: attempt.done.clone(),
        order_key: String::new(),
        verification: None,
        words: words.to_owned(),
    }))
}

impl Quietus {
    /// Compiles the order, records the intent and checks that nothing stands in the way.
    pub(super) async fn prepare(&self, attempt: &Attempt<'_>) -> Result<Ready, AppError> {
        let job = &attempt.claimed.job;
        let timetable = self.timetable_of(&attempt.case);
        if let Some(ready) = self.not_now(attempt, timetable.as_ref()) {
            return Ok(ready);
        }
        let name = system_of(attempt)?;
        let pinned = match self.pinned(&attempt.case).await {
            Ok(pinned) => pinned,
            Err(error) => return self.stopped_by(attempt, error),
        };
        let goes_by = goes_by(&payload_of(attempt)?);
        let law = match self.law_for((&pinned, Some(&name)), goes_by).await {
            Ok(law) => law,
            Err(error) => return self.stopped_by(attempt, error),
        };
        if goes_by == GoesBy::InForce && law.is_not_ours {
            return Ok(Ready::Ended(Box::new(self.left_to_the_law(attempt))));
        }
        let compiled = match self.compile_job(attempt, (&pinned, &law), &name).await {
            Ok(compiled) => compiled,
            Err(error) => {
                self.hear_error(attempt, &error);
                return self.stopped_by(attempt, error);
            }
        };
        if let Some(ready) = self.nobody_is_asked(attempt, &compiled).await? {
            return Ok(ready);
        }
        let holds_version = compiled.holds_version;
        // What a hold keeps of a person is left for a later job, and the rest is answered.
        let is_request = matches!(payload_of(attempt)?, Payload::Person { .. });
        let matters = stopping_matters(&compiled.plan, &compiled.holds);
        if !matters.is_empty() && !is_request {
            let settlement = Settlement::Held { matters, holds_version };
            return Ok(ended(attempt, settlement, "a legal hold stops it"));
        }
        let order = self.as_mutated(order_of(attempt, &compiled)?);
        let started = match self.start(attempt, &order, &compiled).await? {
            Ok(started) => started,
            Err(ready) => return Ok(*ready),
        };
        let is_uncounted = self.is_uncounted(attempt, holds_version).await?;
        let Compiled { plan, ordered, .. } = compiled;
        let done = Done { ordered: Some(ordered), ..attempt.done.clone() };
        match self.connect_as_planned(pinned.map(), &job.system) {
            Ok(connector) => Ok(Ready::Order(Box::new(Prepared {
                order,
                plan,
                done,
                is_uncounted,
                connector,
                started,
                timetable,
            }))),
            Err(error) => {
                let fault = Fault::Misconfigured { message: error.to_string() };
                Ok(self.faulted(attempt, &order.key, &fault))
            }
        }
    }

    /// Why a third party is not asked to do anything; `None` where it is.
    pub(super) async fn nobody_is_asked(
        &self,
        attempt: &Attempt<'_>,
        compiled: &Compiled,
    ) -> Result<Option<Ready>, AppError> {
        if let Some(why) = &compiled.unreached {
            return Ok(Some(self.cannot_be_asked(attempt, why)));
        }
        self.held_back(attempt, compiled).await
    }

    /// Why nothing is to be done before anything was asked; `None` where the job may go on.
    pub(super) fn not_now(
        &self,
        attempt: &Attempt<'_>,
        timetable: Option<&Timetable>,
    ) -> Option<Ready> {
        if attempt.claimed.job.cancel_requested.is_some() {
            return Some(ended(attempt, Settlement::Cancelled, "called off before it began"));
        }
        if let Some(opens_at) = timetable.and_then(|one| one.opens_at(self.now())) {
            let settlement = Settlement::Released { available_at: opens_at };
            return Some(ended(attempt, settlement, "outside of the schedule's window"));
        }
        too_many_lost(attempt).map(|fault| self.faulted(attempt, "", &fault))
    }

    /// A fault of compiling is one of the attempt.
    pub(super) fn compiled_or_ended(
        &self,
        attempt: &Attempt<'_>,
        compiled: Result<Compiled, AppError>,
    ) -> Result<Result<Compiled, Box<Ready>>, AppError> {
        match compiled {
            Ok(compiled) => Ok(Ok(compiled)),
            Err(error) => Ok(Err(Box::new(self.stopped_by(attempt, error)?))),
        }
    }

    /// Records the intent while holds, pauses and which rules are in force are read again in the same
    /// transaction.
    async fn start(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
        compiled: &Compiled,
    ) -> Result<Result<StillMine, Box<Ready>>, AppError> {
        let started = self.store.start_attempt(self.start_of(attempt, order, compiled)?).await?;
        Ok(self.may_begin(attempt, compiled, started))
    }

    /// How an attempt is to be put on record before its effect.
    pub(super) fn start_of(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
        compiled: &Compiled,
    ) -> Result<Start, AppError> {
        Ok(Start {
            tenure: attempt.tenure.clone(),
            now: self.now(),
            lease_until: self.lease_until(),
            evidence: vec![self.intent(attempt, order, compiled)?],
        })
    }

    /// Whether what was seen while the intent was recorded is what the order was compiled with.
    pub(super) fn may_begin(
        &self,
        attempt: &Attempt<'_>,
        compiled: &Compiled,
        started: Started,
    ) -> Result<StillMine, Box<Ready>> {
        let at_once = || Settlement::Released { available_at: self.now() };
        let (settlement, words) = match started {
            Started::Yes(seen) if seen.holds_version != compiled.holds_version => {
                (at_once(), "a legal hold was placed or released meanwhile")
            }
            Started::Yes(seen) if seen.rules_version != compiled.rules_version => {
                (at_once(), "other rules came in force meanwhile")
            }
            // A rule that is paused does nothing in an order, so an order that was compiled before
            // must not be carried out.
            Started::Yes(seen) if seen.pauses_version != compiled.pauses_version => {
                (at_once(), "something was paused or resumed meanwhile")
            }
            Started::Yes(started) => return Ok(started),
            Started::Paused(seen) => {
                let reason = BlockedReason::Pause;
                let pauses_version = seen.pauses_version;
                (Settlement::Blocked { reason, pauses_version, asks: None }, "paused")
            }
            Started::NotMine => (at_once(), "taken over"),
        };
        Err(Box::new(ended(attempt, settlement, words)))
    }

    /// What an error before the order means for the job.
    fn stopped_by(&self, attempt: &Attempt<'_>, error: AppError) -> Result<Ready, AppError> {
        match error {
            AppError::Input(message) => {
                Ok(self.faulted(attempt, "", &Fault::Misconfigured { message }))
            }
            AppError::System { fault, .. } => Ok(self.faulted(attempt, "", &fault)),
            AppError::EarlierRules(_) => Ok(Ready::Ended(Box::new(self.left_to_the_law(attempt)))),
            other => Err(other),
        }
    }

    fn faulted(&self, attempt: &Attempt<'_>, order_key: &str, fault: &Fault) -> Ready {
        let done = attempt.done.clone();
        Ready::Ended(Box::new(self.ending_of_fault(attempt, order_key, fault, done)))
    }

    /// Every system was asked, and nothing is known by which this third party could be: that is no
    /// fault of anybody, and it is named as not covered.
    fn cannot_be_asked(&self, attempt: &Attempt<'_>, why: &str) -> Ready {
        let done = Done { unreached: Some(why.to_owned()), ..attempt.done.clone() };
        self.over_without_asking(done, "nobody was asked", why)
    }

    pub(super) async fn compile_job(
        &self,
        attempt: &Attempt<'_>,
        (pinned, law): (&Pinned<'_>, &Law),
        system: &SystemName,
    ) -> Result<Compiled, AppError> {
        let schedules = match payload_of(attempt)? {
            Payload::First { schedules, .. } => schedules,
            Payload::Person { anew, .. } => {
                let case = &attempt.case;
                let when = (as_of(&attempt.claimed.job).unwrap_or(case.moment), anew);
                let (part, circumstances) =
                    self.compile_person_part(case, (pinned, law), system, when).await?;
                return Compiled::of_part(attempt, (pinned.map(), law), part, &circumstances);
            }
            Payload::Backup { .. } | Payload::Residue { .. } => return Err(no_order()),
        };
        let acting = acting_from(schedules);
        let basis = Basis {
            map: pinned.map(),
            rules: pinned.rules(),
            limits: &law.limits,
            moment: self.moment_of_rules(attempt),
            zone: pinned.zone(),
            told_until: Some(PlannedWith::of(&attempt.case)?.told_until),
            acting: &acting,
        };
        let circumstances = self.circumstances(basis).await?;
        let plan = compile(&circumstances.input(basis), system)
            .map_err(|error| AppError::Input(error.to_string()))?;
        compiled_with(attempt, (pinned.map(), law), plan, &circumstances)
    }

    /// The moment that decides what rules have made due.
    fn moment_of_rules(&self, attempt: &Attempt<'_>) -> Timestamp {
        let moment = attempt.case.moment;
        if self.suffers(Mutation::EarlyByASecond) {
            return moment.checked_add(SignedDuration::from_secs(1)).unwrap_or(moment);
        }
        moment
    }

    /// There is something that was not counted with the case: a hold that was released later had
    /// covered it, or the system could not be counted at all.
    async fn is_uncounted(
        &self,
        attempt: &Attempt<'_>,
        holds_version: u64,
    ) -> Result<bool, AppError> {
        let Payload::First { holds_version: counted_under, counted, .. } = payload_of(attempt)?
        else {
            return Ok(false);
        };
        if !counted || counted_under == Some(holds_version) {
            return Ok(!counted);
        }
        let holds = self.store.list_holds(HoldFilter::All).await?;
        let mut released = holds.into_iter().filter_map(|hold| hold.released).map(|(_, at)| at);
        Ok(released.any(|at| at >= attempt.case.moment))
    }

    fn intent(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
        compiled: &Compiled,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        let job = &attempt.claimed.job;
        let about = About { case: Some(job.case_id), job: Some(job.id) };
        self.record(
            EvidenceKind::StepStarted,
            about,
            &json!({
                "case": job.case_id,
                "job": job.id,
                "system": job.system,
                "attempt": job.attempt,
                "lostAttempt": attempt.claimed.lost_attempt,
                "orderKey": order.key,
                "moment": order.moment,
                "planSha256": attempt.case.plan.digest,
                "limitsRuleSetSha256": compiled.ordered.limits_from,
            }),
        )
    }
}

fn compiled_with(
    attempt: &Attempt<'_>,
    (map, law): (&DataMap, &Law),
    plan: SystemPlan,
    circumstances: &Circumstances,
) -> Result<Compiled, AppError> {
    tell_of_findings(attempt, law, &plan);
    let &Circumstances { holds_version, pauses_version, .. } = circumstances;
    let concerned =
        circumstances.holds.iter().filter(|one| concerns_system(map, one, &plan.system));
    let holds: Vec<LegalHold> = concerned.cloned().collect();
    let planned = PartOnRecord::of(&attempt.case, plan.system.as_str())?.plan;
    let ordered = Ordered {
        limits_from: law.other_than(attempt.case.rules_digest),
        ..Ordered::of(planned.as_ref(), &plan, &holds)
    };
    Ok(Compiled {
        plan,
        ordered,
        holds,
        holds_version,
        pauses_version,
        rules_version: law.version,
        persons: None,
        unreached: None,
    })
}

/// What a law of later than the case has no place for in its data map keeps data, and is told.
fn tell_of_findings(attempt: &Attempt<'_>, law: &Law, plan: &SystemPlan) {
    if law.other_than(attempt.case.rules_digest).is_none() {
        return;
    }
    let kinds = [FindingKind::NoStartingPoint, FindingKind::ConditionNotReadable];
    for finding in plan.findings.iter().filter(|one| kinds.contains(&one.kind)) {
        tracing::warn!(job = %attempt.claimed.job.id, system = %plan.system, finding = %finding.message, "a minimum in force cannot be read with the data map of the case");
    }
}

/// Whose law a job goes by.
pub(super) fn goes_by(payload: &Payload) -> GoesBy {
    match payload {
        Payload::Person { .. } => GoesBy::InForce,
        Payload::First { .. } | Payload::Backup { .. } | Payload::Residue { .. } => GoesBy::Both,
    }
}

pub(super) fn system_of(attempt: &Attempt<'_>) -> Result<SystemName, AppError> {
    SystemName::parse(&attempt.claimed.job.system)
        .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })
}

fn too_many_lost(attempt: &Attempt<'_>) -> Option<Fault> {
    let job = &attempt.claimed.job;
    (job.attempt > last_attempt(job)).then(|| Fault::Unknown {
        message: format!(
            "none of its latest attempts came to an end; number {} was the last that was begun",
            job.attempt - 1
        ),
    })
}

pub(super) fn order_of(attempt: &Attempt<'_>, compiled: &Compiled) -> Result<Order, AppError> {
    let job = &attempt.claimed.job;
    let key = format!("{}-{}", job.id.simple(), attempt.done.rounds.len() + 1);
    let mut order = compiled
        .plan
        .order(key, job.attempt)
        .map_err(|error| AppError::Input(error.to_string()))?;
    order.persons.clone_from(&compiled.persons);
    let most = match payload_of(attempt)? {
        Payload::First { most_records, .. } | Payload::Person { most_records, .. } => most_records,
        Payload::Backup { .. } | Payload::Residue { .. } => return Err(no_order()),
    };
    // What a second person was asked for, and has agreed to.
    let asked = attempt.done.asked.map_or(0, same_question);
    order.most_records = most.map(|most| most.max(asked));
    Ok(order)
}

/// Nobody can order a store of copies to erase somebody.
fn no_order() -> AppError {
    AppError::Unreadable { what: "a job", why: "a look at a store has no order".to_owned() }
}

pub(super) fn payload_of(attempt: &Attempt<'_>) -> Result<Payload, AppError> {
    serde_json::from_value(attempt.claimed.job.payload.clone())
        .map_err(|error| AppError::Unreadable { what: "a job", why: error.to_string() })
}

/// Matters of the holds that leave nothing to do; empty where something can still be done.
fn stopping_matters(plan: &SystemPlan, holds: &[LegalHold]) -> Vec<String> {
    let mut touched = plan.instructions.iter().filter(|one| !one.keep).peekable();
    if touched.peek().is_none() || touched.any(|one| one.held != Predicate::Always) {
        return Vec::new();
    }
    let mut matters: Vec<String> = holds.iter().map(|hold| hold.matter.clone()).collect();
    matters.sort();
    matters.dedup();
    matters
}
