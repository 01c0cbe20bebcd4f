//! Handing out a certificate: the folder for an auditor, and the one for the person it is about.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{AppError, Quietus};
use crate::evidence::export;

impl Quietus {
    /// The folder that an auditor receives, by file name.
    ///
    /// # Errors
    /// Where there is no such certificate, its bundle is not ready, or it does not verify.
    pub async fn export_certificate(
        &self,
        id: Uuid,
    ) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
        self.export_folder(id, false).await
    }

    /// The folder that the person receives: with the opening by which they can show that the
    /// certificate is about them.
    ///
    /// # Errors
    /// As for an auditor, and where the certificate is about no person or the person is forgotten.
    pub async fn export_for_person(&self, id: Uuid) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
        self.export_folder(id, true).await
    }

    async fn export_folder(
        &self,
        id: Uuid,
        for_person: bool,
    ) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
        let certificate = self.store.certificate(id).await?;
        let certificate = certificate.ok_or_else(|| {
            AppError::Input(format!(
                "there is no certificate `{id}`: see `quietus certificate list`"
            ))
        })?;
        let bundle = certificate.bundle.ok_or_else(|| {
            AppError::Input(format!(
                "certificate `{id}` is signed but not in the log yet: try again in a moment"
            ))
        })?;
        let opening = if for_person {
            Some(self.opening_of(id, certificate.summary.case_id).await?)
        } else {
            None
        };
        let root = self.keys.trusted_root()?;
        let issuer = self.keys.issuer.public().to_pem();
        export::export(&bundle, &root, issuer.as_bytes(), opening.as_deref())
            .map_err(|error| AppError::Evidence(error.to_string()))
    }
}
