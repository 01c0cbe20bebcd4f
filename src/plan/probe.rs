//! Counts that a plan wants from `preview` to say what is kept and why.
//!
//! Names are `<what>:<category>` or `<what>:<category>:<limit>`; [`ProbeName`] reads them back.

use quietus_connectors::{Predicate, Probe};

use super::category::{Branch, CategoryReading};
use super::collection::CollectionReading;
use crate::schedule::Action;

/// What a probe counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeName {
    /// Records of which the category is due, whoever acts.
    Due(String),
    /// Records of the category that a rule makes due in this plan; the name of the rule.
    DueBy(String),
    /// Records whose period has begun and is not over.
    NotYet(String),
    /// Records for which no rule's condition holds.
    NoRule(String),
    /// Records without a starting point.
    NoStartingPoint(String),
    /// Records that a minimum keeps although their purpose is over.
    Minimum {
        /// The category.
        category: String,
        /// The minimum.
        limit: String,
    },
    /// Records that a minimum keeps and that this plan wants restricted meanwhile.
    Restricted {
        /// The category.
        category: String,
        /// The minimum.
        limit: String,
    },
    /// Records that stay restricted when a person's restriction is lifted, and what keeps them so.
    StaysRestricted {
        /// The category.
        category: String,
        /// What keeps them so.
        ground: StaysGround,
    },
    /// Records that would be due and of which a hold covers this category alone.
    Held(String),
    /// Records that would be due in this category and that a hold covers as a whole.
    HeldWhole(String),
    /// Records of a rule that somebody paused; the name of the rule.
    Paused(String),
    /// Records whose maximum has passed while a minimum keeps them; the name of the maximum.
    Conflict(String),
    /// Records whose maximum has passed and which no rule makes due; the name of the maximum.
    PastMaximum(String),
    /// Records of persons that are of later than what was done for them; the name of the collection.
    Later(String),
}

/// What keeps records restricted when a person's restriction is lifted. A record that has several
/// grounds is counted under the first of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaysGround {
    /// Another request of the person.
    Request,
    /// A minimum, by its name, keeps what an erasure would have taken.
    Minimum(String),
    /// A legal hold keeps what an erasure would have taken.
    Hold,
    /// A retention rule restricts them by now.
    Rule,
}

impl StaysGround {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "request" => Some(Self::Request),
            "hold" => Some(Self::Hold),
            "rule" => Some(Self::Rule),
            _ => text.strip_prefix("minimum:").map(|limit| Self::Minimum(limit.to_owned())),
        }
    }
}

impl std::fmt::Display for StaysGround {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request => formatter.write_str("request"),
            Self::Minimum(limit) => write!(formatter, "minimum:{limit}"),
            Self::Hold => formatter.write_str("hold"),
            Self::Rule => formatter.write_str("rule"),
        }
    }
}

impl ProbeName {
    /// Reads the name of a probe.
    pub fn parse(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once(':')?;
        let rest = rest.to_owned();
        match what {
            "due" => Some(Self::Due(rest)),
            "due-by" => Some(Self::DueBy(rest)),
            "not-yet" => Some(Self::NotYet(rest)),
            "no-rule" => Some(Self::NoRule(rest)),
            "no-starting-point" => Some(Self::NoStartingPoint(rest)),
            "minimum" => {
                let (category, limit) = rest.split_once(':')?;
                Some(Self::Minimum { category: category.to_owned(), limit: limit.to_owned() })
            }
            "restricted" => {
                let (category, limit) = rest.split_once(':')?;
                Some(Self::Restricted { category: category.to_owned(), limit: limit.to_owned() })
            }
            "stays-restricted" => {
                let (category, ground) = rest.split_once(':')?;
                let ground = StaysGround::parse(ground)?;
                Some(Self::StaysRestricted { category: category.to_owned(), ground })
            }
            "paused" => Some(Self::Paused(rest)),
            "held" => Some(Self::Held(rest)),
            "held-whole" => Some(Self::HeldWhole(rest)),
            "conflict" => Some(Self::Conflict(rest)),
            "past-maximum" => Some(Self::PastMaximum(rest)),
            "later" => Some(Self::Later(rest)),
            _ => None,
        }
    }
}

impl std::fmt::Display for ProbeName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Due(category) => write!(formatter, "due:{category}"),
            Self::DueBy(rule) => write!(formatter, "due-by:{rule}"),
            Self::NotYet(category) => write!(formatter, "not-yet:{category}"),
            Self::NoRule(category) => write!(formatter, "no-rule:{category}"),
            Self::NoStartingPoint(category) => write!(formatter, "no-starting-point:{category}"),
            Self::Minimum { category, limit } => write!(formatter, "minimum:{category}:{limit}"),
            Self::Restricted { category, limit } => {
                write!(formatter, "restricted:{category}:{limit}")
            }
            Self::StaysRestricted { category, ground } => {
                write!(formatter, "stays-restricted:{category}:{ground}")
            }
            Self::Held(category) => write!(formatter, "held:{category}"),
            Self::HeldWhole(category) => write!(formatter, "held-whole:{category}"),
            Self::Paused(rule) => write!(formatter, "paused:{rule}"),
            Self::Conflict(limit) => write!(formatter, "conflict:{limit}"),
            Self::PastMaximum(limit) => write!(formatter, "past-maximum:{limit}"),
            Self::Later(collection) => write!(formatter, "later:{collection}"),
        }
    }
}

/// The probes of one collection.
pub(super) fn probes(reading: &CollectionReading<'_>) -> Vec<Probe> {
    let mut probes = Vec::new();
    for category in &reading.categories {
        if category.exempt.is_none() {
            story(reading, category, &mut probes);
        }
    }
    probes.retain(|probe| probe.predicate != Predicate::Never);
    probes
}

fn story(reading: &CollectionReading<'_>, category: &CategoryReading<'_>, probes: &mut Vec<Probe>) {
    let name = category.category.to_string();
    let mut add = |name: ProbeName, predicate| {
        probes.push(Probe { name: name.to_string(), predicate });
    };
    let any = |_: &Branch<'_>| true;
    let disposes = |branch: &Branch<'_>| branch.rule.action != Action::Restrict;
    let known = || category.branches.iter().filter_map(|one| one.records.as_ref().ok()).cloned();
    let due = category.due(any);
    let without_start =
        Predicate::any(category.branches.iter().map(|one| one.without_start.clone()));
    let over = category.purpose_over(any);
    let held = reading.category_held(category.category);
    let held_whole = reading.held();
    let restricted = Predicate::all([reading.restrict_when(), held_whole.clone().negate()]);
    let every_branch_known = category.branches.iter().all(|one| one.records.is_ok());
    let unruled = Predicate::any(known()).negate();
    add(
        ProbeName::NoRule(name.clone()),
        if every_branch_known { unruled } else { Predicate::Never },
    );
    let running = category.branches.iter().filter(|one| !one.paused);
    let running = Predicate::any(running.filter_map(|one| one.records.as_ref().ok()).cloned());
    add(
        ProbeName::NotYet(name.clone()),
        Predicate::all([running, over.negate(), without_start.clone().negate()]),
    );
    add(ProbeName::NoStartingPoint(name.clone()), without_start);
    for minimum in &category.minimums {
        let limit = minimum.limit.name.to_string();
        let keeps = Predicate::all([category.purpose_over(disposes), minimum.over().negate()]);
        add(
            ProbeName::Restricted { category: name.clone(), limit: limit.clone() },
            Predicate::all([keeps.clone(), restricted.clone()]),
        );
        add(ProbeName::Minimum { category: name.clone(), limit }, keeps);
    }
    for maximum in category.maximums.iter().filter(|one| one.readable) {
        let limit = maximum.limit.name.to_string();
        let passed = [maximum.records.clone(), maximum.ended.clone()];
        let kept = category.minimums_over().negate();
        add(
            ProbeName::Conflict(limit.clone()),
            Predicate::all(passed.iter().cloned().chain([kept.clone()])),
        );
        let late = passed.into_iter().chain([kept.negate(), due.clone().negate()]);
        add(ProbeName::PastMaximum(limit), Predicate::all(late));
    }
    add(ProbeName::Held(name.clone()), Predicate::all([due.clone(), held.clone()]));
    let only_whole = [due.clone(), held_whole, held.clone().negate()];
    add(ProbeName::HeldWhole(name.clone()), Predicate::all(only_whole));
    add(ProbeName::Due(name), due);
    for branch in &category.branches {
        let rule = branch.rule.name.to_string();
        if branch.paused {
            add(ProbeName::Paused(rule), branch.records.clone().unwrap_or(Predicate::Never));
            continue;
        }
        let by_rule = |one: &Branch<'_>| one.rule.name == branch.rule.name;
        let over = match branch.rule.action {
            Action::Restrict => category.purpose_over(by_rule),
            Action::Erase | Action::Anonymise => category.due(by_rule),
        };
        let acts = Predicate::all([over, held.clone().negate()]);
        add(ProbeName::DueBy(rule), acts);
    }
}
