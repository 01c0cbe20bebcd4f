//! Who may use the HTTP interface: tokens and what their holders may do.

pub use crate::config::{KnownToken, TokenRole};

use super::{AppError, Quietus};
use crate::config;

impl Quietus {
    /// Reads the tokens of the instance. They are kept as digests only.
    ///
    /// # Errors
    /// Where one is not there, can be guessed, or is another's too.
    pub fn tokens(&self) -> Result<Vec<KnownToken>, AppError> {
        config::tokens(&self.instance).map_err(|error| AppError::Secret(error.to_string()))
    }
}

/// The role as `quietus.yaml` writes it.
pub fn role_word(role: TokenRole) -> &'static str {
    match role {
        TokenRole::Auditor => "auditor",
        TokenRole::Operator => "operator",
        TokenRole::Approver => "approver",
        TokenRole::Author => "author",
        TokenRole::EventSource => "event-source",
    }
}
