//! Fetching exported logs from a bucket into a folder, from which they are counted anew and put
//! back like any export.
//!
//! The bucket is somebody else's: only keys that files of a log can have are followed, and what is
//! fetched proves nothing by itself; whoever reads the folder checks it against the log's key.

use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use quietus_connectors::objects::{Bucket, EntryKind};

use super::log_files::below;
use super::log_folder::{CHECKPOINT, LogFolder};
use super::{AppError, Quietus};

/// Files that are fetched side by side.
const AT_ONCE: usize = 8;
/// Most parts of the name of a file below a log's folder.
const MOST_PARTS: usize = 10;

/// What was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchedLogs {
    /// Logs that have a signed head.
    pub logs: usize,
    /// Files that were written.
    pub files: usize,
    /// Files that the folder had already.
    pub there: usize,
}

impl Quietus {
    /// Fetches all logs below `s3://bucket/prefix` into a folder. Tiles that it has already are not
    /// fetched again; signed heads come last.
    ///
    /// # Errors
    /// Where the bucket cannot be read or holds no log, or the folder cannot be written.
    pub async fn fetch_logs(&self, place: &str, folder: &Path) -> Result<FetchedLogs, AppError> {
        let bucket = self.bucket(place)?;
        let prefix = below(&bucket);
        let logs: Vec<String> = listed(&bucket, &prefix)
            .await?
            .into_iter()
            .filter_map(|(log, name)| (name == CHECKPOINT).then_some(log))
            .collect();
        if logs.is_empty() {
            return Err(AppError::Input(format!(
                "`{place}` holds no exported log: name the place that `quietus log export --to` \
                 wrote"
            )));
        }
        // Before the tiles are listed, so that all that a head covers is among them.
        let mut heads = Vec::new();
        for log in &logs {
            let head = read(&bucket, &format!("{prefix}{log}/{CHECKPOINT}")).await?;
            let files = LogFolder::named(folder, log);
            same_log(&files, &head)?;
            heads.push((files, head));
        }
        let tiles = listed(&bucket, &prefix).await?.into_iter();
        let (there, missing): (Vec<_>, Vec<_>) = tiles
            .filter(|(log, name)| logs.contains(log) && name != CHECKPOINT)
            .partition(|(log, name)| LogFolder::named(folder, log).has(name));
        let files = missing.len() + heads.len();
        let all = stream::iter(missing).map(|(log, name)| {
            let (bucket, key) = (&bucket, format!("{prefix}{log}/{name}"));
            async move { LogFolder::named(folder, &log).write(&name, &read(bucket, &key).await?) }
        });
        all.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        for (files, head) in &heads {
            files.write_note(head)?;
        }
        Ok(FetchedLogs { logs: logs.len(), files, there: there.len() })
    }
}

/// The log's short name and the file's of everything below a prefix that can be a file of a log.
async fn listed(bucket: &Bucket, prefix: &str) -> Result<Vec<(String, String)>, AppError> {
    let entries = bucket.versions(prefix).await.map_err(AppError::ObjectStore)?;
    let current = entries.iter().filter(|one| one.latest && one.kind == EntryKind::Version);
    let named = current.filter_map(|one| one.key.strip_prefix(prefix).and_then(named));
    Ok(named.map(|(log, name)| (log.to_owned(), name.to_owned())).collect())
}

async fn read(bucket: &Bucket, key: &str) -> Result<Vec<u8>, AppError> {
    let content = bucket.get(key).await.map_err(AppError::ObjectStore)?;
    content.ok_or_else(|| {
        AppError::Input("a file of the log was removed while it was fetched".to_owned())
    })
}

/// Refuses to mix two logs, or to put an older head over a newer one.
fn same_log(files: &LogFolder, head: &[u8]) -> Result<(), AppError> {
    let Some(there) = files.note()? else { return Ok(()) };
    let facts = |note: &str| {
        let mut lines = note.lines().map(str::to_owned);
        Some((lines.next()?, lines.next()?.parse::<u64>().ok()?))
    };
    let head = facts(&String::from_utf8_lossy(head));
    match facts(&there).zip(head) {
        Some(((origin, size), (other, fetched))) if origin == other && size <= fetched => Ok(()),
        _ => Err(AppError::Input(format!(
            "`{}` has another log than the bucket, or more of it: name another folder; nothing was \
             changed",
            files.display()
        ))),
    }
}

/// The log's short name and the file's, if this can be a file of a log.
fn named(key: &str) -> Option<(&str, &str)> {
    let (log, name) = key.split_once('/')?;
    let plain = |part: &str| {
        let known = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'_' | b'.');
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
    };
    let sound = key.split('/').all(plain) && key.split('/').count() <= MOST_PARTS;
    let ours = name == CHECKPOINT || name.starts_with("tile/");
    (sound && ours).then_some((log, name))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn only_files_of_a_log_are_followed() {
        assert_eq!(named("2026/checkpoint"), Some(("2026", "checkpoint")));
        assert_eq!(
            named("2026/tile/entries/x001/234.p/5"),
            Some(("2026", "tile/entries/x001/234.p/5"))
        );
        for other in [
            "checkpoint",
            "2026/other",
            "../checkpoint",
            "2026/tile/../../../etc/passwd",
            "2026/tile//000",
            "2026/tile/.hidden",
            "2026/tile/a b",
            "/2026/checkpoint",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
