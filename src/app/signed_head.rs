//! The last signed head, as a file beside the key, whichever log of the instance it is of. A store
//! that was put back to an earlier state, or rewritten, cannot have it forgotten: whoever signs
//! looks here first.
//!
//! All processes of an instance write here, and several may at once. They take turns by a lock, and
//! whoever comes with an earlier head than the one that is there leaves that one.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::AppError;
use super::evidence_log::not_signed;
use crate::evidence::note::{self, Checkpoint};
use crate::evidence::{LogIdentity, origin};

/// Name of the file in the keys folder.
const NAME: &str = "log.head";
/// How often it is tried to lock it: for five seconds, where a turn takes milliseconds.
const MOST_TRIES: u32 = 250;
/// Pause between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// Name of the file that whoever writes has locked. The other one cannot be: each head is a new file.
const LOCK: &str = "log.head.lock";

fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

fn refuse(path: &Path, error: &std::io::Error) -> AppError {
    AppError::Evidence(format!(
        "the last signed head `{}` cannot be read or written ({}): look at the folder's owner and space, whether files can be locked there, and whether a process holds `log.head.lock`",
        path.display(),
        error.kind()
    ))
}

/// A head that was signed, with the note itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedHead {
    /// What it says.
    pub(super) head: Checkpoint,
    /// The signed note, byte for byte.
    pub(super) note: String,
}

/// The head that was signed last; `None` before the first. `identity` says which key signs the log
/// of a name.
///
/// # Errors
/// Where the file cannot be read or the log's key did not sign it.
pub(super) fn read(
    folder: &Path,
    identity: impl Fn(&str) -> Result<LogIdentity, AppError>,
) -> Result<Option<SignedHead>, AppError> {
    let path = path(folder);
    let note = match std::fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(&path, &error)),
    };
    verified(&path, note, identity).map(Some)
}

fn verified(
    path: &Path,
    note: String,
    identity: impl Fn(&str) -> Result<LogIdentity, AppError>,
) -> Result<SignedHead, AppError> {
    // Which log it is of is taken from the note, and then has to be signed by that log's key.
    let origin = note.lines().next().unwrap_or_default();
    match note::verify_checkpoint(&note, &identity(origin)?) {
        Ok(head) => Ok(SignedHead { head, note }),
        Err(error) => Err(AppError::Evidence(format!(
            "the last signed head `{}` is not one of this instance's logs: {error}; restore it from your copy",
            path.display()
        ))),
    }
}

/// Keeps a signed head, and waits until it is on disk. A later one that is there already stays.
/// `identity` says which key signs the log of a name.
///
/// # Errors
/// Where the file cannot be read or written, the log's key did not sign what is there, or another
/// head of the same size is there.
pub(super) fn write(
    folder: &Path,
    note: &str,
    identity: impl Fn(&str) -> Result<LogIdentity, AppError>,
) -> Result<(), AppError> {
    let path = path(folder);
    let fault = |error: std::io::Error| refuse(&path, &error);
    let new = verified(&path, note.to_owned(), &identity)?;
    // Until the end of this function, or of the process.
    let lock = File::options().create(true).append(true).open(folder.join(LOCK)).map_err(fault)?;
    locked(&lock).map_err(fault)?;
    if let Some(there) = read(folder, &identity)?
        && stays(&there.head, &new.head)?
    {
        return Ok(());
    }
    put_in_place(folder, &path, note).map_err(fault)
}

/// Waits for its turn, but for no process that holds it and does not go on.
fn locked(lock: &File) -> std::io::Result<()> {
    for _ in 0..MOST_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// Whether the head that is there is not earlier than the new one. That of another log is not where
/// that log comes after the new one's.
fn stays(there: &Checkpoint, new: &Checkpoint) -> Result<bool, AppError> {
    if there.origin != new.origin {
        return Ok(origin::follows(&there.origin, &new.origin));
    }
    if there.size == new.size && there.root != new.root {
        let size = there.size;
        return Err(not_signed(&format!("another head of {size} entries was signed meanwhile")));
    }
    Ok(there.size >= new.size)
}

/// Written aside and moved into place, so that a crash never leaves half a head; under a name of its
/// own, because of processes that know of no lock.
fn put_in_place(folder: &Path, path: &Path, note: &str) -> std::io::Result<()> {
    let mut new = tempfile::Builder::new();
    new.prefix(".log.head-");
    // It is no secret.
    #[cfg(unix)]
    new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut aside = new.tempfile_in(folder)?;
    aside.write_all(note.as_bytes())?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|refused| refused.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::evidence::{LogKey, checkpoint};

    const ROOT: Digest = Digest([3; 32]);

    #[test]
    fn a_head_is_read_back_and_only_from_its_own_log() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::generate().unwrap();
        let log = |origin: &str| Ok(LogIdentity::new(origin, key.public()).unwrap());
        assert_eq!(read(folder.path(), log).unwrap(), None);
        for (origin, size) in [("example.com/a", 7), ("example.com/a", 9), ("example.com/b", 1)] {
            let note = checkpoint::sign(origin, size, ROOT, &key).unwrap();
            write(folder.path(), &note, log).unwrap();
            let signed = read(folder.path(), log).unwrap().unwrap();
            let head = &signed.head;
            assert_eq!((head.origin.as_str(), head.size, head.root), (origin, size, ROOT));
            assert_eq!(signed.note, note);
        }
        assert_eq!(files(folder.path()), [NAME, LOCK]);
        let other = LogKey::generate().unwrap();
        let strange = |origin: &str| Ok(LogIdentity::new(origin, other.public()).unwrap());
        assert!(read(folder.path(), strange).is_err());
        let note = checkpoint::sign("example.com/b", 2, ROOT, &other).unwrap();
        assert!(write(folder.path(), &note, log).is_err(), "no head of another key is kept");
    }

    fn files(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            names.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_later_head_stays() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::generate().unwrap();
        let log = |origin: &str| Ok(LogIdentity::new(origin, key.public()).unwrap());
        let put = |origin: &str, size: u64, root: Digest| {
            let note = checkpoint::sign(origin, size, root, &key).unwrap();
            write(folder.path(), &note, log)?;
            let there = read(folder.path(), log)?.unwrap().head;
            Ok::<_, AppError>((there.origin, there.size))
        };
        let is = |origin: &str, size: u64| (origin.to_owned(), size);
        assert_eq!(put("example.com/2026", 9, ROOT).unwrap(), is("example.com/2026", 9));
        assert_eq!(put("example.com/2026", 7, ROOT).unwrap(), is("example.com/2026", 9));
        assert_eq!(put("example.com/2026", 9, ROOT).unwrap(), is("example.com/2026", 9));
        let error = put("example.com/2026", 9, Digest([4; 32])).unwrap_err().to_string();
        assert!(error.contains("another head of 9 entries was signed meanwhile"), "{error}");
        // The log of the next year begins, and somebody comes late with the last one's end.
        assert_eq!(put("example.com/2027", 1, ROOT).unwrap(), is("example.com/2027", 1));
        assert_eq!(put("example.com/2026", 12, ROOT).unwrap(), is("example.com/2027", 1));
    }

    #[test]
    fn of_many_that_write_at_once_the_latest_stays() {
        let own = tempfile::tempdir().unwrap();
        let folder = own.path();
        let key = LogKey::generate().unwrap();
        let log = |origin: &str| Ok(LogIdentity::new(origin, key.public()).unwrap());
        for round in 0..10_u64 {
            let sizes = round * 8 + 1..=round * 8 + 8;
            std::thread::scope(|scope| {
                for size in sizes.clone().rev() {
                    let note = checkpoint::sign("example.com/2026", size, ROOT, &key).unwrap();
                    scope.spawn(move || write(folder, &note, log).unwrap());
                }
            });
            let signed = read(folder, log).unwrap().unwrap();
            assert_eq!(signed.head.size, *sizes.end());
        }
        assert_eq!(files(folder), [NAME, LOCK], "nothing is left aside");
    }
}
