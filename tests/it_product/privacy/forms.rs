//! The forms in which an identifier may turn up, and the search for them.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::company::database::Database;

/// One way to write an identifier, in bytes.
pub struct Form {
    pub needle: String,
    pub how: &'static str,
    pub bytes: Vec<u8>,
}

fn hexadecimal(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// Base64 of a text that stands anywhere inside a longer one: without the characters at either end
/// that its neighbours decide about.
fn base64_inside(bytes: &[u8], engine: &impl base64::Engine) -> Vec<Vec<u8>> {
    (0..3)
        .map(|before| {
            let mut padded = vec![0; before];
            padded.extend(bytes);
            let encoded = engine.encode(&padded);
            let first = (before * 8).div_ceil(6);
            let last = (before + bytes.len()) * 8 / 6;
            encoded.as_bytes()[first..last].to_vec()
        })
        .collect()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|one| {
            if one.is_ascii_alphanumeric() || b"-._~".contains(&one) {
                char::from(one).to_string()
            } else {
                format!("%{one:02X}")
            }
        })
        .collect()
}

/// Every form of an identifier. `md5` comes from a database server, which knows it.
pub async fn of(needle: &str, server: &Database) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |how, bytes: Vec<u8>| {
        forms.push(Form { needle: needle.to_owned(), how, bytes });
    };
    let raw = needle.as_bytes();
    add("as it is", raw.to_vec());
    add("in capitals", needle.to_uppercase().into_bytes());
    add("in small letters", needle.to_lowercase().into_bytes());
    add("in UTF-16", needle.encode_utf16().flat_map(u16::to_le_bytes).collect());
    add("percent-encoded", percent(needle).into_bytes());
    let mut encodings = |how: [&'static str; 4], bytes: &[u8]| {
        add(how[0], hexadecimal(bytes).into_bytes());
        add(how[1], hexadecimal(bytes).to_uppercase().into_bytes());
        for encoded in base64_inside(bytes, &STANDARD) {
            // Hexadecimal digits of it are what a dump of a binary column shows.
            add(how[3], hexadecimal(&encoded).into_bytes());
            add(how[2], encoded);
        }
        for encoded in base64_inside(bytes, &URL_SAFE) {
            add(how[2], encoded);
        }
    };
    encodings(["hexadecimal", "HEXADECIMAL", "base64", "base64 in hexadecimal"], raw);
    for algorithm in [&SHA256, &SHA384, &SHA512, &SHA1_FOR_LEGACY_USE_ONLY] {
        let hash = digest(algorithm, raw);
        encodings(
            [
                "hash, hexadecimal",
                "hash, HEXADECIMAL",
                "hash, base64",
                "hash, base64 in hexadecimal",
            ],
            hash.as_ref(),
        );
    }
    let md5 = server.rows(&format!("SELECT md5('{needle}')")).await.remove(0);
    add("md5", md5.to_uppercase().into_bytes());
    add("md5", md5.into_bytes());
    for algorithm in [&SHA256, &SHA1_FOR_LEGACY_USE_ONLY] {
        add("raw hash", digest(algorithm, raw).as_ref().to_vec());
    }
    if let Ok(number) = needle.parse::<i64>() {
        add("eight bytes, big end first", number.to_be_bytes().to_vec());
        add("eight bytes, little end first", number.to_le_bytes().to_vec());
        add("six bytes, as SQLite keeps it", number.to_be_bytes()[2..].to_vec());
        add("hexadecimal number", format!("{number:x}").into_bytes());
    }
    forms
}

/// Finds many forms in one pass: by their first bytes, then by all of them.
pub struct Finder<'f> {
    by_beginning: HashMap<[u8; BEGINNING], Vec<&'f Form>>,
    /// Whether any form begins with these two bytes: most places of a large file are passed by.
    begins: Vec<bool>,
}

fn first_two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// Every form is at least so long.
const BEGINNING: usize = 4;

impl<'f> Finder<'f> {
    pub fn new(forms: &'f [Form]) -> Self {
        let mut by_beginning: HashMap<_, Vec<&Form>> = HashMap::new();
        let mut begins = vec![false; 1 << 16];
        for form in forms {
            let beginning = form.bytes.first_chunk().expect("a form of four bytes");
            by_beginning.entry(*beginning).or_default().push(form);
            begins[first_two(beginning)] = true;
        }
        Self { by_beginning, begins }
    }

    pub fn find(&self, bytes: &[u8]) -> impl Iterator<Item = &'f Form> {
        let places = bytes.windows(BEGINNING).enumerate();
        let places = places.filter(|(_, window)| self.begins[first_two(window)]);
        places.flat_map(move |(at, window)| {
            let beginning: [u8; BEGINNING] = window.try_into().expect("a window of that size");
            let candidates = self.by_beginning.get(&beginning).into_iter().flatten();
            candidates.copied().filter(move |form| bytes[at..].starts_with(&form.bytes))
        })
    }
}

#[test]
fn forms_inside_longer_texts_are_found() {
    let needle = b"918273645546";
    for before in ["", "a", "ab", "abc", "abcd"] {
        let text = format!("{before}918273645546 and more");
        let encoded = STANDARD.encode(text);
        let forms: Vec<Form> = base64_inside(needle, &STANDARD)
            .into_iter()
            .map(|bytes| Form { needle: String::new(), how: "", bytes })
            .collect();
        assert_eq!(Finder::new(&forms).find(encoded.as_bytes()).count(), 1, "{encoded}");
        assert_eq!(Finder::new(&forms).find(b"something else").count(), 0);
    }
}
