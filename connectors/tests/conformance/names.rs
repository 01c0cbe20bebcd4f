//! Names that must be quoted: blanks, quotes, keywords, upper case, other scripts.

use crate::drafting::{
    CUTOFF, deleted, done_as_previewed, draft, due, equal, forget, list, listed, order, referenced,
};
use crate::fixture::{Fixture, Kind};
use quietus_connectors::{FieldType, MappedField, Predicate, Record, Stored, Value};

/// Names of a parent table, a child table, and their fields.
async fn prove(fixture: &Fixture, names: [&str; 6]) {
    let [parent, child, key, clock, text, reference] = names;
    let quote = |name: &str| fixture.kind.quote(name);
    let [bigint, words, moment] =
        ["{bigint}", "{text}", "{moment}"].map(|one| fixture.kind.write(one));
    let [parent_sql, child_sql, key_sql] = [parent, child, key].map(quote);
    let [clock_sql, text_sql, reference_sql] = [clock, text, reference].map(quote);
    fixture
        .verbatim(&format!(
            "CREATE TABLE {parent_sql} ({key_sql} {bigint} PRIMARY KEY, {clock_sql} {moment},
                {text_sql} {words});
             CREATE TABLE {child_sql} ({key_sql} {bigint} PRIMARY KEY, {reference_sql} {bigint},
                FOREIGN KEY ({reference_sql}) REFERENCES {parent_sql} ({key_sql}))"
        ))
        .await;
    let [past, present] =
        ["2025-01-01T00:00:00Z", "2026-05-01T00:00:00Z"].map(|at| fixture.kind.moment(at));
    fixture
        .verbatim(&format!(
            "INSERT INTO {parent_sql} VALUES (1, {past}, 'a'), (2, {past}, 'b'),
                (3, {present}, 'c'), (4, {past}, 'd');
             INSERT INTO {child_sql} VALUES (1, 1), (2, 2), (3, 3)"
        ))
        .await;
    let mut parents = named(
        fixture,
        parent,
        &[(key, FieldType::Integer), (clock, FieldType::Timestamp), (text, FieldType::Text)],
    );
    parents = parents
        .key(&[key])
        .delete(due(clock, CUTOFF))
        .clear("words", due(clock, "2026-05-02T00:00:00Z"), &[text])
        .probe("probe", Predicate::Absent(crate::drafting::field(text)));
    let children =
        named(fixture, child, &[(key, FieldType::Integer), (reference, FieldType::Integer)])
            .key(&[key])
            .link(parent, &[(reference, key)])
            .delete(Predicate::all([
                due(&format!("{parent}.{clock}"), CUTOFF),
                Predicate::Not(Box::new(equal(key, 2))),
            ]))
            .held(listed(&[key], 0));
    let mut order = order("names", [parents, children]);
    order.lists = vec![list(&[FieldType::Integer], vec![vec![Value::Integer(99)]])];
    let connector = fixture.connector();
    let outcome = done_as_previewed(&*connector, &order).await;
    assert_eq!((deleted(&outcome, parent), deleted(&outcome, child)), (2, 1), "{names:?}");
    assert_eq!(referenced(&outcome, parent, child), 1);
    assert_eq!(connector.verify(&order).await.expect("a verification").survivors, []);
    let (key_of_two, fields): (Record, _) =
        ([(key.to_owned(), Value::Integer(2))].into(), [crate::drafting::field(clock)]);
    let record = connector.inspect(&order, parent, &key_of_two, &fields).await;
    assert!(record.expect("an answer").is_some());
    let left = format!("SELECT {key_sql} FROM {parent_sql} WHERE {text_sql} IS NULL ORDER BY 1");
    assert_eq!(fixture.column_verbatim(&left).await, ["2", "3"]);
    fixture.verbatim(&format!("DROP TABLE {child_sql}; DROP TABLE {parent_sql}")).await;
    forget(&*connector, &order).await;
}

fn named(fixture: &Fixture, table: &str, fields: &[(&str, FieldType)]) -> crate::drafting::Draft {
    let mut draft = draft(fixture, "placeholder: id integer");
    table.clone_into(&mut draft.0.collection);
    draft.0.source = fixture.kind.source(table);
    draft.0.fields = fields
        .iter()
        .map(|(name, field_type)| MappedField {
            name: (*name).to_owned(),
            field_type: *field_type,
            stored: Stored::Native,
            zone: "UTC".to_owned(),
            ignores_case: false,
        })
        .collect();
    draft
}

pub async fn awkward_names_are_quoted(fixture: &Fixture) {
    prove(fixture, ["order", "group", "select", "from", "table", "where"]).await;
    prove(fixture, ["People", "ORDERS", "Id", "leftAt", "E Mail", "personId"]).await;
    prove(fixture, ["my people", "the orders", "the key", "left at", "a text", "their person"])
        .await;
    prove(fixture, ["o'neil", "semi;colon", "ke'y", "-- at", "/* text */", "$1"]).await;
    prove(fixture, ["größe", "注文", "schlüssel", "später", "wörter", "bezug"]).await;
    if fixture.kind == Kind::Mariadb {
        prove(fixture, ["back`tick", "or`ders", "k`ey", "a`t", "te\"xt", "re?f"]).await;
    } else {
        prove(fixture, ["quo\"te", "or\"ders", "k\"ey", "a\"t", "te`xt", "re?f"]).await;
    }
    // The aliases that a connector is likely to use itself.
    prove(fixture, ["t", "c", "r", "p", "k", "l"]).await;
}
