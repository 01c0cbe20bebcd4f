//! Letters as data: what a person is told, in the person's language, from templates that the
//! controller may replace by its own.
//!
//! A template is plain text in the manner of Jinja. Its first line is the subject. Values are
//! filled in as they are: nobody but the engine writes into the facts.

use jiff::civil::Date;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::domain::Digest;

/// Languages that this version brings along; others fall back to English.
const BUILT_IN: &[(&str, &str, &str)] = &[
    ("en", "acknowledgement", include_str!("letters/en/acknowledgement.txt")),
    ("en", "identity", include_str!("letters/en/identity.txt")),
    ("en", "extension", include_str!("letters/en/extension.txt")),
    ("en", "outcome", include_str!("letters/en/outcome.txt")),
    ("en", "refusal", include_str!("letters/en/refusal.txt")),
    ("en", "fee", include_str!("letters/en/fee.txt")),
    ("en", "before_lifting", include_str!("letters/en/before_lifting.txt")),
    ("en", "cancelled", include_str!("letters/en/cancelled.txt")),
    ("en", "recipient", include_str!("letters/en/recipient.txt")),
    ("de", "acknowledgement", include_str!("letters/de/acknowledgement.txt")),
    ("de", "identity", include_str!("letters/de/identity.txt")),
    ("de", "extension", include_str!("letters/de/extension.txt")),
    ("de", "outcome", include_str!("letters/de/outcome.txt")),
    ("de", "refusal", include_str!("letters/de/refusal.txt")),
    ("de", "fee", include_str!("letters/de/fee.txt")),
    ("de", "before_lifting", include_str!("letters/de/before_lifting.txt")),
    ("de", "cancelled", include_str!("letters/de/cancelled.txt")),
    ("de", "recipient", include_str!("letters/de/recipient.txt")),
    ("zh", "acknowledgement", include_str!("letters/zh/acknowledgement.txt")),
    ("zh", "identity", include_str!("letters/zh/identity.txt")),
    ("zh", "extension", include_str!("letters/zh/extension.txt")),
    ("zh", "outcome", include_str!("letters/zh/outcome.txt")),
    ("zh", "refusal", include_str!("letters/zh/refusal.txt")),
    ("zh", "fee", include_str!("letters/zh/fee.txt")),
    ("zh", "before_lifting", include_str!("letters/zh/before_lifting.txt")),
    ("zh", "cancelled", include_str!("letters/zh/cancelled.txt")),
    ("zh", "recipient", include_str!("letters/zh/recipient.txt")),
];

/// Longest template, in bytes.
const LONGEST_TEMPLATE: usize = 64 * 1024;

/// Why a letter cannot be written. It never repeats what would stand in the letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// There is no template of this kind.
    #[error("there is no template for letters of the kind `{0}`")]
    NoTemplate(String),
    /// The template is broken.
    #[error("line {line} of the template `{name}`: {why}")]
    Template {
        /// Kind of the letter.
        name: String,
        /// The line.
        line: usize,
        /// What is wrong, in the words of the template language.
        why: String,
    },
    /// The template is empty, or longer than any letter.
    #[error("the template `{0}` is empty or longer than 64 KiB: its first line is the subject")]
    Size(String),
}

/// Something that stays, as the person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptPart {
    /// What it is, in the words of the rule pack.
    pub what: String,
    /// Which law or matter keeps it.
    pub because: String,
    /// Until when, where that is known; the last part of it where it goes in parts.
    pub until: Option<Date>,
    /// Until when the first part of it, where it goes in parts.
    pub first_until: Option<Date>,
    /// It is not used meanwhile.
    pub restricted: bool,
}

/// Copies for recovery, as the person is told of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiesPart {
    /// The day by which the last one is gone that can hold the person's data, where it is known.
    pub until: Option<Date>,
    /// The day on which somebody saw that none is left.
    pub gone_on: Option<Date>,
}

/// Files and logs of the systems, as the person is told of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilesPart {
    /// The day on which somebody saw that they hold nothing any more; `None` while they can.
    pub gone_on: Option<Date>,
}

/// A third party that was told, as the person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldParty {
    /// Its name.
    pub name: String,
    /// What came of it: `verified`, `signed`, `reported`, `told` or `pending`.
    pub grade: String,
}

/// Everything that a template may use. No template can reach anything else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The controller's name.
    pub controller: String,
    /// The number of the request.
    pub request: String,
    /// What was asked: `erasure`, `restriction`, …
    pub asked: String,
    /// The day of receipt.
    pub received_on: Option<Date>,
    /// The day by which there is an answer.
    pub answer_by: Option<Date>,
    /// How it ended: `fulfilled`, `partially_retained`, `not_found`, …
    pub outcome: Option<String>,
    /// Why, where a person decided; without personal data.
    pub reason: Option<String>,
    /// What it costs, such as `12.50 EUR`, where a fee is asked for.
    pub fee: Option<String>,
    /// What stays.
    pub kept: Vec<KeptPart>,
    /// Copies for recovery; `None` where there are none, or none that hold anything.
    pub copies: Option<CopiesPart>,
    /// Files and logs; `None` where nobody looks at them, or they never held anything.
    pub files: Option<FilesPart>,
    /// Who was told.
    pub third_parties: Vec<ToldParty>,
    /// The number of the certificate.
    pub certificate: Option<String>,
    /// Where to complain.
    pub complaint: String,
    /// The law.
    pub law: String,
    /// Categories that the letter is about, for recipients.
    pub categories: Vec<String>,
}

/// A letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The language that it is in.
    pub language: String,
    /// Digest of the template.
    pub template: Digest,
}

/// The template that this version brings along, in the language or else in English, with the
/// language that it is in.
pub fn built_in(kind: &str, language: &str) -> Option<(&'static str, &'static str)> {
    let short = language.split(['-', '_']).next().unwrap_or("en");
    let of = |wanted: &str| {
        BUILT_IN
            .iter()
            .find(|(language, name, _)| *language == wanted && *name == kind)
            .map(|(language, _, text)| (*language, *text))
    };
    of(short).or_else(|| of("en"))
}

/// Fills a template. `own` is the controller's own one for this kind and language.
///
/// # Errors
/// Where there is no template, or it is broken or uses what is not there.
pub fn write(
    kind: &str,
    language: &str,
    own: Option<&str>,
    facts: &Facts,
) -> Result<Written, LetterError> {
    let (language, template) = match own {
        Some(template) => (language, template),
        None => built_in(kind, language).ok_or_else(|| LetterError::NoTemplate(kind.to_owned()))?,
    };
    let (subject, text) = fill(kind, template, facts)?;
    Ok(Written {
        subject,
        text,
        language: language.to_owned(),
        template: Digest::of(template.as_bytes()),
    })
}

/// Fills a template with facts; its first line is the subject, the rest the text.
///
/// # Errors
/// Where it is broken or uses what is not there. `name` is how the error calls it.
pub fn fill(
    name: &str,
    template: &str,
    facts: &impl Serialize,
) -> Result<(String, String), LetterError> {
    if template.trim().is_empty() || template.len() > LONGEST_TEMPLATE {
        return Err(LetterError::Size(name.to_owned()));
    }
    let broken = |error: &minijinja::Error| LetterError::Template {
        name: name.to_owned(),
        line: error.line().unwrap_or(1),
        why: error.kind().to_string(),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        // A line that holds nothing but a statement leaves no empty line behind.
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| broken(&error))?,
    );
    // A template of the controller's own cannot run for ever.
    environment.set_fuel(Some(100_000));
    environment.add_template("letter", template).map_err(|error| broken(&error))?;
    let filled = environment
        .get_template("letter")
        .and_then(|template| template.render(Value::from(Serde(facts))))
        .map_err(|error| broken(&error))?;
    let (subject, text) = filled.split_once('\n').unwrap_or((&filled, ""));
    Ok((subject.trim().to_owned(), text.trim().to_owned() + "\n"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn facts() -> Facts {
        Facts {
            controller: "Example Telecom".to_owned(),
            request: "0192-1".to_owned(),
            asked: "erasure".to_owned(),
            received_on: Some(date(2026, 9, 1)),
            answer_by: Some(date(2026, 10, 1)),
            outcome: Some("partially_retained".to_owned()),
            reason: Some("the request is manifestly unfounded".to_owned()),
            fee: Some("12.50 EUR".to_owned()),
            kept: vec![KeptPart {
                what: "invoices".to_owned(),
                because: "AO § 147(3)".to_owned(),
                until: Some(date(2034, 12, 31)),
                first_until: None,
                restricted: true,
            }],
            copies: None,
            files: None,
            third_parties: vec![ToldParty {
                name: "Mailwind".to_owned(),
                grade: "signed".to_owned(),
            }],
            certificate: Some("0192-2".to_owned()),
            complaint: "the supervisory authority".to_owned(),
            law: "Regulation (EU) 2016/679".to_owned(),
            categories: vec!["marketing.contact".to_owned()],
        }
    }

    #[test]
    fn every_template_can_be_filled_and_says_what_it_must() {
        for (language, kind, _) in BUILT_IN {
            let letter = write(kind, language, None, &facts()).unwrap();
            assert_eq!(&letter.language, language);
            assert!(!letter.subject.is_empty() && letter.text.len() > 40, "{language} {kind}");
            assert!(letter.text.contains("Example Telecom"), "{language} {kind}");
            assert!(letter.text.contains("0192-1") || *kind == "recipient", "{language} {kind}");
            assert!(!letter.text.contains("{{") && !letter.text.contains("none"), "{letter:?}");
        }
    }

    impl std::fmt::Debug for Written {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(formatter, "{}\n{}", self.subject, self.text)
        }
    }

    #[test]
    fn the_answer_names_what_stays_why_until_when_and_where_to_complain() {
        for language in ["en", "de", "zh"] {
            let text = write("outcome", language, None, &facts()).unwrap().text;
            for part in
                ["invoices", "AO § 147(3)", "2034-12-31", "Mailwind", "supervisory", "0192-2"]
            {
                assert!(text.contains(part), "{language}: {part} in {text}");
            }
        }
    }

    #[test]
    fn the_answer_says_that_some_of_what_stays_goes_before_the_rest() {
        for (language, whole, parts) in [
            (
                "en",
                ", until 2034-12-31;",
                ", the first part until 2028-12-31, the last until 2034-12-31;",
            ),
            (
                "de",
                ", bis 2034-12-31;",
                ", der erste Teil bis 2028-12-31, der letzte bis 2034-12-31;",
            ),
            ("zh", "，至 2034-12-31；", "，第一部分至 2028-12-31，最后一部分至 2034-12-31；"),
        ] {
            let text = |first_until| {
                let mut facts = facts();
                facts.kept[0].first_until = first_until;
                write("outcome", language, None, &facts).unwrap().text
            };
            let (at_once, in_parts) = (text(None), text(Some(date(2028, 12, 31))));
            assert!(at_once.contains(whole) && !at_once.contains("2028"), "{at_once}");
            assert!(in_parts.contains(parts), "{in_parts}");
        }
    }

    #[test]
    fn the_answer_says_plainly_until_when_copies_remain() {
        let until = Some(date(2027, 1, 15));
        for language in ["en", "de", "zh"] {
            let text = |until, gone_on| {
                let copies = Some(CopiesPart { until, gone_on });
                write("outcome", language, None, &Facts { copies, ..facts() }).unwrap().text
            };
            let (dated, undated, gone) = (text(until, None), text(None, None), text(None, until));
            assert!(dated.contains("2027-01-15") && gone.contains("2027-01-15"), "{language}");
            assert!(!undated.contains("2027-01-15"), "{language}: {undated}");
            assert!(dated != gone, "{language}");
            insta::assert_snapshot!(
                format!("copies_{language}"),
                [dated, undated, gone].join("\n----\n")
            );
        }
    }

    /// GDPR article 12(4) and (5): the reasons, where to complain, and that a court is open.
    #[test]
    fn a_refusal_and_a_fee_are_told_with_their_reason_and_what_can_be_done_against_them() {
        for language in ["en", "de", "zh"] {
            let refusal = write("refusal", language, None, &facts()).unwrap();
            let fee = write("fee", language, None, &facts()).unwrap();
            let court = match language {
                "de" => "Rechtsweg",
                "zh" => "法院",
                _ => "go to court",
            };
            for text in [&refusal.text, &fee.text] {
                for part in
                    ["manifestly unfounded", "supervisory", "Regulation (EU) 2016/679", court]
                {
                    assert!(text.contains(part), "{language}: {part} in {text}");
                }
            }
            assert!(fee.text.contains("12.50 EUR") && !refusal.text.contains("12.50"));
            insta::assert_snapshot!(format!("refusal_{language}"), format!("{refusal:?}"));
            insta::assert_snapshot!(format!("fee_{language}"), format!("{fee:?}"));
        }
    }

    #[test]
    fn an_unknown_language_is_answered_in_english_and_a_region_in_its_language() {
        assert_eq!(write("outcome", "tlh", None, &facts()).unwrap().language, "en");
        assert_eq!(write("outcome", "de-AT", None, &facts()).unwrap().language, "de");
    }

    #[test]
    fn a_template_of_the_controllers_own_is_used_and_its_faults_are_placed() {
        let own = write("outcome", "fr", Some("Réponse\nBonjour de {{ controller }}"), &facts());
        assert_eq!(own.unwrap().text, "Bonjour de Example Telecom\n");
        let error = write("outcome", "fr", Some("Sujet\n\n{{ nobody }}"), &facts()).unwrap_err();
        assert!(error.to_string().starts_with("line 3 of the template `outcome`"), "{error}");
        let endless =
            "x\n{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
        assert!(write("outcome", "fr", Some(endless), &facts()).is_err());
        assert!(write("outcome", "fr", Some("  "), &facts()).is_err());
        assert!(write("song", "en", None, &facts()).is_err());
    }
}
