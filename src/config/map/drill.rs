//! What a system's file says of drills, and what does not fit it: what is planted must be known for
//! certain as nobody's, and must lead to nobody.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::SystemDraft;
use crate::config::document::drill::PlantDocument;
use crate::config::document::system::type_name;
use crate::config::problem::{At, Place, Problem, instead};
use crate::config::read::{entries, items};
use crate::datamap::drill::Piece;
use crate::datamap::{Collection, Invented, PlantedTemplate, Planting, Template};

/// Somebody for whom values are tried.
const SAMPLE: Invented = Invented { drill: Uuid::max(), at: Timestamp::UNIX_EPOCH };

/// Fills in what is planted, reporting what does not fit.
pub(super) fn compile(draft: &mut SystemDraft<'_>, problems: &mut Vec<Problem>) {
    let Some(written) = &draft.document.drill else { return };
    if super::is_third_party(draft.document) || super::is_store(draft.document) {
        problems.push(
            Problem::error(&written.place, "nothing can be planted in this kind of system")
                .help("leave `drill` out; it is for databases"),
        );
        return;
    }
    let Some(plant) = &written.value.plant else { return };
    if plant.value.0.is_empty() {
        problems.push(
            Problem::error(&plant.place, "nothing is planted")
                .help("name at least one record, or leave `drill` out"),
        );
        return;
    }
    let before = problems.len();
    let mut records: Vec<PlantedTemplate> = Vec::new();
    for one in items(Some(plant)) {
        records.extend(record(draft, one, &records, problems));
    }
    draft.model.drill = Some(Planting { records });
    let nobody = draft.model.planted_identities(&SAMPLE).is_empty();
    if nobody && problems.len() == before {
        problems.push(
            Problem::error(&plant.place, "nothing that is planted here says whose it is")
                .help("plant a field that has an `identity`, such as `email: \"{email}\"`"),
        );
    }
}

fn record(
    draft: &SystemDraft<'_>,
    written: &At<PlantDocument>,
    earlier: &[PlantedTemplate],
    problems: &mut Vec<Problem>,
) -> Option<PlantedTemplate> {
    let name = written.value.collection.as_ref()?;
    let Some(collection) = draft.collection(name.value.as_str()) else {
        let known = draft.model.collections.keys().map(crate::domain::CollectionName::as_str);
        let message = format!("`{}` has no collection `{}`", draft.model.name, name.value);
        problems
            .push(Problem::error(&name.place, message).help(instead(name.value.as_str(), known)));
        return None;
    };
    let mut template = PlantedTemplate {
        collection: name.value.clone(),
        values: std::collections::BTreeMap::new(),
    };
    let trying = Trying { draft, collection, earlier };
    for entry in entries(written.value.values.as_ref()) {
        let (field, place) = (&entry.name.value, &entry.value.place);
        let value = &entry.value.value.0;
        match trying.misfit(field, value) {
            None => drop(template.values.insert(field.clone(), value.clone())),
            Some((message, help)) => {
                problems.push(Problem::error(place, message).help(help));
            }
        }
    }
    let complete = template.values.len() == entries(written.value.values.as_ref()).len();
    let broken = written.value.values.as_ref().is_none_or(|it| !it.value.broken.is_empty());
    if complete && !broken {
        check_marks(&trying, &template, &written.place, problems);
    }
    Some(template)
}

/// A record that is being looked at.
struct Trying<'a, 'document> {
    draft: &'a SystemDraft<'document>,
    collection: &'a Collection,
    earlier: &'a [PlantedTemplate],
}

impl Trying<'_, '_> {
    /// Why a field cannot hold this, and what to write instead.
    fn misfit(&self, name: &str, value: &Template) -> Option<(String, String)> {
        let title = self.draft.title(self.collection);
        let Some(field) = self.collection.fields.get(name) else {
            let known = self.collection.fields.keys().map(String::as_str);
            return Some((format!("`{title}` has no field `{name}`"), instead(name, known)));
        };
        if let Some(reference) = value.reference() {
            return self.misfit_of_reference(reference);
        }
        if matches!(value, Template::Text(pieces) if pieces.iter().any(|one| matches!(one, Piece::Of { .. })))
        {
            return Some((
                "what an earlier record holds is taken as it is".to_owned(),
                "write `\"{collection.field}\"` and nothing beside it".to_owned(),
            ));
        }
        if value.value(field, &SAMPLE).is_none() {
            let help = "write a value that the field can hold, such as `\"{number}\"` for a whole number or `\"{now}\"` for a moment";
            return Some((
                format!("`{name}` of type `{}` cannot hold this", type_name(field.field_type)),
                help.to_owned(),
            ));
        }
        // Somebody else may have what is written out, and would go with the person of the drill.
        if field.identity.is_some() && *value != Template::Null && !value.marks(field) {
            return Some((
                format!("`{name}` says who somebody is, and this may be somebody else's"),
                "write `\"{email}\"`, `\"{phone}\"`, `\"{number}\"`, `\"{tag}\"` or `\"{uuid}\"`, which nobody else has, or null"
                    .to_owned(),
            ));
        }
        None
    }

    fn misfit_of_reference(&self, (name, field): (&str, &str)) -> Option<(String, String)> {
        let planted = self.earlier.iter().rev().find(|one| one.collection.as_str() == name);
        let Some(planted) = planted else {
            return Some((
                format!("no earlier record of `{name}` is planted"),
                "plant the parent before its child".to_owned(),
            ));
        };
        let key = self.draft.collection(name).map(|one| one.key.clone()).unwrap_or_default();
        if key.iter().any(|one| one == field) || planted.values.contains_key(field) {
            return None;
        }
        let known = key.iter().chain(planted.values.keys()).map(String::as_str);
        Some((
            format!("the record that is planted in `{name}` has no `{field}`"),
            instead(field, known),
        ))
    }

    /// The marks of a record.
    fn marks(&self, template: &PlantedTemplate) -> BTreeSet<String> {
        let fields = &self.collection.fields;
        let marked = template
            .values
            .iter()
            .filter(|(name, value)| fields.get(*name).is_some_and(|field| value.marks(field)));
        marked.map(|(name, value)| format!("{name} {value:?}")).collect()
    }
}

fn check_marks(
    trying: &Trying<'_, '_>,
    template: &PlantedTemplate,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let marks = trying.marks(template);
    if marks.is_empty() {
        problems.push(
            Problem::error(place, "nothing says that this record is a drill's")
                .help("write `\"{tag}\"` or another mark into a text, `\"{uuid}\"` into a UUID, or `\"{number}\"` into a whole number: without it nobody could tell it from somebody's, nor take it away"),
        );
        return;
    }
    let mut others = trying.earlier.iter().filter(|one| one.collection == template.collection);
    if others.any(|other| trying.marks(other) == marks) {
        problems.push(
            Problem::error(place, "an earlier record of this collection has the same marks")
                .help("tell them apart, such as by `\"{tag}-2\"`"),
        );
    }
    let key: Option<Vec<&Template>> =
        trying.collection.key.iter().map(|field| template.values.get(field)).collect();
    let certain = |value: &&Template| value.has_mark() || value.reference().is_some();
    if key.is_some_and(|key| !key.iter().any(certain)) {
        problems
            .push(Problem::error(place, "this key may be somebody's").help(
                "leave the key to the system, or put a mark or `{collection.field}` into it",
            ));
    }
}
