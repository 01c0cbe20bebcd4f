//! The doctor: what is wrong with an instance, since when, and what to do about it. Changes nothing:
//! the store is opened to look at it, so that the database itself would refuse a change.
//!
//! An area that cannot be looked at is a finding of its own and hides no other one. What is found is
//! put in the order in which to mend it: what the instance stands on first.

mod finding;
mod ground;
mod known;
mod people;
mod proof;
mod reach;
mod runs;
mod spared;
mod told;
mod work;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use super::opening::{Opening, store_url};
use super::{AppError, Quietus};
use crate::domain::{AlarmKind, Clock};
use crate::store::{OpenOptions, Store};

pub use self::finding::{Area, Diagnosis, Finding, Mark};
pub use self::known::{KnownArea, TOLD_AREAS};
pub use self::work::WorkGauges;

/// Findings of an area that are shown at most, whatever is asked for.
pub const MOST_FINDINGS: usize = 1_000;

/// How to look.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Ask no connected system and no store of copies.
    pub offline: bool,
    /// Count in each database what should have gone by the latest run.
    pub overdue: bool,
    /// How long to wait for one system.
    pub patience: Duration,
    /// Findings of an area that are shown, from 1 to [`MOST_FINDINGS`].
    pub most: usize,
}

impl Manner {
    fn area(self, name: &'static str, found: Found, well: impl FnOnce() -> Finding) -> Area {
        let found = found.unwrap_or_else(|error| vec![cannot_look(name, &error)]);
        Area::of(name, found, well, self.most.clamp(1, MOST_FINDINGS))
    }
}

/// What was found in an area, or why nobody could look.
type Found = Result<Vec<Finding>, AppError>;

fn cannot_look(area: &str, error: &AppError) -> Finding {
    Finding::wrong(area, format!("nobody could look: {error}")).kind(AlarmKind::AreaUnseen)
}

/// Whether something has lasted longer than this.
fn is_longer_than(limit: SignedDuration, since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) > limit
}

/// Looks at an instance whose files can be read.
pub async fn examine(opening: Opening, manner: Manner) -> Diagnosis {
    let now = opening.clock.now();
    let (mut areas, product) = stand(opening, manner).await;
    if let Some(product) = product {
        areas.extend(Box::pin(product.examine_all(manner)).await);
        product.store.close().await;
    }
    Diagnosis::of(now, manner.offline, areas)
}

/// Looks at an instance whose files cannot be read.
pub fn examine_files(
    problems: &crate::config::Problems,
    clock: &dyn Clock,
    manner: Manner,
) -> Diagnosis {
    let area = manner.area("files", Ok(ground::problems(problems)), || {
        Finding::well("files", "they can be read")
    });
    Diagnosis::of(clock.now(), manner.offline, vec![area])
}

/// Looks at what the instance stands on; the product, where it can be opened.
async fn stand(opening: Opening, manner: Manner) -> (Vec<Area>, Option<Arc<Quietus>>) {
    let loaded = &opening.loaded;
    let read = format!(
        "rules {}, data map {}",
        loaded.rules.digest.short(),
        loaded.data_map.digest.short()
    );
    let mut areas =
        vec![manner.area("files", Ok(ground::problems(&loaded.warnings)), || {
            Finding::well("files", read)
        })];
    let store = match open_store(&opening).await {
        Ok(store) => store,
        Err(found) => {
            let stays = "nothing else can be looked at";
            areas.push(manner.area("store", Ok(vec![found.because(stays)]), || {
                Finding::well("store", "it is there")
            }));
            areas.push(manner.area("keys", Ok(ground::exposed(&loaded.instance)), || {
                Finding::well("keys", "nobody else may read them")
            }));
            return (areas, None);
        }
    };
    let schema = store.schema().await.unwrap_or_default();
    let mut found = ground::newer_schema(schema);
    found.extend(ground::no_way_past_pooler(&store, &loaded.instance));
    let stands = ground::standing(&store, schema);
    areas.push(manner.area("store", Ok(found), || Finding::well("store", stands)));
    let exposed = ground::exposed(&loaded.instance);
    let keys = loaded.instance.keys.clone();
    // What opening keeps on the way is large.
    match Box::pin(Quietus::open_to_look(opening, store)).await {
        Ok(product) => {
            areas.push(product.keys_area(manner, exposed).await);
            (areas, Some(product))
        }
        Err(error) => {
            let found = ground::not_opened(&keys, &error, exposed);
            areas.push(manner.area("keys", Ok(found), || Finding::well("keys", "")));
            (areas, None)
        }
    }
}

/// Opens the store to look at it, or says what is wrong with it.
async fn open_store(opening: &Opening) -> Result<Store, Finding> {
    let url = store_url(&opening.loaded).map_err(|error| ground::no_store(&error))?;
    let store = Store::look(url.expose_secret(), OpenOptions::default()).await;
    let store = store.map_err(|error| ground::no_store(&error.into()))?;
    match store.schema().await {
        Ok(schema) if schema.fits() && schema.missing == 0 => Ok(store),
        Ok(schema) => Err(ground::other_schema(schema)),
        Err(error) => Err(ground::no_store(&error.into())),
    }
}

impl Quietus {
    /// The keys, of which these are exposed.
    async fn keys_area(&self, manner: Manner, exposed: Vec<Finding>) -> Area {
        let found = self.keys_at_fault().await;
        let found = found.map(|more| [exposed, more].concat());
        manner.area("keys", found, || {
            Finding::well("keys", "all that are in use can be read, and by nobody else")
        })
    }

    /// Everything beyond what the instance stands on.
    async fn examine_all(&self, manner: Manner) -> Vec<Area> {
        let mut areas = Box::pin(self.examine_work(manner)).await;
        areas.extend(Box::pin(self.examine_promises(manner)).await);
        areas
    }

    /// Whether what is due is carried out.
    async fn examine_work(&self, manner: Manner) -> Vec<Area> {
        let said = |name: &'static str, words: String| move || Finding::well(name, words);
        let well = |name: &'static str, words: &str| said(name, words.to_owned());
        vec![
            manner.area(
                "rules in force",
                self.rules_at_fault().await,
                well("rules in force", "no process works by earlier ones"),
            ),
            manner.area("clock", self.clock_at_fault().await, well("clock", "not behind the log")),
            manner.area(
                "log",
                self.log_at_fault().await,
                well("log", "what it holds is published"),
            ),
            manner.area(
                "pauses",
                self.pauses_at_fault().await,
                well("pauses", "nothing is paused"),
            ),
            manner.area(
                "quarantine",
                self.restores_at_fault().await,
                well("quarantine", "no system is in it"),
            ),
            manner.area(
                "breakers",
                self.breakers_at_fault().await,
                well("breakers", "no system fails time after time"),
            ),
            manner.area(
                "backlogs",
                self.backlogs_at_fault().await,
                said("backlogs", self.limits_in_words()),
            ),
            manner.area(
                "schedules",
                self.schedules_at_fault().await,
                said("schedules", self.schedules_in_words().await),
            ),
            manner.area(
                "approvals",
                self.approvals_at_fault().await,
                well("approvals", "no case waits for a second person"),
            ),
            manner.area(
                "jobs",
                self.jobs_at_fault().await,
                well("jobs", "none has failed, and none waits for a worker"),
            ),
            manner.area(
                "rules",
                self.silent_rules(manner).await,
                said("rules", self.runs_in_words().await),
            ),
            manner.area(
                "systems",
                self.systems_at_fault(manner).await,
                said("systems", self.systems_in_words(manner)),
            ),
        ]
    }

    /// Whether what was promised is kept: to people, to auditors, and of what stays elsewhere.
    async fn examine_promises(&self, manner: Manner) -> Vec<Area> {
        let said = |name: &'static str, words: String| move || Finding::well(name, words);
        let well = |name: &'static str, words: &str| said(name, words.to_owned());
        vec![
            manner.area(
                "requests",
                self.requests_at_fault().await,
                well("requests", "none presses"),
            ),
            manner.area("tasks", self.tasks_at_fault().await, well("tasks", "none is overdue")),
            manner.area(
                "mails",
                self.mails_at_fault().await,
                well("mails", "none waits for somebody"),
            ),
            manner.area(
                "later looks",
                self.looks_at_fault().await,
                well("later looks", "nobody is back, and no look is owed"),
            ),
            manner.area(
                "copies",
                self.copies_at_fault(manner).await,
                said("copies", self.copies_in_words(manner)),
            ),
            manner.area(
                "files and logs",
                self.residues_at_fault().await,
                well("files and logs", "nothing is held back"),
            ),
            manner.area(
                "anchors",
                self.anchors_at_fault().await,
                said("anchors", self.anchors_in_words()),
            ),
            manner.area(
                "certificates",
                self.certificates_at_fault().await,
                well("certificates", "none is owed"),
            ),
            manner.area(
                "drills",
                self.drills_at_fault().await,
                well("drills", "none left anything to see to"),
            ),
            manner.area(
                "own records",
                self.house_at_fault().await,
                well("own records", "none is overdue"),
            ),
            manner.area(
                "alarms",
                self.alarms_at_fault().await,
                said("alarms", self.alarms_in_words()),
            ),
        ]
    }
}
