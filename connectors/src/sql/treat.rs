//! Clearing and anonymising fields, one category at a time.
//!
//! A record is counted where at least one field of the category still needs it; a second run
//! finds none.

use crate::order::Treatment;
use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::delete::unheld;
use crate::sql::fragment::Fragment;
use crate::sql::reference_watch::Removal;
use crate::sql::standing::Standing;
use crate::sql::strategy;
use crate::sql::windows::{Flow, Job, Run, Statements};

/// At least one field of the category still needs its treatment.
pub(crate) fn pending(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    treatment: &Treatment,
) -> Result<Fragment, Fault> {
    let mut conditions = Vec::new();
    for field in &treatment.fields {
        conditions.push(compiler.operand(place, &field.field, |operand| {
            Ok(strategy::change(operand, &field.strategy)?.pending)
        })?);
    }
    Ok(Fragment::any(conditions))
}

/// The category is due, not held and not yet treated.
pub(crate) fn due(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    treatment: &Treatment,
    held: &Predicate,
) -> Result<Vec<Fragment>, Fault> {
    let mut conditions = Vec::new();
    if treatment.due != Predicate::Always {
        conditions.push(compiler.holds(place, &treatment.due)?);
    }
    conditions.extend(unheld(compiler, place, held)?);
    conditions.push(pending(compiler, place, treatment)?);
    Ok(conditions)
}

/// Assignments that leave every clock as it is which the system would set to now with any change:
/// were it the starting point of another category, that one would not be due any more.
pub(crate) fn clocks_kept(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    written: &[&str],
) -> Result<Vec<Fragment>, Fault> {
    let mut assignments = Vec::new();
    for column in compiler.scene.table(place.table).columns.iter().filter(|one| one.touched) {
        if !written.contains(&column.name.as_str()) {
            let name = compiler.dialect().quote(&column.name)?;
            assignments.push(Fragment::raw(format!("{name} = {name}")));
        }
    }
    Ok(assignments)
}

impl Run<'_> {
    /// Treats one category of one collection.
    pub(crate) async fn treat(
        &mut self,
        instruction: usize,
        treatment: usize,
    ) -> Result<Flow, Fault> {
        let table = self.scene.table_of(instruction)?;
        let order = self.order;
        let one = &order.instructions[instruction];
        let treatment = &one.treatments[treatment];
        if treatment.due == Predicate::Never || treatment.fields.is_empty() {
            return Ok(Flow::Finished);
        }
        let write = move |compiler: &Compiler<'_, '_>,
                          standing: &Standing,
                          place: &Place,
                          bounds: Vec<Fragment>| {
            let mut assignments = Vec::new();
            for field in &treatment.fields {
                let value = compiler.operand(place, &field.field, |operand| {
                    Ok(strategy::change(operand, &field.strategy)?.value)
                })?;
                let name = compiler.dialect().quote(&field.field)?;
                assignments.push(value.within(&format!("{name} = "), ""));
            }
            let written: Vec<&str> =
                treatment.fields.iter().map(|treated| treated.field.as_str()).collect();
            assignments.extend(clocks_kept(compiler, place, &written)?);
            let mut conditions = bounds;
            conditions.extend(due(compiler, place, treatment, &one.held)?);
            let condition = Fragment::all(conditions);
            let statement = Fragment::join(assignments, ", ")
                .within(&standing.update(), " WHERE ")
                .and(condition.clone());
            Ok(Statements { counted: vec![statement], condition, ..Statements::default() })
        };
        let category = treatment.category.clone();
        self.windows(&Job {
            table,
            instruction,
            removal: Removal::Stay,
            write: &write,
            record: &move |entry, changed| {
                *entry.treated.entry(category.clone()).or_default() += changed;
            },
        })
        .await
    }
}
