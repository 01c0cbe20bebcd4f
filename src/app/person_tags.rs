//! Seeing that a request is of a person who has asked before: by keyed digests of what the person is
//! known by. A digest is keyed twice, with the vault's secret and with the key of an epoch, so that
//! it ends with the epoch, in every copy of the store; what lives is made anew before.

use quietus_connectors::Identity;

use super::vault::{Vault, VaultError};
use super::{AppError, Quietus};
use crate::domain::EpochName;
use crate::store::{PersonTag, TagOnRecord};

/// Purpose under which a digest is sealed that is made anew later.
const PURPOSE: &str = "person tag";
/// Tags made anew in one transaction.
const BATCH: u32 = 500;

impl Quietus {
    /// A digest of something that a person is known by, keyed with the vault's secret alone; it is
    /// never written anywhere as it is.
    pub(crate) fn keyed(&self, identity: &Identity) -> Vec<u8> {
        self.vault.tag(&format!("person {}", identity.kind), &identity.value)
    }

    /// The tags that are written for these digests with a request whose own key opens `vault`.
    pub(crate) fn person_tags(
        &self,
        vault: &Vault,
        keyed: &[Vec<u8>],
    ) -> Result<Vec<PersonTag>, AppError> {
        keyed
            .iter()
            .map(|keyed| {
                let (epoch, tag) = self.epochs.tag(PURPOSE, keyed)?;
                let sealed = vault.seal(PURPOSE, &hex::encode(keyed), self.ids.random())?;
                Ok(PersonTag { tag, epoch: Some(epoch), sealed: Some(sealed) })
            })
            .collect()
    }

    /// The tags under which requests of a person of these digests may be on record.
    pub(crate) async fn tags_on_record(&self, keyed: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, AppError> {
        let epochs = self.store.living_epochs().await?;
        let mut tags = Vec::new();
        for keyed in keyed {
            for epoch in &epochs {
                tags.extend(self.epochs.tag_of(epoch, PURPOSE, keyed)?);
            }
            // From before there were epochs.
            tags.push(keyed.clone());
        }
        Ok(tags)
    }

    /// Makes the tags of an epoch anew with the key of the current one, or those of before there
    /// were epochs for `None`; how many.
    pub(super) async fn renew_tags_of(&self, epoch: Option<&EpochName>) -> Result<u64, AppError> {
        let mut renewed = 0;
        loop {
            let tags = self.store.tags_of_epoch(epoch, BATCH).await?;
            let anew = tags.into_iter().map(|tag| Ok((tag.clone(), self.renewed(&tag)?)));
            let anew = anew.collect::<Result<Vec<_>, AppError>>()?;
            let done = self.store.replace_tags(anew).await?;
            if done == 0 {
                return Ok(renewed);
            }
            renewed += done;
        }
    }

    fn renewed(&self, on_record: &TagOnRecord) -> Result<PersonTag, AppError> {
        let key = self.unwrap_request_key(on_record.key_epoch.as_ref(), &on_record.wrapped_key)?;
        let vault = Vault::new(&key)?;
        let keyed = match &on_record.tag.sealed {
            None => on_record.tag.tag.clone(),
            Some(sealed) => {
                let text: String = vault.open(PURPOSE, sealed)?;
                hex::decode(text).map_err(|_| VaultError::Opening)?
            }
        };
        let mut tags = self.person_tags(&vault, &[keyed])?;
        tags.pop().ok_or_else(|| VaultError::Sealing.into())
    }
}
