//! Fields, not records, have categories: what is due goes, what must be kept stays.

use quietus_connectors::{FieldType, Predicate, Strategy, TreatmentKind};

use crate::drafting::{
    deleted, done_as_previewed, draft, due, list, listed, of, order, refused, text, treated,
};
use crate::fixture::Fixture;

async fn orders(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE orders (id {bigint} PRIMARY KEY, delivery_name {text},
                delivery_street {text}, invoice_number {text} NOT NULL, amount {decimal},
                delivered_at {moment});
             INSERT INTO orders VALUES
                (1, 'Ann', 'Elm 1', 'R-1', 10.50, {@2015-03-01T00:00:00Z}),
                (2, 'Bob', 'Elm 2', 'R-2', 20.00, {@2025-03-01T00:00:00Z}),
                (3, 'Cid', NULL, 'R-3', 30.00, {@2025-04-01T00:00:00Z}),
                (4, NULL, NULL, 'R-4', 40.00, {@2025-05-01T00:00:00Z}),
                (5, 'Eve', 'Elm 5', 'R-5', 50.00, {@2026-05-01T00:00:00Z}),
                (6, 'Fay', 'Elm 6', 'R-6', 60.00, NULL)",
        )
        .await;
}

const ORDERS: &str = "orders: id integer, delivery_name text, delivery_street text, \
    invoice_number text, amount decimal, delivered_at timestamp";

pub async fn an_order_loses_its_address_and_later_goes_as_a_whole(fixture: &Fixture) {
    orders(fixture).await;
    let connector = fixture.connector();
    let now = draft(fixture, ORDERS)
        .clear(
            "delivery",
            due("delivered_at", "2025-12-01T00:00:00Z"),
            &["delivery_name", "delivery_street"],
        )
        .delete(due("delivered_at", "2016-01-01T00:00:00Z"));
    let outcome = done_as_previewed(&*connector, &order("delivery", [now])).await;
    assert_eq!(deleted(&outcome, "orders"), 1);
    assert_eq!(treated(&outcome, "orders", "delivery"), 2, "order 4 had no address any more");
    let left = fixture
        .rows("SELECT id, delivery_name, delivery_street, invoice_number FROM orders ORDER BY id")
        .await;
    let left: Vec<Vec<&str>> = left
        .iter()
        .map(|row| row.iter().map(|value| value.as_deref().unwrap_or("-")).collect())
        .collect();
    assert_eq!(
        left,
        [
            ["2", "-", "-", "R-2"],
            ["3", "-", "-", "R-3"],
            ["4", "-", "-", "R-4"],
            ["5", "Eve", "Elm 5", "R-5"],
            ["6", "Fay", "Elm 6", "R-6"],
        ]
    );
    let amounts = fixture.count("SELECT COUNT(*) FROM orders WHERE amount >= 20").await;
    assert_eq!(amounts, 5);

    let years_later = draft(fixture, ORDERS).delete(due("delivered_at", "2035-12-31T00:00:00Z"));
    let outcome = done_as_previewed(&*connector, &order("invoice", [years_later])).await;
    assert_eq!(deleted(&outcome, "orders"), 4);
    assert_eq!(fixture.ids("orders").await, [6]);
}

pub async fn two_categories_of_one_record_are_counted_apart(fixture: &Fixture) {
    orders(fixture).await;
    let both = draft(fixture, ORDERS)
        .clear("name", due("delivered_at", "2025-03-31T00:00:00Z"), &["delivery_name"])
        .anonymise(
            "street",
            due("delivered_at", "2025-04-30T00:00:00Z"),
            "delivery_street",
            Strategy::Redact { marker: "gone".to_owned() },
        )
        .held(crate::drafting::equal("id", 1));
    let outcome = done_as_previewed(&*fixture.connector(), &order("both", [both])).await;
    assert_eq!(treated(&outcome, "orders", "name"), 1);
    assert_eq!(of(&outcome, "orders").held, 1);
    let first = "SELECT COUNT(*) FROM orders WHERE id = 1 AND delivery_name = 'Ann'";
    assert_eq!(fixture.count(first).await, 1, "held");
    let second = "SELECT COUNT(*) FROM orders WHERE id = 2 AND delivery_street = 'gone'";
    assert_eq!(fixture.count(second).await, 1);
}

/// A treatment may use a list, and a field that the treatment itself changes.
pub async fn a_condition_may_read_the_field_that_is_cleared(fixture: &Fixture) {
    orders(fixture).await;
    let cleared = draft(fixture, ORDERS).clear(
        "name",
        listed(&["delivery_name"], 0),
        &["delivery_name", "delivery_street"],
    );
    let mut order = order("by-name", [cleared]);
    order.lists = vec![list(&[FieldType::Text], vec![vec![text("Bob")], vec![text("Cid")]])];
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(treated(&outcome, "orders", "name"), 2);
    let left =
        fixture.column("SELECT id FROM orders WHERE delivery_name IS NOT NULL ORDER BY id").await;
    assert_eq!(left, ["1", "5", "6"]);
}

/// Were the clock cleared first, the other category would not be due any more: the order is refused
/// by name, and nothing changes.
pub async fn a_category_that_holds_the_clock_is_refused(fixture: &Fixture) {
    orders(fixture).await;
    let cutoff = "2025-12-01T00:00:00Z";
    let clock =
        || draft(fixture, ORDERS).clear("clock", due("delivered_at", cutoff), &["delivered_at"]);
    let both = clock().treat(
        "name",
        TreatmentKind::Clear,
        due("delivered_at", cutoff),
        [("delivery_name", Strategy::Null), ("delivery_street", Strategy::Null)],
    );
    refused_by_name(fixture, order("clock", [both])).await;
    let deletion = clock().delete(due("delivered_at", "2016-01-01T00:00:00Z"));
    refused_by_name(fixture, order("deletion", [deletion])).await;
    let own = order("own", [clock()]);
    let outcome = done_as_previewed(&*fixture.connector(), &own).await;
    assert_eq!(treated(&outcome, "orders", "clock"), 4, "its own field it may clear");
}

/// A child whose clock stands in its parent depends on the parent's category and on the link.
pub async fn a_category_that_holds_a_childs_clock_is_refused(fixture: &Fixture) {
    orders(fixture).await;
    fixture
        .sql("CREATE TABLE notes (id {bigint} PRIMARY KEY, order_id {bigint}, note {text})")
        .await;
    fixture.sql("INSERT INTO notes VALUES (1, 2, 'leave it at the door')").await;
    let cutoff = "2025-12-01T00:00:00Z";
    let notes = || {
        draft(fixture, "notes: id integer, order_id integer, note text")
            .link("orders", &[("order_id", "id")])
            .clear("note", due("orders.delivered_at", cutoff), &["note"])
    };
    let parent =
        draft(fixture, ORDERS).clear("clock", due("delivered_at", cutoff), &["delivered_at"]);
    refused_by_name(fixture, order("child", [parent, notes()])).await;
    let link = notes().clear("link", Predicate::Always, &["order_id"]);
    let sent = order("link", [draft(fixture, ORDERS), link]);
    let why = refused(&*fixture.connector(), &sent).await;
    assert!(why.contains("notes.order_id") && why.contains("category `note`"), "{why}");
    assert_eq!(fixture.count("SELECT COUNT(*) FROM notes WHERE order_id = 2").await, 1);
}

async fn refused_by_name(fixture: &Fixture, order: quietus_connectors::Order) {
    let before = fixture.content("orders").await;
    let connector = fixture.connector();
    let counts = connector.preview(&order).await.expect("a preview");
    let why = refused(&*connector, &order).await;
    for reasons in [counts.refusals.join(" "), why] {
        assert!(
            reasons.contains("orders.delivered_at") && reasons.contains("`clock`"),
            "{reasons}"
        );
    }
    assert_eq!(fixture.content("orders").await, before);
}

/// A record that is due as a whole but still referred to is at least treated.
pub async fn a_record_that_must_stay_is_treated_instead(fixture: &Fixture) {
    orders(fixture).await;
    fixture
        .sql(
            "CREATE TABLE disputes (id {bigint} PRIMARY KEY, order_id {bigint},
                FOREIGN KEY (order_id) REFERENCES orders (id));
             INSERT INTO disputes VALUES (1, 2)",
        )
        .await;
    let all = due("delivered_at", "2025-12-01T00:00:00Z");
    let order = order(
        "disputed",
        [
            draft(fixture, ORDERS).delete(all.clone()).clear(
                "delivery",
                all,
                &["delivery_name", "delivery_street"],
            ),
            draft(fixture, "disputes: id integer, order_id integer")
                .link("orders", &[("order_id", "id")]),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "orders"), 3);
    assert_eq!(treated(&outcome, "orders", "delivery"), 1);
    assert_eq!(crate::drafting::referenced(&outcome, "orders", "disputes"), 1);
    assert_eq!(fixture.ids("orders").await, [2, 5, 6]);
    let name = fixture.column("SELECT delivery_name FROM orders WHERE id = 2").await;
    assert_eq!(name, ["NULL"]);
}
