//! YAML as a tree in which every node knows its place.
//!
//! The only module that names the YAML library. It knows nothing of the languages: a tree is read
//! as a whole, so that one bad value never hides another. Booleans are `true` and `false` only,
//! duplicate keys are kept for the reader to report, and size, depth and aliases are bounded.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

/// A file may not be larger than this.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Where a node stands in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// First byte.
    pub offset: usize,
    /// Length in bytes; zero for mappings and lists.
    pub length: usize,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// What stands there.
    pub content: Content,
    /// Where.
    pub span: Span,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number, as it is written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, duplicate keys included.
    Mapping(Vec<(Node, Node)>),
}

impl Content {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

/// Reads one document; `None` for a text that holds none (only comments).
///
/// # Errors
/// Where the text is no YAML, is larger than [`MOST_BYTES`] or nests too deeply.
pub fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    if text.len() > MOST_BYTES {
        return Err(YamlError {
            span: Span { line: 1, column: 1, offset: 0, length: 0 },
            message: format!("the file is larger than {MOST_BYTES} bytes"),
            help: "split it into several files",
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 24,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Option<Node>>(text, options) {
        Ok(None) => Ok(None),
        Ok(Some(mut node)) => {
            spell(&mut node, text);
            Ok(Some(node))
        }
        Err(error) => {
            let error = error.without_snippet();
            let (message, help) = plain_words(&error.to_string());
            let span = error.location().map(|location| span_of(&location)).unwrap_or_default();
            Err(YamlError { span, message, help })
        }
    }
}

/// What is wrong and what to do, of the library's message: its words for our bounds mean nothing to
/// those who write the files.
fn plain_words(message: &str) -> (String, &'static str) {
    const DEEP: (&str, &str) = (
        "this is nested too deeply",
        "write it flat: no file of quietus needs more than 24 levels",
    );
    const BOUNDS: [(&str, (&str, &str)); 5] = [
        (
            "breached: Documents",
            (
                "a second document begins here with `---`",
                "write one document a file, and put the other into a file of its own",
            ),
        ),
        ("breached: Depth", DEEP),
        ("recursion limit", DEEP),
        (
            "recursive references",
            ("this alias (`*name`) stands inside of what it repeats", "write out what is meant"),
        ),
        ("breached", ("this repeats or holds more than a file may", "split it into several files")),
    ];
    match BOUNDS.iter().find(|(words, _)| message.contains(words)) {
        Some((_, (what, help))) => ((*what).to_owned(), help),
        None => (
            plain_message(message),
            "check indentation (two spaces a level, no tabs), brackets and quotes around here",
        ),
    }
}

/// The library's message without the place, which is told apart.
fn plain_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let first = first.split(" at line ").next().unwrap_or(first);
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = first
        .split_once(": ")
        .map_or(first, |(start, rest)| if start.starts_with("line ") { rest } else { first });
    format!("this is no YAML: {}", first.trim_end_matches('.'))
}

/// Numbers as they are written: `1.10` is not `1.1`.
fn spell(node: &mut Node, text: &str) {
    match &mut node.content {
        Content::Number(number) => {
            let written = text.get(node.span.offset..node.span.offset + node.span.length);
            if let Some(written) = written.map(str::trim).filter(|written| !written.is_empty()) {
                written.clone_into(number);
            }
        }
        Content::List(items) => items.iter_mut().for_each(|item| spell(item, text)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                spell(key, text);
                spell(value, text);
            }
        }
        Content::Null | Content::Boolean(_) | Content::Text(_) => {}
    }
}

fn span_of(location: &Location) -> Span {
    let span = location.span();
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let size = |value: Option<u64>| value.and_then(|size| usize::try_from(size).ok());
    Span {
        line: number(location.line()),
        column: number(location.column()),
        offset: size(span.byte_offset()).unwrap_or_default(),
        length: size(span.byte_len()).unwrap_or_default(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { content: spanned.value, span: span_of(&spanned.referenced) })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Content::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mapping(text: &str) -> Vec<(Node, Node)> {
        match parse(text).unwrap().unwrap().content {
            Content::Mapping(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_keep_their_spelling_and_words_stay_words() {
        let entries = mapping("version: 1.10\nanswer: no\nzip: 01099\nat: 2025-01-01\nyes: true\n");
        let kinds: Vec<String> =
            entries.iter().map(|(_, value)| format!("{:?}", value.content)).collect();
        assert_eq!(
            kinds,
            [
                "Number(\"1.10\")",
                "Text(\"no\")",
                "Number(\"01099\")",
                "Text(\"2025-01-01\")",
                "Boolean(true)"
            ]
        );
    }

    #[test]
    fn places_are_those_of_the_file() {
        let entries = mapping("über: 1\nlist:\n  - a\n  - \"b\"\n");
        let Content::List(items) = &entries[1].1.content else { panic!() };
        assert_eq!((items[1].span.line, items[1].span.column), (4, 5));
        assert_eq!(entries[0].1.span.column, 7);
        assert_eq!(entries[0].1.span.offset, 7);
    }

    #[test]
    fn duplicate_keys_are_kept_for_the_reader() {
        assert_eq!(mapping("a: 1\na: 2\n").len(), 2);
    }

    #[test]
    fn nothing_but_comments_is_nothing() {
        assert!(parse("# nothing\n").unwrap().is_none());
        assert!(parse("").unwrap().is_none());
    }

    #[test]
    fn broken_text_says_where() {
        let error = parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert!(error.span.line >= 1, "{error:?}");
        assert!(error.message.starts_with("this is no YAML: "), "{error:?}");
        let deep = "[".repeat(5_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn bounds_are_told_in_words_of_ours() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let (deep, deeper) = (nested(100), nested(5_000));
        for (text, message) in [
            ("a: 1\n---\nb: 2\n", "a second document"),
            ("a: &a [*a]\n", "this alias"),
            (&deep, "nested too deeply"),
            (&deeper, "nested too deeply"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(message), "{error:?}");
            assert!(!error.message.contains("udget"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}") {
            drop(parse(&text));
        }

        #[test]
        fn never_panics_on_yaml_like_text(text in "[-a-c:\\[\\]{}&*!|>'\"%@,?#\n ~<01.]{0,120}") {
            drop(parse(&text));
        }
    }
}
