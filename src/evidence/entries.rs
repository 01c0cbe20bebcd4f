//! Entry bundles (C2SP tlog-tiles): up to 256 entries, each behind its length in two bytes, the
//! higher one first.

use super::tiles::{TileId, WIDTH};

/// Longest entry that a bundle can hold, in bytes.
pub const ENTRY_BYTES: usize = u16::MAX as usize;

/// Why bytes are no bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// An entry is longer than a bundle can say.
    #[error("an entry is longer than {ENTRY_BYTES} bytes")]
    TooLong,
    /// The bytes end within an entry.
    #[error("a bundle of entries is cut off")]
    CutOff,
    /// There are more entries, or fewer, than there should be.
    #[error("a bundle has {found} entries instead of {expected}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
}

/// Path of a bundle in the tiles API, such as `tile/entries/x001/234` or `tile/entries/000.p/5`.
pub fn path(index: u64, width: u64) -> String {
    TileId { level: 0, index }.path(width).replacen("tile/0/", "tile/entries/", 1)
}

/// Puts entries into a bundle.
///
/// # Errors
/// Where one is too long.
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, EntriesError> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| EntriesError::TooLong)?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Takes a bundle apart; it has to hold exactly `width` entries (1 to 256).
///
/// # Errors
/// Where it does not.
pub fn decode(mut bundle: &[u8], width: u64) -> Result<Vec<Vec<u8>>, EntriesError> {
    let expected = usize::try_from(width.min(WIDTH)).unwrap_or(usize::MAX);
    let mut entries = Vec::with_capacity(expected);
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk::<2>().ok_or(EntriesError::CutOff)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(EntriesError::CutOff)?;
        entries.push(entry.to_vec());
        bundle = rest;
    }
    let found = entries.len();
    if found == expected { Ok(entries) } else { Err(EntriesError::Count { found, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_survive_and_damaged_ones_are_refused() {
        let long = vec![7; ENTRY_BYTES];
        let entries: [&[u8]; 3] = [b"", b"one", &long];
        let bundle = encode(entries).expect("a bundle");
        assert_eq!(decode(&bundle, 3), Ok(entries.map(<[u8]>::to_vec).to_vec()));
        assert_eq!(decode(&bundle, 2), Err(EntriesError::Count { found: 3, expected: 2 }));
        assert_eq!(decode(&bundle[..bundle.len() - 1], 3), Err(EntriesError::CutOff));
        assert_eq!(decode(&bundle[..1], 3), Err(EntriesError::CutOff));
        let too_long = vec![7; ENTRY_BYTES + 1];
        assert_eq!(encode([too_long.as_slice()]), Err(EntriesError::TooLong));
    }

    #[test]
    fn paths_are_those_of_the_tiles_specification() {
        assert_eq!(path(1_234_067, 256), "tile/entries/x001/x234/067");
        assert_eq!(path(0, 5), "tile/entries/000.p/5");
    }
}
