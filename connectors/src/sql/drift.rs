//! Deviations of the system from the data map. Any of them stops an order.

use crate::order::{Instruction, MappedField};
use crate::receipt::Drift;
use crate::sql::catalogue::{Column, Table};
use crate::sql::dialect::Dialect;
use crate::sql::scene::Scene;
use crate::value::{FieldType, Stored};

/// Every deviation, in the order of the instructions.
pub(crate) fn find(scene: &Scene<'_>) -> Vec<Drift> {
    let mut drift = Vec::new();
    for (position, instruction) in scene.order.instructions.iter().enumerate() {
        match scene.table_position(position) {
            None => {
                drift.push(Drift::CollectionMissing { collection: instruction.collection.clone() });
            }
            Some(table) => {
                collection(scene.dialect, instruction, scene.table(table), &mut drift);
            }
        }
    }
    drift
}

fn collection(dialect: Dialect, instruction: &Instruction, table: &Table, drift: &mut Vec<Drift>) {
    let collection = &instruction.collection;
    for mapped in &instruction.fields {
        match table.column(&mapped.name) {
            None => drift.push(Drift::FieldMissing {
                collection: collection.clone(),
                field: mapped.name.clone(),
            }),
            Some(column) if !fits(dialect, mapped, column) => drift.push(Drift::TypeChanged {
                collection: collection.clone(),
                field: mapped.name.clone(),
                mapped: declared(mapped),
                found: column.native.clone(),
            }),
            Some(_) => {}
        }
    }
    for column in &table.columns {
        if !instruction.fields.iter().any(|mapped| mapped.name == column.name) {
            drift.push(Drift::FieldUnmapped {
                collection: collection.clone(),
                field: column.name.clone(),
            });
        }
    }
    if !table.view && !key_fits(instruction, table) {
        drift.push(Drift::KeyChanged {
            collection: collection.clone(),
            mapped: instruction.key.clone(),
            found: table.key.clone(),
        });
    }
}

fn key_fits(instruction: &Instruction, table: &Table) -> bool {
    if table.key.is_empty() {
        return table.identified_by(&instruction.key);
    }
    table.key.len() == instruction.key.len()
        && table.key.iter().all(|name| instruction.key.contains(name))
}

fn declared(mapped: &MappedField) -> String {
    let name = format!("{:?}", mapped.field_type).to_lowercase();
    match mapped.stored {
        Stored::Native => name,
        Stored::EpochSeconds => format!("{name} stored as epoch seconds"),
        Stored::EpochMilliseconds => format!("{name} stored as epoch milliseconds"),
        Stored::EpochMicroseconds => format!("{name} stored as epoch microseconds"),
    }
}

fn fits(dialect: Dialect, mapped: &MappedField, column: &Column) -> bool {
    use FieldType as T;
    // SQLite keeps any value in any column; what cannot be read counts as absent.
    if dialect == Dialect::Sqlite {
        return true;
    }
    let found = column.class;
    if mapped.stored != Stored::Native && matches!(mapped.field_type, T::Timestamp | T::Date) {
        return matches!(found, T::Integer | T::Decimal | T::Float);
    }
    match mapped.field_type {
        T::Other => true,
        T::Text => matches!(found, T::Text | T::Uuid | T::Json | T::Address | T::Other),
        T::Integer => matches!(found, T::Integer | T::Boolean | T::Decimal),
        T::Decimal | T::Float => matches!(found, T::Decimal | T::Float | T::Integer),
        T::Boolean => matches!(found, T::Boolean | T::Integer),
        T::Timestamp => found == T::Timestamp,
        T::Date => found == T::Date,
        T::Uuid => matches!(found, T::Uuid | T::Text | T::Binary),
        T::Binary => matches!(found, T::Binary | T::Other),
        T::Json => matches!(found, T::Json | T::Text),
        T::Address => matches!(found, T::Address | T::Text | T::Binary),
    }
}
