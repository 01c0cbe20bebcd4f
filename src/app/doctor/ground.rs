//! What an instance stands on: its files, its store, its keys, the rules in force, and the clock.

use std::path::Path;

use jiff::SignedDuration;

use super::{Finding, Found};
use crate::app::{AppError, Quietus};
use crate::config::{Instance, Problems, Severity, exposed_keys, folder_of_both};
use crate::domain::AlarmKind;
use crate::store::{SchemaStanding, Store, StoreError};

/// Clocks of machines that share a store may differ by so much.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

impl Finding {
    /// The same with what follows from it.
    pub(super) fn because(mut self, follows: &str) -> Self {
        self.what = format!("{}; {follows}", self.what);
        self
    }
}

/// What is wrong with the files.
pub(super) fn problems(problems: &Problems) -> Vec<Finding> {
    let found = problems.found.iter().map(|problem| {
        let place = format!("{}:{}", problem.place.file, problem.place.span.line);
        let found = match problem.severity {
            Severity::Error => Finding::wrong(place, &problem.message),
            Severity::Warning => Finding::look(place, &problem.message),
        };
        let found = match &problem.help {
            Some(help) => found.advice(help),
            None => found,
        };
        found.kind(AlarmKind::FileProblem).command("quietus check")
    });
    found.collect()
}

/// The store cannot be opened.
pub(super) fn no_store(error: &AppError) -> Finding {
    let found = Finding::wrong("store", error.to_string()).kind(AlarmKind::StoreUnavailable);
    match error {
        AppError::Store(StoreError::Unavailable { .. }) => found.advice(
            "`store` in `quietus.yaml` says where it is: start its database, or correct that; a new instance gets its database with the first `quietus status`",
        ),
        _ => found.advice("`store` in `quietus.yaml` says where it is"),
    }
}

/// The schema is not the one of this binary.
pub(super) fn other_schema(schema: SchemaStanding) -> Finding {
    let SchemaStanding { applied, known, .. } = schema;
    if !schema.fits() {
        let what = format!("its schema is {applied}, and this binary knows {known} only");
        return Finding::wrong("store", what)
            .kind(AlarmKind::StoreSchema)
            .advice("use the newer binary");
    }
    let what = format!("its schema is {applied}, and this binary has {known}");
    Finding::wrong("store", what)
        .kind(AlarmKind::StoreSchema)
        .advice("any other command of this binary brings it up to date")
        .command("quietus status")
}

/// A newer binary has added to the schema, and this one goes on.
pub(super) fn newer_schema(schema: SchemaStanding) -> Vec<Finding> {
    let SchemaStanding { applied, known, .. } = schema;
    if !schema.is_newer() {
        return Vec::new();
    }
    let what = format!(
        "a newer version has brought its schema to {applied}, and this one knows {known}: both work"
    );
    vec![
        Finding::look("store", what)
            .kind(AlarmKind::StoreSchema)
            .advice("bring every process to the newer version"),
    ]
}

/// How the store stands, where all is well.
pub(super) fn standing(store: &Store, schema: SchemaStanding) -> String {
    let stands = format!("{}, schema {}", store.kind(), schema.applied);
    if !store.is_pooled() {
        return stands;
    }
    format!("{stands}, behind a pooler: replicas look every two seconds and hear no hints")
}

/// Behind a pooler our own records need another way to the database.
pub(super) fn no_way_past_pooler(store: &Store, instance: &Instance) -> Option<Finding> {
    if !store.is_pooled() || instance.store_direct.is_some() {
        return None;
    }
    let what = "it is behind a pooler in transaction mode, and nothing says how it is reached past it: own records stay";
    Some(
        Finding::look("store", what)
            .kind(AlarmKind::StorePooled)
            .advice("write `store_direct` in `quietus.yaml`"),
    )
}

/// Keys that others may read, or that a copy of the database has with it.
pub(super) fn exposed(instance: &Instance) -> Vec<Finding> {
    let folder = &instance.keys;
    let mut found = match exposed_keys(folder) {
        Ok(exposed) => exposed.iter().map(|path| others_may_read(path)).collect(),
        Err(error) => vec![
            Finding::wrong(
                format!("folder {}", folder.display()),
                format!("the keys folder cannot be read: {}", error.kind()),
            )
            .kind(AlarmKind::KeyUnreadable)
            .advice("look at its owner, and at `keys` in `quietus.yaml`; a new instance gets it with the first `quietus status`"),
        ],
    };
    if let Some(both) = folder_of_both(instance) {
        found.push(
            Finding::look(
                format!("folder {}", both.display()),
                "a copy of it holds the database and the keys, and with both what was shredded can be read",
            )
            .kind(AlarmKind::KeyBesideStore)
            .advice("leave the keys folder out of copies, or move it (`keys` in `quietus.yaml`)"),
        );
    }
    found
}

fn others_may_read(path: &Path) -> Finding {
    Finding::wrong(format!("key {}", path.display()), "others may read it")
        .kind(AlarmKind::KeyExposed)
        .command(format!("chmod 600 {}", quoted(&path.display().to_string())))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |one: char| one.is_ascii_alphanumeric() || "/._-".contains(one);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The instance cannot be opened although its store can.
pub(super) fn not_opened(keys: &Path, error: &AppError, mut found: Vec<Finding>) -> Vec<Finding> {
    let (error, blind) = (error.to_string(), "nothing else can be looked at before");
    let place = format!("folder {}", keys.display());
    let says = |one: &Finding| one.commands.iter().any(|command| error.contains(command));
    // A key that others may read is told already, with what to do.
    found.push(if found.iter().any(says) {
        Finding::look(place, blind).kind(AlarmKind::KeyUnreadable)
    } else {
        Finding::wrong(place, error).because(blind).kind(AlarmKind::KeyUnreadable)
    });
    found
}

impl Quietus {
    /// Keys that are not there, and a signer that was not.
    pub(super) async fn keys_at_fault(&self) -> Found {
        let mut found = Vec::new();
        if let Err(error) = self.signer_is_there() {
            found.push(
                Finding::wrong("signer", error.to_string()).kind(AlarmKind::SignerMissing).advice(
                    "nothing is certified before it is there: see `signers` in `quietus.yaml`",
                ),
            );
        }
        for epoch in self.store.key_epochs().await? {
            let needed = epoch.left_at.is_none() && epoch.destroyed_at.is_none();
            if needed && !self.epochs.has_file(&epoch.name) {
                found.push(
                    Finding::wrong(
                        format!("key of {}", epoch.name),
                        "it is not in the keys folder, and what was sealed in that month opens with it only",
                    )
                    .kind(AlarmKind::KeyMissing)
                    .since(epoch.begun_at)
                    .advice("restore `epochs` of the keys folder from your copy")
                    .command("quietus keys list"),
                );
            }
        }
        Ok(found)
    }

    /// Processes that work by earlier rules or an earlier data map than the files say.
    pub(super) async fn rules_at_fault(&self) -> Found {
        let mut found = Vec::new();
        let files = [("rules", self.rules.digest), ("data map", self.map.digest)];
        for (place, digest) in files {
            if self.store.document_seen_at(digest).await?.is_none() {
                found.push(
                    Finding::look(
                        place,
                        "the files have changed and nobody has read them since; a process that runs goes by the earlier ones",
                    )
                    .kind(AlarmKind::RulesUnread)
                    .advice("start `quietus run` anew"),
                );
            }
        }
        let Some(seen_at) = self.store.document_seen_at(self.rules.digest).await? else {
            return Ok(found);
        };
        if self.works_by_other_limits().await? {
            found.push(
                Finding::wrong(
                    "minimums",
                    "those in force are others than these files say, or cannot be read with their data map: a process that goes by the files leaves the jobs of persons to one that does not",
                )
                .kind(AlarmKind::RulesEarlier)
                .advice("give every machine the same files, and start `quietus run` anew on each"),
            );
        }
        if let Some((case, digest)) = self.store.newest_dispatch(seen_at).await?
            && digest != self.rules.digest
        {
            found.push(
                Finding::wrong(
                    format!("case {case}"),
                    format!("a process still works by earlier rules ({})", digest.short()),
                )
                .kind(AlarmKind::RulesEarlier)
                .since(seen_at)
                .advice("start `quietus run` anew, on every machine"),
            );
        }
        Ok(found)
    }

    /// A clock that is behind what was written down before.
    pub(super) async fn clock_at_fault(&self) -> Found {
        let mut newest = self.store.newest_heartbeat().await?;
        for log in self.store.logs().await? {
            let head = self.store.latest_checkpoint(&log.log_id).await?;
            newest = newest.max(head.map(|head| head.signed_at));
            for authority in &self.instance.anchors.authorities {
                let stamp = self.store.newest_time_stamp(&authority.name, &log.log_id).await?;
                newest = newest.max(stamp.map(|stamp| stamp.stamped_at));
            }
        }
        let Some(newest) = newest else { return Ok(Vec::new()) };
        let behind = newest.duration_since(self.now());
        if behind <= CLOCKS_DIFFER {
            return Ok(Vec::new());
        }
        let what = format!(
            "the clock of this machine is {} behind the newest moment of the log, {newest:.0}",
            super::runs::duration_in_words(behind)
        );
        Ok(vec![
            Finding::wrong("clock", what)
                .kind(AlarmKind::ClockBehind)
                .advice("what is due would be due later; set the clock by the network")
                .command("timedatectl set-ntp true"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_need_it() {
        assert_eq!(quoted("/var/lib/quietus/keys/log.pem"), "/var/lib/quietus/keys/log.pem");
        assert_eq!(quoted("/my keys/it's"), r"'/my keys/it'\''s'");
    }
}
