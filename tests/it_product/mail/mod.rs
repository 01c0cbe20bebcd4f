//! Letters and tasks by e-mail, through a real mail server and through some that misbehave.
//!
//! The mail server comes from `QUIETUS_TEST_SMTP` (and with encryption from
//! `QUIETUS_TEST_SMTP_STARTTLS` and `QUIETUS_TEST_SMTP_IMPLICIT`), its Maildir from
//! `QUIETUS_TEST_MAILDIR`; without them these tests fail and say so.

mod encryption;
mod faults;
mod house;
mod letters;
pub mod maildir;
pub mod stubborn;
mod tasks;
