//! What people are told of stores: their copies and when each ends, and until when copies can hold
//! what is gone from a system.

use jiff::Timestamp;
use quietus_connectors::CopyKind;
use quietus_connectors::processor::testkit::{Ending, Step};

use super::seen::Seen;
use super::watch::StoreStanding;
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, System};

/// A kind whose copies are objects with names that their owner gave them.
const BUCKET: &str = "s3";

/// A store with its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreReport {
    /// How it stands.
    pub standing: StoreStanding,
    /// Its kind.
    pub kind: String,
    /// The systems that it copies.
    pub of: Vec<String>,
    /// Its copies, oldest first.
    pub copies: Vec<CopyFacts>,
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFacts {
    /// The store's own identifier.
    pub id: String,
    /// What sort of copy it is.
    pub kind: CopyKind,
    /// What was gone before is not in it; `None` where nobody knows.
    pub holds_from: Option<Timestamp>,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When the store's retention ends it; `None` where that says nothing of it.
    pub ends_by: Option<Timestamp>,
    /// What keeps it beyond that: a lock, or a copy that needs it.
    pub kept_by: Vec<String>,
    /// It should have gone.
    pub overstays: bool,
}

/// What the copies in one store mean for something that was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHorizon {
    /// The store.
    pub store: String,
    /// What is known.
    pub seen: Seen,
    /// Why it could not be listed, or nobody may say that the data of its copies is gone.
    pub fault: Option<String>,
}

impl Quietus {
    /// The stores, all or one, listed now.
    ///
    /// # Errors
    /// Where there is no such store. One that cannot be listed says so in its standing.
    pub async fn store_reports(&self, only: Option<&str>) -> Result<Vec<StoreReport>, AppError> {
        if let Some(name) = only {
            self.store_named(name)?;
        }
        let stores =
            self.stores().filter(|(system, _)| only.is_none_or(|one| system.name.as_str() == one));
        let reports = stores.map(|(system, backup)| async move {
            let listing = self.listing(system, backup, self.now()).await;
            let mut copies = listing.as_deref().map_or_else(|_| Vec::new(), facts_of);
            if system.kind == BUCKET && !backup.inside.is_empty() {
                copies.iter_mut().for_each(hide_key);
            }
            StoreReport {
                standing: self.standing_of(system),
                kind: system.kind.clone(),
                of: backup.copies.iter().map(ToString::to_string).collect(),
                copies,
            }
        });
        Ok(futures_util::future::join_all(reports).await)
    }

    /// Until when copies can hold what was erased in a system at a moment, store by store; each is
    /// listed now.
    ///
    /// # Errors
    /// Where there is no such system, or it is not copied.
    pub async fn horizons(
        &self,
        name: &str,
        gone_at: Timestamp,
    ) -> Result<Vec<StoreHorizon>, AppError> {
        let system = self.system(name)?;
        let stores: Vec<_> = self.map.stores_of(&system.name).collect();
        if stores.is_empty() {
            return Err(AppError::Input(match &system.no_backups {
                Some(why) => format!("no store copies `{name}`: {why}"),
                None => format!(
                    "no store of the data map copies `{name}`: map it with `copies: [{name}]`, or write `no_backups` and why"
                ),
            }));
        }
        let horizons = stores.into_iter().map(|(store, backup)| async move {
            let listing = self.listing(store, backup, self.now()).await;
            let store_name = store.name.to_string();
            let seen = match listing {
                Ok(listing) => listing.seen(gone_at),
                Err(fault) => {
                    let seen = Seen::nothing(super::seen::Trouble::Unlisted);
                    return StoreHorizon { store: store_name, seen, fault: Some(fault) };
                }
            };
            let remains = self.remains_of((store, backup), std::iter::once(&seen)).await;
            let fault = remains.clone().unwrap_or_else(Some);
            StoreHorizon { store: store_name, seen: seen.unless(&remains), fault }
        });
        Ok(futures_util::future::join_all(horizons).await)
    }

    pub(super) fn store_named(&self, name: &str) -> Result<(&System, &Backup), AppError> {
        let found = self.stores().find(|(system, _)| system.name.as_str() == name);
        found.ok_or_else(|| {
            let known: Vec<String> =
                self.stores().map(|(system, _)| format!("`{}`", system.name)).collect();
            AppError::Input(if known.is_empty() {
                "the data map has no store of copies: see docs/backups.md".to_owned()
            } else {
                format!("there is no store `{name}`; the data map has {}", known.join(", "))
            })
        })
    }

    /// Tries a store out: reach and credentials, then its copies and how long it keeps them.
    pub(crate) async fn check_store(&self, system: &System, backup: &Backup) -> Vec<Step> {
        let step = |name, ending, words| Step { name, ending, words };
        let store = match self.open_store(system, backup) {
            Ok(store) => store,
            Err(error) => return vec![step("check", Ending::Fail, error.to_string())],
        };
        let mut steps = vec![match store.check().await {
            Ok(health) => step("check", Ending::Pass, format!("reached {}", health.product)),
            Err(fault) => step("check", Ending::Fail, fault.to_string()),
        }];
        if steps[0].ending == Ending::Fail {
            steps.push(step("copies", Ending::NotChecked, "the check failed".to_owned()));
            return steps;
        }
        match self.listing(system, backup, self.now()).await {
            Ok(listing) => {
                let words = format!("{} copies are listed", listing.copies.len());
                steps.push(step("copies", Ending::Pass, words));
                steps.push(match listing.trouble() {
                    None => step("retention", Ending::Pass, "old copies go".to_owned()),
                    Some(trouble) => step("retention", Ending::Fail, trouble.words().to_owned()),
                });
            }
            Err(fault) => steps.push(step("copies", Ending::Fail, fault)),
        }
        steps
    }
}

/// Where each person has objects of their own, keys name persons: the version alone is shown.
fn hide_key(copy: &mut CopyFacts) {
    if let Some(at) = copy.id.rfind('#') {
        copy.id.replace_range(..at, "");
    }
}

fn facts_of(listing: &super::seen::Listing) -> Vec<CopyFacts> {
    let overstaying = listing.overstaying();
    let facts = listing.copies.iter().map(|copy| {
        let mut kept_by: Vec<String> = Vec::new();
        kept_by.extend(copy.stay.as_ref().map(|stay| match stay.until {
            Some(until) => format!("{} until {until:.0}", stay.why),
            None => stay.why.clone(),
        }));
        let needs = listing.copies.iter().filter(|other| other.needs.contains(&copy.id));
        kept_by.extend(needs.map(|other| format!("copy `{}` needs it", other.id)));
        CopyFacts {
            id: copy.id.clone(),
            kind: copy.kind,
            holds_from: copy.holds_from,
            taken_at: copy.taken_at,
            ends_by: listing.end_of(copy),
            kept_by,
            overstays: overstaying.iter().any(|(one, _)| one.id == copy.id),
        }
    });
    facts.collect()
}
