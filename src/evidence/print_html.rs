//! The certificate as one HTML page that asks nothing of the network and runs no script.
//!
//! All values are escaped by the template. The signed files are inside the page as downloads, byte
//! for byte.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sheet::{COUNT_HEADINGS, NO_WEIGHT, Sheet};

/// A file inside the page.
struct EmbeddedFile {
    name: &'static str,
    base64: String,
}

#[derive(Template)]
#[template(path = "certificate.html", config = "src/evidence/askama.toml")]
struct Page<'a> {
    id: &'a str,
    sheet: &'a Sheet,
    no_weight: &'static str,
    headings: [&'static str; 7],
    files: Vec<EmbeddedFile>,
}

/// Prints the sheet with the files embedded, each by name and content.
///
/// # Errors
/// Where the template cannot be written, which needs memory to run out.
pub fn print_html(
    id: &str,
    sheet: &Sheet,
    files: &[(&'static str, &[u8])],
) -> Result<String, askama::Error> {
    let files = files
        .iter()
        .map(|(name, bytes)| EmbeddedFile { name, base64: STANDARD.encode(bytes) })
        .collect();
    Page { id, sheet, no_weight: NO_WEIGHT, headings: COUNT_HEADINGS, files }.render()
}
