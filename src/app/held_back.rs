//! A third party that a legal hold keeps from being asked to erase: the rest of the request is
//! answered, and what is held goes by a later job once the hold is released.
//!
//! Whoever was asked before the hold came may have erased something, and their answer may have been
//! lost. They are asked what is there, and never to erase; where nobody can look, it is not known, and
//! that is what is put on record.

use quietus_connectors::{Fault, Grade, Order, Outcome, SubjectResult, Testimony, Verification};

use super::account::VerificationOnRecord;
use super::carry_out::{Attempt, Ending};
use super::done::Done;
use super::joint_leases::Leases;
use super::over_jobs::{done_of, is_lost};
use super::prepare::{Compiled, Ready, order_of};
use super::{AppError, Quietus, spans};
use crate::store::Settlement;

impl Quietus {
    /// How a part ends that a legal hold keeps from being carried out; `None` where none does, or
    /// where something is on its way: that cannot be called back, and is asked after.
    pub(super) async fn held_back(
        &self,
        attempt: &Attempt<'_>,
        compiled: &Compiled,
    ) -> Result<Option<Ready>, AppError> {
        if compiled.ordered.held_back.is_none() || attempt.claimed.job.reference.is_some() {
            return Ok(None);
        }
        let done = Done { ordered: Some(compiled.ordered.clone()), ..attempt.done.clone() };
        if !self.may_have_been_asked(attempt).await? {
            return Ok(Some(self.over_without_asking(
                done,
                "nobody was asked, because of a legal hold",
                "a legal hold keeps it from being asked",
            )));
        }
        let done = Done { sent: true, ..done };
        let order = order_of(attempt, compiled)?;
        let leases = Leases::default();
        let looked = tokio::select! {
            looked = self.look_under_hold(attempt, &order) => looked?,
            () = self.keep_leases(std::slice::from_ref(attempt), &leases) => {
                Err(Fault::Unknown { message: "another attempt has taken over".to_owned() })
            }
        };
        let ending = match looked {
            Ok(found) => self.ending_under_hold(&order, done, found),
            Err(fault) => self.ending_of_fault(attempt, &order.key, &fault, done),
        };
        Ok(Some(Ready::Ended(Box::new(ending))))
    }

    /// Whether anything may have been sent before this attempt: by one before it, of which perhaps
    /// nobody knows what it did, or by an earlier job of the case that never had an answer.
    async fn may_have_been_asked(&self, attempt: &Attempt<'_>) -> Result<bool, AppError> {
        let done = &attempt.done;
        if done.sent || !done.rounds.is_empty() || !done.current.testimonies.is_empty() {
            return Ok(true);
        }
        let own = &attempt.claimed.job;
        let attempts = self.store.attempts_of(own.id).await?;
        if attempts.iter().any(|one| one.started_at.is_some() && is_lost(one)) {
            return Ok(true);
        }
        let jobs = self.store.jobs_of_case(own.case_id).await?;
        let others = jobs.iter().filter(|job| job.system == own.system && job.id != own.id);
        let mut of_others = others.map(|job| done_of(Some(job)));
        Ok(of_others.any(|one| one.sent && one.current.testimonies.is_empty()))
    }

    /// Asks what is there; no effect.
    async fn look_under_hold(
        &self,
        attempt: &Attempt<'_>,
        order: &Order,
    ) -> Result<Result<Verification, Fault>, AppError> {
        let connector = match self.connect_for(attempt).await {
            Ok(connector) => connector,
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => {
                return Ok(Err(Fault::Misconfigured { message: error.to_string() }));
            }
        };
        let looked = spans::verification(&attempt.span, connector.verify(order)).await;
        self.hear(attempt, looked.as_ref());
        Ok(looked)
    }

    fn ending_under_hold(&self, order: &Order, mut done: Done, mut found: Verification) -> Ending {
        let words = if !found.survivors.is_empty() {
            // Whatever was said before: it is there, and the hold keeps it. Nothing else is claimed
            // of the look, which was for no erasure.
            done.current.testimonies.clear();
            found.relied_upon = true;
            "a legal hold keeps it from being asked again; something is there"
        } else if !done.current.testimonies.is_empty() {
            "it had answered before a legal hold came"
        } else if found.relied_upon {
            "a legal hold keeps it from being asked again; whether anything is there is not known"
        } else {
            done.current.testimonies = self.nobody_there(order);
            "nothing was there when it was looked for under a legal hold"
        };
        self.over(order.key.clone(), done, found, words)
    }

    fn nobody_there(&self, order: &Order) -> Vec<Testimony> {
        let subjects = order.persons.iter().flat_map(|persons| &persons.subjects);
        let said = subjects.map(|subject| Testimony {
            subject: subject.reference.clone(),
            result: SubjectResult::Absent,
            grade: Grade::Verified,
            at: self.now(),
            words: "nothing of them was there when it was looked for under a legal hold; what was \
                    sent before the hold came may have erased it"
                .to_owned(),
            proof: None,
        });
        said.collect()
    }

    /// Nothing is to be done, and nobody can look: by the word of `method` alone.
    pub(super) fn over_without_asking(&self, done: Done, method: &str, words: &str) -> Ready {
        let found = Verification {
            method: method.to_owned(),
            relied_upon: true,
            ..Verification::default()
        };
        Ready::Ended(Box::new(self.over(String::new(), done, found, words)))
    }

    fn over(&self, order_key: String, done: Done, found: Verification, words: &str) -> Ending {
        let on_record = VerificationOnRecord { at: self.now(), found, counted: None };
        let settlement = Settlement::Completed {
            done: serde_json::to_value(&done).unwrap_or_default(),
            verification: serde_json::to_value(&on_record).unwrap_or_default(),
        };
        Ending { settlement, done, order_key, verification: None, words: words.to_owned() }
    }
}

impl Done {
    /// With what a third party has answered now. Whoever is not there any more and was said to be
    /// done by an answer before was there.
    pub(crate) fn answered(self, before: &Self, mut current: Outcome) -> Self {
        let told =
            || before.rounds.iter().chain([&before.current]).flat_map(|one| &one.testimonies);
        let absent = |one: &&mut Testimony| one.result == SubjectResult::Absent;
        for said in current.testimonies.iter_mut().filter(absent) {
            let same = |one: &&Testimony| one.subject == said.subject;
            if told().filter(same).any(|one| one.result == SubjectResult::Done) {
                said.result = SubjectResult::Done;
                said.words.push_str("; it was said to be done before");
            }
        }
        Self { current, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(subject: &str, result: SubjectResult) -> Outcome {
        let testimony = Testimony {
            subject: subject.to_owned(),
            result,
            grade: Grade::Verified,
            at: jiff::Timestamp::UNIX_EPOCH,
            words: "it knows nobody".to_owned(),
            proof: None,
        };
        Outcome { testimonies: vec![testimony], ..Outcome::default() }
    }

    #[test]
    fn whoever_was_said_to_be_done_is_not_absent_when_they_are_gone() {
        let (done, absent) = (SubjectResult::Done, SubjectResult::Absent);
        let now = |before: &Done, result| {
            let answered = before.clone().answered(before, said("p1", result));
            answered.current.testimonies[0].result
        };
        let nothing = Done::default();
        assert_eq!(now(&nothing, absent), absent);
        let answered = Done { current: said("p1", done), ..Done::default() };
        assert_eq!(now(&answered, absent), done);
        assert_eq!(now(&answered, SubjectResult::Refused), SubjectResult::Refused);
        let of_another = Done { current: said("p2", done), ..Done::default() };
        assert_eq!(now(&of_another, absent), absent);
        let in_a_round = Done { rounds: vec![said("p1", done)], ..Done::default() };
        assert_eq!(now(&in_a_round, absent), done);
        let was_absent = Done { current: said("p1", absent), ..Done::default() };
        assert_eq!(now(&was_absent, absent), absent);
    }
}
