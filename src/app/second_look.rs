//! What of an order was looked for again, what that look found, and what is left where nobody
//! looked.
//!
//! A look speaks only for what it looked at: it lists the parts of the order, and a statement that
//! speaks of another part is not verified by it.

use quietus_connectors::LookedAt;

use super::account::part as name_of;
use super::done::{RESTRICTION, survivors_in};
use super::statement::{SystemAccount, is_stopped};
use crate::domain::{CategoryName, CollectionName};
use crate::evidence::statement::{
    CertifiedAction, StatedVerification, VerificationFinding, VerificationType,
};
use crate::plan::Step;
use crate::schedule::Action;

/// What of an order a statement speaks of, and the steps behind it.
pub(super) struct Part<'a> {
    pub(super) collection: &'a CollectionName,
    pub(super) category: Option<&'a CategoryName>,
    pub(super) steps: &'a [&'a Step],
    pub(super) actions: Vec<Action>,
}

impl Part<'_> {
    pub(super) fn wants(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    pub(super) fn category_name(&self) -> Option<&str> {
        self.category.map(CategoryName::as_str)
    }

    /// The statement's one word for what its rules wanted. Where some erase a category and others
    /// make it anonymous, systems count both together, and the weaker word is the true one.
    pub(super) fn action(&self) -> CertifiedAction {
        if self.category.is_none() || self.wants(Action::Erase) && !self.wants(Action::Anonymise) {
            CertifiedAction::Erase
        } else if self.wants(Action::Anonymise) {
            CertifiedAction::Anonymise
        } else if self.wants(Action::Restrict) {
            CertifiedAction::Restrict
        } else {
            CertifiedAction::None
        }
    }
}

impl SystemAccount<'_> {
    pub(super) fn latest_survivors(
        &self,
        collection: &CollectionName,
        category: Option<&str>,
    ) -> u64 {
        let found = self.verification.as_ref().map(|one| one.found.survivors.as_slice());
        survivors_in(found.unwrap_or_default(), collection.as_str(), category)
    }

    /// Due, not kept and still there: what the second look found, and where it did not look at
    /// this, what had been counted before less what was done. `None` where nobody knows.
    pub(super) fn left(&self, part: &Part<'_>, acted: u64) -> Option<u64> {
        let latest = |category| self.latest_survivors(part.collection, category);
        if self.nothing_asked(part) && self.is_completed() && !is_stopped(part.steps) {
            return Some(0);
        }
        if self.parts_looked_at(part) {
            let restrict = latest(Some(RESTRICTION));
            return Some(match part.category {
                None => latest(None) + restrict + self.associations_left(part),
                Some(_) => latest(self.found_under(part)),
            });
        }
        let counted = self.counted_before(part.collection)?;
        let mut due =
            part.category_name().and_then(|name| counted.treat.get(name)).copied().unwrap_or(0);
        if part.wants(Action::Erase) {
            due += counted.delete;
        }
        if part.wants(Action::Restrict) {
            due += counted.restrict;
        }
        if part.category.is_none() {
            let names = self.ordered.associations(part.collection);
            due += names.iter().filter_map(|name| counted.treat.get(*name)).sum::<u64>();
        }
        Some(due.saturating_sub(acted))
    }

    pub(super) fn looked_at(&self, collection: &CollectionName, category: Option<&str>) -> bool {
        let part: LookedAt = name_of(collection, category);
        self.verification.as_ref().is_some_and(|one| one.found.looked_at.contains(&part))
    }

    fn associations_left(&self, part: &Part<'_>) -> u64 {
        let names = self.ordered.associations(part.collection).into_iter();
        names.map(|name| self.latest_survivors(part.collection, Some(name))).sum()
    }

    /// The parts of an order that a statement speaks of.
    fn parts_of<'p>(&'p self, part: &Part<'p>) -> Vec<Option<&'p str>> {
        let mut names: Vec<Option<&str>> = Vec::new();
        if let Some(category) = part.category {
            names.push(Some(category.as_str()));
        }
        if part.wants(Action::Erase) {
            names.push(None);
        }
        if part.wants(Action::Restrict) {
            names.push(Some(RESTRICTION));
        }
        names.retain(|name| self.ordered.asked(part.collection, *name));
        if part.category.is_none() {
            names.extend(self.ordered.associations(part.collection).into_iter().map(Some));
        }
        names
    }

    /// Nothing could be due: no starting point lies at or before any cut-off.
    fn nothing_asked(&self, part: &Part<'_>) -> bool {
        self.parts_of(part).is_empty()
    }

    /// Everything that the order asked for here was looked for.
    fn parts_looked_at(&self, part: &Part<'_>) -> bool {
        let names = self.parts_of(part);
        !names.is_empty() && names.iter().all(|name| self.looked_at(part.collection, *name))
    }

    pub(super) fn second_look(&self, part: &Part<'_>) -> StatedVerification {
        let nobody = |why: &str| StatedVerification {
            kind: VerificationType::None,
            at: None,
            result: VerificationFinding::Unknown,
            method: why.to_owned(),
        };
        let Some(on_record) = &self.verification else { return nobody("nobody looked again") };
        if is_stopped(part.steps) && self.nothing_asked(part) {
            return nobody("nothing was ordered here, so nothing was looked for");
        }
        let method = if self.nothing_asked(part) {
            "the order left nothing to do here: nothing is due, or all of it is held".to_owned()
        } else if self.parts_looked_at(part) {
            on_record.found.method.clone() + &self.rounds(part)
        } else {
            return nobody("the second look did not look at this");
        };
        let found = self.parts_of(part);
        let survivors = found.iter().map(|name| self.latest_survivors(part.collection, *name));
        StatedVerification {
            kind: VerificationType::PostQuery,
            at: Some(on_record.at),
            result: if survivors.sum::<u64>() == 0 {
                VerificationFinding::Absent
            } else {
                VerificationFinding::Survivors
            },
            method,
        }
    }

    /// Under which name survivors of a category are found. What is only ever deleted as a whole is
    /// looked for as a whole.
    fn found_under<'p>(&self, part: &Part<'p>) -> Option<&'p str> {
        let category = part.category?.as_str();
        if part.action() == CertifiedAction::Restrict {
            return Some(RESTRICTION);
        }
        self.ordered.asked(part.collection, Some(category)).then_some(category)
    }

    /// How often it was begun anew, and what was found after each round; empty where one was enough.
    fn rounds(&self, part: &Part<'_>) -> String {
        let collection = part.collection;
        let found = self.done.found_of(collection.as_str(), self.found_under(part));
        let (reported, gone) = (
            self.done.reported_deletions(collection.as_str()),
            self.outcome(collection).map_or(0, |one| one.deleted),
        );
        if found.is_empty() && reported > gone {
            return format!(
                "; the system reports {reported} deletions, and {gone} records are gone: what came back is counted once"
            );
        }
        if found.is_empty() {
            return String::new();
        }
        let after: Vec<String> = found.iter().map(u64::to_string).collect();
        format!(
            "; {} round(s), with {} survivor(s) found after each in turn: a record is counted once, and only as gone where it stayed away",
            found.len(),
            after.join(", ")
        )
    }
}
