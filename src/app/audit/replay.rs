//! Counting a whole log anew, from the store or from exported files.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::log_folder::LogFolder;
use crate::app::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::leaf::{EvidenceLeaf, read_leaf};
use crate::evidence::note::verify_checkpoint;
use crate::evidence::numbers::Numbers;
use crate::evidence::origin::LogName;
use crate::evidence::replay::{Before, Counted, Replay};
use crate::evidence::tiles::WIDTH;
use crate::evidence::{EvidenceKind, LogIdentity, TileId, TrustedRoot};
use crate::store::{Checkpoint, Head, Leaf};

/// Leaves read at once: one bundle of entries.
const PAGE: u32 = 256;
/// Checkpoints read at once.
const HEADS: u32 = 1_000;

/// Where the leaves come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayFrom<'a> {
    /// The store.
    Store,
    /// A folder of exported logs.
    Files(&'a Path),
}

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At leaves, tiles and signed heads.
    Leaves,
    /// At each detail too: whether it is what its leaf names, and which number it says. Takes much
    /// longer, and only the store has details.
    Details,
}

/// One log, counted anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Its name.
    pub origin: String,
    /// What came out.
    pub counted: Counted,
    /// Tiles that were compared.
    pub tiles: u64,
    /// Certificates' leaves that belong to no certificate of the store; unknown for files.
    pub without_certificate: Option<u64>,
    /// Evidence leaves whose detail the store never had or has lost; unknown for files.
    pub without_detail: Option<u64>,
}

impl Quietus {
    /// Counts all logs anew, the oldest first. `progress` hears the name of the log, how many leaves
    /// are counted and how many there are.
    ///
    /// # Errors
    /// Where the store or the files cannot be read; what does not fit is a finding and no error.
    pub async fn replay_logs(
        &self,
        from: ReplayFrom<'_>,
        depth: Depth,
        progress: &mut (dyn FnMut(&str, u64, u64) + Send),
    ) -> Result<Vec<Replayed>, AppError> {
        let logs = self.store.logs().await?;
        if let ReplayFrom::Files(folder) = from {
            let identity = |origin: &str| self.keys.identity_among(&logs, origin);
            return replay_files(folder, identity, progress);
        }
        let (mut replayed, mut before) = (Vec::new(), BTreeMap::new());
        for log in &logs {
            let known = Before::Known(before.clone());
            let one = self.replay_log(log, known, progress).await?;
            add(&mut before, &one.counted.producers);
            replayed.push(one);
        }
        if depth == Depth::Details {
            self.open_all(&logs, &mut replayed, progress).await?;
        }
        Ok(replayed)
    }

    async fn replay_log(
        &self,
        log: &Head,
        before: Before,
        progress: &mut (dyn FnMut(&str, u64, u64) + Send),
    ) -> Result<Replayed, AppError> {
        let mut faults = Vec::new();
        let heads = self.signed_heads(log, &mut faults).await?;
        let mut replay = Replay::new(heads).with(before);
        let (mut at, mut tiles) = (0, 0);
        while at < log.size {
            // Never beyond the head that was read: the log may grow meanwhile.
            let limit = u32::try_from(log.size - at).unwrap_or(PAGE).min(PAGE);
            let leaves = self.store.leaves(&log.log_id, at, limit).await?;
            let wrong = leaves.iter().zip(at..).find(|(leaf, index)| leaf.index != *index);
            if leaves.is_empty() || wrong.is_some() {
                faults.push(format!("entry {at} or one after it is missing"));
                break;
            }
            let mut full = Vec::new();
            for leaf in &leaves {
                check_hash(leaf, &mut faults);
                replay.push(&leaf.body, &mut |tile, bytes| {
                    full.push((tile, bytes.to_vec()));
                    true
                });
            }
            at += leaves.len() as u64;
            tiles += self.compare(log, full, &mut faults).await?;
            progress(&log.origin, at, log.size);
        }
        if at == log.size && replay.root() != log.root {
            faults.push("the head of the store has another root".to_owned());
        }
        let mut partial = Vec::new();
        let mut counted = replay.finish(&mut |tile, bytes| {
            partial.push((tile, bytes.to_vec()));
            true
        });
        tiles += self.compare(log, partial, &mut faults).await?;
        counted.faults.extend(faults);
        let (without_certificate, without_detail) = self.store.orphaned_leaves(&log.log_id).await?;
        Ok(Replayed {
            origin: log.origin.clone(),
            counted,
            tiles,
            without_certificate: Some(without_certificate),
            without_detail: Some(without_detail),
        })
    }

    /// Opens the details of all logs; what does not fit is a finding of its log, and of the last one
    /// where it concerns numbers.
    async fn open_all(
        &self,
        logs: &[Head],
        replayed: &mut [Replayed],
        progress: &mut (dyn FnMut(&str, u64, u64) + Send),
    ) -> Result<(), AppError> {
        let (mut numbers, mut refilled) = (Numbers::default(), false);
        for (log, found) in logs.iter().zip(replayed.iter_mut()) {
            let mut at = 0;
            while at < log.size {
                let leaves = self.store.leaves(&log.log_id, at, PAGE).await?;
                for leaf in &leaves {
                    let Some(read) = read_leaf(&leaf.body) else { continue };
                    refilled |= read.kind == EvidenceKind::LogRefilled;
                    let faults = &mut found.counted.faults;
                    self.note_number(leaf.index, &read, &mut numbers, faults).await?;
                }
                if leaves.is_empty() {
                    break;
                }
                at += leaves.len() as u64;
                progress(&log.origin, at, log.size);
            }
        }
        if let Some(last) = replayed.last_mut() {
            last.counted.faults.extend(numbers.faults(refilled));
        }
        Ok(())
    }

    async fn note_number(
        &self,
        index: u64,
        leaf: &EvidenceLeaf,
        numbers: &mut Numbers,
        faults: &mut Vec<String>,
    ) -> Result<(), AppError> {
        let producer = leaf.spec.producer.as_str();
        let detail = self.store.detail(leaf.spec.detail_sha256).await?;
        let opened = match &detail {
            Some(detail) => self.open_detail(detail)?,
            None => None,
        };
        let Some(text) = opened else {
            numbers.note_unread(producer);
            return Ok(());
        };
        if Digest::of(text.as_bytes()) != leaf.spec.detail_sha256 {
            faults.push(format!("entry {index} names another detail than the store has"));
        }
        let detail: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        // Entries of earlier versions have no number.
        let number = detail["number"].as_str().and_then(|number| number.parse().ok());
        if let Some(number) = number {
            numbers.note(producer, number);
        }
        Ok(())
    }

    /// Sizes and roots of all checkpoints of a log whose signature holds.
    async fn signed_heads(
        &self,
        log: &Head,
        faults: &mut Vec<String>,
    ) -> Result<Vec<(u64, Digest)>, AppError> {
        let identity = self.keys.identity_of(log)?;
        let (mut heads, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.checkpoints(&log.log_id, after, HEADS).await?;
            let Some(last) = page.last() else { return Ok(heads) };
            after = Some(last.size);
            for head in page {
                if is_signed(&head, &identity) {
                    heads.push((head.size, head.root));
                } else {
                    let size = head.size;
                    faults.push(format!("the head of {size} entries is not signed by the log"));
                }
            }
        }
    }

    /// Compares tiles with those of the store; how many there were.
    async fn compare(
        &self,
        log: &Head,
        tiles: Vec<(TileId, Vec<u8>)>,
        faults: &mut Vec<String>,
    ) -> Result<u64, AppError> {
        let number = tiles.len() as u64;
        for (tile, bytes) in tiles {
            let stored = self.store.tile(&log.log_id, tile).await?;
            // The last tile of a level may have grown meanwhile.
            if stored.is_none_or(|stored| !stored.bytes.starts_with(&bytes)) {
                let path = tile.path(bytes.len() as u64 / 32);
                faults.push(format!("`{path}` is not what its leaves lead to"));
            }
        }
        Ok(number)
    }
}

/// Adds what producers wrote in one log to what they wrote before.
fn add(before: &mut BTreeMap<String, u64>, counted: &BTreeMap<String, u64>) {
    for (producer, count) in counted {
        *before.entry(producer.clone()).or_default() += count;
    }
}

fn is_signed(head: &Checkpoint, log: &LogIdentity) -> bool {
    let text = std::str::from_utf8(&head.note).unwrap_or_default();
    let read = verify_checkpoint(text, log);
    read.is_ok_and(|read| (read.size, read.root) == (head.size, head.root))
}

fn check_hash(leaf: &Leaf, faults: &mut Vec<String>) {
    if crate::evidence::merkle::leaf_hash(&leaf.body) != leaf.leaf_hash {
        faults.push(format!("entry {} has another hash in the store", leaf.index));
    }
}

/// Counts exported logs anew with the keys of a trusted root, without an instance.
///
/// # Errors
/// Where the files cannot be read, or a log is none of the trusted root.
pub fn replay_with_root(
    folder: &Path,
    root: &TrustedRoot,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<Vec<Replayed>, AppError> {
    let identity = |origin: &str| {
        let known = root.logs.iter().find(|log| log.log.origin() == origin);
        known
            .map(|log| log.log.clone())
            .ok_or_else(|| AppError::Input(format!("the trusted root names no log `{origin}`")))
    };
    replay_files(folder, identity, progress)
}

fn replay_files(
    folder: &Path,
    identity: impl Fn(&str) -> Result<LogIdentity, AppError>,
    progress: &mut (impl FnMut(&str, u64, u64) + ?Sized),
) -> Result<Vec<Replayed>, AppError> {
    let mut found = Vec::new();
    for files in LogFolder::all(folder)? {
        let note = files.note()?.unwrap_or_default();
        let log = identity(note.lines().next().unwrap_or_default())?;
        found.push((LogName::of(log.origin()), files, log));
    }
    if found.is_empty() {
        return Err(AppError::Input(format!(
            "`{}` holds no exported log: name the folder that `quietus log export` wrote",
            folder.display()
        )));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found.iter().map(|(_, files, log)| replay_one(files, log, progress)).collect()
}

fn replay_one(
    files: &LogFolder,
    log: &LogIdentity,
    progress: &mut (impl FnMut(&str, u64, u64) + ?Sized),
) -> Result<Replayed, AppError> {
    let head = files.head(log)?.ok_or_else(|| files.refuse("it has no checkpoint"))?;
    let mut replay = Replay::new([(head.size, head.root)]);
    let mut tiles = 0;
    let mut failed = None;
    let mut compare = |tile: TileId, bytes: &[u8]| {
        tiles += 1;
        match files.tile(tile, bytes.len() as u64 / 32) {
            Ok(stored) => stored.is_some_and(|stored| stored == bytes),
            Err(error) => {
                failed.get_or_insert(error);
                false
            }
        }
    };
    for index in 0..head.size.div_ceil(WIDTH) {
        let width = (head.size - index * WIDTH).min(WIDTH);
        for body in files.entries(index, width)? {
            replay.push(&body, &mut compare);
        }
        progress(log.origin(), index * WIDTH + width, head.size);
    }
    let counted = replay.finish(&mut compare);
    if let Some(error) = failed {
        return Err(error);
    }
    Ok(Replayed {
        origin: log.origin().to_owned(),
        counted,
        tiles,
        without_certificate: None,
        without_detail: None,
    })
}
