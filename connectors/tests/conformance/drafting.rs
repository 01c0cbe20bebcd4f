//! Short ways of writing orders, predicates and expectations.
//!
//! `draft` starts an instruction from a line of text: `people: id integer, left_at timestamp`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{
    CollectionOutcome, Comparison, Connector, Counts, Cutoff, Direction, Fault, FieldRef,
    FieldTreatment, FieldType, Instruction, KeyList, Link, LinkKind, MappedField, Order, Outcome,
    Pace, PartitionPolicy, Predicate, Probe, ProbeCount, Progress, ProgressReport, Receipt,
    Restriction, Stored, Strategy, Treatment, TreatmentKind, Value,
};

use crate::fixture::Fixture;

/// The moment of every plan.
pub const MOMENT: &str = "2026-06-01T00:00:00Z";
/// What started at or before this is due.
pub const CUTOFF: &str = "2026-01-01T00:00:00Z";

/// An instruction that is being written.
#[derive(Debug, Clone)]
pub struct Draft(pub Instruction);

/// Starts from `collection: field type [epoch_seconds|epoch_milliseconds|epoch_microseconds|zone=…|ignore_case], …`; the key is
/// `id` until `key` says otherwise.
pub fn draft(fixture: &Fixture, text: &str) -> Draft {
    let (collection, fields) = text.split_once(':').expect("`collection: fields`");
    let collection = collection.trim();
    Draft(Instruction {
        fields: fields.split(',').map(mapped_field).collect(),
        ..Instruction::idle(collection, fixture.kind.source(collection), ["id"])
    })
}

fn mapped_field(text: &str) -> MappedField {
    let mut words = text.split_whitespace();
    let name = words.next().expect("a field's name").to_owned();
    let mut field = MappedField {
        name,
        field_type: named(words.next().expect("a field's type")),
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        ignores_case: false,
    };
    for word in words {
        match word.strip_prefix("zone=") {
            Some(zone) => zone.clone_into(&mut field.zone),
            None if word == "ignore_case" => field.ignores_case = true,
            None => field.stored = named(word),
        }
    }
    field
}

/// A unit variant by its written name.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(serde_json::Value::from(name)).expect("a known name")
}

impl Draft {
    pub fn key(mut self, fields: &[&str]) -> Self {
        self.0.key = fields.iter().map(|&field| field.to_owned()).collect();
        self
    }

    pub fn delete(mut self, when: Predicate) -> Self {
        self.0.delete_when = when;
        self
    }

    pub fn held(mut self, when: Predicate) -> Self {
        self.0.held = when;
        self
    }

    pub fn clear(self, category: &str, due: Predicate, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| (field, Strategy::Null));
        self.treat(category, TreatmentKind::Clear, due, fields)
    }

    pub fn anonymise(
        self,
        category: &str,
        due: Predicate,
        field: &str,
        strategy: Strategy,
    ) -> Self {
        self.treat(category, TreatmentKind::Anonymise, due, [(field, strategy)])
    }

    pub fn treat<'a>(
        mut self,
        category: &str,
        kind: TreatmentKind,
        due: Predicate,
        fields: impl IntoIterator<Item = (&'a str, Strategy)>,
    ) -> Self {
        let fields = fields
            .into_iter()
            .map(|(field, strategy)| FieldTreatment { field: field.to_owned(), strategy })
            .collect();
        self.0.treatments.push(Treatment { category: category.to_owned(), kind, due, fields });
        self
    }

    /// A deep link of the same name as its parent collection.
    pub fn link(mut self, to: &str, fields: &[(&str, &str)]) -> Self {
        let pairs = fields.iter().map(|&(here, there)| (here.to_owned(), there.to_owned()));
        self.0.links.push(Link {
            name: to.to_owned(),
            to: to.to_owned(),
            fields: pairs.collect(),
            kind: LinkKind::Deep,
            needed: false,
            clear: Vec::new(),
        });
        self
    }

    /// A link of another kind.
    pub fn loose(mut self, kind: LinkKind, name: &str, to: &str, fields: &[(&str, &str)]) -> Self {
        self = self.link(to, fields);
        let link = self.0.links.last_mut().expect("a link");
        link.kind = kind;
        name.clone_into(&mut link.name);
        self
    }

    /// A constant takes the place of a field of the last link.
    pub fn substitute(mut self, field: &str, value: Value) -> Self {
        let strategy = Strategy::Constant(value);
        let treatment = FieldTreatment { field: field.to_owned(), strategy };
        self.0.links.last_mut().expect("a link").clear.push(treatment);
        self
    }

    /// The last link is needed by the collection's own clock.
    pub fn needed(mut self) -> Self {
        self.0.links.last_mut().expect("a link").needed = true;
        self
    }

    pub fn restrict(mut self, how: Restriction, when: Predicate) -> Self {
        self.0.restriction = Some(how);
        self.0.restrict_when = when;
        self
    }

    pub fn lift(mut self, how: Restriction, when: Predicate) -> Self {
        self.0.restriction = Some(how);
        self.0.lift_when = when;
        self
    }

    pub fn keep(mut self) -> Self {
        self.0.keep = true;
        self
    }

    pub fn drop_partitions(mut self) -> Self {
        self.0.partitions = PartitionPolicy::Drop;
        self
    }

    /// The engine is told which records go.
    pub fn manifest(mut self) -> Self {
        self.0.manifest = true;
        self
    }

    pub fn probe(mut self, name: &str, predicate: Predicate) -> Self {
        self.0.probes.push(Probe { name: name.to_owned(), predicate });
        self
    }
}

/// The first attempt at an order with small chunks, so that there is always more than one.
pub fn order(key: &str, drafts: impl IntoIterator<Item = Draft>) -> Order {
    Order {
        key: key.to_owned(),
        attempt: 1,
        moment: MOMENT.parse().expect("a moment"),
        instructions: drafts.into_iter().map(|draft| draft.0).collect(),
        lists: Vec::new(),
        pace: Pace { chunk_records: 7, ..Pace::default() },
        most_records: None,
        persons: None,
    }
}

/// The same order under another key.
pub fn renamed(order: &Order, key: &str) -> Order {
    Order { key: key.to_owned(), ..order.clone() }
}

/// A later attempt at the same order.
pub fn attempt(order: &Order, attempt: u32) -> Order {
    Order { attempt, ..order.clone() }
}

pub fn list(types: &[FieldType], entries: Vec<Vec<Value>>) -> KeyList {
    KeyList { types: types.to_vec(), entries }
}

/// `field`, or `link.field`, or `link.link.field`.
pub fn field(path: &str) -> FieldRef {
    let mut via: Vec<String> = path.split('.').map(str::to_owned).collect();
    let field = via.pop().expect("a name");
    FieldRef { via, field }
}

/// The field's value is at or before the cutoff, which is a moment or a day.
pub fn due(path: &str, cutoff: &str) -> Predicate {
    latest_due(&[path], cutoff)
}

/// The latest of the fields' values is at or before the cutoff.
pub fn latest_due(paths: &[&str], cutoff: &str) -> Predicate {
    let cutoff = if cutoff.contains('T') {
        Cutoff::Moment(moment(cutoff))
    } else {
        Cutoff::Day(day(cutoff))
    };
    Predicate::LatestAtOrBefore(paths.iter().map(|path| (field(path), cutoff)).collect())
}

pub fn compare(path: &str, comparison: Comparison, value: Value) -> Predicate {
    Predicate::Compare { field: field(path), comparison, value }
}

pub fn equal(path: &str, value: impl Into<Constant>) -> Predicate {
    compare(path, Comparison::Equal, value.into().0)
}

pub fn one_of(path: &str, values: Vec<Value>) -> Predicate {
    Predicate::OneOf { field: field(path), values }
}

pub fn listed(paths: &[&str], list: usize) -> Predicate {
    Predicate::Listed { fields: paths.iter().map(|path| field(path)).collect(), list }
}

/// A constant of a predicate.
pub struct Constant(pub Value);

impl From<i64> for Constant {
    fn from(value: i64) -> Self {
        Self(Value::Integer(value))
    }
}

impl From<&str> for Constant {
    fn from(value: &str) -> Self {
        Self(text(value))
    }
}

impl From<bool> for Constant {
    fn from(value: bool) -> Self {
        Self(Value::Boolean(value))
    }
}

pub fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub fn moment(value: &str) -> Timestamp {
    value.parse().expect("a moment")
}

pub fn day(value: &str) -> Date {
    value.parse().expect("a day")
}

/// Goes on to the end.
pub struct Onward;

#[async_trait]
impl Progress for Onward {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }
}

/// Stops after some chunks, and remembers what it was told.
pub struct StopAfter {
    chunks_left: AtomicU32,
    pub seen: Mutex<Vec<Outcome>>,
}

impl StopAfter {
    pub fn chunks(chunks: u32) -> Self {
        Self { chunks_left: AtomicU32::new(chunks), seen: Mutex::new(Vec::new()) }
    }
}

#[async_trait]
impl Progress for StopAfter {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        self.seen.lock().expect("no panic before").push(report.done.clone());
        if self.chunks_left.fetch_sub(1, Ordering::Relaxed) <= 1 {
            // Should it be asked again, it must not start to count from the top.
            self.chunks_left.store(1, Ordering::Relaxed);
            Direction::Stop
        } else {
            Direction::Continue
        }
    }
}

/// Carries the order out and expects that it is done as a whole.
pub async fn done(connector: &dyn Connector, order: &Order) -> Outcome {
    match connector.execute(order, &Onward).await {
        Ok(Receipt::Done(outcome)) => outcome,
        other => panic!("expected done, got {other:?}"),
    }
}

/// Previews, carries out, compares both, and expects that a new order finds nothing more to do.
pub async fn done_as_previewed(connector: &dyn Connector, order: &Order) -> Outcome {
    let counts = preview(connector, order).await;
    let outcome = done(connector, order).await;
    assert_same(&counts, &outcome);
    let again = done(connector, &renamed(order, &format!("{}-again", order.key))).await;
    assert_eq!(again.changed(), 0, "a second order finds nothing to do: {again:?}");
    outcome
}

/// Lets the connector forget an order and its repetition, so that the key can be used again.
pub async fn forget(connector: &dyn Connector, order: &Order) {
    for key in [order.key.clone(), format!("{}-again", order.key)] {
        connector.forget(&key).await.expect("forgotten");
    }
}

/// Previews and expects that nothing stands against the order.
pub async fn preview(connector: &dyn Connector, order: &Order) -> Counts {
    let counts = connector.preview(order).await.expect("a preview");
    assert_eq!((&counts.drift, &counts.refusals), (&Vec::new(), &Vec::new()));
    counts
}

/// Expects that the order is not carried out, and returns the words that say why.
pub async fn refused(connector: &dyn Connector, order: &Order) -> String {
    match connector.execute(order, &Onward).await {
        Ok(Receipt::Refused { reasons, done, .. }) => {
            assert_eq!(done.changed(), 0, "nothing was done before the refusal");
            reasons.join("; ")
        }
        Err(Fault::Misconfigured { message } | Fault::Rejected { message }) => message,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// The outcome of one collection; an empty one where nothing is said about it.
pub fn of(outcome: &Outcome, collection: &str) -> CollectionOutcome {
    let found = outcome.collections.iter().find(|one| one.collection == collection);
    found.cloned().unwrap_or_default()
}

pub fn count_of<'a>(counts: &'a Counts, collection: &str) -> &'a ProbeCount {
    let found = counts.collections.iter().find(|one| one.collection == collection);
    found.expect("a count for each instruction")
}

pub fn deleted(outcome: &Outcome, collection: &str) -> u64 {
    of(outcome, collection).deleted
}

/// How many records of a category were treated.
pub fn treated(outcome: &Outcome, collection: &str, category: &str) -> u64 {
    of(outcome, collection).treated.get(category).copied().unwrap_or_default()
}

/// How many records stay because records of `by` refer to them.
pub fn referenced(outcome: &Outcome, collection: &str, by: &str) -> u64 {
    of(outcome, collection).referenced.get(by).copied().unwrap_or_default()
}

/// What a preview counted is what was done.
pub fn assert_same(counts: &Counts, outcome: &Outcome) {
    for count in &counts.collections {
        let done = of(outcome, &count.collection);
        let name = &count.collection;
        assert_eq!(count.delete, done.deleted, "deletions of `{name}`");
        assert_eq!(nonzero(&count.treat), nonzero(&done.treated), "treatments of `{name}`");
        assert_eq!(count.restrict, done.restricted, "restrictions of `{name}`");
        assert_eq!(count.lift, done.lifted, "lifted restrictions of `{name}`");
        assert_eq!(count.held, done.held, "held records of `{name}`");
        let referenced = nonzero(&count.referenced);
        assert_eq!(referenced, nonzero(&done.referenced), "references to `{name}`");
    }
}

/// Whether a zero is written or left out is all the same.
fn nonzero(counts: &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    counts.iter().filter(|(_, count)| **count > 0).map(|(name, n)| (name.as_str(), *n)).collect()
}
