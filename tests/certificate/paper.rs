//! The PDF: whole, PDF/A-3, tagged, with the signed files attached byte for byte and all its
//! letters inside.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use quietus::evidence::print::Language;

use super::samples::{Printed, Sample, printed, samples};

/// Runs a tool of poppler or qpdf; `None` where it is not there, which is said aloud.
fn tool(name: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new(name).args(arguments).output() else {
        eprintln!("NOT RUN: `{name}` is not here, so it did not look at the PDF");
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

fn each(check: impl Fn(&Sample, Language, &Path, &BTreeMap<String, Vec<u8>>)) {
    for Printed { sample, language, files } in printed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("certificate.pdf");
        std::fs::write(&path, &files["certificate.pdf"]).expect("written");
        check(sample, *language, &path, files);
    }
}

#[test]
fn it_is_whole_and_says_what_it_is() {
    each(|sample, language, path, files| {
        let path = path.to_str().expect("path");
        if let Some((good, said)) = tool("qpdf", &["--check", path]) {
            assert!(good && said.contains("No syntax or stream encoding errors"), "{said}");
        }
        if let Some((good, said)) = tool("pdfinfo", &[path]) {
            assert!(good, "{said}");
            for part in
                ["Title:", "Tagged:          yes", "Page size:       595.28 x 841.89 pts (A4)"]
            {
                assert!(said.contains(part), "{part} in {said}");
            }
        }
        // The metadata of PDF/A stands uncompressed in the file, so that archives can read it.
        let bytes = String::from_utf8_lossy(&files["certificate.pdf"]);
        for part in [
            "<pdfaid:part>3</pdfaid:part>",
            "<pdfaid:conformance>A</pdfaid:conformance>",
            "<pdfuaid:part>1</pdfuaid:part>",
            &format!("/Lang({})", language.tag()),
        ] {
            assert!(bytes.contains(part), "{}: {part}", sample.name);
        }
    });
}

#[test]
fn all_letters_are_inside() {
    each(|_, _, path, _| {
        let Some((good, said)) = tool("pdffonts", &[path.to_str().expect("path")]) else { return };
        assert!(good, "{said}");
        let fonts: Vec<&str> = said.lines().skip(2).collect();
        assert!(!fonts.is_empty(), "{said}");
        for font in fonts {
            // Embedded, a subset, with a table back to Unicode.
            assert!(font.contains(" yes yes yes "), "{font}");
        }
    });
}

#[test]
fn the_signed_files_are_attached_byte_for_byte() {
    each(|sample, _, path, files| {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().to_str().expect("path");
        let saved = tool("pdfdetach", &["-saveall", "-o", to, path.to_str().expect("path")]);
        let Some((good, said)) = saved else { return };
        assert!(good, "{said}");
        let subject =
            if sample.opening.is_some() { "subject-opening.json" } else { "manifest.json" };
        let expected = [
            "VERIFY.txt",
            "certificate.sigstore.json",
            "issuer.pub.pem",
            subject,
            "trusted_root.json",
            "verify.sh",
        ];
        let mut found: Vec<String> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        found.sort();
        let mut names = expected.map(str::to_owned);
        names.sort();
        assert_eq!(found, names);
        for name in expected {
            let attached = std::fs::read(folder.path().join(name)).expect("attached");
            assert_eq!(attached, files[name], "{name}");
        }
        let bytes = String::from_utf8_lossy(&files["certificate.pdf"]);
        for relation in
            ["/AFRelationship/Source", "/AFRelationship/Data", "/AFRelationship/Supplement"]
        {
            assert!(bytes.contains(relation), "{relation}");
        }
    });
}

#[test]
fn one_page_has_the_verdict_and_each_other_one_its_number() {
    each(|sample, language, path, _| {
        let path = path.to_str().expect("path");
        let Some((_, said)) = tool("pdfinfo", &[path]) else { return };
        let pages = said.lines().find_map(|line| line.strip_prefix("Pages:"));
        let pages: usize = pages.and_then(|text| text.trim().parse().ok()).expect("a number");
        assert!(pages >= 2, "{said}");
        for page in 1..=pages {
            let number = page.to_string();
            let Some((_, text)) =
                tool("pdftotext", &["-layout", "-f", &number, "-l", &number, path, "-"])
            else {
                return;
            };
            let foot = match language {
                Language::English => format!("Page {page} of {pages}"),
                Language::German => format!("Seite {page} von {pages}"),
                Language::Chinese => format!("第 {page} 页，共 {pages} 页"),
            };
            assert!(text.contains(&foot), "{foot}: {text}");
            let overview = match language {
                Language::English => "Overview of statements",
                Language::German => "Angaben im Überblick",
                Language::Chinese => "说明概览",
            };
            assert_eq!(text.contains(overview), page == 2, "{} {text}", sample.name);
            assert!(!text.contains("lovelace"), "a printed form names the person");
        }
    });
}

/// What no font draws is written as code points, with a note, and never dropped.
#[test]
fn characters_that_no_font_draws_are_spelt() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("certificate.pdf");
    let partial = printed().iter().find(|one| one.sample.name == "partial").expect("a sample");
    std::fs::write(&path, &partial.files["certificate.pdf"]).expect("written");
    let Some((_, text)) = tool("pdftotext", &[path.to_str().expect("path"), "-"]) else { return };
    assert!(text.contains("<U+9F98>") && text.contains("code points"), "{text}");
}

#[test]
fn the_same_certificate_gives_the_same_bytes() {
    let complete = printed().iter().find(|one| one.language == Language::Chinese).expect("one");
    let again = samples()[0].folder(Language::Chinese);
    assert_eq!(again["certificate.pdf"], complete.files["certificate.pdf"]);
}
