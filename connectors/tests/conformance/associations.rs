//! Shallow links: the association goes with the parent, and the record stays.

use quietus_connectors::{
    Connector, FieldType, LinkKind, LookedAt, Order, Receipt, Together, Value, Verification,
};

use crate::drafting::{
    CUTOFF, Draft, StopAfter, attempt, deleted, done, done_as_previewed, draft, due, equal, list,
    listed, of, order, referenced, refused, renamed, treated,
};
use crate::fixture::Fixture;
use crate::together::together;

const CUSTOMERS: &str = "customers: id integer, left_at timestamp";
const TICKETS: &str = "tickets: id integer, customer_id integer, body text";
const CUSTOMER: &str = "association customer";

/// Customers 1 and 2 are due, 3 is not; tickets of all of them, and of nobody.
async fn desk(fixture: &Fixture, reference: &str) {
    fixture
        .sql(&format!(
            "CREATE TABLE customers (id {{bigint}} PRIMARY KEY, left_at {{moment}});
             CREATE TABLE tickets (id {{bigint}} PRIMARY KEY, customer_id {{bigint}},
                body {{text}}{reference});
             INSERT INTO customers VALUES (1, {{@2025-01-01T00:00:00Z}}),
                (2, {{@2025-01-01T00:00:00Z}}), (3, {{@2026-05-01T00:00:00Z}});
             INSERT INTO tickets VALUES (11, 1, 'a'), (12, 1, 'b'), (21, 2, 'c'), (31, 3, 'd'),
                (41, NULL, 'e')"
        ))
        .await;
}

pub async fn raze(fixture: &Fixture, tables: &[&str]) {
    for table in tables {
        fixture.verbatim(&format!("DROP TABLE {table}")).await;
    }
}

fn reference(on_delete: &str) -> String {
    format!(", FOREIGN KEY (customer_id) REFERENCES customers (id) {on_delete}")
}

fn references() -> Vec<String> {
    let mut all: Vec<String> =
        ["", "ON DELETE RESTRICT", "ON DELETE CASCADE", "ON DELETE SET NULL"]
            .iter()
            .map(|on_delete| reference(on_delete))
            .collect();
    all.push(String::new());
    all
}

fn tickets(fixture: &Fixture) -> Draft {
    let fields = [("customer_id", "id")];
    draft(fixture, TICKETS).loose(LinkKind::Shallow, "customer", "customers", &fields)
}

/// A second look that finds nothing, and that looked at the association.
pub async fn clean(connector: &dyn Connector, order: &Order, association: (&str, &str)) {
    let found = connector.verify(order).await.expect("a verification");
    assert!(found.survivors.is_empty(), "{found:?}");
    assert!(looked_at(&found, association), "{found:?}");
}

fn looked_at(found: &Verification, (collection, association): (&str, &str)) -> bool {
    found.looked_at.contains(&LookedAt {
        collection: collection.to_owned(),
        category: Some(association.to_owned()),
    })
}

/// One column of a table, in the order of its ids.
pub async fn column(fixture: &Fixture, table: &str, field: &str) -> Vec<String> {
    fixture.column(&format!("SELECT {field} FROM {table} ORDER BY id")).await
}

pub async fn a_shallow_link_is_emptied_when_its_parent_goes(fixture: &Fixture) {
    for (number, reference) in references().iter().enumerate() {
        desk(fixture, reference).await;
        let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
        let order = order(&format!("shallow-{number}"), [customers, tickets(fixture)]);
        let connector = fixture.connector();
        let outcome = done_as_previewed(&*connector, &order).await;
        assert_eq!(deleted(&outcome, "customers"), 2, "{reference}");
        assert_eq!(treated(&outcome, "tickets", CUSTOMER), 3, "{reference}");
        assert_eq!(fixture.ids("customers").await, [3], "{reference}");
        assert_eq!(fixture.ids("tickets").await, [11, 12, 21, 31, 41], "{reference}");
        let links = column(fixture, "tickets", "customer_id").await;
        assert_eq!(links, ["NULL", "NULL", "NULL", "3", "NULL"], "{reference}");
        assert_eq!(column(fixture, "tickets", "body").await, ["a", "b", "c", "d", "e"]);
        clean(&*connector, &order, ("tickets", CUSTOMER)).await;
        raze(fixture, &["tickets", "customers"]).await;
    }
}

pub async fn a_kept_collection_loses_its_associations_too(fixture: &Fixture) {
    desk(fixture, &reference("")).await;
    let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
    let mut order = order("kept", [customers, tickets(fixture).keep()]);
    order.most_records = Some(4);
    match fixture.connector().execute(&order, &crate::drafting::Onward).await {
        Ok(Receipt::Refused { reasons, .. }) => assert!(reasons.join(" ").contains("more than 4")),
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert_eq!(fixture.ids("customers").await, [1, 2, 3], "associations count as well");
    order.most_records = Some(5);
    let outcome = done_as_previewed(&*fixture.connector(), &attempt(&order, 2)).await;
    assert_eq!(treated(&outcome, "tickets", CUSTOMER), 3);
    assert_eq!(fixture.ids("tickets").await.len(), 5);
}

pub async fn a_held_record_keeps_the_parent_of_its_association(fixture: &Fixture) {
    for (number, reference) in references().iter().enumerate() {
        desk(fixture, reference).await;
        let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
        // One hold names the record, another the person by way of the link.
        for (part, hold, kept) in [
            ("record", equal("id", 12), vec![1, 3]),
            ("person", equal("customer.id", 1), vec![1, 3]),
        ] {
            let key = format!("held-{part}-{number}");
            let order = order(&key, [customers.clone(), tickets(fixture).held(hold)]);
            let outcome = done_as_previewed(&*fixture.connector(), &order).await;
            assert_eq!(fixture.ids("customers").await, kept, "{part} {reference}");
            assert_eq!(referenced(&outcome, "customers", "tickets"), 1, "{part} {reference}");
            let links = column(fixture, "tickets", "customer_id").await;
            assert_eq!(links, ["1", "1", "NULL", "3", "NULL"], "{part} {reference}");
            clean(&*fixture.connector(), &order, ("tickets", CUSTOMER)).await;
        }
        raze(fixture, &["tickets", "customers"]).await;
    }
}

pub async fn what_may_not_be_null_is_refused_or_takes_a_constant(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (id {bigint} PRIMARY KEY, left_at {moment});
             CREATE TABLE tickets (id {bigint} PRIMARY KEY, customer_id {bigint} NOT NULL,
                body {text}, FOREIGN KEY (customer_id) REFERENCES customers (id));
             INSERT INTO customers VALUES (0, {@2020-01-01T00:00:00Z}),
                (1, {@2025-01-01T00:00:00Z}), (2, {@2026-05-01T00:00:00Z});
             INSERT INTO tickets VALUES (11, 1, 'a'), (12, 1, 'b'), (21, 2, 'c')",
        )
        .await;
    let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
    let refused_order = order("not-null", [customers.clone(), tickets(fixture)]);
    let why = refused(&*fixture.connector(), &refused_order).await;
    assert!(why.contains("`tickets.customer_id`") && why.contains("constant"), "{why}");
    let counts = fixture.connector().preview(&refused_order).await.expect("a preview");
    assert!(counts.refusals.join(" ").contains("`tickets.customer_id`"), "{counts:?}");
    assert_eq!(fixture.ids("customers").await, [0, 1, 2]);
    // Customer 0 stands for nobody, is due itself, and stays because tickets need it.
    let nobody = tickets(fixture).substitute("customer_id", Value::Integer(0));
    let order = order("constant", [customers, nobody]);
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(treated(&outcome, "tickets", CUSTOMER), 2);
    assert_eq!(column(fixture, "tickets", "customer_id").await, ["0", "0", "2"]);
    let again = done(&*fixture.connector(), &renamed(&order, "constant-later")).await;
    assert_eq!((again.changed(), referenced(&again, "customers", "tickets")), (0, 1));
    assert_eq!(fixture.ids("customers").await, [0, 2]);
}

pub async fn a_link_of_several_fields_is_emptied_where_it_can_be(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE trips (country {text} NOT NULL, number {bigint} NOT NULL,
                ended_at {moment}, PRIMARY KEY (country, number));
             CREATE TABLE photos (id {bigint} PRIMARY KEY, country {text} NOT NULL,
                number {bigint}, FOREIGN KEY (country, number) REFERENCES trips (country, number));
             INSERT INTO trips VALUES ('de', 1, {@2025-01-01T00:00:00Z}),
                ('de', 2, {@2026-05-01T00:00:00Z}), ('fr', 1, {@2026-05-01T00:00:00Z});
             INSERT INTO photos VALUES (1, 'de', 1), (2, 'de', 2), (3, 'fr', 1), (4, 'de', NULL)",
        )
        .await;
    let fields = [("country", "country"), ("number", "number")];
    let order = order(
        "trips",
        [
            draft(fixture, "trips: country text, number integer, ended_at timestamp")
                .key(&["country", "number"])
                .delete(due("ended_at", CUTOFF)),
            draft(fixture, "photos: id integer, country text, number integer").loose(
                LinkKind::Shallow,
                "trip",
                "trips",
                &fields,
            ),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(treated(&outcome, "photos", "association trip"), 1);
    assert_eq!(column(fixture, "photos", "number").await, ["NULL", "2", "1", "NULL"]);
    assert_eq!(column(fixture, "photos", "country").await, ["de", "de", "fr", "de"]);
    clean(&*fixture.connector(), &order, ("photos", "association trip")).await;
}

pub async fn answers_stay_when_what_they_answer_goes(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE comments (id {bigint} PRIMARY KEY, parent_id {bigint}, kind {bigint},
                FOREIGN KEY (parent_id) REFERENCES comments (id));
             INSERT INTO comments VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 1), (4, 3, 1), (5, 4, 2)",
        )
        .await;
    let comments = draft(fixture, "comments: id integer, parent_id integer, kind integer")
        .loose(LinkKind::Shallow, "parent", "comments", &[("parent_id", "id")])
        .delete(equal("kind", 1));
    let outcome = done_as_previewed(&*fixture.connector(), &order("answers", [comments])).await;
    assert_eq!(deleted(&outcome, "comments"), 3);
    assert_eq!(treated(&outcome, "comments", "association parent"), 2);
    assert_eq!(column(fixture, "comments", "parent_id").await, ["NULL", "NULL"]);
    assert_eq!(fixture.ids("comments").await, [2, 5]);
}

pub async fn a_record_that_goes_anyway_is_counted_once(fixture: &Fixture) {
    desk(fixture, &reference("")).await;
    let order = order(
        "anyway",
        [
            draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)),
            tickets(fixture).delete(equal("body", "b")),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!((deleted(&outcome, "tickets"), treated(&outcome, "tickets", CUSTOMER)), (1, 2));
    assert_eq!(column(fixture, "tickets", "customer_id").await, ["NULL", "NULL", "3", "NULL"]);
}

pub async fn what_refers_to_nobody_afterwards_is_found(fixture: &Fixture) {
    desk(fixture, "").await;
    // It referred to nobody before, and whatever that means is not for us to end.
    fixture.verbatim("INSERT INTO tickets VALUES (91, 900, 'x')").await;
    let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
    let order = order("planted-1", [customers, tickets(fixture)]);
    let connector = fixture.connector();
    let before = connector.verify(&order).await.expect("a verification");
    assert!(!looked_at(&before, ("tickets", CUSTOMER)), "nobody counted before: {before:?}");
    done_as_previewed(&*connector, &order).await;
    clean(&*connector, &order, ("tickets", CUSTOMER)).await;
    assert_eq!(column(fixture, "tickets", "customer_id").await.last().expect("one"), "900");
    fixture.verbatim("INSERT INTO tickets VALUES (92, 1, 'y')").await;
    // Another round cannot mend it, and does not take it for what was there before.
    let another = renamed(&order, "planted-2");
    done(&*connector, &another).await;
    let found = connector.verify(&another).await.expect("a verification");
    let survivors: Vec<_> = found
        .survivors
        .iter()
        .map(|one| (one.collection.as_str(), one.category.as_deref(), one.records))
        .collect();
    assert_eq!(survivors, [("tickets", Some(CUSTOMER), 1)]);
}

pub async fn stopped_after_every_chunk_it_counts_the_same(fixture: &Fixture) {
    let many = async |fixture: &Fixture| {
        desk(fixture, &reference("")).await;
        for id in 100..140 {
            let customer =
                format!("INSERT INTO customers VALUES ({id}, {{@2025-01-01T00:00:00Z}})");
            fixture.sql(&customer).await;
            let row = format!("INSERT INTO tickets VALUES ({}, {id}, 'x')", id + 1_000);
            fixture.verbatim(&row).await;
        }
    };
    many(fixture).await;
    let customers = || draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
    let whole = order("whole", [customers(), tickets(fixture)]);
    let undisturbed = done(&*fixture.connector(), &whole).await;
    assert_eq!(treated(&undisturbed, "tickets", CUSTOMER), 43);
    raze(fixture, &["tickets", "customers"]).await;
    many(fixture).await;
    let stopped = order("stopped", [customers(), tickets(fixture)]);
    let mut number = 0;
    let outcome = loop {
        number += 1;
        assert!(number < 100, "it never ends");
        let connector = fixture.connector();
        match connector.execute(&attempt(&stopped, number), &StopAfter::chunks(1)).await {
            Ok(Receipt::Done(outcome)) => break outcome,
            Ok(Receipt::Stopped(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(number > 4, "there were {number} attempts");
    assert_eq!(of(&outcome, "tickets"), of(&undisturbed, "tickets"));
    assert_eq!(of(&outcome, "customers"), of(&undisturbed, "customers"));
    clean(&*fixture.connector(), &stopped, ("tickets", CUSTOMER)).await;
}

/// Whose associations are emptied is not told of several orders as one, so nothing is done together.
pub async fn of_several_orders_each_goes_by_itself(fixture: &Fixture) {
    desk(fixture, &reference("")).await;
    let leaving = |key: &str, customer: i64| {
        let customers = draft(fixture, CUSTOMERS).delete(listed(&["id"], 0));
        let mut order = order(key, [customers, tickets(fixture)]);
        order.lists = vec![list(&[FieldType::Integer], vec![vec![Value::Integer(customer)]])];
        order
    };
    let orders = [leaving("several-a", 1), leaving("several-b", 2)];
    let connector = fixture.connector();
    let answer = together(&*connector, &orders).await;
    assert!(matches!(&answer, Together::Apart { which, .. } if which.is_empty()), "{answer:?}");
    assert_eq!(fixture.ids("customers").await, [1, 2, 3], "nothing was changed");
    let links = column(fixture, "tickets", "customer_id").await;
    assert_eq!(links, ["1", "1", "2", "3", "NULL"], "nothing was changed");

    let counted = connector.preview_together(&orders).await.expect("counts");
    for (order, counts) in orders.iter().zip(counted) {
        assert_eq!(counts, connector.preview(order).await.expect("counts"));
    }
    for (order, tickets) in orders.iter().zip([2, 1]) {
        let outcome = done(&*connector, order).await;
        assert_eq!(deleted(&outcome, "customers"), 1);
        assert_eq!(treated(&outcome, "tickets", CUSTOMER), tickets);
    }
    let found = connector.verify_together(&orders).await.expect("verifications");
    assert_eq!(found.len(), 2);
    for one in found {
        assert!(one.survivors.is_empty() && looked_at(&one, ("tickets", CUSTOMER)), "{one:?}");
    }
}
