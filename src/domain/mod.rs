//! Words that every room shares: names, moments, states. No I/O, no clock, no async.

pub mod clock;
pub mod digest;
pub mod hold;
pub mod name;
pub mod period;
pub mod remark;
pub mod state;

pub use clock::{Clock, Ids};
pub use digest::Digest;
pub use hold::{HoldScope, LegalHold};
pub use name::{CategoryName, CollectionName, NameError, RuleName, ScheduleName, SystemName};
pub use period::{PeriodError, RetentionPeriod, Rounding};
pub use remark::{Remark, RemarkError};
pub use state::{CaseOutcome, CaseState, JobState};
