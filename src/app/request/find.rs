//! Finding people in every system, to a fixed point, before anything is erased: what one system
//! knows (a customer's number) is what the next one is asked by. A system is asked about many at
//! once, and each learns from their own share of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::{Answer, Fault};

use super::asking::{Asks, ask_in_parts};
use crate::app::circumstances::Basis;
use crate::app::{AppError, Quietus};
use crate::datamap::DataMap;
use crate::domain::{Digest, SystemName};
use crate::plan::{
    Acting, Asking, KeptUntil, Lesson, Person as Sought, PlanInput, RecordKeys, can_be_shared_out,
    digest_of_law, learn, questions, shares,
};
use crate::schedule::{Limit, RuleSet};

/// Rounds after which nothing new can be learned in an honest data map.
const MOST_ROUNDS: usize = 12;

/// Rules, law and data map under which somebody is sought.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) map: &'a DataMap,
    pub(crate) rules: &'a RuleSet,
    /// Minimums and maximums: of the rules, or those in force.
    pub(crate) limits: &'a [Limit],
    pub(crate) moment: Timestamp,
}

impl<'a> Ground<'a> {
    /// What a plan on this ground is made with.
    pub(crate) fn basis(self, acting: &'a Acting, zone: &'a TimeZone) -> Basis<'a> {
        Basis {
            map: self.map,
            rules: self.rules,
            limits: self.limits,
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
    /// As of which moment.
    pub(crate) moment: Timestamp,
    /// By which law.
    pub(crate) law: Option<Digest>,
    /// The system in which also what only keys name was asked until when it is kept.
    pub(crate) dated_anew: Option<SystemName>,
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

/// Somebody who is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seeking {
    /// Everything they are known by.
    pub(crate) person: Sought,
    /// They were told apart from others: only identities are followed of which a person has one.
    pub(crate) told_apart: bool,
}

impl Quietus {
    /// Rules, law and data map of this process, as of now.
    pub(super) fn ground_of_now(&self) -> Ground<'_> {
        let Self { map, rules, .. } = self;
        Ground { map, rules, limits: &rules.limits, moment: self.now() }
    }

    /// Asks the systems of `only` (all databases where it is `None`) what they know of these
    /// people, again and again until none of them teaches anything new. Each system is asked about
    /// all of them at once, and what it answers is told apart: of each is learned what would be
    /// learned alone. The order of the answer is that of the people.
    ///
    /// # Errors
    /// Where the store is not there. A system that does not answer is named in the result.
    pub(crate) async fn find_people(
        &self,
        ground: Ground<'_>,
        people: &mut [Seeking],
        only: Option<&SystemName>,
    ) -> Result<Vec<Found>, AppError> {
        let acting = Acting::Everything;
        let basis = ground.basis(&acting, &self.zone);
        let circumstances = self.circumstances(basis).await?;
        let input = circumstances.input(basis);
        let day = |moment| self.zone.to_datetime(moment).date();
        let law = Some(digest_of_law(ground.limits, day(ground.moment), day(self.now())));
        let blank = || Found { moment: ground.moment, law, ..Found::default() };
        let mut found: Vec<Found> = people.iter().map(|_| blank()).collect();
        let mut open: Vec<usize> = (0..people.len()).collect();
        for _ in 0..MOST_ROUNDS {
            open = self.find_once(&input, people, (&open, only), &mut found).await?;
            if open.is_empty() {
                return Ok(found);
            }
        }
        for one in open {
            found[one].doubts.push(format!(
                "after {MOST_ROUNDS} rounds of questions systems still named further identities"
            ));
        }
        Ok(found)
    }

    /// As [`Self::find_people`], of all databases; whoever is in doubt then is sought once more by
    /// what they gave alone, as if they asked today: an import gives somebody who was erased a new
    /// number, and the number of before names nobody. Who was found so is told.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn find_people_anew(
        &self,
        ground: Ground<'_>,
        people: &mut [Seeking],
        given: &[Seeking],
    ) -> Result<Vec<(Found, bool)>, AppError> {
        let found = Box::pin(self.find_people(ground, people, None)).await?;
        let mut found: Vec<(Found, bool)> = found.into_iter().map(|one| (one, false)).collect();
        let doubtful = (0..found.len()).filter(|&one| !found[one].0.doubts.is_empty());
        let doubtful: Vec<usize> = doubtful.collect();
        if doubtful.is_empty() {
            return Ok(found);
        }
        let mut again: Vec<Seeking> = doubtful.iter().map(|&one| given[one].clone()).collect();
        let anew = Box::pin(self.find_people(ground, &mut again, None)).await?;
        for ((one, seeking), anew) in doubtful.into_iter().zip(again).zip(anew) {
            if anew.doubts.is_empty() {
                people[one] = seeking;
                found[one] = (anew, true);
            }
        }
        Ok(found)
    }

    /// One round of questions; those of whom something new was learned.
    async fn find_once(
        &self,
        input: &PlanInput<'_>,
        people: &mut [Seeking],
        (open, only): (&[usize], Option<&SystemName>),
        found: &mut [Found],
    ) -> Result<Vec<usize>, AppError> {
        let before: Vec<Sought> = open.iter().map(|&one| people[one].person.clone()).collect();
        let databases = input.map.systems.values().filter(|system| system.holds_persons());
        let names =
            databases.map(|one| &one.name).filter(|name| only.is_none_or(|one| one == *name));
        let round = names.map(|name| {
            // Whoever could not be asked about there before is not asked about again.
            let asked: Vec<usize> = (0..open.len())
                .filter(|&at| !found[open[at]].not_asked.contains_key(name))
                .collect();
            let sought: Vec<Sought> = asked.iter().map(|&at| before[at].clone()).collect();
            async move { (name, asked, self.ask_about(input, name, &sought).await) }
        });
        let answered = futures_util::future::join_all(round).await;
        let mut lessons: Vec<Vec<(SystemName, Lesson)>> = vec![Vec::new(); open.len()];
        for (name, asked, answers) in answered {
            for (at, answer) in asked.into_iter().zip(answers) {
                match answer {
                    Ok(answers) => {
                        let person = std::slice::from_mut(&mut people[open[at]].person);
                        let lesson =
                            learn(input, &self.instance.identities, name, &answers, person)
                                .map_err(|error| AppError::Input(error.to_string()))?;
                        lessons[at].push((name.clone(), lesson));
                    }
                    Err(fault) => {
                        found[open[at]].not_asked.insert(name.clone(), fault);
                    }
                }
            }
        }
        let mut still_open = Vec::new();
        for ((&one, before), lessons) in open.iter().zip(before).zip(lessons) {
            let Seeking { person, told_apart } = &mut people[one];
            if *told_apart {
                let types = &self.instance.identities;
                person.retain(|identity| types.of(&identity.kind).one_per_person);
            }
            if *person == before {
                found[one].take(lessons);
            } else {
                still_open.push(one);
            }
        }
        Ok(still_open)
    }

    /// What one system answers about each of these people.
    async fn ask_about(
        &self,
        input: &PlanInput<'_>,
        name: &SystemName,
        people: &[Sought],
    ) -> Vec<Result<Vec<Answer>, Fault>> {
        let together = input.map.systems.get(name).is_some_and(can_be_shared_out);
        let inquiry = Inquiry { product: self, input, name, people };
        ask_in_parts(&inquiry, people.len(), together).await
    }

    async fn ask_at_once(
        &self,
        input: &PlanInput<'_>,
        name: &SystemName,
        people: &[Sought],
    ) -> Result<Vec<Vec<Answer>>, Fault> {
        let misconfigured = |message: String| Fault::Misconfigured { message };
        let asking =
            questions(input, name, people).map_err(|error| misconfigured(error.to_string()))?;
        let answers = self.ask(name, &asking).await?;
        if people.len() == 1 {
            return Ok(vec![answers]);
        }
        shares(input, name, &answers, people).map_err(|error| misconfigured(error.to_string()))
    }

    pub(super) async fn ask(
        &self,
        name: &SystemName,
        asking: &Asking,
    ) -> Result<Vec<Answer>, Fault> {
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

/// Questions to one system about these people.
struct Inquiry<'a> {
    product: &'a Quietus,
    input: &'a PlanInput<'a>,
    name: &'a SystemName,
    people: &'a [Sought],
}

#[async_trait]
impl Asks for Inquiry<'_> {
    async fn ask(&self, range: Range<usize>) -> Result<Vec<Vec<Answer>>, Fault> {
        self.product.ask_at_once(self.input, self.name, &self.people[range]).await
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
