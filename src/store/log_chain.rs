//! Logs that follow one another: each ends with a leaf that says so, and the next one begins with a
//! leaf that names the last head of the one before.
//!
//! Ending and beginning are two transactions with the signing of the last head in between, because
//! a head is only signed once it is committed. A crash in between leaves no log open, and whoever
//! comes next goes on from there. Entries that wait in the outbox go into the next log.

use jiff::Timestamp;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::log::{self, LockedLog, LogState, NewLog};
use super::producers;

/// Appends an entry that does not wait in the outbox: it has to be the first or the last leaf.
async fn append_at_once(
    tx: &mut Tx,
    log: &mut LockedLog,
    entry: OutboxEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let entry = producers::number_one(tx, entry).await?;
    let leaf = (entry.entry_id, entry.body.clone());
    evidence::keep_detail(tx, entry, now).await?;
    log.append(tx, vec![leaf], now).await
}

impl Store {
    /// Begins a log with its first leaf; `false`, with nothing written, where there is one of this
    /// name.
    ///
    /// # Errors
    /// `Conflict` where another log is open.
    pub async fn begin_log(
        &self,
        log: NewLog,
        first: OutboxEntry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_durable().await?;
        if !log::create(&mut tx, &log, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let law = || StoreError::Conflict { law: "leaves need a log".to_owned() };
        let mut locked = LockedLog::take(&mut tx, &log.log_id).await?.ok_or_else(law)?;
        append_at_once(&mut tx, &mut locked, first, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a log for ever with its last leaf; `false`, with nothing written, where it is closed
    /// already or there is no such log.
    ///
    /// # Errors
    /// Where the store does not do it.
    pub async fn end_log(
        &self,
        log_id: &str,
        last: OutboxEntry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_durable().await?;
        let locked = LockedLog::take(&mut tx, log_id).await?;
        let Some(mut locked) = locked.filter(|locked| locked.state == LogState::Open) else {
            tx.rollback().await?;
            return Ok(false);
        };
        append_at_once(&mut tx, &mut locked, last, now).await?;
        locked.close(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Closes a log that can never be published again, as it stands, and begins the one that
    /// follows it, with its first leaf; both or neither. `false`, with nothing written, where the
    /// log is closed already.
    ///
    /// # Errors
    /// Where the store does not do it.
    pub async fn succeed_log(
        &self,
        (broken, size): (&str, u64),
        log: NewLog,
        first: OutboxEntry,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_durable().await?;
        let locked = LockedLog::take(&mut tx, broken).await?;
        let fits = |log: &LockedLog| log.state == LogState::Open && log.frontier.size() == size;
        let Some(locked) = locked.filter(fits) else {
            tx.rollback().await?;
            return Ok(false);
        };
        locked.close(&mut tx).await?;
        if !log::create(&mut tx, &log, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let law = || StoreError::Conflict { law: "leaves need a log".to_owned() };
        let mut locked = LockedLog::take(&mut tx, &log.log_id).await?.ok_or_else(law)?;
        append_at_once(&mut tx, &mut locked, first, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
