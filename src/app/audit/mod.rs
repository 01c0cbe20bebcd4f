//! What an auditor does with the log: count all of it anew, draw a sample and have it opened,
//! find what is about somebody or something, and have a record proven to have been in a run. Looks only; that somebody was looked for is on record.

pub mod find;
pub mod record;
pub mod replay;
pub mod sample;

pub use find::{Found, Sought};
pub use record::{RecordFound, RecordSought};
pub use replay::{Depth, ReplayFrom, Replayed};
pub use sample::{Opened, Sample};
