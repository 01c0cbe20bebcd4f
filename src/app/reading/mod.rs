//! Reading for people outside: certificates, rules, data map, cases, requests, holds, pauses,
//! evidence and the log, as plain facts. Changes nothing, asks no connected system, names no
//! person and no secret.

pub mod alarms;
pub mod cases;
pub mod certificates;
pub mod documents;
pub mod holds;
pub mod plans;
pub mod request_parts;
pub mod requests;
pub mod tiles;

/// Which tile of a log.
pub use crate::evidence::TileId;
/// Hashes in a full tile of the log, and entries in a full bundle.
pub use crate::evidence::tiles::WIDTH as TILE_WIDTH;

/// What is looked for under an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// Here it is.
    Here(T),
    /// It will be there soon.
    NotYet,
    /// There is no such thing.
    Missing,
}

/// Entries of a list that one answer holds at most.
pub const LONGEST_PAGE: u32 = 500;

/// How many entries to read for a page, one more than it shows so that the end is known.
fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(100).clamp(1, LONGEST_PAGE)
}

/// Cuts a list that was read with one entry too many; the identifier after which the next begins.
fn cut<T>(entries: &mut Vec<T>, size: u32, id: impl Fn(&T) -> uuid::Uuid) -> Option<uuid::Uuid> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if entries.len() <= size {
        return None;
    }
    entries.truncate(size);
    entries.last().map(id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_page_has_a_next_only_where_more_follows() {
        let ids: Vec<Uuid> = (1_u128..=3).map(Uuid::from_u128).collect();
        let mut all = ids.clone();
        assert_eq!(cut(&mut all, 3, |id| *id), None);
        assert_eq!(all.len(), 3);
        assert_eq!(cut(&mut all, 2, |id| *id), Some(ids[1]));
        assert_eq!(all, ids[..2]);
        assert_eq!(page_size(Some(0)), 1);
        assert_eq!(page_size(Some(u32::MAX)), LONGEST_PAGE);
    }
}
