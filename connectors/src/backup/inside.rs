//! Files of one person inside copies: everything at or below a path that names the person.
//!
//! A store whose copies keep each person's files by themselves can take these out and leave the rest
//! of each copy as it is. What a person is known by goes into the path as it stands and never widens
//! it: there are no wildcards, no value brings a `/` along, and paths match by whole components.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Stay;

/// What stands for a value in a path.
const VALUE: &str = "{}";

/// Kinds of stores that can erase inside their copies.
const KINDS: &[&str] = &["s3", "borg"];

/// Names of the kinds of stores that can erase inside their copies.
pub fn kinds_that_erase_inside() -> &'static [&'static str] {
    KINDS
}

/// Where copies keep the files of each person, such as `customers/{}/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsideFiles {
    before: String,
    after: String,
}

impl InsideFiles {
    /// Reads a path in which `{}` stands, exactly once, for what a person is known by; behind it the
    /// component ends.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some((before, after)) = text.split_once(VALUE) else {
            return Err("has no `{}`, where what a person is known by goes: `customers/{}/`");
        };
        if after.contains(VALUE) {
            return Err("has `{}` more than once: one value has to say whose files they are");
        }
        if !after.is_empty() && !after.starts_with('/') {
            return Err("goes on behind `{}`: end there or write `/`, so that `1` is never `10`");
        }
        if text.starts_with('/') {
            return Err("begins with `/`: write it as the copies have it, such as `srv/data/{}/`");
        }
        let after = after.strip_suffix('/').unwrap_or(after);
        let whole = format!("{before}{VALUE}{after}");
        let odd =
            |part: &str| part.is_empty() || part == "." || part == ".." || part.trim() != part;
        if whole.split('/').any(odd) {
            return Err(
                "has a part that is empty, `.` or `..`, or has a space at its end: write it plainly",
            );
        }
        if whole.chars().any(|one| one.is_control() || matches!(one, '*' | '?' | '[' | ']' | '\\'))
        {
            return Err("has a wildcard or a character that cannot be seen: only `{}` is replaced");
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The files of whoever is known by this value; `None` where it is empty, `.` or `..`, or has
    /// other characters than letters and digits of ASCII and `. _ @ + -`.
    pub fn of(&self, value: &str) -> Option<InsidePart> {
        let plain = |one: u8| one.is_ascii_alphanumeric() || b"._@+-".contains(&one);
        let sound = !matches!(value, "" | "." | "..") && value.bytes().all(plain);
        sound.then(|| InsidePart {
            fixed: self.before.len(),
            path: format!("{}{value}{}", self.before, self.after),
        })
    }
}

impl fmt::Display for InsideFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{VALUE}{}/", self.before, self.after)
    }
}

/// Everything at or below one person's path. Its path never prints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InsidePart {
    /// Bytes of the path in front of what names the person.
    fixed: usize,
    path: String,
}

impl fmt::Debug for InsidePart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "InsidePart({}…)", self.before())
    }
}

impl InsidePart {
    /// The path in front of what names the person.
    pub(super) fn before(&self) -> &str {
        &self.path[..self.fixed]
    }

    /// The path; it names a person.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a file is this path or stands below it.
    pub(super) fn covers(&self, file: &str) -> bool {
        let rest = file.strip_prefix(&self.path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// One copy that holds files of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsideCopy {
    /// The copy, by a name that names no person: an archive, or the version of an object.
    pub copy: String,
    /// How many files and folders of the person it holds.
    pub entries: u64,
}

/// What became of the wish to erase files of a person inside of copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsideErasure {
    /// Copies from which something went, with how much.
    pub gone: Vec<InsideCopy>,
    /// Copies that the store does not change yet, with the reason.
    pub kept: Vec<(String, Stay)>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_value_that_ends_a_component() {
        for fine in ["customers/{}/", "customers/{}", "{}", "a/c-{}/letters/", "über uns/{}"] {
            assert!(InsideFiles::parse(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "customers/",
            "{}/{}",
            "customers/{}x",
            "customers/{}.json",
            "/customers/{}",
            "a//{}",
            "a/../{}",
            "./{}",
            "{}/../",
            "a/{}//",
            "a/*/{}",
            "a?/{}",
            "[a]/{}",
            "a\\{}",
            "a\n/{}",
            " a/{}",
            "a /{}",
        ] {
            assert!(InsideFiles::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_stands_for_itself_and_nothing_else() {
        let files = InsideFiles::parse("customers/{}/").unwrap();
        let part = files.of("1").unwrap();
        for own in ["customers/1", "customers/1/", "customers/1/a", "customers/1/a/b"] {
            assert!(part.covers(own), "{own}");
        }
        for other in
            ["customers/10/a", "customers/1.", "customers/2/1/a", "a/customers/1", "customers"]
        {
            assert!(!part.covers(other), "{other}");
        }
        for wrong in ["", ".", "..", "1/2", "*", "1 ", "ä", "a\0", "{}", "%2f", "a:b", "~", "\n"] {
            assert_eq!(files.of(wrong), None, "{wrong:?}");
        }
        assert!(!format!("{:?}", files.of("alan@mail.example")).contains("alan"));
        assert_eq!(files.to_string(), "customers/{}/");
    }

    proptest! {
        #[test]
        fn no_value_reaches_the_files_of_another(one in ".{0,12}", other in "[a-z0-9._@+-]{1,12}") {
            let files = InsideFiles::parse("customers/{}/letters").unwrap();
            if let (Some(one_part), Some(other_part)) = (files.of(&one), files.of(&other)) {
                prop_assert_eq!(one_part.covers(&format!("{}/a", other_part.path())), one == other);
            }
        }
    }
}
