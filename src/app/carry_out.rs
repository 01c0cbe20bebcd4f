//! Carrying out one job: claim, compile the order with the holds of now, record the intent, ask
//! the connector, look again, settle.
//!
//! The moment, the rules and the data map are those that the case pinned; holds, pauses and
//! revoked events are those of now, so an attempt never does more than its plan.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use quietus_connectors::{Connector, Counts, Fault, Order, Receipt, RefusalKind, Verification};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::account::VerificationOnRecord;
use super::backup::{Seen, StoreLook};
use super::crash::CrashPoint;
use super::deaths::last_attempt;
use super::heard::Hearing;
use super::mutation::{Mutation, unlooked};
use super::overdue::{Expected, OVERDUE};
use super::prepare::{Prepared, Ready};
use super::progress::{Done, Stopped, Watch, WatchState};
use super::recount::{Answer, too_much};
use super::residue::{FilesLook, FilesSeen};
use super::settle::{FIRST_PAUSE, counts_at_planning, refused};
use super::{AppError, Quietus, spans};
use crate::domain::SystemName;
use crate::schedule::Timetable;
use crate::store::{
    Case, Claim, ClaimedJob, JobFault, JobKind, Lane, Settlement, StillMine, Tenure,
};

/// What a job carries. Tagged, so that a later version can tell what an earlier one wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "version")]
pub enum Payload {
    /// The first version.
    #[serde(rename = "1")]
    First {
        /// Schedules whose rules act; `None` is every rule.
        schedules: Option<Vec<crate::domain::ScheduleName>>,
        /// The most records that may be touched: from the counts at planning, or the strictest cap
        /// where the system could not be counted.
        most_records: Option<u64>,
        /// The system was counted at planning.
        counted: bool,
        /// The version of holds under which it was counted.
        #[serde(default)]
        holds_version: Option<u64>,
    },
    /// One system's part of a person's request.
    #[serde(rename = "person-1")]
    Person {
        /// The most records that may be touched.
        most_records: Option<u64>,
        /// The version of holds under which it was counted.
        holds_version: u64,
        /// The moment that decides what a minimum still keeps; `None` is that of the case.
        moment: Option<jiff::Timestamp>,
        /// Systems may know the person by something else now, such as a new number: they are sought
        /// by what the latest look has found them by, where it was not what is known of them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// A look at a store of copies.
    #[serde(rename = "backup-1")]
    Backup {
        /// What was gone, and when, by the systems that the store copies.
        systems: BTreeMap<SystemName, GoneFrom>,
    },
    /// A look at files and logs of a system.
    #[serde(rename = "residue-1")]
    Residue {
        /// When the last of it was erased.
        at: jiff::Timestamp,
        /// The collections in which something was erased, by their names in the system.
        collections: Vec<String>,
        /// Where the logs of the system stood after that; `None` where nobody could ask.
        mark: Option<serde_json::Value>,
        /// What the certificate says of files and logs.
        seen: FilesSeen,
    },
}

/// When a system was done with, and what was seen then of its copies in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneFrom {
    /// When the last of it was erased.
    pub at: jiff::Timestamp,
    /// What the certificate says of the copies.
    pub seen: Seen,
}

/// How one attempt ended, before it is written down.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) settlement: Settlement,
    pub(crate) done: Done,
    pub(crate) order_key: String,
    pub(crate) verification: Option<Verification>,
    pub(crate) words: String,
}

impl Ending {
    /// The system did what it was asked, or will.
    pub(super) fn came_through(&self) -> bool {
        matches!(self.settlement, Settlement::Completed { .. } | Settlement::Waiting { .. })
    }
}

/// A second look that found nothing left.
pub(super) struct Look {
    pub(super) at: jiff::Timestamp,
    pub(super) found: Verification,
}

/// An attempt under way.
pub(crate) struct Attempt<'a> {
    pub(crate) claimed: &'a ClaimedJob,
    pub(crate) case: Case,
    pub(crate) tenure: Tenure,
    pub(crate) done: Done,
    pub(crate) expected: Expected,
    /// Since when this worker has it.
    pub(crate) claimed_at: jiff::Timestamp,
    /// What it has heard of its system.
    pub(super) hearing: Hearing,
    /// What traces and log lines say of it.
    pub(super) span: Span,
    /// It is settled, or about to be.
    ended: AtomicBool,
}

impl Attempt<'_> {
    /// From now on its lease need not be kept.
    pub(super) fn has_come_to_its_end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// How far an attempt was when its system answered.
pub(super) struct Midway {
    pub(super) done: Done,
    pub(super) started: StillMine,
    pub(super) stopped: Option<Stopped>,
}

impl Quietus {
    /// Claims and carries out one job, with all that can go together with it; its identifier, or
    /// `None` where none is available.
    ///
    /// # Errors
    /// Where the store is not there. Faults of a connected system are not errors: they are
    /// settled.
    pub async fn carry_out_next(
        &self,
        worker: &str,
        stop: &CancellationToken,
    ) -> Result<Option<Uuid>, AppError> {
        self.carry_out_next_in(&Lane::Any, worker, stop).await
    }

    /// The same for a worker that takes certain jobs only.
    ///
    /// # Errors
    /// As [`Self::carry_out_next`].
    pub async fn carry_out_next_in(
        &self,
        lane: &Lane,
        worker: &str,
        stop: &CancellationToken,
    ) -> Result<Option<Uuid>, AppError> {
        if self.stands_still().await?.is_some() {
            return Ok(None);
        }
        let claimed_at = self.now();
        let claim = Claim {
            worker: worker.to_owned(),
            now: claimed_at,
            lease_until: self.lease_until(),
            limit: 1,
        };
        let claimed = self.store.claim_within(lane, claim, &self.limits()).await?;
        let Some(claimed) = claimed.into_iter().next() else { return Ok(None) };
        let id = claimed.job.id;
        if self.leave_to_newer(&claimed, worker).await? {
            return Ok(Some(id));
        }
        if claimed.job.kind == JobKind::Backup {
            Box::pin(self.look_for_all::<StoreLook>(claimed, worker)).await?;
            return Ok(Some(id));
        }
        if claimed.job.kind == JobKind::Residue {
            Box::pin(self.look_for_all::<FilesLook>(claimed, worker)).await?;
            return Ok(Some(id));
        }
        let company = self.claim_company(&claimed, worker).await?;
        self.crash.reach(CrashPoint::Claimed);
        if !company.is_empty() {
            let claimed: Vec<ClaimedJob> = std::iter::once(claimed).chain(company).collect();
            Box::pin(self.carry_out_together(&claimed, (worker, claimed_at), stop)).await?;
            return Ok(Some(id));
        }
        let attempt = self.attempt_of(&claimed, (worker, claimed_at)).await?;
        let span = attempt.span.clone();
        let ending = Box::pin(self.attempt(&attempt, stop)).instrument(span).await?;
        let through = ending.came_through();
        self.settle_attempt(&attempt, ending).await?;
        if through {
            self.came_through(&attempt.claimed.job);
        }
        self.crash.reach(CrashPoint::Settled);
        Ok(Some(id))
    }

    /// The attempt that a worker has just claimed.
    pub(super) async fn attempt_of<'a>(
        &self,
        claimed: &'a ClaimedJob,
        (worker, claimed_at): (&str, jiff::Timestamp),
    ) -> Result<Attempt<'a>, AppError> {
        let case = self.store.case(claimed.job.case_id).await?;
        let expected = self.expected(&claimed.job).await?;
        attempt_with(claimed, (case, expected), (worker, claimed_at))
    }

    async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        stop: &CancellationToken,
    ) -> Result<Ending, AppError> {
        let prepared = match Box::pin(self.prepare(attempt)).await? {
            Ready::Order(prepared) => *prepared,
            Ready::Ended(ending) => return Ok(*ending),
        };
        self.crash.reach(CrashPoint::Started);
        Ok(self.carry_on(attempt, &prepared, stop).await)
    }

    /// Carries out an order whose intent is on record.
    pub(super) async fn carry_on(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        stop: &CancellationToken,
    ) -> Ending {
        let lister = match self.lister_of(attempt, &prepared.order).await {
            Ok(lister) => lister,
            Err(error) => return self.ending_of_no_manifest(attempt, prepared, &error),
        };
        let watch = Watch {
            product: self,
            tenure: attempt.tenure.clone(),
            started: prepared.started,
            before: prepared.done.clone(),
            timetable: prepared.timetable.clone(),
            stop: stop.clone(),
            asks_by_name: prepared.order.persons.is_some(),
            lister,
            tries: attempt.claimed.trial.then(|| attempt.claimed.job.system.clone()).into(),
            state: std::sync::Mutex::new(WatchState {
                current: prepared.done.current.clone(),
                ..WatchState::default()
            }),
        };
        // The second look may take as long as the order: the lease is kept over both.
        let mut ending = tokio::select! {
            ending = self.send_and_look_again(attempt, prepared, &watch) => ending,
            () = watch.keep_lease() => {
                let message = "another attempt has taken over".to_owned();
                let fault = Fault::Unknown { message };
                self.ending_of_fault(attempt, &prepared.order.key, &fault, watch.done())
            }
        };
        ending.order_key.clone_from(&prepared.order.key);
        self.crash.reach(CrashPoint::Verified);
        ending
    }

    async fn send_and_look_again(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        watch: &Watch<'_>,
    ) -> Ending {
        let answer = spans::order(&attempt.span, self.send(attempt, prepared, watch)).await;
        self.crash.reach(CrashPoint::Answered);
        self.hear_answer(attempt, &answer);
        match answer {
            Ok(Answer::Receipt(Receipt::Done(current))) => {
                let done = watch.done().answered(&attempt.done, current);
                self.look_again(attempt, &prepared.order, prepared.connector.as_ref(), done).await
            }
            Ok(Answer::Receipt(receipt)) => {
                let (done, stopped) = (watch.done(), watch.stopped());
                let midway = Midway { done, started: watch.started, stopped };
                let asked = (&prepared.order, prepared.connector.as_ref());
                self.not_done_yet(attempt, asked, midway, receipt).await
            }
            Ok(Answer::TooMuch { beyond, records }) => too_much(watch, &beyond, records),
            Err(fault) => self.ending_of_fault(attempt, &prepared.order.key, &fault, watch.done()),
        }
    }

    pub(super) fn timetable_of(&self, case: &Case) -> Option<Timetable> {
        let name = case.schedule.as_ref()?;
        let schedule = self.rules.schedules.values().find(|one| one.name.as_str() == name)?;
        Timetable::of(schedule).ok()
    }

    /// Verifies over another connection by another query.
    pub(super) async fn look_again(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
        connector: &dyn Connector,
        done: Done,
    ) -> Ending {
        let looked = if self.suffers(Mutation::LookSkipped) {
            Ok(unlooked(&done))
        } else {
            spans::verification(&attempt.span, connector.verify(order)).await
        };
        self.hear(attempt, looked.as_ref());
        let verification = match looked {
            Ok(verification) => self.look_as_mutated(verification),
            Err(fault) => return self.ending_of_fault(attempt, &order.key, &fault, done),
        };
        if !verification.survivors.is_empty() {
            return self.ending_of_survivors(attempt, verification, done);
        }
        let look = Look { at: self.now(), found: verification };
        // What stays is counted as it is now, not as it was when the case was planned.
        let counted = connector.preview(order).await;
        self.hear(attempt, counted.as_ref());
        self.ending_of_look(attempt, order, (look, counted), done)
    }

    /// Nothing survived, and this is what was counted after it.
    pub(super) fn ending_of_look(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
        (Look { at, found: verification }, counted): (Look, Result<Counts, Fault>),
        mut done: Done,
    ) -> Ending {
        let counted = match counted {
            Ok(counted) => Some(counted),
            Err(fault) if attempt.claimed.job.attempt < last_attempt(&attempt.claimed.job) => {
                return self.ending_of_fault(attempt, &order.key, &fault, done);
            }
            Err(fault) => {
                tracing::warn!(%fault, "what stays could not be counted; the certificate says so");
                None
            }
        };
        let left = (&verification.left, order.instructions.as_slice());
        done.nothing_survived(left, || counts_at_planning(attempt));
        if attempt.claimed.job.kind == JobKind::Upkeep && done.total().changed() == 0 {
            return Ending {
                settlement: Settlement::Postponed { available_at: self.next_upkeep() },
                done: attempt.done.clone(),
                order_key: order.key.clone(),
                verification: Some(verification),
                words: "nothing has appeared that is to be restricted".to_owned(),
            };
        }
        let on_record = VerificationOnRecord { at, found: verification.clone(), counted };
        let settlement = Settlement::Completed {
            done: serde_json::to_value(&done).unwrap_or_default(),
            verification: serde_json::to_value(&on_record).unwrap_or_default(),
        };
        Ending {
            settlement,
            done,
            order_key: order.key.clone(),
            verification: Some(verification),
            words: "carried out and verified".to_owned(),
        }
    }

    /// A receipt that is not `Done`.
    pub(super) async fn not_done_yet(
        &self,
        attempt: &Attempt<'_>,
        asked @ (_, connector): (&Order, &dyn Connector),
        Midway { mut done, started, stopped }: Midway,
        receipt: Receipt,
    ) -> Ending {
        let (settlement, words) = match receipt {
            Receipt::Stopped(outcome) => {
                done.current = outcome;
                self.settlement_of_stop(attempt, stopped)
            }
            Receipt::Refused { kind: RefusalKind::OverLimit, reasons, done: outcome } => {
                let done = Done { current: outcome, ..done };
                return self.ask_for_more(attempt, asked, (done, started), &reasons).await;
            }
            Receipt::Refused { reasons, done: outcome, .. } => {
                done.current = outcome;
                let words = reasons.join("; ");
                (refused(words.clone()), words)
            }
            Receipt::Pending { reference, ask_at } => {
                self.waiting(attempt, connector, reference, ask_at)
            }
            Receipt::Deferred { until, why } => {
                let fault = JobFault { kind: "deferred".to_owned(), message: why.clone() };
                let fault = attempt.expected.over(fault, self.now());
                (Settlement::Retry { available_at: until, fault, free: true }, why)
            }
            Receipt::Again { why } => {
                let settlement =
                    Settlement::Anew { available_at: self.after(FIRST_PAUSE), why: why.clone() };
                (settlement, why)
            }
            Receipt::Done(outcome) => {
                // Only reached if a caller forgets to verify: nothing unverified completes.
                done.current = outcome;
                (Settlement::Released { available_at: self.now() }, "not verified".to_owned())
            }
        };
        Ending { settlement, done, order_key: String::new(), verification: None, words }
    }

    /// The system will report, or should have reported by now.
    fn waiting(
        &self,
        attempt: &Attempt<'_>,
        connector: &dyn Connector,
        reference: String,
        ask_at: jiff::Timestamp,
    ) -> (Settlement, String) {
        let now = self.now();
        let said = attempt.expected.said(connector.expected_at(&reference), now);
        let words = said.as_ref().map_or("the system will report", |one| one.message.as_str());
        let words = words.to_owned();
        if let Some(fault) = said.as_ref().filter(|one| one.kind == OVERDUE) {
            let (job, system) = (attempt.claimed.job.id, &attempt.claimed.job.system);
            tracing::warn!(%job, %system, words = %fault.message, "a part of a request is overdue");
        }
        (Settlement::Waiting { ask_at, reference, overdue: said }, words)
    }

    pub(super) fn settlement_of_stop(
        &self,
        attempt: &Attempt<'_>,
        stopped: Option<Stopped>,
    ) -> (Settlement, String) {
        let now = Settlement::Released { available_at: self.now() };
        match stopped {
            Some(Stopped::Cancelled) => (Settlement::Cancelled, "called off".to_owned()),
            Some(Stopped::Holds) => (now, "stopped to read legal holds again".to_owned()),
            Some(Stopped::Pauses) => (now, "stopped to read pauses again".to_owned()),
            Some(Stopped::Rules) => (now, "stopped to read minimums again".to_owned()),
            Some(Stopped::Window) => {
                let opens_at =
                    self.timetable_of(&attempt.case).and_then(|one| one.opens_at(self.now()));
                let available_at = opens_at.unwrap_or_else(|| self.now());
                (Settlement::Released { available_at }, "the window has ended".to_owned())
            }
            Some(Stopped::Shutdown) => (now, "the process ends".to_owned()),
            Some(Stopped::Blind) => {
                let settlement = Settlement::Released { available_at: self.after(FIRST_PAUSE) };
                (settlement, "stopped because the store did not answer".to_owned())
            }
            Some(Stopped::NotMine) | None => (now, "stopped".to_owned()),
        }
    }
}

/// An attempt with the case of its job, and by when it has to come to its end.
pub(super) fn attempt_with<'a>(
    claimed: &'a ClaimedJob,
    (case, expected): (Option<Case>, Expected),
    (worker, claimed_at): (&str, jiff::Timestamp),
) -> Result<Attempt<'a>, AppError> {
    let tenure = claimed.tenure(worker);
    let case = case.ok_or_else(|| AppError::Unreadable {
        what: "a job",
        why: "its case is missing".to_owned(),
    })?;
    let done = match &claimed.job.done {
        Some(done) => serde_json::from_value(done.clone()).map_err(|error| {
            AppError::Unreadable { what: "a job's progress", why: error.to_string() }
        })?,
        None => Done::default(),
    };
    let (hearing, span, ended) = (Hearing::default(), spans::attempt(claimed), false.into());
    Ok(Attempt { claimed, case, tenure, done, expected, claimed_at, hearing, span, ended })
}
