//! Emptying the associations of records that stay, in the transaction that deletes their parents.
//!
//! The keys of the parents that go are put into a temporary table, and each link is emptied by one
//! statement from there. What is left over is told by counting records that refer to nobody.

use std::collections::BTreeMap;

use crate::order::Restriction;
use crate::receipt::Fault;
use crate::sql::associations::{Association, asked, leading_to, pending};
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::delete::unheld;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::sql::fragment::Fragment;
use crate::sql::gathered_keys::index_parts;
use crate::sql::keys::Keys;
use crate::sql::scene::Scene;
use crate::sql::standing::Standing;
use crate::sql::strategy;
use crate::sql::treat::clocks_kept;

/// Associations with the parents of one table that are emptied when these go.
#[derive(Debug)]
pub(crate) struct Dissociation<'o> {
    parent: usize,
    /// Fields of the parent that links lead to.
    fields: Vec<String>,
    associations: Vec<Association<'o>>,
}

/// What empties one link, and under which name it is counted.
#[derive(Debug)]
pub(crate) struct Emptying {
    pub(crate) instruction: usize,
    /// `None` where the record itself goes with its parent and is counted there.
    pub(crate) association: Option<String>,
    pub(crate) statement: Fragment,
}

/// The condition under which a record at a place, of an instruction, goes with its parent.
type GoesToo<'g> = dyn Fn(&Compiler<'_, '_>, &Place, usize) -> Result<Option<Fragment>, Fault> + 'g;

/// The table of the records that link, as it stands in a change.
fn linking(compiler: &Compiler<'_, '_>, one: &Association<'_>) -> Result<(String, Place), Fault> {
    compiler.inner(one.child, Some(one.instruction))
}

impl<'o> Dissociation<'o> {
    /// `None` where no record keeps such a link to a parent of this table.
    pub(crate) fn of(scene: &Scene<'o>, parent: usize) -> Option<Self> {
        let mut associations = leading_to(scene, parent);
        associations.retain(|one| one.leads_to_one);
        let mut fields: Vec<String> = associations.iter().flat_map(|one| one.fields().1).collect();
        fields.sort();
        fields.dedup();
        (!associations.is_empty()).then_some(Self { parent, fields, associations })
    }

    fn bare_name(&self) -> String {
        format!("quietus_going_{}", self.parent)
    }

    fn name(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Postgres => format!("pg_temp.{}", self.bare_name()),
            Dialect::MariaDb => self.bare_name(),
            Dialect::Sqlite => format!("temp.{}", self.bare_name()),
        }
    }

    /// Makes the table of keys where it is not there yet.
    pub(crate) async fn define(
        &self,
        session: &mut Session,
        scene: &Scene<'_>,
    ) -> Result<(), Fault> {
        let compiler = Compiler::new(scene);
        let (from, place) = compiler.inner(self.parent, None)?;
        let mut selected = Vec::new();
        for (index, field) in self.fields.iter().enumerate() {
            selected.push(format!("{} AS quietus_k{index}", compiler.column(&place, field)?));
        }
        let index = match scene.dialect {
            Dialect::MariaDb => {
                let parts = index_parts(scene.table(self.parent), &self.fields, "quietus_k");
                format!(" (INDEX ({parts}))")
            }
            Dialect::Postgres | Dialect::Sqlite => String::new(),
        };
        let statement = format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {}{index} AS SELECT {} FROM {from} WHERE 1 = 0",
            self.bare_name(),
            selected.join(", ")
        );
        session.command(&statement).await
    }

    /// What puts the keys of the parents at `place` that meet the condition into the table.
    pub(crate) fn filling(
        &self,
        compiler: &Compiler<'_, '_>,
        standing: &Standing,
        place: &Place,
        condition: Fragment,
    ) -> Result<Vec<Fragment>, Fault> {
        let name = self.name(compiler.dialect());
        let selected: Result<Vec<String>, Fault> =
            self.fields.iter().map(|field| compiler.column(place, field)).collect();
        let head = format!(
            "INSERT INTO {name} SELECT {} FROM {} WHERE ",
            selected?.join(", "),
            standing.from
        );
        Ok(vec![Fragment::raw(format!("DELETE FROM {name}")), condition.within(&head, "")])
    }

    /// What empties every link to the parents in the table. `goes_too` holds for records that go
    /// with their parents.
    pub(crate) fn emptyings(
        &self,
        scene: &Scene<'_>,
        goes_too: &GoesToo<'_>,
    ) -> Result<Vec<Emptying>, Fault> {
        let mut emptyings = Vec::new();
        for one in &self.associations {
            let emptying = |gone: bool| -> Result<Option<Fragment>, Fault> {
                let compiler = Compiler::new(scene);
                let (from, place) = linking(&compiler, one)?;
                let goes = goes_too(&compiler, &place, one.instruction)?;
                if gone && goes.is_none() {
                    return Ok(None);
                }
                let goes = goes.map(|goes| if gone { goes } else { goes.negate() });
                self.emptying(&compiler, one, (&from, &place), goes).map(Some)
            };
            let named = [(false, Some(one.link.association())), (true, None)];
            for (gone, association) in named {
                if let Some(statement) = emptying(gone)? {
                    let instruction = one.instruction;
                    emptyings.push(Emptying { instruction, association, statement });
                }
            }
        }
        Ok(emptyings)
    }

    fn emptying(
        &self,
        compiler: &Compiler<'_, '_>,
        one: &Association<'_>,
        (from, place): (&str, &Place),
        more: Option<Fragment>,
    ) -> Result<Fragment, Fault> {
        let (scene, dialect) = (compiler.scene, compiler.dialect());
        let association = Association { link: one.link, ..*one };
        let emptied = association.emptied(scene).map_err(misconfigured)?;
        let qualified =
            if dialect == Dialect::MariaDb { format!("{}.", place.prefix) } else { String::new() };
        let mut assignments = Vec::new();
        for (field, strategy) in &emptied {
            let value = compiler
                .operand(place, field, |operand| Ok(strategy::change(operand, strategy)?.value))?;
            let name = dialect.quote(field)?;
            assignments.push(value.within(&format!("{qualified}{name} = "), ""));
        }
        let written: Vec<&str> = emptied.iter().map(|(field, _)| *field).collect();
        assignments.extend(clocks_kept(compiler, place, &written)?);
        let assignments = Fragment::join(assignments, ", ");
        let mut conditions = vec![pending(compiler, place, &emptied)?];
        conditions.extend(more);
        if dialect != Dialect::MariaDb {
            // There the look at the parent has locked what the record is held by.
            conditions.extend(unheld(compiler, place, &scene.instruction(one.instruction).held)?);
        }
        let name = self.name(dialect);
        let going = "quietus_going";
        let head = match dialect {
            Dialect::MariaDb => {
                conditions.push(self.joined(compiler, one, place, going)?);
                format!("UPDATE {name} AS {going} STRAIGHT_JOIN {from} SET ")
            }
            Dialect::Postgres => {
                let joined = self.joined(compiler, one, place, going)?;
                conditions.push(
                    joined.within(&format!("EXISTS (SELECT 1 FROM {name} AS {going} WHERE "), ")"),
                );
                format!("UPDATE {from} SET ")
            }
            Dialect::Sqlite => {
                let (again, inner) = linking(compiler, one)?;
                let keys = |place: &Place| {
                    Keys::of(compiler, place, one.instruction).names(compiler, place)
                };
                let own = keys(place)?;
                let own =
                    if own.len() == 1 { own.join("") } else { format!("({})", own.join(", ")) };
                let selected = keys(&inner)?.join(", ");
                let joined = self.joined(compiler, one, &inner, going)?;
                conditions.push(joined.within(
                    &format!(
                        "{own} IN (SELECT {selected} FROM {name} AS {going} CROSS JOIN {again} WHERE "
                    ),
                    ")",
                ));
                format!("UPDATE {from} SET ")
            }
        };
        Ok(assignments.within(&head, " WHERE ").and(Fragment::all(conditions)))
    }

    fn joined(
        &self,
        compiler: &Compiler<'_, '_>,
        one: &Association<'_>,
        child: &Place,
        going: &str,
    ) -> Result<Fragment, Fault> {
        let mut equal = Vec::new();
        for (own, other) in &one.link.fields {
            let Some(index) = self.fields.iter().position(|field| field == other) else { continue };
            equal.push(Fragment::raw(format!(
                "{going}.quietus_k{index} = {}",
                compiler.column(child, own)?
            )));
        }
        Ok(Fragment::all(equal))
    }
}

/// Records whose association leads to no parent, where the system itself does not rule that out.
fn dangling(scene: &Scene<'_>, one: &Association<'_>) -> Result<Option<Fragment>, Fault> {
    if !one.leads_to_one || one.guarded(scene) {
        return Ok(None);
    }
    let Ok(emptied) = one.emptied(scene) else { return Ok(None) };
    let compiler = Compiler::new(scene);
    let (from, child) = compiler.inner(one.child, Some(one.instruction))?;
    let mut conditions = vec![pending(&compiler, &child, &emptied)?];
    for (own, _) in &one.link.fields {
        conditions.push(Fragment::raw(format!("{} IS NOT NULL", compiler.column(&child, own)?)));
    }
    // Restricted parents may have moved to another table; they are not gone.
    let restriction = scene.instruction_for_table(one.parent).map(|to| scene.instruction(to));
    let moved = match restriction.and_then(|one| one.restriction.as_ref()) {
        Some(Restriction::Move { to }) => scene.catalogue.find(to),
        Some(Restriction::Flag { .. }) | None => None,
    };
    for table in [Some(one.parent), moved].into_iter().flatten() {
        let (parents, parent) = compiler.inner(table, None)?;
        let mut equal = Vec::new();
        for (own, other) in &one.link.fields {
            let (own, other) = (compiler.column(&child, own)?, compiler.column(&parent, other)?);
            equal.push(Fragment::raw(format!("{other} = {own}")));
        }
        conditions.push(
            Fragment::join(equal, " AND ")
                .within(&format!("NOT EXISTS (SELECT 1 FROM {parents} WHERE "), ")"),
        );
    }
    let head = format!("SELECT COUNT(*) FROM {from} WHERE ");
    Ok(Some(Fragment::all(conditions).within(&head, "")))
}

/// The name of an association among those of all collections.
pub(crate) fn full_name(scene: &Scene<'_>, one: &Association<'_>) -> String {
    format!("{} {}", scene.instruction(one.instruction).collection, one.link.association())
}

/// How many records refer to nobody, by association; only those that have to be counted.
pub(crate) async fn count_dangling(
    session: &mut Session,
    scene: &Scene<'_>,
) -> Result<BTreeMap<String, u64>, Fault> {
    let mut counts = BTreeMap::new();
    for one in asked(scene) {
        if let Some(statement) = dangling(scene, &one)? {
            counts.insert(full_name(scene, &one), session.count(&statement).await?);
        }
    }
    Ok(counts)
}
