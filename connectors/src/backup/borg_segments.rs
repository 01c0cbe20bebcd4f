//! Whether the files of a Borg repository keep data that has been deleted.
//!
//! Borg writes that something is deleted and leaves it where it is until the repository is
//! compacted, and no command of it tells what is left. Its own bookkeeping does (`hints.N`, where
//! `N` is the last transaction): how much of each segment is in use, and which segments have
//! something else. Those are counted here, by the headers of their entries; nothing else of them is
//! read. Format: Borg 1.1 to 1.4, "Data structures and file formats" of its documentation.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The most of the bookkeeping that is read, in bytes.
const MOST_HINTS_BYTES: u64 = 512 * 1024 * 1024;
/// What a file of entries begins with.
const MAGIC: &[u8; 8] = b"BORG_SEG";
/// Bytes of the end of a transaction, which each leaves behind: its checksum, its size, its sort.
const HEADER_BYTES: u64 = 9;
/// Bytes of the header of something that is kept: the same, and what it is known by.
const KEPT_BYTES: u64 = 41;
/// Sorts of entries: kept, deleted, end of a transaction.
const KEPT: u8 = 0;
const DELETED: u8 = 1;
const COMMITTED: u8 = 2;
/// What the list of archives is known by. Each run writes it anew; it holds no file of anybody.
const LIST_OF_ARCHIVES: [u8; 32] = [0; 32];

/// What the files of a repository keep beside what it lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Data that has been deleted.
    Deleted,
    /// Files that belong to no finished transaction, or that are none of Borg's segments.
    Unfinished,
    /// It was changed while it was looked at.
    Changed,
}

/// Looks through the files of a repository.
///
/// # Errors
/// Where they cannot be read, or are not as they should be (`InvalidData`).
pub(super) fn left_in(repository: &Path) -> io::Result<Left> {
    let (transaction, hints) = last_transaction(repository)?;
    let known = Hints::read(&hints)?;
    let mut segments = BTreeMap::new();
    for path in files_of(&repository.join("data"))? {
        let number = path.file_name().and_then(number);
        let is_known = |number: &u64| known.in_use.contains_key(number) && *number <= transaction;
        let Some(number) = number.filter(is_known) else {
            return still(repository, transaction, Left::Unfinished);
        };
        segments.insert(number, path);
    }
    for (number, freeable) in &known.freeable {
        let Some(path) = segments.get(number).filter(|_| *freeable > HEADER_BYTES) else {
            continue;
        };
        let entries = match Entries::count(path) {
            // Compacted since.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Left::Changed),
            entries => entries?,
        };
        // Of several lists of archives in one segment the last can be in use.
        let kept = entries.data + u64::from(entries.lists > 0);
        let in_use = known.in_use.get(number).copied().unwrap_or_default();
        if entries.data > 0 && kept > in_use {
            return still(repository, transaction, Left::Deleted);
        }
    }
    still(repository, transaction, Left::Nothing)
}

/// What was found, if the repository is as it was.
fn still(repository: &Path, transaction: u64, left: Left) -> io::Result<Left> {
    let (now, _) = last_transaction(repository)?;
    Ok(if now == transaction { left } else { Left::Changed })
}

/// The last transaction, and the file that says what it left.
fn last_transaction(repository: &Path) -> io::Result<(u64, PathBuf)> {
    let mut last = None;
    for entry in fs::read_dir(repository)? {
        let path = entry?.path();
        let is_hints = path.file_stem() == Some(OsStr::new("hints"));
        let number = path.extension().filter(|_| is_hints).and_then(number);
        last = last.max(number.map(|number| (number, path)));
    }
    last.ok_or_else(|| odd("it has no transaction"))
}

/// All files two folders below.
fn files_of(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in fs::read_dir(data)? {
        for file in fs::read_dir(folder?.path())? {
            files.push(file?.path());
        }
    }
    Ok(files)
}

fn number(name: &OsStr) -> Option<u64> {
    name.to_str()?.parse().ok()
}

fn odd(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// How many entries of a segment hold something, whether it is in use or not.
#[derive(Default)]
struct Entries {
    data: u64,
    lists: u64,
}

impl Entries {
    fn count(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        let mut left = fs::metadata(path)?.len();
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(odd("a segment does not begin as it should"));
        }
        left = left.saturating_sub(magic.len() as u64);
        let mut entries = Self::default();
        while left > 0 {
            let mut header = [0; 9];
            file.read_exact(&mut header)?;
            let [_, _, _, _, a, b, c, d, sort] = header;
            let size = u64::from(u32::from_le_bytes([a, b, c, d]));
            let least = if sort == COMMITTED { HEADER_BYTES } else { KEPT_BYTES };
            if sort > COMMITTED || size < least || size > left {
                return Err(odd("an entry of a segment is not as it should be"));
            }
            let mut known_by = [0; 32];
            if matches!(sort, KEPT | DELETED) {
                file.read_exact(&mut known_by)?;
            }
            if sort == KEPT && known_by == LIST_OF_ARCHIVES {
                entries.lists += 1;
            } else if sort == KEPT {
                entries.data += 1;
            }
            let rest = i64::try_from(size - least).map_err(|_| odd("an entry is too large"))?;
            file.seek_relative(rest)?;
            left -= size;
        }
        Ok(entries)
    }
}

/// What Borg has written down of its segments.
struct Hints {
    /// How many entries of each are in use.
    in_use: BTreeMap<u64, u64>,
    /// How many bytes of each are not.
    freeable: BTreeMap<u64, u64>,
}

impl Hints {
    fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_HINTS_BYTES).read_to_end(&mut bytes)?;
        Self::parse(&bytes).ok_or_else(|| odd("its bookkeeping cannot be understood"))
    }

    /// `None` where it is of another version, or something else.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut packed = Packed(bytes);
        let (mut in_use, mut freeable, mut version) = (None, None, None);
        for _ in 0..packed.map()? {
            match packed.text()? {
                b"version" => version = Some(packed.number()?),
                b"segments" => in_use = Some(packed.numbers()?),
                b"compact" => freeable = Some(packed.numbers()?),
                // What comes after these is of no use here.
                _ => break,
            }
        }
        version.filter(|version| *version == 2)?;
        Some(Self { in_use: in_use?, freeable: freeable? })
    }
}

/// What is left to read of values in `MessagePack`.
struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes, the greatest first.
    fn wide(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    fn number(&mut self) -> Option<u64> {
        match self.wide(1)? {
            small @ 0..=0x7f => Some(small),
            0xcc => self.wide(1),
            0xcd => self.wide(2),
            0xce => self.wide(4),
            0xcf => self.wide(8),
            _ => None,
        }
    }

    /// How many pairs follow.
    fn map(&mut self) -> Option<u64> {
        match self.wide(1)? {
            small @ 0x80..=0x8f => Some(small & 0x0f),
            0xde => self.wide(2),
            0xdf => self.wide(4),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = match self.wide(1)? {
            small @ 0xa0..=0xbf => small & 0x1f,
            0xc4 | 0xd9 => self.wide(1)?,
            0xc5 | 0xda => self.wide(2)?,
            0xc6 | 0xdb => self.wide(4)?,
            _ => return None,
        };
        self.take(usize::try_from(bytes).ok()?)
    }

    fn numbers(&mut self) -> Option<BTreeMap<u64, u64>> {
        let mut numbers = BTreeMap::new();
        for _ in 0..self.map()? {
            numbers.insert(self.number()?, self.number()?);
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{version: 2, segments: {2: 4, 300: 0}, compact: {300: 70000}, storage_quota_use: 1}`.
    const HINTS: &[u8] = b"\x84\xa7version\x02\xa8segments\x82\x02\x04\xcd\x01\x2c\x00\
        \xa7compact\x81\xcd\x01\x2c\xce\x00\x01\x11\x70\xb1storage_quota_use\x01";

    #[test]
    fn bookkeeping_is_read_and_nothing_else_is_taken_for_it() {
        let hints = Hints::parse(HINTS).unwrap();
        assert_eq!(hints.in_use, BTreeMap::from([(2, 4), (300, 0)]));
        assert_eq!(hints.freeable, BTreeMap::from([(300, 70_000)]));
        let mut other = HINTS.to_vec();
        other[9] = 1;
        assert!(Hints::parse(&other).is_none(), "of another version");
        for end in 0..43 {
            assert!(Hints::parse(&HINTS[..end]).is_none(), "{end}");
        }
        for odd in [&b""[..], b"\x80", b"\xc0", b"\x81\xa7version\xff", b"{}"] {
            assert!(Hints::parse(odd).is_none(), "{odd:?}");
        }
    }

    /// A repository with one transaction, whose only segment has these entries.
    fn repository(in_use: u8, freeable: u8, entries: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("data/0")).unwrap();
        fs::write(folder.path().join("data/0/7"), [MAGIC, entries].concat()).unwrap();
        let mut hints = b"\x83\xa7version\x02\xa8segments\x81\x07".to_vec();
        hints.extend([in_use]);
        hints.extend(b"\xa7compact\x81\x07");
        hints.extend([freeable]);
        fs::write(folder.path().join("hints.7"), hints).unwrap();
        folder
    }

    fn entry(sort: u8, known_by: u8, more: u8) -> Vec<u8> {
        let size = if sort == COMMITTED { 9 } else { 41 + more };
        let mut entry = vec![1, 2, 3, 4, size, 0, 0, 0, sort];
        if sort != COMMITTED {
            entry.extend([known_by; 32]);
            entry.resize(usize::from(size), 5);
        }
        entry
    }

    #[test]
    fn what_is_deleted_and_lies_there_is_told_from_old_lists_of_archives() {
        let data = [entry(KEPT, 1, 3), entry(KEPT, 2, 0), entry(COMMITTED, 0, 0)].concat();
        let lists = [entry(KEPT, 0, 9), entry(DELETED, 0, 0), entry(DELETED, 1, 0)].concat();
        let both = [&*data, &*lists].concat();
        for (in_use, freeable, entries, left) in [
            (2, 9, &data, Left::Nothing),
            (1, 50, &data, Left::Deleted),
            (0, 100, &data, Left::Deleted),
            (0, 120, &lists, Left::Nothing),
            (3, 100, &both, Left::Nothing),
            // One of the two, or the list: nobody knows.
            (2, 100, &both, Left::Deleted),
        ] {
            let folder = repository(in_use, freeable, entries);
            assert_eq!(left_in(folder.path()).unwrap(), left, "{in_use} {freeable}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_never_nothing() {
        let data = [entry(KEPT, 1, 3), entry(KEPT, 2, 0)].concat();
        for name in ["data/0/8", "data/0/7.beforerecover", "data/0/6"] {
            let folder = repository(2, 9, &data);
            fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(left_in(folder.path()).unwrap(), Left::Unfinished, "{name}");
        }
        let unknown = entry(3, 1, 3);
        for odd in [&data[..50], &[], &unknown] {
            let folder = repository(1, 50, odd);
            let path = folder.path().join("data/0/7");
            if odd.is_empty() {
                fs::write(&path, "").unwrap();
            }
            assert!(left_in(folder.path()).is_err(), "{odd:?}");
        }
        let folder = repository(2, 9, &data);
        fs::remove_file(folder.path().join("hints.7")).unwrap();
        assert!(left_in(folder.path()).is_err());
        assert!(left_in(&folder.path().join("nowhere")).is_err());
    }
}
