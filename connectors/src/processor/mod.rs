//! Kind `processor`: any vendor whose interface a definition describes; and kind `own`: the
//! user's own connector in any language.
//!
//! Both are asked for persons by name. What a vendor said is told as testimony, and what could be
//! looked up again is told apart from what was only reported. Nothing in here decides what is
//! erased, nobody is guessed, and after a crash the vendor is asked before anything is sent again.

mod answers;
mod authentication;
mod batches;
pub mod callback;
mod carrying_out;
mod definition;
mod exchange;
mod finding;
mod fit;
mod following;
pub mod library;
mod looking;
mod own;
mod own_messages;
mod pacing;
mod parameters;
mod preparing;
mod request;
mod shape;
mod telling;
mod template;
pub mod testkit;
mod validation;

use async_trait::async_trait;

pub use definition::{Definition, Flaw, Parameter};
pub use fit::{Misfit, Part, Written};
pub use own::Own;
pub use own_messages::{signature, signing_key};

use crate::connector::{Connector, Progress};
use crate::kinds::{Now, ProcessorSettings};
use crate::order::Order;
use crate::outbound::Effect;
use crate::receipt::{Counts, Fault, Health, ProbeCount, Receipt, Verification};
use crate::schema::{Capabilities, Schema};
use crate::subject::SubjectRequest;
use crate::together::{JointProgress, Together};

use self::answers::read;
use self::definition::Meaning;
use self::exchange::{Exchange, Filling, Trouble};
use self::finding::Found;

/// A vendor described by a definition.
pub struct Processor {
    system: String,
    definition: Definition,
    exchange: Exchange,
    now: Now,
}

impl Processor {
    /// Reads definition and parameters. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where one of them does not fit.
    pub fn open(settings: ProcessorSettings) -> Result<Self, Fault> {
        let definition = definition_of(&settings)?;
        // A secret of callbacks that cannot be used is told here, not when somebody calls.
        callback::Listener::of(&settings, &definition)?;
        let exchange = Exchange::new(&settings, &definition)?;
        Ok(Self { system: settings.system, definition, exchange, now: settings.now })
    }

    fn identities(&self) -> Vec<String> {
        self.definition.identities.iter().map(|rule| rule.kind.clone()).collect()
    }

    /// The persons of an order; only orders that name them can be carried out here.
    fn persons<'a>(&self, order: &'a Order) -> Result<&'a SubjectRequest, Fault> {
        persons(&self.system, order)
    }

    /// Name of the collection under which records are counted; `None` where the data map has none.
    fn collection(order: &Order) -> Option<String> {
        order.instructions.first().map(|instruction| instruction.collection.clone())
    }
}

/// The definition of a system: one that comes with the product, or a text of the user's own.
fn definition_of(settings: &ProcessorSettings) -> Result<Definition, Fault> {
    let wrong = |message: String| Fault::Misconfigured {
        message: format!("system `{}`: {message}", settings.system),
    };
    let text = settings.definition.as_deref().unwrap_or_default();
    let text = match library::definition(text.trim()) {
        Some(text) => text,
        None if text.trim().is_empty() => {
            return Err(wrong(format!(
                "it has no definition: name one of `{}` or write your own",
                library::names().join("`, `")
            )));
        }
        None => text,
    };
    Definition::read(text).map_err(|why| wrong(format!("its definition cannot be used: {why}")))
}

/// The persons of an order.
fn persons<'a>(system: &str, order: &'a Order) -> Result<&'a SubjectRequest, Fault> {
    order.persons.as_ref().filter(|persons| !persons.subjects.is_empty()).ok_or_else(|| {
        Fault::Rejected {
            message: format!(
                "system `{system}` can only be asked for persons by name, and the order names none"
            ),
        }
    })
}

#[async_trait]
impl Connector for Processor {
    fn capabilities(&self) -> Capabilities {
        let erase = self.definition.actions.erase.as_ref();
        let resolves = self.definition.identities.iter().all(|rule| !rule.resolve.is_empty());
        Capabilities {
            kind: "processor".to_owned(),
            erasure_grade: self.definition.erasure_grade.clone(),
            residues: self.definition.residues.clone(),
            can_verify: resolves || erase.is_some_and(|erase| !erase.verify.is_empty()),
            identities: self.identities(),
        }
    }

    async fn check(&self, _order: &Order) -> Result<Health, Fault> {
        let request = &self.definition.check;
        let reply = self.exchange.ask(request, &Filling::default(), Effect::Reads).await;
        let reply = reply.map_err(|trouble| match trouble {
            Trouble::Fault(fault) => fault,
            Trouble::Unfit(unfit) => {
                Fault::Misconfigured { message: format!("system `{}`: {}", self.system, unfit.0) }
            }
        })?;
        let said = read(&reply, &request.answers)?;
        match said.meaning {
            Meaning::Done | Meaning::Present => Ok(Health {
                product: format!("{}, interface {}", self.definition.vendor, self.definition.api),
                ..Health::default()
            }),
            Meaning::Later | Meaning::Pending => Err(Fault::Transient {
                message: format!("system `{}`: {}", self.system, telling::busy(&said)),
                retry_after_ms: reply.retry_after_ms(),
            }),
            Meaning::Absent | Meaning::Refused => Err(Fault::Misconfigured {
                message: format!(
                    "system `{}`: {}: check address and parameters",
                    self.system,
                    telling::refusal(&said)
                ),
            }),
        }
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        let product = format!("{}, interface {}", self.definition.vendor, self.definition.api);
        Ok(Schema { product, collections: Vec::new() })
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        let persons = self.persons(order)?;
        let context = preparing::context(order, persons);
        let mut counts = Counts::default();
        let mut records = 0;
        let mut at_most = false;
        for subject in &persons.subjects {
            match self.find(subject, &context).await? {
                Found::Records(handles) => {
                    records += handles.len() as u64;
                    at_most |= handles.iter().any(|handle| !handle.seen);
                }
                Found::Refused(words) => {
                    counts.refusals.push(format!("`{}`: {words}", subject.reference));
                }
            }
        }
        let mut count = ProbeCount {
            collection: Self::collection(order).unwrap_or_else(|| self.system.clone()),
            total: records,
            at_most,
            ..ProbeCount::default()
        };
        match persons.action {
            crate::subject::SubjectAction::Erase => count.delete = records,
            crate::subject::SubjectAction::Restrict => count.restrict = records,
            crate::subject::SubjectAction::Lift => count.lift = records,
        }
        counts.collections.push(count);
        Ok(counts)
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        self.carry_out(order, progress).await
    }

    async fn execute_together(
        &self,
        orders: &[Order],
        progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        self.carry_out_together(orders, progress).await
    }

    async fn follow(&self, order: &Order, reference: &str) -> Result<Receipt, Fault> {
        self.ask_after(order, reference).await
    }

    async fn verify(&self, order: &Order) -> Result<Verification, Fault> {
        self.look_again(order).await
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        Ok(())
    }
}
