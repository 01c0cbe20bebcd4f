//! What memory and backlog do while the product works: looked at every second.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::company::Company;
use crate::ground::number;
use crate::memory;
use crate::replica::Doors;

const EVERY: Duration = Duration::from_secs(1);

/// One look.
#[derive(Debug, Clone)]
pub struct Sample {
    pub seconds: f64,
    /// Resident memory by the number of the replica, in KiB; `None` while it is not there.
    pub resident_kib: Vec<Option<u64>>,
    /// Jobs that have not come to their end.
    pub jobs: i64,
    /// Requests that are not answered.
    pub requests: i64,
}

/// What happened when.
#[derive(Debug, Clone)]
pub struct Event {
    pub seconds: f64,
    pub what: String,
}

/// Samples and events of a run.
pub struct Samples {
    begun: Instant,
    looks: Mutex<Vec<Sample>>,
    events: Mutex<Vec<Event>>,
}

impl Samples {
    pub fn new() -> Self {
        Self { begun: Instant::now(), looks: Mutex::default(), events: Mutex::default() }
    }

    /// Seconds since the run began.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Writes down that something happened.
    pub fn note(&self, what: impl Into<String>) {
        let event = Event { seconds: self.seconds(), what: what.into() };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub fn samples(&self) -> Vec<Sample> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again and again; ends only with an error.
    pub async fn take(&self, company: &Company, doors: &Doors) -> Result<std::convert::Infallible> {
        let mut store = company.store.open().await?;
        loop {
            let resident =
                doors.processes().into_iter().map(|one| one.and_then(memory::resident_kib));
            let sample = Sample {
                seconds: self.seconds(),
                resident_kib: resident.collect(),
                jobs: number(&mut store, "SELECT count(*) FROM jobs WHERE settled_at IS NULL")
                    .await?,
                requests: number(
                    &mut store,
                    "SELECT count(*) FROM requests WHERE state <> 'closed'",
                )
                .await?,
            };
            self.looks.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            tokio::time::sleep(EVERY).await;
        }
    }

    /// The samples as comma-separated values, with what happened in the same second.
    pub fn as_csv(&self) -> String {
        let (samples, events) = (self.samples(), self.events());
        let replicas = samples.iter().map(|one| one.resident_kib.len()).max().unwrap_or_default();
        let mut csv = "seconds,jobs_open,requests_open".to_owned();
        for number in 1..=replicas {
            write!(csv, ",resident_kib_{number}").unwrap_or_default();
        }
        csv.push_str(",events\n");
        let mut events = events.into_iter().peekable();
        for sample in samples {
            let Sample { seconds, jobs, requests, resident_kib } = sample;
            write!(csv, "{seconds:.1},{jobs},{requests}").unwrap_or_default();
            for number in 0..replicas {
                let resident = resident_kib.get(number).copied().flatten();
                let resident = resident.map_or_else(String::new, |kib| kib.to_string());
                write!(csv, ",{resident}").unwrap_or_default();
            }
            let mut words = Vec::new();
            while let Some(event) = events.next_if(|one| one.seconds <= seconds) {
                words.push(event.what.replace(['"', ','], " "));
            }
            writeln!(csv, ",\"{}\"", words.join("; ")).unwrap_or_default();
        }
        csv
    }
}

/// How the memory of a replica went, without what it took to warm up.
#[derive(Debug, Clone, Copy)]
pub struct Trend {
    /// What it grew by, in KiB a minute, by least squares.
    pub kib_a_minute: f64,
    /// The middle of what it held early on, and at the end, in KiB.
    pub early_kib: u64,
    pub late_kib: u64,
}

/// Allowed beside a quarter of what was held early on, in KiB.
const ROOM_KIB: u64 = 8 * 1024;

impl Trend {
    /// Of one replica; `None` where there are too few samples.
    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53")]
    pub fn of(samples: &[Sample], replica: usize) -> Option<Self> {
        let held = samples.iter().filter_map(|one| {
            Some((one.seconds, one.resident_kib.get(replica).copied().flatten()?))
        });
        let held: Vec<(f64, u64)> = held.collect();
        let warm = &held[held.len() / 5..];
        if warm.len() < 10 {
            return None;
        }
        let many = warm.len() as f64;
        let mean_time = warm.iter().map(|one| one.0).sum::<f64>() / many;
        let mean_held = warm.iter().map(|one| one.1 as f64).sum::<f64>() / many;
        let (mut both, mut spread) = (0.0, 0.0);
        for (time, kib) in warm {
            both += (time - mean_time) * (*kib as f64 - mean_held);
            spread += (time - mean_time).powi(2);
        }
        let fifth = (warm.len() / 5).max(1);
        Some(Self {
            kib_a_minute: if spread > 0.0 { both / spread * 60.0 } else { 0.0 },
            early_kib: median(&warm[..fifth]),
            late_kib: median(&warm[warm.len() - fifth..]),
        })
    }

    /// Whether it holds in the end what it held early on, and not much more.
    pub fn is_flat(self) -> bool {
        self.late_kib <= self.early_kib + self.early_kib / 4 + ROOM_KIB
    }
}

fn median(held: &[(f64, u64)]) -> u64 {
    let mut kib: Vec<u64> = held.iter().map(|one| one.1).collect();
    kib.sort_unstable();
    kib.get(kib.len() / 2).copied().unwrap_or_default()
}
