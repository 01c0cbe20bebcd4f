//! The lists that an instruction presupposes: which a record must be on for anything to happen to
//! it, told from the shape of the predicates.
//!
//! Where that is not certain there is no answer, and every record has to be looked at.

use crate::order::{Order, Probe};
use crate::predicate::{FieldRef, Predicate};
use crate::sql::candidates::Purpose;
use crate::sql::dialect::Dialect;
use crate::sql::parts::Parts;
use crate::sql::scene::{Blocker, Scene};

/// A list that a record must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership<'p> {
    pub(crate) fields: &'p [FieldRef],
    pub(crate) list: usize,
}

/// The lists of which a record is on at least one wherever the predicate holds for it; `None`
/// where that is not certain.
fn implied<'p>(
    predicate: &'p Predicate,
    order: &Order,
    parts: Option<&Parts>,
) -> Option<Vec<Membership<'p>>> {
    match predicate {
        Predicate::Never => Some(Vec::new()),
        Predicate::Listed { fields, list } => {
            let first = fields.first()?;
            // Of several orders as one, only their own lists say whose a record is.
            if parts.is_some_and(|parts| parts.owners(*list).is_none()) {
                let empty = order.lists.get(*list).is_some_and(|list| list.entries.is_empty());
                return empty.then(Vec::new);
            }
            let one_way = fields.iter().all(|field| field.via == first.via);
            one_way.then(|| vec![Membership { fields, list: *list }])
        }
        Predicate::Any(branches) => {
            let mut together = Vec::new();
            for part in branches {
                for one in implied(part, order, parts)? {
                    if !together.contains(&one) {
                        together.push(one);
                    }
                }
            }
            Some(together)
        }
        // Each part that answers would do; the one with the fewest entries leads to the fewest.
        Predicate::All(branches) => branches
            .iter()
            .filter_map(|part| implied(part, order, parts))
            .min_by_key(|memberships| {
                let entries = |one: &Membership<'_>| {
                    order.lists.get(one.list).map_or(0, |list| list.entries.len())
                };
                memberships.iter().map(entries).sum::<usize>()
            }),
        Predicate::Always
        | Predicate::Not(_)
        | Predicate::Compare { .. }
        | Predicate::OneOf { .. }
        | Predicate::Absent(_)
        | Predicate::LatestAtOrBefore(_)
        | Predicate::Linked { .. } => None,
    }
}

/// The lists from which the records of an instruction can be found, if there are such.
pub(crate) fn memberships<'o>(
    scene: &Scene<'o>,
    instruction: usize,
    purpose: Purpose,
) -> Option<Vec<Membership<'o>>> {
    let one = scene.instruction(instruction);
    let probes: &[Probe] = if purpose == Purpose::Preview { &one.probes } else { &[] };
    // What is changed is found as ever; what is counted is counted among them.
    let own = one.records_of_persons().filter(|_| purpose != Purpose::Act);
    let mut found = Vec::new();
    for predicate in one.conditions().chain(probes.iter().map(|probe| &probe.predicate)).chain(own)
    {
        for membership in implied(predicate, scene.order, scene.parts.as_ref())? {
            if !found.contains(&membership) {
                found.push(membership);
            }
        }
    }
    // Where nothing is to be found there is nothing to be gained either.
    (!found.is_empty()).then_some(found)
}

/// Everything that keeps records of a table from going; in MariaDB, which asks in the order in which
/// it is told, the likeliest first: children that go wherever they belong to a person have gone
/// before, and the others decide most often.
pub(crate) fn likeliest_first(scene: &Scene<'_>, table: usize) -> Vec<Blocker> {
    let belongs = |predicate: &Predicate| match predicate {
        Predicate::Always | Predicate::Listed { .. } => true,
        Predicate::Any(parts) => parts.iter().all(|part| matches!(part, Predicate::Listed { .. })),
        _ => false,
    };
    let goes = |instruction: usize| {
        let one = scene.instruction(instruction);
        one.held == Predicate::Never && belongs(&one.delete_when)
    };
    let mut blockers = scene.blockers(table);
    if scene.dialect == Dialect::MariaDb {
        blockers.sort_by_key(|blocker| blocker.instruction.is_some_and(goes));
    }
    blockers
}

/// Every field that a predicate reads.
pub(crate) fn fields_of(predicate: &Predicate, found: &mut Vec<FieldRef>) {
    match predicate {
        Predicate::Always | Predicate::Never => {}
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                fields_of(part, found);
            }
        }
        Predicate::Not(inner) => fields_of(inner, found),
        Predicate::Compare { field, .. }
        | Predicate::OneOf { field, .. }
        | Predicate::Absent(field) => found.push(field.clone()),
        Predicate::LatestAtOrBefore(fields) => {
            found.extend(fields.iter().map(|one| one.0.clone()));
        }
        Predicate::Listed { fields, .. } => found.extend(fields.iter().cloned()),
        Predicate::Linked { link, holds } => {
            let mut beyond = Vec::new();
            fields_of(holds, &mut beyond);
            // The parent is read, also where none of its fields is.
            found.push(FieldRef { via: vec![link.clone()], field: String::new() });
            found.extend(beyond.into_iter().map(|mut field| {
                field.via.insert(0, link.clone());
                field
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::order::{KeyList, Pace};
    use crate::value::{FieldType, Value};

    /// Two lists, the first with one entry and the second with two.
    fn order() -> Order {
        let entries =
            |many: i64| (0..many).map(|number| vec![Value::Integer(number)]).collect::<Vec<_>>();
        let list = |many| KeyList { types: vec![FieldType::Integer], entries: entries(many) };
        Order {
            key: "k".to_owned(),
            attempt: 1,
            moment: jiff::Timestamp::UNIX_EPOCH,
            instructions: Vec::new(),
            lists: vec![list(1), list(2)],
            pace: Pace::default(),
            most_records: None,
            persons: None,
        }
    }

    fn listed(field: &str, list: usize) -> Predicate {
        Predicate::Listed { fields: vec![FieldRef::own(field)], list }
    }

    fn lists(predicate: &Predicate) -> Option<Vec<usize>> {
        let found = implied(predicate, &order(), None)?;
        Some(found.iter().map(|one| one.list).collect())
    }

    #[test]
    fn only_what_cannot_hold_without_a_list_starts_from_one() {
        let absent = Predicate::Absent(FieldRef::own("a"));
        let any = Predicate::Any(vec![listed("a", 0), listed("b", 1)]);
        assert_eq!(lists(&any), Some(vec![0, 1]));
        assert_eq!(lists(&Predicate::All(vec![absent.clone(), any.clone()])), Some(vec![0, 1]));
        assert_eq!(lists(&Predicate::All(vec![any.clone(), listed("a", 1)])), Some(vec![1]));
        assert_eq!(lists(&Predicate::Any(vec![any.clone(), absent])), None);
        assert_eq!(lists(&Predicate::Not(Box::new(any))), None);
        assert_eq!(lists(&Predicate::Always), None);
        assert_eq!(lists(&Predicate::All(Vec::new())), None);
        assert_eq!(lists(&Predicate::Never), Some(Vec::new()));
    }

    /// A record, told by the answers of four leaves.
    fn holds(predicate: &Predicate, answers: [bool; 4]) -> bool {
        match predicate {
            Predicate::Always => true,
            Predicate::All(parts) => parts.iter().all(|part| holds(part, answers)),
            Predicate::Any(parts) => parts.iter().any(|part| holds(part, answers)),
            Predicate::Not(inner) => !holds(inner, answers),
            Predicate::Listed { list, .. } => answers[*list],
            Predicate::Absent(field) => answers[if field.field == "a" { 2 } else { 3 }],
            _ => false,
        }
    }

    fn predicates() -> impl proptest::strategy::Strategy<Value = Predicate> {
        let leaf = prop_oneof![
            Just(Predicate::Always),
            Just(Predicate::Never),
            Just(listed("a", 0)),
            Just(listed("b", 1)),
            Just(Predicate::Absent(FieldRef::own("a"))),
            Just(Predicate::Absent(FieldRef::own("b"))),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Predicate::All),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Predicate::Any),
                inner.prop_map(|one| Predicate::Not(Box::new(one))),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_record_is_meant_that_is_on_none_of_the_lists(predicate in predicates()) {
            let Some(found) = lists(&predicate) else { return Ok(()) };
            for bits in 0..16_u8 {
                let answers = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0];
                if holds(&predicate, answers) {
                    prop_assert!(found.iter().any(|&list| answers[list]), "{predicate:?}");
                }
            }
        }
    }
}
