//! The bell. It carries no data: it says "look", and whoever hears it reads from the store what is
//! due. A lost tick loses nothing and a doubled tick does nothing.
//!
//! tokio-cron-scheduler is used as a metronome only, in UTC, with one job and no storage: its own
//! calendar is an hour off after a change of daylight-saving time and forgets runs that it missed.
//! A watchdog looks anyway when the metronome stays silent.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

/// Every five seconds, in UTC.
const RHYTHM: &str = "*/5 * * * * *";

/// Silence after which the watchdog looks by itself.
const SILENCE: Duration = Duration::from_secs(15);

/// What a ring was caused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// The metronome.
    Metronome,
    /// The metronome was silent for too long.
    Watchdog,
}

/// Why the metronome could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the metronome does not start")]
pub struct TickerError(#[from] tokio_cron_scheduler::JobSchedulerError);

/// A started bell.
pub struct Bell {
    scheduler: JobScheduler,
    rings: mpsc::Receiver<()>,
    silence: Duration,
}

impl Bell {
    /// Starts the metronome.
    ///
    /// # Errors
    /// Where the scheduler refuses its one job.
    pub async fn start() -> Result<Self, TickerError> {
        let (ring, rings) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await?;
        let job = Job::new_async(RHYTHM, move |_, _| {
            // A full channel means that a ring is waiting already: nothing is lost.
            let heard = ring.try_send(());
            Box::pin(async move {
                if heard.is_err() {
                    tracing::trace!("a ring is waiting already");
                }
            })
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, rings, silence: SILENCE })
    }

    /// Waits for the next ring; `None` once `stop` is cancelled.
    pub async fn next(&mut self, stop: &CancellationToken) -> Option<Ring> {
        tokio::select! {
            () = stop.cancelled() => None,
            heard = tokio::time::timeout(self.silence, self.rings.recv()) => match heard {
                Ok(Some(())) => Some(Ring::Metronome),
                Ok(None) => {
                    tokio::time::sleep(self.silence).await;
                    Some(Ring::Watchdog)
                }
                Err(_) => {
                    tracing::warn!("the metronome is silent; looking anyway");
                    Some(Ring::Watchdog)
                }
            },
        }
    }

    /// Stops the metronome.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the metronome did not stop");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rings_and_stops() {
        let mut bell = Bell::start().await.unwrap();
        let stop = CancellationToken::new();
        assert_eq!(bell.next(&stop).await, Some(Ring::Metronome));
        stop.cancel();
        assert_eq!(bell.next(&stop).await, None);
        bell.stop().await;
    }

    #[tokio::test]
    async fn a_dead_metronome_is_noticed() {
        let mut bell = Bell::start().await.unwrap();
        let (_ring, rings) = mpsc::channel(1);
        bell.rings = rings;
        bell.silence = Duration::from_millis(20);
        assert_eq!(bell.next(&CancellationToken::new()).await, Some(Ring::Watchdog));
    }
}
