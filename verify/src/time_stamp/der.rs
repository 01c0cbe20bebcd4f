//! A walk through DER (X.690): elements in their order, each with its exact bytes.
//!
//! Nothing is encoded again before a signature over it is checked, so that sets in an order that
//! DER does not have, which some authorities write, are read as they are. Lengths are definite.

use der::asn1::AnyRef;
use der::{Decode as _, Reader as _, SliceReader};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Most elements of one level that are read.
const ELEMENTS: usize = 256;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, with elements inside.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[3]`, with elements inside.
pub(super) const CONTEXT_3: u8 = 0xa3;

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Its first byte: class, form and number.
    pub tag: u8,
    /// What it holds.
    pub value: &'a [u8],
    /// All of its bytes.
    pub whole: &'a [u8],
}

/// The elements that these bytes are made of; `None` where anything else is among them.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        if found.len() == ELEMENTS {
            return None;
        }
        let whole = reader.tlv_bytes().ok()?;
        let value = AnyRef::from_der(whole).ok()?.value();
        found.push(Element { tag: *whole.first()?, value, whole });
    }
    Some(found)
}

/// The one element that these bytes are.
pub(super) fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let found = elements(bytes)?;
    let [one] = found.as_slice() else { return None };
    Some(*one)
}

impl<'a> Element<'a> {
    /// This element, where it has this tag.
    pub(super) fn is(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    /// What a sequence, a set or a tagged element holds.
    pub(super) fn inside(self) -> Option<Vec<Element<'a>>> {
        elements(self.value)
    }

    /// A bit string of whole bytes.
    pub(super) fn bits(self) -> Option<&'a [u8]> {
        match self.is(BIT_STRING)?.value {
            [0, bytes @ ..] => Some(bytes),
            _ => None,
        }
    }

    /// A moment, of either type.
    pub(super) fn moment(self) -> Option<Timestamp> {
        let text = std::str::from_utf8(self.value).ok()?;
        match self.tag {
            UTC_TIME if text.len() == 13 => {
                let year: u16 = text.get(..2)?.parse().ok()?;
                // RFC 5280, section 4.1.2.5.1.
                let century = if year >= 50 { "19" } else { "20" };
                moment_of(&format!("{century}{text}"))
            }
            GENERALIZED_TIME => moment_of(text),
            _ => None,
        }
    }
}

/// `YYYYMMDDHHMMSS`, a fraction perhaps, and `Z`.
fn moment_of(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(14)?;
    if !whole.bytes().all(|one| one.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
    let nanoseconds = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits)
            if (1..=9).contains(&digits.len())
                && digits.bytes().all(|one| one.is_ascii_digit()) =>
        {
            format!("{digits:0<9}").parse().ok()?
        }
        _ => return None,
    };
    let civil = DateTime::new(
        whole.get(..4)?.parse().ok()?,
        number(4, 6)?,
        number(6, 8)?,
        number(8, 10)?,
        number(10, 12)?,
        number(12, 14)?,
        nanoseconds,
    )
    .ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A non-negative integer without the noughts before it.
pub(super) fn plain_integer(bytes: &[u8]) -> &[u8] {
    let noughts = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[noughts..]
}

/// One element, written.
pub(super) fn write(tag: u8, value: &[u8]) -> Vec<u8> {
    // What is written here is never longer than a request: two bytes say how long it is.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut bytes = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    bytes.extend_from_slice(value);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_both_types_with_fractions() {
        let read = |tag: u8, text: &str| {
            let whole = write(tag, text.as_bytes());
            element(&whole).expect("element").moment().map(|moment| moment.to_string())
        };
        for (text, expected) in [
            ("20261123100000Z", Some("2026-11-23T10:00:00Z")),
            ("20261123100000.5Z", Some("2026-11-23T10:00:00.5Z")),
            ("20261123100000.000000001Z", Some("2026-11-23T10:00:00.000000001Z")),
            ("20261123100000", None),
            ("20261323100000Z", None),
            ("2026112310+000Z", None),
            ("20261123100000.Z", None),
        ] {
            assert_eq!(read(GENERALIZED_TIME, text).as_deref(), expected, "{text}");
        }
        assert_eq!(read(UTC_TIME, "261123100000Z").as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!(read(UTC_TIME, "991123100000Z").as_deref(), Some("1999-11-23T10:00:00Z"));
        assert_eq!(read(UTC_TIME, "2611231000Z"), None);
    }

    #[test]
    fn what_is_no_der_is_no_element() {
        for bytes in
            [&[0x30_u8][..], &[0x30, 0x05, 0x02], &[0x30, 0x80, 0, 0], &[0x02, 0x81, 0x01, 1]]
        {
            assert_eq!(element(bytes), None, "{bytes:?}");
        }
        let long = write(OCTET_STRING, &[7; 300]);
        assert_eq!(element(&long).expect("element").value, &[7; 300]);
    }
}
