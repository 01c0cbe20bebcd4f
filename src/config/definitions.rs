//! Definitions that systems name: read together with the data map, checked like every other file,
//! and kept with it, so that a case goes on with the definition that it was planned with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use quietus_connectors::processor::{self, Misfit, Part, Written, library};

use super::document::third_party::DefinitionWord;
use super::load::{read_bounded, why};
use super::map::SystemDraft;
use super::map::third_party::{is_secret_by_name, is_secret_by_value, secret_in_plain};
use super::problem::{At, Place, Problem, Problems, instead};
use super::read::{entries, items};
use super::yaml::{self, Content, Node, Span};
use crate::datamap::{Definition, SecretReference};

/// What the name of a definition begins with among the kept files of a data map. No file of a
/// system has a slash in its name.
const KEPT: &str = "definition/";

/// A file that was read and is kept: its name and its bytes.
type KeptFile = (String, Vec<u8>);

/// Reads the definition of every system that names one, reports what is wrong with it and what of
/// the system does not fit it, and gives the definitions in the order of their names.
pub(super) fn read(
    drafts: &mut [SystemDraft<'_>],
    folder: &Path,
    problems: &mut Problems,
) -> Vec<KeptFile> {
    let mut kept: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for draft in drafts {
        if draft.model.kind != "processor" {
            continue;
        }
        let written = draft.document.definition.as_ref();
        let text = written.and_then(|written| text_of(written, folder, problems));
        let third_party = draft.model.third_party.as_mut();
        let (Some(written), Some(text), Some(third_party)) = (written, text, third_party) else {
            secrets_in_plain(draft, None, &mut problems.found);
            continue;
        };
        kept.insert(kept_name(&written.value.0), text.as_bytes().to_vec());
        third_party.definition_text = Some(Arc::from(text.as_str()));
        match processor::Definition::examine(&text) {
            Ok(definition) => {
                secrets_in_plain(draft, Some(&definition), &mut problems.found);
                fit(draft, &definition, &mut problems.found);
            }
            Err(flaws) => {
                secrets_in_plain(draft, None, &mut problems.found);
                let Definition::File(path) = &written.value.0 else { continue };
                let name = shown(path);
                let tree = yaml::parse(&text).ok().flatten();
                let told = |flaw| told(&name, &text, tree.as_ref(), flaw);
                problems.found.extend(flaws.iter().map(told));
                problems.sources.insert(name, text);
            }
        }
    }
    kept.into_iter().collect()
}

/// Gives systems the definitions that were kept with their data map.
pub(super) fn recall(drafts: &mut [SystemDraft<'_>], kept: &[KeptFile]) {
    for draft in drafts {
        let Some(third_party) = &mut draft.model.third_party else { continue };
        let Some(definition) = &third_party.definition else { continue };
        let name = kept_name(definition);
        let bytes = kept.iter().find(|(one, _)| *one == name).map(|(_, bytes)| bytes);
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        third_party.definition_text = text.map(Arc::from);
    }
}

/// Whether a kept file is a definition.
pub(super) fn is_kept(name: &str) -> bool {
    name.starts_with(KEPT)
}

fn kept_name(definition: &Definition) -> String {
    match definition {
        Definition::Named(name) => format!("{KEPT}{name}"),
        Definition::File(path) => format!("{KEPT}{}", path.display()),
    }
}

/// The name of a file of one's own as people see it.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn text_of(written: &At<DefinitionWord>, folder: &Path, problems: &mut Problems) -> Option<String> {
    let mut report = |message: String, help: String| {
        problems.found.push(Problem::error(&written.place, message).help(help));
    };
    let path = match &written.value.0 {
        Definition::Named(name) => {
            let found = library::definition(name);
            if found.is_none() {
                let help = format!(
                    "{}; a definition of your own is a path that begins with `./`",
                    instead(name, library::names())
                );
                report(format!("no definition `{name}` comes with quietus"), help);
            }
            return found.map(str::to_owned);
        }
        Definition::File(path) => path,
    };
    let bytes = match read_bounded(&folder.join(path)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("there is no definition `{}`", path.display());
            let help = "write the file, a path from the folder of quietus.yaml, or the name of a definition that comes with quietus";
            report(message, help.to_owned());
            return None;
        }
        Err(error) => {
            let message =
                format!("the definition `{}` cannot be read: {}", path.display(), why(&error));
            report(message, "put a file there that the user of quietus may read".to_owned());
            return None;
        }
    };
    let text = String::from_utf8(bytes).ok();
    if text.is_none() {
        let message = format!("the definition `{}` is not UTF-8", path.display());
        report(message, "save it as UTF-8".to_owned());
    }
    text
}

/// A flaw of a definition as a problem of its file.
fn told(file: &str, text: &str, tree: Option<&Node>, flaw: &processor::Flaw) -> Problem {
    let start = Place::start_of(file);
    let span = match (flaw.place, tree) {
        (Some((line, column)), _) => {
            Span { line, column, offset: offset_of(text, line, column), length: 0 }
        }
        (None, Some(tree)) if !flaw.path.is_empty() => nearest(tree, &flaw.path),
        (None, _) => start.span,
    };
    let place = Place { span, path: flaw.path.as_str().into(), ..start };
    // What to write instead stands behind the last colon of a flaw.
    match flaw.message.rsplit_once(": ") {
        Some((message, help)) => Problem::error(&place, message).help(help),
        None => Problem::error(&place, flaw.message.as_str()),
    }
}

/// The byte at which a line's column begins.
fn offset_of(text: &str, line: u32, column: u32) -> usize {
    let (line, column) = (line.saturating_sub(1) as usize, column.saturating_sub(1) as usize);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let inside = text[before..].chars().take(column).map(char::len_utf8).sum::<usize>();
    before + inside
}

/// The place of a path such as `identities[0].resolve[1].send`, or of the nearest part above it.
fn nearest(node: &Node, path: &str) -> Span {
    let rest = path.strip_prefix('.').unwrap_or(path);
    let inner = match &node.content {
        Content::Mapping(entries) => entries
            .iter()
            .filter_map(|(key, value)| {
                let (Content::Text(name) | Content::Number(name)) = &key.content else {
                    return None;
                };
                let after = rest.strip_prefix(name.as_str())?;
                let ends = after.is_empty() || after.starts_with(['.', '[']);
                ends.then_some((name.len(), key, value, after))
            })
            .max_by_key(|(length, ..)| *length)
            .map(|(_, key, value, after)| (key.span, value, after)),
        Content::List(list) => rest.strip_prefix('[').and_then(|rest| {
            let (number, after) = rest.split_once(']')?;
            let item = list.get(number.parse::<usize>().ok()?)?;
            Some((item.span, item, after))
        }),
        _ => None,
    };
    match inner {
        None => node.span,
        Some((own, value, after)) => {
            let is_whole = matches!(value.content, Content::Mapping(_) | Content::List(_));
            if after.is_empty() {
                // A mapping or a list begins with its first entry; its name says more.
                if is_whole { own } else { value.span }
            } else if is_whole {
                nearest(value, after)
            } else {
                value.span
            }
        }
    }
}

/// Reports secrets that stand in the open: what a definition declares as one, and of whatever no
/// definition declares what sounds like one.
fn secrets_in_plain(
    draft: &SystemDraft<'_>,
    definition: Option<&processor::Definition>,
    problems: &mut Vec<Problem>,
) {
    for entry in entries(draft.document.parameters.as_ref()) {
        let (name, reference) = (&entry.name.value, &entry.value.value.0);
        let SecretReference::Plain(value) = reference else { continue };
        let declared = definition.and_then(|it| it.parameters.get(name));
        let by_name = declared.map_or_else(|| is_secret_by_name(name), |one| one.secret);
        if by_name || is_secret_by_value(value) {
            problems.push(secret_in_plain(&entry.value.place, name));
        }
    }
}

/// Reports what a system says that does not fit its definition.
fn fit(draft: &SystemDraft<'_>, definition: &processor::Definition, problems: &mut Vec<Problem>) {
    let document = draft.document;
    let connection = document.connection.as_ref().map(|it| &it.value);
    let persons = document.persons.as_ref().and_then(|it| it.value.identities.as_ref());
    let url = connection.and_then(|it| it.url.as_ref());
    let written = Written {
        parameters: entries(document.parameters.as_ref())
            .iter()
            .map(|entry| (entry.name.value.as_str(), plain(&entry.value.value.0)))
            .collect(),
        address: url.map(|url| plain(&url.value.0)),
        private_hosts: items(connection.and_then(|it| it.private_hosts.as_ref()))
            .iter()
            .map(|host| host.value.0.clone())
            .collect(),
        identities: items(persons).iter().map(|it| it.value.0.as_str()).collect(),
    };
    // An entry that could not be read was reported already.
    let broken =
        |name: &str| document.parameters.as_ref().is_some_and(|it| it.value.is_broken(name));
    for misfit in definition.misfits(&written) {
        if matches!(&misfit.part, Part::Missing(name) if broken(name)) {
            continue;
        }
        problems.push(placed(draft, definition, &misfit));
    }
}

/// What stands in the file itself.
fn plain(reference: &SecretReference) -> Option<&str> {
    match reference {
        SecretReference::Plain(text) => Some(text),
        SecretReference::Environment(_) | SecretReference::File(_) => None,
    }
}

/// A misfit as a problem of the system's file.
fn placed(draft: &SystemDraft<'_>, definition: &processor::Definition, misfit: &Misfit) -> Problem {
    let document = draft.document;
    let entry = |name: &str| {
        let all = entries(document.parameters.as_ref());
        all.iter().find(|entry| entry.name.value == name)
    };
    let connection = document.connection.as_ref().map(|it| &it.value);
    let whole = || document.parameters.as_ref().map_or(&draft.place, |it| &it.place);
    let named = || document.definition.as_ref().map_or(&draft.place, |it| &it.place);
    let (place, help) = match &misfit.part {
        Part::Missing(name) => {
            let secret = definition.parameters.get(name).is_some_and(|one| one.secret);
            let value = if secret { "env:NAME" } else { "…" };
            let help = format!("add `{name}: {value}` under `parameters`: {}", misfit.help);
            (whole(), help)
        }
        Part::Unknown(name) => {
            let known = definition.parameters.keys().map(String::as_str);
            (entry(name).map_or(whole(), |it| &it.name.place), instead(name, known))
        }
        Part::Value(name) => {
            (entry(name).map_or(whole(), |it| &it.value.place), misfit.help.clone())
        }
        Part::Plain(name) => {
            let place = entry(name).map_or(whole(), |it| &it.value.place);
            return secret_in_plain(place, name);
        }
        Part::Identity(kind) => {
            let persons = document.persons.as_ref().and_then(|it| it.value.identities.as_ref());
            let place = items(persons).iter().find(|it| it.value.0 == *kind).map(|it| &it.place);
            (place.unwrap_or(&draft.place), misfit.help.clone())
        }
        Part::Address => {
            let url = connection.and_then(|it| it.url.as_ref()).map(|it| &it.place);
            (url.unwrap_or_else(named), misfit.help.clone())
        }
        Part::PrivateHost(host) => {
            let hosts = items(connection.and_then(|it| it.private_hosts.as_ref()));
            let place = hosts.iter().find(|it| it.value.0.eq_ignore_ascii_case(host));
            (place.or(hosts.first()).map_or(named(), |it| &it.place), misfit.help.clone())
        }
    };
    let problem = Problem::error(place, misfit.message.as_str());
    if help.is_empty() { problem } else { problem.help(help) }
}
