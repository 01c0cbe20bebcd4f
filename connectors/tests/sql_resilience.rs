//! Attempts fence each other, keys of every type are walked, deep chains end, faults are sorted.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod sql_ground;

use async_trait::async_trait;
use quietus_connectors::{
    Cutoff, Direction, Fault, FieldRef, FieldType, Instruction, Order, Predicate, Progress,
    ProgressReport, Receipt, Settings, Value,
};
use secrecy::SecretString;
use sql_ground::{System, Watcher, collection, day, done, of, order};
use tokio::sync::Mutex;

/// Begins a later attempt while the first one is between two chunks.
struct Usurper {
    system: Mutex<System>,
}

#[async_trait]
impl Progress for Usurper {
    async fn committed(&self, _: ProgressReport<'_>) -> Direction {
        self.system.lock().await.run("UPDATE quietus_progress SET attempt = 2").await;
        Direction::Continue
    }
}

fn numbers(key: &str) -> Order {
    let mut numbers =
        collection("numbers", &["id"], &[("id", FieldType::Integer), ("made_on", FieldType::Date)]);
    numbers.delete_when = day("made_on", "2020-01-01");
    order(key, vec![numbers])
}

async fn fill_numbers(system: &mut System) {
    system.run("CREATE TABLE numbers (id INT PRIMARY KEY, made_on DATE);").await;
    let rows: Vec<String> = (1..=20).map(|id| format!("({id}, '2010-01-01')")).collect();
    system.run(&format!("INSERT INTO numbers VALUES {}", rows.join(", "))).await;
}

async fn an_overtaken_attempt_changes_nothing_more(mut system: System) {
    fill_numbers(&mut system).await;
    let connector = system.connector();
    let mut order = numbers("fence");
    let usurper = Usurper { system: Mutex::new(system) };
    let fault = connector.execute(&order, &usurper).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unknown { message } if message.contains("fenced")),
        "{fault:?}"
    );
    let mut system = usurper.system.into_inner();
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(9)) FROM numbers").await.len(), 17);
    order.attempt = 2;
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(outcome.changed(), 20);
}

/// Has something happen between the order being taken over and its first chunk.
struct Meanwhile {
    system: Mutex<System>,
    happens: &'static str,
    says: Direction,
}

#[async_trait]
impl Progress for Meanwhile {
    async fn committed(&self, _: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }

    async fn before_sending(&self) -> Direction {
        self.system.lock().await.run(self.happens).await;
        self.says
    }
}

/// A legal hold came while the connection was opened: what the order was compiled with is outdated.
async fn an_order_called_off_on_its_way_changes_nothing(mut system: System) {
    fill_numbers(&mut system).await;
    let connector = system.connector();
    let order = numbers("on its way");
    let happens = "UPDATE quietus_progress SET attempt = 1";
    let engine = Meanwhile { system: Mutex::new(system), happens, says: Direction::Stop };
    let receipt = connector.execute(&order, &engine).await.unwrap();
    assert!(matches!(&receipt, Receipt::Stopped(done) if done.changed() == 0), "{receipt:?}");
    let mut system = engine.system.into_inner();
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(9)) FROM numbers").await.len(), 20);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(outcome.changed(), 20);
}

/// Another attempt has finished the order, and it was forgotten: nobody is left to fence, and the
/// first chunk of the attempt that comes late is rolled back all the same.
async fn an_order_that_is_over_meanwhile_is_not_begun_anew(mut system: System) {
    fill_numbers(&mut system).await;
    let connector = system.connector();
    let happens = "DELETE FROM quietus_progress";
    let engine = Meanwhile { system: Mutex::new(system), happens, says: Direction::Continue };
    let fault = connector.execute(&numbers("late"), &engine).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unknown { message } if message.contains("fenced")),
        "{fault:?}"
    );
    let mut system = engine.system.into_inner();
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(9)) FROM numbers").await.len(), 20);
}

#[expect(clippy::too_many_lines, reason = "one table, every case")]
async fn keys_of_every_type_are_walked(mut system: System) {
    let types: Vec<(&str, FieldType, String)> = match system.kind {
        "postgresql" => vec![
            ("uuid", FieldType::Uuid, "gen_random_uuid()".into()),
            ("text", FieldType::Text, "'k' || n".into()),
            ("numeric", FieldType::Decimal, "n / 7.0".into()),
            (
                "timestamptz",
                FieldType::Timestamp,
                "TIMESTAMPTZ '2020-01-01' + n * INTERVAL '1.5 hours'".into(),
            ),
            (
                "timestamp",
                FieldType::Timestamp,
                "TIMESTAMP '2020-01-01' + n * INTERVAL '1.5 hours'".into(),
            ),
            ("date", FieldType::Date, "DATE '2020-01-01' + n".into()),
            ("bytea", FieldType::Binary, "CAST('x' || n AS bytea)".into()),
            ("inet", FieldType::Address, "INET '10.0.0.0' + n".into()),
            ("smallint", FieldType::Integer, "CAST(n AS smallint)".into()),
            ("float8", FieldType::Float, "n / 7.0".into()),
            ("boolean, j INT", FieldType::Boolean, "n % 2 = 0, n".into()),
        ],
        "mariadb" => vec![
            ("BINARY(16)", FieldType::Binary, "UNHEX(MD5(n))".into()),
            ("VARCHAR(20)", FieldType::Text, "CONCAT('k', n)".into()),
            ("UUID", FieldType::Uuid, "UUID()".into()),
            ("BIGINT UNSIGNED", FieldType::Integer, "18446744073709551000 + n".into()),
            ("DECIMAL(20,5)", FieldType::Decimal, "n / 7".into()),
            ("DATETIME(6)", FieldType::Timestamp, "'2020-01-01' + INTERVAL n MINUTE".into()),
            ("DATE", FieldType::Date, "'2020-01-01' + INTERVAL n DAY".into()),
            ("TIMESTAMP(6)", FieldType::Timestamp, "'2020-01-01' + INTERVAL n HOUR".into()),
        ],
        _ => vec![
            ("TEXT", FieldType::Text, "'k' || n".into()),
            ("INTEGER", FieldType::Integer, "n".into()),
            ("BLOB", FieldType::Binary, "CAST('b' || n AS BLOB)".into()),
        ],
    };
    let series = system.pick(
        "FROM generate_series(1, 30) n",
        "FROM (SELECT seq AS n FROM seq_1_to_30) s",
        "FROM (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 30) SELECT n FROM s)",
    );
    let suffix = system.pick("", "", " WITHOUT ROWID");
    for (index, (native, field_type, value)) in types.iter().enumerate() {
        let composite = native.contains(", j");
        let key = if composite { "k, j" } else { "k" };
        let columns = if composite { "k, j" } else { "k" };
        system
            .run(&format!(
                "CREATE TABLE t{index} (k {native} NOT NULL, made_on DATE, PRIMARY KEY ({key})){suffix};
                 INSERT INTO t{index} ({columns}) SELECT {value} {series};"
            ))
            .await;
        system.run(&format!("UPDATE t{index} SET made_on = '2010-01-01'")).await;
        let keys: &[&str] = if composite { &["k", "j"] } else { &["k"] };
        let mut fields = vec![("k", *field_type), ("made_on", FieldType::Date)];
        if composite {
            fields.push(("j", FieldType::Integer));
        }
        let mut table: Instruction = collection(&format!("t{index}"), keys, &fields);
        table.delete_when = day("made_on", "2020-01-01");
        let order = order(&format!("keys {index}"), vec![table]);
        let watcher = Watcher::new();
        let receipt = system.connector().execute(&order, &watcher).await;
        if *field_type == FieldType::Float && system.kind == "mariadb" {
            continue;
        }
        let outcome = done(receipt.unwrap());
        assert_eq!(outcome.changed(), 30, "{native}");
        assert!(watcher.told.lock().unwrap().len() >= 10, "{native}");
    }
}

/// Old records that refer to each other.
fn among_themselves(name: &str, reference: &str) -> Instruction {
    let fields =
        [("id", FieldType::Integer), (reference, FieldType::Integer), ("made_on", FieldType::Date)];
    let mut instruction = collection(name, &["id"], &fields);
    instruction.delete_when = day("made_on", "2020-01-01");
    instruction
}

async fn a_deep_chain_ends(mut system: System) {
    system
        .run("CREATE TABLE chain (id INT PRIMARY KEY, next_id INT, made_on DATE, FOREIGN KEY (next_id) REFERENCES chain (id));")
        .await;
    let rows: Vec<String> = (1..=60)
        .map(|id| {
            format!(
                "({id}, {}, '2010-01-01')",
                if id == 1 { "NULL".to_owned() } else { (id - 1).to_string() }
            )
        })
        .collect();
    system.run(&format!("INSERT INTO chain VALUES {}", rows.join(", "))).await;
    let order = order("chain", vec![among_themselves("chain", "next_id")]);
    let connector = system.connector();
    assert_eq!(connector.preview(&order).await.unwrap().collections[0].delete, 60);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "chain").deleted, 60);
    assert!(system.rows("SELECT CAST(id AS CHAR(9)) FROM chain").await.is_empty());
}

async fn circles_that_are_checked_at_once_are_emptied_first(mut system: System) {
    system
        .run(
            "CREATE TABLE pairs (id INT PRIMARY KEY, other_id INT, made_on DATE,
                FOREIGN KEY (other_id) REFERENCES pairs (id) ON DELETE RESTRICT);
             INSERT INTO pairs VALUES (1, NULL, '2010-01-01'), (2, 1, '2010-01-01'), (3, NULL, '2010-01-01'), (4, 3, '2025-01-01');
             UPDATE pairs SET other_id = 2 WHERE id = 1; UPDATE pairs SET other_id = 4 WHERE id = 3;",
        )
        .await;
    let order = order("pairs", vec![among_themselves("pairs", "other_id")]);
    let connector = system.connector();
    assert_eq!(connector.preview(&order).await.unwrap().collections[0].delete, 2);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "pairs").deleted, 2);
    assert_eq!(of(&outcome, "pairs").referenced["pairs"], 1);
    assert_eq!(
        system.rows("SELECT CAST(other_id AS CHAR(1)) FROM pairs ORDER BY id").await,
        ["4", "3"]
    );
}

/// Notes that refer to numbers.
fn notes() -> Instruction {
    let fields = [("id", FieldType::Integer), ("number_id", FieldType::Integer)];
    collection("notes", &["id"], &fields)
}

async fn nothing_goes_that_an_unmapped_table_refers_to(mut system: System) {
    fill_numbers(&mut system).await;
    system
        .run("CREATE TABLE notes (number_id INT, FOREIGN KEY (number_id) REFERENCES numbers (id)); INSERT INTO notes VALUES (3), (3), (4), (NULL);")
        .await;
    let connector = system.connector();
    let order = numbers("unmapped");
    let preview = connector.preview(&order).await.unwrap();
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "numbers").deleted, 18);
    let referenced = &of(&outcome, "numbers").referenced;
    assert_eq!(referenced.values().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(preview.collections[0].delete, 18);
    assert_eq!(&preview.collections[0].referenced, referenced);
}

async fn references_that_are_emptied_do_not_hold(mut system: System) {
    fill_numbers(&mut system).await;
    system
        .run("CREATE TABLE notes (id INT PRIMARY KEY, number_id INT, FOREIGN KEY (number_id) REFERENCES numbers (id) ON DELETE SET NULL); INSERT INTO notes VALUES (1, 3), (2, 4);")
        .await;
    let mut order = numbers("emptied");
    let mut notes = notes();
    notes.keep = true;
    order.instructions.push(notes);
    let outcome = done(system.connector().execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "numbers").deleted, 20);
    assert_eq!(system.rows("SELECT CAST(number_id AS CHAR(9)) FROM notes").await, ["~", "~"]);
}

async fn what_a_clock_reads_stays_as_long_as_its_reader(mut system: System) {
    fill_numbers(&mut system).await;
    system
        .run("CREATE TABLE notes (id INT PRIMARY KEY, number_id INT); INSERT INTO notes VALUES (1, 3), (2, 4);")
        .await;
    let mut order = numbers("needed");
    let mut notes = notes();
    notes.links.push(quietus_connectors::Link {
        name: "number".to_owned(),
        to: "numbers".to_owned(),
        fields: vec![("number_id".to_owned(), "id".to_owned())],
        kind: quietus_connectors::LinkKind::Shallow,
        needed: false,
        clear: Vec::new(),
    });
    notes.delete_when = Predicate::all([
        Predicate::LatestAtOrBefore(vec![(
            FieldRef { via: vec!["number".to_owned()], field: "made_on".to_owned() },
            Cutoff::Day("2020-01-01".parse().unwrap()),
        )]),
        sql_ground::equal("id", Value::Integer(1)),
    ]);
    order.instructions.push(notes);
    let outcome = done(system.connector().execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "notes").deleted, 1);
    assert_eq!(of(&outcome, "numbers").deleted, 19);
    assert_eq!(of(&outcome, "numbers").referenced["notes"], 1);
}

async fn names_with_quotes_are_only_names(mut system: System) {
    let quote = system.pick("\"we\"\"ird; DROP\"", "`we\"ird; DROP`", "\"we\"\"ird; DROP\"");
    system
        .run(&format!("CREATE TABLE {quote} (id INT PRIMARY KEY, {quote} VARCHAR(9)); INSERT INTO {quote} VALUES (1, 'a'), (2, 'b');"))
        .await;
    let name = "we\"ird; DROP";
    let mut table =
        collection(name, &["id"], &[("id", FieldType::Integer), (name, FieldType::Text)]);
    table.delete_when = sql_ground::equal(name, Value::Text("a".to_owned()));
    let outcome = done(
        system.connector().execute(&order("names", vec![table]), &Watcher::new()).await.unwrap(),
    );
    assert_eq!(outcome.changed(), 1);
}

async fn an_unreachable_system_is_transient(system: System) {
    let url = system.pick(
        "postgres://nobody@127.0.0.1:9/none",
        "mysql://nobody@127.0.0.1:9/none",
        "sqlite:///nowhere/to/be/found.db",
    );
    let connector = quietus_connectors::open(
        system.kind,
        Settings {
            system: "test".to_owned(),
            url: SecretString::from(url.to_owned()),
            progress_table: "quietus_progress".to_owned(),
        },
    )
    .unwrap();
    let fault = connector.describe().await.unwrap_err();
    match system.kind {
        "sqlite" => assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}"),
        _ => assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}"),
    }
}

async fn a_record_locked_by_another_is_tried_again_later(mut system: System) {
    fill_numbers(&mut system).await;
    let mut order = numbers("locked");
    order.pace.lock_timeout_ms = 300;
    system.run(system.pick("BEGIN", "START TRANSACTION", "BEGIN IMMEDIATE")).await;
    system.run("UPDATE numbers SET made_on = '2010-01-02' WHERE id = 7").await;
    let connector = system.connector();
    let fault = connector.execute(&order, &Watcher::new()).await.unwrap_err();
    assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
    system.run("COMMIT").await;
    order.attempt = 2;
    assert_eq!(done(connector.execute(&order, &Watcher::new()).await.unwrap()).changed(), 20);
}

async fn a_long_list_is_loaded_in_batches(mut system: System) {
    fill_numbers(&mut system).await;
    let mut order = numbers("long");
    order.instructions[0].delete_when =
        Predicate::Listed { fields: vec![FieldRef::own("id")], list: 0 };
    order.lists.push(quietus_connectors::KeyList {
        types: vec![FieldType::Integer],
        entries: (11..=100_010).map(|id| vec![Value::Integer(id)]).collect(),
    });
    order.pace.chunk_records = 10;
    let connector = system.connector();
    assert_eq!(connector.preview(&order).await.unwrap().collections[0].delete, 10);
    assert_eq!(done(connector.execute(&order, &Watcher::new()).await.unwrap()).changed(), 10);
}

#[tokio::test]
async fn sqlite_overwrites_what_it_deletes() {
    let mut system = System::fresh("sqlite", "overwrites").await;
    system
        .run("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO people VALUES (1, 'Zaphod Quietsworth');")
        .await;
    let file = system.url.trim_start_matches("sqlite://").to_owned();
    let holds = || {
        let bytes = std::fs::read(&file).unwrap();
        bytes.windows(18).any(|window| window == b"Zaphod Quietsworth")
    };
    assert!(holds());
    let mut people =
        collection("people", &["id"], &[("id", FieldType::Integer), ("name", FieldType::Text)]);
    people.delete_when = Predicate::Always;
    done(
        system
            .connector()
            .execute(&order("overwrites", vec![people]), &Watcher::new())
            .await
            .unwrap(),
    );
    assert!(!holds());
}

on_every_system! {
    a_record_locked_by_another_is_tried_again_later
    a_long_list_is_loaded_in_batches
    an_overtaken_attempt_changes_nothing_more
    an_order_called_off_on_its_way_changes_nothing
    an_order_that_is_over_meanwhile_is_not_begun_anew
    keys_of_every_type_are_walked
    a_deep_chain_ends
    circles_that_are_checked_at_once_are_emptied_first
    nothing_goes_that_an_unmapped_table_refers_to
    references_that_are_emptied_do_not_hold
    what_a_clock_reads_stays_as_long_as_its_reader
    names_with_quotes_are_only_names
    an_unreachable_system_is_transient
}

#[tokio::test]
async fn a_reference_that_appears_meanwhile_is_tried_again_later() {
    let mut system = System::fresh("postgresql", "meanwhile").await;
    fill_numbers(&mut system).await;
    system.run("CREATE TABLE notes (number_id INT REFERENCES numbers (id))").await;
    let mut order = numbers("meanwhile");
    order.pace.lock_timeout_ms = 10_000;
    // The reference is not yet committed when the deletion looks, and is when it deletes.
    system.run("BEGIN; INSERT INTO notes VALUES (2)").await;
    let connector = system.connector();
    let watcher = Watcher::new();
    let ending = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        system.run("COMMIT").await;
    };
    let (receipt, ()) = tokio::join!(connector.execute(&order, &watcher), ending);
    let fault = receipt.unwrap_err();
    assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
    order.attempt = 2;
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!((outcome.changed(), of(&outcome, "numbers").referenced["public.notes"]), (19, 1));
}

#[tokio::test]
async fn a_child_that_appears_meanwhile_is_not_taken_along() {
    let mut system = System::fresh("postgresql", "taken_along").await;
    fill_numbers(&mut system).await;
    system
        .run("CREATE TABLE notes (id INT PRIMARY KEY, number_id INT REFERENCES numbers (id) ON DELETE CASCADE)")
        .await;
    let mut order = numbers("along");
    order.pace.lock_timeout_ms = 10_000;
    let mut notes = notes();
    notes.keep = true;
    order.instructions.push(notes);
    system.run("BEGIN; INSERT INTO notes VALUES (1, 2)").await;
    let connector = system.connector();
    let watcher = Watcher::new();
    let ending = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        system.run("COMMIT").await;
    };
    let (receipt, ()) = tokio::join!(connector.execute(&order, &watcher), ending);
    let outcome = done(receipt.unwrap());
    assert_eq!((outcome.changed(), of(&outcome, "numbers").referenced["notes"]), (19, 1));
    assert_eq!(system.rows("SELECT CAST(number_id AS TEXT) FROM notes").await, ["2"]);
}
