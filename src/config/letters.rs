//! Templates of letters that the controller has written itself: `letters/<language>/<kind>.txt` in
//! the folder of the instance. `quietus check` tells what is broken in them, with the line.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::civil::date;

use super::load::why;
use super::problem::{Place, Problem, Problems};
use super::yaml::Span;
use crate::rights::{
    CopiesPart, Facts, FilesPart, KeptPart, LetterError, ToldParty, built_in, write,
};

/// The folder of the templates, below that of the instance.
const FOLDER: &str = "letters";
/// Longest template that is read, in bytes; longer ones are refused when they are filled.
const MOST_BYTES: u64 = 64 * 1024 + 1;
/// Longest name of a language, as RFC 5646 recommends it.
const LONGEST_LANGUAGE: usize = 35;

/// The controller's own template for a kind of letter in a language; `None` where there is none.
///
/// # Errors
/// Where there is one and it cannot be read.
pub fn own_letter(folder: &Path, language: &str, kind: &str) -> std::io::Result<Option<String>> {
    if !is_language(language) {
        return Ok(None);
    }
    match read(&folder.join(FOLDER).join(language).join(format!("{kind}.txt"))) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A language tag, which is safe as the name of a folder.
fn is_language(name: &str) -> bool {
    (2..=LONGEST_LANGUAGE).contains(&name.len())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_')
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Tells what is wrong with the templates of a folder; there need not be any.
pub(super) fn check(folder: &Path, problems: &mut Problems) {
    for language in entries(&folder.join(FOLDER)) {
        let name = file_name(&language);
        let shown = format!("{FOLDER}/{name}");
        if !language.is_dir() || !is_language(&name) {
            let help = "templates are in `letters/<language>/<kind>.txt`, such as `letters/de/outcome.txt`";
            refuse(problems, &shown, "this is no folder of a language", help);
            continue;
        }
        for file in entries(&language) {
            check_file(&file, &format!("{shown}/{}", file_name(&file)), &name, problems);
        }
    }
}

fn check_file(path: &Path, shown: &str, language: &str, problems: &mut Problems) {
    let kind = file_name(path);
    let Some(kind) = kind.strip_suffix(".txt").filter(|kind| built_in(kind, "en").is_some()) else {
        let help = "there are `acknowledgement.txt`, `identity.txt`, `extension.txt`, `outcome.txt`, `refusal.txt`, `fee.txt`, `before_lifting.txt`, `cancelled.txt` and `recipient.txt`";
        refuse(problems, shown, "there is no letter of this kind", help);
        return;
    };
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the file cannot be read: {}", why(&error));
            refuse(problems, shown, &message, "put a text file in UTF-8 there");
            return;
        }
    };
    let broken = [everything(), as_little_as_possible()]
        .iter()
        .find_map(|facts| write(kind, language, Some(&text), facts).err());
    let Some(error) = broken else { return };
    let (line, message) = match error {
        LetterError::Template { line, why, .. } => (line, why),
        other => (1, other.to_string()),
    };
    let start = Place::start_of(shown);
    let start_of_line = offset_of(&text, line);
    let line = u32::try_from(line).unwrap_or(u32::MAX);
    let span = Span { line, offset: start_of_line, ..start.span };
    let help = "`quietus letter --help` names what a template may use";
    let problem = Problem::error(&Place { span, ..start }, message).help(help);
    problems.found.push(problem);
    problems.sources.insert(shown.to_owned(), text);
}

fn refuse(problems: &mut Problems, file: &str, message: &str, help: &str) {
    problems.found.push(Problem::error(&Place::start_of(file), message).help(help));
}

/// Where a line begins, in bytes.
fn offset_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum()
}

/// What is in a folder, in the order of names, without hidden files; nothing where it is missing.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| !file_name(path).starts_with('.'));
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Facts with everything in them, so that every branch of a template is walked.
fn everything() -> Facts {
    let day = date(2026, 9, 1);
    Facts {
        controller: "Example Company".to_owned(),
        request: "0198".to_owned(),
        asked: "erasure".to_owned(),
        received_on: Some(day),
        answer_by: Some(day),
        outcome: Some("partially_retained".to_owned()),
        reason: Some("a reason".to_owned()),
        fee: Some("12.50 EUR".to_owned()),
        kept: vec![KeptPart {
            what: "invoices".to_owned(),
            because: "a law".to_owned(),
            until: Some(day),
            first_until: Some(day),
            restricted: true,
        }],
        copies: Some(CopiesPart { until: Some(day), gone_on: None }),
        files: Some(FilesPart { gone_on: Some(day) }),
        third_parties: vec![ToldParty { name: "A party".to_owned(), grade: "signed".to_owned() }],
        certificate: Some("0198".to_owned()),
        complaint: "an authority".to_owned(),
        law: "a law".to_owned(),
        categories: vec!["contact".to_owned()],
    }
}

fn as_little_as_possible() -> Facts {
    Facts {
        outcome: Some("not_found".to_owned()),
        kept: Vec::new(),
        copies: None,
        files: None,
        third_parties: Vec::new(),
        certificate: None,
        categories: Vec::new(),
        ..everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut problems = Problems::default();
        check(folder.path(), &mut problems);
        let line =
            |one: &Problem| format!("{}:{}: {}", one.place.file, one.place.span.line, one.message);
        problems.found.iter().map(line).collect()
    }

    #[test]
    fn a_folder_without_letters_is_fine_and_so_are_whole_templates() {
        assert_eq!(told(&[]), [""; 0]);
        let own = "Réponse {{ request }}\n\n{{ controller }}: {{ outcome }}\n{% for part in kept %}{{ part.what }}{% endfor %}";
        assert_eq!(told(&[("letters/fr/outcome.txt", own), ("letters/.draft", "")]), [""; 0]);
    }

    #[test]
    fn broken_templates_are_named_with_file_and_line() {
        let found = told(&[
            ("letters/de/outcome.txt", "Betreff\n\n{{ controler }}\n"),
            ("letters/de/refusal.txt", "Betreff\n{% if reason %}\n"),
            ("letters/de/song.txt", "La\n"),
            ("letters/de/extension.txt", "  \n"),
            ("letters/readme.txt", "?"),
            ("letters/../letters/e n/outcome.txt", "?"),
        ]);
        assert_eq!(found.len(), 6, "{found:#?}");
        for expected in [
            "letters/de/outcome.txt:3: undefined value",
            "letters/de/song.txt:1: there is no letter of this kind",
            "letters/readme.txt:1: this is no folder of a language",
            "letters/e n:1: this is no folder of a language",
        ] {
            assert!(found.iter().any(|one| one == expected), "{expected} in {found:#?}");
        }
        assert!(found.iter().any(|one| one.starts_with("letters/de/refusal.txt:")), "{found:#?}");
        assert!(found.iter().any(|one| one.contains("extension") && one.contains("64 KiB")));
    }

    #[test]
    fn a_language_is_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("letters/de");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("outcome.txt"), "Betreff\nText").unwrap();
        std::fs::write(folder.path().join("outcome.txt"), "secret").unwrap();
        let own = |language: &str| own_letter(folder.path(), language, "outcome").unwrap();
        assert_eq!(own("de").as_deref(), Some("Betreff\nText"));
        for wrong in ["..", "../", "de/..", "", "d", "fr"] {
            assert_eq!(own(wrong), None, "{wrong}");
        }
    }
}
