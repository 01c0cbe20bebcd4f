//! From the documents of systems to the data map, reporting everything that does not fit.
//!
//! Models are made leniently: a field or link that could not be read is left out, and whoever asks
//! for it is told that it is broken, so that one mistake is reported once.

pub(super) mod backup;
mod drill;
mod fields;
pub(super) mod inside;
mod limits;
mod links;
mod residues;
mod restore;
mod shape;
mod starts;
mod strategy;
pub(super) mod third_party;

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::{FieldRef, Pace};

use super::document::{CollectionDocument, FieldPath, SystemDocument};
use super::leaf::Count;
use super::own_records::BUILT_IN;
use super::problem::{At, Place, Problem, instead};
use super::read::{Entry, entries, items};
use crate::datamap::house::HOUSE_KIND;
use crate::datamap::{
    Collection, ExemptCollection, Field, Manifest, Role, SecretReference, System,
};
use crate::domain::{CollectionName, SystemName};

/// A system's document and what could be made of it.
#[derive(Debug)]
pub struct SystemDraft<'document> {
    /// What was written.
    pub document: &'document SystemDocument,
    /// The file.
    pub place: Place,
    /// What could be made of it.
    pub model: System,
    /// Zone of moments without one.
    pub zone: String,
}

/// What a path of links and a field leads to.
#[derive(Debug)]
pub enum Resolution<'draft> {
    /// A field of this collection.
    Found(FieldRef, &'draft Collection, &'draft Field),
    /// Something on the way could not be read and was reported already.
    Broken,
    /// There is no such field: message and help.
    Unknown(String, String),
}

/// A record reaches no further than this many links.
pub const MOST_LINKS: usize = 4;

/// Makes drafts of all systems and reports what does not fit within each.
pub fn compile<'document>(
    documents: &'document [At<SystemDocument>],
    controller_zone: &str,
    problems: &mut Vec<Problem>,
) -> Vec<SystemDraft<'document>> {
    let mut drafts: Vec<SystemDraft<'document>> = Vec::new();
    for document in documents {
        let Some(name) = system_name(document) else { continue };
        if let Some(first) = drafts.iter().find(|draft| draft.model.name == name) {
            let place = document.value.system.as_ref().map_or(&document.place, |it| &it.place);
            let file = &first.place.file;
            problems.push(
                Problem::error(place, format!("there are two systems `{name}`"))
                    .help(format!("the other one is in {file}: give one of them another name")),
            );
            continue;
        }
        drafts.push(draft(document, name, controller_zone, problems));
    }
    for draft in &mut drafts {
        fields::compile(draft, problems);
    }
    let elsewhere: Vec<(String, Vec<String>)> = drafts
        .iter()
        .map(|draft| {
            let names = draft.model.collections.keys().map(ToString::to_string).collect();
            (draft.model.name.to_string(), names)
        })
        .collect();
    for draft in &mut drafts {
        links::compile(draft, &elsewhere, problems);
        starts::compile(draft, problems);
        shape::check(draft, problems);
        links::check(draft, problems);
        drill::compile(draft, problems);
    }
    drafts
}

/// The system's name; of a file without one, the file's own, so that the rest is still looked at.
fn system_name(document: &At<SystemDocument>) -> Option<SystemName> {
    if let Some(name) = &document.value.system {
        return Some(name.value.clone());
    }
    let stem = std::path::Path::new(&*document.place.file).file_stem()?.to_str()?;
    SystemName::parse(stem).ok()
}

fn draft<'document>(
    at: &'document At<SystemDocument>,
    name: SystemName,
    controller_zone: &str,
    problems: &mut Vec<Problem>,
) -> SystemDraft<'document> {
    let document = &at.value;
    let text = |entry: &Option<At<super::leaf::Words>>| entry.as_ref().map(|it| it.value.0.clone());
    let url = document.connection.as_ref().and_then(|it| it.value.url.as_ref());
    if let (Some(url), Some(kind)) = (url, &document.kind) {
        check_scheme(&url.value.0, &kind.value.0, &url.place, problems);
        if third_party::is_kind(&kind.value.0) {
            third_party::check_address(&url.place, &url.value.0, problems);
        }
    }
    check_connection(at, problems);
    let third_party = third_party::compile(at, problems);
    let zone = document.zone.as_ref().map_or(controller_zone, |zone| &zone.value.0).to_owned();
    let backup = backup::compile(at, &zone, problems);
    let progress = text(&document.progress_table);
    let model = System {
        name,
        kind: document.kind.as_ref().map(|kind| kind.value.0.clone()).unwrap_or_default(),
        role: match (&document.role, &backup) {
            (_, Some(_)) => Role::Backup,
            (Some(role), None) => role.value.0,
            (None, None) => Role::Database,
        },
        owner: text(&document.owner).unwrap_or_default(),
        region: text(&document.region),
        url: match &third_party {
            None => url.map(|url| url.value.0.clone()),
            Some(_) => None,
        }
        .unwrap_or_else(|| SecretReference::Plain(String::new())),
        progress_table: progress.unwrap_or_else(|| "quietus_progress".to_owned()),
        pace: pace(document, problems),
        limits: limits::limits(document, problems),
        collections: collections(document, problems),
        exempt: items(document.exempt.as_ref())
            .iter()
            .filter_map(|it| {
                Some(ExemptCollection {
                    source: it.value.collection.as_ref()?.value.0.clone(),
                    reason: it.value.reason.as_ref()?.value.0.clone(),
                })
            })
            .collect(),
        third_party,
        backup,
        no_backups: text(&document.no_backups),
        restore: restore::settings(document, problems),
        residues: residues::settings(document, problems),
        drill: None,
    };
    let maps = !is_third_party(document) && !is_store(document);
    if maps
        && document.collections.is_none()
        && !document.gives("collections")
        && model.exempt.is_empty()
    {
        problems.push(
            Problem::error(&at.place, format!("`{}` has no collections", model.name))
                .help("map its tables under `collections`, or list them under `exempt` with a reason; `quietus datamap draft` writes a first draft"),
        );
    }
    SystemDraft { document, place: at.place.clone(), model, zone }
}

/// The system is asked by the name of a person.
fn is_third_party(document: &SystemDocument) -> bool {
    document.kind.as_ref().is_some_and(|kind| third_party::is_kind(&kind.value.0))
}

/// The system is a store of copies.
fn is_store(document: &SystemDocument) -> bool {
    document.kind.as_ref().is_some_and(|kind| backup::is_kind(&kind.value.0))
}

/// Our own store is reached as `store` in the instance file says, and described by nobody else.
fn check_house(at: &At<SystemDocument>, problems: &mut Vec<Problem>) {
    if !at.place.file.ends_with(BUILT_IN) {
        let place = at.value.kind.as_ref().map_or(&at.place, |kind| &kind.place);
        problems.push(
            Problem::error(place, "quietus' own store is part of every data map already").help(
                "leave this file out; `own_records` in `quietus.yaml` says how long its records are kept",
            ),
        );
    }
}

/// Reports a database that does not say how it is reached.
fn check_connection(at: &At<SystemDocument>, problems: &mut Vec<Problem>) {
    let document = &at.value;
    if is_third_party(document) || is_store(document) {
        return;
    }
    if document.kind.as_ref().is_some_and(|kind| kind.value.0 == HOUSE_KIND) {
        check_house(at, problems);
        return;
    }
    if !document.gives("connection") {
        problems
            .push(Problem::error(&at.place, "`connection` is missing").help("add `connection: …`"));
        return;
    }
    let Some(connection) = &document.connection else { return };
    if !connection.value.gives("url") {
        problems.push(Problem::error(&connection.place, "`url` is missing").help("add `url: …`"));
    }
    for entry in ["trust", "private_hosts"].iter().filter(|it| connection.value.gives(it)) {
        problems.push(
            Problem::error(&connection.place, format!("a database has no `{entry}`"))
                .help("leave this out, or correct the kind"),
        );
    }
}

fn check_scheme(
    reference: &SecretReference,
    kind: &str,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let SecretReference::Plain(url) = reference else { return };
    let schemes: &[&str] = match kind {
        "postgresql" => &["postgres", "postgresql"],
        "mariadb" | "mysql" => &["mysql", "mariadb"],
        "sqlite" => &["sqlite"],
        _ => return,
    };
    let scheme = url.split(':').next().unwrap_or_default();
    if !schemes.contains(&scheme) {
        problems.push(
            Problem::error(place, format!("this is no URL of a `{kind}` system"))
                .help(format!("it begins with `{}:`", schemes[0])),
        );
    }
}

fn pace(document: &SystemDocument, problems: &mut Vec<Problem>) -> Pace {
    let mut pace = Pace::default();
    let Some(written) = document.pace.as_ref().map(|pace| &pace.value) else { return pace };
    let mut number = |entry: &Option<At<Count>>, most: u64| {
        let entry = entry.as_ref()?;
        if entry.value.0 > most {
            problems.push(
                Problem::error(&entry.place, format!("`{}` is too much", entry.value.0))
                    .help(format!("write at most {most}")),
            );
            return None;
        }
        Some(entry.value.0)
    };
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    if let Some(records) = number(&written.chunk_records, 1_000_000) {
        pace.chunk_records = small(records);
    }
    pace.records_per_second = number(&written.records_per_second, u64::from(u32::MAX)).map(small);
    pace.most_replication_lag_ms = number(&written.most_replication_lag_ms, 86_400_000);
    for (entry, target) in [
        (&written.target_chunk_ms, &mut pace.target_chunk_ms),
        (&written.statement_timeout_ms, &mut pace.statement_timeout_ms),
        (&written.lock_timeout_ms, &mut pace.lock_timeout_ms),
    ] {
        if let Some(milliseconds) = number(entry, 86_400_000) {
            *target = milliseconds;
        }
    }
    pace
}

/// Empty collections of the right names; fields, links and starting points follow.
fn collections(
    document: &SystemDocument,
    problems: &mut Vec<Problem>,
) -> BTreeMap<CollectionName, Collection> {
    let mut made = BTreeMap::new();
    let mut sources: BTreeMap<String, String> = items(document.exempt.as_ref())
        .iter()
        .filter_map(|it| it.value.collection.as_ref())
        .map(|source| (source.value.0.clone(), "`exempt`".to_owned()))
        .collect();
    for entry in entries(document.collections.as_ref()) {
        let Ok(name) = CollectionName::parse(&entry.name.value) else {
            problems.push(
                Problem::error(&entry.name.place, format!("`{}` is no name", entry.name.value))
                    .help("write letters, digits, `.`, `_` or `-`, and the table's own name under `source`"),
            );
            continue;
        };
        let written = &entry.value.value;
        let source = written.source.as_ref().map_or(name.as_str(), |source| &source.value.0);
        if let Some(other) = sources.insert(source.to_owned(), format!("`{name}`")) {
            let place = written.source.as_ref().map_or(&entry.name.place, |it| &it.place);
            problems.push(
                Problem::error(place, format!("`{source}` stands here twice, also under {other}"))
                    .help("a collection is mapped once or exempt"),
            );
        }
        made.insert(
            name.clone(),
            Collection {
                name: name.clone(),
                source: source.to_owned(),
                key: Vec::new(),
                fields: BTreeMap::new(),
                links: Vec::new(),
                starting_points: BTreeMap::new(),
                attributes: BTreeMap::new(),
                restriction: None,
                partitions: written
                    .partitions
                    .as_ref()
                    .map_or_else(quietus_connectors::PartitionPolicy::default, |it| it.value.0),
                manifest: written.manifest.as_ref().map_or_else(Manifest::default, |it| it.value.0),
            },
        );
    }
    made
}

impl<'document> SystemDraft<'document> {
    /// The written collections whose model exists.
    pub fn written(&self) -> Vec<(&'document Entry<CollectionDocument>, CollectionName)> {
        entries(self.document.collections.as_ref())
            .iter()
            .filter_map(|entry| Some((entry, CollectionName::parse(&entry.name.value).ok()?)))
            .collect()
    }

    /// The document of a collection.
    pub fn document_of(&self, collection: &str) -> Option<&'document CollectionDocument> {
        let entries = self.document.collections.as_ref()?;
        Some(&entries.value.get(collection)?.value.value)
    }

    /// The collection of this name.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.model.collections.get(&CollectionName::parse(name).ok()?)
    }

    /// `system.collection`, for messages.
    pub fn title(&self, collection: &Collection) -> String {
        format!("{}.{}", self.model.name, collection.name)
    }

    /// A field of a collection itself.
    pub fn own_field<'draft>(
        &'draft self,
        collection: &'draft Collection,
        name: &str,
    ) -> Result<&'draft Field, Resolution<'draft>> {
        if let Some(field) = collection.fields.get(name) {
            return Ok(field);
        }
        let document = self.document_of(collection.name.as_str());
        let written = document.and_then(|document| document.fields.as_ref());
        let broken = written
            .is_none_or(|fields| fields.value.is_broken(name) || fields.value.get(name).is_some());
        Err(if broken {
            Resolution::Broken
        } else {
            Resolution::Unknown(
                format!("`{}` has no field `{name}`", self.title(collection)),
                instead(name, collection.fields.keys().map(String::as_str)),
            )
        })
    }

    /// Follows a path from a collection.
    pub fn resolve<'draft>(
        &'draft self,
        collection: &'draft Collection,
        path: &FieldPath,
    ) -> Resolution<'draft> {
        let (via, field) = match path {
            FieldPath::Through(via, field) => (via.clone(), field.clone()),
            FieldPath::Dotted(text) => {
                // A field whose own name has a dot in it comes first.
                let own = self.own_field(collection, text);
                match (own, text.rsplit_once('.')) {
                    (Err(Resolution::Unknown(..)), Some((links, field))) => {
                        (links.split('.').map(str::to_owned).collect(), field.to_owned())
                    }
                    _ => (Vec::new(), text.clone()),
                }
            }
        };
        if via.len() > MOST_LINKS {
            return Resolution::Unknown(
                format!("a path follows at most {MOST_LINKS} links"),
                "keep a copy of the field nearer to the record".to_owned(),
            );
        }
        let mut here = collection;
        for step in &via {
            match self.follow(here, step) {
                Ok(parent) => here = parent,
                Err(resolution) => return resolution,
            }
        }
        match self.own_field(here, &field) {
            Ok(found) => Resolution::Found(FieldRef { via, field }, here, found),
            Err(resolution) => resolution,
        }
    }

    fn follow<'draft>(
        &'draft self,
        collection: &'draft Collection,
        link: &str,
    ) -> Result<&'draft Collection, Resolution<'draft>> {
        if let Some(found) = collection.links.iter().find(|known| known.name == link) {
            return self.collection(&found.to).ok_or(Resolution::Broken);
        }
        let document = self.document_of(collection.name.as_str());
        let written = document.and_then(|document| document.links.as_ref());
        let broken = written
            .is_some_and(|links| links.value.is_broken(link) || links.value.get(link).is_some());
        if broken {
            return Err(Resolution::Broken);
        }
        let names: Vec<&str> = written.map(|it| it.value.names().collect()).unwrap_or_default();
        Err(Resolution::Unknown(
            format!("`{}` has no link `{link}`", self.title(collection)),
            instead(link, names),
        ))
    }

    /// Every field that a reference reads: the field itself, and the fields that join the records
    /// on the way.
    pub fn touched(&self, start: &Collection, reference: &FieldRef) -> BTreeSet<(String, String)> {
        let mut touched = BTreeSet::new();
        let mut here = start;
        for step in &reference.via {
            let Some(link) = here.links.iter().find(|link| link.name == *step) else {
                return touched;
            };
            for (own, parents) in &link.fields {
                touched.insert((here.name.to_string(), own.clone()));
                touched.insert((link.to.clone(), parents.clone()));
            }
            let Some(parent) = self.collection(&link.to) else { return touched };
            here = parent;
        }
        touched.insert((here.name.to_string(), reference.field.clone()));
        touched
    }
}
