//! Tests of drafting: catalogues become data maps that only wait for decisions.

use proptest::prelude::*;
use quietus_connectors::{ForeignKey, OnDelete};

use super::*;
use crate::config::{Problems, load};

fn field(name: &str, field_type: FieldType) -> FieldSchema {
    FieldSchema {
        name: name.to_owned(),
        native_type: String::new(),
        field_type,
        nullable: name != "email",
        generated: name == "search",
    }
}

fn collection(name: &str, key: &[&str], fields: &[(&str, FieldType)]) -> CollectionSchema {
    CollectionSchema {
        name: name.to_owned(),
        key: key.iter().map(|field| (*field).to_owned()).collect(),
        fields: fields.iter().map(|(name, kind)| field(name, *kind)).collect(),
        ..CollectionSchema::default()
    }
}

fn foreign_key(fields: &[&str], to: &str, to_fields: &[&str], on_delete: OnDelete) -> ForeignKey {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    ForeignKey {
        name: format!("fk_{to}"),
        fields: owned(fields),
        to: to.to_owned(),
        to_fields: owned(to_fields),
        on_delete,
    }
}

fn shop() -> Schema {
    use FieldType::{Address, Date, Decimal, Integer, Text, Timestamp};
    let mut customers = collection(
        "public.customers",
        &["id"],
        &[
            ("id", Integer),
            ("email", Text),
            ("vorname", Text),
            ("geburtsdatum", Date),
            ("last_ip", Address),
            ("search", Text),
            ("created_at", Timestamp),
            ("last_login_at", Timestamp),
            ("ended_at", Timestamp),
            ("favourite_id", Integer),
        ],
    );
    customers.estimated_records = Some(120_000);
    customers.foreign_keys =
        vec![foreign_key(&["favourite_id"], "public.orders", &["id"], OnDelete::Refuse)];
    let mut orders = collection(
        "public.orders",
        &["id"],
        &[
            ("id", Integer),
            ("customer_id", Integer),
            ("amount", Decimal),
            ("completed_at", Timestamp),
            ("no", Text),
        ],
    );
    orders.foreign_keys =
        vec![foreign_key(&["customer_id"], "public.customers", &["id"], OnDelete::Cascade)];
    orders.partitions = vec!["orders_2024".to_owned(), "orders_2025".to_owned()];
    orders.partitioned_by = Some("completed_at".to_owned());
    let view = CollectionSchema { view: true, ..collection("public.report", &[], &[("x", Text)]) };
    Schema {
        product: "PostgreSQL 15.4".to_owned(),
        collections: vec![
            customers,
            orders,
            view,
            collection("public.log lines", &[], &[("line", Text)]),
            collection("archive.orders", &["no", "on"], &[("no", Integer), ("on", Date)]),
            collection("public.quietus_progress", &["key"], &[("key", Text)]),
        ],
    }
}

/// What `check` says of a draft beside the starting folder.
fn problems(text: &str) -> Problems {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("q");
    crate::cli::init::run(&crate::cli::init::InitArgs { dir: dir.clone() }, &mut Vec::new())
        .unwrap();
    std::fs::write(dir.join("systems/draft.yaml"), text).unwrap();
    load(&dir).unwrap_err()
}

#[test]
fn a_draft_is_written_from_a_catalogue() {
    insta::assert_snapshot!(draft(&shop(), "crm", "postgresql", "env:CRM_URL"));
}

#[test]
fn check_refuses_a_draft_for_what_is_undecided_and_for_nothing_else() {
    let text = draft(&shop(), "crm", "postgresql", "env:CRM_URL");
    let problems = problems(&text);
    let undecided = text.lines().filter(|line| !line.trim().starts_with('#')).collect::<String>();
    assert_eq!(problems.found.len(), undecided.matches(UNDECIDED).count(), "{problems}");
    for problem in &problems.found {
        assert_eq!(problem.message, "nobody has decided this yet", "{problems}");
    }
}

fn any_field() -> impl Strategy<Value = (String, FieldType)> {
    let name = prop_oneof!["[a-z]{1,3}", "[a-zA-Z0-9 _.:#{}\"'ü%-]{1,6}", Just("null".to_owned())]
        .prop_filter("a blank name", |name| !name.trim().is_empty());
    let kind = prop_oneof![
        Just(FieldType::Text),
        Just(FieldType::Integer),
        Just(FieldType::Timestamp),
        Just(FieldType::Address),
        Just(FieldType::Json)
    ];
    (name, kind)
}

fn any_collection() -> impl Strategy<Value = CollectionSchema> {
    (
        "[a-c]\\.[a-zA-Z][a-zA-Z \"#:ü]{0,4}",
        prop::collection::btree_map(any_field().prop_map(|it| it.0), any_field(), 1..6),
        0_usize..3,
        any::<bool>(),
    )
        .prop_map(|(name, fields, keys, view)| {
            let fields: Vec<FieldSchema> =
                fields.into_iter().map(|(name, (_, kind))| field(&name, kind)).collect();
            let key = fields.iter().take(keys).map(|field| field.name.clone()).collect();
            CollectionSchema { name, fields, key, view, ..CollectionSchema::default() }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_catalogue_gives_a_draft_that_only_waits_for_decisions(
        mut collections in prop::collection::vec(any_collection(), 0..5),
        ends in prop::collection::vec((0_usize..5, 0_usize..5), 0..6),
    ) {
        collections.sort_by(|one, other| one.name.cmp(&other.name));
        collections.dedup_by(|one, other| one.name == other.name);
        for (child, parent) in ends {
            let Some(to) = collections.get(parent).cloned() else { continue };
            let Some(child) = collections.get_mut(child) else { continue };
            let fields: Vec<&str> = child.fields.iter().map(|field| field.name.as_str()).collect();
            let to_fields: Vec<&str> = to.key.iter().map(String::as_str).collect();
            let count = fields.len().min(to_fields.len());
            let key = foreign_key(&fields[..count], &to.name, &to_fields[..count], OnDelete::Refuse);
            child.foreign_keys.push(key);
        }
        let schema = Schema { product: "Any 1".to_owned(), collections };
        let text = draft(&schema, "any", "sqlite", "sqlite:any.db");
        let problems = problems(&text);
        for problem in &problems.found {
            // Whether a collection of keys alone goes with its parent is for a person to decide too.
            let decided = problem.message == "nobody has decided this yet"
                || problem.message.contains("no rule deletes its records when those of")
                || problem.severity == crate::config::Severity::Warning;
            prop_assert!(decided, "{}\n{}", problems, text);
        }
    }
}
