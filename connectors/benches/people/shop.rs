//! The shop, identical copies of it, and what is left in one.

use sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row, raw_sql};

/// Children before their parents.
const TABLES: [&str; 5] = ["order_lines", "tickets", "events", "orders", "users"];

/// A database with the shop as it is before, and one for the copy under test.
pub(crate) struct Shop {
    kind: String,
    source: String,
    copy: String,
}

/// The addresses of so many users, spread evenly over all.
pub(crate) fn addresses(users: u64, subjects: u64) -> Vec<String> {
    let step = (users / subjects.max(1)).max(1);
    (0..subjects).map(|n| format!("person-{}@example.org", n * step + 37 % step)).collect()
}

/// Whose orders are old as a whole, and which orders of others are.
fn old(user: &str, order: &str) -> String {
    format!(
        "CASE WHEN {user} % 200 < 100 OR {order} % 2 = 0 THEN '2015-03-01' ELSE '2025-03-01' END"
    )
}

impl Shop {
    pub(crate) async fn prepare(kind: &str, users: u64) -> Self {
        let shop = Self {
            kind: kind.to_owned(),
            source: format!("quietus_people_{}_source", std::process::id()),
            copy: format!("quietus_people_{}_copy", std::process::id()),
        };
        shop.on_server(&format!("CREATE DATABASE {}", shop.source)).await;
        let url = shop.url(&shop.source);
        for statement in shop.tables().into_iter().chain(shop.contents(users)) {
            execute(&url, &statement).await;
        }
        for statement in indexes() {
            execute(&url, &statement).await;
        }
        if shop.postgresql() {
            execute(&url, "VACUUM (FREEZE, ANALYZE)").await;
        }
        shop
    }

    fn postgresql(&self) -> bool {
        self.kind == "postgresql"
    }

    fn tables(&self) -> Vec<String> {
        let text = if self.postgresql() { "text" } else { "varchar(200)" };
        vec![
            format!(
                "CREATE TABLE users (id bigint PRIMARY KEY, email {text} NOT NULL, name {text},
                 street {text})"
            ),
            format!(
                "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL,
                 paid_on date NOT NULL, note {text}, restricted boolean NOT NULL)"
            ),
            format!(
                "CREATE TABLE order_lines (order_id bigint NOT NULL, line bigint NOT NULL,
                 article {text} NOT NULL, PRIMARY KEY (order_id, line))"
            ),
            format!(
                "CREATE TABLE tickets (id bigint PRIMARY KEY, user_id bigint NOT NULL,
                 body {text} NOT NULL)"
            ),
            format!(
                "CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint NOT NULL,
                 kind {text} NOT NULL)"
            ),
        ]
    }

    /// Thirty rows a user in PostgreSQL, six in MariaDB.
    fn contents(&self, users: u64) -> Vec<String> {
        let [orders, lines, tickets, events]: [u64; 4] =
            if self.postgresql() { [4, 3, 2, 11] } else { [1, 2, 1, 1] };
        let each = |count: u64| {
            if self.postgresql() {
                format!("(SELECT n FROM generate_series(0::bigint, {count} - 1) n) s")
            } else {
                format!("(SELECT seq AS n FROM seq_0_to_{}) s", count - 1)
            }
        };
        let text = |before: &str, number: &str, behind: &str| {
            if self.postgresql() {
                format!("'{before}' || {number} || '{behind}'")
            } else {
                format!("CONCAT('{before}', {number}, '{behind}')")
            }
        };
        let user = format!("n % {users}");
        let div = if self.postgresql() { "/" } else { "DIV" };
        let order = format!("n {div} {lines}");
        let paid = old(&format!("({user})"), &format!("(n {div} {users} + n)"));
        vec![
            format!(
                "INSERT INTO users SELECT n, {}, {}, {} FROM {}",
                text("person-", "n", "@example.org"),
                text("Person ", "n", " of Nowhere"),
                text("", "n", " Long Elm Street"),
                each(users)
            ),
            format!(
                "INSERT INTO orders SELECT n, {user}, CAST({paid} AS date), {}, FALSE FROM {}",
                text("please ring twice at door ", "n", ""),
                each(users * orders)
            ),
            format!(
                "INSERT INTO order_lines SELECT {order}, n % {lines}, {} FROM {}",
                text("article number ", "n % 977", " in blue"),
                each(users * orders * lines)
            ),
            format!(
                "INSERT INTO tickets SELECT n, {user}, {} FROM {}",
                text("the parcel of ticket ", "n", " did not come and nobody was there"),
                each(users * tickets)
            ),
            format!(
                "INSERT INTO events SELECT n, {user}, {} FROM {}",
                text("looked at page ", "n % 4999", ""),
                each(users * events)
            ),
        ]
    }

    /// Makes the copy anew and returns its URL.
    pub(crate) async fn fresh_copy(&self) -> String {
        let (source, copy) = (&self.source, &self.copy);
        let url = self.url(copy);
        if self.postgresql() {
            self.on_server(&format!("DROP DATABASE IF EXISTS {copy} WITH (FORCE)")).await;
            let from = format!("TEMPLATE {source} STRATEGY file_copy");
            self.on_server(&format!("CREATE DATABASE {copy} {from}")).await;
            for table in TABLES {
                // Vacuum at a random moment would spoil one of the runs.
                let calm = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
                execute(&url, &calm).await;
            }
            self.on_server("CHECKPOINT").await;
            return url;
        }
        self.on_server(&format!("DROP DATABASE IF EXISTS {copy}")).await;
        self.on_server(&format!("CREATE DATABASE {copy}")).await;
        for statement in self.tables() {
            execute(&url, &statement).await;
        }
        for table in TABLES {
            execute(&url, &format!("INSERT INTO {table} SELECT * FROM {source}.{table}")).await;
        }
        for statement in indexes() {
            execute(&url, &statement).await;
        }
        execute(&url, &format!("ANALYZE TABLE {}", TABLES.join(", "))).await;
        url
    }

    /// Rows of all tables.
    pub(crate) async fn rows(&self) -> u64 {
        let mut rows = 0;
        for table in TABLES {
            let count = format!("SELECT COUNT(*) FROM {table}");
            rows += read(&self.url(&self.source), &count).await.parse::<u64>().expect("a number");
        }
        rows
    }

    /// How much is left in the copy, and of what.
    pub(crate) async fn fingerprint(&self) -> Vec<String> {
        let url = self.url(&self.copy);
        let mut found = Vec::new();
        for query in [
            "SELECT CONCAT(COUNT(*), ' ', SUM(order_id), ' ', SUM(line)) FROM order_lines",
            "SELECT CONCAT(COUNT(*), ' ', SUM(id)) FROM tickets",
            "SELECT CONCAT(COUNT(*), ' ', SUM(id)) FROM events",
            "SELECT CONCAT(COUNT(*), ' ', SUM(id), ' ', COUNT(note), ' ',
                SUM(CASE WHEN restricted THEN id ELSE 0 END)) FROM orders",
            "SELECT CONCAT(COUNT(*), ' ', SUM(id), ' ', COUNT(name), ' ', COUNT(street)) FROM users",
        ] {
            found.push(read(&url, query).await);
        }
        found
    }

    pub(crate) async fn product(&self) -> String {
        let query = if self.postgresql() {
            "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync: '
            || current_setting('fsync')"
        } else {
            "SELECT CONCAT('MariaDB ', VERSION(), ', flush at commit: ',
            @@innodb_flush_log_at_trx_commit)"
        };
        read(&self.url(&self.source), query).await
    }

    pub(crate) async fn remove(self) {
        for database in [&self.copy, &self.source] {
            self.on_server(&format!("DROP DATABASE IF EXISTS {database}")).await;
        }
    }

    fn url(&self, database: &str) -> String {
        let server = server_url(&self.kind);
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        format!("{base}/{database}")
    }

    async fn on_server(&self, statement: &str) {
        execute(&server_url(&self.kind), statement).await;
    }
}

/// What a shop has anyway: each person is found by the address, each child by its parent.
fn indexes() -> Vec<String> {
    [
        "CREATE UNIQUE INDEX users_email ON users (email)",
        "CREATE INDEX orders_user ON orders (user_id)",
        "CREATE INDEX tickets_user ON tickets (user_id)",
        "CREATE INDEX events_user ON events (user_id)",
        "ALTER TABLE orders ADD CONSTRAINT orders_of FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE tickets ADD CONSTRAINT tickets_of FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE events ADD CONSTRAINT events_of FOREIGN KEY (user_id) REFERENCES users (id)",
        "ALTER TABLE order_lines ADD CONSTRAINT lines_of FOREIGN KEY (order_id) REFERENCES orders (id)",
    ]
    .map(str::to_owned)
    .to_vec()
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
    } else {
        let pool = MySqlPool::connect(url).await.expect("a connection");
        query.execute(&pool).await.expect("the statement");
        pool.close().await;
    }
}

async fn read(url: &str, query: &str) -> String {
    let query = raw_sql(AssertSqlSafe(query.to_owned()));
    if url.starts_with("postgres") {
        let pool = PgPool::connect(url).await.expect("a connection");
        query.fetch_one(&pool).await.expect("a row").try_get_unchecked(0)
    } else {
        let pool = MySqlPool::connect(url).await.expect("a connection");
        query.fetch_one(&pool).await.expect("a row").try_get_unchecked(0)
    }
    .expect("text")
}
