//! Days that are told beforehand, against the days on which the stores' own pruning removes.
//!
//! A year passes in a minute: copies are taken with an invented date, and the tool prunes after
//! each, by its own rules.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use quietus_connectors::{BackupCopy, StoreRetention};

use crate::ground::{Ground, at};

/// Two days, so that some weeks and months have their last copy earlier than others.
const CADENCE: SignedDuration = SignedDuration::from_hours(48);

fn steps() -> i64 {
    if std::env::var_os("QUIETUS_TEST_LONG").is_some() { 60 } else { 24 }
}

fn day(step: i64) -> Timestamp {
    at("2026-01-01T02:00:00Z").checked_add(Span::new().hours(48 * step)).unwrap()
}

/// What is told of each copy at each step, and when it was really gone.
#[derive(Default)]
struct Seen {
    told: BTreeMap<String, Vec<(i64, Timestamp)>>,
    gone: BTreeMap<String, Timestamp>,
    there: BTreeSet<String>,
    last: i64,
}

impl Seen {
    fn look(&mut self, step: i64, copies: &[BackupCopy], ends: &BTreeMap<String, Timestamp>) {
        let there: BTreeSet<String> = copies.iter().map(|copy| copy.id.clone()).collect();
        for id in self.there.difference(&there) {
            self.gone.insert(id.clone(), day(step));
        }
        for id in &there {
            self.told.entry(id.clone()).or_default().push((step, ends[id]));
        }
        self.there = there;
        self.last = step;
    }

    /// From some step on, what is told is the day; before, never a day that is too early.
    fn agree(&self, settled_from: i64) {
        let mut equal = 0;
        for (id, told) in &self.told {
            for (step, end) in told {
                match self.gone.get(id) {
                    Some(gone) if *step >= settled_from => {
                        assert_eq!(end, gone, "{id}, told at step {step}");
                        equal += 1;
                    }
                    Some(gone) => assert!(end >= gone, "{id}: {end} was told, {gone} came later"),
                    None => assert!(*end > day(self.last), "{id} is still there after {end}"),
                }
            }
        }
        assert!(equal > 10, "{equal} days were compared");
        assert!(self.gone.len() > 5, "{} copies went", self.gone.len());
    }
}

fn rules() -> StoreRetention {
    StoreRetention {
        daily: Some(3),
        weekly: Some(2),
        monthly: Some(2),
        ..StoreRetention::default()
    }
}

#[tokio::test]
async fn restic_forgets_on_the_day_that_was_told() {
    let ground = Ground::of("restic").await;
    let old: Vec<String> = ground.ids().await;
    ground.store().expire(&old).await.unwrap();
    let rules = rules();
    let mut seen = Seen::default();
    for step in 0..steps() {
        ground.snapshot(&day(step).strftime("%F %T").to_string(), &[]);
        ground.run(&["forget", "--quiet", "--keep-daily=3", "--keep-weekly=2", "--keep-monthly=2"]);
        let store = ground.store();
        let copies = store.copies().await.unwrap();
        let ends = rules.ends(&copies, store.counting(), &TimeZone::UTC, CADENCE);
        seen.look(step, &copies, &ends);
    }
    // Until there is a copy for every rule, later versions keep the oldest, and this one may not.
    seen.agree(16);
}

#[tokio::test]
async fn restic_keeps_within_a_period() {
    let ground = Ground::of("restic").await;
    let old: Vec<String> = ground.ids().await;
    ground.store().expire(&old).await.unwrap();
    let rules = StoreRetention { within: Some("P9D".into()), ..StoreRetention::default() };
    let mut seen = Seen::default();
    for step in 0..steps().min(20) {
        ground.snapshot(&day(step).strftime("%F %T").to_string(), &[]);
        ground.run(&["forget", "--quiet", "--keep-within=9d"]);
        let store = ground.store();
        let copies = store.copies().await.unwrap();
        let ends = rules.ends(&copies, store.counting(), &TimeZone::UTC, CADENCE);
        seen.look(step, &copies, &ends);
    }
    seen.agree(0);
}

#[tokio::test]
async fn borg_prunes_on_the_day_that_was_told() {
    let ground = Ground::of("borg").await;
    let old: Vec<String> = ground.ids().await;
    ground.store().expire(&old).await.unwrap();
    let rules = rules();
    let mut seen = Seen::default();
    for step in 0..steps() {
        let name = format!("shop-{step}");
        ground.archive(&name, &day(step).strftime("%FT%T").to_string());
        ground.run(&["prune", "--keep-daily=3", "--keep-weekly=2", "--keep-monthly=2"]);
        let store = ground.store();
        let copies = store.copies().await.unwrap();
        let ends = rules.ends(&copies, store.counting(), &TimeZone::UTC, CADENCE);
        seen.look(step, &copies, &ends);
    }
    seen.agree(0);
}
