//! Copies for recovery: until when they can hold what a case has erased, and that they are gone.
//!
//! When a case is certified, each store that copies a system in which something was erased is
//! listed, and the certificate states the day by which the last copy is gone ([`copies`]). A job
//! that does not keep the case open looks at the store on that day and again until no copy is left
//! that can hold it ([`look`]); then the case is certified once more. Stores are watched meanwhile
//! ([`watch`]): one whose copies do not go is an alarm, not a date. That a copy is in no list any more
//! does not say that its data went: stores are asked before anybody is called gone ([`remains`]).
//! Where copies keep each person's files by themselves, two persons can have these erased inside of
//! them ([`inside`]).

mod copies;
mod expiring;
pub mod inside;
mod inside_care;
mod listing;
mod look;
pub mod reading;
mod remains;
mod seen;
pub mod watch;

pub(crate) use self::copies::{CopiesOfCase, StoreLook, has_erased};
pub(crate) use self::listing::Stores;
pub(crate) use self::seen::later;
pub use self::seen::{Seen, Trouble};
