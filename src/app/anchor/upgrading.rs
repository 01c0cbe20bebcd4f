//! From logged to anchored: a certificate for which enough others vouch gets the bundle that says
//! so. Its words and its signature never change.

use std::collections::BTreeSet;

use super::super::log_chain::no_log;
use super::super::{AppError, Quietus};
use super::{BEFORE_ALL, cosigner_id};
use crate::config::WitnessSettings;
use crate::evidence::cosignature::{LOG_TYPE, VerifierKey};
use crate::evidence::note::Note;
use crate::evidence::policy::{Policy, PolicyGroup, PolicyWitness};
use crate::evidence::time_stamp::{TimeStampAuthority, in_der_order, is_on_a_curve};
use crate::evidence::trusted_root::TrustedAuthority;
use crate::store::{Certificate, Checkpoint};

/// Certificates that are looked at in one page.
const PAGE: u32 = 100;

/// Pages that are looked at in one go: what waits longer waits because somebody does not answer.
const PAGES: u32 = 5;

/// Heads that are looked at for one certificate, each the next one that enough witnesses could have
/// signed: more than one only where they sign by turns.
const LEAPS: u32 = 1_000;

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
            let root = self.trusted_root().await?;
            for certificate in &page {
                match self.anchored_bundle(certificate, &root).await {
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
        root: &[u8],
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
        let stamps = own.iter().map(|stamp| in_der_order(&stamp.answer));
        let stamps = stamps.filter(|it| is_on_a_curve(it)).collect();
        self.bundle_in(certificate, (leaf, head), stamps, root).await.map(Some)
    }

    /// The smallest stamped head with this leaf by which all required authorities have stamped one
    /// with it: two that answer by turns need not stamp the same.
    pub(super) async fn first_stamped_with(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, AppError> {
        let mut by_all = self.store.first_stamped_with(log_id, index, None).await?;
        for authority in self.instance.anchors.authorities.iter().filter(|one| one.required) {
            let name = Some(authority.name.as_str());
            let first = self.store.first_stamped_with(log_id, index, name).await?;
            // `None` is nobody, and stays so.
            by_all = by_all.zip(first).map(|(one, other)| one.max(other));
        }
        Ok(by_all)
    }

    /// The smallest head with this leaf that enough witnesses have signed.
    ///
    /// Each step leaps to the smallest head by which enough of them have signed one; where they did
    /// not all sign that one, it goes on from there.
    pub(super) async fn first_witnessed_with(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, AppError> {
        let anchors = &self.instance.anchors;
        if anchors.witnesses.is_empty() {
            return Ok(None);
        }
        let policy = self.policy(log_id).await?;
        let mut beyond = index;
        for _ in 0..LEAPS {
            let mut firsts = Vec::new();
            for witness in &anchors.witnesses {
                firsts.extend(self.first_signed_by(witness, log_id, beyond).await?);
            }
            firsts.sort_unstable();
            let place = anchors.quorum.max(1) - 1;
            let Some(&size) = firsts.get(place) else { return Ok(None) };
            if firsts[0] == size
                && let Some(head) = self.store.checkpoint_at(log_id, size).await?
                && policy.is_met_by(&signed_by(&policy, &self.cosigned_note(&head).await?)?)
            {
                return Ok(Some(size));
            }
            beyond = if firsts[0] == size { size } else { size - 1 };
        }
        Ok(None)
    }

    /// The smallest head with this leaf that one of a witness's keys has signed.
    async fn first_signed_by(
        &self,
        witness: &WitnessSettings,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, AppError> {
        let mut first: Option<u64> = None;
        for key in &witness.keys {
            let name = cosigner_id(&key.verifier_key());
            let signed = self.store.first_cosigned_with(log_id, index, &name).await?;
            first = first.into_iter().chain(signed).min();
        }
        Ok(first)
    }

    /// A head with the first signature of each who signed it: who signs the same head hourly would
    /// else make a note that nobody reads any more.
    pub(in crate::app) async fn cosigned_note(
        &self,
        head: &Checkpoint,
    ) -> Result<String, AppError> {
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
