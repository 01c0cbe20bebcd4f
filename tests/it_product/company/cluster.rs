//! A PostgreSQL of a test's own, whose log goes to a tool that keeps copies. It can live at another
//! moment than the machine, because copies have their moments from its clock.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::database::{Kind, Raw};
use super::moment::Moment;

/// Which tool keeps its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// With these lines among its settings.
    PgBackRest(&'static str),
    Barman,
}

/// pgBackRest in one file a copy, whose bytes can be searched.
pub const IN_CLEAR: &str = "repo1-bundle=y\ncompress-type=none\n";

/// A server with its copies; it is stopped at the end of the test.
pub struct Cluster {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    port: u16,
    account: String,
    keeper: Keeper,
    /// At which it and its tool live, where that is not the machine's.
    moment: Option<Moment>,
}

#[expect(clippy::disallowed_methods, reason = "the environment says who owns a server")]
fn account() -> String {
    std::env::var("QUIETUS_TEST_BACKUP_ACCOUNT").unwrap_or_else(|_| {
        panic!("`QUIETUS_TEST_BACKUP_ACCOUNT` is not set: run the tests with `tests/run`")
    })
}

fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|one| one.unwrap().path().join("bin")).filter(|bin| bin.is_dir()).collect();
    found.sort();
    found.pop().expect("the programs of PostgreSQL")
}

impl Cluster {
    /// Made and configured; nothing runs yet.
    pub async fn new(keeper: Keeper) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (binaries, account) = (binaries(), account());
        let cluster = Self { folder, binaries, port, account, keeper, moment: None };
        if !cluster.account.is_empty() {
            run("chown", &[&cluster.account, &cluster.name("")]).await;
        }
        let data = cluster.name("data");
        let how = ["--pgdata", &data, "--username=postgres", "--auth=trust", "--no-sync"];
        cluster.postgres("initdb", &how).await;
        for folder in ["socket", "repository", "log", "lock", "spool", "servers", "shop/incoming"] {
            cluster.ask("mkdir", &["-p", &cluster.name(folder)]).await;
        }
        let archive = match keeper {
            Keeper::PgBackRest(more) => cluster.configure_pgbackrest(more).await,
            Keeper::Barman => cluster.configure_barman().await,
        };
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\n\
             unix_socket_directories = '{socket}'\nmax_connections = 40\nwal_level = replica\n\
             archive_mode = on\narchive_command = '{archive}'\n",
            socket = cluster.name("socket")
        );
        cluster.write("data/postgresql.auto.conf", &settings).await;
        cluster
    }

    /// A file or folder of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as a word of a command.
    pub fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file that belongs to the account.
    async fn write(&self, name: &str, text: &str) {
        let beside = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(beside.path(), text).unwrap();
        std::fs::set_permissions(beside.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        self.ask("cp", &[beside.path().to_str().unwrap(), &self.name(name)]).await;
    }

    /// Settings of pgBackRest; the command that archives.
    async fn configure_pgbackrest(&self, more: &str) -> String {
        let path = self.folder.path().display();
        let config = format!(
            "[global]\nrepo1-path={path}/repository\nrepo1-retention-full=2\n\
             log-path={path}/log\nlog-level-console=warn\nlock-path={path}/lock\n\
             spool-path={path}/spool\nstart-fast=y\n{more}\n\
             [shop]\npg1-path={path}/data\npg1-port={port}\npg1-socket-path={path}/socket\n",
            port = self.port
        );
        self.write("pgbackrest.conf", &config).await;
        format!("pgbackrest --config={path}/pgbackrest.conf --stanza=shop archive-push %p")
    }

    /// Settings of barman; the command that archives.
    async fn configure_barman(&self) -> String {
        let path = self.folder.path().display();
        let user = if self.account.is_empty() { whoami() } else { self.account.clone() };
        let config = format!(
            "[barman]\nbarman_user = {user}\nbarman_home = {path}\n\
             barman_lock_directory = {path}/lock\nconfiguration_files_directory = {path}/servers\n\
             log_file = {path}/log/barman\nlog_level = INFO\n"
        );
        let reached = format!("host={path}/socket port={} user=postgres", self.port);
        let server = format!(
            "[shop]\ndescription = an invented shop\nconninfo = {reached} dbname=postgres\n\
             streaming_conninfo = {reached}\nbackup_method = postgres\narchiver = on\n\
             immediate_checkpoint = true\npath_prefix = {binaries}\nminimum_redundancy = 1\n\
             retention_policy = REDUNDANCY 2\n",
            binaries = self.binaries.display()
        );
        self.write("barman.conf", &config).await;
        self.write("servers/shop.conf", &server).await;
        let incoming = format!("{path}/shop/incoming");
        format!("cp %p {incoming}/.%f && mv {incoming}/.%f {incoming}/%f")
    }

    /// What runs a command as its account.
    fn account_words(&self) -> Vec<&str> {
        match self.account.as_str() {
            "" => Vec::new(),
            account => vec!["runuser", "-u", account, "--"],
        }
    }

    /// A command as its account gives it, at its moment.
    fn words(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = self.account_words().into_iter().map(str::to_owned).collect();
        if let Some(moment) = &self.moment {
            words.push("env".to_owned());
            words.extend(moment.variables.iter().cloned());
        }
        words.push(program.to_owned());
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        words
    }

    async fn ask(&self, program: &str, arguments: &[&str]) {
        let words = self.words(program, arguments);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(words[0], &words[1..]).await;
    }

    async fn postgres(&self, program: &str, arguments: &[&str]) {
        let program = self.binaries.join(program);
        self.ask(program.to_str().unwrap(), arguments).await;
    }

    /// Words that tell the tool which copies are meant, before any other.
    fn head(&self) -> (&'static str, Vec<String>) {
        match self.keeper {
            Keeper::PgBackRest(_) => {
                let config = format!("--config={}", self.name("pgbackrest.conf"));
                ("pgbackrest", vec![config, "--stanza=shop".to_owned()])
            }
            Keeper::Barman => ("barman", vec!["-c".to_owned(), self.name("barman.conf")]),
        }
    }

    /// Its tool at work, at its moment.
    pub async fn keep(&self, arguments: &[&str]) {
        let (program, head) = self.head();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        self.ask(program, &[&head[..], arguments].concat()).await;
    }

    /// What its tool answers, as JSON.
    pub async fn kept(&self, arguments: &[&str]) -> Value {
        let (program, head) = self.head();
        let mut head: Vec<&str> = head.iter().map(String::as_str).collect();
        let format: &[&str] = match self.keeper {
            Keeper::PgBackRest(_) => &["--output=json"],
            Keeper::Barman => &["-f", "json"],
        };
        head.extend(format);
        let words = self.words(program, &[&head[..], arguments].concat());
        let mut command = tokio::process::Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
        let ended = command.output().await.unwrap();
        assert!(ended.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ended.stderr));
        serde_json::from_slice(&ended.stdout).unwrap()
    }

    /// As a store of copies, for the data map: by whom and how its tool is run.
    pub fn as_store(&self) -> String {
        let (kind, config) = match self.keeper {
            Keeper::PgBackRest(_) => ("pgbackrest", "pgbackrest.conf"),
            Keeper::Barman => ("barman", "barman.conf"),
        };
        let mut program = self.account_words();
        program.push(kind);
        format!(
            "kind: {kind}\nplace: shop\n\
             parameters: {{config: '{}', program: '{}'}}\n",
            self.name(config),
            program.join(" ")
        )
    }

    /// Starts it, or starts it anew, at another moment than the machine's.
    pub async fn live_at(&mut self, moment: &str) {
        self.stop().await;
        self.moment = Some(Moment::at(moment, &self.account_words()));
        self.start().await;
    }

    pub async fn start(&self) {
        let (data, log) = (self.name("data"), self.name("server.log"));
        let mut how = vec!["--pgdata", &data, "--log", &log, "--wait"];
        if self.moment.is_some() {
            // Nobody measures it, and no machine fails.
            how.extend(["--options", "-F"]);
        }
        how.push("start");
        self.postgres("pg_ctl", &how).await;
    }

    pub async fn stop(&self) {
        if self.path("data/postmaster.pid").exists() {
            let data = self.name("data");
            self.postgres("pg_ctl", &["--pgdata", &data, "--mode=fast", "--wait", "stop"]).await;
        }
    }

    /// Stops it, and its files are gone.
    pub async fn lose(&self) {
        self.stop().await;
        self.ask("find", &[&self.name("data"), "-mindepth", "1", "-delete"]).await;
    }

    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection past the product.
    pub async fn raw(&self, database: &str) -> Raw {
        Raw::open(Kind::Postgres, &self.url("postgres", database)).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.path("data/postmaster.pid").exists() {
            let (program, data) = (self.binaries.join("pg_ctl"), self.name("data"));
            let how = ["--pgdata", &data, "--mode=immediate", "--wait", "stop"];
            let words = self.words(program.to_str().unwrap(), &how);
            let mut command = std::process::Command::new(&words[0]);
            command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
            drop(command.stdout(Stdio::null()).status());
        }
    }
}

/// Whose tests these are.
fn whoami() -> String {
    let told = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// Whether a file below this folder has these bytes.
pub async fn is_in(folder: &Path, bytes: &str) -> bool {
    let mut command = tokio::process::Command::new("grep");
    command.args(["-r", "-q", "-a", "-F", bytes]).arg(folder);
    command.status().await.unwrap().success()
}

async fn run(program: &str, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(program);
    // A server that is started must not hold what the test reads.
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let ended = command.status().await.unwrap_or_else(|error| panic!("`{program}`: {error}"));
    assert!(ended.success(), "{program} {arguments:?}: {ended}");
}
