//! The instance's keys: certificate issuer, evidence log and vault, each in its own file of the
//! keys folder and never in the store. They are made on first use; once the store holds what was
//! signed or sealed with them, they have to be there and have to be the same.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::issuer::{self, ISSUER, IssuerInUse};
use super::recording::DETAIL_PURPOSE;
use super::vault::Vault;
use super::{AppError, signer};
use crate::config::{Instance, KeyError, read_key, write_key};
use crate::domain::Digest;
use crate::evidence::dsse::{WireEnvelope, key_name};
use crate::evidence::trusted_root::{TrustedLog, TrustedRoot};
use crate::evidence::{IssuerKey, LogIdentity, LogKey, note};
use crate::store::{CertificateFilter, Head, LogState, Store};

/// Signs checkpoints: Ed25519.
const LOG: &str = "log.pem";
/// Seals what identifies people: 32 random bytes in Base64.
const VAULT: &str = "vault.key";

/// Keys in use.
pub(crate) struct Keys {
    pub(crate) issuer: IssuerInUse,
    pub(crate) log: LogKey,
    pub(crate) origin: String,
    pub(crate) log_id: String,
    pub(crate) producer: String,
    /// Where the keys are, and what was signed last.
    pub(crate) folder: PathBuf,
    /// Earlier logs of the store, of the same key.
    earlier: Vec<LogIdentity>,
}

fn refuse(error: impl std::fmt::Display) -> AppError {
    AppError::Secret(error.to_string())
}

fn corrupt(error: impl std::fmt::Display) -> AppError {
    AppError::Evidence(error.to_string())
}

/// Reads a key. Where it is missing and `signed_with_it` says what the store holds, that is an error;
/// otherwise it is made. Of two processes that make it at once, one wins and both read the
/// winner's.
pub(super) fn read_or_make(
    folder: &Path,
    name: &str,
    signed_with_it: Option<&str>,
    make: impl FnOnce() -> Result<SecretString, AppError>,
) -> Result<SecretString, AppError> {
    match (read_key(folder, name), signed_with_it) {
        (Err(KeyError::Missing { path }), Some(what)) => {
            return Err(AppError::Secret(format!(
                "the key `{}` is missing, and the store holds {what}: restore it from your copy",
                path.display()
            )));
        }
        (Err(KeyError::Missing { .. }), None) => {
            match write_key(folder, name, make()?.expose_secret().as_bytes()) {
                Ok(()) | Err(KeyError::Exists { .. }) => {}
                Err(error) => return Err(refuse(error)),
            }
        }
        (Err(error), _) => return Err(refuse(error)),
        (Ok(_), _) => {}
    }
    let bytes = read_key(folder, name).map_err(refuse)?;
    let text = std::str::from_utf8(bytes.expose_secret())
        .map_err(|_| AppError::Secret(format!("the key `{name}` is no text")))?;
    Ok(SecretString::from(text.to_owned()))
}

/// The name of the log: what the store's log is called, or what the instance calls a new one.
fn origin_of(instance: &Instance, logs: &[Head]) -> Result<String, AppError> {
    let wanted = &instance.evidence_origin;
    if logs.iter().any(|log| log.origin == *wanted) {
        return Ok(wanted.clone());
    }
    let Some(open) = logs.iter().rev().find(|log| log.state == LogState::Open) else {
        return Ok(wanted.clone());
    };
    if instance.evidence_origin_given {
        return Err(AppError::Secret(format!(
            "the evidence log of this store is called `{}`, and `quietus.yaml` says `{wanted}`: write `evidence: {{origin: {}}}`",
            open.origin, open.origin
        )));
    }
    // The controller has another name now, and the log keeps its own.
    Ok(open.origin.clone())
}

impl Keys {
    /// Reads the keys, and makes those that are missing and were never used with this store.
    ///
    /// # Errors
    /// Where a key is missing or another than the one that the store was written with, or where
    /// the log has another name.
    pub(crate) async fn open(
        instance: &Instance,
        store: &Store,
    ) -> Result<(Self, Vault), AppError> {
        let logs = store.logs().await?;
        let sealed = store.first_detail_of_vault().await?;
        let signed = (!logs.is_empty()).then_some("an evidence log that was signed with it");
        let kept = (signed.is_some() || sealed.is_some())
            .then_some("what was sealed with it and stays unreadable without it");
        let folder = instance.keys.as_path();
        issuer::finish_rotation(folder, store).await?;
        let issuer = match &instance.signers.issuer {
            Some(elsewhere) => signer::issuer_of(elsewhere)?,
            None => {
                let pem = read_or_make(folder, ISSUER, signed, || {
                    IssuerKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
                })?;
                IssuerKey::from_pem(&pem).map_err(refuse)?
            }
        };
        let log = read_or_make(folder, LOG, signed, || {
            LogKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
        })?;
        let secret = read_or_make(folder, VAULT, kept, new_vault_secret)?;
        let log = LogKey::from_pem(&log).map_err(refuse)?;
        let vault = Vault::new(&*vault_secret(&secret, VAULT)?)?;
        if let Some(sealed) = sealed.and_then(|detail| detail.sealed) {
            vault.open::<String>(DETAIL_PURPOSE, &sealed)?;
        }
        let producer = format!("quietus-{}", &Digest::of(&issuer.public().to_spki()).short()[..8]);
        let origin = origin_of(instance, &logs)?;
        let mut keys = Self {
            issuer: IssuerInUse::new(issuer),
            log,
            log_id: origin.clone(),
            origin,
            producer,
            folder: folder.to_owned(),
            earlier: Vec::new(),
        };
        keys.identity()?;
        keys.check_issuer(instance, store).await?;
        keys.check_logs(store, &logs).await?;
        Ok((keys, vault))
    }

    /// Whether this issuer's key is the one in use, or, in a store that does not know of any yet,
    /// signed the newest certificate. A signer elsewhere may have a new one, which is put in place
    /// by `quietus keys rotate issuer`; until then nothing is signed.
    async fn check_issuer(&self, instance: &Instance, store: &Store) -> Result<(), AppError> {
        let id = self.issuer.key().public().id();
        if let Some(in_use) = store.issuer_in_use().await? {
            if in_use.id == id || instance.signers.issuer.is_some() {
                return Ok(());
            }
            return Err(self.another_issuer());
        }
        let filter = CertificateFilter { limit: 1, ..CertificateFilter::default() };
        let Some(newest) = store.list_certificates(filter).await?.pop() else { return Ok(()) };
        let Some(newest) = store.certificate(newest.id).await? else { return Ok(()) };
        let wire: WireEnvelope = serde_json::from_slice(&newest.envelope).map_err(corrupt)?;
        if wire.key_id() == Some(key_name(&self.issuer.key().public()).as_str()) {
            return Ok(());
        }
        Err(self.another_issuer())
    }

    fn another_issuer(&self) -> AppError {
        AppError::Secret(format!(
            "the key `{}` is another than the one that signed the certificates of this store: restore it from your copy",
            self.folder.join(ISSUER).display()
        ))
    }

    /// Whether this key signed the heads of the logs. A log before the one in use may have had
    /// another key; it is then left out of the trusted root.
    async fn check_logs(&mut self, store: &Store, logs: &[Head]) -> Result<(), AppError> {
        for log in logs {
            let Some(latest) = store.latest_checkpoint(&log.log_id).await? else { continue };
            let identity = LogIdentity::new(&log.origin, self.log.public()).map_err(corrupt)?;
            let text = std::str::from_utf8(&latest.note).unwrap_or_default();
            let head = note::verify_checkpoint(text, &identity);
            let fits = head.is_ok_and(|head| (head.size, head.root) == (latest.size, latest.root));
            if log.log_id == self.log_id {
                if !fits {
                    return Err(AppError::Secret(format!(
                        "the latest head of the evidence log does not verify with the key `{}`: restore the key, or the store, from your copy",
                        self.folder.join(LOG).display()
                    )));
                }
            } else if fits {
                self.earlier.push(identity);
            } else {
                tracing::warn!(
                    log = log.origin,
                    "another key signed this log: its certificates cannot be exported"
                );
            }
        }
        Ok(())
    }

    /// The name and public key of the log in use.
    pub(crate) fn identity(&self) -> Result<LogIdentity, AppError> {
        LogIdentity::new(&self.origin, self.log.public()).map_err(corrupt)
    }

    /// The name and public key of this log of the store.
    pub(crate) fn identity_of(&self, log_id: &str) -> Result<LogIdentity, AppError> {
        LogIdentity::new(log_id, self.log.public()).map_err(corrupt)
    }

    /// What an auditor checks certificates with: the keys of all logs.
    pub(crate) fn trusted_root(&self) -> Result<Vec<u8>, AppError> {
        let logs = [self.identity()?].into_iter().chain(self.earlier.iter().cloned());
        let logs = logs.map(|log| TrustedLog { log, valid_from: None, valid_until: None });
        Ok(TrustedRoot { logs: logs.collect() }.to_json())
    }
}

/// A new secret of a vault or an epoch: 32 random bytes in Base64.
pub(super) fn new_vault_secret() -> Result<SecretString, AppError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::fill(bytes.as_mut_slice())
        .map_err(|_| AppError::Secret("the system gives no random bytes".to_owned()))?;
    Ok(SecretString::from(STANDARD.encode(*bytes)))
}

/// Reads the secret of a vault or an epoch out of its file `name`.
pub(super) fn vault_secret(
    text: &SecretString,
    name: &str,
) -> Result<Zeroizing<[u8; 32]>, AppError> {
    let bytes = STANDARD
        .decode(text.expose_secret().trim())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| {
            AppError::Secret(format!(
                "`{name}` in the keys folder is not what was written there: restore it from your copy, or everything sealed with it stays unreadable"
            ))
        })?;
    Ok(Zeroizing::new(bytes))
}
