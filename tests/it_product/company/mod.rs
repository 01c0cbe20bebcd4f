//! An invented company for whole-product tests: an instance folder, its databases, and the real
//! binary that works on them. Results are proven past the product, by raw SQL.

pub mod certificate;
pub mod cluster;
pub mod database;
pub mod engine;
pub mod gateway;
pub mod heap;
pub mod log;
pub mod moment;
#[path = "../../../connectors/tests/objects/owner.rs"]
#[expect(dead_code, reason = "the owner of buckets is that of the connectors' own tests")]
pub mod owner;
pub mod shop;
pub mod table;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use self::database::{Database, Kind};

/// Rules of a company that knows how to reach people, and nothing else of them.
pub const ONE_RULE: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
";

/// A paper archive, where people do by hand what is asked: the file of its system.
pub const ARCHIVE: &str = "system: archive
kind: manual
owner: Archive
operator: Example Archive
persons: {categories: [contact], identities: [email]}
task:
  instructions: Take the file out of shelf 3 and shred it
  due_in: P10D
  assignee: Ben Example
";

/// One connected system.
pub struct System {
    pub name: String,
    pub database: Database,
}

/// The company.
pub struct Company {
    folder: tempfile::TempDir,
    pub systems: Vec<System>,
    /// Where the store is, where it is not the SQLite file in the folder.
    pub store: Option<Database>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Insists on an exit code.
    pub fn expect(self, code: i32) -> Self {
        let end = |text: &str| {
            let lines: Vec<&str> = text.lines().rev().take(400).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", end(&self.out), end(&self.err));
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.out, self.err))
    }
}

impl Company {
    /// A company without systems; `store` says on what it keeps its own data.
    pub async fn new(store: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["systems", "schedules", "secrets", "data"] {
            std::fs::create_dir(folder.path().join(inner)).unwrap();
        }
        let mut company = Self { folder, systems: Vec::new(), store: None };
        let place = if store == Kind::Sqlite {
            "sqlite:quietus.db".to_owned()
        } else {
            let database = Database::fresh(store, Path::new("")).await;
            company.write_secret("store-url", &database.url);
            company.store = Some(database);
            "file:secrets/store-url".to_owned()
        };
        company.write(
            "quietus.yaml",
            &format!(
                "controller: {{ name: Example Company, zone: Europe/Berlin, country: DE }}\n\
                 store: {place}\nlisten: 127.0.0.1:0\nworkers: 3\n"
            ),
        );
        company
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder().join(name), text).unwrap();
    }

    pub fn write_secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder().join("secrets").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().join(name)).unwrap()
    }

    /// Adds a system with a fresh database; `map` is the rest of its file, from `collections` on.
    pub async fn add_system(&mut self, name: &str, kind: Kind, map: &str) -> &Database {
        let file = self.folder().join(format!("data/{name}.db"));
        let database = Database::fresh(kind, &file).await;
        let url = if kind == Kind::Sqlite {
            format!("sqlite:data/{name}.db")
        } else {
            self.write_secret(&format!("{name}-url"), &database.url);
            format!("file:secrets/{name}-url")
        };
        self.systems.push(System { name: name.to_owned(), database });
        self.map(name, kind, &url, map);
        self.database(name)
    }

    /// Adds a system whose database is on a server of the test's own.
    pub fn connect_system(&mut self, name: &str, (kind, url): (Kind, String), map: &str) {
        self.write_secret(&format!("{name}-url"), &url);
        self.map(name, kind, &format!("file:secrets/{name}-url"), map);
        let database = Database::at(kind, url);
        self.systems.push(System { name: name.to_owned(), database });
    }

    /// Writes a system's file anew.
    pub fn change_map(&self, name: &str, map: &str) {
        let kind = self.database(name).kind;
        let url = if kind == Kind::Sqlite {
            format!("sqlite:data/{name}.db")
        } else {
            format!("file:secrets/{name}-url")
        };
        self.map(name, kind, &url, map);
    }

    fn map(&self, name: &str, kind: Kind, url: &str, map: &str) {
        self.write(
            &format!("systems/{name}.yaml"),
            &format!(
                "system: {name}\nkind: {}\nrole: database\nowner: Operations\nregion: EU\n\
                 connection: {{ url: \"{url}\" }}\nzone: UTC\n{map}",
                kind.word()
            ),
        );
    }

    pub fn database(&self, name: &str) -> &Database {
        &self.systems.iter().find(|system| system.name == name).unwrap().database
    }

    /// A command of the product, not started yet.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quietus"));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .arg("--dir")
            .arg(self.folder())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn quietus(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments)).await
    }

    /// Starts a command and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> tokio::process::Child {
        self.command(arguments).spawn().unwrap()
    }

    /// The store past the product.
    pub async fn store_rows(&self, text: &str) -> Vec<String> {
        if let Some(store) = &self.store {
            return store.rows(text).await;
        }
        database::Raw::open(Kind::Sqlite, &self.store_url()).await.rows(text).await
    }

    /// Where the store is.
    pub fn store_url(&self) -> String {
        let file = || format!("sqlite://{}", self.folder().join("quietus.db").display());
        self.store.as_ref().map_or_else(file, |store| store.url.clone())
    }

    /// The newest case.
    pub async fn latest_case(&self) -> String {
        let status = self.quietus(&["status", "--limit", "1"]).await.expect(0);
        identifier_in(&status.out)
    }

    /// The case that was opened first.
    pub async fn oldest_case(&self) -> String {
        let id = if self.store.is_some() { "CAST(id AS TEXT)" } else { "lower(hex(id))" };
        let rows =
            self.store_rows(&format!("SELECT {id} FROM cases ORDER BY cases.id LIMIT 1")).await;
        uuid::Uuid::parse_str(rows.first().expect("a case")).unwrap().to_string()
    }

    /// An identifier as a literal of the store's SQL.
    pub fn store_id(&self, id: &str) -> String {
        if self.store.is_some() { format!("'{id}'") } else { format!("x'{}'", id.replace('-', "")) }
    }

    /// A copy of the whole folder but one file, as a backup or a thief has it, and of the store:
    /// one on PostgreSQL is dumped into the copied folder, and restored.
    pub async fn copy_without(&self, left_out: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(self.folder(), folder.path(), &self.path(left_out));
        let mut copy = Self { folder, systems: Vec::new(), store: None };
        if let Some(store) = &self.store {
            let restored = store.copied(&copy.path("quietus.sql")).await;
            copy.write_secret("store-url", &restored.url);
            copy.store = Some(restored);
        }
        copy
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}

/// Copies a folder but one file, and companions of databases that nobody needs.
pub fn copy_folder(from: &Path, to: &Path, left_out: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target, left_out);
        } else if path != left_out && !target.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Runs a prepared command to its end.
pub async fn ended(mut command: tokio::process::Command) -> Ended {
    let output = tokio::time::timeout(Duration::from_mins(4), command.output());
    let output = output.await.expect("the command ends within four minutes").unwrap();
    finished(&output)
}

/// Waits for a started command.
pub async fn wait(child: tokio::process::Child) -> Ended {
    let output = tokio::time::timeout(Duration::from_mins(4), child.wait_with_output());
    finished(&output.await.expect("the command ends within four minutes").unwrap())
}

fn finished(output: &std::process::Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Whether tests that take minutes are wanted.
#[expect(clippy::disallowed_methods, reason = "the environment says how long tests may take")]
pub fn long_tests() -> bool {
    std::env::var("QUIETUS_TEST_LONG").is_ok_and(|value| !value.is_empty())
}

/// The first UUID in a text.
pub fn identifier_in(text: &str) -> String {
    text.split(|one: char| !one.is_ascii_hexdigit() && one != '-')
        .find(|word| word.len() == 36 && word.matches('-').count() == 4)
        .unwrap_or_else(|| panic!("no identifier in\n{text}"))
        .to_owned()
}

/// Asks again and again until it is so; `what` names it where it never becomes so.
pub async fn until<F, T>(what: &str, seconds: u64, mut ask: F) -> T
where
    F: AsyncFnMut() -> Option<T>,
{
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(seconds), "never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
