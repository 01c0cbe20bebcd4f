//! Legal holds that name the person of a request: as long as one is in force, what we know of the
//! person stays too. Once they are forgotten nobody can say any more whose the record was.

use super::record::OpenRequest;
use crate::app::{AppError, Quietus};
use crate::plan::NamedPerson;

impl Quietus {
    /// Whether a legal hold in force names the person of a request by anything that is known of them.
    ///
    /// # Errors
    /// Where the store is not there or a hold does not open.
    pub(super) async fn is_held_by_name(&self, request: &OpenRequest) -> Result<bool, AppError> {
        let Some(person) = &request.person else { return Ok(false) };
        for hold in self.store.holds_in_force().await?.1 {
            let Some((kind, named)) = self.unseal_hold(&hold)?.scope.subject else { continue };
            let named = NamedPerson::read(&self.map, &self.instance.identities, &kind, &named);
            let known = person.given.iter().chain(&person.typed).chain(&person.learned);
            let known = known.chain(&person.found_by).filter(|one| one.kind == kind);
            if named.is_among(known.map(|one| one.value.as_str())) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
