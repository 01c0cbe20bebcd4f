//! Counting what systems hold of persons long after they were erased or restricted: all of them with
//! the same few statements, as if each had just asked. Nothing is written down of what is found, and
//! nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use quietus_connectors::{Counts, Drift, Identity};

use super::find::{Ground, Seeking};
use super::order::{Wanted, remembered_keys};
use crate::app::law::GoesBy;
use crate::app::{AppError, Quietus};
use crate::domain::SystemName;
use crate::plan::{Acting, Person as Sought, PersonScope, PlanInput, compile};
use crate::store::Case;

/// What is there of one person.
pub(crate) struct Sighted {
    /// Whom a plan would be for: with the keys of what was found.
    pub(crate) scope: PersonScope,
    /// What each database counts; the error says why one could not be asked, without personal data.
    pub(crate) counts: BTreeMap<SystemName, Result<Counts, String>>,
    /// Why somebody has to say who is meant.
    pub(crate) doubts: Vec<String>,
    /// By what they were found, where that was not what is known of them but what they gave, and
    /// what it led to.
    pub(crate) found_by: BTreeSet<Identity>,
}

impl Quietus {
    /// What every database has of these persons that would go or be restricted if they asked now. The
    /// order of the answer is that of the persons.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn sight(&self, persons: &[Wanted]) -> Result<Vec<Sighted>, AppError> {
        if persons.is_empty() {
            return Ok(Vec::new());
        }
        let ground = self.ground_of_now();
        let mut people: Vec<Seeking> = persons.iter().map(|one| one.seeking.clone()).collect();
        let given = persons.iter().map(|one| self.given_by(one)).collect::<Result<Vec<_>, _>>()?;
        let found = Box::pin(self.find_people_anew(ground, &mut people, &given)).await?;
        let mut sighted = Vec::with_capacity(persons.len());
        for ((wanted, sought), (found, anew)) in persons.iter().zip(people).zip(found) {
            let mut records = remembered_keys(&wanted.request);
            for (place, keys) in found.records {
                records.entry(place).or_default().extend(keys);
            }
            let scope = self.scope_for(&wanted.request, &sought.person, records).await?;
            let found_by = if anew { spellings_of(&sought.person) } else { BTreeSet::new() };
            let not_asked = found.not_asked.into_iter();
            let counts = not_asked.map(|(name, fault)| (name, Err(fault.to_string()))).collect();
            sighted.push(Sighted { scope, counts, doubts: found.doubts, found_by });
        }
        let scopes: Vec<PersonScope> = sighted.iter().map(|one| one.scope.clone()).collect();
        let counted = Box::pin(self.counted_plans_for(ground.moment, &scopes)).await?;
        for (one, counted) in sighted.iter_mut().zip(counted) {
            for (name, counts) in counted.counts {
                one.counts.entry(name).or_insert_with(|| usable(counts));
            }
            for (name, fault) in counted.faults {
                one.counts.entry(name).or_insert_with(|| Err(fault.to_string()));
            }
        }
        Ok(sighted)
    }

    /// What one database has of a person by the rules and the data map of the case and the law in
    /// force, as of a moment, and how much of it is of later than `later_than`.
    ///
    /// # Errors
    /// Where the store is not there; within, why the database could not be asked.
    pub(crate) async fn sight_closely(
        &self,
        case: &Case,
        scope: &PersonScope,
        system: &SystemName,
        (moment, later_than): (Timestamp, Timestamp),
    ) -> Result<Result<Counts, String>, AppError> {
        let pinned = match self.pinned(case).await {
            Ok(pinned) => pinned,
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let law = match self.law_for((&pinned, Some(system)), GoesBy::InForce).await {
            Ok(law) => law,
            Err(error @ AppError::Store(_)) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (map, rules) = (pinned.map(), pinned.rules());
        let ground = Ground { map, rules, limits: &law.limits, moment };
        let acting = Acting::Everything;
        let basis = ground.basis(&acting, pinned.zone());
        let circumstances = self.circumstances(basis).await?;
        let scope = PersonScope { later_than: Some(later_than), ..scope.clone() };
        let input = PlanInput { persons: Some(&scope), ..circumstances.input(basis) };
        let planned = compile(&input, system).and_then(|plan| plan.order("look", 1));
        let order = match planned {
            Ok(order) => order,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let connector = match self.connect_as_planned(pinned.map(), system.as_str()) {
            Ok(connector) => connector,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(match connector.preview(&order).await {
            Ok(counts) => usable(counts),
            Err(fault) => Err(fault.to_string()),
        })
    }
}

/// Everything that somebody is known by, in every spelling that counts.
fn spellings_of(person: &Sought) -> BTreeSet<Identity> {
    let spelt = person.known().flat_map(|(identity, spellings)| {
        let kind = &identity.kind;
        spellings.iter().map(|value| Identity { kind: kind.clone(), value: value.clone() })
    });
    spelt.collect()
}

/// Counts, unless the system no longer looks as the data map says, so that they say nothing.
fn usable(counts: Counts) -> Result<Counts, String> {
    let harmless =
        |one: &Drift| matches!(one, Drift::FieldUnmapped { .. } | Drift::KeyChanged { .. });
    if !counts.drift.iter().all(harmless) {
        return Err(
            "it no longer looks as the data map says: `quietus connector test` tells in what"
                .to_owned(),
        );
    }
    match counts.refusals.first() {
        Some(why) => Err(why.clone()),
        None => Ok(counts),
    }
}
