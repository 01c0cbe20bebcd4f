//! Conditions that read the same parent, as one condition of that parent.
//!
//! Each would else look for it by a subquery of its own, and MariaDB carries out each of them for
//! each record. Where there are several parents, each condition may be that of another one, so only
//! links that lead to at most one are taken together.

use crate::predicate::{FieldRef, Predicate};
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};

/// The first link through which everything in the condition is read, and the condition of the
/// record there.
fn beyond(part: &Predicate) -> Option<(&String, Predicate)> {
    let onward = |field: &FieldRef| FieldRef {
        via: field.via.iter().skip(1).cloned().collect(),
        field: field.field.clone(),
    };
    match part {
        Predicate::Listed { fields, list } => {
            let first = fields.first()?.via.first()?;
            let one_way = fields.iter().all(|field| field.via.first() == Some(first));
            let fields = fields.iter().map(onward).collect();
            one_way.then_some((first, Predicate::Listed { fields, list: *list }))
        }
        Predicate::LatestAtOrBefore(fields) => match fields.as_slice() {
            [(field, cutoff)] => {
                let holds = Predicate::LatestAtOrBefore(vec![(onward(field), *cutoff)]);
                Some((field.via.first()?, holds))
            }
            _ => None,
        },
        Predicate::Linked { link, holds } => Some((link, holds.as_ref().clone())),
        _ => None,
    }
}

impl Compiler<'_, '_> {
    /// All of these conditions, with those that read one and the same parent as one.
    pub(crate) fn parents_once(
        &self,
        place: &Place,
        parts: &[Predicate],
    ) -> Result<Vec<Predicate>, Fault> {
        let mut once = Vec::with_capacity(parts.len());
        let mut through: Vec<(&String, usize, Vec<Predicate>)> = Vec::new();
        for part in parts {
            once.push(part.clone());
            // Who is on a list can be settled without reading the nearest parent.
            let near = matches!(part, Predicate::Listed { fields, .. }
                if fields.iter().all(|field| field.via.len() < 2));
            let Some((link, holds)) = beyond(part).filter(|_| !near) else { continue };
            if !self.leads_to_one(place, std::slice::from_ref(link))? {
                continue;
            }
            match through.iter_mut().find(|one| one.0 == link) {
                Some((_, at, together)) => {
                    once.pop();
                    together.push(holds);
                    once[*at] = Predicate::Linked {
                        link: link.clone(),
                        holds: Box::new(Predicate::All(together.clone())),
                    };
                }
                None => through.push((link, once.len() - 1, vec![holds])),
            }
        }
        Ok(once)
    }
}
