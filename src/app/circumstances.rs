//! Everything beside rules and data map that decides what a plan says: holds, events, marks and
//! pauses, read from the store and unsealed, as of one moment.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::Value;
use serde::{Deserialize, Serialize};

use super::marking::mark_of;
use super::mutation::Mutation;
use super::{AppError, Quietus};
use crate::datamap::{DataMap, StartSource};
use crate::domain::{HoldScope, IdentityTypes, LegalHold, Rounding, RuleName};
use crate::plan::{Acting, EventKeys, Marks, PlanInput};
use crate::schedule::{Limit, RuleSet};
use crate::store::{EventPage, Hold, HoldFilter, PauseScope};

/// Purpose under which the personal part of a hold's scope is sealed.
pub(crate) const HOLD_PURPOSE: &str = "legal hold";
/// Purpose under which the key that an event names is sealed.
pub(crate) const EVENT_PURPOSE: &str = "business event";

/// Events read in one page.
const PAGE: u32 = 5_000;

/// The part of a hold's scope that may point to a person.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealedScope {
    pub(crate) record: Option<std::collections::BTreeMap<String, Value>>,
    pub(crate) subject: Option<(String, Value)>,
}

/// What a plan depends on beside rules and data map.
pub struct Circumstances {
    /// The version of holds under which they were read.
    pub holds_version: u64,
    /// The version of pauses under which they were read.
    pub pauses_version: u64,
    /// Holds in force.
    pub holds: Vec<LegalHold>,
    /// How the identities that they name are brought into one form.
    pub identities: IdentityTypes,
    /// Events in force.
    pub events: EventKeys,
    /// Marks of rules with grace.
    pub marks: Marks,
    /// Paused rules.
    pub paused: BTreeSet<RuleName>,
    /// When this was read; no event that was told later is among them.
    pub read_at: Timestamp,
}

/// Rules, data map and moment that a plan is made with; for a job, the pinned ones.
#[derive(Clone, Copy)]
pub struct Basis<'a> {
    /// The data map.
    pub map: &'a DataMap,
    /// The rules.
    pub rules: &'a RuleSet,
    /// Statutory minimums and maximums; for a job, those in force.
    pub limits: &'a [Limit],
    /// The moment.
    pub moment: Timestamp,
    /// The zone on whose wall clock periods are counted.
    pub zone: &'a TimeZone,
    /// Events that were told later do not count: when the plan of a job was made; `None` for a new
    /// plan.
    pub told_until: Option<Timestamp>,
    /// Whose turn it is.
    pub acting: &'a Acting,
}

impl Circumstances {
    /// The input of a plan.
    pub fn input<'a>(&'a self, basis: Basis<'a>) -> PlanInput<'a> {
        PlanInput {
            map: basis.map,
            identities: &self.identities,
            rules: basis.rules,
            limits: basis.limits,
            zone: basis.zone,
            moment: basis.moment,
            today: basis.zone.to_datetime(self.read_at).date(),
            holds: &self.holds,
            events: &self.events,
            marks: &self.marks,
            paused: &self.paused,
            acting: basis.acting,
            persons: None,
        }
    }
}

impl Quietus {
    /// Reads what holds at present, for a plan as of `moment`.
    pub(crate) async fn circumstances(&self, basis: Basis<'_>) -> Result<Circumstances, AppError> {
        let read_at = self.now();
        let told_until = basis.told_until.unwrap_or(read_at);
        let (holds_version, holds) = self.store.holds_in_force().await?;
        let holds = holds.iter().filter(|_| !self.suffers(Mutation::HoldsLeftOut));
        let holds = holds.map(|hold| self.unseal_hold(hold)).collect::<Result<_, _>>()?;
        // The version first, as with holds: a pause placed in between makes it too old.
        let pauses_version = self.store.pauses_version().await?;
        let mut paused = BTreeSet::new();
        for pause in self.store.active_pauses().await? {
            if let PauseScope::Rule(rule) = pause.scope {
                paused.insert(rule);
            }
        }
        Ok(Circumstances {
            holds_version,
            pauses_version,
            holds,
            identities: self.instance.identities.clone(),
            events: self.events_for(basis.map, basis.moment, told_until).await?,
            marks: self.marks_for(basis).await?,
            paused,
            read_at,
        })
    }

    /// Every hold, also released ones, with what it covers.
    ///
    /// # Errors
    /// Where the store is not there or a scope does not open.
    pub async fn holds(&self) -> Result<Vec<LegalHold>, AppError> {
        let holds = self.store.list_holds(HoldFilter::All).await?;
        holds.iter().map(|hold| self.unseal_hold(hold)).collect()
    }

    pub(crate) fn unseal_hold(&self, hold: &Hold) -> Result<LegalHold, AppError> {
        let mut scope: HoldScope = serde_json::from_value(hold.scope.clone())
            .map_err(|error| AppError::Unreadable { what: "a hold", why: error.to_string() })?;
        if let Some(sealed) = &hold.sealed {
            let part: SealedScope = self.vault.open(HOLD_PURPOSE, sealed)?;
            scope.record = part.record;
            scope.subject = part.subject;
        }
        Ok(LegalHold {
            id: hold.id,
            matter: hold.matter.clone(),
            scope,
            reason: hold.reason.clone(),
            placed_by: hold.placed_by.clone(),
            placed_at: hold.placed_at,
            review_on: hold.review_on,
            released_at: hold.released.as_ref().map(|(_, at)| *at),
        })
    }

    async fn events_for(
        &self,
        map: &DataMap,
        until: Timestamp,
        told_until: Timestamp,
    ) -> Result<EventKeys, AppError> {
        let mut keys = EventKeys::default();
        for name in event_names(map) {
            let mut found = Vec::new();
            let mut page =
                EventPage { name: name.clone(), until, told_until, after: Vec::new(), limit: PAGE };
            while let Some(last) = self.event_page(page.clone(), &mut found).await? {
                page.after = last;
            }
            keys.0.insert(name, found);
        }
        Ok(keys)
    }

    /// Reads one page of events; the tag of the last one, or `None` at the end.
    async fn event_page(
        &self,
        page: EventPage,
        found: &mut Vec<(Value, Timestamp)>,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let events = self.store.events_in_force(page).await?;
        for event in &events {
            let key: Value = self.vault.open(EVENT_PURPOSE, &event.sealed_key)?;
            found.push((key, event.occurred_at));
        }
        Ok(events.into_iter().last().map(|event| event.key_tag))
    }

    async fn marks_for(&self, basis: Basis<'_>) -> Result<Marks, AppError> {
        let Basis { map, rules, moment, zone, .. } = basis;
        let mut marks = Marks::new();
        for rule in &rules.rules {
            let Some(grace) = rule.grace else { continue };
            let Some(until) = grace.cutoff(moment, Rounding::None, zone) else { continue };
            if let Some(mark) = self.store.newest_mark(&mark_of(map, rules, rule)?, until).await? {
                marks.entry(rule.name.clone()).or_default().push(mark);
            }
        }
        Ok(marks)
    }
}

/// Names of the events that some collection's clock waits for.
pub(crate) fn event_names(map: &DataMap) -> BTreeSet<String> {
    map.systems
        .values()
        .flat_map(|system| system.collections.values())
        .flat_map(|collection| collection.starting_points.values())
        .filter_map(|source| match source {
            StartSource::Event { event, .. } => Some(event.clone()),
            StartSource::Field(_) | StartSource::Latest(_) => None,
        })
        .collect()
}
