//! The end of a quarantine: only once everything is done again and verified, and with a certificate.

use serde_json::json;
use uuid::Uuid;

use super::CameBack;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::JobState;
use crate::evidence::EvidenceKind;
use crate::store::Restore;

/// A system that is out of quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedRestore {
    /// The restore.
    pub restore: Uuid,
    /// Persons of whom something was there again.
    pub came_back: u64,
    /// Records of theirs that were erased or restricted again.
    pub records: u64,
    /// The certificate that says so; `None` where it could not be made yet, which is tried again.
    pub certificate: Option<Uuid>,
}

impl Quietus {
    /// Opens a system: what waited for it goes on.
    ///
    /// # Errors
    /// Where it is not in quarantine, or something is not done yet; what is missing is named, and
    /// nothing is changed.
    pub async fn open_restored(
        &self,
        system: &str,
        actor: &Actor,
    ) -> Result<OpenedRestore, AppError> {
        let restore = self.quarantine_of(system).await?;
        self.leave_what_is_held(&restore).await?;
        let missing = self.missing_of(&restore).await?;
        if !missing.is_empty() {
            return Err(AppError::Input(format!(
                "`{system}` stays in quarantine:\n  {}",
                missing.join("\n  ")
            )));
        }
        // What was written down since the quarantine began says who is kept out.
        let restore = self.quarantine_of(system).await?;
        self.renew_canary(system).await?;
        self.let_in(&restore).await?;
        let back = self.came_back(&restore).await?;
        let evidence = self.record_opened(&restore, back, actor)?;
        if !self.store.open_restore(restore.id, &actor.0, self.now(), vec![evidence]).await? {
            return Err(AppError::Input(format!(
                "`{system}` was opened by somebody else, or something of it is not done: `quietus restore show {system}` says which"
            )));
        }
        self.wake.up();
        let certificate = self.certificate_of_restore(&restore).await?;
        Ok(OpenedRestore {
            restore: restore.id,
            came_back: back.persons,
            records: back.records,
            certificate,
        })
    }

    /// The certificate of a system that was opened.
    async fn certificate_of_restore(&self, restore: &Restore) -> Result<Option<Uuid>, AppError> {
        self.certify_case(restore.case_id).await?;
        let certificate = self.store.certificate_of_case(restore.case_id).await?;
        Ok(certificate.map(|one| one.summary.id))
    }

    /// The restore for which a system is in quarantine.
    ///
    /// # Errors
    /// Where there is no such system, or it is not in quarantine.
    pub async fn quarantine_of(&self, system: &str) -> Result<Restore, AppError> {
        self.system(system)?;
        let mut under_way = self.store.restores_under_way().await?.into_iter();
        under_way.find(|one| one.system == system).ok_or_else(|| {
            AppError::Input(format!(
                "`{system}` is not in quarantine; `quietus restore list` shows which restores there were"
            ))
        })
    }

    /// Where nothing but a legal hold keeps the rules' part from its end, what the hold covers stays,
    /// and the certificate names the hold.
    async fn leave_what_is_held(&self, restore: &Restore) -> Result<(), AppError> {
        let jobs = self.store.jobs_of_case(restore.case_id).await?;
        let held = jobs.iter().any(|job| job.state == JobState::Held);
        if held && jobs.iter().all(|job| job.state.is_final() || job.state == JobState::Held) {
            self.take_over_if_held(restore.case_id).await?;
        }
        Ok(())
    }

    fn record_opened(
        &self,
        restore: &Restore,
        back: CameBack,
        actor: &Actor,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        self.record(
            EvidenceKind::RestoreOpened,
            About::default(),
            &json!({
                "restore": restore.id,
                "system": restore.system,
                "takenAt": restore.taken_at,
                "backSince": restore.back_since,
                "by": actor.0,
                "case": restore.case_id,
                "cameBack": back.persons,
                "records": back.records,
                "forgotten": restore.forgotten,
            }),
        )
    }
}
