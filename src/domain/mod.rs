//! Words that every room shares: names, moments, states. No I/O, no clock, no async.

pub mod assurance;
pub mod clock;
pub mod epoch;
pub mod hold;
pub mod identity;
pub mod period;
pub mod phone;
pub mod remark;
pub mod state;

pub use assurance::Assurance;
pub use clock::{Clock, Ids};
pub use epoch::EpochName;
pub use hold::{HoldScope, LegalHold};
pub use identity::{
    IdentityError, IdentityType, IdentityTypes, Normalisation, candidates, normalise,
};
pub use period::{PeriodError, RetentionPeriod, Rounding};
pub use phone::Numbering;
pub use quietus_verify::digest::Digest;
pub use quietus_verify::name::{
    CategoryName, CollectionName, NameError, RuleName, ScheduleName, SystemName,
};
pub use remark::{Remark, RemarkError};
pub use state::{AskedRight, CaseOutcome, CaseState, JobState, RequestOutcome, RequestState};
