//! What a look at a store of copies is: list it once, and see what each who waits has left there.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use quietus_connectors::Verification;
use serde_json::{Value, json};
use uuid::Uuid;

use super::copies::{AFTER_A_FAULT, StoreLook};
use super::inside::ErasedInside;
use super::seen::{Listing, Remains, Seen, Trouble, later};
use crate::app::account::VerificationOnRecord;
use crate::app::carry_out::GoneFrom;
use crate::app::crash::CrashPoint;
use crate::app::look::{Ended, Look};
use crate::app::{AppError, Quietus};
use crate::domain::SystemName;
use crate::evidence::EvidenceKind;
use crate::store::{ClaimedJob, Job, JobKind, Settlement};

/// What a store has answered.
pub(crate) struct Answer {
    /// What it has, or why nobody knows.
    listing: Result<Arc<Listing>, (Trouble, String)>,
    /// What was erased inside of its copies, for each who waits.
    inside: Vec<ErasedInside>,
    /// Whether it keeps data of copies that it no longer lists.
    remains: Remains,
}

impl Look for StoreLook {
    const JOBS: JobKind = JobKind::Backup;
    const ENTRIES: EvidenceKind = EvidenceKind::BackupObserved;
    const ANSWERED: CrashPoint = CrashPoint::StoreListed;
    type Answer = Answer;

    fn planned(job: &Job) -> Result<Self, AppError> {
        Self::of(job)
    }

    async fn ask(
        product: &Quietus,
        place: &str,
        all: &[(ClaimedJob, Self)],
    ) -> Result<Self::Answer, AppError> {
        // A listing will do that somebody has asked for since the last of the looks was due.
        let due = all.iter().map(|(claimed, _)| claimed.job.available_at).max();
        let listing = product.ask_for_copies(place, due.unwrap_or_else(|| product.now())).await;
        let system = product.system(place).ok();
        let mapped = system.and_then(|system| Some((system, system.backup.as_ref()?)));
        let inside = match mapped {
            // What is held is asked for after the listing: what comes between is seen by the one or
            // the other.
            Some(mapped) if listing.is_ok() => {
                let cases: Vec<Uuid> = all.iter().map(|(claimed, _)| claimed.job.case_id).collect();
                product.erased_inside(mapped, &cases).await?
            }
            _ => Vec::new(),
        };
        let remains = match (mapped, &listing) {
            (Some(mapped), Ok(listing)) => {
                let seen: Vec<Seen> = all
                    .iter()
                    .enumerate()
                    .flat_map(|(number, (_, look))| {
                        look.seen_in(listing, inside.get(number)).into_values()
                    })
                    .collect();
                product.remains_at_look(mapped, seen.iter()).await?
            }
            _ => Ok(None),
        };
        Ok(Answer { listing, inside, remains })
    }

    fn ended(
        &self,
        product: &Quietus,
        job: &Job,
        (number, answer): (usize, &Self::Answer),
    ) -> Ended {
        match &answer.listing {
            Ok(listing) => {
                let seen = self.seen_in(listing, answer.inside.get(number)).into_iter();
                let seen = seen.map(|(name, seen)| (name, seen.unless(&answer.remains))).collect();
                product.copies_seen(job, self, (listing, seen))
            }
            Err((trouble, fault)) => product.copies_not_seen(job, self, (*trouble, fault.as_str())),
        }
    }
}

impl Quietus {
    /// Looks once at every store at which somebody is to look by now; how many there were.
    ///
    /// # Errors
    /// Where our own store is not there. That a store of copies does not answer is settled.
    pub async fn look_at_due_stores(&self, worker: &str) -> Result<usize, AppError> {
        let places: Vec<&SystemName> = self.stores().map(|(system, _)| &system.name).collect();
        self.look_where_due::<StoreLook>(&places, worker).await
    }

    async fn ask_for_copies(
        &self,
        store: &str,
        since: Timestamp,
    ) -> Result<Arc<Listing>, (Trouble, String)> {
        let system = self.system(store).ok();
        let mapped = system.and_then(|system| Some((system, system.backup.as_ref()?)));
        let Some((system, backup)) = mapped else {
            let why = "the data map has no such store; write it back until its copies are gone";
            return Err((Trouble::Unmapped, why.to_owned()));
        };
        let listing = self.listing(system, backup, since).await;
        listing.map_err(|fault| (Trouble::Unlisted, fault))
    }

    fn copies_seen(
        &self,
        job: &Job,
        look: &StoreLook,
        (listing, seen): (&Listing, BTreeMap<SystemName, Seen>),
    ) -> Ended {
        let planned = &look.planned;
        let gone = seen.values().all(|seen| seen.gone);
        // What was certified without a day gets one as soon as there is one.
        let without_day =
            planned.values().any(|gone| !gone.seen.gone && gone.seen.gone_by.is_none());
        let dated = seen.values().all(|seen| seen.gone || seen.gone_by.is_some());
        let broken = is_promise_broken(listing, planned, &seen);
        let news = gone || broken || (without_day && dated);
        if !news {
            let longest = listing.keeping.longest;
            let available_at = self.next_look(planned, seen.values(), longest);
            let remains = seen.values().find_map(|seen| seen.remains.clone());
            let words = remains.unwrap_or_else(|| "copies are left that can hold it".to_owned());
            let settlement = Settlement::Postponed { available_at };
            return look.goes_on(job, &seen, ("left", settlement, words));
        }
        let words = match (gone, broken) {
            (true, _) => words_of(listing, planned, &seen),
            (false, true) => {
                let left = "the day that was promised is over, and copies are left";
                let remains = seen.values().find_map(|seen| seen.remains.as_ref());
                remains.map_or(left.to_owned(), |why| format!("{left}: {why}"))
            }
            (false, false) => "a day is known".to_owned(),
        };
        let found = Verification { method: words.clone(), ..Verification::default() };
        let verification = VerificationOnRecord { at: listing.at, found, counted: None };
        let done = on_record(&seen);
        let verification = serde_json::to_value(&verification).unwrap_or_default();
        let result = if gone { "gone" } else { "left" };
        let news = Some(news_of(job, &seen, (result, &words)));
        // A day that is known, or holds no more, is told at once; the end comes with that of files
        // and logs.
        let settlement = if gone {
            Settlement::Looked { done, verification }
        } else {
            Settlement::Completed { done, verification }
        };
        Ended { settlement, seen: None, news, words }
    }

    /// Nobody knows what the store has: what was seen before stands, but no day is promised.
    fn copies_not_seen(
        &self,
        job: &Job,
        look: &StoreLook,
        (trouble, fault): (Trouble, &str),
    ) -> Ended {
        let mut seen = look.latest.clone();
        for one in seen.values_mut() {
            *one = Seen {
                gone_by: None,
                trouble: Some(trouble),
                gone: false,
                remains: None,
                erased_inside_at: None,
                ..one.clone()
            };
        }
        let settlement = self.another_look(AFTER_A_FAULT, trouble.as_str(), fault);
        look.goes_on(job, &seen, ("not known", settlement, fault.to_owned()))
    }
}

impl StoreLook {
    /// What a listing shows of each system.
    fn seen_in(
        &self,
        listing: &Listing,
        inside: Option<&ErasedInside>,
    ) -> BTreeMap<SystemName, Seen> {
        let inside = |name: &SystemName| inside.and_then(|inside| inside.get(name)).copied();
        let seen = |(name, gone): (&SystemName, &GoneFrom)| {
            (name.clone(), listing.seen_inside(gone.at, inside(name)))
        };
        self.planned.iter().map(seen).collect()
    }

    /// What was seen is remembered and told where it says more than what was seen before.
    fn goes_on(
        &self,
        job: &Job,
        seen: &BTreeMap<SystemName, Seen>,
        (result, settlement, words): (&str, Settlement, String),
    ) -> Ended {
        let is_news = seen.iter().any(|(name, seen)| {
            self.latest.get(name).is_none_or(|before| seen.says_more_than(before))
        });
        Ended {
            settlement,
            seen: is_news.then(|| on_record(seen)),
            news: is_news.then(|| news_of(job, seen, (result, &words))),
            words,
        }
    }
}

/// Whether a certificate states a day that is over for longer than a store takes between two copies,
/// while copies are left that no longer end on it: what it claims is not so.
fn is_promise_broken(
    listing: &Listing,
    planned: &BTreeMap<SystemName, GoneFrom>,
    seen: &BTreeMap<SystemName, Seen>,
) -> bool {
    planned.iter().any(|(name, gone)| {
        let Some(promised) = gone.seen.gone_by.filter(|_| !gone.seen.gone) else { return false };
        let is_over = later(promised, listing.keeping.cadence) < listing.at;
        let holds_no_more = |seen: &Seen| !seen.gone && seen.gone_by != Some(promised);
        is_over && seen.get(name).is_some_and(holds_no_more)
    })
}

fn on_record(seen: &BTreeMap<SystemName, Seen>) -> Value {
    json!({ "systems": seen })
}

fn news_of(job: &Job, seen: &BTreeMap<SystemName, Seen>, (result, words): (&str, &str)) -> Value {
    json!({ "store": job.system, "result": result, "words": words, "systems": seen })
}

/// What a look that found nothing looked for, in words that an auditor understands.
fn words_of(
    listing: &Listing,
    planned: &BTreeMap<SystemName, GoneFrom>,
    seen: &BTreeMap<SystemName, Seen>,
) -> String {
    let inside = seen.iter().filter(|(_, seen)| seen.erased_inside_at.is_some());
    let inside: Vec<&str> = inside.map(|(name, _)| name.as_str()).collect();
    if inside.len() == seen.len() {
        return "the copies of the store were asked for files of the person: none holds any since they were erased there".to_owned();
    }
    let but = if inside.is_empty() {
        String::new()
    } else {
        format!(
            "; of {}, none holds files of the person since they were erased there",
            inside.join(", ")
        )
    };
    let before = planned.values().map(|gone| gone.at).max().unwrap_or(Timestamp::MIN);
    let newest = match listing.newest() {
        Some(newest) => format!("the newest copy is of {newest:.0}"),
        None => "the store has no copy".to_owned(),
    };
    format!("listing of the store: no copy that began before {before:.0} is left; {newest}{but}")
}
