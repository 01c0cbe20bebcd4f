//! The page of a request as people read it: what was asked, its dates, its systems, what is kept
//! and until when, who is not covered, its letters, and what to do next.
//!
//! Rendering only. Identities appear by their types.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::opening::{BAD, DIM, GOOD, STRONG, WARN, number};
use crate::app::opendsr::CallbackFacts;
use crate::app::reading::request_parts::{KeptFacts, LetterFacts, RequestJobFacts};
use crate::app::reading::requests::{ClockFacts, RequestFacts, RequestPage, Standing};
use crate::app::request::{Decided, FeeEnd, Requester, Verdict};
use crate::domain::{AskedRight, Assurance, CategoryName, JobState, RequestOutcome, RequestState};
use crate::plan::KeptWhy;
use crate::rights::StopReason;

/// An objection was upheld, and what it covers is not erased after all.
const STAYS_RESTRICTED: &str = "what it would have erased stays restricted, because the objection was upheld: the person ends that with `quietus request new --right lifting`";

/// The whole page.
pub fn page_text(page: &RequestPage, zone: &TimeZone) -> String {
    let mut text = String::new();
    head(&mut text, page, zone);
    dates(&mut text, &page.facts.clock, zone);
    systems(&mut text, page, zone);
    kept(&mut text, &page.kept, zone);
    if !page.not_covered.is_empty() || !page.not_asked.is_empty() {
        line(&mut text, 0, &format!("{STRONG}not covered{STRONG:#}"));
        for one in &page.not_covered {
            line(&mut text, 1, &format!("{}: {}", one.system, one.why));
        }
        for system in &page.not_asked {
            line(&mut text, 1, &format!("{system}: it could not be asked yet what it knows"));
        }
    }
    letters(&mut text, &page.letters, zone);
    callbacks(&mut text, &page.callbacks, zone);
    next(&mut text, page, zone);
    text
}

/// What became of it in each system; empty where none was asked.
pub fn systems_text(page: &RequestPage, zone: &TimeZone) -> String {
    let mut text = String::new();
    systems(&mut text, page, zone);
    text
}

/// How a request stands against its dates, in words.
pub fn standing_words(clock: &ClockFacts) -> String {
    let dates = &clock.deadlines;
    match (clock.standing, clock.days_left) {
        (Standing::OnTime, Some(days)) => format!("on time, {}", days_left(days)),
        (Standing::AtRisk, Some(days)) => format!("at risk, {}", days_left(days)),
        (Standing::Late, _) => format!("late: an answer was promised by {}", dates.answer_by),
        (Standing::Overdue, _) => {
            format!("overdue: the law's last day was {}", dates.legal_latest)
        }
        (Standing::AnsweredLate, _) => "answered after the law's last day".to_owned(),
        (Standing::Answered | Standing::OnTime | Standing::AtRisk, _) => {
            "answered in time".to_owned()
        }
    }
}

fn days_left(days: i32) -> String {
    match days {
        0 => "today is the last day".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    }
}

fn line(text: &mut String, depth: usize, words: &str) {
    // Writing into a text cannot fail.
    writeln!(text, "{}{words}", "  ".repeat(depth)).unwrap_or_default();
}

fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).date().to_string()
}

fn state_words(facts: &RequestFacts) -> String {
    let state = match facts.state {
        RequestState::IdentityPending => "waits until it is sure who asks",
        RequestState::CoolingOff => "can still be taken back",
        RequestState::Ready => "is to be carried out",
        RequestState::Ambiguous => "waits: more than one person fits",
        RequestState::WithAPerson => "is with a person",
        RequestState::Executing => "is being carried out",
        RequestState::Closed => "is closed",
    };
    facts.outcome.map_or_else(|| state.to_owned(), |outcome| format!("{state}, {outcome}"))
}

fn head(text: &mut String, page: &RequestPage, zone: &TimeZone) {
    let facts = &page.facts;
    let state = state_words(facts);
    line(text, 0, &format!("{STRONG}request {}{STRONG:#} {}: {state}", facts.id, facts.asked));
    let who = match facts.requester {
        Requester::Person => "the person",
        Requester::Guardian => "a guardian",
        Requester::Relative => "a relative",
        Requester::Agent => "an agent",
    };
    line(
        text,
        1,
        &format!(
            "asked by {who}, by way of {}, on {}",
            facts.channel,
            moment(facts.received_at, zone)
        ),
    );
    let law = page.law.as_deref().unwrap_or(&facts.regime);
    let ground = facts.ground.as_ref().map_or_else(String::new, |ground| format!(", {ground}"));
    line(text, 1, &format!("under {law} ({}){ground}", facts.regime));
    line(text, 1, &format!("known by {} (values are sealed)", facts.identity_types.join(", ")));
    if let Some(categories) = &facts.categories {
        let names: Vec<&str> = categories.iter().map(CategoryName::as_str).collect();
        line(text, 1, &format!("only {}", names.join(", ")));
    }
    line(text, 1, &identity_words(facts, zone));
    decided(text, "prolonged", facts.extension.as_ref(), zone);
    decided(text, "refusal proposed", facts.refusal_proposed.as_ref(), zone);
    if let Some(fee) = &facts.fee {
        decided(text, &format!("fee of {} proposed", fee.amount), Some(&fee.proposed), zone);
        decided(text, "fee agreed", fee.agreed.as_ref(), zone);
        let ended = match fee.ended {
            Some((FeeEnd::Paid, at)) => format!("fee paid on {}", day(at, zone)),
            Some((FeeEnd::Waived, at)) => format!("fee waived on {}", day(at, zone)),
            None if fee.is_owed() => "the fee is not paid: nothing goes on before".to_owned(),
            None => "a second person has not agreed to the fee".to_owned(),
        };
        line(text, 1, &ended);
    }
    decided(text, "decided", facts.ended.as_ref(), zone);
    if let Some(verdict) = facts.verdict {
        let word = match verdict {
            Verdict::Upheld => "upheld",
            Verdict::Rejected => "rejected",
            Verdict::TakenBack => "taken back",
        };
        line(text, 1, &format!("the objection is {word}"));
    }
    if let Some(other) = facts.follows {
        line(text, 1, &format!("carries out what was decided about request {other}"));
        let given_up =
            matches!(facts.outcome, Some(RequestOutcome::Cancelled | RequestOutcome::Refused));
        if given_up && facts.asked == AskedRight::Erasure {
            line(text, 1, STAYS_RESTRICTED);
        }
    }
    if let Some(other) = facts.followed_by {
        line(text, 1, &format!("request {other} carries the decision out"));
    }
    if facts.forgotten_at.is_some() {
        line(text, 1, "the person is forgotten: nothing here opens any more what names them");
    }
}

fn identity_words(facts: &RequestFacts, zone: &TimeZone) -> String {
    let Some(check) = &facts.identity_check else {
        let asked = facts.clock.stands_for == Some(StopReason::Identity);
        return match facts.clock.stands_since.filter(|_| asked) {
            Some(since) => format!("identity: asked for on {}, no answer yet", day(since, zone)),
            None => "identity: not confirmed".to_owned(),
        };
    };
    let sure = match check.assurance {
        Assurance::Low => "low",
        Assurance::Substantial => "substantial",
        Assurance::High => "high",
    };
    let reference = check.reference.as_ref().map_or_else(String::new, |one| format!(", {one}"));
    let (by, on) = (&check.by, day(check.at, zone));
    format!("identity: {sure}, by {}{reference}; {by} on {on}", check.method)
}

fn decided(text: &mut String, what: &str, decided: Option<&Decided>, zone: &TimeZone) {
    if let Some(one) = decided {
        let on = day(one.at, zone);
        line(text, 1, &format!("{what} by {} on {on}: {}", one.by, one.reason));
    }
}

fn dates(text: &mut String, clock: &ClockFacts, zone: &TimeZone) {
    let words = standing_words(clock);
    let style = match clock.standing {
        Standing::OnTime | Standing::Answered => GOOD,
        Standing::AtRisk => WARN,
        Standing::Late | Standing::Overdue | Standing::AnsweredLate => BAD,
    };
    line(text, 0, &format!("{STRONG}dates{STRONG:#}: {style}{words}{style:#}"));
    let dates = &clock.deadlines;
    if let Some(acknowledge_by) = dates.acknowledge_by {
        line(text, 1, &format!("confirm receipt by  {acknowledge_by}"));
    }
    line(text, 1, &format!("ask systems by      {}", dates.fan_out_by));
    line(text, 1, &format!("aimed at            {}", dates.internal_target));
    line(text, 1, &format!("answer by           {}", dates.answer_by));
    line(text, 1, &format!("law's last day      {}", dates.legal_latest));
    if let Some(since) = clock.stands_since {
        let since = day(since, zone);
        let what = match clock.stands_for {
            Some(StopReason::Fee) => format!("a fee was agreed to on {since}"),
            _ => format!("the person was asked who they are on {since}"),
        };
        line(
            text,
            1,
            &format!(
                "{what}; where the law stops the clock for that, these dates move on until then"
            ),
        );
    }
}

fn systems(text: &mut String, page: &RequestPage, zone: &TimeZone) {
    if page.systems.is_empty() {
        return;
    }
    line(text, 0, &format!("{STRONG}systems{STRONG:#}"));
    for system in &page.systems {
        let whose = if system.third_party { " (third party)" } else { "" };
        for job in &system.jobs {
            let words = job_words(job, zone);
            let style = match job.state {
                JobState::Completed => GOOD,
                JobState::Failed => BAD,
                JobState::Scheduled if job.kind == "upkeep" => GOOD,
                _ if is_overdue(job) => BAD,
                _ => WARN,
            };
            line(text, 1, &format!("{}{whose}: {style}{words}{style:#}", system.system));
            job_details(text, job, zone);
        }
    }
}

fn is_overdue(job: &RequestJobFacts) -> bool {
    job.last_fault.as_ref().is_some_and(|fault| fault.kind == "overdue")
}

fn job_words(job: &RequestJobFacts, zone: &TimeZone) -> String {
    let kept = job.kind == "retained";
    if job.kind == "backup" || job.kind == "residue" {
        return look_words(job, zone);
    }
    match job.state {
        JobState::Completed if job.verified => "done, and looked at once more".to_owned(),
        JobState::Completed => "done, by their own word".to_owned(),
        JobState::Running => "at work".to_owned(),
        JobState::Waiting | JobState::Available if is_overdue(job) => {
            format!("overdue; asked again on {}", moment(job.available_at, zone))
        }
        JobState::Waiting => {
            format!("has been asked; asked again on {}", moment(job.available_at, zone))
        }
        JobState::Scheduled if job.kind == "upkeep" => {
            format!("stays restricted; looked at again on {}", moment(job.available_at, zone))
        }
        JobState::Scheduled if kept => {
            format!("what is kept goes on {}", day(job.available_at, zone))
        }
        JobState::Held if kept => "what is held goes once the hold is released".to_owned(),
        JobState::Held => format!("held by matter {}", job.held_by_matters.join(", ")),
        JobState::Blocked => "stopped until somebody acts".to_owned(),
        JobState::Failed => "not done: it needs a person".to_owned(),
        JobState::Cancelled => "called off".to_owned(),
        JobState::Available | JobState::Scheduled if job.attempt > 0 => {
            format!("not done yet; tried again on {}", moment(job.available_at, zone))
        }
        JobState::Available | JobState::Scheduled => "not begun".to_owned(),
    }
}

/// A look at a store of copies, or at files and logs.
fn look_words(job: &RequestJobFacts, zone: &TimeZone) -> String {
    match job.state {
        JobState::Completed => "looked at".to_owned(),
        JobState::Cancelled => "looked at later by another".to_owned(),
        JobState::Running => "being looked at".to_owned(),
        _ if job.kind == "residue" => {
            format!("files and logs may hold it; looked at on {}", moment(job.available_at, zone))
        }
        _ => format!("copies may hold it; looked at on {}", day(job.available_at, zone)),
    }
}

fn job_details(text: &mut String, job: &RequestJobFacts, zone: &TimeZone) {
    for part in &job.done {
        let mut words = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                words.push(format!("{} {what}", number(count)));
            }
        };
        add(part.deleted, "deleted");
        for (category, count) in &part.treated {
            add(*count, &format!("lost {category}"));
        }
        add(part.restricted, "restricted");
        add(part.lifted, "lifted");
        add(part.held, "held");
        if !words.is_empty() {
            line(text, 2, &format!("{:<24} {}", part.collection, words.join(", ")));
        }
    }
    for said in &job.said {
        let (grade, on) = (said.grade.as_str(), moment(said.at, zone));
        line(text, 2, &format!("{DIM}{grade} on {on}:{DIM:#} {}", said.words));
    }
    if let Some(fault) = &job.last_fault {
        line(text, 2, &format!("{}: {}", fault.kind, fault.message));
    }
    if let Some(task) = &job.task {
        let (by, state) = (moment(task.due_at, zone), task.state);
        line(text, 2, &format!("task of {}, {state}, due on {by}", task.assignee));
    }
}

fn kept(text: &mut String, kept: &[KeptFacts], zone: &TimeZone) {
    if kept.is_empty() {
        return;
    }
    line(text, 0, &format!("{STRONG}kept{STRONG:#}"));
    for one in kept {
        let what = one.kept.category.as_ref().map_or("whole records", |name| name.as_str());
        let count = one.kept.records.map_or_else(String::new, |count| {
            let records = if count == 1 { "record" } else { "records" };
            let planned = if one.counted_afterwards { "" } else { " when it was planned" };
            format!(" of {} {records}{planned}", number(count))
        });
        let why = match &one.kept.why {
            KeptWhy::Held => "a legal hold covers it".to_owned(),
            KeptWhy::Minimum { limit, citation } => format!("minimum `{limit}` ({citation})"),
            KeptWhy::Exempt { why } => format!("exempt: {why}"),
            KeptWhy::Referenced { by } => format!("`{by}` refers to it"),
            KeptWhy::NotReadable { why } => format!("it cannot be told whether it may go: {why}"),
            _ => "its time has not come".to_owned(),
        };
        let until = match (one.until, one.last_until) {
            (None, _) => String::new(),
            (Some(until), None) => format!(", until {}", day(until, zone)),
            (Some(first), Some(last)) => {
                format!(", the next until {}, the last until {}", day(first, zone), day(last, zone))
            }
        };
        line(text, 1, &format!("{}.{}: {what}{count}: {why}{until}", one.system, one.collection));
    }
}

fn letters(text: &mut String, letters: &[LetterFacts], zone: &TimeZone) {
    if letters.is_empty() {
        return;
    }
    line(text, 0, &format!("{STRONG}letters{STRONG:#}"));
    for letter in letters {
        let delivered = if let (Some(how), Some(at), Some(by)) =
            (letter.delivery, letter.delivered_at, &letter.delivered_by)
        {
            let reason = letter.reason.as_ref().map_or_else(String::new, |it| format!(": {it}"));
            format!("{how}, {by} on {}{reason}", day(at, zone))
        } else {
            let mail = letter.mail.as_ref().map(|mail| mail.words(|at| day(at, zone)));
            mail.unwrap_or_else(|| "not delivered yet".to_owned())
        };
        let (kind, to, language) = (letter.kind, &letter.recipient, &letter.language);
        let written = day(letter.written_at, zone);
        line(text, 1, &format!("{kind} to {to} ({language}), written on {written}; {delivered}"));
    }
}

/// Calls to the controller who brought it.
fn callbacks(text: &mut String, callbacks: &[CallbackFacts], zone: &TimeZone) {
    if callbacks.is_empty() {
        return;
    }
    line(text, 0, &format!("{STRONG}callbacks{STRONG:#}"));
    for one in callbacks {
        let host = one.host.as_deref().unwrap_or("an address that is none");
        let next =
            one.next_at.map_or_else(String::new, |at| format!(", next {}", moment(at, zone)));
        let fault = one.last_fault.as_ref().map_or_else(String::new, |it| format!(": {it}"));
        let (status, state, attempts) = (one.status, one.state.replace('_', " "), one.attempts);
        let tried = format!("{state} after {attempts} attempt(s)");
        line(text, 1, &format!("{status} to {host}: {tried}{next}{fault}"));
    }
}

/// What somebody has to do, if anything.
fn next(text: &mut String, page: &RequestPage, zone: &TimeZone) {
    let facts = &page.facts;
    let id = facts.id;
    let words = match facts.state {
        RequestState::IdentityPending => format!(
            "make sure who asks:\n  quietus request confirm {id} --assurance substantial --method WORD --reference NUMBER --by NAME"
        ),
        RequestState::CoolingOff => {
            let until = facts.cooling_off_until.map(|until| moment(until, zone));
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            format!("it can be taken back{until}:\n  quietus request cancel {id} --reason WHY")
        }
        RequestState::Ready => "`quietus run --once` or a running worker carries it out".to_owned(),
        RequestState::Ambiguous => format!(
            "{}:\n  quietus request tell-apart {id} --identities-file FILE --by NAME",
            facts.needs.as_deref().unwrap_or("say who is meant")
        ),
        RequestState::WithAPerson if facts.asked == AskedRight::Objection => format!(
            "it is restricted until somebody has decided:\n  quietus request decide {id} --uphold --reason WHY --by NAME\n  quietus request decide {id} --reject --reason WHY --by NAME"
        ),
        RequestState::WithAPerson => format!(
            "a person carries it out, then:\n  quietus request close {id} --reason WHAT --by NAME"
        ),
        RequestState::Executing => match facts.case_id {
            Some(case) if facts.needs.is_some() => format!(
                "{}: look who is meant, and call off what is left:\n  quietus cancel {case} --reason WHY",
                facts.needs.as_deref().unwrap_or_default()
            ),
            Some(case) => format!("`quietus status {case}` shows every attempt"),
            None => return,
        },
        RequestState::Closed => match page.certificate {
            Some(certificate) => format!("quietus certificate show {certificate}"),
            None => return,
        },
    };
    line(text, 0, &format!("{STRONG}next{STRONG:#}: {words}"));
}
