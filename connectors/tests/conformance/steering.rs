//! What a hold or a starting point reads must not go before everything that depends on it, whether
//! the order runs through, stops after every chunk, or is taken up again.

use quietus_connectors::{FieldType, Order, Predicate, Receipt, Strategy};

use crate::drafting::{
    CUTOFF, Draft, StopAfter, attempt, done_as_previewed, draft, due, list, listed, order, refused,
    text,
};
use crate::fixture::Fixture;

const STAFF: &str = "staff: id integer, boss_id integer, email text, note text, left_at timestamp";
const CUSTOMERS: &str = "customers: id integer, email text, left_at timestamp";
const ORDERS: &str =
    "orders: id integer, customer_id integer, street text, number text, made_at timestamp";

async fn staff(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE staff (id {bigint} PRIMARY KEY, boss_id {bigint}, email {text},
                note {text}, left_at {moment});
             INSERT INTO staff VALUES
                (1, NULL, 'ada@example.org', 'a', {@2025-01-01T00:00:00Z}),
                (2, 1, 'bob@example.org', 'b', {@2025-01-01T00:00:00Z}),
                (3, 1, 'cid@example.org', 'c', {@2025-01-01T00:00:00Z}),
                (4, 2, 'dan@example.org', 'd', {@2025-01-01T00:00:00Z})",
        )
        .await;
}

async fn shop(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (id {bigint} PRIMARY KEY, email {text}, left_at {moment});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, customer_id {bigint}, street {text},
                number {text}, made_at {moment});
             INSERT INTO customers VALUES
                (1, 'ada@example.org', {@2025-01-01T00:00:00Z}),
                (2, 'bob@example.org', {@2025-01-01T00:00:00Z}),
                (3, 'cid@example.org', {@2025-01-01T00:00:00Z});
             INSERT INTO orders VALUES
                (1, 1, 'Elm 1', 'R-1', {@2025-01-01T00:00:00Z}),
                (2, 2, 'Elm 2', 'R-2', {@2025-01-01T00:00:00Z}),
                (3, 1, 'Elm 3', 'R-3', {@2025-01-01T00:00:00Z}),
                (4, 3, 'Elm 4', 'R-4', {@2025-01-01T00:00:00Z})",
        )
        .await;
}

fn emails(names: &[&str]) -> quietus_connectors::KeyList {
    let entries = names.iter().map(|name| vec![text(&format!("{name}@example.org"))]);
    list(&[FieldType::Text], entries.collect())
}

async fn refused_untouched(fixture: &Fixture, order: &Order, words: &[&str]) {
    let tables: Vec<&str> = order.instructions.iter().map(|one| one.collection.as_str()).collect();
    let mut before = Vec::new();
    for table in &tables {
        before.push(fixture.content(table).await);
    }
    let reasons = refused(&*fixture.connector(), order).await;
    for word in words {
        assert!(reasons.contains(word), "{word}: {reasons}");
    }
    for (table, before) in tables.iter().zip(before) {
        assert_eq!(fixture.content(table).await, before);
    }
}

/// Every chunk is an attempt of its own.
async fn in_single_chunks(fixture: &Fixture, order: &Order) {
    let mut chunked = order.clone();
    chunked.pace.chunk_records = 1;
    for number in 1..200 {
        let receipt =
            fixture.connector().execute(&attempt(&chunked, number), &StopAfter::chunks(1)).await;
        match receipt {
            Ok(Receipt::Stopped(_)) => {}
            Ok(Receipt::Done(_)) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("two hundred attempts are not enough");
}

fn of_staff(fixture: &Fixture, held: Predicate) -> Draft {
    draft(fixture, STAFF)
        .link("staff", &[("boss_id", "id")])
        .clear("contact", due("left_at", CUTOFF), &["email"])
        .clear("notes", due("left_at", CUTOFF), &["note"])
        .held(held)
}

/// Ada is held by nothing, so that her address would go, and then her people's hold with it.
pub async fn a_hold_through_a_collections_own_link_is_not_cleared(fixture: &Fixture) {
    staff(fixture).await;
    let mut refusal = order("own-link", [of_staff(fixture, listed(&["staff.email"], 0))]);
    refusal.lists = vec![emails(&["ada"])];
    refused_untouched(fixture, &refusal, &["`staff.email`", "the holds of `staff`"]).await;
    let held = Predicate::any([listed(&["email"], 0), listed(&["staff.email"], 0)]);
    let mut both = order("own-link-both", [of_staff(fixture, held)]);
    both.lists = vec![emails(&["ada"])];
    in_single_chunks(fixture, &both).await;
    let left = "SELECT id FROM staff WHERE email IS NOT NULL AND note IS NOT NULL ORDER BY id";
    assert_eq!(fixture.column(left).await, ["1", "2", "3"]);
    let gone = "SELECT id FROM staff WHERE email IS NULL AND note IS NULL";
    assert_eq!(fixture.column(gone).await, ["4"]);
    let verified = fixture.connector().verify(&both).await.expect("verified");
    assert_eq!(verified.survivors, []);
}

/// The treatment takes the starting point that other records of the same collection wait for.
pub async fn a_start_through_a_collections_own_link_is_not_cleared(fixture: &Fixture) {
    staff(fixture).await;
    let when = due("staff.left_at", CUTOFF);
    let contact = draft(fixture, STAFF).link("staff", &[("boss_id", "id")]).clear(
        "contact",
        when,
        &["email", "left_at"],
    );
    let order = order("own-start", [contact]);
    refused_untouched(fixture, &order, &["`staff.left_at`", "category `contact`"]).await;
}

/// A hold keeps one category of the orders of a person, who is known by the customer's address.
fn delivery_held(fixture: &Fixture, strategy: Strategy, customers_held: Predicate) -> [Draft; 2] {
    let unheld = Predicate::Not(Box::new(listed(&["customers.email"], 0)));
    let orders = draft(fixture, ORDERS)
        .link("customers", &[("customer_id", "id")])
        .clear("delivery", Predicate::all([due("made_at", CUTOFF), unheld]), &["street"])
        .clear("invoice", due("made_at", CUTOFF), &["number"]);
    let customers = draft(fixture, CUSTOMERS)
        .anonymise("contact", due("left_at", CUTOFF), "email", strategy)
        .held(customers_held);
    [customers, orders]
}

pub async fn a_held_category_of_a_linked_person_stays(fixture: &Fixture) {
    shop(fixture).await;
    // The customers' own hold names more people than that on deliveries.
    let drafts = delivery_held(fixture, Strategy::Null, listed(&["email"], 1));
    let mut kept = order("category", drafts);
    kept.lists = vec![emails(&["ada"]), emails(&["cid", "ada"])];
    in_single_chunks(fixture, &kept).await;
    let streets = "SELECT id FROM orders WHERE street IS NOT NULL ORDER BY id";
    assert_eq!(fixture.column(streets).await, ["1", "3"]);
    assert_eq!(fixture.count("SELECT COUNT(*) FROM orders WHERE number IS NOT NULL").await, 0);
    let known = "SELECT id FROM customers WHERE email IS NOT NULL ORDER BY id";
    assert_eq!(fixture.column(known).await, ["1", "3"]);
    let again = done_as_previewed(&*fixture.connector(), &order_again(&kept)).await;
    assert_eq!(again.changed(), 0);
}

fn order_again(order: &Order) -> Order {
    crate::drafting::renamed(order, "category-once-more")
}

pub async fn a_held_category_of_a_person_who_is_not_held_is_refused(fixture: &Fixture) {
    shop(fixture).await;
    for (key, held) in [("nobody", Predicate::Never), ("others", listed(&["email"], 1))] {
        let mut order = order(key, delivery_held(fixture, Strategy::Null, held));
        order.lists = vec![emails(&["ada", "bob"]), emails(&["cid", "ada"])];
        refused_untouched(fixture, &order, &["`customers.email`", "category `delivery`"]).await;
    }
}

/// What takes the place of an address could be the address of somebody who is to be erased.
pub async fn a_replacement_that_a_list_could_name_is_refused(fixture: &Fixture) {
    shop(fixture).await;
    let orders = draft(fixture, ORDERS)
        .link("customers", &[("customer_id", "id")])
        .delete(listed(&["customers.email"], 0));
    let [customers, _] = delivery_held(
        fixture,
        Strategy::Redact { marker: "ada@example.org".to_owned() },
        listed(&["email"], 0),
    );
    let mut order = order("marker", [customers, orders]);
    order.lists = vec![emails(&["ada"])];
    refused_untouched(fixture, &order, &["`customers.email`", "the deletion of `orders`"]).await;
}

/// A hold that comes while an order is under way must still find its person: at no moment is the
/// address gone while something that is found by it is left to do.
pub async fn who_reads_a_field_is_treated_before_it_goes(fixture: &Fixture) {
    shop(fixture).await;
    let [customers, orders] = delivery_held(fixture, Strategy::Null, listed(&["email"], 0));
    let mut chunked = order("parents-last", [customers, orders]);
    chunked.lists = vec![emails(&["ada"])];
    chunked.pace.chunk_records = 1;
    let connector = fixture.connector();
    for number in 1..100 {
        let progress = StopAfter::chunks(1);
        let receipt = connector.execute(&attempt(&chunked, number), &progress).await;
        let lost = "SELECT COUNT(*) FROM orders o JOIN customers c ON c.id = o.customer_id
            WHERE c.email IS NULL AND (o.street IS NOT NULL OR o.number IS NOT NULL)";
        assert_eq!(fixture.count(lost).await, 0, "attempt {number}");
        if matches!(receipt, Ok(Receipt::Done(_))) {
            assert_eq!(
                fixture.count("SELECT COUNT(*) FROM customers WHERE email IS NULL").await,
                2
            );
            return;
        }
    }
    panic!("a hundred attempts are not enough");
}
