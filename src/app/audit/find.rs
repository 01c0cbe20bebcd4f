//! Finding the certificates about a person by their opening or by what they are known by, or one
//! certificate by its identifier. That somebody looked is on record, and never for whom.

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{Digest, normalise};
use crate::evidence::EvidenceKind;
use crate::store::{CertificateFilter, CertificateSummary};

/// Most certificates of one case that are listed.
const MOST: u32 = 100;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Sought<'a> {
    /// The opening that a person was given.
    Opening(&'a [u8]),
    /// A certificate.
    Certificate(Uuid),
    /// What the person is known by: type and value.
    Identity(&'a str, &'a str),
}

impl Sought<'_> {
    /// By what it is looked for, and nothing more.
    fn word(self) -> &'static str {
        match self {
            Self::Opening(_) => "opening",
            Self::Certificate(_) => "certificate",
            Self::Identity(..) => "identity",
        }
    }
}

/// A certificate that was found, with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The certificate.
    pub certificate: Uuid,
    /// Its case.
    pub case: Uuid,
    /// Its class.
    pub class: String,
    /// What it says.
    pub overall: String,
    /// When it was issued.
    pub issued_at: jiff::Timestamp,
    /// The one that replaced it.
    pub superseded_by: Option<Uuid>,
    /// The log; `None` while it waits.
    pub log: Option<String>,
    /// Its index there.
    pub index: Option<u64>,
    /// Whether it is in that log by its inclusion proof.
    pub proven: bool,
}

impl Quietus {
    /// Finds certificates, the newest first, and puts on record that somebody looked.
    ///
    /// # Errors
    /// Where the value is none of its type, or the store is not there.
    pub async fn find_evidence(
        &self,
        sought: Sought<'_>,
        actor: &Actor,
    ) -> Result<Vec<Found>, AppError> {
        let mut certificates = match sought {
            Sought::Opening(bytes) => self.certificates_about(bytes).await?,
            Sought::Certificate(id) => {
                let found = self.store.certificate(id).await?;
                found.map(|certificate| certificate.summary).into_iter().collect()
            }
            Sought::Identity(kind, value) => self.certificates_of(kind, value).await?,
        };
        certificates.sort_by_key(|one| std::cmp::Reverse((one.issued_at, one.id)));
        certificates.dedup_by_key(|one| one.id);
        let mut found = Vec::new();
        for certificate in certificates {
            found.push(self.found(certificate).await?);
        }
        let entry = self.record(
            EvidenceKind::AuditLookup,
            About::default(),
            &json!({ "by": actor.0, "found": found.len(), "lookedFor": sought.word() }),
        )?;
        self.store.record_evidence(vec![entry], self.now()).await?;
        Ok(found)
    }

    /// Certificates whose subject is this opening.
    async fn certificates_about(
        &self,
        opening: &[u8],
    ) -> Result<Vec<CertificateSummary>, AppError> {
        let digest = Digest::of(opening);
        let mut found = Vec::new();
        for id in self.store.certificates_that_say(digest.to_string().as_bytes()).await? {
            let Some(certificate) = self.store.certificate(id).await? else { continue };
            let statement: serde_json::Value =
                serde_json::from_slice(&certificate.statement).unwrap_or_default();
            // The digest may stand in another place of another certificate.
            let subject = statement.pointer("/subject/0/digest/sha256");
            if subject.and_then(|subject| subject.as_str()) == Some(digest.to_string().as_str()) {
                found.push(certificate.summary);
            }
        }
        Ok(found)
    }

    /// Certificates of the requests that a person of this identity brought, as long as the person is
    /// not forgotten.
    async fn certificates_of(
        &self,
        kind: &str,
        value: &str,
    ) -> Result<Vec<CertificateSummary>, AppError> {
        let identity = normalise(&self.instance.identities.of(kind), value)
            .map_err(|error| AppError::Input(error.to_string()))?;
        let tags = self.tags_on_record(&[self.keyed(&identity)]).await?;
        let mut found = Vec::new();
        for request in self.store.requests_of_person(tags).await? {
            let Some(case) = request.case_id else { continue };
            let filter = CertificateFilter {
                case_id: Some(case),
                limit: MOST,
                ..CertificateFilter::default()
            };
            found.extend(self.store.list_certificates(filter).await?);
        }
        Ok(found)
    }

    async fn found(&self, certificate: CertificateSummary) -> Result<Found, AppError> {
        let leaf = self.store.leaf_of(certificate.entry_id).await?;
        let mut proven = false;
        if let Some(leaf) = &leaf
            && let Some(head) = self.store.checkpoint_covering(&leaf.log_id, leaf.index).await?
        {
            proven = self.is_proven(&head, leaf).await?;
        }
        Ok(Found {
            certificate: certificate.id,
            case: certificate.case_id,
            class: certificate.class,
            overall: certificate.overall,
            issued_at: certificate.issued_at,
            superseded_by: certificate.superseded_by,
            index: leaf.as_ref().map(|leaf| leaf.index),
            log: leaf.map(|leaf| leaf.log_id),
            proven,
        })
    }
}
