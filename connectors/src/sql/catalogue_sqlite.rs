//! SQLite's catalogue, by its table-valued pragmas.

use std::collections::BTreeMap;

use crate::receipt::Fault;
use crate::schema::OnDelete;
use crate::sql::catalogue::{Catalogue, Column, Reference, Table, lowered_column};
use crate::sql::connection::Session;
use crate::sql::fragment::{Cell, Fragment};
use crate::value::FieldType;

const TABLES: &str = "\
SELECT name, type, wr
  FROM pragma_table_list
 WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY name";

/// Reads the catalogue.
pub(crate) async fn read(session: &mut Session) -> Result<Catalogue, Fault> {
    let version = session.fetch_one(&Fragment::raw("SELECT sqlite_version()")).await?;
    let mut catalogue =
        Catalogue { product: format!("SQLite {}", version[0].text()), ..Catalogue::default() };
    for row in session.fetch(&Fragment::raw(TABLES)).await? {
        let name = row[0].text();
        let mut table =
            Table { name: name.clone(), view: row[1].text() != "table", ..Table::default() };
        columns(session, &mut table, row[2].truth()).await?;
        indexes(session, &mut table).await?;
        catalogue.tables.push(table);
    }
    references(session, &mut catalogue).await?;
    Ok(catalogue)
}

async fn columns(
    session: &mut Session,
    table: &mut Table,
    without_rowid: bool,
) -> Result<(), Fault> {
    let rows = session
        .fetch(
            &Fragment::raw("SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(")
                .and(Fragment::text_value(table.name.as_str()))
                .then(") WHERE hidden <> 1 ORDER BY cid"),
        )
        .await?;
    let mut key: BTreeMap<u64, String> = BTreeMap::new();
    for row in &rows {
        let place = row[3].count();
        let native = row[1].text();
        if place > 0 {
            key.insert(place, row[0].text());
        }
        table.columns.push(Column {
            name: row[0].text(),
            class: class(&native),
            native,
            cast: String::new(),
            zoned: false,
            by_text: false,
            nullable: !(row[2].truth() || (place > 0 && without_rowid)),
            generated: row[4].count() >= 2,
            counted: false,
            touched: false,
            length: None,
            collation: None,
        });
    }
    table.key = key.into_values().collect();
    if !without_rowid && !table.view {
        let free = |name: &&&str| {
            !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
        };
        table.rowid = ["_rowid_", "rowid", "oid"].iter().find(free).copied();
    }
    // The one column of an `INTEGER PRIMARY KEY` is the row number itself and never null.
    if let [single] = table.key.as_slice() {
        let single = single.clone();
        for column in &mut table.columns {
            if column.name == single && column.native.eq_ignore_ascii_case("integer") {
                column.nullable = false;
            }
        }
    }
    Ok(())
}

async fn indexes(session: &mut Session, table: &mut Table) -> Result<(), Fault> {
    let indexes = session
        .fetch(
            &Fragment::raw("SELECT name, \"unique\" AND origin <> 'pk' FROM pragma_index_list(")
                .and(Fragment::text_value(table.name.as_str()))
                .then(") WHERE partial = 0 ORDER BY seq"),
        )
        .await?;
    for index in indexes {
        let columns = session
            .fetch(
                &Fragment::raw("SELECT name FROM pragma_index_info(")
                    .and(Fragment::text_value(index[0].text()))
                    .then(") ORDER BY seqno"),
            )
            .await?;
        // An expression has no name.
        if columns.iter().all(|row| row[0] != Cell::Null) {
            let columns: Vec<String> = columns.iter().map(|row| row[0].text()).collect();
            if index[1].truth() {
                table.unique.push(columns.clone());
            }
            table.indexes.push(columns);
        } else if columns.first().is_some_and(|row| row[0] == Cell::Null) {
            let written = session
                .fetch(
                    &Fragment::raw(
                        "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ",
                    )
                    .and(Fragment::text_value(index[0].text())),
                )
                .await?;
            let written = written.first().map(|row| row[0].text()).unwrap_or_default();
            table.lowered.extend(first_expression(&written).and_then(lowered_column));
        }
    }
    Ok(())
}

/// What stands first between the parentheses of `CREATE INDEX … ON … (…)`.
fn first_expression(written: &str) -> Option<&str> {
    let (_, inside) = written.split_once('(')?;
    let mut depth = 0;
    let end = inside.find(|one: char| {
        match one {
            '(' => depth += 1,
            ')' | ',' if depth == 0 => return true,
            ')' => depth -= 1,
            _ => {}
        }
        false
    });
    inside.get(..end?)
}

async fn references(session: &mut Session, catalogue: &mut Catalogue) -> Result<(), Fault> {
    for child in 0..catalogue.tables.len() {
        let name = catalogue.tables[child].name.clone();
        let rows = session
            .fetch(
                &Fragment::raw(
                    "SELECT id, \"table\", \"from\", \"to\", on_delete FROM pragma_foreign_key_list(",
                )
                .and(Fragment::text_value(name.as_str()))
                .then(") ORDER BY id, seq"),
            )
            .await?;
        let mut grouped: BTreeMap<u64, Vec<Vec<Cell>>> = BTreeMap::new();
        for row in rows {
            grouped.entry(row[0].count()).or_default().push(row);
        }
        for (id, rows) in grouped {
            if let Some(reference) = reference(catalogue, child, &format!("{name}_{id}"), &rows) {
                catalogue.references.push(reference);
            }
        }
    }
    Ok(())
}

fn reference(
    catalogue: &Catalogue,
    child: usize,
    name: &str,
    rows: &[Vec<Cell>],
) -> Option<Reference> {
    let to = rows.first()?[1].text();
    let parent = catalogue.tables.iter().position(|table| table.name.eq_ignore_ascii_case(&to))?;
    let exact = |table: &Table, wanted: &str| {
        let found = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(wanted));
        found.map_or_else(|| wanted.to_owned(), |column| column.name.clone())
    };
    let to_fields: Vec<String> = if rows.iter().any(|row| row[3] == Cell::Null) {
        catalogue.tables[parent].key.clone()
    } else {
        rows.iter().map(|row| exact(&catalogue.tables[parent], &row[3].text())).collect()
    };
    let action = rows[0][4].text().to_ascii_uppercase();
    Some(Reference {
        name: name.to_owned(),
        child,
        fields: rows.iter().map(|row| exact(&catalogue.tables[child], &row[2].text())).collect(),
        parent,
        to_fields,
        on_delete: match action.as_str() {
            "CASCADE" => OnDelete::Cascade,
            "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
            _ => OnDelete::Refuse,
        },
        immediate: action == "RESTRICT",
    })
}

/// By the words of the declaration; SQLite itself keeps any value anywhere.
fn class(native: &str) -> FieldType {
    let upper = native.to_ascii_uppercase();
    let has = |word: &str| upper.contains(word);
    if has("BOOL") {
        FieldType::Boolean
    } else if has("INT") {
        FieldType::Integer
    } else if has("UUID") {
        FieldType::Uuid
    } else if has("JSON") {
        FieldType::Json
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        FieldType::Text
    } else if has("DATETIME") || has("TIMESTAMP") {
        FieldType::Timestamp
    } else if has("DATE") {
        FieldType::Date
    } else if has("BLOB") {
        FieldType::Binary
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        FieldType::Float
    } else if has("DEC") || has("NUM") {
        FieldType::Decimal
    } else {
        FieldType::Other
    }
}
