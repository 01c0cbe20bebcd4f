//! The side of the controller: a connector of the kind `opendsr`.
//!
//! One request for one person, under an id that follows from the order, so that no crash can make
//! two of one: whoever is not sure whether a request was made looks for it under that id first.
//! Certificates are fetched and checked before anything is asked.

mod composition;
mod connector;
mod exchange;
mod execution;
mod pacing;
mod reference;
mod request_id;
mod settings;

use crate::connector::Connector;
use crate::kinds::ProcessorSettings;
use crate::receipt::Fault;

pub use connector::Client;
pub use reference::{Reference, Undertaking};
pub use request_id::request_id;

/// Opens a connector to a processor that speaks OpenDSR. No connection is made yet.
///
/// # Errors
/// `Misconfigured` where the settings do not fit.
pub fn open(settings: ProcessorSettings) -> Result<Box<dyn Connector>, Fault> {
    Ok(Box::new(Client::new(settings)?))
}
