//! Starting points: where one is read in a collection and when its period is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{Cutoff, FieldRef, FieldType, Predicate, Value};

use super::finding::FindingKind;
use super::input::PlanInput;
use super::lists::{ListBook, ListSource, fit};
use super::reach::{Place, answer_name, start_fields};
use super::step::StartCutoff;
use crate::datamap::StartSource;
use crate::domain::{RetentionPeriod, Rounding};

/// A starting point that can be read in a collection.
pub(super) struct Start<'a> {
    pub(super) source: &'a StartSource,
    pub(super) fields: Vec<(FieldRef, FieldType)>,
}

/// How long a period runs and how its end is rounded.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub(super) period: RetentionPeriod,
    pub(super) rounding: Rounding,
}

/// "The period is over", and how the certificate cites it.
pub(super) struct Over {
    pub(super) predicate: Predicate,
    pub(super) cutoffs: Vec<StartCutoff>,
}

impl<'a> Start<'a> {
    /// Reads a starting point; the error says why it cannot be read here.
    pub(super) fn read(name: &str, place: Place<'a>) -> Result<Self, String> {
        let collection = &place.collection.name;
        let source = place.start(name).ok_or_else(|| {
            format!("collection `{collection}` does not say where the starting point `{name}` is read: declare it under `starting_points`")
        })?;
        let event = matches!(source, StartSource::Event { .. });
        let mut fields = Vec::new();
        for reference in start_fields(source) {
            let field_type = place.field_type(&reference).filter(|field_type| {
                event || matches!(field_type, FieldType::Timestamp | FieldType::Date)
            });
            let field_type = field_type.ok_or_else(|| {
                format!("the starting point `{name}` of collection `{collection}` is read from `{}`, which is no field with a moment or a day: correct its path or type", answer_name(&reference))
            })?;
            fields.push((reference, field_type));
        }
        if fields.is_empty() {
            return Err(format!(
                "the starting point `{name}` of collection `{collection}` names no field"
            ));
        }
        Ok(Self { source, fields })
    }

    /// "A period from here is over at `at`".
    pub(super) fn over(
        &self,
        input: &PlanInput<'_>,
        lists: &mut ListBook,
        term: Term,
        at: Timestamp,
    ) -> Over {
        if let StartSource::Event { event, .. } = self.source {
            return self.event_over(event, input, lists, term, at);
        }
        let mut pairs = Vec::new();
        let mut cutoffs = Vec::new();
        let mut reachable = true;
        for (field, field_type) in &self.fields {
            let cutoff = if *field_type == FieldType::Date {
                term.period.cutoff_day(at, term.rounding, input.zone).map(Cutoff::Day)
            } else {
                term.period.cutoff(at, term.rounding, input.zone).map(Cutoff::Moment)
            };
            cutoffs.push(StartCutoff { read_from: in_words(field), cutoff });
            match cutoff {
                Some(cutoff) => pairs.push((field.clone(), cutoff)),
                None => reachable = false,
            }
        }
        let predicate =
            if reachable { Predicate::LatestAtOrBefore(pairs) } else { Predicate::Never };
        Over { predicate, cutoffs }
    }

    fn event_over(
        &self,
        event: &str,
        input: &PlanInput<'_>,
        lists: &mut ListBook,
        term: Term,
        at: Timestamp,
    ) -> Over {
        let cutoff = term.period.cutoff(at, term.rounding, input.zone);
        let words = self.fields.iter().map(|(field, _)| answer_name(field)).collect::<Vec<_>>();
        let cutoffs = vec![StartCutoff {
            read_from: format!("event `{event}` for `{}`", words.join("`, `")),
            cutoff: cutoff.map(Cutoff::Moment),
        }];
        let (Some(cutoff), Some((_, field_type))) = (cutoff, self.fields.first()) else {
            return Over { predicate: Predicate::Never, cutoffs };
        };
        let mut latest: BTreeMap<Value, Timestamp> = BTreeMap::new();
        for (key, occurred_at) in input.events.latest(event) {
            if let Some(fitting) = fit(key, *field_type) {
                let moment = latest.entry(fitting).or_insert(occurred_at);
                *moment = (*moment).max(occurred_at);
            }
        }
        let entries: BTreeSet<Vec<Value>> = latest
            .into_iter()
            .filter(|(_, occurred_at)| *occurred_at <= cutoff)
            .map(|(key, _)| vec![key])
            .collect();
        let source = ListSource::Event { event: event.to_owned(), cutoff };
        Over { predicate: lists.listed(source, &self.fields, entries), cutoffs }
    }

    /// "The starting point is after a moment"; of a day, on the day of the moment or later.
    pub(super) fn after(
        &self,
        input: &PlanInput<'_>,
        lists: &mut ListBook,
        moment: Timestamp,
    ) -> Predicate {
        if let StartSource::Event { event, .. } = self.source {
            let Some((_, field_type)) = self.fields.first() else { return Predicate::Never };
            let later = input.events.latest(event).into_iter().filter(|(_, at)| *at > moment);
            let entries = later.filter_map(|(key, _)| Some(vec![fit(key, *field_type)?])).collect();
            let source = ListSource::LaterEvent { event: event.clone(), after: moment };
            return lists.listed(source, &self.fields, entries);
        }
        let day_before = input.zone.to_datetime(moment).date().yesterday().ok();
        let pair = |(field, field_type): &(FieldRef, FieldType)| {
            let cutoff = match field_type {
                FieldType::Date => Cutoff::Day(day_before?),
                _ => Cutoff::Moment(moment),
            };
            Some((field.clone(), cutoff))
        };
        let pairs: Option<Vec<_>> = self.fields.iter().map(pair).collect();
        let before = pairs.map_or(Predicate::Never, Predicate::LatestAtOrBefore);
        Predicate::all([self.absent().negate(), before.negate()])
    }

    /// "The record has no starting point".
    pub(super) fn absent(&self) -> Predicate {
        Predicate::all(self.fields.iter().map(|(field, _)| Predicate::Absent(field.clone())))
    }

    /// Keys of events that no record of this collection can have, as a finding.
    pub(super) fn unfit_keys(&self, input: &PlanInput<'_>) -> Option<(FindingKind, String)> {
        let StartSource::Event { event, field } = self.source else { return None };
        let (_, field_type) = self.fields.first()?;
        let unfit = input.events.latest(event).into_keys();
        let unfit = unfit.filter(|key| fit(key, *field_type).is_none()).count();
        (unfit > 0).then(|| {
            let message = format!("{unfit} keys of the event `{event}` do not fit the field `{}`: nothing is due by them here", answer_name(field));
            (FindingKind::EventKeyUnfit, message)
        })
    }
}

/// Where a field is, in words.
pub(super) fn in_words(field: &FieldRef) -> String {
    format!("field `{}`", answer_name(field))
}
