//! Systems in memory. One is empty, so that carrying an order out costs nothing; in another one each
//! person has one record, which goes when it is ordered and is counted by every look.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use quietus::app::systems::StandIns;
use quietus::datamap::System;
use quietus_connectors::{
    Answer, Capabilities, CollectionOutcome, Connector, Counts, Direction, Fault, Health,
    Instruction, JointProgress, LookedAt, Order, Outcome, Predicate, ProbeCount, Progress,
    ProgressReport, Question, Receipt, Record, Schema, Survivor, Together, Value, Verification,
};

/// The collection in which persons are.
pub const PEOPLE: &str = "people";
/// How the address of a person ends.
const DOMAIN: &str = "@figures.example";

/// The address of a person of this number.
pub fn address(number: u64) -> String {
    format!("person-{number}{DOMAIN}")
}

fn number_of(value: &Value) -> Option<u64> {
    let Value::Text(text) = value else { return None };
    text.strip_prefix("person-")?.strip_suffix(DOMAIN)?.parse().ok()
}

/// What is in one system.
struct Content {
    name: String,
    /// By number: whether the person's record is still there.
    there: Mutex<Vec<bool>>,
}

impl Content {
    fn there(&self) -> MutexGuard<'_, Vec<bool>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The persons whom an order names and whose record is there.
    fn named(&self, order: &Order) -> Vec<usize> {
        let values = order.lists.iter().flat_map(|list| &list.entries).flatten();
        let mut named: Vec<usize> = values
            .filter_map(number_of)
            .filter_map(|number| usize::try_from(number).ok())
            .collect();
        named.sort_unstable();
        named.dedup();
        let there = self.there();
        named.retain(|number| there.get(*number).copied().unwrap_or(false));
        named
    }

    fn left(&self) -> u64 {
        self.there().iter().filter(|there| **there).count() as u64
    }

    /// Deletes what an order names.
    fn carry_out(&self, order: &Order) -> Outcome {
        let Some(one) = order.instructions.iter().find(|one| acts(one)) else {
            return Outcome::default();
        };
        let named = self.named(order);
        let mut there = self.there();
        for number in &named {
            there[*number] = false;
        }
        let collection = CollectionOutcome {
            collection: one.collection.clone(),
            deleted: named.len() as u64,
            ..CollectionOutcome::default()
        };
        Outcome { collections: vec![collection], ..Outcome::default() }
    }
}

fn acts(one: &Instruction) -> bool {
    !one.keep && one.collection == PEOPLE && one.delete_when != Predicate::Never
}

/// A connection to one system.
struct MemoryConnector(Arc<Content>);

/// So many systems called `system-001` and so on, each with a record of so many persons.
pub fn systems(many: u32, persons: u64) -> StandIns {
    let persons = usize::try_from(persons).expect("persons fit into memory");
    let contents: Vec<Arc<Content>> = (1..=many)
        .map(|number| {
            let there = Mutex::new(vec![true; persons]);
            Arc::new(Content { name: super::ground::system_name(number), there })
        })
        .collect();
    Arc::new(move |system: &System| -> Option<Box<dyn Connector>> {
        let found = contents.iter().find(|one| one.name == system.name.as_str())?;
        Some(Box::new(MemoryConnector(Arc::clone(found))))
    })
}

impl MemoryConnector {
    fn count(&self, order: &Order, one: &Instruction) -> ProbeCount {
        let delete = if acts(one) { self.0.named(order).len() as u64 } else { 0 };
        let total = if one.collection == PEOPLE { self.0.left() } else { 0 };
        ProbeCount { collection: one.collection.clone(), total, delete, ..ProbeCount::default() }
    }

    fn look(&self, order: &Order) -> Verification {
        let mut found =
            Verification { method: "counted in memory".to_owned(), ..Verification::default() };
        for one in &order.instructions {
            let collection = one.collection.clone();
            let left = if one.collection == PEOPLE { self.0.left() } else { 0 };
            found.left.insert(collection.clone(), left);
            if one.keep {
                continue;
            }
            let survivors = if acts(one) { self.0.named(order).len() as u64 } else { 0 };
            if one.delete_when != Predicate::Never {
                found.looked_at.push(LookedAt { collection: collection.clone(), category: None });
                if survivors > 0 {
                    let (collection, category) = (collection.clone(), None);
                    found.survivors.push(Survivor { collection, category, records: survivors });
                }
            }
            found.looked_at.extend(one.treatments.iter().map(|treatment| LookedAt {
                collection: collection.clone(),
                category: Some(treatment.category.clone()),
            }));
        }
        found
    }

    fn record(number: usize, question: &Question) -> Record {
        let number = u64::try_from(number).unwrap_or_default();
        let value = |field: &str| match field {
            "id" => Value::Integer(i64::try_from(number).unwrap_or_default()),
            "email" => Value::Text(address(number)),
            "since" => Value::Timestamp(Timestamp::UNIX_EPOCH),
            _ => Value::Null,
        };
        let fields = question.fields.iter();
        fields.map(|field| (field.field.clone(), value(&field.field))).collect()
    }
}

#[async_trait]
impl Connector for MemoryConnector {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "sqlite".to_owned(),
            erasure_grade: "deleted".to_owned(),
            residues: Vec::new(),
            can_verify: true,
            identities: Vec::new(),
        }
    }

    async fn check(&self, _order: &Order) -> Result<Health, Fault> {
        Ok(Health { product: "memory".to_owned(), ..Health::default() })
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        Ok(Schema { product: "memory".to_owned(), ..Schema::default() })
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        let collections = order.instructions.iter().map(|one| self.count(order, one)).collect();
        Ok(Counts { collections, ..Counts::default() })
    }

    async fn resolve(&self, order: &Order, questions: &[Question]) -> Result<Vec<Answer>, Fault> {
        let named = self.0.named(order);
        let answer = |question: &Question| {
            let own = question.collection == PEOPLE;
            let numbers = named.iter().filter(|_| own);
            Answer {
                collection: question.collection.clone(),
                records: numbers.map(|number| Self::record(*number, question)).collect(),
                more: false,
            }
        };
        Ok(questions.iter().map(answer).collect())
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        let done = self.0.carry_out(order);
        if done.changed() > 0 {
            let report = ProgressReport { collection: PEOPLE, done: &done, records_per_second: 0 };
            if progress.committed(report).await == Direction::Stop {
                return Ok(Receipt::Stopped(done));
            }
        }
        Ok(Receipt::Done(done))
    }

    async fn execute_together(
        &self,
        orders: &[Order],
        progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        let done: Vec<Outcome> = orders.iter().map(|order| self.0.carry_out(order)).collect();
        let stops = done.iter().any(|one| one.changed() > 0)
            && progress.committed(&done).await == Direction::Stop;
        let receipt = |done| if stops { Receipt::Stopped(done) } else { Receipt::Done(done) };
        Ok(Together::Receipts(done.into_iter().map(receipt).collect()))
    }

    async fn verify(&self, order: &Order) -> Result<Verification, Fault> {
        Ok(self.look(order))
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        Ok(())
    }
}
