//! One attempt at an order, or at several that go together: person by person, or batch by batch
//! where the vendor takes batches. A batch may hold persons of several orders; what becomes of one
//! of them says nothing of another.

use std::collections::BTreeSet;

use super::Processor;
use super::batches::Passenger;
use super::definition::Action;
use super::following::Undertaking;
use super::preparing::{Ready, context};
use super::telling::{Tally, Verdict};
use super::template::Values;
use super::validation::names_in;
use crate::connector::{Direction, Progress, ProgressReport};
use crate::order::Order;
use crate::receipt::{Fault, Outcome, Receipt, RefusalKind};
use crate::subject::{Subject, SubjectRequest};
use crate::together::{JointProgress, Together, alike};

/// Who is told how far it has come.
#[derive(Clone, Copy)]
enum Told<'a> {
    /// The engine's side of one order.
    One(&'a dyn Progress),
    /// That of several.
    Together(&'a dyn JointProgress),
}

/// One order under way.
pub(super) struct Part<'a> {
    pub order: &'a Order,
    pub persons: &'a SubjectRequest,
    pub context: Values,
    pub tally: Tally,
    pub undertaking: Undertaking,
    /// Persons of whom nothing has been said yet, and for whom nothing is under way.
    open: usize,
    /// What has come of it before all of its persons were through.
    ended: Option<Result<Receipt, Fault>>,
}

impl Part<'_> {
    pub fn subject(&self, person: usize) -> &Subject {
        &self.persons.subjects[person]
    }

    /// It ends here, unless it has ended already.
    pub fn end(&mut self, how: Result<Receipt, Fault>) {
        self.ended.get_or_insert(how);
    }

    /// One of its persons is through.
    pub fn person_is_through(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

/// One attempt under way.
pub(super) struct Attempt<'a> {
    pub parts: Vec<Part<'a>>,
    pub action: &'a Action,
    told: Told<'a>,
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
        let parts = vec![Self::part(order, persons)];
        let attempt = Attempt { parts, action, told: Told::One(progress) };
        let mut ended = self.go(attempt).await;
        ended.pop().unwrap_or_else(|| Err(nothing_said()))
    }

    /// Carries several orders out, as many persons in a request as the vendor takes.
    ///
    /// # Errors
    /// Where an order names nobody. What the vendor does not answer is the fault of each order that
    /// it was asked for.
    pub(super) async fn carry_out_together(
        &self,
        orders: &[Order],
        progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        let mut parts = Vec::with_capacity(orders.len());
        for order in orders {
            parts.push(Self::part(order, self.persons(order)?));
        }
        let apart = |why: &str| Ok(Together::Apart { which: Vec::new(), why: why.to_owned() });
        let Some(first) = orders.first() else { return apart("there is no order") };
        if orders.iter().any(|one| !alike(first, one)) {
            return apart("the orders ask for different things");
        }
        let action = parts.first().and_then(|part| self.definition.action(part.persons.action));
        let Some(action) = action.filter(|action| action.carries_many()) else {
            return apart("the vendor takes one record in a request");
        };
        let told_of: BTreeSet<String> =
            action.steps.iter().filter(|step| step.most.is_some()).flat_map(names_in).collect();
        let submitted = |one: &Part<'_>| one.persons.submitted_at;
        let dated = told_of.contains("submitted_at")
            && parts.iter().any(|one| submitted(one) != submitted(&parts[0]));
        if told_of.contains("order") || dated {
            return apart("a request of the vendor speaks of one order");
        }
        let attempt = Attempt { parts, action, told: Told::Together(progress) };
        Ok(Together::Each(self.go(attempt).await))
    }

    fn part<'a>(order: &'a Order, persons: &'a SubjectRequest) -> Part<'a> {
        Part {
            order,
            persons,
            context: context(order, persons),
            tally: Tally::new(persons.action, Self::collection(order)),
            undertaking: Undertaking::default(),
            open: persons.subjects.len(),
            ended: None,
        }
    }

    /// Goes through all persons; what has come of each order.
    async fn go(&self, mut attempt: Attempt<'_>) -> Vec<Result<Receipt, Fault>> {
        let steps = &attempt.action.steps;
        let window = steps.iter().filter_map(|step| step.most).max().unwrap_or(1) as usize;
        let numbered = attempt.parts.iter().enumerate();
        let everybody: Vec<(usize, usize)> = numbered
            .flat_map(|(part, one)| (0..one.persons.subjects.len()).map(move |who| (part, who)))
            .collect();
        let mut waiting: Vec<Passenger> = Vec::new();
        for (number, &(part, person)) in everybody.iter().enumerate() {
            if !attempt.parts[part].has_ended() {
                self.make_ready(&mut attempt, (part, person), &mut waiting).await;
            }
            // Whoever has ended meanwhile is asked nothing more.
            waiting.retain(|one| !attempt.parts[one.part].has_ended());
            let last = number + 1 == everybody.len();
            if waiting.is_empty() || (waiting.len() < window && !last) {
                continue;
            }
            self.hold_to_limits(&mut attempt, &mut waiting);
            if waiting.is_empty() {
                continue;
            }
            self.send_batch(&mut attempt, std::mem::take(&mut waiting)).await;
            self.tell_all(&attempt).await;
        }
        attempt.parts.into_iter().map(|part| self.receipt_of(part, attempt.action)).collect()
    }

    /// Finds out who a person is and what is to be done for them.
    async fn make_ready(
        &self,
        attempt: &mut Attempt<'_>,
        (number, person): (usize, usize),
        waiting: &mut Vec<Passenger>,
    ) {
        let many = attempt.action.carries_many();
        let part = &attempt.parts[number];
        let (kind, subject) = (part.persons.action, part.subject(person));
        let ready = self.prepare(part.order, kind, attempt.action, subject, &part.context).await;
        let part = &mut attempt.parts[number];
        match ready {
            Ok(Ready::Settled(verdict)) => self.settle(attempt, (number, person), verdict).await,
            Ok(Ready::Go { left, under_way }) => {
                let reference = &part.persons.subjects[person].reference;
                part.undertaking.begin(&under_way, reference);
                // Whatever was asked in a batch may be about others as well.
                part.undertaking.in_company |= !under_way.is_empty() && many;
                if left.is_empty() {
                    part.person_is_through();
                }
                let passenger = |handle| Passenger::new((number, person), handle);
                waiting.extend(left.into_iter().map(passenger));
            }
            Err(fault) => {
                let not_there = matches!(fault, Fault::Transient { .. } | Fault::Unknown { .. });
                part.end(Err(fault.clone()));
                if not_there {
                    attempt.end_rest(&fault);
                }
            }
        }
    }

    fn receipt_of(&self, part: Part<'_>, action: &Action) -> Result<Receipt, Fault> {
        if let Some(ended) = part.ended {
            return ended;
        }
        if part.undertaking.is_empty() {
            return Ok(Receipt::Done(part.tally.outcome));
        }
        let ask_at = self.ask_at(action, part.undertaking.pause_ms);
        let reference = part.undertaking.reference(&part.tally.outcome);
        Ok(Receipt::Pending { reference, ask_at })
    }

    /// No order may touch more records than it says.
    fn hold_to_limits(&self, attempt: &mut Attempt<'_>, waiting: &mut Vec<Passenger>) {
        for (number, part) in attempt.parts.iter_mut().enumerate() {
            let more = waiting.iter().filter(|one| one.part == number).count() as u64;
            let Some(most) = part.order.most_records.filter(|_| more > 0) else { continue };
            if part.undertaking.records + more <= most {
                continue;
            }
            let reasons = vec![format!(
                "the persons have more than {most} records at {}: raise the limit, or look whether \
                 the right persons are named",
                self.definition.vendor
            )];
            let done = part.tally.outcome.clone();
            part.end(Ok(Receipt::Refused { kind: RefusalKind::OverLimit, reasons, done }));
        }
        waiting.retain(|one| !attempt.parts[one.part].has_ended());
    }

    /// After each batch: what was said of everybody so far.
    async fn tell_all(&self, attempt: &Attempt<'_>) {
        if let Told::Together(progress) = attempt.told {
            let parts = attempt.parts.iter();
            let done: Vec<Outcome> = parts.map(|part| part.tally.outcome.clone()).collect();
            // Who has to stop is asked before the next request is sent, each for themselves.
            progress.committed(&done).await;
        }
    }

    /// Takes down the last word on a person.
    pub(super) async fn settle(
        &self,
        attempt: &mut Attempt<'_>,
        (number, person): (usize, usize),
        verdict: Verdict,
    ) {
        let told = attempt.told;
        let part = &mut attempt.parts[number];
        let reference = &part.persons.subjects[person].reference;
        part.tally.add(reference, verdict, (self.now)());
        part.person_is_through();
        let Told::One(progress) = told else { return };
        let collection = Self::collection(part.order).unwrap_or_else(|| self.system.clone());
        let done = &part.tally.outcome;
        let report = ProgressReport { collection: &collection, done, records_per_second: 0 };
        if progress.committed(report).await == Direction::Stop {
            part.end(Ok(Receipt::Stopped(part.tally.outcome.clone())));
        }
    }
}

impl Attempt<'_> {
    /// Just before a request of these parts that changes something. Finding out who everybody is and
    /// the requests before it may have taken long: whoever was called off or is held by now ends
    /// here, and nothing more is sent for them.
    pub async fn leave_out_stopped(&mut self, parts: impl IntoIterator<Item = usize>) {
        let which: BTreeSet<usize> =
            parts.into_iter().filter(|part| !self.parts[*part].has_ended()).collect();
        let which: Vec<usize> = which.into_iter().collect();
        let directions = match self.told {
            _ if which.is_empty() => return,
            Told::One(progress) => vec![progress.before_sending().await],
            Told::Together(progress) => progress.before_sending(&which).await,
        };
        for (place, number) in which.into_iter().enumerate() {
            let part = &mut self.parts[number];
            // Of whom nothing is said, nothing is sent.
            if directions.get(place) != Some(&Direction::Continue) {
                part.end(Ok(Receipt::Stopped(part.tally.outcome.clone())));
            }
        }
    }

    /// The vendor does not answer: nothing is sent for anybody of whom nothing is known yet.
    pub fn end_rest(&mut self, fault: &Fault) {
        let (message, pause) = match fault {
            Fault::Transient { message, retry_after_ms } => (message, *retry_after_ms),
            Fault::Misconfigured { message }
            | Fault::Rejected { message }
            | Fault::Unknown { message } => (message, None),
        };
        for part in self.parts.iter_mut().filter(|part| part.open > 0) {
            part.end(Err(Fault::Transient { message: message.clone(), retry_after_ms: pause }));
        }
    }
}

fn nothing_said() -> Fault {
    Fault::Unknown { message: "nothing came of the order".to_owned() }
}
