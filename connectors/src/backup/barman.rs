//! Servers of barman: each backup is a copy, and the archive of the write-ahead log is one more.
//!
//! A backup that failed is a copy as well: its files are there, and no retention removes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::settings::BackupSettings;
use super::tool::{Effect, Ended, Tool};
use super::wal::{self, Beginning, Segment};
use super::{BackupCopy, BackupStore, CopyKind, Counting, Expiry, Stay, StoreRetention};
use crate::receipt::{Fault, Health};

/// Identifier of the log; barman has one archive a server.
const LOG: &str = "wal";
/// Where barman writes down what its archive has, in the folder of the archive.
const CATALOGUE: &str = "xlog.db";
/// Lines of it that are read, at most.
const MOST_SEGMENTS: usize = 50_000_000;
/// How far a clock can be ahead of UTC, by its zone.
const FURTHEST_ZONE: SignedDuration = SignedDuration::from_hours(14);

#[derive(Debug, Deserialize)]
struct Listed {
    backup_id: String,
    status: String,
    #[serde(default)]
    retention_status: String,
}

#[derive(Debug, Deserialize)]
struct Shown {
    base_backup_information: Option<Information>,
}

#[derive(Debug, Deserialize)]
struct Information {
    #[serde(deserialize_with = "number")]
    begin_time_timestamp: i64,
    #[serde(deserialize_with = "number")]
    end_time_timestamp: i64,
    begin_wal: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Server {
    retention_policy: Option<String>,
    wals_directory: Option<PathBuf>,
}

/// What an archive of the write-ahead log has.
#[derive(Debug, PartialEq, Eq)]
enum Archive {
    /// Its catalogue cannot be read from here, or was lost.
    Unknown,
    /// Nothing.
    Empty,
    /// From its first to its last segment.
    Range { first: String, last: String },
}

/// barman writes seconds as texts.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.parse().map_err(de::Error::custom),
    }
}

/// One server as barman knows it.
pub(super) struct Barman {
    tool: Tool,
    server: String,
    config: Option<String>,
    older_by: SignedDuration,
}

impl Barman {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("barman")?;
        let server = settings.place.expose_secret().trim().to_owned();
        if server.starts_with('-') || server == "all" {
            return Err(settings.misconfigured("the place is the name of one server of barman"));
        }
        Ok(Self {
            tool: Tool::of(settings, "barman", "barman")?,
            server,
            config: settings.told("config").map(str::to_owned),
            older_by: settings.length("older_by")?.unwrap_or_default(),
        })
    }

    async fn run(&self, effect: Effect, command: &[&str]) -> Result<Ended, Fault> {
        let config = self.config.iter().flat_map(|path| ["-c", path.as_str()]);
        let mut arguments: Vec<&str> = config.collect();
        arguments.extend(["-f", "json"]);
        arguments.extend(command);
        self.tool.run(effect, &arguments).await
    }

    /// What barman answers about the server.
    async fn ask<T: DeserializeOwned>(&self, command: &[&str]) -> Result<T, Fault> {
        let ended = self.run(Effect::Reads, command).await?;
        if !ended.is_well() {
            return Err(self.failed(&ended, command[0]));
        }
        let mut answer: BTreeMap<String, serde_json::Value> = self.tool.read(&ended.output)?;
        let about = answer.remove(&self.server).ok_or_else(|| {
            self.tool.rejected(&format!("`barman {}` does not speak of the server", command[0]))
        })?;
        serde_json::from_value(about).map_err(|_| {
            self.tool.rejected(&format!("what `barman {}` answers is not known", command[0]))
        })
    }

    async fn listed(&self) -> Result<Vec<Listed>, Fault> {
        self.ask(&["list-backups", &self.server]).await
    }

    async fn copy(&self, listed: &Listed) -> Result<(BackupCopy, Option<String>), Fault> {
        let id = &listed.backup_id;
        let (mut began, mut taken_at, mut segment, mut stay) = (None, None, None, None);
        if matches!(listed.status.as_str(), "DONE" | "WAITING_FOR_WALS") {
            let shown: Shown = self.ask(&["show-backup", &self.server, id]).await?;
            if let Some(information) = shown.base_backup_information {
                began = Timestamp::from_second(information.begin_time_timestamp).ok();
                taken_at = Timestamp::from_second(information.end_time_timestamp).ok();
                segment = information.begin_wal;
            }
            if listed.retention_status.starts_with("KEEP") {
                let why = format!(
                    "somebody asked barman to keep it: `barman keep --release {} {id}` ends that",
                    self.server
                );
                stay = Some(Stay { until: None, why });
            }
        } else {
            // Its files are there, and nothing but its name says since when.
            began = named_moment(id);
            taken_at = began;
            let why = format!(
                "barman's retention passes over backups with status {}: delete it with `barman \
                 delete {} {id}`",
                listed.status, self.server
            );
            stay = Some(Stay { until: None, why });
        }
        let taken_at = taken_at.ok_or_else(|| {
            self.tool.rejected(&format!("barman gives backup `{id}` no moment that can be read"))
        })?;
        let copy = BackupCopy {
            id: id.clone(),
            kind: CopyKind::Whole,
            holds_from: began.and_then(|began| began.checked_sub(self.older_by).ok()),
            taken_at,
            series: String::new(),
            needs: Vec::new(),
            stay,
            ends_at: None,
        };
        Ok((copy, segment.filter(|_| began.is_some())))
    }

    async fn archive(&self) -> Result<Archive, Fault> {
        let server: Server = self.ask(&["show-servers", &self.server]).await?;
        let Some(folder) = server.wals_directory else { return Ok(Archive::Unknown) };
        let read = segments(&folder).await;
        Ok(read.unwrap_or(Archive::Unknown))
    }

    /// What its failures mean. barman tells them among its output.
    fn failed(&self, ended: &Ended, command: &str) -> Fault {
        let tool = &self.tool;
        let said = [ended.words.as_str(), &String::from_utf8_lossy(&ended.output)].concat();
        let said = said.to_lowercase();
        if said.contains("unknown server") {
            tool.misconfigured("barman knows no server of this name: correct the place")
        } else if said.contains("configuration file") || said.contains("no such file") {
            tool.misconfigured("barman has no such configuration file: correct `config`")
        } else if said.contains("permission denied") || said.contains("please run barman as") {
            tool.misconfigured(
                "barman may not be run by this account: run it as its own, `program: sudo -n -u \
                 barman barman`",
            )
        } else if said.contains("is holding the lock") || said.contains("process is running") {
            tool.transient("another run of barman is at work on the same")
        } else {
            tool.unexplained(ended, &format!("barman {command}"))
        }
    }

    /// Removes one backup. Whether the store gave it up, and if not, why.
    async fn remove(&self, id: &str) -> Result<Option<Stay>, Fault> {
        let ended = self.run(Effect::Removes, &["delete", &self.server, id]).await?;
        let said = String::from_utf8_lossy(&ended.output).to_lowercase();
        if said.contains("minimum redundancy") {
            let why = "barman keeps as many backups as `minimum_redundancy` says: it goes once \
                       there is another one"
                .to_owned();
            return Ok(Some(Stay { until: None, why }));
        }
        if said.contains("current keep request") {
            let why = format!(
                "somebody asked barman to keep it: `barman keep --release {} {id}` ends that",
                self.server
            );
            return Ok(Some(Stay { until: None, why }));
        }
        if said.contains("cannot delete a running backup") {
            let why = "it is still being taken".to_owned();
            return Ok(Some(Stay { until: None, why }));
        }
        // Somebody else was faster.
        if ended.is_well() || said.contains("unknown backup") {
            return Ok(None);
        }
        Err(self.failed(&ended, "delete"))
    }
}

/// What the catalogue of an archive says of it.
async fn segments(folder: &Path) -> std::io::Result<Archive> {
    let catalogue = tokio::fs::File::open(folder.join(CATALOGUE)).await?;
    let mut lines = BufReader::new(catalogue).lines();
    let mut archive = Archive::Empty;
    for _ in 0..MOST_SEGMENTS {
        let Some(line) = lines.next_line().await? else {
            // One that was lost is begun anew by the next run of barman.
            let lost = archive == Archive::Empty && has_folders(folder).await?;
            return Ok(if lost { Archive::Unknown } else { archive });
        };
        let name = line.split('\t').next().unwrap_or_default();
        if Segment::parse(name).is_none() {
            continue;
        }
        match &mut archive {
            Archive::Range { first, .. } if name < first.as_str() => name.clone_into(first),
            Archive::Range { last, .. } if name > last.as_str() => name.clone_into(last),
            Archive::Range { .. } => {}
            _ => archive = Archive::Range { first: name.to_owned(), last: name.to_owned() },
        }
    }
    Ok(Archive::Unknown)
}

/// Segments are kept in folders beside the catalogue.
async fn has_folders(folder: &Path) -> std::io::Result<bool> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_type().await?.is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The moment in a backup's name, which is in the zone of barman's machine: not later than this.
fn named_moment(id: &str) -> Option<Timestamp> {
    let named = DateTime::strptime("%Y%m%dT%H%M%S", id).ok()?.to_zoned(TimeZone::UTC).ok()?;
    named.timestamp().checked_sub(FURTHEST_ZONE).ok()
}

/// Barman's words for how long it keeps backups.
fn policy(words: &str) -> Option<StoreRetention> {
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    match words[..] {
        [] | ["none"] => Some(StoreRetention::default()),
        ["redundancy", count] => {
            Some(StoreRetention { last: Some(count.parse().ok()?), ..StoreRetention::default() })
        }
        ["recovery", "window", "of", count, unit] => {
            let count: u32 = count.parse().ok()?;
            let days = match unit.trim_end_matches('s') {
                "day" => count,
                "week" => count.checked_mul(7)?,
                // As barman counts a month.
                "month" => count.checked_mul(31)?,
                _ => return None,
            };
            let within = Some(format!("P{days}D"));
            Some(StoreRetention { within, ..StoreRetention::default() })
        }
        _ => None,
    }
}

#[async_trait]
impl BackupStore for Barman {
    fn kind(&self) -> &'static str {
        "barman"
    }

    fn counting(&self) -> Counting {
        Counting::Reach
    }

    async fn check(&self) -> Result<Health, Fault> {
        let said = self.tool.run(Effect::Reads, &["--version"]).await?;
        let said = String::from_utf8_lossy(&said.output).into_owned();
        let version = said.split_whitespace().next().unwrap_or_default();
        if !said.to_lowercase().contains("barman") || !version.starts_with(char::is_numeric) {
            return Err(self.tool.misconfigured("`barman --version` does not name barman"));
        }
        let backups = self.listed().await?.len();
        let archive = match self.archive().await? {
            Archive::Unknown => {
                ", the archive's catalogue cannot be read from here or was lost (`barman \
                 rebuild-xlogdb`), so that the archive is taken to hold whatever ever was"
            }
            _ => "",
        };
        let product = format!("barman {version}, {backups} backups{archive}");
        Ok(Health { product, ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        let (mut copies, mut segments) = (Vec::new(), Vec::new());
        for listed in self.listed().await? {
            let (copy, segment) = self.copy(&listed).await?;
            segments.extend(segment.zip(copy.holds_from));
            copies.push(copy);
        }
        let archive = self.archive().await?;
        if archive != Archive::Empty {
            let beginnings: Vec<Beginning<'_>> =
                segments.iter().map(|(segment, at)| Beginning { segment, at: *at }).collect();
            let from = match &archive {
                Archive::Range { first, last } => wal::holds_from(first, last, &beginnings),
                _ => None,
            };
            copies.push(BackupCopy {
                id: LOG.to_owned(),
                kind: CopyKind::Log,
                holds_from: from,
                taken_at: copies.iter().map(|it| it.taken_at).max().unwrap_or_default(),
                series: String::new(),
                needs: Vec::new(),
                stay: None,
                ends_at: None,
            });
        }
        copies.sort_by(|one, other| (one.taken_at, &one.id).cmp(&(other.taken_at, &other.id)));
        Ok(copies)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        let server: Server = self.ask(&["show-servers", &self.server]).await?;
        let words = server.retention_policy.unwrap_or_default();
        policy(&words).map(Some).ok_or_else(|| {
            self.tool.misconfigured(
                "barman's `retention_policy` is of a sort that is not known: say in the data map \
                 how long copies are kept",
            )
        })
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        let before = self.listed().await?;
        let mut expiry = Expiry::default();
        for id in ids {
            let stay = if id == LOG {
                let why = "barman shortens its archive when it deletes backups".to_owned();
                Some(Stay { until: None, why })
            } else if before.iter().any(|listed| listed.backup_id == *id) {
                self.remove(id).await?
            } else {
                None
            };
            match stay {
                Some(stay) => expiry.kept.push((id.clone(), stay)),
                None => expiry.gone.push(id.clone()),
            }
        }
        let after = self.listed().await?;
        if let Some(left) = after.iter().find(|listed| expiry.gone.contains(&listed.backup_id)) {
            return Err(self.tool.transient(&format!(
                "`barman delete` says that `{}` is gone, and it is still listed",
                left.backup_id
            )));
        }
        Ok(expiry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_retention() {
        let within = |days: &str| {
            Some(StoreRetention { within: Some(days.to_owned()), ..StoreRetention::default() })
        };
        assert_eq!(policy("RECOVERY WINDOW OF 14 DAYS"), within("P14D"));
        assert_eq!(policy("recovery  window of 1 week"), within("P7D"));
        assert_eq!(policy("RECOVERY WINDOW OF 2 MONTHS"), within("P62D"));
        let count = StoreRetention { last: Some(3), ..StoreRetention::default() };
        assert_eq!(policy("REDUNDANCY 3"), Some(count));
        assert_eq!(policy(""), Some(StoreRetention::default()));
        assert_eq!(policy("as long as it takes"), None);
        assert_eq!(policy("RECOVERY WINDOW OF MANY DAYS"), None);
    }

    #[test]
    fn a_name_is_taken_for_the_earliest_moment() {
        let named = named_moment("20261129T075153").unwrap();
        assert_eq!(named.to_string(), "2026-11-28T17:51:53Z");
        assert_eq!(named_moment("latest"), None);
    }
}
