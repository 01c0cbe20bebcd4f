//! The printed forms of a certificate: text, one HTML page, one PDF, in three languages.
//!
//! [`sheet`] arranges a certificate once; the forms draw it. They are for reading and prove nothing
//! by themselves, and say so. Pure: zone, language and fonts beside the built-in ones are handed in.

mod first_page;
pub mod html;
pub mod language;
pub mod link;
pub mod pdf;
pub mod sheet;
mod statements;
mod tables;
pub mod text;
mod voice;
mod vouching;
mod words;

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::evidence::status_list::CertificateStatus;

pub use language::{LANGUAGES, Language};
pub use pdf::ExtraFont;
pub use vouching::Vouching;

/// Which of the printed forms are wanted; the signed files always are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forms {
    /// All of them.
    All,
    /// The one in the file of this name, or none.
    Only(String),
}

impl Forms {
    /// Whether the one in the file of this name is.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(wanted) => wanted == name,
        }
    }
}

/// For whom a certificate is printed.
#[derive(Debug, Clone)]
pub struct Printing {
    /// What is printed.
    pub forms: Forms,
    /// The reader's language.
    pub language: Language,
    /// The zone in which moments are written.
    pub zone: TimeZone,
    /// Host of the link, such as `erasure.example.com`; without one there is no link.
    pub host: Option<String>,
    /// The certificate that has taken this one's place, where the issuer's books name one. It is
    /// said, and proves nothing.
    pub superseded_by: Option<Uuid>,
    /// What somebody decided about it, where the issuer's books say so: withdrawn or disputed.
    pub decided: Option<CertificateStatus>,
    /// Gives fonts of the machine; asked only where the ones inside do not draw everything.
    pub more_fonts: fn() -> Vec<ExtraFont>,
}

impl Printing {
    /// In a language, with moments in UTC and nothing else known.
    pub fn plain(language: Language) -> Self {
        Self {
            forms: Forms::All,
            language,
            zone: TimeZone::UTC,
            host: None,
            superseded_by: None,
            decided: None,
            more_fonts: Vec::new,
        }
    }
}
