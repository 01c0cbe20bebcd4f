//! Conditions that read parent records through links, and inactivity over several clocks.

use crate::drafting::{
    CUTOFF, count_of, deleted, done_as_previewed, draft, due, equal, latest_due, order, preview,
    referenced,
};
use crate::fixture::Fixture;
use quietus_connectors::{Cutoff, Predicate};

/// Accounts 1 (due), 2 (not due), 3 (never ended); orders and items below them, no foreign keys.
async fn three_levels(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE accounts (id {bigint} PRIMARY KEY, ended_at {moment});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, account_id {bigint});
             CREATE TABLE items (id {bigint} PRIMARY KEY, order_id {bigint}, sku {text});
             INSERT INTO accounts VALUES (1, {@2025-06-01T00:00:00Z}),
                (2, {@2026-02-01T00:00:00Z}), (3, NULL);
             INSERT INTO orders VALUES (11, 1), (12, 1), (21, 2), (31, 3), (41, NULL), (51, 99);
             INSERT INTO items VALUES (111, 11, 'a'), (121, 12, 'b'), (211, 21, 'c'),
                (311, 31, 'd'), (411, 41, 'e'), (511, 51, 'f'), (611, NULL, 'g')",
        )
        .await;
}

const ACCOUNTS: &str = "accounts: id integer, ended_at timestamp";
const ORDERS: &str = "orders: id integer, account_id integer";
const ITEMS: &str = "items: id integer, order_id integer, sku text";

pub async fn the_starting_point_may_be_two_levels_up(fixture: &Fixture) {
    three_levels(fixture).await;
    let items = draft(fixture, ITEMS)
        .link("orders", &[("order_id", "id")])
        .needed()
        .delete(due("orders.accounts.ended_at", CUTOFF));
    let order = order(
        "levels",
        [
            draft(fixture, ACCOUNTS).delete(due("ended_at", CUTOFF)),
            draft(fixture, ORDERS)
                .link("accounts", &[("account_id", "id")])
                .needed()
                .delete(due("accounts.ended_at", CUTOFF)),
            items,
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(deleted(&outcome, "items"), 2);
    assert_eq!(deleted(&outcome, "orders"), 2);
    assert_eq!(deleted(&outcome, "accounts"), 1);
    assert_eq!(fixture.ids("items").await, [211, 311, 411, 511, 611]);
    assert_eq!(fixture.ids("orders").await, [21, 31, 41, 51]);
    assert_eq!(fixture.ids("accounts").await, [2, 3]);
}

/// Without a foreign key in the system, only the map knows that the line needs its parents.
pub async fn a_needed_link_keeps_the_parent(fixture: &Fixture) {
    three_levels(fixture).await;
    let order = order(
        "needed",
        [
            draft(fixture, ACCOUNTS).delete(due("ended_at", CUTOFF)),
            draft(fixture, ORDERS)
                .link("accounts", &[("account_id", "id")])
                .needed()
                .delete(Predicate::all([due("accounts.ended_at", CUTOFF), equal("id", 11)])),
        ],
    );
    let outcome = done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!((deleted(&outcome, "orders"), deleted(&outcome, "accounts")), (1, 0));
    assert_eq!(referenced(&outcome, "accounts", "orders"), 1);
    assert_eq!(fixture.ids("accounts").await, [1, 2, 3]);
    assert_eq!(fixture.ids("orders").await, [12, 21, 31, 41, 51]);
}

/// A link that nothing reads and no foreign key backs does not keep the parent.
pub async fn negation_through_a_link_holds_without_a_parent(fixture: &Fixture) {
    three_levels(fixture).await;
    let ended = due("accounts.ended_at", CUTOFF);
    let orders = draft(fixture, ORDERS)
        .link("accounts", &[("account_id", "id")])
        .probe("ended", ended.clone())
        .probe("not_ended", ended.negate())
        .probe("no_end", Predicate::Absent(crate::drafting::field("accounts.ended_at")));
    let order = order("orphans", [draft(fixture, ACCOUNTS), orders]);
    let counts = preview(&*fixture.connector(), &order).await;
    let probes = &count_of(&counts, "orders").probes;
    assert_eq!((probes["ended"], probes["not_ended"]), (2, 4));
    assert_eq!(probes["no_end"], 3, "account 3 has none, and 41 and 51 have no account");
}

pub async fn inactivity_takes_the_latest_of_several(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, signed_in_at {moment},
                ordered_at {moment}, wrote_on {day});
             INSERT INTO people VALUES
                (1, {@2025-01-01T00:00:00Z}, {@2025-02-01T00:00:00Z}, '2025-03-01'),
                (2, {@2025-01-01T00:00:00Z}, {@2026-02-01T00:00:00Z}, '2025-03-01'),
                (3, {@2026-01-01T00:00:01Z}, NULL, NULL),
                (4, NULL, {@2026-01-01T00:00:00Z}, NULL),
                (5, NULL, NULL, NULL),
                (6, NULL, NULL, '2025-12-31'),
                (7, {@2020-01-01T00:00:00Z}, {@2020-01-01T00:00:00Z}, '2026-01-01')",
        )
        .await;
    let moment = Cutoff::Moment(crate::drafting::moment(CUTOFF));
    let day = Cutoff::Day(crate::drafting::day("2025-12-31"));
    let field = crate::drafting::field;
    let inactive = Predicate::LatestAtOrBefore(vec![
        (field("signed_in_at"), moment),
        (field("ordered_at"), moment),
        (field("wrote_on"), day),
    ]);
    let text = "people: id integer, signed_in_at timestamp, ordered_at timestamp, wrote_on date";
    let people = draft(fixture, text)
        .delete(inactive.clone())
        .probe("active", inactive.negate())
        .probe("both", latest_due(&["signed_in_at", "ordered_at"], CUTOFF));
    let order = order("inactive", [people]);
    let counts = preview(&*fixture.connector(), &order).await;
    assert_eq!(count_of(&counts, "people").probes["active"], 4);
    assert_eq!(count_of(&counts, "people").probes["both"], 3);
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("people").await, [2, 3, 5, 7]);
}

/// The clock of a child goes with the parent's: a composite link, in both directions of due.
pub async fn links_may_have_several_fields(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE trips (country {text} NOT NULL, number {bigint} NOT NULL,
                ended_at {moment}, PRIMARY KEY (country, number));
             CREATE TABLE photos (id {bigint} PRIMARY KEY, country {text}, number {bigint});
             INSERT INTO trips VALUES ('de', 1, {@2025-01-01T00:00:00Z}),
                ('fr', 1, {@2026-05-01T00:00:00Z}), ('de', 2, {@2026-05-01T00:00:00Z});
             INSERT INTO photos VALUES (1, 'de', 1), (2, 'fr', 1), (3, 'de', 2), (4, 'de', NULL),
                (5, 'xx', 1)",
        )
        .await;
    let order = order(
        "trips",
        [
            draft(fixture, "trips: country text, number integer, ended_at timestamp")
                .key(&["country", "number"]),
            draft(fixture, "photos: id integer, country text, number integer")
                .link("trips", &[("country", "country"), ("number", "number")])
                .delete(due("trips.ended_at", CUTOFF)),
        ],
    );
    done_as_previewed(&*fixture.connector(), &order).await;
    assert_eq!(fixture.ids("photos").await, [2, 3, 4, 5]);
    assert_eq!(fixture.count("SELECT COUNT(*) FROM trips").await, 3);
}

pub async fn inspect_reads_own_and_linked_fields(fixture: &Fixture) {
    three_levels(fixture).await;
    let order = order(
        "inspect",
        [
            draft(fixture, ACCOUNTS),
            draft(fixture, ORDERS).link("accounts", &[("account_id", "id")]),
            draft(fixture, ITEMS).link("orders", &[("order_id", "id")]),
        ],
    );
    let connector = fixture.connector();
    let fields = [
        crate::drafting::field("sku"),
        crate::drafting::field("orders.account_id"),
        crate::drafting::field("orders.accounts.ended_at"),
    ];
    let key = |id: i64| [("id".to_owned(), quietus_connectors::Value::Integer(id))].into();
    let found = connector.inspect(&order, "items", &key(111), &fields).await;
    let record = found.expect("an answer").expect("a record");
    assert_eq!(record["sku"], crate::drafting::text("a"));
    assert_eq!(record["orders.account_id"], quietus_connectors::Value::Integer(1));
    let ended = crate::drafting::moment("2025-06-01T00:00:00Z");
    assert_eq!(record["orders.accounts.ended_at"], quietus_connectors::Value::Timestamp(ended));
    let orphan = connector.inspect(&order, "items", &key(611), &fields).await;
    let orphan = orphan.expect("an answer").expect("a record");
    assert_eq!(orphan["orders.accounts.ended_at"], quietus_connectors::Value::Null);
    let nobody = connector.inspect(&order, "items", &key(4_711), &fields).await;
    assert_eq!(nobody.expect("an answer"), None);
}
