//! A system that deviates from its data map is not worked on.

use quietus_connectors::{Drift, FieldType, MappedField, Stored};

use crate::drafting::{CUTOFF, Draft, draft, due, order, refused};
use crate::fixture::Fixture;
use crate::scope::{PEOPLE, twenty_people};

/// The drift is reported by `check` and `preview`, and stops `execute`.
async fn prove(fixture: &Fixture, key: &str, people: Draft, expected: Drift, word: &str) {
    let before = fixture.content("people").await;
    let order = order(key, [people]);
    let connector = fixture.connector();
    let health = connector.check(&order).await.expect("it can be reached");
    assert!(health.drift.contains(&expected), "{expected} in {:?}", health.drift);
    assert_eq!(health.drift.len(), 1, "{:?}", health.drift);
    let counts = connector.preview(&order).await.expect("a preview");
    assert_eq!(counts.drift, health.drift);
    let why = refused(&*connector, &order).await;
    assert!(why.contains(word), "{why} names {word}");
    assert_eq!(fixture.content("people").await, before);
}

fn people(fixture: &Fixture) -> Draft {
    draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))
}

pub async fn a_new_field_stops_the_order(fixture: &Fixture) {
    twenty_people(fixture).await;
    fixture.sql("ALTER TABLE people ADD COLUMN phone {text}").await;
    let (collection, field) = ("people".to_owned(), "phone".to_owned());
    let drift = Drift::FieldUnmapped { collection, field };
    prove(fixture, "unmapped", people(fixture), drift, "phone").await;
}

pub async fn a_new_field_of_a_kept_collection_stops_the_order(fixture: &Fixture) {
    twenty_people(fixture).await;
    fixture.sql("ALTER TABLE people ADD COLUMN phone {text}").await;
    let (collection, field) = ("people".to_owned(), "phone".to_owned());
    let drift = Drift::FieldUnmapped { collection, field };
    prove(fixture, "kept", draft(fixture, PEOPLE).keep(), drift, "phone").await;
}

pub async fn a_missing_field_stops_the_order(fixture: &Fixture) {
    twenty_people(fixture).await;
    fixture.sql("ALTER TABLE people DROP COLUMN email").await;
    let (collection, field) = ("people".to_owned(), "email".to_owned());
    let drift = Drift::FieldMissing { collection, field };
    prove(fixture, "missing-field", people(fixture), drift, "email").await;
}

pub async fn a_missing_collection_stops_the_order(fixture: &Fixture) {
    twenty_people(fixture).await;
    let mut visitors = people(fixture);
    visitors.0.source = fixture.kind.source("visitors");
    "visitors".clone_into(&mut visitors.0.collection);
    let drift = Drift::CollectionMissing { collection: "visitors".to_owned() };
    prove(fixture, "missing-table", visitors, drift, "visitors").await;
}

pub async fn another_key_stops_the_order(fixture: &Fixture) {
    twenty_people(fixture).await;
    let drift = Drift::KeyChanged {
        collection: "people".to_owned(),
        mapped: vec!["email".to_owned()],
        found: vec!["id".to_owned()],
    };
    prove(fixture, "key", people(fixture).key(&["email"]), drift, "key").await;
}

pub async fn another_type_stops_the_order(fixture: &Fixture) {
    fixture.sql("CREATE TABLE people (id {bigint} PRIMARY KEY, left_at {boolean})").await;
    let mut people = draft(fixture, "people: id integer, left_at timestamp");
    people = people.delete(due("left_at", CUTOFF));
    let order = order("type", [people]);
    let health = fixture.connector().check(&order).await.expect("it can be reached");
    let [Drift::TypeChanged { collection, field, .. }] = &health.drift[..] else {
        panic!("expected a changed type, got {:?}", health.drift);
    };
    assert_eq!((collection.as_str(), field.as_str()), ("people", "left_at"));
    let why = refused(&*fixture.connector(), &order).await;
    assert!(why.contains("left_at"), "{why}");
}

pub async fn what_fits_is_no_drift(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE fits (id {bigint} PRIMARY KEY, a {text}, b {bigint}, c {decimal},
                d {float}, e {boolean}, f {moment}, g {day}, h {uuid}, i {bytes}, j {json},
                k {address})",
        )
        .await;
    let mut fits = draft(
        fixture,
        "fits: id integer, a text, b integer, c decimal, d float, e boolean, f timestamp, g date,
            h uuid, i binary, j json, k address",
    );
    let order_of = |draft: &Draft| order("fits", [draft.clone()]);
    let health = fixture.connector().check(&order_of(&fits)).await.expect("healthy");
    assert_eq!(health.drift, []);
    fits.0.fields.push(MappedField {
        name: "l".to_owned(),
        field_type: FieldType::Other,
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        ignores_case: false,
    });
    let health = fixture.connector().check(&order_of(&fits)).await.expect("healthy");
    assert_eq!(health.drift.len(), 1);
}
