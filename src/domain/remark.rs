//! What a person writes about a decision: a reason, a matter, who decides.
//!
//! Remarks are kept in the store, in evidence and on certificates, where nobody may be named and
//! nothing can be taken back. So what looks like an identifier of a person is refused before it is
//! written. This is a seat belt, not a wall: a name in plain words is not recognised.

use std::fmt;

use uuid::Uuid;

/// Most characters of a remark.
pub const MOST_CHARACTERS: usize = 500;
/// Digits that make a number look like a telephone, customer or card number.
const PERSONAL_DIGITS: usize = 7;
/// Most digits of one number in a ticket.
const TICKET_DIGITS: usize = 10;

/// Why a text is no remark. Never repeats the text, because it may name a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemarkError {
    /// Nothing but spaces.
    #[error("is empty: write 1 to {MOST_CHARACTERS} characters")]
    Empty,
    /// Longer than [`MOST_CHARACTERS`].
    #[error("has {characters} characters: write at most {MOST_CHARACTERS}")]
    TooLong {
        /// How many it has.
        characters: usize,
    },
    /// A line break, another control character, or one that turns the direction of writing.
    #[error("holds a line break or another control character: write one line of plain text")]
    Control,
    /// Something that identifies a person.
    #[error(
        "holds what looks like {0}, and is kept as evidence, which names nobody: write a ticket or file number instead, such as `ABC-1234567`, or a role"
    )]
    Personal(Identifier),
}

/// What identifies a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier {
    /// An e-mail address.
    Email,
    /// An International Bank Account Number.
    Iban,
    /// A long number, such as a telephone number.
    Number,
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Email => "an e-mail address",
            Self::Iban => "an IBAN",
            Self::Number => {
                "a telephone or customer number (seven digits or more without thousands separators)"
            }
        })
    }
}

/// One line of 1 to [`MOST_CHARACTERS`] characters in which nothing looks like an identifier of a
/// person: no e-mail address, no telephone number or other long number, no IBAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark(String);

impl Remark {
    /// Reads a remark; space around it is dropped.
    ///
    /// # Errors
    /// Where the text is empty, too long, of several lines, or seems to identify a person.
    pub fn parse(text: &str) -> Result<Self, RemarkError> {
        let text = text.trim();
        let characters = text.chars().count();
        if characters == 0 {
            return Err(RemarkError::Empty);
        }
        if characters > MOST_CHARACTERS {
            return Err(RemarkError::TooLong { characters });
        }
        if text.chars().any(breaks_the_line) {
            return Err(RemarkError::Control);
        }
        match identifier_in(text) {
            Some(identifier) => Err(RemarkError::Personal(identifier)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The remark as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<Remark> for String {
    fn from(remark: Remark) -> Self {
        remark.0
    }
}

/// Control characters, the line and paragraph separators of Unicode, and what turns the direction
/// of writing (a certificate would show other words than were signed).
fn breaks_the_line(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn identifier_in(text: &str) -> Option<Identifier> {
    if has_email(text) {
        Some(Identifier::Email)
    } else if has_iban(text) {
        Some(Identifier::Iban)
    } else if has_long_number(text) {
        Some(Identifier::Number)
    } else {
        None
    }
}

/// An `@` that touches a letter or digit, or stands for one in `anna (at) mail.example`. `3 @ 5`
/// is none.
fn has_email(text: &str) -> bool {
    let text = text.to_lowercase().replace('\u{ff20}', "@");
    let text = ["(at)", "[at]", "{at}", "%40"].iter().fold(text, |text, at| text.replace(at, "@"));
    text.match_indices('@').any(|(at, sign)| {
        let (before, after) = (&text[..at], &text[at + sign.len()..]);
        let name = before.ends_with(char::is_alphanumeric);
        let host = after.starts_with(char::is_alphanumeric);
        let domain = after.split_whitespace().next().unwrap_or_default();
        let parts = domain.split('.').filter(|part| part.starts_with(char::is_alphanumeric));
        name || host || (parts.count() > 1 && !before.trim().is_empty())
    })
}

/// A word of the shape of an IBAN, or words (as it is printed in groups of four) with the check
/// digits of one.
fn has_iban(text: &str) -> bool {
    let words: Vec<String> = text
        .split(|one: char| !one.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    (0..words.len()).any(|first| {
        let mut joined = String::new();
        for word in &words[first..] {
            joined.push_str(word);
            if joined.len() > 34 {
                break;
            }
            let alone = joined.len() == word.len() && has_ibans_digits(&joined);
            if has_ibans_shape(&joined) && (alone || has_ibans_remainder(&joined)) {
                return true;
            }
            if word.len() != 4 {
                break;
            }
        }
        false
    })
}

fn has_ibans_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
}

/// Most of it are digits, as in every country's; so a hash or a code is none.
fn has_ibans_digits(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() * 2 > text.len()
}

/// ISO 13616: the first four characters at the end, letters as 10 to 35, modulo 97 is 1.
fn has_ibans_remainder(text: &str) -> bool {
    let turned = text.chars().skip(4).chain(text.chars().take(4));
    let remainder = turned.filter_map(|one| one.to_digit(36)).fold(0, |rest, value| {
        let shifted = if value < 10 { rest * 10 } else { rest * 100 };
        (shifted + value) % 97
    });
    remainder == 1
}

/// Seven digits or more in a row, where spaces, points, dashes, slashes and brackets do not end
/// the row. Tickets, UUIDs, days, years, file numbers of a year, and thousands are none.
fn has_long_number(text: &str) -> bool {
    let mut row: Vec<String> = Vec::new();
    // A word that is known to be harmless and the end both end the row.
    for word in text.split(is_gap).map(Some).chain([None]) {
        let Some(word) = word.filter(|word| !is_harmless_word(word)) else {
            if is_personal(&row) {
                return true;
            }
            row.clear();
            continue;
        };
        for (place, piece) in word.split(|one| !is_of_number(one)).enumerate() {
            if place > 0 {
                if is_personal(&row) {
                    return true;
                }
                row.clear();
            }
            let bare = piece.trim_matches(|one: char| !one.is_numeric() && one != '+');
            if is_day(bare) || is_file_number(bare) || is_in_thousands(bare) {
                if is_personal(&row) {
                    return true;
                }
                row.clear();
            } else if !bare.is_empty() {
                row.push(bare.to_owned());
            }
        }
    }
    false
}

/// Between words. The narrow and the fixed space stand inside of numbers.
fn is_gap(one: char) -> bool {
    one.is_whitespace() && !matches!(one, '\u{a0}' | '\u{202f}')
}

fn is_of_number(one: char) -> bool {
    one.is_numeric()
        || matches!(one, '+' | '-' | '.' | '/' | '(' | ')' | '\'' | '’' | '\u{a0}' | '\u{202f}')
        || matches!(one, '\u{2010}'..='\u{2015}')
}

/// Whether the numbers of a row have too many digits together. Years alone are fine.
fn is_personal(row: &[String]) -> bool {
    let parts = || row.iter().flat_map(|piece| piece.split(|one: char| !one.is_numeric()));
    let digits: usize = parts().map(|part| part.chars().count()).sum();
    digits >= PERSONAL_DIGITS
        && !(parts().filter(|part| !part.is_empty()).all(is_year)
            && row.iter().all(|piece| !piece.contains('+')))
}

fn is_harmless_word(word: &str) -> bool {
    let bare = word.trim_matches(|one: char| !one.is_alphanumeric() && one != '+');
    is_ticket(bare) || Uuid::try_parse(bare).is_ok_and(|_| bare.len() == 36)
}

/// `ABC-1234567`, `LIT-2026-7` or `INC0012345`: capital letters, then numbers.
fn is_ticket(word: &str) -> bool {
    const TELEPHONES: [&str; 9] =
        ["CALL", "CELL", "FAX", "HANDY", "MOB", "MOBIL", "MOBILE", "PHONE", "TEL"];
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let (prefix, rest) = word.split_at(letters);
    let numbers = match rest.strip_prefix('-') {
        Some(numbers) => numbers,
        None if letters >= 3 => rest,
        None => return false,
    };
    let is_number = |part: &str| {
        (1..=TICKET_DIGITS).contains(&part.len()) && part.bytes().all(|one| one.is_ascii_digit())
    };
    (1..=10).contains(&letters)
        && !TELEPHONES.contains(&prefix)
        && numbers.split(['-', '/']).count() <= 3
        && numbers.split(['-', '/']).all(is_number)
}

fn number_between(text: &str, low: u32, high: u32) -> bool {
    text.parse().is_ok_and(|number| (low..=high).contains(&number))
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && number_between(text, 1900, 2199)
}

/// `2026-11-23`, `2026/11/23` or `23.11.2026`.
fn is_day(text: &str) -> bool {
    let of = |year: &str, month: &str, day: &str| {
        is_year(year) && number_between(month, 1, 12) && number_between(day, 1, 31)
    };
    ['-', '/', '.'].iter().any(|sign| match text.split(*sign).collect::<Vec<_>>()[..] {
        [first, month, last] if month.len() <= 2 => {
            (last.len() <= 2 && of(first, month, last))
                || (first.len() <= 2 && of(last, month, first))
        }
        _ => false,
    })
}

/// `1234/2026` or `2026/1234`, with at most six digits besides the year and none of them a
/// leading zero, as area codes have one.
fn is_file_number(text: &str) -> bool {
    let counted = |part: &str| {
        (1..=6).contains(&part.len())
            && part.bytes().all(|one| one.is_ascii_digit())
            && !part.starts_with('0')
    };
    let pair = text.split_once(['/', '-']);
    pair.is_some_and(|(first, last)| {
        (is_year(last) && counted(first)) || (is_year(first) && counted(last))
    })
}

/// `1.250.000` or the like, below a thousand million; no leading zero.
fn is_in_thousands(text: &str) -> bool {
    ['.', '\'', '’', '\u{a0}', '\u{202f}'].iter().any(|sign| {
        let mut groups = text.split(*sign);
        let first = groups.next().unwrap_or_default();
        let others: Vec<&str> = groups.collect();
        let digits = |part: &str| part.bytes().all(|one| one.is_ascii_digit());
        (1..=3).contains(&first.len())
            && digits(first)
            && !first.starts_with('0')
            && (1..=2).contains(&others.len())
            && others.iter().all(|part| part.len() == 3 && digits(part))
    })
}

#[cfg(test)]
#[path = "remark_tests.rs"]
mod tests;
