//! What people read of a certificate, in three languages.
//!
//! `QUIETUS_PRINTED_TO` names a folder that gets everything, to be looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quietus::domain::Digest;

use super::claims::{snapshot, with_names};
use super::samples::{Printed, printed};

fn text(one: &Printed) -> String {
    let text = String::from_utf8(one.files["certificate.txt"].clone()).expect("text");
    let statement = Digest::of(&one.sample.issued.read.envelope.payload);
    let link = URL_SAFE_NO_PAD.encode(statement.0);
    with_names(&text, &one.sample.issued).replace(&link, "<sha256 of the statement>")
}

#[test]
fn every_text_is_what_people_expect() {
    for one in printed() {
        let (name, code) = (one.sample.name, one.language.code());
        if let Some(to) = std::env::var_os("QUIETUS_PRINTED_TO") {
            let to = std::path::Path::new(&to).join(name).join(code);
            std::fs::create_dir_all(&to).expect("a folder");
            for (file, bytes) in &one.files {
                std::fs::write(to.join(file), bytes).expect("written");
            }
        }
        snapshot(&format!("printed_{name}_{code}"), &text(one));
    }
}

#[test]
fn the_subject_is_called_by_the_name_of_its_file() {
    for one in printed() {
        let text = text(one);
        let (own, other) = match &one.sample.opening {
            Some(_) => ("subject-opening.json", "manifest.json"),
            None => ("manifest.json", "subject-opening.json"),
        };
        assert!(text.contains(own), "{text}");
        assert!(!text.contains(other), "{text}");
        assert!(!text.contains("lovelace"), "a printed form names the person");
    }
}

#[test]
fn no_line_is_wider_than_a_terminal_but_for_what_cannot_be_broken() {
    for one in printed() {
        for line in text(one).lines() {
            // Places of statements have a line of their own, whatever their length.
            let place = line.contains(" / ") || line.trim().split(' ').count() == 1;
            let wide = columns(line);
            assert!(wide <= 96 || place || line.contains("<sha256"), "{wide}: {line}");
        }
    }
}

/// Columns of a line, as terminals draw it.
fn columns(line: &str) -> usize {
    line.chars().map(|one| if ('\u{2e80}'..'\u{ffe7}').contains(&one) { 2 } else { 1 }).sum()
}
