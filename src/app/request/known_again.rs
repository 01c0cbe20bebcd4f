//! Knowing again: the same request, brought once more under its name, and the same person, who asks
//! once more.

use serde_json::json;

use super::intake::OnBehalf;
use super::record::{OpenRequest, Person, RequestRecord};
use crate::app::vault::{Vault, VaultError};
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, Digest};
use crate::store::PersonTag;

/// All that was asked, by which the same request is known again.
pub(super) fn content_of(asked: AskedRight, person: &Person, record: &RequestRecord) -> String {
    let content = json!({
        "asked": asked,
        "given": person.given,
        "contact": person.contact,
        "regime": record.regime,
        "requester": record.requester,
        "ground": record.ground,
        "categories": record.categories,
    });
    content.to_string()
}

/// A digest of all that was asked, keyed with the request's own key, so that it goes with the person.
pub(super) fn content_digest(vault: &Vault, content: &str) -> Result<Digest, AppError> {
    let tag = vault.tag("request content", content);
    Ok(Digest(tag.try_into().map_err(|_| VaultError::Sealing)?))
}

impl Quietus {
    /// The request that a source has brought under this name, if it asks for the same. That can only
    /// be told with its own key.
    pub(super) async fn the_same(
        &self,
        source: &str,
        external_id: &str,
        content: &str,
    ) -> Result<OpenRequest, AppError> {
        let other = |why: &str| {
            AppError::Input(format!(
                "`{source}` has brought {why} under the name `{external_id}`: a request is never changed afterwards; take it back and bring a new one"
            ))
        };
        let earlier = self.store.request_named(source, external_id).await?;
        let earlier = earlier.ok_or_else(|| other("another request"))?;
        let Some(vault) = self.request_vault(&earlier)? else {
            return Err(other("a request, whose person is forgotten,"));
        };
        // The vault's secret made the digests of requests of before there were epochs.
        for vault in [&vault, &*self.vault] {
            if content_digest(vault, content)? == earlier.content_digest {
                return self.open_request(earlier);
            }
        }
        Err(other("another request"))
    }

    /// The tags of a request, and those under which the same one would be under way: for another
    /// controller only what it has brought itself.
    pub(super) async fn marked(
        &self,
        vault: &Vault,
        person: &Person,
        on_behalf: Option<&OnBehalf>,
    ) -> Result<(Vec<PersonTag>, Vec<Vec<u8>>), AppError> {
        let mut keyed = self.keyed_of(person);
        let compared = match on_behalf {
            None => self.tags_on_record(&keyed).await?,
            Some(other) => {
                keyed.push(other.mark.0.to_vec());
                self.tags_on_record(&[other.mark.0.to_vec()]).await?
            }
        };
        Ok((self.person_tags(vault, &keyed)?, compared))
    }

    /// Digests of what the person has given, by which a second request of the same person is seen.
    pub(super) fn keyed_of(&self, person: &Person) -> Vec<Vec<u8>> {
        person.given.iter().map(|identity| self.keyed(identity)).collect()
    }
}
