//! An order erases exactly what it describes and nothing beside it.

use quietus_connectors::{FieldType, Value};

use crate::drafting::{
    CUTOFF, count_of, deleted, done, done_as_previewed, draft, due, equal, listed, of, order,
    preview, text,
};
use crate::fixture::{Fixture, Kind};

/// Twenty people: 1 to 10 are due, 11 to 18 are not, 19 and 20 have no starting point.
pub async fn twenty_people(fixture: &Fixture) {
    fixture
        .sql("CREATE TABLE people (id {bigint} PRIMARY KEY, email {text}, left_at {moment})")
        .await;
    for id in 1..=20 {
        let left_at = match id {
            1..=10 => "{@2025-12-01T08:00:00Z}",
            11..=18 => "{@2026-02-01T08:00:00Z}",
            _ => "NULL",
        };
        let row = format!("INSERT INTO people VALUES ({id}, 'p{id}@example.org', {left_at})");
        fixture.sql(&row).await;
    }
}

pub const PEOPLE: &str = "people: id integer, email text, left_at timestamp";

pub async fn preview_changes_nothing(fixture: &Fixture) {
    twenty_people(fixture).await;
    let before = fixture.content("people").await;
    let people = draft(fixture, PEOPLE)
        .delete(due("left_at", CUTOFF))
        .clear("contact", equal("id", 15), &["email"])
        .probe("elevens", equal("id", 11));
    let counts = preview(&*fixture.connector(), &order("preview-1", [people])).await;
    let count = count_of(&counts, "people");
    assert_eq!((count.total, count.delete), (20, 10));
    assert_eq!(count.treat["contact"], 1);
    assert_eq!(count.probes["elevens"], 1);
    assert_eq!(fixture.content("people").await, before);
}

pub async fn erases_exactly_the_scope(fixture: &Fixture) {
    twenty_people(fixture).await;
    fixture.sql("CREATE TABLE bystanders (id {bigint} PRIMARY KEY, left_at {moment})").await;
    fixture.sql("INSERT INTO bystanders VALUES (1, {@2020-01-01T00:00:00Z})").await;
    let people = draft(fixture, PEOPLE).delete(due("left_at", CUTOFF));
    let order = order("erase-1", [people]);
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "people"), 10);
    assert_eq!(fixture.ids("people").await, (11..=20).collect::<Vec<_>>());
    assert_eq!(fixture.ids("bystanders").await, [1]);
}

pub async fn the_cutoff_itself_is_due_and_a_microsecond_later_is_not(fixture: &Fixture) {
    fixture.sql("CREATE TABLE people (id {bigint} PRIMARY KEY, left_at {moment})").await;
    fixture
        .sql(
            "INSERT INTO people VALUES (1, {@2025-12-31T23:59:59.999999Z}),
             (2, {@2026-01-01T00:00:00Z}), (3, {@2026-01-01T00:00:00.000001Z}),
             (4, {@2026-01-01T00:00:01Z}), (5, NULL)",
        )
        .await;
    let people = draft(fixture, "people: id integer, left_at timestamp");
    let order = order("boundary", [people.delete(due("left_at", CUTOFF))]);
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("people").await, [3, 4, 5]);
}

pub async fn held_records_stay_untouched(fixture: &Fixture) {
    twenty_people(fixture).await;
    let people = draft(fixture, PEOPLE)
        .delete(due("left_at", CUTOFF))
        .clear("contact", due("left_at", "2026-03-01T00:00:00Z"), &["email"])
        .held(listed(&["id"], 0));
    let mut order = order("held", [people]);
    let held = [2, 3, 12, 19];
    let entries = held.iter().map(|&id| vec![Value::Integer(id)]).collect();
    order.lists = vec![crate::drafting::list(&[FieldType::Integer], entries)];
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "people"), 8);
    // 19 is on the list and would not have been due for anything.
    assert_eq!(of(&outcome, "people").held, 3);
    let left = fixture.column("SELECT id FROM people WHERE email IS NOT NULL ORDER BY id").await;
    assert_eq!(left, ["2", "3", "12", "19", "20"]);
}

pub async fn the_same_key_again_counts_nothing_twice(fixture: &Fixture) {
    twenty_people(fixture).await;
    let people = draft(fixture, PEOPLE).delete(due("left_at", CUTOFF));
    let order = order("once", [people]);
    let first = done(&*fixture.connector(), &order).await;
    let second = done(&*fixture.connector(), &crate::drafting::attempt(&order, 2)).await;
    assert_eq!(first, second);
    assert_eq!(deleted(&second, "people"), 10);
}

pub async fn text_is_compared_exactly(fixture: &Fixture) {
    fixture.sql("CREATE TABLE people (id {bigint} PRIMARY KEY, email {text})").await;
    fixture
        .sql(
            "INSERT INTO people VALUES (1, 'ann@example.org'), (2, 'Ann@example.org'),
             (3, 'ann@example.org '), (4, 'änn@example.org'), (5, 'bob@example.org'),
             (6, 'Bob@example.org'), (7, ' bob@example.org')",
        )
        .await;
    let people = draft(fixture, "people: id integer, email text")
        .delete(equal("email", "ann@example.org"))
        .probe(
            "not_ann",
            crate::drafting::compare(
                "email",
                quietus_connectors::Comparison::NotEqual,
                text("ann@example.org"),
            ),
        )
        .probe("bob", crate::drafting::one_of("email", vec![text("bob@example.org")]));
    let mut exact = order("exact", [people]);
    let counts = preview(&*fixture.connector(), &exact).await;
    assert_eq!(count_of(&counts, "people").probes["not_ann"], 6);
    assert_eq!(count_of(&counts, "people").probes["bob"], 1);
    done(&*fixture.connector(), &exact).await;
    assert_eq!(fixture.ids("people").await, [2, 3, 4, 5, 6, 7]);

    exact = order(
        "exact-list",
        [draft(fixture, "people: id integer, email text").delete(listed(&["email"], 0))],
    );
    exact.lists =
        vec![crate::drafting::list(&[FieldType::Text], vec![vec![text("bob@example.org")]])];
    done(&*fixture.connector(), &exact).await;
    assert_eq!(fixture.ids("people").await, [2, 3, 4, 6, 7]);
}

/// Where the collation takes `Ann` for `ann`, a hold covers both; nothing else does.
pub async fn a_hold_covers_what_the_collation_takes_for_the_same(fixture: &Fixture) {
    let blind = match fixture.kind {
        Kind::Postgresql => {
            fixture
                .verbatim(
                    "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2',
                        deterministic = false)",
                )
                .await;
            "text COLLATE blind"
        }
        Kind::Mariadb => "varchar(80) CHARACTER SET latin1",
        Kind::Sqlite => "text COLLATE NOCASE",
    };
    fixture.sql(&format!("CREATE TABLE people (id {{bigint}} PRIMARY KEY, email {blind})")).await;
    fixture
        .sql("INSERT INTO people VALUES (1, 'ann'), (2, 'Ann'), (3, 'bob'), (4, 'Bob'), (5, NULL)")
        .await;
    let people = || draft(fixture, "people: id integer, email text");
    let one = equal("email", "ann");
    let mut first = order("due", [people().delete(one.clone())]);
    assert_eq!(deleted(&done_as_previewed(&*fixture.connector(), &first).await, "people"), 1);
    assert_eq!(fixture.ids("people").await, [2, 3, 4, 5]);
    first = order("listed", [people().delete(listed(&["email"], 0)).held(listed(&["email"], 1))]);
    let entries = |names: &[&str]| names.iter().map(|name| vec![text(name)]).collect();
    first.lists = vec![
        crate::drafting::list(&[FieldType::Text], entries(&["Ann", "Bob", "bob"])),
        crate::drafting::list(&[FieldType::Text], entries(&["bob"])),
    ];
    assert_eq!(deleted(&done_as_previewed(&*fixture.connector(), &first).await, "people"), 1);
    assert_eq!(fixture.ids("people").await, [3, 4, 5]);
    let all = people().delete(quietus_connectors::Predicate::Always).held(equal("email", "BOB"));
    done_as_previewed(&*fixture.connector(), &order("held", [all])).await;
    assert_eq!(fixture.ids("people").await, [3, 4]);
}

pub async fn constants_are_values_and_never_sql(fixture: &Fixture) {
    fixture.sql("CREATE TABLE people (id {bigint} PRIMARY KEY, email {text})").await;
    fixture
        .verbatim(r"INSERT INTO people VALUES (1, 'x''; DROP TABLE people; --'), (2, 'back')")
        .await;
    let nasty = ["x'; DROP TABLE people; --", "' OR 1=1 --", "\\' OR 1=1 -- ", "%", "$1", "?"];
    let people = draft(fixture, "people: id integer, email text")
        .delete(crate::drafting::one_of("email", nasty.iter().map(|one| text(one)).collect()));
    let outcome = done_as_previewed(&*fixture.connector(), &order("nasty", [people])).await;
    assert_eq!(deleted(&outcome, "people"), 1);
    assert_eq!(fixture.ids("people").await, [2]);
}

/// Ten thousand entries of a single and of a composite list.
pub async fn lists_of_ten_thousand_keys(fixture: &Fixture) {
    fixture
        .sql("CREATE TABLE visits (id {bigint} PRIMARY KEY, shop {text}, number {bigint})")
        .await;
    let rows: Vec<String> =
        (1..=12_000).map(|id| format!("({id}, 'shop-{}', {})", id % 7, id / 7)).collect();
    for part in rows.chunks(3_000) {
        fixture.verbatim(&format!("INSERT INTO visits VALUES {}", part.join(","))).await;
    }
    // An entry of each pair that exists, and as many that mix halves of two pairs.
    let pairs =
        (2_001..=7_000_i64).flat_map(|id| [(id % 7, id / 7), ((id + 3) % 7, id / 7 + 100_000)]);
    let pairs =
        pairs.map(|(shop, number)| vec![text(&format!("shop-{shop}")), Value::Integer(number)]);
    let keys = (7_001..=17_000).map(|id| vec![Value::Integer(id)]);
    let visits = draft(fixture, "visits: id integer, shop text, number integer")
        .delete(listed(&["shop", "number"], 0))
        .held(listed(&["id"], 1));
    let mut order = order("lists", [visits]);
    order.pace.chunk_records = 5_000;
    order.lists = vec![
        crate::drafting::list(&[FieldType::Text, FieldType::Integer], pairs.collect()),
        crate::drafting::list(&[FieldType::Integer], keys.collect()),
    ];
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "visits"), 5_000);
    assert_eq!(fixture.count("SELECT COUNT(*) FROM visits").await, 7_000);
    let wrong = "SELECT COUNT(*) FROM visits WHERE id BETWEEN 2001 AND 7000";
    assert_eq!(fixture.count(wrong).await, 0);
}

pub async fn an_empty_order_and_an_absent_subject_are_done_with_zero(fixture: &Fixture) {
    twenty_people(fixture).await;
    let before = fixture.content("people").await;
    let connector = fixture.connector();
    assert_eq!(done(&*connector, &order("nothing", [])).await.changed(), 0);
    let absent = draft(fixture, PEOPLE).delete(equal("id", 4_711));
    assert_eq!(done(&*connector, &order("absent", [absent])).await.changed(), 0);
    let kept = draft(fixture, PEOPLE).delete(due("left_at", CUTOFF)).keep();
    assert_eq!(done(&*connector, &order("kept", [kept])).await.changed(), 0);
    let mut empty = order("empty-list", [draft(fixture, PEOPLE).delete(listed(&["id"], 0))]);
    empty.lists = vec![crate::drafting::list(&[FieldType::Integer], Vec::new())];
    assert_eq!(done(&*connector, &empty).await.changed(), 0);
    assert_eq!(fixture.content("people").await, before);
}
