//! Restricting records and lifting restrictions: by a flag, or by moving the record to another
//! table and back.

use crate::order::Restriction;
use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::unheld;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::reference_watch::Removal;
use crate::sql::standing::Standing;
use crate::sql::treat::clocks_kept;
use crate::sql::windows::{Flow, Job, Run, Statements};
use crate::value::{FieldType, Value};

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Restrict,
    Lift,
}

/// The records that are to change, and those that already did are not among them.
pub(crate) fn due(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    instruction: usize,
    way: Way,
) -> Result<Vec<Fragment>, Fault> {
    let one = compiler.scene.instruction(instruction);
    let predicate = if way == Way::Restrict { &one.restrict_when } else { &one.lift_when };
    let mut conditions = vec![compiler.holds(place, predicate)?];
    conditions.extend(unheld(compiler, place, &one.held)?);
    if let Some(Restriction::Flag { field }) = &one.restriction {
        conditions.push(flagged(compiler, place, field, way == Way::Lift)?);
    }
    Ok(conditions)
}

/// Nothing stands in the way of moving the record at `place` to another table.
pub(crate) fn unmoved(compiler: &Compiler<'_, '_>, place: &Place) -> Result<Vec<Fragment>, Fault> {
    let mut conditions = Vec::new();
    for blocker in compiler.scene.blockers_of_move(place.table) {
        conditions.push(compiler.referred(place, &blocker)?.within("NOT ", ""));
    }
    Ok(conditions)
}

/// The flag is set, or it is not.
fn flagged(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    field: &str,
    set: bool,
) -> Result<Fragment, Fault> {
    compiler.operand(place, field, |operand| {
        let name = &operand.name;
        let test = if operand.mapped.field_type == FieldType::Boolean {
            match (operand.column.class, set) {
                (FieldType::Integer, true) => format!("{name} <> 0"),
                (FieldType::Integer, false) => format!("({name} IS NULL OR {name} = 0)"),
                (_, true) => format!("{name} IS TRUE"),
                (_, false) => format!("{name} IS NOT TRUE"),
            }
        } else if set {
            format!("{name} IS NOT NULL")
        } else {
            format!("{name} IS NULL")
        };
        Ok(Fragment::raw(format!("({test})")))
    })
}

/// The value that a flag takes.
fn flag_value(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    field: &str,
    way: Way,
) -> Result<Fragment, Fault> {
    let moment = compiler.scene.order.moment;
    compiler.operand(place, field, |operand| {
        let value = match (operand.mapped.field_type, way) {
            (FieldType::Boolean, _) => Value::Boolean(way == Way::Restrict),
            (_, Way::Lift) => return Ok(Fragment::raw("NULL")),
            (FieldType::Date, Way::Restrict) => {
                Value::Date(jiff::tz::TimeZone::UTC.to_datetime(moment).date())
            }
            (_, Way::Restrict) => Value::Timestamp(moment),
        };
        operand.constant(&value)?.ok_or_else(|| {
            misconfigured(format!(
                "field `{field}` cannot mark a restriction: its type does not fit"
            ))
        })
    })
}

impl Run<'_> {
    /// Restricts or lifts in one collection.
    pub(crate) async fn restrict(&mut self, instruction: usize, way: Way) -> Result<Flow, Fault> {
        let one = &self.order.instructions[instruction];
        let predicate = if way == Way::Restrict { &one.restrict_when } else { &one.lift_when };
        if *predicate == Predicate::Never {
            return Ok(Flow::Finished);
        }
        let own = self.scene.table_of(instruction)?;
        match &one.restriction {
            None => Ok(Flow::Finished),
            Some(Restriction::Flag { field }) => self.flag(instruction, own, field, way).await,
            Some(Restriction::Move { to }) => {
                let other = self.scene.catalogue.find(to).ok_or_else(|| {
                    misconfigured(format!(
                        "`{to}` takes restricted records and is not in the system"
                    ))
                })?;
                match way {
                    Way::Restrict => self.carry(instruction, own, other, way).await,
                    Way::Lift => self.carry(instruction, other, own, way).await,
                }
            }
        }
    }

    async fn flag(
        &mut self,
        instruction: usize,
        table: usize,
        field: &str,
        way: Way,
    ) -> Result<Flow, Fault> {
        let write = move |compiler: &Compiler<'_, '_>,
                          standing: &Standing,
                          place: &Place,
                          bounds: Vec<Fragment>| {
            let mut conditions = bounds;
            conditions.extend(due(compiler, place, instruction, way)?);
            let name = compiler.dialect().quote(field)?;
            let mut assignments =
                vec![flag_value(compiler, place, field, way)?.within(&format!("{name} = "), "")];
            assignments.extend(clocks_kept(compiler, place, &[field])?);
            let condition = Fragment::all(conditions);
            let statement = Fragment::join(assignments, ", ")
                .within(&standing.update(), " WHERE ")
                .and(condition.clone());
            Ok(Statements { counted: vec![statement], condition, ..Statements::default() })
        };
        self.restriction_windows(instruction, table, way, &write).await
    }

    async fn carry(
        &mut self,
        instruction: usize,
        from_table: usize,
        to: usize,
        way: Way,
    ) -> Result<Flow, Fault> {
        let write = move |compiler: &Compiler<'_, '_>,
                          standing: &Standing,
                          place: &Place,
                          bounds: Vec<Fragment>| {
            let mut conditions = bounds;
            conditions.extend(due(compiler, place, instruction, way)?);
            conditions.extend(unmoved(compiler, place)?);
            let condition = Fragment::all(conditions);
            let (mut names, mut selected) = (Vec::new(), Vec::new());
            let own = compiler.scene.table(compiler.scene.table_of(instruction)?);
            for column in own.columns.iter().filter(|column| column.moves()) {
                names.push(compiler.dialect().quote(&column.name)?);
                selected.push(compiler.column(place, &column.name)?);
            }
            let names = names.join(", ");
            let selected = selected.join(", ");
            let target = compiler.scene.table(to).quoted(compiler.dialect())?;
            let counted = if compiler.dialect() == Dialect::Postgres {
                // One statement, so that what is inserted is exactly what is deleted. A number that the
                // system counts up is taken along; where there is none, overriding means nothing.
                vec![condition.clone().within(
                    &format!("WITH quietus_moved AS ({}", standing.deletion()),
                    &format!(" RETURNING {selected}) INSERT INTO {target} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM quietus_moved"),
                )]
            } else {
                vec![
                    condition.clone().within(
                        &format!(
                            "INSERT INTO {target} ({names}) SELECT {selected} FROM {} WHERE ",
                            standing.from
                        ),
                        "",
                    ),
                    condition.clone().within(&standing.deletion(), ""),
                ]
            };
            Ok(Statements { counted, condition, ..Statements::default() })
        };
        self.restriction_windows(instruction, from_table, way, &write).await
    }

    async fn restriction_windows(
        &mut self,
        instruction: usize,
        table: usize,
        way: Way,
        write: &crate::sql::windows::Write<'_>,
    ) -> Result<Flow, Fault> {
        let moved = matches!(
            self.order.instructions[instruction].restriction,
            Some(Restriction::Move { .. })
        );
        self.windows(&Job {
            table,
            instruction,
            removal: if moved { Removal::Move } else { Removal::Stay },
            write,
            record: &move |entry, changed| match way {
                Way::Restrict => entry.restricted += changed,
                Way::Lift => entry.lifted += changed,
            },
        })
        .await
    }
}
