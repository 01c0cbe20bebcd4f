//! Moving evidence from the outbox into the log, publishing the head, and bundling certificates
//! whose leaf the log holds. Each step commits before the next begins, and each can be repeated.
//!
//! Points at which a process may die: after sequencing, the leaves are in the log and the next
//! call publishes; after publishing, the next call bundles. Nothing is signed that is not
//! committed, and no head that does not continue the one that was signed last: two different
//! logs under one name would make every proof worthless.

use jiff::Timestamp;
use uuid::Uuid;

use super::crash::CrashPoint;
use super::log_chain::no_log;
use super::{AppError, Quietus};
use crate::evidence::bundle::{Bundle, Inclusion};
use crate::evidence::dsse::{Envelope, WireEnvelope};
use crate::evidence::verify::{Finding, Material, Source, verify};
use crate::evidence::{certificate, checkpoint, merkle, tiles};
use crate::store::{Certificate, Checkpoint, Head, Leaf};

/// Entries moved into the log at once.
const BATCH: u32 = 2_000;
/// Certificates bundled at once.
const BUNDLES: u32 = 100;
/// Before all certificates, the oldest first.
const AFTER_NONE: (Timestamp, Uuid) = (Timestamp::MIN, Uuid::nil());

impl Quietus {
    /// Moves all evidence into the log, publishes its head and bundles what can be bundled. At the
    /// turn of the year (UTC) the log ends and the next one begins.
    ///
    /// # Errors
    /// Where the log may not be published, or the store or a key does not do its part; what was
    /// committed stays.
    pub async fn advance_log(&self) -> Result<(), AppError> {
        match self.sign_due_status_lists().await {
            Ok(()) => {}
            Err(error @ AppError::Store(_)) => return Err(error),
            // A signer that is not there must not keep the log, which has a key of its own.
            Err(error) => tracing::error!(%error, "no status list is signed now"),
        }
        self.keep_list_by_itself().await;
        let log = self.sequence_outbox().await?;
        self.publish_head(&log).await?;
        self.export_by_itself().await;
        self.tidy_list_by_itself().await;
        self.bundle_status_lists().await?;
        self.bundle_certificates().await
    }

    /// Exports what was published, where the instance file names a place. A full disk there must
    /// not keep certificates waiting: the next call writes what is missing.
    async fn export_by_itself(&self) {
        let Some(place) = &self.instance.evidence_export else { return };
        if let Err(error) = self.export_logs(place).await {
            tracing::error!(%error, "the evidence log could not be exported");
        }
    }

    /// Moves all evidence that waits in the outbox into the log; which log it is.
    pub(crate) async fn sequence_outbox(&self) -> Result<String, AppError> {
        let log_id = self.log_in_use().await?;
        self.beat().await?;
        self.sequence_into(&log_id).await?;
        Ok(log_id)
    }

    /// Moves all evidence that waits in the outbox into this log.
    pub(super) async fn sequence_into(&self, log_id: &str) -> Result<(), AppError> {
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

    /// Signs and publishes the head of this log where it has grown.
    pub(super) async fn publish_head(&self, log_id: &str) -> Result<(), AppError> {
        let Some(head) = self.store.head(log_id).await? else { return Ok(()) };
        let latest = self.store.latest_checkpoint(log_id).await?;
        if head.size == 0 || latest.as_ref().is_some_and(|latest| latest.size >= head.size) {
            return Ok(());
        }
        self.check_growth(&head, latest.as_ref()).await?;
        self.write_log_ahead(&head).await;
        let note = checkpoint::sign(&head.origin, head.size, head.root, &self.keys.log)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        // Before anybody can see it: what is not remembered here could be denied later.
        self.remember_head(&note).await?;
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

    /// Whether the head that is about to be signed continues the heads that were signed before: the
    /// latest of the store, and the one beside the key.
    async fn check_growth(&self, head: &Head, latest: Option<&Checkpoint>) -> Result<(), AppError> {
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        if let Some(why) = standing.why() {
            return Err(not_signed(&why));
        }
        let Some(latest) = latest else { return Ok(()) };
        let needed = tiles::tiles_of_consistency(latest.size, head.size);
        let stored = self.store.tiles(&head.log_id, &needed).await?;
        let read = |tile| stored.get(&tile).cloned();
        let path = tiles::consistency_proof(latest.size, head.size, read)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let (old, new) = ((latest.size, &latest.root), (head.size, &head.root));
        merkle::check_consistency(old, new, &path).map_err(|_| {
            let size = latest.size;
            not_signed(&format!("it is not the one whose head of {size} entries was signed"))
        })
    }

    /// Bundles what can be bundled. However many certificates cannot be, they keep no other one
    /// waiting: each is looked at once, and the error of one of them comes in the end.
    async fn bundle_certificates(&self) -> Result<(), AppError> {
        let (mut after, mut refused) = (AFTER_NONE, None);
        loop {
            let waiting = self.store.certificates_to_bundle(after, BUNDLES).await?;
            let Some(last) = waiting.last() else { return refused.map_or(Ok(()), Err) };
            after = (last.summary.issued_at, last.summary.id);
            let root = self.trusted_root().await?;
            let mut bundles = Vec::new();
            for certificate in &waiting {
                match self.bundle(certificate, &root).await {
                    Ok(bundle) => {
                        bundles.extend(bundle.map(|bundle| (certificate.summary.id, bundle)));
                    }
                    Err(AppError::Evidence(why)) => refused = Some(AppError::Evidence(why)),
                    Err(error) => {
                        // What is bundled already is not lost by it.
                        self.store.set_bundles(bundles).await?;
                        return Err(error);
                    }
                }
            }
            self.store.set_bundles(bundles).await?;
        }
    }

    /// The bundle of a certificate; `None` where no published head covers its leaf yet.
    async fn bundle(
        &self,
        certificate: &Certificate,
        root: &[u8],
    ) -> Result<Option<Vec<u8>>, AppError> {
        let Some(leaf) = self.store.leaf_of(certificate.summary.entry_id).await? else {
            return Ok(None);
        };
        let covering = self.store.checkpoint_covering(&leaf.log_id, leaf.index).await?;
        let Some(checkpoint) = covering else { return Ok(None) };
        self.bundle_in(certificate, (leaf, checkpoint), Vec::new(), root).await.map(Some)
    }

    /// The bundle of a certificate whose leaf is in the tree of this head, with these time stamps
    /// over its signature; one that an auditor with this trusted root accepts.
    pub(super) async fn bundle_in(
        &self,
        certificate: &Certificate,
        (leaf, checkpoint): (Leaf, Checkpoint),
        time_stamps: Vec<Vec<u8>>,
        root: &[u8],
    ) -> Result<Vec<u8>, AppError> {
        let bundle = self.assemble(&certificate.envelope, leaf, checkpoint, time_stamps).await?;
        self.check_bundle(certificate, &bundle, root).await?;
        Ok(bundle)
    }

    /// Puts a signed envelope together with the proof that its leaf is in the tree of this head.
    pub(super) async fn assemble(
        &self,
        envelope: &[u8],
        leaf: Leaf,
        checkpoint: Checkpoint,
        time_stamps: Vec<Vec<u8>>,
    ) -> Result<Vec<u8>, AppError> {
        let needed = tiles::tiles_of_inclusion(leaf.index, checkpoint.size);
        let stored = self.store.tiles(&leaf.log_id, &needed).await?;
        let path =
            tiles::inclusion_proof(leaf.index, checkpoint.size, |tile| stored.get(&tile).cloned())
                .map_err(|error| AppError::Evidence(error.to_string()))?;
        let wire: WireEnvelope = serde_json::from_slice(envelope)
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
        let head = self.store.head(&leaf.log_id).await?.ok_or_else(no_log)?;
        let log = self.keys.identity_of(&head)?;
        let mut bundle = Bundle::new(envelope, leaf.body, inclusion, &log);
        bundle.time_stamps = time_stamps;
        Ok(bundle.to_json())
    }

    /// An envelope as it is kept.
    pub(super) fn envelope_bytes(envelope: &Envelope) -> Result<Vec<u8>, AppError> {
        serde_json::to_vec(&WireEnvelope::from(envelope))
            .map_err(|error| AppError::Evidence(error.to_string()))
    }

    /// Whether an auditor would accept it. What is stored is what is exported, for ever.
    async fn check_bundle(
        &self,
        certificate: &Certificate,
        bundle: &[u8],
        root: &[u8],
    ) -> Result<(), AppError> {
        let issuer = self.issuer_of(&certificate.envelope).await?;
        let verdict = verify(&Material {
            bundle,
            trusted_root: Some((root, Source::Given)),
            issuer_key: Some((issuer.as_bytes(), Source::Given)),
            // A person's opening is not here: it is sealed with the request.
            manifest: is_of_counts(&certificate.statement)
                .then_some(certificate.manifest.as_slice()),
            ..Material::default()
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

/// The error that stops whoever would sign another history.
pub(super) fn not_signed(why: &str) -> AppError {
    AppError::Evidence(format!(
        "the head of the evidence log is not signed: {why}; `quietus log status` shows how to go on"
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

/// Whether a certificate is about its own counts.
fn is_of_counts(statement: &[u8]) -> bool {
    let statement = serde_json::from_slice::<certificate::Certificate>(statement);
    statement.is_ok_and(|statement| statement.predicate.is_of_counts())
}
