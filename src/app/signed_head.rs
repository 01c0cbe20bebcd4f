//! The last signed head, as a file beside the key, whichever log of the instance it is of. A store
//! that was put back to an earlier state, or rewritten, cannot have it forgotten: whoever signs
//! looks here first.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::AppError;
use crate::evidence::LogIdentity;
use crate::evidence::note::{self, Checkpoint};

/// Name of the file in the keys folder.
const NAME: &str = "log.head";

fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

fn refuse(path: &Path, error: &std::io::Error) -> AppError {
    AppError::Evidence(format!(
        "the last signed head `{}` cannot be read or written ({}): look at the folder's owner and space",
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
    // Which log it is of is taken from the note, and then has to be signed by that log's key.
    let origin = note.lines().next().unwrap_or_default();
    match note::verify_checkpoint(&note, &identity(origin)?) {
        Ok(head) => Ok(Some(SignedHead { head, note })),
        Err(error) => Err(AppError::Evidence(format!(
            "the last signed head `{}` is not one of this instance's logs: {error}; restore it from your copy",
            path.display()
        ))),
    }
}

/// Keeps a signed head, and waits until it is on disk.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn write(folder: &Path, note: &str) -> Result<(), AppError> {
    let path = path(folder);
    let write = || {
        // Written aside and moved into place, so that a crash never leaves half a head.
        let mut aside = tempfile_in(folder)?;
        aside.1.write_all(note.as_bytes())?;
        aside.1.sync_all()?;
        std::fs::rename(&aside.0, &path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| refuse(&path, &error))
}

/// A file of this process alone, so that replicas with one folder do not write into each other's.
fn tempfile_in(folder: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let aside = folder.join(format!(".{NAME}.{}", std::process::id()));
    let file = std::fs::File::create(&aside)?;
    Ok((aside, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::evidence::{LogKey, checkpoint};

    #[test]
    fn a_head_is_read_back_and_only_from_its_own_log() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::generate().unwrap();
        let log = |origin: &str| Ok(LogIdentity::new(origin, key.public()).unwrap());
        assert_eq!(read(folder.path(), log).unwrap(), None);
        for (origin, size) in [("example.com/a", 7), ("example.com/a", 9), ("example.com/b", 1)] {
            let root = Digest([3; 32]);
            let note = checkpoint::sign(origin, size, root, &key).unwrap();
            write(folder.path(), &note).unwrap();
            let signed = read(folder.path(), log).unwrap().unwrap();
            let head = &signed.head;
            assert_eq!((head.origin.as_str(), head.size, head.root), (origin, size, root));
            assert_eq!(signed.note, note);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = LogKey::generate().unwrap();
        let strange = |origin: &str| Ok(LogIdentity::new(origin, other.public()).unwrap());
        assert!(read(folder.path(), strange).is_err());
    }
}
