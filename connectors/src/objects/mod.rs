//! Buckets of S3-compatible object stores: the dozen calls that are needed here, signed with
//! Signature Version 4.
//!
//! Nothing is retried and nothing is guessed: an answer that is not what the interface gives is a
//! fault, never an empty list. Credentials are in the signature only; names of objects are in no
//! message, because they can name people.

mod address;
mod bucket;
mod faults;
mod listing;
mod locks;
mod object;
mod removal;
mod rules;
mod signature;
mod xml;

pub use address::{Addressing, BucketAddress};
pub use bucket::{Bucket, BucketSettings};
pub use listing::{Entry, EntryKind};
pub use locks::{Lock, RetentionMode};
pub use object::{Placed, Replaced, Seen};
pub use removal::Removal;
pub use rules::{LifeCycleRule, Versioning};
