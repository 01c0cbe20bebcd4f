//! Servers of the test's own, whose files are searched: nobody else writes there or holds anything back.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::company::database::{Kind, Raw};

/// A server with its folder; it is stopped at the end of the test.
pub struct Server {
    folder: tempfile::TempDir,
    child: tokio::process::Child,
    kind: Kind,
    port: u16,
}

#[expect(clippy::disallowed_methods, reason = "the environment says who owns a server")]
fn account() -> String {
    std::env::var("QUIETUS_TEST_BACKUP_ACCOUNT").unwrap_or_else(|_| {
        panic!("`QUIETUS_TEST_BACKUP_ACCOUNT` is not set: run the tests with `tests/run`")
    })
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn run(program: &str, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let ended = command.status().await.unwrap_or_else(|error| panic!("`{program}`: {error}"));
    assert!(ended.success(), "{program} {arguments:?}: {ended}");
}

fn postgresql_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|one| one.unwrap().path().join("bin")).filter(|bin| bin.is_dir()).collect();
    found.sort();
    found.pop().expect("the programs of PostgreSQL")
}

impl Server {
    /// PostgreSQL with small logs, and no autovacuum that would come in between.
    pub async fn postgresql() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = account();
        let (bin, port) = (postgresql_programs(), free_port());
        let data = folder.path().join("data");
        let data = data.to_str().unwrap();
        if !account.is_empty() {
            run("chown", &[&account, folder.path().to_str().unwrap()]).await;
        }
        let initdb = bin.join("initdb");
        let arguments = ["--pgdata", data, "--username=postgres", "--auth=trust", "--no-sync"];
        let initdb = [&[initdb.to_str().unwrap()], &arguments[..]].concat();
        let by_account = |words: &[&str]| -> Vec<String> {
            let head: &[&str] =
                if account.is_empty() { &[] } else { &["runuser", "-u", &account, "--"] };
            head.iter().chain(words).map(|word| (*word).to_owned()).collect()
        };
        let words = by_account(&initdb);
        let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        run(&words[0], &rest).await;
        let (postgres, port_text) = (bin.join("postgres"), port.to_string());
        let words = by_account(&[
            postgres.to_str().unwrap(),
            "-D",
            data,
            "-p",
            &port_text,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "autovacuum=off",
            "-c",
            "fsync=off",
        ]);
        let server = Self { child: start(&words), folder, kind: Kind::Postgres, port };
        server.wait_until_it_answers().await;
        server
    }

    /// MariaDB with a short redo log and a binary log.
    pub async fn mariadb() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let is_root = !account().is_empty();
        if is_root {
            run("chown", &["mysql", folder.path().to_str().unwrap()]).await;
        }
        let (data, port) = (folder.path().join("data"), free_port());
        let (socket, init) = (folder.path().join("socket"), folder.path().join("init.sql"));
        let text = "CREATE OR REPLACE USER quietus@'127.0.0.1';\n\
                    GRANT ALL PRIVILEGES ON *.* TO quietus@'127.0.0.1';\n";
        std::fs::write(&init, text).unwrap();
        let mut all = vec!["--no-defaults".to_owned(), format!("--datadir={}", data.display())];
        all.extend(is_root.then(|| "--user=mysql".to_owned()));
        let mut install: Vec<&str> = all.iter().map(String::as_str).collect();
        install.push("--auth-root-authentication-method=normal");
        run("mariadb-install-db", &install).await;
        let mut words = vec!["mariadbd".to_owned()];
        words.extend(all);
        words.push(format!("--socket={}", socket.display()));
        words.push(format!("--port={port}"));
        words.push(format!("--init-file={}", init.display()));
        let settings = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--log-bin=binlog",
            "--binlog-format=ROW",
            "--server-id=1",
            "--innodb-log-file-size=8M",
            "--innodb-doublewrite=0",
            "--innodb-flush-log-at-trx-commit=0",
        ];
        words.extend(settings.map(str::to_owned));
        let server = Self { child: start(&words), folder, kind: Kind::MariaDb, port };
        server.wait_until_it_answers().await;
        server
    }

    async fn wait_until_it_answers(&self) {
        use sqlx::Connection as _;
        for _ in 0..600 {
            let url = self.url(self.kind.pick("postgres", "mysql", ""));
            let answers = match self.kind {
                Kind::Postgres => sqlx::PgConnection::connect(&url).await.is_ok(),
                _ => sqlx::MySqlConnection::connect(&url).await.is_ok(),
            };
            if answers {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not answer");
    }

    /// How it is reached.
    pub fn url(&self, database: &str) -> String {
        let (scheme, user) =
            self.kind.pick(("postgres", "postgres"), ("mysql", "quietus"), ("", ""));
        format!("{scheme}://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection past the product.
    pub async fn raw(&self, database: &str) -> Raw {
        Raw::open(self.kind, &self.url(database)).await
    }

    /// Its folder.
    pub fn data(&self) -> PathBuf {
        Path::new(self.folder.path()).join("data")
    }

    /// Whether a file of it holds these bytes; with `names`, only files whose path has one of them.
    pub fn holds(&self, names: &[&str], needle: &str) -> bool {
        super::holds(&self.data(), names, needle)
    }
}

fn start(words: &[String]) -> tokio::process::Child {
    let mut command = tokio::process::Command::new(&words[0]);
    command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("`{}`: {error}", words[0]))
}

impl Drop for Server {
    fn drop(&mut self) {
        // `runuser` hands the signal on; the server then stops at once.
        if let Some(id) = self.child.id() {
            let ended = std::process::Command::new("kill").args(["-INT", &id.to_string()]).status();
            drop(ended);
            std::thread::sleep(Duration::from_millis(500));
        }
        let pid = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(id) = pid.lines().next() {
            drop(std::process::Command::new("kill").args(["-INT", id]).status());
            std::thread::sleep(Duration::from_millis(500));
        }
        drop(self.child.start_kill());
    }
}
