//! An empty store for one test, and the things that tests write into it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use quietus::domain::{CaseState, Digest, ScheduleName, SystemName};
use quietus::store::{
    BlockedReason, CaseCause, Claim, ClaimedJob, Document, DocumentKind, FireBatch, JobKind,
    JobsStated, NewCase, NewCertificate, NewFire, NewJob, OpenOptions, OpenedCase, OutboxEntry,
    PlannedDocument, SealedDetail, Store, StoreError, Tenure, Waits,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use uuid::Uuid;

static NUMBER: AtomicU64 = AtomicU64::new(1);

/// An identifier that no other test of this run has.
pub fn new_id() -> Uuid {
    Uuid::from_u128(0x5707_0000 << 64 | u128::from(NUMBER.fetch_add(1, Ordering::Relaxed)))
}

/// So many seconds after an invented beginning.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub struct Stage {
    pub store: Store,
    /// How the store is reached.
    pub url: String,
    /// How its database is reached by everybody else: past a pooler, where there is one.
    database: String,
    // Kept so that the folder outlives the test.
    _folder: Option<tempfile::TempDir>,
}

/// A pooler in transaction mode that refuses what it does not know at the start of a connection.
pub const STRICT: &str = "QUIETUS_TEST_PGBOUNCER_URL";
/// The same, which passes over it in silence.
pub const LENIENT: &str = "QUIETUS_TEST_PGBOUNCER_LENIENT_URL";

#[expect(clippy::disallowed_methods, reason = "a test has no `config`")]
fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("`{variable}` is not set; run the tests with `tests/run`"))
}

/// The database of one URL at the server of another.
fn at_server(server: &str, database: &str) -> String {
    let (_, name) = database.rsplit_once('/').unwrap();
    format!("{}/{name}", server.rsplit_once('/').unwrap().0)
}

impl Stage {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let options = OpenOptions { create: true, ..OpenOptions::default() };
        let store = Store::open(&url, options).await.unwrap();
        Self { store, database: url.clone(), url, _folder: Some(folder) }
    }

    pub async fn postgres() -> Self {
        let url = Self::empty_postgres().await;
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        Self { store, database: url.clone(), url, _folder: None }
    }

    /// A store on PostgreSQL behind a pooler.
    pub async fn pooled() -> Self {
        Self::behind(STRICT).await
    }

    /// The same, behind this one of the poolers.
    pub async fn behind(pooler: &str) -> Self {
        let database = Self::empty_postgres().await;
        let url = Self::through(pooler, &database);
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        assert!(store.is_pooled(), "nobody has noticed the pooler");
        Self { store, database, url, _folder: None }
    }

    /// The URL of a database through a pooler.
    pub fn through(pooler: &str, database: &str) -> String {
        at_server(&server(pooler), database.trim_end_matches('?'))
    }

    /// The URL past a pooler.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The URL of a database without anything in it.
    pub async fn empty_postgres() -> String {
        let server = server("QUIETUS_TEST_POSTGRES_URL");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("quietus_store_{}_{number}", std::process::id());
        let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
        for statement in
            [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")]
        {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        connection.close().await.unwrap();
        let (address, options) = server.split_once('?').unwrap_or((&server, ""));
        let (address, _) = address.rsplit_once('/').unwrap();
        format!("{address}/{name}?{options}")
    }

    /// A connection past the store, as somebody with the database's password would have.
    pub async fn intruder(&self) -> Intruder {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true);
            let connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            return Intruder::Sqlite(connection);
        }
        Intruder::Postgres(sqlx::PgConnection::connect(&self.database).await.unwrap())
    }

    /// Carries out a statement past the store.
    pub async fn intrude(&self, sql: &str) -> Result<u64, String> {
        self.intruder().await.attempt(sql).await
    }

    /// Counts rows past the store.
    pub async fn rows(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        match self.intruder().await {
            Intruder::Sqlite(mut connection) => {
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Intruder::Postgres(mut connection) => {
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// Reads one text past the store; empty where there is none.
    pub async fn text(&self, sql: &str) -> String {
        let sql = AssertSqlSafe(sql.to_owned());
        let found: Option<String> = match self.intruder().await {
            Intruder::Sqlite(mut connection) => {
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Intruder::Postgres(mut connection) => {
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        };
        found.unwrap_or_default()
    }

    /// Opens a case by command, with so many jobs in one system each.
    pub async fn case_with_jobs(&self, jobs: u32) -> (Uuid, Vec<Uuid>) {
        let case = new_case(jobs);
        let (id, jobs) = (case.id, case.jobs.iter().map(|job| job.id).collect());
        assert_eq!(self.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
        (id, jobs)
    }

    /// Closes every case, as whoever certifies them does.
    pub async fn close_cases(&self) {
        let close = "UPDATE cases SET state = 'closed', outcome = 'fulfilled', closed_at = 4
             WHERE state <> 'closed'";
        assert!(self.intrude(close).await.unwrap() > 0);
    }

    /// Writes a certificate for a case as it is stated: everything is final, and nothing has ended
    /// since.
    pub async fn certify(&self, certificate: NewCertificate) -> Result<bool, StoreError> {
        self.store.begin_verifying(&[certificate.case_id]).await?;
        let stated = JobsStated::of(&self.store.jobs_of_case(certificate.case_id).await?);
        self.store.insert_certificate(NewCertificate { stated, ..certificate }).await
    }

    /// The jobs of a case that wait for a second person.
    pub async fn waiting(&self, case: Uuid) -> BTreeSet<Waits> {
        let mut jobs = self.store.jobs_of_case(case).await.unwrap();
        jobs.retain(|job| {
            matches!(job.blocked, Some(BlockedReason::Approval | BlockedReason::Cap))
        });
        jobs.iter().map(|job| Waits { job: job.id, attempt: job.attempt }).collect()
    }

    /// Claims one job for this worker at this second, for a minute.
    pub async fn claim_one(&self, worker: &str, second: i64) -> ClaimedJob {
        let mut claimed = self.store.claim(claim(worker, second, 1)).await.unwrap();
        assert_eq!(claimed.len(), 1, "a job was expected to be claimable");
        claimed.remove(0)
    }
}

/// A connection past the store.
pub enum Intruder {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl Intruder {
    /// Carries out a statement; the database's own words where it refuses.
    pub async fn attempt(&mut self, sql: &str) -> Result<u64, String> {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(|d| d.rows_affected()),
            Self::Postgres(connection) => connection.execute(sql).await.map(|d| d.rows_affected()),
        };
        done.map_err(|error| error.to_string())
    }

    /// The texts of the first column.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        use sqlx::Row as _;
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Carries out a statement that must not be refused.
    pub async fn execute(&mut self, sql: &str) {
        self.attempt(sql).await.unwrap();
    }
}

pub fn claim(worker: &str, second: i64, limit: u32) -> Claim {
    Claim { worker: worker.to_owned(), now: at(second), lease_until: at(second + 60), limit }
}

pub fn tenure(claimed: &ClaimedJob) -> Tenure {
    let (worker, _) = claimed.job.lease.clone().unwrap();
    Tenure { job: claimed.job.id, worker, attempt: claimed.job.attempt }
}

pub fn document(kind: DocumentKind, text: &str) -> Document {
    Document { digest: Digest::of(text.as_bytes()), kind, content: text.as_bytes().to_vec() }
}

pub fn new_job(system: &str) -> NewJob {
    NewJob {
        id: new_id(),
        system: SystemName::parse(system).unwrap(),
        kind: JobKind::Sweep,
        blocked: None,
        held_by: None,
        available_at: at(0),
        attempts_allowed: 5,
        payload: serde_json::json!({"version": 1, "order": {"zero": "\u{0}", "share": 1.0}}),
        total_estimate: Some(42),
    }
}

pub fn new_case(jobs: u32) -> NewCase {
    let text = r#"{"version":1, "steps": [ {"share":1.0,"escaped":"\u0000"} ]}"#.to_owned();
    NewCase {
        id: new_id(),
        cause: CaseCause::Command,
        schedule: None,
        due_at: None,
        moment: at(0),
        state: CaseState::Executing,
        rules: document(DocumentKind::Rules, "rules: []"),
        map: document(DocumentKind::Map, "systems: []"),
        plan: PlannedDocument { digest: Digest::of(text.as_bytes()), text },
        authors: vec!["mira".to_owned()],
        opened_by: "replica-1".to_owned(),
        lag_us: None,
        blocked_reason: None,
        jobs: (0..jobs).map(|number| new_job(&format!("system-{number}"))).collect(),
        fires: None,
        marks: Vec::new(),
        request: None,
        ends: Vec::new(),
        evidence: Vec::new(),
    }
}

/// A case of the schedule `nightly`, due at this second; the cursor stands at `seen_version`.
pub fn scheduled_case(due: i64, seen_version: u64) -> NewCase {
    let schedule = ScheduleName::parse("nightly").unwrap();
    NewCase {
        cause: CaseCause::Schedule,
        schedule: Some(schedule.clone()),
        due_at: Some(at(due)),
        fires: Some(FireBatch {
            schedule,
            seen_version,
            cursor: at(due),
            fires: vec![NewFire { due_at: at(due), disposition: quietus::store::Disposition::Run }],
        }),
        ..new_case(1)
    }
}

pub fn entry(case: Option<Uuid>, job: Option<Uuid>) -> OutboxEntry {
    let entry_id = new_id();
    let detail = format!("detail of {entry_id}");
    OutboxEntry {
        entry_id,
        case_id: case,
        job_id: job,
        kind: "erasure.step".to_owned(),
        body: format!("leaf of {entry_id}").into_bytes(),
        detail: Some(SealedDetail {
            sha256: Digest::of(detail.as_bytes()),
            sealed: detail.into_bytes(),
            key: None,
        }),
        numbered: None,
    }
}
