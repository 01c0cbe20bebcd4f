//! Paused rules, read against the rules of the plan.
//!
//! A pause of a rule that the rules do not have was meant for one that has another name now, here
//! or in the rules that a case was planned with. Nobody can tell which one, so none acts until
//! somebody lifts that pause.

use super::finding::{Finding, FindingKind};
use super::input::PlanInput;
use super::reach::Place;
use crate::domain::RuleName;

/// Whether a rule is paused, or might be the one that is meant.
pub(super) fn is_paused(input: &PlanInput<'_>, rule: &RuleName) -> bool {
    input.paused.contains(rule) || unknown(input).next().is_some()
}

/// Pauses that no rule answers to, as findings of a collection in which rules act.
pub(super) fn findings(input: &PlanInput<'_>, place: Place<'_>) -> Vec<Finding> {
    if place.collection.categories().is_empty() {
        return Vec::new();
    }
    let finding = |name: &RuleName| Finding {
        kind: FindingKind::PauseNotReadable,
        collection: place.collection.name.clone(),
        category: None,
        rule: Some(name.clone()),
        message: format!(
            "rule `{name}` is paused and the rules do not have it: every rule is taken to be paused: pause the rule under its present name, then `quietus resume rule {name}`"
        ),
    };
    unknown(input).map(finding).collect()
}

fn unknown<'a>(input: &PlanInput<'a>) -> impl Iterator<Item = &'a RuleName> {
    let rules = &input.rules.rules;
    input.paused.iter().filter(move |name| rules.iter().all(|rule| rule.name != **name))
}
