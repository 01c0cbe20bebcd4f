//! The re-erasure list: a sealed mirror of what was erased and restricted, outside of the database.
//!
//! Whoever was erased has to be erased again where a system is put back to before. Our own database
//! knows whom; where it is put back itself, or lost, that knowledge comes from here. Each case,
//! each request and each set of rules is a file of its own, sealed under a key of its own that a
//! month's key wraps; an index names the files by their digests, in 256 parts, and the evidence log
//! commits to the index. So nobody reads the list, nobody changes it unseen, and it cannot be
//! replaced by an older one. The log's own files lie beside it: one place is enough to recover.
//!
//! The order of events: entries, parts of the index, the evidence that commits to the index (in one
//! transaction with its number), the index itself, the log's head, the log's files, and only then
//! the certificates' bundles and the removal of what no index names any more. Wherever a process
//! dies, the newest index that the log knows is there with all that it names.

mod check;
mod entry;
mod gate;
mod index;
mod keep;
mod place;
mod recover;
mod standing;

pub use gate::Gate;
pub use recover::{RecoverOptions, Recovered};
pub use standing::ListStanding;
