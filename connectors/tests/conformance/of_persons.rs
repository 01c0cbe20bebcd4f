//! Orders about persons: what is counted is theirs, alone and together, before and after, and no
//! table is read to its end for one of them.

use std::time::Duration;

use quietus_connectors::{Connector, Counts, FieldType, Order, Predicate, Probe, ProbeCount};

use crate::drafting::{
    count_of, deleted, done, draft, equal, list, listed, order, preview, renamed, text,
};
use crate::fixture::Fixture;
use crate::people::{
    Hide, belongs, crowd, erasure, hidden, random_order, raze, read_in_order, shown, town,
};

/// Rounds of random orders.
const ROUNDS: u64 = 6;

/// The same order for the town, which says whose records it is about.
fn about_persons(order: &Order, hide: Hide) -> Order {
    let mut order = order.clone();
    for one in &mut order.instructions {
        let path = match one.collection.as_str() {
            "people" => "",
            "order_lines" => "orders.people.",
            _ => "people.",
        };
        one.of_persons = Some(hide(Predicate::any(belongs(path))));
    }
    order
}

/// The same order about all records, with a probe that counts the persons' own where it acts.
fn about_all(order: &Order) -> Order {
    let mut order = order.clone();
    for one in &mut order.instructions {
        let acts = one.acts();
        if let Some(predicate) = one.of_persons.take().filter(|_| acts) {
            one.probes.push(Probe { name: "own".to_owned(), predicate });
        }
    }
    order
}

/// Of orders about persons nothing is counted otherwise than of the same orders about all records but
/// how many there are: alone as together, before as in a second look.
pub async fn looked_at_for_persons(connector: &dyn Connector, orders: &[Order]) {
    let orders: Vec<Order> = orders.iter().map(|order| about_persons(order, shown)).collect();
    let together = connector.preview_together(&orders).await.expect("counts");
    let found = connector.verify_together(&orders).await.expect("a verification");
    for (number, order) in orders.iter().enumerate() {
        let alone = connector.verify(order).await.expect("a verification");
        assert_eq!(found[number], alone, "{}", order.key);
        for (own, together) in
            looked_at_for_one(connector, order).await.into_iter().zip(&together[number].collections)
        {
            assert_eq!((own.own, own.total), (together.own, together.total), "{own:?}");
            assert_eq!((own.held, &own.probes), (together.held, &together.probes), "{own:?}");
        }
    }
}

async fn looked_at_for_one(connector: &dyn Connector, order: &Order) -> Vec<ProbeCount> {
    let all = about_all(order);
    let counted = preview(connector, order).await.collections;
    let (own_look, whole_look) = (
        connector.verify(order).await.expect("a verification"),
        connector.verify(&all).await.expect("a verification"),
    );
    assert_eq!(own_look.survivors, whole_look.survivors);
    assert_eq!(own_look.looked_at, whole_look.looked_at);
    assert!(own_look.method.contains("in which the order could do something"));
    assert!(whole_look.method.contains("every collection was counted in full"));
    let whole = preview(connector, &all).await.collections;
    for ((own, mut whole), one) in counted.iter().zip(whole).zip(&order.instructions) {
        let asked = whole.probes.remove("own");
        assert_eq!(own.own, asked.or(Some(0)), "{own:?}");
        assert_eq!(own.total, if one.acts() { whole.total } else { 0 }, "{own:?}");
        (whole.own, whole.total) = (own.own, own.total);
        assert_eq!(*own, whole);
        assert_eq!(own_look.left.get(&one.collection).copied(), own.own, "{}", one.collection);
    }
    counted
}

/// Whether lists lead to the persons' records or every record is asked, they are as many.
pub async fn are_counted_exactly_wherever_they_are_looked_for(fixture: &Fixture) {
    let mut theirs = 0;
    for round in 0..ROUNDS {
        let seed = 500 + round;
        town(fixture, seed, ["", "ON DELETE SET NULL"][usize::from(round % 2 == 1)]).await;
        let connector = fixture.connector();
        let mut counted = Vec::new();
        for hide in [shown as Hide, hidden] {
            let order = random_order(fixture, &format!("own-{round}"), seed, hide);
            counted.push(looked_at_for_one(&*connector, &about_persons(&order, hide)).await);
        }
        // Acts are found from lists, and whose a record is is not told from its shape.
        let order = random_order(fixture, &format!("own-{round}"), seed, shown);
        counted.push(looked_at_for_one(&*connector, &about_persons(&order, hidden)).await);
        assert!(counted.iter().all(|one| *one == counted[0]), "round {round}");
        theirs += counted[0].iter().filter_map(|one| one.own).sum::<u64>();
        raze(fixture).await;
    }
    assert!(theirs > 100, "{theirs} records were theirs");
}

/// What was deleted is what the second look does not see any more, whatever was treated beside it.
pub async fn that_went_are_missing_afterwards(fixture: &Fixture) {
    town(fixture, 5, "").await;
    let order = renamed(&about_persons(&erasure(fixture), shown), "missing");
    let connector = fixture.connector();
    let before = preview(&*connector, &order).await;
    let outcome = done(&*connector, &order).await;
    let after = connector.verify(&order).await.expect("a verification");
    assert!(after.survivors.is_empty(), "{after:?}");
    let mut treated = 0;
    for part in &outcome.collections {
        let own = count_of(&before, &part.collection).own.expect("counted");
        assert_eq!(own - part.deleted, after.left[&part.collection], "{}", part.collection);
        treated += part.treated.values().sum::<u64>();
    }
    assert!(outcome.changed() > 60 && treated > 5, "{outcome:?}");
    assert!(after.left.values().sum::<u64>() > 0, "something is kept");
    // What comes back is seen, whether or not it is due.
    fixture.verbatim("INSERT INTO people VALUES (900, 'p2@example.org', 900)").await;
    fixture.verbatim("INSERT INTO people VALUES (901, 'somebody@example.org', 901)").await;
    let again = connector.verify(&order).await.expect("a verification");
    assert_eq!(again.left["people"], after.left["people"] + 1);
}

/// People of the crowd go, and their visits go too or are kept.
fn leaving(fixture: &Fixture, people: &[u64], visits_go: bool) -> Order {
    let theirs = |path: &str| listed(&[&format!("{path}email")], 0);
    let visits = draft(fixture, "visits: id integer, person_id integer")
        .link("crowd", &[("person_id", "id")]);
    let visits = if visits_go { visits.delete(theirs("crowd.")) } else { visits.keep() };
    let mut order = order(
        &format!("own-{}-{visits_go}", people[0]),
        [
            draft(fixture, "crowd: id integer, email text, name text")
                .clear("name", theirs(""), &["name"])
                .delete(theirs("")),
            visits,
        ],
    );
    order.instructions[0].of_persons = Some(theirs(""));
    order.instructions[1].of_persons = Some(theirs("crowd."));
    let address = |person: &u64| vec![text(&format!("p{person}@example.org"))];
    order.lists = vec![list(&[FieldType::Text], people.iter().map(address).collect())];
    order
}

/// Others are counted as far as a share needs it, and not at all where nothing could happen to them.
pub async fn are_counted_without_reading_all_others(fixture: &Fixture) {
    crowd(fixture).await;
    let connector = fixture.connector();
    let told = |counts: &Counts| {
        let of = |one: &ProbeCount| (one.own, one.total, one.delete);
        counts.collections.iter().map(of).collect::<Vec<_>>()
    };
    let before = read_in_order(fixture).await;
    let one = leaving(fixture, &[100], false);
    let counts = preview(&*connector, &one).await;
    assert_eq!(told(&counts), [(Some(1), 10_000, 1), (Some(0), 0, 0)]);
    let look = connector.verify(&one).await.expect("a verification");
    assert_eq!((look.left["crowd"], look.left["visits"]), (1, 0));
    // The server writes down what it counted a moment later.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let read = read_in_order(fixture).await - before;
    assert!(read < 20_000, "{read} records were read, half of a table is counted");

    // Each is told as much as it needs, though another needs more.
    let orders = [
        leaving(fixture, &[200], true),
        leaving(fixture, &[300, 400], true),
        leaving(fixture, &[19_999_999], true),
    ];
    let together = connector.preview_together(&orders).await.expect("counts");
    let expected = [
        [(Some(1), 10_000, 1), (Some(4), 20_000, 4)],
        [(Some(2), 20_000, 2), (Some(8), 20_000, 8)],
        [(Some(0), 10_000, 0), (Some(0), 10_000, 0)],
    ];
    for ((order, counts), expected) in orders.iter().zip(&together).zip(expected) {
        assert_eq!(told(counts), expected);
        assert_eq!(*counts, preview(&*connector, order).await);
    }
    let outcome = done(&*connector, &orders[1]).await;
    assert_eq!((deleted(&outcome, "crowd"), deleted(&outcome, "visits")), (2, 8));
    let found = connector.verify_together(&orders).await.expect("a verification");
    let left = |number: usize| (found[number].left["crowd"], found[number].left["visits"]);
    assert_eq!([left(0), left(1), left(2)], [(1, 4), (0, 0), (0, 0)]);
}

/// A hold that covers records changes nothing about whose they are.
pub async fn are_theirs_though_they_are_held(fixture: &Fixture) {
    town(fixture, 8, "").await;
    let mut order = about_persons(&erasure(fixture), shown);
    let connector = fixture.connector();
    let free = looked_at_for_one(&*connector, &order).await;
    for one in &mut order.instructions {
        if one.collection != "people" {
            one.held = equal("kind", 1);
        }
    }
    let held = looked_at_for_one(&*connector, &order).await;
    assert!(held.iter().map(|one| one.held).sum::<u64>() > 0);
    for (free, held) in free.iter().zip(&held) {
        assert_eq!((free.own, free.total), (held.own, held.total));
    }
}
