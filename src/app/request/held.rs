//! Legal holds that name the person of a request: as long as one is in force, what we know of the
//! person stays too. Once they are forgotten nobody can say any more whose the record was.

use quietus_connectors::{Identity, Value};

use super::record::OpenRequest;
use crate::app::{AppError, Quietus};
use crate::domain::normalise;

impl Quietus {
    /// Whether a legal hold in force names the person of a request by anything that is known of them.
    ///
    /// # Errors
    /// Where the store is not there or a hold does not open.
    pub(super) async fn is_held_by_name(&self, request: &OpenRequest) -> Result<bool, AppError> {
        let Some(person) = &request.person else { return Ok(false) };
        for hold in self.store.holds_in_force().await?.1 {
            let (kind, raw) = match self.unseal_hold(&hold)?.scope.subject {
                Some((kind, Value::Text(raw) | Value::Decimal(raw))) => (kind, raw),
                Some((kind, Value::Integer(number))) => (kind, number.to_string()),
                Some((kind, Value::Uuid(id))) => (kind, id.to_string()),
                _ => continue,
            };
            let named = normalise(&self.instance.identities.of(&kind), &raw)
                .unwrap_or_else(|_| Identity { kind, value: raw.trim().to_owned() });
            let known = person.given.iter().chain(&person.typed).chain(&person.learned);
            if known.chain(&person.found_by).any(|one| *one == named) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
