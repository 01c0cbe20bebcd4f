//! Business events: what starts a period, and what revokes it (the customer came back).

use jiff::Timestamp;
use quietus_connectors::Value;

use super::circumstances::{EVENT_PURPOSE, event_names};
use super::{Actor, AppError, Quietus};
use crate::plan::event_key_text;
use crate::store::{NewEvent, Recorded};

/// Longest name and idempotency key of an event, in bytes.
const LONGEST: usize = 200;

/// An event that somebody posts.
pub struct PostedEvent {
    /// Its name, such as `customer.left`.
    pub name: String,
    /// The key that it names, such as a customer number.
    pub key: Value,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// It takes an earlier one back.
    pub revokes: bool,
    /// Posting twice under the same key records once; `None` makes one from the content.
    pub idempotency_key: Option<String>,
    /// Who posts it.
    pub actor: Actor,
}

impl Quietus {
    /// Records an event.
    ///
    /// # Errors
    /// Where no collection waits for such an event, it lies in the future, or the same
    /// idempotency key was used for another event.
    pub async fn post_event(&self, event: PostedEvent) -> Result<Recorded, AppError> {
        let known = event_names(&self.map);
        if !known.contains(&event.name) {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(AppError::Input(format!(
                "no collection of the data map waits for an event of this name; it waits for: {known}"
            )));
        }
        if event.occurred_at > self.now() {
            return Err(AppError::Input(
                "the event lies in the future: post it once it has happened".to_owned(),
            ));
        }
        let text = event_key_text(&self.map, &event.name, &event.key);
        if text.is_empty() || text.len() > LONGEST {
            return Err(AppError::Input(format!("the key of an event has 1 to {LONGEST} bytes")));
        }
        let tag = self.vault.tag(EVENT_PURPOSE, &text);
        let idempotency_key = match event.idempotency_key {
            Some(given) if given.len() <= LONGEST && !given.is_empty() => {
                hex::encode(self.vault.tag("idempotency key", &given))
            }
            Some(_) => {
                return Err(AppError::Input(format!(
                    "an idempotency key has 1 to {LONGEST} bytes"
                )));
            }
            None => format!(
                "{}:{}:{}:{}",
                event.name,
                hex::encode(&tag),
                event.occurred_at.as_microsecond(),
                event.revokes
            ),
        };
        let new_event = NewEvent {
            id: self.ids.new_id(),
            name: event.name,
            key_tag: tag,
            sealed_key: self.vault.seal(EVENT_PURPOSE, &event.key, self.ids.random())?,
            occurred_at: event.occurred_at,
            source: event.actor.0,
            revokes: event.revokes,
            idempotency_key,
        };
        match self.store.record_event(new_event, self.now()).await? {
            Recorded::Differs => Err(AppError::Input(
                "another event was posted under the same idempotency key".to_owned(),
            )),
            recorded => Ok(recorded),
        }
    }
}
