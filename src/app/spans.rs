//! What traces show of the work on a case: names from the data map and the rules, identifiers of ours,
//! and counts. Never a word of a system, of a person or of whoever decides.
//!
//! A trace is a case: its identifier is that of the trace, so whichever process works on it, hours later
//! or after a crash, adds to the same one, and nothing about it is kept anywhere. Nothing here knows
//! whether anybody is told: that is the matter of `telemetry::traces`, which shows no field but those
//! that it lists. Log lines that are written within a span carry its fields.
//!
//! Some fields speak to whoever shows spans, and are not shown: `since_us` (it began earlier: in
//! microseconds since 1970), `over` (it ends now, whenever it is let go), `said` (a span that has this
//! field is shown only where something came of it), `whole` (it is the case itself), `traceparent` (a
//! caller's trace, W3C Trace Context). No clock is asked for a span: histories do not change by it.

use std::future::Future;

use jiff::Timestamp;
use quietus_connectors::{Fault, Outcome, Receipt, Verification};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};
use uuid::Uuid;

use super::fire::MISSED_AFTER;
use super::forecast::CountedPlan;
use super::open_case::{CaseOpened, Opening, planned_records};
use super::recount::Answer;
use super::settle::result_of;
use crate::domain::SystemName;
use crate::store::{Case, CaseCause, ClaimedJob, Request, Settlement};

/// The target of spans that traces show. No log line has it.
pub const TARGET: &str = "quietus::spans";

/// Planning and counting for a case, up to its opening. Which case it is is known at the end.
pub(super) fn plan(opening: &Opening<'_>) -> Span {
    let cause = opening.cause.as_str();
    let schedule = opening.occurrence.as_ref().map(|one| one.schedule.as_str());
    info_span!(
        target: TARGET, parent: None, "plan",
        case = Empty, cause, schedule, systems = Empty, counted = Empty, exceeded = Empty,
    )
}

/// Notes in the span under way what a plan has come to.
pub(super) fn planned(counted: &CountedPlan) {
    let span = Span::current();
    span.record("systems", counted.plan.systems.len());
    span.record("counted", counted.counts.values().map(planned_records).sum::<u64>());
    span.record("exceeded", counted.exceeded.len());
}

/// Notes which case a plan was made for.
pub(super) fn opened(plan: &Span, opened: &CaseOpened) {
    match opened {
        CaseOpened::Open { case } | CaseOpened::AwaitingApproval { case, .. } => {
            plan.record("case", tracing::field::display(case));
        }
        CaseOpened::Lost | CaseOpened::Overlapping(_) => {}
    }
}

/// One system counts what a plan would touch in it.
pub(super) fn count(system: &SystemName) -> Span {
    info_span!(target: TARGET, "count", %system)
}

/// The case is written with its plan, its jobs and its first evidence.
pub(super) fn open() -> Span {
    info_span!(target: TARGET, "open")
}

/// A request has got its case: what went before, from when it was taken in, and its plan.
pub(super) fn request_opened(case: Uuid, request: &Request, counted: (Timestamp, usize)) {
    let (planned_at, systems) = counted;
    drop(info_span!(
        target: TARGET, parent: None, "request",
        %case, request = %request.id, right = request.asked.as_str(),
        since_us = request.recorded_at.as_microsecond(),
    ));
    drop(info_span!(
        target: TARGET, parent: None, "plan",
        %case, cause = CaseCause::Request.as_str(), systems,
        since_us = planned_at.as_microsecond(),
    ));
}

/// A second person has agreed.
pub(super) fn approved(case: Uuid) {
    drop(info_span!(target: TARGET, parent: None, "approval", %case));
}

/// One attempt at a job, from when it is claimed until it is settled.
pub(super) fn attempt(claimed: &ClaimedJob) -> Span {
    let job = &claimed.job;
    info_span!(
        target: TARGET, parent: None, "attempt",
        case = %job.case_id, job = %job.id, kind = job.kind.as_str(), system = %job.system,
        attempt = job.attempt, lost_attempt = claimed.lost_attempt, together = Empty,
        outcome = Empty, fault = Empty, deleted = Empty, treated = Empty, restricted = Empty,
        lifted = Empty, over = Empty,
    )
}

/// Notes how an attempt ended, and what is done by its job so far.
pub(super) fn settled(attempt: &Span, settlement: &Settlement) {
    attempt.record("outcome", result_of(settlement).0);
    if let Settlement::Retry { fault, .. } | Settlement::Failed { fault } = settlement {
        attempt.record("fault", fault.kind.as_str());
    }
}

/// Notes what the job of an attempt has done so far.
pub(super) fn has_done(attempt: &Span, done: impl FnOnce() -> Outcome) {
    if attempt.is_disabled() {
        return;
    }
    let all = done().collections;
    attempt.record("deleted", all.iter().map(|one| one.deleted).sum::<u64>());
    attempt.record("treated", all.iter().flat_map(|one| one.treated.values()).sum::<u64>());
    attempt.record("restricted", all.iter().map(|one| one.restricted).sum::<u64>());
    attempt.record("lifted", all.iter().map(|one| one.lifted).sum::<u64>());
}

/// The attempt is over; its end is on record, or somebody else has taken it over.
pub(super) fn over(attempt: &Span, settled: bool) {
    if !settled {
        attempt.record("outcome", "taken over");
    }
    attempt.record("over", true);
}

/// The system is asked to carry out an order, up to its answer.
pub(super) async fn order(
    attempt: &Span,
    asking: impl Future<Output = Result<Answer, Fault>>,
) -> Result<Answer, Fault> {
    let span = self::asking(attempt);
    let answer = asking.instrument(span.clone()).await;
    match &answer {
        Ok(Answer::Receipt(receipt)) => span.record("answer", word_of(receipt)),
        Ok(Answer::TooMuch { .. }) => span.record("answer", "too much"),
        Err(fault) => span.record("fault", kind_of(fault)),
    };
    answer
}

/// The system is asked to carry out an order, by itself or together with others.
pub(super) fn asking(attempt: &Span) -> Span {
    info_span!(
        target: TARGET, parent: attempt, "order", answer = Empty, fault = Empty, over = Empty,
    )
}

/// Notes what the system answered to one of several orders.
pub(super) fn answered(asking: &Span, answer: &Result<Receipt, Fault>) {
    match answer {
        Ok(receipt) => asking.record("answer", word_of(receipt)),
        Err(fault) => asking.record("fault", kind_of(fault)),
    };
}

/// The second look, by another query over another connection.
pub(super) async fn verification(
    attempt: &Span,
    looking: impl Future<Output = Result<Verification, Fault>>,
) -> Result<Verification, Fault> {
    let span = self::looking(attempt);
    let found = looking.instrument(span.clone()).await;
    looked(&span, found.as_ref());
    found
}

/// The second look for one, by itself or together with others.
pub(super) fn looking(attempt: &Span) -> Span {
    info_span!(
        target: TARGET, parent: attempt, "verification",
        survivors = Empty, left = Empty, relied_upon = Empty, fault = Empty,
    )
}

/// Notes what a second look has found.
pub(super) fn looked(looking: &Span, found: Result<&Verification, &Fault>) {
    match found {
        Ok(found) => {
            let survivors: u64 = found.survivors.iter().map(|one| one.records).sum();
            looking.record("survivors", survivors);
            looking.record("left", found.left.values().sum::<u64>());
            looking.record("relied_upon", found.relied_upon);
        }
        Err(fault) => {
            looking.record("fault", kind_of(fault));
        }
    }
}

/// The end of an attempt is written down with its evidence.
pub(super) fn settle(attempt: &Span) -> Span {
    info_span!(target: TARGET, parent: attempt, "settle")
}

/// A case is certified, from its finished jobs to the certificate that is written. Where nothing comes of
/// it nothing is said: it is tried again with every ring.
pub(super) fn certification(case: Uuid) -> Span {
    info_span!(
        target: TARGET, parent: None, "certification",
        %case, certificate = Empty, overall = Empty, supersedes = Empty, said = Empty,
    )
}

/// Notes which certificate was written, and of which one it takes the place.
pub(super) fn written(
    certification: &Span,
    (id, overall): (Uuid, &'static str),
    supersedes: Option<Uuid>,
) {
    certification.record("certificate", tracing::field::display(id));
    certification.record("overall", overall);
    if let Some(earlier) = supersedes {
        certification.record("supersedes", tracing::field::display(earlier));
    }
    said(certification);
}

/// Something came of it.
pub fn said(span: &Span) {
    span.record("said", true);
}

/// The leaf of a certificate goes into the log, the head is published and the bundle is stored.
pub(super) fn log(case: Uuid) -> Span {
    info_span!(target: TARGET, parent: None, "log", %case, said = Empty)
}

/// The certificate is signed.
pub(super) fn sign() -> Span {
    info_span!(target: TARGET, "sign")
}

/// The case itself, from the ring of its schedule or the taking in of its request to its first
/// certificate. Whatever is done later, such as what copies wait for, is added to its trace.
pub(super) fn whole(case: &Case, request: Option<&Request>, (jobs, overall): (usize, &str)) {
    let since = request.map_or_else(|| ring_of(case), |request| request.recorded_at);
    drop(info_span!(
        target: TARGET, parent: None, "case",
        case = %case.id, cause = case.cause.as_str(), schedule = case.schedule.as_deref(),
        request = request.map(|one| tracing::field::display(one.id)), jobs, overall,
        since_us = since.as_microsecond(), whole = true,
    ));
}

/// A call of the HTTP interface by somebody who has a trace of their own.
pub fn call(method: &'static str, route: &str, traceparent: &str) -> Span {
    info_span!(
        target: TARGET, parent: None, "call",
        method, route, traceparent, status = Empty, request = Empty, said = Empty,
    )
}

/// Notes in the call under way which request it has brought.
pub fn brought(request: Uuid) {
    Span::current().record("request", tracing::field::display(request));
}

/// When a case began: at the moment it was planned for, unless it was opened long after that.
fn ring_of(case: &Case) -> Timestamp {
    let late = case.created_at.duration_since(case.moment);
    if late.is_negative() || late > MISSED_AFTER { case.created_at } else { case.moment }
}

/// The kind of a fault, without its words.
pub(super) fn kind_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::Misconfigured { .. } => "misconfigured",
        Fault::Rejected { .. } => "rejected",
        Fault::Transient { .. } => "transient",
        Fault::Unknown { .. } => "unknown",
    }
}

fn word_of(receipt: &Receipt) -> &'static str {
    match receipt {
        Receipt::Done(_) => "done",
        Receipt::Stopped(_) => "stopped",
        Receipt::Pending { .. } => "pending",
        Receipt::Deferred { .. } => "deferred",
        Receipt::Again { .. } => "again",
        Receipt::Refused { .. } => "refused",
    }
}
