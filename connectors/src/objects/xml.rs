//! XML as object stores speak it: elements with text in them, no attributes, no definitions.

use quick_xml::XmlVersion;
use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// Deepest nesting that is read.
const MOST_DEPTH: usize = 12;
/// Most elements of one answer; a page of a thousand entries has some twenty thousand.
const MOST_ELEMENTS: usize = 200_000;

/// An element, without its namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name.
    pub name: String,
    /// The text that is directly in it.
    pub text: String,
    /// The elements in it, in their order.
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a document whose outermost element has this name; `None` for anything else.
    pub(super) fn parse(bytes: &[u8], name: &str) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        read(text).filter(|root| root.name == name)
    }

    /// The elements of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |one| one.name == name)
    }

    /// The element of a name, if there is exactly one.
    pub(super) fn one(&self, name: &str) -> Option<&Self> {
        let mut all = self.children.iter().filter(|one| one.name == name);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// The text of the one element of a name, without space around it.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.one(name).map(|one| one.text.trim())
    }
}

fn read(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                count += 1;
                if count > MOST_ELEMENTS || open.len() >= MOST_DEPTH || root.is_some() {
                    return None;
                }
                open.push(named(start.local_name().into_inner()));
            }
            Event::Empty(start) => {
                count += 1;
                if count > MOST_ELEMENTS || root.is_some() {
                    return None;
                }
                close(named(start.local_name().into_inner()), &mut open, &mut root);
            }
            Event::End(_) => close(open.pop()?, &mut open, &mut root),
            Event::Text(text) => {
                let text = text.xml_content(XmlVersion::Implicit1_0);
                add(&text, &mut open)?;
            }
            Event::CData(text) => add(&text.into_inner(), &mut open)?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok()?;
                match character {
                    Some(character) => add(character.encode_utf8(&mut [0; 4]), &mut open)?,
                    None => add(resolve_xml_entity(&reference)?, &mut open)?,
                }
            }
            // Whoever defines entities wants more than to answer.
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()),
        }
    }
}

fn named(name: &str) -> Element {
    Element { name: name.to_owned(), ..Element::default() }
}

fn add(text: &str, open: &mut [Element]) -> Option<()> {
    match open.last_mut() {
        Some(last) => last.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

/// Text as it stands in an element; `None` where XML 1.0 cannot say it.
pub(super) fn written(text: &str) -> Option<String> {
    let said = |one: char| !one.is_control() || matches!(one, '\t' | '\n');
    let sayable = text.chars().all(|one| said(one) && !matches!(one, '\u{fffe}' | '\u{ffff}'));
    sayable.then(|| escape(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_with_their_text() {
        let text =
            "<?xml version=\"1.0\"?>\n<a xmlns=\"urn:x\"><b>1 &lt; 2&#x41;</b><c/><b>z</b></a>\n";
        let root = Element::parse(text.as_bytes(), "a").unwrap();
        let words: Vec<&str> = root.all("b").map(|one| one.text.as_str()).collect();
        assert_eq!(words, ["1 < 2A", "z"]);
        assert_eq!((root.word("c"), root.word("b"), root.word("d")), (Some(""), None, None));
    }

    #[test]
    fn nonsense_is_no_document() {
        let deep = format!("{}{}", "<a>".repeat(20), "</a>".repeat(20));
        let entity = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        for text in ["", "{}", "<a>", "<b/>", "<a/><a/>", "<a/>b", "<a>&b;</a>", entity, &deep] {
            assert_eq!(Element::parse(text.as_bytes(), "a"), None, "{text}");
        }
        assert_eq!(Element::parse(b"<a>\xff</a>", "a"), None);
    }

    #[test]
    fn what_xml_cannot_say_is_not_written() {
        assert_eq!(written("a&b<c>\"").unwrap(), "a&amp;b&lt;c&gt;&quot;");
        assert_eq!(written("a\u{1}b"), None);
    }
}
