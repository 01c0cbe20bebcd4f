//! Writing the published logs as static files into a folder or a bucket, which any web server can serve to monitors and from
//! which lost leaves can be put back.
//!
//! Only what a checkpoint covers is written, and the checkpoint last: whoever reads the files in
//! between finds all that the checkpoint of before covers. Where several processes export into one
//! place, none of them puts an older checkpoint over a newer one, as far as the store of objects compares
//! and writes in one step; elsewhere the moment between the last look and the writing is left.

use super::log_files::{HeadThere, LogFiles};
use super::{AppError, Quietus};
use crate::config::ExportPlace;
use crate::domain::Digest;
use crate::evidence::entries;
use crate::evidence::note::Checkpoint as SignedHead;
use crate::evidence::tiles::{self, HEIGHT, WIDTH};
use crate::evidence::{TileId, merkle};
use crate::store::{Checkpoint, Head};

/// How often a head is looked at and written where others do the same at the same moment.
const ATTEMPTS: u32 = 5;

/// What was written of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedLog {
    /// Its name.
    pub origin: String,
    /// Where it is now, for people.
    pub place: String,
    /// Leaves that were there before.
    pub before: u64,
    /// Leaves that are there now.
    pub size: u64,
}

impl Quietus {
    /// Writes all published logs below a place, each into a folder of its own. What is there
    /// already is not written again.
    ///
    /// # Errors
    /// Where the store is not there, the place cannot be written, or it holds another log or more
    /// of this one than the store does.
    pub async fn export_logs(&self, place: &ExportPlace) -> Result<Vec<ExportedLog>, AppError> {
        let place = self.log_place(place)?;
        let mut exported = Vec::new();
        for log in self.store.logs().await? {
            exported.extend(self.export_log(&log, &place.of(&log.origin)).await?);
        }
        Ok(exported)
    }

    /// Writes the entries and tiles of a log before its head is signed, so that whatever is signed can
    /// be put back from there. What is in the way there must not keep certificates waiting.
    pub(super) async fn export_ahead(&self, log: &Head, place: &ExportPlace) {
        let write = async {
            let place = self.log_place(place)?;
            let files = place.of(&log.origin);
            let there = files.head(&self.keys.identity_of(log)?).await?.head;
            let before = there.map_or(0, |there| there.size);
            if before < log.size {
                self.write_entries(log, (before, log.size), &files).await?;
                self.write_hashes(log, (before, log.size), &files).await?;
            }
            Ok::<(), AppError>(())
        };
        if let Err(error) = write.await {
            tracing::error!(%error, "the evidence log could not be written beside the re-erasure list");
        }
    }

    /// Writes one log; `None` where no head of it is published. Other processes may do the same: the
    /// head that is there is replaced only where it still is the one that was looked at.
    async fn export_log(
        &self,
        log: &Head,
        files: &LogFiles<'_>,
    ) -> Result<Option<ExportedLog>, AppError> {
        let identity = self.keys.identity_of(log)?;
        for _ in 0..ATTEMPTS {
            let HeadThere { head: there, seen } = files.head(&identity).await?;
            // Read after what is there: whoever wrote that had read it here.
            let Some(latest) = self.store.latest_checkpoint(&log.log_id).await? else {
                return Ok(None);
            };
            let before = self.exported_before(log, &latest, there.as_ref(), files).await?;
            if before < latest.size {
                self.write_entries(log, (before, latest.size), files).await?;
                self.write_hashes(log, (before, latest.size), files).await?;
            }
            let is_there = there.is_some() && before == latest.size;
            if is_there || files.write_note(&latest.note, &seen).await? {
                return Ok(Some(ExportedLog {
                    origin: log.origin.clone(),
                    place: files.place(),
                    before,
                    size: latest.size,
                }));
            }
        }
        Err(AppError::Input(format!(
            "others write the head of `{}` at this moment: try again",
            files.place()
        )))
    }

    /// How many leaves a place has already, which have to be those of the store.
    async fn exported_before(
        &self,
        log: &Head,
        latest: &Checkpoint,
        there: Option<&SignedHead>,
        files: &LogFiles<'_>,
    ) -> Result<u64, AppError> {
        let Some(there) = there else { return Ok(0) };
        if there.size > latest.size {
            return Err(AppError::Input(format!(
                "`{}` has {} entries and the store only {}: the store may be an older copy; see `quietus log status`",
                files.place(),
                there.size,
                latest.size
            )));
        }
        if self.root_at(log, there.size).await? == Some(there.root) {
            Ok(there.size)
        } else {
            Err(files.refuse("its entries are not those of the store"))
        }
    }

    /// Writes the bundles of entries, after a look at whether the tiles are theirs.
    async fn write_entries(
        &self,
        log: &Head,
        (before, size): (u64, u64),
        files: &LogFiles<'_>,
    ) -> Result<(), AppError> {
        for (index, width) in written(before, size) {
            let damaged = || AppError::Unreadable {
                what: "the evidence log",
                why: format!("bundle {index} of its entries is not what its tile says"),
            };
            let bundle = self.entry_bundle(&log.log_id, index, width).await?.ok_or_else(damaged)?;
            let tile = self.store.tile(&log.log_id, TileId { level: 0, index }).await?;
            let tile = tile.ok_or_else(damaged)?.bytes;
            let bodies = entries::decode(&bundle, width).map_err(|_| damaged())?;
            let hashes: Vec<Digest> = bodies.iter().map(|body| merkle::leaf_hash(body)).collect();
            let same = tile.chunks(32).zip(&hashes).all(|(stored, hash)| stored == hash.0);
            if !same || tile.len() < hashes.len() * 32 {
                return Err(damaged());
            }
            files.write(&entries::path(index, width), &bundle).await?;
            if width == WIDTH {
                files.drop_partials(&entries::path(index, WIDTH));
            }
        }
        Ok(())
    }

    async fn write_hashes(
        &self,
        log: &Head,
        (before, size): (u64, u64),
        files: &LogFiles<'_>,
    ) -> Result<(), AppError> {
        let (mut level, mut old, mut new) = (0_u8, before, size);
        while new > 0 {
            for (index, width) in written(old, new) {
                let tile = TileId { level, index };
                let missing = || AppError::Unreadable {
                    what: "the evidence log",
                    why: format!("`{}` is missing", tile.path(width)),
                };
                let stored = self.store.tile(&log.log_id, tile).await?.ok_or_else(missing)?;
                let length = usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(32);
                let bytes = stored.bytes.get(..length).ok_or_else(missing)?;
                files.write(&tile.path(width), bytes).await?;
                if width == WIDTH {
                    files.drop_partials(&tile.path(WIDTH));
                }
            }
            level += 1;
            old >>= HEIGHT;
            new >>= HEIGHT;
        }
        Ok(())
    }
}

/// The tiles of one level that a log that grew from `before` to `size` hashes has anew: number and
/// width.
pub(super) fn written(before: u64, size: u64) -> impl Iterator<Item = (u64, u64)> {
    let first = before / tiles::WIDTH;
    let last = size.div_ceil(WIDTH);
    (first..last)
        .map(move |index| (index, (size - index * WIDTH).min(WIDTH)))
        .filter(move |(index, width)| index * WIDTH + width > before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_written() {
        let all = |before, size| written(before, size).collect::<Vec<_>>();
        assert_eq!(all(0, 5), [(0, 5)]);
        assert_eq!(all(5, 5), []);
        assert_eq!(all(5, 256), [(0, 256)]);
        assert_eq!(all(256, 256), []);
        assert_eq!(all(256, 257), [(1, 1)]);
        assert_eq!(all(200, 600), [(0, 256), (1, 256), (2, 88)]);
        assert_eq!(all(0, 0), []);
    }
}
