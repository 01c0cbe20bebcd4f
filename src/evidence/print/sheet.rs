//! What all printed forms say: one arrangement of a certificate into a first page and tables.
//!
//! The first page has the verdict, who, what, when, what is kept, what others merely promised and
//! what was not done. The tables behind it leave nothing out.

use super::link::link;
use super::voice::Voice;
use super::{Printing, Vouching, first_page, statements, tables};
use crate::evidence::bundle::Bundle;
use crate::evidence::certificate::{Certificate, OF_A_DRILL};

/// One line of a table of two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// What it says.
    pub value: String,
}

/// How a verdict is to be taken; it decides colour and sign, and never stands without its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing is left to do.
    Good,
    /// Not all is done, or something is kept.
    Mixed,
    /// Something failed.
    Bad,
    /// A later certificate has taken its place.
    Past,
}

impl Tone {
    /// Its name in style sheets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Mixed => "mixed",
            Self::Bad => "bad",
            Self::Past => "past",
        }
    }
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it is to be taken.
    pub tone: Tone,
    /// In a word or two.
    pub word: String,
    /// In sentences.
    pub sentences: Vec<String>,
}

/// A heading with a few sentences under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The heading.
    pub heading: String,
    /// At least one.
    pub items: Vec<String>,
    /// Nothing is there: the only item says so.
    pub empty: bool,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub heading: String,
    /// Numbers are flush right.
    pub number: bool,
    /// Its part of the width, as compared with the other columns.
    pub weight: u16,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its heading.
    pub heading: String,
    /// A sentence about it.
    pub note: Option<String>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// As many cells a row as there are columns; the first says what the row is about.
    pub rows: Vec<Vec<String>>,
}

/// One statement in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Name and place.
    pub heading: String,
    /// What it says.
    pub facts: Vec<Fact>,
}

/// A certificate arranged for printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The heading.
    pub title: String,
    /// The identifier.
    pub id: String,
    /// Who issued it.
    pub issuer: String,
    /// Name of the file that it is about.
    pub subject: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Who, what, when.
    pub facts: Vec<Fact>,
    /// Done, kept, promised, not done, not covered.
    pub points: Vec<Part>,
    /// Overview, kept, third parties, not done, copies, not covered.
    pub tables: Vec<Table>,
    /// Verified, attested, relied on, limits.
    pub lists: Vec<Part>,
    /// Each statement in full.
    pub details: Vec<Detail>,
    /// Case, plan, data map.
    pub background: Vec<Fact>,
    /// Digests and log position.
    pub proof: Vec<Fact>,
    /// What the code on the first page holds.
    pub link: Option<String>,
    /// A time stamp is handed out with it.
    pub stamped: bool,
    /// The signature of a witness is.
    pub witnessed: bool,
}

impl Sheet {
    /// Every text of it that may hold words of others.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        fn of(facts: &[Fact]) -> impl Iterator<Item = &str> {
            facts.iter().flat_map(|fact| [fact.label.as_str(), fact.value.as_str()])
        }
        let parts = self.points.iter().chain(&self.lists);
        [self.title.as_str(), &self.issuer, &self.verdict.word]
            .into_iter()
            .chain(self.verdict.sentences.iter().map(String::as_str))
            .chain(of(&self.facts))
            .chain(of(&self.background))
            .chain(of(&self.proof))
            .chain(parts.flat_map(|part| part.items.iter().map(String::as_str)))
            .chain(
                self.tables
                    .iter()
                    .flat_map(|table| table.rows.iter().flatten())
                    .map(String::as_str),
            )
            .chain(self.details.iter().flat_map(|one| of(&one.facts).chain([one.heading.as_str()])))
    }
}

/// Arranges a certificate for a reader. `trusted_root` and `issuer_key` are the files beside it.
pub fn sheet(
    certificate: &Certificate,
    bundle: &Bundle,
    (trusted_root, issuer_key): (&[u8], &[u8]),
    vouching: &Vouching,
    printing: &Printing,
) -> Sheet {
    let predicate = &certificate.predicate;
    let voice = Voice::of(printing);
    let mut verdict = first_page::verdict(&voice, predicate);
    if predicate.is_of_a_drill() {
        verdict.sentences.insert(0, voice.phrase(OF_A_DRILL));
    }
    Sheet {
        title: voice.words.title(predicate),
        id: predicate.certificate_id.to_string(),
        issuer: predicate.issuer.name.clone(),
        subject: certificate.subject.first().map(|one| one.name.clone()).unwrap_or_default(),
        verdict,
        facts: first_page::facts(&voice, certificate, vouching),
        points: first_page::points(&voice, predicate),
        tables: tables::tables(&voice, predicate),
        lists: tables::lists(&voice, predicate),
        details: predicate.statements.iter().map(|one| statements::detail(&voice, one)).collect(),
        background: statements::background(&voice, predicate),
        proof: statements::proof(&voice, certificate, bundle, (trusted_root, issuer_key), vouching),
        link: printing.host.as_deref().map(|host| link(host, predicate, bundle)),
        stamped: vouching.stamped,
        witnessed: vouching.witnessed(),
    }
}
