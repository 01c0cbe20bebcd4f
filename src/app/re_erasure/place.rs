//! Where a list is: files of a folder, or objects below a prefix of a bucket.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use quietus_connectors::objects::{Bucket, EntryKind};

use crate::app::log_files::below;
use crate::app::{AppError, Quietus};
use crate::config::{self, ExportPlace};

/// Folder of the list at its place.
const LIST: &str = "re-erasure";
/// Folder of the log's files at its place.
const LOG: &str = "log";
/// Largest file of a list that is read, in bytes.
const MOST_BYTES: u64 = 512 << 20;

/// Tells the files apart that are written at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A place, opened.
pub(super) enum ListPlace {
    /// A folder.
    Folder(PathBuf),
    /// A bucket, and what keys begin with.
    Bucket(Box<Bucket>, String),
}

/// The place of the log's files beside a list.
pub(super) fn log_beside(place: &ExportPlace) -> ExportPlace {
    match place {
        ExportPlace::Folder(folder) => ExportPlace::Folder(folder.join(LOG)),
        ExportPlace::Bucket(address) => {
            ExportPlace::Bucket(format!("{}/{LOG}", address.trim_end_matches('/')))
        }
    }
}

impl Quietus {
    /// Opens a place. No connection is made yet.
    pub(super) fn list_place(&self, place: &ExportPlace) -> Result<ListPlace, AppError> {
        Ok(match place {
            ExportPlace::Folder(folder) => ListPlace::Folder(folder.join(LIST)),
            ExportPlace::Bucket(address) => {
                let bucket = self.bucket(address)?;
                let prefix = format!("{}{LIST}/", below(&bucket));
                ListPlace::Bucket(Box::new(bucket), prefix)
            }
        })
    }
}

impl ListPlace {
    /// Where a file is, for people.
    pub(super) fn display(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(name).display().to_string(),
            Self::Bucket(bucket, prefix) => {
                format!("s3://{}/{prefix}{name}", bucket.address().bucket())
            }
        }
    }

    /// The content of a file; `None` where there is none.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, AppError> {
        match self {
            Self::Folder(folder) => read_file(&folder.join(name)),
            Self::Bucket(bucket, prefix) => {
                bucket.get(&format!("{prefix}{name}")).await.map_err(AppError::ObjectStore)
            }
        }
    }

    /// Writes a file as a whole or not at all, and waits until it is there for good.
    pub(super) async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        match self {
            Self::Folder(folder) => write_file(&folder.join(name), bytes),
            Self::Bucket(bucket, prefix) => {
                let key = format!("{prefix}{name}");
                bucket.put(&key, bytes).await.map_err(AppError::ObjectStore)
            }
        }
    }

    /// Removes a file, in a bucket with all its versions. What is gone already counts as gone.
    pub(super) async fn remove(&self, name: &str) -> Result<(), AppError> {
        match self {
            Self::Folder(folder) => match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(unwritable(&folder.join(name), &error))
                }
                _ => Ok(()),
            },
            Self::Bucket(bucket, prefix) => {
                let key = format!("{prefix}{name}");
                let found = bucket.versions(&key).await.map_err(AppError::ObjectStore)?;
                let own = found.into_iter().filter(|one| one.key == key);
                let versions: Vec<(String, String)> =
                    own.map(|one| (one.key, one.version)).collect();
                if !versions.is_empty() {
                    bucket.remove(&versions).await.map_err(AppError::ObjectStore)?;
                }
                Ok(())
            }
        }
    }

    /// Names of all files, in no order.
    pub(super) async fn names(&self) -> Result<Vec<String>, AppError> {
        match self {
            Self::Folder(folder) => {
                let mut found = Vec::new();
                names_below(folder, "", &mut found)?;
                Ok(found)
            }
            Self::Bucket(bucket, prefix) => {
                let entries = bucket.versions(prefix).await.map_err(AppError::ObjectStore)?;
                let current =
                    entries.iter().filter(|one| one.latest && one.kind == EntryKind::Version);
                Ok(current
                    .filter_map(|one| one.key.strip_prefix(prefix.as_str()))
                    .map(str::to_owned)
                    .collect())
            }
        }
    }
}

fn names_below(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), AppError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if path.is_dir() {
            names_below(&path, &format!("{prefix}{name}/"), found)?;
        } else {
            found.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Option<Vec<u8>>, AppError> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MOST_BYTES => Err(AppError::Input(format!(
            "`{}` is too large for a file of a re-erasure list; nothing was changed",
            path.display()
        ))),
        Ok(_) => std::fs::read(path).map(Some).map_err(|error| unreadable(path, &error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    let write = || {
        let folder = path.parent().unwrap_or(path);
        std::fs::create_dir_all(folder)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let aside = folder.join(format!(".{}.{number}.aside", std::process::id()));
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error: std::io::Error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> AppError {
    let why = config::why(error);
    AppError::Input(format!(
        "`{}` of the re-erasure list cannot be written: {why}; see `evidence: {{re_erasure_list: …}}` in `quietus.yaml`",
        path.display()
    ))
}

fn unreadable(path: &Path, error: &std::io::Error) -> AppError {
    let why = config::why(error);
    AppError::Input(format!(
        "`{}` cannot be read: {why}; name the place that `evidence: {{re_erasure_list: …}}` says",
        path.display()
    ))
}
