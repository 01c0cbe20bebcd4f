//! Erasing one person's files in the archives of a Borg repository, with `borg recreate`.
//!
//! Each archive that holds some is written anew without them; it keeps its name, its moment and
//! everything else, and is given another identifier. What a person is known by goes to borg over its
//! standard input: never among its arguments, which everybody on the machine can read, and never
//! into a file.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::borg::{Borg, LOCK_WAIT};
use super::tool::Effect;
use super::{InsideCopy, InsideErasure, InsidePart, Stay};
use crate::receipt::Fault;

/// Where borg reads patterns from.
const PATTERNS: &str = "--patterns-from=/dev/stdin";
/// What borg appends to the name of an archive while it writes it anew.
const UNFINISHED: &str = ".recreate";
/// What borg says of an archive that has gone.
const GONE: &str = "Archive.DoesNotExist";

/// Patterns that choose these paths and nothing else. `pp:` has no wildcards.
fn only(parts: &[InsidePart]) -> SecretString {
    let mut text = listed('+', parts);
    text.push_str("- re:.\n");
    text.into()
}

/// Patterns that leave these paths out and nothing else.
fn without(parts: &[InsidePart]) -> SecretString {
    listed('-', parts).into()
}

fn listed(sign: char, parts: &[InsidePart]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push(sign);
        text.push_str(" pp:");
        text.push_str(part.path());
        text.push('\n');
    }
    text
}

impl Borg {
    /// As [`BackupStore::holding`](super::BackupStore::holding).
    pub(super) async fn holding_inside(
        &self,
        parts: &[InsidePart],
    ) -> Result<Vec<InsideCopy>, Fault> {
        let mut holding = Vec::new();
        for (archive, id) in self.list(self.archives.as_deref()).await? {
            let entries = self.entries(&archive.name, parts).await?;
            if entries > 0 {
                holding.push(InsideCopy { copy: id, entries });
            }
        }
        Ok(holding)
    }

    /// How many files and folders of an archive these parts cover. Only their types are asked for.
    async fn entries(&self, archive: &str, parts: &[InsidePart]) -> Result<u64, Fault> {
        let archive = format!("::{archive}");
        let arguments =
            ["--log-json", LOCK_WAIT, "list", PATTERNS, "--format={type}{NL}", "--", &archive];
        let ended = self.tool.run_told(Effect::Reads, &arguments, Some(&only(parts))).await?;
        // Pruned since it was listed.
        if !ended.is_well() && ended.says(&[GONE]) {
            return Ok(0);
        }
        let ended = self.well(ended, "list")?;
        let lines = ended.output.split(|one| *one == b'\n').filter(|line| !line.is_empty());
        Ok(u64::try_from(lines.count()).unwrap_or(u64::MAX))
    }

    /// As [`BackupStore::erase_inside`](super::BackupStore::erase_inside).
    pub(super) async fn erase_files(&self, parts: &[InsidePart]) -> Result<InsideErasure, Fault> {
        if parts.is_empty() {
            return Ok(InsideErasure::default());
        }
        if self.only_adds().await? {
            let why = "the repository is set to `append_only`, and would keep the files in what it \
                       hides: unset it (`borg config -- REPOSITORY append_only 0`) for as long as \
                       it takes";
            let stay = Stay { until: None, why: why.to_owned() };
            let kept = self.holding_inside(parts).await?;
            let kept = kept.into_iter().map(|one| (one.copy, stay.clone())).collect();
            return Ok(InsideErasure { gone: Vec::new(), kept });
        }
        self.remove_unfinished().await?;
        let holding = self.holding_inside(parts).await?;
        for one in &holding {
            let name = one.copy.rsplit_once('#').map_or(one.copy.as_str(), |(name, _)| name);
            let archive = format!("::{name}");
            let arguments = ["--log-json", LOCK_WAIT, "recreate", PATTERNS, "--", &archive];
            let told = without(parts);
            let ended = self.tool.run_told(Effect::Removes, &arguments, Some(&told)).await?;
            // Pruned since it was listed.
            if ended.is_well() || !ended.says(&[GONE]) {
                self.well(ended, "recreate")?;
            }
        }
        // Also where nothing was left to write anew: the last attempt may have ended before this.
        let left = self.compact().await?;
        if !self.holding_inside(parts).await?.is_empty() {
            return Err(self.tool.transient(
                "archives hold files of the person after they were written anew: one was made \
                 meanwhile, or borg left some in place",
            ));
        }
        if let Some(why) = left {
            // No archive lists them, and the repository has their data.
            let stay = Stay { until: None, why };
            let kept = holding.into_iter().map(|one| (one.copy, stay.clone())).collect();
            return Ok(InsideErasure { gone: Vec::new(), kept });
        }
        Ok(InsideErasure { gone: holding, kept: Vec::new() })
    }

    /// Deletes what `borg recreate` leaves behind where it is cut short: the archive that it was
    /// writing beside the one that it was to replace. It still may hold files of other persons whom
    /// a later run is about, and borg does not begin while it is there.
    async fn remove_unfinished(&self) -> Result<(), Fault> {
        let ours = self.list(self.archives.as_deref()).await?;
        let ours: BTreeSet<String> = ours.into_iter().map(|(archive, _)| archive.name).collect();
        let all = self.list(None).await?;
        let unfinished = all.iter().filter(|(archive, _)| {
            let stem = archive.name.split_once(UNFINISHED);
            stem.is_some_and(|(stem, rest)| {
                let of_borg = rest.is_empty() || rest.starts_with(".checkpoint");
                of_borg && ours.contains(stem)
            })
        });
        let names: Vec<&str> = unfinished.map(|(archive, _)| archive.name.as_str()).collect();
        self.delete(&names).await
    }
}
