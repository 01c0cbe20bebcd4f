//! The instance's keys: certificate issuer, evidence log and vault, each in its own file of the
//! keys folder and never in the store. They are made on first use; once the store holds what was
//! signed or sealed with them, they have to be there and have to be the same.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::anchor::cosigner_id;
use super::issuer::{self, ISSUER, IssuerInUse};
use super::recording::DETAIL_PURPOSE;
use super::vault::Vault;
use super::{AppError, signed_head, signer, token};
use crate::config::{Instance, KeyError, read_key, write_key};
use crate::evidence::cosignature::CosignatureKind;
use crate::evidence::cosigning::CosigningKey;
use crate::evidence::dsse::{WireEnvelope, key_name};
use crate::evidence::origin::LogName;
use crate::evidence::trusted_root::{TrustedAuthority, TrustedLog, TrustedRoot};
use crate::evidence::{IssuerKey, LogIdentity, LogKey, LogPublicKey, note};
use crate::store::{CertificateFilter, Checkpoint, Head, LogState, Store};

/// Signs checkpoints: Ed25519.
const LOG: &str = "log.pem";
/// Signs checkpoints a second time: ML-DSA-44.
const LOG_SECOND: &str = "log-ml-dsa-44.pem";
/// Seals what identifies people: 32 random bytes in Base64.
const VAULT: &str = "vault.key";

/// Keys in use.
pub(crate) struct Keys {
    pub(crate) issuer: IssuerInUse,
    /// Why the token that signs certificates was not there when this process began.
    pub(super) signer_fault: Option<String>,
    pub(crate) log: LogKey,
    /// Signs checkpoints a second time, in a way that a quantum computer does not break; each time
    /// under the name of the log ([`Keys::second_of`]).
    second: Option<CosigningKey>,
    pub(crate) producer: String,
    /// Where the keys are, and what was signed last.
    pub(crate) folder: PathBuf,
}

fn refuse(error: impl std::fmt::Display) -> AppError {
    AppError::Secret(error.to_string())
}

/// The name of this instance in its leaves: of its first issuer's key, so that its entries are
/// counted on when a new key takes that one's place.
async fn producer_of(store: &Store, issuer: &IssuerKey) -> Result<String, AppError> {
    let first = store.issuer_keys().await?.first().map(|key| key.id);
    let id = first.unwrap_or_else(|| issuer.public().id());
    Ok(format!("quietus-{}", &id.short()[..8]))
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

/// Whether the logs of the store may be called what the instance file calls them.
fn check_origin(instance: &Instance, logs: &[Head]) -> Result<(), AppError> {
    let wanted = &instance.evidence_origin;
    // Without a name in the file, the controller may have another name now: the logs keep theirs.
    if !instance.evidence_origin_given || logs.iter().any(|log| log.origin == *wanted) {
        return Ok(());
    }
    let Some(newest) = newest(logs) else { return Ok(()) };
    let (base, wanted_base) = (LogName::of(&newest.origin).base, LogName::of(wanted).base);
    if base == wanted_base {
        return Ok(());
    }
    Err(AppError::Secret(format!(
        "the evidence log of this store is called `{base}`, and `quietus.yaml` says `{wanted_base}`: write `evidence: {{origin: {base}}}`"
    )))
}

/// The log that is in use, or was last.
pub(crate) fn newest(logs: &[Head]) -> Option<&Head> {
    logs.iter().max_by_key(|log| (log.state == LogState::Open, LogName::of(&log.origin)))
}

/// What the keys are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To work with them: those that are missing and were never used are made.
    Use,
    /// To look at how things stand: nothing is made and nothing finished.
    Look,
}

impl Keys {
    /// Reads the keys, and makes those that are missing and were never used with this store, unless
    /// somebody only looks.
    ///
    /// # Errors
    /// Where a key is missing or another than the one that the store was written with, or where
    /// the log has another name.
    pub(crate) async fn open(
        instance: &Instance,
        store: &Store,
        access: Access,
    ) -> Result<(Self, Vault), AppError> {
        let logs = store.logs().await?;
        let sealed = store.first_detail_of_vault().await?;
        let looks = access == Access::Look;
        let signed =
            (looks || !logs.is_empty()).then_some("an evidence log that was signed with it");
        let kept = (signed.is_some() || sealed.is_some())
            .then_some("what was sealed with it and stays unreadable without it");
        let folder = instance.keys.as_path();
        if !looks {
            issuer::finish_rotation(folder, store).await?;
        }
        let mut signer_fault = None;
        let issuer = if let Some(elsewhere) = &instance.signers.issuer {
            match (signer::key_of(elsewhere), store.issuer_in_use().await?) {
                (Ok(key), _) => key,
                // A token that is not there now keeps nobody from what needs no signature.
                (Err(AppError::Input(fault)), Some(known)) => {
                    signer_fault = Some(fault);
                    token::absent(elsewhere, &known)?
                }
                (Err(error), _) => return Err(error),
            }
        } else {
            let pem = read_or_make(folder, ISSUER, signed, || {
                IssuerKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
            })?;
            IssuerKey::from_pem(&pem).map_err(refuse)?
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
        let producer = producer_of(store, &issuer).await?;
        check_origin(instance, &logs)?;
        let second = second_key(instance, store, &logs, access).await?;
        let issuer = IssuerInUse::new(issuer);
        let folder = folder.to_owned();
        let keys = Self { issuer, signer_fault, log, second, producer, folder };
        // With the year that will stand behind it.
        let longest = LogName::of(&instance.evidence_origin).next(9_999, &[]).origin();
        LogIdentity::new(&longest, keys.log.public()).map_err(corrupt)?;
        // A key may have been replaced since an older copy of the store was made; nothing is signed
        // before that one is brought forward.
        let is_rotating = looks && issuer::is_rotating(&keys.folder);
        if !keys.is_ahead_of(&logs) && !is_rotating {
            keys.check_issuer(instance, store).await?;
        }
        keys.check_logs(store, &logs).await?;
        Ok((keys, vault))
    }

    /// Whether a head was signed that these logs do not reach.
    fn is_ahead_of(&self, logs: &[Head]) -> bool {
        let signed = signed_head::read(&self.folder, |origin| self.identity_among(logs, origin));
        // What is wrong with the head itself is told where the keys of the logs are checked.
        let Ok(Some(signed)) = signed else { return false };
        let log = logs.iter().find(|log| log.origin == signed.head.origin);
        log.map_or(0, |log| log.size) < signed.head.size
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

    /// Whether this key signs the log in use. Earlier logs may have had other keys.
    async fn check_logs(&self, store: &Store, logs: &[Head]) -> Result<(), AppError> {
        let Some(log) = newest(logs) else { return Ok(()) };
        let mut fits = log.verifier_key.is_none_or(|key| key == self.log.public().0);
        if let Some(latest) = store.latest_checkpoint(&log.log_id).await? {
            fits = fits && self.signed(log, &latest);
        }
        if fits {
            return Ok(());
        }
        Err(AppError::Secret(format!(
            "the latest head of the evidence log does not verify with the key `{}`: restore the key, or the store, from your copy",
            self.folder.join(LOG).display()
        )))
    }

    /// Whether the key of a log signed a head of it.
    fn signed(&self, log: &Head, checkpoint: &Checkpoint) -> bool {
        let text = std::str::from_utf8(&checkpoint.note).unwrap_or_default();
        let head = self.identity_of(log).map(|log| note::verify_checkpoint(text, &log));
        let wanted = (checkpoint.size, checkpoint.root);
        matches!(head, Ok(Ok(head)) if (head.size, head.root) == wanted)
    }

    /// The name and public key of a log of the store. Logs from before keys were kept with them are
    /// taken to have the key in use.
    pub(crate) fn identity_of(&self, log: &Head) -> Result<LogIdentity, AppError> {
        let key = log.verifier_key.map_or(self.log.public(), LogPublicKey);
        LogIdentity::new(&log.origin, key).map_err(corrupt)
    }

    /// The name and public key of the log of this name, which the store may not know.
    pub(crate) fn identity_among(
        &self,
        logs: &[Head],
        origin: &str,
    ) -> Result<LogIdentity, AppError> {
        match logs.iter().find(|log| log.origin == origin) {
            Some(log) => self.identity_of(log),
            None => LogIdentity::new(origin, self.log.public()).map_err(corrupt),
        }
    }

    /// The key that signs the heads of a log a second time, under that log's name; `None` where
    /// nobody wants one, or where another key signed that log.
    pub(crate) fn second_of(&self, log: &Head) -> Result<Option<CosigningKey>, AppError> {
        let Some(second) = &self.second else { return Ok(None) };
        if self.identity_of(log)?.key() != self.log.public() {
            return Ok(None);
        }
        second.under(&log.origin).map(Some).map_err(corrupt)
    }

    /// What an auditor checks certificates with: the keys of all logs of the store, the newest
    /// first, and these authorities.
    pub(crate) async fn trusted_root(
        &self,
        store: &Store,
        authorities: Vec<TrustedAuthority>,
    ) -> Result<Vec<u8>, AppError> {
        let mut heads = store.logs().await?;
        heads.sort_by_key(|log| std::cmp::Reverse(LogName::of(&log.origin)));
        let mut logs = Vec::new();
        for head in &heads {
            let latest = store.latest_checkpoint(&head.log_id).await?;
            if latest.is_some_and(|latest| !self.signed(head, &latest)) {
                tracing::warn!(
                    log = head.origin,
                    "an unknown key signed this log: its certificates cannot be exported"
                );
                continue;
            }
            let log = self.identity_of(head)?;
            logs.push(TrustedLog { log, valid_from: None, valid_until: None });
        }
        Ok(TrustedRoot { logs, authorities }.to_json())
    }
}

/// The second key of the logs; `None` where nobody wants one.
///
/// # Errors
/// Where it is missing or another than the one that signed the newest log.
async fn second_key(
    instance: &Instance,
    store: &Store,
    logs: &[Head],
    access: Access,
) -> Result<Option<CosigningKey>, AppError> {
    const KIND: CosignatureKind = CosignatureKind::MlDsa44;
    if !instance.post_quantum {
        return Ok(None);
    }
    let mut signed = None;
    for log in logs {
        if store.cosigner_called(&log.log_id, &log.origin).await?.is_some() {
            signed = Some("heads of the evidence log that were signed with it");
        }
    }
    let is_there = instance.keys.join(LOG_SECOND).exists();
    if access == Access::Look && signed.is_none() && !is_there {
        // Whoever works makes it; it was never used.
        return Ok(None);
    }
    let name = newest(logs).map_or(instance.evidence_origin.as_str(), |log| &log.origin);
    let text = read_or_make(&instance.keys, LOG_SECOND, signed, || {
        CosigningKey::generate(KIND, name).and_then(|key| key.to_pem()).map_err(refuse)
    })?;
    let key = CosigningKey::from_pem(KIND, name, &text).map_err(refuse)?;
    let Some(log) = newest(logs) else { return Ok(Some(key)) };
    let before = store.cosigner_called(&log.log_id, &log.origin).await?;
    if before.is_none_or(|before| before == cosigner_id(&key.cosigner().verifier_key())) {
        return Ok(Some(key));
    }
    Err(AppError::Secret(format!(
        "the key `{}` is another than the one that signed the heads of the evidence log: restore it from your copy",
        instance.keys.join(LOG_SECOND).display()
    )))
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
