//! Reasons for which an order must not be carried out as it is, found before anything changes.

use std::collections::BTreeSet;

use crate::order::{FieldTreatment, Instruction, Restriction, Strategy};
use crate::predicate::Predicate;
use crate::schema::OnDelete;
use crate::sql::associations;
use crate::sql::catalogue::{Column, Table};
use crate::sql::compile::Compiler;
use crate::sql::dialect::Dialect;
use crate::sql::inheritance;
use crate::sql::scene::Scene;
use crate::sql::steering;
use crate::sql::strategy::{self, UNIQUE_DIGITS};
use crate::sql::unseen_references;
use crate::value::{FieldType, Value};

/// Every reason; none means that the order can be carried out.
pub(crate) fn find(scene: &Scene<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    for position in scene.active() {
        let instruction = scene.instruction(position);
        let Some(table) = scene.table_position(position) else { continue };
        let changes = instruction.delete_when != Predicate::Never
            || !instruction.treatments.is_empty()
            || instruction.restrict_when != Predicate::Never
            || instruction.lift_when != Predicate::Never;
        if !changes {
            continue;
        }
        collection(scene, instruction, scene.table(table), &mut reasons);
        if instruction.delete_when != Predicate::Never {
            cascades(scene, table, &instruction.collection, &mut reasons);
        }
        for treatment in &instruction.treatments {
            treatments(scene, position, table, &treatment.fields, &mut reasons);
        }
        restriction(scene, position, table, &mut reasons);
    }
    reasons.extend(unseen_references::refusals(scene));
    inheritance::find(scene, &mut reasons);
    one_table_each(scene, &mut reasons);
    links(scene, &mut reasons);
    associations::refusals(scene, &mut reasons);
    steering::find(scene, &mut reasons);
    reasons.dedup();
    reasons
}

/// Conditions and holds of a table are those of one instruction.
fn one_table_each(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    for position in 0..scene.order.instructions.len() {
        let first = scene.table_position(position).and_then(|one| scene.instruction_for_table(one));
        if let Some(first) = first.filter(|&first| first != position) {
            reasons.push(format!(
                "`{}` and `{}` are one table of the system: map it once",
                scene.instruction(first).collection,
                scene.instruction(position).collection
            ));
        }
    }
}

/// MariaDB compares a text with a number by what the text begins with: `12abc` would be 12. SQLite
/// compares them as they are, and PostgreSQL not at all.
fn links(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    if scene.dialect != Dialect::MariaDb {
        return;
    }
    for (position, link) in scene.needed_links() {
        let parent = scene.instruction_of(&link.to).and_then(|to| scene.table_position(to));
        let (Some(child), Some(parent)) = (scene.table_position(position), parent) else {
            continue;
        };
        for (own, other) in &link.fields {
            let sides = [scene.table(child).column(own), scene.table(parent).column(other)];
            let texts = sides.into_iter().flatten().filter(|one| one.class == FieldType::Text);
            let numbers = sides.into_iter().flatten().filter(|one| {
                use FieldType as T;
                matches!(one.class, T::Integer | T::Decimal | T::Float | T::Boolean)
            });
            if texts.count() > 0 && numbers.count() > 0 {
                reasons.push(format!(
                    "link `{}.{}` compares text with numbers (`{own}` with `{other}`), and MariaDB takes `12abc` for 12: give both fields one type",
                    scene.instruction(position).collection,
                    link.name
                ));
            }
        }
    }
}

fn collection(
    scene: &Scene<'_>,
    instruction: &Instruction,
    table: &Table,
    reasons: &mut Vec<String>,
) {
    let name = &instruction.collection;
    if table.view {
        reasons
            .push(format!("`{name}` is a view and is never written to: map the table behind it"));
        return;
    }
    if let Some(unfit) = &table.unfit {
        reasons.push(format!("`{name}` cannot be worked on: {unfit}"));
    }
    let key = window_key(table, &instruction.key);
    if key.is_empty() {
        reasons.push(format!("`{name}` has no usable key: give it a primary key"));
    }
    for field in &key {
        if table.column(field).is_some_and(|column| !windowed(scene.dialect, column)) {
            reasons.push(format!(
                "`{name}` cannot be worked on in windows of its key field `{field}`, whose order is not that of its values: give it another key"
            ));
        }
    }
}

/// The fields by which windows of a table are cut.
pub(crate) fn window_key(table: &Table, mapped: &[String]) -> Vec<String> {
    if table.rowid.is_some() || table.key.is_empty() { mapped.to_vec() } else { table.key.clone() }
}

fn windowed(dialect: Dialect, column: &Column) -> bool {
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => !column.by_text,
        Dialect::MariaDb => {
            let native = column.native.to_ascii_lowercase();
            !native.starts_with("enum")
                && !native.starts_with("set")
                && !matches!(column.class, FieldType::Float | FieldType::Json | FieldType::Other)
        }
    }
}

/// Follows `ON DELETE CASCADE` to tables that the data map does not know.
fn cascades(scene: &Scene<'_>, table: usize, name: &str, reasons: &mut Vec<String>) {
    let mut seen = BTreeSet::from([table]);
    let mut open = vec![table];
    while let Some(parent) = open.pop() {
        for reference in &scene.catalogue.references {
            if reference.parent != parent
                || reference.on_delete != OnDelete::Cascade
                || !seen.insert(reference.child)
            {
                continue;
            }
            if scene.instruction_for_table(reference.child).is_none() {
                reasons.push(format!(
                    "deleting from `{name}` would cascade into `{}`, which is not in the data map: map it, or make the foreign key `{}` refuse",
                    scene.table(reference.child).full_name(),
                    reference.name
                ));
            }
            open.push(reference.child);
        }
    }
}

fn treatments(
    scene: &Scene<'_>,
    position: usize,
    table: usize,
    fields: &[FieldTreatment],
    reasons: &mut Vec<String>,
) {
    let instruction = scene.instruction(position);
    let name = &instruction.collection;
    let found = scene.table(table);
    let compiler = Compiler::new(scene);
    for treated in fields {
        let field = &treated.field;
        let Some(column) = found.column(field) else {
            reasons.push(format!("`{name}.{field}` is to be treated and is not in the system"));
            continue;
        };
        if instruction.key.contains(field) || found.key.contains(field) {
            reasons.push(format!(
                "`{name}.{field}` is a key field and cannot be treated: delete the record instead"
            ));
        }
        if column.generated {
            reasons.push(format!(
                "`{name}.{field}` is computed by the system and cannot be written: treat the fields that it is computed from"
            ));
        }
        let tried = compiler.main(table, Some(position)).and_then(|(_, place)| {
            compiler.operand(&place, field, |operand| strategy::change(operand, &treated.strategy))
        });
        if let Err(fault) = tried {
            reasons.push(fault.to_string());
        }
        if let Some(reason) = misfit(column, &treated.strategy) {
            reasons.push(format!("`{name}.{field}` {reason}"));
        }
    }
    collisions(name, found, fields, reasons);
}

/// Why a strategy cannot work on a column.
fn misfit(column: &Column, strategy: &Strategy) -> Option<String> {
    let empties = matches!(strategy, Strategy::Null | Strategy::Constant(Value::Null));
    if empties && !column.nullable {
        let instead = match column.class {
            FieldType::Text => "a constant, `redact` or `unique`",
            FieldType::Date | FieldType::Timestamp => "a constant or `truncate_to_year`",
            _ => "a constant",
        };
        return Some(format!("may not be null: use {instead} instead of null"));
    }
    let characters = match strategy {
        Strategy::Unique { prefix } => {
            if column.class != FieldType::Text && column.class != FieldType::Other {
                return Some(format!(
                    "has type `{}` and cannot take the strategy `unique`, which writes text",
                    column.native
                ));
            }
            prefix.len() as u64 + UNIQUE_DIGITS
        }
        Strategy::Constant(Value::Text(text)) => text.chars().count() as u64,
        Strategy::Redact { marker } => marker.chars().count() as u64,
        _ => return None,
    };
    column.length.filter(|length| characters > *length).map(|length| {
        format!(
            "holds at most {length} characters and the new value has {characters}: choose a shorter one or widen the field"
        )
    })
}

fn collisions(name: &str, table: &Table, fields: &[FieldTreatment], reasons: &mut Vec<String>) {
    let collapses = |field: &String| {
        fields.iter().any(|treated| {
            treated.field == *field
                && !matches!(
                    treated.strategy,
                    Strategy::Null | Strategy::Unique { .. } | Strategy::Constant(Value::Null)
                )
        })
    };
    for unique in &table.unique {
        if !unique.is_empty() && unique.iter().all(collapses) {
            reasons.push(format!(
                "`{name}` has a unique constraint on ({}), and the strategies would give many records the same value: use null or `unique`",
                unique.join(", ")
            ));
        }
    }
}

fn restriction(scene: &Scene<'_>, position: usize, table: usize, reasons: &mut Vec<String>) {
    let instruction = scene.instruction(position);
    let name = &instruction.collection;
    let wanted =
        instruction.restrict_when != Predicate::Never || instruction.lift_when != Predicate::Never;
    if !wanted {
        return;
    }
    match &instruction.restriction {
        None => reasons.push(format!(
            "`{name}` is to be restricted and the data map does not say how: give it a `restriction`"
        )),
        Some(Restriction::Flag { field }) => match scene.table(table).column(field) {
            None => reasons.push(format!("`{name}.{field}` marks a restriction and is not in the system")),
            Some(column) => {
                let class = scene.field(table, Some(position), field).map(|found| found.1.field_type);
                let usable = matches!(
                    class,
                    Ok(FieldType::Boolean | FieldType::Timestamp | FieldType::Date)
                );
                if !usable || column.generated {
                    reasons.push(format!(
                        "`{name}.{field}` marks a restriction and must be a boolean, moment or day that can be written"
                    ));
                }
            }
        },
        Some(Restriction::Move { to }) => moved(scene, name, table, to, reasons),
    }
}

fn moved(scene: &Scene<'_>, name: &str, table: usize, to: &str, reasons: &mut Vec<String>) {
    let Some(target) = scene.catalogue.find(to) else {
        reasons.push(format!(
            "`{name}` is restricted by moving to `{to}`, which is not in the system"
        ));
        return;
    };
    let target = scene.table(target);
    if target.view || target.unfit.is_some() {
        reasons.push(format!(
            "`{to}` cannot take restricted records of `{name}`: it is no ordinary table"
        ));
    }
    for column in scene.table(table).columns.iter().filter(|column| column.moves()) {
        if target.column(&column.name).is_none() {
            reasons.push(format!(
                "`{to}` takes restricted records of `{name}` and has no field `{}`: add it",
                column.name
            ));
        }
    }
    if target.rowid.is_none() && target.key.is_empty() {
        reasons.push(format!("`{to}` has no key: give it the key of `{name}`"));
    }
}
