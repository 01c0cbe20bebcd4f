//! How gently an order goes: the size of windows, records per second, and lag of replicas.

use std::time::{Duration, Instant};

use crate::order::Pace;
use crate::receipt::Fault;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::transient;
use crate::sql::fragment::{Cell, Fragment};

/// Windows never shrink below this, unless the pace itself is smaller.
const SMALLEST_WINDOW: u64 = 100;

/// How long to wait for replicas before the attempt gives way.
const LONGEST_LAG_WAIT_MS: u64 = 60_000;

/// Pause between two looks at the replicas.
const LAG_PAUSE_MS: u64 = 500;

/// Keeps the pace of one attempt.
pub(crate) struct Throttle {
    pace: Pace,
    window: u64,
    since: Instant,
    changed_since: u64,
    records_per_second: u64,
}

impl Throttle {
    pub(crate) fn new(pace: &Pace) -> Self {
        let mut most = u64::from(pace.chunk_records.clamp(1, 1_000_000));
        if let Some(rate) = pace.records_per_second {
            // A larger window would be a burst of more than a second's worth.
            most = most.min(u64::from(rate.max(1)));
        }
        Self {
            pace: pace.clone(),
            window: most,
            since: Instant::now(),
            changed_since: 0,
            records_per_second: 0,
        }
    }

    /// Records to look at in the next transaction.
    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    /// Begins with the smallest window where one record may cost much.
    pub(crate) fn begin_small(&mut self) {
        self.window = self.window.min(SMALLEST_WINDOW);
    }

    /// Records changed in the last full second.
    pub(crate) fn records_per_second(&self) -> u64 {
        self.records_per_second
    }

    /// Takes note of a committed chunk.
    pub(crate) fn note(&mut self, changed: u64, took: Duration) {
        let most = u64::from(self.pace.chunk_records.clamp(1, 1_000_000))
            .min(u64::from(self.pace.records_per_second.unwrap_or(u32::MAX).max(1)));
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let target_ms = self.pace.target_chunk_ms.max(1);
        if took_ms > target_ms {
            let shrunk = self.window.saturating_mul(target_ms) / took_ms;
            self.window = shrunk.clamp(SMALLEST_WINDOW.min(most), most);
        } else if took_ms < target_ms / 2 {
            self.window = self.window.saturating_mul(2).min(most);
        }
        self.changed_since += changed;
        let elapsed = self.since.elapsed();
        if elapsed >= Duration::from_secs(1) {
            let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
            self.records_per_second = self.changed_since.saturating_mul(1000) / elapsed_ms;
            self.since = Instant::now();
            self.changed_since = 0;
        }
    }

    /// Waits between two chunks where the pace asks for it.
    ///
    /// # Errors
    /// `Transient` where replicas do not catch up in time.
    pub(crate) async fn wait(
        &self,
        session: &mut Session,
        changed: u64,
        took: Duration,
    ) -> Result<(), Fault> {
        if let Some(rate) = self.pace.records_per_second {
            let due = Duration::from_millis(changed.saturating_mul(1000) / u64::from(rate.max(1)));
            if let Some(rest) = due.checked_sub(took) {
                tokio::time::sleep(rest).await;
            }
        }
        let Some(most) = self.pace.most_replication_lag_ms else { return Ok(()) };
        let begin = Instant::now();
        while replication_lag_ms(session).await?.is_some_and(|lag| lag > most) {
            if begin.elapsed() > Duration::from_millis(LONGEST_LAG_WAIT_MS) {
                return Err(transient(format!(
                    "replicas lag by more than {most} ms and did not catch up within {LONGEST_LAG_WAIT_MS} ms"
                )));
            }
            tokio::time::sleep(Duration::from_millis(LAG_PAUSE_MS)).await;
        }
        Ok(())
    }
}

/// The greatest lag that the server can see; `None` where it sees no replica.
async fn replication_lag_ms(session: &mut Session) -> Result<Option<u64>, Fault> {
    match session.dialect() {
        Dialect::Postgres => {
            let row = session
                .fetch_one(&Fragment::raw(
                    "SELECT CAST(max(extract(epoch FROM replay_lag)) * 1000 AS bigint) FROM pg_stat_replication",
                ))
                .await?;
            Ok((row[0] != Cell::Null).then(|| row[0].count()))
        }
        // A primary of this family does not know how far its replicas are, and SQLite has none.
        Dialect::MariaDb | Dialect::Sqlite => Ok(None),
    }
}
