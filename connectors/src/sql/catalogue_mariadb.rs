//! The catalogue of MariaDB and MySQL: the database that the URL names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::receipt::Fault;
use crate::schema::OnDelete;
use crate::sql::catalogue::{Catalogue, Column, Reference, Table};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::unseen_references;
use crate::value::FieldType;

const TABLES: &str = "\
SELECT CAST(table_name AS CHAR), CAST(table_type AS CHAR), CAST(engine AS CHAR), CAST(table_rows AS SIGNED)
  FROM information_schema.tables
 WHERE table_schema = DATABASE()
 ORDER BY table_name";

const COLUMNS: &str = "\
SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR), CAST(data_type AS CHAR),
       CAST(is_nullable AS CHAR), CAST(extra AS CHAR), CAST(character_maximum_length AS SIGNED),
       CAST(character_set_name AS CHAR), CAST(collation_name AS CHAR)
  FROM information_schema.columns
 WHERE table_schema = DATABASE()
 ORDER BY table_name, ordinal_position";

const KEYS: &str = "\
SELECT CAST(table_name AS CHAR), CAST(index_name AS CHAR), CAST(column_name AS CHAR), CAST(sub_part AS SIGNED),
       CAST(non_unique AS SIGNED)
  FROM information_schema.statistics
 WHERE table_schema = DATABASE() AND index_type IN ('BTREE', 'HASH')
 ORDER BY table_name, index_name, seq_in_index";

const REFERENCES: &str = "\
SELECT CAST(table_schema = DATABASE() AS SIGNED), CAST(table_schema AS CHAR), CAST(table_name AS CHAR),
       CAST(constraint_name AS CHAR), CAST(column_name AS CHAR), CAST(referenced_table_name AS CHAR),
       CAST(referenced_column_name AS CHAR)
  FROM information_schema.key_column_usage
 WHERE referenced_table_schema = DATABASE()
 ORDER BY table_schema, table_name, constraint_name, ordinal_position";

/// Of one database only: joined with the references, every table of every database would be opened
/// for each of them.
const RULES: &str = "\
SELECT CAST(constraint_schema AS CHAR), CAST(table_name AS CHAR), CAST(constraint_name AS CHAR),
       CAST(delete_rule AS CHAR)
  FROM information_schema.referential_constraints
 WHERE constraint_schema = ";

/// Reads the catalogue.
pub(crate) async fn read(session: &mut Session) -> Result<Catalogue, Fault> {
    let version = session
        .fetch_one(&Fragment::raw("SELECT CAST(VERSION() AS CHAR), CAST(DATABASE() AS CHAR)"))
        .await?;
    if version[1] == Cell::Null {
        return Err(misconfigured("the URL names no database: write `mysql://host/database`"));
    }
    let text = version[0].text();
    let product =
        if text.contains("MariaDB") { format!("MariaDB {text}") } else { format!("MySQL {text}") };
    let mut catalogue = Catalogue { product, ..Catalogue::default() };
    for row in session.fetch_plain(&Fragment::raw(TABLES)).await? {
        catalogue.tables.push(table(&row));
    }
    for row in session.fetch_plain(&Fragment::raw(COLUMNS)).await? {
        if let Some(table) = by_name(&mut catalogue, &row[0].text()) {
            table.columns.push(column(&row));
        }
    }
    keys(&mut catalogue, &session.fetch_plain(&Fragment::raw(KEYS)).await?);
    let found = session.fetch_plain(&Fragment::raw(REFERENCES)).await?;
    let rules = rules(session, &found).await?;
    references(&mut catalogue, &found, &rules);
    let shown: Vec<[String; 4]> =
        found.iter().map(|row| [1, 2, 3, 5].map(|column| row[column].text())).collect();
    let database = version[1].text();
    catalogue.unseen = unseen_references::find(session, &catalogue, &database, &shown).await?;
    Ok(catalogue)
}

/// What each of these foreign keys does on deletion.
async fn rules(session: &mut Session, found: &[Vec<Cell>]) -> Result<Rules, Fault> {
    let schemas: BTreeSet<String> = found.iter().map(|row| row[1].text()).collect();
    let mut rules = Rules::new();
    for schema in schemas {
        let statement = Fragment::raw(RULES).and(Fragment::text_value(schema));
        for row in session.fetch(&statement).await? {
            rules.insert((row[0].text(), row[1].text(), row[2].text()), row[3].text());
        }
    }
    // Whoever may only read a table is not shown what its foreign keys do, but how it was made.
    for row in found {
        let identity = (row[1].text(), row[2].text(), row[3].text());
        if let Entry::Vacant(unknown) = rules.entry(identity) {
            let rule = rule_as_made(session, unknown.key()).await?;
            unknown.insert(rule.to_owned());
        }
    }
    Ok(rules)
}

/// Where it cannot be read, it is the one that takes records along.
async fn rule_as_made(
    session: &mut Session,
    (schema, table, constraint): &(String, String, String),
) -> Result<&'static str, Fault> {
    let quote = |name: &str| Dialect::MariaDb.quote(name);
    let statement = format!("SHOW CREATE TABLE {}.{}", quote(schema)?, quote(table)?);
    match session.fetch_plain(&Fragment::raw(statement)).await {
        Ok(rows) => {
            let made = rows.first().and_then(|row| row.get(1)).map_or(String::new(), Cell::text);
            Ok(written_rule(&made, &quote(constraint)?))
        }
        Err(fault @ (Fault::Transient { .. } | Fault::Unknown { .. })) => Err(fault),
        Err(_) => Ok("CASCADE"),
    }
}

/// The rule of a constraint, given by its quoted name, in the text of `SHOW CREATE TABLE`.
fn written_rule(made: &str, constraint: &str) -> &'static str {
    let head = format!("CONSTRAINT {constraint} FOREIGN KEY ");
    let Some(line) = made.lines().find(|line| line.trim_start().starts_with(&head)) else {
        return "CASCADE";
    };
    let says = |rule: &&str| line.contains(&format!(" ON DELETE {rule}"));
    ["CASCADE", "SET NULL", "SET DEFAULT"].into_iter().find(says).unwrap_or("RESTRICT")
}

fn by_name<'a>(catalogue: &'a mut Catalogue, name: &str) -> Option<&'a mut Table> {
    catalogue.tables.iter_mut().find(|table| table.schema.is_none() && table.name == name)
}

fn table(row: &[Cell]) -> Table {
    let kind = row[1].text();
    let engine = row[2].text();
    let view = kind.contains("VIEW");
    let unfit = if view {
        None
    } else if kind == "SYSTEM VERSIONED" {
        Some("it is system-versioned: deleted records stay in its history; drop the history or the versioning".to_owned())
    } else if engine.eq_ignore_ascii_case("InnoDB") {
        None
    } else {
        Some(format!("its engine `{engine}` has no transactions: convert it to InnoDB"))
    };
    Table {
        name: row[0].text(),
        view: view || kind == "SEQUENCE",
        estimated: (row[3] != Cell::Null).then(|| row[3].count()),
        unfit,
        ..Table::default()
    }
}

fn column(row: &[Cell]) -> Column {
    let native = row[2].text();
    let data_type = row[3].text().to_ascii_lowercase();
    let extra = row[5].text().to_ascii_uppercase();
    let class = class(&native, &data_type);
    Column {
        name: row[1].text(),
        class,
        cast: String::new(),
        zoned: data_type == "timestamp",
        by_text: false,
        nullable: row[4].truth(),
        generated: extra.contains("VIRTUAL")
            || extra.contains("STORED")
            || extra.contains("PERSISTENT"),
        counted: false,
        touched: extra.contains("ON UPDATE"),
        length: (row[6] != Cell::Null && class == FieldType::Text).then(|| row[6].count()),
        collation: row[7].optional_text().zip(row[8].optional_text()),
        native,
    }
}

fn class(native: &str, data_type: &str) -> FieldType {
    match data_type {
        "tinyint" if native.starts_with("tinyint(1)") => FieldType::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => FieldType::Integer,
        "decimal" => FieldType::Decimal,
        "float" | "double" => FieldType::Float,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => {
            FieldType::Text
        }
        "datetime" | "timestamp" => FieldType::Timestamp,
        "date" => FieldType::Date,
        "uuid" => FieldType::Uuid,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            FieldType::Binary
        }
        "json" => FieldType::Json,
        "inet4" | "inet6" => FieldType::Address,
        _ => FieldType::Other,
    }
}

fn keys(catalogue: &mut Catalogue, rows: &[Vec<Cell>]) {
    let mut grouped: BTreeMap<(String, String, bool), Vec<String>> = BTreeMap::new();
    for row in rows {
        // A prefix or an expression makes the index unusable as a key.
        let column = if row[2] == Cell::Null || row[3] != Cell::Null {
            String::new()
        } else {
            row[2].text()
        };
        let index = (row[0].text(), row[1].text(), row[4].truth());
        grouped.entry(index).or_default().push(column);
    }
    for ((table, index, repeats), columns) in grouped {
        if columns.iter().any(String::is_empty) {
            continue;
        }
        if let Some(table) = by_name(catalogue, &table) {
            table.indexes.push(columns.clone());
            if index == "PRIMARY" {
                table.key = columns;
            } else if !repeats {
                table.unique.push(columns);
            }
        }
    }
}

/// What each foreign key does on deletion, by schema, table and name.
type Rules = BTreeMap<(String, String, String), String>;

fn references(catalogue: &mut Catalogue, rows: &[Vec<Cell>], rules: &Rules) {
    let mut last: Option<(String, String, String)> = None;
    for row in rows {
        let identity = (row[1].text(), row[2].text(), row[3].text());
        if last.as_ref() == Some(&identity) {
            if let Some(reference) = catalogue.references.last_mut() {
                reference.fields.push(row[4].text());
                reference.to_fields.push(row[6].text());
            }
            continue;
        }
        let schema = (!row[0].truth()).then(|| row[1].text());
        let child = position(catalogue, schema, &row[2].text());
        let parent = position(catalogue, None, &row[5].text());
        let rule = rules.get(&identity).map_or("", String::as_str);
        catalogue.references.push(Reference {
            name: row[3].text(),
            child,
            fields: vec![row[4].text()],
            parent,
            to_fields: vec![row[6].text()],
            on_delete: match rule {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" | "SET DEFAULT" => OnDelete::SetNull,
                _ => OnDelete::Refuse,
            },
            immediate: true,
        });
        last = Some(identity);
    }
}

/// The position of a table; one of another database is added by its name only.
fn position(catalogue: &mut Catalogue, schema: Option<String>, name: &str) -> usize {
    let found =
        catalogue.tables.iter().position(|table| table.schema == schema && table.name == name);
    found.unwrap_or_else(|| {
        catalogue.tables.push(Table { schema, name: name.to_owned(), ..Table::default() });
        catalogue.tables.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_foreign_key_does_is_read_from_how_its_table_was_made() {
        let made = "CREATE TABLE `notes` (\n  `id` bigint(20) NOT NULL,\n  PRIMARY KEY (`id`),\n  \
            CONSTRAINT `a` FOREIGN KEY (`p`) REFERENCES `people` (`id`) ON DELETE CASCADE,\n  \
            CONSTRAINT `a``b` FOREIGN KEY (`q`) REFERENCES `people` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,\n  \
            CONSTRAINT `c` FOREIGN KEY (`r`) REFERENCES `people` (`id`) ON UPDATE CASCADE\n) ENGINE=InnoDB";
        for (constraint, rule) in
            [("`a`", "CASCADE"), ("`a``b`", "SET NULL"), ("`c`", "RESTRICT"), ("`d`", "CASCADE")]
        {
            assert_eq!(written_rule(made, constraint), rule, "{constraint}");
        }
    }
}
