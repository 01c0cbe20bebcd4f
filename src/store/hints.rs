//! Hints between replicas on PostgreSQL: whoever makes work available says so to all, by NOTIFY. They
//! carry nothing, and whoever misses one looks by itself a moment later. Behind a pooler that hands
//! connections around between transactions nobody listens, and nothing is lost.

use sqlx::postgres::PgListener;

use super::connection::{Backend, Store};
use super::error::StoreError;
use super::postgresql::Postgresql;
use super::statement::{Sql, args};

/// Where replicas that share a database say that there may be work.
const CHANNEL: &str = "quietus_hints";

// SQLite has no replicas, and nobody to tell.
const NOTIFY: Sql = Sql::fork("SELECT $1 || $2 AS told", "SELECT pg_notify($1, $2) AS told");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[("hints::NOTIFY", NOTIFY)];

/// What other replicas say.
pub struct Hints {
    store: Postgresql,
    /// `None` where its connection broke.
    listener: Option<PgListener>,
}

impl Hints {
    /// Waits until somebody gives a hint, or one may have been missed; who it was, where that is
    /// known.
    ///
    /// # Errors
    /// Where the store is not there, or a pooler has come to stand before it.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let Some(listener) = &mut self.listener else {
            let anew = Box::pin(self.store.listen(CHANNEL)).await?;
            let why = || StoreError::Unavailable { why: "a pooler has come before it".to_owned() };
            self.listener = Some(anew.ok_or_else(why)?);
            return Ok(None);
        };
        let heard = listener.try_recv().await?;
        if heard.is_none() {
            self.listener = None;
        }
        Ok(heard.map(|notification| notification.payload().to_owned()))
    }
}

impl Store {
    /// Listens to other replicas, over a connection of its own for as long as the answer lives; `None`
    /// on SQLite, which has one file and no replicas, and behind a pooler.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn hints(&self) -> Result<Option<Hints>, StoreError> {
        let Backend::Postgres(store) = self.backend() else { return Ok(None) };
        let listener = Box::pin(store.listen(CHANNEL)).await?;
        Ok(listener.map(|listener| Hints { store: store.clone(), listener: Some(listener) }))
    }

    /// Says to the other replicas that there may be work; on SQLite to nobody.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn give_hint(&self, from: &str) -> Result<(), StoreError> {
        let Backend::Postgres(store) = self.backend() else { return Ok(()) };
        Box::pin(store.execute_alone(NOTIFY, args![CHANNEL, from])).await
    }
}
