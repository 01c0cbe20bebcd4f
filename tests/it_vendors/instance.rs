//! A folder of an invented company that has one shop and whatever third parties a test gives it.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use quietus::app::{Opening, Quietus};
use quietus::config::Process;
use quietus::domain::Clock;
use quietus::telemetry::SystemIds;
use sqlx::{Connection as _, Executor as _};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

const SHOP: &str = "system: shop
kind: sqlite
owner: Operations
connection: {url: 'sqlite:shop.db'}
collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email}
      created_at: {type: timestamp}
    starting_points: {collection: created_at}
";

const PACK: &str = "pack: rules
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

const ROWS: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, created_at TEXT);
INSERT INTO customers VALUES (1, 'grace@mail.example', '2024-01-01T00:00:00Z');";

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// The folder, and the environment of its commands.
pub struct Instance {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Instance {
    /// `settings` are put at the end of the instance file.
    pub async fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in ["systems", "schedules", "definitions"] {
            std::fs::create_dir(folder.path().join(inner)).unwrap();
        }
        let instance = Self { folder, environment: Vec::new() };
        let head = "controller: {name: Example Company, zone: Europe/Berlin, country: DE}\n";
        instance.write("quietus.yaml", &format!("{head}store: sqlite:quietus.db\n{settings}"));
        instance.write("schedules/rules.yaml", PACK);
        instance.write("systems/shop.yaml", SHOP);
        let url = format!("sqlite://{}?mode=rwc", instance.path().join("shop.db").display());
        let mut shop = sqlx::SqliteConnection::connect(&url).await.unwrap();
        shop.execute(ROWS).await.unwrap();
        shop.close().await.unwrap();
        instance
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quietus"));
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg("--dir")
            .arg(self.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the real binary.
    pub async fn quietus(&self, arguments: &[&str]) -> Ended {
        self.told(arguments, "").await
    }

    /// Runs the real binary and tells it something on standard input.
    pub async fn told(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // A command that reads nothing may have ended before.
        drop(pipe.write_all(input.as_bytes()).await);
        drop(pipe);
        let output = tokio::time::timeout(Duration::from_mins(2), child.wait_with_output());
        let output = output.await.expect("the command ends").unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The product inside of the test's process, on a clock that stands still until it is turned.
    pub async fn open(&self, clock: &Arc<TurnedClock>) -> Arc<Quietus> {
        let loaded = quietus::config::load(self.path()).unwrap();
        let process = Process { lease: Some(Duration::from_mins(1)), crash_point: None };
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        Quietus::open(Opening { loaded, process, clock, ids: Arc::new(SystemIds) }).await.unwrap()
    }

    /// Everything that the files of the store hold, as text.
    pub fn store(&self) -> String {
        let read = |name| std::fs::read(self.path().join(name)).unwrap_or_default();
        let bytes = [read("quietus.db"), read("quietus.db-wal")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A clock that stands still until it is turned.
pub struct TurnedClock(Mutex<Timestamp>);

impl TurnedClock {
    pub fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap())))
    }

    pub fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Carries out everything that is available now, and certifies what is finished.
pub async fn work(product: &Quietus) {
    let stop = CancellationToken::new();
    while product.carry_out_next("worker", &stop).await.unwrap().is_some() {}
    product.certify_finished().await.unwrap();
}

/// A system at the exchange, with a definition of one's own.
pub fn system(name: &str, definition: &str, host: &str, parameters: &str) -> String {
    format!(
        "system: {name}\nkind: processor\nrole: processor\nowner: Marketing\n\
         operator: Example {name} Ltd\ndefinition: {definition}\n\
         connection: {{url: \"http://{host}\", private_hosts: [\"{host}\"]}}\n{parameters}\
         persons: {{categories: [contact], identities: [email]}}\n"
    )
}
