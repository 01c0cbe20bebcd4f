//! What the simulated systems write down themselves of what was done to them: the oracle.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use quietus_connectors::{Order, Record};
use uuid::Uuid;

use super::senses::Universe;

/// A record as it stood in a system.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which collection it is in.
    pub place: usize,
    /// Its key.
    pub id: String,
    /// The number of the customer whom it is about.
    pub customer: Option<String>,
    /// Its starting point; `None` where an event is it.
    pub start: Option<Timestamp>,
    /// When it came to be, by the universe's count.
    pub born: u64,
    /// What the product sees of it.
    pub values: Record,
}

/// Under which order something was done.
#[derive(Debug, Clone)]
pub struct Under {
    /// The order's key.
    pub key: String,
    /// The job that it is an order of.
    pub job: Option<Uuid>,
    /// The number of the job's attempt, as the order says it.
    pub attempt: u32,
    /// The number of the call in which it was done, all calls of all replicas counted.
    pub call: u64,
    /// When the chunk was begun: after the engine has last said that the order goes on.
    pub begun: u64,
    /// The moment of the order.
    pub moment: Timestamp,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A replica began to carry an order out.
    Called(Under),
    /// A record went.
    Erased(Row, Under),
    /// A record was restricted.
    Restricted(Row, Under),
    /// A second look came to its end, for the job of an order.
    Looked(&'static str, Option<Uuid>),
    /// A system was put back.
    Restored(&'static str),
    /// A processor forgot a customer.
    Forgot(String, Under),
}

/// Everything that was done, each with its number.
pub struct Journal {
    universe: Arc<Universe>,
    deeds: Mutex<Vec<(u64, Deed)>>,
}

impl Journal {
    /// An empty journal.
    pub fn new(universe: &Arc<Universe>) -> Arc<Self> {
        Arc::new(Self { universe: Arc::clone(universe), deeds: Mutex::default() })
    }

    /// Writes something down; its number.
    pub fn write(&self, deed: Deed) -> u64 {
        let number = self.universe.tick();
        self.deeds.lock().unwrap().push((number, deed));
        number
    }

    /// A call under an order that begins now.
    pub fn under(&self, order: &Order) -> Under {
        let call = self.tick();
        Under {
            key: order.key.clone(),
            job: job_of(&order.key),
            attempt: order.attempt,
            call,
            begun: call,
            moment: order.moment,
        }
    }

    /// The number of now.
    pub fn tick(&self) -> u64 {
        self.universe.tick()
    }

    /// Reads everything that was written down so far.
    pub fn read<T>(&self, read: impl FnOnce(&[(u64, Deed)]) -> T) -> T {
        read(&self.deeds.lock().unwrap())
    }
}

/// The job of an order's key.
pub fn job_of(key: &str) -> Option<Uuid> {
    Uuid::parse_str(key.rsplit_once('-')?.0).ok()
}
