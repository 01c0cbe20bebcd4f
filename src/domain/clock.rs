//! Time and identifiers come from outside, as parameters.

use jiff::Timestamp;
use uuid::Uuid;

/// Where the present moment comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where new identifiers come from.
pub trait Ids: Send + Sync {
    /// A new identifier, unique for ever; later ones sort after earlier ones.
    fn new_id(&self) -> Uuid;

    /// Bytes that nobody can guess, for salts and nonces.
    fn random(&self) -> [u8; 32];
}
