//! Fields and keys of collections.

use std::collections::BTreeMap;

use quietus_connectors::{FieldType, LinkKind, Stored, Strategy};

use super::{SystemDraft, strategy};
use crate::config::document::system::type_name;
use crate::config::document::{CollectionDocument, FieldDocument};
use crate::config::problem::{At, Problem, instead};
use crate::config::read::{Entry, entries};
use crate::datamap::{Field, FieldClass};

/// Fills in the fields and keys of every collection.
pub fn compile(draft: &mut SystemDraft<'_>, problems: &mut Vec<Problem>) {
    for (entry, name) in draft.written() {
        let document = &entry.value.value;
        let fields: BTreeMap<String, Field> = entries(document.fields.as_ref())
            .iter()
            .filter_map(|entry| field((entry, document), &draft.zone, problems))
            .map(|field| (field.name.clone(), field))
            .collect();
        let key = key(document, problems);
        if let Some(collection) = draft.model.collections.get_mut(&name) {
            collection.fields = fields;
            collection.key = key;
        }
    }
}

fn key(document: &CollectionDocument, problems: &mut Vec<Problem>) -> Vec<String> {
    let Some(written) = &document.key else { return Vec::new() };
    let fields = document.fields.as_ref().map(|fields| &fields.value);
    let mut key: Vec<String> = Vec::new();
    for name in &written.value.0 {
        let text = &name.value.0;
        let known =
            fields.is_none_or(|fields| fields.get(text).is_some() || fields.is_broken(text));
        if !known {
            let names: Vec<&str> = fields.map(|it| it.names().collect()).unwrap_or_default();
            let help = format!(
                "declare it under `fields`: `{text}: {{type: integer}}` ({})",
                instead(text, names)
            );
            problems.push(
                Problem::error(&name.place, format!("the key field `{text}` is not declared"))
                    .help(help),
            );
        }
        if key.contains(text) {
            problems.push(
                Problem::error(&name.place, format!("`{text}` is in the key twice"))
                    .help("name each key field once"),
            );
        }
        key.push(text.clone());
    }
    key
}

fn field(
    (entry, collection): (&Entry<FieldDocument>, &CollectionDocument),
    zone: &str,
    problems: &mut Vec<Problem>,
) -> Option<Field> {
    let document = &entry.value.value;
    let name = &entry.name.value;
    if document.gives("category") && document.gives("exempt") {
        let place = document.exempt.as_ref().map_or(&entry.name.place, |it| &it.place);
        problems.push(
            Problem::error(place, format!("`{name}` has a category and is exempt"))
                .help("keep one of the two"),
        );
    }
    let class = match (&document.category, &document.exempt) {
        (Some(category), _) => FieldClass::Category(category.value.clone()),
        (None, Some(reason)) => FieldClass::Exempt(reason.value.0.clone()),
        (None, None) => FieldClass::Structure,
    };
    let field_type = document.field_type.as_ref()?.value.0;
    let stored = document.stored.as_ref().map_or(Stored::Native, |stored| stored.value.0);
    let moment = matches!(field_type, FieldType::Timestamp | FieldType::Date);
    if let Some(written) = document.stored.as_ref().filter(|_| !moment && stored != Stored::Native)
    {
        problems.push(
            Problem::error(&written.place, "`stored` is for timestamps and dates")
                .help("declare the field as `type: timestamp`, or leave `stored` out"),
        );
    }
    check_identity(document, name, field_type, problems);
    let associates = is_association(collection, name);
    let (clear, anonymise) = strategies((entry, associates), field_type, problems);
    Some(Field {
        name: name.clone(),
        field_type,
        stored,
        zone: document.zone.as_ref().map_or(zone, |zone| &zone.value.0).to_owned(),
        class,
        identity: document.identity.as_ref().map(|identity| identity.value.0.clone()),
        ignores_case: document.compare.as_ref().is_some_and(|compare| compare.value.0),
        clear,
        anonymise,
    })
}

fn check_identity(
    document: &FieldDocument,
    name: &str,
    field_type: FieldType,
    problems: &mut Vec<Problem>,
) {
    if let Some(compare) = &document.compare
        && (document.identity.is_none() || field_type != FieldType::Text)
    {
        problems.push(
            Problem::error(&compare.place, "`compare` is for text fields with an `identity`")
                .help("declare the identity that the field holds, or leave `compare` out"),
        );
    }
    let Some(identity) = &document.identity else { return };
    let fits = matches!(
        field_type,
        FieldType::Text | FieldType::Integer | FieldType::Uuid | FieldType::Address
    );
    if !fits {
        let kind = type_name(field_type);
        problems.push(
            Problem::error(&identity.place, format!("`{name}` is `{kind}` and identifies nobody"))
                .help("identities are `text`, `integer`, `uuid` or `address` fields"),
        );
    }
}

/// The field is of a link that is emptied when only the association goes.
fn is_association(collection: &CollectionDocument, field: &str) -> bool {
    entries(collection.links.as_ref()).iter().map(|link| &link.value.value).any(|link| {
        link.kind.as_ref().is_some_and(|kind| kind.value.0 != LinkKind::Deep)
            && entries(link.fields.as_ref()).iter().any(|pair| pair.name.value == field)
    })
}

fn strategies(
    (entry, associates): (&Entry<FieldDocument>, bool),
    field_type: FieldType,
    problems: &mut Vec<Problem>,
) -> (Strategy, Option<Strategy>) {
    let document = &entry.value.value;
    let without_category = !document.gives("category");
    for place in [
        document.clear.as_ref().filter(|_| !associates).map(|clear| &clear.place),
        document.anonymise.as_ref().map(|anonymise| &anonymise.place),
    ]
    .into_iter()
    .flatten()
    .filter(|_| without_category)
    {
        problems.push(
            Problem::error(place, format!("`{}` belongs to no category", entry.name.value))
                .help("only fields with a category are cleared or made anonymous: give it one, or leave this out"),
        );
    }
    let mut made = |written: &At<_>| strategy::compile(written, field_type, problems);
    let clear = document
        .clear
        .as_ref()
        .and_then(|clear| made(&At { value: clear.value.0.clone(), place: clear.place.clone() }));
    let anonymise = document.anonymise.as_ref().and_then(|anonymise| {
        made(&At { value: anonymise.value.0.clone(), place: anonymise.place.clone() })
    });
    (clear.unwrap_or(Strategy::Null), anonymise)
}
