//! Fields that steer: a category whose treatment would take away what another decision reads.
//!
//! Were such a field cleared first, the other category would not be due any more, or a hold would
//! not hold any more. No order of the steps is right for all of them, so the order is refused.

use std::collections::HashSet;

use crate::order::{Instruction, Strategy};
use crate::predicate::{FieldRef, Predicate};
use crate::sql::memberships::fields_of;
use crate::sql::scene::Scene;
use crate::value::Value;

/// Every treated field that something else than its own record's category reads.
pub(crate) fn find(scene: &Scene<'_>, reasons: &mut Vec<String>) {
    for owner in scene.active() {
        let treated = scene.instruction(owner);
        for (own, treatment) in treated.treatments.iter().enumerate() {
            for field in &treatment.fields {
                let cleared =
                    Cleared { owner, own, field: &field.field, strategy: &field.strategy };
                let readers = cleared.readers(scene);
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

/// A field that one treatment takes away.
struct Cleared<'t> {
    owner: usize,
    /// Position of the treatment among those of the owner.
    own: usize,
    field: &'t str,
    strategy: &'t Strategy,
}

/// One decision of a collection.
#[derive(Clone, Copy)]
struct Decision<'p> {
    position: usize,
    /// Records for which the predicate holds stay.
    keeps: bool,
    /// The record's own fields are read before the treatment, or not at all once it is held.
    own: bool,
    predicate: &'p Predicate,
}

impl Cleared<'_> {
    /// Every decision whose answer for some record could be another one afterwards.
    fn readers(&self, scene: &Scene<'_>) -> Vec<String> {
        let mut found = Vec::new();
        for position in scene.active() {
            let one = scene.instruction(position);
            for (index, treatment) in one.treatments.iter().enumerate() {
                let own = (position, index) == (self.owner, self.own);
                let predicate = &treatment.due;
                if self.disturbs(scene, Decision { position, keeps: false, own, predicate }) {
                    found
                        .push(format!("category `{}` of `{}`", treatment.category, one.collection));
                }
            }
            for (what, keeps, predicate) in decisions(one) {
                // A held record is not treated, so that its own fields stay.
                let own = keeps && position == self.owner;
                if self.disturbs(scene, Decision { position, keeps, own, predicate }) {
                    found.push(format!("{what} of `{}`", one.collection));
                }
            }
        }
        found
    }

    fn disturbs(&self, scene: &Scene<'_>, decision: Decision<'_>) -> bool {
        let read = |field: &FieldRef| self.disturbs_field(scene, decision, field);
        match decision.predicate {
            Predicate::Always | Predicate::Never => false,
            Predicate::All(parts) | Predicate::Any(parts) => parts
                .iter()
                .any(|predicate| self.disturbs(scene, Decision { predicate, ..decision })),
            Predicate::Not(inner) => {
                let keeps = !decision.keeps;
                self.disturbs(scene, Decision { keeps, predicate: inner, ..decision })
            }
            Predicate::Compare { field, .. }
            | Predicate::OneOf { field, .. }
            | Predicate::Absent(field) => read(field),
            Predicate::LatestAtOrBefore(clocks) => clocks.iter().any(|clock| read(&clock.0)),
            Predicate::Listed { fields, list } => match fields.as_slice() {
                [field] => read(field) && !self.settled(scene, decision, field, *list),
                fields => fields.iter().any(read),
            },
            Predicate::Linked { .. } => {
                let mut fields = Vec::new();
                fields_of(decision.predicate, &mut fields);
                fields.iter().any(read)
            }
        }
    }

    fn disturbs_field(&self, scene: &Scene<'_>, decision: Decision<'_>, read: &FieldRef) -> bool {
        match touches(scene, decision.position, read, (self.owner, self.field)) {
            Touch::No => false,
            Touch::Itself => !decision.own,
            Touch::Ends | Touch::Joins => true,
        }
    }

    /// Every record whose field is in the list is held itself: those that the list names are not
    /// treated, and those that are treated were never named. Nor are they afterwards, unless what
    /// takes the field's place could be in the list, which is all the same where that only keeps
    /// more.
    fn settled(
        &self,
        scene: &Scene<'_>,
        decision: Decision<'_>,
        read: &FieldRef,
        list: usize,
    ) -> bool {
        let ends = match touches(scene, decision.position, read, (self.owner, self.field)) {
            Touch::Ends => true,
            Touch::Itself => read.via.is_empty(),
            Touch::No | Touch::Joins => false,
        };
        let unlisted = matches!(
            self.strategy,
            Strategy::Null | Strategy::Constant(Value::Null) | Strategy::Unique { .. }
        );
        ends && (decision.keeps || unlisted)
            && names(scene, &scene.instruction(self.owner).held, self.field, list)
    }
}

fn decisions(one: &Instruction) -> [(&'static str, bool, &Predicate); 4] {
    [
        ("the deletion", false, &one.delete_when),
        ("the restriction", false, &one.restrict_when),
        ("the lifting of restrictions", false, &one.lift_when),
        ("the holds", true, &one.held),
    ]
}

/// The holds of a collection name by this field every record that the list does.
fn names(scene: &Scene<'_>, holds: &Predicate, field: &str, wanted: usize) -> bool {
    match holds {
        Predicate::Always => true,
        Predicate::Any(parts) => parts.iter().any(|part| names(scene, part, field, wanted)),
        Predicate::Listed { fields, list } => {
            *fields == [FieldRef::own(field)] && contains(scene, *list, wanted)
        }
        _ => false,
    }
}

/// Every entry of the one list is in the other.
fn contains(scene: &Scene<'_>, list: usize, wanted: usize) -> bool {
    let lists = &scene.order.lists;
    let (Some(list), Some(wanted)) = (lists.get(list), lists.get(wanted)) else { return false };
    if std::ptr::eq(list, wanted) {
        return true;
    }
    let entries: HashSet<&Vec<Value>> = list.entries.iter().collect();
    wanted.entries.iter().all(|entry| entries.contains(entry))
}

/// How something that is read meets a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    No,
    /// It is a field of the record that reads, or of its link's near end.
    Itself,
    /// It is what is read, in another record.
    Ends,
    /// It belongs to a link on the way there.
    Joins,
}

/// A link of a collection to itself leads to another record.
fn touches(scene: &Scene<'_>, position: usize, read: &FieldRef, field: (usize, &str)) -> Touch {
    let mut at = position;
    let mut touch = Touch::No;
    for (depth, name) in read.via.iter().enumerate() {
        let links = &scene.instruction(at).links;
        let Some(link) = links.iter().find(|link| link.name == *name) else { return touch };
        let Some(to) = scene.instruction_of(&link.to) else { return touch };
        for (own, other) in &link.fields {
            let near = (at, own.as_str()) == field;
            if (to, other.as_str()) == field || (near && depth > 0) {
                return Touch::Joins;
            }
            if near {
                touch = Touch::Itself;
            }
        }
        at = to;
    }
    if (at, read.field.as_str()) != field {
        return touch;
    }
    if read.via.is_empty() { Touch::Itself } else { Touch::Ends }
}
