//! PostgreSQL tables that inherit from others (`INHERITS`) without being partitions.
//!
//! Whatever is done to the records of a table is done to those of its heirs too. The holds of an heir,
//! and what refers to it, are its own and would not be looked at. Heirs that nobody mapped and to
//! which nothing refers are part of their table, as partitions are.

use std::collections::BTreeSet;

use crate::sql::catalogue::{Catalogue, Reference};
use crate::sql::scene::Scene;

impl Catalogue {
    /// Tables that inherit from this one, however far down.
    fn heirs(&self, table: usize) -> BTreeSet<usize> {
        let mut heirs = BTreeSet::new();
        let mut open = vec![table];
        while let Some(parent) = open.pop() {
            for &(heir, from) in &self.inheritance {
                if from == parent && heirs.insert(heir) {
                    open.push(heir);
                }
            }
        }
        heirs
    }
}

/// Reasons for which an order must not be carried out on tables that inherit from each other.
pub(crate) fn find(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    if scene.catalogue.inheritance.is_empty() {
        return;
    }
    for position in 0..scene.order.instructions.len() {
        let Some(table) = scene.table_position(position) else { continue };
        let acts = scene.instruction(position).acts();
        for heir in scene.catalogue.heirs(table) {
            match scene.instruction_for_table(heir) {
                Some(mapped) if acts || scene.instruction(mapped).acts() => {
                    reasons.push(of_its_own(scene, heir, table));
                }
                None if acts => reasons.extend(referred(scene, heir, table)),
                Some(_) | None => {}
            }
        }
    }
}

fn of_its_own(scene: &Scene<'_>, heir: usize, table: usize) -> String {
    let name = scene.name_of_table(table);
    format!(
        "`{}` inherits from `{name}`: what is done to records of the one is done to those of the other, past its own rules and holds. End that with `ALTER TABLE … NO INHERIT …`, or map `{name}` alone",
        scene.name_of_table(heir)
    )
}

/// What refers to an heir and not to the table itself.
fn referred(scene: &Scene<'_>, heir: usize, table: usize) -> Option<String> {
    let references = &scene.catalogue.references;
    let also_here = |one: &Reference| {
        let same = |other: &&Reference| other.child == one.child && other.fields == one.fields;
        references.iter().filter(same).any(|other| other.parent == table)
    };
    let one = references.iter().find(|one| one.parent == heir && !also_here(one))?;
    let (name, heirs) = (scene.name_of_table(table), scene.table(heir).full_name());
    Some(format!(
        "the foreign key `{}` of `{}` leads to `{heirs}`, which inherits from `{name}`, and would not be looked at: end the inheritance with `ALTER TABLE … NO INHERIT …` and map `{heirs}`",
        one.name,
        scene.name_of_table(one.child)
    ))
}
