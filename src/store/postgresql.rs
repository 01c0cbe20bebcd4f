//! PostgreSQL as the store, reached directly or through a pooler.
//!
//! A pooler such as PgBouncer in transaction mode lends a connection of the server for one
//! transaction: whatever outlives that would be found by somebody else, and is not found by whoever
//! left it. So nothing does there: each transaction brings its own limits, statements have no name,
//! reading is a transaction too, and nobody listens. Which of the two it is nobody has to say: it is
//! found out of every new connection, because no pooler hands on what is asked for with it. Once one
//! was found, it stays so until the store is opened anew: what serves behind a pooler serves without.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions, PgRow};
use sqlx::{Connection as _, Executor as _, Postgres, Row as _, Transaction};

use super::connection::OpenOptions;
use super::error::StoreError;
use super::statement::{Arg, Row, Sql, for_postgres};

/// Connections at most, whatever is asked for.
const MOST_CONNECTIONS: u32 = 16;

/// What a connection of our own shows, and one that was lent does not.
const OUR_OWN: (&str, &str) = ("quietus.session", "own");
const IS_OUR_OWN: &str = "SELECT current_setting('quietus.session', true) AS session";

/// Bounds of a connection of our own, for as long as it lasts; `within_limits` says the same for one
/// transaction.
const LIMITS: [(&str, &str); 4] = [
    ("statement_timeout", "60s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("synchronous_commit", "on"),
];

/// Begins a transaction on a connection that was lent, in one round trip.
macro_rules! within_limits {
    ($begin:literal) => {
        concat!(
            $begin,
            "; SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '10s'; \
             SET LOCAL idle_in_transaction_session_timeout = '60s'; \
             SET LOCAL synchronous_commit = 'on'"
        )
    };
}

const BEGIN_LENT: &str = within_limits!("BEGIN");
const BEGIN_LENT_TO_READ: &str = within_limits!("BEGIN READ ONLY");

/// Ends what a `begin` that was cut off has left open. Both, because the second alone would be
/// warned of in the server's log wherever there is nothing to end.
const END_WHAT_IS_OPEN: &str = "BEGIN; ROLLBACK";

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A connection of the server is ours for as long as it lasts.
    Direct,
    /// A pooler may lend another one for each transaction.
    Pooled,
}

impl Reach {
    /// Whether the server may keep a statement under a name for the next time.
    pub(super) fn keeps_statements(self) -> bool {
        self == Self::Direct
    }
}

/// What a store may do with its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Work,
    Look,
}

/// The connections to PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Postgresql {
    pool: PgPool,
    way: Arc<Way>,
    purpose: Purpose,
}

/// The two ways to the server, and which one it is.
struct Way {
    direct: PgConnectOptions,
    pooled: PgConnectOptions,
    /// The URL asks for settings, with which no pooler lends a connection.
    asks_for_settings: bool,
    is_pooled: AtomicBool,
}

// Connections are made with a password, which nobody shows.
impl std::fmt::Debug for Way {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Way").field("reach", &self.reach()).finish_non_exhaustive()
    }
}

impl Way {
    fn new(url: &str, purpose: Purpose) -> Result<Self, StoreError> {
        let plain = PgConnectOptions::from_str(url)?.application_name("quietus");
        let mut direct = plain.clone().options(LIMITS).options([OUR_OWN]);
        if purpose == Purpose::Look {
            direct = direct.options([("default_transaction_read_only", "on")]);
        }
        Ok(Self {
            direct,
            asks_for_settings: plain.get_options().is_some(),
            pooled: plain.extra_float_digits(None),
            is_pooled: AtomicBool::new(false),
        })
    }

    fn reach(&self) -> Reach {
        if self.is_pooled.load(Ordering::SeqCst) { Reach::Pooled } else { Reach::Direct }
    }

    /// Has found a pooler. Told once.
    fn turn_to_pooler(&self) {
        if !self.is_pooled.swap(true, Ordering::SeqCst) {
            tracing::info!(
                "the store is reached through a pooler: replicas do not hear each other's hints, and look every two seconds"
            );
        }
    }

    /// Finds out by what a new connection shows whether it is our own.
    fn judge(&self, shown: &PgRow) -> Result<(), sqlx::Error> {
        if shown.try_get::<Option<&str>, _>(0)? != Some(OUR_OWN.1) {
            self.turn_to_pooler();
        }
        Ok(())
    }

    /// Finds out of a new connection whether it is our own.
    async fn find_out(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self.reach() {
            Reach::Pooled => Ok(()),
            Reach::Direct => self.judge(&connection.fetch_one(IS_OUR_OWN).await?),
        }
    }

    /// A connection beside the pool.
    async fn connect(&self) -> Result<PgConnection, StoreError> {
        if self.reach() == Reach::Direct {
            match PgConnection::connect_with(&self.direct).await {
                Ok(mut connection) => {
                    self.find_out(&mut connection).await?;
                    self.keep_settings()?;
                    return Ok(connection);
                }
                Err(error) if refuses_settings(&error) => self.turn_to_pooler(),
                Err(error) => return Err(error.into()),
            }
        }
        self.keep_settings()?;
        Ok(PgConnection::connect_with(&self.pooled).await?)
    }

    /// Refuses to go on without settings that somebody asked for.
    fn keep_settings(&self) -> Result<(), StoreError> {
        if self.reach() == Reach::Pooled && self.asks_for_settings {
            return Err(StoreError::Url { why: NO_SETTINGS.to_owned() });
        }
        Ok(())
    }
}

const NO_SETTINGS: &str = "it asks for settings (`options`, or `PGOPTIONS`), and a pooler stands before the server; give them to the role instead (`ALTER ROLE … SET …`)";

/// A pooler has refused what is asked for with a connection. The server itself never does.
fn refuses_settings(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    // PgBouncer has this code for whatever it refuses; where it was something else, it is refused
    // once more without settings.
    database.code().is_some_and(|code| code == "08P01")
        || database.message().contains("startup parameter")
}

impl Postgresql {
    /// Makes the pool; the first connection is made when it is needed.
    ///
    /// # Errors
    /// Where the URL is of no use.
    pub(super) fn new(
        url: &str,
        options: &OpenOptions,
        purpose: Purpose,
    ) -> Result<Self, StoreError> {
        let way = Arc::new(Way::new(url, purpose)?);
        let asked = Arc::clone(&way);
        let pool = PgPoolOptions::new()
            .max_connections(options.readers.clamp(1, MOST_CONNECTIONS))
            .min_connections(0)
            .acquire_timeout(options.wait)
            .idle_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let way = Arc::clone(&asked);
                Box::pin(async move { way.find_out(connection).await })
            })
            .before_acquire(|connection, _| {
                Box::pin(async move {
                    // One round trip, and the ping at the same time.
                    connection.execute(END_WHAT_IS_OPEN).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(way.direct.clone());
        Ok(Self { pool, way, purpose })
    }

    /// A connection beside the pool. Where there is none to be had, that is told at once.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connection = self.way.connect().await?;
        self.follow_the_way();
        Ok(connection)
    }

    /// How the server is reached, as far as anybody has found out.
    pub(super) fn reach(&self) -> Reach {
        self.way.reach()
    }

    /// Makes further connections as a pooler takes them, once one was found.
    fn follow_the_way(&self) {
        if self.reach() == Reach::Pooled {
            self.pool.set_connect_options(self.way.pooled.clone());
        }
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let acquired = match self.pool.acquire().await {
            Err(error) if refuses_settings(&error) => {
                self.way.turn_to_pooler();
                self.follow_the_way();
                self.way.keep_settings()?;
                self.pool.acquire().await?
            }
            acquired => acquired?,
        };
        self.way.keep_settings()?;
        Ok(acquired)
    }

    /// Begins a transaction that may write, where the store may.
    pub(super) async fn begin(&self) -> Result<PostgresqlTx, StoreError> {
        let lent = match self.purpose {
            Purpose::Work => BEGIN_LENT,
            Purpose::Look => BEGIN_LENT_TO_READ,
        };
        loop {
            let reach = self.reach();
            let inner = match reach {
                Reach::Direct => begin_on(self.acquire().await?, "BEGIN").await?,
                Reach::Pooled => {
                    // Cut off half-way it would keep a connection of the server's from everybody,
                    // until ours is lent again. So it is not cut off: whoever waits for it is.
                    let all = self.clone();
                    let begun =
                        tokio::spawn(async move { begin_on(all.acquire().await?, lent).await });
                    begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??
                }
            };
            // A pooler that was found while this was being connected.
            if reach == self.reach() {
                return Ok(PostgresqlTx { inner, reach });
            }
            inner.rollback().await?;
        }
    }

    /// Reads rows: outside of any transaction where the connection is our own.
    pub(super) async fn read(&self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        if self.reach() == Reach::Direct {
            let mut connection = self.acquire().await?;
            if self.reach() == Reach::Direct {
                let rows = for_postgres(sql, args).fetch_all(&mut *connection).await?;
                return Ok(rows.into_iter().map(Row::Postgres).collect());
            }
        }
        // One that may write: some of what is read is locked for a moment, or was just written.
        let mut tx = self.begin().await?;
        let rows = tx.read(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Has the server prepare a statement without carrying it out; says how many columns it gives.
    pub(super) async fn prepare(&self, sql: Sql) -> Result<usize, StoreError> {
        use sqlx::{SqlSafeStr as _, Statement as _};
        let mut tx = self.begin().await?;
        let prepared = tx.inner.prepare(sql.postgres.into_sql_str()).await?;
        let columns = prepared.columns().len();
        if !tx.reach.keeps_statements() {
            tx.inner.clear_cached_statements().await?;
        }
        tx.rollback().await?;
        Ok(columns)
    }

    /// Carries out a statement by itself.
    pub(super) async fn execute_alone(&self, sql: Sql, args: Vec<Arg>) -> Result<(), StoreError> {
        if self.reach() == Reach::Direct {
            let mut connection = self.acquire().await?;
            if self.reach() == Reach::Direct {
                for_postgres(sql, args).execute(&mut *connection).await?;
                return Ok(());
            }
        }
        let mut tx = self.begin().await?;
        tx.execute(sql, args).await?;
        Ok(tx.commit().await?)
    }

    /// Listens to a channel over a connection of its own; `None` behind a pooler, which would lend
    /// the connection that listens to somebody else.
    pub(super) async fn listen(&self, channel: &str) -> Result<Option<PgListener>, StoreError> {
        if self.reach() == Reach::Pooled {
            return Ok(None);
        }
        let one = PgPoolOptions::new().max_connections(1);
        let own = one.connect_lazy_with(self.way.direct.clone());
        let connected = match PgListener::connect_with(&own).await {
            Err(error) if refuses_settings(&error) => None,
            connected => Some(connected?),
        };
        let Some(mut listener) = connected else {
            self.way.turn_to_pooler();
            self.follow_the_way();
            return Ok(None);
        };
        // A connection that it made anew by itself would not be asked whose it is.
        listener.eager_reconnect(false);
        self.way.judge(&listener.fetch_one(IS_OUR_OWN).await?)?;
        if self.reach() == Reach::Pooled {
            self.follow_the_way();
            return Ok(None);
        }
        listener.listen(channel).await?;
        Ok(Some(listener))
    }

    /// Closes all connections, after what is under way.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn begin_on(
    connection: PoolConnection<Postgres>,
    text: &'static str,
) -> Result<Transaction<'static, Postgres>, StoreError> {
    use sqlx::SqlSafeStr as _;
    Ok(Transaction::begin(connection, Some(text.into_sql_str())).await?)
}

/// A transaction; rolled back when dropped without a commit.
pub(super) struct PostgresqlTx {
    inner: Transaction<'static, Postgres>,
    reach: Reach,
}

impl PostgresqlTx {
    /// Carries out a statement; says how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql, args: Vec<Arg>) -> Result<u64, sqlx::Error> {
        let query = for_postgres(sql, args).persistent(self.reach.keeps_statements());
        Ok(query.execute(&mut *self.inner).await?.rows_affected())
    }

    /// Reads rows.
    pub(super) async fn read(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Vec<Row>, sqlx::Error> {
        let query = for_postgres(sql, args).persistent(self.reach.keeps_statements());
        let rows = query.fetch_all(&mut *self.inner).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    /// Makes it last.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    /// Undoes it.
    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }
}
