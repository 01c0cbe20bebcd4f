//! Moving evidence from the outbox into the log, publishing the head, and bundling certificates
//! whose leaf the log holds. Each step commits before the next begins, and each can be repeated.
//!
//! Points at which a process may die: after sequencing, the leaves are in the log and the next
//! call publishes; after publishing, the next call bundles. Nothing is signed that is not
//! committed.

use uuid::Uuid;

use super::crash::CrashPoint;
use super::{AppError, Quietus};
use crate::evidence::bundle::{Bundle, Inclusion};
use crate::evidence::dsse::{Envelope, WireEnvelope};
use crate::evidence::note;
use crate::evidence::tiles;
use crate::store::{Certificate, Checkpoint};

/// Entries moved into the log at once.
const BATCH: u32 = 2_000;
/// Certificates bundled at once.
const BUNDLES: u32 = 100;

impl Quietus {
    /// Moves all evidence into the log, publishes its head and bundles what can be bundled.
    ///
    /// # Errors
    /// Where the store or a key does not do its part; what was committed stays.
    pub async fn advance_log(&self) -> Result<(), AppError> {
        self.sequence_outbox().await?;
        self.publish_head().await?;
        self.bundle_certificates().await
    }

    /// Moves all evidence that waits in the outbox into the log.
    pub(crate) async fn sequence_outbox(&self) -> Result<(), AppError> {
        let log_id = self.keys.log_id.as_str();
        loop {
            let seed = self.ids.random();
            let mut shuffle = |entries: &mut [Uuid]| shuffle(entries, seed);
            let batch = self.store.sequence(log_id, BATCH, self.now(), &mut shuffle).await?;
            if batch.is_none() {
                self.crash.reach(CrashPoint::Sequenced);
                return Ok(());
            }
        }
    }

    async fn publish_head(&self) -> Result<(), AppError> {
        let log_id = self.keys.log_id.as_str();
        let Some(head) = self.store.head(log_id).await? else { return Ok(()) };
        let latest = self.store.latest_checkpoint(log_id).await?;
        if head.size == 0 || latest.is_some_and(|latest| latest.size >= head.size) {
            return Ok(());
        }
        let note = note::checkpoint(&head.origin, head.size, head.root, &self.keys.log)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        self.store
            .store_checkpoint(Checkpoint {
                log_id: log_id.to_owned(),
                size: head.size,
                root: head.root,
                note: note.into_bytes(),
                signed_at: self.now(),
            })
            .await?;
        self.crash.reach(CrashPoint::Published);
        Ok(())
    }

    async fn bundle_certificates(&self) -> Result<(), AppError> {
        loop {
            let waiting = self.store.certificates_to_bundle(BUNDLES).await?;
            let mut bundled = 0;
            for certificate in &waiting {
                let Some(bundle) = self.bundle(certificate).await? else { continue };
                if self.store.set_bundle(certificate.summary.id, bundle).await? {
                    bundled += 1;
                }
            }
            if bundled == 0 {
                return Ok(());
            }
        }
    }

    /// The bundle of a certificate; `None` where no published head covers its leaf yet.
    async fn bundle(&self, certificate: &Certificate) -> Result<Option<Vec<u8>>, AppError> {
        let Some(leaf) = self.store.leaf_of(certificate.summary.entry_id).await? else {
            return Ok(None);
        };
        let covering = self.store.checkpoint_covering(&leaf.log_id, leaf.index).await?;
        let Some(checkpoint) = covering else { return Ok(None) };
        let needed = tiles::tiles_of_inclusion(leaf.index, checkpoint.size);
        let stored = self.store.tiles(&leaf.log_id, &needed).await?;
        let path =
            tiles::inclusion_proof(leaf.index, checkpoint.size, |tile| stored.get(&tile).cloned())
                .map_err(|error| AppError::Evidence(error.to_string()))?;
        let wire: WireEnvelope = serde_json::from_slice(&certificate.envelope)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let envelope =
            Envelope::try_from(wire).map_err(|why| AppError::Evidence(why.to_owned()))?;
        let note = String::from_utf8(checkpoint.note)
            .map_err(|_| AppError::Evidence("a checkpoint is not text".to_owned()))?;
        let inclusion = Inclusion {
            index: leaf.index,
            size: checkpoint.size,
            root: checkpoint.root,
            path,
            checkpoint: note,
        };
        let log = self.keys.identity()?;
        Ok(Some(Bundle::new(envelope, leaf.body, inclusion, &log).to_json()))
    }
}

/// Shuffles by sorting under a keyed digest, so that the order tells nothing and needs no
/// generator of random numbers.
fn shuffle(entries: &mut [Uuid], seed: [u8; 32]) {
    entries.sort_by_cached_key(|entry| {
        let mut bytes = seed.to_vec();
        bytes.extend_from_slice(entry.as_bytes());
        crate::domain::Digest::of(&bytes)
    });
}
