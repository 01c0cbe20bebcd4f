//! Words that every room shares: names, moments, states. No I/O, no clock, no async.

pub mod alarm;
pub mod assurance;
pub mod back_off;
pub mod breaker;
pub mod clock;
pub mod epoch;
pub mod hold;
pub mod identity;
pub mod limits;
pub mod period;
pub mod phone;
pub mod remark;
pub mod state;

pub use alarm::{ALARM_TEST, AlarmKind, AlarmStep};
pub use assurance::Assurance;
pub use back_off::BackOff;
pub use breaker::{Breaker, Failure, Open};
pub use clock::{Clock, Ids};
pub use epoch::EpochName;
pub use hold::{HoldScope, LegalHold};
pub use identity::{
    IdentityError, IdentityType, IdentityTypes, Normalisation, candidates, normalise,
};
pub use limits::{Span, Stretch, SystemLimits};
pub use period::{PeriodError, RetentionPeriod, Rounding};
pub use phone::Numbering;
pub use quietus_verify::digest::Digest;
pub use quietus_verify::name::{
    CategoryName, CollectionName, NameError, RuleName, ScheduleName, SystemName,
};
pub use remark::{Remark, RemarkError};
pub use state::{AskedRight, CaseOutcome, CaseState, JobState, RequestOutcome, RequestState};
