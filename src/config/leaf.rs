//! Single values: names, words, periods, days, times, zones, numbers and references to secrets.

use std::borrow::Cow;
use std::path::PathBuf;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::problem::{Problem, instead};
use super::read::{Read, Reader};
use super::yaml::{Content, Node};
use crate::datamap::SecretReference;
use crate::domain::remark::MOST_CHARACTERS;
use crate::domain::{
    CategoryName, CollectionName, Remark, RemarkError, RetentionPeriod, RuleName, ScheduleName,
    SystemName,
};
use crate::schedule::Condition;

/// A type that is read from one line of text.
macro_rules! leaf {
    ($type:ty, $name:expr, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// Text that is not empty.
#[derive(Debug, Clone)]
pub struct Words(pub String);

leaf!(Words, "Words", { "type": ["string", "number"], "pattern": "\\S" });

impl Read for Words {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        reader.text(node, "text").map(Self)
    }
}

leaf!(Remark, "Remark", { "type": ["string", "number"], "pattern": "\\S", "maxLength": MOST_CHARACTERS });

impl Read for Remark {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a name or a role")?;
        match Self::parse(&text) {
            Ok(remark) => Some(remark),
            Err(error) => {
                let message = match error {
                    RemarkError::Personal(identifier) => format!("this looks like {identifier}"),
                    other => format!("this name {other}"),
                };
                let place = reader.place(node);
                // The line is not shown: it may say how to reach a person.
                reader.problems.push(
                    Problem::error(&place, message)
                        .help("evidence shows who acted: write a name or a role, such as `night-shift`")
                        .secret(),
                );
                None
            }
        }
    }
}

// The names bring their schemas along.
macro_rules! named {
    ($($type:ty, $what:literal;)*) => {$(
        impl Read for $type {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                let text = reader.text(node, $what)?;
                match Self::parse(&text) {
                    Ok(name) => Some(name),
                    Err(_) => {
                        reader.error(
                            node,
                            format!("`{text}` is not {}", $what),
                            "write 1 to 100 letters, digits, `.`, `_` or `-`, a letter or digit first",
                        );
                        None
                    }
                }
            }
        }
    )*};
}

named! {
    SystemName, "the name of a system";
    CollectionName, "the name of a collection";
    CategoryName, "the name of a category";
    RuleName, "the name of a rule";
    ScheduleName, "the name of a schedule";
}

leaf!(RetentionPeriod, "Period", {
    "type": "string",
    "pattern": "^P(?=.)([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
    "examples": ["P90D", "P6M", "P8Y"],
});

impl Read for RetentionPeriod {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a period such as `P90D`")?;
        match Self::parse(&text) {
            Ok(period) => Some(period),
            Err(error) => {
                reader.error(node, format!("`{text}` is no period"), error.why);
                None
            }
        }
    }
}

leaf!(Condition, "Condition", {
    "type": "string",
    "maxLength": 4096,
    "examples": ["country = \"DE\" and not (status in [\"open\", \"new\"])"],
});

impl Read for Condition {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a condition")?;
        match Self::parse(&text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                let mut place = reader.place(node);
                let inside = text.chars().take(error.column.saturating_sub(1));
                let one_line = node.span.length >= text.len() && !text.contains('\n');
                if one_line {
                    // Quotes around the text push its beginning by one.
                    let quote = usize::from(node.span.length > text.len());
                    let characters = inside.clone().count() + quote;
                    place.span.offset += inside.map(char::len_utf8).sum::<usize>() + quote;
                    place.span.column += u32::try_from(characters).unwrap_or_default();
                    place.span.length = error.length;
                }
                reader.problems.push(Problem::error(&place, error.message).help(error.help));
                None
            }
        }
    }
}

/// An IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub String);

leaf!(Zone, "Zone", { "type": "string", "examples": ["Europe/Berlin", "Asia/Shanghai", "UTC"] });

impl Read for Zone {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a time zone such as `Europe/Berlin`")?;
        // An offset is no zone: it does not know when the clock changes.
        let named = text == "UTC" || text.contains('/');
        if named && TimeZone::get(&text).is_ok() {
            return Some(Self(text));
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let near = super::problem::nearest(&text, known.iter().map(String::as_str));
        let help = near.map_or_else(
            || {
                "write a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        reader.error(node, format!("unknown time zone `{text}`"), help);
        None
    }
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub Date);

leaf!(Day, "Day", { "type": "string", "format": "date", "examples": ["2026-12-24"] });

impl Read for Day {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a day such as `2026-12-24`")?;
        let exact = text.len() == 10;
        let day = text.parse().ok().filter(|_| exact).map(Self);
        if day.is_none() {
            let help = "write year, month and day, such as `2026-12-24`";
            reader.error(node, format!("`{text}` is no day"), help);
        }
        day
    }
}

/// A time window of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub Time, pub Time);

leaf!(Window, "Window", {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
    "examples": ["22:00-05:00"],
});

impl Read for Window {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a window such as `22:00-05:00`")?;
        let parsed = text.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
        let Some((from, to)) = parsed else {
            reader.error(
                node,
                format!("`{text}` is no window"),
                "write two times of day, such as `22:00-05:00` (it may pass midnight)",
            );
            return None;
        };
        if from == to {
            reader.error(
                node,
                format!("the window `{text}` never opens"),
                "leave `windows` out to start at any time, or write a later end",
            );
            return None;
        }
        Some(Self(from, to))
    }
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|one| one.is_ascii_digit());
        digits.parse::<i8>().ok().filter(|_| plain)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// A whole number that is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u64);

leaf!(Count, "Count", { "type": "integer", "minimum": 1 });

impl Read for Count {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Content::Number(text) = &node.content
            && let Ok(number @ 1..) = text.replace('_', "").parse()
        {
            return Some(Self(number));
        }
        let found = match &node.content {
            Content::Number(text) | Content::Text(text) => format!("`{text}`"),
            other => other.kind().to_owned(),
        };
        reader.error(
            node,
            format!("expected a whole number of at least 1, found {found}"),
            "write digits without a unit",
        );
        None
    }
}

/// Where a secret is found: `env:NAME`, `file:PATH`, or a URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(pub SecretReference);

leaf!(Reference, "Reference", {
    "type": "string",
    "examples": ["env:CRM_URL", "file:secrets/crm-url", "sqlite:data/crm.db"],
});

/// Why a text is no reference; it never repeats the text.
pub fn parse_reference(text: &str) -> Result<SecretReference, (&'static str, &'static str)> {
    if let Some(name) = text.strip_prefix("env:") {
        let fits =
            name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
        return if fits {
            Ok(SecretReference::Environment(name.to_owned()))
        } else {
            Err((
                "no environment variable has such a name",
                "write `env:` and letters, digits or `_`",
            ))
        };
    }
    if let Some(path) = text.strip_prefix("file:") {
        return if path.is_empty() || path.starts_with("//") {
            Err((
                "no file is named here",
                "write `file:` and a path, such as `file:secrets/crm-url`",
            ))
        } else {
            Ok(SecretReference::File(PathBuf::from(path)))
        };
    }
    let lower = text.to_lowercase();
    let scheme = lower.split(':').next().unwrap_or_default();
    if !lower.contains(':') || scheme.is_empty() {
        return Err((
            "this says neither where a secret is found nor a URL",
            "write `env:NAME`, `file:PATH` or `sqlite:PATH`",
        ));
    }
    if text.contains('@') || lower.contains("password=") || lower.contains("secret=") {
        return Err((
            "a URL with credentials stands here in plain",
            "put the URL in an environment variable and write `env:NAME`, or in a file that only its owner may read and write `file:PATH`; then change the password, it has been in this file",
        ));
    }
    Ok(SecretReference::Plain(text.to_owned()))
}

impl Read for Reference {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "`env:NAME`, `file:PATH` or a URL without credentials")?;
        match parse_reference(&text) {
            Ok(reference) => Some(Self(reference)),
            Err((message, help)) => {
                let place = reader.place(node);
                reader.problems.push(Problem::error(&place, message).help(help).secret());
                None
            }
        }
    }
}

/// Closed lists of words.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident($type:ty) { $($word:literal => $value:expr,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $type);

        leaf!($name, (stringify!($name)), { "type": "string", "enum": [$($word),*] });

        impl Read for $name {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                let known = [$($word),*];
                let text = reader.text(node, "one of the known words")?;
                match text.as_str() {
                    $($word => Some(Self($value)),)*
                    _ => {
                        reader.error(node, format!("unknown word `{text}`"), instead(&text, known));
                        None
                    }
                }
            }
        }
    )*};
}

mod word {
    pub use crate::datamap::{Expire, Manifest, Role};
    pub use crate::domain::Rounding;
    pub use crate::schedule::{Action, Missed};
    pub use quietus_connectors::{FieldType, LinkKind, PartitionPolicy, Stored};
}
use word::{
    Action, Expire, FieldType, LinkKind, Manifest, Missed, PartitionPolicy, Role, Rounding, Stored,
};

words! {
    /// What a system is for.
    RoleWord(Role) {
        "database" => Role::Database, "backup" => Role::Backup, "processor" => Role::Processor,
        "files" => Role::Files, "queue" => Role::Queue,
    }
    /// Who removes copies whose time is over.
    ExpireWord(Expire) { "by_store" => Expire::ByStore, "by_quietus" => Expire::ByQuietus, }
    /// Type of a field.
    TypeWord(FieldType) {
        "text" => FieldType::Text, "integer" => FieldType::Integer,
        "decimal" => FieldType::Decimal, "float" => FieldType::Float,
        "boolean" => FieldType::Boolean, "timestamp" => FieldType::Timestamp,
        "date" => FieldType::Date, "uuid" => FieldType::Uuid, "binary" => FieldType::Binary,
        "json" => FieldType::Json, "address" => FieldType::Address, "other" => FieldType::Other,
    }
    /// How moments and days are kept.
    StoredWord(Stored) {
        "native" => Stored::Native, "epoch_seconds" => Stored::EpochSeconds,
        "epoch_milliseconds" => Stored::EpochMilliseconds,
        "epoch_microseconds" => Stored::EpochMicroseconds,
    }
    /// Whether capitals count where a field is compared with what a person is known by.
    CompareWord(bool) { "exact" => false, "ignore_case" => true, }
    /// How a link behaves when its parent goes.
    LinkWord(LinkKind) {
        "deep" => LinkKind::Deep, "shallow" => LinkKind::Shallow, "shared" => LinkKind::Shared,
    }
    /// What may be done with partitions.
    PartitionWord(PartitionPolicy) {
        "records" => PartitionPolicy::Records, "drop" => PartitionPolicy::Drop,
    }
    /// Of what deletions of a collection keep a manifest.
    ManifestWord(Manifest) { "none" => Manifest::None, "records" => Manifest::Records, }
    /// What a rule does.
    ActionWord(Action) {
        "erase" => Action::Erase, "anonymise" => Action::Anonymise, "restrict" => Action::Restrict,
    }
    /// How the end of a period is rounded up.
    RoundWord(Rounding) {
        "none" => Rounding::None, "end_of_month" => Rounding::EndOfMonth,
        "end_of_calendar_year" => Rounding::EndOfCalendarYear,
    }
    /// What happens to occurrences that were missed.
    MissedWord(Missed) { "latest" => Missed::Latest, "skip" => Missed::Skip, }
}
pub(crate) use {leaf, words};
