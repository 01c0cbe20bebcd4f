//! A store of each kind with copies from before and after an erasure.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{BackupCopy, BackupSettings, BackupStore, CopyKind, Fault, open_backup};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tempfile::TempDir;

/// No word of a tool or of ours has it by accident.
pub const PASSWORD: &str = "vanilla-trombone-4711";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where servers are"
)]
pub fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, which starts what is needed")
    })
}

/// A command as the account that owns the server runs it.
pub fn as_owner(command: &str) -> String {
    match told("QUIETUS_TEST_BACKUP_ACCOUNT").as_str() {
        "" => command.to_owned(),
        account => format!("runuser -u {account} -- {command}"),
    }
}

pub struct Ground {
    pub kind: &'static str,
    pub folder: TempDir,
    pub settings: BackupSettings,
    /// When somebody was gone from the source.
    pub erased: Timestamp,
    /// Whole copies, oldest first.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl Ground {
    /// A store with copies.
    pub async fn of(kind: &'static str) -> Self {
        let mut ground = Self::bare(kind);
        match kind {
            "restic" => ground.fill_restic(),
            "borg" => ground.fill_borg(),
            _ => {}
        }
        for copy in ground.copies().await {
            let Some(from) = copy.holds_from.filter(|_| copy.kind == CopyKind::Whole) else {
                continue;
            };
            let side = if from <= ground.erased { &mut ground.before } else { &mut ground.after };
            side.push(copy.id);
        }
        ground
    }

    /// Settings of a store that may have nothing yet.
    pub fn bare(kind: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        // Servers' own accounts reach it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut ground = Self {
            kind,
            folder,
            settings: BackupSettings {
                system: "vault".to_owned(),
                place: SecretString::from(""),
                parameters: BTreeMap::new(),
                longest_run: SignedDuration::ZERO,
                now: std::sync::Arc::new(|| at("2026-03-05T00:00:00Z")),
            },
            erased: at("2026-03-02T12:00:00Z"),
            before: Vec::new(),
            after: Vec::new(),
        };
        match kind {
            "restic" => ground.restic(),
            "borg" => ground.borg(),
            "dumps" => ground.dumps(),
            "pgbackrest" => ground.pgbackrest(),
            "barman" => ground.barman(),
            _ => unreachable!("{kind}"),
        }
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn tell(&mut self, name: &str, value: &str) {
        self.settings.parameters.insert(name.to_owned(), value.into());
    }

    pub fn place(&mut self, place: &str) {
        self.settings.place = place.into();
    }

    pub fn try_store(&self) -> Result<Box<dyn BackupStore>, Fault> {
        open_backup(self.kind, &self.settings)
    }

    pub fn store(&self) -> Box<dyn BackupStore> {
        self.try_store().unwrap()
    }

    pub async fn copies(&self) -> Vec<BackupCopy> {
        self.store().copies().await.unwrap()
    }

    pub async fn ids(&self) -> Vec<String> {
        self.copies().await.into_iter().map(|copy| copy.id).collect()
    }

    /// A program to put in the place of the tool.
    pub fn script(&self, text: &str) -> String {
        let path = self.path("tool");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The tool itself, as a shell starts it.
    pub fn real_tool(&self) -> String {
        let told = self.settings.parameters.get("program");
        let name = self.kind.to_owned();
        told.map_or(name, |program| program.expose_secret().to_owned())
    }

    /// A program as it runs at a moment in the future, however old the copies are by now.
    pub fn at_moment(&self, moment: Timestamp, program: &str) -> String {
        let now = self.path("now");
        fs::write(&now, "").unwrap();
        let now = Timestamp::try_from(fs::metadata(&now).unwrap().modified().unwrap()).unwrap();
        let seconds = now.duration_until(moment).as_secs();
        as_owner(&format!("faketime -f +{seconds}s {program}"))
    }

    /// Runs the tool as the owner of the store would.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments:?}: {words}", self.kind);
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = self.real_tool();
        let mut words = program.split_whitespace();
        let name = words.next().unwrap();
        let mut command = Command::new(name);
        command.args(words).args(arguments).current_dir("/").stdin(Stdio::null());
        let place = self.settings.place.expose_secret();
        command.env("TZ", "UTC");
        match self.kind {
            "restic" => {
                command.env("RESTIC_REPOSITORY", place).env("RESTIC_PASSWORD", PASSWORD);
            }
            "borg" => {
                command.env("BORG_REPO", place).env("BORG_PASSPHRASE", PASSWORD);
                command.env("BORG_BASE_DIR", self.path("base"));
            }
            _ => {}
        }
        command
    }

    fn restic(&mut self) {
        self.source();
        let repository = self.path("repository");
        self.place(repository.to_str().unwrap());
        self.tell("password", PASSWORD);
    }

    /// Four snapshots of four days.
    fn fill_restic(&self) {
        self.run(&["init", "--quiet"]);
        for day in 1..=4 {
            self.snapshot(&format!("2026-03-0{day} 02:00:00"), &[]);
        }
    }

    /// Takes a snapshot, and gives its identifier.
    pub fn snapshot(&self, time: &str, more: &[&str]) -> String {
        let source = self.path("source");
        let source = source.to_str().unwrap();
        // Of two hosts, the later word counts.
        let mut arguments = vec!["backup", "--json", "--host=shop", "--time", time];
        arguments.extend(more);
        arguments.push(source);
        let said = self.run(&arguments);
        let summary: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let short = summary["snapshot_id"].as_str().unwrap().to_owned();
        let listed = self.run(&["list", "snapshots", "--quiet"]);
        listed.lines().find(|id| id.starts_with(&short)).unwrap().to_owned()
    }

    fn borg(&mut self) {
        self.source();
        let repository = self.path("repository");
        self.place(repository.to_str().unwrap());
        self.tell("passphrase", PASSWORD);
        let base = self.path("base");
        self.tell("BORG_BASE_DIR", base.to_str().unwrap());
    }

    /// Four archives of four days.
    fn fill_borg(&self) {
        self.run(&["init", "--encryption=repokey"]);
        for day in 1..=4 {
            self.archive(&format!("shop-{day}"), &format!("2026-03-0{day}T02:00:00"));
        }
    }

    pub fn archive(&self, name: &str, time: &str) {
        let source = self.path("source");
        let name = format!("::{name}");
        self.run(&["create", "--timestamp", time, &name, source.to_str().unwrap()]);
    }

    fn source(&self) {
        fs::create_dir(self.path("source")).unwrap();
        fs::write(self.path("source/orders"), "seven spoons").unwrap();
    }

    fn dumps(&mut self) {
        let folder = self.path("dumps");
        fs::create_dir(&folder).unwrap();
        for day in 1..=4 {
            fs::write(folder.join(format!("shop-2026-03-0{day}.sql")), "seven spoons").unwrap();
        }
        fs::write(folder.join("README"), "dumps of the shop").unwrap();
        self.place(folder.to_str().unwrap());
        self.tell("files", "shop-%F.sql");
    }

    fn pgbackrest(&mut self) {
        let copied = self.of_server("pgbackrest", &["pgbackrest.conf"]);
        self.place("shop");
        self.tell("config", copied.join("pgbackrest.conf").to_str().unwrap());
        self.tell("program", &as_owner("pgbackrest"));
    }

    fn barman(&mut self) {
        let copied = self.of_server("barman", &["barman.conf"]);
        self.place("shop");
        self.tell("config", copied.join("barman.conf").to_str().unwrap());
        self.tell("program", &as_owner("barman"));
    }

    /// A copy of what a tool has of the server, with settings that lead to the copy.
    fn of_server(&mut self, name: &str, settings: &[&str]) -> PathBuf {
        let server = PathBuf::from(told("QUIETUS_TEST_BACKUP"));
        let (from, to) = (server.join(name), self.path(name));
        let copied = Command::new("cp").arg("-a").arg(&from).arg(&to).status().unwrap();
        assert!(copied.success());
        for name in settings {
            let path = to.join(name);
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace(from.to_str().unwrap(), to.to_str().unwrap());
            fs::write(&path, text).unwrap();
        }
        let erased = fs::read_to_string(server.join("erased")).unwrap();
        self.erased = Timestamp::from_second(erased.trim().parse().unwrap()).unwrap();
        to
    }
}

/// Waits until something is so, for half a minute.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..300 {
        if is() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("this never came: {what}");
}

/// A process with this number runs, and is not merely waiting to be buried.
pub fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}
