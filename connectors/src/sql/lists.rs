//! Lists of keys on their way into temporary tables.
//!
//! Each list stands once for every set of fields that it is compared with, in the types of those
//! fields, so that the comparison can use their indexes. Entries go in batches.

use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place, list_name};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::parts::PART;
use crate::sql::scene::{ListTable, Scene};
use crate::sql::values::Operand;
use crate::value::{FieldType, Value};

/// Values in one statement; each database takes at least this many.
const VALUES_IN_STATEMENT: usize = 6_000;

/// Longest text that MariaDB can index.
const INDEXED_CHARACTERS: usize = 700;

impl Operand<'_> {
    /// The column as it is compared with a column of a list.
    pub(crate) fn list_operand(&self) -> String {
        if self.dialect == Dialect::Sqlite {
            if self.epoch() {
                return format!("({})", self.sqlite_epoch());
            }
            match self.mapped.field_type {
                FieldType::Timestamp => return self.sqlite_listed_moment(),
                FieldType::Date => return format!("({})", self.sqlite_readable("%Y-%m-%d")),
                _ => {}
            }
        }
        if self.dialect == Dialect::Postgres && self.column.by_text {
            format!("CAST({} AS text)", self.name)
        } else {
            self.listed_name()
        }
    }

    /// The forms in which a list has a value; none where no record could hold it.
    fn list_entries(&self, value: &Value) -> Result<Vec<Fragment>, Fault> {
        if impossible(self, value)? {
            return Ok(Vec::new());
        }
        let kept_as_text = self.dialect == Dialect::Sqlite && !self.epoch();
        if kept_as_text && self.mapped.field_type == FieldType::Timestamp {
            return self.sqlite_moment_entries(value);
        }
        Ok(self.forms(value)?.into_iter().map(|form| self.listed_form(form)).collect())
    }

    /// Most characters of the list's texts: what is longer than the field is on no list, and every
    /// look into an index gets slower with the length of its key.
    fn indexed_characters(&self) -> usize {
        let own = self.column.length.and_then(|length| usize::try_from(length).ok());
        own.map_or(INDEXED_CHARACTERS, |own| own.clamp(1, INDEXED_CHARACTERS))
    }

    /// The type of the list's column.
    fn list_type(&self) -> String {
        match self.dialect {
            Dialect::Postgres => self.column.cast.clone(),
            Dialect::Sqlite => String::new(),
            Dialect::MariaDb => match self.column.class {
                FieldType::Text => {
                    let (charset, collation) = self
                        .column
                        .collation
                        .clone()
                        .unwrap_or_else(|| ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()));
                    let most = self.indexed_characters();
                    format!("VARCHAR({most}) CHARACTER SET {charset} COLLATE {collation}")
                }
                FieldType::Integer | FieldType::Boolean => {
                    if self.column.native.contains("unsigned") {
                        "BIGINT UNSIGNED".to_owned()
                    } else {
                        "BIGINT".to_owned()
                    }
                }
                FieldType::Binary => format!("VARBINARY({INDEXED_CHARACTERS})"),
                FieldType::Decimal => "DECIMAL(65,30)".to_owned(),
                FieldType::Float => "DOUBLE".to_owned(),
                FieldType::Timestamp => "DATETIME(6)".to_owned(),
                _ => self.column.native.clone(),
            },
        }
    }
}

/// Fields whose capitals do not count and in which no index finds them so, each with what to create:
/// whoever asks by them reads the whole collection.
pub(crate) fn read_throughout(scene: &Scene<'_>) -> Result<Vec<String>, Fault> {
    let compiler = Compiler::new(scene);
    let mut found = std::collections::BTreeSet::new();
    for entry in &scene.lists {
        let [name] = entry.fields.as_slice() else { continue };
        let position = scene.table_of(entry.instruction)?;
        let table = scene.table(position);
        let (_, place) = compiler.main(position, Some(entry.instruction))?;
        let (ignores_case, bare) = compiler.operand(&place, name, |operand| {
            Ok((operand.ignores_case(), operand.listed_name() == operand.name))
        })?;
        let served = if bare { table.indexed(&entry.fields) } else { table.lowered.contains(name) };
        if ignores_case && !served {
            let quoted = (table.quoted(scene.dialect)?, scene.dialect.quote(name)?);
            let what = match (scene.dialect, bare) {
                (Dialect::MariaDb, false) => {
                    "give it a collation that ends in `_ci`, and an index".to_owned()
                }
                (_, true) => format!("create an index on {}", quoted.1),
                (_, false) => format!("create an index on {} (lower({}))", quoted.0, quoted.1),
            };
            found.insert(format!(
                "`{}.{name}`: {what}",
                scene.instruction(entry.instruction).collection
            ));
        }
    }
    Ok(found.into_iter().collect())
}

/// Creates and fills the temporary tables of all lists.
pub(crate) async fn load(session: &mut Session, scene: &Scene<'_>) -> Result<(), Fault> {
    for number in 0..scene.lists.len() {
        let (create, inserts, index) = statements(scene, number)?;
        for text in create {
            session.command(&text).await?;
        }
        for insert in inserts {
            session.execute(&insert).await?;
        }
        for text in index {
            session.command(&text).await?;
        }
    }
    Ok(())
}

type Statements = (Vec<String>, Vec<Fragment>, Vec<String>);

fn statements(scene: &Scene<'_>, number: usize) -> Result<Statements, Fault> {
    let entry = &scene.lists[number];
    let compiler = Compiler::new(scene);
    let table = scene.table_of(entry.instruction)?;
    let (_, place) = compiler.main(table, Some(entry.instruction))?;
    let name = list_name(scene.dialect, number);
    let columns: Vec<String> = (0..entry.fields.len()).map(|index| format!("c{index}")).collect();
    let mut create = Vec::new();
    let has_parts = scene.has_parts(entry.list);
    if scene.dialect == Dialect::Sqlite {
        // The same declared types give the same affinities.
        let quoted: Result<Vec<String>, Fault> = entry
            .fields
            .iter()
            .zip(&columns)
            .map(|(field, column)| Ok(format!("{} AS {column}", scene.dialect.quote(field)?)))
            .collect();
        let mut quoted = quoted?;
        quoted.extend(has_parts.then(|| format!("0 AS {PART}")));
        let from = scene.table(table).quoted(scene.dialect)?;
        create.push(format!(
            "CREATE TEMPORARY TABLE quietus_list_{number} AS SELECT {} FROM {from} WHERE 0",
            quoted.join(", ")
        ));
    } else {
        let mut definitions = Vec::new();
        for (field, column) in entry.fields.iter().zip(&columns) {
            let kind = compiler.operand(&place, field, |operand| Ok(operand.list_type()))?;
            definitions.push(format!("{column} {kind}"));
        }
        definitions.extend(has_parts.then(|| format!("{PART} INTEGER")));
        if scene.dialect == Dialect::MariaDb {
            let parts = index_parts(&compiler, &place, entry, &columns)?;
            definitions.push(format!("INDEX ({parts})"));
        }
        create.push(format!(
            "CREATE TEMPORARY TABLE quietus_list_{number} ({})",
            definitions.join(", ")
        ));
    }
    let parts = index_parts(&compiler, &place, entry, &columns)?;
    let index = match scene.dialect {
        Dialect::Postgres => {
            vec![format!("CREATE INDEX ON {name} ({parts})"), format!("ANALYZE {name}")]
        }
        // It is part of the definition.
        Dialect::MariaDb => Vec::new(),
        Dialect::Sqlite => {
            vec![format!(
                "CREATE INDEX temp.quietus_list_{number}_index ON quietus_list_{number} ({parts})"
            )]
        }
    };
    let inserts = inserts(&compiler, &place, entry, &name, &columns)?;
    Ok((create, inserts, index))
}

/// The parts of the index over all columns; MariaDB's long ones share what an index can hold.
fn index_parts(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    entry: &ListTable,
    columns: &[String],
) -> Result<String, Fault> {
    if compiler.dialect() != Dialect::MariaDb {
        return Ok(columns.join(", "));
    }
    let mut long = Vec::new();
    for field in &entry.fields {
        long.push(compiler.operand(place, field, |operand| {
            let text = operand.list_type().starts_with("VAR");
            Ok(text.then(|| match operand.column.class {
                FieldType::Text => operand.indexed_characters(),
                _ => INDEXED_CHARACTERS,
            }))
        })?);
    }
    let share = INDEXED_CHARACTERS / long.iter().flatten().count().max(1);
    let parts: Vec<String> = columns
        .iter()
        .zip(long)
        .map(|(column, long)| match long {
            // A part as long as its column would not be told from the whole of it.
            Some(most) if most > share => format!("{column}({share})"),
            _ => column.clone(),
        })
        .collect();
    Ok(parts.join(", "))
}

fn inserts(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    entry: &ListTable,
    name: &str,
    columns: &[String],
) -> Result<Vec<Fragment>, Fault> {
    let list = compiler
        .scene
        .order
        .lists
        .get(entry.list)
        .ok_or_else(|| misconfigured(format!("the order has no list number {}", entry.list)))?;
    let owners = compiler.scene.parts.as_ref().and_then(|parts| parts.owners(entry.list));
    let mut rows = Vec::new();
    for (number, values) in list.entries.iter().enumerate() {
        if values.len() != columns.len() {
            return Err(misconfigured("an entry of a list is not as long as its fields"));
        }
        let mut forms = vec![Vec::with_capacity(values.len())];
        for (value, field) in values.iter().zip(&entry.fields) {
            // What does not fit the field's type cannot be the value of any record.
            let cells = compiler.operand(place, field, |operand| operand.list_entries(value))?;
            forms = cells
                .iter()
                .flat_map(|cell| {
                    forms.iter().map(|form| [form.as_slice(), std::slice::from_ref(cell)].concat())
                })
                .collect();
        }
        let part = owners.map(|owners| Fragment::raw(owners[number].to_string()));
        rows.extend(forms.into_iter().map(|mut form| {
            form.extend(part.clone());
            Fragment::join(form, ", ").within("(", ")")
        }));
    }
    let batch = (VALUES_IN_STATEMENT / columns.len().max(1)).max(1);
    let mut columns = columns.to_vec();
    columns.extend(owners.map(|_| PART.to_owned()));
    let head = format!("INSERT INTO {name} ({}) VALUES ", columns.join(", "));
    Ok(rows
        .chunks(batch)
        .map(|chunk| Fragment::raw(head.as_str()).and(Fragment::join(chunk.to_vec(), ", ")))
        .collect())
}

/// MariaDB: the character set of the column has every character of the text. Of sets that are not
/// named here the system itself is asked, which fails for an entry that it cannot write.
fn writable(operand: &Operand<'_>, text: &str) -> bool {
    let charset = operand.column.collation.as_ref().map_or("", |(charset, _)| charset.as_str());
    match charset {
        "ascii" => text.is_ascii(),
        "utf8" | "utf8mb3" | "ucs2" => text.chars().all(|one| u32::from(one) <= 0xffff),
        // Code page 1252, whose five gaps the system fills with the control characters of the place.
        "latin1" => text.chars().all(|one| {
            matches!(one, '\0'..='\u{7f}' | '\u{81}' | '\u{8d}' | '\u{8f}' | '\u{90}' | '\u{9d}')
                || ('\u{a0}'..='\u{ff}').contains(&one)
                || "\u{20ac}\u{201a}\u{192}\u{201e}\u{2026}\u{2020}\u{2021}\u{2c6}\u{2030}\u{160}\u{2039}\u{152}\u{17d}\u{2018}\u{2019}\u{201c}\u{201d}\u{2022}\u{2013}\u{2014}\u{2dc}\u{2122}\u{161}\u{203a}\u{153}\u{17e}\u{178}".contains(one)
        }),
        _ => true,
    }
}

/// Longer than any value of the field can be, or not to be written in it at all.
fn impossible(operand: &Operand<'_>, value: &Value) -> Result<bool, Fault> {
    let Value::Text(text) = value else { return Ok(false) };
    let characters = text.chars().count();
    let most = operand.column.length.and_then(|length| usize::try_from(length).ok());
    if most.is_some_and(|most| characters > most) || !writable(operand, text) {
        return Ok(true);
    }
    if operand.dialect == Dialect::MariaDb && characters > INDEXED_CHARACTERS {
        return Err(misconfigured(format!(
            "an entry for field `{}` is longer than {INDEXED_CHARACTERS} characters, which cannot be compared",
            operand.column.name
        )));
    }
    Ok(false)
}
