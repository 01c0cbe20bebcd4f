//! Fields are cleared or made anonymous once, whatever their type, and restrictions come and go.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod sql_ground;

use quietus_connectors::{
    FieldRef, FieldTreatment, FieldType, PartitionPolicy, Predicate, Receipt, Restriction,
    Strategy, Treatment, TreatmentKind, Value,
};
use sql_ground::{System, Watcher, collection, day, done, equal, of, order};

fn treatment(category: &str, due: Predicate, fields: Vec<(&str, Strategy)>) -> Treatment {
    Treatment {
        category: category.to_owned(),
        kind: TreatmentKind::Anonymise,
        due,
        fields: fields
            .into_iter()
            .map(|(field, strategy)| FieldTreatment { field: field.to_owned(), strategy })
            .collect(),
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[expect(clippy::too_many_lines, reason = "one table, every case")]
async fn every_strategy_is_applied_once(mut system: System) {
    let (moment, json, address, binary) = system.pick(
        ("TIMESTAMPTZ", "JSONB", "INET", "BYTEA"),
        ("DATETIME", "JSON", "VARCHAR(45)", "VARBINARY(20)"),
        ("TEXT", "TEXT", "TEXT", "BLOB"),
    );
    system
        .run(&format!(
            "CREATE TABLE people (id INT PRIMARY KEY, mail VARCHAR(60) NOT NULL UNIQUE, name VARCHAR(20) NOT NULL,
                born DATE, seen {moment}, plz VARCHAR(10), age INT, address {address}, notes {json},
                photo {binary}, memo VARCHAR(20), ratio DECIMAL(8,2));
             INSERT INTO people VALUES
               (1, 'ada@example.org', 'Ada', '1990-05-17', '2024-03-09 11:22:33', '10115', 37, '192.0.2.77', '[1]', NULL, 'x', 12.50),
               (2, 'bob@example.org', 'Bob', '1991-06-18', '2024-04-09 11:22:33', '20', -3, '2001:db8:1:2::5', NULL, NULL, NULL, -0.50),
               (3, 'eve@example.org', 'Eve', '1992-06-18', '2024-04-09 11:22:33', '30', 5, NULL, NULL, NULL, NULL, NULL);"
        ))
        .await;
    let mut people = collection(
        "people",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("mail", FieldType::Text),
            ("name", FieldType::Text),
            ("born", FieldType::Date),
            ("seen", FieldType::Timestamp),
            ("plz", FieldType::Text),
            ("age", FieldType::Integer),
            ("address", FieldType::Address),
            ("notes", FieldType::Json),
            ("photo", FieldType::Binary),
            ("memo", FieldType::Text),
            ("ratio", FieldType::Decimal),
        ],
    );
    people.treatments.push(treatment(
        "identity",
        Predicate::OneOf {
            field: FieldRef::own("id"),
            values: vec![Value::Integer(1), Value::Integer(2), Value::Integer(3)],
        },
        vec![
            ("mail", Strategy::Unique { prefix: "gone-".to_owned() }),
            ("name", Strategy::Constant(text("deleted"))),
            ("born", Strategy::TruncateToYear),
            ("seen", Strategy::TruncateToMonth),
            ("plz", Strategy::KeepPrefix { characters: 2 }),
            ("age", Strategy::Generalise { width: 10 }),
            ("address", Strategy::TruncateAddress),
            ("notes", Strategy::Null),
            ("photo", Strategy::Null),
            ("memo", Strategy::Redact { marker: "-".to_owned() }),
            ("ratio", Strategy::Generalise { width: 5 }),
        ],
    ));
    people.held = equal("name", text("Eve"));
    let connector = system.connector();
    let mut order = order("treat", vec![people]);
    let preview = connector.preview(&order).await.unwrap();
    assert!(preview.drift.is_empty() && preview.refusals.is_empty(), "{preview:?}");
    assert_eq!(preview.collections[0].treat["identity"], 2);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "people").treated["identity"], 2);
    assert_eq!(of(&outcome, "people").held, 1);
    let rows = system
        .rows(
            "SELECT name, CAST(born AS CHAR(10)), CAST(seen AS CHAR(19)), plz, CAST(age AS CHAR(4)),
                CAST(address AS CHAR(30)), CAST(notes AS CHAR(5)), memo, CAST(ratio AS CHAR(6)) FROM people ORDER BY id",
        )
        .await;
    let rows: Vec<String> =
        rows.iter().map(|row| row.replace('T', " ").replace("/32", "")).collect();
    let clean = |row: &str| {
        row.split('|')
            .map(|cell| cell.trim().trim_end_matches("/128").trim_end_matches(".00").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        clean(&rows[0]),
        ["deleted", "1990-01-01", "2024-03-01 00:00:00", "10", "30", "192.0.2.0", "~", "-", "10"]
    );
    assert_eq!(
        clean(&rows[1]),
        [
            "deleted",
            "1991-01-01",
            "2024-04-01 00:00:00",
            "20",
            "-10",
            "2001:db8:1::",
            "~",
            "~",
            "-5"
        ]
    );
    assert_eq!(clean(&rows[2])[0], "Eve");
    let mails = system.rows("SELECT mail FROM people ORDER BY id").await;
    assert!(
        mails[0].starts_with("gone-") && mails[0].len() == 37 && mails[0] != mails[1],
        "{mails:?}"
    );
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
    order.key = "again".into();
    let again = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(again.changed(), 0);
    assert_eq!(system.rows("SELECT mail FROM people ORDER BY id").await, mails);
}

async fn strategies_that_cannot_work_are_refused(mut system: System) {
    system
        .run("CREATE TABLE people (id INT PRIMARY KEY, mail VARCHAR(20) NOT NULL UNIQUE, age INT NOT NULL);")
        .await;
    let mut people = collection(
        "people",
        &["id"],
        &[("id", FieldType::Integer), ("mail", FieldType::Text), ("age", FieldType::Integer)],
    );
    people.treatments = vec![
        treatment("a", Predicate::Always, vec![("age", Strategy::Null)]),
        treatment("b", Predicate::Always, vec![("mail", Strategy::Constant(text("x")))]),
        treatment("c", Predicate::Always, vec![("id", Strategy::Constant(Value::Integer(1)))]),
        treatment("d", Predicate::Always, vec![("age", Strategy::Constant(text("old")))]),
    ];
    let connector = system.connector();
    let order = order("refused", vec![people]);
    let receipt = connector.execute(&order, &Watcher::new()).await.unwrap();
    let Receipt::Refused { reasons, .. } = receipt else { panic!("{receipt:?}") };
    let all = reasons.join("\n");
    for part in [
        "`people.age` may not be null",
        "unique constraint on (mail)",
        "`people.id` is a key field",
        "`constant`",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert_eq!(connector.preview(&order).await.unwrap().refusals, reasons);
}

async fn what_stays_as_a_whole_is_treated_in_part(mut system: System) {
    system
        .run(
            "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(20), left_on DATE);
             CREATE TABLE invoices (id INT PRIMARY KEY, customer_id INT REFERENCES customers (id), FOREIGN KEY (customer_id) REFERENCES customers (id));
             INSERT INTO customers VALUES (1, 'Ada', '2010-01-01'), (2, 'Bob', '2010-01-01');
             INSERT INTO invoices VALUES (1, 1);",
        )
        .await;
    let mut customers = collection(
        "customers",
        &["id"],
        &[("id", FieldType::Integer), ("name", FieldType::Text), ("left_on", FieldType::Date)],
    );
    customers.delete_when = day("left_on", "2020-01-01");
    customers.treatments =
        vec![treatment("name", day("left_on", "2020-01-01"), vec![("name", Strategy::Null)])];
    let mut invoices = collection(
        "invoices",
        &["id"],
        &[("id", FieldType::Integer), ("customer_id", FieldType::Integer)],
    );
    invoices.keep = true;
    let connector = system.connector();
    let order = order("part", vec![customers, invoices]);
    let preview = connector.preview(&order).await.unwrap();
    assert_eq!((preview.collections[0].delete, preview.collections[0].treat["name"]), (1, 1));
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    let counted = of(&outcome, "customers");
    assert_eq!(
        (counted.deleted, counted.treated["name"], counted.referenced["invoices"]),
        (1, 1, 1)
    );
    assert_eq!(outcome.collections.len(), 1);
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
}

async fn restrictions_come_and_go_by_flag(mut system: System) {
    let boolean = system.pick("BOOLEAN", "TINYINT(1)", "BOOLEAN");
    let moment = system.pick("TIMESTAMPTZ", "DATETIME", "TEXT");
    system
        .run(&format!(
            "CREATE TABLE a (id INT PRIMARY KEY, blocked {boolean});
             CREATE TABLE b (id INT PRIMARY KEY, blocked_at {moment});
             INSERT INTO a (id) VALUES (1), (2), (3); INSERT INTO b (id) VALUES (1), (2), (3);"
        ))
        .await;
    let two = || Predicate::OneOf {
        field: FieldRef::own("id"),
        values: vec![Value::Integer(1), Value::Integer(2)],
    };
    let mut a =
        collection("a", &["id"], &[("id", FieldType::Integer), ("blocked", FieldType::Boolean)]);
    a.restriction = Some(Restriction::Flag { field: "blocked".to_owned() });
    a.restrict_when = two();
    let mut b = collection(
        "b",
        &["id"],
        &[("id", FieldType::Integer), ("blocked_at", FieldType::Timestamp)],
    );
    b.restriction = Some(Restriction::Flag { field: "blocked_at".to_owned() });
    b.restrict_when = two();
    let connector = system.connector();
    let mut order = order("restrict", vec![a, b]);
    assert_eq!(connector.preview(&order).await.unwrap().collections[1].restrict, 2);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!((of(&outcome, "a").restricted, of(&outcome, "b").restricted), (2, 2));
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
    order.key = "again".into();
    assert_eq!(done(connector.execute(&order, &Watcher::new()).await.unwrap()).changed(), 0);
    order.key = "lift".into();
    for one in &mut order.instructions {
        one.restrict_when = Predicate::Never;
        one.lift_when = Predicate::Always;
    }
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!((of(&outcome, "a").lifted, of(&outcome, "b").lifted), (2, 2));
}

async fn restrictions_come_and_go_by_moving(mut system: System) {
    system
        .run(
            "CREATE TABLE files (id INT PRIMARY KEY, word VARCHAR(9));
             CREATE TABLE locked_files (word VARCHAR(9), id INT PRIMARY KEY);
             INSERT INTO files VALUES (1, 'a'), (2, 'b'), (3, 'b');",
        )
        .await;
    let mut files =
        collection("files", &["id"], &[("id", FieldType::Integer), ("word", FieldType::Text)]);
    files.restriction = Some(Restriction::Move { to: "locked_files".to_owned() });
    files.restrict_when = equal("word", text("b"));
    let connector = system.connector();
    let mut order = order("move", vec![files]);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "files").restricted, 2);
    assert_eq!(system.rows("SELECT word FROM locked_files").await, ["b", "b"]);
    order.key = "lift".into();
    order.instructions[0].restrict_when = Predicate::Never;
    order.instructions[0].lift_when = Predicate::Always;
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "files").lifted, 2);
    assert_eq!(system.rows("SELECT word FROM files ORDER BY id").await, ["a", "b", "b"]);
}

async fn drift_stops_an_order(mut system: System) {
    system.run("CREATE TABLE a (id INT PRIMARY KEY, extra INT, since DATE);").await;
    let mut a = collection(
        "a",
        &["id", "gone"],
        &[("id", FieldType::Integer), ("gone", FieldType::Text), ("since", FieldType::Date)],
    );
    a.delete_when = Predicate::Always;
    let missing = collection("b", &["id"], &[("id", FieldType::Integer)]);
    let connector = system.connector();
    let order = order("drift", vec![a, missing]);
    let fault = connector.execute(&order, &Watcher::new()).await.unwrap_err().to_string();
    for part in
        ["`a.extra` is in the system", "`a.gone` is mapped", "the key of `a`", "collection `b`"]
    {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    assert_eq!(connector.check(&order).await.unwrap().drift.len(), 4);
    assert_eq!(connector.preview(&order).await.unwrap().drift.len(), 4);
}

async fn a_record_is_inspected_with_its_types(mut system: System) {
    let boolean = system.pick("BOOLEAN", "TINYINT(1)", "BOOLEAN");
    let yes = system.pick("TRUE", "1", "1");
    system
        .run(&format!(
            "CREATE TABLE a (id INT PRIMARY KEY, word VARCHAR(9), since DATE, good {boolean}, price DECIMAL(6,2));
             INSERT INTO a VALUES (1, 'x', '2020-02-03', {yes}, 3.5);"
        ))
        .await;
    let a = collection(
        "a",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("word", FieldType::Text),
            ("since", FieldType::Date),
            ("good", FieldType::Boolean),
            ("price", FieldType::Decimal),
        ],
    );
    let connector = system.connector();
    let order = order("inspect", vec![a]);
    let key = [("id".to_owned(), Value::Integer(1))].into();
    let fields: Vec<FieldRef> =
        ["id", "word", "since", "good"].into_iter().map(FieldRef::own).collect();
    let record = connector.inspect(&order, "a", &key, &fields).await.unwrap().unwrap();
    assert!(record["id"] == Value::Integer(1) && record["word"] == text("x"));
    assert!(
        record["since"] == Value::Date("2020-02-03".parse().unwrap())
            && record["good"] == Value::Boolean(true)
    );
    let other = [("id".to_owned(), Value::Integer(2))].into();
    assert!(connector.inspect(&order, "a", &other, &fields).await.unwrap().is_none());
}

on_every_system! {
    every_strategy_is_applied_once
    strategies_that_cannot_work_are_refused
    what_stays_as_a_whole_is_treated_in_part
    restrictions_come_and_go_by_flag
    restrictions_come_and_go_by_moving
    drift_stops_an_order
    a_record_is_inspected_with_its_types
}

#[tokio::test]
async fn partitions_that_are_due_as_a_whole_are_dropped() {
    let mut system = System::fresh("postgresql", "partitions").await;
    system
        .run(
            "CREATE TABLE events (id BIGINT, at DATE NOT NULL, word TEXT, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
             CREATE TABLE events_2010 PARTITION OF events FOR VALUES FROM ('2010-01-01') TO ('2011-01-01');
             CREATE TABLE events_2011 PARTITION OF events FOR VALUES FROM ('2011-01-01') TO ('2012-01-01');
             CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
             INSERT INTO events SELECT n, DATE '2010-01-01' + n, 'a' FROM generate_series(1, 600) n;
             INSERT INTO events VALUES (9000, '2025-02-02', 'a'), (9001, '2011-02-02', 'held');",
        )
        .await;
    let mut events = collection(
        "events",
        &["id", "at"],
        &[("id", FieldType::Integer), ("at", FieldType::Date), ("word", FieldType::Text)],
    );
    events.delete_when = day("at", "2020-01-01");
    events.held = equal("word", text("held"));
    events.partitions = PartitionPolicy::Drop;
    let connector = system.connector();
    let schema = connector.describe().await.unwrap();
    assert_eq!(schema.collections.len(), 1);
    assert_eq!(schema.collections[0].partitions.len(), 3);
    assert_eq!(schema.collections[0].partitioned_by.as_deref(), Some("at"));
    let mut order = order("partitions", vec![events]);
    order.pace.chunk_records = 100;
    assert_eq!(connector.preview(&order).await.unwrap().collections[0].delete, 600);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(
        (outcome.collections[0].deleted, outcome.collections[0].partitions_dropped),
        (600, 1)
    );
    assert_eq!(
        system.rows("SELECT CAST(id AS TEXT) FROM events ORDER BY id").await,
        ["9000", "9001"]
    );
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
}

#[tokio::test]
async fn moments_of_sqlite_are_read_in_every_usual_form() {
    let mut system = System::fresh("sqlite", "moments").await;
    system
        .run(
            "CREATE TABLE visits (id INTEGER PRIMARY KEY, at TEXT);
             INSERT INTO visits VALUES (1, '2024-06-01 10:00:00'), (2, '2024-06-01T10:00:00Z'), (3, '2024-06-01T10:00:00.000Z'),
               (4, '2024-06-01T12:00:00+02:00'), (5, '2024-06-01 10:00:00.5'), (6, '2024-06-01T10:00:01Z'), (7, 'soon'),
               (8, 'now'), (9, 2460462), (10, ''), (11, '2024-05-31'), (12, '2024-06-01T10:00:00-01:00');",
        )
        .await;
    let mut visits =
        collection("visits", &["id"], &[("id", FieldType::Integer), ("at", FieldType::Timestamp)]);
    visits.delete_when = sql_ground::before("at", "2024-06-01T10:00:00Z");
    let outcome = done(
        system.connector().execute(&order("moments", vec![visits]), &Watcher::new()).await.unwrap(),
    );
    assert_eq!(outcome.collections[0].deleted, 5);
    assert_eq!(
        system.rows("SELECT CAST(id AS TEXT) FROM visits ORDER BY id").await,
        ["5", "6", "7", "8", "9", "10", "12"]
    );
}
