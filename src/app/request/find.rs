//! Finding a person in every system, to a fixed point, before anything is erased: what one system
//! knows (a customer's number) is what the next one is asked by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::{Answer, Fault};

use crate::app::circumstances::Basis;
use crate::app::{AppError, Quietus};
use crate::datamap::DataMap;
use crate::domain::SystemName;
use crate::plan::{
    Acting, Asking, KeptUntil, Lesson, Person as Sought, RecordKeys, learn, questions,
};
use crate::schedule::RuleSet;

/// Rounds after which nothing new can be learned in an honest data map.
const MOST_ROUNDS: usize = 12;

/// Rules and data map under which somebody is sought.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) map: &'a DataMap,
    pub(crate) rules: &'a RuleSet,
    pub(crate) moment: Timestamp,
}

impl<'a> Ground<'a> {
    /// What a plan on this ground is made with.
    pub(crate) fn basis(self, acting: &'a Acting, zone: &'a TimeZone) -> Basis<'a> {
        Basis {
            map: self.map,
            rules: self.rules,
            moment: self.moment,
            zone,
            told_until: None,
            acting,
        }
    }
}

/// What was found of one person.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Keys of records that no staying field names.
    pub(crate) records: RecordKeys,
    /// How many records each system has of the person.
    pub(crate) counts: BTreeMap<SystemName, u64>,
    /// What minimums keep, and until when.
    pub(crate) kept: Vec<KeptUntil>,
    /// Systems that could not be asked, and why.
    pub(crate) not_asked: BTreeMap<SystemName, Fault>,
    /// Why somebody has to look before anything is erased, without personal data.
    pub(crate) doubts: Vec<String>,
}

impl Quietus {
    /// Asks the systems of `only` (all databases where it is `None`) what they know of a person,
    /// again and again until none of them teaches anything new. Of somebody who was told apart from
    /// others only identities are followed of which a person has one.
    ///
    /// # Errors
    /// Where the store is not there. A system that does not answer is named in the result.
    pub(crate) async fn find_person(
        &self,
        ground: Ground<'_>,
        sought: &mut Sought,
        only: Option<&SystemName>,
        told_apart: bool,
    ) -> Result<Found, AppError> {
        let acting = Acting::Everything;
        let basis = ground.basis(&acting, &self.zone);
        let circumstances = self.circumstances(basis).await?;
        let input = circumstances.input(basis);
        let mut found = Found::default();
        for _ in 0..MOST_ROUNDS {
            let systems: Vec<&SystemName> = ground
                .map
                .systems
                .values()
                .filter(|system| system.third_party.is_none())
                .map(|system| &system.name)
                .filter(|name| only.is_none_or(|one| one == *name))
                .filter(|name| !found.not_asked.contains_key(*name))
                .collect();
            let mut round = Vec::new();
            for name in systems {
                let asking = questions(&input, name, std::slice::from_ref(sought))
                    .map_err(|error| AppError::Input(error.to_string()))?;
                round.push(async move { (name, self.ask(name, &asking).await) });
            }
            let before = sought.clone();
            let mut lessons = Vec::new();
            for (name, answers) in futures_util::future::join_all(round).await {
                match answers {
                    Ok(answers) => {
                        let people = std::slice::from_mut(sought);
                        let lesson =
                            learn(&input, &self.instance.identities, name, &answers, people)
                                .map_err(|error| AppError::Input(error.to_string()))?;
                        lessons.push((name.clone(), lesson));
                    }
                    Err(fault) => {
                        found.not_asked.insert(name.clone(), fault);
                    }
                }
            }
            if told_apart {
                let types = &self.instance.identities;
                sought.retain(|identity| types.of(&identity.kind).one_per_person);
            }
            if *sought == before {
                found.take(lessons);
                return Ok(found);
            }
        }
        found.doubts.push(format!(
            "after {MOST_ROUNDS} rounds of questions systems still named further identities"
        ));
        Ok(found)
    }

    async fn ask(&self, name: &SystemName, asking: &Asking) -> Result<Vec<Answer>, Fault> {
        if asking.questions.is_empty() {
            return Ok(Vec::new());
        }
        let misconfigured = |error: AppError| match error {
            AppError::System { fault, .. } => fault,
            other => Fault::Misconfigured { message: other.to_string() },
        };
        let system = self.system(name.as_str()).map_err(misconfigured)?;
        let connector = self.connect(system).map_err(misconfigured)?;
        connector.resolve(&asking.order, &asking.questions).await
    }
}

impl Found {
    fn take(&mut self, lessons: Vec<(SystemName, Lesson)>) {
        let mut doubts = BTreeSet::new();
        for (system, lesson) in lessons {
            for ambiguity in &lesson.ambiguities {
                doubts.insert(format!(
                    "{} different `{}` were found, and a person has one: say which is meant",
                    ambiguity.values, ambiguity.identity
                ));
            }
            for collection in &lesson.too_many {
                doubts.insert(format!(
                    "`{system}.{collection}` has more records of this person than one person can have: are the identities those of a person?"
                ));
            }
            self.records.extend(lesson.records);
            self.kept.extend(lesson.kept);
            let count: u64 = lesson.found.values().sum();
            *self.counts.entry(system).or_default() += count;
        }
        self.doubts.extend(doubts);
    }
}
