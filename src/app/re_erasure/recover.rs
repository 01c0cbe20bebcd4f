//! Bringing a store forward that has lost something: everything is checked before anything is
//! written, the rows of the list are brought back in batches, and the log is filled up last.
//!
//! Until the log is whole, the head beside the key says that the store is behind, and nothing is
//! carried out or published. A process that dies on the way leaves a store that is still behind; the
//! next call begins anew and finds what is there already.

use std::path::PathBuf;

use serde_json::json;

use super::check::{Checked, CheckedList};
use super::place::{ListPlace, log_beside};
use crate::app::crash::CrashPoint;
use crate::app::log_refill::Refilled;
use crate::app::log_standing::Standing;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::config::ExportPlace;
use crate::evidence::EvidenceKind;
use crate::store::{Brought, ListMatter, ListRows, StoreError};

/// Entries brought back in one transaction.
const BATCH: usize = 50;
/// Where the log of a bucket is fetched to, in the folder of the instance.
const FETCHED: &str = ".recovered-log";

/// How to recover.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecoverOptions {
    /// Only check, and change nothing.
    pub dry_run: bool,
    /// Go on although business events are missing.
    pub without_events: bool,
}

/// What was recovered, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Number of the index.
    pub number: u64,
    /// Entries of the list.
    pub entries: u64,
    /// Entries of which this store had nothing, or an older state.
    pub brought: u64,
    /// What came back into the log; `None` where nothing was changed.
    pub refilled: Option<Refilled>,
    /// Business events that were on record and are missing.
    pub missing_events: u64,
}

impl Quietus {
    /// Brings the store forward from a list and from the log beside it.
    ///
    /// # Errors
    /// `Input`, with nothing written, where the store has lost nothing, the list is not the newest
    /// one that the log knows, or one of its files is missing, older or of another instance.
    pub async fn recover(
        &self,
        from: &ExportPlace,
        options: RecoverOptions,
        actor: &Actor,
    ) -> Result<Recovered, AppError> {
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        let Some(signed) = self.signed_head(&logs)?.filter(|_| standing.can_be_refilled()) else {
            return Err(AppError::Input(match standing {
                Standing::Sound => {
                    "the store has lost nothing: there is nothing to recover".to_owned()
                }
                _ => "the evidence log has other entries than were signed, and nothing can be put back behind them: see `quietus log status`".to_owned(),
            }));
        };
        let place = self.list_place(from)?;
        let log = self.log_files_of(from).await?;
        let parts = self.parts(&logs, &signed, &log).await?;
        let CheckedList { index, entries } = self.check_list(&place, &parts).await?;
        drop(parts);
        let has = self.store.events_on_record().await?;
        let missing_events = index.events().saturating_sub(has);
        let mut recovered = Recovered {
            number: index.number(),
            entries: entries.len() as u64,
            brought: 0,
            refilled: None,
            missing_events,
        };
        if options.dry_run {
            return Ok(recovered);
        }
        if missing_events > 0 && !options.without_events {
            return Err(AppError::Input(format!(
                "{missing_events} business event(s) that were on record are missing here, and may revoke a period: post them once more (`quietus event --help`; what is there already does no harm) and try again, or write `--without-events`; nothing was changed"
            )));
        }
        recovered.brought = self.bring_back(&place, &entries).await?.matters;
        self.crash.reach(CrashPoint::BroughtBack);
        if let Some(kept) = &self.instance.re_erasure_list {
            self.begin_list_anew(kept).await?;
        }
        self.say_recovered(&recovered, actor).await?;
        recovered.refilled = Some(Box::pin(self.refill_log(&log, actor)).await?);
        self.store.forget_re_erasure_leaves().await?;
        self.look_anew();
        if matches!(from, ExportPlace::Bucket(_)) && std::fs::remove_dir_all(&log).is_err() {
            tracing::warn!(folder = %log.display(), "the fetched log could not be removed");
        }
        Ok(recovered)
    }

    /// The log beside a list, as files of a folder.
    async fn log_files_of(&self, from: &ExportPlace) -> Result<PathBuf, AppError> {
        match log_beside(from) {
            ExportPlace::Folder(folder) => Ok(folder),
            ExportPlace::Bucket(address) => {
                let folder = self.instance.folder.join(FETCHED);
                self.fetch_logs(&address, &folder).await?;
                Ok(folder)
            }
        }
    }

    async fn say_recovered(&self, recovered: &Recovered, actor: &Actor) -> Result<(), AppError> {
        let entry = self.record(
            EvidenceKind::StoreRecovered,
            About::default(),
            &json!({
                "index": recovered.number.to_string(),
                "entries": recovered.entries.to_string(),
                "brought": recovered.brought.to_string(),
                "missingEvents": recovered.missing_events.to_string(),
                "by": actor.0,
            }),
        )?;
        Ok(self.store.record_evidence(vec![entry], self.now()).await?)
    }

    /// Brings everything back in an order in which nothing refers to what is not there: rules and
    /// data maps, the instance, cases and requests, restores, and what belongs to them.
    async fn bring_back(
        &self,
        place: &ListPlace,
        entries: &[Checked],
    ) -> Result<Brought, AppError> {
        let (documents, others): (Vec<&Checked>, Vec<&Checked>) =
            entries.iter().partition(|one| matches!(one.matter, ListMatter::Document { .. }));
        let (house, matters): (Vec<&Checked>, Vec<&Checked>) =
            others.into_iter().partition(|one| one.matter == ListMatter::House);
        let mut brought = Brought::default();
        let add = |total: &mut Brought, part: Brought| {
            total.matters += part.matters;
            total.rows += part.rows;
        };
        add(&mut brought, self.bring_back_all(place, &documents).await?.0);
        let mut rows = ListRows::default();
        for one in house {
            rows = self.reopened(place, one).await?.1;
        }
        self.store.bring_back_house(&rows).await.map_err(|error| stuck(&error, "the instance"))?;
        let (part, restored) = self.bring_back_all(place, &matters).await?;
        add(&mut brought, part);
        self.store
            .bring_back_restores(&rows)
            .await
            .map_err(|error| stuck(&error, "the restores of systems"))?;
        for batch in restored.chunks(BATCH) {
            let opened = self.reopened_all(place, batch).await?;
            self.store.bring_back_restored(&opened).await?;
        }
        Ok(brought)
    }

    /// Brings entries back in batches; with those that belong to a restore.
    async fn bring_back_all<'a>(
        &self,
        place: &ListPlace,
        entries: &[&'a Checked],
    ) -> Result<(Brought, Vec<&'a Checked>), AppError> {
        let (mut brought, mut restored) = (Brought::default(), Vec::new());
        for batch in entries.chunks(BATCH) {
            let opened = self.reopened_all(place, batch).await?;
            for ((_, rows), one) in opened.iter().zip(batch) {
                if rows.tables.contains_key("restore_jobs") {
                    restored.push(*one);
                }
            }
            match self.store.bring_back(&opened).await {
                Ok(part) => {
                    brought.matters += part.matters;
                    brought.rows += part.rows;
                }
                // One by one, so that the one that does not fit can be named.
                Err(StoreError::Conflict { .. }) => {
                    for one in &opened {
                        let part = self.store.bring_back(std::slice::from_ref(one)).await;
                        let name = format!("entry `{}`", one.0.id());
                        let part = part.map_err(|error| stuck(&error, &name))?;
                        brought.matters += part.matters;
                        brought.rows += part.rows;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            self.crash.reach(CrashPoint::PartlyBroughtBack);
        }
        Ok((brought, restored))
    }

    async fn reopened_all(
        &self,
        place: &ListPlace,
        entries: &[&Checked],
    ) -> Result<Vec<(ListMatter, ListRows)>, AppError> {
        let mut opened = Vec::new();
        for one in entries {
            opened.push(self.reopened(place, one).await?);
        }
        Ok(opened)
    }

    /// An entry, checked once more: files may change in between.
    async fn reopened(
        &self,
        place: &ListPlace,
        one: &Checked,
    ) -> Result<(ListMatter, ListRows), AppError> {
        let opened = self.open_named(place, one.matter.id(), one.sha256).await?;
        opened.map_err(|fault| {
            AppError::Input(format!(
                "{fault}; it was there before: nothing is published until it is there again"
            ))
        })
    }
}

/// What to say of something that cannot become what the list has.
fn stuck(error: &StoreError, what: &str) -> AppError {
    match error {
        StoreError::Conflict { law } => AppError::Evidence(format!(
            "{what} cannot be brought forward: this store has something else of it (`{law}`), decided after the copy was put back; nothing is published or carried out. Put the copy of the database back once more, and recover before anything else"
        )),
        error => error.clone().into(),
    }
}
