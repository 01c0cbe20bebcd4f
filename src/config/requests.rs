//! Identities and requests of persons, from the instance file and the data map.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use quietus_connectors::FieldType;

use super::document::InstanceDocument;
use super::document::requests::{AssuranceWord, RequestsDocument, WrittenForm};
use super::map::SystemDraft;
use super::problem::{At, Problem, instead};
use super::read::{entries, items};
use crate::domain::{
    Assurance, IdentityType, IdentityTypes, Normalisation, Numbering, RetentionPeriod,
};

/// How requests of persons are dealt with.
#[derive(Debug, Clone)]
pub struct RequestSettings {
    /// The law whose deadlines count.
    pub regime: String,
    /// How long a request can be cancelled before anything is done.
    pub cooling_off: RetentionPeriod,
    /// When a request should be answered, from its receipt.
    pub internal_target: RetentionPeriod,
    /// When the controller promises to answer, from receipt.
    pub answers_within: RetentionPeriod,
    /// How long after one look for new records of a restricted person the next one follows.
    pub restriction_upkeep: RetentionPeriod,
    /// How sure one has to be of who asks.
    pub assurance: AssuranceNeeded,
    /// Days on which nobody works, beside Saturdays and Sundays, by country (two capital letters).
    pub holidays: BTreeMap<String, BTreeSet<Date>>,
}

/// How sure one has to be of who asks, for each right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the rights")]
pub struct AssuranceNeeded {
    pub erase: Assurance,
    pub restrict: Assurance,
    pub lift: Assurance,
    pub object: Assurance,
    pub access: Assurance,
    pub rectify: Assurance,
    pub portability: Assurance,
}

impl Default for AssuranceNeeded {
    fn default() -> Self {
        Self {
            erase: Assurance::Substantial,
            restrict: Assurance::Low,
            lift: Assurance::Substantial,
            object: Assurance::Low,
            access: Assurance::Substantial,
            rectify: Assurance::Substantial,
            portability: Assurance::Substantial,
        }
    }
}

/// A period that is written in this file.
pub(super) fn days(days: u16) -> RetentionPeriod {
    let text = format!("P{days}D");
    #[expect(clippy::expect_used, reason = "digits between `P` and `D` are a period")]
    RetentionPeriod::parse(&text).expect("days are a period")
}

/// Settings of requests; what was left out is as the law of the land expects it.
pub(super) fn settings(document: &InstanceDocument, country: &str) -> RequestSettings {
    let none = RequestsDocument::default();
    let written = document.requests.as_ref().map_or(&none, |it| &it.value);
    let period = |entry: &Option<At<RetentionPeriod>>, default: u16| {
        entry.as_ref().map_or_else(|| days(default), |it| it.value)
    };
    let mut holidays = written.holidays.as_ref().map(|it| it.value.0.clone()).unwrap_or_default();
    if let Some(own) = holidays.remove("") {
        holidays.insert(country.to_owned(), own);
    }
    RequestSettings {
        regime: written.regime.as_ref().map_or("gdpr", |it| it.value.0.as_str()).to_owned(),
        cooling_off: period(&written.cooling_off, 0),
        internal_target: period(&written.internal_target, 28),
        answers_within: period(&written.answers_within, 30),
        restriction_upkeep: period(&written.restriction_upkeep, 1),
        assurance: assurance(written),
        holidays,
    }
}

fn assurance(written: &RequestsDocument) -> AssuranceNeeded {
    let mut needed = AssuranceNeeded::default();
    let Some(written) = written.assurance.as_ref().map(|it| &it.value) else { return needed };
    let pairs: [(&Option<At<AssuranceWord>>, &mut Assurance); 7] = [
        (&written.erase, &mut needed.erase),
        (&written.restrict, &mut needed.restrict),
        (&written.lift, &mut needed.lift),
        (&written.object, &mut needed.object),
        (&written.access, &mut needed.access),
        (&written.rectify, &mut needed.rectify),
        (&written.portability, &mut needed.portability),
    ];
    for (entry, target) in pairs {
        if let Some(entry) = entry {
            *target = entry.value.0;
        }
    }
    needed
}

/// The identity types of the data map and of the instance file.
pub(super) fn identity_types(
    document: &InstanceDocument,
    country: &str,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) -> IdentityTypes {
    let mapped = mapped(drafts);
    let mut types: BTreeMap<String, IdentityType> = BTreeMap::new();
    for (name, is_key) in &mapped {
        let one_per_person = *is_key;
        types.insert(
            name.clone(),
            IdentityType { one_per_person, ..IdentityType::undeclared(name) },
        );
    }
    for entry in entries(document.identities.as_ref()) {
        let (name, written) = (&entry.name.value, &entry.value.value);
        let mut one = types.get(name).cloned().unwrap_or_else(|| IdentityType::undeclared(name));
        let form = written.normalise.as_ref().map(|it| it.value.0);
        match form {
            None => {}
            Some(WrittenForm::Trim) => one.normalise = Normalisation::Trim,
            Some(WrittenForm::Lower) => one.normalise = Normalisation::Lower,
            Some(WrittenForm::Email) => one.normalise = Normalisation::Email,
            Some(WrittenForm::Digits) => one.normalise = Normalisation::Digits,
            Some(WrittenForm::Phone) => {
                let home = written.country.as_ref().map_or(country, |it| it.value.0.as_str());
                let place = written.country.as_ref().map_or(&entry.name.place, |it| &it.place);
                match Numbering::of(home) {
                    Some(country) => one.normalise = Normalisation::Phone { country },
                    None => problems.push(
                        Problem::error(place, format!("telephone numbers of `{home}` cannot be read"))
                            .help(format!("{}; numbers with their country are read everywhere, so any of them will do", instead(home, Numbering::countries()))),
                    ),
                }
            }
        }
        if let Some(country) = written.country.as_ref().filter(|_| form != Some(WrittenForm::Phone))
        {
            problems.push(
                Problem::error(&country.place, "`country` is for telephone numbers")
                    .help("write `normalise: phone`, or leave `country` out"),
            );
        }
        if let Some(one_per_person) = &written.one_per_person {
            one.one_per_person = one_per_person.value.0;
        }
        types.insert(name.clone(), one);
    }
    IdentityTypes(types)
}

/// Whether capitals count in a field and in what a person is known by has to agree: else an address
/// in mixed case that nobody typed is not found.
pub(super) fn check_case(
    types: &IdentityTypes,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    for draft in drafts {
        for (entry, name) in draft.written() {
            let Some(collection) = draft.model.collections.get(&name) else { continue };
            for written in entries(entry.value.value.fields.as_ref()) {
                let field = collection.fields.get(&written.name.value);
                let Some((field, identity)) =
                    field.and_then(|field| Some((field, field.identity.as_deref()?)))
                else {
                    continue;
                };
                let normalise = types.of(identity).normalise;
                let counts = normalise == Normalisation::Trim;
                let no_matter = matches!(normalise, Normalisation::Lower | Normalisation::Email);
                let compare = written.value.value.compare.as_ref();
                if let Some(compare) = compare.filter(|_| counts && field.ignores_case) {
                    problems.push(
                        Problem::error(&compare.place, format!("capitals count in identities of the type `{identity}`"))
                            .help(format!("declare `{identity}: {{normalise: lower}}` under `identities` of quietus.yaml, or write `compare: exact`")),
                    );
                } else if compare.is_none() && no_matter && field.field_type == FieldType::Text {
                    problems.push(
                        Problem::warning(
                            &written.name.place,
                            format!("capitals do not count in identities of the type `{identity}`, and `{}` is compared letter by letter", field.name),
                        )
                        .help("write `compare: ignore_case` and keep an index on `lower(…)` (MariaDB: a collation that ends in `_ci`), or `compare: exact` where the system keeps small letters only"),
                    );
                }
            }
        }
    }
}

/// Identity types that fields have, each with whether it is the key of a collection.
pub(super) fn mapped(drafts: &[SystemDraft<'_>]) -> BTreeMap<String, bool> {
    let mut mapped: BTreeMap<String, bool> = BTreeMap::new();
    for collection in drafts.iter().flat_map(|draft| draft.model.collections.values()) {
        for field in collection.fields.values() {
            if let Some(identity) = &field.identity {
                let is_key = collection.key.as_slice() == std::slice::from_ref(&field.name);
                *mapped.entry(identity.clone()).or_default() |= is_key;
            }
        }
    }
    mapped
}

/// Reports identity types that nothing has: a third party's that nobody could be known by, and
/// declared ones that no field and no third party has.
pub(super) fn check_identities(
    document: &InstanceDocument,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    let mapped = mapped(drafts);
    let declared: BTreeSet<&str> = document
        .identities
        .as_ref()
        .map(|it| it.value.names().chain(it.value.broken.iter().map(String::as_str)).collect())
        .unwrap_or_default();
    let mut used: BTreeSet<&str> = mapped.keys().map(String::as_str).collect();
    for draft in drafts {
        let persons = draft.document.persons.as_ref();
        for identity in items(persons.and_then(|it| it.value.identities.as_ref())) {
            let name = identity.value.0.as_str();
            used.insert(name);
            if !mapped.contains_key(name) && !declared.contains(name) {
                let known = mapped.keys().map(String::as_str).chain(declared.iter().copied());
                problems.push(
                    Problem::error(&identity.place, format!("unknown identity type `{name}`"))
                        .help(format!(
                            "{}; or declare it under `identities` of quietus.yaml",
                            instead(name, known)
                        )),
                );
            }
        }
    }
    for entry in entries(document.identities.as_ref()) {
        let name = entry.name.value.as_str();
        if !used.contains(name) {
            problems.push(
                Problem::error(
                    &entry.name.place,
                    format!("no field and no third party has the identity type `{name}`"),
                )
                .help(instead(name, used.iter().copied())),
            );
        }
    }
}
