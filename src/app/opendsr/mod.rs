//! `OpenDSR` from both sides of a callback: the desk at which other controllers bring requests, and
//! the ear for third parties that call us back.
//!
//! What comes in and goes out is checked and composed by the connectors crate, which knows the
//! protocol; here it meets the requests, the jobs and the store. No answer names a person beyond
//! the request that it repeats to whoever sent it.

mod desk;
mod hearing;
mod intake;
mod outcome;
mod standing;
mod telling;

pub use desk::{Asking, Desk};
pub use hearing::{CallbackHeaders, Callers};
pub use quietus_connectors::opendsr::intake::{Answer, Complaint};
pub use quietus_connectors::opendsr::protocol::Dialect;
pub use telling::CallbackFacts;

use super::AppError;

/// What a use case of the desk says no with: to whoever asked, without what they sent.
fn complaint(error: AppError) -> Complaint {
    match error {
        AppError::Input(words) => Complaint::new(400, words),
        AppError::Store(store) if store.is_transient() => {
            tracing::warn!(error = %store, "the store is not there");
            Complaint::new(503, "the request cannot be served now: try again in a moment")
        }
        error => {
            tracing::error!(%error, "a request of a controller could not be carried out");
            Complaint::new(500, "the request could not be carried out: tell whoever runs this")
        }
    }
}
