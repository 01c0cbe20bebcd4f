//! Conditions of rules and limits: every attribute leads to a field of a fitting type in every
//! collection that holds the category, and that field outlives the condition.

use std::collections::BTreeSet;

use quietus_connectors::{Comparison, FieldType};

use super::Landscape;
use crate::config::document::FieldPath;
use crate::config::document::system::type_name;
use crate::config::map::{Resolution, SystemDraft};
use crate::config::problem::{At, Place, Problem, instead};
use crate::datamap::{Collection, Field, FieldClass};
use crate::domain::CategoryName;
use crate::schedule::{AttributeUse, Condition, Literal};

/// Reports attributes that lead nowhere and constants of the wrong type.
pub fn check(landscape: &Landscape<'_>, problems: &mut Vec<Problem>) {
    for rule in &landscape.rules {
        if let Some(when) = &rule.document.when {
            let holders = landscape.holders(&rule.model.category, &rule.model.systems);
            check_one(when, &rule.model.category, &holders, problems);
        }
    }
    for limit in &landscape.limits {
        if let Some(when) = &limit.document.when {
            let holders = landscape.holders(&limit.model.category, &[]);
            check_one(when, &limit.model.category, &holders, problems);
        }
    }
}

fn check_one(
    when: &At<Condition>,
    category: &CategoryName,
    holders: &[(&SystemDraft<'_>, &Collection)],
    problems: &mut Vec<Problem>,
) {
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut tell = |place: &Place, message: String, help: String| {
        if told.insert(message.clone()) {
            problems.push(Problem::error(place, message).help(help));
        }
    };
    for (system, collection) in holders {
        for using in when.value.uses() {
            let place = &place_of(when, using.attribute);
            let field = match find(system, collection, using.attribute) {
                Ok(field) => field,
                Err(None) => continue,
                Err(Some((message, help))) => {
                    tell(place, message, help);
                    continue;
                }
            };
            if let Some((message, help)) = misfit(&using, field) {
                tell(place, message, help);
            }
            if let FieldClass::Category(other) = &field.class
                && other != category
            {
                tell(
                    place,
                    format!(
                        "`{}` belongs to `{other}`: once that is erased, this condition changes its answer for `{category}`",
                        using.attribute
                    ),
                    format!(
                        "let `{}` stay with its record (`exempt: \"decides how long records are kept\"`), or ask another field",
                        field.name
                    ),
                );
            }
        }
    }
}

/// The place of an attribute in the condition's line, where it can be told.
fn place_of(when: &At<Condition>, attribute: &str) -> Place {
    let mut place = when.place.clone();
    place.path = format!("{}: {attribute}", place.path).into();
    place
}

fn find<'draft>(
    system: &'draft SystemDraft<'_>,
    collection: &'draft Collection,
    attribute: &str,
) -> Result<&'draft Field, Option<(String, String)>> {
    if let Some(reference) = collection.attributes.get(attribute) {
        let path = FieldPath::Through(reference.via.clone(), reference.field.clone());
        return match system.resolve(collection, &path) {
            Resolution::Found(_, _, field) => Ok(field),
            _ => Err(None),
        };
    }
    if let Some(field) = collection.fields.get(attribute) {
        return Ok(field);
    }
    let document = system.document_of(collection.name.as_str());
    let attributes = document.and_then(|it| it.attributes.as_ref());
    let broken = attributes
        .is_some_and(|it| it.value.is_broken(attribute) || it.value.get(attribute).is_some());
    if broken || matches!(system.own_field(collection, attribute), Err(Resolution::Broken)) {
        return Err(None);
    }
    let known = collection.attributes.keys().chain(collection.fields.keys()).map(String::as_str);
    Err(Some((
        format!("`{}` knows no `{attribute}`", system.title(collection)),
        format!(
            "{}; or say what it is: `{attribute}: link.field` under `attributes` of `{}` in {}",
            instead(attribute, known),
            collection.name,
            system.place.file
        ),
    )))
}

/// Why a constant or comparison does not fit the field.
fn misfit(using: &AttributeUse<'_>, field: &Field) -> Option<(String, String)> {
    let kind = type_name(field.field_type);
    let comparison = using.comparison?;
    let comparable = !matches!(
        field.field_type,
        FieldType::Binary | FieldType::Json | FieldType::Other | FieldType::Address
    );
    if !comparable {
        return Some((
            format!("`{}` is `{kind}` and cannot be compared", using.attribute),
            "only `is null` and `is not null` are possible".to_owned(),
        ));
    }
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let unordered =
        matches!(field.field_type, FieldType::Text | FieldType::Boolean | FieldType::Uuid);
    if ordered && unordered {
        return Some((
            format!("`{}` is `{kind}`, which systems order differently", using.attribute),
            "compare it with `=`, `!=` or `in [...]`".to_owned(),
        ));
    }
    using.literals.iter().find(|literal| !fits(literal, field.field_type)).map(|literal| {
        (
            format!("`{}` is `{kind}` and is compared with {}", using.attribute, name(literal)),
            format!("write {}", example(field.field_type)),
        )
    })
}

fn fits(literal: &Literal, field_type: FieldType) -> bool {
    match literal {
        Literal::Text(text) => match field_type {
            FieldType::Text => true,
            FieldType::Uuid => uuid::Uuid::try_parse(text).is_ok(),
            _ => false,
        },
        Literal::Integer(_) => {
            matches!(field_type, FieldType::Integer | FieldType::Decimal | FieldType::Float)
        }
        Literal::Decimal(_) => matches!(field_type, FieldType::Decimal | FieldType::Float),
        Literal::Boolean(_) => field_type == FieldType::Boolean,
        // A moment is compared with a day as a whole.
        Literal::Date(_) => matches!(field_type, FieldType::Date | FieldType::Timestamp),
        Literal::Timestamp(_) => field_type == FieldType::Timestamp,
    }
}

fn name(literal: &Literal) -> &'static str {
    match literal {
        Literal::Text(_) => "a text",
        Literal::Integer(_) => "a whole number",
        Literal::Decimal(_) => "a number with decimals",
        Literal::Boolean(_) => "a boolean",
        Literal::Date(_) => "a day",
        Literal::Timestamp(_) => "a moment",
    }
}

fn example(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Integer => "a whole number such as `7`",
        FieldType::Decimal | FieldType::Float => "a number such as `7.5`",
        FieldType::Boolean => "`true` or `false`",
        FieldType::Date => "a day such as `2026-12-24`",
        FieldType::Timestamp => "a moment such as `2026-12-24T00:00:00Z`, or a day",
        FieldType::Uuid => "a UUID in double quotes",
        _ => "a text in double quotes",
    }
}
