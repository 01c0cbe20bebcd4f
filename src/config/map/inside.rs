//! Where copies keep the files of each person: what a store's file says of it, and what does not fit.

use std::collections::BTreeMap;

use quietus_connectors::{InsideFiles, kinds_that_erase_inside};

use super::SystemDraft;
use crate::config::document::SystemDocument;
use crate::config::problem::{Problem, instead};
use crate::config::read::{entries, items};
use crate::config::requests;
use crate::datamap::{Expire, Inside};
use crate::domain::SystemName;

/// A kind whose copies are the objects themselves.
const BUCKET: &str = "s3";

/// Reads where the files of each person are, reporting what cannot be.
pub(super) fn compile(
    document: &SystemDocument,
    kind: &str,
    problems: &mut Vec<Problem>,
) -> BTreeMap<SystemName, Inside> {
    let Some(written) = &document.inside else { return BTreeMap::new() };
    let able = kinds_that_erase_inside();
    if !able.contains(&kind) {
        let message = format!("a store of kind `{kind}` cannot erase inside of copies");
        let help = format!(
            "leave `inside` out: copies go as the store lets them go; stores of kind `{}` can",
            able.join("` and `")
        );
        problems.push(Problem::error(&written.place, message).help(help));
        return BTreeMap::new();
    }
    let by_quietus = document.expire.as_ref().filter(|it| it.value.0 == Expire::ByQuietus);
    if let Some(expire) = by_quietus.filter(|_| kind == BUCKET) {
        let message = "the log would name objects whose keys name persons";
        let help = "let the bucket's life cycle remove what is over, and write `expire: by_store`";
        problems.push(Problem::error(&expire.place, message).help(help));
    }
    let mut inside = BTreeMap::new();
    for entry in entries(document.inside.as_ref()) {
        let Ok(system) = SystemName::parse(&entry.name.value) else {
            let message = format!("there is no system `{}`", entry.name.value);
            let help = "name systems of `copies`";
            problems.push(Problem::error(&entry.name.place, message).help(help));
            continue;
        };
        let one = &entry.value.value;
        let (Some(identity), Some(files)) = (&one.identity, &one.files) else { continue };
        match InsideFiles::parse(&files.value.0) {
            Ok(files) => {
                inside.insert(system, Inside { identity: identity.value.0.clone(), files });
            }
            Err(why) => {
                let (what, help) = why.split_once(": ").unwrap_or((why, "write it plainly"));
                let problem = Problem::error(&files.place, format!("the path {what}"));
                problems.push(problem.help(help));
            }
        }
    }
    inside
}

/// Reports systems that the store does not copy, and identity types that nobody knows. Called once all
/// systems are read.
pub(in crate::config) fn check(drafts: &[SystemDraft<'_>], problems: &mut Vec<Problem>) {
    let known = requests::mapped(drafts);
    for draft in drafts.iter().filter(|draft| draft.model.backup.is_some()) {
        let copies = items(draft.document.copies.as_ref());
        for entry in entries(draft.document.inside.as_ref()) {
            let name = &entry.name.value;
            if !copies.iter().any(|copy| copy.value.as_str() == name) {
                let message = format!("`{}` does not copy `{name}`", draft.model.name);
                let help = instead(name, copies.iter().map(|copy| copy.value.as_str()));
                problems.push(Problem::error(&entry.name.place, message).help(help));
            }
            let Some(identity) = &entry.value.value.identity else { continue };
            let kind = &identity.value.0;
            if !known.contains_key(kind) {
                let message = format!("no system knows the identity type `{kind}`");
                let help = instead(kind, known.keys().map(String::as_str));
                problems.push(Problem::error(&identity.place, message).help(help));
            }
        }
    }
}
