//! What a job has done, in rounds, and what of it may be claimed.
//!
//! A round ends with a look of its own. Where that finds survivors, another round begins under a
//! new order key, and the same record may be deleted once more: what rounds report must not simply
//! be added up.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{CollectionOutcome, Counts, Instruction, Outcome, ProbeCount, Survivor};
use serde::{Deserialize, Serialize};

use super::account::Ordered;
use super::recount::there;

/// The name under which connectors report records that should be restricted and are not.
pub(crate) const RESTRICTION: &str = "restriction";

/// What a job has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Outcomes of finished rounds.
    pub rounds: Vec<Outcome>,
    /// The outcome of the round under way.
    pub current: Outcome,
    /// What was found after each round, once a look has found survivors; one entry more than there
    /// are finished rounds says that the present round was looked at as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Vec<Survivor>>,
    /// What the latest look found where it found survivors, as it stands on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivors: Option<serde_json::Value>,
    /// Records that were due when they were counted last, with what had been done by then: the
    /// counts at planning, or those after a hold was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counts>,
    /// Records of each collection that were there at the last look, where a round reported more
    /// deletions than records had been counted as due and are not held since. Where the look saw all
    /// records and the counts those of the persons, or the other way round, as many as were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<BTreeMap<String, u64>>,
    /// The latest order as it was compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered: Option<Ordered>,
    /// Why nobody was asked: nothing is known of the person by which it could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreached: Option<String>,
    /// Something may have been sent to a third party under the job's orders, whatever came of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sent: bool,
    /// Records that an order would change in all, as a second person was asked; whatever goes on
    /// after that was agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
}

impl Done {
    /// What may be claimed: records by what has become of them, each one once.
    ///
    /// After a single round that is what it reports. Where it reports more deletions than were
    /// counted as due and are not held since, a record may have come back and gone twice in it, or not
    /// have gone before it was held: then it is as many as were counted and can be seen, or as the
    /// collection has become smaller by.
    ///
    /// Once a look has found survivors, what is gone is what was counted as due less what the
    /// latest look found, and never more than the rounds report together. What a hold covers that came
    /// after the count the look has not seen, so that it is taken off too. Without counts it is what
    /// each round reports less the survivors after it: "at least". Of a category, what is deleted
    /// is taken off first, so that no record is both gone and cleared. A round that nobody has
    /// looked at since is not counted, because those that it worked on had survived before. So what
    /// is gone and what is left together never exceed what was due.
    pub fn total(&self) -> Outcome {
        if self.rounds.is_empty() && self.found.is_empty() {
            return self.only_round();
        }
        let testimonies = self.current.testimonies.clone();
        let mut total = Outcome { testimonies, ..Outcome::default() };
        for outcome in self.rounds.iter().chain([&self.current]) {
            for part in &outcome.collections {
                if !total.collections.iter().any(|one| one.collection == part.collection) {
                    total.collections.push(self.total_of(&part.collection));
                }
            }
        }
        total
    }

    /// The present round is over and survivors were found, which is what may follow another round.
    pub(crate) fn begin_another_round(&mut self, found: Vec<Survivor>) {
        let finished = std::mem::take(&mut self.current);
        self.rounds.push(finished);
        self.found.push(found);
    }

    /// The present round was looked at and nothing was found; `left` is what was there in each
    /// collection, all records or those of the persons as the order's `instructions` have it, and
    /// `planned` the counts at planning.
    pub(crate) fn nothing_survived(
        &mut self,
        (left, instructions): (&BTreeMap<String, u64>, &[Instruction]),
        planned: impl FnOnce() -> Option<Counts>,
    ) {
        if !self.rounds.is_empty() {
            self.found.push(Vec::new());
            return;
        }
        let counted = self.counted.clone().or_else(planned);
        let more = |part: &CollectionOutcome| {
            let count = count_of(counted.as_ref(), &part.collection);
            count.is_some_and(|count| part.deleted > seen_of(count, part.held))
        };
        if self.current.collections.iter().any(more) {
            // An older version counted all records, and nobody knows that there are fewer by now.
            let left_of = |(name, records): (&String, &u64)| {
                let order = instructions.iter().find(|one| one.collection == *name);
                let of_persons = order.is_some_and(|one| one.of_persons.is_some());
                let other = count_of(counted.as_ref(), name);
                let other = other.filter(|count| count.own.is_some() != of_persons);
                (name.clone(), other.map_or(*records, there))
            };
            self.left = Some(left.iter().map(left_of).collect());
            self.counted = counted;
        }
    }

    /// What a single round may claim.
    ///
    /// What a collection has become smaller by is read from the persons' own records where those were
    /// counted. That claims no more than all records would: whose a record is, no treatment of its
    /// order changes (connectors refuse one that would), neither do minimums and holds that come and
    /// go, and what a case knows somebody by is only added to. So a record that was theirs and is
    /// not any more was deleted, or somebody else has changed it, which counts as a deletion by
    /// somebody else always did. Where more is known of them it is counted again before it is sent
    /// ([`Self::is_of_more`]); records that became theirs after that are not seen to be gone, and
    /// what is claimed is "at least".
    fn only_round(&self) -> Outcome {
        let mut total = self.current.clone();
        let Some(left) = &self.left else { return total };
        for part in &mut total.collections {
            let (count, left) =
                (count_of(self.counted.as_ref(), &part.collection), left.get(&part.collection));
            if let (Some(count), Some(left)) = (count, left) {
                let smaller_by = there(count).saturating_sub(*left);
                part.deleted = part.deleted.min(seen_of(count, part.held).max(smaller_by));
            }
        }
        total
    }

    /// Deletions that all rounds report together, whatever came back.
    pub(crate) fn reported_deletions(&self, collection: &str) -> u64 {
        let parts = self.rounds.iter().chain([&self.current]).flat_map(|one| &one.collections);
        parts.filter(|part| part.collection == collection).map(|part| part.deleted).sum()
    }

    /// What each look found of a category, or of whole records; empty where none found anything.
    pub(crate) fn found_of(&self, collection: &str, category: Option<&str>) -> Vec<u64> {
        self.found.iter().map(|found| survivors_in(found, collection, category)).collect()
    }

    fn total_of(&self, collection: &str) -> CollectionOutcome {
        let parts: Vec<&CollectionOutcome> = self
            .rounds
            .iter()
            .chain([&self.current])
            .flat_map(|outcome| &outcome.collections)
            .filter(|part| part.collection == collection)
            .collect();
        let counted = count_of(self.counted.as_ref(), collection);
        let mut total = CollectionOutcome {
            collection: collection.to_owned(),
            lifted: parts.iter().map(|part| part.lifted).sum(),
            partitions_dropped: parts.iter().map(|part| part.partitions_dropped).sum(),
            ..CollectionOutcome::default()
        };
        if let Some(last) = parts.last() {
            // Not sums: how many there were at the last look.
            total.referenced.clone_from(&last.referenced);
            total.held = last.held;
        }
        let held = self.looked_at(collection, &|part| part.held).last().copied().unwrap_or(0);
        let hidden = counted.map_or(0, |one| hidden_of(one, held));
        let whole = self.found_of(collection, None);
        let deleted = self.looked_at(collection, &|part| part.deleted);
        total.deleted = claim(&deleted, &whole, counted.map(|one| seen_of(one, held)));
        total.restricted = claim(
            &self.looked_at(collection, &|part| part.restricted),
            &self.found_of(collection, Some(RESTRICTION)),
            counted.map(|one| one.restrict.saturating_sub(hidden)),
        );
        let categories: BTreeSet<&String> =
            parts.iter().flat_map(|part| part.treated.keys()).collect();
        for category in categories {
            let treated = |part: &CollectionOutcome| part.treated.get(category).copied();
            let reported = self.looked_at(collection, &|part| treated(part).unwrap_or(0));
            // A record that was cleared and should be gone as a whole may be deleted in a later
            // round; then it is gone and not cleared.
            let mut after = self.found_of(collection, Some(category));
            let last = after.len().saturating_sub(1);
            for (found, whole) in after.iter_mut().zip(&whole).take(last) {
                *found += whole;
            }
            let due = counted.map(|one| {
                let treat = one.treat.get(category).copied().unwrap_or(0);
                (one.delete + treat).saturating_sub(total.deleted).saturating_sub(hidden)
            });
            total.treated.insert(category.clone(), claim(&reported, &after, due));
        }
        total
    }

    /// One number of each round that was looked at.
    fn looked_at(&self, collection: &str, number: &dyn Fn(&CollectionOutcome) -> u64) -> Vec<u64> {
        let looked_at = self.rounds.iter().chain([&self.current]).take(self.found.len());
        let of = |outcome: &Outcome| {
            let parts = outcome.collections.iter().filter(|one| one.collection == collection);
            parts.map(number).sum()
        };
        looked_at.map(of).collect()
    }
}

/// How many records may be claimed, by what each round reported and what was found after it.
fn claim(reported: &[u64], found: &[u64], due: Option<u64>) -> u64 {
    let most: u64 = reported.iter().sum();
    let certain: u64 =
        reported.iter().zip(found).map(|(done, left)| done.saturating_sub(*left)).sum();
    let last = found.last().copied().unwrap_or(0);
    due.map_or(certain, |due| due.saturating_sub(last).min(most))
}

fn count_of<'a>(counts: Option<&'a Counts>, collection: &str) -> Option<&'a ProbeCount> {
    counts?.collections.iter().find(|one| one.collection == collection)
}

/// Records that no look sees any more, because they have come to be held since they were counted.
fn hidden_of(count: &ProbeCount, held: u64) -> u64 {
    held.saturating_sub(count.held)
}

/// Records counted as due as a whole that a look can still see, where so many are held now.
fn seen_of(count: &ProbeCount, held: u64) -> u64 {
    count.delete.saturating_sub(hidden_of(count, held))
}

/// Survivors of a category, or of whole records.
pub(crate) fn survivors_in(found: &[Survivor], collection: &str, category: Option<&str>) -> u64 {
    found
        .iter()
        .filter(|one| one.collection == collection && one.category.as_deref() == category)
        .map(|one| one.records)
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quietus_connectors::Predicate;

    use super::*;

    fn outcome(deleted: u64, treated: u64) -> Outcome {
        Outcome {
            collections: vec![CollectionOutcome {
                collection: "notes".to_owned(),
                deleted,
                treated: BTreeMap::from([("body".to_owned(), treated)]),
                ..CollectionOutcome::default()
            }],
            ..Outcome::default()
        }
    }

    fn survivors(whole: u64, category: u64) -> Vec<Survivor> {
        let one = |category: Option<&str>, records| Survivor {
            collection: "notes".to_owned(),
            category: category.map(str::to_owned),
            records,
        };
        vec![one(None, whole), one(Some("body"), category)]
    }

    fn counts(delete: u64, treat: u64) -> Counts {
        Counts {
            collections: vec![ProbeCount {
                collection: "notes".to_owned(),
                total: 1_000,
                delete,
                treat: BTreeMap::from([("body".to_owned(), treat)]),
                ..ProbeCount::default()
            }],
            ..Counts::default()
        }
    }

    fn gone(done: &Done) -> (u64, u64) {
        let total = done.total();
        (total.collections[0].deleted, total.collections[0].treated["body"])
    }

    /// What a system does to one record in one round.
    #[derive(Debug, Clone, Copy)]
    struct Fate {
        is_skipped: bool,
        comes_back: bool,
        is_restored: bool,
    }

    fn any_fates() -> impl Strategy<Value = [Fate; 3]> {
        any::<[(bool, bool, bool); 3]>().prop_map(|fates| {
            fates.map(|(is_skipped, comes_back, is_restored)| Fate {
                is_skipped,
                comes_back,
                is_restored,
            })
        })
    }

    #[derive(Debug, Clone, Copy)]
    struct Record {
        due_as_a_whole: bool,
        there: bool,
        holds: bool,
    }

    impl Record {
        /// Carries out one round on it; how often it was deleted and cleared.
        fn undergo(&mut self, fate: Fate) -> (u64, u64) {
            let mut did = (0, 0);
            if self.there && self.due_as_a_whole && !fate.is_skipped {
                did.0 = 1;
                self.there = fate.comes_back;
                self.holds = fate.comes_back;
            }
            if self.there && self.holds {
                did.1 = 1;
                self.holds = fate.is_restored;
            }
            did
        }
    }

    type Records = Vec<(bool, [Fate; 3])>;

    fn any_records() -> impl Strategy<Value = Records> {
        proptest::collection::vec((any::<bool>(), any_fates()), 0..40)
    }

    fn number(records: &[Record], of: impl Fn(&Record) -> bool) -> u64 {
        records.iter().filter(|one| of(one)).count() as u64
    }

    proptest! {
        /// Whatever a system does, what is claimed is exactly what has become of the records;
        /// without counts it is never more.
        #[test]
        fn what_is_claimed_is_what_is_gone(given in any_records()) {
            let begin = |(due_as_a_whole, _): &(bool, _)| Record {
                due_as_a_whole: *due_as_a_whole,
                there: true,
                holds: true,
            };
            let mut records: Vec<Record> = given.iter().map(begin).collect();
            let wholes = number(&records, |one| one.due_as_a_whole);
            let counted = counts(wholes, given.len() as u64 - wholes);
            let mut done = Done::default();
            for round in 0..3 {
                let mut reported = (0, 0);
                for (record, (_, fates)) in records.iter_mut().zip(&given) {
                    let did = record.undergo(fates[round]);
                    reported = (reported.0 + did.0, reported.1 + did.1);
                }
                done.current = outcome(reported.0, reported.1);
                let whole = number(&records, |one| one.there && one.due_as_a_whole);
                let holding = number(&records, |one| one.there && one.holds);
                let ended = whole + holding == 0;
                if ended {
                    done.nothing_survived((&BTreeMap::new(), &[]), || None);
                } else {
                    done.begin_another_round(survivors(whole, holding));
                }
                let truth = (
                    number(&records, |one| !one.there),
                    number(&records, |one| one.there && !one.holds),
                );
                let exact = Done { counted: Some(counted.clone()), ..done.clone() };
                prop_assert_eq!(gone(&exact), truth);
                prop_assert_eq!(truth.0 + truth.1 + holding, given.len() as u64);
                let least = gone(&done);
                prop_assert!(least.0 <= truth.0 && least.1 <= truth.1, "{least:?} of {truth:?}");
                if ended {
                    break;
                }
            }
        }
    }

    proptest! {
        /// A hold that comes after the count hides from every look whether a record is gone, also one
        /// that a system has said to be.
        #[test]
        fn what_a_hold_hides_is_not_claimed(
            given in proptest::collection::vec((any_fates(), 0..4_usize), 0..40),
        ) {
            let due = Record { due_as_a_whole: true, there: true, holds: false };
            let mut records = vec![due; given.len()];
            let mut done = Done { counted: Some(counts(given.len() as u64, 0)), ..Done::default() };
            for round in 0..3 {
                let is_held = |one: &usize| given[*one].1 <= round;
                let acts = (0..given.len()).filter(|one| !is_held(one));
                let reported = acts.map(|one| records[one].undergo(given[one].0[round]).0).sum();
                let there = |held: bool| {
                    let there = (0..given.len()).filter(|one| records[*one].there);
                    there.filter(|one| is_held(one) == held).count() as u64
                };
                let truth = number(&records, |one| !one.there);
                done.current = outcome(reported, 0);
                done.current.collections[0].held = there(true);
                if there(false) == 0 {
                    let left = BTreeMap::from([("notes".to_owned(), 1_000 - truth)]);
                    done.nothing_survived((&left, &[]), || None);
                } else {
                    done.begin_another_round(survivors(there(false), 0));
                }
                prop_assert_eq!(gone(&done).0, truth);
                if there(false) == 0 {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_round_that_nobody_looked_at_since_claims_nothing() {
        let mut done = Done { current: outcome(40, 0), ..Done::default() };
        done.counted = Some(counts(40, 0));
        done.begin_another_round(survivors(5, 5));
        done.current = outcome(3, 0);
        assert_eq!(gone(&done), (35, 0));
        done.current = outcome(5, 0);
        done.nothing_survived((&BTreeMap::new(), &[]), || None);
        assert_eq!(gone(&done), (40, 0));
        assert_eq!(done.found_of("notes", None), [5, 0]);
    }

    /// Of a thousand records forty were counted as due, and a round reports 45 deletions.
    fn one_round(left: u64) -> (u64, u64) {
        let mut done = Done { current: outcome(45, 2), ..Done::default() };
        let left = BTreeMap::from([("notes".to_owned(), left)]);
        done.nothing_survived((&left, &[]), || Some(counts(40, 0)));
        assert_eq!(done.reported_deletions("notes"), 45);
        gone(&done)
    }

    #[test]
    fn a_round_is_taken_at_its_word_as_far_as_records_are_gone() {
        assert_eq!(one_round(955), (45, 2), "five more became due");
        assert_eq!(one_round(960), (40, 2), "five came back and went twice");
        assert_eq!(one_round(2_000), (40, 2), "and many others came");
        let mut plain = Done { current: outcome(40, 2), ..Done::default() };
        plain.nothing_survived((&BTreeMap::new(), &[]), || Some(counts(40, 2)));
        assert_eq!(gone(&plain), (40, 2));
        assert!(plain.found.is_empty() && plain.left.is_none() && plain.counted.is_none());
        // One was said to be gone and is not, and nobody has seen it since it is held.
        let mut held = Done { current: outcome(40, 0), ..Done::default() };
        held.current.collections[0].held = 1;
        let left = BTreeMap::from([("notes".to_owned(), 961)]);
        held.nothing_survived((&left, &[]), || Some(counts(40, 0)));
        assert_eq!(gone(&held), (39, 0));
    }

    /// Of fifty records of a person forty were counted as due, and a round reports 45 deletions. All
    /// that was counted of the others is that there are thousands.
    fn one_round_for_a_person(own: Option<u64>, of_persons: bool, left: u64) -> (u64, u64) {
        let mut done = Done { current: outcome(45, 2), ..Done::default() };
        let left = BTreeMap::from([("notes".to_owned(), left)]);
        let notes = Instruction {
            of_persons: of_persons.then_some(Predicate::Always),
            ..Instruction::idle("notes", "notes", ["id"])
        };
        let mut counted = counts(40, 0);
        (counted.collections[0].own, counted.collections[0].total) = (own, 500_000);
        done.nothing_survived((&left, &[notes]), || Some(counted));
        let stored = serde_json::to_string(&done).unwrap();
        assert_eq!(serde_json::from_str::<Done>(&stored).unwrap(), done);
        gone(&done)
    }

    #[test]
    fn for_a_person_their_own_records_say_what_is_gone() {
        assert_eq!(one_round_for_a_person(Some(50), true, 5), (45, 2), "five more became due");
        assert_eq!(one_round_for_a_person(Some(50), true, 10), (40, 2), "five came back");
        assert_eq!(one_round_for_a_person(Some(50), true, 60), (40, 2), "and more became theirs");
        // A version before this one counted, or looked: neither is held against the other.
        assert_eq!(one_round_for_a_person(None, true, 5), (40, 2));
        assert_eq!(one_round_for_a_person(Some(50), false, 5), (40, 2));
        assert_eq!(one_round_for_a_person(None, false, 499_955), (45, 2));
    }
}
