//! The last signed head of the log, as a file beside the key. A store that was put back to an
//! earlier state, or rewritten, cannot have it forgotten: whoever signs looks here first.

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

/// The head that was signed last; `None` before the first.
///
/// # Errors
/// Where the file cannot be read or this log's key did not sign it.
pub(super) fn read(folder: &Path, log: &LogIdentity) -> Result<Option<Checkpoint>, AppError> {
    let path = path(folder);
    let note = match std::fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(&path, &error)),
    };
    note::verify_checkpoint(&note, log).map(Some).map_err(|error| {
        AppError::Evidence(format!(
            "the last signed head `{}` is not one of this log: {error}; restore it from your copy",
            path.display()
        ))
    })
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
        let log = LogIdentity::new("example.com/a", key.public()).unwrap();
        assert_eq!(read(folder.path(), &log).unwrap(), None);
        for size in [7, 9] {
            let root = Digest([3; 32]);
            let note = checkpoint::sign("example.com/a", size, root, &key).unwrap();
            write(folder.path(), &note).unwrap();
            let head = read(folder.path(), &log).unwrap().unwrap();
            assert_eq!((head.size, head.root), (size, root));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = LogIdentity::new("example.com/b", key.public()).unwrap();
        assert!(read(folder.path(), &other).is_err());
    }
}
