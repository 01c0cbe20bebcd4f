//! What a listing of a store means for something that was gone from a system at a moment. Pure: the
//! same listing gives the same answer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{BackupCopy, CopyKind, Counting, Horizon, StoreRetention};
use serde::{Deserialize, Serialize};

/// A copy that began so soon after an erasure counts as one that began before it: the clocks of two
/// machines differ, and replicas lag behind.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
/// A store that has taken no copy for so many times its cadence is an alarm.
const MISSED_COPIES: i32 = 2;
/// Ends of days that are tried for a copy that is being taken.
const MOST_DAYS: usize = 60;

/// How a store keeps copies.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    pub(crate) retention: StoreRetention,
    pub(crate) counting: Counting,
    pub(crate) zone: TimeZone,
    /// Time between two copies.
    pub(crate) cadence: SignedDuration,
    /// The longest that taking one lasts.
    pub(crate) longest: SignedDuration,
    /// How long one may stay once its time is over.
    pub(crate) pruned_within: SignedDuration,
}

/// What a store had at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// When it was asked.
    pub(crate) at: Timestamp,
    pub(crate) copies: Vec<BackupCopy>,
    pub(crate) keeping: Keeping,
    /// When the store's retention ends each copy.
    ends: BTreeMap<String, Timestamp>,
}

/// Why no day may be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The store could not be listed.
    Unlisted,
    /// Copies that should be gone are still there.
    Stuck,
    /// It has taken no copy for too long: copies go by those that are taken after them.
    Stale,
    /// The store keeps a copy for ever, or something keeps it from removing one.
    Endless,
    /// The store is no longer in the data map.
    Unmapped,
    /// Copies were asked for files of the person after these were erased inside of them, and hold some.
    Held,
}

impl Trouble {
    /// The word for metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Stuck => "stuck",
            Self::Stale => "stale",
            Self::Endless => "endless",
            Self::Unmapped => "unmapped",
            Self::Held => "held",
        }
    }

    /// What it is, as certificates say it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unlisted => "the store could not be listed",
            Self::Stuck => "old copies of the store do not go as they should",
            Self::Stale => "the store has taken no new copy for too long",
            Self::Endless => {
                "the store keeps a copy for ever, or something keeps it from removing one"
            }
            Self::Unmapped => "the store is no longer in the data map",
            Self::Held => {
                "copies hold files of the person although these were erased inside of them"
            }
        }
    }
}

/// What is known of the copies in a store that can hold what was erased in one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// When the store was listed; `None` where it could not be.
    pub listed_at: Option<Timestamp>,
    /// How many copies can hold it.
    pub copies: Option<u64>,
    /// When the newest of them was taken.
    pub newest_at: Option<Timestamp>,
    /// When the last of them ends; `None` where no day may be promised, or none is left.
    pub gone_by: Option<Timestamp>,
    /// Why no day may be promised.
    pub trouble: Option<Trouble>,
    /// No copy is left that can hold it, and none that is being taken can.
    pub gone: bool,
    /// Why nobody may say that the store has let the data of copies go that it no longer lists, with
    /// what to do, or why it has not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remains: Option<String>,
    /// When it was erased inside of the copies, where no copy holds anything of it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_inside_at: Option<Timestamp>,
}

/// What a store has answered when it was asked whether it keeps data of copies that it no longer lists:
/// why nobody may say that it keeps none, if that is so. An error where it did not answer.
pub(crate) type Remains = Result<Option<String>, String>;

/// What a certificate says of a store that keeps such data, or may.
const DATA_REMAINS: &str =
    "the store no longer lists the copies, and nobody has seen that their data is gone";

/// What a store has answered of files that were erased inside of its copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InsideSeen {
    /// No copy holds any since they were erased at this moment.
    Clear(Timestamp),
    /// Some copy does, or the store did not answer: no copy may be called gone.
    NotClear(Trouble),
}

impl Seen {
    /// Nothing could be seen.
    pub(crate) fn nothing(trouble: Trouble) -> Self {
        Self {
            listed_at: None,
            copies: None,
            newest_at: None,
            gone_by: None,
            trouble: Some(trouble),
            gone: false,
            remains: None,
            erased_inside_at: None,
        }
    }

    /// Nothing is gone while the store keeps data of copies that it no longer lists, or did not say.
    pub(crate) fn unless(self, remains: &Remains) -> Self {
        let (trouble, remains) = match remains {
            _ if !self.gone => return self,
            Ok(None) => return self,
            Ok(Some(why)) => (Trouble::Stuck, why),
            Err(fault) => (Trouble::Unlisted, fault),
        };
        let remains = Some(remains.clone());
        Self { gone: false, trouble: Some(trouble), remains, erased_inside_at: None, ..self }
    }

    /// Why no day may be promised, as certificates say it.
    pub(crate) fn why_without_day(&self) -> &'static str {
        match &self.remains {
            Some(_) => DATA_REMAINS,
            None => self.trouble.unwrap_or(Trouble::Unlisted).words(),
        }
    }

    /// Whether it differs in more than when it was looked at.
    pub(crate) fn says_more_than(&self, earlier: &Self) -> bool {
        Self { listed_at: earlier.listed_at, ..self.clone() } != *earlier
    }
}

pub(crate) fn later(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn earlier(moment: Timestamp, by: SignedDuration) -> Timestamp {
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The first moment at which every copy that can hold something is listed.
pub(crate) fn settled_at(gone_at: Timestamp, longest: SignedDuration) -> Timestamp {
    later(later(gone_at, CLOCKS_DIFFER), longest)
}

impl Listing {
    pub(crate) fn new(at: Timestamp, copies: Vec<BackupCopy>, keeping: Keeping) -> Self {
        let ends = ends_of(&copies, &keeping);
        Self { at, copies, keeping, ends }
    }

    /// What it means for something that was gone from a system at this moment.
    pub(crate) fn seen(&self, gone_at: Timestamp) -> Seen {
        self.seen_among(&self.copies, gone_at)
    }

    /// The same where it was erased inside of the copies and the store was asked again. Where it has
    /// nothing of it in any copy, only one that is being taken can still hold it. Where it has, or did
    /// not answer, what the list says stands, but that no copy is left.
    pub(crate) fn seen_inside(&self, gone_at: Timestamp, inside: Option<InsideSeen>) -> Seen {
        match inside {
            Some(InsideSeen::Clear(erased_at)) => {
                let seen = self.seen_among(&[], gone_at);
                Seen { erased_inside_at: Some(erased_at), ..seen }
            }
            Some(InsideSeen::NotClear(trouble)) => {
                let seen = self.seen(gone_at);
                let trouble = if seen.gone { Some(trouble) } else { seen.trouble };
                Seen { trouble, gone: false, ..seen }
            }
            None => self.seen(gone_at),
        }
    }

    fn seen_among(&self, copies: &[BackupCopy], gone_at: Timestamp) -> Seen {
        let since = later(gone_at, CLOCKS_DIFFER);
        let horizon = Horizon::of(copies, since, |copy| self.end_of(copy));
        let may_come = self.at < settled_at(gone_at, self.keeping.longest);
        // A store that shows no whole copy at all may be another place, such as a disk that is not there.
        let gone = horizon.is_clear() && !may_come && self.newest().is_some();
        let coming = if may_come { self.end_of_coming(since) } else { Some(Timestamp::MIN) };
        let gone_by = match (horizon.gone_by, coming) {
            (Some(listed), Some(coming)) => Some(listed.max(coming)),
            (None, Some(coming)) => Some(coming).filter(|coming| *coming > Timestamp::MIN),
            (_, None) => None,
        };
        let endless = !horizon.without_end.is_empty() || coming.is_none();
        let trouble = self.trouble().or_else(|| endless.then_some(Trouble::Endless));
        let trouble = trouble.filter(|_| !gone);
        Seen {
            listed_at: Some(self.at),
            copies: Some(u64::try_from(horizon.holding.len()).unwrap_or(u64::MAX)),
            newest_at: horizon.newest_at,
            gone_by: gone_by.filter(|_| !gone && trouble.is_none()),
            trouble,
            gone,
            remains: None,
            erased_inside_at: None,
        }
    }

    /// When a copy ends by itself, whatever needs it or keeps it; `None` where it never does.
    pub(crate) fn end_of(&self, copy: &BackupCopy) -> Option<Timestamp> {
        copy.ends_at.or_else(|| self.ends.get(&copy.id).copied())
    }

    /// What is wrong with the store as a whole.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        let bound = self.keeping.cadence.checked_mul(MISSED_COPIES);
        let bound = bound.unwrap_or(SignedDuration::MAX);
        if self.newest().is_none_or(|newest| later(newest, bound) < self.at) {
            return Some(Trouble::Stale);
        }
        (!self.overstaying().is_empty()).then_some(Trouble::Stuck)
    }

    /// When the newest copy was taken.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let whole = self.copies.iter().filter(|copy| copy.kind != CopyKind::Log);
        whole.map(|copy| copy.taken_at).max()
    }

    /// Copies that should have gone for longer than the store takes to remove them, with the moment
    /// at which they should have.
    pub(crate) fn overstaying(&self) -> Vec<(&BackupCopy, Timestamp)> {
        let over = |copy: &&BackupCopy| {
            let end = self.end_of(copy).filter(|_| copy.stay.is_none())?;
            (later(end, self.keeping.cadence) < self.at).then_some(end)
        };
        let over: Vec<_> =
            self.copies.iter().filter_map(|copy| Some((copy, over(&copy)?))).collect();
        let ids: BTreeSet<&str> = over.iter().map(|(copy, _)| copy.id.as_str()).collect();
        let staying = self.copies.iter().filter(|copy| !ids.contains(copy.id.as_str()));
        let needed: BTreeSet<&str> =
            staying.flat_map(|copy| &copy.needs).map(String::as_str).collect();
        over.into_iter().filter(|(copy, _)| !needed.contains(copy.id.as_str())).collect()
    }

    /// Copies whose time is over, as follows from the copies of their series that were taken after them
    /// and not from those that are still to come, and that no other one needs.
    pub(crate) fn expired(&self) -> Vec<String> {
        let Some(newest) = self.newest() else { return Vec::new() };
        let mut newest_of: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for copy in self.copies.iter().filter(|copy| copy.kind != CopyKind::Log) {
            let newest = newest_of.entry(&copy.series).or_insert(copy.taken_at);
            *newest = copy.taken_at.max(*newest);
        }
        let taken_place = |copy: &BackupCopy| match self.keeping.counting {
            // Unfinished archives are a series by themselves, and finished ones take their place.
            Counting::Beyond => newest,
            _ => newest_of.get(copy.series.as_str()).copied().unwrap_or(newest),
        };
        let over = |copy: &&BackupCopy| {
            let newest = taken_place(copy).min(self.at);
            copy.stay.is_none() && self.end_of(copy).is_some_and(|end| end <= newest)
        };
        let mut over: BTreeSet<&str> =
            self.copies.iter().filter(over).map(|copy| copy.id.as_str()).collect();
        // What something that stays needs stays, and so does what that needs.
        loop {
            let staying = self.copies.iter().filter(|copy| !over.contains(copy.id.as_str()));
            let needed: Vec<&str> =
                staying.flat_map(|copy| &copy.needs).map(String::as_str).collect();
            let before = over.len();
            over.retain(|id| !needed.contains(id));
            if over.len() == before {
                let ids = self.copies.iter().filter(|copy| over.contains(copy.id.as_str()));
                return ids.map(|copy| copy.id.clone()).collect();
            }
        }
    }

    /// When a copy would end that is being taken at this moment and not listed yet; `None` where it
    /// never would. It may still be taken for as long as that lasts, and what becomes of it depends
    /// on whether it is the last one of a day, a month or a year.
    fn end_of_coming(&self, since: Timestamp) -> Option<Timestamp> {
        let last = later(since, self.keeping.longest);
        let mut moments = vec![since, last];
        let mut day = since.to_zoned(self.keeping.zone.clone());
        for _ in 0..MOST_DAYS {
            let Ok(tomorrow) = day.tomorrow().and_then(|next| next.start_of_day()) else { break };
            let end = tomorrow.timestamp().checked_sub(SignedDuration::from_secs(1));
            match end {
                Ok(end) if end < last => moments.push(end),
                _ => break,
            }
            day = tomorrow;
        }
        let mut latest = None;
        for taken_at in moments {
            latest = latest.max(Some(self.end_if_taken(since, taken_at)?));
        }
        latest
    }

    fn end_if_taken(&self, since: Timestamp, taken_at: Timestamp) -> Option<Timestamp> {
        let coming = BackupCopy {
            id: String::new(),
            kind: CopyKind::Whole,
            holds_from: Some(since),
            taken_at,
            series: self.copies.last().map_or_else(String::new, |copy| copy.series.clone()),
            needs: Vec::new(),
            stay: None,
            ends_at: None,
        };
        let earlier = self.copies.iter().filter(|copy| copy.taken_at < taken_at);
        let copies: Vec<BackupCopy> = earlier.cloned().chain([coming]).collect();
        ends_of(&copies, &self.keeping).remove("")
    }
}

fn ends_of(copies: &[BackupCopy], keeping: &Keeping) -> BTreeMap<String, Timestamp> {
    let ends = keeping.retention.ends(copies, keeping.counting, &keeping.zone, keeping.cadence);
    ends.into_iter().map(|(id, end)| (id, later(end, keeping.pruned_within))).collect()
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
