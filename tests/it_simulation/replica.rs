//! One process of the product, and how its steps are driven: to their end, to its death, or to where
//! it stands still. A step that has died is dropped with all that it held, as the end of a process
//! would.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quietus::app::{AppError, Opening, Quietus, Surroundings};
use quietus::config::Process;
use quietus::datamap::System;
use quietus::domain::{Clock, Digest, Ids};
use quietus_connectors::Connector;

use super::database::Database;
use super::database_connector::DatabaseConnector;
use super::estate::PROCESSOR;
use super::mutation::Mutation;
use super::processor::{Processor, ProcessorConnector};
use super::senses::{Death, Senses};

/// How long a job may stay silent; on the simulated clock.
pub const LEASE: Duration = Duration::from_mins(10);

/// Systems that all replicas speak to.
#[derive(Clone)]
pub struct Systems {
    /// The databases.
    pub databases: Vec<Arc<Database>>,
    /// The processor.
    pub processor: Arc<Processor>,
    /// What is wrong with the product.
    pub mutation: Option<Mutation>,
}

impl Systems {
    /// The database of a name.
    pub fn database(&self, name: &str) -> &Arc<Database> {
        self.databases.iter().find(|one| one.name == name).expect("a database of the estate")
    }

    fn connect(&self, system: &System, senses: &Arc<Senses>) -> Option<Box<dyn Connector>> {
        let senses = Arc::clone(senses);
        if system.name.as_str() == PROCESSOR {
            let processor = Arc::clone(&self.processor);
            return Some(Box::new(ProcessorConnector { processor, senses }));
        }
        let found = self.databases.iter().find(|one| one.name == system.name.as_str())?;
        let (database, mutation) = (Arc::clone(found), self.mutation);
        Some(Box::new(DatabaseConnector { database, senses, mutation }))
    }
}

/// A process of the product.
pub struct Replica {
    /// Its name as a worker: another one after each death.
    pub worker: String,
    /// The product.
    pub product: Arc<Quietus>,
    /// What it perceives.
    pub senses: Arc<Senses>,
    /// Digest of the rules that it has read.
    pub rules: Digest,
}

impl Replica {
    /// Starts a process on the instance's folder.
    pub async fn open(
        folder: &Path,
        (worker, senses, systems): (String, Arc<Senses>, Systems),
    ) -> Self {
        let loaded =
            quietus::config::load(folder).unwrap_or_else(|problems| panic!("{problems:?}"));
        let rules = loaded.rules.digest;
        let opening = Opening {
            loaded,
            process: Process { lease: Some(LEASE), crash_point: None },
            clock: Arc::clone(&senses) as Arc<dyn Clock>,
            ids: Arc::clone(&senses) as Arc<dyn Ids>,
        };
        let perceived = Arc::clone(&senses);
        let mutation = systems.mutation.and_then(Mutation::of_engine);
        let stand_ins = Arc::new(move |system: &System| systems.connect(system, &perceived));
        let surroundings = Surroundings { stand_ins: Some(stand_ins), mutation };
        let opened = Box::pin(Quietus::open_among(opening, surroundings)).await;
        let product = opened.unwrap_or_else(|error| panic!("a replica does not open: {error}"));
        Self { worker, product, senses, rules }
    }
}

/// A step of a replica; whether it found something to do.
pub type Work = Pin<Box<dyn Future<Output = Result<bool, AppError>>>>;

/// How a step ended.
pub enum End {
    /// By itself.
    Done(Result<bool, AppError>),
    /// The replica died in it.
    Died,
    /// The replica stands still in it.
    Stands(Work),
}

/// Drives a step of a replica.
pub async fn drive(work: Work, senses: &Senses) -> End {
    let mut work = Some(work);
    senses.set_at_work(true);
    let end = poll_fn(|context| {
        let mut step = work.take().expect("a step is polled until it ends");
        let polled = catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(context)));
        match polled {
            Ok(Poll::Ready(outcome)) => Poll::Ready(End::Done(outcome)),
            Ok(Poll::Pending) if senses.stands() => Poll::Ready(End::Stands(step)),
            Ok(Poll::Pending) => {
                work = Some(step);
                Poll::Pending
            }
            Err(cause) if cause.is::<Death>() => Poll::Ready(End::Died),
            Err(cause) => resume_unwind(cause),
        }
    })
    .await;
    senses.set_at_work(false);
    end
}
