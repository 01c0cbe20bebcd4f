//! restic repositories: each snapshot is a copy.
//!
//! The moment of a snapshot is the one at which restic began. Nothing inside of snapshots is asked
//! for.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::settings::BackupSettings;
use super::tool::{Effect, Ended, Tool};
use super::{BackupCopy, BackupStore, CopyKind, Expiry, Stay, StoreRetention};
use crate::receipt::{Fault, Health};

/// Identifiers in one command.
const MOST_AT_ONCE: usize = 200;
/// Characters of an identifier: SHA-256 in hexadecimal.
const ID_CHARACTERS: usize = 64;
/// What a listing is run with: it must not leave names of files behind on this machine, and needs
/// no lock, because it reads what is never changed.
const READ_ONLY: [&str; 3] = ["--quiet", "--no-cache", "--no-lock"];

/// Without the limit, restic leaves up to a twentieth of the repository where it is.
const PRUNE: [&str; 3] = ["prune", "--quiet", "--max-unused=0"];

/// Whether the data of forgotten snapshots went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pruned {
    /// All of it.
    All,
    /// None of it: the store only lets data be added.
    Refused,
}

/// What `restic snapshots --json` says of one.
#[derive(Debug, Deserialize)]
struct Snapshot {
    id: String,
    time: Timestamp,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    paths: Option<Vec<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    summary: Option<Summary>,
}

/// Written from restic 0.17 on.
#[derive(Debug, Deserialize)]
struct Summary {
    #[serde(default)]
    backup_start: Option<Timestamp>,
}

/// By what the store's own `forget` groups snapshots.
#[derive(Debug, Clone, Copy)]
struct Groups {
    host: bool,
    paths: bool,
    tags: bool,
}

/// A restic repository.
pub(super) struct Restic {
    pub(super) tool: Tool,
    host: Option<String>,
    tags: Vec<String>,
    paths: Vec<String>,
    groups: Groups,
    older_by: SignedDuration,
}

impl Restic {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("restic")?;
        let mut tool = Tool::of(settings, "restic", "restic")?
            .without(&["RESTIC_REPOSITORY_FILE", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"])
            .with("RESTIC_REPOSITORY", &settings.place);
        if let Some(password) = settings.parameters.get("password") {
            tool = tool.with("RESTIC_PASSWORD", password);
        }
        Ok(Self {
            tool,
            host: settings.told("host").map(str::to_owned),
            tags: settings.list("tags"),
            paths: settings.list("paths"),
            groups: groups(settings)?,
            older_by: settings.length("older_by")?.unwrap_or_default(),
        })
    }

    /// All snapshots of the repository, whoever they belong to.
    async fn snapshots(&self) -> Result<Vec<Snapshot>, Fault> {
        // restic leaves out what it cannot read, with a word of warning only. The names of the
        // files are asked for first: what is missing afterwards was unreadable, or has just gone.
        let listed = self.read(&["list", "snapshots"]).await?;
        let listed = String::from_utf8_lossy(&listed.output).into_owned();
        let ended = self.read(&["snapshots", "--json"]).await?;
        let snapshots: Option<Vec<Snapshot>> = self.tool.read(&ended.output)?;
        let snapshots = snapshots.unwrap_or_default();
        let known: BTreeSet<&str> = snapshots.iter().map(|one| one.id.as_str()).collect();
        let mut unreadable = 0;
        for id in listed.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !is_id(id) {
                return Err(self.tool.rejected(
                    "`restic list snapshots` answers with something else than identifiers",
                ));
            }
            unreadable += usize::from(!known.contains(id));
        }
        if unreadable > 0 {
            return Err(self.tool.transient(&format!(
                "{unreadable} snapshot(s) could not be read, so that nobody knows what they hold; \
                 if this stays so, see what `restic check` says"
            )));
        }
        Ok(snapshots)
    }

    pub(super) async fn read(&self, arguments: &[&str]) -> Result<Ended, Fault> {
        let arguments = [arguments, &READ_ONLY].concat();
        let ended = self.tool.run(Effect::Reads, &arguments).await?;
        self.well(ended, arguments[0])
    }

    fn is_ours(&self, snapshot: &Snapshot) -> bool {
        let has = |values: &Option<Vec<String>>, wanted: &[String]| {
            let values = values.as_deref().unwrap_or_default();
            wanted.iter().all(|one| values.contains(one))
        };
        self.host.as_ref().is_none_or(|host| *host == snapshot.hostname)
            && has(&snapshot.tags, &self.tags)
            && has(&snapshot.paths, &self.paths)
    }

    fn copy(&self, snapshot: Snapshot) -> BackupCopy {
        let began = snapshot.summary.as_ref().and_then(|summary| summary.backup_start);
        let began = began.map_or(snapshot.time, |began| began.min(snapshot.time));
        BackupCopy {
            series: self.groups.series(&snapshot),
            id: snapshot.id,
            kind: CopyKind::Whole,
            holds_from: began.checked_sub(self.older_by).ok(),
            taken_at: snapshot.time,
            needs: Vec::new(),
            stay: None,
            ends_at: None,
        }
    }

    /// Ours, of all; refuses identifiers of somebody else's snapshots.
    async fn listed(&self, ids: &[String]) -> Result<BTreeSet<String>, Fault> {
        let mut ours = BTreeSet::new();
        for snapshot in self.snapshots().await? {
            if self.is_ours(&snapshot) {
                ours.insert(snapshot.id);
            } else if ids.contains(&snapshot.id) {
                return Err(self.tool.rejected(&format!(
                    "snapshot `{}` is in the repository and not one of this store's, by `host`, \
                     `tags` or `paths`: nothing was removed",
                    snapshot.id
                )));
            }
        }
        Ok(ours)
    }

    /// Removes what can be removed; what is still there is seen by listing again. Whether the data
    /// went too.
    async fn remove(&self, ids: &[&String]) -> Result<Pruned, Fault> {
        for some in ids.chunks(MOST_AT_ONCE) {
            let mut arguments = vec!["forget", "--quiet"];
            arguments.extend(some.iter().map(|id| id.as_str()));
            let ended = self.tool.run(Effect::Removes, &arguments).await?;
            if !only_adds(&ended) {
                self.well(ended, "forget")?;
            }
        }
        // Also where nothing was left to forget: the last attempt may have ended before this.
        self.prune().await
    }

    /// Removes all data that no snapshot needs.
    pub(super) async fn prune(&self) -> Result<Pruned, Fault> {
        let ended = self.tool.run(Effect::Removes, &PRUNE).await?;
        if only_adds(&ended) {
            return Ok(Pruned::Refused);
        }
        self.well(ended, "prune")?;
        Ok(Pruned::All)
    }

    /// What its failures mean. Exit codes tell them apart from restic 0.17 on, words before.
    fn well(&self, ended: Ended, command: &str) -> Result<Ended, Fault> {
        if ended.is_well() {
            return Ok(ended);
        }
        let tool = &self.tool;
        Err(if ended.code == 12 || ended.says(&["wrong password"]) {
            tool.misconfigured("the repository's password is wrong: correct `password`")
        } else if ended.code == 11 || ended.says(&["already locked", "unable to create lock"]) {
            tool.transient(
                "the repository is locked: another run is under way, or one was cut short; \
                 `restic unlock` removes locks of runs that no longer exist",
            )
        } else if ended.says(UNREACHABLE) {
            tool.transient("the repository cannot be reached")
        } else if ended.says(&["permission denied", "access denied", "403 forbidden"]) {
            tool.misconfigured("the repository may not be read or changed by this account")
        } else if ended.code == 10 || ended.says(&["is there a repository at", "config file"]) {
            tool.misconfigured(
                "there is no repository where it should be: correct the place, or look whether \
                 its disk is mounted",
            )
        } else {
            tool.unexplained(&ended, &format!("restic {command}"))
        })
    }
}

/// Words of networks that may be better later.
const UNREACHABLE: &[&str] = &[
    "connection refused",
    "no such host",
    "no route to host",
    "i/o timeout",
    "timed out",
    "network is unreachable",
    "temporary failure in name resolution",
    "connection reset",
    "tls handshake",
];

/// The store takes what is added, and gives nothing up (an append-only server).
fn only_adds(ended: &Ended) -> bool {
    !ended.is_well() && ended.says(&["403 forbidden", "405 method not allowed", "append-only"])
}

pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_CHARACTERS && text.chars().all(|one| one.is_ascii_hexdigit())
}

fn groups(settings: &BackupSettings) -> Result<Groups, Fault> {
    let mut groups = Groups { host: false, paths: false, tags: false };
    for word in settings.told("group_by").unwrap_or("host,paths").split(',') {
        match word.trim() {
            "host" => groups.host = true,
            "paths" => groups.paths = true,
            "tags" => groups.tags = true,
            "nothing" => {}
            _ => {
                return Err(settings.misconfigured(
                    "`group_by` is a list of `host`, `paths` and `tags`, or `nothing`",
                ));
            }
        }
    }
    Ok(groups)
}

impl Groups {
    /// Names a group without its paths, which may be anything.
    fn series(self, snapshot: &Snapshot) -> String {
        let mut digest = Sha256::new();
        let mut add = |mut words: Vec<&str>| {
            words.sort_unstable();
            for word in words {
                digest.update(word.len().to_be_bytes());
                digest.update(word);
            }
            digest.update([0]);
        };
        add(if self.host { vec![snapshot.hostname.as_str()] } else { Vec::new() });
        for (wanted, words) in [(self.paths, &snapshot.paths), (self.tags, &snapshot.tags)] {
            let words = words.iter().flatten().filter(|_| wanted);
            add(words.map(String::as_str).collect());
        }
        hex::encode(&digest.finalize()[..8])
    }
}

/// From which version on it can take single files out of snapshots.
const REWRITES_FROM: (u32, u32) = (0, 15);

/// Two numbers of `restic 0.14.0 compiled with …`.
fn version(words: &str) -> Option<(&str, (u32, u32))> {
    let version = words.strip_prefix("restic ")?.split_whitespace().next()?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    Some((version, (numbers.next()?.ok()?, numbers.next()?.ok()?)))
}

#[async_trait]
impl BackupStore for Restic {
    fn kind(&self) -> &'static str {
        "restic"
    }

    async fn check(&self) -> Result<Health, Fault> {
        let said = self.tool.run(Effect::Reads, &["version"]).await?;
        let said = String::from_utf8_lossy(&said.output).into_owned();
        let Some((version, numbers)) = version(&said) else {
            return Err(self.tool.misconfigured("`restic version` does not name restic"));
        };
        let config = self.read(&["cat", "config"]).await?;
        let _: serde_json::Map<String, serde_json::Value> = self.tool.read(&config.output)?;
        let note = if numbers < REWRITES_FROM {
            "; it cannot take files out of snapshots, for which 0.15 is needed"
        } else {
            ""
        };
        Ok(Health { product: format!("restic {version}{note}"), ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        let snapshots = self.snapshots().await?;
        let ours = snapshots.into_iter().filter(|snapshot| self.is_ours(snapshot));
        let mut copies: Vec<BackupCopy> = ours.map(|snapshot| self.copy(snapshot)).collect();
        copies.sort_by(|one, other| (one.taken_at, &one.id).cmp(&(other.taken_at, &other.id)));
        Ok(copies)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        // It is said where `forget` is run, and nowhere in the repository.
        Ok(None)
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        if ids.is_empty() {
            return Ok(Expiry::default());
        }
        if let Some(odd) = ids.iter().find(|id| !is_id(id)) {
            return Err(self.tool.rejected(&format!(
                "`{odd}` is no identifier of a snapshot: nothing was removed"
            )));
        }
        let before = self.listed(ids).await?;
        let there: Vec<&String> = ids.iter().filter(|id| before.contains(*id)).collect();
        let pruned = self.remove(&there).await?;
        let after = self.listed(ids).await?;
        let mut expiry = Expiry::default();
        for id in ids {
            if after.contains(id) {
                let why = "the store did not give it up: if it only lets copies be added, its own \
                           retention has to remove them"
                    .to_owned();
                expiry.kept.push((id.clone(), Stay { until: None, why }));
            } else if pruned == Pruned::Refused {
                let why = "the store has forgotten it and does not give its data up: prune it \
                           where that is allowed, with `restic prune --max-unused 0`"
                    .to_owned();
                expiry.kept.push((id.clone(), Stay { until: None, why }));
            } else {
                expiry.gone.push(id.clone());
            }
        }
        Ok(expiry)
    }

    async fn remains(&self) -> Result<Option<String>, Fault> {
        self.data_left().await
    }

    async fn remove_remains(&self) -> Result<Option<String>, Fault> {
        self.prune().await?;
        self.data_left().await
    }
}
