//! How the bytes of certificates are kept: in about a fortieth of what they are.
//!
//! The envelope and the bundle of a certificate hold its statement once more in base64 (RFC 4648,
//! section 4), in which nothing that repeats itself is found again. It is cut out of them and put
//! back when they are read; what is left is compressed (zlib, RFC 1950, whose checksum finds what was
//! damaged). What is read is what was written, to the byte: signatures are over these bytes.
//!
//! A compressed value begins with [`MARK`]. Everything else is as it was written: what versions
//! before this one wrote, and what is too short to gain anything.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::error::StoreError;

/// How a compressed value begins. No text of JSON begins with a zero byte.
const MARK: [u8; 4] = [0, b'q', b'c', 1];
/// What follows it: how long the value is without what was cut out, and where that was; big-endian.
const HEAD: usize = MARK.len() + 4 + 4;
/// Nothing was cut out.
const UNCUT: u32 = u32::MAX;
/// Bytes below which a value is kept as it is.
const SHORTEST: usize = 512;

/// A value as it is to be kept beside its statement; the statement itself is beside an empty one.
pub(super) fn compress(bytes: Vec<u8>, statement: &[u8]) -> Vec<u8> {
    if bytes.len() < SHORTEST && !bytes.starts_with(&MARK) {
        return bytes;
    }
    let payload = BASE64_STANDARD.encode(statement).into_bytes();
    let place = place_of(&payload, &bytes);
    let cut = place.map_or(0, |_| payload.len());
    let before = place.unwrap_or(bytes.len());
    let rest = bytes.len() - cut;
    let (Ok(length), Ok(at)) = (u32::try_from(rest), place.map_or(Ok(UNCUT), u32::try_from)) else {
        return bytes;
    };
    let mut compressed = Vec::with_capacity(HEAD + rest / 8);
    compressed.extend_from_slice(&MARK);
    compressed.extend_from_slice(&length.to_be_bytes());
    compressed.extend_from_slice(&at.to_be_bytes());
    let mut encoder = ZlibEncoder::new(compressed, Compression::fast());
    let written = encoder
        .write_all(&bytes[..before])
        .and_then(|()| encoder.write_all(&bytes[before + cut..]))
        .and_then(|()| encoder.finish());
    // Writing to memory does not fail.
    written.unwrap_or(bytes)
}

/// The value of a column that was kept beside this statement.
///
/// # Errors
/// Where it is damaged.
pub(super) fn expand(
    column: &'static str,
    kept: Vec<u8>,
    statement: &[u8],
) -> Result<Vec<u8>, StoreError> {
    expanded(kept, statement).ok_or(StoreError::Corrupt { column })
}

fn expanded(kept: Vec<u8>, statement: &[u8]) -> Option<Vec<u8>> {
    if !kept.starts_with(&MARK) {
        return Some(kept);
    }
    let number = |at: usize| Some(u32::from_be_bytes(kept.get(at..at + 4)?.try_into().ok()?));
    let (length, at) = (number(MARK.len())?, number(MARK.len() + 4)?);
    let mut bytes = Vec::with_capacity(kept.len().saturating_mul(8).min(length as usize));
    // One more than there should be is seen, and not read to its end.
    let mut rest = ZlibDecoder::new(kept.get(HEAD..)?).take(u64::from(length) + 1);
    rest.read_to_end(&mut bytes).ok()?;
    if bytes.len() != length as usize {
        return None;
    }
    if at != UNCUT {
        let (at, payload) = (at as usize, BASE64_STANDARD.encode(statement));
        if at > bytes.len() {
            return None;
        }
        bytes.splice(at..at, payload.into_bytes());
    }
    Some(bytes)
}

/// Where these bytes stand; `None` where they are not there, or there are none.
fn place_of(part: &[u8], bytes: &[u8]) -> Option<usize> {
    let first = part.first()?;
    let last = bytes.len().checked_sub(part.len())?;
    let mut starts = (0..=last).filter(|&at| bytes[at] == *first);
    starts.find(|&at| bytes[at..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statement() -> Vec<u8> {
        let system = |number: u32| {
            format!(r#"{{"system":"shop {number}","deleted":"{number}","method":"counted"}}"#)
        };
        format!("[{}]", (0..200).map(system).collect::<Vec<_>>().join(",")).into_bytes()
    }

    fn envelope(statement: &[u8]) -> Vec<u8> {
        let payload = BASE64_STANDARD.encode(statement);
        let rest = "c2ln".repeat(200);
        format!(r#"{{"payload":"{payload}","signatures":[{{"sig":"{rest}"}}]}}"#).into_bytes()
    }

    #[test]
    fn what_is_read_is_what_was_written_and_much_less_is_kept() {
        let statement = statement();
        let envelope = envelope(&statement);
        let (first, second) =
            (compress(statement.clone(), &[]), compress(envelope.clone(), &statement));
        assert!(first.len() * 8 < statement.len(), "{} of {}", first.len(), statement.len());
        assert!(second.len() * 40 < envelope.len(), "{} of {}", second.len(), envelope.len());
        assert_eq!(expanded(first, &[]), Some(statement.clone()));
        assert_eq!(expanded(second, &statement), Some(envelope));
    }

    #[test]
    fn beside_another_statement_nothing_is_cut_out() {
        let (one, other) = (statement(), b"[]".repeat(400));
        let envelope = envelope(&one);
        let kept = compress(envelope.clone(), &other);
        assert_eq!(expanded(kept.clone(), &other), Some(envelope.clone()));
        assert_eq!(expanded(kept, &one), Some(envelope));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_as_it_is() {
        let raw = envelope(&statement());
        assert_eq!(expanded(raw.clone(), &statement()), Some(raw));
        for short in [&b""[..], b"{}", &[b'x'; SHORTEST - 1]] {
            assert_eq!(compress(short.to_vec(), &[]), short);
            assert_eq!(expanded(short.to_vec(), &[]).as_deref(), Some(short));
        }
    }

    #[test]
    fn damage_is_seen() {
        let statement = statement();
        let envelope = envelope(&statement);
        let kept = compress(envelope.clone(), &statement);
        for length in 0..kept.len() {
            let torn = kept[..length].to_vec();
            // Without its mark nothing says that it is compressed, and its end holds the checksum alone.
            let read = expanded(torn.clone(), &statement);
            let harmless = read.is_none_or(|read| read == torn || read == envelope);
            assert!(harmless, "{length} bytes of it");
        }
        let beyond = [&kept[..8], &u32::MAX.wrapping_sub(1).to_be_bytes(), &kept[12..]].concat();
        assert_eq!(expanded(beyond, &statement), None);
        let mut longer = kept.clone();
        longer[7] ^= 1;
        assert_eq!(expanded(longer, &statement), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
            marked: bool,
            statement in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let start: &[u8] = if marked { &MARK } else { &[] };
            let payload = BASE64_STANDARD.encode(&statement);
            let around = [start, &bytes, payload.as_bytes(), &bytes].concat();
            for bytes in [[start, &bytes].concat(), around] {
                prop_assert_eq!(expanded(compress(bytes.clone(), &statement), &statement), Some(bytes));
            }
        }

        #[test]
        fn a_changed_byte_never_gives_other_bytes(place: prop::sample::Index, flip in 1_u8..) {
            let statement = statement();
            let envelope = envelope(&statement);
            let mut kept = compress(envelope.clone(), &statement);
            let place = place.index(kept.len());
            kept[place] ^= flip;
            let read = expanded(kept.clone(), &statement);
            // Without its mark it is taken for what an earlier version wrote, which nobody can read;
            // where the payload was cut out is looked at by whoever verifies the signature.
            let harmless = place < MARK.len() || (8..12).contains(&place);
            prop_assert!(harmless || read.is_none() || read == Some(envelope), "byte {place}");
        }
    }
}
