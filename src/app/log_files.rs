//! The static files of a log, in a folder or in a bucket.
//!
//! In a bucket nothing is written over but the checkpoint, and nothing is ever removed, so that the
//! bucket may be locked and the access key needs no right to delete. Partial tiles stay beside the
//! full ones.

use quietus_connectors::objects::{Bucket, Placed, Replaced, Seen};

use super::log_folder::{CHECKPOINT, LogFolder};
use super::{AppError, Quietus};
use crate::config::ExportPlace;
use crate::evidence::LogIdentity;
use crate::evidence::note::{self, Checkpoint};
use crate::evidence::origin::short_name;

/// Where logs are exported to, opened.
pub(crate) enum LogPlace {
    /// A folder.
    Folder(std::path::PathBuf),
    /// A bucket.
    Bucket(Box<Bucket>),
}

/// The files of one log.
pub(crate) enum LogFiles<'a> {
    /// In a folder.
    Folder(LogFolder),
    /// In a bucket.
    Bucket(LogObjects<'a>),
}

/// The signed head of a log's files.
pub(crate) struct HeadThere {
    /// What it says; `None` where nothing was exported yet.
    pub(crate) head: Option<Checkpoint>,
    /// By what it is known again.
    pub(crate) seen: SeenHead,
}

/// By what it is seen whether somebody has written another head meanwhile.
pub(crate) enum SeenHead {
    /// The note, if there was one. A folder is looked at once more, right before it is written.
    Folder(Option<String>),
    /// What the store of objects compares with, in one step with the writing.
    Bucket(Seen),
}

/// The files of one log in a bucket.
pub(crate) struct LogObjects<'a> {
    bucket: &'a Bucket,
    /// What their keys begin with, with a `/` at the end.
    prefix: String,
}

impl Quietus {
    /// Opens a place. No connection is made yet.
    ///
    /// # Errors
    /// Where the store of objects is not described.
    pub(crate) fn log_place(&self, place: &ExportPlace) -> Result<LogPlace, AppError> {
        Ok(match place {
            ExportPlace::Folder(folder) => LogPlace::Folder(folder.clone()),
            ExportPlace::Bucket(address) => LogPlace::Bucket(Box::new(self.bucket(address)?)),
        })
    }
}

impl LogPlace {
    /// The files of the log of this origin.
    pub(crate) fn of(&self, origin: &str) -> LogFiles<'_> {
        match self {
            Self::Folder(folder) => LogFiles::Folder(LogFolder::of(folder, origin)),
            Self::Bucket(bucket) => {
                let prefix = format!("{}{}/", below(bucket), short_name(origin));
                LogFiles::Bucket(LogObjects { bucket, prefix })
            }
        }
    }
}

/// A prefix that is a folder's.
pub(crate) fn below(bucket: &Bucket) -> String {
    match bucket.address().prefix() {
        "" => String::new(),
        prefix => format!("{}/", prefix.trim_end_matches('/')),
    }
}

impl LogFiles<'_> {
    /// Where they are, for people.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Folder(files) => files.display().to_string(),
            Self::Bucket(objects) => objects.place(),
        }
    }

    /// The signed head, and what was seen with it; no head where nothing was exported yet.
    ///
    /// # Errors
    /// Where it cannot be read, or this log's key did not sign it.
    pub(crate) async fn head(&self, log: &LogIdentity) -> Result<HeadThere, AppError> {
        let (note, seen) = match self {
            Self::Folder(files) => {
                let note = files.note()?;
                (note.clone(), SeenHead::Folder(note))
            }
            Self::Bucket(objects) => {
                let (bytes, seen) = objects.see(CHECKPOINT).await?;
                let note = bytes.map(String::from_utf8).transpose();
                let note = note.map_err(|_| self.refuse("its checkpoint is no text"))?;
                (note, SeenHead::Bucket(seen))
            }
        };
        let head = note.map(|note| note::verify_checkpoint(&note, log)).transpose();
        let head = head.map_err(|error| self.refuse(&error.to_string()))?;
        Ok(HeadThere { head, seen })
    }

    /// Writes a file that never changes.
    ///
    /// # Errors
    /// Where it cannot be written, or, in a bucket, is there with other content.
    pub(crate) async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        let objects = match self {
            Self::Folder(files) => return files.write(name, bytes),
            Self::Bucket(objects) => objects,
        };
        let key = format!("{}{name}", objects.prefix);
        let placed = objects.bucket.put_once(&key, bytes).await.map_err(AppError::ObjectStore)?;
        match placed {
            Placed::Written | Placed::Same => Ok(()),
            Placed::Other => Err(AppError::Input(format!(
                "`{}/{name}` is there with other content, and is never written over: name another \
                 prefix, or find out who wrote it",
                objects.place()
            ))),
        }
    }

    /// Writes the signed head, only after all that it covers; `false`, with nothing written, where
    /// another one is there than was seen.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) async fn write_note(&self, note: &[u8], seen: &SeenHead) -> Result<bool, AppError> {
        match (self, seen) {
            (Self::Folder(files), SeenHead::Folder(there)) if files.note()? == *there => {
                files.write_note(note).map(|()| true)
            }
            (Self::Bucket(objects), SeenHead::Bucket(there)) => {
                let key = format!("{}{CHECKPOINT}", objects.prefix);
                let replaced = objects.bucket.put_over(&key, note, there).await;
                Ok(replaced.map_err(AppError::ObjectStore)? == Replaced::Written)
            }
            _ => Ok(false),
        }
    }

    /// Takes partial files away that a full one has made superfluous; in a bucket they stay.
    pub(crate) fn drop_partials(&self, full: &str) {
        if let Self::Folder(files) = self {
            files.drop_partials(full);
        }
    }

    /// The error of files that are not what they should be.
    pub(crate) fn refuse(&self, why: &str) -> AppError {
        AppError::Input(format!(
            "`{}` is not an exported copy of this log: {why}; nothing was changed",
            self.place()
        ))
    }
}

impl LogObjects<'_> {
    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.address().bucket(), self.prefix.trim_end_matches('/'))
    }

    async fn see(&self, name: &str) -> Result<(Option<Vec<u8>>, Seen), AppError> {
        let key = format!("{}{name}", self.prefix);
        self.bucket.see(&key).await.map_err(AppError::ObjectStore)
    }
}
