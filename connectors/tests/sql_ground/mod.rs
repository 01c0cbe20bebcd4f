//! A fresh database for each test on each of the three systems, and short ways to write orders.
#![expect(dead_code, reason = "each test binary uses a part of it")]

use std::sync::Mutex;

use async_trait::async_trait;
use quietus_connectors::{
    Connector, Cutoff, Direction, FieldRef, FieldType, Instruction, MappedField, Order, Outcome,
    Pace, Predicate, Progress, ProgressReport, Settings, Stored,
};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Row};

pub enum Raw {
    Postgres(sqlx::PgConnection),
    MariaDb(sqlx::MySqlConnection),
    Sqlite(sqlx::SqliteConnection),
}

pub struct System {
    pub kind: &'static str,
    pub url: String,
    pub raw: Raw,
    folder: Option<tempfile::TempDir>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where servers are"
)]
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, which starts the servers")
    })
}

fn with_database(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let authority = rest.split(['/', '?']).next().unwrap();
    format!("{scheme}://{authority}/{name}")
}

impl System {
    pub async fn fresh(kind: &'static str, name: &str) -> Self {
        match kind {
            "postgresql" => {
                let admin = server("QUIETUS_TEST_POSTGRES_URL");
                let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
                let database = format!("quietus_sql_{name}");
                for text in [
                    format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
                    format!("CREATE DATABASE {database}"),
                ] {
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                }
                let url = with_database(&admin, &database);
                let raw = Raw::Postgres(sqlx::PgConnection::connect(&url).await.unwrap());
                Self { kind, url, raw, folder: None }
            }
            "mariadb" => {
                let admin = server("QUIETUS_TEST_MARIADB_URL");
                let mut connection = sqlx::MySqlConnection::connect(&admin).await.unwrap();
                let database = format!("quietus_sql_{name}");
                for text in [
                    format!("DROP DATABASE IF EXISTS {database}"),
                    format!("CREATE DATABASE {database}"),
                ] {
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                }
                let url = with_database(&admin, &database);
                let raw = Raw::MariaDb(sqlx::MySqlConnection::connect(&url).await.unwrap());
                Self { kind, url, raw, folder: None }
            }
            _ => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("system.db").display());
                let raw =
                    sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
                Self { kind, url, raw: Raw::Sqlite(raw), folder: Some(folder) }
            }
        }
    }

    pub fn connector(&self) -> Box<dyn Connector> {
        quietus_connectors::open(
            self.kind,
            Settings {
                system: "test".to_owned(),
                url: SecretString::from(self.url.clone()),
                progress_table: "quietus_progress".to_owned(),
            },
        )
        .unwrap()
    }

    /// Picks by system: PostgreSQL, MariaDB, SQLite.
    pub fn pick<T>(&self, postgresql: T, mariadb: T, sqlite: T) -> T {
        match self.kind {
            "postgresql" => postgresql,
            "mariadb" => mariadb,
            _ => sqlite,
        }
    }

    pub async fn run(&mut self, text: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match &mut self.raw {
            Raw::Postgres(raw) => drop(sql.execute(raw).await.unwrap()),
            Raw::MariaDb(raw) => drop(sql.execute(raw).await.unwrap()),
            Raw::Sqlite(raw) => drop(sql.execute(raw).await.unwrap()),
        }
    }

    /// All rows, every value as text; `~` stands for null.
    pub async fn rows(&mut self, text: &str) -> Vec<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        macro_rules! read {
            ($raw:expr) => {
                sql.fetch_all($raw)
                    .await
                    .unwrap()
                    .iter()
                    .map(|row| {
                        (0..row.len())
                            .map(|index| {
                                row.try_get_unchecked::<Option<String>, _>(index)
                                    .unwrap()
                                    .unwrap_or_else(|| "~".to_owned())
                            })
                            .collect::<Vec<_>>()
                            .join("|")
                    })
                    .collect()
            };
        }
        match &mut self.raw {
            Raw::Postgres(raw) => read!(raw),
            Raw::MariaDb(raw) => read!(raw),
            Raw::Sqlite(raw) => read!(raw),
        }
    }
}

/// Says go on, or stop after so many chunks, and remembers what it was told.
pub struct Watcher {
    pub stop_after: Option<usize>,
    pub told: Mutex<Vec<u64>>,
}

impl Watcher {
    pub fn new() -> Self {
        Self { stop_after: None, told: Mutex::new(Vec::new()) }
    }

    pub fn stopping_after(chunks: usize) -> Self {
        Self { stop_after: Some(chunks), told: Mutex::new(Vec::new()) }
    }
}

#[async_trait]
impl Progress for Watcher {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        let mut told = self.told.lock().unwrap();
        told.push(report.done.changed());
        if self.stop_after.is_some_and(|most| told.len() >= most) {
            Direction::Stop
        } else {
            Direction::Continue
        }
    }
}

pub fn field(name: &str, field_type: FieldType) -> MappedField {
    MappedField {
        name: name.to_owned(),
        field_type,
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        ignores_case: false,
    }
}

pub fn collection(name: &str, key: &[&str], fields: &[(&str, FieldType)]) -> Instruction {
    Instruction {
        fields: fields.iter().map(|&(name, field_type)| field(name, field_type)).collect(),
        ..Instruction::idle(name, name, key.iter().copied())
    }
}

pub fn order(key: &str, instructions: Vec<Instruction>) -> Order {
    Order {
        key: key.to_owned(),
        attempt: 1,
        moment: "2026-01-01T00:00:00Z".parse().unwrap(),
        instructions,
        lists: Vec::new(),
        pace: Pace { chunk_records: 3, ..Pace::default() },
        most_records: None,
        persons: None,
    }
}

pub fn day(field: &str, day: &str) -> Predicate {
    Predicate::LatestAtOrBefore(vec![(FieldRef::own(field), Cutoff::Day(day.parse().unwrap()))])
}

pub fn before(field: &str, moment: &str) -> Predicate {
    Predicate::LatestAtOrBefore(vec![(
        FieldRef::own(field),
        Cutoff::Moment(moment.parse().unwrap()),
    )])
}

pub fn equal(field: &str, value: quietus_connectors::Value) -> Predicate {
    Predicate::Compare {
        field: FieldRef::own(field),
        comparison: quietus_connectors::Comparison::Equal,
        value,
    }
}

pub fn done(receipt: quietus_connectors::Receipt) -> Outcome {
    match receipt {
        quietus_connectors::Receipt::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

pub fn of<'a>(outcome: &'a Outcome, name: &str) -> &'a quietus_connectors::CollectionOutcome {
    outcome.collections.iter().find(|one| one.collection == name).unwrap()
}

/// One test for each system from one body.
#[macro_export]
macro_rules! on_every_system {
    ($($name:ident)*) => {
        mod postgresql { $(#[tokio::test] async fn $name() { super::$name(super::sql_ground::System::fresh("postgresql", stringify!($name)).await).await; })* }
        mod mariadb { $(#[tokio::test] async fn $name() { super::$name(super::sql_ground::System::fresh("mariadb", stringify!($name)).await).await; })* }
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::sql_ground::System::fresh("sqlite", stringify!($name)).await).await; })* }
    };
}
