//! One attempt at an order: person by person, or batch by batch where the vendor takes batches.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::Processor;
use super::answers::{Said, document_of, misshapen, of_item, read, text_at};
use super::definition::{Action, Meaning, Request};
use super::exchange::{Filling, Trouble};
use super::finding::Handle;
use super::following::Undertaking;
use super::looking::Sight;
use super::preparing::{Ready, context, idempotency_key};
use super::telling::{Tally, Verdict, refusal};
use super::template::Values;
use crate::connector::{Direction, Progress, ProgressReport};
use crate::order::Order;
use crate::outbound::{Effect, Reply};
use crate::receipt::{Fault, Receipt, RefusalKind};
use crate::subject::{Grade, Subject, SubjectRequest, SubjectResult};

/// One attempt under way.
struct Attempt<'a> {
    order: &'a Order,
    persons: &'a SubjectRequest,
    action: &'a Action,
    context: Values,
    tally: Tally,
    undertaking: Undertaking,
}

/// A record on its way through the steps.
struct Passenger {
    person: usize,
    handle: Handle,
    state: State,
    words: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// No step has found it yet.
    Unmet,
    Done,
    Pending(String),
    Refused(String),
}

impl Processor {
    /// Carries an order out.
    ///
    /// # Errors
    /// Where the vendor cannot be asked; whatever was done before is found by asking next time.
    pub(super) async fn carry_out(
        &self,
        order: &Order,
        progress: &dyn Progress,
    ) -> Result<Receipt, Fault> {
        let persons = self.persons(order)?;
        let tally = Tally::new(persons.action, Self::collection(order));
        let Some(action) = self.definition.action(persons.action) else {
            let reason = format!(
                "{} offers no way to {}: have a person do it",
                self.definition.vendor,
                persons.action.as_str()
            );
            let reasons = vec![reason];
            return Ok(Receipt::Refused {
                kind: RefusalKind::Unsafe,
                reasons,
                done: tally.outcome,
            });
        };
        let context = context(order, persons);
        let undertaking = Undertaking::default();
        let mut attempt = Attempt { order, persons, action, context, tally, undertaking };
        let window = action.steps.iter().filter_map(|step| step.most).max().unwrap_or(1) as usize;
        let mut waiting: Vec<Passenger> = Vec::new();
        for (person, subject) in persons.subjects.iter().enumerate() {
            let ready =
                self.prepare(order, persons.action, action, subject, &attempt.context).await?;
            match ready {
                Ready::Settled(verdict) => {
                    if self.settle(&mut attempt, person, verdict, progress).await == Direction::Stop
                    {
                        return Ok(Receipt::Stopped(attempt.tally.outcome));
                    }
                }
                Ready::Go { left, under_way } => {
                    attempt.undertaking.begin(&under_way, &subject.reference);
                    let more = left.into_iter().map(|handle| Passenger {
                        person,
                        handle,
                        state: State::Unmet,
                        words: None,
                    });
                    waiting.extend(more);
                }
            }
            let last = person + 1 == persons.subjects.len();
            if waiting.is_empty() || (waiting.len() < window && !last) {
                continue;
            }
            if let Some(receipt) = self.over_limit(&attempt, waiting.len()) {
                return Ok(receipt);
            }
            let batch = std::mem::take(&mut waiting);
            if self.send_batch(&mut attempt, batch, progress).await? == Direction::Stop {
                return Ok(Receipt::Stopped(attempt.tally.outcome));
            }
        }
        Ok(self.receipt_of(attempt))
    }

    fn receipt_of(&self, attempt: Attempt<'_>) -> Receipt {
        if attempt.undertaking.is_empty() {
            return Receipt::Done(attempt.tally.outcome);
        }
        let ask_at = self.ask_at(attempt.action, attempt.undertaking.pause_ms);
        let reference = attempt.undertaking.reference(&attempt.tally.outcome);
        Receipt::Pending { reference, ask_at }
    }

    /// The order may not touch more records than it says.
    fn over_limit(&self, attempt: &Attempt<'_>, more: usize) -> Option<Receipt> {
        let most = attempt.order.most_records?;
        let done = attempt.undertaking.records;
        if done + more as u64 <= most {
            return None;
        }
        let reasons = vec![format!(
            "the persons have more than {most} records at {}: raise the limit, or look whether \
             the right persons are named",
            self.definition.vendor
        )];
        let done = attempt.tally.outcome.clone();
        Some(Receipt::Refused { kind: RefusalKind::OverLimit, reasons, done })
    }

    /// Sends the steps for a batch and settles its persons.
    async fn send_batch(
        &self,
        attempt: &mut Attempt<'_>,
        mut batch: Vec<Passenger>,
        progress: &dyn Progress,
    ) -> Result<Direction, Fault> {
        attempt.undertaking.records += batch.len() as u64;
        for step in &attempt.action.steps {
            match step.most {
                Some(most) => {
                    for some in batch.chunks_mut(most as usize) {
                        self.step_for_many(attempt, step, some).await?;
                    }
                }
                None => {
                    for one in &mut batch {
                        self.step_for_one(attempt, step, one).await?;
                    }
                }
            }
        }
        let mut by_person: BTreeMap<usize, Vec<Passenger>> = BTreeMap::new();
        for passenger in batch {
            by_person.entry(passenger.person).or_default().push(passenger);
        }
        for (person, records) in by_person {
            let subject = &attempt.persons.subjects[person];
            let references: Vec<String> = records.iter().filter_map(Passenger::reference).collect();
            attempt.undertaking.begin(&references, &subject.reference);
            if attempt.undertaking.waits_for(&subject.reference) {
                // The last word is said when the last of their records is.
                if let Some(words) = records.iter().find_map(Passenger::refusal) {
                    attempt.undertaking.refuse(&subject.reference, words);
                }
                continue;
            }
            let verdict = self.verdict(attempt, &records).await;
            if self.settle(attempt, person, verdict, progress).await == Direction::Stop {
                return Ok(Direction::Stop);
            }
        }
        Ok(Direction::Continue)
    }

    async fn step_for_one(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        one: &mut Passenger,
    ) -> Result<(), Fault> {
        if one.is_settled() {
            return Ok(());
        }
        let kind = attempt.persons.action;
        let key = idempotency_key(attempt.order, kind, &[one.handle.id()]);
        let mut filling = filling(attempt, 1, key);
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
        let mut all: Vec<&mut Passenger> = some.iter_mut().filter(open).collect();
        let mut parts = vec![(0, all.len())];
        while let Some((start, end)) = parts.pop() {
            let some = &mut all[start..end];
            match (self.send_many(attempt, step, some).await?, some) {
                (None, _) => {}
                (Some(message), [one]) => one.state = State::Refused(message),
                (Some(_), some) => {
                    let middle = start + some.len() / 2;
                    parts.extend([(middle, end), (start, middle)]);
                }
            }
        }
        Ok(())
    }

    /// Sends one request for several records; the answer is what was said where it was a no.
    async fn send_many(
        &self,
        attempt: &mut Attempt<'_>,
        step: &Request,
        some: &mut [&mut Passenger],
    ) -> Result<Option<String>, Fault> {
        if some.is_empty() {
            return Ok(None);
        }
        let ids: Vec<String> = some.iter().map(|one| one.handle.id().to_owned()).collect();
        let parts: Vec<&str> = ids.iter().map(String::as_str).collect();
        let key = idempotency_key(attempt.order, attempt.persons.action, &parts);
        let mut filling = filling(attempt, some.len(), key);
        filling.ids = ids;
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
        let Some(items) = &step.items else {
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
            // Of whom nothing is said, nothing is known.
            let said = said.ok_or_else(|| misshapen(&reply, "nothing about one of the records"))?;
            self.take(attempt, step, &reply, &said, one)?;
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
                attempt.undertaking.pause_ms = attempt.undertaking.pause_ms.max(asked_for);
            }
        }
        Ok(())
    }

    /// What became of a person whose records have all been through the steps.
    async fn verdict(&self, attempt: &Attempt<'_>, records: &[Passenger]) -> Verdict {
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
        let (grade, seen) = match self.look_at(attempt.action, &handles, &attempt.context).await {
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

    async fn settle(
        &self,
        attempt: &mut Attempt<'_>,
        person: usize,
        verdict: Verdict,
        progress: &dyn Progress,
    ) -> Direction {
        let subject: &Subject = &attempt.persons.subjects[person];
        attempt.tally.add(&subject.reference, verdict, (self.now)());
        let collection = Self::collection(attempt.order).unwrap_or_else(|| self.system.clone());
        let done = &attempt.tally.outcome;
        let report = ProgressReport { collection: &collection, done, records_per_second: 0 };
        progress.committed(report).await
    }
}

impl Passenger {
    /// No further step is for it.
    fn is_settled(&self) -> bool {
        matches!(self.state, State::Refused(_) | State::Pending(_))
    }

    fn refusal(&self) -> Option<&str> {
        match &self.state {
            State::Refused(words) => Some(words),
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

/// Values for a step that touches so many records, as gently as the order wants.
fn filling(attempt: &Attempt<'_>, records: usize, key: String) -> Filling {
    let mut values = attempt.context.clone();
    values.insert("idempotency_key".to_owned(), key);
    let gap = match attempt.order.pace.records_per_second {
        Some(rate) if rate > 0 => {
            Duration::from_secs(1) * u32::try_from(records).unwrap_or(u32::MAX) / rate
        }
        _ => Duration::ZERO,
    };
    Filling { values, gap, ..Filling::default() }
}
