//! Every category has a way out: declared, disposed of by rules whose last one takes all that is
//! left, or exempt for a reason; and every rule finds its starting point where the data are.

use std::collections::BTreeMap;

use super::{Landscape, LimitDraft, RuleDraft};
use crate::config::map::SystemDraft;
use crate::config::problem::{At, Place, Problem, instead};
use crate::config::read::{entries, items};
use crate::datamap::{Collection, FieldClass};
use crate::domain::{CategoryName, SystemName};
use crate::schedule::{Action, Condition, Exemption, LimitKind};

/// Reports categories without a way out and rules that cannot work.
pub fn check(
    landscape: &Landscape<'_>,
    declared: &BTreeMap<CategoryName, String>,
    exemptions: &BTreeMap<CategoryName, Exemption>,
    problems: &mut Vec<Problem>,
) {
    if landscape.whole.systems {
        check_systems(landscape, problems);
    }
    if landscape.whole.packs {
        check_declared(landscape, declared, problems);
        check_rules_for_all(landscape, exemptions, problems);
    }
    for rule in &landscape.rules {
        check_rule(landscape, rule, exemptions, problems);
    }
    for limit in &landscape.limits {
        if let Some(starting_point) = &limit.document.starting_point {
            let holders = landscape.holders(&limit.model.category, &[]);
            check_starts(&holders, &limit.model.category, starting_point, problems);
        }
        if limit.model.kind == LimitKind::Minimum {
            warn_unrestricted(landscape, limit, exemptions, problems);
        }
    }
}

/// Where each category is used first in each system.
fn first_uses<'draft>(
    landscape: &Landscape<'draft>,
) -> Vec<(&'draft SystemDraft<'draft>, &'draft At<CategoryName>)> {
    let mut uses: Vec<(&SystemDraft<'_>, &At<CategoryName>)> = Vec::new();
    for system in landscape.systems {
        for collection in entries(system.document.collections.as_ref()) {
            for field in entries(collection.value.value.fields.as_ref()) {
                let Some(category) = &field.value.value.category else { continue };
                let known = uses.iter().any(|(other, first)| {
                    other.model.name == system.model.name && first.value == category.value
                });
                if !known {
                    uses.push((system, category));
                }
            }
        }
    }
    uses
}

fn check_declared(
    landscape: &Landscape<'_>,
    declared: &BTreeMap<CategoryName, String>,
    problems: &mut Vec<Problem>,
) {
    let broken: Vec<&str> = landscape
        .packs
        .iter()
        .filter_map(|pack| pack.value.categories.as_ref())
        .flat_map(|it| it.value.broken.iter().map(String::as_str))
        .collect();
    let mut uses: Vec<&At<CategoryName>> =
        first_uses(landscape).into_iter().map(|(_, category)| category).collect();
    for system in landscape.systems {
        let persons = system.document.persons.as_ref();
        uses.extend(items(persons.and_then(|it| it.value.categories.as_ref())));
    }
    for pack in landscape.packs {
        let pack = &pack.value;
        uses.extend(items(pack.rules.as_ref()).iter().filter_map(|it| it.value.category.as_ref()));
        for limits in [&pack.minimums, &pack.maximums] {
            uses.extend(items(limits.as_ref()).iter().filter_map(|it| it.value.category.as_ref()));
        }
        let exemptions = items(pack.exemptions.as_ref());
        uses.extend(exemptions.iter().filter_map(|it| it.value.category.as_ref()));
    }
    for category in uses {
        let name = category.value.as_str();
        if !declared.contains_key(&category.value) && !broken.contains(&name) {
            let near = instead(name, declared.keys().map(CategoryName::as_str));
            problems.push(
                Problem::error(&category.place, format!("no pack declares the category `{name}`"))
                    .help(format!(
                        "{near}; or add `{name}: {{purpose: …}}` under `categories` of a pack"
                    )),
            );
        }
    }
}

fn check_systems(landscape: &Landscape<'_>, problems: &mut Vec<Problem>) {
    for pack in landscape.packs {
        for rule in items(pack.value.rules.as_ref()) {
            for system in items(rule.value.systems.as_ref()) {
                let known = |it: &SystemDraft<'_>| it.model.name == system.value;
                if !landscape.systems.iter().any(known) {
                    let names = landscape.systems.iter().map(|it| it.model.name.as_str());
                    problems.push(
                        Problem::error(&system.place, format!("unknown system `{}`", system.value))
                            .help(instead(system.value.as_str(), names)),
                    );
                }
            }
        }
    }
}

/// Rules of a category in a system, in order; `None` where one of them could not be read.
fn rules_of<'draft>(
    landscape: &'draft Landscape<'draft>,
    category: &CategoryName,
    system: &SystemName,
) -> Option<Vec<&'draft RuleDraft<'draft>>> {
    let readable = landscape.rules.len();
    let written: usize =
        landscape.packs.iter().map(|pack| items(pack.value.rules.as_ref()).len()).sum();
    let rules: Vec<&RuleDraft<'_>> = landscape
        .rules
        .iter()
        .filter(|rule| rule.model.category == *category)
        .filter(|rule| rule.model.systems.is_empty() || rule.model.systems.contains(system))
        .collect();
    if readable == written {
        return Some(rules);
    }
    // A rule that could not be read may be the one that is missed here.
    let broken =
        landscape.packs.iter().flat_map(|pack| items(pack.value.rules.as_ref())).any(|written| {
            let same = written.value.category.as_ref().is_none_or(|it| it.value == *category);
            same && !landscape.rules.iter().any(|rule| *rule.place == written.place)
        });
    if broken { None } else { Some(rules) }
}

fn check_rules_for_all(
    landscape: &Landscape<'_>,
    exemptions: &BTreeMap<CategoryName, Exemption>,
    problems: &mut Vec<Problem>,
) {
    let mut told: Vec<&Place> = Vec::new();
    for (system, category) in first_uses(landscape) {
        let name = &category.value;
        if exemptions.contains_key(name) {
            continue;
        }
        let Some(rules) = rules_of(landscape, name, &system.model.name) else { continue };
        let Some(last) = rules.last() else {
            problems.push(
                Problem::error(
                    &category.place,
                    format!("no rule disposes of `{name}` in `{}`", system.model.name),
                )
                .help("write a rule for it in a pack, or an exemption with a reason and an owner"),
            );
            continue;
        };
        if last.model.when != Condition::Always && !told.contains(&last.place) {
            told.push(last.place);
            let place = last.document.when.as_ref().map_or(last.place, |when| &when.place);
            problems.push(
                Problem::error(place, format!("records of `{name}` that meet no condition would stay for ever"))
                    .help("the last rule of a category has no condition: add one after this for all other records"),
            );
        }
        check_for_swallowed(&rules, name, &mut told, problems);
    }
}

/// A rule behind one without a condition never has its turn, and what it was written for goes or stays
/// by another one.
fn check_for_swallowed<'place>(
    rules: &[&'place RuleDraft<'_>],
    category: &CategoryName,
    told: &mut Vec<&'place Place>,
    problems: &mut Vec<Problem>,
) {
    let mut behind = rules.iter().skip_while(|rule| rule.model.when != Condition::Always);
    let Some(earlier) = behind.next() else { return };
    for later in behind {
        if told.contains(&later.place) {
            continue;
        }
        told.push(later.place);
        let message = format!(
            "`{}` is never used: `{}` stands before it and takes every record of `{category}`",
            later.model.name, earlier.model.name
        );
        problems.push(
            Problem::error(later.place, message)
                .help("put the rule with a condition first, or remove one of them")
                .only_where_written(),
        );
    }
}

fn check_rule(
    landscape: &Landscape<'_>,
    rule: &RuleDraft<'_>,
    exemptions: &BTreeMap<CategoryName, Exemption>,
    problems: &mut Vec<Problem>,
) {
    let category = &rule.model.category;
    let place = rule.document.category.as_ref().map_or(rule.place, |it| &it.place);
    if exemptions.contains_key(category) {
        problems.push(
            Problem::error(place, format!("`{category}` has a rule and is exempt"))
                .help("remove the rule or the exemption"),
        );
    }
    if let Some(systems) = rule.document.systems.as_ref().filter(|it| it.value.0.is_empty()) {
        problems.push(
            Problem::error(&systems.place, "`systems` is empty")
                .help("name those in which the rule acts, or leave the key out for all of them")
                .only_where_written(),
        );
    }
    let holders = landscape.holders(category, &rule.model.systems);
    if holders.is_empty() && landscape.whole.systems {
        problems.push(
            Problem::warning(place, format!("no collection holds `{category}`"))
                .help("the rule does nothing until a field has this category"),
        );
    }
    if let Some(starting_point) = &rule.document.starting_point {
        check_starts(&holders, category, starting_point, problems);
    }
    let action = rule.document.action.as_ref().map_or(rule.place, |action| &action.place);
    match rule.model.action {
        Action::Erase => {}
        Action::Restrict => check_restrict(&holders, action, problems),
        Action::Anonymise => check_anonymise(&holders, category, action, problems),
    }
}

fn check_starts(
    holders: &[(&SystemDraft<'_>, &Collection)],
    category: &CategoryName,
    starting_point: &At<crate::config::leaf::Words>,
    problems: &mut Vec<Problem>,
) {
    let name = &starting_point.value.0;
    for (system, collection) in holders {
        if collection.starting_points.contains_key(name) {
            continue;
        }
        let document = system.document_of(collection.name.as_str());
        let written = document.and_then(|document| document.starting_points.as_ref());
        let broken =
            written.is_some_and(|it| it.value.get(name).is_some() || it.value.is_broken(name));
        if broken {
            continue;
        }
        let known = collection.starting_points.keys().map(String::as_str);
        let near = crate::config::problem::nearest(name, known)
            .map(|near| format!("did you mean `{near}`? "))
            .unwrap_or_default();
        problems.push(
            Problem::error(
                &starting_point.place,
                format!("category `{category}` in `{}` has no starting point `{name}`", system.title(collection)),
            )
            .help(format!(
                "{near}say where it is read: add `{name}: …` under `starting_points` of `{}` in {}, or limit the rule with `systems`",
                collection.name, system.place.file
            )),
        );
    }
}

/// What a minimum keeps longer than its purpose is restricted meanwhile (GDPR article 18), where
/// it can be.
fn warn_unrestricted(
    landscape: &Landscape<'_>,
    limit: &LimitDraft<'_>,
    exemptions: &BTreeMap<CategoryName, Exemption>,
    problems: &mut Vec<Problem>,
) {
    let category = &limit.model.category;
    let Some(place) = limit.document.name.as_ref().map(|name| &name.place) else { return };
    if exemptions.contains_key(category) {
        return;
    }
    for (system, collection) in landscape.holders(category, &[]) {
        let document = system.document_of(collection.name.as_str());
        if collection.restriction.is_none() && !document.is_some_and(|it| it.gives("restrict")) {
            let title = system.title(collection);
            let message = format!(
                "what `{}` keeps in `{title}` cannot be restricted meanwhile",
                limit.model.name
            );
            problems.push(Problem::warning(place, message).help(format!(
                "add `restrict: {{flag: …}}` or `restrict: {{move: …}}` to `{}` in {}",
                collection.name, system.place.file
            )));
        }
    }
}

fn check_restrict(
    holders: &[(&SystemDraft<'_>, &Collection)],
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    for (system, collection) in holders {
        let document = system.document_of(collection.name.as_str());
        if collection.restriction.is_none() && !document.is_some_and(|it| it.gives("restrict")) {
            problems.push(
                Problem::error(
                    place,
                    format!("records of `{}` cannot be restricted", system.title(collection)),
                )
                .help(format!(
                    "add `restrict: {{flag: …}}` or `restrict: {{move: …}}` to `{}` in {}",
                    collection.name, system.place.file
                )),
            );
        }
    }
}

fn check_anonymise(
    holders: &[(&SystemDraft<'_>, &Collection)],
    category: &CategoryName,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    for (system, collection) in holders {
        let document = system.document_of(collection.name.as_str());
        let fields = document.map_or(&[][..], |it| entries(it.fields.as_ref()));
        let without: Vec<String> = fields
            .iter()
            .filter(|field| !field.value.value.gives("anonymise"))
            .filter_map(|field| collection.fields.get(&field.name.value))
            .filter(|field| field.class == FieldClass::Category(category.clone()))
            .map(|field| format!("`{}`", field.name))
            .collect();
        if !without.is_empty() {
            problems.push(
                Problem::error(
                    place,
                    format!(
                        "nobody says how {} of `{}` become anonymous",
                        without.join(", "),
                        system.title(collection)
                    ),
                )
                .help(format!("add `anonymise: …` to these fields in {}", system.place.file)),
            );
        }
    }
}
