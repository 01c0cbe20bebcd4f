//! Systems that are spared: their breaker is open, they asked to be left alone, or as many jobs were
//! begun there as their limits allow. What waits for them, until when, and whether that is too late.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::overdue::OVERDUE;
use super::{AppError, Quietus};
use crate::domain::breaker::TRIALS;
use crate::domain::limits::free_at;
use crate::domain::{Span, SystemLimits};
use crate::store::{Begun, BreakerOnRecord, Job, JobFault, JobKind};

/// A run that ends waits for a system that asked to be left alone for no longer than this.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// Where a process works, the next job is begun so soon after its time.
const BEGUN_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// Jobs of one system that are looked at for their dates.
const MOST: u32 = 10_000;
/// Jobs of one system that are said to be overdue in one look.
const MOST_OVERDUE: u32 = 1_000;

/// Why jobs of a system wait although their time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SparedBy {
    /// It has failed time after time, and one job at a time tries it.
    Breaker {
        /// How many times in a row.
        failures: u32,
        /// A job tries it just now.
        tries: bool,
        /// What the job that failed last says, without personal data.
        why: Option<String>,
    },
    /// It asked to be left alone.
    Itself,
    /// As many jobs were begun there as may be.
    Limit {
        /// How many that is.
        most: u32,
        /// In which span.
        span: Span,
    },
}

/// A system that is spared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spared {
    /// The system.
    pub system: String,
    /// Why.
    pub by: SparedBy,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// Until when; a moment that is over where a job may try it now.
    pub until: Timestamp,
}

impl Spared {
    /// Whether a run that ends does not wait for this job. It does wait for the next minute of a limit,
    /// and for whoever tries the system just now.
    pub fn puts_off(&self, job: &Job, now: Timestamp) -> bool {
        if is_look(job) {
            return false;
        }
        match &self.by {
            SparedBy::Breaker { tries, .. } => !tries && self.until > now,
            SparedBy::Itself => self.until.duration_since(now) > SOON,
            SparedBy::Limit { span, .. } => *span == Span::Day && job.reference.is_none(),
        }
    }

    /// Whether its jobs wait rightly: a worker begins the next one within a minute of its time.
    pub(super) fn waits_rightly(&self, now: Timestamp) -> bool {
        let tries = matches!(self.by, SparedBy::Breaker { tries: true, .. });
        tries || now.duration_since(self.until) < BEGUN_WITHIN
    }

    /// Why its jobs wait, and until when, in words.
    pub fn words(&self, now: Timestamp) -> String {
        let until = self.until;
        match &self.by {
            SparedBy::Breaker { failures, tries, why } => {
                let next = if *tries {
                    "one job tries it now".to_owned()
                } else if until <= now {
                    "the next job that is begun tries it".to_owned()
                } else {
                    format!("one job tries it again at {until:.0}")
                };
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                format!("it has failed {failures} times in a row{why}; {next}")
            }
            SparedBy::Itself => format!("it asked to be left alone until {until:.0}"),
            SparedBy::Limit { most, span } => {
                format!("{most} jobs were begun within a {}; the next at {until:.0}", span.as_str())
            }
        }
    }
}

fn is_look(job: &Job) -> bool {
    matches!(job.kind, JobKind::Backup | JobKind::Residue)
}

/// What waits for a system that is spared or has limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// The system.
    pub system: String,
    /// How many jobs.
    pub jobs: u64,
    /// Since when the oldest of them does; `None` where none waits.
    pub since: Option<Timestamp>,
    /// Why, where the system is spared just now.
    pub spared: Option<Spared>,
    /// How many may be begun in a minute or a day, in words; empty without such limits.
    pub pace: String,
    /// By when the last of them will have been begun under the limits; `None` where nobody knows.
    pub done_at: Option<Timestamp>,
    /// How many of the first 10,000 will be begun after their person's last day by law, or wait though
    /// it is over.
    pub late: u64,
    /// The earliest of those days.
    pub first_late_on: Option<Date>,
}

impl Waits {
    /// The breaker of the system is open.
    pub fn breaker_is_open(&self) -> bool {
        let by = self.spared.as_ref().map(|spared| &spared.by);
        matches!(by, Some(SparedBy::Breaker { .. }))
    }
}

impl Quietus {
    /// Limits of systems that have any, by their names.
    pub(super) fn limits(&self) -> BTreeMap<String, SystemLimits> {
        let systems = self.map.systems.values();
        let limited = systems.filter(|system| system.limits.is_limited());
        limited.map(|system| (system.name.to_string(), system.limits)).collect()
    }

    /// Names of systems that jobs go to: all but stores of copies.
    pub fn asked_systems(&self) -> Vec<String> {
        let systems = self.map.systems.values().filter(|system| system.backup.is_none());
        systems.map(|system| system.name.to_string()).collect()
    }

    /// Systems that are spared now, by their names.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn spared(&self) -> Result<BTreeMap<String, Spared>, AppError> {
        let now = self.now();
        let limits = self.limits();
        let begun = if limits.is_empty() { BTreeMap::new() } else { self.store.begun(now).await? };
        let mut spared = by_limits(&limits, &begun, now);
        // Breakers of systems that are not in the data map any more keep nobody waiting.
        let asked = self.asked_systems();
        for one in self.store.breakers(now).await? {
            if !asked.contains(&one.system) {
                continue;
            }
            if let Some(by_itself) = by_breaker(one, now) {
                spared.insert(by_itself.system.clone(), by_itself);
            }
        }
        Ok(spared)
    }

    /// What waits for each system that is spared or has limits, by the names of the systems.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn what_waits(&self) -> Result<Vec<Waits>, AppError> {
        let (now, limits) = (self.now(), self.limits());
        let mut spared = self.spared().await?;
        if spared.is_empty() && limits.is_empty() {
            return Ok(Vec::new());
        }
        let begun = self.store.begun(now).await?;
        let backlogs = self.store.backlogs(now).await?;
        let mut found = Vec::new();
        let mut days = None;
        for backlog in backlogs {
            let system = backlog.system;
            let own = limits.get(&system).copied();
            let by = spared.remove(&system);
            if own.is_none() && by.is_none() {
                continue;
            }
            let own = own.unwrap_or_default();
            let begun = begun.get(&system).cloned().unwrap_or_default();
            let open = matches!(&by, Some(Spared { by: SparedBy::Breaker { .. }, .. }));
            let done = |jobs: u64| {
                own.done_at(jobs, now, |span| begun.free(own, span, now)).filter(|_| !open)
            };
            if days.is_none() {
                days = Some(self.last_days().await?);
            }
            let queue = self.store.queue_of(&system, now, MOST).await?;
            let late = self.late(&queue, days.as_ref(), |jobs| done(jobs).unwrap_or(now));
            found.push(Waits {
                jobs: backlog.jobs,
                since: Some(backlog.since),
                spared: by,
                pace: own.pace_in_words(),
                done_at: done(backlog.jobs),
                late: late.len() as u64,
                first_late_on: late.into_iter().min(),
                system,
            });
        }
        found.extend(spared.into_values().map(nothing_waits));
        found.sort_by(|one, other| one.system.cmp(&other.system));
        Ok(found)
    }

    /// The law's last day for each case of a request that is open.
    async fn last_days(&self) -> Result<BTreeMap<Uuid, Date>, AppError> {
        let mut days = BTreeMap::new();
        self.each_open_request(|facts| {
            days.extend(facts.case_id.map(|case| (case, facts.clock.deadlines.legal_latest)));
        })
        .await?;
        Ok(days)
    }

    /// The last days of those who wait for longer; `done` says by when so many of them are begun.
    fn late(
        &self,
        queue: &[Uuid],
        days: Option<&BTreeMap<Uuid, Date>>,
        done: impl Fn(u64) -> Timestamp,
    ) -> Vec<Date> {
        let Some(days) = days else { return Vec::new() };
        let with_days =
            (1..).zip(queue).filter_map(|(number, case)| Some((number, *days.get(case)?)));
        let late =
            with_days.filter(|(number, day)| self.zone.to_datetime(done(*number)).date() > *day);
        late.map(|(_, day)| day).collect()
    }

    /// Says of each part of a request that waits for a system that is spared, and should be done by
    /// now, that it is overdue: nobody tries it, so nobody else would say so, and what is certified
    /// would wait for it.
    pub(crate) async fn say_what_is_overdue(&self) -> Result<(), AppError> {
        let now = self.now();
        for (system, spared) in self.spared().await? {
            let why = || JobFault { kind: "spared".to_owned(), message: spared.words(now) };
            for job in self.store.not_overdue_in(&system, now, MOST_OVERDUE).await? {
                let said = self.expected(&job).await?.over(why(), now);
                if said.kind == OVERDUE && self.store.say_overdue(job.id, &said.message).await? {
                    tracing::warn!(
                        job = %job.id, %system, words = %said.message,
                        "a part of a request is overdue, and its system is spared: see `quietus doctor`"
                    );
                }
            }
        }
        Ok(())
    }

    /// Somebody wants systems with an open breaker to be tried now, one of them or all: the cause may be
    /// mended, and whoever asks for it waits for an answer. What a system asked for stays. How many
    /// were put off until later.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn try_at_once(&self, system: Option<&str>) -> Result<u64, AppError> {
        let due = self.store.try_at_once(system, self.now(), TRIALS.longest).await?;
        if due > 0 {
            self.wake.up();
        }
        Ok(due)
    }
}

/// Systems that have reached a limit of a minute or a day; the later of the two counts.
fn by_limits(
    limits: &BTreeMap<String, SystemLimits>,
    begun: &BTreeMap<String, Begun>,
    now: Timestamp,
) -> BTreeMap<String, Spared> {
    let mut spared: BTreeMap<String, Spared> = BTreeMap::new();
    for (system, own) in limits {
        for span in Span::ALL {
            let stretches = begun.get(system).and_then(|one| one.stretches.get(&span));
            let (Some(most), Some(stretches)) = (own.most_in(span), stretches) else { continue };
            let Some(until) = free_at(stretches, most, span, now) else { continue };
            if spared.get(system).is_some_and(|before| before.until >= until) {
                continue;
            }
            let by = SparedBy::Limit { most, span };
            spared
                .insert(system.clone(), Spared { system: system.clone(), by, since: None, until });
        }
    }
    spared
}

/// A system whose breaker is open, or that asked to be left alone.
fn by_breaker(one: BreakerOnRecord, now: Timestamp) -> Option<Spared> {
    let BreakerOnRecord { system, breaker, trying, why } = one;
    let asked = breaker.leave_until.filter(|until| *until > now);
    let Some(open) = breaker.open else {
        return asked.map(|until| Spared { system, by: SparedBy::Itself, since: None, until });
    };
    let by = SparedBy::Breaker { failures: breaker.failures, tries: trying.is_some(), why };
    let until = asked.map_or(open.trial_at, |asked| asked.max(open.trial_at));
    Some(Spared { system, by, since: Some(open.since), until })
}

fn nothing_waits(spared: Spared) -> Waits {
    Waits {
        system: spared.system.clone(),
        jobs: 0,
        since: None,
        spared: Some(spared),
        pace: String::new(),
        done_at: None,
        late: 0,
        first_late_on: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Breaker, Open, Stretch};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn on_record(open: Option<Open>, leave_until: Option<Timestamp>) -> BreakerOnRecord {
        BreakerOnRecord {
            system: "crm".to_owned(),
            breaker: Breaker { failures: 7, failed: None, open, leave_until },
            trying: None,
            why: Some("`crm.example` answered 503".to_owned()),
        }
    }

    #[test]
    fn a_breaker_and_a_pause_spare_a_system_until_the_later_moment() {
        let now = at(0);
        assert_eq!(by_breaker(on_record(None, None), now), None);
        assert_eq!(by_breaker(on_record(None, Some(at(-1))), now), None, "it is over");
        let asked = by_breaker(on_record(None, Some(at(30))), now).unwrap();
        assert_eq!((&asked.by, asked.until), (&SparedBy::Itself, at(30)));
        let open = Open { since: at(-60), trials: 1, trial_at: at(20) };
        let later = by_breaker(on_record(Some(open), Some(at(30))), now).unwrap();
        assert_eq!((later.since, later.until), (Some(at(-60)), at(30)));
        let words = by_breaker(on_record(Some(open), None), now).unwrap().words(now);
        assert_eq!(
            words,
            "it has failed 7 times in a row (`crm.example` answered 503); one job tries it again at 2027-01-15T08:00:20Z"
        );
    }

    #[test]
    fn the_later_of_two_limits_counts() {
        let own = SystemLimits {
            jobs_per_minute: Some(2),
            jobs_per_day: Some(3),
            ..SystemLimits::default()
        };
        let limits = BTreeMap::from([("crm".to_owned(), own)]);
        let with = |jobs: u64| {
            let stretches = [Span::Minute, Span::Day]
                .map(|span| (span, vec![Stretch { began_at: span.stretch_of(at(0)), jobs }]));
            let begun = Begun { running: 0, stretches: stretches.into() };
            by_limits(&limits, &BTreeMap::from([("crm".to_owned(), begun)]), at(1))
        };
        assert!(with(1).is_empty());
        let minute = &with(2)["crm"];
        assert_eq!(minute.by, SparedBy::Limit { most: 2, span: Span::Minute });
        assert_eq!(minute.until, at(61));
        let day = &with(3)["crm"];
        assert_eq!(day.by, SparedBy::Limit { most: 3, span: Span::Day });
        assert_eq!(day.until, at(24 * 3_600 + 600));
    }
}
