//! The issuer's key: which one signs certificates now, with which one an earlier certificate was
//! signed, and putting a new one in the place of the present one.
//!
//! A rotation writes the new key beside the old one, in a file that has the key's own digest in its
//! name, then writes it down as the one in use, and only then puts its file in the old one's place,
//! which is destroyed. A process that dies in between leaves a file that the next opening puts in its
//! place, or that the next rotation throws away. Of several rotations at once one is written down, and
//! no other one touches its file: what is thrown away was there before the one that was written down
//! took its turn, so that nobody can write it down any more.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::config::{self, KeyError};
use crate::domain::Digest;
use crate::evidence::dsse::WireEnvelope;
use crate::evidence::{EvidenceKind, IssuerKey, IssuerPublicKey};
use crate::store::{SigningKey, Store};

/// Signs certificates: ECDSA P-256.
pub(super) const ISSUER: &str = "issuer.pem";
/// How the names of keys begin whose rotation is not finished.
const NEXT: &str = "issuer.next.";
/// The key of such a rotation as earlier versions call it, whichever key it is.
const NEXT_OF_BEFORE: &str = "issuer.next.pem";

/// The issuer's key of this process; another process may have put a new one in its place.
pub(crate) struct IssuerInUse(RwLock<Arc<IssuerKey>>);

impl IssuerInUse {
    pub(super) fn new(key: IssuerKey) -> Self {
        Self(RwLock::new(Arc::new(key)))
    }

    /// The key as it was last read.
    pub(crate) fn key(&self) -> Arc<IssuerKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, key: IssuerKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }
}

/// A key that took another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The one that went out of use.
    pub from: Digest,
    /// The one that came into use.
    pub to: Digest,
}

fn refuse(error: impl std::fmt::Display) -> AppError {
    AppError::Secret(error.to_string())
}

/// The file in which a new key waits for its place.
fn next_of(id: Digest) -> String {
    format!("{NEXT}{id}.pem")
}

fn issuer_in(bytes: &[u8], name: &str) -> Result<IssuerKey, AppError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| AppError::Secret(format!("the key `{name}` is no text")))?;
    IssuerKey::from_pem(&SecretString::from(text.to_owned())).map_err(refuse)
}

fn read_issuer(folder: &Path, name: &str) -> Result<IssuerKey, AppError> {
    let bytes = config::read_key(folder, name).map_err(refuse)?;
    issuer_in(bytes.expose_secret(), name)
}

/// The file in which this key waits for its place; `None` where it does not.
fn waiting(folder: &Path, id: Digest) -> Result<Option<String>, AppError> {
    for name in [next_of(id), NEXT_OF_BEFORE.to_owned()] {
        let bytes = match config::read_key(folder, &name) {
            Ok(bytes) => bytes,
            Err(KeyError::Missing { .. }) => continue,
            Err(error) => return Err(refuse(error)),
        };
        if issuer_in(bytes.expose_secret(), &name)?.public().id() == id {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Puts the key of a rotation in its place that was written down and not finished. Several processes
/// may do so at once.
pub(super) async fn finish_rotation(folder: &Path, store: &Store) -> Result<(), AppError> {
    if !is_rotating(folder) {
        return Ok(());
    }
    let Some(in_use) = store.issuer_in_use().await? else { return Ok(()) };
    let Some(next) = waiting(folder, in_use.id)? else { return Ok(()) };
    let keys = store.issuer_keys().await?;
    let retired = |id: Digest| keys.iter().any(|key| key.id == id && key.retired_at.is_some());
    // Nothing but what is out of use by the record: another process may have put the new one there.
    config::blank_key(folder, ISSUER, |bytes| {
        issuer_in(bytes, ISSUER).is_ok_and(|key| retired(key.public().id()))
    })
    .map_err(refuse)?;
    match config::rename_key(folder, &next, ISSUER) {
        // Another process was faster.
        Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed.map_err(refuse),
    }
}

/// Whether a new key waits for its place, which whoever works gives it.
pub(super) fn is_rotating(folder: &Path) -> bool {
    config::keys_that_begin(folder, NEXT).is_ok_and(|waiting| !waiting.is_empty())
}

impl Quietus {
    /// Writes down the key that signs, where none is on record; refuses another one than that.
    pub(super) async fn register_issuer(&self) -> Result<(), AppError> {
        if self.store.issuer_in_use().await?.is_some() {
            return Ok(());
        }
        let spki = self.keys.issuer.key().public().to_spki();
        let added = self.key_entry(EvidenceKind::KeyAdded, Digest::of(&spki), json!({}))?;
        self.store.first_issuer(&spki, self.now(), vec![added]).await?;
        Ok(())
    }

    fn key_entry(
        &self,
        kind: EvidenceKind,
        id: Digest,
        mut more: serde_json::Value,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        more["key"] = json!("issuer");
        more["sha256"] = json!(id);
        self.record(kind, About::default(), &more)
    }

    /// The key with which certificates are signed now. Where another process has put a new one in
    /// its place, that one is read.
    ///
    /// # Errors
    /// Where the key in use is not in the keys folder.
    pub(crate) async fn issuer_in_use(&self) -> Result<Arc<IssuerKey>, AppError> {
        let in_use = self.store.issuer_in_use().await?;
        let fits =
            |key: &IssuerKey| in_use.as_ref().is_none_or(|in_use| in_use.id == key.public().id());
        let known = self.keys.issuer.key();
        if fits(&known) {
            return Ok(known);
        }
        if self.instance.signers.issuer.is_none() {
            self.keys.issuer.set(read_issuer(&self.keys.folder, ISSUER)?);
        }
        let known = self.keys.issuer.key();
        if fits(&known) {
            return Ok(known);
        }
        Err(AppError::Secret(
            "the key that signs certificates is another than the one on record: restore it from your copy, or put it in the place of that one with `quietus keys rotate issuer`".to_owned(),
        ))
    }

    /// Whether whoever signs certificates could be reached when this process began: what is wrong in
    /// the instance file has to be said before anything is deleted.
    ///
    /// # Errors
    /// Where the token or the key in it was not there, and what to do.
    pub fn signer_is_there(&self) -> Result<(), AppError> {
        match &self.keys.signer_fault {
            Some(fault) => Err(AppError::Input(fault.clone())),
            None => Ok(()),
        }
    }

    /// The public key with which a certificate was signed, as PEM.
    pub(crate) async fn issuer_of(&self, envelope: &[u8]) -> Result<String, AppError> {
        let unreadable = || AppError::Evidence("an envelope cannot be read".to_owned());
        let wire: WireEnvelope = serde_json::from_slice(envelope).map_err(|_| unreadable())?;
        for key in self.store.issuer_keys().await? {
            let public = IssuerPublicKey::from_spki(&key.spki).ok_or_else(unreadable)?;
            if wire.key_id() == Some(crate::evidence::dsse::key_name(&public).as_str()) {
                return Ok(public.to_pem());
            }
        }
        Ok(self.keys.issuer.key().public().to_pem())
    }

    /// Puts a new key in the place of the issuer's: a new file, or what the signer's command signs
    /// with now. What the earlier one has signed still verifies and can be handed out.
    ///
    /// # Errors
    /// Where the keys folder cannot be written, or somebody else does the same.
    pub async fn rotate_issuer(&self, why: &str, actor: &Actor) -> Result<Rotated, AppError> {
        let in_use = self.store.issuer_in_use().await?;
        let from = in_use.ok_or_else(|| AppError::Evidence("no key is in use".to_owned()))?.id;
        let elsewhere = self.instance.signers.issuer.is_some();
        self.signer_is_there()?;
        let next = if elsewhere { None } else { Some(IssuerKey::generate().map_err(refuse)?) };
        let folder = &self.keys.folder;
        if let Some(next) = &next {
            self.issuer_in_use().await?;
            let pem = next.to_pem().map_err(refuse)?;
            let name = next_of(next.public().id());
            config::write_key(folder, &name, pem.expose_secret().as_bytes()).map_err(refuse)?;
        }
        let spki = match &next {
            Some(next) => next.public().to_spki(),
            None => self.keys.issuer.key().public().to_spki(),
        };
        let to = Digest::of(&spki);
        if to == from {
            return Err(AppError::Input(
                "the signer signs with the key that is in use: give it the new one first (`signers` in `quietus.yaml`)".to_owned(),
            ));
        }
        let said = json!({ "why": why, "by": actor.0 });
        let evidence = vec![
            self.key_entry(EvidenceKind::KeyAdded, to, said.clone())?,
            self.key_entry(EvidenceKind::KeyRetired, from, said)?,
        ];
        let waiting = config::keys_that_begin(folder, NEXT).map_err(refuse)?;
        if !self.store.rotate_issuer(from, &spki, self.now(), evidence).await? {
            config::destroy_key(folder, &next_of(to)).map_err(refuse)?;
            return Err(AppError::Input(
                "somebody else has just put a new key in place: look at `quietus keys list`"
                    .to_owned(),
            ));
        }
        if let Some(next) = next {
            finish_rotation(folder, &self.store).await?;
            self.keys.issuer.set(next);
        }
        // They were to take the place of the key that has just gone, and cannot any more.
        for name in waiting.iter().filter(|name| **name != next_of(to)) {
            config::destroy_key(folder, name).map_err(refuse)?;
        }
        Ok(Rotated { from, to })
    }

    /// Writes down that an issuer's key may have been in other hands since a moment. One that is in
    /// use has to be replaced first.
    ///
    /// # Errors
    /// Where there is no such key or it is in use.
    pub async fn compromise_issuer(
        &self,
        beginning: &str,
        since: Timestamp,
        (why, actor): (&str, &Actor),
    ) -> Result<SigningKey, AppError> {
        let keys = self.store.issuer_keys().await?;
        let named = |key: &&SigningKey| key.id.to_string().starts_with(beginning);
        let mut found = keys.iter().filter(named);
        let (Some(key), None) = (found.next(), found.next()) else {
            return Err(AppError::Input(format!(
                "`{beginning}` is not the beginning of one key's digest: see `quietus keys list`"
            )));
        };
        if key.retired_at.is_none() {
            return Err(AppError::Input(
                "this key is in use: put a new one in its place first, with `quietus keys rotate issuer`".to_owned(),
            ));
        }
        let said = json!({ "why": why, "by": actor.0, "since": since });
        let entry = self.key_entry(EvidenceKind::KeyCompromised, key.id, said)?;
        if self.store.compromise_issuer(key.id, since, self.now(), vec![entry]).await? {
            return Ok(SigningKey { compromised_since: Some(since), ..key.clone() });
        }
        Err(AppError::Input(
            "that is on record already, since the same or an earlier moment".to_owned(),
        ))
    }
}
