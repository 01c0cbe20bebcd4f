//! What a system's file says of how long a store of copies keeps them, and where in them one person's
//! files are.

use crate::config::leaf::{Count, Words};
use crate::config::read::{document, plain_document};
use crate::domain::RetentionPeriod;

document! {
    /// How long copies are kept: one stays while any of these keeps it.
    pub struct KeepsDocument {
        /// Copies that are younger than this.
        optional within: RetentionPeriod,
        /// So many of the latest.
        optional last: Count,
        /// The last one of so many hours that have one.
        optional hourly: Count,
        /// The last one of so many days that have one.
        optional daily: Count,
        /// The last one of so many weeks that have one.
        optional weekly: Count,
        /// The last one of so many months that have one.
        optional monthly: Count,
        /// The last one of so many years that have one.
        optional yearly: Count,
    }
}

document! {
    /// Where everything is that copies hold of a person of one system.
    pub struct InsideDocument {
        /// The identity type whose values stand in the path, such as `customer_id`.
        required identity: Words,
        /// The path as the copies have it, with `{}` for the value: `customers/{}/`. Of a bucket,
        /// what follows its prefix.
        required files: Words,
    }
}

plain_document!(KeepsDocument, InsideDocument);
