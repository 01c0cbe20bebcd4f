//! No planted value comes back in a receipt, a fault, a preview or a log.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

use quietus_connectors::{FieldType, Order, Predicate, Strategy, TreatmentKind, Value};

use crate::drafting::{CUTOFF, Onward, draft, due, equal, list, listed, order, text};
use crate::fixture::Fixture;

/// Part of every planted value.
const CANARY: &str = "canary7f3a";

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTEN: Once = Once::new();

/// Keeps the log lines in which a planted value stands, and forgets the others.
struct Ear;

impl Write for Ear {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let words = String::from_utf8_lossy(line);
        if words.contains(CANARY) {
            LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(words.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    LISTEN.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Ear)
            .init();
    });
}

fn assert_discreet(what: &str, words: &str) {
    assert!(!words.contains(CANARY), "{what} gives a value away: {words}");
}

async fn planted(fixture: &Fixture) {
    listen();
    fixture
        .sql(&format!(
            "CREATE TABLE people (email varchar(80) PRIMARY KEY, name {{text}}, tag {{bigint}},
                left_at {{moment}}, CONSTRAINT tag_and_name UNIQUE (tag, name),
                CONSTRAINT name_is_short CHECK (length(name) < 60));
             INSERT INTO people VALUES
                ('{CANARY}-ann@example.org', '{CANARY} Ann', 1, {{@2025-01-01T00:00:00Z}}),
                ('{CANARY}-bob@example.org', '{CANARY} Ann', 2, {{@2025-01-01T00:00:00Z}}),
                ('{CANARY}-cid@example.org', '{CANARY} Cid', 3, {{@2026-05-01T00:00:00Z}})"
        ))
        .await;
}

const PEOPLE: &str = "people: email text, name text, tag integer, left_at timestamp";

/// Does everything that can be done with an order and looks at all that is said.
async fn assert_order_discreet(fixture: &Fixture, order: &Order) {
    let connector = fixture.connector();
    let key = [("email".to_owned(), text(&format!("{CANARY}-ann@example.org")))].into();
    let inspected =
        connector.inspect(order, "people", &key, &[crate::drafting::field("name")]).await;
    assert_discreet("inspect", &format!("{inspected:?}"));
    assert_discreet("order", &format!("{order:?}"));
    assert_discreet("check", &format!("{:?}", connector.check(order).await));
    assert_discreet("describe", &format!("{:?}", connector.describe().await));
    assert_discreet("preview", &format!("{:?}", connector.preview(order).await));
    let receipt = connector.execute(order, &Onward).await;
    assert_discreet("execute", &format!("{receipt:?}"));
    if let Err(fault) = &receipt {
        assert_discreet("fault", &fault.to_string());
    }
    assert_discreet("verify", &format!("{:?}", connector.verify(order).await));
    let progress = fixture.rows("SELECT * FROM quietus_progress").await;
    for row in progress {
        assert_discreet("the progress table", &format!("{row:?}"));
    }
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    assert_discreet("the log", &logged);
}

pub async fn planted_values_never_come_back(fixture: &Fixture) {
    planted(fixture).await;
    let people = draft(fixture, PEOPLE)
        .key(&["email"])
        .delete(Predicate::any([
            listed(&["email"], 0),
            equal("name", format!("{CANARY} Eve").as_str()),
        ]))
        .held(equal("email", format!("{CANARY}-cid@example.org").as_str()));
    let mut order = order("discreet", [people]);
    let entry = |name: &str| vec![text(&format!("{CANARY}-{name}@example.org"))];
    order.lists = vec![list(&[FieldType::Text], vec![entry("ann"), entry("zoe")])];
    order.pace.chunk_records = 1;
    assert_order_discreet(fixture, &order).await;
    assert_eq!(fixture.count("SELECT COUNT(*) FROM people").await, 2);
}

/// The database's own message quotes the values: `Key (tag, name)=(0, …) already exists`.
pub async fn a_violated_unique_constraint_is_told_without_values(fixture: &Fixture) {
    planted(fixture).await;
    let people = draft(fixture, PEOPLE).key(&["email"]).treat(
        "tags",
        TreatmentKind::Anonymise,
        due("left_at", CUTOFF),
        [("tag", Strategy::Constant(Value::Integer(0)))],
    );
    let order = order("unique", [people]);
    assert_order_discreet(fixture, &order).await;
    let receipt = fixture.connector().execute(&order, &Onward).await;
    assert!(!matches!(receipt, Ok(quietus_connectors::Receipt::Done(_))), "{receipt:?}");
}

/// And the row that fails a check: `Failing row contains (…)`.
pub async fn a_violated_check_is_told_without_values(fixture: &Fixture) {
    planted(fixture).await;
    let people = draft(fixture, PEOPLE).key(&["email"]).anonymise(
        "names",
        equal("tag", 1),
        "name",
        Strategy::Redact { marker: format!("long {}", "x".repeat(70)) },
    );
    let order = order("check", [people]);
    assert_order_discreet(fixture, &order).await;
    let receipt = fixture.connector().execute(&order, &Onward).await;
    assert!(!matches!(receipt, Ok(quietus_connectors::Receipt::Done(_))), "{receipt:?}");
}

/// A trigger of the application that shouts: its message is not passed on.
pub async fn an_applications_own_error_is_not_passed_on(fixture: &Fixture) {
    planted(fixture).await;
    let trigger = match fixture.kind {
        crate::fixture::Kind::Postgresql => {
            "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'cannot delete %', OLD.email; END $$;
             CREATE TRIGGER shout BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION shout()"
        }
        crate::fixture::Kind::Mariadb => {
            "CREATE TRIGGER shout BEFORE DELETE ON people FOR EACH ROW
                SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'cannot delete canary7f3a'"
        }
        crate::fixture::Kind::Sqlite => {
            "CREATE TRIGGER shout BEFORE DELETE ON people
                BEGIN SELECT RAISE(ABORT, 'cannot delete canary7f3a'); END"
        }
    };
    fixture.verbatim(trigger).await;
    let people = draft(fixture, PEOPLE).key(&["email"]).delete(due("left_at", CUTOFF));
    let order = order("shout", [people]);
    assert_order_discreet(fixture, &order).await;
    let receipt = fixture.connector().execute(&order, &Onward).await;
    assert!(receipt.is_err(), "{receipt:?}");
    assert_eq!(fixture.count("SELECT COUNT(*) FROM people").await, 3);
}
