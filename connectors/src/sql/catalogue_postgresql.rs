//! PostgreSQL's catalogue.
//!
//! Partitions are not collections of their own: what is said of them is said of their root. Tables that
//! inherit from others by `INHERITS` are.

use std::collections::BTreeMap;

use crate::receipt::Fault;
use crate::schema::OnDelete;
use crate::sql::catalogue::{Catalogue, Column, Partition, Reference, Table, lowered_column};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::fragment::{Cell, Fragment};
use crate::value::FieldType;

// Schemas of the server itself have more than a hundred indexes, which take longer than all else.
macro_rules! not_of_the_server {
    () => {
        "n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'"
    };
}

const SERVER: &str = "\
SELECT current_setting('server_version'), CAST(array_to_json(current_schemas(FALSE)) AS text)";

const TABLES: &str = concat!(
    "\
SELECT CAST(c.oid AS bigint), CAST(n.nspname AS text), CAST(c.relname AS text), CAST(c.relkind AS text),
       CASE WHEN c.relispartition THEN CAST(pg_partition_root(c.oid) AS oid)::bigint END,
       CAST(c.reltuples AS bigint),
       (SELECT CAST(a.attname AS text)
          FROM pg_partitioned_table p
          JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
         WHERE p.partrelid = c.oid AND p.partstrat = 'r' AND p.partnatts = 1),
       EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '4')),
       (SELECT CAST(json_agg(CAST(i.inhparent AS text)) AS text)
          FROM pg_inherits i WHERE i.inhrelid = c.oid AND NOT c.relispartition)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND ",
    not_of_the_server!(),
    "
 ORDER BY n.nspname, c.relname"
);

const COLUMNS: &str = concat!(
    "\
SELECT CAST(a.attrelid AS bigint), CAST(a.attname AS text), format_type(a.atttypid, a.atttypmod),
       CAST(b.typname AS text), CAST(bn.nspname AS text), CAST(b.typtype AS text),
       a.attnotnull, a.attgenerated <> '' OR a.attidentity = 'a',
       CASE WHEN b.typname IN ('varchar', 'bpchar') AND COALESCE(NULLIF(t.typtypmod, -1), a.atttypmod) > 4
            THEN CAST(COALESCE(NULLIF(t.typtypmod, -1), a.atttypmod) - 4 AS bigint) END,
       (SELECT CAST(l.collname AS text) FROM pg_collation l WHERE l.oid = a.attcollation AND NOT l.collisdeterministic),
       a.attidentity = 'a'
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  JOIN pg_namespace bn ON bn.oid = b.typnamespace
 WHERE a.attnum > 0 AND NOT a.attisdropped
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND ",
    not_of_the_server!(),
    "
 ORDER BY a.attrelid, a.attnum"
);

const KEYS: &str = concat!(
    "\
SELECT CAST(i.indrelid AS bigint), i.indisprimary,
       (SELECT CAST(json_agg(a.attname ORDER BY k.place) AS text)
          FROM unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY k(number, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
         WHERE k.place <= i.indnkeyatts)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
   AND NOT c.relispartition
   AND ",
    not_of_the_server!(),
    "
 ORDER BY i.indexrelid"
);

const INDEXES: &str = concat!(
    "\
SELECT CAST(i.indrelid AS bigint),
       (SELECT CAST(json_agg(a.attname ORDER BY k.place) AS text)
          FROM unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY k(number, place)
          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number <> 0
         WHERE k.place <= i.indnkeyatts),
       CASE WHEN i.indexprs IS NOT NULL THEN pg_get_indexdef(i.indexrelid, 1, true) END
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam
 WHERE i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')
   AND NOT c.relispartition
   AND ",
    not_of_the_server!(),
    "
 ORDER BY i.indexrelid"
);

const REFERENCES: &str = "\
SELECT CAST(o.conname AS text), CAST(o.conrelid AS bigint), CAST(o.confrelid AS bigint),
       (SELECT CAST(json_agg(a.attname ORDER BY k.place) AS text)
          FROM unnest(o.conkey) WITH ORDINALITY k(number, place)
          JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number),
       (SELECT CAST(json_agg(a.attname ORDER BY k.place) AS text)
          FROM unnest(o.confkey) WITH ORDINALITY k(number, place)
          JOIN pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.number),
       CAST(o.confdeltype AS text)
  FROM pg_constraint o
 WHERE o.contype = 'f' AND o.conparentid = 0
 ORDER BY o.oid";

/// Reads the catalogue.
pub(crate) async fn read(session: &mut Session) -> Result<Catalogue, Fault> {
    let row = session.fetch_one(&Fragment::raw(SERVER)).await?;
    let mut reading = Reading {
        catalogue: Catalogue {
            product: format!("PostgreSQL {}", row[0].text()),
            search_path: names(&row[1]),
            ..Catalogue::default()
        },
        positions: BTreeMap::new(),
    };
    let tables = session.fetch(&Fragment::raw(TABLES)).await?;
    reading.tables(&tables);
    reading.inheritance(&tables);
    reading.columns(&session.fetch(&Fragment::raw(COLUMNS)).await?)?;
    reading.keys(&session.fetch(&Fragment::raw(KEYS)).await?);
    reading.indexes(&session.fetch(&Fragment::raw(INDEXES)).await?);
    reading.references(&session.fetch(&Fragment::raw(REFERENCES)).await?);
    Ok(reading.catalogue)
}

struct Reading {
    catalogue: Catalogue,
    /// Position by object id; partitions stand at the position of their root.
    positions: BTreeMap<u64, usize>,
}

impl Reading {
    fn tables(&mut self, rows: &[Vec<Cell>]) {
        for row in rows.iter().filter(|row| row[4] == Cell::Null) {
            let kind = row[3].text();
            let estimated = match row[5] {
                Cell::Integer(number) => u64::try_from(number).ok(),
                _ => None,
            };
            self.positions.insert(row[0].count(), self.catalogue.tables.len());
            self.catalogue.tables.push(Table {
                schema: Some(row[1].text()),
                name: row[2].text(),
                view: matches!(kind.as_str(), "v" | "m" | "f"),
                estimated,
                partitioned_by: row[6].optional_text(),
                unfit: row[7].truth().then(|| {
                    "a rewrite rule changes what UPDATE or DELETE does there: drop the rule"
                        .to_owned()
                }),
                ..Table::default()
            });
        }
        for row in rows.iter().filter(|row| row[4] != Cell::Null) {
            if let Some(&root) = self.positions.get(&row[4].count()) {
                self.positions.insert(row[0].count(), root);
                if row[3].text() == "r" {
                    self.catalogue.tables[root]
                        .partitions
                        .push(Partition { schema: row[1].text(), name: row[2].text() });
                }
            }
        }
    }

    /// Who inherits from whom; partitions are no heirs.
    fn inheritance(&mut self, rows: &[Vec<Cell>]) {
        for row in rows.iter().filter(|row| row[8] != Cell::Null) {
            let Some(&heir) = self.positions.get(&row[0].count()) else { continue };
            for parent in names(&row[8]) {
                let parent = parent.parse().ok().and_then(|oid: u64| self.positions.get(&oid));
                self.catalogue.inheritance.extend(parent.map(|&parent| (heir, parent)));
            }
        }
    }

    fn columns(&mut self, rows: &[Vec<Cell>]) -> Result<(), Fault> {
        for row in rows {
            let Some(&position) = self.positions.get(&row[0].count()) else { continue };
            self.catalogue.tables[position].columns.push(column(row)?);
        }
        Ok(())
    }

    fn keys(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            let Some(&position) = self.positions.get(&row[0].count()) else { continue };
            let table = &mut self.catalogue.tables[position];
            if row[1].truth() {
                table.key = names(&row[2]);
            } else {
                table.unique.push(names(&row[2]));
            }
        }
    }

    fn indexes(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            if let Some(&position) = self.positions.get(&row[0].count()) {
                // An expression has no name, and then nothing is said of the index.
                let table = &mut self.catalogue.tables[position];
                table.indexes.push(names(&row[1]));
                table.lowered.extend(lowered_column(&row[2].text()));
            }
        }
    }

    fn references(&mut self, rows: &[Vec<Cell>]) {
        for row in rows {
            let (Some(&child), Some(&parent)) =
                (self.positions.get(&row[1].count()), self.positions.get(&row[2].count()))
            else {
                continue;
            };
            let action = row[5].text();
            self.catalogue.references.push(Reference {
                name: row[0].text(),
                child,
                fields: names(&row[3]),
                parent,
                to_fields: names(&row[4]),
                on_delete: match action.as_str() {
                    "c" => OnDelete::Cascade,
                    "n" | "d" => OnDelete::SetNull,
                    _ => OnDelete::Refuse,
                },
                immediate: action == "r",
            });
        }
    }
}

fn names(cell: &Cell) -> Vec<String> {
    serde_json::from_str(&cell.text()).unwrap_or_default()
}

fn column(row: &[Cell]) -> Result<Column, Fault> {
    let base = row[3].text();
    let enumeration = row[5].text() == "e";
    let class = if enumeration { FieldType::Text } else { class(&base) };
    let dialect = Dialect::Postgres;
    let cast = match base.as_str() {
        // A value beyond the column's range matches nothing; it must not be an error.
        "int2" | "int4" | "int8" => "bigint".to_owned(),
        "oid" => "oid".to_owned(),
        _ if enumeration || class == FieldType::Json => "text".to_owned(),
        _ => format!("{}.{}", dialect.quote(&row[4].text())?, dialect.quote(&base)?),
    };
    Ok(Column {
        name: row[1].text(),
        native: row[2].text(),
        class,
        cast,
        zoned: base == "timestamptz",
        by_text: enumeration || class == FieldType::Json,
        nullable: !row[6].truth(),
        generated: row[7].truth(),
        counted: row[10].truth(),
        touched: false,
        length: (row[8] != Cell::Null).then(|| row[8].count()),
        collation: match base.as_str() {
            "citext" => Some((String::new(), base.clone())),
            _ => row[9].optional_text().map(|name| (String::new(), name)),
        },
    })
}

fn class(base: &str) -> FieldType {
    match base {
        "text" | "varchar" | "bpchar" | "citext" | "name" => FieldType::Text,
        "int2" | "int4" | "int8" | "oid" => FieldType::Integer,
        "numeric" => FieldType::Decimal,
        "float4" | "float8" => FieldType::Float,
        "bool" => FieldType::Boolean,
        "timestamptz" | "timestamp" => FieldType::Timestamp,
        "date" => FieldType::Date,
        "uuid" => FieldType::Uuid,
        "bytea" => FieldType::Binary,
        "json" | "jsonb" => FieldType::Json,
        "inet" | "cidr" => FieldType::Address,
        _ => FieldType::Other,
    }
}
