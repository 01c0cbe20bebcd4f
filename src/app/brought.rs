//! What a person's request looks like when it comes in at a door: words that were typed or posted,
//! read before anything is written. No message repeats them, because any of them may name somebody.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::drill::DRILL_CHANNEL;
use super::request::{Requester, TakeIn};
use super::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, Assurance, CategoryName, Remark, normalise};

/// Longest address that letters go to, in characters.
const LONGEST_CONTACT: usize = 500;
/// Longest word for a channel or a law, in bytes.
const LONGEST_WORD: usize = 40;
/// Channel of a request of which nobody said by which way it came.
const OTHER_CHANNEL: &str = "other";
/// Every right that somebody can ask for.
const RIGHTS: &str =
    "`erasure`, `restriction`, `lifting`, `objection`, `access`, `rectification` or `portability`";

/// How somebody made sure who is asking, as it comes in.
#[derive(Debug)]
pub struct BroughtCheck {
    /// How sure.
    pub assurance: Assurance,
    /// How, in a word.
    pub method: String,
    /// Where it is on record.
    pub reference: Option<String>,
}

/// A request as it comes in. It names a person, so it does not print.
#[derive(Default)]
pub struct Brought {
    /// What is asked, in a word.
    pub right: String,
    /// Pairs of an identity type and a value.
    pub identities: Vec<(String, String)>,
    /// When the person asked; `None` is now.
    pub received_at: Option<Timestamp>,
    /// By which way it came; `None` where nobody said so.
    pub channel: Option<String>,
    /// Who asks.
    pub requester: Requester,
    /// On what ground.
    pub ground: Option<String>,
    /// Under which law; `None` is the instance's own.
    pub regime: Option<String>,
    /// Language of the letters; `None` is English.
    pub language: Option<String>,
    /// Only these categories; empty is all.
    pub categories: Vec<String>,
    /// Where letters go.
    pub contact: Option<String>,
    /// How somebody made sure who is asking.
    pub check: Option<BroughtCheck>,
    /// What the source calls it.
    pub external_id: Option<String>,
}

impl Quietus {
    /// Reads a request that a door was brought.
    ///
    /// # Errors
    /// Where a part of it does not fit; the message names the part and never its content.
    pub fn read_brought(&self, brought: Brought, actor: Actor) -> Result<TakeIn, AppError> {
        let asked = AskedRight::parse(&brought.right)
            .ok_or_else(|| input(format!("the right that is asked for is {RIGHTS}")))?;
        self.check_identities(&brought.identities)?;
        let categories = self.read_categories(&brought.categories)?;
        let channel = brought.channel.map(|text| word("channel", "web", &text)).transpose()?;
        if channel.as_deref() == Some(DRILL_CHANNEL) {
            return Err(input(
                "`drill` is the channel of drills, which nobody brings: say by which way the person asked, such as `web`",
            ));
        }
        Ok(TakeIn {
            asked,
            identities: brought.identities,
            received_at: brought.received_at,
            channel: channel.unwrap_or_else(|| OTHER_CHANNEL.to_owned()),
            requester: brought.requester,
            ground: brought.ground.map(|text| remark("ground", &text)).transpose()?,
            regime: brought.regime.map(|text| self.read_regime(&text)).transpose()?,
            language: brought.language.map(|text| language(&text)).transpose()?,
            categories,
            contact: brought.contact.map(|text| contact(&text)).transpose()?,
            check: brought.check.map(read_check).transpose()?,
            source: None,
            external_id: brought
                .external_id
                .map(|text| remark("name of the request", &text))
                .transpose()?,
            actor,
        })
    }

    /// Refuses identities that can be nobody's, before anything is looked at.
    ///
    /// # Errors
    /// Where there is none, no system knows the type of one, or a value identifies nobody.
    pub fn check_identities(&self, given: &[(String, String)]) -> Result<(), AppError> {
        if given.is_empty() {
            return Err(input(
                "a request names at least one identity of the person, such as `email`",
            ));
        }
        let known = self.identity_types();
        for (kind, value) in given {
            if !known.contains(kind) {
                let known: Vec<String> = known.iter().map(|one| format!("`{one}`")).collect();
                return Err(input(format!(
                    "no system knows one of these types of identities; they know {}",
                    known.join(", ")
                )));
            }
            normalise(&self.instance.identities.of(kind), value)
                .map_err(|error| input(error.to_string()))?;
        }
        Ok(())
    }

    fn read_categories(
        &self,
        names: &[String],
    ) -> Result<Option<BTreeSet<CategoryName>>, AppError> {
        if names.is_empty() {
            return Ok(None);
        }
        let known = |name: &String| {
            let category = CategoryName::parse(name).ok();
            category.filter(|category| self.rules.categories.contains_key(category))
        };
        let found: Option<BTreeSet<CategoryName>> = names.iter().map(known).collect();
        if let Some(found) = found {
            return Ok(Some(found));
        }
        let known: Vec<String> =
            self.rules.categories.keys().map(|one| format!("`{one}`")).collect();
        Err(input(format!(
            "no rule pack declares one of these categories; there is {}",
            known.join(", ")
        )))
    }

    fn read_regime(&self, name: &str) -> Result<String, AppError> {
        if self.regimes.names().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        let known: Vec<String> = self.regimes.names().map(|one| format!("`{one}`")).collect();
        Err(input(format!("there is no such law in the table; there is {}", known.join(", "))))
    }
}

/// Reads how somebody made sure who is asking.
///
/// # Errors
/// Where a part names somebody or is no line of text.
pub fn read_check(check: BroughtCheck) -> Result<(Assurance, String, Option<String>), AppError> {
    let method = remark("method", &check.method)?;
    let reference = check.reference.map(|text| remark("reference", &text)).transpose()?;
    Ok((check.assurance, method, reference))
}

fn input(words: impl Into<String>) -> AppError {
    AppError::Input(words.into())
}

/// A line that is kept as evidence.
fn remark(what: &str, text: &str) -> Result<String, AppError> {
    let read = Remark::parse(text).map_err(|error| input(format!("the {what} {error}")))?;
    Ok(read.into())
}

fn word(what: &str, such_as: &str, text: &str) -> Result<String, AppError> {
    let first = text.starts_with(|one: char| one.is_ascii_lowercase());
    let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    // A long number is somebody's.
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if first && text.chars().all(fits) && text.len() <= LONGEST_WORD && digits < 5 {
        return Ok(text.to_owned());
    }
    Err(input(format!("the {what} is a short word in small letters, such as `{such_as}`")))
}

/// `de`, `pt-br`: letters of BCP 47 in small letters, as templates are named.
fn language(text: &str) -> Result<String, AppError> {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split('-');
    let letters = |part: &str| part.bytes().all(|one| one.is_ascii_lowercase());
    let base = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && letters(part));
    let rest: Vec<&str> = parts.collect();
    let region = rest.len() <= 1 && rest.iter().all(|part| part.len() == 2 && letters(part));
    if base && region {
        return Ok(lower);
    }
    Err(input("the language of letters is a code, such as `de` or `pt-br`"))
}

/// Where letters go: an address of one or more lines.
fn contact(text: &str) -> Result<String, AppError> {
    let text = text.trim().replace("\r\n", "\n");
    let visible = |one: char| one == '\n' || !one.is_control();
    let length = text.chars().count();
    if length == 0 || length > LONGEST_CONTACT || !text.chars().all(visible) {
        return Err(input(format!(
            "the address for letters has 1 to {LONGEST_CONTACT} characters that can be seen"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = "grace@mail.example";

    #[test]
    fn words_are_short_and_name_nobody() {
        assert_eq!(word("channel", "web", "call-centre").unwrap(), "call-centre");
        for wrong in ["", "Web", PERSON, "web site", "a\u{0}", "x12345", &"a".repeat(41), "-a"] {
            let error = word("channel", "web", wrong).unwrap_err().to_string();
            assert!(error.starts_with("the channel is a short word"), "{error}");
            assert!(wrong.is_empty() || wrong == "-a" || !error.contains(wrong), "{error}");
        }
        assert!(remark("ground", PERSON).is_err());
        assert!(!remark("ground", PERSON).unwrap_err().to_string().contains("grace"));
        assert!(remark("ground", "Art. 17(1)(b)").is_ok());
    }

    #[test]
    fn languages_are_codes() {
        assert_eq!(language("de").unwrap(), "de");
        assert_eq!(language("pt-BR").unwrap(), "pt-br");
        for wrong in ["", "d", "german", "de-", "de-deu", "../de", "de-de-de", "d\u{1}"] {
            assert!(language(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_may_have_lines_and_nothing_hidden() {
        assert_eq!(contact(" A\r\nStreet 1\n").unwrap(), "A\nStreet 1");
        for wrong in ["", " \n ", "a\u{0}b", "a\u{1b}[31m"] {
            assert!(contact(wrong).is_err());
        }
        assert!(contact(&"x".repeat(501)).is_err());
    }
}
