//! Moving evidence from the outbox into the log, publishing the head, and bundling certificates
//! whose leaf the log holds. Each step commits before the next begins, and each can be repeated.
//!
//! Points at which a process may die: after sequencing, the leaves are in the log and the next
//! call publishes; after publishing, the next call bundles. Nothing is signed that is not
//! committed, and no head that does not continue the one that was signed last: two different
//! logs under one name would make every proof worthless.

use uuid::Uuid;

use super::crash::CrashPoint;
use super::{AppError, Quietus, signed_head};
use crate::domain::Digest;
use crate::evidence::bundle::{Bundle, Inclusion};
use crate::evidence::certificate::CertificateClass;
use crate::evidence::dsse::{Envelope, WireEnvelope};
use crate::evidence::verify::{Finding, Material, Source, verify};
use crate::evidence::{merkle, note, tiles};
use crate::store::{Certificate, Checkpoint, Head};

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
        if head.size == 0 || latest.as_ref().is_some_and(|latest| latest.size >= head.size) {
            return Ok(());
        }
        self.check_head(&head, latest.as_ref()).await?;
        let note = note::checkpoint(&head.origin, head.size, head.root, &self.keys.log)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        // Before anybody can see it: what is not remembered here could be denied later.
        signed_head::write(&self.keys.folder, &note)?;
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

    /// Whether the head that is about to be signed is that of the tiles, and continues the heads
    /// that were signed before: the latest of the store, and the one beside the key.
    async fn check_head(&self, head: &Head, latest: Option<&Checkpoint>) -> Result<(), AppError> {
        let needed = tiles::tiles_of_root(head.size);
        let stored = self.store.tiles(&head.log_id, &needed).await?;
        let root = tiles::root(head.size, |tile| stored.get(&tile).cloned());
        if root != Ok(head.root) {
            return Err(not_signed("its tiles are not those of its head"));
        }
        if let Some(latest) = latest {
            self.check_growth(head, (latest.size, latest.root)).await?;
        }
        match signed_head::read(&self.keys.folder, &self.keys.identity()?)? {
            Some(kept) => self.check_growth(head, (kept.size, kept.root)).await,
            None => Ok(()),
        }
    }

    async fn check_growth(&self, head: &Head, signed: (u64, Digest)) -> Result<(), AppError> {
        let (size, root) = signed;
        if head.size < size {
            return Err(not_signed(&format!(
                "it has {} entries, and a head of {size} was signed (the store may be an older copy)",
                head.size
            )));
        }
        let needed = tiles::tiles_of_consistency(size, head.size);
        let stored = self.store.tiles(&head.log_id, &needed).await?;
        let read = |tile| stored.get(&tile).cloned();
        let path = tiles::consistency_proof(size, head.size, read)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        merkle::check_consistency((size, &root), (head.size, &head.root), &path).map_err(|_| {
            not_signed(&format!("it is not the one whose head of {size} entries was signed"))
        })
    }

    /// Bundles what can be bundled. A certificate that cannot be keeps no other one waiting.
    async fn bundle_certificates(&self) -> Result<(), AppError> {
        loop {
            let waiting = self.store.certificates_to_bundle(BUNDLES).await?;
            let (mut bundled, mut refused) = (0, None);
            for certificate in &waiting {
                match self.bundle(certificate).await {
                    Ok(Some(bundle)) => {
                        if self.store.set_bundle(certificate.summary.id, bundle).await? {
                            bundled += 1;
                        }
                    }
                    Ok(None) => {}
                    Err(AppError::Evidence(why)) => refused = Some(AppError::Evidence(why)),
                    Err(error) => return Err(error),
                }
            }
            if bundled == 0 {
                return refused.map_or(Ok(()), Err);
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
        let log = self.keys.identity_of(&leaf.log_id)?;
        let bundle = Bundle::new(envelope, leaf.body, inclusion, &log).to_json();
        let issuer = self.issuer_of(&certificate.envelope).await?;
        self.check_bundle(certificate, &bundle, &issuer)?;
        Ok(Some(bundle))
    }

    /// Whether an auditor would accept it. What is stored is what is exported, for ever.
    fn check_bundle(
        &self,
        certificate: &Certificate,
        bundle: &[u8],
        issuer: &str,
    ) -> Result<(), AppError> {
        let root = self.keys.trusted_root()?;
        let verdict = verify(&Material {
            bundle,
            trusted_root: Some((&root, Source::Given)),
            issuer_key: Some((issuer.as_bytes(), Source::Given)),
            // A person's opening is not here: it is sealed with the request.
            manifest: (certificate.summary.class == CertificateClass::ScheduledDisposal.as_str())
                .then_some(certificate.manifest.as_slice()),
        });
        let failed = verdict.steps.iter().filter(|step| step.finding == Finding::Fail);
        let why: Vec<&str> = failed.map(|step| step.sentence.as_str()).collect();
        if why.is_empty() {
            return Ok(());
        }
        Err(AppError::Evidence(format!(
            "certificate `{}` does not verify and is not released: {}",
            certificate.summary.id,
            why.join(" ")
        )))
    }
}

fn not_signed(why: &str) -> AppError {
    AppError::Evidence(format!(
        "the head of the evidence log is not signed: {why}; restore the newest copy of the store"
    ))
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
