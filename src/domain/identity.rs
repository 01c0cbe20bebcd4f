//! Identities of persons: how a value is brought into one form, what is refused, and under which
//! spellings a system may hold it.
//!
//! Pure. A value is only ever compared, so whatever stands in it is a value and never a pattern or
//! a command. No error repeats it.

use std::collections::{BTreeMap, BTreeSet};

use quietus_connectors::Identity;

use super::phone::{self, Numbering};

/// No identity is longer, in characters: an address has at most 64 + 1 + 255.
const MOST_CHARACTERS: usize = 320;

/// How values of an identity type are brought into one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Normalisation {
    /// White space around it goes.
    Trim,
    /// And capitals become small letters.
    Lower,
    /// An e-mail address; capitals do not count.
    Email,
    /// A telephone number in the form of E.164.
    Phone {
        /// Where a number without a country is from.
        country: Numbering,
    },
    /// Digits; spaces, dots, slashes and hyphens between them go.
    Digits,
}

/// What is known of an identity type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityType {
    /// Its name (`email`, `customer_id`, `msisdn`, …).
    pub name: String,
    /// How its values are brought into one form.
    pub normalise: Normalisation,
    /// A person has at most one value of it: several mean that several persons are meant, and a
    /// person has to look.
    pub one_per_person: bool,
}

impl IdentityType {
    /// A type that nobody declared: `email` is an address, every other is taken as it stands.
    pub fn undeclared(name: &str) -> Self {
        let normalise = if name == "email" { Normalisation::Email } else { Normalisation::Trim };
        Self { name: name.to_owned(), normalise, one_per_person: false }
    }
}

/// The identity types of an instance, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityTypes(pub BTreeMap<String, IdentityType>);

impl IdentityTypes {
    /// What is known of the type of this name.
    pub fn of(&self, name: &str) -> IdentityType {
        self.0.get(name).cloned().unwrap_or_else(|| IdentityType::undeclared(name))
    }
}

/// Why a value identifies nobody. It never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing but white space.
    #[error("the `{kind}` is empty: leave it out or write the person's own")]
    Empty {
        /// The identity type.
        kind: String,
    },
    /// Longer than any identity.
    #[error("the `{kind}` is longer than 320 characters: write the value alone")]
    TooLong {
        /// The identity type.
        kind: String,
    },
    /// It has characters that cannot be seen.
    #[error("the `{kind}` has characters that cannot be seen: type it instead of pasting it")]
    Invisible {
        /// The identity type.
        kind: String,
    },
    /// It stands for many values.
    #[error(
        "the `{kind}` has a wildcard, and a request is for persons by name: write each in full"
    )]
    Wildcard {
        /// The identity type.
        kind: String,
    },
    /// No value of this type looks like this.
    #[error("the `{kind}` is no {expected}: {help}")]
    Unfit {
        /// The identity type.
        kind: String,
        /// What it should be.
        expected: &'static str,
        /// What to write.
        help: &'static str,
    },
}

/// Brings a value into the one form of its type.
///
/// Normalising twice is the same as once.
///
/// # Errors
/// Where the value can identify nobody.
pub fn normalise(of: &IdentityType, raw: &str) -> Result<Identity, IdentityError> {
    let kind = || of.name.clone();
    let trimmed = raw.trim();
    if trimmed.is_empty() {
        return Err(IdentityError::Empty { kind: kind() });
    }
    if trimmed.chars().count() > MOST_CHARACTERS {
        return Err(IdentityError::TooLong { kind: kind() });
    }
    if trimmed.chars().any(invisible) {
        return Err(IdentityError::Invisible { kind: kind() });
    }
    if is_wildcard(&of.normalise, trimmed) {
        return Err(IdentityError::Wildcard { kind: kind() });
    }
    let unfit = |expected, help| IdentityError::Unfit { kind: kind(), expected, help };
    let value = match &of.normalise {
        Normalisation::Trim => trimmed.to_owned(),
        Normalisation::Lower => lower(trimmed),
        Normalisation::Email => email(trimmed).ok_or_else(|| {
            unfit("e-mail address", "write one address with one `@` and without a name around it")
        })?,
        Normalisation::Phone { country } => {
            phone::normalise(trimmed, *country).ok_or_else(|| {
                unfit("telephone number", "write it with its country, such as `+49 30 901820`")
            })?
        }
        Normalisation::Digits => digits(trimmed)
            .ok_or_else(|| unfit("number", "write digits, as they stand in the records"))?,
    };
    if value.chars().count() > MOST_CHARACTERS {
        return Err(IdentityError::TooLong { kind: kind() });
    }
    Ok(Identity { kind: kind(), value })
}

/// Every spelling under which a system may hold an identity, so that each can be looked up by an
/// index: the normalised one, the one that was typed (`raw`, if it is known) and the usual others.
///
/// All of them stand for the same person: each that can be normalised gives `normalised` again.
pub fn candidates(of: &IdentityType, normalised: &str, raw: Option<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::from([normalised.to_owned()]);
    let typed =
        raw.filter(|raw| normalise(of, raw).is_ok_and(|identity| identity.value == normalised));
    if let Some(raw) = typed {
        found.insert(raw.to_owned());
        found.insert(raw.trim().to_owned());
    }
    match &of.normalise {
        Normalisation::Trim | Normalisation::Digits => {}
        Normalisation::Lower | Normalisation::Email => {
            found.insert(normalised.to_uppercase());
            if let Some((local, domain)) = typed.and_then(|raw| raw.trim().rsplit_once('@')) {
                found.insert(format!("{local}@{}", lower(domain)));
            }
        }
        Normalisation::Phone { country } => found.extend(phone::spellings(normalised, *country)),
    }
    found.retain(|one| normalise(of, one).is_ok_and(|identity| identity.value == normalised));
    found.insert(normalised.to_owned());
    found
}

/// A character that a person cannot see and did not mean: controls, joiners, marks of direction.
fn invisible(one: char) -> bool {
    let hidden = matches!(one,
        '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    one.is_control() || hidden
}

/// Whether the value stands for many: any wildcard where the type knows none, and nothing but
/// wildcards where it might.
fn is_wildcard(normalise: &Normalisation, trimmed: &str) -> bool {
    let wild = |one: char| matches!(one, '*' | '%');
    match normalise {
        Normalisation::Trim | Normalisation::Lower => {
            trimmed.chars().all(|one| wild(one) || matches!(one, '_' | '?' | '.'))
        }
        Normalisation::Email | Normalisation::Phone { .. } | Normalisation::Digits => {
            trimmed.chars().any(wild)
        }
    }
}

/// Small letters, to a fixed point: some capitals have no small letter of one character.
fn lower(text: &str) -> String {
    let once = text.to_lowercase();
    let twice = once.to_lowercase();
    if once == twice { once } else { twice }
}

fn email(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.chars().any(|one| {
                one.is_whitespace() || matches!(one, '@' | ',' | ';' | '<' | '>' | '(' | ')' | '"')
            })
    };
    let labels = domain.split('.').all(|label| !label.is_empty());
    (plain(local) && plain(domain) && labels).then(|| lower(text))
}

fn digits(text: &str) -> Option<String> {
    let fits = |one: char| one.is_ascii_digit() || matches!(one, ' ' | '.' | '/' | '-');
    let starts = text.starts_with(|one: char| one.is_ascii_digit());
    let found: String = text.chars().filter(char::is_ascii_digit).collect();
    (starts && text.chars().all(fits)).then_some(found)
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
