//! Putting back what the log had and the store has lost, from exported files.
//!
//! Everything is checked before anything is written: the files have to lead from the leaves of the
//! store to the head that was signed last, and to their own signed head. Then they are written in
//! batches, each compared with the root that was found for it while checking, so that files that
//! change in between change nothing. A crash between two batches leaves a shorter log of the same
//! leaves, and the next call goes on from there. The files may lead further than the head beside the
//! key, so that head is replaced with theirs first: otherwise a log that was filled up to the earlier
//! head would look whole after a crash, and grow on with other leaves than were signed.

use std::path::Path;

use serde_json::json;

use super::evidence_log::not_signed;
use super::keys::newest;
use super::log_folder::LogFolder;
use super::log_standing::Standing;
use super::recording::About;
use super::signed_head::SignedHead;
use super::{Actor, AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::leaf::read_leaf;
use crate::evidence::origin::{self, LogName};
use crate::evidence::tiles::{self, WIDTH};
use crate::evidence::{EvidenceKind, Frontier, merkle};
use crate::store::{Checkpoint, Head, LogState, NewLog, Refill, RefilledLeaf, ReleasedHead};

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refilled {
    /// The log that is in use now.
    pub origin: String,
    /// Leaves that were put back, in all logs.
    pub leaves: u64,
    /// How many of them still waited in the outbox of the earlier copy.
    pub waited: u64,
    /// Size of the log that is in use.
    pub size: u64,
}

/// One log that is to be filled up.
pub(super) struct Part {
    files: LogFolder,
    log: NewLog,
    /// Size in the store.
    from: u64,
    /// Size, root and note of the signed head that it is filled up to.
    target: Checkpoint,
    /// Root after each bundle of entries that is put back.
    roots: Vec<Digest>,
    /// Whether another log follows.
    ends: bool,
}

impl Quietus {
    /// Puts leaves back that the store has lost, from a folder that `export_logs` wrote. What arrived
    /// in the meantime waits in the outbox and comes after.
    ///
    /// # Errors
    /// `Input`, with nothing written, where nothing is missing, where the log has other leaves than
    /// were signed, or where the files do not lead to the head that was signed last.
    pub async fn refill_log(&self, folder: &Path, actor: &Actor) -> Result<Refilled, AppError> {
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        let Some(signed) = self.signed_head(&logs)?.filter(|_| standing.can_be_refilled()) else {
            return Err(AppError::Input(match standing {
                Standing::Sound => "the evidence log has lost nothing: there is nothing to put back".to_owned(),
                _ => "the evidence log has other entries than were signed, and nothing can be put back behind them: `quietus log succeed` closes it and opens its successor".to_owned(),
            }));
        };
        let parts = self.parts(&logs, &signed, folder).await?;
        if let Some(last) = parts.last() {
            self.remember_head(last.note()?).await?;
        }
        let (mut leaves, mut waited) = (0, 0);
        for part in parts {
            leaves += part.target.size - part.from;
            waited += self.put_back(part).await?;
        }
        let logs = self.store.logs().await?;
        if let Some(why) = self.log_standing(&logs).await?.why() {
            return Err(not_signed(&why));
        }
        let entry = self.record(
            EvidenceKind::LogRefilled,
            About::default(),
            &json!({
                "leaves": leaves,
                "released": {
                    "origin": signed.head.origin,
                    "size": signed.head.size,
                    "root": signed.head.root,
                },
                "by": actor.0,
            }),
        )?;
        self.store.record_evidence(vec![entry], self.now()).await?;
        self.advance_log().await?;
        let origin = self.log_name().await?;
        let size = self.store.head(&origin).await?.map_or(0, |head| head.size);
        Ok(Refilled { origin, leaves, waited, size })
    }

    /// Which logs are to be filled up, checked from the first leaf that is missing to the head that
    /// was signed last.
    pub(super) async fn parts(
        &self,
        logs: &[Head],
        signed: &SignedHead,
        folder: &Path,
    ) -> Result<Vec<Part>, AppError> {
        // A store that is new has none: then all of them are lacking.
        let newest = newest(logs);
        let mut heads = Vec::new();
        for files in LogFolder::all(folder)? {
            let Some(note) = files.note()? else { continue };
            let origin = note.lines().next().unwrap_or_default().to_owned();
            // Only logs that the store lacks something of; others below the folder do not matter.
            if newest.is_none_or(|newest| origin::follows(&origin, &newest.origin)) {
                let head = files.head(&self.keys.identity_among(logs, &origin)?)?;
                let Some(head) = head else { continue };
                // Whoever died after signing left the entries, and no head beside them.
                let (head, note) = match signed {
                    SignedHead { head: last, note: signed }
                        if last.origin == head.origin
                            && last.size > head.size
                            && files.reaches(last.size) =>
                    {
                        (last.clone(), signed.clone())
                    }
                    _ => (head, note),
                };
                heads.push((LogName::of(&origin), files, head, note));
            }
        }
        heads.sort_by(|one, other| one.0.cmp(&other.0));
        let short = |has: u64| {
            AppError::Input(format!(
                "`{}` does not reach the head of {} entries of `{}` that was signed last (it has {has}): name the newest export, or see `quietus log succeed`; nothing was changed",
                folder.display(),
                signed.head.size,
                signed.head.origin
            ))
        };
        let mut parts: Vec<Part> = Vec::new();
        let last = heads.len().saturating_sub(1);
        for (place, (name, files, head, note)) in heads.into_iter().enumerate() {
            let known = logs.iter().find(|log| log.origin == head.origin);
            let previous = parts.last().map(|part| ReleasedHead {
                origin: part.log.origin.clone(),
                size: part.target.size,
                root: part.target.root,
            });
            let log = NewLog {
                log_id: name.origin(),
                origin: name.origin(),
                verifier_key: Some(self.keys.identity_among(logs, &head.origin)?.key().0),
                previous,
            };
            let target = Checkpoint {
                log_id: name.origin(),
                size: head.size,
                root: head.root,
                note: note.into_bytes(),
                signed_at: self.now(),
            };
            let from = known.map_or(0, |log| log.size);
            let ends = place < last;
            let mut part = Part { files, log, from, target, roots: Vec::new(), ends };
            self.check_part(&mut part, signed).await?;
            parts.push(part);
        }
        // The signed head has to be among what the files lead to.
        let reached = parts.iter().find(|part| part.log.origin == signed.head.origin);
        match reached {
            Some(part) if part.target.size >= signed.head.size => Ok(parts),
            other => Err(short(other.map_or(0, |part| part.target.size))),
        }
    }

    /// Counts the roots of a log anew over the leaves of the store and those of the files.
    async fn check_part(&self, part: &mut Part, signed: &SignedHead) -> Result<(), AppError> {
        let mut frontier = self.frontier_of(&part.log.log_id, part.from).await?;
        let is_signed_log = part.log.origin == signed.head.origin;
        let wrong = |files: &LogFolder| {
            files.refuse("its entries do not lead from those of the store to the signed head; name the newest export, or see `quietus log succeed`")
        };
        for (index, width) in bundles(part.from, part.target.size) {
            for (place, body) in (index * WIDTH..).zip(part.files.entries(index, width)?) {
                if place >= part.from {
                    frontier.push(merkle::leaf_hash(&body), |_, _, _| ());
                }
                let here = is_signed_log && frontier.size() == signed.head.size;
                if here && place >= part.from && frontier.root() != signed.head.root {
                    return Err(wrong(&part.files));
                }
            }
            part.roots.push(frontier.root());
        }
        let ends_well = (frontier.size(), frontier.root()) == (part.target.size, part.target.root);
        if ends_well { Ok(()) } else { Err(wrong(&part.files)) }
    }

    /// What a log of the store ends with, counted from its tiles; empty where it is not there.
    async fn frontier_of(&self, log_id: &str, size: u64) -> Result<Frontier, AppError> {
        let needed = tiles::tiles_of_root(size);
        let stored = self.store.tiles(log_id, &needed).await?;
        tiles::frontier(size, |tile| stored.get(&tile).cloned())
            .map_err(|error| AppError::Evidence(error.to_string()))
    }

    /// Writes what was checked; how many entries still waited.
    async fn put_back(&self, part: Part) -> Result<u64, AppError> {
        let Part { files, log, from, target, roots, ends } = part;
        let mut waited = 0;
        let bundles: Vec<(u64, u64)> = bundles(from, target.size).collect();
        for (number, ((index, width), root)) in bundles.iter().zip(roots).enumerate() {
            let begin = from.max(index * WIDTH);
            let skip = usize::try_from(begin - index * WIDTH).unwrap_or(usize::MAX);
            let bodies = files.entries(*index, *width)?.into_iter().skip(skip);
            let leaves = bodies.map(|body| self.refilled_leaf(body)).collect();
            let ends = ends && number + 1 == bundles.len();
            let refill = Refill { log: log.clone(), from: begin, leaves, root, ends };
            waited += self.store.refill(refill, self.now()).await?;
        }
        if bundles.is_empty() && ends {
            // A crash fell between the last leaf and what follows.
            let open = self.store.head(&log.log_id).await?;
            if open.is_some_and(|log| log.state == LogState::Open) {
                self.store.close_log(&log.log_id, target.size).await?;
            }
        }
        self.store.store_checkpoint(target).await?;
        Ok(waited)
    }

    fn refilled_leaf(&self, body: Vec<u8>) -> RefilledLeaf {
        let spec = read_leaf(&body).map(|leaf| leaf.spec);
        RefilledLeaf {
            body,
            detail: spec.as_ref().map(|spec| spec.detail_sha256),
            producer: spec.map(|spec| spec.producer),
            entry_id: self.ids.new_id(),
        }
    }
}

impl Part {
    /// The log's identifier.
    pub(super) fn log_id(&self) -> &str {
        &self.log.log_id
    }

    /// The signed note of the head that it is filled up to.
    fn note(&self) -> Result<&str, AppError> {
        std::str::from_utf8(&self.target.note)
            .map_err(|_| AppError::Evidence("a checkpoint is not text".to_owned()))
    }

    /// Size in the store.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    /// Size that it is filled up to.
    pub(super) fn size(&self) -> u64 {
        self.target.size
    }

    /// The first `width` entries of a bundle of its files.
    ///
    /// # Errors
    /// Where they are not there.
    pub(super) fn entries(&self, index: u64, width: u64) -> Result<Vec<Vec<u8>>, AppError> {
        self.files.entries(index, width)
    }
}

/// The bundles of entries that hold the leaves from `from` up to `size`: number and width.
pub(super) fn bundles(from: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    super::log_export::written(from, size)
}
