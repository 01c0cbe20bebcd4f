//! Persons in an order: whom a third party is asked to forget, and what it said.
//!
//! Databases find persons by predicates and lists; whoever has only an interface gets them by
//! name. What identifies a person never prints.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::predicate::{FieldRef, Predicate};
use crate::value::Record;

/// What a person is known by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The identity type, as the data map names it (`email`, `customer_id`, `msisdn`, …).
    pub kind: String,
    /// The value, normalised; never empty.
    pub value: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}>", self.kind)
    }
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A name for the person that means nothing outside of the order, such as `p1`.
    pub reference: String,
    /// What the person is known by; never empty, and no identity twice.
    pub identities: Vec<Identity>,
}

/// What is asked on behalf of persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectAction {
    /// GDPR article 17.
    Erase,
    /// GDPR article 18.
    Restrict,
    /// The end of a restriction, GDPR article 18(3).
    Lift,
}

impl SubjectAction {
    /// The word in messages and evidence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erase => "erase",
            Self::Restrict => "restrict",
            Self::Lift => "lift",
        }
    }
}

/// The part of an order that names persons; for kinds that cannot be asked by predicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectRequest {
    /// What is asked.
    pub action: SubjectAction,
    /// For whom; never empty, at most 1000.
    pub subjects: Vec<Subject>,
    /// The law under which it is asked (`gdpr`, `ccpa`), where the protocol wants to know.
    pub regime: String,
    /// When the first of the persons asked: that moment starts the law's clock.
    pub submitted_at: Timestamp,
    /// The latest moment at which an answer is still useful.
    pub answer_by: Option<Timestamp>,
}

/// How strong a word is, in falling order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// We looked again ourselves.
    Verified,
    /// They signed it, and the signature was checked.
    Signed,
    /// Their interface reported it.
    Reported,
    /// A person told us.
    Told,
}

impl Grade {
    /// The word on certificates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Signed => "signed",
            Self::Reported => "reported",
            Self::Told => "told",
        }
    }
}

/// What a third party says became of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectResult {
    /// What was asked is done.
    Done,
    /// It does not know the person.
    Absent,
    /// It says no; the words say why.
    Refused,
}

/// A third party's word on one person. It names no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testimony {
    /// Which subject of the order.
    pub subject: String,
    /// What it says.
    pub result: SubjectResult,
    /// How strong that is.
    pub grade: Grade,
    /// When it said so.
    pub at: Timestamp,
    /// In words, without personal data.
    pub words: String,
    /// What can be checked again later, without any personal data.
    pub proof: Option<Proof>,
}

/// A signature that can be checked again from the digest alone, after the person is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// How it was made: `opendsr`, `file`, …
    pub format: String,
    /// SHA-256 of the document that was signed, in lowercase hexadecimal digits.
    pub document_sha256: String,
    /// The signature, in standard base64; `None` where only the document's digest is kept.
    pub signature: Option<String>,
    /// The chain of certificates, leaf first, as PEM; `None` where there is no signature.
    pub certificates: Option<String>,
}

/// A question to a system on the way from what is known of a person to all that is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The collection, by its name in the data map.
    pub collection: String,
    /// Which records.
    pub predicate: Predicate,
    /// Which fields of them, also through links.
    pub fields: Vec<FieldRef>,
    /// At most so many records are read, from 1 to 100 000.
    pub most: u32,
}

/// The answer to one question, in the order of the questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The collection.
    pub collection: String,
    /// The records' values, by the name `inspect` gives them (`link.field`).
    pub records: Vec<Record>,
    /// There are more records than were asked for.
    pub more: bool,
}
