//! What stays of what was due: for which law, hold or reason, how many records, until when, and
//! whether they are restricted meanwhile.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use quietus_connectors::{Restriction, SubjectAction};

use super::account::probed;
use super::done::RESTRICTION;
use super::request::KeptByLaw;
use super::second_look::Part;
use super::statement::SystemAccount;
use crate::domain::{CategoryName, CollectionName};
use crate::evidence::statement::{Count, KeptReason, StatedKept};
use crate::plan::{LimitCitation, ProbeName, StaysGround, Step, StepStatus};
use crate::schedule::LimitKind;

impl SystemAccount<'_> {
    /// What stays by law or for a hold, as counted last.
    pub(super) fn kept(&self, part: &Part<'_>) -> Vec<StatedKept> {
        let (Some(first), Some(category)) = (part.steps.first(), part.category) else {
            return Vec::new();
        };
        if self.asked == Some(SubjectAction::Lift) {
            return self.stays_restricted(part.collection, category, first);
        }
        let (before, after) =
            (self.counted_before(part.collection), self.counted_after(part.collection));
        let moved = self.outcome(part.collection).is_some_and(|one| one.restricted > 0)
            && self.moves_what_it_restricts(part.collection);
        let count = |name: &ProbeName| {
            let [before, after] = [before, after].map(|one| one.map(|one| probed(one, name)));
            // What was moved away is no longer counted where it was.
            let before = before.filter(|_| moved || after.is_none());
            before.into_iter().chain(after).max().unwrap_or(0)
        };
        let restricted = self.looked_at(part.collection, Some(RESTRICTION))
            && self.latest_survivors(part.collection, Some(RESTRICTION)) == 0;
        let mut kept = Vec::new();
        for limit in first.limits.iter().filter(|limit| limit.kind == LimitKind::Minimum) {
            let (of, name) = (category.to_string(), limit.name.to_string());
            let all = count(&ProbeName::Minimum { category: of.clone(), limit: name.clone() });
            let meanwhile = count(&ProbeName::Restricted { category: of, limit: name }).min(all);
            let meanwhile = if restricted { meanwhile } else { 0 };
            let (first_until, until) = self.kept_until(part.collection, category, limit);
            let because = self.because(part.collection, category, limit);
            for (records, restricted) in [(meanwhile, true), (all - meanwhile, false)] {
                if records > 0 {
                    kept.push(StatedKept {
                        reason: KeptReason::StatutoryMinimum,
                        records: Count(records),
                        because: because.clone(),
                        until,
                        // One record alone has one end.
                        first_until: first_until.filter(|_| all > 1),
                        review_on: None,
                        restricted,
                    });
                }
            }
        }
        let name = category.to_string();
        let held = count(&ProbeName::Held(name.clone())) + count(&ProbeName::HeldWhole(name));
        kept.extend(self.held(part, held));
        kept
    }

    /// What stays restricted although a person's restriction is lifted, and why.
    fn stays_restricted(
        &self,
        collection: &CollectionName,
        category: &CategoryName,
        step: &Step,
    ) -> Vec<StatedKept> {
        let minimums = step.limits.iter().filter(|limit| limit.kind == LimitKind::Minimum);
        let minimums = minimums.map(|limit| {
            let because = format!("{}: {} ({})", limit.name, limit.citation, limit.jurisdiction);
            let ground = StaysGround::Minimum(limit.name.to_string());
            (ground, KeptReason::StatutoryMinimum, because)
        });
        let words = |text: &str| text.to_owned();
        let others = [
            (
                StaysGround::Request,
                KeptReason::StillRestricted,
                words("another request of the person restricts it"),
            ),
            (
                StaysGround::Hold,
                KeptReason::LegalHold,
                words("a legal hold keeps what an erasure of the person has left"),
            ),
            (
                StaysGround::Rule,
                KeptReason::StillRestricted,
                words("a retention rule restricts it by now"),
            ),
        ];
        let counted = self.counted_after(collection).or_else(|| self.counted_before(collection));
        let Some(counted) = counted else { return Vec::new() };
        let stated = minimums.chain(others).map(|(ground, reason, because)| {
            let category = category.to_string();
            let records = probed(counted, &ProbeName::StaysRestricted { category, ground });
            StatedKept {
                reason,
                records: Count(records),
                because,
                until: None,
                first_until: None,
                review_on: None,
                restricted: true,
            }
        });
        stated.filter(|one| one.records.0 > 0).collect()
    }

    /// The days on which a minimum has ended for the first and for the last of the person's records;
    /// the first only where it is another one.
    fn kept_until(
        &self,
        collection: &CollectionName,
        category: &CategoryName,
        limit: &LimitCitation,
    ) -> (Option<Date>, Option<Date>) {
        let Some(kept) = self.noted(collection, category, limit) else { return (None, None) };
        let day = |end: Timestamp| self.zone.to_datetime(end).date();
        let last = kept.until.map(day);
        let first = kept.ends.first().copied().map(day);
        (first.filter(|first| last.is_none_or(|last| *first < last)), last)
    }

    /// What was noted of what a minimum keeps of the person who asked.
    fn noted(
        &self,
        collection: &CollectionName,
        category: &CategoryName,
        limit: &LimitCitation,
    ) -> Option<&KeptByLaw> {
        let same = |one: &&KeptByLaw| {
            one.collection == collection.as_str()
                && one.category == category.as_str()
                && one.limit == limit.name.as_str()
        };
        self.kept_by_law.iter().find(same)
    }

    /// Which law keeps it, and which ones take its place on which day and have a say in the date.
    fn because(
        &self,
        collection: &CollectionName,
        category: &CategoryName,
        limit: &LimitCitation,
    ) -> String {
        let because = format!("{}: {} ({})", limit.name, limit.citation, limit.jurisdiction);
        let noted = self.noted(collection, category, limit);
        let followed_by = noted.iter().flat_map(|one| &one.followed_by);
        let followed_by: Vec<String> = followed_by
            .map(|(day, name, citation)| format!("; {day}: {name}: {citation}"))
            .collect();
        because + &followed_by.concat()
    }

    fn moves_what_it_restricts(&self, collection: &CollectionName) -> bool {
        let mapped = self.system.collections.get(collection);
        mapped.is_some_and(|one| matches!(one.restriction, Some(Restriction::Move { .. })))
    }

    /// Records that the order's holds keep; `None` where there are none.
    pub(super) fn held(&self, part: &Part<'_>, records: u64) -> Option<StatedKept> {
        let (matters, review_on) = self.ordered.held(part.collection, part.category);
        let counted = self.counted_after(part.collection).is_some();
        if records == 0 || matters.is_empty() && !counted {
            return None;
        }
        let matters: Vec<&str> = matters.into_iter().collect();
        Some(StatedKept {
            reason: KeptReason::LegalHold,
            records: Count(records),
            because: match matters.as_slice() {
                [] => "a legal hold in force when it was carried out".to_owned(),
                [matter] => format!("matter {matter}"),
                several => format!("one or more of the matters {}", several.join(", ")),
            },
            until: None,
            first_until: None,
            review_on,
            restricted: false,
        })
    }

    /// Fields of the category that are not emptied before their record goes, where records stay.
    pub(super) fn staying_fields(&self, part: &Part<'_>) -> Vec<String> {
        let Some(category) = part.category else { return Vec::new() };
        let acting = part.steps.iter().filter(|step| step.status == StepStatus::Acting);
        let fields: BTreeSet<&String> = acting.flat_map(|step| &step.staying_fields).collect();
        let stay = self.counted_after(part.collection).is_none_or(|counted| {
            let name = category.to_string();
            let held = probed(counted, &ProbeName::Held(name.clone()))
                + probed(counted, &ProbeName::HeldWhole(name.clone()));
            probed(counted, &ProbeName::Due(name)) > held
        });
        if stay { fields.into_iter().cloned().collect() } else { Vec::new() }
    }
}
