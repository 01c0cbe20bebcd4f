//! Records go children first, and nothing that stays loses what it refers to.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod sql_ground;

use quietus_connectors::{
    Comparison, Cutoff, FieldRef, FieldType, KeyList, Link, LinkKind, Predicate, Receipt,
    RefusalKind, Value,
};
use sql_ground::{System, Watcher, before, collection, day, done, equal, of, order};

const SHOP: &str = "
    CREATE TABLE customers (id INT PRIMARY KEY, left_on DATE, status VARCHAR(10));
    CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT NOT NULL, placed_on DATE,
        FOREIGN KEY (customer_id) REFERENCES customers (id));
    CREATE TABLE items (order_id INT NOT NULL, line INT NOT NULL, PRIMARY KEY (order_id, line),
        FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE);
    INSERT INTO customers VALUES (1, '2015-01-01', 'a'), (2, '2015-01-01', 'a'), (3, '2015-01-01', 'b'),
        (4, '2024-01-01', 'a'), (5, NULL, 'a'), (6, '2014-01-01', 'c'), (7, '2013-01-01', NULL);
    INSERT INTO orders VALUES (10, 1, '2014-01-01'), (11, 1, '2014-02-01'), (12, 2, '2023-01-01'),
        (13, 4, '2014-01-01'), (14, 5, '2014-01-01'), (15, 7, '2012-01-01');
    INSERT INTO items VALUES (10, 1), (10, 2), (11, 1), (12, 1), (13, 1), (14, 1), (15, 1), (15, 2), (15, 3);";

fn link(name: &str, to: &str, own: &str, other: &str) -> Link {
    Link {
        name: name.to_owned(),
        to: to.to_owned(),
        fields: vec![(own.to_owned(), other.to_owned())],
        kind: LinkKind::Deep,
        needed: false,
        clear: Vec::new(),
    }
}

fn shop() -> Vec<quietus_connectors::Instruction> {
    let mut customers = collection(
        "customers",
        &["id"],
        &[("id", FieldType::Integer), ("left_on", FieldType::Date), ("status", FieldType::Text)],
    );
    customers.delete_when = day("left_on", "2020-01-01");
    customers.held = equal("status", Value::Text("b".to_owned()));
    let mut orders = collection(
        "orders",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("customer_id", FieldType::Integer),
            ("placed_on", FieldType::Date),
        ],
    );
    orders.links.push(link("customer", "customers", "customer_id", "id"));
    orders.delete_when = day("placed_on", "2020-01-01");
    let mut items = collection(
        "items",
        &["order_id", "line"],
        &[("order_id", FieldType::Integer), ("line", FieldType::Integer)],
    );
    items.links.push(link("order", "orders", "order_id", "id"));
    items.delete_when = Predicate::LatestAtOrBefore(vec![(
        FieldRef { via: vec!["order".to_owned()], field: "placed_on".to_owned() },
        Cutoff::Day("2020-01-01".parse().unwrap()),
    )]);
    vec![customers, orders, items]
}

async fn children_go_first_and_what_is_referred_to_stays(mut system: System) {
    system.run(SHOP).await;
    let connector = system.connector();
    let order = order("shop", shop());
    let preview = connector.preview(&order).await.unwrap();
    assert!(preview.drift.is_empty() && preview.refusals.is_empty(), "{preview:?}");
    let deletes: Vec<u64> = preview.collections.iter().map(|one| one.delete).collect();
    assert_eq!(deletes, [3, 5, 8]);
    assert_eq!(preview.collections[0].referenced["orders"], 1);
    assert_eq!(preview.collections[0].held, 1);
    assert_eq!(preview.collections[0].total, 7);

    let before = connector.verify(&order).await.unwrap();
    assert!(!before.survivors.is_empty());
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "customers").deleted, 3);
    assert_eq!(of(&outcome, "orders").deleted, 5);
    assert_eq!(of(&outcome, "items").deleted, 8);
    assert_eq!(of(&outcome, "customers").referenced["orders"], 1);
    assert_eq!(of(&outcome, "customers").held, 1);
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(9)) FROM customers ORDER BY id").await.len(), 4);
    assert_eq!(system.rows("SELECT CAST(order_id AS CHAR(9)) FROM items").await.len(), 1);

    let after = connector.verify(&order).await.unwrap();
    assert!(after.survivors.is_empty(), "{after:?}");
    assert_eq!(after.left["customers"], 4);
    let again = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(again, outcome);
    let mut later = order.clone();
    later.key = "shop again".into();
    let second = done(connector.execute(&later, &Watcher::new()).await.unwrap());
    assert_eq!(second.changed(), 0);
    connector.forget("shop").await.unwrap();
    assert_eq!(system.rows("SELECT order_key FROM quietus_progress").await, ["shop again"]);
}

async fn a_stopped_order_goes_on_and_counts_exactly_once(mut system: System) {
    system.run(SHOP).await;
    let connector = system.connector();
    let mut order = order("stop", shop());
    order.pace.chunk_records = 1;
    let mut attempts = 0;
    let outcome = loop {
        attempts += 1;
        order.attempt = attempts;
        match connector.execute(&order, &Watcher::stopping_after(2)).await.unwrap() {
            Receipt::Stopped(_) => assert!(attempts < 60),
            other => break done(other),
        }
    };
    assert!(attempts > 5, "{attempts}");
    assert_eq!(outcome.changed(), 16);
    let mut earlier = order.clone();
    earlier.attempt = 1;
    let fault = connector.execute(&earlier, &Watcher::new()).await.unwrap_err();
    assert!(matches!(fault, quietus_connectors::Fault::Rejected { .. }), "{fault:?}");
}

async fn too_many_records_are_refused(mut system: System) {
    system.run(SHOP).await;
    let connector = system.connector();
    let mut order = order("most", shop());
    order.most_records = Some(4);
    let receipt = connector.execute(&order, &Watcher::new()).await.unwrap();
    let Receipt::Refused { kind, done, reasons } = receipt else { panic!("{receipt:?}") };
    assert_eq!(kind, RefusalKind::OverLimit);
    assert!(done.changed() <= 4 && reasons.len() == 1);
}

async fn cascades_into_the_unknown_are_refused(mut system: System) {
    system.run(SHOP).await;
    let connector = system.connector();
    let mut instructions = shop();
    instructions.remove(2);
    let receipt =
        connector.execute(&order("cascade", instructions), &Watcher::new()).await.unwrap();
    let Receipt::Refused { kind, reasons, .. } = receipt else { panic!("{receipt:?}") };
    assert_eq!(kind, RefusalKind::Unsafe);
    assert!(reasons.iter().any(|reason| reason.contains("items")), "{reasons:?}");
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(9)) FROM orders").await.len(), 6);
}

async fn trees_and_circles_go(mut system: System) {
    system
        .run(
            "CREATE TABLE posts (id INT PRIMARY KEY, parent_id INT, made_on DATE,
                FOREIGN KEY (parent_id) REFERENCES posts (id));
             INSERT INTO posts VALUES (1, NULL, '2010-01-01'), (2, 1, '2010-01-01'), (3, 2, '2010-01-01'),
                (4, NULL, '2010-01-01'), (5, 4, '2010-01-01'), (6, 5, '2025-01-01'),
                (7, NULL, '2010-01-01'), (8, 7, '2010-01-01'), (9, NULL, '2025-01-01');
             UPDATE posts SET parent_id = 8 WHERE id = 7;",
        )
        .await;
    let mut posts = collection(
        "posts",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("parent_id", FieldType::Integer),
            ("made_on", FieldType::Date),
        ],
    );
    posts.delete_when = day("made_on", "2020-01-01");
    let order = order("posts", vec![posts]);
    let connector = system.connector();
    let preview = connector.preview(&order).await.unwrap();
    assert_eq!(preview.collections[0].delete, 5);
    assert_eq!(preview.collections[0].referenced["posts"], 2);
    assert!(!preview.collections[0].at_most);
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "posts").deleted, 5);
    assert_eq!(of(&outcome, "posts").referenced["posts"], 2);
    assert_eq!(
        system.rows("SELECT CAST(id AS CHAR(1)) FROM posts ORDER BY id").await,
        ["4", "5", "6", "9"]
    );
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
}

async fn circles_over_two_tables_go_where_all_of_them_is_due(mut system: System) {
    let deferred = system.pick("", "", "");
    system
        .run(&format!(
            "CREATE TABLE teams (id INT PRIMARY KEY, lead_id INT, made_on DATE);
             CREATE TABLE people (id INT PRIMARY KEY, team_id INT, made_on DATE,
                FOREIGN KEY (team_id) REFERENCES teams (id){deferred});
             INSERT INTO teams VALUES (1, NULL, '2010-01-01'), (2, NULL, '2010-01-01');
             INSERT INTO people VALUES (1, 1, '2010-01-01'), (2, 1, '2010-01-01'), (3, 2, '2010-01-01'), (4, 2, '2025-01-01');"
        ))
        .await;
    if system.kind == "sqlite" {
        system
            .run(
                "DROP TABLE people; DROP TABLE teams;
                 CREATE TABLE teams (id INT PRIMARY KEY, lead_id INT REFERENCES people (id), made_on DATE);
                 CREATE TABLE people (id INT PRIMARY KEY, team_id INT REFERENCES teams (id), made_on DATE);
                 INSERT INTO teams VALUES (1, NULL, '2010-01-01'), (2, NULL, '2010-01-01');
                 INSERT INTO people VALUES (1, 1, '2010-01-01'), (2, 1, '2010-01-01'), (3, 2, '2010-01-01'), (4, 2, '2025-01-01');
                 UPDATE teams SET lead_id = CASE id WHEN 1 THEN 1 ELSE 3 END;",
            )
            .await;
    } else {
        system
            .run(
                "UPDATE teams SET lead_id = CASE id WHEN 1 THEN 1 ELSE 3 END;
                 ALTER TABLE teams ADD FOREIGN KEY (lead_id) REFERENCES people (id);",
            )
            .await;
    }
    let mut teams = collection(
        "teams",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("lead_id", FieldType::Integer),
            ("made_on", FieldType::Date),
        ],
    );
    teams.delete_when = day("made_on", "2020-01-01");
    let mut people = collection(
        "people",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("team_id", FieldType::Integer),
            ("made_on", FieldType::Date),
        ],
    );
    people.delete_when = day("made_on", "2020-01-01");
    let order = order("circle", vec![teams, people]);
    let connector = system.connector();
    let preview = connector.preview(&order).await.unwrap();
    assert!(preview.collections.iter().all(|one| one.at_most), "{preview:?}");
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "teams").deleted, 1);
    assert_eq!(of(&outcome, "people").deleted, 2);
    assert_eq!(system.rows("SELECT CAST(id AS CHAR(1)) FROM people ORDER BY id").await, ["3", "4"]);
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
}

async fn lists_of_keys_choose_records(mut system: System) {
    system
        .run(
            "CREATE TABLE mails (tenant INT NOT NULL, address VARCHAR(40) NOT NULL, note VARCHAR(10), PRIMARY KEY (tenant, address));
             INSERT INTO mails VALUES (1, 'ada@example.org', 'x'), (2, 'ada@example.org', 'x'), (1, 'bob@example.org', 'x'), (1, 'eve@example.org', NULL);",
        )
        .await;
    let mut mails = collection(
        "mails",
        &["tenant", "address"],
        &[("tenant", FieldType::Integer), ("address", FieldType::Text), ("note", FieldType::Text)],
    );
    mails.delete_when = Predicate::Listed {
        fields: vec![FieldRef::own("tenant"), FieldRef::own("address")],
        list: 0,
    };
    mails.held = Predicate::Listed { fields: vec![FieldRef::own("address")], list: 1 };
    let mut order = order("lists", vec![mails]);
    order.lists = vec![
        KeyList {
            types: vec![FieldType::Integer, FieldType::Text],
            entries: vec![
                vec![Value::Integer(1), Value::Text("ada@example.org".to_owned())],
                vec![Value::Integer(1), Value::Text("bob@example.org".to_owned())],
                vec![Value::Integer(9_000_000_000), Value::Text("x".repeat(60))],
            ],
        },
        KeyList {
            types: vec![FieldType::Text],
            entries: vec![vec![Value::Text("bob@example.org".to_owned())]],
        },
    ];
    let connector = system.connector();
    let outcome = done(connector.execute(&order, &Watcher::new()).await.unwrap());
    assert_eq!(of(&outcome, "mails").deleted, 1);
    assert_eq!(of(&outcome, "mails").held, 1);
    assert!(connector.verify(&order).await.unwrap().survivors.is_empty());
}

async fn negations_are_two_valued(mut system: System) {
    system
        .run(
            "CREATE TABLE things (id INT PRIMARY KEY, word VARCHAR(10), number INT);
             INSERT INTO things VALUES (1, 'a', 1), (2, 'b', NULL), (3, NULL, 3), (4, NULL, NULL);",
        )
        .await;
    let a = || equal("word", Value::Text("a".to_owned()));
    let more = Predicate::Compare {
        field: FieldRef::own("number"),
        comparison: Comparison::Greater,
        value: Value::Integer(2),
    };
    let cases = [
        (a(), 1),
        (a().negate(), 3),
        (Predicate::all([a().negate(), more.clone().negate()]), 2),
        (Predicate::Not(Box::new(Predicate::Any(vec![a(), more.clone()]))), 2),
        (Predicate::Not(Box::new(Predicate::All(vec![a(), more]))), 4),
        (
            Predicate::OneOf {
                field: FieldRef::own("word"),
                values: vec![Value::Text("a".to_owned())],
            }
            .negate(),
            3,
        ),
        (Predicate::Absent(FieldRef::own("number")), 2),
        (Predicate::Absent(FieldRef::own("number")).negate(), 2),
    ];
    let mut things = collection(
        "things",
        &["id"],
        &[("id", FieldType::Integer), ("word", FieldType::Text), ("number", FieldType::Integer)],
    );
    for (index, (predicate, _)) in cases.iter().enumerate() {
        things.probes.push(quietus_connectors::Probe {
            name: index.to_string(),
            predicate: predicate.clone(),
        });
    }
    let counts = system.connector().preview(&order("negate", vec![things])).await.unwrap();
    for (index, (predicate, expected)) in cases.iter().enumerate() {
        assert_eq!(counts.collections[0].probes[&index.to_string()], *expected, "{predicate:?}");
    }
}

async fn moments_are_read_in_their_zone(mut system: System) {
    let (zoned, wall) = system.pick(
        ("TIMESTAMPTZ", "TIMESTAMP"),
        ("TIMESTAMP(6) NULL", "DATETIME(6)"),
        ("TEXT", "TEXT"),
    );
    let zone = system.pick("SET TimeZone = 'UTC';", "SET time_zone = '+00:00';", "");
    system
        .run(&format!(
            "{zone} CREATE TABLE visits (id INT PRIMARY KEY, at_moment {zoned}, at_wall {wall}, at_seconds BIGINT);
             INSERT INTO visits VALUES
                (1, '2024-06-01 10:00:00', '2024-06-01 12:00:00', 1717236000),
                (2, '2024-06-01 10:00:01', '2024-06-01 12:00:01', 1717236001),
                (3, NULL, NULL, NULL);"
        ))
        .await;
    let mut visits = collection(
        "visits",
        &["id"],
        &[
            ("id", FieldType::Integer),
            ("at_moment", FieldType::Timestamp),
            ("at_wall", FieldType::Timestamp),
            ("at_seconds", FieldType::Timestamp),
        ],
    );
    visits.fields[2].zone = "Europe/Berlin".into();
    visits.fields[3].stored = quietus_connectors::Stored::EpochSeconds;
    for name in ["at_moment", "at_wall", "at_seconds"] {
        visits.probes.push(quietus_connectors::Probe {
            name: name.to_owned(),
            predicate: before(name, "2024-06-01T10:00:00Z"),
        });
        visits.probes.push(quietus_connectors::Probe {
            name: format!("{name} next"),
            predicate: before(name, "2024-06-01T10:00:01Z"),
        });
    }
    let counts = system.connector().preview(&order("moments", vec![visits])).await.unwrap();
    assert!(counts.drift.is_empty(), "{:?}", counts.drift);
    for (name, count) in &counts.collections[0].probes {
        assert_eq!(*count, if name.ends_with("next") { 2 } else { 1 }, "{name}");
    }
}

on_every_system! {
    children_go_first_and_what_is_referred_to_stays
    a_stopped_order_goes_on_and_counts_exactly_once
    too_many_records_are_refused
    cascades_into_the_unknown_are_refused
    trees_and_circles_go
    circles_over_two_tables_go_where_all_of_them_is_due
    lists_of_keys_choose_records
    negations_are_two_valued
    moments_are_read_in_their_zone
}
