//! Replicas: processes of `quietus run` that share one store, killed, stopped and started again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

use crate::company::Company;
use crate::memory;

/// How long a replica may take to be at work, and to stop when it is asked to.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long after it has begun to serve a replica hears that it is to stop.
const AFTER_THE_START: Duration = Duration::from_millis(300);

/// Where a replica stands.
#[derive(Debug, Clone, Copy, Default)]
struct Stand {
    door: Option<SocketAddr>,
    process: Option<u32>,
}

/// Where the replicas can be reached just now, for whoever does not start and kill them.
#[derive(Debug, Clone, Default)]
pub struct Doors(Arc<Mutex<Vec<Stand>>>);

impl Doors {
    fn change(&self, number: usize, change: impl FnOnce(&mut Stand)) {
        let mut stands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stands.len() <= number {
            stands.resize(number + 1, Stand::default());
        }
        change(&mut stands[number]);
    }

    fn stands(&self) -> Vec<Stand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those that serve.
    pub fn open(&self) -> Vec<SocketAddr> {
        self.stands().into_iter().filter_map(|stand| stand.door).collect()
    }

    /// The process of each replica that is there, by its number.
    pub fn processes(&self) -> Vec<Option<u32>> {
        self.stands().into_iter().map(|stand| stand.process).collect()
    }

    fn is_open(&self, number: usize) -> bool {
        self.stands().get(number).is_some_and(|stand| stand.door.is_some())
    }
}

/// How a replica is started.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Which binary.
    pub binary: PathBuf,
    /// How long a job may stay silent; that of the product if left out.
    pub lease: Option<Duration>,
    /// Further variables of its environment.
    pub variables: Vec<(String, String)>,
}

/// The replicas of a company, by their number from 0.
pub struct Replicas<'c> {
    company: &'c Company,
    pub doors: Doors,
    children: Vec<Option<Child>>,
    /// What ended without having been told to, in words.
    pub ended_by_themselves: Vec<String>,
    /// Processes that were killed.
    pub killed: u32,
    /// The most that any of them held, in KiB.
    pub peak_kib: u64,
}

impl<'c> Replicas<'c> {
    pub fn of(company: &'c Company) -> Self {
        Self {
            company,
            doors: Doors::default(),
            children: Vec::new(),
            ended_by_themselves: Vec::new(),
            killed: 0,
            peak_kib: 0,
        }
    }

    /// Starts a replica under this number; it is at work a moment later.
    pub fn start(&mut self, number: usize, manner: &Manner) -> Result<()> {
        let log = self.company.folder().join(format!("logs/replica-{}.log", number + 1));
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut command = self.company.command(&manner.binary, &["run"]);
        command.stdout(Stdio::piped()).stderr(log);
        if let Some(lease) = manner.lease {
            command.env("QUIETUS_LEASE_MS", lease.as_millis().to_string());
        }
        for (name, value) in &manner.variables {
            command.env(name, value);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", manner.binary.display()))?;
        let said = child.stdout.take().context("a pipe")?;
        let process = child.id();
        self.doors.change(number, |stand| *stand = Stand { door: None, process });
        tokio::spawn(hear(said, self.doors.clone(), number, process));
        while self.children.len() <= number {
            self.children.push(None);
        }
        self.children[number] = Some(child);
        Ok(())
    }

    /// Waits until a replica serves.
    pub async fn at_work(&mut self, number: usize) -> Result<()> {
        let begun = Instant::now();
        while !self.doors.is_open(number) {
            if let Some(Some(child)) = self.children.get_mut(number)
                && let Some(status) = child.try_wait()?
            {
                bail!("replica {} has ended ({status}); its log is kept with --keep", number + 1);
            }
            if begun.elapsed() > PATIENCE {
                bail!("replica {} does not come up", number + 1);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The process of a replica.
    pub fn process(&self, number: usize) -> Option<u32> {
        self.children.get(number)?.as_ref()?.id()
    }

    /// Kills a replica with signal 9.
    pub async fn kill(&mut self, number: usize) -> Result<()> {
        self.note_memory(number);
        self.doors.change(number, |stand| *stand = Stand::default());
        let Some(Some(child)) = self.children.get_mut(number) else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            self.ended_by_themselves.push(format!("replica {} ({status})", number + 1));
        } else {
            child.kill().await?;
            self.killed += 1;
        }
        self.children[number] = None;
        Ok(())
    }

    /// Sends a signal, such as `STOP` and `CONT`.
    pub fn signal(&self, number: usize, signal: &str) -> Result<()> {
        let Some(process) = self.process(number) else { return Ok(()) };
        let mut kill = std::process::Command::new("kill");
        let done = kill.args([format!("-{signal}"), process.to_string()]).status();
        done.map(drop).context("`kill` cannot be started")
    }

    /// Asks a replica to stop and waits until it has; it has to end well.
    pub async fn stop(&mut self, number: usize) -> Result<()> {
        if self.process(number).is_none() {
            return Ok(());
        }
        self.signal(number, "CONT")?;
        // One that is just starting hears no signal yet.
        if let Err(error) = self.at_work(number).await {
            self.ended_by_themselves.push(error.to_string());
        }
        tokio::time::sleep(AFTER_THE_START).await;
        self.note_memory(number);
        self.signal(number, "TERM")?;
        self.doors.change(number, |stand| *stand = Stand::default());
        let Some(mut child) = self.children.get_mut(number).and_then(Option::take) else {
            return Ok(());
        };
        let Ok(status) = tokio::time::timeout(PATIENCE, child.wait()).await else {
            self.ended_by_themselves.push(format!("replica {} does not stop", number + 1));
            return Ok(());
        };
        let status = status?;
        if !status.success() {
            self.ended_by_themselves.push(format!("replica {} ({status})", number + 1));
        }
        Ok(())
    }

    /// Stops all of them.
    pub async fn stop_all(&mut self) -> Result<()> {
        for number in 0..self.children.len() {
            self.stop(number).await?;
        }
        Ok(())
    }

    fn note_memory(&mut self, number: usize) {
        let peak = self.process(number).and_then(memory::peak_kib).unwrap_or_default();
        self.peak_kib = self.peak_kib.max(peak);
    }
}

/// Reads where a replica serves from what it says, and goes on reading, so that it is never stopped by
/// a full pipe.
async fn hear(said: ChildStdout, doors: Doors, number: usize, process: Option<u32>) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut words = line.split_whitespace().skip_while(|word| *word != "serves").skip(1);
        if let Some(door) = words.next().and_then(|word| word.parse().ok()) {
            doors.change(number, |stand| {
                // Another one may stand there by now.
                if stand.process == process {
                    stand.door = Some(door);
                }
            });
        }
    }
}
