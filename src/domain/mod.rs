//! Words that every room shares: names, moments, states. No I/O, no clock, no async.

pub mod assurance;
pub mod clock;
pub mod digest;
pub mod epoch;
pub mod hold;
pub mod identity;
pub mod name;
pub mod period;
pub mod phone;
pub mod remark;
pub mod state;

pub use assurance::Assurance;
pub use clock::{Clock, Ids};
pub use digest::Digest;
pub use epoch::EpochName;
pub use hold::{HoldScope, LegalHold};
pub use identity::{
    IdentityError, IdentityType, IdentityTypes, Normalisation, candidates, normalise,
};
pub use name::{CategoryName, CollectionName, NameError, RuleName, ScheduleName, SystemName};
pub use period::{PeriodError, RetentionPeriod, Rounding};
pub use phone::Numbering;
pub use remark::{Remark, RemarkError};
pub use state::{AskedRight, CaseOutcome, CaseState, JobState, RequestOutcome, RequestState};
