//! Tables that the account is not shown: the server follows their foreign keys all the same.

use quietus_connectors::{Connector, Health, Order, Receipt, open};

use crate::drafting::{CUTOFF, Onward, deleted, draft, due, order, renamed};
use crate::fixture::{Fixture, settings};
use crate::reach::with_credentials;
use crate::scope::{PEOPLE, twenty_people};

/// An account of its own and a second database, both of which go whatever becomes of the test.
struct Eraser<'a> {
    fixture: &'a Fixture,
    account: String,
    /// The other database.
    beside: String,
}

impl<'a> Eraser<'a> {
    /// May do what an order needs on `people` and is shown nothing else.
    async fn new(fixture: &'a Fixture) -> Self {
        twenty_people(fixture).await;
        let database = &fixture.database;
        let eraser = Self {
            fixture,
            account: format!("eraser_{}@'127.0.0.1'", database.replace("quietus_test_", "")),
            beside: format!("{database}-beside"),
        };
        eraser.remove().await;
        let account = &eraser.account;
        fixture
            .verbatim(&format!(
                "CREATE USER {account} IDENTIFIED BY 'secret';
                 GRANT SELECT, UPDATE, DELETE ON {database}.people TO {account};
                 GRANT CREATE, SELECT, INSERT, UPDATE, DELETE
                    ON {database}.quietus_progress TO {account};
                 CREATE DATABASE `{}`",
                eraser.beside
            ))
            .await;
        eraser
    }

    async fn remove(&self) {
        let (account, beside) = (&self.account, &self.beside);
        let statement =
            format!("DROP USER IF EXISTS {account}; DROP DATABASE IF EXISTS `{beside}`");
        self.fixture.verbatim(&statement).await;
    }

    async fn may(&self, what: &str) {
        self.fixture.verbatim(&format!("GRANT {what} TO {}", self.account)).await;
    }

    async fn may_no_longer(&self, what: &str) {
        self.fixture.verbatim(&format!("REVOKE {what} FROM {}", self.account)).await;
    }

    fn connector(&self) -> Box<dyn Connector> {
        let (user, _) = self.account.split_once('@').expect("a host");
        let url = with_credentials(self.fixture, user, "secret");
        open(self.fixture.kind.name(), settings(&url)).expect("the settings are good")
    }

    /// Why the order is refused, and what is said of it beforehand.
    async fn refused(&self, order: &Order) -> (String, Health) {
        let connector = self.connector();
        let health = connector.check(order).await.expect("it can be reached");
        let reasons = connector.preview(order).await.expect("a preview").refusals;
        let receipt = connector.execute(order, &Onward).await;
        match receipt {
            Ok(Receipt::Refused { reasons: those, .. }) => assert_eq!(those, reasons),
            other => panic!("expected a refusal, got {other:?}"),
        }
        (reasons.join("; "), health)
    }
}

fn people(fixture: &Fixture, key: &str) -> Order {
    order(key, [draft(fixture, PEOPLE).delete(due("left_at", CUTOFF))])
}

/// A note about each person in a table of this name, which goes with its person.
async fn notes(fixture: &Fixture, table: &str) {
    fixture
        .verbatim(&format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, person_id bigint,
                FOREIGN KEY (person_id) REFERENCES {}.people (id) ON DELETE CASCADE);
             INSERT INTO {table} SELECT id, id FROM people",
            fixture.database
        ))
        .await;
}

pub async fn a_table_that_the_account_is_not_shown_stops_the_order(fixture: &Fixture) {
    let eraser = Eraser::new(fixture).await;
    let database = &fixture.database;
    notes(fixture, "notes").await;
    let order = people(fixture, "unseen");
    let (blind, warned) = eraser.refused(&order).await;
    // Who may ask the storage engine is told which table it is.
    eraser.may("PROCESS ON *.*").await;
    let (named, named_before) = eraser.refused(&order).await;
    eraser.may(&format!("SELECT ON {database}.notes")).await;
    let (shown, _) = eraser.refused(&order).await;
    eraser.may_no_longer("PROCESS ON *.*").await;
    eraser.may(&format!("SELECT ON {database}.*")).await;
    let (mapped, _) = eraser.refused(&order).await;
    eraser.remove().await;
    assert!(blind.contains(&format!("grant SELECT on `{database}`.*")), "{blind}");
    assert_eq!(warned.missing_privileges.first(), Some(&blind));
    assert!(named.contains(&format!("grant SELECT on `{database}`.`notes`")), "{named}");
    assert_eq!(named_before.missing_privileges, [named]);
    for known in [shown, mapped] {
        assert!(known.contains("would cascade into `notes`"), "{known}");
    }
    assert_eq!(fixture.ids("people").await.len(), 20);
    assert_eq!(fixture.ids("notes").await.len(), 20);
}

/// With `SELECT` on the whole database an order is carried out; that other databases were not looked
/// at is said.
pub async fn what_other_databases_do_is_known_or_said_not_to_be(fixture: &Fixture) {
    let eraser = Eraser::new(fixture).await;
    let database = &fixture.database;
    eraser.may(&format!("SELECT ON {database}.*")).await;
    let order = people(fixture, "ordinary");
    let ordinary = eraser.connector().check(&order).await;
    let receipt = eraser.connector().execute(&order, &Onward).await;
    eraser.may("SELECT ON *.*").await;
    let everywhere = eraser.connector().check(&order).await;
    eraser.may_no_longer("SELECT ON *.*").await;
    eraser.may("PROCESS ON *.*").await;
    let asked = eraser.connector().check(&order).await;
    // A name that the storage engine writes in its own way.
    let letters = format!("`{}`.`Länge/Brief 1`", eraser.beside);
    notes(fixture, &letters).await;
    let again = renamed(&order, "beside");
    let (named, _) = eraser.refused(&again).await;
    eraser.may(&format!("SELECT ON {letters}")).await;
    let (shown, _) = eraser.refused(&again).await;
    eraser.remove().await;
    let ordinary = ordinary.expect("it can be reached");
    assert_eq!(ordinary.missing_privileges, Vec::<String>::new());
    let said = ordinary.not_shown.join("; ");
    assert!(said.contains("other databases") && said.contains("grant PROCESS on *.*"), "{said}");
    let Ok(Receipt::Done(outcome)) = &receipt else { panic!("expected done, got {receipt:?}") };
    assert_eq!(deleted(outcome, "people"), 10);
    for health in [everywhere, asked] {
        let health = health.expect("it can be reached");
        assert_eq!((health.missing_privileges, health.not_shown), (Vec::new(), Vec::new()));
    }
    assert!(named.contains(&format!("grant SELECT on {letters}")), "{named}");
    assert!(shown.contains("would cascade into"), "{shown}");
    assert_eq!(fixture.ids("people").await, (11..=20).collect::<Vec<_>>());
}
