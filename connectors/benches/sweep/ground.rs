//! The table that is swept, and identical fresh copies of it.

use std::path::PathBuf;

use sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row, SqlitePool, raw_sql};
use tempfile::TempDir;

/// A database with the table as it is before a sweep, and one for the copy under test.
pub(crate) struct Ground {
    kind: String,
    source: String,
    copy: String,
    folder: TempDir,
}

const DUE: &str = "SELECT COUNT(*) FROM visits WHERE left_at <= ";

impl Ground {
    pub(crate) async fn prepare(kind: &str, rows: u64) -> Self {
        let source = format!("quietus_bench_{}_source", std::process::id());
        let copy = format!("quietus_bench_{}_copy", std::process::id());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ground = Self { kind: kind.to_owned(), source, copy, folder };
        if kind == "sqlite" {
            std::fs::write(ground.file(&ground.source), "").expect("a file");
        } else {
            ground.on_server(&format!("CREATE DATABASE {}", ground.source)).await;
        }
        let source = &ground.url(&ground.source);
        for statement in ground.fill("visits", rows) {
            execute(source, &statement).await;
        }
        ground
    }

    /// Half of the rows are due, spread over the whole table.
    pub(crate) fn fill(&self, table: &str, rows: u64) -> Vec<String> {
        let text = "'person-' || n || '@example.org', n || ' Long Elm Street', \
            'A note of ordinary length that somebody wrote about visit ' || n";
        let due = "(n * 2654435761) % 4294967296 < 2147483648";
        let (types, select, end) = match self.kind.as_str() {
            "postgresql" => (
                ["text", "timestamptz"],
                format!(
                    "SELECT n, {text}, CASE WHEN {due} THEN timestamptz '2025-01-01 00:00+00'
                     ELSE '2026-02-01 00:00+00' END + (n % 86400) * interval '1 second'
                     FROM generate_series(1::bigint, {rows}) n"
                ),
                "VACUUM (FREEZE, ANALYZE) {table}",
            ),
            "mariadb" => (
                ["varchar(200)", "datetime(6)"],
                format!(
                    "SELECT seq, CONCAT('person-', seq, '@example.org'),
                     CONCAT(seq, ' Long Elm Street'),
                     CONCAT('A note of ordinary length that somebody wrote about visit ', seq),
                     DATE_ADD(IF({}, '2025-01-01', '2026-02-01'), INTERVAL seq % 86400 SECOND)
                     FROM seq_1_to_{rows}",
                    due.replace('n', "seq")
                ),
                "ANALYZE TABLE {table}",
            ),
            _ => (
                ["text", "text"],
                format!(
                    "WITH RECURSIVE count(n) AS
                     (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {rows})
                     SELECT n, {text}, strftime('%Y-%m-%dT%H:%M:%S.000000Z',
                     CASE WHEN {due} THEN '2025-01-01' ELSE '2026-02-01' END,
                     '+' || (n % 86400) || ' seconds') FROM count"
                ),
                "ANALYZE",
            ),
        };
        let [words, moment] = types;
        vec![
            format!(
                "CREATE TABLE {table} (id bigint PRIMARY KEY, email {words} NOT NULL,
                 street {words} NOT NULL, note {words} NOT NULL, left_at {moment} NOT NULL)"
            ),
            format!("INSERT INTO {table} {select}"),
            format!("CREATE INDEX {table}_left_at ON {table} (left_at)"),
            end.replace("{table}", table),
        ]
    }

    /// Makes the copy anew, flushed to disk, and returns its URL.
    pub(crate) async fn fresh_copy(&self) -> String {
        let (source, copy) = (&self.source, &self.copy);
        match self.kind.as_str() {
            "postgresql" => {
                self.on_server(&format!("DROP DATABASE IF EXISTS {copy} WITH (FORCE)")).await;
                let from = format!("TEMPLATE {source} STRATEGY file_copy");
                self.on_server(&format!("CREATE DATABASE {copy} {from}")).await;
                // Vacuum at a random moment would spoil one of the runs.
                let calm = "ALTER TABLE visits SET (autovacuum_enabled = off)";
                execute(&self.url(copy), calm).await;
                self.on_server("CHECKPOINT").await;
            }
            "mariadb" => {
                self.on_server(&format!("DROP DATABASE IF EXISTS {copy}")).await;
                self.on_server(&format!("CREATE DATABASE {copy}")).await;
                let statements = format!(
                    "SET SESSION sql_log_bin = 0, unique_checks = 0;
                     CREATE TABLE visits LIKE {source}.visits;
                     INSERT INTO visits SELECT * FROM {source}.visits ORDER BY id;
                     FLUSH TABLES visits FOR EXPORT; UNLOCK TABLES"
                );
                execute(&self.url(copy), &statements).await;
            }
            _ => {
                std::fs::copy(self.file(source), self.file(copy)).expect("a copy");
            }
        }
        self.url(copy)
    }

    /// How many rows are due before a sweep.
    pub(crate) async fn due(&self) -> u64 {
        number(&self.url(&self.source), &format!("{DUE}{}", self.cutoff())).await
    }

    /// How many rows the copy has, and how many of them are still due.
    pub(crate) async fn left_and_due(&self) -> (u64, u64) {
        let copy = self.url(&self.copy);
        let left = number(&copy, "SELECT COUNT(*) FROM visits").await;
        (left, number(&copy, &format!("{DUE}{}", self.cutoff())).await)
    }

    /// The cutoff as a literal.
    pub(crate) fn cutoff(&self) -> &'static str {
        match self.kind.as_str() {
            "postgresql" => "'2026-01-01 00:00:00+00'",
            "mariadb" => "'2026-01-01 00:00:00'",
            _ => "'2026-01-01T00:00:00.000000Z'",
        }
    }

    pub(crate) async fn product(&self) -> String {
        let query = match self.kind.as_str() {
            "sqlite" => "SELECT 'SQLite ' || sqlite_version()",
            "mariadb" => {
                "SELECT CONCAT('MariaDB ', VERSION(), ', flush at commit: ',
                @@innodb_flush_log_at_trx_commit, ', sync_binlog: ', @@sync_binlog)"
            }
            _ => {
                "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync: '
                || current_setting('fsync')"
            }
        };
        read(&self.url(&self.source), query).await
    }

    /// URL of the database with the table as it is before a sweep.
    pub(crate) fn source_url(&self) -> String {
        self.url(&self.source)
    }

    /// URL of the database that holds the copies.
    pub(crate) fn copy_url(&self) -> String {
        self.url(&self.copy)
    }

    pub(crate) async fn remove(self) {
        if self.kind != "sqlite" {
            for database in [&self.copy, &self.source] {
                self.on_server(&format!("DROP DATABASE IF EXISTS {database}")).await;
            }
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, database: &str) -> String {
        if self.kind == "sqlite" {
            return format!("sqlite://{}", self.file(database).display());
        }
        let server = server_url(&self.kind);
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("{base}/{database}")
    }

    async fn on_server(&self, statement: &str) {
        execute(&server_url(&self.kind), statement).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "tests/run names the servers this way")]
fn server_url(kind: &str) -> String {
    let variable = match kind {
        "postgresql" => "QUIETUS_TEST_POSTGRES_URL",
        _ => "QUIETUS_TEST_MARIADB_URL",
    };
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("`{variable}` is not set: run `tests/run --servers` and export what it prints")
    })
}

/// Carries out statements over a connection of its own.
pub(crate) async fn execute(url: &str, statements: &str) {
    let query = raw_sql(AssertSqlSafe(statements.to_owned()));
    if url.starts_with("postgres") {
        let pool = PgPool::connect(url).await.expect("a connection");
        query.execute(&pool).await.expect("the statement");
        pool.close().await;
    } else if url.starts_with("mysql") {
        let pool = MySqlPool::connect(url).await.expect("a connection");
        query.execute(&pool).await.expect("the statement");
        pool.close().await;
    } else {
        let pool = SqlitePool::connect(url).await.expect("a connection");
        query.execute(&pool).await.expect("the statement");
        pool.close().await;
    }
}

async fn read(url: &str, query: &str) -> String {
    let query = raw_sql(AssertSqlSafe(query.to_owned()));
    if url.starts_with("postgres") {
        let pool = PgPool::connect(url).await.expect("a connection");
        query.fetch_one(&pool).await.expect("a row").try_get_unchecked(0)
    } else if url.starts_with("mysql") {
        let pool = MySqlPool::connect(url).await.expect("a connection");
        query.fetch_one(&pool).await.expect("a row").try_get_unchecked(0)
    } else {
        let pool = SqlitePool::connect(url).await.expect("a connection");
        query.fetch_one(&pool).await.expect("a row").try_get_unchecked(0)
    }
    .expect("text")
}

/// Reads one number.
pub(crate) async fn number(url: &str, query: &str) -> u64 {
    read(url, query).await.parse().expect("a number")
}
