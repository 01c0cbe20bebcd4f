//! Instances to measure on: a folder with its systems, and a store with requests of which every
//! case is open. They are made once and copied for each round.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quietus::app::request::{Requester, TakeIn, Taken};
use quietus::app::systems::StandIns;
use quietus::app::{Actor, Opening, Quietus, Surroundings};
use quietus::config::Process;
use quietus::domain::{AskedRight, Assurance, Ids as _};
use quietus::store::{OpenOptions, Store};
use quietus::telemetry::{SystemClock, SystemIds};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use super::arguments::Database;
use super::memory_system::{PEOPLE, address};

/// The store's file on SQLite, and the file with its address on PostgreSQL.
const FILE: &str = "quietus.db";
const SECRET: &str = "secrets/store-url";

const RULES: &str = "pack: figures
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
schedules:
  nightly: {cron: '0 2 * * *', zone: UTC}
schedule: nightly
cap: {records: 100000000, share: 100%}
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
";

/// How orders of several persons go to a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// Those that wait go as one.
    Together,
    /// Each by itself, because an association has to be emptied.
    Alone,
}

/// The name of the system of this number.
pub fn system_name(number: u32) -> String {
    format!("system-{number:03}")
}

fn system(number: u32, going: Going) -> String {
    let name = system_name(number);
    let mut text = format!(
        "system: {name}
kind: sqlite
owner: Ada Example
connection: {{url: 'sqlite:{name}.db'}}
zone: UTC
collections:
  {PEOPLE}:
    key: id
    fields:
      id: {{type: integer}}
      email: {{type: text, category: contact, identity: email}}
      since: {{type: timestamp}}
    starting_points: {{collection: since}}
"
    );
    if going == Going::Alone {
        text.push_str(
            "  notes:
    key: id
    fields:
      id: {type: integer}
      person: {type: integer}
      text: {type: text, category: contact}
      written_at: {type: timestamp}
    links:
      person: {to: people, fields: {person: id}, kind: shallow}
    starting_points: {collection: written_at}
",
        );
    }
    text
}

/// A folder that is made and removed; what is secret in it is its owner's.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("quietus-figures-").tempdir();
    folder.expect("a temporary folder")
}

fn write(path: &Path, text: &str) {
    let above = path.parent().expect("a folder above");
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(above).expect("a folder");
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.expect("a file"), text.as_bytes()).expect("written");
}

fn copy_folder(from: &Path, to: &Path) {
    let mut private = std::fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            // Rights are copied with it.
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Carries out statements on a server, each by itself.
pub async fn on_server(url: &str, statements: &[String]) {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    for statement in statements {
        connection.execute(AssertSqlSafe(statement.clone())).await.expect("the statement");
    }
    connection.close().await.expect("closed");
}

/// One number that a query gives.
pub async fn number(url: &str, query: &str) -> u64 {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    let query = sqlx::query_scalar(AssertSqlSafe(query.to_owned()));
    let found: i64 = query.fetch_one(&mut connection).await.expect("a number");
    connection.close().await.expect("closed");
    u64::try_from(found).expect("no negative number")
}

/// The address of a database on a server.
pub fn url_of(server: &str, database: &str) -> String {
    let (address, options) = server.split_once('?').unwrap_or((server, ""));
    let (address, _) = address.rsplit_once('/').expect("a URL with a database");
    if options.is_empty() {
        format!("{address}/{database}")
    } else {
        format!("{address}/{database}?{options}")
    }
}

/// An instance's folder and its store.
pub struct Instance {
    folder: TempDir,
    /// The server and the database on it; `None` for SQLite.
    place: Option<(String, String)>,
}

impl Instance {
    /// A new one without requests.
    pub async fn new(
        database: Database,
        (systems, going): (u32, Going),
        server: Option<&str>,
    ) -> Self {
        let place = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                let server = server.expect("a server for PostgreSQL").to_owned();
                let name = new_name();
                on_server(&server, &[format!("CREATE DATABASE {name}")]).await;
                Some((server, name))
            }
        };
        let instance = Self { folder: folder(), place };
        let path = instance.folder.path();
        for number in 1..=systems {
            let file = format!("systems/{}.yaml", system_name(number));
            write(&path.join(file), &system(number, going));
        }
        write(&path.join("schedules/figures.yaml"), RULES);
        instance.write_place();
        instance
    }

    fn write_place(&self) {
        let path = self.folder.path();
        let store = match &self.place {
            None => format!("sqlite:{FILE}"),
            Some((server, name)) => {
                write(&path.join(SECRET), &url_of(server, name));
                format!("file:{SECRET}")
            }
        };
        let text = format!(
            "controller: {{name: Example Company, zone: UTC, country: DE}}\n\
             store: {store}\nlisten: 127.0.0.1:0\n"
        );
        write(&path.join("quietus.yaml"), &text);
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its store; nothing is there on PostgreSQL.
    pub fn file(&self) -> PathBuf {
        self.path().join(FILE)
    }

    /// Bytes of its store, with indexes.
    pub async fn bytes(&self) -> u64 {
        match &self.place {
            None => super::measure::sqlite_bytes(&self.file()),
            Some((server, name)) => {
                number(server, &format!("SELECT pg_database_size('{name}')")).await
            }
        }
    }

    /// Its store, past the product.
    pub async fn store(&self, options: OpenOptions) -> Store {
        let url = match &self.place {
            None => format!("sqlite:{}", self.file().display()),
            Some((server, name)) => url_of(server, name),
        };
        Store::open(&url, options).await.expect("the store opens")
    }

    /// A copy of it, on which nobody has worked. No process may have this one open.
    pub async fn copy(&self) -> Self {
        let place = match &self.place {
            None => None,
            Some((server, template)) => {
                let name = new_name();
                let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
                on_server(server, &[copy, "CHECKPOINT".to_owned()]).await;
                Some((server.clone(), name))
            }
        };
        let instance = Self { folder: folder(), place };
        copy_folder(self.path(), instance.path());
        instance.write_place();
        instance
    }

    /// What the planner of the server has to know of many new rows.
    pub async fn analyse(&self) {
        if let Some((server, name)) = &self.place {
            on_server(&url_of(server, name), &["VACUUM (FREEZE, ANALYZE)".to_owned()]).await;
        }
    }

    /// Removes its database; its folder goes by itself.
    pub async fn remove(self) {
        if let Some((server, name)) = &self.place {
            on_server(server, &[format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await;
        }
    }
}

/// The name of a database that nobody else has.
fn new_name() -> String {
    format!("quietus_figures_{}", SystemIds.new_id().simple())
}

/// Opens an instance as one process of the product, among systems in memory.
pub async fn open(folder: &Path, systems: StandIns) -> Arc<Quietus> {
    let loaded = quietus::config::load(folder)
        .unwrap_or_else(|problems| panic!("the folder is not in order: {:?}", problems.found));
    let opening = Opening {
        loaded,
        process: Process::default(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    };
    let surroundings = Surroundings { stand_ins: Some(systems), mutation: None };
    let opened = Box::pin(Quietus::open_among(opening, surroundings)).await;
    opened.unwrap_or_else(|error| panic!("the instance does not open: {error}"))
}

/// Takes a request for erasure in, as somebody who has logged in brings it.
pub async fn ask(product: &Quietus, person: u64) -> uuid::Uuid {
    let asked = TakeIn {
        asked: AskedRight::Erasure,
        identities: vec![("email".to_owned(), address(person))],
        received_at: None,
        channel: "web".to_owned(),
        requester: Requester::Person,
        ground: None,
        regime: None,
        language: None,
        categories: None,
        contact: None,
        check: Some((Assurance::High, "login".to_owned(), None)),
        source: None,
        external_id: None,
        actor: Actor("ada".to_owned()),
    };
    match Box::pin(product.take_in(asked)).await.expect("the request is taken in") {
        Taken::New(request) => request.stored.id,
        Taken::Same(_) | Taken::UnderWay(_) => panic!("each person asks once"),
    }
}

/// Opens the case of every request that waits for it.
pub async fn open_cases(product: &Quietus) {
    loop {
        let waiting = product.store.requests_to_look_at(product.now(), 1, true).await;
        if waiting.expect("the store answers").is_empty() {
            return;
        }
        Box::pin(product.advance_requests()).await.expect("requests go on");
    }
}

/// An instance whose store has a case for each of so many persons, with a job in each system, and
/// nothing carried out.
pub async fn with_jobs(
    database: Database,
    (systems, going): (u32, Going),
    persons: u64,
    server: Option<&str>,
) -> Instance {
    let instance = Instance::new(database, (systems, going), server).await;
    let product = open(instance.path(), super::memory_system::systems(systems, 0)).await;
    for person in 0..persons {
        ask(&product, person).await;
    }
    open_cases(&product).await;
    product.store.close().await;
    drop(product);
    instance.analyse().await;
    instance
}
