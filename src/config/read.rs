//! Reading trees into documents without stopping at the first problem.
//!
//! A document is a struct whose every entry may be missing; `document!` writes the struct, its
//! reader and its JSON Schema from one declaration, so that the three cannot differ. What cannot
//! be read is reported and left out; whoever uses a document goes on with the rest.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::problem::{At, Place, Problem, instead, nearest};
use super::yaml::{Content, Node};

/// What a draft writes where a person has to decide; refused everywhere.
pub const UNDECIDED: &str = "TO-DECIDE";

/// Something that can be read from a node.
pub trait Read: Sized {
    /// `null` is a value and not a forgotten one.
    const TAKES_NULL: bool = false;

    /// Reads the node, or reports why it cannot.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
}

/// Reads one file.
#[derive(Debug)]
pub struct Reader {
    file: Arc<str>,
    path: String,
    /// What was found so far.
    pub problems: Vec<Problem>,
}

/// Entries of a mapping by key, without duplicates.
pub type Keyed<'node> = Vec<(String, &'node Node, &'node Node)>;

impl Reader {
    /// A reader of this file.
    pub fn new(file: &str) -> Self {
        Self { file: file.into(), path: String::new(), problems: Vec::new() }
    }

    /// The place of a node under the present path.
    pub fn place(&self, node: &Node) -> Place {
        Place { file: self.file.clone(), span: node.span, path: self.path.as_str().into() }
    }

    /// Reports an error at a node.
    pub fn error(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::error(&self.place(node), message).help(help);
        self.problems.push(problem);
    }

    /// Runs `inner` with a longer path.
    pub fn under<T>(&mut self, step: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if !self.path.is_empty() && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        let answer = inner(self);
        self.path.truncate(length);
        answer
    }

    /// The entries of a mapping; duplicate keys and keys that are no text are reported.
    pub fn mapping<'node>(&mut self, node: &'node Node, what: &str) -> Option<Keyed<'node>> {
        let Content::Mapping(entries) = &node.content else {
            self.error(
                node,
                format!("expected {what}, found {}", node.content.kind()),
                "write `name: value` lines, indented by two spaces (`{}` for none)",
            );
            return None;
        };
        let mut keyed: Keyed<'node> = Vec::new();
        for (key, value) in entries {
            let name = match &key.content {
                Content::Text(text) | Content::Number(text) => text.clone(),
                Content::Boolean(value) => value.to_string(),
                Content::Null => "null".to_owned(),
                Content::List(_) | Content::Mapping(_) => {
                    self.error(key, "a key must be text", "write `name: value`");
                    continue;
                }
            };
            if keyed.iter().any(|(known, _, _)| *known == name) {
                self.under(&name, |reader| {
                    reader.error(
                        key,
                        format!("`{name}` stands here twice"),
                        "remove one of them or give it another name",
                    );
                });
                continue;
            }
            keyed.push((name, key, value));
        }
        Some(keyed)
    }

    /// Reports keys that are not known.
    pub fn unknown_keys(&mut self, keyed: &Keyed<'_>, known: &[&str]) {
        for (name, key, _) in keyed {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied());
                let help = near.map_or_else(
                    || instead(name, known.iter().copied()),
                    |near| format!("did you mean `{near}`?"),
                );
                self.under(name, |reader| {
                    reader.error(key, format!("unknown entry `{name}`"), help);
                });
            }
        }
    }

    /// Reads the entry `name`; a missing one is reported where `required` is set.
    pub fn entry<T: Read>(
        &mut self,
        parent: &Node,
        keyed: &Keyed<'_>,
        name: &str,
        need: Need,
    ) -> Option<At<T>> {
        let found = keyed.iter().find(|(known, _, _)| known == name);
        let Some((_, key, value)) = found else {
            if need == Need::Required {
                self.error(parent, format!("`{name}` is missing"), format!("add `{name}: …`"));
            }
            return None;
        };
        self.under(name, |reader| reader.value(key, value))
    }

    /// Reads a value; a forgotten one is reported at its key.
    pub fn value<T: Read>(&mut self, key: &Node, value: &Node) -> Option<At<T>> {
        if matches!(value.content, Content::Null) && !T::TAKES_NULL {
            self.error(key, "this has no value", "write a value after the `:` or leave it out");
            return None;
        }
        let place = self.place(value);
        T::read(value, self).map(|value| At { value, place })
    }

    /// The text of a node; numbers count as the text that is written.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.content {
            Content::Text(text) if text.trim().is_empty() => {
                self.error(node, format!("expected {what}, found empty text"), "write something");
                None
            }
            Content::Text(text) if text == UNDECIDED => {
                self.error(
                    node,
                    "nobody has decided this yet",
                    format!("a draft wrote `{UNDECIDED}` here: look at it and write {what}"),
                );
                None
            }
            Content::Text(text) | Content::Number(text) => Some(text.clone()),
            Content::Boolean(value) => {
                self.error(
                    node,
                    format!("expected {what}, found a boolean"),
                    format!("put it in quotes if you mean the word: `\"{value}\"`"),
                );
                None
            }
            other => {
                self.error(
                    node,
                    format!("expected {what}, found {}", other.kind()),
                    format!("write {what} on one line"),
                );
                None
            }
        }
    }
}

/// Whether an entry must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may be left out.
    Optional,
}

/// Writes a document: the struct, its reader and its JSON Schema.
macro_rules! document {
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@need required) => { $crate::config::read::Need::Required };
    (@need optional) => { $crate::config::read::Need::Optional };
    ($(#[doc = $doc:literal])* pub struct $name:ident {
        $($(#[doc = $field_doc:literal])* $need:ident $field:ident $(as $key:literal)?: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: Option<$crate::config::problem::At<$type>>,)*
            /// The entries that were written, readable or not.
            pub given: Vec<String>,
        }

        impl $name {
            /// Every entry that may stand here.
            pub const KEYS: &'static [&'static str] =
                &[$($crate::config::read::document!(@key $field $($key)?),)*];

            /// Whether the entry was written, readable or not.
            pub fn gives(&self, key: &str) -> bool {
                self.given.iter().any(|given| given == key)
            }

            /// Reads the entries of a mapping.
            pub fn read_mapping(
                node: &$crate::config::yaml::Node,
                reader: &mut $crate::config::read::Reader,
            ) -> Option<Self> {
                let keyed = reader.mapping(node, "a mapping")?;
                reader.unknown_keys(&keyed, Self::KEYS);
                Some(Self {
                    $($field: reader.entry(
                        node,
                        &keyed,
                        $crate::config::read::document!(@key $field $($key)?),
                        $crate::config::read::document!(@need $need),
                    ),)*
                    given: keyed.into_iter().map(|(name, _, _)| name).collect(),
                })
            }

            /// The JSON Schema of the mapping.
            pub fn mapping_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::config::read::object_schema(
                    concat!($($doc, "\n",)*),
                    vec![$((
                        $crate::config::read::document!(@key $field $($key)?),
                        concat!($($field_doc, "\n",)*),
                        $crate::config::read::document!(@need $need),
                        generator.subschema_for::<$type>(),
                    ),)*],
                )
            }
        }
    };
}

/// Makes a document readable as a mapping and nothing else.
macro_rules! plain_document {
    ($($name:ident),*) => {$(
        impl $crate::config::read::Read for $name {
            fn read(
                node: &$crate::config::yaml::Node,
                reader: &mut $crate::config::read::Reader,
            ) -> Option<Self> {
                Self::read_mapping(node, reader)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                Self::mapping_schema(generator)
            }
        }
    )*};
}

pub(crate) use {document, plain_document};

/// The closed schema of a mapping.
pub fn object_schema(doc: &str, entries: Vec<(&str, &str, Need, Schema)>) -> Schema {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (name, doc, need, mut schema) in entries {
        schema.insert("description".to_owned(), one_line(doc).into());
        properties.insert(name.to_owned(), schema.into());
        if need == Need::Required {
            required.push(serde_json::Value::from(name));
        }
    }
    let mut schema = json_schema!({
        "type": "object",
        "description": one_line(doc),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A list.
#[derive(Debug, Clone)]
pub struct List<T>(pub Vec<At<T>>);

impl<T: Read> Read for List<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Content::List(items) = &node.content else {
            reader.error(
                node,
                format!("expected a list, found {}", node.content.kind()),
                "write it as `[a, b]` or as lines that start with `- `",
            );
            return None;
        };
        let read = |(index, item): (usize, &Node)| {
            reader.under(&format!("[{index}]"), |reader| reader.value(item, item))
        };
        Some(Self(items.iter().enumerate().filter_map(read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>() })
    }
}

/// The items of a list that may be missing.
pub fn items<T>(list: Option<&At<List<T>>>) -> &[At<T>] {
    list.map_or(&[], |list| list.value.0.as_slice())
}

/// The entries of a mapping that may be missing.
pub fn entries<T>(entries: Option<&At<Entries<T>>>) -> &[Entry<T>] {
    entries.map_or(&[], |entries| entries.value.list.as_slice())
}

/// One entry of a mapping whose keys are names.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// The name and where it stands.
    pub name: At<String>,
    /// What it names.
    pub value: At<T>,
}

/// A mapping whose keys are names.
#[derive(Debug, Clone)]
pub struct Entries<T> {
    /// What could be read.
    pub list: Vec<Entry<T>>,
    /// Names whose value could not be read and was reported.
    pub broken: Vec<String>,
}

impl<T> Entries<T> {
    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&Entry<T>> {
        self.list.iter().find(|entry| entry.name.value == name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|entry| entry.name.value.as_str())
    }

    /// The name stands there, but its value could not be read.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.iter().any(|broken| broken == name)
    }
}

impl<T: Read> Read for Entries<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let keyed = reader.mapping(node, "a mapping of names")?;
        let (mut list, mut broken) = (Vec::new(), Vec::new());
        for (name, key, value) in keyed {
            let entry = reader.under(&name, |reader| {
                let value = reader.value(key, value)?;
                let place = reader.place(key);
                Some(Entry { name: At { value: name.clone(), place }, value })
            });
            if entry.is_none() {
                broken.push(name);
            }
            list.extend(entry);
        }
        Some(Self { list, broken })
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("EntriesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}
