//! Starting points, attributes and restriction of collections.

use quietus_connectors::{FieldRef, FieldType, Restriction};

use super::{Resolution, SystemDraft};
use crate::config::document::system::type_name;
use crate::config::document::{CollectionDocument, FieldPath, StartDocument};
use crate::config::problem::{At, Problem, instead};
use crate::config::read::entries;
use crate::datamap::{Collection, StartSource};

/// Fills in starting points, attributes and restrictions of every collection.
pub fn compile(draft: &mut SystemDraft<'_>, problems: &mut Vec<Problem>) {
    for (entry, name) in draft.written() {
        let Some(collection) = draft.model.collections.get(&name) else { continue };
        let document = &entry.value.value;
        let starts: Vec<(String, StartSource)> = entries(document.starting_points.as_ref())
            .iter()
            .filter_map(|start| {
                let source = start_source(draft, collection, &start.value.value, problems)?;
                Some((start.name.value.clone(), source))
            })
            .collect();
        let attributes = attributes(draft, collection, document, problems);
        let restriction = restriction(draft, collection, document, problems);
        if let Some(collection) = draft.model.collections.get_mut(&name) {
            collection.starting_points = starts.into_iter().collect();
            collection.attributes = attributes.into_iter().collect();
            collection.restriction = restriction;
        }
    }
}

fn start_source(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    written: &StartDocument,
    problems: &mut Vec<Problem>,
) -> Option<StartSource> {
    match written {
        StartDocument::Field(path) => {
            moment(draft, collection, path, problems).map(StartSource::Field)
        }
        StartDocument::Latest(paths) => {
            let found: Vec<Option<FieldRef>> =
                paths.iter().map(|path| moment(draft, collection, path, problems)).collect();
            found.into_iter().collect::<Option<Vec<_>>>().map(StartSource::Latest)
        }
        StartDocument::Event { event, field } => {
            let (reference, _) = find(draft, collection, field, problems)?;
            Some(StartSource::Event { event: event.value.0.clone(), field: reference })
        }
    }
}

fn find(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    path: &At<FieldPath>,
    problems: &mut Vec<Problem>,
) -> Option<(FieldRef, FieldType)> {
    match draft.resolve(collection, &path.value) {
        Resolution::Found(reference, _, field) => Some((reference, field.field_type)),
        Resolution::Broken => None,
        Resolution::Unknown(message, help) => {
            problems.push(Problem::error(&path.place, message).help(help));
            None
        }
    }
}

fn moment(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    path: &At<FieldPath>,
    problems: &mut Vec<Problem>,
) -> Option<FieldRef> {
    let (reference, field_type) = find(draft, collection, path, problems)?;
    if matches!(field_type, FieldType::Timestamp | FieldType::Date) {
        return Some(reference);
    }
    let kind = type_name(field_type);
    problems.push(
        Problem::error(
            &path.place,
            format!("`{}` is `{kind}`: a period starts at a date or a timestamp", reference.field),
        )
        .help("name another field; if it holds a moment as a number, declare `type: timestamp` and `stored: epoch_seconds`"),
    );
    None
}

fn attributes(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    document: &CollectionDocument,
    problems: &mut Vec<Problem>,
) -> Vec<(String, FieldRef)> {
    let mut found = Vec::new();
    for attribute in entries(document.attributes.as_ref()) {
        let name = &attribute.name.value;
        let path = At {
            value: FieldPath::Dotted(attribute.value.value.0.clone()),
            place: attribute.value.place.clone(),
        };
        let Some((reference, _)) = find(draft, collection, &path, problems) else { continue };
        if collection.fields.contains_key(name) && reference != FieldRef::own(name.clone()) {
            problems.push(
                Problem::error(
                    &attribute.name.place,
                    format!("`{name}` is also a field of `{}`", draft.title(collection)),
                )
                .help("give the attribute another name, so that conditions cannot be misread"),
            );
        }
        found.push((name.clone(), reference));
    }
    found
}

fn restriction(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    document: &CollectionDocument,
    problems: &mut Vec<Problem>,
) -> Option<Restriction> {
    let written = document.restrict.as_ref()?;
    match (&written.value.flag, &written.value.move_to) {
        (Some(flag), None) => match draft.own_field(collection, &flag.value.0) {
            Ok(field)
                if matches!(
                    field.field_type,
                    FieldType::Boolean | FieldType::Timestamp | FieldType::Date
                ) =>
            {
                Some(Restriction::Flag { field: field.name.clone() })
            }
            Ok(field) => {
                let kind = type_name(field.field_type);
                problems.push(
                    Problem::error(
                        &flag.place,
                        format!("`{}` is `{kind}` and no flag", field.name),
                    )
                    .help("a flag is a `boolean`, `date` or `timestamp` field"),
                );
                None
            }
            Err(Resolution::Unknown(message, help)) => {
                problems.push(Problem::error(&flag.place, message).help(help));
                None
            }
            Err(_) => None,
        },
        (None, Some(target)) => move_target(draft, collection, target, problems),
        (Some(_), Some(_)) => {
            problems.push(
                Problem::error(&written.place, "records are restricted in one way, not in two")
                    .help("keep `flag` or `move`"),
            );
            None
        }
        (None, None) => {
            problems.push(
                Problem::error(&written.place, "this says not how records are restricted")
                    .help("write `{flag: restricted_at}` or `{move: restricted_orders}`"),
            );
            None
        }
    }
}

fn move_target(
    draft: &SystemDraft<'_>,
    collection: &Collection,
    target: &At<crate::config::leaf::Words>,
    problems: &mut Vec<Problem>,
) -> Option<Restriction> {
    let wanted = target.value.0.as_str();
    let mapped = draft
        .model
        .collections
        .values()
        .find(|it| it.name.as_str() == wanted || it.source == wanted);
    let Some(mapped) = mapped else {
        let exempt = draft.model.exempt.iter().find(|it| it.source == wanted);
        problems.push(if exempt.is_some() {
            let message =
                format!("`{wanted}` is exempt: records that are moved there would never go");
            let problem = Problem::error(&target.place, message).help(
                "map it under `collections` with the same fields and categories, so that they go by their rules there",
            );
            problem.only_where_written()
        } else {
            let names = draft.model.collections.keys().map(crate::domain::CollectionName::as_str);
            let help = format!(
                "map it under `collections`, so that restricted records go by their rules there ({})",
                instead(wanted, names)
            );
            let message = format!("`{}` has no collection `{wanted}`", draft.model.name);
            Problem::error(&target.place, message).help(help)
        });
        return exempt.map(|it| Restriction::Move { to: it.source.clone() });
    };
    let missing: Vec<String> = collection
        .fields
        .keys()
        .filter(|name| matches!(draft.own_field(mapped, name), Err(Resolution::Unknown(..))))
        .map(|name| format!("`{name}`"))
        .collect();
    if !missing.is_empty() {
        let message = format!("`{}` has no fields {}", draft.title(mapped), missing.join(", "));
        let help = "records move with every field, and back when the restriction is lifted";
        problems.push(Problem::error(&target.place, message).help(help));
    }
    let source = mapped.source.clone();
    if source == collection.source {
        problems.push(
            Problem::error(&target.place, "restricted records would stay where they are")
                .help("name another collection with the same fields"),
        );
        return None;
    }
    Some(Restriction::Move { to: source })
}
