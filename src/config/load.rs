//! Reads a whole folder and tells everything that is wrong with it at once.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::complete;
use super::definitions;
use super::document::{InstanceDocument, PackDocument, SystemDocument};
use super::drills;
use super::instance::{self, Instance};
use super::keys_place;
use super::leaf::Words;
use super::letters;
use super::mail;
use super::map;
use super::opendsr;
use super::own_records::{self, BUILT_IN};
use super::problem::{At, Place, Problem, Problems, Severity};
use super::read::{Read, Reader};
use super::requests;
use super::rules::{self, Whole};
use super::yaml::{self, Node};
use crate::datamap::DataMap;
use crate::domain::Digest;
use crate::schedule::RuleSet;

pub use quietus_verify::folder::why;

/// Name of the instance file.
pub const INSTANCE_FILE: &str = "quietus.yaml";

/// No folder has more files than this.
const MOST_FILES: usize = 2_000;

/// A folder after validation.
#[derive(Debug)]
pub struct Loaded {
    /// The instance.
    pub instance: Instance,
    /// The data map.
    pub data_map: DataMap,
    /// The rule set.
    pub rules: RuleSet,
    /// The files that the data map was read from, and the definitions that they name: name and
    /// bytes.
    pub map_files: Vec<(String, Vec<u8>)>,
    /// The files that the rule set was read from: name and bytes.
    pub rule_files: Vec<(String, Vec<u8>)>,
    /// What somebody should look at; no errors among them.
    pub warnings: Problems,
}

/// Reads `quietus.yaml` (or the folder that holds it) and the files that belong to it.
///
/// # Errors
/// All problems at once, where at least one of them is an error.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    if let Err(error) = std::fs::metadata(path) {
        return Err(no_folder(path, &error));
    }
    let file = if path.is_dir() { path.join(INSTANCE_FILE) } else { path.to_owned() };
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut files = Files::new(folder);
    let Some(document) = files.document::<InstanceDocument>(&file, false) else {
        return Err(files.problems);
    };
    let document = document.value;
    let name = |entry: &Option<At<Words>>, default: &str| {
        entry.as_ref().map_or(default, |words| &words.value.0).to_owned()
    };
    let systems = files.folder(&name(&document.systems, "systems"));
    let packs = files.folder(&name(&document.schedules, "schedules"));
    let mut system_documents: Vec<At<SystemDocument>> =
        systems.paths.iter().filter_map(|path| files.document(path, true)).collect();
    let mut pack_documents: Vec<At<PackDocument>> =
        packs.paths.iter().filter_map(|path| files.document(path, true)).collect();
    let whole = Whole {
        systems: system_documents.len() == systems.paths.len(),
        packs: pack_documents.len() == packs.paths.len(),
    };
    let own = own_records::compile(&document, &mut files.problems.found);
    let mut map_files = files.kept(&systems.paths);
    let mut rule_files = files.kept(&packs.paths);
    let problems = &mut files.problems.found;
    map_files.insert(0, build_in(own_records::system_text(), &mut system_documents, problems));
    rule_files.push(build_in_behind(own_records::pack_text(&own), &mut pack_documents, problems));
    let zone = zone_of(&document);
    let mut instance = instance::compile(&document, files.folder.clone(), own, problems);
    let mut drafts = map::compile(&system_documents, &zone, problems);
    let rules_digest = digest_of(&rule_files);
    let rules = rules::compile(&pack_documents, &drafts, whole, &zone, rules_digest, problems);
    map_files.extend(definitions::read(&mut drafts, &files.folder, &mut files.problems));
    let problems = &mut files.problems.found;
    if whole.systems {
        check_against_map(&document, &drafts, problems);
    }
    if let Some(instance) = &mut instance {
        keys_place::check(&document, instance, problems);
        let country = instance.controller.country.clone();
        instance.identities = requests::identity_types(&document, &country, &drafts, problems);
    }
    if problems.iter().all(|problem| problem.severity == Severity::Warning) {
        complete::check((&system_documents, &drafts), (&pack_documents, &rules), problems);
        if let Some(instance) = &instance {
            requests::check_case(&instance.identities, &drafts, problems);
        }
    }
    let data_map = DataMap {
        systems: drafts.into_iter().map(|it| (it.model.name.clone(), it.model)).collect(),
        digest: digest_of(&map_files),
    };
    letters::check(&files.folder, &mut files.problems);
    files.problems.settle();
    match instance {
        Some(instance) if files.problems.errors() == 0 => Ok(Loaded {
            instance,
            data_map,
            rules,
            map_files,
            rule_files,
            warnings: files.problems,
        }),
        _ => Err(files.problems),
    }
}

fn zone_of(document: &InstanceDocument) -> String {
    let zone = document.controller.as_ref().and_then(|it| it.value.zone.as_ref());
    zone.map_or("UTC", |zone| &zone.value.0).to_owned()
}

/// Puts what is built in before what was read, so that another one of its name is the one that is
/// told; its name and bytes.
fn build_in<T: Read>(
    text: String,
    documents: &mut Vec<At<T>>,
    problems: &mut Vec<Problem>,
) -> (String, Vec<u8>) {
    documents.splice(..0, read_text(BUILT_IN, &text, problems));
    (BUILT_IN.to_owned(), text.into_bytes())
}

/// Puts what is built in behind what was read; its name and bytes.
fn build_in_behind<T: Read>(
    text: String,
    documents: &mut Vec<At<T>>,
    problems: &mut Vec<Problem>,
) -> (String, Vec<u8>) {
    documents.extend(read_text(BUILT_IN, &text, problems));
    (BUILT_IN.to_owned(), text.into_bytes())
}

/// What the instance file says of systems, against those that there are.
fn check_against_map(
    document: &InstanceDocument,
    drafts: &[map::SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    requests::check_identities(document, drafts, problems);
    opendsr::check_identities(document, drafts, problems);
    mail::check_people(document, drafts, problems);
    map::backup::check_copies(drafts, problems);
    map::inside::check(drafts, problems);
    drills::check(document, drafts, problems);
}

fn no_folder(path: &Path, error: &std::io::Error) -> Problems {
    let place = Place::start_of(&path.display().to_string());
    let problem = Problem::error(&place, format!("the folder cannot be read: {}", why(error)))
        .help("name the folder of `quietus.yaml` with `--dir`; `quietus init FOLDER` writes one to start from");
    Problems { found: vec![problem], ..Problems::default() }
}

/// Reads a data map and a rule set again from files that were kept, with the zone of the instance.
///
/// # Errors
/// All problems, where this version cannot read what an earlier one accepted.
pub fn compile(
    map_files: &[(String, Vec<u8>)],
    rule_files: &[(String, Vec<u8>)],
    zone: &str,
) -> Result<(DataMap, RuleSet), Problems> {
    let mut files = Files::new(PathBuf::new());
    // A system and a rule pack may have files of one name: each kind gets a folder of its own.
    let mut paths = |folder: &str, kept: &[(String, Vec<u8>)]| -> Vec<PathBuf> {
        kept.iter()
            .map(|(name, bytes)| {
                let path = Path::new(folder).join(name);
                files.bytes.insert(path.clone(), bytes.clone());
                path
            })
            .collect()
    };
    let (defined, systems): (Vec<_>, Vec<_>) =
        map_files.iter().cloned().partition(|(name, _)| definitions::is_kept(name));
    let (map_paths, rule_paths) = (paths("systems", &systems), paths("schedules", rule_files));
    let system_documents: Vec<At<SystemDocument>> =
        map_paths.iter().filter_map(|path| files.kept_document(path)).collect();
    let pack_documents: Vec<At<PackDocument>> =
        rule_paths.iter().filter_map(|path| files.kept_document(path)).collect();
    let whole = Whole {
        systems: system_documents.len() == map_paths.len(),
        packs: pack_documents.len() == rule_paths.len(),
    };
    let problems = &mut files.problems.found;
    let mut drafts = map::compile(&system_documents, zone, problems);
    let rules_digest = digest_of(rule_files);
    let rules = rules::compile(&pack_documents, &drafts, whole, zone, rules_digest, problems);
    definitions::recall(&mut drafts, &defined);
    let data_map = DataMap {
        systems: drafts.into_iter().map(|it| (it.model.name.clone(), it.model)).collect(),
        digest: digest_of(map_files),
    };
    files.problems.found.retain(|problem| !problem.only_where_written);
    files.problems.settle();
    if files.problems.errors() == 0 { Ok((data_map, rules)) } else { Err(files.problems) }
}

/// The files of a folder, as they are read.
struct Files {
    folder: PathBuf,
    bytes: BTreeMap<PathBuf, Vec<u8>>,
    problems: Problems,
}

/// The YAML files of a sub-folder, in the order of their names.
struct Listing {
    paths: Vec<PathBuf>,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self { folder, bytes: BTreeMap::new(), problems: Problems::default() }
    }

    /// The name that people see.
    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    fn report(&mut self, path: &Path, message: String, help: &str) {
        let place = Place::start_of(&self.name(path));
        self.problems.found.push(Problem::error(&place, message).help(help));
    }

    fn folder(&mut self, name: &str) -> Listing {
        let folder = self.folder.join(name);
        let read = match std::fs::read_dir(&folder) {
            Ok(read) => read,
            Err(error) => {
                let help = "create the folder; `quietus init` writes one to start from";
                self.report(&folder, format!("the folder cannot be read: {}", why(&error)), help);
                return Listing { paths: Vec::new() };
            }
        };
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in read {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    let message = format!("the folder cannot be read: {}", why(&error));
                    self.report(&folder, message, "look at the disk and try again");
                    continue;
                }
            };
            let hidden =
                path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            let extension = path.extension().map(|it| it.to_string_lossy().to_lowercase());
            if hidden {
                continue;
            }
            if path.is_dir() {
                // Data that somebody described and nobody reads would never be deleted.
                let help = "move its files one folder up, or let its name begin with a `.`";
                self.report(&path, "folders in here are not read".to_owned(), help);
            } else if extension.is_some_and(|it| it == "yaml" || it == "yml") {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.is_empty() {
            let help = "write at least one file that ends in `.yaml`";
            self.report(&folder, "the folder has no YAML file".to_owned(), help);
        }
        if paths.len() > MOST_FILES {
            let help = "put several systems or rules into one folder less, or run two instances";
            self.report(&folder, format!("the folder has more than {MOST_FILES} files"), help);
            paths.clear();
        }
        Listing { paths }
    }

    /// Reads one file; problems are kept.
    fn document<T: Read>(&mut self, path: &Path, keep: bool) -> Option<At<T>> {
        let name = self.name(path);
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let missing = error.kind() == std::io::ErrorKind::NotFound;
                let help = if name == INSTANCE_FILE && missing {
                    "run `quietus init` in an empty folder, or name the folder with `--dir`"
                } else {
                    "put a file there that the user of quietus may read"
                };
                self.report(path, format!("the file cannot be read: {}", why(&error)), help);
                return None;
            }
        };
        if bytes.len() > yaml::MOST_BYTES {
            let message = format!("the file is larger than {} bytes", yaml::MOST_BYTES);
            self.report(path, message, "split it into several files");
            return None;
        }
        let Ok(text) = String::from_utf8(bytes.clone()) else {
            self.report(path, "the file is not UTF-8".to_owned(), "save it as UTF-8");
            return None;
        };
        if keep {
            self.bytes.insert(path.to_owned(), bytes);
        }
        let document = read_text(&name, &text, &mut self.problems.found);
        self.problems.sources.insert(name, text);
        document
    }

    /// Name and bytes of files that were read.
    fn kept(&self, paths: &[PathBuf]) -> Vec<(String, Vec<u8>)> {
        let name = |path: &PathBuf| path.file_name().map(|it| it.to_string_lossy().into_owned());
        paths.iter().filter_map(|path| Some((name(path)?, self.bytes.get(path)?.clone()))).collect()
    }

    /// Reads one file whose bytes are there already.
    fn kept_document<T: Read>(&mut self, path: &Path) -> Option<At<T>> {
        let text = String::from_utf8(self.bytes.get(path)?.clone()).ok()?;
        read_text(&self.name(path), &text, &mut self.problems.found)
    }
}

/// SHA-256 over name, NUL, length (8 bytes, big-endian) and bytes of each file, in name order;
/// definitions come after the systems that name them.
fn digest_of(files: &[(String, Vec<u8>)]) -> Digest {
    let mut all = Vec::new();
    for (name, bytes) in files {
        all.extend_from_slice(name.as_bytes());
        all.push(0);
        all.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        all.extend_from_slice(bytes);
    }
    Digest::of(&all)
}

/// Reads a document from text; what is wrong with it goes to `problems`.
pub fn read_text<T: Read>(name: &str, text: &str, problems: &mut Vec<Problem>) -> Option<At<T>> {
    let node: Node = match yaml::parse(text) {
        Ok(Some(node)) => node,
        Ok(None) => {
            problems.push(
                Problem::error(&Place::start_of(name), "the file is empty")
                    .help("remove it, or write what belongs there"),
            );
            return None;
        }
        Err(error) => {
            let place = Place { span: error.span, ..Place::start_of(name) };
            problems.push(Problem::error(&place, error.message).help(error.help));
            return None;
        }
    };
    let mut reader = Reader::new(name);
    let value = T::read(&node, &mut reader);
    problems.append(&mut reader.problems);
    value.map(|value| At { value, place: reader.place(&node) })
}

/// Reads a file, but not more than one byte beyond what any file of the folder may have.
///
/// # Errors
/// Where it cannot be read, or is a pipe or a device.
pub fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() && !metadata.is_dir() {
        // Nobody may ever write to a pipe, and then its reader waits for ever.
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(yaml::MOST_BYTES).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
