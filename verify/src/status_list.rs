//! Status lists: what became of certificates after they were issued.
//!
//! A certificate is never changed, so whether it still speaks for the present is said elsewhere: in
//! a list of two bits a certificate, which the issuer signs and logs anew each day and at every
//! change. It has the form of a certificate (in-toto, DSSE, Sigstore bundle), so that the same
//! foreign tools check it; the bits are those of the W3C *Bitstring Status List* v1.0: gzip of at
//! least 131,072 entries, the first one left-most, base64url with the letter `u` before it. Whoever
//! fetches a list does not say which certificate is meant, and the list names none.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::certificate::{STATEMENT_TYPE, Subject, SubjectDigest};
use crate::digest::Digest;
use crate::statement::Count;

/// Type of the predicate.
pub const STATUS_PREDICATE_TYPE: &str = "https://quietus.dev/certificate-status-list/v1";

/// Name of the subject: the compressed bits.
pub const STATUS_SUBJECT: &str = "status-list.gz";

/// Type of an entry on certificates, after the W3C.
pub const ENTRY_TYPE: &str = "BitstringStatusListEntry";

/// Entries of a list: the fewest that the W3C allows, so that an index says little.
pub const ENTRIES: u32 = 131_072;

/// Bits an entry.
const BITS: u32 = 2;

/// Bytes of all entries.
const LIST_BYTES: usize = (ENTRIES * BITS / 8) as usize;

/// What became of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateStatus {
    /// Nothing: it still is the last word.
    Current,
    /// A later certificate takes its place.
    Superseded,
    /// It was issued in error.
    Withdrawn,
    /// Somebody contests it, and it is looked into.
    Disputed,
}

impl CertificateStatus {
    /// Each of them, in the order of their bits.
    pub const ALL: [Self; 4] = [Self::Current, Self::Superseded, Self::Withdrawn, Self::Disputed];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Disputed => "disputed",
        }
    }

    fn bits(self) -> u8 {
        match self {
            Self::Current => 0,
            Self::Superseded => 1,
            Self::Withdrawn => 2,
            Self::Disputed => 3,
        }
    }
}

/// Where a certificate's status is published; stands on the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusEntry {
    /// Always [`ENTRY_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the list.
    pub list: String,
    /// Number of the entry, drawn at random.
    pub index: Count,
    /// Always `message`: two bits that have names.
    pub purpose: String,
}

impl StatusEntry {
    /// An entry of a list.
    pub fn new(list: String, index: u32) -> Self {
        Self {
            kind: ENTRY_TYPE.to_owned(),
            list,
            index: Count(u64::from(index)),
            purpose: "message".to_owned(),
        }
    }
}

/// The bits of all entries.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusBits(Vec<u8>);

impl Default for StatusBits {
    fn default() -> Self {
        Self(vec![0; LIST_BYTES])
    }
}

impl std::fmt::Debug for StatusBits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "StatusBits({})", Digest::of(&self.0).short())
    }
}

impl StatusBits {
    /// Where an entry stands: its byte, and how far from the right in it.
    fn place(index: u64) -> Option<(usize, u32)> {
        let index = u32::try_from(index).ok().filter(|index| *index < ENTRIES)?;
        let bit = index * BITS;
        Some((usize::try_from(bit / 8).ok()?, 8 - BITS - bit % 8))
    }

    /// What an entry says; `None` beyond the end of the list.
    pub fn get(&self, index: u64) -> Option<CertificateStatus> {
        let (byte, shift) = Self::place(index)?;
        let bits = (self.0.get(byte)? >> shift) & 3;
        CertificateStatus::ALL.into_iter().find(|status| status.bits() == bits)
    }

    /// Sets an entry; one beyond the end of the list is left out.
    pub fn set(&mut self, index: u64, status: CertificateStatus) {
        if let Some((byte, shift)) = Self::place(index)
            && let Some(byte) = self.0.get_mut(byte)
        {
            *byte = (*byte & !(3 << shift)) | (status.bits() << shift);
        }
    }

    /// The bits, compressed.
    pub fn compressed(&self) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Memory takes everything.
        encoder.write_all(&self.0).unwrap_or_default();
        encoder.finish().unwrap_or_default()
    }

    /// Reads compressed bits; `None` where they are none, or not those of a whole list.
    pub fn from_compressed(bytes: &[u8]) -> Option<Self> {
        let most = u64::try_from(LIST_BYTES).ok()?.saturating_add(1);
        let mut bits = Vec::new();
        GzDecoder::new(bytes).take(most).read_to_end(&mut bits).ok()?;
        (bits.len() == LIST_BYTES).then_some(Self(bits))
    }
}

/// What a pair of bits means; stands in the list, so that others can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusMessage {
    status: String,
    message: CertificateStatus,
}

fn messages() -> Vec<StatusMessage> {
    let message = |status: CertificateStatus| StatusMessage {
        status: format!("{:#x}", status.bits()),
        message: status,
    };
    CertificateStatus::ALL.into_iter().map(message).collect()
}

/// A list as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    /// Its name, as certificates name it.
    pub list: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Until when nobody has to ask for a newer one.
    pub valid_until: Timestamp,
    /// What it says.
    pub bits: StatusBits,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: WirePredicate,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WirePredicate {
    list: String,
    issued_at: Timestamp,
    valid_until: Timestamp,
    status_purpose: String,
    status_size: u32,
    status_messages: Vec<StatusMessage>,
    encoded_list: String,
}

impl StatusList {
    /// The bytes that are signed; `None` where a value cannot be written canonically.
    pub fn to_statement(&self) -> Option<Vec<u8>> {
        let compressed = self.bits.compressed();
        canonical::to_bytes(&Wire {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: STATUS_SUBJECT.to_owned(),
                digest: SubjectDigest { sha256: Digest::of(&compressed) },
            }],
            predicate_type: STATUS_PREDICATE_TYPE.to_owned(),
            predicate: WirePredicate {
                list: self.list.clone(),
                issued_at: self.issued_at,
                valid_until: self.valid_until,
                status_purpose: "message".to_owned(),
                status_size: BITS,
                status_messages: messages(),
                encoded_list: format!("u{}", URL_SAFE_NO_PAD.encode(&compressed)),
            },
        })
    }

    /// Reads the bytes that were signed.
    ///
    /// # Errors
    /// A sentence without its first capital where they are no status list.
    pub fn from_statement(bytes: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|_| "what the issuer signed is no status list".to_owned())?;
        let predicate = wire.predicate;
        if wire.statement_type != STATEMENT_TYPE || wire.predicate_type != STATUS_PREDICATE_TYPE {
            return Err("what the issuer signed is another kind of statement".to_owned());
        }
        if (predicate.status_size, predicate.status_messages) != (BITS, messages()) {
            return Err("its bits have other meanings than the four that are known".to_owned());
        }
        let compressed = predicate
            .encoded_list
            .strip_prefix('u')
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .ok_or("its bits are not base64url")?;
        let names_them = wire.subject.len() == 1
            && wire.subject.iter().all(|one| {
                one.name == STATUS_SUBJECT && one.digest.sha256 == Digest::of(&compressed)
            });
        if !names_them {
            return Err("its subject is not the digest of its bits".to_owned());
        }
        let bits = StatusBits::from_compressed(&compressed)
            .ok_or("its bits are not those of a whole list")?;
        Ok(Self {
            list: predicate.list,
            issued_at: predicate.issued_at,
            valid_until: predicate.valid_until,
            bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> StatusList {
        let mut bits = StatusBits::default();
        bits.set(0, CertificateStatus::Superseded);
        bits.set(5, CertificateStatus::Withdrawn);
        bits.set(u64::from(ENTRIES) - 1, CertificateStatus::Disputed);
        StatusList {
            list: "example.com/evidence/2026/status/1".to_owned(),
            issued_at: "2026-11-29T00:00:00Z".parse().expect("moment"),
            valid_until: "2026-12-01T00:00:00Z".parse().expect("moment"),
            bits,
        }
    }

    #[test]
    fn bits_stand_from_the_left_as_the_w3c_has_them() {
        let list = list();
        assert_eq!(list.bits.0[0], 0b0100_0000);
        assert_eq!(list.bits.0[1], 0b0010_0000);
        assert_eq!(list.bits.0[LIST_BYTES - 1], 0b0000_0011);
        let expected = |index: u64| match index {
            0 => CertificateStatus::Superseded,
            5 => CertificateStatus::Withdrawn,
            131_071 => CertificateStatus::Disputed,
            _ => CertificateStatus::Current,
        };
        for index in 0..u64::from(ENTRIES) {
            assert_eq!(list.bits.get(index), Some(expected(index)), "{index}");
        }
        assert_eq!(list.bits.get(u64::from(ENTRIES)), None);
        assert_eq!(list.bits.get(u64::MAX), None);
    }

    #[test]
    fn an_entry_can_be_set_anew_and_leaves_its_neighbours() {
        let mut bits = StatusBits::default();
        for status in CertificateStatus::ALL {
            bits.set(8, CertificateStatus::Withdrawn);
            bits.set(9, status);
            bits.set(10, CertificateStatus::Superseded);
            assert_eq!(bits.get(8), Some(CertificateStatus::Withdrawn));
            assert_eq!(bits.get(9), Some(status));
            assert_eq!(bits.get(10), Some(CertificateStatus::Superseded));
        }
        let before = bits.clone();
        bits.set(u64::from(ENTRIES), CertificateStatus::Disputed);
        assert_eq!(bits, before);
    }

    #[test]
    fn a_list_survives_and_takes_little_room() {
        let list = list();
        let signed = list.to_statement().expect("bytes");
        assert!(signed.len() < 2_000, "{}", signed.len());
        assert_eq!(StatusList::from_statement(&signed), Ok(list));
    }

    #[test]
    fn bits_that_are_not_a_whole_list_are_refused() {
        let squeezed = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).expect("memory");
            encoder.finish().expect("memory")
        };
        assert!(StatusBits::from_compressed(&squeezed(&vec![0; LIST_BYTES])).is_some());
        for length in [0, LIST_BYTES - 1, LIST_BYTES + 1, 50_000_000] {
            assert!(StatusBits::from_compressed(&squeezed(&vec![0; length])).is_none());
        }
        assert!(StatusBits::from_compressed(b"nonsense").is_none());
        let mut cut = squeezed(&vec![0; LIST_BYTES]);
        cut.truncate(cut.len() - 9);
        assert!(StatusBits::from_compressed(&cut).is_none());
    }

    #[test]
    fn another_meaning_of_the_bits_is_not_read_as_ours() {
        let text = String::from_utf8(list().to_statement().expect("bytes")).expect("text");
        for (from, to) in [
            ("\"withdrawn\"", "\"current\""),
            ("\"statusSize\":2", "\"statusSize\":1"),
            ("certificate-status-list/v1", "erasure-certificate/v1"),
            ("\"encodedList\":\"u", "\"encodedList\":\"z"),
            ("status-list.gz", "other.gz"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(StatusList::from_statement(changed.as_bytes()).is_err(), "{from}");
        }
    }
}
