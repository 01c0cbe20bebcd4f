//! The words of OpenDSR: typed messages for 2.0, for the v3 dialect and for OpenGDPR 1.0.
//!
//! Reading is tolerant where processors are known to differ (spellings, nulls, absent fields),
//! writing is strict. A document that names a field twice is not read at all, because two readers
//! would not agree on what it says.

mod answer;
mod dialect;
mod discovery;
mod document;
mod identity;
mod outcome;
mod request;
mod status;

pub use answer::{Created, Downstream, ErrorAnswer, StatusAnswer};
pub use dialect::{Dialect, SignatureHeaders};
pub use discovery::{Discovery, SupportedIdentity};
pub use document::{Document, Unreadable, plain_words, read_moment};
pub use identity::{Format, IdentityType, SubjectIdentity, Unusable};
pub use outcome::{OutcomeReport, OutcomeWord, Retained};
pub use request::{CreateRequest, Regulation, RequestType};
pub use status::RequestStatus;
