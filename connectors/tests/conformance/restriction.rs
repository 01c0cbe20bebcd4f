//! Restricting and lifting, by a flag and by moving.

use quietus_connectors::{FieldType, Order, Outcome, Predicate, Restriction, Value};

use crate::drafting::{
    CUTOFF, Draft, MOMENT, done, done_as_previewed, draft, due, equal, list, listed, of, one_of,
    order, text,
};
use crate::fixture::{Fixture, Kind};
use crate::together::{outcomes, together};

fn flag(field: &str) -> Restriction {
    Restriction::Flag { field: field.to_owned() }
}

fn three() -> Predicate {
    one_of("id", (1..=3).map(quietus_connectors::Value::Integer).collect())
}

fn restricted(outcome: &Outcome) -> (u64, u64) {
    let people = of(outcome, "people");
    (people.restricted, people.lifted)
}

pub async fn a_boolean_says_so(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, restricted {boolean});
             INSERT INTO people VALUES (1, FALSE), (2, NULL), (3, TRUE), (4, FALSE), (5, TRUE)",
        )
        .await;
    let people = || draft(fixture, "people: id integer, restricted boolean");
    let connector = fixture.connector();
    let restrict = order("flag", [people().restrict(flag("restricted"), three())]);
    let outcome = done_as_previewed(&*connector, &restrict).await;
    assert_eq!(restricted(&outcome), (2, 0), "3 was restricted before");
    let query = "SELECT id FROM people WHERE restricted = TRUE ORDER BY id";
    assert_eq!(fixture.column(query).await, ["1", "2", "3", "5"]);
    let lift = order("flag-lift", [people().lift(flag("restricted"), equal("id", 1))]);
    assert_eq!(restricted(&done_as_previewed(&*connector, &lift).await), (0, 1));
    assert_eq!(fixture.column(query).await, ["2", "3", "5"]);
}

pub async fn a_moment_says_since_when(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, restricted_at {moment},
                restricted_on {day});
             INSERT INTO people VALUES (1, NULL, NULL), (2, NULL, NULL),
                (3, {@2026-02-02T00:00:00Z}, NULL), (4, NULL, NULL)",
        )
        .await;
    let people =
        || draft(fixture, "people: id integer, restricted_at timestamp, restricted_on date");
    let connector = fixture.connector();
    let restrict = order("moment", [people().restrict(flag("restricted_at"), three())]);
    let outcome = done_as_previewed(&*connector, &restrict).await;
    assert_eq!(restricted(&outcome), (2, 0), "3 was restricted before, and keeps its moment");
    let at = fixture.kind.moment(MOMENT);
    let since = format!("SELECT COUNT(*) FROM people WHERE restricted_at = {at}");
    if fixture.kind != crate::fixture::Kind::Sqlite {
        assert_eq!(fixture.count(&since).await, 2);
    }
    let lift = order("moment-lift", [people().lift(flag("restricted_at"), three())]);
    assert_eq!(restricted(&done_as_previewed(&*connector, &lift).await), (0, 3));
    let still = "SELECT COUNT(*) FROM people WHERE restricted_at IS NOT NULL";
    assert_eq!(fixture.count(still).await, 0);
    let days = order("day", [people().restrict(flag("restricted_on"), three())]);
    assert_eq!(restricted(&done_as_previewed(&*connector, &days).await), (3, 0));
    let on = fixture.count("SELECT COUNT(*) FROM people WHERE restricted_on = '2026-06-01'").await;
    assert_eq!(on, 3);
}

fn movable(fixture: &Fixture) -> Draft {
    draft(fixture, "people: id integer, email text, left_at timestamp")
}

pub async fn a_record_moves_away_and_back(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, email {text}, left_at {moment});
             CREATE TABLE people_restricted (id {bigint} PRIMARY KEY, email {text},
                left_at {moment});
             INSERT INTO people VALUES (1, 'a@example.org', {@2025-01-01T00:00:00.123456Z}),
                (2, NULL, NULL), (3, 'c@example.org', NULL), (4, 'd@example.org', NULL)",
        )
        .await;
    let before = fixture.content("people").await;
    let connector = fixture.connector();
    let there = || Restriction::Move { to: fixture.kind.source("people_restricted") };
    let restrict = order("move", [movable(fixture).restrict(there(), three())]);
    let outcome = done_as_previewed(&*connector, &restrict).await;
    assert_eq!(restricted(&outcome), (3, 0));
    assert_eq!(fixture.ids("people").await, [4]);
    assert_eq!(fixture.ids("people_restricted").await, [1, 2, 3]);
    let lift = order("move-back", [movable(fixture).lift(there(), three())]);
    assert_eq!(restricted(&done_as_previewed(&*connector, &lift).await), (0, 3));
    assert_eq!(fixture.content("people").await, before);
    assert_eq!(fixture.ids("people_restricted").await, [0_i64; 0]);
}

/// Also where the system counts keys up itself, and would give another one.
pub async fn a_moved_record_keeps_its_key(fixture: &Fixture) {
    let key = match fixture.kind {
        Kind::Postgresql => "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        Kind::Mariadb => "bigint AUTO_INCREMENT PRIMARY KEY",
        Kind::Sqlite => "integer PRIMARY KEY AUTOINCREMENT",
    };
    let overriding = match fixture.kind {
        Kind::Postgresql => "OVERRIDING SYSTEM VALUE",
        Kind::Mariadb | Kind::Sqlite => "",
    };
    fixture
        .sql(&format!(
            "CREATE TABLE people (id {key}, email {{text}});
             CREATE TABLE people_restricted (id {key}, email {{text}});
             CREATE TABLE people_locked (id {{bigint}} PRIMARY KEY, email {{text}});
             INSERT INTO people (id, email) {overriding} VALUES (11, 'a@example.org'),
                (12, 'b@example.org'), (13, 'c@example.org')"
        ))
        .await;
    if fixture.kind == Kind::Mariadb {
        // MariaDB takes zero for a wish to be given a number.
        fixture.sql("UPDATE people SET id = 0 WHERE id = 13").await;
    }
    let before = fixture.content("people").await;
    let connector = fixture.connector();
    let people = || draft(fixture, "people: id integer, email text");
    let theirs = || one_of("id", [0, 12, 13].map(Value::Integer).to_vec());
    for table in ["people_restricted", "people_locked"] {
        let there = || Restriction::Move { to: fixture.kind.source(table) };
        let away = order(&format!("{table}-away"), [people().restrict(there(), theirs())]);
        assert_eq!(restricted(&done_as_previewed(&*connector, &away).await), (2, 0));
        let moved = if fixture.kind == Kind::Mariadb { [0, 12] } else { [12, 13] };
        assert_eq!(fixture.ids(table).await, moved, "{table}");
        let back = order(&format!("{table}-back"), [people().lift(there(), theirs())]);
        assert_eq!(restricted(&done_as_previewed(&*connector, &back).await), (0, 2));
        assert_eq!(fixture.content("people").await, before, "{table}");
    }
}

/// Erasure outranks restriction, a hold does not forbid it.
pub async fn restriction_and_deletion_in_one_order(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, restricted {boolean}, left_at {moment});
             INSERT INTO people VALUES (1, FALSE, {@2025-01-01T00:00:00Z}),
                (2, FALSE, {@2026-05-01T00:00:00Z}), (3, FALSE, NULL), (4, FALSE, NULL)",
        )
        .await;
    let people = draft(fixture, "people: id integer, restricted boolean, left_at timestamp")
        .delete(due("left_at", CUTOFF))
        .restrict(flag("restricted"), three());
    let outcome = done(&*fixture.connector(), &order("mixed", [people])).await;
    assert_eq!((of(&outcome, "people").deleted, restricted(&outcome)), (1, (2, 0)));
    assert_eq!(fixture.ids("people").await, [2, 3, 4]);
    let query = "SELECT id FROM people WHERE restricted = TRUE ORDER BY id";
    assert_eq!(fixture.column(query).await, ["2", "3"]);
}

/// Fifty of two hundred thousand, one order each: the planner knows statistics of the table, and the
/// keys are the smallest that there are.
pub async fn the_oldest_of_many_are_restricted_without_reading_the_others(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE crowd (id {bigint} PRIMARY KEY, email {text}, restricted {boolean});
             CREATE INDEX crowd_email ON crowd (email);
             INSERT INTO crowd SELECT n, 'p' || n || '@example.org', NULL
                 FROM generate_series(1, 200000) AS n",
        )
        .await;
    fixture.verbatim("VACUUM ANALYZE crowd").await;
    let one = |id: i64| {
        let theirs = Predicate::any([listed(&["email"], 0), listed(&["id"], 1)]);
        let crowd = draft(fixture, "crowd: id integer, email text, restricted boolean");
        let mut order =
            order(&format!("oldest-{id}"), [crowd.restrict(flag("restricted"), theirs)]);
        order.lists = vec![
            list(&[FieldType::Text], vec![vec![text(&format!("p{id}@example.org"))]]),
            list(&[FieldType::Integer], vec![vec![Value::Integer(id)]]),
        ];
        order
    };
    let orders: Vec<Order> = (1..=50).map(one).collect();
    let done = outcomes(together(&*fixture.connector(), &orders).await);
    assert!(done.iter().all(|one| of(one, "crowd").restricted == 1), "{done:?}");
    // The server writes down what it counted a moment later.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let read = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'crowd'";
    let read = fixture.count(read).await;
    assert!(read < 20_000, "{read} records were read");
}
