//! What people read of a certificate, in three languages.
//!
//! `QUIETUS_PRINTED_TO` names a folder that gets everything, to be looked at.

use quietus::evidence::print::LANGUAGES;

use super::claims::{snapshot, with_names};
use super::samples::{Sample, samples};

fn text(sample: &Sample, folder: &std::collections::BTreeMap<String, Vec<u8>>) -> String {
    let text = String::from_utf8(folder["certificate.txt"].clone()).expect("text");
    let statement = quietus::domain::Digest::of(&sample.issued.read.envelope.payload);
    let link =
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, statement.0);
    with_names(&text, &sample.issued).replace(&link, "<sha256 of the statement>")
}

#[test]
fn every_text_is_what_people_expect() {
    for sample in samples() {
        for language in LANGUAGES {
            let folder = sample.folder(language);
            let name = format!("printed_{}_{}", sample.name, language.code());
            snapshot(&name, &text(&sample, &folder));
            if let Some(to) = std::env::var_os("QUIETUS_PRINTED_TO") {
                let to = std::path::Path::new(&to).join(sample.name).join(language.code());
                std::fs::create_dir_all(&to).expect("a folder");
                for (file, bytes) in folder {
                    std::fs::write(to.join(file), bytes).expect("written");
                }
            }
        }
    }
}

/// What the first lines of a text must say, whatever the language: who, when, and the subject by
/// the name of its file.
#[test]
fn the_subject_is_called_by_the_name_of_its_file() {
    for sample in samples() {
        for language in LANGUAGES {
            let folder = sample.folder(language);
            let text = text(&sample, &folder);
            let (own, other) = match &sample.opening {
                Some(_) => ("subject-opening.json", "manifest.json"),
                None => ("manifest.json", "subject-opening.json"),
            };
            assert!(text.contains(own), "{} {text}", sample.name);
            assert!(!text.contains(other), "{} {text}", sample.name);
            assert!(!text.contains("lovelace"), "a printed form names the person");
        }
    }
}

#[test]
fn no_line_is_wider_than_a_terminal_but_for_what_cannot_be_broken() {
    for sample in samples() {
        for language in LANGUAGES {
            let folder = sample.folder(language);
            for line in text(&sample, &folder).lines() {
                let breakable = line.trim().contains(' ');
                let wide = textwrap_width(line);
                assert!(wide <= 96 || !breakable || line.contains("sha256"), "{wide}: {line}");
            }
        }
    }
}

/// Columns of a line, as terminals draw it.
fn textwrap_width(line: &str) -> usize {
    line.chars().map(|one| if ('\u{2e80}'..'\u{ffe7}').contains(&one) { 2 } else { 1 }).sum()
}
