//! Why one record is kept or goes, and when: computed from the record's own values, on another
//! path than the cut-offs of the plan, so that the two can be held against each other.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{FieldRef, FieldType, KeyList, Record, Value};
use uuid::Uuid;

use super::category::{Branch, CategoryReading, LimitReading};
use super::collection::CollectionReading;
use super::evaluate::{evaluate, is_held, same};
use super::explanation::{
    CategoryExplanation, Explanation, LimitExplanation, RecordState, StartValue, State,
};
use super::hold;
use super::input::PlanInput;
use super::law::{Version, begin_of, in_force, over_from};
use super::lists::{ListBook, fit};
use super::reach::{Place, answer_name, start_fields};
use super::start::{Start, Term, in_words};
use super::steering::rule_fields;
use super::system_plan::PlanError;
use super::translate;
use crate::datamap::{FieldClass, StartSource};
use crate::domain::{CategoryName, CollectionName, Rounding, RuleName, SystemName};
use crate::schedule::Action;

/// The fields that `explain` wants to know of a record.
///
/// # Errors
/// Where the data map has no such system or collection.
pub fn fields_needed(
    input: &PlanInput<'_>,
    system: &SystemName,
    collection: &CollectionName,
) -> Result<Vec<FieldRef>, PlanError> {
    let place = find(input, system, collection)?;
    let mut fields = rule_fields(input, place);
    fields.retain(|field| place.field(field).is_some());
    hold::fields_read(input, place, &mut fields);
    Ok(fields.into_iter().collect())
}

/// Explains one record from the values of its `fields_needed`, named as `answer_name` says.
///
/// "Due" means due for a run of all schedules: whose turn it is plays no part.
///
/// # Errors
/// Where the data map has no such system or collection.
pub fn explain(
    input: &PlanInput<'_>,
    system: &SystemName,
    collection: &CollectionName,
    values: &Record,
) -> Result<Explanation, PlanError> {
    // Whose record it is plays no part either.
    let input = &PlanInput { persons: None, ..*input };
    let place = find(input, system, collection)?;
    let mut book = ListBook::default();
    let reading = CollectionReading::read(input, place, &mut book);
    let (_, lists) = book.close();
    let record = RecordView { input, values, lists: &lists.0 };
    let held = record.held(&reading, None);
    let categories: Vec<CategoryExplanation> = reading
        .categories
        .iter()
        .map(|category| {
            let mut holds = held.clone();
            holds.extend(record.held(&reading, Some(category.category)));
            record.category(place, category, holds)
        })
        .collect();
    let exempt = place.collection.fields.values().filter_map(|field| match &field.class {
        FieldClass::Exempt(reason) => Some((field.name.clone(), reason.clone())),
        FieldClass::Category(_) | FieldClass::Structure => None,
    });
    Ok(Explanation {
        system: system.clone(),
        collection: collection.clone(),
        moment: input.moment,
        zone: input.zone.iana_name().unwrap_or("UTC").to_owned(),
        exempt_fields: exempt.collect(),
        record: whole_record(&categories),
        categories,
    })
}

/// What each record needs so that its minimums can be told.
pub(super) fn minimum_fields(input: &PlanInput<'_>, place: Place<'_>) -> BTreeSet<FieldRef> {
    let categories = place.collection.categories();
    let mut fields = BTreeSet::new();
    for limit in input.limits.iter().filter(|one| categories.contains(&one.category)) {
        translate::fields_read(&limit.when, place, &mut fields);
        fields.extend(place.start(&limit.starting_point).map(start_fields).into_iter().flatten());
    }
    fields
}

/// What a minimum that is law now keeps of one record.
pub(super) struct KeptBy {
    pub(super) category: CategoryName,
    pub(super) limit: RuleName,
    pub(super) citation: String,
    /// Where its starting point is known: until when, by this minimum and those that are coming.
    pub(super) until: Option<Timestamp>,
    /// The latest moment until which it is kept, also where the starting point is not known.
    pub(super) at_latest: Option<Timestamp>,
    /// Minimums that are not law yet and have a say in it: the day from which they are, the name and
    /// the law.
    pub(super) followed_by: BTreeSet<(Date, RuleName, String)>,
}

/// What keeps each of many records now, read once for all of them.
pub(super) fn keeping(
    input: &PlanInput<'_>,
    place: Place<'_>,
    records: &[&Record],
) -> Vec<Vec<KeptBy>> {
    let mut book = ListBook::default();
    let reading = CollectionReading::read(input, place, &mut book);
    let (_, lists) = book.close();
    let of_record = |values: &&Record| {
        let record = RecordView { input, values, lists: &lists.0 };
        let categories = reading.categories.iter().filter(|one| one.exempt.is_none());
        categories.flat_map(|one| record.keeping(one)).collect()
    };
    records.iter().map(of_record).collect()
}

fn find<'a>(
    input: &PlanInput<'a>,
    system: &SystemName,
    collection: &CollectionName,
) -> Result<Place<'a>, PlanError> {
    let found = input.map.systems.get(system);
    let system_found = found.ok_or_else(|| PlanError::UnknownSystem { system: system.clone() })?;
    let found = system_found.collections.get(collection);
    let collection = found.ok_or_else(|| PlanError::UnknownCollection {
        system: system.clone(),
        collection: collection.clone(),
    })?;
    Ok(Place { system: system_found, collection })
}

fn whole_record(categories: &[CategoryExplanation]) -> RecordState {
    if categories.iter().all(|one| matches!(one.state, State::Exempt { .. })) {
        return RecordState::Kept;
    }
    let mut holds = BTreeSet::new();
    let mut staying = Vec::new();
    let mut at = None;
    for one in categories {
        if let State::Held { holds: own } = &one.state {
            holds.extend(own.iter().copied());
        }
        let erases = one.action == Some(Action::Erase);
        let end = match &one.state {
            State::Due
            | State::DueOn { .. }
            | State::KeptByMinimum { .. }
            | State::InGrace { .. } => one.erase_at,
            _ => None,
        };
        if !erases || end.is_none() {
            staying.push(one.category.clone());
        }
        if !matches!(one.state, State::Due) {
            at = at.max(end);
        }
    }
    if !holds.is_empty() {
        RecordState::Held { holds: holds.into_iter().collect() }
    } else if !staying.is_empty() {
        RecordState::Stays { categories: staying }
    } else {
        at.map_or(RecordState::Due, |at| RecordState::DueOn { at })
    }
}

/// A record, by the values that were read.
struct RecordView<'a> {
    input: &'a PlanInput<'a>,
    values: &'a Record,
    lists: &'a [KeyList],
}

impl RecordView<'_> {
    fn value(&self, reference: &FieldRef) -> Value {
        self.values.get(&answer_name(reference)).cloned().unwrap_or(Value::Null)
    }

    fn holds(&self, predicate: &quietus_connectors::Predicate) -> bool {
        evaluate(predicate, &|reference| self.value(reference), self.lists)
    }

    /// Holds on the record as a whole, or on one category of it alone.
    fn held(
        &self,
        reading: &CollectionReading<'_>,
        category: Option<&CategoryName>,
    ) -> BTreeSet<Uuid> {
        let folds = |reference: &FieldRef| folds(reading.place, reference);
        let value_of = |reference: &FieldRef| self.value(reference);
        let covers = reading.covers.iter().filter(|cover| {
            cover.category.as_ref() == category
                && is_held(&cover.records, &value_of, &folds, self.lists)
        });
        covers.flat_map(|cover| cover.holds.iter().copied()).collect()
    }

    fn category(
        &self,
        place: Place<'_>,
        reading: &CategoryReading<'_>,
        holds: BTreeSet<Uuid>,
    ) -> CategoryExplanation {
        let known =
            |branch: &&Branch<'_>| branch.records.as_ref().is_ok_and(|records| self.holds(records));
        let branch = reading.branches.iter().find(known);
        let start = branch.and_then(|branch| self.end(branch.start.as_ref().ok()?, branch.term()));
        let purpose_end = start.as_ref().map(|(_, end)| *end);
        let mut minimums: Vec<_> = reading.minimums.iter().map(|one| self.limit(one)).collect();
        let minimums_over = minimums
            .iter()
            .all(|one| !one.applies || one.end.is_some_and(|end| end <= self.input.moment));
        minimums.extend(reading.coming.iter().map(|one| self.limit(one)));
        let may_act = branch.zip(purpose_end).map(|(branch, end)| self.may_act_from(branch, end));
        let erase_at = may_act.and_then(|at| self.goes_at(at, &minimums, minimums_over));
        let purpose_over = branch.is_some_and(|branch| branch.is_over(purpose_end));
        let maximums = reading.maximums.iter().map(|one| {
            let limit = self.limit(one);
            let conflict = limit.applies
                && limit.end.is_some_and(|end| erase_at.is_none_or(|erase_at| erase_at > end));
            LimitExplanation { conflict, ..limit }
        });
        let action = branch.map(|branch| branch.rule.action);
        let disposes = action.is_some_and(|action| action != Action::Restrict);
        let due = reading.exempt.is_none() && disposes && purpose_over && minimums_over;
        let mut one = CategoryExplanation {
            category: reading.category.clone(),
            fields: fields_of(place, reading.category),
            rule: branch.map(|branch| branch.rule.name.clone()),
            action,
            basis: branch.map(|branch| branch.rule.basis.clone()),
            period: branch.map(|branch| branch.rule.period),
            start: branch
                .zip(start)
                .map(|(branch, (value, _))| (branch.rule.starting_point.clone(), value)),
            purpose_end,
            maximums: maximums.collect(),
            minimums,
            erase_at,
            due,
            state: State::NoRule,
        };
        one.state = self.state(&one, reading, branch, purpose_over, holds);
        one
    }

    fn state(
        &self,
        one: &CategoryExplanation,
        reading: &CategoryReading<'_>,
        branch: Option<&Branch<'_>>,
        purpose_over: bool,
        holds: BTreeSet<Uuid>,
    ) -> State {
        if let Some(exemption) = reading.exempt {
            return State::Exempt { reason: exemption.reason.clone() };
        }
        if !holds.is_empty() {
            return State::Held { holds: holds.into_iter().collect() };
        }
        let Some(branch) = branch else {
            let unread = reading.branches.iter().find_map(|one| one.records.as_ref().err());
            return unread.map_or(State::NoRule, |why| State::NotReadable { why: why.clone() });
        };
        if let Err(why) = &branch.start {
            return State::NotReadable { why: why.clone() };
        }
        if branch.paused {
            return State::Paused;
        }
        let Some(purpose_end) = one.purpose_end else { return State::NoStartingPoint };
        let moment = self.input.moment;
        if purpose_end <= moment && one.action == Some(Action::Restrict) {
            return if purpose_over {
                State::Restricted
            } else {
                self.in_grace(branch, purpose_end)
            };
        }
        if purpose_end <= moment
            && let Some(keeping) = longest(&one.minimums, moment)
        {
            return self.kept_by(keeping, &one.minimums);
        }
        match one.erase_at {
            _ if one.due => State::Due,
            Some(_) if purpose_end <= moment => self.in_grace(branch, purpose_end),
            Some(at) => State::DueOn { at },
            // A minimum that applies has no starting point yet.
            None => longest(&one.minimums, moment)
                .map_or(State::NoStartingPoint, |keeping| self.kept_by(keeping, &one.minimums)),
        }
    }

    fn kept_by(&self, keeping: &LimitExplanation, minimums: &[LimitExplanation]) -> State {
        State::KeptByMinimum {
            limit: keeping.name.clone(),
            citation: keeping.citation.clone(),
            until: self.over_from(minimums, self.input.moment),
        }
    }

    /// The first moment, not before another one, at which none of these minimums keeps the record.
    fn over_from<'b>(
        &self,
        minimums: impl IntoIterator<Item = &'b LimitExplanation>,
        from: Timestamp,
    ) -> Option<Timestamp> {
        let applying = minimums.into_iter().filter(|one| one.applies);
        let versions: Vec<Version> = applying
            .map(|one| Version { from: one.law_from, to: one.law_until, end: one.end })
            .collect();
        over_from(&versions, from, self.input.today, self.input.zone)
    }

    /// When the category goes whose rule may act from a moment on. What could have gone before now
    /// went by what is law now: what was law before is not looked at.
    fn goes_at(
        &self,
        may_act: Timestamp,
        minimums: &[LimitExplanation],
        minimums_over: bool,
    ) -> Option<Timestamp> {
        if may_act > self.input.moment || !minimums_over {
            return self.over_from(minimums, may_act.max(self.input.moment));
        }
        let in_force = minimums.iter().filter(|one| one.applies && one.law_from.is_none());
        in_force.filter_map(|one| one.end).chain([may_act]).max()
    }

    /// What each minimum that is law now keeps of a category.
    fn keeping(&self, reading: &CategoryReading<'_>) -> Vec<KeptBy> {
        let moment = self.input.moment;
        let coming = reading.coming.iter().map(|one| self.limit(one)).filter(|one| one.applies);
        let coming: Vec<LimitExplanation> = coming.collect();
        let keeps = |one: &LimitExplanation| one.applies && one.end.is_none_or(|end| end > moment);
        let limits = reading.minimums.iter().map(|one| self.limit(one)).filter(keeps);
        let kept = limits.map(|limit| {
            let at_latest = self.over_from(std::iter::once(&limit).chain(&coming), moment);
            let by_then = |one: &&LimitExplanation| {
                let from = one.law_from.and_then(|day| begin_of(day, self.input.zone));
                from.is_some_and(|from| at_latest.is_none_or(|end| from <= end))
            };
            let followers = || coming.iter().filter(by_then);
            let all_known = limit.end.is_some() && followers().all(|one| one.end.is_some());
            let cited = followers()
                .filter_map(|one| Some((one.law_from?, one.name.clone(), one.citation.clone())));
            KeptBy {
                category: reading.category.clone(),
                until: at_latest.filter(|_| all_known),
                at_latest,
                followed_by: cited.collect(),
                limit: limit.name,
                citation: limit.citation,
            }
        });
        kept.collect()
    }

    fn in_grace(&self, branch: &Branch<'_>, purpose_end: Timestamp) -> State {
        State::InGrace { over_at: self.grace_over_at(branch, purpose_end) }
    }

    /// When the grace is over of the first mark that found the purpose over.
    fn grace_over_at(&self, branch: &Branch<'_>, purpose_end: Timestamp) -> Option<Timestamp> {
        let grace = branch.rule.grace?;
        let marks = self.input.marks.get(&branch.rule.name)?.iter().copied();
        let first = marks.filter(|mark| *mark >= purpose_end).min()?;
        Some(grace.due_at(first, Rounding::None, self.input.zone))
    }

    /// The first moment at which a rule may act on a purpose that ends at `purpose_end`. Where a
    /// mark is still to be made, it is taken to be made as early as it can.
    fn may_act_from(&self, branch: &Branch<'_>, purpose_end: Timestamp) -> Timestamp {
        let Some(grace) = branch.rule.grace else { return purpose_end };
        self.grace_over_at(branch, purpose_end).unwrap_or_else(|| {
            let mark = purpose_end.max(self.input.moment);
            grace.due_at(mark, Rounding::None, self.input.zone)
        })
    }

    fn limit(&self, reading: &LimitReading<'_>) -> LimitExplanation {
        let limit = reading.limit;
        let term = Term { period: limit.period, rounding: limit.rounding };
        let start = reading.start.as_ref().ok();
        let is_law = in_force(limit, self.input);
        LimitExplanation {
            name: limit.name.clone(),
            citation: limit.citation.clone(),
            applies: self.holds(&reading.records),
            end: start.and_then(|start| self.end(start, term)).map(|(_, end)| end),
            law_from: limit.valid_from.filter(|_| !is_law),
            law_until: limit.valid_to,
            conflict: false,
        }
    }

    /// The value of a starting point and the end of a period from there.
    fn end(&self, start: &Start<'_>, term: Term) -> Option<(StartValue, Timestamp)> {
        if let StartSource::Event { event, field } = start.source {
            return self.event_end(event, field, start, term);
        }
        let ends = start.fields.iter().filter_map(|(field, _)| {
            let read_from = in_words(field);
            match self.value(field) {
                Value::Timestamp(moment) => {
                    let end = self.moment_end(moment, term);
                    Some((StartValue { read_from, moment: Some(moment), day: None }, end))
                }
                Value::Date(day) => {
                    let end = term.period.due_at_day(day, term.rounding, self.input.zone);
                    Some((StartValue { read_from, moment: None, day: Some(day) }, end))
                }
                _ => None,
            }
        });
        ends.max_by_key(|(_, end)| *end)
    }

    fn event_end(
        &self,
        event: &str,
        field: &FieldRef,
        start: &Start<'_>,
        term: Term,
    ) -> Option<(StartValue, Timestamp)> {
        let own = self.value(field);
        let (_, field_type) = start.fields.first()?;
        let posted = self
            .input
            .events
            .latest(event)
            .into_iter()
            .filter(|(key, _)| fit(key, *field_type).is_some_and(|key| same(&key, &own)));
        let moment = posted.map(|(_, occurred_at)| occurred_at).max()?;
        let read_from = format!("event `{event}` for `{}`", answer_name(field));
        let value = StartValue { read_from, moment: Some(moment), day: None };
        Some((value, self.moment_end(moment, term)))
    }

    /// Cut-offs are whole microseconds, so a start between two of them counts as the later.
    fn moment_end(&self, moment: Timestamp, term: Term) -> Timestamp {
        let up = jiff::SignedDuration::from_nanos(999);
        let start = moment.checked_add(up).ok().map(|one| one.as_nanosecond().div_euclid(1_000));
        let start = start.and_then(|micros| Timestamp::from_nanosecond(micros * 1_000).ok());
        start.map_or(Timestamp::MAX, |start| {
            term.period.due_at(start, term.rounding, self.input.zone)
        })
    }
}

/// Whether capitals do not count in a field where a system reads what a hold lists: where the data
/// map says so, and in MariaDB, where they do not unless somebody has chosen such a collation.
fn folds(place: Place<'_>, reference: &FieldRef) -> bool {
    place.field(reference).is_some_and(|(owner, field)| {
        let collates = matches!(owner.system.kind.as_str(), "mariadb" | "mysql");
        field.field_type == FieldType::Text && (field.ignores_case || collates)
    })
}

/// Of the minimums that are law and apply, the one that lasts longest, one without an end first.
fn longest(minimums: &[LimitExplanation], moment: Timestamp) -> Option<&LimitExplanation> {
    minimums
        .iter()
        .filter(|one| one.applies && one.law_from.is_none())
        .filter(|one| one.end.is_none_or(|end| end > moment))
        .max_by_key(|one| one.end.unwrap_or(Timestamp::MAX))
}

fn fields_of(place: Place<'_>, category: &CategoryName) -> Vec<String> {
    let fields = place.collection.fields.values();
    let own =
        fields.filter(|field| matches!(&field.class, FieldClass::Category(own) if own == category));
    own.map(|field| field.name.clone()).collect()
}
