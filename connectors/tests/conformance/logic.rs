//! Two-valued truth: random predicates, counted by the system and by a plain evaluator here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{
    Comparison, Cutoff, FieldRef, FieldType, KeyList, Predicate, Record, Value,
};

use crate::drafting::{Draft, done, draft, field, list, moment, order, preview, text};
use crate::fixture::{Fixture, Kind};

/// Rounds of sixty predicates in an ordinary and in a long run.
const ROUNDS: u64 = 4;
const LONG_ROUNDS: u64 = 60;

const THINGS: &str = "things: id integer, a integer, b text, c timestamp, d boolean, e decimal, \
    parent_id integer";

/// A small generator of numbers (`SplitMix64`), so that a failure can be repeated by its seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let length = u64::try_from(from.len()).expect("a short slice");
        from[usize::try_from(self.roll(length)).expect("within the slice")].clone()
    }
}

fn moments() -> Vec<Timestamp> {
    ["2025-01-01T00:00:00Z", "2025-06-30T23:59:59.999999Z", "2026-01-01T00:00:00Z"]
        .iter()
        .map(|text| moment(text))
        .collect()
}

/// The constants a field is compared with, some of which occur and some of which do not.
fn constants(field: &str) -> Vec<Value> {
    match field {
        "a" | "x" => (-1..=3).map(Value::Integer).collect(),
        "b" => ["x", "y", "X", "", "it's"].iter().map(|one| text(one)).collect(),
        "c" | "y" => moments().into_iter().map(Value::Timestamp).collect(),
        "d" => vec![Value::Boolean(true), Value::Boolean(false)],
        "e" => ["0", "1.5", "1.50", "-2.25", "10"]
            .iter()
            .map(|one| Value::Decimal((*one).to_owned()))
            .collect(),
        other => panic!("no constants for `{other}`"),
    }
}

/// A value that a record has, absent one time in three.
fn stored(dice: &mut Dice, field: &str) -> Value {
    if dice.roll(3) == 0 { Value::Null } else { dice.pick(&constants(field)) }
}

fn literal(kind: Kind, value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(one) => one.to_string().to_uppercase(),
        Value::Integer(one) => one.to_string(),
        Value::Decimal(one) => one.clone(),
        Value::Text(one) => format!("'{}'", one.replace('\'', "''")),
        Value::Timestamp(one) => kind.moment(&one.to_string()),
        other => panic!("no literal for {other:?}"),
    }
}

/// Forty records, each with its parent's fields under `parents.`.
async fn forty_things(fixture: &Fixture, dice: &mut Dice) -> BTreeMap<i64, Record> {
    fixture
        .sql(
            "CREATE TABLE parents (id {bigint} PRIMARY KEY, x {bigint}, y {moment});
             CREATE TABLE things (id {bigint} PRIMARY KEY, a {bigint}, b {text}, c {moment},
                d {boolean}, e {decimal}, parent_id {bigint})",
        )
        .await;
    let mut parents = Vec::new();
    for id in 1..=6 {
        let parent = [("x", stored(dice, "x")), ("y", stored(dice, "y"))];
        let values = parent.each_ref().map(|(_, value)| literal(fixture.kind, value)).join(", ");
        fixture.verbatim(&format!("INSERT INTO parents VALUES ({id}, {values})")).await;
        parents.push(parent);
    }
    let mut things = BTreeMap::new();
    for id in 1..=40_i64 {
        let own = ["a", "b", "c", "d", "e"].map(|field| (field, stored(dice, field)));
        let values = own.each_ref().map(|(_, value)| literal(fixture.kind, value)).join(", ");
        // One in eight has no parent, one in eight names a parent that is not there.
        let parent = usize::try_from(dice.roll(8)).expect("a small number");
        let parent_id = if parent == 0 { "NULL".to_owned() } else { parent.to_string() };
        let row = format!("INSERT INTO things VALUES ({id}, {values}, {parent_id})");
        fixture.verbatim(&row).await;
        let mut record: Record =
            own.into_iter().map(|(field, value)| (field.to_owned(), value)).collect();
        for (at, name) in ["x", "y"].iter().enumerate() {
            let found = parent.checked_sub(1).and_then(|index| parents.get(index));
            let value = found.map_or(Value::Null, |fields| fields[at].1.clone());
            record.insert(format!("parents.{name}"), value);
        }
        let there = (1..=parents.len()).contains(&parent);
        let key =
            if there { Value::Integer(i64::try_from(parent).expect("small")) } else { Value::Null };
        record.insert("parents.id".to_owned(), key);
        things.insert(id, record);
    }
    things
}

fn random_field(dice: &mut Dice) -> FieldRef {
    field(dice.pick(&["a", "b", "c", "d", "e", "parents.x", "parents.y"]))
}

fn random_predicate(dice: &mut Dice, depth: u64) -> Predicate {
    let kinds = if depth == 0 { 5 } else { 10 };
    match dice.roll(kinds) {
        0 => {
            let field = random_field(dice);
            let comparisons: &[Comparison] = match field.field.as_str() {
                // Whether text is less than text depends on the column's collation.
                "b" | "d" => &[Comparison::Equal, Comparison::NotEqual],
                _ => &[
                    Comparison::Equal,
                    Comparison::NotEqual,
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                ],
            };
            let value = dice.pick(&constants(&field.field));
            Predicate::Compare { comparison: dice.pick(comparisons), value, field }
        }
        1 => {
            let field = random_field(dice);
            let all = constants(&field.field);
            let values = (0..dice.roll(3)).map(|_| dice.pick(&all)).collect();
            Predicate::OneOf { field, values }
        }
        2 => Predicate::Absent(random_field(dice)),
        3 => {
            let fields = [vec!["c"], vec!["parents.y"], vec!["c", "parents.y"]];
            let chosen = dice.pick(&fields);
            let clocks =
                chosen.iter().map(|path| (field(path), Cutoff::Moment(dice.pick(&moments()))));
            Predicate::LatestAtOrBefore(clocks.collect())
        }
        4 => {
            let (fields, list) = dice.pick(&[(vec!["a"], 0), (vec!["b", "a"], 1)]);
            Predicate::Listed { fields: fields.iter().map(|path| field(path)).collect(), list }
        }
        5 | 6 => Predicate::Not(Box::new(random_predicate(dice, depth - 1))),
        7 => Predicate::All(some_predicates(dice, depth)),
        8 => {
            let field = FieldRef::own(dice.pick(&["x", "y"]));
            let value = dice.pick(&constants(&field.field));
            let comparison = dice.pick(&[Comparison::Equal, Comparison::LessOrEqual]);
            let about = dice.pick(&[
                Predicate::Always,
                Predicate::Absent(field.clone()),
                Predicate::Compare { field, comparison, value },
            ]);
            let about = if dice.roll(2) == 0 { about } else { Predicate::Not(Box::new(about)) };
            Predicate::Linked { link: "parents".to_owned(), holds: Box::new(about) }
        }
        _ => Predicate::Any(some_predicates(dice, depth)),
    }
}

fn some_predicates(dice: &mut Dice, depth: u64) -> Vec<Predicate> {
    (0..dice.roll(4)).map(|_| random_predicate(dice, depth - 1)).collect()
}

fn lists() -> Vec<KeyList> {
    vec![
        list(&[FieldType::Integer], vec![vec![Value::Integer(1)], vec![Value::Integer(3)]]),
        list(
            &[FieldType::Text, FieldType::Integer],
            vec![
                vec![text("x"), Value::Integer(1)],
                vec![text("y"), Value::Integer(2)],
                vec![text(""), Value::Integer(0)],
            ],
        ),
    ]
}

/// Where the fields' own collation decides instead of the exact text: MariaDB's takes `X` for `x`.
/// That is so only where more records stay by it.
#[derive(Clone, Copy)]
struct Reading {
    blind: bool,
    held: bool,
    negated: bool,
}

impl Reading {
    fn due(fixture: &Fixture) -> Self {
        Self { blind: fixture.kind == Kind::Mariadb, held: false, negated: false }
    }

    fn held(fixture: &Fixture) -> Self {
        Self { held: true, ..Self::due(fixture) }
    }

    fn same(self, widely: bool, one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Text(one), Value::Text(other)) if self.blind && widely => {
                one.to_lowercase() == other.to_lowercase()
            }
            _ => one == other,
        }
    }
}

/// What the contract says, word for word.
fn holds(predicate: &Predicate, record: &Record, reading: Reading) -> bool {
    match predicate {
        Predicate::Always => true,
        Predicate::Never => false,
        Predicate::All(parts) => parts.iter().all(|part| holds(part, record, reading)),
        Predicate::Any(parts) => parts.iter().any(|part| holds(part, record, reading)),
        Predicate::Not(inner) => {
            !holds(inner, record, Reading { negated: !reading.negated, ..reading })
        }
        Predicate::Compare { field, comparison, value } => {
            let found = value_of(record, field);
            let order = number(found).cmp(&number(value)).then_with(|| found.cmp(value));
            let order = if number(found).is_some() && number(found) == number(value) {
                std::cmp::Ordering::Equal
            } else {
                order
            };
            let widens = |negated| reading.held && reading.negated == negated;
            let text = matches!(found, Value::Text(_));
            *found != Value::Null
                && match comparison {
                    Comparison::Equal if text => reading.same(widens(false), found, value),
                    Comparison::NotEqual if text => !reading.same(widens(true), found, value),
                    Comparison::Equal => order.is_eq(),
                    Comparison::NotEqual => order.is_ne(),
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                }
        }
        Predicate::OneOf { field, values } => values.iter().any(|value| {
            let comparison = Comparison::Equal;
            let (field, value) = (field.clone(), value.clone());
            holds(&Predicate::Compare { field, comparison, value }, record, reading)
        }),
        Predicate::Absent(field) => *value_of(record, field) == Value::Null,
        Predicate::LatestAtOrBefore(clocks) => {
            let mut present = clocks
                .iter()
                .filter_map(|(field, cutoff)| match (value_of(record, field), cutoff) {
                    (Value::Null, _) => None,
                    (Value::Timestamp(at), Cutoff::Moment(cutoff)) => Some(at <= cutoff),
                    other => panic!("not compared here: {other:?}"),
                })
                .peekable();
            present.peek().is_some() && present.all(|due| due)
        }
        Predicate::Linked { link, holds: about } => {
            let of_parent = |(name, value): (&String, &Value)| {
                let own = name.strip_prefix(&format!("{link}."))?;
                Some((own.to_owned(), value.clone()))
            };
            let parent: Record = record.iter().filter_map(of_parent).collect();
            parent["id"] != Value::Null && holds(about, &parent, reading)
        }
        Predicate::Listed { fields, list } => {
            let values: Vec<Value> =
                fields.iter().map(|field| value_of(record, field).clone()).collect();
            let widely = reading.held != reading.negated;
            let equal = |entry: &Vec<Value>| {
                entry.iter().zip(&values).all(|(one, other)| reading.same(widely, one, other))
            };
            !values.contains(&Value::Null) && lists()[*list].entries.iter().any(equal)
        }
    }
}

/// Decimals in hundredths, so that 1.5 is 1.50.
fn number(value: &Value) -> Option<i64> {
    let Value::Decimal(digits) = value else { return None };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let hundredths: i64 = format!("{part:0<2}").parse().expect("digits");
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i64 = whole.parse().expect("digits");
    Some(whole * 100 + sign * hundredths)
}

fn value_of<'a>(record: &'a Record, field: &FieldRef) -> &'a Value {
    let mut path = field.via.clone();
    path.push(field.field.clone());
    &record[&path.join(".")]
}

fn things(fixture: &Fixture) -> Draft {
    draft(fixture, THINGS).link("parents", &[("parent_id", "id")])
}

fn parents(fixture: &Fixture) -> Draft {
    draft(fixture, "parents: id integer, x integer, y timestamp")
}

#[expect(clippy::disallowed_methods, reason = "tests/run asks for the long run this way")]
fn rounds() -> u64 {
    if std::env::var("QUIETUS_TEST_LONG").is_ok() { LONG_ROUNDS } else { ROUNDS }
}

pub async fn random_predicates_agree_with_a_plain_evaluator(fixture: &Fixture) {
    let mut dice = Dice(20_260_601);
    let records = forty_things(fixture, &mut dice).await;
    let connector = fixture.connector();
    for round in 0..rounds() {
        let predicates: BTreeMap<String, Predicate> =
            (0..60).map(|at| (format!("p{at}"), random_predicate(&mut dice, 3))).collect();
        let mut instruction = things(fixture);
        for (name, predicate) in &predicates {
            instruction = instruction.probe(name, predicate.clone());
        }
        let mut asked = order(&format!("logic-{round}"), [parents(fixture), instruction]);
        asked.lists = lists();
        let counts = preview(&*connector, &asked).await;
        let reading = Reading::due(fixture);
        let probes = &crate::drafting::count_of(&counts, "things").probes;
        for (name, predicate) in &predicates {
            let expected = records.values().filter(|one| holds(predicate, one, reading)).count();
            let found = probes[name];
            assert_eq!(found, expected as u64, "in round {round}: {}", written(predicate));
        }
    }
}

/// Deletes by one random predicate after another, until nothing is left to compare.
pub async fn random_deletions_leave_exactly_the_others(fixture: &Fixture) {
    let mut dice = Dice(4_711);
    let mut records = forty_things(fixture, &mut dice).await;
    let connector = fixture.connector();
    for round in 0..25 {
        let (delete, hold) = (random_predicate(&mut dice, 3), random_predicate(&mut dice, 2));
        let instruction = things(fixture).delete(delete.clone()).held(hold.clone());
        let mut sent = order(&format!("deletion-{round}"), [parents(fixture), instruction]);
        sent.lists = lists();
        let outcome = done(&*connector, &sent).await;
        let before = records.len();
        records.retain(|_, record| {
            let due = holds(&delete, record, Reading::due(fixture));
            !due || holds(&hold, record, Reading::held(fixture))
        });
        let words = format!("{} but not {}", written(&delete), written(&hold));
        let gone = crate::drafting::deleted(&outcome, "things");
        assert_eq!(gone, (before - records.len()) as u64, "in round {round}: {words}");
        let left: Vec<i64> = records.keys().copied().collect();
        assert_eq!(fixture.ids("things").await, left, "in round {round}: {words}");
    }
}

/// A predicate with its constants, which `Debug` withholds.
fn written(predicate: &Predicate) -> String {
    serde_json::to_string(predicate).expect("it can be written")
}
