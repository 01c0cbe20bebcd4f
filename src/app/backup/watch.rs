//! Watching stores: one that cannot be listed, whose old copies do not go, or that takes no new ones
//! is an alarm, in lists, metrics and the log.

use jiff::{SignedDuration, Timestamp};

use super::listing::Known;
use super::seen::{Trouble, earlier, later};
use crate::app::Quietus;
use crate::datamap::System;

/// Time between two looks at a store that was listed.
const LOOKED_AT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// For so long it is an alarm that a store keeps data of copies that it no longer lists: whoever waits
/// asks again sooner.
const REMAINS_COUNT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How things stand with a store, as far as this process knows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoreStanding {
    /// Its name in the data map.
    pub store: String,
    /// How many copies it has; `None` where it was never listed.
    pub copies: Option<usize>,
    /// When the oldest was taken.
    pub oldest_at: Option<Timestamp>,
    /// When the newest was taken.
    pub newest_at: Option<Timestamp>,
    /// When it was listed last.
    pub listed_at: Option<Timestamp>,
    /// How many copies should have gone and have not.
    pub overstaying: usize,
    /// What is wrong with it: the alarm.
    pub alarm: Option<Trouble>,
    /// Why it could not be listed, where it could not when asked last.
    pub fault: Option<String>,
    /// Why nobody may say that it has let the data of copies go that it no longer lists, with what to
    /// do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remains: Option<String>,
}

impl Quietus {
    /// Whether the data map has stores of copies.
    pub fn has_stores(&self) -> bool {
        self.stores().next().is_some()
    }

    /// Lists every store that nobody has asked for an hour, and tells the log, once a day for each,
    /// of those with which something is wrong.
    pub async fn watch_stores(&self) -> Vec<StoreStanding> {
        let looks = self.stores().map(|(system, backup)| async move {
            // What comes of it is kept, also where it is a fault.
            drop(self.listing(system, backup, earlier(self.now(), LOOKED_AT_EVERY)).await);
            self.standing_of(system)
        });
        let standings = futures_util::future::join_all(looks).await;
        let today = self.now().to_zoned(self.zone.clone()).date();
        for one in &standings {
            let Some(alarm) = one.alarm else { continue };
            if self.stores.of(&one.store).tell(today) {
                tracing::warn!(
                    store = %one.store, alarm = alarm.as_str(), overstaying = one.overstaying,
                    newest = ?one.newest_at, fault = one.fault.as_deref().unwrap_or_default(),
                    remains = one.remains.as_deref().unwrap_or_default(),
                    "a store of copies needs somebody: {}; see `quietus backup list`", alarm.words()
                );
            }
        }
        standings
    }

    /// How things stand with every store, as far as this process knows; nobody is asked.
    pub fn store_standings(&self) -> Vec<StoreStanding> {
        self.stores().map(|(system, _)| self.standing_of(system)).collect()
    }

    pub(super) fn standing_of(&self, system: &System) -> StoreStanding {
        let Known { listing, fault, remains, .. } = self.stores.of(system.name.as_str()).known();
        let taken =
            |listing: &super::seen::Listing| listing.copies.iter().map(|copy| copy.taken_at).min();
        let alarm = match (&fault, &listing) {
            (Some(_), _) => Some(Trouble::Unlisted),
            (None, Some(listing)) => listing.trouble(),
            (None, None) => None,
        };
        let remains = remains.filter(|(at, _)| later(*at, REMAINS_COUNT_FOR) > self.now());
        let alarm = alarm.or_else(|| remains.is_some().then_some(Trouble::Stuck));
        StoreStanding {
            store: system.name.to_string(),
            copies: listing.as_ref().map(|listing| listing.copies.len()),
            oldest_at: listing.as_deref().and_then(taken),
            newest_at: listing.as_ref().and_then(|listing| listing.newest()),
            listed_at: listing.as_ref().map(|listing| listing.at),
            overstaying: listing.as_ref().map_or(0, |listing| listing.overstaying().len()),
            alarm,
            fault,
            remains: remains.map(|(_, why)| why),
        }
    }
}
