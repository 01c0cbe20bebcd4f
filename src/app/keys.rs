//! The instance's keys: certificate issuer, evidence log and vault, each in its own file of the
//! keys folder, made on first use and never written to the store.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::AppError;
use super::vault::Vault;
use crate::config::{Instance, KeyError, read_key, write_key};
use crate::domain::Digest;
use crate::evidence::trusted_root::{TrustedLog, TrustedRoot};
use crate::evidence::{IssuerKey, LogIdentity, LogKey};

/// Signs certificates: ECDSA P-256.
const ISSUER: &str = "issuer.pem";
/// Signs checkpoints: Ed25519.
const LOG: &str = "log.pem";
/// Seals what identifies people: 32 random bytes in Base64.
const VAULT: &str = "vault.key";

/// Keys in use.
pub(crate) struct Keys {
    pub(crate) issuer: IssuerKey,
    pub(crate) log: LogKey,
    pub(crate) origin: String,
    pub(crate) log_id: String,
    pub(crate) producer: String,
}

fn refuse(error: impl std::fmt::Display) -> AppError {
    AppError::Secret(error.to_string())
}

/// Reads a key, and makes it where it is missing. Of two processes that make it at once, one wins
/// and both read the winner's.
fn read_or_make(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> Result<SecretString, AppError>,
) -> Result<SecretString, AppError> {
    match read_key(folder, name) {
        Err(KeyError::Missing { .. }) => {
            match write_key(folder, name, make()?.expose_secret().as_bytes()) {
                Ok(()) | Err(KeyError::Exists { .. }) => {}
                Err(error) => return Err(refuse(error)),
            }
        }
        Err(error) => return Err(refuse(error)),
        Ok(_) => {}
    }
    let bytes = read_key(folder, name).map_err(refuse)?;
    let text = std::str::from_utf8(bytes.expose_secret())
        .map_err(|_| AppError::Secret(format!("the key `{name}` is no text")))?;
    Ok(SecretString::from(text.to_owned()))
}

impl Keys {
    /// Reads the keys, and makes those that are missing.
    pub(crate) fn open(instance: &Instance) -> Result<(Self, Vault), AppError> {
        let folder = instance.keys.as_path();
        let issuer = read_or_make(folder, ISSUER, || {
            IssuerKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
        })?;
        let log = read_or_make(folder, LOG, || {
            LogKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
        })?;
        let secret = read_or_make(folder, VAULT, new_vault_secret)?;
        let issuer = IssuerKey::from_pem(&issuer).map_err(refuse)?;
        let log = LogKey::from_pem(&log).map_err(refuse)?;
        let vault = Vault::new(&*vault_secret(&secret)?)?;
        let producer = format!("quietus-{}", &Digest::of(&issuer.public().to_spki()).short()[..8]);
        let keys = Self {
            issuer,
            log,
            origin: instance.evidence_origin.clone(),
            log_id: instance.evidence_origin.clone(),
            producer,
        };
        keys.identity()?;
        Ok((keys, vault))
    }

    /// The log's name and public key.
    pub(crate) fn identity(&self) -> Result<LogIdentity, AppError> {
        LogIdentity::new(&self.origin, self.log.public())
            .map_err(|error| AppError::Evidence(error.to_string()))
    }

    /// What an auditor checks certificates with: the log's key.
    pub(crate) fn trusted_root(&self) -> Result<Vec<u8>, AppError> {
        let log = TrustedLog { log: self.identity()?, valid_from: None, valid_until: None };
        Ok(TrustedRoot { logs: vec![log] }.to_json())
    }
}

fn new_vault_secret() -> Result<SecretString, AppError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::fill(bytes.as_mut_slice())
        .map_err(|_| AppError::Secret("the system gives no random bytes".to_owned()))?;
    Ok(SecretString::from(STANDARD.encode(*bytes)))
}

fn vault_secret(text: &SecretString) -> Result<Zeroizing<[u8; 32]>, AppError> {
    let bytes = STANDARD
        .decode(text.expose_secret().trim())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| {
            AppError::Secret(format!(
                "`{VAULT}` in the keys folder is not what was written there: restore it from your copy, or everything sealed with it stays unreadable"
            ))
        })?;
    Ok(Zeroizing::new(bytes))
}
