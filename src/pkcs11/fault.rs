//! Why a token does not do what it is asked, and what to do about it. No message has a PIN in it.

use std::path::PathBuf;

use super::thread::LONGEST;

/// Why a token does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The module is not there, or is none.
    #[error(
        "the PKCS#11 module `{}` cannot be loaded ({why}): write the path of your token's library, such as `/usr/lib/softhsm/libsofthsm2.so`",
        module.display()
    )]
    Module {
        /// The library.
        module: PathBuf,
        /// Why.
        why: String,
    },
    /// The module is loaded and does not begin.
    #[error(
        "the PKCS#11 module `{}` does not begin ({why}): plug its token in, and look whether the module finds its own settings, as SoftHSM does by `SOFTHSM2_CONF`",
        module.display()
    )]
    NotBegun {
        /// The library.
        module: PathBuf,
        /// Why.
        why: String,
    },
    /// The token is not plugged in, or is called otherwise.
    #[error(
        "there is no PKCS#11 token {token} ({present}): plug it in, or write the label that `pkcs11-tool --module {module} --list-token-slots` shows",
        module = module.display()
    )]
    NoToken {
        /// The one that is wanted.
        token: String,
        /// Those that are there, in words.
        present: String,
        /// The library.
        module: PathBuf,
    },
    /// More than one token is called so.
    #[error("more than one PKCS#11 token is called {0}: name it by its `serial`")]
    SeveralTokens(String),
    /// The token has no such key.
    #[error(
        "the PKCS#11 token {token} has no {what} {key}: write another label or id, or make the key with `quietus keys generate`"
    )]
    NoKey {
        /// The token.
        token: String,
        /// The key that is wanted.
        key: String,
        /// Which half of it.
        what: &'static str,
    },
    /// Several keys are called so.
    #[error("the PKCS#11 token {token} has several keys {key}: name one by its `id`")]
    SeveralKeys {
        /// The token.
        token: String,
        /// What they are called.
        key: String,
    },
    /// There is such a key already.
    #[error(
        "the PKCS#11 token {token} has a key {key} already, and no key is ever written over: write another `key` or `id`"
    )]
    Exists {
        /// The token.
        token: String,
        /// What it is called.
        key: String,
    },
    /// The key cannot be used here.
    #[error("{0}")]
    WrongKey(String),
    /// The PIN cannot be read.
    #[error("the PIN of the PKCS#11 token cannot be read: {0}")]
    NoPin(String),
    /// The token refuses the PIN.
    #[error(
        "the PKCS#11 token {0} refuses the PIN. It is not tried again, because tokens lock after a few: mend what `pin` points to"
    )]
    WrongPin(String),
    /// The token has refused this PIN before.
    #[error(
        "the PKCS#11 token {0} has refused this PIN before, and it was not tried again, because tokens lock after a few: mend what `pin` points to"
    )]
    WrongPinBefore(String),
    /// One more wrong PIN locks the token.
    #[error(
        "one more wrong PIN would lock the PKCS#11 token {0}, so none was tried: make sure of the PIN and log in once with `pkcs11-tool --login --token-label … --list-objects`"
    )]
    LastTry(String),
    /// The token is locked.
    #[error(
        "the PKCS#11 token {0} is locked after too many wrong PINs: its security officer sets a new PIN (`pkcs11-tool --init-pin`)"
    )]
    Locked(String),
    /// Logging in failed, and not because of the PIN.
    #[error("nobody can log in to the PKCS#11 token {token}: {why}")]
    NoLogin {
        /// The token.
        token: String,
        /// Why.
        why: String,
    },
    /// The token does not answer.
    #[error("the PKCS#11 token did not answer within {} seconds", LONGEST.as_secs())]
    Silent,
    /// Anything else that the token says.
    #[error("the PKCS#11 token refuses: {0}")]
    Refused(String),
}

impl TokenFault {
    /// Whether beginning anew with the module can help: a token was plugged in again, or a session was
    /// lost. Nothing that has to do with a PIN is ever repeated.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NoToken { .. } | Self::NoKey { .. })
    }
}
