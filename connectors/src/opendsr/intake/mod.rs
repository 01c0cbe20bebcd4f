//! The side of the processor, without any input or output: what comes in is checked, what goes
//! out is composed, and the caller moves the bytes.
//!
//! Nothing that a stranger sent is repeated in a refusal.

mod admission;
mod answers;
mod callback;
mod complaint;

pub use admission::{
    Admission, CallbackHosts, IntakeRules, Submission, admit, check_callback_url,
    expected_completion, mark_of, may_cancel, read_submission,
};
pub use answers::{Answer, Answers, Standing};
pub use callback::{
    Authenticated, CallbackRules, CallbackVerdict, IncomingCallback, KnownProcessor, check_callback,
};
pub use complaint::{Complaint, Reason};
