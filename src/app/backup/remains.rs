//! Whether a store keeps data of copies that it no longer lists: asked where a list alone would have
//! somebody called gone, and never of a list that shows copies.

use quietus_connectors::{BackupStore, Fault};
use serde_json::json;

use super::seen::{Remains, Seen};
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, Expire, System};
use crate::evidence::EvidenceKind;

impl Quietus {
    /// Whether such data remains, if anybody would be called gone otherwise; no effect.
    pub(super) async fn remains_of<'a>(
        &self,
        (system, backup): (&System, &Backup),
        mut seen: impl Iterator<Item = &'a Seen>,
    ) -> Remains {
        if !seen.any(|seen| seen.gone) {
            return Ok(None);
        }
        let store = self.open_store(system, backup).map_err(|error| error.to_string())?;
        self.remembered(system, store.remains().await)
    }

    /// The same once the store's own commands have cleared it away, where the data map says that
    /// quietus removes what is over, and nothing stands in the way.
    ///
    /// # Errors
    /// Where our own store is not there.
    pub(super) async fn remains_at_look<'a>(
        &self,
        (system, backup): (&System, &Backup),
        mut seen: impl Iterator<Item = &'a Seen>,
    ) -> Result<Remains, AppError> {
        if !seen.any(|seen| seen.gone) {
            return Ok(Ok(None));
        }
        let store = match self.open_store(system, backup) {
            Ok(store) => store,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let remains = store.remains().await;
        let is_left = remains.as_ref().is_ok_and(Option::is_some);
        if !is_left || !self.may_clear_away(system, backup).await? {
            return Ok(self.remembered(system, remains));
        }
        let remains = self.clear_away(system, store.as_ref()).await?;
        Ok(self.remembered(system, remains))
    }

    async fn may_clear_away(&self, system: &System, backup: &Backup) -> Result<bool, AppError> {
        let may = backup.expire == Expire::ByQuietus && !self.store_is_paused(system).await?;
        Ok(may && self.matter_that_keeps(system, backup).await?.is_none())
    }

    /// The intent is on record before the store is asked. No copy is named: none is listed.
    async fn clear_away(
        &self,
        system: &System,
        store: &dyn BackupStore,
    ) -> Result<Result<Option<String>, Fault>, AppError> {
        let begun = json!({ "store": system.name, "result": "begun", "copies": [] });
        let begun = self.record(EvidenceKind::BackupExpired, About::default(), &begun)?;
        self.store.record_evidence(vec![begun], self.now()).await?;
        let remains = store.remove_remains().await;
        let ended = match &remains {
            Ok(remains) => {
                json!({ "store": system.name, "result": "ended", "gone": [], "kept": [], "remains": remains })
            }
            Err(fault) => {
                json!({ "store": system.name, "result": "failed", "fault": fault.to_string() })
            }
        };
        let ended = self.record(EvidenceKind::BackupExpired, About::default(), &ended)?;
        self.store.record_evidence(vec![ended], self.now()).await?;
        Ok(remains)
    }

    fn remembered(&self, system: &System, answer: Result<Option<String>, Fault>) -> Remains {
        match &answer {
            Ok(Some(why)) => tracing::warn!(store = %system.name, why, "nobody is called gone"),
            Ok(None) => {}
            Err(fault) => tracing::warn!(store = %system.name, %fault, "nobody is called gone"),
        }
        let answer = answer.map_err(|fault| fault.to_string());
        self.stores.of(system.name.as_str()).note_remains(self.now(), &answer);
        answer
    }
}
