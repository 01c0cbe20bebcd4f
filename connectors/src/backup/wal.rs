//! Archives of PostgreSQL's write-ahead log: from which moment on they go, as far as the backups
//! beside them prove it.
//!
//! Taking a backup begins with a new segment. What begins with that segment, or with a later one of
//! the same timeline, was written after the backup began. Nothing else that stores list dates a
//! segment's beginning.

use jiff::Timestamp;

/// Characters of a segment's name: timeline, log and segment in hexadecimal.
const NAME_CHARACTERS: usize = 24;
/// Of these, the timeline's.
const TIMELINE_CHARACTERS: usize = 8;

/// A segment that belongs to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    timeline: &'a str,
    place: &'a str,
}

impl<'a> Segment<'a> {
    /// Reads a name; what is no segment (a history, the label of a backup) has none.
    pub(super) fn parse(name: &'a str) -> Option<Self> {
        let digits = |one: char| one.is_ascii_digit() || ('A'..='F').contains(&one);
        let is_one = name.len() == NAME_CHARACTERS && name.chars().all(digits);
        is_one.then(|| {
            let (timeline, place) = name.split_at(TIMELINE_CHARACTERS);
            Self { timeline, place }
        })
    }
}

/// A backup that proves from when on a segment was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning<'a> {
    /// Its first segment.
    pub segment: &'a str,
    /// When it began.
    pub at: Timestamp,
}

/// What was gone before this moment is not in an archive from its first to its last segment; `None`
/// where no backup proves a moment, or where the archive spans timelines, of which one may begin
/// further back than the names say.
pub(super) fn holds_from(
    first: &str,
    last: &str,
    beginnings: &[Beginning<'_>],
) -> Option<Timestamp> {
    let (first, last) = (Segment::parse(first)?, Segment::parse(last)?);
    if first.timeline != last.timeline {
        return None;
    }
    let earlier = |begun: &&Beginning<'_>| {
        Segment::parse(begun.segment)
            .is_some_and(|it| it.timeline == first.timeline && it.place <= first.place)
    };
    beginnings.iter().filter(earlier).map(|begun| begun.at).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn only_a_backup_proves_from_when_on() {
        let names = ["000000010000000000000005", "000000010000000000000009"];
        let beginnings = [
            Beginning { segment: names[0], at: at(100) },
            Beginning { segment: names[1], at: at(200) },
        ];
        let from = |first: &str, last: &str| holds_from(first, last, &beginnings);
        assert_eq!(from(names[0], names[1]), Some(at(100)));
        assert_eq!(from("000000010000000000000006", names[1]), Some(at(100)));
        assert_eq!(from(names[1], "0000000100000001000000FF"), Some(at(200)));
        // Older than the first backup, on another timeline, across timelines, or no segment.
        assert_eq!(from("000000010000000000000004", names[1]), None);
        assert_eq!(from("000000020000000000000009", "000000020000000000000009"), None);
        assert_eq!(from(names[0], "00000002000000000000000A"), None);
        assert_eq!(from("00000001.history", names[1]), None);
        assert_eq!(holds_from(names[0], names[1], &[]), None);
    }
}
