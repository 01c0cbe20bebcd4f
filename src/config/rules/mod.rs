//! From the documents of rule packs to the rule set, reporting everything that does not fit: in
//! itself, with the other packs, and with the data map.

mod conditions;
mod coverage;
mod limits;
mod schedules;

use std::collections::BTreeMap;

use serde_json::json;

use super::document::PackDocument;
use super::document::pack::{CapDocument, LimitDocument, RuleDocument};
use super::map::SystemDraft;
use super::own_records::BUILT_IN;
use super::problem::{At, Place, Problem, instead};
use super::read::{entries, items};
use crate::datamap::Collection;
use crate::datamap::house::HOUSE;
use crate::domain::{CategoryName, Digest, Rounding, ScheduleName};
use crate::schedule::{
    Cap, Condition, Exemption, LegalBasis, Limit, LimitKind, RetentionRule, RuleSet,
};

/// A rule and where its parts stand.
#[derive(Debug)]
pub struct RuleDraft<'document> {
    /// What was written.
    pub document: &'document RuleDocument,
    /// What was made of it.
    pub model: RetentionRule,
    /// Where it begins.
    pub place: &'document Place,
}

/// A limit and where its parts stand.
#[derive(Debug)]
pub struct LimitDraft<'document> {
    /// What was written.
    pub document: &'document LimitDocument,
    /// What was made of it.
    pub model: Limit,
}

/// Everything that the checks look at.
#[derive(Debug)]
pub struct Landscape<'draft> {
    /// The systems.
    pub systems: &'draft [SystemDraft<'draft>],
    /// The packs.
    pub packs: &'draft [At<PackDocument>],
    /// The rules.
    pub rules: Vec<RuleDraft<'draft>>,
    /// The limits.
    pub limits: Vec<LimitDraft<'draft>>,
    /// Which files could all be read, so that what is missing is really missing.
    pub whole: Whole,
    /// Zone of the controller.
    pub zone: String,
}

/// Which files could all be read.
#[derive(Debug, Clone, Copy)]
pub struct Whole {
    /// Those of the data map.
    pub systems: bool,
    /// The rule packs.
    pub packs: bool,
}

/// Makes the rule set and reports what does not fit.
pub fn compile(
    packs: &[At<PackDocument>],
    systems: &[SystemDraft<'_>],
    whole: Whole,
    zone: &str,
    digest: Digest,
    problems: &mut Vec<Problem>,
) -> RuleSet {
    let categories = categories(packs, problems);
    let schedules = schedules::compile(packs, zone, problems);
    let schedule_names: Vec<&str> = schedules.names.iter().map(String::as_str).collect();
    let mut landscape = Landscape {
        systems,
        packs,
        rules: Vec::new(),
        limits: Vec::new(),
        whole,
        zone: zone.to_owned(),
    };
    let mut names: BTreeMap<String, Place> = BTreeMap::new();
    for pack in packs {
        for rule in items(pack.value.rules.as_ref()) {
            unique(rule.value.rule.as_ref(), &mut names, problems);
            check_schedule(&pack.value, rule, &schedule_names, whole.packs, problems);
            check_grace(&rule.value, problems);
            landscape.rules.extend(compile_rule(&pack.value, rule));
        }
        for (kind, list) in [
            (LimitKind::Minimum, items(pack.value.minimums.as_ref())),
            (LimitKind::Maximum, items(pack.value.maximums.as_ref())),
        ] {
            for limit in list {
                unique(limit.value.name.as_ref(), &mut names, problems);
                landscape.limits.extend(compile_limit(&pack.value, &limit.value, kind, problems));
            }
        }
    }
    let exemptions = exemptions(packs, problems);
    coverage::check(&landscape, &categories, &exemptions, problems);
    conditions::check(&landscape, problems);
    limits::check(&landscape, problems);
    RuleSet {
        rules: landscape.rules.into_iter().map(|rule| rule.model).collect(),
        limits: landscape.limits.into_iter().map(|limit| limit.model).collect(),
        exemptions,
        schedules: schedules.found,
        categories,
        digest,
    }
}

impl<'draft> Landscape<'draft> {
    /// The collections that hold a category, in these systems (in all where the list is empty).
    pub fn holders(
        &self,
        category: &CategoryName,
        systems: &[crate::domain::SystemName],
    ) -> Vec<(&'draft SystemDraft<'draft>, &'draft Collection)> {
        self.systems
            .iter()
            .filter(|system| systems.is_empty() || systems.contains(&system.model.name))
            .flat_map(|system| system.model.collections.values().map(move |it| (system, it)))
            .filter(|(_, collection)| collection.categories().contains(category))
            .collect()
    }
}

fn unique(
    name: Option<&At<crate::domain::RuleName>>,
    names: &mut BTreeMap<String, Place>,
    problems: &mut Vec<Problem>,
) {
    let Some(name) = name else { return };
    if let Some(first) = names.get(name.value.as_str()) {
        problems.push(
            Problem::error(
                &name.place,
                format!("`{}` is the name of two rules or limits", name.value),
            )
            .help(format!(
                "the other one is in {}:{}: give one of them another name",
                first.file, first.span.line
            )),
        );
        return;
    }
    names.insert(name.value.to_string(), name.place.clone());
}

fn categories(
    packs: &[At<PackDocument>],
    problems: &mut Vec<Problem>,
) -> BTreeMap<CategoryName, String> {
    let mut found: BTreeMap<CategoryName, String> = BTreeMap::new();
    for entry in packs.iter().flat_map(|pack| entries(pack.value.categories.as_ref())) {
        let Ok(name) = CategoryName::parse(&entry.name.value) else {
            problems.push(
                Problem::error(
                    &entry.name.place,
                    format!("`{}` is no name of a category", entry.name.value),
                )
                .help("write 1 to 100 letters, digits, `.`, `_` or `-`, a letter or digit first"),
            );
            continue;
        };
        let purpose = entry.value.value.purpose.as_ref();
        let purpose = purpose.map(|it| it.value.0.clone()).unwrap_or_default();
        if found.insert(name, purpose).is_some() {
            problems.push(
                Problem::error(
                    &entry.name.place,
                    format!("the category `{}` is declared twice", entry.name.value),
                )
                .help("declare it in one pack; every pack may write rules for it"),
            );
        }
    }
    found
}

fn exemptions(
    packs: &[At<PackDocument>],
    problems: &mut Vec<Problem>,
) -> BTreeMap<CategoryName, Exemption> {
    let mut found: BTreeMap<CategoryName, Exemption> = BTreeMap::new();
    for written in packs.iter().flat_map(|pack| items(pack.value.exemptions.as_ref())) {
        let Some(category) = &written.value.category else { continue };
        let words = |entry: &Option<At<super::leaf::Words>>| {
            entry.as_ref().map(|it| it.value.0.clone()).unwrap_or_default()
        };
        let exemption =
            Exemption { reason: words(&written.value.reason), owner: words(&written.value.owner) };
        if found.insert(category.value.clone(), exemption).is_some() {
            problems.push(
                Problem::error(&category.place, format!("`{}` is exempt twice", category.value))
                    .help("keep one of the two reasons"),
            );
        }
    }
    found
}

fn check_schedule(
    pack: &PackDocument,
    rule: &At<RuleDocument>,
    known: &[&str],
    whole: bool,
    problems: &mut Vec<Problem>,
) {
    if !rule.value.gives("schedule") && !pack.gives("schedule") {
        problems.push(
            Problem::error(&rule.place, "nothing says when this rule is looked at")
                .help("add `schedule: …` to the rule or to the pack"),
        );
    }
    let own = rule.value.schedule.as_ref();
    for name in own.into_iter().chain(pack.schedule.as_ref()) {
        if name.value.as_str() == HOUSE && !rule.place.file.ends_with(BUILT_IN) {
            problems.push(
                Problem::error(&name.place, "the schedule `quietus` is for quietus' own records")
                    .help("declare a schedule of your own in a pack, and name that"),
            );
        }
        if whole && !known.contains(&name.value.as_str()) {
            problems.push(
                Problem::error(&name.place, format!("unknown schedule `{}`", name.value))
                    .help(instead(name.value.as_str(), known.iter().copied())),
            );
        }
    }
}

fn check_grace(rule: &RuleDocument, problems: &mut Vec<Problem>) {
    let Some(grace) = &rule.grace else { return };
    let start = jiff::Timestamp::UNIX_EPOCH;
    let end = grace.value.due_at(start, Rounding::None, &jiff::tz::TimeZone::UTC);
    if end.duration_since(start).as_hours() > 366 * 24 {
        problems.push(
            Problem::warning(
                &grace.place,
                format!("a grace of `{}` is longer than a year", grace.value),
            )
            .help("if the data are needed so long, the period is longer: write that instead"),
        );
    }
}

fn cap(rule: Option<&At<CapDocument>>, pack: Option<&At<CapDocument>>) -> Cap {
    let mut cap = Cap::default();
    for written in [pack, rule].into_iter().flatten() {
        if let Some(records) = &written.value.records {
            cap.records = records.value.0;
        }
        if let Some(share) = &written.value.share {
            cap.share_percent = share.value.0;
        }
    }
    cap
}

fn compile_rule<'document>(
    pack: &'document PackDocument,
    rule: &'document At<RuleDocument>,
) -> Option<RuleDraft<'document>> {
    let document = &rule.value;
    let basis = &document.basis.as_ref()?.value;
    let schedule: &ScheduleName = &document.schedule.as_ref().or(pack.schedule.as_ref())?.value;
    let mut model = RetentionRule {
        name: document.rule.as_ref()?.value.clone(),
        version: pack.version.as_ref().map(|it| it.value.0.clone()).unwrap_or_default(),
        digest: Digest::of(b""),
        author: pack.owner.as_ref().map(|it| it.value.0.clone()).unwrap_or_default(),
        category: document.category.as_ref()?.value.clone(),
        systems: items(document.systems.as_ref()).iter().map(|it| it.value.clone()).collect(),
        starting_point: document.starting_point.as_ref()?.value.0.clone(),
        period: document.period.as_ref()?.value,
        rounding: document.round.as_ref().map_or(Rounding::None, |round| round.value.0),
        action: document.action.as_ref()?.value.0,
        when: document.when.as_ref().map_or(Condition::Always, |when| when.value.clone()),
        basis: LegalBasis {
            citation: basis.citation.as_ref()?.value.0.clone(),
            note: basis.note.as_ref().map(|note| note.value.0.clone()),
        },
        schedule: schedule.clone(),
        cap: cap(document.cap.as_ref(), pack.cap.as_ref()),
        grace: document.grace.as_ref().map(|grace| grace.value),
    };
    // A condition that could not be read must not look like no condition.
    if document.gives("when") && document.when.is_none() {
        return None;
    }
    model.digest = digest_of(&model);
    Some(RuleDraft { document, model, place: &rule.place })
}

/// SHA-256 over the canonical JSON (RFC 8785) of the rule's content.
pub fn digest_of(rule: &RetentionRule) -> Digest {
    let content = json!({
        "rule": rule.name,
        "version": rule.version,
        "author": rule.author,
        "category": rule.category,
        "systems": rule.systems,
        "starting_point": rule.starting_point,
        "period": rule.period.to_string(),
        "round": rule.rounding,
        "action": rule.action,
        "when": rule.when.to_string(),
        "basis": rule.basis,
        "schedule": rule.schedule,
        "cap": { "records": rule.cap.records, "share_percent": rule.cap.share_percent },
        "grace": rule.grace.map(|grace| grace.to_string()),
    });
    // Only text, booleans and finite numbers stand there, so the canonical form always exists.
    let canonical = serde_json_canonicalizer::to_vec(&content).unwrap_or_default();
    Digest::of(&canonical)
}

fn compile_limit<'document>(
    pack: &PackDocument,
    document: &'document LimitDocument,
    kind: LimitKind,
    problems: &mut Vec<Problem>,
) -> Option<LimitDraft<'document>> {
    if let (Some(from), Some(to)) = (&document.valid_from, &document.valid_to)
        && from.value.0 > to.value.0
    {
        problems.push(
            Problem::error(&to.place, "this limit ends before it begins")
                .help("`valid_to` is the last day on which it applies, on or after `valid_from`"),
        );
    }
    if document.gives("when") && document.when.is_none() {
        return None;
    }
    let model = Limit {
        name: document.name.as_ref()?.value.clone(),
        version: pack.version.as_ref().map(|it| it.value.0.clone()).unwrap_or_default(),
        kind,
        category: document.category.as_ref()?.value.clone(),
        starting_point: document.starting_point.as_ref()?.value.0.clone(),
        period: document.period.as_ref()?.value,
        rounding: document.round.as_ref().map_or(Rounding::None, |round| round.value.0),
        when: document.when.as_ref().map_or(Condition::Always, |when| when.value.clone()),
        jurisdiction: document.jurisdiction.as_ref()?.value.0.clone(),
        citation: document.citation.as_ref()?.value.0.clone(),
        valid_from: document.valid_from.as_ref().map(|day| day.value.0),
        valid_to: document.valid_to.as_ref().map(|day| day.value.0),
    };
    Some(LimitDraft { document, model })
}
