//! Handing out a certificate: the folder for an auditor, and the one for the person it is about.
//!
//! The person's copy has the opening, which names the person. So each time that it is handed out is
//! put on record first, with who did it and without any value.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::request::OpenRequest;
use super::{Actor, AppError, Quietus};
use crate::config::machine_fonts;
use crate::evidence::anchor_folder::AnchorFolder;
use crate::evidence::bundle::Bundle;
use crate::evidence::print::{Forms, Language, Printing};
use crate::evidence::status::{STATUS_LIST_NAME, SUCCESSOR_NAME};
use crate::evidence::{EvidenceKind, export};
use crate::store::{Certificate, CertificateSummary};

/// The files of a folder, by name.
type Folder = BTreeMap<String, Vec<u8>>;

impl Quietus {
    /// The folder that an auditor receives, by file name; printed in the instance's language where
    /// none is named.
    ///
    /// # Errors
    /// Where there is no such certificate, its bundle is not ready, or it does not verify.
    pub async fn export_certificate(
        &self,
        id: Uuid,
        language: Option<Language>,
    ) -> Result<Folder, AppError> {
        let certificate = self.certificate_to_export(id).await?;
        let language = language.unwrap_or(self.instance.certificate_language);
        self.folder_of(certificate, None, (language, Forms::All)).await
    }

    /// One file of the folder that an auditor receives; `None` where it has none of this name.
    ///
    /// # Errors
    /// As `export_certificate`.
    pub async fn export_file(
        &self,
        id: Uuid,
        name: &str,
        language: Option<Language>,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let certificate = self.certificate_to_export(id).await?;
        let language = language.unwrap_or(self.instance.certificate_language);
        let forms = Forms::Only(name.to_owned());
        Ok(self.folder_of(certificate, None, (language, forms)).await?.remove(name))
    }

    /// The folder that the person receives: with the opening by which they can show that the
    /// certificate is about them; printed in the language of the request where none is named. That
    /// it was handed out is on record.
    ///
    /// # Errors
    /// As for an auditor, and where the certificate is about no person or the person is forgotten.
    pub async fn export_for_person(
        &self,
        id: Uuid,
        language: Option<Language>,
        actor: &Actor,
    ) -> Result<Folder, AppError> {
        let (request, folder) = self.folder_for_person(id, language, Forms::All).await?;
        self.record_handing_out(&request, (id, None), actor).await?;
        Ok(folder)
    }

    /// The names of the files that the person receives, with their sizes in bytes.
    ///
    /// # Errors
    /// As `export_for_person`.
    pub async fn files_for_person(
        &self,
        id: Uuid,
        language: Option<Language>,
    ) -> Result<Vec<(String, usize)>, AppError> {
        let (_, folder) = self.folder_for_person(id, language, Forms::All).await?;
        Ok(folder.into_iter().map(|(name, content)| (name, content.len())).collect())
    }

    /// One file of the folder that the person receives; `None` where it has none of this name. That
    /// it was handed out is on record.
    ///
    /// # Errors
    /// As `export_for_person`.
    pub async fn file_for_person(
        &self,
        id: Uuid,
        name: &str,
        language: Option<Language>,
        actor: &Actor,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let forms = Forms::Only(name.to_owned());
        let (request, mut folder) = self.folder_for_person(id, language, forms).await?;
        let Some((name, content)) = folder.remove_entry(name) else { return Ok(None) };
        self.record_handing_out(&request, (id, Some(&name)), actor).await?;
        Ok(Some(content))
    }

    async fn folder_for_person(
        &self,
        id: Uuid,
        language: Option<Language>,
        forms: Forms,
    ) -> Result<(OpenRequest, Folder), AppError> {
        let certificate = self.certificate_to_export(id).await?;
        let (request, opening) = self.opening_of(id, certificate.summary.case_id).await?;
        let own = || Language::nearest(&request.record.language);
        let language = language.unwrap_or_else(own);
        let folder = self.folder_of(certificate, Some(&opening), (language, forms)).await?;
        Ok((request, folder))
    }

    async fn record_handing_out(
        &self,
        request: &OpenRequest,
        (certificate, file): (Uuid, Option<&str>),
        actor: &Actor,
    ) -> Result<(), AppError> {
        let evidence = self.record(
            EvidenceKind::RequestChanged,
            About { case: request.stored.case_id, job: None },
            &json!({
                "request": request.stored.id,
                "what": "the person's copy of a certificate was handed out",
                "certificate": certificate,
                "file": file,
                "by": actor.0,
            }),
        )?;
        self.store.record_evidence(vec![evidence], self.now()).await?;
        Ok(())
    }

    pub(super) async fn certificate_to_export(&self, id: Uuid) -> Result<Certificate, AppError> {
        self.store.certificate(id).await?.ok_or_else(|| {
            AppError::Input(format!(
                "there is no certificate `{id}`: see `quietus certificate list`"
            ))
        })
    }

    /// What says how a certificate stands now: its status list, and the one that follows it.
    async fn status_files(
        &self,
        certificate: &CertificateSummary,
    ) -> Result<Vec<(String, Vec<u8>)>, AppError> {
        let list = match self.store.status_list_of(certificate.id).await? {
            Some(name) => self.store.status_bundle(&name).await?,
            None => None,
        };
        let successor = match certificate.superseded_by {
            Some(id) => self.store.certificate(id).await?.and_then(|later| later.bundle),
            None => None,
        };
        let files = [(STATUS_LIST_NAME, list), (SUCCESSOR_NAME, successor)];
        let files = files.into_iter().filter_map(|(name, bytes)| Some((name.to_owned(), bytes?)));
        Ok(files.collect())
    }

    async fn folder_of(
        &self,
        certificate: Certificate,
        opening: Option<&[u8]>,
        (language, forms): (Language, Forms),
    ) -> Result<Folder, AppError> {
        let printing = Printing {
            forms,
            language,
            zone: self.zone.clone(),
            host: self.instance.certificate_host.clone(),
            superseded_by: certificate.summary.superseded_by,
            decided: Some(self.printed_status(&certificate.summary).await?),
            more_fonts: machine_fonts,
        };
        let bundle = certificate.bundle.ok_or_else(|| {
            AppError::Input(format!(
                "certificate `{}` is signed but not in the log yet: try again in a moment",
                certificate.summary.id
            ))
        })?;
        let root = self.trusted_root().await?;
        let issuer = self.issuer_of(&certificate.envelope).await?;
        let read =
            Bundle::from_json(&bundle).map_err(|error| AppError::Evidence(error.to_string()))?;
        let anchors = match self.store.leaf_of(certificate.summary.entry_id).await? {
            Some(leaf) => self.anchor_folder(&leaf.log_id, &read).await?,
            None => AnchorFolder::default(),
        };
        let mut folder = export::export_anchored(
            &bundle,
            &root,
            issuer.as_bytes(),
            opening,
            &anchors,
            &printing,
        )
        .map_err(|error| AppError::Evidence(error.to_string()))?;
        if [STATUS_LIST_NAME, SUCCESSOR_NAME].iter().any(|name| printing.forms.has(name)) {
            folder.extend(self.status_files(&certificate.summary).await?);
        }
        Ok(folder)
    }
}
