//! Sending what is to be done for records: one by one, or many in a request, each with an outcome
//! of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Processor;
use super::answers::{Said, document_of, misshapen, of_item, read, text_at};
use super::carrying_out::{Attempt, Part};
use super::definition::{Meaning, Request};
use super::exchange::{Filling, Trouble};
use super::finding::Handle;
use super::looking::Sight;
use super::preparing::{idempotency_key, joint_key};
use super::telling::{Verdict, refusal};
use crate::outbound::{Effect, Reply};
use crate::receipt::Fault;
use crate::subject::{Grade, SubjectResult};

/// A record on its way through the steps.
pub(super) struct Passenger {
    /// Of which of the orders.
    pub part: usize,
    person: usize,
    handle: Handle,
    state: State,
    words: Option<String>,
    /// It went in one request with records of other orders.
    in_company: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// No step has found it yet.
    Unmet,
    Done,
    Pending(String),
    Refused(String),
    /// Nobody knows what became of it, or nothing was sent.
    Faulted(Fault),
}

impl Passenger {
    pub fn new((part, person): (usize, usize), handle: Handle) -> Self {
        Self { part, person, handle, state: State::Unmet, words: None, in_company: false }
    }

    /// No further step is for it.
    fn is_settled(&self) -> bool {
        matches!(self.state, State::Refused(_) | State::Pending(_) | State::Faulted(_))
    }

    fn refusal(&self) -> Option<&str> {
        match &self.state {
            State::Refused(words) => Some(words),
            _ => None,
        }
    }

    fn fault_if_open(&mut self, fault: &Fault) {
        if !self.is_settled() {
            self.state = State::Faulted(fault.clone());
        }
    }

    fn fault(&self) -> Option<&Fault> {
        match &self.state {
            State::Faulted(fault) => Some(fault),
            _ => None,
        }
    }

    fn reference(&self) -> Option<String> {
        match &self.state {
            State::Pending(reference) => Some(reference.clone()),
            _ => None,
        }
    }
}

impl Processor {
    /// Sends the steps for a batch and settles its persons. Where the vendor does not answer,
    /// nothing more is sent for anybody.
    pub(super) async fn send_batch(&self, attempt: &mut Attempt<'_>, mut batch: Vec<Passenger>) {
        for one in &batch {
            attempt.parts[one.part].undertaking.records += 1;
        }
        let mut silent: Option<Fault> = None;
        for step in &attempt.action.steps {
            let most = step.most.unwrap_or(1) as usize;
            for some in batch.chunks_mut(most) {
                match &silent {
                    None => silent = self.step_for(attempt, step, some).await.err(),
                    Some(fault) => {
                        for one in some {
                            one.fault_if_open(&unsent(fault));
                        }
                    }
                }
            }
        }
        let mut by_person: BTreeMap<(usize, usize), Vec<Passenger>> = BTreeMap::new();
        for passenger in batch {
            by_person.entry((passenger.part, passenger.person)).or_default().push(passenger);
        }
        for ((number, _), records) in &by_person {
            if let Some(fault) = records.iter().find_map(Passenger::fault) {
                attempt.parts[*number].end(Err(fault.clone()));
            }
        }
        for (who, records) in by_person {
            if !attempt.parts[who.0].has_ended() {
                self.conclude(attempt, who, &records).await;
            }
        }
        if let Some(fault) = silent {
            attempt.end_rest(&unsent(&fault));
        }
    }

    /// All records of a person have been through the steps: what is under way, or the last word.
    async fn conclude(
        &self,
        attempt: &mut Attempt<'_>,
        (number, person): (usize, usize),
        records: &[Passenger],
    ) {
        let part = &mut attempt.parts[number];
        let reference = &part.persons.subjects[person].reference;
        let references: Vec<String> = records.iter().filter_map(Passenger::reference).collect();
        part.undertaking.begin(&references, reference);
        if part.undertaking.waits_for(reference) {
            part.undertaking.in_company |= records.iter().any(|one| one.in_company);
            // The last word is said when the last of their records is.
            if let Some(words) = records.iter().find_map(Passenger::refusal) {
                part.undertaking.refuse(reference, words);
            }
            part.person_is_through();
            return;
        }
        let verdict = self.verdict(attempt, number, records).await;
        self.settle(attempt, (number, person), verdict).await;
    }

    /// One step for records that go in one request. An error is that the vendor does not answer.
    async fn step_for(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        some: &mut [Passenger],
    ) -> Result<(), Fault> {
        if step.most.is_some() {
            return self.step_for_many(attempt, step, some).await;
        }
        for one in some.iter_mut().filter(|one| !one.is_settled()) {
            attempt.leave_out_stopped([one.part]).await;
            if attempt.parts[one.part].has_ended() {
                continue;
            }
            if let Err(fault) = self.step_for_one(attempt, step, one).await {
                one.state = State::Faulted(fault.clone());
                if is_silence(&fault) {
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    async fn step_for_one(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        one: &mut Passenger,
    ) -> Result<(), Fault> {
        let part = &attempt.parts[one.part];
        let key = idempotency_key(part.order, part.persons.action, &[one.handle.id()]);
        let mut filling = filling(part, 1, key);
        filling.values.extend(one.handle.parts.clone());
        match self.exchange.ask(step, &filling, Effect::Changes).await {
            Err(Trouble::Unfit(unfit)) => {
                one.state = State::Refused(format!("{}: nothing was sent", unfit.0));
            }
            Err(Trouble::Fault(Fault::Rejected { message })) => {
                one.state = State::Refused(message);
            }
            Err(Trouble::Fault(fault)) => return Err(fault),
            Ok(reply) => match read(&reply, &step.answers) {
                Ok(said) => self.take(attempt, step, &reply, &said, one)?,
                Err(Fault::Rejected { message }) => one.state = State::Refused(message),
                Err(fault) => return Err(fault),
            },
        }
        Ok(())
    }

    /// Sends a batch. A no to a batch says nothing of any one person, so it is cut in halves until
    /// the no is to one of them and the others go through.
    async fn step_for_many(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        some: &mut [Passenger],
    ) -> Result<(), Fault> {
        let open = |one: &&mut Passenger| !one.is_settled();
        let mut pieces: Vec<Vec<&mut Passenger>> = vec![some.iter_mut().filter(open).collect()];
        while let Some(mut piece) = pieces.pop() {
            attempt.leave_out_stopped(piece.iter().map(|one| one.part)).await;
            piece.retain(|one| !attempt.parts[one.part].has_ended());
            match self.send_many(attempt, step, &mut piece).await {
                Ok(None) => {}
                Ok(Some(_)) if piece.len() > 1 => {
                    let second = piece.split_off(piece.len() / 2);
                    pieces.extend([second, piece]);
                }
                Ok(Some(message)) => {
                    for one in piece {
                        one.state = State::Refused(message.clone());
                    }
                }
                Err(fault) => {
                    for one in piece {
                        one.fault_if_open(&fault);
                    }
                    if !is_silence(&fault) {
                        continue;
                    }
                    for one in pieces.into_iter().flatten() {
                        one.fault_if_open(&unsent(&fault));
                    }
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    /// Sends one request for several records; the answer is what was said where it was a no to all
    /// of them.
    async fn send_many(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        some: &mut [&mut Passenger],
    ) -> Result<Option<String>, Fault> {
        let Some(first) = some.first() else { return Ok(None) };
        let part = &attempt.parts[first.part];
        let in_company = some.iter().any(|one| one.part != first.part);
        let mut filling = filling(part, some.len(), batch_key(attempt, some));
        // Several orders may lead to one record.
        let mut named = BTreeSet::new();
        for one in some.iter() {
            if named.insert(one.handle.id()) {
                filling.ids.push(one.handle.id().to_owned());
            }
        }
        let reply = match self.exchange.ask(step, &filling, Effect::Changes).await {
            Ok(reply) => reply,
            Err(Trouble::Fault(fault)) => return Err(fault),
            Err(Trouble::Unfit(unfit)) => {
                let message = format!("system `{}`: {}", self.system, unfit.0);
                return Err(Fault::Misconfigured { message });
            }
        };
        let said = match read(&reply, &step.answers) {
            Ok(said) => said,
            Err(Fault::Rejected { message }) => return Ok(Some(message)),
            Err(fault) => return Err(fault),
        };
        for one in some.iter_mut() {
            one.in_company |= in_company;
        }
        let Some(items) = &step.items else {
            if matches!(said.meaning, Meaning::Refused | Meaning::Present) {
                return Ok(Some(refusal(&said)));
            }
            for one in some {
                self.take(attempt, step, &reply, &said, one)?;
            }
            return Ok(None);
        };
        let document = document_of(&reply)?;
        let entries = document.pointer(&items.list).and_then(Value::as_array);
        let entries =
            entries.ok_or_else(|| misshapen(&reply, "no list of what became of each record"))?;
        for one in some {
            let entry = entries
                .iter()
                .find(|entry| text_at(entry, &items.id).as_deref() == Some(one.handle.id()));
            let said = entry.and_then(|entry| of_item(entry, &items.answers, reply.status()));
            let taken = match said {
                Some(said) => self.take(attempt, step, &reply, &said, one),
                // Of whom nothing is said, nothing is known.
                None => Err(misshapen(&reply, "nothing about one of the records")),
            };
            if let Err(fault) = taken {
                one.state = State::Faulted(fault);
            }
        }
        Ok(None)
    }

    /// Writes down what was said of one record.
    fn take(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        reply: &Reply,
        said: &Said,
        one: &mut Passenger,
    ) -> Result<(), Fault> {
        match said.meaning {
            Meaning::Done => {
                one.state = State::Done;
                one.words.clone_from(&said.words);
            }
            Meaning::Absent => {}
            Meaning::Refused | Meaning::Present => one.state = State::Refused(refusal(said)),
            Meaning::Later => {
                return Err(Fault::Transient {
                    message: format!("system `{}`: {}", self.system, super::telling::busy(said)),
                    retry_after_ms: reply.retry_after_ms(),
                });
            }
            Meaning::Pending => {
                let document = document_of(reply)?;
                let at = step.reference.as_deref().unwrap_or_default();
                let reference = text_at(&document, at)
                    .ok_or_else(|| misshapen(reply, "no name of what is under way"))?;
                one.state = State::Pending(reference);
                let asked_for = reply.retry_after_ms().unwrap_or(0);
                let undertaking = &mut attempt.parts[one.part].undertaking;
                undertaking.pause_ms = undertaking.pause_ms.max(asked_for);
            }
        }
        Ok(())
    }

    /// What became of a person whose records have all been through the steps.
    async fn verdict(
        &self,
        attempt: &Attempt<'_>,
        number: usize,
        records: &[Passenger],
    ) -> Verdict {
        let vendor = &self.definition.vendor;
        let done = records.iter().filter(|one| one.state == State::Done).count() as u64;
        if let Some(words) = records.iter().find_map(Passenger::refusal) {
            let words = match done {
                0 => words.to_owned(),
                _ => format!("{words}; {done} other record(s) of the person are done"),
            };
            return Verdict { records: done, ..Verdict::refused(words) };
        }
        let handles: Vec<Handle> = records.iter().map(|one| one.handle.clone()).collect();
        let context = &attempt.parts[number].context;
        let (grade, seen) = match self.look_at(attempt.action, &handles, context).await {
            Ok(Sight::Settled) => (Grade::Verified, ", and it was so when asked again"),
            Ok(Sight::Open(_)) => (Grade::Reported, "; it was not yet so when asked at once"),
            Ok(Sight::Blind) => (Grade::Reported, ""),
            // What is done is done: whether it can be seen now is another question.
            Err(_) => (Grade::Reported, "; it could not be asked again at once"),
        };
        let said = records.iter().find_map(|one| one.words.clone());
        let (result, words) = match done {
            0 => (SubjectResult::Absent, format!("{vendor} has no such record")),
            _ => (SubjectResult::Done, format!("{vendor} reported {done} record(s) as done")),
        };
        let words = match said {
            Some(said) => format!("{words}: {said}{seen}"),
            None => format!("{words}{seen}"),
        };
        Verdict { result, grade, words, records: done }
    }
}

/// The vendor does not answer now, so that nothing more is sent.
fn is_silence(fault: &Fault) -> bool {
    matches!(fault, Fault::Transient { .. } | Fault::Unknown { .. })
}

/// The fault of those for whom nothing was sent any more, because the vendor did not answer before.
fn unsent(fault: &Fault) -> Fault {
    let retry_after_ms = match fault {
        Fault::Transient { retry_after_ms, .. } => *retry_after_ms,
        _ => None,
    };
    let message = format!("nothing was sent, because the request before had no answer: {fault}");
    Fault::Transient { message, retry_after_ms }
}

/// The key of a request for several records: the same for every attempt at the same records of the
/// same orders.
fn batch_key(attempt: &Attempt<'_>, some: &[&mut Passenger]) -> String {
    let action = attempt.parts[some[0].part].persons.action;
    if some.iter().all(|one| one.part == some[0].part) {
        let ids: Vec<&str> = some.iter().map(|one| one.handle.id()).collect();
        return idempotency_key(attempt.parts[some[0].part].order, action, &ids);
    }
    let order_key = |part: usize| attempt.parts[part].order.key.as_str();
    joint_key(action, some.iter().map(|one| (order_key(one.part), one.handle.id())).collect())
}

/// Values for a step that touches so many records, as gently as the order wants.
fn filling(part: &Part<'_>, records: usize, key: String) -> Filling {
    let mut values = part.context.clone();
    values.insert("idempotency_key".to_owned(), key);
    let gap = match part.order.pace.records_per_second {
        Some(rate) if rate > 0 => {
            Duration::from_secs(1) * u32::try_from(records).unwrap_or(u32::MAX) / rate
        }
        _ => Duration::ZERO,
    };
    Filling { values, gap, ..Filling::default() }
}
