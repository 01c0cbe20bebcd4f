//! Hints between replicas on PostgreSQL: whoever makes work available says so to all, by NOTIFY. They
//! carry nothing, and whoever misses one looks by itself a moment later: behind a pooler that hands
//! connections around between transactions nobody hears any, and nothing is lost.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::connection::{Backend, Store};
use super::error::StoreError;

/// Where replicas that share a database say that there may be work.
const CHANNEL: &str = "quietus_hints";

/// What other replicas say.
pub struct Hints(PgListener);

impl Hints {
    /// Waits until somebody gives a hint, or one may have been missed; who it was, where that is
    /// known.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let heard = self.0.try_recv().await?;
        Ok(heard.map(|notification| notification.payload().to_owned()))
    }
}

impl Store {
    /// Listens to other replicas, over a connection of its own for as long as the answer lives; `None`
    /// on SQLite, which has one file and no replicas.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn hints(&self) -> Result<Option<Hints>, StoreError> {
        let Backend::Postgres { pool } = self.backend() else { return Ok(None) };
        let options = pool.connect_options().as_ref().clone();
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Hints(listener)))
    }

    /// Says to the other replicas that there may be work; on SQLite to nobody.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn give_hint(&self, from: &str) -> Result<(), StoreError> {
        let Backend::Postgres { pool } = self.backend() else { return Ok(()) };
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(from);
        notify.execute(pool).await?;
        Ok(())
    }
}
