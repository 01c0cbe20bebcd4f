//! The certificate as one HTML page that asks nothing of the network.
//!
//! All values are escaped by the template. The signed files are inside the page as downloads, byte
//! for byte. One small script checks them with the browser's own cryptography and says what it did
//! not check; the page names the script by its SHA-256, so that no other runs in it. Without
//! scripts the page says that it did not check itself.

use std::fmt::Write as _;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::link::{QUIET, Squares, squares};
use super::sheet::{Sheet, Tone};
use super::words::Words;
use super::{Language, Printing};
use crate::domain::Digest;

const SCRIPT: &str = include_str!("templates/certificate.js");
const STYLE: &str = include_str!("templates/certificate.css");

/// A file inside the page.
struct EmbeddedFile<'a> {
    name: &'a str,
    base64: String,
    size: String,
}

#[derive(Template)]
#[template(path = "certificate.html", config = "src/evidence/askama.toml")]
struct Page<'a> {
    tag: &'static str,
    sheet: &'a Sheet,
    words: &'static Words,
    icon: &'static str,
    translated: bool,
    code: Option<Code>,
    files: Vec<EmbeddedFile<'a>>,
    /// What the script says, as JSON without `<`.
    texts: String,
    script: &'static str,
    style: &'static str,
    policy: String,
}

/// The link as a drawing.
struct Code {
    link: String,
    side: usize,
    path: String,
}

impl Code {
    fn of(link: &str) -> Option<Self> {
        let Squares { side, runs } = squares(link)?;
        let mut path = String::new();
        for (column, row, length) in runs {
            let (column, row) = (column + QUIET, row + QUIET);
            // Memory takes everything.
            write!(path, "M{column} {row}h{length}v1h-{length}z").unwrap_or_default();
        }
        Some(Self { link: link.to_owned(), side: side + 2 * QUIET, path })
    }
}

/// The content security policy of every page: its own script and style by their SHA-256, and
/// nothing from anywhere.
pub fn policy() -> String {
    let sha256 = |text: &str| STANDARD.encode(Digest::of(text.as_bytes()).0);
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        sha256(SCRIPT),
        sha256(STYLE)
    )
}

/// The sign of a verdict as a path in a box of 24: it differs in shape, not in colour only.
fn icon(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "M4.5 12.5l5 5 10-11",
        Tone::Mixed => "M12 3L2.5 20h19zM12 9.5v5M12 17.2v.3",
        Tone::Bad => "M5.5 5.5l13 13M18.5 5.5l-13 13",
        Tone::Past => "M12 3a9 9 0 1 0 .01 0M12 7v5l3.5 2",
    }
}

/// Prints the sheet with the files embedded, each by name and content.
///
/// # Errors
/// Where the template cannot be written, which needs memory to run out.
pub fn print_html(
    sheet: &Sheet,
    printing: &Printing,
    files: &[(&str, &[u8])],
) -> Result<String, askama::Error> {
    let language = printing.language;
    let words = Words::of(language);
    let files = files.iter().map(|(name, bytes)| EmbeddedFile {
        name,
        base64: STANDARD.encode(bytes),
        size: language.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
    });
    let page = Page {
        tag: language.tag(),
        sheet,
        words,
        icon: icon(sheet.verdict.tone),
        translated: language != Language::English,
        code: sheet.link.as_deref().and_then(Code::of),
        files: files.collect(),
        texts: texts(words, sheet),
        script: SCRIPT,
        style: STYLE,
        policy: policy(),
    };
    page.render()
}

/// Everything that the script says, by its keys there.
fn texts(words: &Words, sheet: &Sheet) -> String {
    let time = if sheet.stamped { words.mean_time_there } else { words.mean_time };
    let witnesses = if sheet.witnessed { words.mean_witnesses_there } else { words.mean_witnesses };
    let texts = json!({
        "running": words.check_running,
        "overall": {
            "PASS": words.check_pass, "FAIL": words.check_fail, "NOT CHECKED": words.check_unable,
        },
        "findings": {
            "PASS": words.finding_pass, "FAIL": words.finding_fail,
            "NOT CHECKED": words.finding_unchecked,
        },
        "steps": {
            "signature": words.step_signature, "leaf": words.step_leaf,
            "inclusion": words.step_inclusion, "root": words.step_root,
            "checkpoint": words.step_checkpoint, "subject": words.step_subject,
            "keys": words.step_keys, "time": words.step_time, "status": words.step_status,
            "witnesses": words.step_witnesses, "link": words.step_link,
        },
        "meanings": {
            "signature": {"PASS": words.mean_signature_pass, "FAIL": words.mean_signature_fail},
            "leaf": {"PASS": words.mean_leaf_pass, "FAIL": words.mean_leaf_fail},
            "inclusion": {"PASS": words.mean_inclusion_pass, "FAIL": words.mean_inclusion_fail},
            "root": {"PASS": words.mean_root_pass, "FAIL": words.mean_root_fail},
            "checkpoint": {
                "PASS": words.mean_checkpoint_pass, "FAIL": words.mean_checkpoint_fail,
                "NOT CHECKED": words.mean_checkpoint_unknown,
            },
            "subject": {
                "PASS": words.mean_subject_pass, "FAIL": words.mean_subject_fail,
                "NOT CHECKED": words.mean_subject_unknown,
            },
            "link": {"PASS": words.mean_link_pass, "FAIL": words.mean_link_fail},
            "keys": {"NOT CHECKED": words.mean_keys},
            "time": {"NOT CHECKED": time},
            "status": {"NOT CHECKED": words.mean_status},
            "witnesses": {"NOT CHECKED": witnesses},
        },
        "unreadable": words.mean_unreadable,
    });
    // In a script element nothing is escaped, and `</script` would end it.
    texts.to_string().replace('<', "\\u003c")
}
