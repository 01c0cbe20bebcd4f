//! Orders that start from lists do exactly what the same orders do that walk the tables.
//!
//! A condition inside two negations means the same and hides from the connector that it begins
//! with a list, so each order here has a twin that walks.

use quietus_connectors::{
    Counts, FieldType, Outcome, Predicate, Restriction, Strategy, TreatmentKind, Value,
    Verification,
};

use crate::drafting::{
    Draft, Onward, StopAfter, attempt, done, draft, equal, list, listed, order, preview, renamed,
    text,
};
use crate::fixture::{Fixture, Kind, TextRow};
use crate::logic::Dice;

/// Rounds of random orders.
const ROUNDS: u64 = 8;

/// People with orders, lines of orders, and comments that answer each other.
pub async fn town(fixture: &Fixture, seed: u64, on_delete: &str) {
    fixture
        .sql(&format!(
            "CREATE TABLE people (id {{bigint}} PRIMARY KEY, email {{text}}, number {{bigint}});
             CREATE INDEX people_email ON people (email);
             CREATE TABLE orders (id {{bigint}} PRIMARY KEY, person_id {{bigint}}, kind {{bigint}},
                note {{text}}, restricted {{boolean}},
                FOREIGN KEY (person_id) REFERENCES people (id) {on_delete});
             CREATE TABLE order_lines (order_id {{bigint}} NOT NULL, line {{bigint}} NOT NULL,
                kind {{bigint}}, PRIMARY KEY (order_id, line),
                FOREIGN KEY (order_id) REFERENCES orders (id));
             CREATE TABLE comments (id {{bigint}} PRIMARY KEY, person_id {{bigint}},
                parent_id {{bigint}}, body {{text}}, kind {{bigint}},
                FOREIGN KEY (parent_id) REFERENCES comments (id))"
        ))
        .await;
    let mut dice = Dice(seed);
    let mut rows: Vec<String> = Vec::new();
    for id in 1..=40 {
        // Two spellings of one address, some of it shared, some absent.
        let email = match dice.roll(6) {
            0 => "NULL".to_owned(),
            1 => format!("'P{}@example.org'", dice.roll(12)),
            _ => format!("'p{}@example.org'", dice.roll(12)),
        };
        rows.push(format!("({id}, {email}, {})", dice.roll(20)));
    }
    insert(fixture, "people", &mut rows).await;
    for id in 1..=80 {
        let (person, kind) = (dice.roll(41), dice.roll(4));
        let person = if person == 0 { "NULL".to_owned() } else { person.to_string() };
        rows.push(format!("({id}, {person}, {kind}, 'note {id}', FALSE)"));
    }
    insert(fixture, "orders", &mut rows).await;
    for number in 0..120 {
        rows.push(format!("({}, {number}, {})", dice.roll(80) + 1, dice.roll(4)));
    }
    insert(fixture, "order_lines", &mut rows).await;
    for id in 1..=60 {
        // Answers come after what they answer; people of comments need not exist.
        let parent = match dice.roll(3) {
            0 if id > 1 => (dice.roll(id - 1) + 1).to_string(),
            _ => "NULL".to_owned(),
        };
        rows.push(format!("({id}, {}, {parent}, 'body', {})", dice.roll(44), dice.roll(4)));
    }
    insert(fixture, "comments", &mut rows).await;
}

pub async fn insert(fixture: &Fixture, table: &str, rows: &mut Vec<String>) {
    fixture.verbatim(&format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await;
    rows.clear();
}

pub const TABLES: [&str; 4] = ["order_lines", "comments", "orders", "people"];

pub async fn raze(fixture: &Fixture) {
    for table in TABLES {
        fixture.verbatim(&format!("DROP TABLE {table}")).await;
    }
}

/// The record belongs to one of the persons, from a collection whose people this path leads to.
pub fn belongs(path: &str) -> Vec<Predicate> {
    let at = |field: &str| format!("{path}{field}");
    vec![listed(&[&at("email")], 0), listed(&[&at("number")], 1), listed(&[&at("id")], 2)]
}

pub type Hide = fn(Predicate) -> Predicate;

pub fn shown(predicate: Predicate) -> Predicate {
    predicate
}

/// Means the same, and nothing can be told from its shape.
pub fn hidden(predicate: Predicate) -> Predicate {
    match predicate {
        Predicate::Never => Predicate::Never,
        other => Predicate::Not(Box::new(Predicate::Not(Box::new(other)))),
    }
}

/// Some condition beside belonging to a person.
pub fn besides(dice: &mut Dice) -> Predicate {
    match dice.roll(5) {
        0 => equal("kind", 1),
        1 => Predicate::Not(Box::new(equal("kind", 2))),
        2 => Predicate::Any(vec![equal("kind", 3), listed(&["kind"], 3)]),
        3 => Predicate::Not(Box::new(listed(&["kind"], 3))),
        _ => Predicate::Always,
    }
}

fn drafts(fixture: &Fixture, dice: &mut Dice, hide: Hide) -> [Draft; 4] {
    let whose = |path: &str, dice: &mut Dice, more: Predicate| {
        let mut parts = belongs(path);
        // Not every identity is known every time.
        let at = usize::try_from(dice.roll(3)).expect("a small number");
        parts.truncate(at + 1);
        hide(Predicate::all([more, Predicate::any(parts)]))
    };
    let hold = |dice: &mut Dice, path: &str| match dice.roll(3) {
        0 => equal(&format!("{path}number"), 3),
        1 => listed(&[&format!("{path}email")], 4),
        _ => Predicate::Never,
    };
    let never = |dice: &mut Dice, when: Predicate| {
        if dice.roll(4) == 0 { Predicate::Never } else { when }
    };
    let people = draft(fixture, "people: id integer, email text, number integer");
    let when = whose("", dice, Predicate::Always);
    let people = people.probe("theirs", when.clone()).delete(never(dice, when));
    let people = people.held(hold(dice, ""));
    let orders = draft(
        fixture,
        "orders: id integer, person_id integer, kind integer, note text, restricted boolean",
    )
    .link("people", &[("person_id", "id")]);
    let more = besides(dice);
    let when = whose("people.", dice, more);
    let orders = orders.delete(never(dice, when)).held(hold(dice, "people."));
    let more = besides(dice);
    let clear = whose("people.", dice, more);
    let orders = orders.treat("notes", TreatmentKind::Clear, clear, [("note", Strategy::Null)]);
    let more = besides(dice);
    let when = whose("people.", dice, more);
    let orders = orders.restrict(Restriction::Flag { field: "restricted".to_owned() }, when);
    let lines = draft(fixture, "order_lines: order_id integer, line integer, kind integer")
        .key(&["order_id", "line"])
        .link("orders", &[("order_id", "id")]);
    let more = besides(dice);
    let when = whose("orders.people.", dice, more);
    let lines = lines.delete(never(dice, when));
    let comments = draft(
        fixture,
        "comments: id integer, person_id integer, parent_id integer, body text, kind integer",
    )
    .link("people", &[("person_id", "id")]);
    let more = besides(dice);
    let when = whose("people.", dice, more);
    let comments = comments.delete(never(dice, when)).held(hold(dice, "people."));
    let more = besides(dice);
    let clear = whose("people.", dice, more);
    let comments = comments.treat("words", TreatmentKind::Clear, clear, [("body", Strategy::Null)]);
    [people, orders, lines, comments]
}

pub fn random_order(
    fixture: &Fixture,
    key: &str,
    seed: u64,
    hide: Hide,
) -> quietus_connectors::Order {
    let mut dice = Dice(seed);
    let numbers = |many: u64, sides: u64, dice: &mut Dice| -> Vec<Vec<Value>> {
        let number = |dice: &mut Dice| i64::try_from(dice.roll(sides)).expect("a small number");
        (0..many).map(|_| vec![Value::Integer(number(dice))]).collect()
    };
    let addresses = |dice: &mut Dice| -> Vec<Vec<Value>> {
        (0..4).map(|_| vec![text(&format!("p{}@example.org", dice.roll(12)))]).collect()
    };
    let lists = vec![
        list(&[FieldType::Text], addresses(&mut dice)),
        list(&[FieldType::Integer], numbers(3, 20, &mut dice)),
        list(&[FieldType::Integer], numbers(4, 40, &mut dice)),
        list(&[FieldType::Integer], numbers(2, 4, &mut dice)),
        list(&[FieldType::Text], addresses(&mut dice)),
    ];
    let mut order = order(key, drafts(fixture, &mut dice, hide));
    order.lists = lists;
    order
}

type Found = (Counts, Verification, Outcome, Verification, Vec<Vec<TextRow>>);

async fn carried_out(fixture: &Fixture, order: &quietus_connectors::Order) -> Found {
    let connector = fixture.connector();
    let counts = preview(&*connector, order).await;
    let mut before = connector.verify(order).await.expect("a verification");
    let outcome = done(&*connector, order).await;
    let mut after = connector.verify(order).await.expect("a verification");
    for one in [&mut before, &mut after] {
        assert!(!one.method.is_empty());
        // What it did differs, what it found must not.
        one.method.clear();
    }
    let mut contents = Vec::new();
    for table in TABLES {
        contents.push(fixture.content(table).await);
    }
    (counts, before, outcome, after, contents)
}

pub async fn starting_from_lists_changes_no_result(fixture: &Fixture) {
    let mut changed = 0;
    for round in 0..ROUNDS {
        let seed = 77 + round;
        let on_delete =
            ["", "ON DELETE CASCADE", "ON DELETE SET NULL"][usize::try_from(round % 3).expect("0")];
        town(fixture, seed, on_delete).await;
        let walked = random_order(fixture, &format!("walked-{round}"), seed, hidden);
        let by_table = carried_out(fixture, &walked).await;
        raze(fixture).await;
        town(fixture, seed, on_delete).await;
        let from_lists = random_order(fixture, &format!("listed-{round}"), seed, shown);
        let by_list = carried_out(fixture, &from_lists).await;
        raze(fixture).await;
        changed += by_list.2.changed();
        let Counts { drift, refusals, .. } = &by_list.0;
        assert!(drift.is_empty() && refusals.is_empty());
        assert_eq!(by_list, by_table, "round {round}");
    }
    assert!(changed > 100, "the orders did {changed} things");
}

/// Everybody's: four people in ten, with all that is theirs.
pub fn erasure(fixture: &Fixture) -> quietus_connectors::Order {
    let whose = |path: &str| Predicate::any(belongs(path));
    let mut order = order(
        "erasure",
        [
            draft(fixture, "people: id integer, email text, number integer").delete(whose("")),
            draft(
                fixture,
                "orders: id integer, person_id integer, kind integer, note text, restricted boolean",
            )
            .link("people", &[("person_id", "id")])
            .clear("notes", whose("people."), &["note"])
            .delete(Predicate::all([whose("people."), equal("kind", 1)])),
            draft(fixture, "order_lines: order_id integer, line integer, kind integer")
                .key(&["order_id", "line"])
                .link("orders", &[("order_id", "id")])
                .delete(whose("orders.people.")),
            draft(
                fixture,
                "comments: id integer, person_id integer, parent_id integer, body text, kind integer",
            )
            .link("people", &[("person_id", "id")])
            .delete(whose("people.")),
        ],
    );
    order.pace.chunk_records = 5;
    let addresses = (0..5).map(|n| vec![text(&format!("p{n}@example.org"))]).collect();
    order.lists = vec![
        list(&[FieldType::Text], addresses),
        list(&[FieldType::Integer], vec![vec![Value::Integer(7)]]),
        list(&[FieldType::Integer], vec![vec![Value::Integer(1)]]),
    ];
    order
}

pub async fn contents(fixture: &Fixture) -> Vec<Vec<TextRow>> {
    let mut contents = Vec::new();
    for table in TABLES {
        contents.push(fixture.content(table).await);
    }
    contents
}

/// Every attempt gathers anew, and together they count each record once.
pub async fn stopped_and_dropped_everywhere_it_counts_the_same(fixture: &Fixture) {
    let order = erasure(fixture);
    town(fixture, 5, "").await;
    let undisturbed = done(&*fixture.connector(), &order).await;
    assert!(undisturbed.changed() > 60, "{undisturbed:?}");
    let expected = contents(fixture).await;
    raze(fixture).await;
    town(fixture, 5, "").await;
    let stopped = renamed(&order, "stopped");
    let mut number = 0;
    let outcome = loop {
        number += 1;
        assert!(number < 500, "it never ends");
        let next = attempt(&stopped, number);
        let connector = fixture.connector();
        if number % 2 == 0 {
            // Dropped somewhere on the way, as a process that is killed drops everything.
            let most = std::time::Duration::from_millis(u64::from(number) * 2);
            drop(tokio::time::timeout(most, connector.execute(&next, &Onward)).await);
            continue;
        }
        match connector.execute(&next, &StopAfter::chunks(1)).await {
            Ok(quietus_connectors::Receipt::Done(outcome)) => break outcome,
            // The one that was dropped may still hold its locks for a moment.
            Ok(quietus_connectors::Receipt::Stopped(_))
            | Err(quietus_connectors::Fault::Transient { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome, undisturbed);
    assert_eq!(contents(fixture).await, expected);
    let verification = fixture.connector().verify(&order).await.expect("a verification");
    assert!(verification.survivors.is_empty(), "{verification:?}");
}

/// A record that comes back after its window is told by the verification.
pub async fn a_record_that_comes_back_is_found(fixture: &Fixture) {
    town(fixture, 6, "").await;
    let order = erasure(fixture);
    done(&*fixture.connector(), &order).await;
    let before = fixture.count("SELECT COUNT(*) FROM people").await;
    fixture.verbatim("INSERT INTO people VALUES (900, 'p2@example.org', 900)").await;
    fixture.verbatim("INSERT INTO comments VALUES (901, 900, NULL, 'body', 1)").await;
    let verification = fixture.connector().verify(&order).await.expect("a verification");
    let survivors: Vec<_> =
        verification.survivors.iter().map(|one| (one.collection.as_str(), one.records)).collect();
    // The person is still referred to by the comment, which should be gone first.
    assert_eq!(survivors, [("comments", 1)]);
    assert_eq!(verification.left["people"], before + 1, "all records are counted");
    assert!(verification.method.contains("found again"), "{}", verification.method);
}

/// Twenty thousand people, of whom each fourth of them has four visits.
pub async fn crowd(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE crowd (id {bigint} PRIMARY KEY, email {text}, name {text});
             CREATE INDEX crowd_email ON crowd (email);
             CREATE TABLE visits (id {bigint} PRIMARY KEY, person_id {bigint});
             CREATE INDEX visits_person ON visits (person_id)",
        )
        .await;
    for start in (0..20_000).step_by(4_000) {
        let mut rows: Vec<String> =
            (start..start + 4_000).map(|id| format!("({id}, 'p{id}@example.org', 'x')")).collect();
        insert(fixture, "crowd", &mut rows).await;
        let mut rows: Vec<String> =
            (start..start + 4_000).map(|id| format!("({id}, {})", id / 4)).collect();
        insert(fixture, "visits", &mut rows).await;
    }
    let analyse = match fixture.kind {
        Kind::Postgresql => "VACUUM ANALYZE",
        Kind::Mariadb => "ANALYZE TABLE crowd, visits",
        Kind::Sqlite => "ANALYZE",
    };
    fixture.verbatim(analyse).await;
    if fixture.kind == Kind::Mariadb {
        fixture.verbatim("SET GLOBAL userstat = 1").await;
    }
}

/// One person among many costs what the person has and not what the table has.
pub async fn one_person_is_erased_without_reading_the_table(fixture: &Fixture) {
    crowd(fixture).await;
    let mut order = order(
        "one",
        [
            draft(fixture, "crowd: id integer, email text, name text")
                .clear("name", listed(&["email"], 0), &["name"])
                .delete(Predicate::all([listed(&["email"], 0), equal("id", 12)])),
            draft(fixture, "visits: id integer, person_id integer")
                .link("crowd", &[("person_id", "id")])
                .delete(listed(&["crowd.email"], 0)),
        ],
    );
    order.pace.chunk_records = 1_000;
    order.lists = vec![list(
        &[FieldType::Text],
        vec![vec![text("p12@example.org")], vec![text("p4000@example.org")]],
    )];
    let before = read_in_order(fixture).await;
    let outcome = done(&*fixture.connector(), &order).await;
    assert_eq!(crate::drafting::deleted(&outcome, "crowd"), 1);
    assert_eq!(crate::drafting::treated(&outcome, "crowd", "name"), 1);
    assert_eq!(crate::drafting::deleted(&outcome, "visits"), 8);
    // The server writes down what it counted a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let read = read_in_order(fixture).await - before;
    assert!(read < 300, "{read} records were read");
}

/// Records that the server read without an index (MariaDB: at all).
pub async fn read_in_order(fixture: &Fixture) -> u64 {
    match fixture.kind {
        Kind::Postgresql => {
            fixture
                .count("SELECT CAST(SUM(seq_tup_read) AS bigint) FROM pg_stat_user_tables WHERE relname IN ('crowd', 'visits')")
                .await
        }
        Kind::Mariadb => {
            fixture
                .count("SELECT CAST(COALESCE(SUM(ROWS_READ), 0) AS UNSIGNED) FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('crowd', 'visits')")
                .await
        }
        Kind::Sqlite => 0,
    }
}

/// What a system remembers of one spelling it must not answer for another.
pub async fn spellings_are_told_apart_through_a_link(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, email {text}, number {bigint});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, person_id {bigint})",
        )
        .await;
    let spelling = |id: i64| if id % 3 == 0 { "Ann" } else { "ann" };
    let mut rows: Vec<String> =
        (0..20).map(|id| format!("({id}, '{}@example.org', {id})", spelling(id))).collect();
    insert(fixture, "people", &mut rows).await;
    rows.extend((0..80).map(|id| format!("({id}, {})", id * 7 % 20)));
    insert(fixture, "orders", &mut rows).await;
    for (number, hide) in [shown as Hide, hidden].into_iter().enumerate() {
        let parts = vec![listed(&["people.email"], 0), listed(&["people.number"], 1)];
        let theirs = hide(Predicate::Any(parts));
        let mut order = order(
            &format!("spellings-{number}"),
            [
                draft(fixture, "people: id integer, email text, number integer"),
                draft(fixture, "orders: id integer, person_id integer")
                    .link("people", &[("person_id", "id")])
                    .probe("theirs", theirs.clone())
                    .delete(theirs),
            ],
        );
        order.lists = vec![
            list(&[FieldType::Text], vec![vec![text("ann@example.org")]]),
            list(&[FieldType::Integer], vec![vec![Value::Integer(3)]]),
        ];
        let expected = (0..80).filter(|id| id * 7 % 20 % 3 != 0 || id * 7 % 20 == 3).count() as u64;
        let counts = preview(&*fixture.connector(), &order).await;
        let orders = crate::drafting::count_of(&counts, "orders");
        assert_eq!((orders.delete, orders.probes["theirs"]), (expected, expected), "{number}");
        let found = fixture.connector().verify(&order).await.expect("a verification").survivors;
        assert_eq!(found.iter().map(|one| one.records).collect::<Vec<_>>(), [expected]);
        if number == 1 {
            let outcome = done(&*fixture.connector(), &order).await;
            assert_eq!(crate::drafting::deleted(&outcome, "orders"), expected);
        }
    }
}
