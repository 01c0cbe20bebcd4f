//! A log as static files (C2SP tlog-tiles): `checkpoint`, `tile/L/N[.p/W]`,
//! `tile/entries/N[.p/W]`, each log in a folder of its short name.
//!
//! Full tiles are never written again. A partial one stays until its full one is there, because
//! whoever holds an earlier checkpoint may still ask for it.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::AppError;
use crate::config;
use crate::evidence::entries::{self, EntriesError};
use crate::evidence::note::{self, Checkpoint};
use crate::evidence::origin::short_name;
use crate::evidence::tiles::WIDTH;
use crate::evidence::{LogIdentity, TileId};

/// Name of the file with the signed head.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Largest file of a log that is read, in bytes: 256 entries with their lengths.
const MOST_BYTES: u64 = 256 * (65_535 + 2);

/// Tells the files apart that are written at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The files of one log.
#[derive(Debug, Clone)]
pub(crate) struct LogFolder {
    path: PathBuf,
}

impl LogFolder {
    /// The files of the log of this origin below a folder of logs.
    pub(crate) fn of(logs: &Path, origin: &str) -> Self {
        Self { path: logs.join(short_name(origin)) }
    }

    /// The files of the log of this short name.
    pub(crate) fn named(logs: &Path, name: &str) -> Self {
        Self { path: logs.join(name) }
    }

    /// The logs below a folder: all that have a checkpoint.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub(crate) fn all(logs: &Path) -> Result<Vec<Self>, AppError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(logs).map_err(|error| unreadable(logs, &error))? {
            let path = entry.map_err(|error| unreadable(logs, &error))?.path();
            if path.join(CHECKPOINT).is_file() {
                found.push(Self { path });
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Where it is, for people.
    pub(crate) fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The note of its signed head; `None` where nothing was exported yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(crate) fn note(&self) -> Result<Option<String>, AppError> {
        let Some(bytes) = self.read(CHECKPOINT)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| self.refuse("its checkpoint is no text"))
    }

    /// Its signed head.
    ///
    /// # Errors
    /// Where it cannot be read, or this log's key did not sign it.
    pub(crate) fn head(&self, log: &LogIdentity) -> Result<Option<Checkpoint>, AppError> {
        let Some(note) = self.note()? else { return Ok(None) };
        note::verify_checkpoint(&note, log)
            .map(Some)
            .map_err(|error| self.refuse(&error.to_string()))
    }

    /// The first `width` entries of a bundle.
    ///
    /// # Errors
    /// Where they are not there.
    pub(crate) fn entries(&self, index: u64, width: u64) -> Result<Vec<Vec<u8>>, AppError> {
        let refuse = |error: EntriesError| self.refuse(&error.to_string());
        let missing = || {
            let name = entries::path(index, width);
            self.refuse(&format!("`{name}` is missing, and so is the full bundle"))
        };
        if let Some(bundle) = self.read(&entries::path(index, width))? {
            return entries::decode(&bundle, width).map_err(refuse);
        }
        let full = self.read(&entries::path(index, WIDTH))?.ok_or_else(missing)?;
        let mut all = entries::decode(&full, WIDTH).map_err(refuse)?;
        all.truncate(usize::try_from(width).unwrap_or(usize::MAX));
        Ok(all)
    }

    /// The first `width` hashes of a tile; `None` where they are not there.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(crate) fn tile(&self, tile: TileId, width: u64) -> Result<Option<Vec<u8>>, AppError> {
        let length = usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(32);
        let bytes = match self.read(&tile.path(width))? {
            Some(bytes) => Some(bytes),
            None => self.read(&tile.path(WIDTH))?,
        };
        Ok(bytes.and_then(|bytes| bytes.get(..length).map(<[u8]>::to_vec)))
    }

    /// Whether entries are there up to this size, checked by nobody yet.
    pub(crate) fn reaches(&self, size: u64) -> bool {
        let Some(last) = size.checked_sub(1) else { return false };
        self.entries(last / WIDTH, last % WIDTH + 1).is_ok()
    }

    /// Whether a file of this name is there already.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    /// Writes a file as a whole or not at all, and waits until it is on disk.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), AppError> {
        let path = self.path.join(name);
        let write = || {
            let folder = path.parent().unwrap_or(&self.path);
            std::fs::create_dir_all(folder)?;
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let aside = folder.join(format!(".{}.{number}.aside", std::process::id()));
            let mut file = std::fs::File::create(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&aside, &path)?;
            std::fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error: std::io::Error| {
            let why = config::why(&error);
            AppError::Input(format!(
                "`{}` cannot be written: {why}; name another folder",
                path.display()
            ))
        })
    }

    /// Writes the signed head; only after all that it covers.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write_note(&self, note: &[u8]) -> Result<(), AppError> {
        self.write(CHECKPOINT, note)
    }

    /// Takes the partial files away that a full one has made superfluous. Nothing is lost where they
    /// stay.
    pub(crate) fn drop_partials(&self, full: &str) {
        let partials = self.path.join(format!("{full}.p"));
        if let Err(error) = std::fs::remove_dir_all(&partials)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::debug!(kind = %error.kind(), "partial tiles stay beside a full one");
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, AppError> {
        let path = self.path.join(name);
        match std::fs::metadata(&path) {
            Ok(found) if found.len() > MOST_BYTES => {
                return Err(self.refuse(&format!("`{name}` is too large")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error)),
        }
        std::fs::read(&path).map(Some).map_err(|error| unreadable(&path, &error))
    }

    /// The error of files that are not what they should be.
    pub(crate) fn refuse(&self, why: &str) -> AppError {
        AppError::Input(format!(
            "`{}` is not an exported copy of this log: {why}; nothing was changed",
            self.path.display()
        ))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> AppError {
    let why = config::why(error);
    AppError::Input(format!(
        "`{}` cannot be read: {why}; name the folder that `quietus log export` wrote",
        path.display()
    ))
}
