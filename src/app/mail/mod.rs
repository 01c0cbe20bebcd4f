//! What goes out by e-mail: letters, notices to recipients, and tasks with a link behind which
//! somebody answers.
//!
//! Each mail is written with what it is about, claimed before it is sent, and settled afterwards. A
//! process that dies in between leaves a mail of which nobody knows whether it went: of a letter a
//! person decides, a task goes out again under the same `Message-ID`. Addresses are read when a
//! mail is sent and are nowhere else: not in the store's open part, not in logs, not in evidence.

pub mod answer;
pub mod attempt;
pub mod compose;
mod link;
pub mod list;
pub mod send;
mod task_mails;
mod words;

pub use answer::{LinkAnswer, LinkError, LinkPage, WhyOver};
pub use send::MailTally;

/// Attempts before somebody gives a mail by hand.
const MOST_ATTEMPTS: u32 = 10;
