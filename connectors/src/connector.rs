//! The contract that every kind of system fulfils.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::guard::CanarySight;
use crate::order::{Order, RecordKey};
use crate::plant::PlantedRecord;
use crate::receipt::{Counts, Fault, Health, Outcome, Receipt, Verification};
use crate::residue::{ResidueLook, ResidueSight};
use crate::schema::{Capabilities, Schema};
use crate::subject::{Answer, Question};
use crate::together::{JointProgress, Together};
use crate::value::Record;

/// One connected system.
///
/// No method retries or polls. Only `execute` changes what people have there; `set_canary` writes a
/// row of our own, `plant` and `unplant` write and take away records of nobody, and `keep_out` and
/// `let_in` say who may come in.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What this connector can do.
    fn capabilities(&self) -> Capabilities;

    /// Reach, credentials, privileges and drift against the order's instructions; no effect.
    async fn check(&self, order: &Order) -> Result<Health, Fault>;

    /// Collections, fields, keys and references from the system's own catalogue; no effect.
    async fn describe(&self) -> Result<Schema, Fault>;

    /// What `execute` would do now, in counts; no effect.
    async fn preview(&self, order: &Order) -> Result<Counts, Fault>;

    /// One record's values of `fields`; `None` where there is no such record; no effect.
    ///
    /// `fields` may go through links; the answer names them `link.field`. Kinds that are asked by
    /// the name of a person show no record.
    async fn inspect(
        &self,
        _order: &Order,
        _collection: &str,
        _key: &RecordKey,
        _fields: &[crate::predicate::FieldRef],
    ) -> Result<Option<Record>, Fault> {
        Ok(None)
    }

    /// Records that questions describe, with the values of some fields; no effect. Kinds that
    /// cannot be asked answer every question with no record.
    async fn resolve(&self, _order: &Order, questions: &[Question]) -> Result<Vec<Answer>, Fault> {
        let none = |question: &Question| Answer {
            collection: question.collection.clone(),
            records: Vec::new(),
            more: false,
        };
        Ok(questions.iter().map(none).collect())
    }

    /// One attempt. Idempotent under the order's key: what an earlier attempt committed is
    /// neither done nor counted again.
    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault>;

    /// Asks after an order that the system carries out later; no effect.
    async fn follow(&self, _order: &Order, _reference: &str) -> Result<Receipt, Fault> {
        Err(Fault::Rejected { message: "this kind of system carries out nothing later".to_owned() })
    }

    /// When the system itself expects to have carried out what a reference is about; `None` where
    /// it did not say so.
    fn expected_at(&self, _reference: &str) -> Option<Timestamp> {
        None
    }

    /// Looks again by another query than `execute`'s, over another connection; no effect.
    async fn verify(&self, order: &Order) -> Result<Verification, Fault>;

    /// The product has settled the order: whatever the connector keeps in the system to resume it
    /// may go.
    async fn forget(&self, order_key: &str) -> Result<(), Fault>;

    /// `preview` of several orders that are alike, each with its own counts; no effect. Kinds that
    /// gain nothing by it are asked one by one.
    async fn preview_together(&self, orders: &[Order]) -> Result<Vec<Counts>, Fault> {
        let mut counts = Vec::with_capacity(orders.len());
        for order in orders {
            counts.push(self.preview(order).await?);
        }
        Ok(counts)
    }

    /// One attempt at several orders that are alike. Idempotent under the key of each, also where
    /// an earlier attempt was by itself or in other company.
    async fn execute_together(
        &self,
        _orders: &[Order],
        _progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        let why = "this kind of system carries orders out one by one".to_owned();
        Ok(Together::Apart { which: Vec::new(), why })
    }

    /// `verify` of several orders that are alike, each with its own finding; no effect.
    async fn verify_together(&self, orders: &[Order]) -> Result<Vec<Verification>, Fault> {
        let mut found = Vec::with_capacity(orders.len());
        for order in orders {
            found.push(self.verify(order).await?);
        }
        Ok(found)
    }

    /// Looks at files and logs of the system for what was deleted, for everybody who waits, in their
    /// order; drives what the look allows, and with nothing allowed has no effect.
    async fn look_at_residues(&self, _look: &ResidueLook) -> Result<Vec<ResidueSight>, Fault> {
        let message = "nobody looks at the files and logs of this kind of system".to_owned();
        Err(Fault::Rejected { message })
    }

    /// Looks at our own row of this name, which only counts up: a smaller number says that the
    /// system was put back to an earlier state; no effect.
    async fn canary(&self, _name: &str) -> Result<CanarySight, Fault> {
        Ok(CanarySight::NotKept)
    }

    /// Writes our own row of this name.
    async fn set_canary(&self, _name: &str, _number: u64, _at: Timestamp) -> Result<(), Fault> {
        Err(Fault::Rejected { message: "this kind of system keeps no canary".to_owned() })
    }

    /// Those of these accounts that can come in now; no effect.
    async fn can_come_in(&self, _accounts: &[String]) -> Result<Vec<String>, Fault> {
        Err(Fault::Misconfigured {
            message: "this kind of system cannot keep anybody out: use a hook".to_owned(),
        })
    }

    /// Keeps accounts out of the system and ends what they have under way there.
    async fn keep_out(&self, _accounts: &[String]) -> Result<(), Fault> {
        Err(Fault::Misconfigured {
            message: "this kind of system cannot keep anybody out: use a hook".to_owned(),
        })
    }

    /// Lets accounts in again that were kept out.
    async fn let_in(&self, _accounts: &[String]) -> Result<(), Fault> {
        Ok(())
    }

    /// What is missing to keep these accounts out, in words; no effect.
    async fn cannot_keep_out(&self, _accounts: &[String]) -> Result<Vec<String>, Fault> {
        Ok(vec!["this kind of system cannot keep anybody out: use a hook".to_owned()])
    }

    /// Writes records of an invented person in one transaction, and answers with the key of each in
    /// their order. A record whose marks are there already is left as it is, so that planting twice
    /// is planting once. Of the order only collections and pace count.
    async fn plant(
        &self,
        _order: &Order,
        _records: &[PlantedRecord],
    ) -> Result<Vec<RecordKey>, Fault> {
        Err(Fault::Misconfigured { message: "nothing can be planted here".to_owned() })
    }

    /// How many records are there with a mark of these; no effect.
    async fn planted(&self, _order: &Order, _records: &[PlantedRecord]) -> Result<u64, Fault> {
        Err(Fault::Misconfigured { message: "nothing can be planted here".to_owned() })
    }

    /// Takes away every record with a mark of these, in one transaction; how many there were.
    async fn unplant(&self, _order: &Order, _records: &[PlantedRecord]) -> Result<u64, Fault> {
        Err(Fault::Misconfigured { message: "nothing can be planted here".to_owned() })
    }

    /// The keys of so many orders at most of which the connector still keeps something in the system to
    /// resume them, those that have stood still for longest first; no effect.
    async fn remembered(&self, _most: u32) -> Result<Vec<String>, Fault> {
        Ok(Vec::new())
    }

    /// `forget` of several orders.
    async fn forget_all(&self, order_keys: &[String]) -> Result<(), Fault> {
        for key in order_keys {
            self.forget(key).await?;
        }
        Ok(())
    }
}

/// What the engine is told after each committed chunk, and what it answers.
#[async_trait]
pub trait Progress: Send + Sync {
    /// A chunk has been committed.
    async fn committed(&self, report: ProgressReport<'_>) -> Direction;

    /// This attempt is the current one at the system, and what comes next changes something there or
    /// cannot be taken back: whether it may still go on. Reaching the system, counting and finding out
    /// who somebody is may have taken long, and a legal hold may have come meanwhile, or another
    /// attempt that has finished the order. Whoever has nobody to ask goes on.
    async fn before_sending(&self) -> Direction {
        Direction::Continue
    }

    /// These records go as a whole with the chunk that is open and not committed yet. The engine
    /// writes down what it needs to list them, and answers with a mark; the connector commits the
    /// mark with the chunk, as [`Outcome::listed`]. So whatever was written down under a mark that
    /// was never committed has not gone, and nothing goes that is not written down. Asked only
    /// where [`Instruction::manifest`](crate::Instruction::manifest) says so.
    ///
    /// # Errors
    /// Where it could not be written down; the chunk is rolled back.
    async fn going(&self, _going: Going<'_>) -> Result<Uuid, Fault> {
        let message = "nobody keeps a manifest of this order".to_owned();
        Err(Fault::Rejected { message })
    }
}

/// Records that go as a whole with the chunk that is open.
#[derive(Debug, Clone, Copy)]
pub struct Going<'a> {
    /// Their collection, by its name in the data map.
    pub collection: &'a str,
    /// Their keys; at least one, and never more than a chunk has records.
    pub keys: &'a [RecordKey],
    /// The mark before, under the same order; `None` for the first.
    pub after: Option<Uuid>,
}

/// State of an order after a committed chunk.
#[derive(Debug, Clone)]
pub struct ProgressReport<'a> {
    /// The collection that is being worked on, by its name in the data map.
    pub collection: &'a str,
    /// Everything done under this order so far, over all attempts.
    pub done: &'a Outcome,
    /// Records changed in the last second, if a second has passed.
    pub records_per_second: u64,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Go on with the next chunk.
    Continue,
    /// Stop here; the answer is `Receipt::Stopped`.
    Stop,
}
