//! Keeping the list up to date.
//!
//! Points at which a process may die: after the files of entries, they are written again under other
//! names, and the sweep removes the first ones; after the entries are noted, the parts that name
//! them are noted as changed; after the evidence of an index, its text is on record and its file is
//! written first thing by the next call; after that, the log commits to it, and what it no longer
//! names is removed once its log is beside it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::json;

use super::entry::{digest_of, name_of};
use super::index::{Index, IndexFile, Part, PartName, index_name, number_of, part_name};
use super::place::{ListPlace, log_beside};
use crate::app::crash::CrashPoint;
use crate::app::evidence_log::not_signed;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::config::ExportPlace;
use crate::domain::{Digest, EpochName};
use crate::evidence::EvidenceKind;
use crate::store::{Head, Lead, ListChange, ListEntry, ListMatter, ListState, Shard, WrittenIndex};

/// Notes looked at in one go.
const NOTES: u32 = 500;
/// How often that is done before an index is written: certificates wait meanwhile.
const ROUNDS: u32 = 10;
/// Files removed in one go.
const FILES: u32 = 1_000;
/// What replicas take turns for.
const LEAD: &str = "re-erasure list";
/// How long one of them has its turn at most.
const TURN: SignedDuration = SignedDuration::from_mins(2);

impl Quietus {
    /// Brings the list up to date, where the instance file names a place. What is in the way there
    /// must not keep certificates waiting: it is told, and the next call does what is missing.
    pub(crate) async fn keep_list_by_itself(&self) {
        if let Err(error) = Box::pin(self.keep_list()).await {
            tracing::error!(%error, "the re-erasure list could not be written");
        }
    }

    /// Brings the list up to date; how many entries were written.
    ///
    /// # Errors
    /// Where the place cannot be written, or the store or a key does not do its part.
    pub(crate) async fn keep_list(&self) -> Result<u64, AppError> {
        let Some(wanted) = &self.instance.re_erasure_list else {
            if self.store.re_erasure_list().await?.is_some() {
                self.store.end_re_erasure_list().await?;
            }
            return Ok(0);
        };
        let state = self.list_state(wanted).await?;
        let idle = state.unwritten.is_none() && state.number > 0;
        if idle && self.store.re_erasure_waiting().await? == 0 && !self.parts_wait().await? {
            return Ok(0);
        }
        let logs = self.store.logs().await?;
        if let Some(why) = self.log_standing(&logs).await?.why() {
            return Err(not_signed(&why));
        }
        let holder = self.ids.new_id().simple().to_string();
        let now = self.now();
        let until = now.checked_add(TURN).unwrap_or(now);
        if !self.store.try_lead(Lead { name: LEAD, holder: &holder, until }, now).await? {
            return Ok(0);
        }
        let written = self.write_list(wanted).await;
        self.store.yield_lead(LEAD, &holder).await?;
        written
    }

    /// Whether a place has an index that comes after the newest one of this store.
    async fn is_ahead(&self, place: &ListPlace, state: &ListState) -> Result<bool, AppError> {
        Ok(place.read(&index_name(state.number + 1)).await?.is_some())
    }

    async fn parts_wait(&self) -> Result<bool, AppError> {
        Ok(self.store.re_erasure_shards().await?.iter().any(|one| one.changed))
    }

    /// The list as it is on record; begun where nothing is there yet. A place that has more than this
    /// store knows is left as it is: what it holds may be all that is left of it.
    async fn list_state(&self, wanted: &ExportPlace) -> Result<ListState, AppError> {
        let text = wanted.to_string();
        if let Some(state) = self.store.re_erasure_list().await?.filter(|one| one.place == text) {
            return Ok(state);
        }
        let place = self.list_place(wanted)?;
        if place.names().await?.iter().any(|name| number_of(name).is_some()) {
            return Err(ahead(&place));
        }
        self.begin_list_anew(wanted).await
    }

    /// Begins a list at a place, with numbers behind those that are there, so that no file is
    /// written over.
    pub(super) async fn begin_list_anew(
        &self,
        wanted: &ExportPlace,
    ) -> Result<ListState, AppError> {
        let place = self.list_place(wanted)?;
        let last = place.names().await?.iter().filter_map(|name| number_of(name)).max();
        let last = last.unwrap_or(0);
        self.store.begin_re_erasure_list(&wanted.to_string(), last, self.now()).await?;
        let state = self.store.re_erasure_list().await?;
        state.ok_or_else(|| AppError::Evidence("the re-erasure list is not on record".to_owned()))
    }

    async fn write_list(&self, wanted: &ExportPlace) -> Result<u64, AppError> {
        let place = self.list_place(wanted)?;
        let state = self.list_state(wanted).await?;
        self.finish_index(&place, &state).await?;
        if self.is_ahead(&place, &state).await? {
            return Err(ahead(&place));
        }
        let written = self.write_entries_of(&place).await?;
        if written > 0 || state.number == 0 || self.parts_wait().await? {
            self.write_index(&place, state.number + 1).await?;
        }
        Ok(written)
    }

    /// Writes the file of an index whose evidence is on record.
    async fn finish_index(&self, place: &ListPlace, state: &ListState) -> Result<(), AppError> {
        let Some(entry) = state.unwritten else { return Ok(()) };
        let missing = || AppError::Unreadable {
            what: "the re-erasure list",
            why: "the evidence of its index is not on record".to_owned(),
        };
        let sha256 = self.store.detail_digest_of(entry).await?.ok_or_else(missing)?;
        let detail = self.store.detail(sha256).await?.ok_or_else(missing)?;
        let detail = self.open_detail(&detail)?.ok_or_else(missing)?;
        let file = IndexFile { index: state.content.clone(), detail };
        let bytes =
            serde_json::to_vec(&file).map_err(|error| AppError::Evidence(error.to_string()))?;
        place.write(&index_name(state.number), &bytes).await?;
        self.store.re_erasure_index_written(entry, self.now()).await?;
        Ok(())
    }

    /// Writes all entries of which something was noted; how many are new.
    async fn write_entries_of(&self, place: &ListPlace) -> Result<u64, AppError> {
        let mut written = 0;
        for _ in 0..ROUNDS {
            let changes = self.store.re_erasure_changes(NOTES).await?;
            if changes.is_empty() {
                break;
            }
            written += self.write_changed(place, &changes).await?;
        }
        if written > 0 {
            // With each change goes what is about the instance, such as the numbers of lists.
            let house = ListChange { id: 0, matter: ListMatter::House };
            written += self.write_changed(place, &[house]).await?;
        }
        Ok(written)
    }

    async fn write_changed(
        &self,
        place: &ListPlace,
        changes: &[ListChange],
    ) -> Result<u64, AppError> {
        let matters: BTreeSet<ListMatter> = changes.iter().map(|one| one.matter).collect();
        let (mut entries, mut gone, mut leftovers) = (Vec::new(), Vec::new(), Vec::new());
        for matter in matters {
            let rows = self.store.rows_of_matter(matter).await?;
            let before = self.store.re_erasure_entry(matter.id()).await?;
            if rows.tables.is_empty() {
                // A request of which we keep no record any more. Its case has an entry of its own.
                if let (ListMatter::Request { .. }, Some(before)) = (matter, before) {
                    leftovers.push(name_of(before.matter, before.sha256));
                    gone.push(before);
                }
                continue;
            }
            let content = digest_of(matter, &rows)?;
            let epoch = self.epochs.current();
            let is_same =
                |one: &ListEntry| one.content == content && Some(&one.epoch) == epoch.as_ref();
            if before.as_ref().is_some_and(is_same) {
                continue;
            }
            let version = before.as_ref().map_or(1, |one| one.version + 1);
            let sealed = self.seal_entry(matter, version, rows)?;
            place.write(&name_of(matter.id(), sealed.entry.sha256), &sealed.bytes).await?;
            leftovers.extend(before.map(|one| name_of(one.matter, one.sha256)));
            entries.push(sealed.entry);
        }
        let written = entries.len() as u64;
        self.crash.reach(CrashPoint::ListBegun);
        let notes = changes.iter().map(|one| one.id).collect();
        self.store.keep_re_erasure_entries(entries, gone, leftovers, notes).await?;
        Ok(written)
    }

    /// Writes the parts that have changed and the index, with the evidence that commits to it.
    async fn write_index(&self, place: &ListPlace, number: u64) -> Result<(), AppError> {
        let mut parts = BTreeMap::new();
        let (mut changed, mut leftovers) = (Vec::new(), Vec::new());
        for shard in self.store.re_erasure_shards().await? {
            let name = format!("{:02x}", shard.shard);
            let (written, sha256) = match shard {
                Shard { changed: false, sha256: Some(sha256), number, .. } => (number, sha256),
                Shard { shard, number: before, .. } => {
                    let entries = self.store.re_erasure_entries_of(shard).await?;
                    let text = Part::new(shard, &entries).text()?;
                    place.write(&part_name(&name, &number.to_string()), text.as_bytes()).await?;
                    if before > 0 {
                        leftovers.push(part_name(&name, &before.to_string()));
                    }
                    let sha256 = Digest::of(text.as_bytes());
                    changed.push((shard, sha256));
                    (number, sha256)
                }
            };
            parts.insert(name, PartName { number: written.to_string(), sha256 });
        }
        if number > 1 {
            leftovers.push(index_name(number - 1));
        }
        let state = self.store.re_erasure_list().await?;
        let earlier = state.map_or_else(Vec::new, |state| state.indices);
        let counts = (self.store.re_erasure_count().await?, self.store.events_on_record().await?);
        let content = Index::new(number, counts, earlier, parts).text()?;
        let evidence = self.record(
            EvidenceKind::ListWritten,
            About::default(),
            &json!({
                "index": Digest::of(content.as_bytes()),
                "number": number.to_string(),
                "entries": counts.0.to_string(),
            }),
        )?;
        let index = WrittenIndex { number, content, shards: changed, leftovers, evidence };
        if !self.store.keep_re_erasure_index(index, self.now()).await? {
            return Ok(());
        }
        self.crash.reach(CrashPoint::ListOnRecord);
        match self.store.re_erasure_list().await? {
            Some(state) => self.finish_index(place, &state).await,
            None => Ok(()),
        }
    }

    /// Writes what a head is about to be signed over beside the list.
    pub(crate) async fn write_log_ahead(&self, log: &Head) {
        if let Some(wanted) = &self.instance.re_erasure_list {
            self.export_ahead(log, &log_beside(wanted)).await;
        }
    }

    /// Writes the log beside the list, and removes what no index names any more.
    pub(crate) async fn tidy_list_by_itself(&self) {
        if let Err(error) = Box::pin(self.tidy_list()).await {
            tracing::error!(%error, "the re-erasure list could not be tidied");
        }
    }

    /// Writes the log beside the list, and removes what no index names any more; how many files.
    ///
    /// # Errors
    /// Where the place cannot be written.
    pub(crate) async fn tidy_list(&self) -> Result<u64, AppError> {
        let Some(wanted) = &self.instance.re_erasure_list else { return Ok(0) };
        let Some(state) = self.store.re_erasure_list().await? else { return Ok(0) };
        // Only a log that commits to the newest index may take the place of what it names.
        if state.unwritten.is_some() || state.number == 0 {
            return Ok(0);
        }
        self.export_logs(&log_beside(wanted)).await?;
        if !self.is_published(&state).await? {
            return Ok(0);
        }
        if !state.to_sweep && self.store.re_erasure_leftovers(1).await?.is_empty() {
            return Ok(0);
        }
        let place = self.list_place(wanted)?;
        if self.is_ahead(&place, &state).await? {
            return Err(ahead(&place));
        }
        let mut removed = 0;
        loop {
            let names = self.store.re_erasure_leftovers(FILES).await?;
            if names.is_empty() {
                break;
            }
            for name in &names {
                place.remove(name).await?;
            }
            removed += names.len() as u64;
            self.store.re_erasure_removed(names).await?;
        }
        if state.to_sweep && !self.parts_wait().await? {
            removed += self.sweep(&place, &state).await?;
        }
        Ok(removed)
    }

    /// Whether a published head covers the newest index.
    async fn is_published(&self, state: &ListState) -> Result<bool, AppError> {
        let Some(newest) = state.indices.first() else { return Ok(false) };
        let Some(detail) = self.store.detail(*newest).await? else { return Ok(false) };
        let Some(leaf) = self.store.leaf_of(detail.entry_id).await? else { return Ok(false) };
        Ok(self.store.checkpoint_covering(&leaf.log_id, leaf.index).await?.is_some())
    }

    /// Removes all files that the newest index does not name, such as those of a process that died.
    async fn sweep(&self, place: &ListPlace, state: &ListState) -> Result<u64, AppError> {
        let Ok(index) = serde_json::from_str::<Index>(&state.content) else { return Ok(0) };
        let mut named = BTreeSet::from([index_name(state.number)]);
        for (part, name) in &index.parts {
            named.insert(part_name(part, &name.number));
            let Ok(shard) = u8::from_str_radix(part, 16) else { continue };
            let entries = self.store.re_erasure_entries_of(shard).await?;
            named.extend(entries.iter().map(|one| name_of(one.matter, one.sha256)));
        }
        let mut removed = 0;
        for name in place.names().await? {
            if !named.contains(&name) {
                place.remove(&name).await?;
                removed += 1;
            }
        }
        self.store.set_re_erasure_to_sweep(false).await?;
        Ok(removed)
    }

    /// Seals all entries anew whose keys an epoch wraps, so that it can be left.
    ///
    /// # Errors
    /// Where the list cannot be written: the epoch lasts as long as it needs it.
    pub(crate) async fn seal_list_anew(&self, epoch: &EpochName) -> Result<(), AppError> {
        if self.store.note_re_erasure_epoch(epoch).await? > 0 {
            self.keep_whole_list().await?;
        }
        Ok(())
    }

    /// Brings the list up to date, however much that is; how many entries were written.
    ///
    /// # Errors
    /// As [`Self::keep_list`].
    pub(super) async fn keep_whole_list(&self) -> Result<u64, AppError> {
        let mut written = 0;
        loop {
            let before = self.store.re_erasure_waiting().await?;
            written += Box::pin(self.keep_list()).await?;
            let after = self.store.re_erasure_waiting().await?;
            // Another process has its turn, or all is done.
            if after == 0 || before > 0 && after >= before {
                return Ok(written);
            }
        }
    }

    /// Has the list swept once more.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn sweep_list_again(&self) -> Result<(), AppError> {
        Ok(self.store.set_re_erasure_to_sweep(true).await?)
    }
}

/// The error of a place that holds a list that this store does not know.
fn ahead(place: &ListPlace) -> AppError {
    AppError::Input(format!(
        "`{}` holds a re-erasure list that is ahead of this store or not its own, and is left as it is: `quietus recover` brings an older store forward; otherwise name an empty place",
        place.display("")
    ))
}
