//! What became of certificates: their places in status lists, and the lists that are signed about it
//! each day and at every change. What people decide about a certificate comes in here too.
//!
//! A list is signed before its leaf is in the log, and is handed out only with the proof that it is.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::certificate::{CertificateClass, Supersedes};
use crate::evidence::status::read_list;
use crate::evidence::status_list::{
    CertificateStatus, ENTRIES, StatusBits, StatusEntry, StatusList,
};
use crate::evidence::{EvidenceKind, IssuerPublicKey, TrustedRoot, signing};
pub use crate::store::CertificateDecision;
use crate::store::{
    Case, CertificateSummary, Changed, DueStatusList, OutboxEntry, SignedStatusList, StatusPlace,
};

/// A list is signed anew after this time, even where nothing changed.
const BETWEEN_LISTS: SignedDuration = SignedDuration::from_hours(24);

/// Nobody has to ask for a newer list before this time is over.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(48);

/// Certificates of one list: half of its places, so that a free one is found soon.
const MOST_CERTIFICATES: u64 = ENTRIES as u64 / 2;

impl Quietus {
    /// A free place for a certificate of this log, drawn at random, so that places tell neither
    /// order nor number.
    pub(super) async fn free_status_place(&self, log: &str) -> Result<StatusPlace, AppError> {
        let mut number = 1_u32;
        let list = loop {
            let name = format!("{log}/status/{number}");
            if self.store.certificates_of_status_list(&name).await? < MOST_CERTIFICATES {
                break name;
            }
            number += 1;
        };
        let mut drawn = Digest(self.ids.random());
        loop {
            let [first, second, third, fourth, ..] = drawn.0;
            let index = u32::from_be_bytes([first, second, third, fourth]) % ENTRIES;
            let place = StatusPlace { list: list.clone(), index };
            if !self.store.status_place_taken(&place).await? {
                return Ok(place);
            }
            drawn = Digest::of(&drawn.0);
        }
    }

    /// That another certificate takes the place of this one, for whoever audits the log; its status
    /// list says so to everybody.
    pub(super) fn status_change(
        &self,
        case: &Case,
        earlier: &Supersedes,
        successor: Uuid,
    ) -> Result<OutboxEntry, AppError> {
        self.record(
            EvidenceKind::CertificateStatus,
            About { case: Some(case.id), job: None },
            &json!({
                "certificate": earlier.certificate_id,
                "status": CertificateStatus::Superseded.as_str(),
                "reason": earlier.reason,
                "successor": successor,
            }),
        )
    }

    /// Signs the lists that are due; their leaves wait in the outbox.
    pub(super) async fn sign_due_status_lists(&self) -> Result<(), AppError> {
        let now = self.now();
        let before = now.checked_sub(BETWEEN_LISTS).unwrap_or(Timestamp::MIN);
        for due in self.store.due_status_lists(before).await? {
            self.sign_status_list(&due, (now, before)).await?;
        }
        Ok(())
    }

    async fn sign_status_list(
        &self,
        due: &DueStatusList,
        (now, before): (Timestamp, Timestamp),
    ) -> Result<(), AppError> {
        let mut bits = StatusBits::default();
        for (index, changed) in self.store.changes_of_status_list(&due.name).await? {
            bits.set(index, status_in_list(changed));
        }
        let list = StatusList {
            list: due.name.clone(),
            issued_at: now,
            valid_until: now.checked_add(GOOD_FOR).unwrap_or(now),
            bits,
        };
        let issuer = self.issuer_in_use().await?;
        let (envelope, leaf) = signing::sign_status_list(&list, &issuer)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let leaf = OutboxEntry {
            entry_id: self.ids.new_id(),
            case_id: None,
            job_id: None,
            kind: "status list".to_owned(),
            body: leaf,
            detail: None,
            numbered: None,
        };
        let envelope = Self::envelope_bytes(&envelope)?;
        // Where another replica was first, its list says the same.
        self.store.sign_status_list(due, envelope, leaf, (now, before)).await?;
        Ok(())
    }

    /// Bundles the signed lists whose leaf is under a published head.
    pub(super) async fn bundle_status_lists(&self) -> Result<(), AppError> {
        let signed = self.store.status_lists_to_bundle().await?;
        if signed.is_empty() {
            return Ok(());
        }
        let root = self.trusted_root().await?;
        let root = TrustedRoot::from_json(&root)
            .map_err(|error| AppError::Evidence(format!("no status list is released: {error}")))?;
        for signed in signed {
            let Some(leaf) = self.store.leaf_of(signed.entry_id).await? else { continue };
            let covering = self.store.checkpoint_covering(&leaf.log_id, leaf.index).await?;
            let Some(checkpoint) = covering else { continue };
            let bundle = self.assemble(&signed.envelope, leaf, checkpoint, Vec::new()).await?;
            self.check_status_bundle(&signed, &bundle, &root).await?;
            self.store.set_status_bundle(&signed, bundle).await?;
        }
        Ok(())
    }

    /// Whether an auditor would accept it.
    async fn check_status_bundle(
        &self,
        signed: &SignedStatusList,
        bundle: &[u8],
        root: &TrustedRoot,
    ) -> Result<(), AppError> {
        let refuse = |why: String| {
            let name = &signed.name;
            AppError::Evidence(format!("status list `{name}` is not released: {why}"))
        };
        let issuer = self.issuer_of(&signed.envelope).await?;
        let issuer = IssuerPublicKey::from_pem(&issuer)
            .ok_or_else(|| refuse("its key cannot be read".to_owned()))?;
        let list = read_list(bundle, (&[issuer], root)).map_err(|why| refuse(why.to_string()))?;
        if list.list == signed.name { Ok(()) } else { Err(refuse("it is another list".to_owned())) }
    }

    /// The newest bundle of a status list; `None` where there is no such list, or none is in the log
    /// yet.
    ///
    /// # Errors
    /// Where the store does not do its part.
    pub async fn published_status_list(&self, name: &str) -> Result<Option<Vec<u8>>, AppError> {
        Ok(self.store.status_bundle(name).await?)
    }

    /// What became of a certificate.
    ///
    /// # Errors
    /// Where there is none of this identifier.
    pub async fn certificate_status(&self, id: Uuid) -> Result<CertificateStatus, AppError> {
        let certificate = self.certificate_to_export(id).await?;
        self.status_of(&certificate.summary).await
    }

    /// What became of a certificate that has been read.
    pub(super) async fn status_of(
        &self,
        certificate: &CertificateSummary,
    ) -> Result<CertificateStatus, AppError> {
        let decided = self.store.decided_about(certificate.id).await?;
        if decided == Some(CertificateDecision::Withdrawn)
            && let Some(later) = certificate.superseded_by
            && let Some(later) = self.store.certificate(later).await?
            && later.summary.class == CertificateClass::Correction.as_str()
        {
            return Ok(CertificateStatus::Superseded);
        }
        Ok(status_after(certificate, decided))
    }

    /// What paper has to say of a certificate: what was withdrawn was wrong when it was issued, also
    /// where a correction has taken its place since.
    pub(super) async fn printed_status(
        &self,
        certificate: &CertificateSummary,
    ) -> Result<CertificateStatus, AppError> {
        Ok(status_after(certificate, self.store.decided_about(certificate.id).await?))
    }

    /// Says of a certificate that it was issued in error, is contested, or no longer is. Its words
    /// stay; whoever asks for its status is told.
    ///
    /// # Errors
    /// Where no reason is given, there is no such certificate, or its status does not allow it:
    /// withdrawn is for good, and what has been superseded can only be withdrawn.
    pub async fn declare_certificate(
        &self,
        id: Uuid,
        decision: CertificateDecision,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), AppError> {
        if reason.trim().is_empty() {
            return Err(AppError::Input(
                "a decision about a certificate needs a reason".to_owned(),
            ));
        }
        let certificate = self.certificate_to_export(id).await?;
        // Read once: what is allowed has to follow from the decision that must still be the last.
        let last = self.store.decided_about(id).await?;
        let status = status_after(&certificate.summary, last);
        let fits = match decision {
            CertificateDecision::Withdrawn => status != CertificateStatus::Withdrawn,
            CertificateDecision::Disputed => status == CertificateStatus::Current,
            CertificateDecision::Current => status == CertificateStatus::Disputed,
        };
        if !fits {
            return Err(AppError::Input(format!(
                "certificate `{id}` is {}: it cannot become {}",
                status.as_str(),
                decision.as_str()
            )));
        }
        let evidence = self.record(
            EvidenceKind::CertificateStatus,
            About::default(),
            &json!({
                "certificate": id,
                "status": decision.as_str(),
                "reason": reason,
                "by": actor.0,
            }),
        )?;
        let now = self.now();
        if !self.store.decide_about(id, last, decision, vec![evidence], now).await? {
            return Err(AppError::Input(format!(
                "somebody else decided about certificate `{id}` in this moment: look at it again"
            )));
        }
        self.advance_log().await
    }
}

/// The entry on a certificate.
pub(super) fn status_entry(place: &StatusPlace) -> StatusEntry {
    StatusEntry::new(place.list.clone(), place.index)
}

/// What became of a certificate about which this was decided last.
fn status_after(
    certificate: &CertificateSummary,
    decided: Option<CertificateDecision>,
) -> CertificateStatus {
    match decided {
        Some(CertificateDecision::Withdrawn) => CertificateStatus::Withdrawn,
        _ if certificate.superseded_by.is_some() => CertificateStatus::Superseded,
        Some(CertificateDecision::Disputed) => CertificateStatus::Disputed,
        Some(CertificateDecision::Current) | None => CertificateStatus::Current,
    }
}

fn status_in_list(changed: Changed) -> CertificateStatus {
    match changed {
        Changed::Superseded => CertificateStatus::Superseded,
        Changed::Withdrawn => CertificateStatus::Withdrawn,
        Changed::Disputed => CertificateStatus::Disputed,
    }
}
