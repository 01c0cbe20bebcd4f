//! Telling which records go: the keys of a chunk, for the engine's manifest.
//!
//! Only where an instruction asks for it. PostgreSQL says with the deletion what it has deleted;
//! the others are asked just before, where nothing can change in between: SQLite has one writer,
//! and MariaDB locks what it reads. The engine hears of the keys before the chunk commits.

use crate::connector::Going;
use crate::order::{MappedField, RecordKey};
use crate::receipt::Fault;
use crate::sql::circles::in_set;
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::{rejected, transient};
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::inspect;
use crate::sql::joint::Told;
use crate::sql::keys::Keys;
use crate::sql::standing::Standing;
use crate::sql::windows::Run;
use crate::value::Value;

/// Keys of a closed set that are read at once.
const KEYS_OF_A_SET: usize = 10_000;

/// How the keys of what a deletion takes are told.
#[derive(Debug)]
pub(crate) struct Listing {
    fields: KeyFields,
    /// What tells them beforehand; `None` where the deletion does.
    beforehand: Option<Fragment>,
}

/// Key fields as they are read.
#[derive(Debug)]
struct KeyFields {
    columns: Vec<String>,
    fields: Vec<(MappedField, bool)>,
}

impl KeyFields {
    fn of(compiler: &Compiler<'_, '_>, place: &Place) -> Result<Self, Fault> {
        let instruction = place
            .instruction
            .ok_or_else(|| rejected("records of a table that is not mapped cannot be listed"))?;
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        for name in &compiler.scene.instruction(instruction).key {
            let (column, mapped, bytes) = inspect::read(compiler, place, &[], name)?;
            columns.push(column);
            fields.push((mapped, bytes));
        }
        Ok(Self { columns, fields })
    }

    fn selected(&self) -> String {
        self.columns.join(", ")
    }

    /// What is not what the data map declares counts as the text that it is.
    fn keys(&self, rows: &[Vec<Cell>]) -> Vec<RecordKey> {
        let key = |row: &Vec<Cell>| {
            let named = self.fields.iter().zip(row).map(|((mapped, bytes), cell)| {
                let value = inspect::value(mapped, *bytes, cell);
                (mapped.name.clone(), value.unwrap_or_else(|_| Value::Text(cell.text())))
            });
            named.collect()
        };
        rows.iter().map(key).collect()
    }
}

impl Listing {
    /// For the deletion of what the condition holds for.
    pub(crate) fn of(
        compiler: &Compiler<'_, '_>,
        (standing, place): (&Standing, &Place),
        condition: Fragment,
    ) -> Result<Self, Fault> {
        let fields = KeyFields::of(compiler, place)?;
        let lock = if compiler.dialect() == Dialect::MariaDb { " FOR UPDATE" } else { "" };
        let head = format!("SELECT {} FROM {} WHERE ", fields.selected(), standing.from);
        let beforehand =
            (compiler.dialect() != Dialect::Postgres).then(|| condition.within(&head, lock));
        Ok(Self { fields, beforehand })
    }

    /// Carries out the deletion inside the transaction that is open; the keys of what it took.
    pub(crate) async fn delete(
        &self,
        session: &mut Session,
        deletion: &Fragment,
    ) -> Result<Vec<RecordKey>, Fault> {
        let Some(beforehand) = &self.beforehand else {
            let returning = format!(" RETURNING {}", self.fields.selected());
            let rows = session.fetch(&deletion.clone().then(&returning)).await?;
            return Ok(self.fields.keys(&rows));
        };
        let rows = session.fetch(beforehand).await?;
        if session.execute(deletion).await? != rows.len() as u64 {
            return Err(transient(
                "records changed while it was told which of them go; the chunk is rolled back",
            ));
        }
        Ok(self.fields.keys(&rows))
    }
}

impl Run<'_> {
    /// Tells the engine which records go with the chunk that is open, and keeps its mark.
    pub(crate) async fn list(
        &mut self,
        instruction: usize,
        keys: &[RecordKey],
    ) -> Result<(), Fault> {
        if keys.is_empty() {
            return Ok(());
        }
        let Told::One(progress) = self.progress else {
            return Err(rejected("no manifest is kept of several orders as one"));
        };
        let collection = &self.order.instructions[instruction].collection;
        let going = Going { collection, keys, after: self.done.listed };
        self.done.listed = Some(progress.going(going).await?);
        Ok(())
    }

    /// The same for a set of records that refer to each other, whose tables are locked.
    pub(crate) async fn list_set(&mut self, member: usize) -> Result<(), Fault> {
        let (fields, statement) = {
            let compiler = Compiler::new(&self.scene);
            let (from, place) = compiler.main(self.scene.table_of(member)?, Some(member))?;
            let fields = KeyFields::of(&compiler, &place)?;
            let order = Keys::of(&compiler, &place, member).names(&compiler, &place)?.join(", ");
            let head = format!("SELECT {} FROM {from} WHERE ", fields.selected());
            let statement = in_set(&compiler, &place, member)?
                .within(&head, &format!(" ORDER BY {order} LIMIT {KEYS_OF_A_SET}"));
            (fields, statement)
        };
        let mut at = 0;
        loop {
            let rows =
                self.session.fetch(&statement.clone().then(&format!(" OFFSET {at}"))).await?;
            self.list(member, &fields.keys(&rows)).await?;
            if rows.len() < KEYS_OF_A_SET {
                return Ok(());
            }
            at += rows.len();
        }
    }
}
