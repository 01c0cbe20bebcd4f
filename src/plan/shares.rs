//! Each person's share of the answers to questions about many.
//!
//! A record is in the share of everybody whose it is by its own values, whoever else was asked
//! about. So from a share is learned what would be learned from the answers to questions about
//! that person alone, and what two persons have in common teaches neither of them about the other.

use std::collections::BTreeSet;

use quietus_connectors::{Answer, LinkKind, Predicate, SubjectAction};

use super::input::PlanInput;
use super::lists::ListBook;
use super::person::{RecordKeys, belonging, reach};
use super::reach::Place;
use super::resolution::{Owners, Person, scope_of};
use super::steering::Steering;
use super::system_plan::PlanError;
use crate::datamap::System;
use crate::domain::SystemName;

/// Whether what a system answers about many can be shared out. Whose a record with shared links is
/// depends on whose all its parents are, so of many together it may be what it is of none alone.
pub fn can_be_shared_out(system: &System) -> bool {
    let mut links = system.collections.values().flat_map(|one| &one.links);
    links.all(|link| link.kind != LinkKind::Shared)
}

/// The share of each person, in the order of the persons. An answer that was cut off says so in
/// every share: then nobody has been seen as a whole.
///
/// # Errors
/// Where the data map has no such system.
pub fn shares(
    input: &PlanInput<'_>,
    system: &SystemName,
    answers: Vec<Answer>,
    persons: &[Person],
) -> Result<Vec<Vec<Answer>>, PlanError> {
    let unknown = || PlanError::UnknownSystem { system: system.clone() };
    let system = input.map.systems.get(system).ok_or_else(unknown)?;
    let mut shares: Vec<Vec<Answer>> = persons.iter().map(|_| Vec::new()).collect();
    for place in Place::all(system) {
        let name = place.collection.name.as_str();
        let Some(answer) = answers.iter().find(|one| one.collection == name) else { continue };
        let owners = Owners::read(reach(place), persons);
        let asked: BTreeSet<usize> =
            (0..persons.len()).filter(|&one| is_asked_about(&persons[one], place)).collect();
        for &person in &asked {
            let records = Vec::new();
            let collection = answer.collection.clone();
            shares[person].push(Answer { collection, records, more: answer.more });
        }
        for record in &answer.records {
            for owner in owners.of(record) {
                let share = shares[owner].last_mut().filter(|_| asked.contains(&owner));
                if let Some(share) = share {
                    share.records.push(record.clone());
                }
            }
        }
    }
    Ok(shares)
}

/// Something that is known of the person leads here.
fn is_asked_about(person: &Person, place: Place<'_>) -> bool {
    let scope =
        scope_of(SubjectAction::Restrict, std::slice::from_ref(person), None, RecordKeys::new());
    let mut lists = ListBook::default();
    belonging(&scope, place, &Steering::default(), &mut lists).records != Predicate::Never
}
