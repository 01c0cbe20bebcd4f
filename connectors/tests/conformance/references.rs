//! Foreign keys: children first, and nothing goes to which something that stays refers.

use quietus_connectors::Predicate;

use crate::drafting::{
    CUTOFF, count_of, deleted, done, done_as_previewed, draft, due, equal, order, preview,
    referenced, refused,
};
use crate::fixture::{Fixture, Kind};

const CUSTOMERS: &str = "customers: id integer, left_at timestamp";
const ORDERS: &str = "orders: id integer, customer_id integer, left_at timestamp";

/// Customers 1, 2 and 3 are due. The order of 1 is due, that of 2 is not, 3 has none.
async fn shop(fixture: &Fixture, on_delete: &str) {
    fixture
        .sql(&format!(
            "CREATE TABLE customers (id {{bigint}} PRIMARY KEY, left_at {{moment}});
             CREATE TABLE orders (id {{bigint}} PRIMARY KEY, customer_id {{bigint}},
                left_at {{moment}},
                FOREIGN KEY (customer_id) REFERENCES customers (id) {on_delete});
             INSERT INTO customers VALUES (1, {{@2025-01-01T00:00:00Z}}),
                (2, {{@2025-01-01T00:00:00Z}}), (3, {{@2025-01-01T00:00:00Z}}),
                (4, {{@2026-05-01T00:00:00Z}});
             INSERT INTO orders VALUES (11, 1, {{@2025-01-01T00:00:00Z}}),
                (12, 1, {{@2025-01-01T00:00:00Z}}), (21, 2, {{@2026-05-01T00:00:00Z}}),
                (22, 2, {{@2025-01-01T00:00:00Z}}), (41, 4, {{@2026-05-01T00:00:00Z}})"
        ))
        .await;
}

pub async fn children_go_first_and_keep_their_parents(fixture: &Fixture) {
    for (number, on_delete) in
        ["", "ON DELETE RESTRICT", "ON DELETE CASCADE"].into_iter().enumerate()
    {
        shop(fixture, on_delete).await;
        // The parent stands first: the connector finds the order that is needed.
        let order = order(
            &format!("children-{number}"),
            [
                draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)),
                draft(fixture, ORDERS).delete(due("left_at", CUTOFF)),
            ],
        );
        let outcome = done_as_previewed(&*fixture.connector(), &order).await;
        assert_eq!(deleted(&outcome, "customers"), 2, "{on_delete}");
        assert_eq!(deleted(&outcome, "orders"), 3, "{on_delete}");
        assert_eq!(referenced(&outcome, "customers", "orders"), 1, "{on_delete}");
        assert_eq!(fixture.ids("customers").await, [2, 4], "{on_delete}");
        assert_eq!(fixture.ids("orders").await, [21, 41], "{on_delete}");
        fixture.sql("DROP TABLE orders; DROP TABLE customers").await;
    }
}

/// A child that is listed and kept keeps its parent, also where the key would cascade.
pub async fn a_kept_child_is_not_taken_along(fixture: &Fixture) {
    shop(fixture, "ON DELETE CASCADE").await;
    let order = order(
        "kept-child",
        [draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)), draft(fixture, ORDERS).keep()],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("customers").await, [1, 2, 4]);
    assert_eq!(fixture.ids("orders").await, [11, 12, 21, 22, 41]);
    assert_eq!(deleted(&outcome, "customers"), 1);
    assert_eq!(referenced(&outcome, "customers", "orders"), 2);
}

pub async fn a_held_child_keeps_its_parent(fixture: &Fixture) {
    shop(fixture, "ON DELETE CASCADE").await;
    let order = order(
        "held-child",
        [
            draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)),
            draft(fixture, ORDERS).delete(due("left_at", CUTOFF)).held(equal("id", 12)),
        ],
    );
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("customers").await, [1, 2, 4]);
    assert_eq!(fixture.ids("orders").await, [12, 21, 41]);
}

pub async fn a_cascade_into_what_is_not_mapped_is_refused(fixture: &Fixture) {
    shop(fixture, "").await;
    fixture
        .sql(
            "CREATE TABLE letters (id {bigint} PRIMARY KEY, order_id {bigint},
                FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE);
             INSERT INTO letters VALUES (1, 11), (2, 21)",
        )
        .await;
    let order = order(
        "unmapped-cascade",
        [
            draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)),
            draft(fixture, ORDERS).delete(due("left_at", CUTOFF)),
        ],
    );
    let why = refused(&*fixture.connector(), &order).await;
    assert!(why.contains("letters") && why.contains("orders"), "{why}");
    assert_eq!(fixture.ids("letters").await, [1, 2]);
    assert_eq!(fixture.ids("orders").await.len(), 5);
    let counts = fixture.connector().preview(&order).await.expect("a preview");
    assert!(counts.refusals.join(" ").contains("letters"), "{:?}", counts.refusals);
}

/// Without a cascade, a child that is not mapped keeps its parent or stops the order.
pub async fn an_unmapped_child_is_never_harmed(fixture: &Fixture) {
    shop(fixture, "").await;
    let order = order("unmapped", [draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF))]);
    let receipt = fixture.connector().execute(&order, &crate::drafting::Onward).await;
    assert_eq!(fixture.ids("orders").await, [11, 12, 21, 22, 41]);
    match receipt {
        Ok(quietus_connectors::Receipt::Done(outcome)) => {
            assert_eq!(fixture.ids("customers").await, [1, 2, 4]);
            assert_eq!(deleted(&outcome, "customers"), 1);
            // It has no name in the map: the system's own stands for it.
            let by_source = referenced(&outcome, "customers", &fixture.kind.source("orders"));
            assert_eq!(by_source, 2);
        }
        Ok(quietus_connectors::Receipt::Refused { reasons, .. }) => {
            assert!(reasons.join(" ").contains("orders"), "{reasons:?}");
            assert_eq!(fixture.ids("customers").await, [1, 2, 3, 4]);
        }
        other => panic!("expected done or refused, got {other:?}"),
    }
}

/// `SET NULL` lets the parent go and leaves the child without it, unless the child is held.
pub async fn set_null_releases_the_child_but_touches_no_held_one(fixture: &Fixture) {
    shop(fixture, "ON DELETE SET NULL").await;
    let order = order(
        "set-null",
        [
            draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF)),
            draft(fixture, ORDERS).held(equal("id", 21)),
        ],
    );
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("customers").await, [2, 4]);
    let orders = fixture.rows("SELECT id, customer_id FROM orders ORDER BY id").await;
    let reference = |row: &Vec<Option<String>>| row[1].clone().unwrap_or_else(|| "-".to_owned());
    let references: Vec<String> = orders.iter().map(reference).collect();
    assert_eq!(references, ["-", "-", "2", "2", "4"]);
}

pub async fn composite_references_are_followed(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE trips (country {text} NOT NULL, number {bigint} NOT NULL,
                left_at {moment}, PRIMARY KEY (country, number));
             CREATE TABLE photos (id {bigint} PRIMARY KEY, country {text}, number {bigint},
                left_at {moment},
                FOREIGN KEY (country, number) REFERENCES trips (country, number));
             INSERT INTO trips VALUES ('de', 1, {@2025-01-01T00:00:00Z}),
                ('de', 2, {@2025-01-01T00:00:00Z}), ('fr', 1, {@2025-01-01T00:00:00Z});
             INSERT INTO photos VALUES (1, 'de', 1, {@2025-01-01T00:00:00Z}),
                (2, 'de', 2, {@2026-05-01T00:00:00Z}), (3, 'fr', NULL, {@2026-05-01T00:00:00Z}),
                (4, NULL, 1, {@2026-05-01T00:00:00Z})",
        )
        .await;
    let order = order(
        "composite",
        [
            draft(fixture, "trips: country text, number integer, left_at timestamp")
                .key(&["country", "number"])
                .delete(due("left_at", CUTOFF)),
            draft(fixture, "photos: id integer, country text, number integer, left_at timestamp")
                .delete(due("left_at", CUTOFF)),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "trips"), 2);
    assert_eq!(referenced(&outcome, "trips", "photos"), 1);
    let left = fixture.rows("SELECT country, number FROM trips").await;
    assert_eq!(left, [[Some("de".to_owned()), Some("2".to_owned())]]);
    assert_eq!(fixture.ids("photos").await, [2, 3, 4]);
}

/// Two chains of five: one due as a whole, one with a leaf that stays; and one who is their own
/// parent.
pub async fn a_self_reference_goes_from_the_leaves(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE nodes (id {bigint} PRIMARY KEY, parent_id {bigint}, left_at {moment},
                FOREIGN KEY (parent_id) REFERENCES nodes (id))",
        )
        .await;
    for (first, leaf) in [(1, "2025-01-01T00:00:00Z"), (11, "2026-05-01T00:00:00Z")] {
        for id in first..first + 5 {
            let parent = if id == first { "NULL".to_owned() } else { (id - 1).to_string() };
            let at = if id == first + 4 { leaf } else { "2025-01-01T00:00:00Z" };
            fixture.sql(&format!("INSERT INTO nodes VALUES ({id}, {parent}, {{@{at}}})")).await;
        }
    }
    fixture.sql("INSERT INTO nodes VALUES (21, 21, {@2025-01-01T00:00:00Z})").await;
    // A due child of an ancestor that stays goes nevertheless.
    fixture.sql("INSERT INTO nodes VALUES (31, 12, {@2025-01-01T00:00:00Z})").await;
    let nodes = draft(fixture, "nodes: id integer, parent_id integer, left_at timestamp")
        .delete(due("left_at", CUTOFF));
    let order = order("nodes", [nodes]);
    let counts = preview(&*fixture.connector(), &order).await;
    let outcome = done(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("nodes").await, [11, 12, 13, 14, 15]);
    assert_eq!(deleted(&outcome, "nodes"), 7);
    assert_eq!(referenced(&outcome, "nodes", "nodes"), 4);
    let count = count_of(&counts, "nodes");
    assert!(count.delete == 7 || (count.at_most && count.delete > 7), "{count:?}");
}

/// Accounts and addresses refer to each other, as shops do with "default address".
pub async fn a_circle_of_references_is_settled(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE accounts (id {bigint} PRIMARY KEY, address_id {bigint},
                left_at {moment});
             CREATE TABLE addresses (id {bigint} PRIMARY KEY, account_id {bigint} NOT NULL,
                left_at {moment}, FOREIGN KEY (account_id) REFERENCES accounts (id));
             INSERT INTO accounts VALUES (1, NULL, {@2025-01-01T00:00:00Z}),
                (2, NULL, {@2025-01-01T00:00:00Z}), (3, NULL, {@2025-01-01T00:00:00Z}),
                (4, NULL, {@2026-05-01T00:00:00Z});
             INSERT INTO addresses VALUES (11, 1, {@2025-01-01T00:00:00Z}),
                (21, 2, {@2026-05-01T00:00:00Z}), (22, 2, {@2025-01-01T00:00:00Z}),
                (41, 4, {@2026-05-01T00:00:00Z})",
        )
        .await;
    close_circle(fixture).await;
    let order = order(
        "circle",
        [
            draft(fixture, "accounts: id integer, address_id integer, left_at timestamp")
                .delete(due("left_at", CUTOFF)),
            draft(fixture, "addresses: id integer, account_id integer, left_at timestamp")
                .delete(due("left_at", CUTOFF)),
        ],
    );
    let counts = preview(&*fixture.connector(), &order).await;
    let outcome = done(&*fixture.connector(), &order).await;
    let count = count_of(&counts, "accounts");
    assert!(count.delete == 2 || (count.at_most && count.delete >= 2), "{count:?}");
    // 2 is needed by 21, which stays; 22 is the default address of 2 where the circle is closed.
    assert_eq!(fixture.ids("accounts").await, [2, 4]);
    assert_eq!(deleted(&outcome, "accounts"), 2);
    assert_eq!(referenced(&outcome, "accounts", "addresses"), 1);
    assert_eq!(fixture.ids("addresses").await, [21, 22, 41]);
}

async fn close_circle(fixture: &Fixture) {
    let constraint = "ADD CONSTRAINT default_address FOREIGN KEY (address_id) REFERENCES addresses";
    match fixture.kind {
        Kind::Sqlite => {
            // SQLite takes a foreign key only when the table is made.
            fixture
                .sql(
                    "PRAGMA foreign_keys = OFF;
                     CREATE TABLE accounts_new (id {bigint} PRIMARY KEY,
                        address_id {bigint} REFERENCES addresses (id), left_at {moment});
                     INSERT INTO accounts_new SELECT * FROM accounts;
                     DROP TABLE accounts;
                     ALTER TABLE accounts_new RENAME TO accounts;
                     PRAGMA foreign_keys = ON",
                )
                .await;
        }
        _ => fixture.sql(&format!("ALTER TABLE accounts {constraint} (id)")).await,
    }
    fixture
        .sql(
            "UPDATE accounts SET address_id = 11 WHERE id = 1;
             UPDATE accounts SET address_id = 22 WHERE id = 2;
             UPDATE accounts SET address_id = 41 WHERE id = 4",
        )
        .await;
}

/// Three levels, the middle one due for another reason than the others.
pub async fn a_chain_of_collections_is_kept_from_its_lowest_link(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE a (id {bigint} PRIMARY KEY);
             CREATE TABLE b (id {bigint} PRIMARY KEY, a_id {bigint},
                FOREIGN KEY (a_id) REFERENCES a (id));
             CREATE TABLE c (id {bigint} PRIMARY KEY, b_id {bigint}, kept {boolean},
                FOREIGN KEY (b_id) REFERENCES b (id));
             INSERT INTO a VALUES (1), (2), (3);
             INSERT INTO b VALUES (1, 1), (2, 2), (3, 3);
             INSERT INTO c VALUES (1, 1, FALSE), (2, 2, TRUE), (3, 3, FALSE)",
        )
        .await;
    let order = order(
        "chain",
        [
            draft(fixture, "a: id integer").delete(Predicate::Always),
            draft(fixture, "b: id integer, a_id integer").delete(Predicate::Always),
            draft(fixture, "c: id integer, b_id integer, kept boolean")
                .delete(equal("kept", false)),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!((deleted(&outcome, "a"), deleted(&outcome, "b"), deleted(&outcome, "c")), (2, 2, 2));
    assert_eq!(referenced(&outcome, "b", "c"), 1);
    assert_eq!(referenced(&outcome, "a", "b"), 1);
    for table in ["a", "b", "c"] {
        assert_eq!(fixture.ids(table).await, [2]);
    }
}
