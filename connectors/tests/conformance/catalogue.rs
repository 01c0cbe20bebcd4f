//! `describe` reads the system's own catalogue.

use quietus_connectors::{CollectionSchema, FieldType, OnDelete, Schema};

use crate::fixture::{Fixture, Kind};

fn find<'a>(schema: &'a Schema, fixture: &Fixture, name: &str) -> &'a CollectionSchema {
    let source = fixture.kind.source(name);
    let found = schema.collections.iter().find(|one| one.name == source);
    found.unwrap_or_else(|| {
        let names: Vec<&String> = schema.collections.iter().map(|one| &one.name).collect();
        panic!("`{source}` among {names:?}")
    })
}

pub async fn describes_tables_views_keys_and_references(fixture: &Fixture) {
    fixture
        .sql(
            "CREATE TABLE customers (region {text} NOT NULL, id {bigint} NOT NULL,
                email {text} NOT NULL, born_on {day}, seen_at {moment}, active {boolean},
                balance {decimal}, shout {text} GENERATED ALWAYS AS (upper(email)) STORED,
                PRIMARY KEY (region, id), UNIQUE (email));
             CREATE TABLE orders (id {bigint} PRIMARY KEY, region {text}, customer_id {bigint},
                CONSTRAINT orders_customer FOREIGN KEY (region, customer_id)
                REFERENCES customers (region, id) ON DELETE CASCADE);
             CREATE TABLE logs (line {text});
             CREATE VIEW active_customers AS SELECT id, email FROM customers WHERE active;
             INSERT INTO logs VALUES ('a')",
        )
        .await;
    let schema = fixture.connector().describe().await.expect("a description");
    assert!(schema.product.to_lowercase().contains(fixture.kind.name()), "{}", schema.product);
    assert_eq!(schema.collections.len(), 4, "nothing of the system's own, nothing of ours");
    assert_customers(fixture, find(&schema, fixture, "customers"));
    let orders = find(&schema, fixture, "orders");
    assert_eq!((&orders.key[..], orders.view), (&["id".to_owned()][..], false));
    let [reference] = &orders.foreign_keys[..] else { panic!("{:?}", orders.foreign_keys) };
    assert_eq!(reference.fields, ["region", "customer_id"]);
    assert_eq!(reference.to, fixture.kind.source("customers"));
    assert_eq!(reference.to_fields, ["region", "id"]);
    assert_eq!(reference.on_delete, OnDelete::Cascade);
    assert!(find(&schema, fixture, "active_customers").view);
    let logs = find(&schema, fixture, "logs");
    assert_eq!((logs.key.len(), logs.fields.len()), (0, 1));
}

fn assert_customers(fixture: &Fixture, customers: &CollectionSchema) {
    assert_eq!(customers.key, ["region", "id"]);
    assert!(!customers.view);
    assert_eq!(customers.unique, [["email"]]);
    let names: Vec<&str> = customers.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names,
        ["region", "id", "email", "born_on", "seen_at", "active", "balance", "shout",]
    );
    let nullable: Vec<bool> = customers.fields.iter().map(|field| field.nullable).collect();
    assert_eq!(nullable[..5], [false, false, false, true, true]);
    let generated: Vec<bool> = customers.fields.iter().map(|field| field.generated).collect();
    assert_eq!(generated, [false, false, false, false, false, false, false, true]);
    let types: Vec<FieldType> = customers.fields.iter().map(|field| field.field_type).collect();
    assert_eq!(types[..3], [FieldType::Text, FieldType::Integer, FieldType::Text]);
    // SQLite keeps days and moments as text.
    if fixture.kind != Kind::Sqlite {
        assert_eq!(types[3..5], [FieldType::Date, FieldType::Timestamp]);
        assert_eq!(types[6], FieldType::Decimal);
    }
    assert_eq!(types[5], FieldType::Boolean);
}

pub async fn describes_what_references_do(fixture: &Fixture) {
    fixture.sql("CREATE TABLE parents (id {bigint} PRIMARY KEY)").await;
    for (name, clause) in
        [("refusing", ""), ("cascading", "ON DELETE CASCADE"), ("forgetting", "ON DELETE SET NULL")]
    {
        fixture
            .sql(&format!(
                "CREATE TABLE {name} (id {{bigint}} PRIMARY KEY, parent_id {{bigint}},
                    FOREIGN KEY (parent_id) REFERENCES parents (id) {clause})"
            ))
            .await;
    }
    let schema = fixture.connector().describe().await.expect("a description");
    let does = |name| find(&schema, fixture, name).foreign_keys[0].on_delete;
    assert_eq!(does("refusing"), OnDelete::Refuse);
    assert_eq!(does("cascading"), OnDelete::Cascade);
    assert_eq!(does("forgetting"), OnDelete::SetNull);
}

pub async fn describes_partitions_once(fixture: &Fixture) {
    fixture
        .verbatim(
            "CREATE TABLE events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at))
                PARTITION BY RANGE (at);
             CREATE TABLE events_2025 PARTITION OF events
                FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
             CREATE TABLE events_2026 PARTITION OF events
                FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        )
        .await;
    let schema = fixture.connector().describe().await.expect("a description");
    let events = find(&schema, fixture, "events");
    let mut partitions = events.partitions.clone();
    partitions.sort();
    assert_eq!(partitions, ["public.events_2025", "public.events_2026"]);
    assert_eq!(events.partitioned_by.as_deref(), Some("at"));
    assert_eq!(schema.collections.len(), 1, "a partition is no collection of its own");
}

/// The connector's own table is no collection of the system.
pub async fn the_progress_table_is_not_described(fixture: &Fixture) {
    crate::scope::twenty_people(fixture).await;
    let people = crate::drafting::draft(fixture, crate::scope::PEOPLE)
        .delete(crate::drafting::due("left_at", crate::drafting::CUTOFF));
    let connector = fixture.connector();
    crate::drafting::done(&*connector, &crate::drafting::order("any", [people])).await;
    let schema = connector.describe().await.expect("a description");
    let names: Vec<&str> = schema.collections.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, [fixture.kind.source("people")]);
}
