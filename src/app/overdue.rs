//! Parts of a person's request that should be done by now and are not. They are said to be overdue,
//! with whom to turn to; they are asked after all the same and never passed over.
//!
//! Once nothing else is left to wait for, the case is certified with what is overdue as pending, and
//! once more when it has come to its end.

use jiff::Timestamp;

use super::{AppError, Quietus};
use crate::datamap::System;
use crate::datamap::third_party::MANUAL;
use crate::domain::Rounding;
use crate::store::{Job, JobFault, JobKind, Request};

/// The kind of a fault that says that it is overdue; the store looks for it too.
pub(crate) const OVERDUE: &str = "overdue";
/// The kind of a fault that says that there is more time again.
const MORE_TIME: &str = "more time";

/// By when a job has to come to its end, and who has to act once it has not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    by: Option<Timestamp>,
    whom: String,
    was_overdue: bool,
}

impl Quietus {
    /// By when a part of a request has to be done: by the end of the day on which the person has to
    /// be answered, or by what was agreed with a third party from the day on which it was asked,
    /// whichever is earlier. What people do by hand has a task with a date and reminders of its
    /// own, and what goes later has no such date.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(super) async fn expected(&self, job: &Job) -> Result<Expected, AppError> {
        if self.system_with_a_date(job).is_none() {
            return Ok(Expected::default());
        }
        self.expected_by(job, self.store.request_of_case(job.case_id).await?)
    }

    pub(super) fn system_with_a_date(&self, job: &Job) -> Option<&System> {
        let system = self.system(&job.system).ok()?;
        (job.kind == JobKind::Request && system.kind != MANUAL).then_some(system)
    }

    /// The same, where the request behind its case was read.
    pub(super) fn expected_by(
        &self,
        job: &Job,
        request: Option<Request>,
    ) -> Result<Expected, AppError> {
        let (Some(system), Some(stored)) = (self.system_with_a_date(job), request) else {
            return Ok(Expected::default());
        };
        let answer_by = self.end_of_time(&self.open_request(stored)?.record);
        let agreed = system.third_party.as_ref().and_then(|party| party.answers_within);
        let agreed = agreed.map(|period| period.due_at(job.created_at, Rounding::None, &self.zone));
        let was_overdue = job.last_fault.as_ref().is_some_and(|fault| fault.kind == OVERDUE);
        let by = answer_by.into_iter().chain(agreed).min();
        Ok(Expected { by, whom: whom(system), was_overdue })
    }
}

impl Expected {
    /// What is said at a moment of a job that has not come to its end; `None` where there is nothing
    /// to say. `own` is when the system itself expects to be done.
    pub(super) fn said(&self, own: Option<Timestamp>, now: Timestamp) -> Option<JobFault> {
        let by = own.into_iter().chain(self.by).min()?;
        let fault = |kind: &str, message| JobFault { kind: kind.to_owned(), message };
        if by < now {
            let whom = &self.whom;
            let message = format!("it had to be done by {by:.0} and is not: {whom}");
            return Some(fault(OVERDUE, message));
        }
        self.was_overdue.then(|| fault(MORE_TIME, format!("it has time until {by:.0}")))
    }

    /// The same of a job that could not be carried out, with the reason.
    pub(super) fn over(&self, fault: JobFault, now: Timestamp) -> JobFault {
        match self.said(None, now).filter(|said| said.kind == OVERDUE) {
            Some(said) => {
                JobFault { message: format!("{}; {}", said.message, fault.message), ..said }
            }
            None => fault,
        }
    }
}

fn whom(system: &System) -> String {
    let operator = system.third_party.as_ref().map(|party| party.operator.as_str());
    match (operator, system.owner.as_str()) {
        (Some(operator), "") => format!("turn to {operator}"),
        (Some(operator), owner) => format!("{owner} has to turn to {operator}"),
        (None, "") => "somebody has to look why".to_owned(),
        (None, owner) => format!("{owner} has to look why"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_earliest_date_counts_and_more_time_takes_the_word_back() {
        let expected = Expected {
            by: Some(at("2026-12-20T00:00:00Z")),
            whom: "turn to Example Mail".to_owned(),
            was_overdue: false,
        };
        let own = Some(at("2026-12-01T00:00:00Z"));
        assert_eq!(expected.said(own, at("2026-12-01T00:00:00Z")), None);
        let said = expected.said(own, at("2026-12-01T00:00:01Z")).expect("it is overdue");
        assert_eq!(said.kind, OVERDUE);
        assert_eq!(
            said.message,
            "it had to be done by 2026-12-01T00:00:00Z and is not: turn to Example Mail"
        );
        assert_eq!(expected.said(None, at("2026-12-02T00:00:00Z")), None);
        let before = Expected { was_overdue: true, ..expected.clone() };
        assert_eq!(before.said(None, at("2026-12-02T00:00:00Z")).unwrap().kind, MORE_TIME);
        let fault = JobFault { kind: "transient".to_owned(), message: "it is down".to_owned() };
        assert_eq!(before.over(fault.clone(), at("2026-12-02T00:00:00Z")), fault);
        let late = expected.over(fault, at("2026-12-21T00:00:00Z"));
        assert_eq!(late.kind, OVERDUE);
        assert!(late.message.ends_with("turn to Example Mail; it is down"), "{}", late.message);
        assert_eq!(Expected::default().said(None, at("2099-01-01T00:00:00Z")), None);
    }
}
