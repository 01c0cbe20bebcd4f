//! Questions find exactly the records that they describe, through indexes, and change nothing.

use quietus_connectors::{Answer, FieldType, Predicate, Question, Value};

use crate::drafting::{draft, equal, field, list, listed, order, text};
use crate::fixture::{Fixture, Kind};

pub fn question(collection: &str, predicate: Predicate, fields: &[&str], most: u32) -> Question {
    let collection = collection.to_owned();
    Question {
        collection,
        predicate,
        fields: fields.iter().map(|path| field(path)).collect(),
        most,
    }
}

/// The whole numbers of one field of an answer, in order.
pub fn numbers(answer: &Answer, name: &str) -> Vec<i64> {
    let mut found: Vec<i64> = answer
        .records
        .iter()
        .map(|record| match record[name] {
            Value::Integer(number) => number,
            _ => panic!("`{name}` is no number"),
        })
        .collect();
    found.sort_unstable();
    found
}

async fn customers(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (id {bigint} PRIMARY KEY, email {text}, phone {text});
             CREATE TABLE orders (id {bigint} PRIMARY KEY, customer_id {bigint}, email {text}, at {moment});
             INSERT INTO customers VALUES (1, 'grace@example.org', NULL),
                (2, 'alan@example.org', '+4930'), (3, NULL, '+4930'), (4, NULL, NULL);
             INSERT INTO orders VALUES (11, 1, NULL, {@2026-01-01T00:00:00Z}),
                (12, 2, 'grace@example.org', NULL), (13, NULL, 'grace@example.org', NULL),
                (14, 9, NULL, NULL), (15, 1, 'grace@example.org', NULL)",
        )
        .await;
}

const CUSTOMERS: &str = "customers: id integer, email text, phone text";
const ORDERS: &str = "orders: id integer, customer_id integer, email text, at timestamp";

pub async fn every_alternative_finds_its_records_once(fixture: &Fixture) {
    customers(fixture).await;
    let before = (fixture.content("customers").await, fixture.content("orders").await);
    let orders = draft(fixture, ORDERS).link("customers", &[("customer_id", "id")]);
    let mut order = order("resolve", [draft(fixture, CUSTOMERS), orders]);
    order.lists = vec![
        list(&[FieldType::Text], vec![vec![text("grace@example.org")]]),
        list(&[FieldType::Integer], vec![vec![Value::Integer(1)], vec![Value::Integer(77)]]),
    ];
    let reached = Predicate::any([listed(&["email"], 0), listed(&["customers.email"], 0)]);
    let questions = [
        question("orders", reached, &["id", "customers.id", "at", "email"], 100),
        question("customers", listed(&["id"], 1), &["email", "phone"], 100),
        question("customers", Predicate::Never, &["email"], 100),
        question("customers", equal("phone", "+4930"), &["id"], 100),
    ];
    let answers = fixture.connector().resolve(&order, &questions).await.expect("answers");
    assert_eq!(numbers(&answers[0], "id"), [11, 12, 13, 15]);
    let first = answers[0].records.iter().find(|one| one["id"] == Value::Integer(11)).expect("11");
    assert_eq!(first["customers.id"], Value::Integer(1));
    assert_eq!(first["at"], Value::Timestamp(crate::drafting::moment("2026-01-01T00:00:00Z")));
    let guest = answers[0].records.iter().find(|one| one["id"] == Value::Integer(13)).expect("13");
    assert_eq!((&guest["customers.id"], &guest["at"]), (&Value::Null, &Value::Null));
    assert_eq!(answers[1].records.len(), 1);
    assert_eq!(answers[1].records[0]["email"], text("grace@example.org"));
    assert_eq!(answers[1].records[0]["phone"], Value::Null);
    assert!(answers[2].records.is_empty());
    assert_eq!(numbers(&answers[3], "id"), [2, 3]);
    assert!(answers.iter().all(|answer| !answer.more));
    assert_eq!(before, (fixture.content("customers").await, fixture.content("orders").await));
}

pub async fn an_answer_is_bounded_and_says_so(fixture: &Fixture) {
    fixture.sql("CREATE TABLE visits (id {bigint} PRIMARY KEY, email {text})").await;
    let rows: Vec<String> = (1..=30).map(|id| format!("({id}, 'grace@example.org')")).collect();
    fixture.verbatim(&format!("INSERT INTO visits VALUES {}", rows.join(", "))).await;
    let order = order("resolve", [draft(fixture, "visits: id integer, email text")]);
    let ask = async |predicate: Predicate, most: u32| {
        let questions = [question("visits", predicate, &["id"], most)];
        fixture.connector().resolve(&order, &questions).await.expect("an answer").remove(0)
    };
    let grace = || equal("email", "grace@example.org");
    let answer = ask(grace(), 29).await;
    assert_eq!((answer.records.len(), answer.more), (29, true));
    let answer = ask(grace(), 30).await;
    assert_eq!((answer.records.len(), answer.more), (30, false));
    // The same thirty records twice are thirty records.
    let twice = Predicate::Any(vec![grace(), equal("email", "grace@example.org")]);
    let answer = ask(twice, 30).await;
    assert_eq!((answer.records.len(), answer.more), (30, false));
}

pub async fn what_no_record_can_hold_finds_nothing(fixture: &Fixture) {
    customers(fixture).await;
    let mut order = order("resolve", [draft(fixture, CUSTOMERS)]);
    order.lists = vec![
        list(&[FieldType::Text], vec![vec![text("' OR 1=1 --")], vec![text("%")], vec![text("")]]),
        list(&[FieldType::Integer], vec![vec![text("one")], vec![text("1; DROP TABLE customers")]]),
        list(&[FieldType::Text], Vec::new()),
    ];
    let questions = [
        question("customers", listed(&["email"], 0), &["id"], 10),
        question("customers", listed(&["id"], 1), &["id"], 10),
        question("customers", listed(&["email"], 2), &["id"], 10),
    ];
    let answers = fixture.connector().resolve(&order, &questions).await.expect("answers");
    assert!(answers.iter().all(|answer| answer.records.is_empty() && !answer.more));
    assert_eq!(fixture.ids("customers").await, [1, 2, 3, 4]);
}

/// A crowd of 40 000, every second of them with an address of their own.
async fn crowd(fixture: &Fixture) {
    fixture
        .sql("CREATE TABLE crowd (id {bigint} PRIMARY KEY, email {text}, number {bigint})")
        .await;
    fixture.sql("CREATE INDEX crowd_email ON crowd (email)").await;
    fixture.sql("CREATE INDEX crowd_number ON crowd (number)").await;
    for start in (0..40_000).step_by(4_000) {
        let rows: Vec<String> = (start..start + 4_000)
            .map(|id| {
                let email =
                    if id % 2 == 0 { format!("'p{id}@example.org'") } else { "NULL".into() };
                format!("({id}, {email}, {})", id + 1_000_000)
            })
            .collect();
        fixture.verbatim(&format!("INSERT INTO crowd VALUES {}", rows.join(", "))).await;
    }
    let analyse = match fixture.kind {
        Kind::Postgresql => "VACUUM ANALYZE crowd",
        Kind::Mariadb => "ANALYZE TABLE crowd",
        Kind::Sqlite => "ANALYZE",
    };
    fixture.verbatim(analyse).await;
}

/// What the server counted of the crowd: records read from the table without and with an index.
pub async fn counted(fixture: &Fixture) -> Option<(u64, u64)> {
    let statement = match fixture.kind {
        Kind::Postgresql => {
            "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'crowd'
             UNION ALL
             SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'crowd'"
        }
        Kind::Mariadb => {
            "SELECT ROWS_READ FROM information_schema.TABLE_STATISTICS
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'crowd'
             UNION ALL
             SELECT SUM(ROWS_READ) FROM information_schema.INDEX_STATISTICS
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'crowd'"
        }
        Kind::Sqlite => return None,
    };
    let found = fixture.column(statement).await;
    let number = |at: usize| found.get(at).and_then(|text| text.parse().ok()).unwrap_or(0);
    Some((number(0), number(1)))
}

/// Asks for every `step`th of the crowd by address or number, and tells whom it found.
async fn ask_for(fixture: &Fixture, step: i64) -> Vec<i64> {
    let mut order =
        order("resolve", [draft(fixture, "crowd: id integer, email text, number integer")]);
    let wanted = || (0..40_000 / step).map(|n| n * step);
    let emails = wanted().map(|id| vec![text(&format!("p{id}@example.org"))]).collect();
    let crowd_numbers = wanted().map(|id| vec![Value::Integer(1_000_000 + id)]).collect();
    order.lists =
        vec![list(&[FieldType::Text], emails), list(&[FieldType::Integer], crowd_numbers)];
    let either = Predicate::any([listed(&["email"], 0), listed(&["number"], 1)]);
    let questions = [question("crowd", either, &["id", "email", "number"], 100_000)];
    let answers = fixture.connector().resolve(&order, &questions).await.expect("answers");
    assert!(!answers[0].more);
    numbers(&answers[0], "id")
}

pub async fn a_thousand_identities_are_found(fixture: &Fixture) {
    crowd(fixture).await;
    let expected: Vec<i64> = (0..1_000).map(|n| n * 40).collect();
    assert_eq!(ask_for(fixture, 40).await, expected);
}

pub async fn identities_are_found_through_their_index(fixture: &Fixture) {
    crowd(fixture).await;
    if fixture.kind == Kind::Mariadb {
        fixture.verbatim("SET GLOBAL userstat = 1").await;
    }
    let before = counted(fixture).await;
    let expected: Vec<i64> = (0..40).map(|n| n * 1_000).collect();
    assert_eq!(ask_for(fixture, 1_000).await, expected);
    let (Some(before), Some(mut after)) = (before, counted(fixture).await) else { return };
    for _ in 0..50 {
        if after.1 > before.1 {
            break;
        }
        // The server writes down what it counted a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        after = counted(fixture).await.unwrap_or(after);
    }
    let (read, through_an_index) = (after.0 - before.0, after.1 - before.1);
    match fixture.kind {
        Kind::Postgresql => assert_eq!(read, 0, "the whole table was read"),
        _ => assert!(read <= 200, "{read} records were read"),
    }
    assert!(through_an_index >= 40, "no index was used: {before:?} {after:?}");
}
