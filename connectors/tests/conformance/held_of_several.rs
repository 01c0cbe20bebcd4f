//! Holds in the middle of several orders as one: what they keep is told to whose it is, and no
//! longer than they keep it.

use quietus_connectors::{FieldType, Order, Outcome, Predicate, Receipt, Together};

use crate::drafting::{attempt, deleted, draft, equal, list, listed, of, order, text, treated};
use crate::fixture::Fixture;
use crate::together::{Chunks, together};

fn leaving(fixture: &Fixture, number: i64, held: Predicate) -> Order {
    let theirs = || listed(&["email"], 0);
    let mut order = order(
        &format!("held-{number}"),
        [
            draft(fixture, "members: id integer, email text").delete(theirs()).held(held),
            draft(fixture, "notes: id integer, email text, words text").clear(
                "words",
                theirs(),
                &["words"],
            ),
        ],
    );
    let address = text(&format!("m{number}@example.org"));
    order.lists = vec![list(&[FieldType::Text], vec![vec![address]])];
    order
}

fn told(outcome: &Outcome) -> (u64, u64, u64) {
    let held = of(outcome, "members").held;
    (deleted(outcome, "members"), held, treated(outcome, "notes", "words"))
}

pub async fn each_is_told_what_a_hold_keeps_while_it_does(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE members (id {bigint} PRIMARY KEY, email {text});
             CREATE INDEX members_email ON members (email);
             CREATE TABLE notes (id {bigint} PRIMARY KEY, email {text}, words {text});
             CREATE INDEX notes_email ON notes (email);
             INSERT INTO members VALUES (1, 'm1@example.org'), (2, 'm2@example.org'), (3, 'm3@example.org');
             INSERT INTO notes VALUES (1, 'm1@example.org', 'x'), (2, 'm2@example.org', 'x'), (3, 'm3@example.org', 'x')",
        )
        .await;
    let connector = fixture.connector();
    let held: Vec<Order> = (1..=2).map(|one| leaving(fixture, one, equal("id", 1))).collect();
    // One chunk deletes, and the next one clears and takes the counts of what is held along.
    let stopped = connector.execute_together(&held, &Chunks::most(2)).await.expect("an answer");
    let Together::Receipts(receipts) = stopped else { panic!("{stopped:?}") };
    let outcomes: Vec<_> = receipts
        .iter()
        .map(|receipt| match receipt {
            Receipt::Stopped(outcome) => told(outcome),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(outcomes, [(0, 1, 1), (1, 0, 1)]);
    assert_eq!(fixture.ids("members").await, [1, 3]);

    let released = (1..=2).map(|one| attempt(&leaving(fixture, one, Predicate::Never), 2));
    let released: Vec<Order> = released.collect();
    let Together::Receipts(receipts) = together(&*connector, &released).await else {
        panic!("they are told apart")
    };
    let outcomes: Vec<_> = receipts
        .iter()
        .map(|receipt| match receipt {
            Receipt::Done(outcome) => told(outcome),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(outcomes, [(1, 0, 1), (1, 0, 1)]);
    assert_eq!(fixture.ids("members").await, [3]);
}
