//! Key files in the instance's keys folder: only their owner may read them, and no key is ever
//! written over. What the bytes mean is the matter of the rooms that use them.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use zeroize::Zeroizing;

use super::secret::others_may_read;

/// No key file is larger than this, in bytes.
const MOST_BYTES: u64 = 64 * 1024;
/// No more files than this are looked at.
const MOST_LOOKED_AT: usize = 1_000;

/// Why a key file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name may not name a file.
    #[error(
        "`{0}` is no name of a key: write letters, digits, `.`, `_` or `-`, a letter or digit first"
    )]
    Name(String),
    /// There is no such key.
    #[error("there is no key `{path}`; it is made when the instance is first opened")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is such a key already.
    #[error("the key `{path}` exists and is never written over; move it away first")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("others may read the key `{path}`; run `chmod 600 {path}`")]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// The file is empty or too large.
    #[error("the key `{path}` is empty or larger than 64 KiB; restore it from its backup")]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("the key `{path}` cannot be read or written; look at the folder's owner and space")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn path_of(folder: &Path, name: &str) -> Result<PathBuf, KeyError> {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    let all = name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-'));
    if first && all && name.len() <= 100 {
        Ok(folder.join(name))
    } else {
        Err(KeyError::Name(name.to_owned()))
    }
}

/// Reads a key file.
///
/// # Errors
/// Where it is not there, or where others may read it.
pub fn read_key(folder: &Path, name: &str) -> Result<SecretSlice<u8>, KeyError> {
    let path = path_of(folder, name)?;
    let fault = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => KeyError::Missing { path: path.clone() },
        _ => KeyError::Io { path: path.clone(), source },
    };
    let file = std::fs::File::open(&path).map_err(fault)?;
    if others_may_read(&file).map_err(fault)? {
        return Err(KeyError::Permissions { path });
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.is_empty() || bytes.len() as u64 > MOST_BYTES {
        return Err(KeyError::Content { path });
    }
    Ok(SecretSlice::from(bytes))
}

/// Writes a new key file that only its owner may read, and waits until it is on disk.
///
/// # Errors
/// Where there is one already, or where the file system refuses.
pub fn write_key(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let path = path_of(folder, name)?;
    if bytes.is_empty() || bytes.len() as u64 > MOST_BYTES {
        return Err(KeyError::Content { path });
    }
    let fault = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.clone() },
        _ => KeyError::Io { path: path.clone(), source },
    };
    create_folder(folder).map_err(fault)?;
    // Written aside and put in place, so that a crash never leaves half a key; under a name of its
    // own, because others may be making the same one.
    let mut aside = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(fault)?;
    aside.write_all(bytes).and_then(|()| aside.as_file().sync_all()).map_err(fault)?;
    aside.persist_noclobber(&path).map_err(|refused| fault(refused.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}

/// The keys below a folder that others may read, by path; at most 1000 files are looked at. What was
/// signed last (`log.head`) is no secret.
///
/// # Errors
/// Where the folder or a file in it cannot be read.
pub fn exposed_keys(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut exposed, mut seen) = (Vec::new(), 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            seen += 1;
            if seen > MOST_LOOKED_AT {
                break;
            }
            if path.is_dir() {
                folders.push(path);
            } else if !name.to_string_lossy().contains("log.head")
                && others_may_read(&std::fs::File::open(&path)?)?
            {
                exposed.push(path);
            }
        }
    }
    exposed.sort();
    Ok(exposed)
}

/// Writes over a key file and removes it, and waits until that is on disk. Nothing happens where
/// there is none. What a file system keeps of earlier states, and copies elsewhere, is not reached.
///
/// # Errors
/// Where the file system refuses.
pub fn destroy_key(folder: &Path, name: &str) -> Result<(), KeyError> {
    let path = path_of(folder, name)?;
    let fault = |source: std::io::Error| KeyError::Io { path: path.clone(), source };
    let mut file = match std::fs::OpenOptions::new().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    let bytes = file.metadata().map_err(fault)?.len().min(MOST_BYTES);
    let blank = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.write_all(&blank).and_then(|()| file.sync_all()).map_err(fault)?;
    drop(file);
    match std::fs::remove_file(&path) {
        // Another process was faster.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        removed => removed.map_err(fault)?,
    }
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}

/// Writes over the content of a key file where `is_over` says so of it, and waits until that is on disk;
/// the file itself stays. What is written over is what was looked at, also where another process puts
/// another file in its place meanwhile. Nothing happens where there is none.
///
/// # Errors
/// Where the file system refuses.
pub fn blank_key(
    folder: &Path,
    name: &str,
    is_over: impl FnOnce(&[u8]) -> bool,
) -> Result<(), KeyError> {
    let path = path_of(folder, name)?;
    let fault = |source: std::io::Error| KeyError::Io { path: path.clone(), source };
    let mut file = match std::fs::OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    (&mut file).take(MOST_BYTES).read_to_end(&mut bytes).map_err(fault)?;
    if !is_over(&bytes) {
        return Ok(());
    }
    let blank = vec![0; bytes.len()];
    file.rewind().and_then(|()| file.write_all(&blank)).map_err(fault)?;
    file.sync_all().map_err(fault)
}

/// Names of the key files in a folder that begin like this, sorted; none where there is no folder.
///
/// # Errors
/// Where the file system refuses.
pub fn keys_that_begin(folder: &Path, beginning: &str) -> Result<Vec<String>, KeyError> {
    let fault = |source: std::io::Error| KeyError::Io { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(fault)?.file_name();
        found.extend(name.to_str().filter(|name| name.starts_with(beginning)).map(str::to_owned));
    }
    found.sort();
    Ok(found)
}

/// Gives a key file another name, in one step, and waits until that is on disk.
///
/// # Errors
/// Where the file system refuses.
pub fn rename_key(folder: &Path, from: &str, to: &str) -> Result<(), KeyError> {
    let (from, path) = (path_of(folder, from)?, path_of(folder, to)?);
    let fault = |source: std::io::Error| KeyError::Io { path: path.clone(), source };
    std::fs::rename(&from, &path).map_err(fault)?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}

/// Writes a file that names somebody, readable for its owner only; what was there is replaced.
///
/// # Errors
/// Where it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    create_private(path)?.write_all(bytes)
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

#[cfg(unix)]
fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn keys_are_private_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        assert!(matches!(read_key(&keys, "evidence"), Err(KeyError::Missing { .. })));
        write_key(&keys, "evidence", b"first").unwrap();
        assert!(matches!(write_key(&keys, "evidence", b"second"), Err(KeyError::Exists { .. })));
        assert_eq!(read_key(&keys, "evidence").unwrap().expose_secret(), b"first");
        assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 1);
    }

    #[test]
    fn of_many_that_make_one_at_once_one_does() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..20 {
            let name = format!("evidence-{round}");
            let made: Vec<u8> = std::thread::scope(|scope| {
                let make = |number: u8| write_key(folder.path(), &name, &[number; 64]);
                let makers: Vec<_> =
                    (1..=8).map(|number| (number, scope.spawn(move || make(number)))).collect();
                let won =
                    makers.into_iter().filter_map(|(number, maker)| match maker.join().unwrap() {
                        Ok(()) => Some(number),
                        Err(KeyError::Exists { .. }) => None,
                        Err(other) => panic!("{other}"),
                    });
                won.collect()
            });
            assert_eq!(made.len(), 1);
            assert_eq!(read_key(folder.path(), &name).unwrap().expose_secret(), [made[0]; 64]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 20);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        write_key(folder.path(), "evidence", b"first").unwrap();
        let path = folder.path().join("evidence");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(read_key(folder.path(), "evidence"), Err(KeyError::Permissions { .. })));
        write_key(&folder.path().join("epochs"), "2026-11.key", b"a month").unwrap();
        let month = folder.path().join("epochs/2026-11.key");
        assert_eq!(exposed_keys(folder.path()).unwrap(), [path.as_path()]);
        std::fs::set_permissions(&month, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(exposed_keys(folder.path()).unwrap(), [month, path]);
    }

    #[test]
    fn only_what_is_over_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let text = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        write_key(folder.path(), "issuer.next.b", b"second").unwrap();
        write_key(folder.path(), "issuer.next.a", b"first").unwrap();
        write_key(folder.path(), "issuer", b"another").unwrap();
        let found = keys_that_begin(folder.path(), "issuer.next.").unwrap();
        assert_eq!(found, ["issuer.next.a", "issuer.next.b"]);
        assert!(keys_that_begin(&folder.path().join("none"), "").unwrap().is_empty());
        blank_key(folder.path(), "issuer", |bytes| bytes == b"first").unwrap();
        assert_eq!(text("issuer"), b"another");
        // Somebody puts another file in its place while it is looked at.
        blank_key(folder.path(), "issuer", |bytes| {
            rename_key(folder.path(), "issuer.next.a", "issuer").unwrap();
            bytes == b"another"
        })
        .unwrap();
        assert_eq!(text("issuer"), b"first");
        blank_key(folder.path(), "issuer", |bytes| bytes == b"first").unwrap();
        assert_eq!(text("issuer"), [0; 5]);
        blank_key(folder.path(), "none", |_| true).unwrap();
    }

    #[test]
    fn names_stay_in_the_folder() {
        for name in ["../x", "a/b", "", ".hidden", "ü"] {
            assert!(matches!(read_key(Path::new("keys"), name), Err(KeyError::Name(_))), "{name}");
        }
    }
}
