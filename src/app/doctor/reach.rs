//! Connected systems: whether they answer and are as the data map says, which are in quarantine, how
//! stores of copies stand, and which files and logs do not let go.

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use quietus_connectors::processor::testkit::{Ending, Step};

use super::{Finding, Found, Manner};
use crate::app::Quietus;
use crate::app::backup::watch::StoreStanding;
use crate::datamap::System;
use crate::domain::AlarmKind;

/// Systems that are asked at once.
const AT_ONCE: usize = 8;
/// A quarantine that lasts longer is more than the work of a night.
const QUARANTINED_WITHIN: SignedDuration = SignedDuration::from_hours(4);
/// What is missing that is named.
const NAMED: usize = 2;
/// Restores that are looked at.
const MOST_RESTORES: u32 = 100;

impl Quietus {
    /// Systems that do not answer, or are not as they should be.
    pub(super) async fn systems_at_fault(&self, manner: Manner) -> Found {
        if manner.offline {
            return Ok(Vec::new());
        }
        // Boxed, so that a process that looks again and again can hold it in a task of its own.
        let asked: Vec<BoxFuture<'_, Option<Finding>>> = self
            .systems_to_ask()
            .map(|system| -> BoxFuture<'_, _> { Box::pin(self.ask_system(system, manner)) })
            .collect();
        let mut asked = futures_util::stream::iter(asked).buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        while let Some(one) = asked.next().await {
            found.extend(one);
        }
        Ok(found)
    }

    /// What is wrong with a system, if anything is.
    async fn ask_system(&self, system: &System, manner: Manner) -> Option<Finding> {
        let name = system.name.as_str();
        let answer = tokio::time::timeout(manner.patience, Box::pin(self.check_up(name))).await;
        let wrong = |what: String| {
            Finding::wrong(format!("system {name}"), what)
                .kind(AlarmKind::SystemUnwell)
                .command(format!("quietus connector test {name}"))
        };
        match answer {
            Ok(Ok(steps)) => failing(&steps).map(wrong),
            Ok(Err(error)) => Some(wrong(error.to_string())),
            Err(_) => {
                let seconds = manner.patience.as_secs();
                Some(wrong(format!("it did not answer within {seconds} seconds")))
            }
        }
    }

    /// Databases and third parties; stores of copies are listed, and our own store is open already.
    fn systems_to_ask(&self) -> impl Iterator<Item = &System> {
        self.map.systems.values().filter(|one| one.backup.is_none() && !one.is_house())
    }

    /// Systems in few words.
    pub(super) fn systems_in_words(&self, manner: Manner) -> String {
        let systems = self.systems_to_ask().count();
        if manner.offline {
            return format!("{systems}, none of which was asked (`--offline`)");
        }
        format!("{systems} are as the data map says")
    }

    /// Restored systems in quarantine.
    pub(super) async fn restores_at_fault(&self) -> Found {
        let mut found = Vec::new();
        if self.store.restores_under_way().await?.is_empty() {
            return Ok(found);
        }
        let restores = self.read_restores(MOST_RESTORES).await?;
        for one in restores.into_iter().filter(|one| one.state == "quarantined") {
            let place = format!("system {}", one.system);
            let missing = one.missing.len();
            let mut what = "it was restored and nothing else is done there".to_owned();
            if !one.announced {
                what = format!("somebody has put an older copy of it back without a word; {what}");
            }
            if missing > 0 {
                let named: Vec<&str> = one.missing.iter().take(NAMED).map(String::as_str).collect();
                what = format!("{what}; missing: {}", named.join("; "));
            }
            if missing > NAMED {
                what = format!("{what}; and {} more", missing - NAMED);
            }
            let lasts = self.has_lasted(QUARANTINED_WITHIN, one.begun_at);
            let marked = if !one.announced || lasts {
                Finding::wrong(place, what)
            } else {
                Finding::look(place, what)
            };
            let failed = one.persons.failed > 0;
            let marked = marked.kind(AlarmKind::SystemQuarantined).since(one.begun_at);
            let marked = if missing == 0 {
                marked
            } else if failed {
                marked.command(format!("quietus retry --system {}", one.system))
            } else {
                marked.command(format!("quietus restore carry-out {}", one.system))
            };
            found.push(marked.command(format!("quietus restore open {}", one.system)));
        }
        Ok(found)
    }

    /// Stores of copies in alarm.
    pub(super) async fn copies_at_fault(&self, manner: Manner) -> Found {
        if manner.offline {
            // What this process knows from its own looks; a command has taken none.
            return Ok(self.store_standings().into_iter().filter_map(troubled).collect());
        }
        if !self.has_stores() {
            return Ok(Vec::new());
        }
        let listed = tokio::time::timeout(manner.patience, self.store_reports(None)).await;
        let Ok(reports) = listed else {
            let what = format!("not all were listed within {} seconds", manner.patience.as_secs());
            return Ok(vec![
                Finding::wrong("stores of copies", what)
                    .kind(AlarmKind::CopiesTroubled)
                    .command("quietus backup list"),
            ]);
        };
        Ok(reports?.into_iter().filter_map(|report| troubled(report.standing)).collect())
    }

    /// Whether this process knows how every store of copies stands: it has listed each, or tried.
    pub(super) fn knows_all_stores(&self) -> bool {
        let standings = self.store_standings();
        standings.iter().all(|one| one.listed_at.is_some() || one.fault.is_some())
    }

    /// Stores of copies in few words.
    pub(super) fn copies_in_words(&self, manner: Manner) -> String {
        let stores = self.store_standings().len();
        match (stores, manner.offline) {
            (0, _) => "the data map has no store of copies".to_owned(),
            (_, true) => format!("{stores}, none of which was listed (`--offline`)"),
            (_, false) => format!("in {stores} stores old copies go and new ones come"),
        }
    }

    /// Files and logs that hold what was erased and do not let it go.
    pub(super) async fn residues_at_fault(&self) -> Found {
        let gauges = self.residue_gauges().await?.into_iter();
        Ok(gauges
            .filter(|one| one.held > 0)
            .map(|one| {
                let what = format!(
                    "for {} of {} cases its files or logs hold what was erased, and do not let it go by themselves",
                    one.held, one.waiting
                );
                Finding::wrong(format!("system {}", one.system), what)
                    .kind(AlarmKind::ResidueHeld)
                    .since(one.oldest)
                    .advice("this names what holds it back")
                    .command(format!("quietus residue list {}", one.system))
            })
            .collect())
    }
}

/// What is wrong with a store of copies, if anything is.
fn troubled(one: StoreStanding) -> Option<Finding> {
    let place = format!("store {}", one.store);
    let show = format!("quietus backup list {}", one.store);
    let fault = one.fault.or(one.remains).map(|fault| format!(": {fault}")).unwrap_or_default();
    if let Some(alarm) = one.alarm {
        let found = Finding::wrong(place, format!("{}{fault}", alarm.words()));
        return Some(found.kind(AlarmKind::CopiesTroubled).since(one.newest_at).command(show));
    }
    let what = format!("{} copies should have gone by its own retention", one.overstaying);
    (one.overstaying > 0).then(|| {
        Finding::look(place, what)
            .kind(AlarmKind::CopiesOverstaying)
            .advice("run its own pruning, or write `expire: by_quietus`")
            .command(show)
    })
}

/// What did not go well, in words.
fn failing(steps: &[Step]) -> Option<String> {
    let failed: Vec<&str> = steps
        .iter()
        .filter(|step| step.ending == Ending::Fail)
        .map(|step| step.words.as_str())
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}
