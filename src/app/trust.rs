//! The trust folder: everything with which auditors check the certificates of this instance, signed as a
//! whole by a root key that signs nothing else.
//!
//! The root key is made when it is first needed, and its public half stays beside it: its fingerprint
//! may stand in contracts, so that a key that was lost is never replaced unnoticed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::keys::read_or_make;
use super::recording::About;
use super::{AppError, Quietus, signer};
use crate::config::{self, KeyError};
use crate::domain::Digest;
use crate::evidence::anchor_folder::POLICY_NAME;
use crate::evidence::export::{ISSUER_KEY_NAME, TRUSTED_ROOT_NAME};
use crate::evidence::origin::LogName;
use crate::evidence::policy::Policy;
use crate::evidence::trust::{LOG_KEYS_NAME, sign_trust_folder};
use crate::evidence::trust_folder::{TrustPredicate, TrustedIssuerKey};
use crate::evidence::{EvidenceKind, IssuerKey, IssuerPublicKey};
use crate::store::SigningKey;

/// Signs trust folders: ECDSA P-256.
const ROOT: &str = "root.pem";
/// Its public half, which says that there was one.
const ROOT_PUBLIC: &str = "root.pub.pem";

/// A trust folder as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustFolder {
    /// Its files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The fingerprint of the root key.
    pub fingerprint: Digest,
    /// Whether the root key signed for the first time.
    pub is_first: bool,
}

fn refuse(error: impl std::fmt::Display) -> AppError {
    AppError::Secret(error.to_string())
}

/// The public key of a key on record.
fn public_of(key: &SigningKey) -> Result<IssuerPublicKey, AppError> {
    let public = IssuerPublicKey::from_spki(&key.spki);
    public.ok_or_else(|| AppError::Evidence("a key cannot be read".to_owned()))
}

/// A key of the issuer with a line before it that says when it signs.
fn with_remark(key: &SigningKey) -> Result<String, AppError> {
    let day = |moment: Timestamp| moment.strftime("%Y-%m-%d").to_string();
    let until = key.retired_at.map(|until| format!(" until {}", day(until)));
    let since = key.compromised_since;
    let since = since.map(|since| format!("; may have been in other hands since {since}"));
    let (until, since) = (until.unwrap_or_default(), since.unwrap_or_default());
    let from = day(key.added_at);
    let pem = public_of(key)?.to_pem();
    Ok(format!("# signs certificates from {from}{until}{since}\n{pem}"))
}

/// The name of the file of one key of the issuer.
fn name_of(key: &SigningKey) -> String {
    format!("issuer.{}.pub.pem", key.id.short())
}

impl Quietus {
    /// The folder with which auditors check all certificates of this instance: the logs and
    /// authorities that are trusted, the policy, and the keys of the issuer of all times, signed with
    /// the root key, which is made if there was none.
    ///
    /// # Errors
    /// Where the store is not there, or the root key is missing, another one, or signs nothing.
    pub async fn trust_folder(&self) -> Result<TrustFolder, AppError> {
        if self.store.logs().await?.is_empty() {
            self.advance_log().await?;
        }
        let (root, is_first) = self.root_key()?;
        let keys = self.store.issuer_keys().await?;
        let mut files = self.log_files().await?;
        let mut all = String::new();
        for key in keys.iter().rev() {
            let text = with_remark(key)?;
            all += &text;
            files.insert(name_of(key), text.into_bytes());
        }
        files.insert(ISSUER_KEY_NAME.to_owned(), all.into_bytes());
        files.insert(TRUSTED_ROOT_NAME.to_owned(), self.trusted_root().await?);
        for chain in self.store.time_stamp_chains().await? {
            let name = format!("anchor-authority.{}.pem", chain.authority);
            files.entry(name).or_default().extend_from_slice(chain.chain.as_bytes());
        }
        let predicate = TrustPredicate {
            issuer: self.instance.controller.name.clone(),
            issued_at: self.now(),
            issuer_keys: trusted_keys(&keys),
        };
        let files = sign_trust_folder(files, predicate, &root).map_err(|error| {
            AppError::Secret(format!("the trust folder is not written: {error}"))
        })?;
        if is_first {
            self.register_root(&root).await?;
        }
        Ok(TrustFolder { files, fingerprint: root.public().id(), is_first })
    }

    /// The keys of all logs, and the policy that serves for all of them.
    async fn log_files(&self) -> Result<BTreeMap<String, Vec<u8>>, AppError> {
        let mut logs = self.store.logs().await?;
        logs.sort_by_key(|log| LogName::of(&log.origin));
        let (mut keys, mut whole) = (String::new(), Policy::default());
        for log in &logs {
            let one = self.policy(&log.log_id).await?;
            for key in one.logs {
                // Memory takes everything.
                writeln!(keys, "{key}").unwrap_or_default();
                // One name a key (C2SP tlog-policy): the earliest, which the logs of later years
                // continue.
                if whole.logs.iter().all(|known| known.key != key.key) {
                    whole.logs.push(key);
                }
            }
            whole = Policy { logs: whole.logs, witnesses: one.witnesses, ..one };
        }
        Ok(BTreeMap::from([
            (LOG_KEYS_NAME.to_owned(), keys.into_bytes()),
            (POLICY_NAME.to_owned(), whole.to_string().into_bytes()),
        ]))
    }

    /// Writes down that a root key came into use, and puts its public half beside it.
    async fn register_root(&self, key: &IssuerKey) -> Result<(), AppError> {
        let public = key.public();
        let detail = json!({ "key": "root", "sha256": public.id() });
        let added = self.record(EvidenceKind::KeyAdded, About::default(), &detail)?;
        self.store.record_evidence(vec![added], self.now()).await?;
        let pem = public.to_pem();
        config::write_key(&self.keys.folder, ROOT_PUBLIC, pem.as_bytes()).map_err(refuse)
    }

    /// The root key, and whether it has never signed before.
    fn root_key(&self) -> Result<(IssuerKey, bool), AppError> {
        let folder = &self.keys.folder;
        let known = match config::read_key(folder, ROOT_PUBLIC) {
            Ok(pem) => Some(String::from_utf8_lossy(pem.expose_secret()).into_owned()),
            Err(KeyError::Missing { .. }) => None,
            Err(error) => return Err(refuse(error)),
        };
        let path = |name: &str| folder.join(name).display().to_string();
        let begin_anew = || {
            format!(
                "Only where it is lost for good, move `{}` away: then a new one is made, whose fingerprint belongs into all contracts anew",
                path(ROOT_PUBLIC)
            )
        };
        let key = if let Some(elsewhere) = &self.instance.signers.root {
            signer::key_of(elsewhere)?
        } else {
            if known.is_some() && !folder.join(ROOT).exists() {
                return Err(AppError::Input(format!(
                    "the root key `{}` is missing, and its fingerprint may stand in contracts: restore it from your copy. {}",
                    path(ROOT),
                    begin_anew()
                )));
            }
            IssuerKey::from_pem(&new_or_known(folder)?).map_err(refuse)?
        };
        let public = key.public();
        match known {
            Some(known) if IssuerPublicKey::from_pem(&known) == Some(public) => Ok((key, false)),
            Some(_) => Err(AppError::Input(format!(
                "the root key is another than the one whose public half is `{}`, and whose fingerprint may stand in contracts: use that one. {}",
                path(ROOT_PUBLIC),
                begin_anew()
            ))),
            None => Ok((key, true)),
        }
    }
}

/// The private key in the keys folder, which is made where there is none.
fn new_or_known(folder: &std::path::Path) -> Result<SecretString, AppError> {
    read_or_make(folder, ROOT, None, || {
        IssuerKey::generate().and_then(|key| key.to_pem()).map_err(refuse)
    })
}

/// When each key of the issuer counts, the newest first. When the first one came into use nobody says:
/// it may have signed before keys were on record.
fn trusted_keys(keys: &[SigningKey]) -> Vec<TrustedIssuerKey> {
    let number = keys.iter().enumerate().rev();
    number
        .map(|(number, key)| TrustedIssuerKey {
            sha256: key.id,
            from: (number > 0).then_some(key.added_at),
            until: key.retired_at,
            compromised_since: key.compromised_since,
        })
        .collect()
}
