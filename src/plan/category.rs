//! One category of one collection: its rules as branches, its minimums and its maximums.
//!
//! Of several rules a record takes the first whose condition holds. Where a condition cannot be
//! read, its branch and all later ones are due for no record: nothing is guessed.

use jiff::Timestamp;
use quietus_connectors::Predicate;

use super::finding::{Finding, FindingKind};
use super::input::PlanInput;
use super::law::{in_force, is_coming};
use super::lists::ListBook;
use super::pause;
use super::reach::Place;
use super::start::{Over, Start, Term};
use super::step::StartCutoff;
use super::translate::translate;
use crate::domain::CategoryName;
use crate::schedule::{Action, Exemption, Limit, LimitKind, RetentionRule};

/// One rule for the records that it is the first to speak for.
pub(super) struct Branch<'a> {
    pub(super) rule: &'a RetentionRule,
    /// The records; the error says why they cannot be told.
    pub(super) records: Result<Predicate, String>,
    pub(super) start: Result<Start<'a>, String>,
    /// The moment as of which the purpose is judged; `None` while no mark is old enough.
    pub(super) judged_at: Option<Timestamp>,
    /// The branch's records whose purpose is over; `Never` while the rule is paused.
    pub(super) purpose_over: Predicate,
    /// The branch's records without a starting point.
    pub(super) without_start: Predicate,
    pub(super) cutoffs: Vec<StartCutoff>,
    pub(super) acting: bool,
    pub(super) paused: bool,
}

/// A minimum or maximum in force.
pub(super) struct LimitReading<'a> {
    pub(super) limit: &'a Limit,
    /// The records that it speaks for; `Always` for a minimum that cannot be read.
    pub(super) records: Predicate,
    pub(super) start: Result<Start<'a>, String>,
    /// Its own period is over.
    pub(super) ended: Predicate,
    pub(super) cutoffs: Vec<StartCutoff>,
    /// Its condition and starting point can be read here.
    pub(super) readable: bool,
}

impl Branch<'_> {
    /// The rule's period.
    pub(super) fn term(&self) -> Term {
        Term { period: self.rule.period, rounding: self.rule.rounding }
    }

    /// Whether a purpose that ends at `end` is over for the rule.
    pub(super) fn is_over(&self, end: Option<Timestamp>) -> bool {
        !self.paused && end.zip(self.judged_at).is_some_and(|(end, judged_at)| end <= judged_at)
    }
}

impl LimitReading<'_> {
    /// A minimum does not keep the record (any more).
    pub(super) fn over(&self) -> Predicate {
        Predicate::any([self.records.clone().negate(), self.ended.clone()])
    }
}

/// What rules and limits say of one category.
pub(super) struct CategoryReading<'a> {
    pub(super) category: &'a CategoryName,
    pub(super) exempt: Option<&'a Exemption>,
    pub(super) branches: Vec<Branch<'a>>,
    pub(super) minimums: Vec<LimitReading<'a>>,
    pub(super) maximums: Vec<LimitReading<'a>>,
    /// Minimums that are not law yet and will be: they keep nothing now, and tell until when
    /// something is kept.
    pub(super) coming: Vec<LimitReading<'a>>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> CategoryReading<'a> {
    /// Reads all that is said of a category in a collection.
    pub(super) fn read(
        input: &PlanInput<'a>,
        place: Place<'a>,
        category: &'a CategoryName,
        lists: &mut ListBook,
    ) -> Self {
        let mut reading = Self {
            category,
            exempt: input.rules.exemptions.get(category),
            branches: Vec::new(),
            minimums: Vec::new(),
            maximums: Vec::new(),
            coming: Vec::new(),
            findings: Vec::new(),
        };
        reading.read_branches(input, place, lists);
        for limit in input.limits.iter().filter(|one| one.category == *category) {
            if is_coming(limit, input) {
                reading.coming.push(read_coming(input, place, limit));
            } else if in_force(limit, input) {
                let read = read_limit(input, place, limit, lists);
                reading.note_unreadable(place, &limit.name, &read.start, None);
                match limit.kind {
                    LimitKind::Minimum => reading.minimums.push(read),
                    LimitKind::Maximum => reading.maximums.push(read),
                }
            }
        }
        reading.note_limits(input, place);
        reading
    }

    fn read_branches(&mut self, input: &PlanInput<'a>, place: Place<'a>, lists: &mut ListBook) {
        let mut none_earlier: Result<Vec<Predicate>, String> = Ok(Vec::new());
        for rule in rules_for(input, place, self.category) {
            let condition = translate(&rule.when, place, input.zone);
            let records = match (&condition, &none_earlier) {
                (Ok(own), Ok(others)) => {
                    Ok(Predicate::all(std::iter::once(own.clone()).chain(others.iter().cloned())))
                }
                (Err(why), _) | (_, Err(why)) => Err(why.clone()),
            };
            none_earlier = match (none_earlier, condition) {
                (Ok(mut others), Ok(own)) => {
                    others.push(own.negate());
                    Ok(others)
                }
                (Err(why), _) | (_, Err(why)) => Err(why),
            };
            let branch = read_branch(input, place, rule, records, lists);
            let unreadable = branch.records.as_ref().err().cloned();
            self.note_unreadable(place, &rule.name, &branch.start, unreadable);
            if let Some((kind, message)) =
                branch.start.as_ref().ok().and_then(|start| start.unfit_keys(input))
            {
                self.note(place, kind, Some(&rule.name), message);
            }
            self.branches.push(branch);
        }
        if self.branches.is_empty() && self.exempt.is_none() {
            let message = format!(
                "no rule disposes of category `{}` in collection `{}`: write a rule or an exemption",
                self.category, place.collection.name
            );
            self.note(place, FindingKind::NoRule, None, message);
        }
    }

    fn note_unreadable(
        &mut self,
        place: Place<'_>,
        rule: &crate::domain::RuleName,
        start: &Result<Start<'_>, String>,
        condition: Option<String>,
    ) {
        if let Err(why) = start {
            let message = format!("`{rule}`: {why}; data are kept");
            self.note(place, FindingKind::NoStartingPoint, Some(rule), message);
        }
        if let Some(why) = condition {
            let message = format!("`{rule}`: {why}; data are kept");
            self.note(place, FindingKind::ConditionNotReadable, Some(rule), message);
        }
    }

    fn note_limits(&mut self, input: &PlanInput<'_>, place: Place<'_>) {
        let mut notes = Vec::new();
        for limit in self.minimums.iter().chain(&self.maximums) {
            if let Err(why) = translate(&limit.limit.when, place, input.zone) {
                let name = limit.limit.name.clone();
                let message = format!("`{name}`: {why}; data are kept");
                notes.push((FindingKind::ConditionNotReadable, name, message));
            }
        }
        for maximum in self.maximums.iter().map(|one| one.limit) {
            let latest = maximum.period.due_at(input.moment, maximum.rounding, input.zone);
            for rule in self.branches.iter().map(|one| one.rule) {
                let due = rule.period.due_at(input.moment, rule.rounding, input.zone);
                if rule.starting_point == maximum.starting_point && due > latest {
                    let message = format!(
                        "rule `{}` lasts longer than the maximum `{}` ({}) allows: shorten the rule",
                        rule.name, maximum.name, maximum.citation
                    );
                    notes.push((FindingKind::Conflict, maximum.name.clone(), message));
                }
            }
            for minimum in self.minimums.iter().map(|one| one.limit) {
                let due = minimum.period.due_at(input.moment, minimum.rounding, input.zone);
                if minimum.starting_point == maximum.starting_point && due > latest {
                    let message = format!(
                        "the minimum `{}` ({}) lasts longer than the maximum `{}` ({}) allows: a person decides which applies; meanwhile the minimum does",
                        minimum.name, minimum.citation, maximum.name, maximum.citation
                    );
                    notes.push((FindingKind::Conflict, maximum.name.clone(), message));
                }
            }
        }
        for (kind, name, message) in notes {
            self.note(place, kind, Some(&name), message);
        }
    }

    fn note(
        &mut self,
        place: Place<'_>,
        kind: FindingKind,
        rule: Option<&crate::domain::RuleName>,
        message: String,
    ) {
        self.findings.push(Finding {
            kind,
            collection: place.collection.name.clone(),
            category: Some(self.category.clone()),
            rule: rule.cloned(),
            message,
        });
    }

    /// No minimum keeps the category of the record.
    pub(super) fn minimums_over(&self) -> Predicate {
        Predicate::all(self.minimums.iter().map(LimitReading::over))
    }

    /// Records whose purpose is over by one of the branches that `chosen` picks.
    pub(super) fn purpose_over(&self, chosen: impl Fn(&Branch<'a>) -> bool) -> Predicate {
        if self.exempt.is_some() {
            return Predicate::Never;
        }
        Predicate::any(
            self.branches
                .iter()
                .filter(|branch| chosen(branch))
                .map(|branch| branch.purpose_over.clone()),
        )
    }

    /// Records of which the category is due by one of the branches that `chosen` picks. A rule
    /// that restricts makes nothing due.
    pub(super) fn due(&self, chosen: impl Fn(&Branch<'a>) -> bool) -> Predicate {
        let over =
            self.purpose_over(|branch| branch.rule.action != Action::Restrict && chosen(branch));
        Predicate::all([over, self.minimums_over()])
    }

    /// Records that a minimum keeps although their purpose is over.
    pub(super) fn kept_by_minimum(&self) -> Predicate {
        let over = self.purpose_over(|branch| branch.rule.action != Action::Restrict);
        Predicate::all([over, self.minimums_over().negate()])
    }
}

/// Rules that speak of a category in a system, in the order in which they are tried.
pub(super) fn rules_for<'a>(
    input: &PlanInput<'a>,
    place: Place<'a>,
    category: &'a CategoryName,
) -> impl Iterator<Item = &'a RetentionRule> {
    let system = &place.system.name;
    input.rules.rules.iter().filter(move |rule| {
        rule.category == *category && (rule.systems.is_empty() || rule.systems.contains(system))
    })
}

/// The moment as of which a rule judges: the plan's, or with grace that of the newest mark whose
/// grace is over.
pub(super) fn judged_at(input: &PlanInput<'_>, rule: &RetentionRule) -> Option<Timestamp> {
    use crate::domain::Rounding;
    let Some(grace) = rule.grace else { return Some(input.moment) };
    let marks = input.marks.get(&rule.name)?.iter().copied();
    marks.filter(|mark| grace.due_at(*mark, Rounding::None, input.zone) <= input.moment).max()
}

fn read_branch<'a>(
    input: &PlanInput<'a>,
    place: Place<'a>,
    rule: &'a RetentionRule,
    records: Result<Predicate, String>,
    lists: &mut ListBook,
) -> Branch<'a> {
    let start = Start::read(&rule.starting_point, place);
    let judged_at = judged_at(input, rule);
    let paused = pause::is_paused(input, &rule.name);
    let term = Term { period: rule.period, rounding: rule.rounding };
    let over = match (&start, judged_at) {
        (Ok(start), Some(at)) => start.over(input, lists, term, at),
        _ => Over { predicate: Predicate::Never, cutoffs: Vec::new() },
    };
    let known = records.clone().unwrap_or(Predicate::Never);
    let live = if paused { Predicate::Never } else { known.clone() };
    let absent = start.as_ref().map_or(Predicate::Always, Start::absent);
    Branch {
        rule,
        purpose_over: Predicate::all([live, over.predicate]),
        without_start: Predicate::all([known, absent]),
        cutoffs: over.cutoffs,
        acting: !paused && input.acting.includes(&rule.schedule),
        paused,
        judged_at,
        records,
        start,
    }
}

fn read_limit<'a>(
    input: &PlanInput<'a>,
    place: Place<'a>,
    limit: &'a Limit,
    lists: &mut ListBook,
) -> LimitReading<'a> {
    let start = Start::read(&limit.starting_point, place);
    let condition = translate(&limit.when, place, input.zone);
    let readable = start.is_ok() && condition.is_ok();
    let term = Term { period: limit.period, rounding: limit.rounding };
    let over = match &start {
        Ok(start) => start.over(input, lists, term, input.moment),
        Err(_) => Over { predicate: Predicate::Never, cutoffs: Vec::new() },
    };
    // What cannot be read keeps: a minimum is then taken to apply, a maximum not to.
    let unread = match limit.kind {
        LimitKind::Minimum => Predicate::Always,
        LimitKind::Maximum => Predicate::Never,
    };
    LimitReading {
        limit,
        records: condition.unwrap_or(unread),
        start,
        ended: over.predicate,
        cutoffs: over.cutoffs,
        readable,
    }
}

/// A minimum that is not law yet. No list of keys is made for it: it is in no order.
fn read_coming<'a>(input: &PlanInput<'a>, place: Place<'a>, limit: &'a Limit) -> LimitReading<'a> {
    let start = Start::read(&limit.starting_point, place);
    let condition = translate(&limit.when, place, input.zone);
    LimitReading {
        limit,
        readable: start.is_ok() && condition.is_ok(),
        records: condition.unwrap_or(Predicate::Always),
        start,
        ended: Predicate::Never,
        cutoffs: Vec::new(),
    }
}
