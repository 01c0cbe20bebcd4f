//! Records of an invented person: written, counted and taken away again, all by marks that nobody
//! else can have. Values are parameters, never text of a statement.

use std::collections::{BTreeMap, BTreeSet};

use crate::order::{MappedField, Order, RecordKey};
use crate::plant::{PlantedRecord, PlantedValue};
use crate::receipt::Fault;
use crate::sql::SqlConnector;
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{misconfigured, rejected};
use crate::sql::fragment::Fragment;
use crate::sql::inspect::{read, value};
use crate::sql::scene::Scene;
use crate::value::{FieldType, Record, Value};

/// Plants what is not there yet, in one transaction; the key of each record, in their order.
pub(crate) async fn plant(
    connector: &SqlConnector,
    order: &Order,
    records: &[PlantedRecord],
) -> Result<Vec<RecordKey>, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let scene = Scene::new(session.dialect(), order, catalogue);
    session.begin().await?;
    // What fails goes with the connection.
    let keys = plant_all(&mut session, &scene, records).await?;
    session.commit().await?;
    session.close().await;
    Ok(keys)
}

/// How many records with a mark of these are there.
pub(crate) async fn planted(
    connector: &SqlConnector,
    order: &Order,
    records: &[PlantedRecord],
) -> Result<u64, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let scene = Scene::new(session.dialect(), order, catalogue);
    let mut count = 0;
    for (collection, marks) in marks_of(records)? {
        let planting = Planting::new(&scene, &collection)?;
        let head = format!("SELECT count(*) FROM {} WHERE ", planting.from);
        count += session.count(&planting.any(&marks)?.within(&head, "")).await?;
    }
    session.close().await;
    Ok(count)
}

/// Takes away what is there with a mark of these, in one transaction; how many records.
pub(crate) async fn unplant(
    connector: &SqlConnector,
    order: &Order,
    records: &[PlantedRecord],
) -> Result<u64, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let scene = Scene::new(session.dialect(), order, catalogue);
    session.begin().await?;
    let mut count = 0;
    // Children were planted after their parents, and go before them.
    for (collection, marks) in marks_of(records)?.into_iter().rev() {
        let planting = Planting::new(&scene, &collection)?;
        let head = format!("DELETE FROM {} WHERE ", planting.from);
        count += session.execute(&planting.any(&marks)?.within(&head, "")).await?;
    }
    session.commit().await?;
    session.close().await;
    Ok(count)
}

async fn plant_all(
    session: &mut Session,
    scene: &Scene<'_>,
    records: &[PlantedRecord],
) -> Result<Vec<RecordKey>, Fault> {
    let mut keys = Vec::with_capacity(records.len());
    let mut known: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        let planting = Planting::new(scene, &record.collection)?;
        let mut values = resolved(record, &known)?;
        let marks = own_marks(record)?;
        let key = if let Some(key) = planting.keys_of(session, &marks).await? {
            key
        } else {
            planting.refuse_what_is_given(session, &values).await?;
            planting.keep_key(session, record, &mut values).await?;
            session.execute(&planting.insertion(&values)?).await?;
            planting.keys_of(session, &marks).await?.ok_or_else(|| {
                    rejected(format!(
                        "what was planted in `{}` is not found again by its marks: a trigger or a rule of the database has changed it",
                        record.collection
                    ))
                })?
        };
        values.extend(key.clone());
        known.push(values);
        keys.push(key);
    }
    Ok(keys)
}

/// What a record holds, with what earlier ones have been given.
fn resolved(record: &PlantedRecord, known: &[Record]) -> Result<Record, Fault> {
    let mut values = Record::new();
    for (field, planted) in &record.values {
        let value = match planted {
            PlantedValue::Value(value) => value.clone(),
            PlantedValue::Of { record: earlier, field: other } => {
                let found = known.get(*earlier).and_then(|values| values.get(other));
                found.cloned().ok_or_else(|| {
                    misconfigured(format!(
                        "`{}.{field}` takes the value of `{other}`, which no earlier record has",
                        record.collection
                    ))
                })?
            }
        };
        values.insert(field.clone(), value);
    }
    Ok(values)
}

/// The marks of a record, by field.
fn own_marks(record: &PlantedRecord) -> Result<BTreeMap<String, Value>, Fault> {
    let mut marks = BTreeMap::new();
    for (field, planted) in record.values.iter().filter(|(field, _)| record.marks.contains(field)) {
        match planted {
            PlantedValue::Value(value) if *value != Value::Null => {
                marks.insert(field.clone(), value.clone());
            }
            _ => {
                let message = format!("`{}.{field}` holds no mark", record.collection);
                return Err(misconfigured(message));
            }
        }
    }
    if marks.is_empty() {
        let message = format!("nothing marks what is planted in `{}`", record.collection);
        return Err(misconfigured(message));
    }
    Ok(marks)
}

/// Columns that are read: name, what the data map says, and whether they are bytes.
type Columns = Vec<(String, MappedField, bool)>;

type Marks = BTreeSet<(String, Value)>;

/// The marks of all records by collection, in the order in which collections were planted first.
fn marks_of(records: &[PlantedRecord]) -> Result<Vec<(String, Marks)>, Fault> {
    let mut all: Vec<(String, Marks)> = Vec::new();
    for record in records {
        let marks = own_marks(record)?;
        match all.iter_mut().find(|(collection, _)| *collection == record.collection) {
            Some((_, known)) => known.extend(marks),
            None => all.push((record.collection.clone(), marks.into_iter().collect())),
        }
    }
    Ok(all)
}

/// A collection in which records are planted.
struct Planting<'s, 'o> {
    scene: &'s Scene<'o>,
    position: usize,
    table: usize,
    from: String,
    place: Place,
}

impl<'s, 'o> Planting<'s, 'o> {
    fn new(scene: &'s Scene<'o>, collection: &str) -> Result<Self, Fault> {
        let position = scene
            .instruction_of(collection)
            .ok_or_else(|| misconfigured(format!("the order has no collection `{collection}`")))?;
        let table = scene.table_of(position)?;
        let (from, place) = Compiler::new(scene).main(table, Some(position))?;
        Ok(Self { scene, position, table, from, place })
    }

    fn dialect(&self) -> Dialect {
        self.scene.dialect
    }

    fn key(&self) -> &[String] {
        &self.scene.instruction(self.position).key
    }

    fn quoted(&self) -> Result<String, Fault> {
        self.scene.table(self.table).quoted(self.dialect())
    }

    /// A value as its column takes it.
    fn constant(&self, field: &str, value: &Value) -> Result<Fragment, Fault> {
        if *value == Value::Null {
            return Ok(Fragment::raw("NULL"));
        }
        Compiler::new(self.scene).operand(&self.place, field, |operand| {
            operand.constant(value)?.ok_or_else(|| {
                misconfigured(format!(
                    "field `{field}` of type `{}` cannot hold a {}: plant another value",
                    operand.column.native,
                    value.type_name()
                ))
            })
        })
    }

    fn equal(&self, field: &str, value: &Value) -> Result<Fragment, Fault> {
        let column = Compiler::new(self.scene).column(&self.place, field)?;
        Ok(Fragment::raw(format!("{column} = ")).and(self.constant(field, value)?))
    }

    fn all<'v>(
        &self,
        values: impl IntoIterator<Item = (&'v String, &'v Value)>,
    ) -> Result<Fragment, Fault> {
        let equal = values.into_iter().map(|(field, value)| self.equal(field, value));
        Ok(Fragment::all(equal.collect::<Result<_, _>>()?))
    }

    fn any(&self, marks: &Marks) -> Result<Fragment, Fault> {
        let equal = marks.iter().map(|(field, value)| self.equal(field, value));
        Ok(Fragment::any(equal.collect::<Result<_, _>>()?))
    }

    /// What reads the keys of records with all of these marks.
    fn lookup(&self, marks: &BTreeMap<String, Value>) -> Result<(Columns, Fragment), Fault> {
        let mut selected = Vec::new();
        let mut columns = Columns::new();
        for field in self.key() {
            let compiler = Compiler::new(self.scene);
            let (text, mapped, bytes) = read(&compiler, &self.place, &[], field)?;
            selected.push(text);
            columns.push((field.clone(), mapped, bytes));
        }
        let head = format!("SELECT {} FROM {} WHERE ", selected.join(", "), self.from);
        Ok((columns, self.all(marks)?.within(&head, " LIMIT 2")))
    }

    /// The key of the one record with all of these marks; `None` where there is none.
    async fn keys_of(
        &self,
        session: &mut Session,
        marks: &BTreeMap<String, Value>,
    ) -> Result<Option<RecordKey>, Fault> {
        let (columns, statement) = self.lookup(marks)?;
        let rows = session.fetch(&statement).await?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] => {
                let mut key = RecordKey::new();
                for ((field, mapped, bytes), cell) in columns.iter().zip(row) {
                    key.insert(field.clone(), value(mapped, *bytes, cell)?);
                }
                Ok(Some(key))
            }
            _ => {
                let collection = &self.scene.instruction(self.position).collection;
                Err(rejected(format!(
                    "more than one record of `{collection}` has the marks of one that was planted"
                )))
            }
        }
    }

    /// Refuses values for what the system gives by itself: after a high number it would go on from
    /// there for everybody.
    async fn refuse_what_is_given(
        &self,
        session: &mut Session,
        values: &Record,
    ) -> Result<(), Fault> {
        let table = self.scene.table(self.table);
        for field in values.keys() {
            let Some(column) = table.column(field) else { continue };
            let counted = match self.dialect() {
                Dialect::Sqlite => {
                    table.key.len() == 1
                        && table.key[0] == *field
                        && column.native.eq_ignore_ascii_case("integer")
                }
                Dialect::MariaDb => {
                    let is_key = column.class == FieldType::Integer && table.key.contains(field);
                    is_key && self.counts_up(session, field).await?
                }
                Dialect::Postgres => false,
            };
            if counted || column.generated {
                return Err(misconfigured(format!(
                    "the system gives `{field}` by itself: leave it out of what is planted, and refer to it as `{{collection.{field}}}`"
                )));
            }
        }
        Ok(())
    }

    async fn counts_up(&self, session: &mut Session, field: &str) -> Result<bool, Fault> {
        let table = self.scene.table(self.table);
        let schema = match &table.schema {
            Some(schema) => Fragment::text_value(schema.as_str()),
            None => Fragment::raw("DATABASE()"),
        };
        let statement = Fragment::raw(
            "SELECT count(*) FROM information_schema.columns WHERE extra LIKE '%auto_increment%' \
             AND table_schema = ",
        )
        .and(schema)
        .then(" AND table_name = ")
        .and(Fragment::text_value(table.name.as_str()))
        .then(" AND column_name = ")
        .and(Fragment::text_value(field));
        Ok(session.count(&statement).await? > 0)
    }

    /// Gives a record the key that it had, where nobody has it by now.
    async fn keep_key(
        &self,
        session: &mut Session,
        record: &PlantedRecord,
        values: &mut Record,
    ) -> Result<(), Fault> {
        let Some(key) = &record.key else { return Ok(()) };
        let table = self.scene.table(self.table);
        let computed = |field: &String| table.column(field).is_some_and(|one| one.generated);
        if key.keys().all(|field| values.contains_key(field)) || key.keys().any(computed) {
            return Ok(());
        }
        let head = format!("SELECT count(*) FROM {} WHERE ", self.from);
        if session.count(&self.all(key)?.within(&head, "")).await? == 0 {
            for (field, value) in key {
                values.entry(field.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(())
    }

    fn insertion(&self, values: &Record) -> Result<Fragment, Fault> {
        let mut columns = Vec::new();
        let mut constants = Vec::new();
        for (field, value) in values {
            columns.push(self.dialect().quote(field)?);
            constants.push(self.constant(field, value)?);
        }
        let head = format!("INSERT INTO {} ({}) VALUES (", self.quoted()?, columns.join(", "));
        let values = Fragment::join(constants, ", ");
        Ok(Fragment::raw(head).and(values).then(")"))
    }
}
