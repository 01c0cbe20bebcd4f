//! Where the keys folder is: whoever has a copy of both the database and the keys can read what was
//! shredded, so that keys must not go where copies go.

use std::path::{Component, Path, PathBuf};

use super::document::InstanceDocument;
use super::instance::Instance;
use super::object_store::ExportPlace;
use super::problem::{At, Problem};
use crate::datamap::SecretReference;

/// A path without `.` and `..`; links are not followed.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

fn overlap(one: &Path, other: &Path) -> bool {
    let (one, other) = (plain(one), plain(other));
    one.starts_with(&other) || other.starts_with(&one)
}

/// Reports keys in a folder that is given away.
pub(super) fn check(document: &InstanceDocument, instance: &Instance, problems: &mut Vec<Problem>) {
    let evidence = document.evidence.as_ref().map(|it| &it.value);
    let export = evidence.and_then(|it| it.export.as_ref());
    let list = evidence.and_then(|it| it.re_erasure_list.as_ref());
    let places = [
        (export, &instance.evidence_export, "auditors read what is exported"),
        (list, &instance.re_erasure_list, "the list lies beside copies"),
    ];
    for (written, place, why) in places {
        let (Some(At { place, .. }), Some(ExportPlace::Folder(folder))) = (written, place) else {
            continue;
        };
        if overlap(folder, &instance.keys) {
            problems.push(
                Problem::error(place, format!("this folder and the keys folder are one: {why}, and with the keys everything that was shredded could be read"))
                    .help("name another folder here, or move the keys: `keys: ../quietus-keys`"),
            );
        }
    }
}

/// The folder that holds both the database and the keys, so that a copy of it can be read; `None`
/// where they are apart, or the database is not a file whose place is known.
pub fn folder_of_both(instance: &Instance) -> Option<PathBuf> {
    let SecretReference::Plain(url) = &instance.store else { return None };
    let path = url.strip_prefix("sqlite:")?;
    let file = instance.folder.join(path.strip_prefix("//").unwrap_or(path));
    let folder = plain(file.parent()?);
    plain(&instance.keys).starts_with(&folder).then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_within_each_other_overlap() {
        let overlaps = |one: &str, other: &str| overlap(Path::new(one), Path::new(other));
        assert!(overlaps("/a/keys", "/a/keys"));
        assert!(overlaps("/a/keys/out", "/a/./keys"));
        assert!(overlaps("/a", "/a/b/../keys"));
        assert!(!overlaps("/a/keys", "/a/keys-out"));
        assert!(!overlaps("/a/out", "/a/out/../keys"));
    }
}
