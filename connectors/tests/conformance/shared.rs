//! Records that several parents share: while one of them stays only the association goes, and with
//! the last one the record goes.

use quietus_connectors::{FieldType, LinkKind, Order, Outcome, Predicate};

use crate::associations::{clean, column, raze};
use crate::drafting::{
    deleted, done_as_previewed, draft, equal, list, listed, order, referenced, renamed, treated,
};
use crate::fixture::Fixture;

/// People, and threads that two of them share.
async fn forum(fixture: &Fixture, on_delete: Option<&str>) {
    let reference = |field: &str| match on_delete {
        Some(on_delete) => {
            format!(", FOREIGN KEY ({field}) REFERENCES people (id) {on_delete}")
        }
        None => String::new(),
    };
    fixture
        .sql(&format!(
            "CREATE TABLE people (id {{bigint}} PRIMARY KEY, email {{text}}, kept {{boolean}});
             CREATE TABLE threads (id {{bigint}} PRIMARY KEY, first_id {{bigint}},
                second_id {{bigint}}, body {{text}}, kept {{boolean}}{}{});
             INSERT INTO people VALUES (1, 'ada@example.org', FALSE),
                (2, 'ben@example.org', FALSE), (3, 'cleo@example.org', FALSE);
             INSERT INTO threads VALUES (12, 1, 2, 'a', FALSE), (13, 1, 3, 'b', FALSE),
                (21, 2, 1, 'c', FALSE), (11, 1, 1, 'd', FALSE), (10, 1, NULL, 'e', FALSE),
                (30, 3, NULL, 'f', FALSE), (99, NULL, NULL, 'g', FALSE)",
            reference("first_id"),
            reference("second_id")
        ))
        .await;
}

/// A thread of nobody but the persons on the list.
fn theirs_alone() -> Predicate {
    let other = |link: &str| Predicate::Linked {
        link: link.to_owned(),
        holds: Box::new(listed(&["email"], 0).negate()),
    };
    Predicate::all([
        Predicate::any([listed(&["first.email"], 0), listed(&["second.email"], 0)]),
        other("first").negate(),
        other("second").negate(),
    ])
}

/// Erases people by their addresses; of threads and people what is marked as kept stays.
fn erasure(fixture: &Fixture, key: &str, emails: &[&str]) -> Order {
    let unkept = || equal("kept", false);
    let threads = draft(
        fixture,
        "threads: id integer, first_id integer, second_id integer, body text, kept boolean",
    )
    .loose(LinkKind::Shared, "first", "people", &[("first_id", "id")])
    .loose(LinkKind::Shared, "second", "people", &[("second_id", "id")])
    .delete(Predicate::all([theirs_alone(), unkept()]))
    .clear("content", theirs_alone(), &["body"]);
    let people = draft(fixture, "people: id integer, email text, kept boolean")
        .delete(Predicate::all([listed(&["email"], 0), unkept()]));
    let mut order = order(key, [people, threads]);
    let entries = emails.iter().map(|email| vec![crate::drafting::text(email)]).collect();
    order.lists = vec![list(&[FieldType::Text], entries)];
    order
}

const REFERENCES: [Option<&str>; 4] =
    [Some(""), Some("ON DELETE CASCADE"), Some("ON DELETE SET NULL"), None];

async fn erased(fixture: &Fixture, order: &Order) -> Outcome {
    let outcome = done_as_previewed(&*fixture.connector(), order).await;
    clean(&*fixture.connector(), order, ("threads", "association first")).await;
    clean(&*fixture.connector(), order, ("threads", "association second")).await;
    outcome
}

fn emptied(outcome: &Outcome) -> (u64, u64) {
    let of = |link: &str| treated(outcome, "threads", &format!("association {link}"));
    (of("first"), of("second"))
}

pub async fn of_two_owners_one_goes_and_the_record_stays(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        let order = erasure(fixture, &format!("one-{number}"), &["ada@example.org"]);
        let outcome = erased(fixture, &order).await;
        // Theirs alone go; what is shared stays without them, and nobody else's is touched.
        assert_eq!(deleted(&outcome, "threads"), 2, "{on_delete:?}");
        assert_eq!(emptied(&outcome), (2, 1), "{on_delete:?}");
        assert_eq!(fixture.ids("people").await, [2, 3], "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [12, 13, 21, 30, 99], "{on_delete:?}");
        let first = column(fixture, "threads", "first_id").await;
        assert_eq!(first, ["NULL", "NULL", "2", "3", "NULL"], "{on_delete:?}");
        let second = column(fixture, "threads", "second_id").await;
        assert_eq!(second, ["2", "3", "NULL", "NULL", "NULL"], "{on_delete:?}");
        assert_eq!(column(fixture, "threads", "body").await, ["a", "b", "c", "f", "g"]);
        raze(fixture, &["threads", "people"]).await;
    }
}

pub async fn with_the_last_owner_the_record_goes(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        let first = erasure(fixture, &format!("first-{number}"), &["ada@example.org"]);
        erased(fixture, &first).await;
        let last = erasure(fixture, &format!("last-{number}"), &["ben@example.org"]);
        let outcome = erased(fixture, &last).await;
        assert_eq!(deleted(&outcome, "threads"), 2, "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [13, 30, 99], "{on_delete:?}");
        assert_eq!(fixture.ids("people").await, [3], "{on_delete:?}");
        raze(fixture, &["threads", "people"]).await;
    }
}

pub async fn both_owners_in_one_order_take_the_record_along(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        let both = ["ada@example.org", "ben@example.org"];
        let order = erasure(fixture, &format!("both-{number}"), &both);
        let outcome = erased(fixture, &order).await;
        assert_eq!(deleted(&outcome, "threads"), 4, "{on_delete:?}");
        assert_eq!(emptied(&outcome), (1, 0), "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [13, 30, 99], "{on_delete:?}");
        assert_eq!(fixture.ids("people").await, [3], "{on_delete:?}");
        raze(fixture, &["threads", "people"]).await;
    }
}

pub async fn a_held_owner_or_record_keeps_what_is_shared(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        // Ben is held with everything of his: his threads are not touched, so Ada stays with them.
        let both = ["ada@example.org", "ben@example.org"];
        let mut order = erasure(fixture, &format!("held-{number}"), &both);
        let ben = |path: &str| equal(path, "ben@example.org");
        order.instructions[0].held = ben("email");
        order.instructions[1].held = Predicate::any([ben("first.email"), ben("second.email")]);
        let outcome = erased(fixture, &order).await;
        assert_eq!(fixture.ids("people").await, [1, 2, 3], "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [12, 13, 21, 30, 99], "{on_delete:?}");
        let first = column(fixture, "threads", "first_id").await;
        assert_eq!(first, ["1", "1", "2", "3", "NULL"], "{on_delete:?}");
        assert_eq!(referenced(&outcome, "people", "threads"), 1, "{on_delete:?}");
        raze(fixture, &["threads", "people"]).await;
    }
}

pub async fn an_owner_that_is_kept_keeps_what_is_shared(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        // A minimum keeps Ben's own record, and one keeps a thread of both.
        fixture.sql("UPDATE people SET kept = TRUE WHERE id = 2").await;
        fixture.sql("UPDATE threads SET kept = TRUE WHERE id IN (12, 10)").await;
        let both = ["ada@example.org", "ben@example.org"];
        let order = erasure(fixture, &format!("kept-{number}"), &both);
        let outcome = erased(fixture, &order).await;
        // Thread 10 has no owner but Ada, so she stays with it; both lost their content.
        assert_eq!(fixture.ids("people").await, [1, 2, 3], "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [10, 12, 13, 30, 99], "{on_delete:?}");
        assert_eq!(treated(&outcome, "threads", "content"), 2, "{on_delete:?}");
        assert_eq!(referenced(&outcome, "people", "threads"), 1, "{on_delete:?}");
        assert_eq!(emptied(&outcome), (0, 0), "{on_delete:?}");
        // When the minimum of the thread is over it goes, and Ada with it; Ben's record stays.
        fixture.sql("UPDATE threads SET kept = FALSE WHERE id = 10").await;
        let later = renamed(&order, &format!("kept-later-{number}"));
        let outcome = erased(fixture, &later).await;
        assert_eq!(fixture.ids("people").await, [2, 3], "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [12, 13, 30, 99], "{on_delete:?}");
        assert_eq!(emptied(&outcome), (2, 0), "{on_delete:?}");
        let first = column(fixture, "threads", "first_id").await;
        assert_eq!(first, ["NULL", "NULL", "3", "NULL"], "{on_delete:?}");
        assert_eq!(column(fixture, "threads", "second_id").await, ["2", "3", "NULL", "NULL"]);
        raze(fixture, &["threads", "people"]).await;
    }
}

/// A schedule asks about each collection by itself.
pub async fn a_shared_record_that_stays_keeps_its_last_owner(fixture: &Fixture) {
    for (number, on_delete) in REFERENCES.into_iter().enumerate() {
        forum(fixture, on_delete).await;
        let mut order = erasure(fixture, &format!("swept-{number}"), &["ada@example.org"]);
        let threads = &mut order.instructions[1];
        threads.treatments.clear();
        threads.delete_when = equal("body", "e");
        let outcome = erased(fixture, &order).await;
        // Thread 11 has nobody but Ada, twice.
        assert_eq!(fixture.ids("people").await, [1, 2, 3], "{on_delete:?}");
        assert_eq!(referenced(&outcome, "people", "threads"), 1, "{on_delete:?}");
        assert_eq!(deleted(&outcome, "threads"), 1, "{on_delete:?}");
        fixture.sql("UPDATE threads SET second_id = 3 WHERE id = 11").await;
        let later = renamed(&order, &format!("swept-later-{number}"));
        let outcome = erased(fixture, &later).await;
        assert_eq!(fixture.ids("people").await, [2, 3], "{on_delete:?}");
        assert_eq!(emptied(&outcome), (3, 1), "{on_delete:?}");
        assert_eq!(fixture.ids("threads").await, [11, 12, 13, 21, 30, 99], "{on_delete:?}");
        raze(fixture, &["threads", "people"]).await;
    }
}

/// Accounts belong to whom a record of nothing but keys joins them.
pub async fn owners_may_be_joined_by_records_of_nothing_but_keys(fixture: &Fixture) {
    for (number, guarded) in [true, false].into_iter().enumerate() {
        let references = if guarded {
            ", FOREIGN KEY (account_id) REFERENCES accounts (id), \
             FOREIGN KEY (person_id) REFERENCES people (id)"
        } else {
            ""
        };
        fixture
            .sql(&format!(
                "CREATE TABLE people (id {{bigint}} PRIMARY KEY, email {{text}});
                 CREATE TABLE accounts (id {{bigint}} PRIMARY KEY, iban {{text}});
                 CREATE TABLE holders (account_id {{bigint}} NOT NULL, person_id {{bigint}} NOT NULL,
                    PRIMARY KEY (account_id, person_id){references});
                 INSERT INTO people VALUES (1, 'ada@example.org'), (2, 'ben@example.org'),
                    (3, 'cleo@example.org');
                 INSERT INTO accounts VALUES (10, 'a'), (12, 'b'), (123, 'c'), (30, 'd'), (99, 'e');
                 INSERT INTO holders VALUES (10, 1), (12, 1), (12, 2), (123, 1), (123, 2), (123, 3),
                    (30, 3)"
            ))
            .await;
        let erase = |key: &str, emails: &[&str]| {
            let other = Predicate::Linked {
                link: "holders".to_owned(),
                holds: Box::new(listed(&["person.email"], 0).negate()),
            };
            let alone = Predicate::all([listed(&["holders.person.email"], 0), other.negate()]);
            let mut order = order(
                &format!("{key}-{number}"),
                [
                    draft(fixture, "accounts: id integer, iban text")
                        .loose(LinkKind::Shared, "holders", "holders", &[("id", "account_id")])
                        .delete(alone),
                    draft(fixture, "people: id integer, email text").delete(listed(&["email"], 0)),
                    draft(fixture, "holders: account_id integer, person_id integer")
                        .key(&["account_id", "person_id"])
                        .loose(LinkKind::Deep, "person", "people", &[("person_id", "id")])
                        .loose(LinkKind::Shallow, "account", "accounts", &[("account_id", "id")])
                        .delete(listed(&["person.email"], 0)),
                ],
            );
            let entries = emails.iter().map(|email| vec![crate::drafting::text(email)]).collect();
            order.lists = vec![list(&[FieldType::Text], entries)];
            order
        };
        let ada = erase("ada", &["ada@example.org"]);
        let outcome = done_as_previewed(&*fixture.connector(), &ada).await;
        assert_eq!((deleted(&outcome, "accounts"), deleted(&outcome, "holders")), (1, 3));
        assert_eq!(fixture.ids("accounts").await, [12, 30, 99, 123], "guarded: {guarded}");
        assert_eq!(fixture.ids("people").await, [2, 3], "guarded: {guarded}");
        let holders =
            fixture.column("SELECT person_id FROM holders ORDER BY account_id, person_id");
        assert_eq!(holders.await, ["2", "3", "2", "3"], "guarded: {guarded}");
        clean(&*fixture.connector(), &ada, ("accounts", "association holders")).await;
        let rest = erase("rest", &["ben@example.org", "cleo@example.org"]);
        let outcome = done_as_previewed(&*fixture.connector(), &rest).await;
        assert_eq!((deleted(&outcome, "accounts"), deleted(&outcome, "holders")), (3, 4));
        assert_eq!(fixture.ids("accounts").await, [99], "guarded: {guarded}");
        assert!(fixture.ids("people").await.is_empty(), "guarded: {guarded}");
        raze(fixture, &["holders", "accounts", "people"]).await;
    }
}
