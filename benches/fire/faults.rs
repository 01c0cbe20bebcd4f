//! Faults, one after the other: a process is killed, stands still, or lives at another moment; its
//! connections are cut; a system is slow; a disk is full.
//!
//! A full disk is what the database answers where it has no room (SQLSTATE 53100), from a trigger: to
//! fill a real one, the server would need a file system of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::company::{Company, QUIETUS};
use crate::dice::Dice;
use crate::ground::Database;
use crate::replica::{Manner, Replicas};

/// What may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Killed,
    StandsStill,
    CutOff,
    SlowSystem,
    FullSystem,
    FullStore,
    OtherMoment,
}

const ALL: [Fault; 7] = [
    Fault::Killed,
    Fault::StandsStill,
    Fault::CutOff,
    Fault::SlowSystem,
    Fault::FullSystem,
    Fault::FullStore,
    Fault::OtherMoment,
];

/// By how much another moment differs.
const OTHER_MOMENTS: [&str; 2] = ["+75s", "-75s"];

/// Whoever disturbs.
pub struct Disturber<'c> {
    company: &'c Company,
    dice: Dice,
    /// What happens next: all of them come before any comes again.
    coming: Vec<Fault>,
    /// The library that shows a process another moment; `None` where there is none.
    faketime: Option<String>,
    /// Replicas from this number on may be killed and started anew.
    mortal_from: usize,
    replicas: usize,
    lease: Duration,
}

impl<'c> Disturber<'c> {
    /// The first replica is never killed, so that its memory can be followed.
    pub async fn new(
        company: &'c Company,
        (replicas, lease): (usize, Duration),
        seed: u64,
    ) -> Result<Self> {
        for system in &company.systems {
            system.database.run(&disk("fire_disk", "quietus_progress", "INSERT OR UPDATE")).await?;
        }
        company.store.run(&disk("fire_disk", "evidence_outbox", "INSERT")).await?;
        let faketime = faketime().await;
        if faketime.is_none() {
            println!("`faketime` is not installed: no process lives at another moment");
        }
        let mortal_from = usize::from(replicas > 1);
        let (dice, coming) = (Dice::of(seed, 3), Vec::new());
        Ok(Self { company, dice, coming, faketime, mortal_from, replicas, lease })
    }

    /// Lets one fault happen, to its end; what it was.
    pub async fn strike(&mut self, replicas: &mut Replicas<'_>) -> Result<String> {
        let fault = self.next_fault();
        let mortal = self.mortal_from + self.dice.place(self.replicas - self.mortal_from);
        let anyone = self.dice.place(self.replicas);
        let seconds = 2 + self.dice.below(5);
        let time = Duration::from_secs(seconds);
        Ok(match fault {
            Fault::Killed => {
                replicas.kill(mortal).await?;
                replicas.start(mortal, &self.manner(None))?;
                format!("replica {} is killed", mortal + 1)
            }
            Fault::StandsStill => {
                replicas.signal(anyone, "STOP")?;
                tokio::time::sleep(time).await;
                replicas.signal(anyone, "CONT")?;
                format!("replica {} stood still for {seconds} s", anyone + 1)
            }
            Fault::CutOff => format!("{} connections are cut", self.cut_off().await?),
            Fault::SlowSystem => {
                let (database, table) = self.some_table()?;
                let lock = format!(
                    "BEGIN; LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
                );
                database.run(&lock).await?;
                format!("`{table}` was locked for {seconds} s")
            }
            Fault::FullSystem => {
                let (database, _) = self.some_table()?;
                full_for(&database, time).await?;
                format!("the disk of a system was full for {seconds} s")
            }
            Fault::FullStore => {
                full_for(&self.company.store, time).await?;
                format!("the disk of the store was full for {seconds} s")
            }
            Fault::OtherMoment => self.live_at_another_moment(replicas, mortal).await?,
        })
    }

    fn next_fault(&mut self) -> Fault {
        if self.coming.is_empty() {
            self.coming = ALL.to_vec();
        }
        let place = self.dice.place(self.coming.len());
        self.coming.swap_remove(place)
    }

    /// How a replica is started, at another moment where one is given.
    pub fn manner(&self, moment: Option<&str>) -> Manner {
        let mut variables = Vec::new();
        if let (Some(moment), Some(library)) = (moment, &self.faketime) {
            for (name, value) in [
                ("LD_PRELOAD", library.as_str()),
                ("FAKETIME", moment),
                // Threads that wait for each other need the machine's own time.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ] {
                variables.push((name.to_owned(), value.to_owned()));
            }
        }
        Manner { binary: Path::new(QUIETUS).to_owned(), lease: Some(self.lease), variables }
    }

    async fn live_at_another_moment(
        &mut self,
        replicas: &mut Replicas<'_>,
        number: usize,
    ) -> Result<String> {
        let moment = self.dice.pick(&OTHER_MOMENTS).copied().unwrap_or("+75s");
        if self.faketime.is_none() {
            return Ok("no `faketime`, no other moment".to_owned());
        }
        replicas.kill(number).await?;
        replicas.start(number, &self.manner(Some(moment)))?;
        let time = Duration::from_secs(8 + self.dice.below(12));
        tokio::time::sleep(time).await;
        replicas.kill(number).await?;
        replicas.start(number, &self.manner(None))?;
        Ok(format!("replica {} lived at {moment} for {time:?}", number + 1))
    }

    /// Ends about half of the product's connections, to its store and to the systems.
    async fn cut_off(&self) -> Result<i64> {
        let systems = self.company.systems.iter().map(|system| system.database.name.as_str());
        let names: Vec<String> = systems
            .chain(std::iter::once(self.company.store.name.as_str()))
            .map(|name| format!("'{name}'"))
            .collect();
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE application_name = 'quietus' AND datname IN ({}) AND random() < 0.5",
            names.join(", ")
        );
        self.company.store.number(&cut).await
    }

    fn some_table(&mut self) -> Result<(Database, &'static str)> {
        let system = self.dice.pick(&self.company.systems).context("a system")?;
        let table = if system.name == "heap" { "notes" } else { "accounts" };
        Ok((system.database.clone(), table))
    }
}

/// Has a table refuse changes while its disk is said to be full.
fn disk(schema: &str, table: &str, what: &str) -> String {
    format!(
        "CREATE SCHEMA {schema};
         CREATE TABLE {schema}.room (is_full BOOLEAN NOT NULL);
         INSERT INTO {schema}.room VALUES (FALSE);
         CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF (SELECT is_full FROM {schema}.room) THEN
                 RAISE EXCEPTION 'could not extend file: No space left on device'
                     USING ERRCODE = 'disk_full';
             END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER no_room BEFORE {what} ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse()"
    )
}

async fn full_for(database: &Database, time: Duration) -> Result<()> {
    database.run("UPDATE fire_disk.room SET is_full = TRUE").await?;
    tokio::time::sleep(time).await;
    database.run("UPDATE fire_disk.room SET is_full = FALSE").await
}

/// The library that `faketime` lets programs live with.
async fn faketime() -> Option<String> {
    let mut command = tokio::process::Command::new("faketime");
    let told = command.args(["-m", "-f", "+0s", "printenv", "LD_PRELOAD"]).output().await.ok()?;
    let library = String::from_utf8(told.stdout).ok()?.trim().to_owned();
    (told.status.success() && !library.is_empty()).then_some(library)
}
