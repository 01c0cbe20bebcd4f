//! A database in memory: its records, what it remembers of orders, copies of earlier states, and its
//! faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use quietus_connectors::{
    CanaryRow, CollectionOutcome, Fault, Instruction, Order, Outcome, Predicate, Restriction, Value,
};

use super::conditions::holds;
use super::estate::{PLACES, place};
use super::journal::{Deed, Journal, Row, Under};
use super::mutation::Mutation;

/// What is kept of an order, so that a later attempt goes on where the last chunk was.
#[derive(Debug, Clone, Default)]
pub struct OrderState {
    /// The latest attempt that has spoken.
    attempt: u32,
    /// What is done.
    done: Outcome,
    /// All of it is.
    finished: bool,
    /// Records that were said to be gone and are not.
    spared: BTreeSet<(usize, String)>,
}

/// Everything that a copy of the database holds.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Records, by collection and key.
    pub rows: BTreeMap<(usize, String), Row>,
    orders: BTreeMap<String, OrderState>,
    /// Our own rows.
    pub canaries: BTreeMap<String, CanaryRow>,
}

/// What is wrong with it just now.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// It does not answer.
    pub down: bool,
    /// So many times it carries an order out and loses the answer.
    pub lose_answers: u32,
    /// So many records are said to be deleted and stay.
    pub lies: u32,
    /// So many second looks fail.
    pub blind: u32,
}

/// A database.
pub struct Database {
    /// Its name.
    pub name: &'static str,
    /// What was done to it.
    pub journal: Arc<Journal>,
    state: Mutex<(Content, Faults)>,
}

/// What came of a chunk.
pub enum Chunk {
    /// It is committed; this is everything that is done.
    Committed(Outcome, &'static str),
    /// There is nothing left to do; this is everything that is done.
    Finished(Outcome),
    /// It would be more than the order allows.
    TooMany(Outcome),
}

/// What is to be done with one record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Delete,
    Restrict,
    Lift,
}

/// Whether the record carries the restriction of an instruction.
pub fn is_restricted(one: &Instruction, row: &Row) -> bool {
    match &one.restriction {
        Some(Restriction::Flag { field }) => {
            row.values.get(field).is_some_and(|value| *value == Value::Boolean(true))
        }
        Some(Restriction::Move { .. }) | None => false,
    }
}

/// Whether a record is to be restricted by an instruction.
pub fn to_restrict(one: &Instruction, order: &Order, row: &Row) -> bool {
    one.restriction.is_some()
        && holds(&one.restrict_when, &row.values, &order.lists)
        && !holds(&one.lift_when, &row.values, &order.lists)
}

/// Whether a record is held by an instruction.
pub fn is_held(one: &Instruction, order: &Order, row: &Row) -> bool {
    holds(&one.held, &row.values, &order.lists)
}

fn act_on(one: &Instruction, order: &Order, row: &Row) -> Option<Act> {
    if one.keep || is_held(one, order, row) {
        return None;
    }
    let says = |condition: &Predicate| holds(condition, &row.values, &order.lists);
    if says(&one.delete_when) {
        return Some(Act::Delete);
    }
    let restricted = is_restricted(one, row);
    if !restricted && to_restrict(one, order, row) {
        return Some(Act::Restrict);
    }
    (restricted && says(&one.lift_when)).then_some(Act::Lift)
}

fn entry<'a>(done: &'a mut Outcome, collection: &str) -> &'a mut CollectionOutcome {
    let found = done.collections.iter().position(|one| one.collection == collection);
    let place = found.unwrap_or_else(|| {
        let collection = collection.to_owned();
        done.collections.push(CollectionOutcome { collection, ..CollectionOutcome::default() });
        done.collections.len() - 1
    });
    &mut done.collections[place]
}

impl Database {
    /// An empty database.
    pub fn new(name: &'static str, journal: &Arc<Journal>) -> Arc<Self> {
        Arc::new(Self { name, journal: Arc::clone(journal), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, (Content, Faults)> {
        self.state.lock().unwrap()
    }

    /// Reads what is there.
    pub fn read<T>(&self, read: impl FnOnce(&Content) -> T) -> T {
        read(&self.state().0)
    }

    /// What is there, to be kept as a copy.
    pub fn copy(&self) -> Content {
        self.state().0.clone()
    }

    /// Puts the database back to a copy.
    pub fn put_back(&self, copy: Content) {
        self.state().0 = copy;
        self.journal.write(Deed::Restored(self.name));
    }

    /// Life goes on: a record comes to be.
    pub fn insert(&self, row: Row) {
        assert_eq!(PLACES[row.place].system, self.name);
        self.state().0.rows.insert((row.place, row.id.clone()), row);
    }

    /// Changes what is wrong with it.
    pub fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().1);
    }

    /// Whether it is down.
    pub fn is_down(&self) -> bool {
        self.state().1.down
    }

    /// One less of something that happens so many times; whether it happens.
    pub fn once(&self, which: impl FnOnce(&mut Faults) -> &mut u32) -> bool {
        let mut state = self.state();
        let left = which(&mut state.1);
        let happens = *left > 0;
        *left = left.saturating_sub(1);
        happens
    }

    /// Our own row of a name.
    pub fn canary(&self, name: &str) -> Option<CanaryRow> {
        self.state().0.canaries.get(name).copied()
    }

    /// Writes our own row.
    pub fn set_canary(&self, name: &str, number: u64, written_at: Timestamp) {
        self.state().0.canaries.insert(name.to_owned(), CanaryRow { number, written_at });
    }

    /// Takes an order over for an attempt; what is done so far, and whether that is all.
    pub fn take_over(&self, order: &Order) -> Result<(Outcome, bool), Fault> {
        let mut state = self.state();
        let known = state.0.orders.entry(order.key.clone()).or_default();
        if known.attempt > order.attempt {
            return Err(fenced());
        }
        known.attempt = order.attempt;
        for one in order.instructions.iter().filter(|one| !one.keep) {
            entry(&mut known.done, &one.collection);
        }
        Ok((known.done.clone(), known.finished))
    }

    /// Carries out the next chunk of an order in one transaction, for a product that may have a fault.
    pub fn chunk(
        &self,
        order: &Order,
        under: &Under,
        mutation: Option<Mutation>,
    ) -> Result<Chunk, Fault> {
        let mut state = self.state();
        let (content, faults) = &mut *state;
        let Content { rows, orders, .. } = content;
        let known = orders.get_mut(&order.key).ok_or_else(fenced)?;
        if known.attempt != order.attempt {
            return Err(fenced());
        }
        if known.finished {
            return Ok(Chunk::Finished(known.done.clone()));
        }
        let work = self.work(order, rows, known);
        if work.is_empty() {
            if mutation != Some(Mutation::HeldUntold) {
                self.count_held(order, rows, &mut known.done);
            }
            known.finished = true;
            return Ok(Chunk::Finished(known.done.clone()));
        }
        let all = known.done.changed() + work.len() as u64;
        if order.most_records.is_some_and(|most| all > most) {
            return Ok(Chunk::TooMany(known.done.clone()));
        }
        let many = usize::try_from(order.pace.chunk_records).unwrap();
        let mut collection = PLACES[work[0].0.0].collection;
        for (key, act) in work.into_iter().take(many) {
            collection = PLACES[key.0].collection;
            let counts = entry(&mut known.done, collection);
            match act {
                Act::Delete if faults.lies > 0 => {
                    faults.lies -= 1;
                    counts.deleted += 1;
                    known.spared.insert(key);
                }
                Act::Delete => {
                    let row = rows.remove(&key).unwrap();
                    counts.deleted += 1;
                    self.journal.write(Deed::Erased(row, under.clone()));
                }
                Act::Restrict | Act::Lift => {
                    let row = rows.get_mut(&key).unwrap();
                    let restricts = act == Act::Restrict;
                    row.values.insert("restricted".to_owned(), Value::Boolean(restricts));
                    if restricts {
                        counts.restricted += 1;
                        self.journal.write(Deed::Restricted(row.clone(), under.clone()));
                    } else {
                        counts.lifted += 1;
                    }
                }
            }
        }
        Ok(Chunk::Committed(known.done.clone(), collection))
    }

    /// Counts what a hold keeps of that which would be due without it.
    fn count_held(&self, order: &Order, rows: &BTreeMap<(usize, String), Row>, done: &mut Outcome) {
        for one in order.instructions.iter().filter(|one| !one.keep) {
            let number = place(self.name, &one.collection);
            let held = rows.values().filter(|row| row.place == number).filter(|row| {
                let due = || holds(&one.delete_when, &row.values, &order.lists);
                let restricts = || to_restrict(one, order, row) && !is_restricted(one, row);
                is_held(one, order, row) && (due() || restricts())
            });
            entry(done, &one.collection).held = held.count() as u64;
        }
    }

    /// Everything that is left to do.
    fn work(
        &self,
        order: &Order,
        rows: &BTreeMap<(usize, String), Row>,
        known: &OrderState,
    ) -> Vec<((usize, String), Act)> {
        let mut work = Vec::new();
        for one in &order.instructions {
            let number = place(self.name, &one.collection);
            for (key, row) in rows.iter().filter(|(key, _)| key.0 == number) {
                let act = act_on(one, order, row).filter(|_| !known.spared.contains(key));
                work.extend(act.map(|act| (key.clone(), act)));
            }
        }
        work
    }

    /// The product has settled the order.
    pub fn forget(&self, key: &str) {
        self.state().0.orders.remove(key);
    }
}

fn fenced() -> Fault {
    Fault::Unknown { message: "a later attempt has taken the order over".to_owned() }
}
