//! Tokens that a vendor replaces whenever they are used: whoever loses the last one has lost the
//! access. The product keeps them; this crate only says how it asks for them.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::receipt::Fault;

/// Tokens of one system as the vendor gave them last. They do not print.
#[derive(Clone)]
pub struct Tokens {
    /// What the next ones are asked for with (RFC 6749, section 6).
    pub refresh: SecretString,
    /// What requests are sent with.
    pub access: SecretString,
    /// Until when requests may be sent with it.
    pub until: Timestamp,
    /// SHA-256 of the refresh token that the user has written and that all of these descend from:
    /// where the user writes another one, they are of no use any more.
    pub descend_from: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").field("until", &self.until).finish_non_exhaustive()
    }
}

/// Keeps the tokens of one system over restarts, for all processes that speak to it.
///
/// A refresh token that is used twice may end every token of the user, so there is one right to
/// renew at a time.
#[async_trait]
pub trait TokenKeeper: Send + Sync {
    /// The tokens that were kept last; `None` where there are none.
    ///
    /// # Errors
    /// `Transient` where they cannot be read now; `Misconfigured` where they cannot be opened.
    async fn kept(&self) -> Result<Option<Tokens>, Fault>;

    /// Takes the right to renew; `false` where somebody else has it. It ends by itself after a time
    /// that is longer than any call.
    ///
    /// # Errors
    /// `Transient` where nobody can say.
    async fn claim(&self) -> Result<bool, Fault>;

    /// Keeps renewed tokens, and gives the right back.
    ///
    /// # Errors
    /// `Transient` where that could not be made sure.
    async fn keep(&self, tokens: &Tokens) -> Result<(), Fault>;

    /// Gives the right back without new tokens.
    async fn give_back(&self);
}
