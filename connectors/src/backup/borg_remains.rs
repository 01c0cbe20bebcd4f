//! Whether a Borg repository keeps data of archives that it no longer lists.
//!
//! `delete` and `prune` take archives out of the list, and `compact` removes their data, by default
//! not all of it; where the repository or its server only lets archives be added, it does nothing
//! and says nothing. What is left is seen in the repository's own files ([`super::borg_segments`]),
//! where these can be read from here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::Deserialize;

use super::borg::{Borg, LOCK_WAIT};
use super::borg_segments::{Left, left_in};
use super::settings::BackupSettings;
use super::tool::Effect;
use crate::receipt::Fault;

/// Without the limit, borg leaves up to a tenth of each segment where it is.
const COMPACT: [&str; 5] = ["--log-json", "--info", LOCK_WAIT, "compact", "--threshold=0"];
/// What borg says once it has compacted, and never where only additions are allowed.
const COMPACTED: &str = "compaction freed about";
/// Why nothing goes.
pub(super) const ONLY_ADDS: &str = "the repository is set to `append_only`, and would hide the archive and keep its data: unset \
     it (`borg config -- REPOSITORY append_only 0`) for as long as it takes";

#[derive(Deserialize)]
struct Listing {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    id: String,
}

/// Where the files of a repository can be read: as it was told, or its place where that is on this
/// machine.
pub(super) fn folder(settings: &BackupSettings) -> Option<PathBuf> {
    let told = settings.told("files").map(PathBuf::from);
    told.or_else(|| on_this_machine(settings.place.expose_secret().trim()))
}

/// The path of a place as `BORG_REPO` has it; `None` where it is reached over ssh.
fn on_this_machine(place: &str) -> Option<PathBuf> {
    if let Some(path) = place.strip_prefix("file://") {
        return Some(PathBuf::from(path));
    }
    // `host:path`, with or without who one is there.
    let is_elsewhere = place.split('/').next().is_some_and(|first| first.contains(':'));
    (!is_elsewhere).then(|| PathBuf::from(place))
}

impl Borg {
    /// As [`BackupStore::remains`](super::BackupStore::remains).
    pub(super) async fn data_left(&self) -> Result<Option<String>, Fault> {
        let Some(folder) = &self.folder else {
            return Ok(Some(
                "nobody can see over ssh whether the repository keeps data of archives that it no \
                 longer lists: say under `files` where its files can be read from here, such as a \
                 read-only mount, or let Quietus remove old archives (`expire: by_quietus`)"
                    .to_owned(),
            ));
        };
        let arguments = ["--log-json", LOCK_WAIT, "list", "--json", "--last=1"];
        let ended = self.tool.run(Effect::Reads, &arguments).await?;
        let ended = self.well(ended, "list")?;
        let listing: Listing = self.tool.read(&ended.output)?;
        let (folder, id) = (folder.clone(), listing.repository.id);
        let looked = tokio::task::spawn_blocking(move || look(&folder, &id)).await;
        looked
            .map_err(|_| self.tool.transient("the repository's files could not be looked at"))?
            .map_err(|why| match why {
                Unseen::Changing => self.tool.transient(
                    "the repository was changed while somebody looked whether it keeps data of \
                     deleted archives",
                ),
                Unseen::Other => self.tool.misconfigured(
                    "`files` leads to another repository than the place: correct it",
                ),
            })
    }

    /// Removes the data of all archives that are not listed; what is left all the same, as far as
    /// anybody knows.
    pub(super) async fn compact(&self) -> Result<Option<String>, Fault> {
        let ended = self.tool.run(Effect::Removes, &COMPACT).await?;
        let ended = self.well(ended, "compact")?;
        if !ended.says(&[COMPACTED]) {
            return Ok(Some(
                "borg did not compact the repository: its server only lets archives be added \
                 (`borg serve --append-only`), and keeps the data of what it hides; compact it \
                 there, with `borg compact --threshold 0`"
                    .to_owned(),
            ));
        }
        let is_readable = |folder: &Path| std::fs::File::open(folder.join("config")).is_ok();
        if self.folder.as_deref().is_some_and(is_readable) {
            return self.data_left().await;
        }
        // Borg has said that it did, and nobody else can be asked.
        Ok(None)
    }
}

/// Why nobody knows what is left.
enum Unseen {
    Changing,
    Other,
}

/// What is left in the files of the repository with this identifier.
fn look(folder: &Path, id: &str) -> Result<Option<String>, Unseen> {
    let unread = |why: &str| {
        Ok(Some(format!(
            "{why}, so that nobody can see whether the repository keeps data of archives that it \
             no longer lists: run this account where it can, or say under `files` where it can \
             read them"
        )))
    };
    let Ok(config) = std::fs::read_to_string(folder.join("config")) else {
        return unread("the repository's files cannot be read by this account");
    };
    let value = |name: &str| {
        let mut pairs = config.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    if value("id") != Some(id) {
        return Err(Unseen::Other);
    }
    let left = match left_in(folder) {
        Ok(left) => left,
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return unread("the repository's files are of a form that is not known here");
        }
        Err(_) => return unread("the repository's files cannot be read by this account"),
    };
    let only_adds = value("append_only") == Some("1");
    Ok(match left {
        Left::Nothing => None,
        Left::Changed => return Err(Unseen::Changing),
        Left::Deleted if only_adds => Some(
            "the repository is set to `append_only` and keeps the data of archives that it no \
             longer lists: unset it (`borg config -- REPOSITORY append_only 0`), run `borg \
             compact --threshold 0`, and set it again"
                .to_owned(),
        ),
        Left::Deleted => Some(
            "the repository keeps data of archives that it no longer lists: run `borg compact \
             --threshold 0` after each `borg prune` or `borg delete`"
                .to_owned(),
        ),
        Left::Unfinished => Some(
            "the repository has files of a run that is under way or was cut short, which the next \
             run clears away"
                .to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_over_ssh_are_told_from_folders() {
        for (place, path) in [
            ("/srv/borg", Some("/srv/borg")),
            ("file:///srv/borg", Some("/srv/borg")),
            ("borg/shop", Some("borg/shop")),
            ("/srv/a:b", Some("/srv/a:b")),
            ("ssh://somebody@store.example:22/srv/borg", None),
            ("somebody@store.example:borg", None),
            ("store.example:/srv/borg", None),
        ] {
            assert_eq!(on_this_machine(place), path.map(PathBuf::from), "{place}");
        }
    }
}
