//! Borg repositories: each archive is a copy, also one that was left unfinished (a checkpoint).
//!
//! The moment of an archive is the one at which borg began. What is inside of archives is asked for
//! only where somebody's files are to be erased there ([`super::borg_inside`]).

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::settings::BackupSettings;
use super::tool::{Effect, Ended, Tool};
use super::{
    BackupCopy, BackupStore, CopyKind, Counting, Expiry, InsideCopy, InsideErasure, InsidePart,
    Stay, StoreRetention, borg_remains,
};
use crate::receipt::{Fault, Health};

/// Names in one command.
const MOST_AT_ONCE: usize = 100;
/// Characters of an archive's identifier that stand behind its name: enough to tell it from one
/// that is given the same name later.
const MARK_CHARACTERS: usize = 12;
/// Seconds to wait for a lock; whoever asks again later waits elsewhere.
pub(super) const LOCK_WAIT: &str = "--lock-wait=5";

#[derive(Debug, Deserialize)]
struct Listing {
    archives: Vec<Archive>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Archive {
    pub(super) name: String,
    id: String,
    /// When it began; up to 1.2 without a zone, in that of the process.
    start: String,
}

#[derive(Debug, Deserialize)]
struct Information {
    encryption: Encryption,
}

#[derive(Debug, Deserialize)]
struct Encryption {
    mode: String,
}

/// One line of what borg says with `--log-json`.
#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    msgid: String,
}

/// A Borg repository.
pub(super) struct Borg {
    pub(super) tool: Tool,
    pub(super) archives: Option<String>,
    /// Where its files can be read, if that is known.
    pub(super) folder: Option<PathBuf>,
    older_by: SignedDuration,
}

impl Borg {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("borg")?;
        let mut tool = Tool::of(settings, "borg", "borgbackup")?
            .without(&["BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD", "BORG_NEW_PASSPHRASE"])
            .with("BORG_EXIT_CODES", &"legacy".into())
            .with("BORG_REPO", &settings.place);
        let passphrase = settings.parameters.get("passphrase");
        tool = tool.with("BORG_PASSPHRASE", passphrase.unwrap_or(&"".into()));
        let archives = settings.told("archives").map(str::to_owned);
        let older_by = settings.length("older_by")?.unwrap_or_default();
        Ok(Self { tool, archives, folder: borg_remains::folder(settings), older_by })
    }

    pub(super) async fn list(
        &self,
        archives: Option<&str>,
    ) -> Result<Vec<(Archive, String)>, Fault> {
        let mut arguments = vec!["--log-json", LOCK_WAIT, "list", "--json"];
        // What was cut short is there, and can be restored as far as it came.
        arguments.push("--consider-checkpoints");
        let pattern = archives.map(|archives| format!("--glob-archives={archives}"));
        arguments.extend(pattern.as_deref());
        let ended = self.tool.run(Effect::Reads, &arguments).await?;
        let ended = self.well(ended, "list")?;
        let listing: Listing = self.tool.read(&ended.output)?;
        let mut listed = Vec::new();
        for archive in listing.archives {
            let mark = archive.id.get(..MARK_CHARACTERS).filter(|_| !archive.name.is_empty());
            let mark = mark.ok_or_else(|| {
                self.tool.rejected("`borg list` names an archive without a name or an identifier")
            })?;
            let id = format!("{}#{mark}", archive.name);
            listed.push((archive, id));
        }
        Ok(listed)
    }

    fn copy(&self, archive: &Archive, id: String) -> Result<BackupCopy, Fault> {
        let began = moment(&archive.start).ok_or_else(|| {
            self.tool.rejected(&format!(
                "`borg list` gives archive `{}` no moment that can be read",
                archive.name
            ))
        })?;
        // They are pruned by rules of their own.
        let series = if is_checkpoint(&archive.name) { "checkpoints" } else { "" };
        Ok(BackupCopy {
            id,
            kind: CopyKind::Whole,
            holds_from: began.checked_sub(self.older_by).ok(),
            taken_at: began,
            series: series.to_owned(),
            needs: Vec::new(),
            stay: None,
            ends_at: None,
        })
    }

    /// The repository only lets archives be added: it would hide what it deletes, and keep it.
    pub(super) async fn only_adds(&self) -> Result<bool, Fault> {
        let asked = ["--log-json", LOCK_WAIT, "config", "--", "::", "append_only"];
        // Repositories behind ssh cannot be asked.
        let ended = self.tool.run(Effect::Reads, &asked).await?;
        Ok(ended.is_well() && ended.output.trim_ascii() == b"1")
    }

    pub(super) async fn delete(&self, names: &[&str]) -> Result<(), Fault> {
        for some in names.chunks(MOST_AT_ONCE) {
            // Without a name, it would be the repository that is deleted.
            debug_assert!(!some.is_empty(), "chunks are never empty");
            let mut arguments = vec!["--log-json", LOCK_WAIT, "delete", "::", "--"];
            arguments.extend(some);
            let ended = self.tool.run(Effect::Removes, &arguments).await?;
            // A warning: one of them had gone meanwhile.
            if ended.code != 1 {
                self.well(ended, "delete")?;
            }
        }
        Ok(())
    }

    /// What its failures mean, by the names that borg gives them.
    pub(super) fn well(&self, ended: Ended, command: &str) -> Result<Ended, Fault> {
        if ended.is_well() {
            return Ok(ended);
        }
        let tool = &self.tool;
        let said: Vec<String> = ended
            .words
            .lines()
            .filter_map(|line| serde_json::from_str::<Said>(line).ok())
            .map(|said| said.msgid)
            .collect();
        let is = |names: &[&str]| said.iter().any(|one| names.contains(&one.as_str()));
        Err(if is(&["PassphraseWrong", "PasscommandFailure", "NoPassphraseFailure"]) {
            tool.misconfigured("the repository's passphrase is wrong: correct `passphrase`")
        } else if is(&["LockTimeout", "LockErrorT"]) {
            tool.transient(
                "the repository is locked: another run is under way, or one was cut short; `borg \
                 break-lock` removes the lock, if you are sure that none is",
            )
        } else if is(&["LockFailed", "Repository.InsufficientFreeSpaceError"])
            || ended.says(&["permission denied"])
        {
            tool.misconfigured("the repository may not be read and locked by this account")
        } else if is(&["ConnectionClosed", "ConnectionClosedWithHint"]) {
            tool.transient("the repository cannot be reached over ssh")
        } else if is(&[
            "Repository.DoesNotExist",
            "Repository.InvalidRepository",
            "Repository.PathPermissionDenied",
        ]) {
            tool.misconfigured(
                "there is no repository where it should be: correct the place, or look whether \
                 its disk is mounted",
            )
        } else if is(&["BORG_RELOCATED_REPO_ACCESS_IS_OK"]) {
            tool.misconfigured(
                "the repository was somewhere else when this account last saw it; if it was moved, \
                 set the parameter `BORG_RELOCATED_REPO_ACCESS_IS_OK: yes`",
            )
        } else if is(&["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"]) {
            tool.misconfigured(
                "the repository is not encrypted, and this account has not seen it before; if that \
                 is meant, set the parameter `BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: yes`",
            )
        } else {
            tool.unexplained(&ended, &format!("borg {command}"))
        })
    }
}

/// An archive that was not finished.
fn is_checkpoint(name: &str) -> bool {
    let stem = name.trim_end_matches(|one: char| one.is_ascii_digit());
    name.ends_with(".checkpoint") || (stem != name && stem.ends_with(".checkpoint."))
}

/// With a zone, or in that of the process, which is UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| local().map(|zoned| zoned.timestamp()))
}

#[async_trait]
impl BackupStore for Borg {
    fn kind(&self) -> &'static str {
        "borg"
    }

    fn counting(&self) -> Counting {
        Counting::Beyond
    }

    async fn check(&self) -> Result<Health, Fault> {
        let said = self.tool.run(Effect::Reads, &["--version"]).await?;
        let said = String::from_utf8_lossy(&said.output).trim().to_owned();
        if !said.strip_prefix("borg ").is_some_and(|rest| rest.starts_with(char::is_numeric)) {
            return Err(self.tool.misconfigured("`borg --version` does not name borg"));
        }
        let arguments = ["--log-json", LOCK_WAIT, "info", "--json"];
        let ended = self.tool.run(Effect::Reads, &arguments).await?;
        let ended = self.well(ended, "info")?;
        let information: Information = self.tool.read(&ended.output)?;
        let adds = if self.only_adds().await? { ", only adds" } else { "" };
        let product = format!("{said}, encryption {}{adds}", information.encryption.mode);
        Ok(Health { product, ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        let listed = self.list(self.archives.as_deref()).await?;
        let copies: Result<Vec<BackupCopy>, Fault> =
            listed.into_iter().map(|(archive, id)| self.copy(&archive, id)).collect();
        let mut copies = copies?;
        copies.sort_by(|one, other| (one.taken_at, &one.id).cmp(&(other.taken_at, &other.id)));
        Ok(copies)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        // It is said where `prune` is run, and nowhere in the repository.
        Ok(None)
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        if ids.is_empty() {
            return Ok(Expiry::default());
        }
        let name_of = |(archive, id): (Archive, String)| (id, archive.name);
        let ours: BTreeMap<String, String> =
            self.list(self.archives.as_deref()).await?.into_iter().map(name_of).collect();
        let all: BTreeMap<String, String> = match &self.archives {
            None => ours.clone(),
            Some(_) => self.list(None).await?.into_iter().map(name_of).collect(),
        };
        if let Some(other) = ids.iter().find(|id| all.contains_key(*id) && !ours.contains_key(*id))
        {
            return Err(self.tool.rejected(&format!(
                "archive `{other}` is in the repository and not one of this store's, by \
                 `archives`: nothing was removed"
            )));
        }
        let there: Vec<&str> =
            ids.iter().filter_map(|id| ours.get(id)).map(String::as_str).collect();
        let mut expiry = Expiry::default();
        if self.only_adds().await? {
            // Also what is not listed any more: that is no sign that its data went.
            let stay = Stay { until: None, why: borg_remains::ONLY_ADDS.to_owned() };
            expiry.kept = ids.iter().map(|id| (id.clone(), stay.clone())).collect();
            return Ok(expiry);
        }
        self.delete(&there).await?;
        // Also where nothing was left to delete: the last attempt may have ended before this.
        let left = self.compact().await?;
        let after = self.list(self.archives.as_deref()).await?;
        for id in ids {
            if after.iter().any(|(_, left)| left == id) {
                let why = "borg did not delete it".to_owned();
                expiry.kept.push((id.clone(), Stay { until: None, why }));
            } else if let Some(why) = left.clone() {
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
        if self.only_adds().await? { self.data_left().await } else { self.compact().await }
    }

    async fn holding(&self, parts: &[InsidePart]) -> Result<Vec<InsideCopy>, Fault> {
        self.holding_inside(parts).await
    }

    async fn erase_inside(&self, parts: &[InsidePart]) -> Result<InsideErasure, Fault> {
        self.erase_files(parts).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_with_and_without_a_zone() {
        let without = moment("2026-01-01T02:00:00.000000").unwrap();
        assert_eq!(without.to_string(), "2026-01-01T02:00:00Z");
        assert_eq!(moment("2026-01-01T03:00:00.000000+01:00").unwrap(), without);
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn what_was_cut_short_is_known_by_its_name() {
        for name in ["a.checkpoint", "a.checkpoint.1"] {
            assert!(is_checkpoint(name), "{name}");
        }
        for name in ["a", "checkpoint", "a.checkpoint.x", "a.checkpoints", "a.1"] {
            assert!(!is_checkpoint(name), "{name}");
        }
    }
}
