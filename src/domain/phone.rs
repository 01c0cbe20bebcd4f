//! Telephone numbers in the form of E.164, and back into the forms in which systems hold them.

use std::collections::BTreeSet;

/// How numbers of a country are written: its code, and the prefix of numbers within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// Country code without `+`.
    pub code: &'static str,
    /// What a number within the country begins with and loses abroad; empty where there is none.
    pub trunk: &'static str,
}

/// Countries whose numbers can be read without their code: country, code, prefix.
const COUNTRIES: &[(&str, &str, &str)] = &[
    ("AR", "54", "0"),
    ("AT", "43", "0"),
    ("AU", "61", "0"),
    ("BE", "32", "0"),
    ("BG", "359", "0"),
    ("BR", "55", "0"),
    ("CA", "1", "1"),
    ("CH", "41", "0"),
    ("CN", "86", "0"),
    ("CY", "357", ""),
    ("CZ", "420", ""),
    ("DE", "49", "0"),
    ("DK", "45", ""),
    ("EE", "372", ""),
    ("ES", "34", ""),
    ("FI", "358", "0"),
    ("FR", "33", "0"),
    ("GB", "44", "0"),
    ("GR", "30", ""),
    ("HK", "852", ""),
    ("HR", "385", "0"),
    ("HU", "36", "06"),
    ("IE", "353", "0"),
    ("IL", "972", "0"),
    ("IN", "91", "0"),
    ("IS", "354", ""),
    ("IT", "39", ""),
    ("JP", "81", "0"),
    ("KR", "82", "0"),
    ("LI", "423", ""),
    ("LT", "370", "0"),
    ("LU", "352", ""),
    ("LV", "371", ""),
    ("MT", "356", ""),
    ("MX", "52", ""),
    ("NL", "31", "0"),
    ("NO", "47", ""),
    ("NZ", "64", "0"),
    ("PL", "48", ""),
    ("PT", "351", ""),
    ("RO", "40", "0"),
    ("SE", "46", "0"),
    ("SG", "65", ""),
    ("SI", "386", "0"),
    ("SK", "421", "0"),
    ("TR", "90", "0"),
    ("TW", "886", "0"),
    ("UA", "380", "0"),
    ("US", "1", "1"),
    ("ZA", "27", "0"),
];

/// Digits of a number with its country code.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

impl Numbering {
    /// The numbering of a country, by its two capital letters; `None` where it is not known.
    pub fn of(country: &str) -> Option<Self> {
        let found = COUNTRIES.iter().find(|(name, _, _)| *name == country)?;
        Some(Self { country: found.0, code: found.1, trunk: found.2 })
    }

    /// The countries that are known.
    pub fn countries() -> impl Iterator<Item = &'static str> {
        COUNTRIES.iter().map(|(name, _, _)| *name)
    }
}

/// The number in the form of E.164; `None` where it can be none.
pub(super) fn normalise(text: &str, home: Numbering) -> Option<String> {
    let (text, has_plus) = match text.strip_prefix('+') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    // `+49 (0) 30 …`: the zero is only dialled at home.
    let text = if has_plus { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let separates =
        |one: char| matches!(one, ' ' | '\u{a0}' | '\u{202f}' | '-' | '.' | '/' | '(' | ')' | '–');
    let plain: String = text.chars().filter(|one| !separates(*one)).collect();
    if plain.is_empty() || !plain.bytes().all(|one| one.is_ascii_digit()) {
        return None;
    }
    let number = if has_plus {
        plain
    } else if let Some(rest) = plain.strip_prefix("00") {
        rest.to_owned()
    } else {
        at_home(&plain, home)?
    };
    (DIGITS.contains(&number.len()) && !number.starts_with('0')).then(|| format!("+{number}"))
}

/// A number without `+` or `00`, with its country code.
fn at_home(plain: &str, home: Numbering) -> Option<String> {
    let Numbering { code, trunk, .. } = home;
    if code == "1" {
        // North America: ten digits, with or without the 1 that is code and prefix in one.
        let national = plain.strip_prefix('1').filter(|rest| rest.len() == 10).unwrap_or(plain);
        return (national.len() == 10).then(|| format!("1{national}"));
    }
    if trunk.is_empty() {
        return Some(format!("{code}{plain}"));
    }
    if let Some(national) = plain.strip_prefix(trunk) {
        return Some(format!("{code}{national}"));
    }
    // Without the prefix it is no number within the country; with the code it lacks only its `+`.
    plain.starts_with(code).then(|| plain.to_owned())
}

/// Forms in which a system may hold a number in the form of E.164.
pub(super) fn spellings(number: &str, home: Numbering) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(digits) = number.strip_prefix('+') else { return found };
    found.insert(format!("00{digits}"));
    found.insert(digits.to_owned());
    if let Some(national) = digits.strip_prefix(home.code) {
        found.insert(format!("{}{national}", home.trunk));
        if home.code == "1" {
            found.insert(national.to_owned());
        }
    }
    found
}
