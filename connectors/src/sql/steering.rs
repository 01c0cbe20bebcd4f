//! Fields that steer: a category whose treatment would take away what another decision reads.
//!
//! Were such a field cleared first, the other category would not be due any more, or a hold would
//! not hold any more. No order of the steps is right for all of them, so the order is refused.

use crate::order::Instruction;
use crate::predicate::{FieldRef, Predicate};
use crate::sql::scene::Scene;

/// Every treated field that something else than its own category reads.
pub(crate) fn find(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    for position in scene.active() {
        let treated = scene.instruction(position);
        for (index, treatment) in treated.treatments.iter().enumerate() {
            for field in &treatment.fields {
                let readers = readers(scene, (position, index), &field.field);
                if !readers.is_empty() {
                    reasons.push(format!(
                        "`{}.{}` of category `{}` is read by {}: it must stay as long as its record; leave it out of the treatment",
                        treated.collection,
                        field.field,
                        treatment.category,
                        readers.join(", ")
                    ));
                }
            }
        }
    }
}

/// What else than the treatment itself reads a field of its collection.
fn readers(scene: &Scene<'_>, (owner, own): (usize, usize), field: &str) -> Vec<String> {
    let mut found = Vec::new();
    for position in scene.active() {
        let one = scene.instruction(position);
        let reads = |predicate: &Predicate| {
            let mut fields = Vec::new();
            collect(predicate, &mut fields);
            fields
                .into_iter()
                .any(|read| touches(scene, position, read, (owner, field)) != Touch::No)
        };
        for (index, treatment) in one.treatments.iter().enumerate() {
            if (position, index) != (owner, own) && reads(&treatment.due) {
                found.push(format!("category `{}` of `{}`", treatment.category, one.collection));
            }
        }
        for (what, predicate) in decisions(one) {
            // A held record is not treated, so that its own fields stay.
            let own_hold = what == HOLDS && position == owner;
            let harmless = what == HOLDS && stays_true(scene, position, predicate, (owner, field));
            if !own_hold && !harmless && reads(predicate) {
                found.push(format!("{what} of `{}`", one.collection));
            }
        }
    }
    found
}

const HOLDS: &str = "the holds";

fn decisions(one: &Instruction) -> [(&'static str, &Predicate); 4] {
    [
        ("the deletion", &one.delete_when),
        ("the restriction", &one.restrict_when),
        ("the lifting of restrictions", &one.lift_when),
        (HOLDS, &one.held),
    ]
}

/// A hold on persons that reads a parent's field, where the same list holds the parent itself: the
/// parents that it names are not treated, and those that are treated were never named.
fn stays_true(
    scene: &Scene<'_>,
    position: usize,
    holds: &Predicate,
    (owner, field): (usize, &str),
) -> bool {
    match holds {
        Predicate::Any(parts) => {
            parts.iter().all(|part| stays_true(scene, position, part, (owner, field)))
        }
        Predicate::Listed { fields, list } => {
            fields.iter().all(|read| match touches(scene, position, read, (owner, field)) {
                Touch::No => true,
                Touch::Joins => false,
                Touch::Ends => {
                    fields.len() == 1 && names(&scene.instruction(owner).held, field, *list)
                }
            })
        }
        _ => false,
    }
}

/// The holds of a collection name its own records by this field and list.
fn names(holds: &Predicate, field: &str, wanted: usize) -> bool {
    match holds {
        Predicate::Always => true,
        Predicate::Any(parts) => parts.iter().any(|part| names(part, field, wanted)),
        Predicate::Listed { fields, list } => {
            *list == wanted && *fields == [FieldRef::own(field.to_owned())]
        }
        _ => false,
    }
}

fn collect<'p>(predicate: &'p Predicate, fields: &mut Vec<&'p FieldRef>) {
    match predicate {
        Predicate::Always | Predicate::Never => {}
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                collect(part, fields);
            }
        }
        Predicate::Not(inner) => collect(inner, fields),
        Predicate::Compare { field, .. }
        | Predicate::OneOf { field, .. }
        | Predicate::Absent(field) => fields.push(field),
        Predicate::LatestAtOrBefore(clocks) => fields.extend(clocks.iter().map(|clock| &clock.0)),
        Predicate::Listed { fields: listed, .. } => fields.extend(listed),
    }
}

/// How something that is read meets a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    No,
    /// It is what is read.
    Ends,
    /// It belongs to a link on the way there.
    Joins,
}

fn touches(scene: &Scene<'_>, position: usize, read: &FieldRef, field: (usize, &str)) -> Touch {
    let mut at = position;
    for name in &read.via {
        let links = &scene.instruction(at).links;
        let Some(link) = links.iter().find(|link| link.name == *name) else { return Touch::No };
        let Some(to) = scene.instruction_of(&link.to) else { return Touch::No };
        let joins = |(own, other): &(String, String)| {
            (at, own.as_str()) == field || (to, other.as_str()) == field
        };
        if link.fields.iter().any(joins) {
            return Touch::Joins;
        }
        at = to;
    }
    if (at, read.field.as_str()) == field { Touch::Ends } else { Touch::No }
}
