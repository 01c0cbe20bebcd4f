//! Several orders as one: what is done is what each of them asks for, and each gets its own counts.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use quietus_connectors::{
    Connector, Counts, Direction, Fault, FieldType, JointProgress, Order, Outcome, Predicate,
    ProbeCount, Receipt, Together, Value,
};

use crate::drafting::{attempt, deleted, done, draft, equal, list, listed, order, preview, text};
use crate::fixture::Fixture;
use crate::logic::Dice;
use crate::of_persons::looked_at_for_persons;
use crate::people::{
    TABLES, contents, crowd, erasure, insert, random_order, raze, read_in_order, shown, town,
};

/// Rounds of random orders.
const ROUNDS: u64 = 9;

/// Goes on, up to a number of chunks.
pub struct Chunks(AtomicU32);

impl Chunks {
    pub fn most(chunks: u32) -> Self {
        Self(AtomicU32::new(chunks))
    }
}

#[async_trait]
impl JointProgress for Chunks {
    async fn committed(&self, _: &[Outcome]) -> Direction {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        if left <= 1 { Direction::Stop } else { Direction::Continue }
    }

    async fn before_sending(&self, which: &[usize]) -> Vec<Direction> {
        vec![Direction::Continue; which.len()]
    }
}

pub async fn together(connector: &dyn Connector, orders: &[Order]) -> Together {
    connector.execute_together(orders, &Chunks::most(u32::MAX)).await.expect("an answer")
}

pub fn outcomes(answer: Together) -> Vec<Outcome> {
    let Together::Receipts(receipts) = answer else { panic!("{answer:?}") };
    let done = receipts.into_iter().map(|receipt| match receipt {
        Receipt::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    });
    done.collect()
}

/// Keys of people who have nothing in common with others: an address, numbers that only they have,
/// and their identifiers.
async fn somebody(fixture: &Fixture, many: usize, dice: &mut Dice) -> Vec<[Vec<Vec<Value>>; 3]> {
    let rows = fixture.content("people").await;
    let cell = |row: &crate::fixture::TextRow, at: usize| row[at].clone();
    let mut found: Vec<[Vec<Vec<Value>>; 3]> = Vec::new();
    let mut taken = BTreeSet::new();
    for _ in 0..200 {
        if found.len() == many {
            break;
        }
        let at = usize::try_from(dice.roll(rows.len() as u64)).expect("a small number");
        let Some(email) = cell(&rows[at], 1) else { continue };
        if !taken.insert(email.clone()) {
            continue;
        }
        let (theirs, others): (Vec<_>, Vec<_>) =
            rows.iter().partition(|row| cell(row, 1).as_ref() == Some(&email));
        let number = |text: Option<String>| {
            vec![Value::Integer(text.expect("a value").parse().expect("a number"))]
        };
        let shared: BTreeSet<_> = others.iter().map(|row| cell(row, 2)).collect();
        let numbers: BTreeSet<_> = theirs.iter().map(|row| cell(row, 2)).collect();
        found.push([
            vec![vec![text(&email)]],
            numbers.difference(&shared).cloned().map(number).collect(),
            theirs.iter().map(|row| number(cell(row, 0))).collect(),
        ]);
    }
    assert_eq!(found.len(), many, "people enough");
    found
}

/// The same order for each of them.
fn orders_for(whole: &Order, people: &[[Vec<Vec<Value>>; 3]]) -> Vec<Order> {
    let one = |(number, keys): (usize, &[Vec<Vec<Value>>; 3])| {
        let mut order = Order { key: format!("{}-{number}", whole.key), ..whole.clone() };
        for (list, keys) in order.lists.iter_mut().zip(keys) {
            list.entries.clone_from(keys);
        }
        order
    };
    people.iter().enumerate().map(one).collect()
}

/// One order for all of them.
fn as_one(whole: &Order, people: &[[Vec<Vec<Value>>; 3]]) -> Order {
    let mut order = whole.clone();
    for (index, list) in order.lists.iter_mut().take(3).enumerate() {
        list.entries = people.iter().flat_map(|keys| keys[index].clone()).collect();
    }
    order
}

fn sum(outcomes: &[Outcome]) -> Outcome {
    let mut whole = outcomes[0].clone();
    for outcome in &outcomes[1..] {
        for (all, one) in whole.collections.iter_mut().zip(&outcome.collections) {
            assert_eq!(all.collection, one.collection);
            all.deleted += one.deleted;
            all.restricted += one.restricted;
            all.held += one.held;
            for (category, records) in &one.treated {
                *all.treated.entry(category.clone()).or_default() += records;
            }
            for (name, records) in &one.referenced {
                *all.referenced.entry(name.clone()).or_default() += records;
            }
        }
    }
    for part in &mut whole.collections {
        part.treated.retain(|_, records| *records > 0);
    }
    whole
}

/// Nothing happens to comments.
fn leave_comments(order: &mut Order) {
    let comments = order.instructions.iter_mut().find(|one| one.collection == "comments");
    let comments = comments.expect("comments");
    comments.keep = true;
    comments.treatments.clear();
    comments.probes.clear();
    for predicate in [&mut comments.delete_when, &mut comments.restrict_when, &mut comments.held] {
        *predicate = Predicate::Never;
    }
}

fn due_in(counts: &Counts) -> u64 {
    counts.collections.iter().map(|one| one.delete).sum()
}

/// Counts and looks together against those of each order alone; how many records are to be deleted.
async fn looked_at_together(connector: &dyn Connector, orders: &[Order]) -> u64 {
    looked_at_for_persons(connector, orders).await;
    let counts = connector.preview_together(orders).await.expect("counts");
    let found = connector.verify_together(orders).await.expect("a verification");
    for (number, order) in orders.iter().enumerate() {
        let alone = preview(connector, order).await;
        for (own, alone) in counts[number].collections.iter().zip(&alone.collections) {
            assert_eq!(own.probes, alone.probes, "{}", order.key);
            assert_eq!((own.total, own.held), (alone.total, alone.held));
            // Where others' records are among those that go, more goes and less is kept by them.
            let go = |one: &ProbeCount| one.delete + one.referenced.values().sum::<u64>();
            assert!(own.delete >= alone.delete && go(own) <= go(alone), "{own:?} {alone:?}");
        }
        let alone = connector.verify(order).await.expect("a verification");
        assert_eq!(found[number], alone, "{}", order.key);
    }
    counts.iter().map(due_in).sum()
}

/// Carries out some orders by themselves and the rest together; all of them where none is named.
async fn go_apart(connector: &dyn Connector, orders: &[Order], which: &[usize]) {
    let alone = |one: &usize| which.is_empty() || which.contains(one);
    let (alone, rest): (Vec<usize>, Vec<usize>) = (0..orders.len()).partition(alone);
    for one in alone {
        done(connector, &attempt(&orders[one], 2)).await;
    }
    let rest: Vec<Order> = rest.iter().map(|&one| attempt(&orders[one], 2)).collect();
    match rest.as_slice() {
        [] => {}
        [one] => drop(done(connector, one).await),
        _ => drop(together(connector, &rest).await),
    }
}

/// Random orders for four people in a random town.
pub async fn several_orders_do_what_one_for_all_does(fixture: &Fixture) {
    let mut changed = 0;
    let mut parted = 0;
    for round in 0..ROUNDS {
        let seed = 300 + round;
        let on_delete =
            ["", "ON DELETE CASCADE", "ON DELETE SET NULL"][usize::try_from(round % 3).expect("0")];
        town(fixture, seed, on_delete).await;
        let people = somebody(fixture, 4, &mut Dice(seed)).await;
        let mut whole = random_order(fixture, &format!("whole-{round}"), seed, shown);
        if round % 2 == 1 {
            leave_comments(&mut whole);
        }
        whole.pace.chunk_records = if round % 2 == 0 { 7 } else { 10_000 };
        let all = as_one(&whole, &people);
        let expected_counts = preview(&*fixture.connector(), &all).await;
        let expected = done(&*fixture.connector(), &all).await;
        let expected_contents = contents(fixture).await;
        raze(fixture).await;

        town(fixture, seed, on_delete).await;
        whole.key = format!("each-{round}");
        let orders = orders_for(&whole, &people);
        let connector = fixture.connector();
        let due = looked_at_together(&*connector, &orders).await;
        assert_eq!(due, due_in(&expected_counts), "round {round}");
        match together(&*connector, &orders).await {
            Together::Apart { which, why } => {
                // Comments that answer each other may be left over; they go order by order.
                parted += 1;
                assert!(why.contains("circle") || why.contains("`comments`"), "{why}");
                go_apart(&*connector, &orders, &which).await;
            }
            answer => {
                let outcomes = outcomes(answer);
                assert_eq!(sum(&outcomes), sum(std::slice::from_ref(&expected)), "round {round}");
                assert_eq!(contents(fixture).await, expected_contents, "round {round}");
                changed += expected.changed();
            }
        }
        for one in connector.verify_together(&orders).await.expect("a verification") {
            assert!(one.survivors.is_empty(), "round {round}: {one:?}");
        }
        raze(fixture).await;
    }
    assert!(changed > 60 && parted < ROUNDS, "{changed} changed, {parted} parted");
}

/// Members with letters of their own.
async fn club(fixture: &Fixture, members: i64) {
    fixture
        .sql(
            "CREATE TABLE members (id {bigint} PRIMARY KEY, email {text}, name {text});
             CREATE INDEX members_email ON members (email);
             CREATE TABLE letters (id {bigint} PRIMARY KEY, member_id {bigint}, email {text}, kind {bigint},
                FOREIGN KEY (member_id) REFERENCES members (id))",
        )
        .await;
    let mut rows: Vec<String> =
        (0..members).map(|id| format!("({id}, 'm{id}@example.org', 'x')")).collect();
    insert(fixture, "members", &mut rows).await;
    // The member with number n has n % 5 letters by number and one by address.
    let mut number = 0;
    for id in 0..members {
        for letter in 0..=id % 5 {
            number += 1;
            rows.push(if letter == 0 {
                format!("({number}, NULL, 'm{id}@example.org', {})", id % 3)
            } else {
                format!("({number}, {id}, NULL, {})", id % 3)
            });
        }
    }
    insert(fixture, "letters", &mut rows).await;
}

/// Letters of kind 2 stay, and with them the member to whom they are.
fn leaving(fixture: &Fixture, key: &str, member: i64) -> Order {
    let theirs = |path: &str| listed(&[&format!("{path}email")], 0);
    let letter = Predicate::Any(vec![listed(&["email"], 0), theirs("members.")]);
    let goes = Predicate::all([letter.clone(), Predicate::Not(Box::new(equal("kind", 2)))]);
    let mut order = order(
        &format!("{key}-{member}"),
        [
            draft(fixture, "members: id integer, email text, name text")
                .clear("name", theirs(""), &["name"])
                .delete(theirs("")),
            draft(fixture, "letters: id integer, member_id integer, email text, kind integer")
                .link("members", &[("member_id", "id")])
                .probe("theirs", letter)
                .delete(goes),
        ],
    );
    order.lists =
        vec![list(&[FieldType::Text], vec![vec![text(&format!("m{member}@example.org"))]])];
    order
}

/// What an order for a member does.
fn expected_of(member: i64) -> (u64, u64, u64, u64) {
    let number = u64::try_from(member).expect("a small number");
    let stays = number % 3 == 2;
    let bound = stays && number % 5 > 0;
    (u64::from(!bound), if stays { 0 } else { number % 5 + 1 }, u64::from(bound), u64::from(bound))
}

fn told(outcome: &Outcome) -> (u64, u64, u64, u64) {
    let members = crate::drafting::of(outcome, "members");
    (
        members.deleted,
        deleted(outcome, "letters"),
        members.treated.get("name").copied().unwrap_or(0),
        members.referenced.get("letters").copied().unwrap_or(0),
    )
}

/// Each order is told what became of its own person, and nobody else loses a row.
pub async fn each_of_several_orders_gets_its_own_counts(fixture: &Fixture) {
    club(fixture, 60).await;
    let going: Vec<i64> = (0..60).filter(|id| id % 2 == 0).collect();
    let orders: Vec<Order> = going.iter().map(|&id| leaving(fixture, "each", id)).collect();
    let connector = fixture.connector();
    let counts = connector.preview_together(&orders).await.expect("counts");
    for (order, counts) in orders.iter().zip(&counts) {
        assert_eq!(*counts, preview(&*connector, order).await, "{}", order.key);
    }
    let outcomes = outcomes(together(&*connector, &orders).await);
    for (&member, outcome) in going.iter().zip(&outcomes) {
        assert_eq!(told(outcome), expected_of(member), "member {member}");
    }
    let left = fixture
        .count("SELECT COUNT(*) FROM members WHERE id % 2 = 0 AND NOT (id % 3 = 2 AND id % 5 > 0)")
        .await;
    assert_eq!(left, 0);
    assert_eq!(
        fixture.count("SELECT COUNT(*) FROM members WHERE id % 2 = 1 AND name = 'x'").await,
        30
    );
    // The same attempt again, another one, and each by itself find what was done.
    for number in [1, 2] {
        let again: Vec<Order> = orders.iter().map(|order| attempt(order, number)).collect();
        let receipts = together(&*connector, &again).await;
        let Together::Receipts(receipts) = receipts else { panic!("{receipts:?}") };
        for (receipt, outcome) in receipts.iter().zip(&outcomes) {
            assert_eq!(*receipt, Receipt::Done(outcome.clone()));
        }
    }
    assert_eq!(done(&*connector, &attempt(&orders[3], 3)).await, outcomes[3]);
    let keys: Vec<String> = orders.iter().map(|order| order.key.clone()).collect();
    connector.forget_all(&keys).await.expect("nothing is left of them");
    assert_eq!(fixture.count("SELECT COUNT(*) FROM quietus_progress").await, 0);
}

/// Stopped, dropped and begun again in whatever company, each order counts each record once.
pub async fn orders_go_on_in_other_company(fixture: &Fixture) {
    club(fixture, 40).await;
    let members: Vec<i64> = (0..40).step_by(3).collect();
    let mut orders: Vec<Order> = members.iter().map(|&id| leaving(fixture, "on", id)).collect();
    for order in &mut orders {
        order.pace.chunk_records = 3;
    }
    let mut finished: Vec<Option<Outcome>> = vec![None; orders.len()];
    let mut dice = Dice(9);
    let mut number = 0;
    while finished.iter().any(Option::is_none) {
        number += 1;
        assert!(number < 400, "it never ends");
        let open = (0..orders.len()).filter(|&one| finished[one].is_none());
        let company: Vec<usize> = open.filter(|_| dice.roll(3) > 0).collect();
        let next: Vec<Order> = company.iter().map(|&one| attempt(&orders[one], number)).collect();
        let connector = fixture.connector();
        if number % 3 == 0 {
            let most = Duration::from_millis(u64::from(number));
            let unending = Chunks::most(u32::MAX);
            drop(tokio::time::timeout(most, connector.execute_together(&next, &unending)).await);
            continue;
        }
        if next.len() < 2 || number % 7 == 0 {
            for (&one, order) in company.iter().zip(&next).take(1) {
                match connector.execute(order, &crate::drafting::StopAfter::chunks(2)).await {
                    Ok(Receipt::Done(outcome)) => finished[one] = Some(outcome),
                    Ok(Receipt::Stopped(_)) | Err(Fault::Transient { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            continue;
        }
        let most = if number > 60 { u32::MAX } else { 2 };
        match connector.execute_together(&next, &Chunks::most(most)).await {
            Ok(Together::Receipts(receipts)) => {
                for (one, receipt) in company.into_iter().zip(receipts) {
                    if let Receipt::Done(outcome) = receipt {
                        finished[one] = Some(outcome);
                    }
                }
            }
            // Some were finished when the others were not, or were dropped at their very end.
            Ok(Together::Apart { which, why }) => {
                assert!(why.contains("finished before"), "{why}");
                for one in which {
                    let outcome = done(&*connector, &next[one]).await;
                    finished[company[one]] = Some(outcome);
                }
            }
            Err(Fault::Transient { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    for (&member, outcome) in members.iter().zip(&finished) {
        let outcome = outcome.as_ref().expect("an outcome");
        assert_eq!(told(outcome), expected_of(member), "member {member}: {outcome:?}");
    }
}

/// A record of two persons, an order that may touch less than it would, orders that differ, and a
/// later attempt at one of them: nothing is done, or what was done is not counted for another.
pub async fn what_cannot_be_told_apart_is_left_to_each(fixture: &Fixture) {
    club(fixture, 12).await;
    fixture.verbatim("INSERT INTO letters VALUES (900, 3, 'm4@example.org', 1)").await;
    let before: Vec<_> =
        [fixture.content("members").await, fixture.content("letters").await].into();
    let connector = fixture.connector();
    let all =
        |key: &str| -> Vec<Order> { (0..6).map(|member| leaving(fixture, key, member)).collect() };
    let answer = together(&*connector, &all("shared")).await;
    let Together::Apart { which, why } = answer else { panic!("{answer:?}") };
    assert_eq!(which, [3, 4], "{why}");

    let mut narrow = all("narrow");
    narrow.retain(|order| !order.key.ends_with("-4"));
    narrow[1].most_records = Some(1);
    let answer = together(&*connector, &narrow).await;
    let Together::Apart { which, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(which, [1], "member 1 has two letters");

    let mut different = all("different");
    different[0].moment = "2020-01-01T00:00:00Z".parse().expect("a moment");
    let answer = together(&*connector, &different).await;
    assert!(matches!(&answer, Together::Apart { which, .. } if which.is_empty()), "{answer:?}");
    let after: Vec<_> = [fixture.content("members").await, fixture.content("letters").await].into();
    assert_eq!(after, before, "nothing was changed");

    let fenced = all("fenced");
    done(&*connector, &attempt(&fenced[0], 2)).await;
    let answer = connector.execute_together(&fenced, &Chunks::most(u32::MAX)).await;
    assert!(matches!(&answer, Err(Fault::Rejected { .. })), "{answer:?}");
    assert_eq!(fixture.count("SELECT COUNT(*) FROM members").await, 11);
}

/// Several people among many cost what they have and not what the tables have.
pub async fn several_people_are_erased_without_reading_the_tables(fixture: &Fixture) {
    crowd(fixture).await;
    let leaving = |person: u64| {
        let theirs = |path: &str| listed(&[&format!("{path}email")], 0);
        let mut order = order(
            &format!("one-{person}"),
            [
                draft(fixture, "crowd: id integer, email text, name text")
                    .clear("name", theirs(""), &["name"])
                    .delete(theirs("")),
                draft(fixture, "visits: id integer, person_id integer")
                    .link("crowd", &[("person_id", "id")])
                    .delete(theirs("crowd.")),
            ],
        );
        let address = text(&format!("p{person}@example.org"));
        order.lists = vec![list(&[FieldType::Text], vec![vec![address]])];
        order
    };
    let orders: Vec<Order> = (0..40).map(|number| leaving(number * 100)).collect();
    let connector = fixture.connector();
    let before = read_in_order(fixture).await;
    connector.preview_together(&orders).await.expect("counts");
    let outcomes = outcomes(together(&*connector, &orders).await);
    // The server writes down what it counted a moment later.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let read = read_in_order(fixture).await - before;
    for outcome in &outcomes {
        assert_eq!((deleted(outcome, "crowd"), deleted(outcome, "visits")), (1, 4));
    }
    // Both tables are counted in full once, for the preview; PostgreSQL may read one more of them as
    // a whole where forty of its records are wanted, but not for each of them.
    assert!(read < 40_000 + 25_000, "{read} records were read");
}

/// People of the town, all of whose records are cut into small chunks.
pub async fn small_chunks_change_no_counts(fixture: &Fixture) {
    let erasure = erasure(fixture);
    let mut results = Vec::new();
    for chunk_records in [2, 100_000] {
        town(fixture, 21, "").await;
        let people = somebody(fixture, 5, &mut Dice(4)).await;
        let mut whole = erasure.clone();
        whole.key = format!("small-{chunk_records}");
        whole.pace.chunk_records = chunk_records;
        let orders = orders_for(&whole, &people);
        let answer = together(&*fixture.connector(), &orders).await;
        results.push((answer, contents(fixture).await));
        for table in TABLES {
            fixture.verbatim(&format!("DROP TABLE {table}")).await;
        }
    }
    assert_eq!(results[0], results[1]);
}
