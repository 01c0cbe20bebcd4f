//! The evidence log as monitors read it (C2SP tlog-tiles): its latest checkpoint, its tiles and
//! its entries, and never more than the checkpoint covers.

use crate::app::{AppError, Quietus};
use crate::evidence::TileId;
use crate::evidence::tiles::{HEIGHT, WIDTH};

/// Bytes of one hash.
const HASH: usize = 32;

impl Quietus {
    /// The latest signed checkpoint; `None` before the first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn published_checkpoint(&self) -> Result<Option<Vec<u8>>, AppError> {
        let latest = self.store.latest_checkpoint(&self.keys.log_id).await?;
        Ok(latest.map(|checkpoint| checkpoint.note))
    }

    /// The first `width` hashes (1 to 256) of a tile; `None` where the latest checkpoint does not
    /// cover them.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn published_tile(
        &self,
        level: u8,
        index: u64,
        width: u64,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let tile = TileId { level, index };
        if !self.is_published(tile, width).await? {
            return Ok(None);
        }
        let stored = self.store.tile(&self.keys.log_id, tile).await?;
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
        index: u64,
        width: u64,
    ) -> Result<Option<Vec<u8>>, AppError> {
        if !self.is_published(TileId { level: 0, index }, width).await? {
            return Ok(None);
        }
        let limit = u32::try_from(width).unwrap_or(u32::MAX);
        let leaves = self.store.leaves(&self.keys.log_id, index * WIDTH, limit).await?;
        if leaves.len() as u64 != width {
            return Ok(None);
        }
        let mut bundle = Vec::new();
        for leaf in leaves {
            let length = u16::try_from(leaf.body.len()).map_err(|_| AppError::Unreadable {
                what: "a leaf",
                why: "it is longer than 65535 bytes".to_owned(),
            })?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&leaf.body);
        }
        Ok(Some(bundle))
    }

    async fn is_published(&self, tile: TileId, width: u64) -> Result<bool, AppError> {
        let latest = self.store.latest_checkpoint(&self.keys.log_id).await?;
        let size = latest.map_or(0, |checkpoint| checkpoint.size);
        Ok(covers(size, tile, width))
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
