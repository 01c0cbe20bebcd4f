//! What the database says of itself: tables, columns, keys and references, in one form for all
//! dialects. Read afresh for every undertaking; nothing is cached.

use crate::receipt::Fault;
use crate::schema::{CollectionSchema, FieldSchema, ForeignKey, OnDelete, Schema};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::unseen_references::Unseen;
use crate::sql::{catalogue_mariadb, catalogue_postgresql, catalogue_sqlite};
use crate::value::FieldType;

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) product: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) references: Vec<Reference>,
    /// PostgreSQL: schemas in which a name without one is looked for, the first one first.
    pub(crate) search_path: Vec<String>,
    /// PostgreSQL: tables that inherit from others without being partitions, as positions of the heir
    /// and of the table that it inherits from.
    pub(crate) inheritance: Vec<(usize, usize)>,
    /// MariaDB: foreign keys that are not among them.
    pub(crate) unseen: Unseen,
}

/// A table or view.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    pub(crate) view: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<String>,
    pub(crate) unique: Vec<Vec<String>>,
    /// Columns of the indexes that cover every record, in index order.
    pub(crate) indexes: Vec<Vec<String>>,
    /// Columns whose small letters lead an index that covers every record.
    pub(crate) lowered: Vec<String>,
    /// Leaves of the partition tree.
    pub(crate) partitions: Vec<Partition>,
    /// The field of a range-partitioned table.
    pub(crate) partitioned_by: Option<String>,
    pub(crate) estimated: Option<u64>,
    /// The name under which SQLite's row number can be read, where there is one.
    pub(crate) rowid: Option<&'static str>,
    /// Why deletions here could not be complete or could not be undone together with their count.
    pub(crate) unfit: Option<String>,
}

/// A partition that holds records itself.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) schema: String,
    pub(crate) name: String,
}

/// A column.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a catalogue row")]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type in the system's own words.
    pub(crate) native: String,
    /// The type in ours.
    pub(crate) class: FieldType,
    /// PostgreSQL: the quoted type that a value is cast to, without a length.
    pub(crate) cast: String,
    /// A moment that knows its zone (`timestamptz`, MariaDB `TIMESTAMP`).
    pub(crate) zoned: bool,
    /// Compared by its text: enumerations and JSON.
    pub(crate) by_text: bool,
    pub(crate) nullable: bool,
    pub(crate) generated: bool,
    /// PostgreSQL: among the generated ones, a number that the system counts up itself and takes from
    /// us where it is told to (`GENERATED ALWAYS AS IDENTITY`).
    pub(crate) counted: bool,
    /// MariaDB sets it to its own now with every other change of the record.
    pub(crate) touched: bool,
    /// Most characters of a text.
    pub(crate) length: Option<u64>,
    /// MariaDB: character set and collation. PostgreSQL: a collation that takes different texts for
    /// one, without a character set.
    pub(crate) collation: Option<(String, String)>,
}

/// A foreign key, with the positions of both tables in [`Catalogue::tables`].
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) child: usize,
    pub(crate) fields: Vec<String>,
    pub(crate) parent: usize,
    pub(crate) to_fields: Vec<String>,
    pub(crate) on_delete: OnDelete,
    /// `RESTRICT`: checked at once and never at the end of the statement.
    pub(crate) immediate: bool,
}

impl Table {
    /// The name as the data map writes it: with a schema unless it is the default one.
    pub(crate) fn full_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The quoted name.
    pub(crate) fn quoted(&self, dialect: Dialect) -> Result<String, Fault> {
        let name = dialect.quote(&self.name)?;
        Ok(match &self.schema {
            Some(schema) => format!("{}.{name}", dialect.quote(schema)?),
            None => name,
        })
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// These fields identify one record: the primary key or a unique constraint without nulls is
    /// among them.
    pub(crate) fn identified_by(&self, fields: &[String]) -> bool {
        let covered =
            |set: &Vec<String>| !set.is_empty() && set.iter().all(|name| fields.contains(name));
        let solid = |set: &&Vec<String>| {
            set.iter().all(|name| self.column(name).is_some_and(|column| !column.nullable))
        };
        covered(&self.key) || self.unique.iter().filter(solid).any(covered)
    }
}

impl Table {
    /// Records with given values of these fields are found by an index: they are its leading
    /// columns, in any order.
    pub(crate) fn indexed(&self, fields: &[String]) -> bool {
        let leads = |index: &Vec<String>| {
            index.len() >= fields.len()
                && index[..fields.len()].iter().all(|name| fields.contains(name))
        };
        !fields.is_empty() && (leads(&self.key) || self.indexes.iter().any(leads))
    }
}

/// The column of an index's expression `lower(column)`, as databases write it down; `None` where it
/// is another one.
pub(crate) fn lowered_column(expression: &str) -> Option<String> {
    let text = expression.trim();
    let inner = text.get(..6).filter(|head| head.eq_ignore_ascii_case("lower("))?;
    let mut name = text[inner.len()..].strip_suffix(')')?.trim();
    name = name.strip_suffix("::text").unwrap_or(name).trim();
    if let Some(inside) = name.strip_prefix('(').and_then(|name| name.strip_suffix(')')) {
        name = inside.trim();
    }
    for quote in ['"', '`'] {
        let quoted = name.strip_prefix(quote).and_then(|name| name.strip_suffix(quote));
        if let Some(plain) = quoted.filter(|plain| !plain.contains(quote)) {
            return Some(plain.to_owned());
        }
    }
    let plain = |one: char| one.is_alphanumeric() || one == '_' || one == '$';
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

impl Catalogue {
    /// Reads the catalogue.
    pub(crate) async fn read(session: &mut Session) -> Result<Self, Fault> {
        match session.dialect() {
            Dialect::Postgres => catalogue_postgresql::read(session).await,
            Dialect::MariaDb => catalogue_mariadb::read(session).await,
            Dialect::Sqlite => catalogue_sqlite::read(session).await,
        }
    }

    /// The position of a table by the name that a data map gives, with or without its schema.
    pub(crate) fn find(&self, source: &str) -> Option<usize> {
        let exact = self.tables.iter().position(|table| table.full_name() == source);
        exact.or_else(|| {
            self.tables.iter().position(|table| {
                table.name == source
                    && table.schema.as_deref().is_none_or(|schema| schema == "public")
            })
        })
    }

    /// The position of the connector's own table, by the name that its statements give it: without a
    /// schema it is where the server looks for it, which need not be `public`.
    pub(crate) fn find_own(&self, name: &str) -> Option<usize> {
        let is = |table: &Table, schema: &str| {
            table.name == name && table.schema.as_deref() == Some(schema)
        };
        let mut schemas = self.search_path.iter();
        let found = schemas.find_map(|schema| self.tables.iter().position(|one| is(one, schema)));
        found.or_else(|| self.tables.iter().position(|table| table.full_name() == name))
    }

    /// The description for people and for drafts of a data map.
    pub(crate) fn schema(&self, hidden: &str) -> Schema {
        let mut schema = Schema { product: self.product.clone(), collections: Vec::new() };
        let hidden = self.find_own(hidden);
        for (position, table) in self.tables.iter().enumerate() {
            if Some(position) == hidden {
                continue;
            }
            let references = self.references.iter().filter(|one| one.child == position);
            schema.collections.push(CollectionSchema {
                name: table.full_name(),
                view: table.view,
                fields: table.columns.iter().map(Column::schema).collect(),
                key: table.key.clone(),
                unique: table.unique.clone(),
                foreign_keys: references
                    .map(|one| ForeignKey {
                        name: one.name.clone(),
                        fields: one.fields.clone(),
                        to: self.tables[one.parent].full_name(),
                        to_fields: one.to_fields.clone(),
                        on_delete: one.on_delete,
                    })
                    .collect(),
                partitions: table.partitions.iter().map(Partition::full_name).collect(),
                partitioned_by: table.partitioned_by.clone(),
                estimated_records: table.estimated,
            });
        }
        schema
    }
}

impl Column {
    /// A record takes its value along to another table; what is computed from others is computed anew.
    pub(crate) fn moves(&self) -> bool {
        !self.generated || self.counted
    }

    fn schema(&self) -> FieldSchema {
        FieldSchema {
            name: self.name.clone(),
            native_type: self.native.clone(),
            field_type: self.class,
            nullable: self.nullable,
            generated: self.generated,
        }
    }
}

impl Partition {
    /// Name with its schema.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_on_small_letters_is_known_by_its_expression() {
        for expression in [
            "lower(email)",
            "lower(email::text)",
            "lower((email)::text)",
            "LOWER( email )",
            "lower(\"email\")",
            "lower(`email`)",
        ] {
            assert_eq!(lowered_column(expression).as_deref(), Some("email"), "{expression}");
        }
        for other in ["email", "upper(email)", "lower(email || name)", "lower(email", "lower()"] {
            assert_eq!(lowered_column(other), None, "{other}");
        }
    }
}
