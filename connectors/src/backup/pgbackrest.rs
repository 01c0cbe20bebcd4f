//! Stanzas of pgBackRest: each backup is a copy, and the archive of the write-ahead log is one more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::pgbackrest_config::{self, Retention};
use super::settings::BackupSettings;
use super::tool::{Effect, Ended, Tool};
use super::wal::{self, Beginning};
use super::{BackupCopy, BackupStore, CopyKind, Counting, Expiry, Stay, StoreRetention};
use crate::receipt::{Fault, Health};

/// How the identifier of a log begins; what follows is the archive's own.
const LOG: &str = "wal:";
/// A folder beside those of backups, with what was written about earlier ones.
const HISTORY: &str = "backup.history";
/// Exit codes: a lock is held by another run.
const LOCKED: i32 = 50;

#[derive(Debug, Deserialize)]
struct Stanza {
    name: String,
    status: Status,
    #[serde(default)]
    archive: Vec<Archive>,
    #[serde(default)]
    backup: Vec<Backup>,
}

#[derive(Debug, Deserialize)]
struct Status {
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct Archive {
    id: String,
    database: Database,
    min: Option<String>,
    max: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Backup {
    label: String,
    database: Database,
    archive: Option<Range>,
    timestamp: Times,
    #[serde(default)]
    prior: Option<String>,
    #[serde(default)]
    reference: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Database {
    id: i64,
}

#[derive(Debug, Deserialize)]
struct Range {
    start: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Times {
    start: i64,
    stop: i64,
}

/// What `pgbackrest repo-ls` says of a file or folder.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
}

/// A stanza in one repository.
pub(super) struct PgBackRest {
    settings: BackupSettings,
    tool: Tool,
    stanza: String,
    repository: String,
    config: Option<PathBuf>,
    older_by: SignedDuration,
}

impl PgBackRest {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("pgbackrest")?;
        let repository = settings.told("repository").unwrap_or("1").to_owned();
        if repository.is_empty() || !repository.chars().all(|one| one.is_ascii_digit()) {
            return Err(settings.misconfigured("`repository` is the number of a repository"));
        }
        Ok(Self {
            tool: Tool::of(settings, "pgbackrest", "pgbackrest")?,
            stanza: settings.place.expose_secret().trim().to_owned(),
            repository,
            config: settings.told("config").map(PathBuf::from),
            older_by: settings.length("older_by")?.unwrap_or_default(),
            settings: settings.clone(),
        })
    }

    async fn run(&self, effect: Effect, command: &[&str]) -> Result<Ended, Fault> {
        let mut arguments = vec![
            format!("--stanza={}", self.stanza),
            format!("--repo={}", self.repository),
            "--log-level-console=off".to_owned(),
            "--log-level-stderr=warn".to_owned(),
        ];
        arguments.extend(self.config.as_ref().map(|path| format!("--config={}", path.display())));
        arguments.extend(command.iter().map(|word| (*word).to_owned()));
        self.tool.run(effect, &arguments).await
    }

    async fn stanza(&self) -> Result<Stanza, Fault> {
        let ended = self.run(Effect::Reads, &["--output=json", "info"]).await?;
        if !ended.is_well() {
            return Err(self.failed(&ended, "info"));
        }
        let stanzas: Vec<Stanza> = self.tool.read(&ended.output)?;
        let Some(stanza) = stanzas.into_iter().find(|stanza| stanza.name == self.stanza) else {
            return Err(self.tool.rejected("`pgbackrest info` does not speak of the stanza"));
        };
        match stanza.status.code {
            // All is well; there is no backup, and perhaps an archive.
            0 | 2 => Ok(stanza),
            1 | 3 => Err(self.tool.misconfigured(
                "the repository has no stanza of this name: correct the place or `repository`, or \
                 look whether its disk is mounted",
            )),
            _ if stanza.status.message.contains("ermission denied") => {
                Err(self.tool.misconfigured(
                    "the repository may not be read by this account: run the tool as the one that \
                     owns it, `program: sudo -n -u postgres pgbackrest`",
                ))
            }
            code => Err(self.tool.transient(&format!(
                "the stanza cannot be read (status {code}): see what `pgbackrest info` says"
            ))),
        }
    }

    fn copies_of(&self, stanza: &Stanza) -> Result<Vec<BackupCopy>, Fault> {
        let at = |second: i64| {
            Timestamp::from_second(second).map_err(|_| {
                self.tool.rejected("`pgbackrest info` gives a backup a moment that is none")
            })
        };
        let mut copies = Vec::new();
        for backup in &stanza.backup {
            let mut needs: BTreeSet<&String> = backup.reference.iter().flatten().collect();
            needs.extend(&backup.prior);
            copies.push(BackupCopy {
                id: backup.label.clone(),
                kind: CopyKind::Whole,
                holds_from: self.earlier(at(backup.timestamp.start)?),
                taken_at: at(backup.timestamp.stop)?,
                series: String::new(),
                needs: needs.into_iter().cloned().collect(),
                stay: None,
                ends_at: None,
            });
        }
        let newest = copies.iter().map(|copy| copy.taken_at).max();
        for archive in &stanza.archive {
            let Some(first) = &archive.min else { continue };
            let mut beginnings = Vec::new();
            for backup in stanza.backup.iter().filter(|one| one.database.id == archive.database.id)
            {
                let segment = backup.archive.as_ref().and_then(|range| range.start.as_deref());
                if let Some(segment) = segment {
                    beginnings.push(Beginning { segment, at: at(backup.timestamp.start)? });
                }
            }
            let last = archive.max.as_ref().unwrap_or(first);
            let from = wal::holds_from(first, last, &beginnings);
            copies.push(BackupCopy {
                id: format!("{LOG}{}", archive.id),
                kind: CopyKind::Log,
                holds_from: from.and_then(|from| self.earlier(from)),
                taken_at: newest.unwrap_or(Timestamp::UNIX_EPOCH),
                series: String::new(),
                needs: Vec::new(),
                stay: None,
                ends_at: None,
            });
        }
        copies.sort_by(|one, other| (one.taken_at, &one.id).cmp(&(other.taken_at, &other.id)));
        Ok(copies)
    }

    fn earlier(&self, moment: Timestamp) -> Option<Timestamp> {
        moment.checked_sub(self.older_by).ok()
    }

    fn failed(&self, ended: &Ended, command: &str) -> Fault {
        let tool = &self.tool;
        if ended.says(&["permission denied"]) {
            return tool.misconfigured(
                "files of pgBackRest may not be read by this account: run the tool as the one that \
                 owns them, `program: sudo -n -u postgres pgbackrest`",
            );
        }
        if ended.code == LOCKED {
            return tool.transient("the stanza is locked: a backup or an expiry is under way");
        }
        if ended.says(&["[055]", "[031]", "[032]", "[037]"]) {
            return tool.misconfigured(
                "pgBackRest does not accept its settings: correct `config` and `repository`",
            );
        }
        tool.unexplained(ended, &format!("pgbackrest {command}"))
    }

    /// Removes one backup. Whether the store gave it up, and if not, why.
    async fn remove(&self, label: &str) -> Result<Option<Stay>, Fault> {
        let ended = self.run(Effect::Removes, &[&format!("--set={label}"), "expire"]).await?;
        if ended.is_well() {
            return Ok(None);
        }
        if ended.says(&["cannot be expired until another full backup"]) {
            let why = "it is the last full backup of the repository, which pgBackRest keeps until \
                       there is another one"
                .to_owned();
            return Ok(Some(Stay { until: None, why }));
        }
        Err(self.failed(&ended, "expire"))
    }
}

#[async_trait]
impl BackupStore for PgBackRest {
    fn kind(&self) -> &'static str {
        "pgbackrest"
    }

    fn counting(&self) -> Counting {
        Counting::Reach
    }

    async fn check(&self) -> Result<Health, Fault> {
        let said = self.tool.run(Effect::Reads, &["version"]).await?;
        let said = String::from_utf8_lossy(&said.output).trim().to_owned();
        if !said.starts_with("pgBackRest ") {
            return Err(self.tool.misconfigured("`pgbackrest version` does not name pgBackRest"));
        }
        let stanza = self.stanza().await?;
        let product = format!("{said}, {} backups", stanza.backup.len());
        Ok(Health { product, ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        self.copies_of(&self.stanza().await?)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        let read =
            pgbackrest_config::retention(self.config.as_deref(), &self.stanza, &self.repository)
                .await;
        match read {
            Ok(Retention::Nothing) => Ok(None),
            Ok(Retention::Rules(rules)) => Ok(Some(rules)),
            Err(why) => Err(self.settings.misconfigured(&why)),
        }
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        let before = self.copies().await?;
        let mut expiry = Expiry::default();
        let wanted: BTreeSet<&String> = ids.iter().collect();
        // What needs others goes before them.
        for copy in before.iter().rev().filter(|copy| wanted.contains(&copy.id)) {
            let needing = before
                .iter()
                .find(|other| other.needs.contains(&copy.id) && !expiry.gone.contains(&other.id));
            let stay = if copy.kind == CopyKind::Log {
                let why =
                    "pgBackRest shortens its archive with the backups that it expires by its \
                           own retention"
                        .to_owned();
                Some(Stay { until: None, why })
            } else if let Some(needing) = needing {
                let why = format!("copy `{}` needs it, and would go with it", needing.id);
                Some(Stay { until: None, why })
            } else {
                self.remove(&copy.id).await?
            };
            match stay {
                Some(stay) => expiry.kept.push((copy.id.clone(), stay)),
                None => expiry.gone.push(copy.id.clone()),
            }
        }
        let after = self.copies().await?;
        if let Some(left) = after.iter().find(|copy| expiry.gone.contains(&copy.id)) {
            return Err(self.tool.transient(&format!(
                "`pgbackrest expire` says that `{}` is gone, and it is still listed",
                left.id
            )));
        }
        let gone_before = |id: &&String| !before.iter().any(|copy| copy.id == **id);
        expiry.gone.extend(ids.iter().filter(gone_before).cloned());
        Ok(expiry)
    }

    /// A backup is in the list once it is finished, and no more before its files are removed.
    async fn remains(&self) -> Result<Option<String>, Fault> {
        let folder = format!("backup/{}", self.stanza);
        let ended = self.run(Effect::Reads, &["--output=json", "repo-ls", &folder]).await?;
        if !ended.is_well() {
            return Err(self.failed(&ended, "repo-ls"));
        }
        let entries: BTreeMap<String, Entry> = self.tool.read(&ended.output)?;
        let entries = entries.iter().filter(|(name, entry)| {
            entry.kind == "path" && !matches!(name.as_str(), "." | HISTORY)
        });
        let there: BTreeSet<&str> = entries.map(|(name, _)| name.as_str()).collect();
        let stanza = self.stanza().await?;
        let listed: BTreeSet<&str> = stanza.backup.iter().map(|one| one.label.as_str()).collect();
        if !there.is_subset(&listed) {
            return Ok(Some(
                "the repository has files of a backup that `pgbackrest info` does not list: a \
                 backup or an expiry is under way or was cut short; the next `pgbackrest expire` \
                 removes them"
                    .to_owned(),
            ));
        }
        if !listed.is_subset(&there) {
            return Err(self.tool.transient(
                "`pgbackrest repo-ls` does not show the backups that `pgbackrest info` lists",
            ));
        }
        Ok(None)
    }
}
