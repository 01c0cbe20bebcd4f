//! A folder of dated dump files: each file whose name fits the pattern is a copy.
//!
//! The moment stands in the name, or is the file's time of modification less the longest time that
//! a dump takes. Files are never opened. A fitting entry that is no plain file is a fault, because
//! nobody knows what it holds.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::dump_names::DumpNames;
use super::settings::BackupSettings;
use super::{BackupCopy, BackupStore, CopyKind, Expiry, Stay, StoreRetention};
use crate::receipt::{Fault, Health};

/// Entries of a folder that are looked at, at most.
const MOST_ENTRIES: usize = 1_000_000;

/// A folder of dumps.
pub(super) struct Dumps {
    settings: BackupSettings,
    folder: PathBuf,
    names: DumpNames,
    older_by: SignedDuration,
}

/// What a folder holds.
struct Found {
    copies: Vec<BackupCopy>,
    /// Files that have a further name elsewhere.
    linked: BTreeMap<String, u64>,
    /// Entries that do not fit.
    others: usize,
}

impl Dumps {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("dumps")?;
        let zone = settings.told("zone").unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| {
            settings.misconfigured("`zone` is no time zone: write it like `Europe/Berlin`")
        })?;
        let names = DumpNames::parse(settings.told("files").unwrap_or_default(), zone)
            .map_err(|why| settings.misconfigured(&format!("`files` {why}")))?;
        if !names.have_moments() && !settings.longest_run.is_positive() {
            return Err(settings.misconfigured(
                "the files are dated by their end only: say how long a dump takes at most, under \
                 `longest_run`",
            ));
        }
        Ok(Self {
            folder: PathBuf::from(settings.place.expose_secret()),
            names,
            older_by: settings.length("older_by")?.unwrap_or_default(),
            settings: settings.clone(),
        })
    }

    async fn find(&self) -> Result<Found, Fault> {
        let failed = |error: &std::io::Error| self.failed(error.kind(), "read");
        let mut entries = tokio::fs::read_dir(&self.folder).await.map_err(|e| failed(&e))?;
        let mut found = Found { copies: Vec::new(), linked: BTreeMap::new(), others: 0 };
        let mut count = 0;
        while let Some(entry) = entries.next_entry().await.map_err(|e| failed(&e))? {
            count += 1;
            if count > MOST_ENTRIES {
                return Err(self
                    .settings
                    .misconfigured(&format!("the folder has more than {MOST_ENTRIES} entries")));
            }
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| self.names.fit(name)) else {
                found.others += 1;
                continue;
            };
            let metadata = match tokio::fs::symlink_metadata(entry.path()).await {
                Ok(metadata) => metadata,
                // Removed since it was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&error)),
            };
            if !metadata.is_file() {
                return Err(self.settings.misconfigured(
                    "something that is no plain file has a name that fits `files`: what it leads \
                     to or holds is not known; write the pattern so that it does not fit",
                ));
            }
            if metadata.nlink() > 1 {
                found.linked.insert(name.to_owned(), metadata.nlink());
            }
            found.copies.push(self.copy(name, &metadata)?);
        }
        let order = |copy: &BackupCopy| (copy.taken_at, copy.id.clone());
        found.copies.sort_by_key(order);
        Ok(found)
    }

    fn copy(&self, name: &str, metadata: &Metadata) -> Result<BackupCopy, Fault> {
        let (began, taken_at) = if self.names.have_moments() {
            let moment = self.names.moment(name).ok_or_else(|| {
                self.settings.misconfigured(
                    "the name of a file fits `files`, and what should be its moment is none, such \
                     as a thirteenth month; rename the file",
                )
            })?;
            (Some(moment), moment)
        } else {
            let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
            let ended = Timestamp::new(metadata.mtime(), nanoseconds).map_err(|_| {
                self.settings.misconfigured("the time of modification of a file is none")
            })?;
            (ended.checked_sub(self.settings.longest_run).ok(), ended)
        };
        Ok(BackupCopy {
            id: name.to_owned(),
            kind: CopyKind::Whole,
            holds_from: began.and_then(|began| began.checked_sub(self.older_by).ok()),
            taken_at,
            series: String::new(),
            needs: Vec::new(),
            stay: None,
            ends_at: None,
        })
    }

    fn failed(&self, kind: ErrorKind, what: &str) -> Fault {
        match kind {
            ErrorKind::NotFound | ErrorKind::NotADirectory => self.settings.misconfigured(
                "there is no such folder: correct the place, or look whether its disk is mounted",
            ),
            ErrorKind::PermissionDenied => self.settings.misconfigured(&format!(
                "the folder may not be {what} by this account: give it the right"
            )),
            kind => Fault::Transient {
                message: format!(
                    "backup store `{}`: the folder could not be {what} ({kind})",
                    self.settings.system
                ),
                retry_after_ms: None,
            },
        }
    }
}

#[async_trait]
impl BackupStore for Dumps {
    fn kind(&self) -> &'static str {
        "dumps"
    }

    async fn check(&self) -> Result<Health, Fault> {
        let found = self.find().await?;
        let product = format!(
            "folder of dumps, {} fit and {} other entries do not",
            found.copies.len(),
            found.others
        );
        Ok(Health { product, ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        Ok(self.find().await?.copies)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        // Whatever removes old files stands elsewhere.
        Ok(None)
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        // Whoever could name a path could have any file removed.
        if ids.iter().any(|id| id.contains(['/', '\0']) || !self.names.fit(id)) {
            return Err(Fault::Rejected {
                message: format!(
                    "backup store `{}`: a name that does not fit `files` was to be removed: \
                     nothing was",
                    self.settings.system
                ),
            });
        }
        let found = self.find().await?;
        let mut expiry = Expiry::default();
        for id in ids {
            if let Some(names) = found.linked.get(id) {
                let why = format!(
                    "the file has {names} names, and would stay under the others: remove those too"
                );
                expiry.kept.push((id.clone(), Stay { until: None, why }));
                continue;
            }
            if found.copies.iter().any(|copy| copy.id == *id) {
                match tokio::fs::remove_file(self.folder.join(id)).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(self.failed(error.kind(), "changed")),
                }
            }
            expiry.gone.push(id.clone());
        }
        // So that a loss of power does not bring a file back that was said to be gone.
        let synced = tokio::fs::File::open(&self.folder).await;
        let synced = match synced {
            Ok(folder) => folder.sync_all().await,
            Err(error) => Err(error),
        };
        synced.map_err(|error| self.failed(error.kind(), "changed"))?;
        Ok(expiry)
    }
}
