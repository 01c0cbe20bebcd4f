//! Before anything is sent for a person: who it is, and, on a later attempt, whether it is done
//! already.

use sha2::{Digest, Sha256};

use super::Processor;
use super::definition::Action;
use super::finding::{Found, Handle};
use super::looking::Standing;
use super::telling::Verdict;
use super::template::Values;
use crate::order::Order;
use crate::receipt::Fault;
use crate::subject::{Grade, Subject, SubjectAction, SubjectRequest, SubjectResult};

/// What is to be done for a person.
pub(super) enum Ready {
    /// Nothing more.
    Settled(Verdict),
    /// These records are left, and others are under way already, under these names.
    Go {
        /// Records for which nothing has been asked.
        left: Vec<Handle>,
        /// The vendor's names of what is under way.
        under_way: Vec<String>,
    },
}

/// Values that every request of an order may use.
pub(super) fn context(order: &Order, persons: &SubjectRequest) -> Values {
    Values::from([
        ("order".to_owned(), order.key.clone()),
        ("regime".to_owned(), persons.regime.clone()),
        ("submitted_at".to_owned(), persons.submitted_at.to_string()),
        ("idempotency_key".to_owned(), idempotency_key(order, persons.action, &[])),
    ])
}

/// The same for every attempt at the same thing: 32 hexadecimal digits that reveal nothing.
pub(super) fn idempotency_key(order: &Order, action: SubjectAction, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in [order.key.as_str(), action.as_str()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}

/// The same for every attempt at the same records of the same orders in one request, whatever their
/// order: each an order's key and a record's id.
pub(super) fn joint_key(action: SubjectAction, mut of: Vec<(&str, &str)>) -> String {
    of.sort_unstable();
    let mut hash = Sha256::new();
    let pairs = of.iter().flat_map(|(order, id)| [*order, *id]);
    for part in ["together", action.as_str()].into_iter().chain(pairs) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}

impl Processor {
    /// Finds out what is to be done for a person.
    ///
    /// # Errors
    /// Where the vendor cannot be asked.
    pub(super) async fn prepare(
        &self,
        order: &Order,
        kind: SubjectAction,
        action: &Action,
        subject: &Subject,
        context: &Values,
    ) -> Result<Ready, Fault> {
        let handles = match self.find(subject, context).await? {
            Found::Refused(words) => return Ok(Ready::Settled(Verdict::refused(words))),
            Found::Records(handles) => handles,
        };
        if handles.is_empty() {
            return Ok(Ready::Settled(self.nobody(order, kind)));
        }
        if order.attempt <= 1 {
            return Ok(Ready::Go { left: handles, under_way: Vec::new() });
        }
        let mut left = Vec::new();
        let mut under_way = Vec::new();
        let mut was_there = false;
        for handle in handles {
            let mut context = context.clone();
            let key = idempotency_key(order, kind, &[handle.id()]);
            context.insert("idempotency_key".to_owned(), key);
            match self.already(action, &handle, &context).await {
                Ok(Standing::Settled) => was_there = true,
                // A search may still show what is gone. A name that was given says nothing.
                Ok(Standing::Absent) => was_there |= handle.seen,
                Ok(Standing::Open) => left.push(handle),
                Ok(Standing::UnderWay(reference)) => under_way.push(reference),
                Err(Fault::Rejected { message }) => {
                    let words = format!("{message} when asked whether it is done already");
                    return Ok(Ready::Settled(Verdict::refused(words)));
                }
                Err(other) => return Err(other),
            }
        }
        if !left.is_empty() || !under_way.is_empty() {
            return Ok(Ready::Go { left, under_way });
        }
        if !was_there {
            return Ok(Ready::Settled(self.nobody(order, kind)));
        }
        Ok(Ready::Settled(Verdict {
            result: SubjectResult::Done,
            grade: Grade::Verified,
            words: format!(
                "asked before attempt {}, and nothing was left to do: nothing was sent again",
                order.attempt
            ),
            records: 0,
        }))
    }

    /// Whether an earlier attempt got through.
    async fn already(
        &self,
        action: &Action,
        handle: &Handle,
        context: &Values,
    ) -> Result<Standing, Fault> {
        if !action.ask.is_empty() {
            // Nothing known of an undertaking does not mean that nothing is known of the person.
            let asked = self.standing(&action.ask, Standing::Open, handle, context).await?;
            if asked != Standing::Open {
                return Ok(asked);
            }
        }
        if action.verify.is_empty() {
            return Ok(Standing::Open);
        }
        self.standing(&action.verify, Standing::Absent, handle, context).await
    }

    fn nobody(&self, order: &Order, kind: SubjectAction) -> Verdict {
        let vendor = &self.definition.vendor;
        let words = if order.attempt > 1 && kind == SubjectAction::Erase {
            format!(
                "{vendor} knows nobody by these identities when asked before attempt {}; an \
                 earlier attempt whose answer was lost may have erased them",
                order.attempt
            )
        } else {
            format!("{vendor} knows nobody by these identities")
        };
        Verdict { result: SubjectResult::Absent, grade: Grade::Verified, words, records: 0 }
    }
}
