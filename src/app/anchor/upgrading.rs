//! From logged to anchored: a certificate for which enough others vouch gets the bundle that says
//! so. Its words and its signature never change.

use std::collections::BTreeSet;

use super::super::log_chain::no_log;
use super::super::{AppError, Quietus};
use super::BEFORE_ALL;
use crate::evidence::cosignature::{LOG_TYPE, VerifierKey};
use crate::evidence::note::Note;
use crate::evidence::policy::{Policy, PolicyGroup, PolicyWitness};
use crate::evidence::time_stamp::{TimeStampAuthority, is_on_a_curve};
use crate::evidence::trusted_root::TrustedAuthority;
use crate::store::{Certificate, Checkpoint};

/// Certificates that are looked at in one page.
const PAGE: u32 = 100;

/// Pages that are looked at in one go: what waits longer waits because somebody does not answer.
const PAGES: u32 = 5;

/// Heads that are looked at for one certificate.
const HEADS: u32 = 50;

/// The group of all witnesses; no witness can be called so.
const ALL_WITNESSES: &str = "all.witnesses";

impl Quietus {
    /// Gives certificates their stronger bundles; how many.
    pub(super) async fn anchor_certificates(&self) -> Result<u32, AppError> {
        let (mut anchored, mut before) = (0, BEFORE_ALL);
        for _ in 0..PAGES {
            let page = self.store.certificates_to_anchor(before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = (last.summary.issued_at, last.summary.id);
            for certificate in &page {
                match self.anchored_bundle(certificate).await {
                    Ok(Some(bundle)) => {
                        let id = certificate.summary.id;
                        if self.store.anchor_certificate(id, bundle, self.now()).await? {
                            anchored += 1;
                        }
                    }
                    Ok(None) => {}
                    // What does not verify keeps no other certificate waiting.
                    Err(AppError::Evidence(error)) => {
                        tracing::error!(error, certificate = %certificate.summary.id, "a certificate could not be anchored");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(anchored)
    }

    /// The bundle for which enough others vouch; `None` where they do not yet.
    async fn anchored_bundle(
        &self,
        certificate: &Certificate,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let Some(leaf) = self.store.leaf_of(certificate.summary.entry_id).await? else {
            return Ok(None);
        };
        let settings = &self.instance.anchors;
        let own = self.store.time_stamps_of_certificate(certificate.summary.id).await?;
        let stamped = self.first_stamped_with(&leaf.log_id, leaf.index).await?;
        if !settings.authorities.is_empty() {
            let lacks = settings.authorities.iter().any(|one| {
                one.required
                    && one.certificates_too
                    && !own.iter().any(|stamp| stamp.authority == one.name)
            });
            if lacks || stamped.is_none() {
                return Ok(None);
            }
        }
        let witnessed = self.first_witnessed_with(&leaf.log_id, leaf.index).await?;
        if !settings.witnesses.is_empty() && witnessed.is_none() {
            return Ok(None);
        }
        let Some(size) = stamped.or(witnessed) else { return Ok(None) };
        let Some(head) = self.store.checkpoint_at(&leaf.log_id, size).await? else {
            return Ok(None);
        };
        let stamps = own.into_iter().map(|stamp| stamp.answer).filter(|it| is_on_a_curve(it));
        let stamps = stamps.collect();
        self.bundle_in(certificate, leaf, head, stamps).await.map(Some)
    }

    /// The smallest stamped head with this leaf by which all required authorities have stamped one
    /// with it: two that answer by turns need not stamp the same.
    pub(super) async fn first_stamped_with(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, AppError> {
        let authorities = self.instance.anchors.authorities.iter();
        let mut missing: BTreeSet<&str> =
            authorities.filter(|one| one.required).map(|one| one.name.as_str()).collect();
        for size in self.store.stamped_with(log_id, index, HEADS).await? {
            for stamp in self.store.time_stamps_of_head(log_id, size).await? {
                missing.remove(stamp.authority.as_str());
            }
            if missing.is_empty() {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// The smallest head with this leaf that enough witnesses have signed.
    pub(super) async fn first_witnessed_with(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, AppError> {
        if self.instance.anchors.witnesses.is_empty() {
            return Ok(None);
        }
        let policy = self.policy(log_id).await?;
        for size in self.store.cosigned_with(log_id, index, HEADS).await? {
            let Some(head) = self.store.checkpoint_at(log_id, size).await? else { continue };
            if policy.is_met_by(&signed_by(&policy, &self.cosigned_note(&head).await?)?) {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// A head with the first signature of each who signed it: who signs the same head hourly would
    /// else make a note that nobody reads any more.
    pub(super) async fn cosigned_note(&self, head: &Checkpoint) -> Result<String, AppError> {
        let mut note = String::from_utf8(head.note.clone())
            .map_err(|_| AppError::Evidence("a checkpoint is not text".to_owned()))?;
        let mut signed = BTreeSet::new();
        for one in self.store.cosignatures(&head.log_id, head.size).await? {
            if signed.insert(one.cosigner) {
                note.push_str(&one.line);
            }
        }
        Ok(note)
    }

    /// Which witnesses have to have signed a log, in the form that others read.
    ///
    /// # Errors
    /// Where the log has no usable name.
    pub async fn policy(&self, log_id: &str) -> Result<Policy, AppError> {
        let head = self.store.head(log_id).await?.ok_or_else(no_log)?;
        let log = self.keys.identity_of(&head)?;
        let first = VerifierKey {
            name: log.origin().to_owned(),
            kind: LOG_TYPE,
            key: log.key().0.to_vec(),
        };
        let second = self.keys.second_of(&head)?.map(|key| key.cosigner().verifier_key());
        let mut policy =
            Policy { logs: [first].into_iter().chain(second).collect(), ..Policy::default() };
        let mut names = Vec::new();
        for witness in &self.instance.anchors.witnesses {
            let mut members = Vec::new();
            for (number, key) in (1..).zip(&witness.keys) {
                let name = format!("{}.{number}", witness.name);
                members.push(name.clone());
                policy.witnesses.push(PolicyWitness { name, cosigner: key.clone(), url: None });
            }
            names.push(witness.name.clone());
            policy.groups.push(PolicyGroup { name: witness.name.clone(), enough: 1, members });
        }
        if !names.is_empty() {
            policy.groups.push(PolicyGroup {
                name: ALL_WITNESSES.to_owned(),
                enough: self.instance.anchors.quorum,
                members: names,
            });
            policy.quorum = Some(ALL_WITNESSES.to_owned());
        }
        Ok(policy)
    }

    /// What an auditor checks certificates with: the keys of all logs, and the certificates of the
    /// authorities that have stamped anything.
    pub(crate) async fn trusted_root(&self) -> Result<Vec<u8>, AppError> {
        let mut authorities = Vec::new();
        for one in self.store.time_stamp_chains().await? {
            let authority = TimeStampAuthority::from_pem(&one.chain).ok_or_else(|| {
                AppError::Evidence("a chain of a time stamp cannot be read".to_owned())
            })?;
            authorities.push(TrustedAuthority { url: one.url, authority });
        }
        self.keys.trusted_root(&self.store, authorities).await
    }
}

/// The witnesses of a policy whose signatures stand under a note.
fn signed_by<'a>(policy: &'a Policy, note: &str) -> Result<BTreeSet<&'a str>, AppError> {
    let note = Note::parse(note).map_err(|error| AppError::Evidence(error.to_string()))?;
    let signed = policy.witnesses.iter().filter_map(|one| {
        let at = one.cosigner.verify(&note).ok().flatten()?;
        Some((one.name.as_str(), at))
    });
    Ok(signed.map(|(name, _)| name).collect())
}
