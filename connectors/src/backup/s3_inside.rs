//! Erasing one person's objects in a bucket: every version and every marker of each of them.
//!
//! Objects are listed by what stands in front of the person's part of the key, so that no request's
//! address tells whom it is about; a version that may be locked is asked about by its key, which is
//! the one way there is.

use std::collections::{BTreeMap, BTreeSet};

use super::s3::{Name, S3, not_removed};
use super::{InsideCopy, InsideErasure, InsidePart, Stay};
use crate::objects::{Entry, EntryKind};
use crate::receipt::Fault;

impl S3 {
    /// Versions and markers that these parts cover.
    async fn covered(&self, parts: &[InsidePart]) -> Result<Vec<Entry>, Fault> {
        let place = self.bucket.address().prefix();
        let beginnings: BTreeSet<&str> = parts.iter().map(InsidePart::before).collect();
        let mut covered: BTreeMap<Name, Entry> = BTreeMap::new();
        for beginning in beginnings {
            for entry in self.bucket.versions(&format!("{place}{beginning}")).await? {
                let below = entry.key.strip_prefix(place).unwrap_or_default();
                if parts.iter().any(|part| part.covers(below)) {
                    covered.insert((entry.key.clone(), entry.version.clone()), entry);
                }
            }
        }
        Ok(covered.into_values().collect())
    }

    /// As [`BackupStore::holding`](super::BackupStore::holding). A marker counts as well: its key
    /// names the person.
    pub(super) async fn holding_inside(
        &self,
        parts: &[InsidePart],
    ) -> Result<Vec<InsideCopy>, Fault> {
        let covered = self.covered(parts).await?;
        Ok(covered.iter().map(|entry| one(&entry.version)).collect())
    }

    /// As [`BackupStore::erase_inside`](super::BackupStore::erase_inside).
    pub(super) async fn erase_objects(&self, parts: &[InsidePart]) -> Result<InsideErasure, Fault> {
        let (versions, markers): (Vec<Entry>, Vec<Entry>) = self
            .covered(parts)
            .await?
            .into_iter()
            .partition(|entry| entry.kind == EntryKind::Version);
        let versions: Vec<Name> = versions.into_iter().map(named).collect();
        let mut kept = self.keeps(&versions).await?;
        let free: Vec<Name> =
            versions.iter().filter(|name| !kept.contains_key(*name)).cloned().collect();
        self.remove_free(&free, &mut kept).await?;
        // Without its marker, a version that is kept would be there again for everybody.
        let hidden: BTreeSet<String> = kept.keys().map(|(key, _)| key.clone()).collect();
        let bare = markers.into_iter().filter(|entry| !hidden.contains(&entry.key));
        let bare: Vec<Name> = bare.map(named).collect();
        self.remove_free(&bare, &mut kept).await?;
        self.have_been_erased(parts, &kept).await?;
        let gone = free.iter().chain(&bare).filter(|name| !kept.contains_key(*name));
        Ok(InsideErasure {
            gone: gone.map(|(_, version)| one(version)).collect(),
            kept: kept.into_iter().map(|((_, version), stay)| (marked(&version), stay)).collect(),
        })
    }

    /// Removes these, and notes down what the store keeps all the same.
    async fn remove_free(
        &self,
        names: &[Name],
        kept: &mut BTreeMap<Name, Stay>,
    ) -> Result<(), Fault> {
        if names.is_empty() {
            return Ok(());
        }
        let refused = self.bucket.remove(names).await?.kept;
        // A lock that came between the look and the removal; a marker has none.
        let asked: Vec<Name> = refused.iter().map(|(name, _)| name.clone()).collect();
        let locked = self.keeps(&asked).await?;
        for (name, code) in refused {
            let stay = locked.get(&name).cloned().unwrap_or_else(|| not_removed(&code));
            kept.insert(name, stay);
        }
        Ok(())
    }

    /// Looks once more. What was written meanwhile, or is listed although it was removed, is a fault:
    /// it is begun again.
    async fn have_been_erased(
        &self,
        parts: &[InsidePart],
        kept: &BTreeMap<Name, Stay>,
    ) -> Result<(), Fault> {
        let hidden: BTreeSet<&String> = kept.keys().map(|(key, _)| key).collect();
        let left = self.covered(parts).await?;
        if left.iter().all(|entry| hidden.contains(&entry.key)) {
            return Ok(());
        }
        let system = &self.settings.system;
        Err(Fault::Transient {
            message: format!(
                "backup store `{system}`: versions of the person are listed after they were removed"
            ),
            retry_after_ms: None,
        })
    }
}

fn named(entry: Entry) -> Name {
    (entry.key, entry.version)
}

/// A version by a name that does not tell its key.
fn marked(version: &str) -> String {
    format!("#{version}")
}

fn one(version: &str) -> InsideCopy {
    InsideCopy { copy: marked(version), entries: 1 }
}
