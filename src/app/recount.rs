//! Counting again: what a hold covered was not counted when the case was planned, nor was a system
//! that did not answer then. Such a job is counted and held against the caps once more before it
//! begins. So is, without caps, what is done for a person of whom more is known than was then, and an
//! order that turns out to touch more than it may: a second person is asked for a number, it is counted
//! again once they have agreed, and what goes beyond that number is asked anew.

use quietus_connectors::{
    CollectionOutcome, Connector, Counts, Fault, Order, Outcome, ProbeCount, Receipt,
    association_named,
};

use super::account::counted_in;
use super::carry_out::{Attempt, Ending};
use super::done::Done;
use super::mutation::Mutation;
use super::open_case::{most_for, planned_records, words_for};
use super::plan_on_record::PlanOnRecord;
use super::prepare::Prepared;
use super::progress::Watch;
use super::settle::{counts_at_planning, refused};
use super::waiting::{is_asked, same_question};
use super::{AppError, Quietus};
use crate::plan::{CapExceeded, ProbeName, check_system_caps};
use crate::store::{BlockedReason, Settlement, StillMine};

/// What came of an order.
pub(super) enum Answer {
    /// The system answered.
    Receipt(Receipt),
    /// It is more than anybody agreed to; nothing was sent.
    TooMuch {
        /// The caps.
        beyond: Vec<CapExceeded>,
        /// Records that the order would change in all.
        records: u64,
    },
}

impl Quietus {
    /// Counts again where that is needed, and has the connector carry out the order.
    pub(super) async fn send(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        watch: &Watch<'_>,
    ) -> Result<Answer, Fault> {
        let connector = prepared.connector.as_ref();
        // A third party that said it would report is asked after it, and never asked anew.
        if let Some(reference) = &attempt.claimed.job.reference {
            return connector.follow(&prepared.order, reference).await.map(Answer::Receipt);
        }
        let done = watch.done();
        let so_far = done.total();
        if !prepared.is_uncounted {
            if done.is_of_more() {
                let counted = with_done(connector.preview(&prepared.order).await?, &so_far);
                watch.counted(self.with_lost(attempt, counted, &so_far, done));
            }
            // The order stays within the records that were asked for.
            return connector.execute(&prepared.order, watch).await.map(Answer::Receipt);
        }
        let fresh = connector.preview(&prepared.order).await?;
        let counted = with_done(fresh.clone(), &so_far);
        let changed = done.current.changed();
        let records = changed.saturating_add(planned_records(&fresh));
        let beyond = match self.beyond(attempt, prepared, (&counted, records)).await {
            Ok(beyond) => beyond,
            Err(error) => return Err(Fault::Unknown { message: error.to_string() }),
        };
        watch.counted(self.with_lost(attempt, counted, &so_far, done));
        if !beyond.is_empty() {
            return Ok(Answer::TooMuch { beyond, records });
        }
        let most = changed
            .saturating_add(most_for(planned_records(&fresh), self.fewest_cap(&prepared.plan)));
        let order = Order { most_records: Some(most), ..prepared.order.clone() };
        connector.execute(&order, watch).await.map(Answer::Receipt)
    }

    /// Fresh counts with what an attempt has done whose answer was lost.
    fn with_lost(
        &self,
        attempt: &Attempt<'_>,
        counted: Counts,
        so_far: &Outcome,
        done: Done,
    ) -> Counts {
        let earlier = done.counted.or_else(|| counts_at_planning(attempt));
        let earlier = earlier.filter(|_| !self.suffers(Mutation::CountsForgotten));
        with_lost(counted, so_far, earlier.as_ref())
    }

    /// Caps that the job exceeds and that nobody has agreed to: by a number that it asked for itself,
    /// or that its case asked for, whose jobs do nothing before somebody agrees.
    async fn beyond(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        (counted, records): (&Counts, u64),
    ) -> Result<Vec<CapExceeded>, AppError> {
        if attempt.done.asked.is_some_and(|asked| records <= same_question(asked)) {
            return Ok(Vec::new());
        }
        let pinned = self.pinned(&attempt.case).await?;
        let mut exceeded = check_system_caps(&prepared.plan, pinned.rules(), counted);
        let asked = PlanOnRecord::of(&attempt.case)?.exceeded;
        exceeded.retain(|one| !is_asked(&asked, one));
        Ok(exceeded)
    }

    /// An order that would touch more records than it may is counted once more, and a second person is
    /// asked for that number. Where it is no more than the order may touch, to agree would change
    /// nothing: it fails.
    pub(super) async fn ask_for_more(
        &self,
        attempt: &Attempt<'_>,
        (order, connector): (&Order, &dyn Connector),
        (done, started): (Done, StillMine),
        reasons: &[String],
    ) -> Ending {
        let fresh = match connector.preview(order).await {
            Ok(fresh) => fresh,
            Err(fault) => return self.ending_of_fault(attempt, &order.key, &fault, done),
        };
        let records = done.current.changed().saturating_add(planned_records(&fresh));
        if order.most_records.is_some_and(|most| same_question(records) <= most) {
            let words = format!("{}; only {records} are counted", reasons.join("; "));
            let (settlement, order_key) = (refused(words.clone()), order.key.clone());
            return Ending { settlement, done, order_key, verification: None, words };
        }
        let words = format!(
            "counted again while it was carried out: it would change {records} records of `{}`, which is more than it may",
            attempt.claimed.job.system
        );
        asking(started, (words, records), done)
    }
}

/// Counts that speak for the whole job: what is still due, and what is done already.
fn with_done(mut counts: Counts, done: &Outcome) -> Counts {
    for part in &done.collections {
        let Some(count) =
            counts.collections.iter_mut().find(|one| one.collection == part.collection)
        else {
            continue;
        };
        add_done(count, part);
    }
    counts
}

fn add_done(count: &mut ProbeCount, part: &CollectionOutcome) {
    count.total += part.deleted;
    count.own = count.own.map(|own| own + part.deleted);
    count.delete += part.deleted;
    count.restrict += part.restricted;
    count.lift += part.lifted;
    for (category, treated) in &part.treated {
        *count.treat.entry(category.clone()).or_default() += treated;
    }
    // Which rule made due what is done is not known: an upper bound for each. An association goes
    // by the rules of another collection.
    let own = part.treated.iter().filter(|(name, _)| association_named(name).is_none());
    let treated = own.map(|(_, count)| *count).max().unwrap_or(0);
    for (name, due) in &mut count.probes {
        if matches!(ProbeName::parse(name), Some(ProbeName::DueBy(_))) {
            *due += part.deleted + treated;
        }
    }
}

/// Counts with what an attempt may have done of which the store does not know, because its answer was
/// lost: the system still tells it, and it is not to be held against a count of what was left. That
/// is as much as was counted before, and of deletions no more than the collection has become smaller
/// by: of an order about persons, than their own records have become fewer by. Why that claims no
/// more is said at `Done::only_round`.
fn with_lost(mut counted: Counts, so_far: &Outcome, earlier: Option<&Counts>) -> Counts {
    for one in &mut counted.collections {
        let Some(before) = earlier.and_then(|counts| counted_in(counts, &one.collection)) else {
            continue;
        };
        let known = so_far.collections.iter().find(|part| part.collection == one.collection);
        let known = known.map_or(0, |part| part.deleted);
        // What is known to be done is counted in again by now.
        let shrunk = smaller_by(before, one).saturating_add(known);
        one.delete += before.delete.min(shrunk).saturating_sub(known);
        one.total = one.total.max(before.total);
        one.own = one.own.map(|own| own.max(before.own.unwrap_or(0)));
        one.restrict = one.restrict.max(before.restrict);
        for (category, due) in &before.treat {
            let treat = one.treat.entry(category.clone()).or_default();
            *treat = (*treat).max(*due);
        }
    }
    counted
}

/// How many fewer records there are in the second count; none that can be told where one counted all
/// records and the other those of the persons.
fn smaller_by(before: &ProbeCount, now: &ProbeCount) -> u64 {
    if before.own.is_some() == now.own.is_some() {
        there(before).saturating_sub(there(now))
    } else {
        0
    }
}

/// How many records were there, of those that a look counts again: the persons' own, or all.
pub(super) fn there(count: &ProbeCount) -> u64 {
    count.own.unwrap_or(count.total)
}

/// A second person is asked before anything is sent.
pub(super) fn too_much(watch: &Watch<'_>, beyond: &[CapExceeded], records: u64) -> Ending {
    let words = format!("counted again before it began: {}", words_for(beyond));
    asking(watch.started, (words, records), watch.done())
}

/// A second person is asked in these words for so many records in all.
fn asking(started: StillMine, (words, records): (String, u64), done: Done) -> Ending {
    Ending {
        settlement: Settlement::Blocked {
            reason: BlockedReason::Cap,
            pauses_version: started.pauses_version,
            asks: Some(words.clone()),
        },
        done: Done { asked: Some(records), ..done },
        order_key: String::new(),
        verification: None,
        words,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counts(total: u64, delete: u64, restrict: u64, cleared: u64) -> Counts {
        let collection = "notes".to_owned();
        let treat = BTreeMap::from([("body".to_owned(), cleared)]);
        let count =
            ProbeCount { collection, total, delete, restrict, treat, ..ProbeCount::default() };
        Counts { collections: vec![count], ..Counts::default() }
    }

    fn known(deleted: u64) -> Outcome {
        let part = CollectionOutcome {
            collection: "notes".to_owned(),
            deleted,
            ..CollectionOutcome::default()
        };
        Outcome { collections: vec![part], ..Outcome::default() }
    }

    #[track_caller]
    fn lost(left: Counts, deleted: u64, expected: &Counts) {
        let so_far = known(deleted);
        let counted = with_done(left, &so_far);
        assert_eq!(with_lost(counted, &so_far, Some(&counts(100, 40, 5, 7))), *expected);
    }

    #[test]
    fn what_a_lost_attempt_has_done_counts_as_far_as_it_shows() {
        lost(counts(60, 0, 0, 0), 0, &counts(100, 40, 5, 7));
        lost(counts(60, 2, 0, 0), 0, &counts(100, 42, 5, 7));
        lost(counts(90, 30, 5, 7), 0, &counts(100, 40, 5, 7));
        lost(counts(90, 32, 6, 7), 10, &counts(100, 42, 6, 7));
        // Somebody else deletes, too, and others came.
        lost(counts(20, 0, 0, 0), 0, &counts(100, 40, 5, 7));
        lost(counts(120, 0, 0, 0), 0, &counts(120, 0, 5, 7));
        let fresh = counts(60, 2, 0, 0);
        assert_eq!(with_lost(fresh.clone(), &Outcome::default(), None), fresh);
    }

    /// Counts of a person's order: `own` of theirs, and of the others as many as it takes.
    fn of_a_person(own: u64, delete: u64) -> Counts {
        let mut counts = counts(own.max(1) * 10_000, delete, 0, 0);
        counts.collections[0].own = Some(own);
        counts
    }

    #[track_caller]
    fn lost_of_a_person(before: &Counts, left: Counts, deleted: u64, expected: (Option<u64>, u64)) {
        let so_far = known(deleted);
        let counted = with_lost(with_done(left, &so_far), &so_far, Some(before));
        let one = &counted.collections[0];
        assert_eq!((one.own, one.delete), expected);
    }

    #[test]
    fn of_a_person_only_their_own_records_tell_what_was_lost() {
        let before = of_a_person(50, 40);
        lost_of_a_person(&before, of_a_person(10, 0), 0, (Some(50), 40));
        lost_of_a_person(&before, of_a_person(10, 2), 0, (Some(50), 42));
        lost_of_a_person(&before, of_a_person(40, 30), 0, (Some(50), 40));
        lost_of_a_person(&before, of_a_person(40, 32), 10, (Some(50), 42));
        // Nothing of theirs is gone, whatever became of the others.
        lost_of_a_person(&before, of_a_person(50, 0), 0, (Some(50), 0));
        lost_of_a_person(&before, of_a_person(60, 12), 0, (Some(60), 12));
        // A version before this one counted all records: nothing can be told from that.
        lost_of_a_person(&counts(1_000_000, 40, 0, 0), of_a_person(10, 2), 3, (Some(13), 5));
        lost_of_a_person(&before, counts(0, 2, 0, 0), 3, (None, 5));
    }
}
