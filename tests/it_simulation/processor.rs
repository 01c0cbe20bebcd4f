//! A processor in memory: it knows customers by their number, and nobody can look into it. What it
//! says is all that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::SignedDuration;
use quietus::domain::Clock as _;
use quietus_connectors::{
    Capabilities, Connector, Counts, Direction, Fault, Grade, Health, Order, Outcome, Progress,
    ProgressReport, Receipt, Schema, SubjectAction, SubjectResult, Testimony, Verification,
};

use super::estate::PROCESSOR;
use super::journal::{Deed, Journal, Under};
use super::senses::Senses;

/// How it answers what it is asked next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Temper {
    /// At once.
    #[default]
    Prompt,
    /// Only after having been asked after so many times, six hours apart.
    Slow(u32),
    /// It does it, and the answer is lost.
    Silent,
    /// It says that it has done it, and has not.
    Lying,
    /// It does not answer.
    Down,
}

/// What it remembers of an order.
#[derive(Debug, Clone)]
struct Undertaking {
    /// Times that it still puts off whoever asks.
    questions_left: u32,
    lies: bool,
    /// It has answered.
    answered: bool,
}

#[derive(Default)]
struct State {
    customers: BTreeSet<String>,
    orders: BTreeMap<String, Undertaking>,
    temper: Temper,
}

/// The processor.
pub struct Processor {
    journal: Arc<Journal>,
    state: Mutex<State>,
}

impl Processor {
    /// A processor that knows nobody.
    pub fn new(journal: &Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { journal: Arc::clone(journal), state: Mutex::default() })
    }

    /// It comes to know a customer.
    pub fn add(&self, customer: &str) {
        self.state.lock().unwrap().customers.insert(customer.to_owned());
    }

    /// Whether it knows a customer.
    pub fn knows(&self, customer: &str) -> bool {
        self.state.lock().unwrap().customers.contains(customer)
    }

    /// Changes how it answers.
    pub fn set_temper(&self, temper: Temper) {
        self.state.lock().unwrap().temper = temper;
    }

    /// How it answers.
    pub fn temper(&self) -> Temper {
        self.state.lock().unwrap().temper
    }
}

/// A connection of one replica.
pub struct ProcessorConnector {
    /// To whom.
    pub processor: Arc<Processor>,
    /// Of whom.
    pub senses: Arc<Senses>,
}

impl ProcessorConnector {
    fn asked(&self) -> Result<(), Fault> {
        self.senses.touch();
        if self.processor.temper() == Temper::Down {
            let message = format!("`{PROCESSOR}` does not answer");
            return Err(Fault::Transient { message, retry_after_ms: Some(60_000) });
        }
        Ok(())
    }

    fn customers(order: &Order) -> Vec<(String, Option<String>)> {
        let subjects = order.persons.iter().flat_map(|persons| &persons.subjects);
        subjects
            .map(|subject| {
                let number = subject.identities.iter().find(|one| one.kind == "customer_id");
                (subject.reference.clone(), number.map(|one| one.value.clone()))
            })
            .collect()
    }

    /// Carries an order out, if it is not yet; twice is once.
    fn carry_out(&self, order: &Order, under: &Under) -> Outcome {
        let at = self.senses.now();
        let mut state = self.processor.state.lock().unwrap();
        let state = &mut *state;
        let known = state.orders.get_mut(&order.key).unwrap();
        let mut done = Outcome::default();
        for (subject, customer) in Self::customers(order) {
            let there = customer.is_some_and(|customer| {
                let there = if known.lies || known.answered {
                    state.customers.contains(&customer) || known.answered
                } else {
                    state.customers.remove(&customer)
                };
                if there && !known.lies && !known.answered {
                    self.processor.journal.write(Deed::Forgot(customer, under.clone()));
                }
                there
            });
            done.testimonies.push(Testimony {
                subject,
                result: if there { SubjectResult::Done } else { SubjectResult::Absent },
                grade: Grade::Reported,
                at,
                words: "said by the processor".to_owned(),
                proof: None,
            });
        }
        known.answered = true;
        done
    }

    fn puts_off(&self, order: &Order) -> Option<Receipt> {
        let mut state = self.processor.state.lock().unwrap();
        let known = state.orders.get_mut(&order.key)?;
        known.questions_left = known.questions_left.checked_sub(1)?;
        drop(state);
        let ask_at = self.senses.now().checked_add(SignedDuration::from_hours(6)).unwrap();
        Some(Receipt::Pending { reference: order.key.clone(), ask_at })
    }
}

#[async_trait]
impl Connector for ProcessorConnector {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "own".to_owned(),
            erasure_grade: "deleted".to_owned(),
            residues: Vec::new(),
            can_verify: false,
            identities: vec!["customer_id".to_owned()],
        }
    }

    async fn check(&self, _order: &Order) -> Result<Health, Fault> {
        self.asked()?;
        Ok(Health::default())
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        self.asked()?;
        Ok(Schema::default())
    }

    async fn preview(&self, _order: &Order) -> Result<Counts, Fault> {
        self.asked()?;
        Ok(Counts::default())
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        self.asked()?;
        let persons = order.persons.as_ref().expect("whoever is asked by name is told whom");
        assert_eq!(persons.action, SubjectAction::Erase, "nothing else is simulated");
        // The way to it may be long.
        self.senses.stride().await;
        if progress.before_sending().await == Direction::Stop {
            return Ok(Receipt::Stopped(Outcome::default()));
        }
        let under = self.processor.journal.under(order);
        self.processor.journal.write(Deed::Called(under.clone()));
        let temper = self.processor.temper();
        {
            let mut state = self.processor.state.lock().unwrap();
            state.orders.entry(order.key.clone()).or_insert(Undertaking {
                questions_left: if let Temper::Slow(times) = temper { times } else { 0 },
                lies: temper == Temper::Lying,
                answered: false,
            });
        }
        self.senses.stride().await;
        if let Some(pending) = self.puts_off(order) {
            return Ok(pending);
        }
        let done = self.carry_out(order, &under);
        self.senses.touch();
        if temper == Temper::Silent {
            self.processor.set_temper(Temper::Prompt);
            return Err(Fault::Unknown { message: format!("`{PROCESSOR}` lost the answer") });
        }
        let report = ProgressReport { collection: PROCESSOR, done: &done, records_per_second: 0 };
        progress.committed(report).await;
        Ok(Receipt::Done(done))
    }

    async fn follow(&self, order: &Order, _reference: &str) -> Result<Receipt, Fault> {
        self.asked()?;
        let under = self.processor.journal.under(order);
        self.senses.stride().await;
        if let Some(pending) = self.puts_off(order) {
            return Ok(pending);
        }
        Ok(Receipt::Done(self.carry_out(order, &under)))
    }

    async fn verify(&self, _order: &Order) -> Result<Verification, Fault> {
        self.asked()?;
        let method = "nobody can look into it: its word is relied upon".to_owned();
        Ok(Verification { method, relied_upon: true, ..Verification::default() })
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        self.asked()
    }
}
