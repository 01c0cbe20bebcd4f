//! What a value looks like, in a language that cannot be slow: a shape reads each character once.

use serde::Deserialize;

/// What a value looks like. Every shape is bounded and refuses control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// A mail address: something, one `@`, something with a dot; at most 254 bytes.
    Email,
    /// A telephone number in international form: `+` and 7 to 15 digits.
    Phone,
    /// A host's name: letters, digits, `-` and `.`.
    Host,
    /// One part of a host's name: letters, digits and `-`.
    Label,
    /// Anything else.
    Text {
        /// How it starts.
        #[serde(default)]
        starts: Vec<String>,
        /// Which characters it may have, after its start.
        #[serde(default)]
        characters: Characters,
        /// Fewest characters, its start among them.
        #[serde(default = "one")]
        least: usize,
        /// Most characters.
        #[serde(default = "most")]
        most: usize,
    },
    /// One of these.
    OneOf(Vec<String>),
}

fn one() -> usize {
    1
}

fn most() -> usize {
    512
}

/// Sets of characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Characters {
    /// Anything but control characters.
    #[default]
    Any,
    /// `0` to `9`.
    Digits,
    /// `0` to `9`, `a` to `f`, `A` to `F`.
    Hexadecimal,
    /// ASCII letters and digits.
    Alphanumeric,
    /// ASCII letters and digits, `_`, `-` and `.`.
    Token,
}

impl Characters {
    fn hold(self, character: char) -> bool {
        match self {
            Self::Any => !character.is_control(),
            Self::Digits => character.is_ascii_digit(),
            Self::Hexadecimal => character.is_ascii_hexdigit(),
            Self::Alphanumeric => character.is_ascii_alphanumeric(),
            Self::Token => {
                character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
            }
        }
    }
}

impl Shape {
    /// Whether a value looks so.
    pub fn fits(&self, value: &str) -> bool {
        if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
            return false;
        }
        match self {
            Self::Email => fits_email(value),
            Self::Phone => value.strip_prefix('+').is_some_and(|digits| {
                (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
            }),
            Self::Host => value.len() <= 253 && value.split('.').all(fits_label),
            Self::Label => fits_label(value),
            Self::OneOf(values) => values.iter().any(|one| one == value),
            Self::Text { starts, characters, least, most } => {
                let length = value.chars().count();
                let rest = if starts.is_empty() {
                    Some(value)
                } else {
                    starts.iter().find_map(|start| value.strip_prefix(start.as_str()))
                };
                (*least..=*most).contains(&length)
                    && rest.is_some_and(|rest| rest.chars().all(|one| characters.hold(one)))
            }
        }
    }

    /// In words, for messages.
    pub fn words(&self) -> String {
        match self {
            Self::Email => "a mail address".to_owned(),
            Self::Phone => "a telephone number with `+` and country code".to_owned(),
            Self::Host => "a host name".to_owned(),
            Self::Label => "letters, digits and `-`".to_owned(),
            Self::OneOf(values) => format!("one of `{}`", values.join("`, `")),
            Self::Text { starts, characters, least, most } => {
                let set = match characters {
                    Characters::Any => "characters",
                    Characters::Digits => "digits",
                    Characters::Hexadecimal => "hexadecimal digits",
                    Characters::Alphanumeric => "letters and digits",
                    Characters::Token => "letters, digits, `_`, `-` and `.`",
                };
                let start = if starts.is_empty() {
                    String::new()
                } else {
                    format!(" that start with `{}`", starts.join("` or `"))
                };
                format!("{least} to {most} {set}{start}")
            }
        }
    }
}

fn fits_label(value: &str) -> bool {
    (1..=63).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-')
}

/// Loose on purpose: quotes, slashes and letters of any script are allowed in a mailbox's name.
fn fits_email(value: &str) -> bool {
    let Some((mailbox, domain)) = value.rsplit_once('@') else { return false };
    value.len() <= 254
        && !mailbox.is_empty()
        && !mailbox.contains(char::is_whitespace)
        && (!mailbox.contains('@') || mailbox.starts_with('"'))
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| {
            !label.is_empty() && label.chars().all(|one| one.is_alphanumeric() || one == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::{Characters, Shape};

    #[test]
    fn shapes_refuse_what_is_no_identity() {
        for wrong in
            ["", " ", "*", "@", "a@", "@b.example", "a@b", "a@b@c.example", "a b@c.example"]
        {
            assert!(!Shape::Email.fits(wrong), "`{wrong}` passes as an address");
        }
        for right in
            ["a@b.example", "o'brien@b.example", "a/b%c@b.example", "jürgen@bücher.example"]
        {
            assert!(Shape::Email.fits(right), "`{right}` does not pass as an address");
        }
        assert!(Shape::Phone.fits("+491701234567") && !Shape::Phone.fits("01701234567"));
        let id = Shape::Text {
            starts: vec!["cus_".to_owned()],
            characters: Characters::Alphanumeric,
            least: 6,
            most: 64,
        };
        assert!(id.fits("cus_Nffr1"));
        for wrong in ["cus_", "cus_a", "acct_12345", "cus_1'; DROP", "cus_*****", "cus_ab\n"] {
            assert!(!id.fits(wrong), "`{wrong}` passes as an id");
        }
    }
}
