//! Certificates as lists and single pages show them, and their exact bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Lookup, cut, page_size};
use crate::app::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::print::html;
use crate::store::{CertificateFilter, CertificateSummary};

pub use crate::evidence::export::{PAGE_NAME, PDF_NAME, TEXT_NAME};
pub use crate::evidence::print::Language;

/// Longest text that is searched for, in bytes.
const LONGEST_TEXT: usize = 200;
/// Most languages of a browser that are looked at.
const MOST_LANGUAGES: usize = 16;
/// Certificates that are searched at once for the beginning of an identifier.
const PAGE: u32 = 1000;

/// Which certificates to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct CertificateQuery {
    /// Only those that speak of this system.
    pub system: Option<String>,
    /// Only those that speak of this rule.
    pub rule: Option<String>,
    /// Only those with a system, rule or category that contains these letters.
    pub text: Option<String>,
    /// Only those of this case.
    pub case: Option<Uuid>,
    /// Only those issued at this moment or later.
    pub from: Option<Timestamp>,
    /// Only those issued before this moment.
    pub to: Option<Timestamp>,
    /// Only those that follow after this one.
    pub before: Option<Uuid>,
    /// How many; 100 if not said.
    pub limit: Option<u32>,
}

/// A certificate in a list.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateFacts {
    /// Its identifier.
    pub id: Uuid,
    /// The case that it speaks of.
    pub case_id: Uuid,
    /// Its class.
    pub class: String,
    /// Its verdict.
    pub overall: String,
    /// `signed`, or `logged` once it can be proven to be in the log.
    pub state: &'static str,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The one that replaced it.
    pub superseded_by: Option<Uuid>,
}

/// A page of the list.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateList {
    /// Newest first.
    pub certificates: Vec<CertificateFacts>,
    /// Give this as `before` to read on; absent at the end.
    pub next: Option<Uuid>,
}

/// All that is said about one certificate beside its own bytes.
#[derive(Debug, Clone, Serialize)]
pub struct CertificateRecord {
    /// As in lists.
    #[serde(flatten)]
    pub facts: CertificateFacts,
    /// Digest of the signed words.
    pub statement_sha256: Digest,
    /// Digest of the manifest.
    pub manifest_sha256: Digest,
    /// The log that holds it.
    pub log: String,
    /// Its index there; `None` while it waits.
    pub log_index: Option<u64>,
}

/// A part of a certificate, byte for byte as it was signed or proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificatePart {
    /// The signed words.
    Statement,
    /// What they rest on.
    Manifest,
    /// Signature and proofs.
    Bundle,
}

/// The content security policy of the page of every certificate: its own script and style, nothing
/// else.
pub fn page_policy() -> String {
    html::policy()
}

/// The language of the printed forms that a reader's browser asks for first, as `Accept-Language`
/// lists them; `None` where they speak none of those.
pub fn language_of_browser(accepted: &str) -> Option<Language> {
    let wishes = accepted.split(',').take(MOST_LANGUAGES).filter_map(|wish| {
        let (tag, rest) = wish.split_once(';').unwrap_or((wish, ""));
        let weight = rest.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.parse().ok());
        let weight: f32 = weight.filter(|weight| *weight > 0.0)?;
        Some((Language::parse(tag.trim())?, weight))
    });
    // The first of the heaviest ones.
    let heaviest = wishes.reduce(|best, wish| if wish.1 > best.1 { wish } else { best });
    heaviest.map(|(language, _)| language)
}

impl From<CertificateSummary> for CertificateFacts {
    fn from(summary: CertificateSummary) -> Self {
        Self {
            id: summary.id,
            case_id: summary.case_id,
            class: summary.class,
            overall: summary.overall,
            state: summary.state.as_str(),
            issued_at: summary.issued_at,
            superseded_by: summary.superseded_by,
        }
    }
}

impl Quietus {
    /// Certificates, newest first.
    ///
    /// # Errors
    /// Where `before` is no certificate, the text is too long, or the store is not there.
    pub async fn read_certificates(
        &self,
        query: CertificateQuery,
    ) -> Result<CertificateList, AppError> {
        let texts = [&query.system, &query.rule, &query.text];
        if texts.into_iter().flatten().any(|text| text.len() > LONGEST_TEXT) {
            return Err(AppError::Input(format!(
                "what is searched for has at most {LONGEST_TEXT} bytes"
            )));
        }
        let before = match query.before {
            Some(id) => {
                let known = self.store.certificate(id).await?;
                let known = known.ok_or_else(|| {
                    AppError::Input("`before` is no certificate: take it from `next`".to_owned())
                })?;
                Some((known.summary.issued_at, id))
            }
            None => None,
        };
        let size = page_size(query.limit);
        let filter = CertificateFilter {
            system: query.system,
            rule: query.rule,
            text: query.text,
            case_id: query.case,
            from: query.from,
            to: query.to,
            before,
            limit: size + 1,
        };
        let mut found = self.store.list_certificates(filter).await?;
        let next = cut(&mut found, size, |one| one.id);
        Ok(CertificateList { certificates: found.into_iter().map(Into::into).collect(), next })
    }

    /// One certificate; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_certificate(&self, id: Uuid) -> Result<Option<CertificateRecord>, AppError> {
        let Some(certificate) = self.store.certificate(id).await? else { return Ok(None) };
        let leaf = self.store.leaf_of(certificate.summary.entry_id).await?;
        Ok(Some(CertificateRecord {
            statement_sha256: Digest::of(&certificate.statement),
            manifest_sha256: Digest::of(&certificate.manifest),
            log: match &leaf {
                Some(leaf) => leaf.log_id.clone(),
                None => self.log_name().await?,
            },
            log_index: leaf.map(|leaf| leaf.index),
            facts: certificate.summary.into(),
        }))
    }

    /// Finds a certificate by its identifier, the beginning of one, or `latest`.
    ///
    /// # Errors
    /// Where none or more than one fits.
    pub async fn find_certificate(&self, text: &str) -> Result<CertificateSummary, AppError> {
        let missing = || {
            AppError::Input(format!(
                "there is no certificate `{text}`: see `quietus certificate list`"
            ))
        };
        if let Ok(id) = Uuid::try_parse(text) {
            let found = self.store.certificate(id).await?;
            return found.map(|certificate| certificate.summary).ok_or_else(missing);
        }
        let latest = text == "latest";
        let limit = if latest { 1 } else { PAGE };
        let mut filter = CertificateFilter { limit, ..CertificateFilter::default() };
        let mut fitting: Vec<CertificateSummary> = Vec::new();
        loop {
            let page = self.store.list_certificates(filter.clone()).await?;
            let next = page.last().map(|last| (last.issued_at, last.id));
            let full = page.len() == PAGE as usize;
            fitting.extend(
                page.into_iter().filter(|one| latest || one.id.to_string().starts_with(text)),
            );
            if !full || next.is_none() || fitting.len() > 1 {
                break;
            }
            filter.before = next;
        }
        if fitting.len() > 1 {
            return Err(AppError::Input(format!(
                "more than one certificate begins with `{text}`: write more of it"
            )));
        }
        fitting.pop().ok_or_else(missing)
    }

    /// The exact bytes of a part.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_certificate_part(
        &self,
        id: Uuid,
        part: CertificatePart,
    ) -> Result<Lookup<Vec<u8>>, AppError> {
        let Some(certificate) = self.store.certificate(id).await? else {
            return Ok(Lookup::Missing);
        };
        Ok(match part {
            CertificatePart::Statement => Lookup::Here(certificate.statement),
            CertificatePart::Manifest => Lookup::Here(certificate.manifest),
            CertificatePart::Bundle => certificate.bundle.map_or(Lookup::NotYet, Lookup::Here),
        })
    }

    /// The files of the folder that an auditor receives, by name.
    ///
    /// # Errors
    /// Where the store is not there or the certificate does not verify.
    pub async fn read_certificate_folder(
        &self,
        id: Uuid,
        language: Option<Language>,
    ) -> Result<Lookup<BTreeMap<String, Vec<u8>>>, AppError> {
        match self.read_certificate_part(id, CertificatePart::Bundle).await? {
            Lookup::Here(_) => Ok(Lookup::Here(self.export_certificate(id, language).await?)),
            Lookup::NotYet => Ok(Lookup::NotYet),
            Lookup::Missing => Ok(Lookup::Missing),
        }
    }

    /// Whether certificates are printed with a link, which then leads somewhere.
    pub fn prints_links(&self) -> bool {
        self.instance.certificate_host.is_some()
    }

    /// One file of the folder that an auditor receives.
    ///
    /// # Errors
    /// As `read_certificate_folder`.
    pub async fn read_certificate_file(
        &self,
        id: Uuid,
        name: &str,
        language: Option<Language>,
    ) -> Result<Lookup<Vec<u8>>, AppError> {
        match self.read_certificate_part(id, CertificatePart::Bundle).await? {
            Lookup::Here(_) => Ok(match self.export_file(id, name, language).await? {
                Some(content) => Lookup::Here(content),
                None => Lookup::Missing,
            }),
            Lookup::NotYet => Ok(Lookup::NotYet),
            Lookup::Missing => Ok(Lookup::Missing),
        }
    }
}
