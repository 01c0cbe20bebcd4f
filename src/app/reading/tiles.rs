//! The evidence log as monitors read it (C2SP tlog-tiles): its latest checkpoint, its tiles and
//! its entries, and never more than the checkpoint covers.

use crate::app::{AppError, Quietus};
use crate::evidence::TileId;
use crate::evidence::entries;
use crate::evidence::origin::{LogName, short_name};
use crate::evidence::tiles::{HEIGHT, WIDTH};
use crate::store::Checkpoint;

/// Bytes of one hash.
const HASH: usize = 32;

impl Quietus {
    /// The latest signed checkpoint of the log of this short name, such as `2026`; of the newest
    /// one without a name. `None` before the first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn published_checkpoint(
        &self,
        log: Option<&str>,
    ) -> Result<Option<Vec<u8>>, AppError> {
        Ok(self.published_head(log).await?.map(|checkpoint| checkpoint.note))
    }

    /// The first `width` hashes (1 to 256) of a tile; `None` where the latest checkpoint does not
    /// cover them.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn published_tile(
        &self,
        log: Option<&str>,
        tile: TileId,
        width: u64,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let head = self.published_head(log).await?;
        let Some(head) = head.filter(|head| covers(head.size, tile, width)) else {
            return Ok(None);
        };
        let stored = self.store.tile(&head.log_id, tile).await?;
        let length = usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(HASH);
        Ok(stored.and_then(|stored| stored.bytes.get(..length).map(<[u8]>::to_vec)))
    }

    /// The first `width` entries (1 to 256) of a bundle, each behind its length in two bytes, the
    /// higher one first; `None` where the latest checkpoint does not cover them.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn published_entries(
        &self,
        log: Option<&str>,
        index: u64,
        width: u64,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let tile = TileId { level: 0, index };
        let head = self.published_head(log).await?;
        let Some(head) = head.filter(|head| covers(head.size, tile, width)) else {
            return Ok(None);
        };
        self.entry_bundle(&head.log_id, index, width).await
    }

    /// The first `width` entries of a bundle of a log; `None` where it has fewer.
    pub(crate) async fn entry_bundle(
        &self,
        log_id: &str,
        index: u64,
        width: u64,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let limit = u32::try_from(width).unwrap_or(u32::MAX);
        let leaves = self.store.leaves(log_id, index * WIDTH, limit).await?;
        if leaves.len() as u64 != width {
            return Ok(None);
        }
        let bundle = entries::encode(leaves.iter().map(|leaf| leaf.body.as_slice()));
        let unreadable = |why: entries::EntriesError| AppError::Unreadable {
            what: "a leaf",
            why: why.to_string(),
        };
        bundle.map(Some).map_err(unreadable)
    }

    async fn published_head(&self, log: Option<&str>) -> Result<Option<Checkpoint>, AppError> {
        let mut logs = self.store.logs().await?;
        logs.retain(|one| log.is_none_or(|name| short_name(&one.origin) == name));
        logs.sort_by_key(|one| std::cmp::Reverse(LogName::of(&one.origin)));
        for log in logs {
            let latest = self.store.latest_checkpoint(&log.log_id).await?;
            if latest.is_some() {
                return Ok(latest);
            }
        }
        Ok(None)
    }
}

/// Whether a log of this size has the first `width` hashes of the tile.
fn covers(size: u64, tile: TileId, width: u64) -> bool {
    let hashes = size.checked_shr(u32::from(tile.level) * u32::from(HEIGHT)).unwrap_or(0);
    let last = tile.index.checked_mul(WIDTH).and_then(|first| first.checked_add(width));
    (1..=WIDTH).contains(&width) && last.is_some_and(|last| last <= hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_subtrees_below_the_size_are_covered() {
        let tile = |level, index| TileId { level, index };
        assert!(covers(5, tile(0, 0), 5) && !covers(5, tile(0, 0), 6));
        assert!(!covers(255, tile(1, 0), 1) && covers(256, tile(1, 0), 1));
        assert!(covers(70_000, tile(0, 273), 112) && !covers(70_000, tile(0, 273), 113));
        assert!(covers(65_536, tile(2, 0), 1) && !covers(65_536, tile(2, 0), 2));
        assert!(!covers(5, tile(0, 0), 0) && !covers(u64::MAX, tile(0, 0), 257));
        assert!(!covers(u64::MAX, tile(8, 0), 1) && !covers(u64::MAX, tile(0, u64::MAX), 256));
    }
}
