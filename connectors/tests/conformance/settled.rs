//! Small orders share one transaction and settle at its beginning who is on a list; they do exactly
//! what orders do that ask each record.

use std::time::Duration;

use quietus_connectors::{
    FieldType, Order, Predicate, Receipt, Restriction, Strategy, TreatmentKind, Value,
};

use crate::drafting::{
    Draft, Onward, done, draft, equal, list, listed, order, preview, renamed, text,
};
use crate::fixture::Fixture;
use crate::logic::Dice;
use crate::people::{Hide, besides, contents, hidden, raze, shown, town};

/// Rounds of random orders.
const ROUNDS: u64 = 12;

/// People, their orders and the lines of these, all found by one list of addresses.
fn drafts(fixture: &Fixture, dice: &mut Dice, hide: Hide) -> [Draft; 3] {
    let whose = |path: &str, more: Predicate| {
        let listed = listed(&[&format!("{path}email")], 0);
        hide(Predicate::all([more, listed]))
    };
    let never = |dice: &mut Dice, when: Predicate| {
        if dice.roll(4) == 0 { Predicate::Never } else { when }
    };
    let hold = |dice: &mut Dice, path: &str| {
        if dice.roll(3) == 0 { equal(&format!("{path}id"), 3) } else { Predicate::Never }
    };
    let when = never(dice, whose("", Predicate::Always));
    let people = draft(fixture, "people: id integer, email text, number integer")
        .delete(when)
        .held(hold(dice, ""))
        .clear("contact", whose("", Predicate::Always), &["number"]);
    let (goes, cleared, kept) = (besides(dice), besides(dice), besides(dice));
    let flag = Restriction::Flag { field: "restricted".to_owned() };
    let orders = draft(
        fixture,
        "orders: id integer, person_id integer, kind integer, note text, restricted boolean",
    )
    .link("people", &[("person_id", "id")])
    .delete(never(dice, whose("people.", goes)))
    .held(hold(dice, "people."))
    .treat("notes", TreatmentKind::Clear, whose("people.", cleared), [("note", Strategy::Null)])
    .restrict(flag, whose("people.", kept));
    let lines = draft(fixture, "order_lines: order_id integer, line integer, kind integer")
        .key(&["order_id", "line"])
        .link("orders", &[("order_id", "id")]);
    let more = Predicate::all([besides(dice), equal("orders.kind", 1).negate()]);
    let lines = lines.delete(never(dice, whose("orders.people.", more)));
    [people, orders, lines]
}

fn random_order(fixture: &Fixture, key: &str, seed: u64, hide: Hide) -> Order {
    let mut dice = Dice(seed);
    let mut order = order(key, drafts(fixture, &mut dice, hide));
    // Everything fits into one window.
    order.pace.chunk_records = 500;
    let addresses =
        (0..6).map(|_| vec![text(&format!("p{}@example.org", dice.roll(12)))]).collect();
    let kinds = (0..2).map(|_| vec![Value::Integer(i64::try_from(dice.roll(4)).expect("small"))]);
    order.lists = vec![
        list(&[FieldType::Text], addresses),
        list(&[FieldType::Integer], Vec::new()),
        list(&[FieldType::Integer], Vec::new()),
        list(&[FieldType::Integer], kinds.collect()),
    ];
    order
}

pub async fn in_one_transaction_the_same_happens(fixture: &Fixture) {
    let mut changed = 0;
    for round in 0..ROUNDS {
        let seed = 400 + round;
        let mut both = Vec::new();
        for (name, hide) in [("walked", hidden as Hide), ("listed", shown)] {
            town(fixture, seed, "").await;
            let order = random_order(fixture, &format!("{name}-{round}"), seed, hide);
            let counts = preview(&*fixture.connector(), &order).await;
            let outcome = done(&*fixture.connector(), &order).await;
            let left = contents(fixture).await;
            let again = renamed(&order, &format!("{name}-{round}-again"));
            let again = done(&*fixture.connector(), &again).await;
            assert_eq!(contents(fixture).await, left, "round {round}: {again:?}");
            changed += outcome.changed();
            both.push((counts, outcome, left));
            raze(fixture).await;
        }
        assert_eq!(both[1], both[0], "round {round}");
    }
    assert!(changed > 200, "the orders did {changed} things");
}

/// An application gives a person another address while the order begins: what was gathered by the
/// old one must not go.
pub async fn who_has_another_address_by_then_is_left_alone(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} PRIMARY KEY, email {text});
             CREATE INDEX people_email ON people (email);
             CREATE TABLE orders (id {bigint} PRIMARY KEY, person_id {bigint},
                FOREIGN KEY (person_id) REFERENCES people (id));
             INSERT INTO people VALUES (1, 'one@example.org'), (2, 'two@example.org');
             INSERT INTO orders VALUES (10, 1), (20, 2)",
        )
        .await;
    let people = draft(fixture, "people: id integer, email text").delete(listed(&["email"], 0));
    let orders = draft(fixture, "orders: id integer, person_id integer")
        .link("people", &[("person_id", "id")])
        .delete(listed(&["people.email"], 0));
    let mut order = order("address", [people, orders]);
    order.pace.lock_timeout_ms = 20_000;
    let addresses = ["one@example.org", "two@example.org"].map(|one| vec![text(one)]);
    order.lists = vec![list(&[FieldType::Text], addresses.to_vec())];
    let application =
        fixture.hold_open("UPDATE people SET email = 'new@example.org' WHERE id = 1").await;
    let connector = fixture.connector();
    let change = async {
        // Long enough for the keys to be gathered by what is committed, the old address.
        tokio::time::sleep(Duration::from_secs(2)).await;
        application.commit().await;
    };
    let (receipt, ()) = tokio::join!(connector.execute(&order, &Onward), change);
    assert!(matches!(receipt, Ok(Receipt::Done(_))), "{receipt:?}");
    assert_eq!(fixture.ids("people").await, [1]);
    assert_eq!(fixture.ids("orders").await, [10]);
}
