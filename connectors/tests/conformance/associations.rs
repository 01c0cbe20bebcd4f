//! Shallow and shared links: the association goes with the parent, the record with its last owner.

use quietus_connectors::{
    Connector, FieldType, LinkKind, LookedAt, Order, Outcome, Predicate, Receipt, Value,
    Verification,
};

use crate::drafting::{
    CUTOFF, Draft, StopAfter, attempt, deleted, done, done_as_previewed, draft, due, equal, list,
    listed, of, order, preview, referenced, refused, renamed, treated,
};
use crate::fixture::Fixture;

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

async fn raze(fixture: &Fixture, tables: &[&str]) {
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
async fn clean(connector: &dyn Connector, order: &Order, association: (&str, &str)) {
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
async fn column(fixture: &Fixture, table: &str, field: &str) -> Vec<String> {
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

pub async fn what_refers_to_nobody_afterwards_is_found(fixture: &Fixture) {
    desk(fixture, "").await;
    // It referred to nobody before, and whatever that means is not for us to end.
    fixture.verbatim("INSERT INTO tickets VALUES (91, 900, 'x')").await;
    let customers = draft(fixture, CUSTOMERS).delete(due("left_at", CUTOFF));
    let order = order("planted", [customers, tickets(fixture)]);
    let connector = fixture.connector();
    let before = connector.verify(&order).await.expect("a verification");
    assert!(!looked_at(&before, ("tickets", CUSTOMER)), "nobody counted before: {before:?}");
    done_as_previewed(&*connector, &order).await;
    clean(&*connector, &order, ("tickets", CUSTOMER)).await;
    assert_eq!(column(fixture, "tickets", "customer_id").await.last().expect("one"), "900");
    fixture.verbatim("INSERT INTO tickets VALUES (92, 1, 'y')").await;
    let found = connector.verify(&order).await.expect("a verification");
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
