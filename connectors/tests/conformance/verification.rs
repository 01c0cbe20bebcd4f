//! `verify` looks again and finds what should be gone.

use quietus_connectors::{Order, Predicate, Strategy, Survivor};

use crate::drafting::{CUTOFF, done, draft, due, equal, order};
use crate::fixture::Fixture;

async fn swept(fixture: &Fixture) -> Order {
    crate::scope::twenty_people(fixture).await;
    let people = draft(fixture, crate::scope::PEOPLE)
        .delete(due("left_at", CUTOFF))
        .clear("contact", due("left_at", "2026-03-01T00:00:00Z"), &["email"])
        .held(equal("id", 5));
    let order = order("swept", [people]);
    let connector = fixture.connector();
    let early = connector.verify(&order).await.expect("a verification");
    let of = |category: Option<&str>| {
        let mut survivors = early.survivors.iter();
        let found = survivors.find(|one| one.category.as_deref() == category);
        found.map_or(0, |one| one.records)
    };
    assert_eq!(of(None), 9);
    // Whether what is still to be deleted is also still to be cleared is left open.
    assert!([8, 8 + 9].contains(&of(Some("contact"))), "{:?}", early.survivors);
    done(&*connector, &order).await;
    order
}

pub async fn finds_nothing_after_a_clean_sweep(fixture: &Fixture) {
    let order = swept(fixture).await;
    let verification = fixture.connector().verify(&order).await.expect("a verification");
    assert_eq!(verification.survivors, []);
    assert_eq!(verification.left["people"], 11);
    assert!(verification.method.len() > 20, "in words: {}", verification.method);
}

pub async fn finds_a_record_that_came_afterwards(fixture: &Fixture) {
    let order = swept(fixture).await;
    fixture.sql("INSERT INTO people VALUES (99, NULL, {@2025-01-01T00:00:00Z})").await;
    let verification = fixture.connector().verify(&order).await.expect("a verification");
    let survivor = Survivor { collection: "people".to_owned(), category: None, records: 1 };
    assert_eq!(verification.survivors, [survivor]);
    assert_eq!(fixture.count("SELECT COUNT(*) FROM people WHERE id = 99").await, 1);
}

pub async fn finds_a_field_that_was_filled_again(fixture: &Fixture) {
    let order = swept(fixture).await;
    fixture.sql("UPDATE people SET email = 'back@example.org' WHERE id IN (12, 13)").await;
    let verification = fixture.connector().verify(&order).await.expect("a verification");
    let category = Some("contact".to_owned());
    let survivor = Survivor { collection: "people".to_owned(), category, records: 2 };
    assert_eq!(verification.survivors, [survivor]);
}

/// What stays because it is referred to is no survivor; what is anonymised is none either.
pub async fn what_must_stay_is_no_survivor(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, email {text} NOT NULL,
                left_at {moment});
             CREATE TABLE bills (id {bigint} PRIMARY KEY, person_id {bigint},
                FOREIGN KEY (person_id) REFERENCES people (id));
             INSERT INTO people VALUES (1, 'a@example.org', {@2025-01-01T00:00:00Z}),
                (2, 'b@example.org', {@2025-01-01T00:00:00Z});
             INSERT INTO bills VALUES (1, 2)",
        )
        .await;
    let people = draft(fixture, "people: id integer, email text, left_at timestamp")
        .delete(due("left_at", CUTOFF))
        .anonymise(
            "contact",
            Predicate::Always,
            "email",
            Strategy::Unique { prefix: "gone-".to_owned() },
        );
    let order = order("bills", [people, draft(fixture, "bills: id integer, person_id integer")]);
    let connector = fixture.connector();
    done(&*connector, &order).await;
    let verification = connector.verify(&order).await.expect("a verification");
    assert_eq!(verification.survivors, []);
    assert_eq!(fixture.ids("people").await, [2]);
    fixture.sql("DELETE FROM bills").await;
    let verification = connector.verify(&order).await.expect("a verification");
    let survivor = Survivor { collection: "people".to_owned(), category: None, records: 1 };
    assert_eq!(verification.survivors, [survivor], "nothing refers to it any more");
}

pub async fn finds_a_record_whose_restriction_was_removed(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, restricted {boolean});
             INSERT INTO people VALUES (1, FALSE), (2, FALSE), (3, FALSE)",
        )
        .await;
    let how = quietus_connectors::Restriction::Flag { field: "restricted".to_owned() };
    let people = draft(fixture, "people: id integer, restricted boolean")
        .restrict(how, Predicate::Not(Box::new(equal("id", 3))));
    let order = order("restricted", [people]);
    let connector = fixture.connector();
    done(&*connector, &order).await;
    assert_eq!(connector.verify(&order).await.expect("a verification").survivors, []);
    fixture.sql("UPDATE people SET restricted = FALSE WHERE id = 2").await;
    let survivors = connector.verify(&order).await.expect("a verification").survivors;
    assert_eq!(survivors.iter().map(|one| one.records).sum::<u64>(), 1);
}
