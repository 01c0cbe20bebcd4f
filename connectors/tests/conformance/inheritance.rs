//! Tables of PostgreSQL that inherit from others without being partitions.

use quietus_connectors::Predicate;

use crate::drafting::{CUTOFF, deleted, done_as_previewed, draft, due, equal, order, refused};
use crate::fixture::Fixture;

const MEMBERS: &str = "members: id integer, left_at timestamp";
const PATRONS: &str = "patrons: id integer, left_at timestamp";

/// Member 1 is due and 2 is not; 11 is due and 12 is not in `patrons`, who are members too.
async fn club(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE members (id bigint PRIMARY KEY, left_at timestamptz);
             CREATE TABLE patrons (PRIMARY KEY (id)) INHERITS (members);
             CREATE TABLE founders (PRIMARY KEY (id)) INHERITS (patrons);
             INSERT INTO members VALUES (1, {@2025-01-01T00:00:00Z}), (2, NULL);
             INSERT INTO patrons VALUES (11, {@2025-01-01T00:00:00Z}), (12, NULL)",
        )
        .await;
}

pub async fn a_mapped_heir_stops_the_order(fixture: &Fixture) {
    club(fixture).await;
    let connector = fixture.connector();
    let due = || due("left_at", CUTOFF);
    // The record is held where it is mapped, and `members` has no such hold.
    let held = || draft(fixture, PATRONS).delete(due()).held(equal("id", 11));
    let (members, patrons) = (draft(fixture, MEMBERS), draft(fixture, PATRONS));
    for (key, drafts) in [
        ("parent", [members.clone().delete(due()), held()]),
        ("parent-only", [members.clone().delete(due()), patrons.clone().keep()]),
        ("heir-only", [members.keep(), patrons.delete(due())]),
    ] {
        let order = order(key, drafts);
        let said = refused(&*connector, &order).await;
        assert!(said.contains("`patrons` inherits from `members`"), "{key}: {said}");
        assert!(said.contains("NO INHERIT"), "{key}: {said}");
        assert_eq!(connector.preview(&order).await.expect("a preview").refusals, [said]);
    }
    assert_eq!(fixture.ids("members").await, [1, 2, 11, 12]);
    let order = order("apart", [draft(fixture, MEMBERS).delete(due()), held()]);
    fixture.verbatim("ALTER TABLE patrons NO INHERIT members").await;
    let outcome = done_as_previewed(&*connector, &order).await;
    assert_eq!((deleted(&outcome, "members"), deleted(&outcome, "patrons")), (1, 0));
    assert_eq!(fixture.ids("patrons").await, [11, 12]);
}

/// As tables were partitioned before PostgreSQL could.
pub async fn heirs_that_nobody_mapped_are_part_of_their_table(fixture: &Fixture) {
    club(fixture).await;
    let everybody = order("all", [draft(fixture, MEMBERS).delete(due("left_at", CUTOFF))]);
    let outcome = done_as_previewed(&*fixture.connector(), &everybody).await;
    assert_eq!(deleted(&outcome, "members"), 2);
    assert_eq!(fixture.ids("members").await, [2, 12]);
    assert_eq!(fixture.ids("patrons").await, [12]);
}

/// A foreign key leads to the heir only, however far down it is.
pub async fn what_refers_to_an_heir_stops_the_order(fixture: &Fixture) {
    club(fixture).await;
    fixture
        .sql(
            "CREATE TABLE seats (id bigint PRIMARY KEY, founder_id bigint
                REFERENCES founders (id) ON DELETE CASCADE);
             INSERT INTO founders VALUES (21, {@2025-01-01T00:00:00Z});
             INSERT INTO seats VALUES (1, 21)",
        )
        .await;
    let everybody = order("seats", [draft(fixture, MEMBERS).delete(due("left_at", CUTOFF))]);
    let said = refused(&*fixture.connector(), &everybody).await;
    assert!(said.contains("`public.seats` leads to `public.founders`"), "{said}");
    assert_eq!(fixture.ids("seats").await, [1]);
    let none = order("none", [draft(fixture, MEMBERS).delete(Predicate::Never)]);
    done_as_previewed(&*fixture.connector(), &none).await;
    fixture.verbatim("DROP TABLE seats").await;
    let outcome = done_as_previewed(&*fixture.connector(), &everybody).await;
    assert_eq!(deleted(&outcome, "members"), 3);
}
