//! Figure a: empty jobs a second, from claimed to settled with their evidence in the outbox, with
//! several processes that share the work; beside two job queues on the same server.
//!
//! A job here is one system's part of a person's request, and its system has nothing of the person.
//! Everything else is done as always: the claim, the order compiled from the plan with the holds of
//! now, the intent on record, the order, the second look, the count, and the outcome on record. The
//! two others do none of that; a job of theirs is fetched, does nothing, and is completed.

use std::collections::BTreeMap;

use quietus::domain::{Clock as _, JobState};
use quietus::store::OpenOptions;
use quietus::telemetry::SystemClock;

use super::arguments::{Database, QueueArguments};
use super::ground::{self, Going, Instance};
use super::measure::{median, mib, rate};
use super::peers::{Peer, Peers};
use super::plot::{self, Bars};
use super::race::{race, this_program};
use super::report::{Report, Row};

/// Systems of each person: each of them gives a job.
pub const SYSTEMS: u32 = 20;

/// Somebody who carries jobs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Engine(Database, Going),
    Other(Peer),
}

impl Contender {
    fn name(self) -> String {
        match self {
            Self::Engine(database, Going::Together) => format!("Quietus on {}", database.name()),
            Self::Engine(database, Going::Alone) => {
                format!("Quietus on {}, each job by itself", database.name())
            }
            Self::Other(peer) => peer.name().to_owned(),
        }
    }

    fn is_on_postgres(self) -> bool {
        !matches!(self, Self::Engine(Database::Sqlite, _))
    }
}

/// What was measured of one contender with so many processes.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    /// The highest peak of a process, in MiB, in each round.
    peaks: Vec<f64>,
}

type Results = BTreeMap<(usize, u32), Measured>;

/// All that stands ready.
struct Field<'a> {
    arguments: &'a QueueArguments,
    server: Option<&'a str>,
    contenders: Vec<Contender>,
    /// What is copied for each round, by contender.
    templates: BTreeMap<usize, (Instance, u64)>,
    peers: Option<Peers>,
}

/// Measures figure a; the drawing, where more than one contender was measured.
pub async fn measure(
    arguments: &QueueArguments,
    server: Option<&str>,
    report: &mut Report,
) -> String {
    let field = Field::prepare(arguments, server, report).await;
    let mut results = Results::new();
    for round in 0..arguments.rounds {
        let many = field.contenders.len();
        for turn in 0..many {
            // Each begins a round once.
            let at = (turn + round as usize) % many;
            for &replicas in &arguments.replicas {
                let (rate, peak) = field.run(at, replicas).await;
                let measured = results.entry((at, replicas)).or_default();
                measured.rates.push(rate);
                measured.peaks.extend(peak);
                let name = field.contenders[at].name();
                eprintln!(
                    "round {}: {name}, {replicas} process(es): {rate:.0} a second",
                    round + 1
                );
            }
        }
    }
    field.tell(&results, report);
    let drawing = field.draw(&results);
    field.remove().await;
    drawing
}

impl<'a> Field<'a> {
    async fn prepare(
        arguments: &'a QueueArguments,
        server: Option<&'a str>,
        report: &mut Report,
    ) -> Self {
        let databases = match arguments.database {
            Some(database) => vec![database],
            None => vec![Database::Sqlite, Database::Postgres],
        };
        let mut contenders: Vec<Contender> = databases
            .iter()
            .flat_map(|one| [Going::Together, Going::Alone].map(|going| (*one, going)))
            .map(|(database, going)| Contender::Engine(database, going))
            .collect();
        let wants_peers = !arguments.without_peers && databases.contains(&Database::Postgres);
        let peers = if wants_peers { Peers::install().await.map(Some) } else { Ok(None) };
        let peers = peers.unwrap_or_else(|why| {
            report.remark(format!("Nothing stands beside figure a: {why}."));
            None
        });
        if let Some(peers) = &peers {
            report.machine.others.push(peers.versions.clone());
            contenders.extend(Peer::ALL.map(Contender::Other));
        }
        let mut templates = BTreeMap::new();
        for (at, contender) in contenders.iter().enumerate() {
            let Contender::Engine(database, going) = *contender else { continue };
            let jobs = match going {
                Going::Together => arguments.jobs,
                Going::Alone => arguments.jobs_alone,
            };
            let persons = jobs.div_ceil(u64::from(SYSTEMS));
            let instance = ground::with_jobs(database, (SYSTEMS, going), persons, server).await;
            templates.insert(at, (instance, persons * u64::from(SYSTEMS)));
        }
        Self { arguments, server, contenders, templates, peers }
    }

    /// Jobs a second, and of our own processes the peak of memory.
    async fn run(&self, at: usize, replicas: u32) -> (f64, Option<f64>) {
        let Contender::Other(peer) = self.contenders[at] else {
            let (template, jobs) = &self.templates[&at];
            return self.run_engine(template, *jobs, replicas).await;
        };
        let QueueArguments { peer_jobs: jobs, workers, .. } = *self.arguments;
        let server = self.server.expect("others work on a server");
        let peers = self.peers.as_ref().expect("others are installed");
        let took = peers.run(peer, (jobs, replicas, workers), server).await;
        (rate(jobs, took), None)
    }

    async fn run_engine(
        &self,
        template: &Instance,
        jobs: u64,
        replicas: u32,
    ) -> (f64, Option<f64>) {
        let instance = template.copy().await;
        let folder = instance.path().display().to_string();
        let workers = self.arguments.workers.to_string();
        let one = || this_program(&["replica", &folder, "--workers", &workers]);
        let (took, words) = race((0..replicas).map(|_| one()).collect()).await;
        let peaks = words.iter().filter_map(|words| words.parse().ok()).map(mib);
        let peak = peaks.fold(0.0, f64::max);
        check(&instance, jobs).await;
        instance.remove().await;
        (rate(jobs, took), Some(peak))
    }

    /// The fastest of the others with so many processes, round by round.
    fn fastest_other(&self, results: &Results, replicas: u32) -> Option<(String, Vec<f64>)> {
        let others = self.contenders.iter().enumerate();
        let others = others.filter(|(_, one)| matches!(one, Contender::Other(_)));
        let others = others.filter_map(|(at, one)| Some((one, results.get(&(at, replicas))?)));
        let fastest = others.max_by(|(_, one), (_, other)| {
            let of = |measured: &Measured| median(&measured.rates);
            of(one).total_cmp(&of(other))
        });
        fastest.map(|(one, measured)| (one.name(), measured.rates.clone()))
    }

    fn tell(&self, results: &Results, report: &mut Report) {
        for (at, contender) in self.contenders.iter().enumerate() {
            for &replicas in &self.arguments.replicas {
                let Some(measured) = results.get(&(at, replicas)) else { continue };
                let what = format!("{}, {replicas} process(es)", contender.name());
                let row = Row::new("a", what, "jobs a second", measured.rates.clone());
                let other = self.fastest_other(results, replicas);
                let other = other
                    .filter(|(name, _)| contender.is_on_postgres() && *name != contender.name());
                report.add(match other {
                    Some((name, rates)) => row.beside(name, &rates),
                    None => row,
                });
            }
        }
        for (at, contender) in self.contenders.iter().enumerate() {
            let last = self.arguments.replicas.last().and_then(|last| results.get(&(at, *last)));
            let Some(measured) = last.filter(|measured| !measured.peaks.is_empty()) else {
                continue;
            };
            let what = format!("peak memory of one process, {}", contender.name());
            report.add(Row::new("e", what, "MiB", measured.peaks.clone()));
        }
        report.remark(format!(
            "Figure a: {} jobs that go together, {} that go by themselves, {} of the others; {} side by side in each process; every one verified as done. {} entries of evidence stand in the outbox for each job of ours: intent, outcome and verification.",
            self.arguments.jobs,
            self.arguments.jobs_alone,
            self.arguments.peer_jobs,
            self.arguments.workers,
            ENTRIES
        ));
    }

    fn draw(&self, results: &Results) -> String {
        let replicas = &self.arguments.replicas;
        let bars: Vec<Bars> = self
            .contenders
            .iter()
            .enumerate()
            .map(|(at, contender)| Bars {
                name: contender.name(),
                groups: replicas
                    .iter()
                    .map(|replicas| results.get(&(at, *replicas)))
                    .map(|one| one.map_or_else(Vec::new, |measured| measured.rates.clone()))
                    .collect(),
            })
            .collect();
        let groups: Vec<String> =
            replicas.iter().map(|replicas| format!("{replicas} process(es)")).collect();
        plot::bars("Empty jobs a second: median and spread", &groups, &bars)
    }

    async fn remove(self) {
        for (instance, _) in self.templates.into_values() {
            instance.remove().await;
        }
    }
}

/// Entries of evidence of a job that is completed with its first attempt.
const ENTRIES: u64 = 3;

/// Every job is completed once, and its evidence waits in the outbox.
async fn check(instance: &Instance, jobs: u64) {
    let store = instance.store(OpenOptions::default()).await;
    let counts = store.job_counts().await.expect("the store answers");
    let completed = BTreeMap::from([(JobState::Completed, jobs)]);
    assert_eq!(counts, completed, "every job is completed");
    let gauges = store.gauges(SystemClock.now()).await.expect("the store answers");
    let entries = gauges.outbox_entries;
    assert!(entries >= jobs * ENTRIES, "{entries} entries of evidence for {jobs} jobs");
    store.close().await;
}
