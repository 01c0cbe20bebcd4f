//! Looking again: whether what was asked is so, by other requests than those that did it.

use super::Processor;
use super::answers::{misshapen, read, text_at};
use super::definition::{Action, Meaning, Request};
use super::exchange::{Filling, Trouble};
use super::finding::{Found, Handle};
use super::preparing;
use super::template::Values;
use crate::order::Order;
use crate::outbound::Effect;
use crate::receipt::{Fault, Survivor, Verification};
use crate::subject::{Subject, SubjectAction};

/// What looking at records showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Every record was looked for, and is as it should be.
    Settled,
    /// So many are not.
    Open(u64),
    /// Some cannot be looked for.
    Blind,
}

/// What a vendor answered to a question about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it should be, and it says that there was something.
    Settled,
    /// There is no such record, and nothing says that there ever was.
    Absent,
    /// Not yet.
    Open,
    /// Under way.
    UnderWay(String),
}

impl Processor {
    /// Asks one list of questions about one record; every answer has to be that it is settled, or
    /// that there is no such thing. `absent` is what the latter means: that it is settled as well,
    /// or that it is open.
    ///
    /// # Errors
    /// Where the vendor cannot be asked.
    pub(super) async fn standing(
        &self,
        questions: &[Request],
        absent: Standing,
        handle: &Handle,
        context: &Values,
    ) -> Result<Standing, Fault> {
        let mut filling = Filling { values: context.clone(), ..Filling::default() };
        filling.values.extend(handle.parts.clone());
        let mut settled = Standing::Absent;
        for request in questions {
            let reply = match self.exchange.ask(request, &filling, Effect::Reads).await {
                Ok(reply) => reply,
                Err(Trouble::Fault(fault)) => return Err(fault),
                Err(Trouble::Unfit(unfit)) => {
                    return Err(Fault::Rejected {
                        message: format!("system `{}`: {}", self.system, unfit.0),
                    });
                }
            };
            let said = read(&reply, &request.answers)?;
            match said.meaning {
                Meaning::Done => settled = Standing::Settled,
                Meaning::Absent if absent == Standing::Absent => {}
                Meaning::Absent => return Ok(absent),
                Meaning::Present | Meaning::Refused => return Ok(Standing::Open),
                Meaning::Later => {
                    return Err(Fault::Transient {
                        message: format!(
                            "system `{}`: {}",
                            self.system,
                            super::telling::busy(&said)
                        ),
                        retry_after_ms: reply.retry_after_ms(),
                    });
                }
                Meaning::Pending => {
                    let document = super::answers::document_of(&reply)?;
                    let at = request.reference.as_deref().unwrap_or_default();
                    let reference = text_at(&document, at)
                        .ok_or_else(|| misshapen(&reply, "no name of what is under way"))?;
                    return Ok(Standing::UnderWay(reference));
                }
            }
        }
        Ok(settled)
    }

    /// Looks at records whose names are known.
    ///
    /// # Errors
    /// Where the vendor cannot be asked.
    pub(super) async fn look_at(
        &self,
        action: &Action,
        handles: &[Handle],
        context: &Values,
    ) -> Result<Sight, Fault> {
        if action.verify.is_empty() {
            return Ok(Sight::Blind);
        }
        let mut open = 0;
        for handle in handles {
            match self.standing(&action.verify, Standing::Absent, handle, context).await? {
                Standing::Settled | Standing::Absent => {}
                Standing::Open | Standing::UnderWay(_) => open += 1,
            }
        }
        Ok(if open == 0 { Sight::Settled } else { Sight::Open(open) })
    }

    /// Looks at a person as if nothing were known of what was done.
    ///
    /// # Errors
    /// Where the vendor cannot be asked.
    pub(super) async fn look_for(
        &self,
        kind: SubjectAction,
        action: &Action,
        subject: &Subject,
        context: &Values,
    ) -> Result<Sight, Fault> {
        let Found::Records(handles) = self.find(subject, context).await? else {
            return Ok(Sight::Blind);
        };
        if !action.verify.is_empty() {
            return self.look_at(action, &handles, context).await;
        }
        // Without questions of their own, records that a search finds are there, and those that
        // are only named cannot be seen.
        let seen = handles.iter().filter(|handle| handle.seen).count() as u64;
        Ok(match kind {
            SubjectAction::Erase if seen > 0 => Sight::Open(seen),
            SubjectAction::Erase if handles.is_empty() => Sight::Settled,
            _ => Sight::Blind,
        })
    }

    /// Looks again at every person of an order.
    ///
    /// # Errors
    /// Where the vendor cannot be asked.
    pub(super) async fn look_again(&self, order: &Order) -> Result<Verification, Fault> {
        let persons = self.persons(order)?;
        let context = preparing::context(order, persons);
        let vendor = &self.definition.vendor;
        let mut blind = 0;
        let mut survivors = 0;
        if let Some(action) = self.definition.action(persons.action) {
            for subject in &persons.subjects {
                match self.look_for(persons.action, action, subject, &context).await {
                    Ok(Sight::Settled) => {}
                    Ok(Sight::Open(records)) => survivors += records,
                    Ok(Sight::Blind) | Err(Fault::Rejected { .. }) => blind += 1,
                    Err(other) => return Err(other),
                }
            }
        } else {
            blind = persons.subjects.len();
        }
        let asked = persons.subjects.len() - blind;
        let method = match (asked, blind) {
            (_, 0) => {
                format!("asked {vendor} for each of {asked} person(s) again, by other requests")
            }
            (0, _) => format!(
                "{vendor} cannot be asked again for any of {blind} person(s): its word is relied \
                 upon"
            ),
            _ => format!(
                "asked {vendor} for {asked} person(s) again, by other requests; for {blind} its \
                 word is relied upon"
            ),
        };
        let collection = Self::collection(order).unwrap_or_else(|| self.system.clone());
        let survivors = (survivors > 0)
            .then_some(Survivor { collection, category: None, records: survivors })
            .into_iter()
            .collect();
        Ok(Verification { survivors, method, relied_upon: blind > 0, ..Verification::default() })
    }
}
