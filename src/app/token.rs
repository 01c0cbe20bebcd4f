//! Keys in tokens behind PKCS#11: signing with them, making them, and what is said where a token is not
//! there. A PIN is read when it is needed and never kept.

use std::sync::Arc;

use secrecy::SecretString;

use super::AppError;
use super::signer::in_place;
use crate::config::{SignerSettings, TokenSettings};
use crate::domain::Digest;
use crate::evidence::{IssuerKey, IssuerPublicKey};
use crate::pkcs11::{self, AskPin, KeyPlace};
use crate::store::SigningKey;

/// A key that was made in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeKey {
    /// Where it is.
    pub place: KeyPlace,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: Digest,
    /// Its public half, PEM.
    pub public: String,
}

/// The key of a token, whose public half the token tells.
///
/// # Errors
/// An error of input where the module, the token or the key is not there.
pub(super) fn key_of(settings: &TokenSettings) -> Result<IssuerKey, AppError> {
    let pin = pin_of(settings);
    let point = in_place(|| pkcs11::public_point(&settings.place, &pin));
    let point = point.map_err(|fault| AppError::Input(settings.told(&fault)))?;
    Ok(signing(settings, IssuerPublicKey(point)))
}

/// The key on record, whose token is not there now. What it signs once it is back is believed only if
/// it is this key.
///
/// # Errors
/// Where the key on record cannot be read, or no token signs.
pub(super) fn absent(settings: &SignerSettings, known: &SigningKey) -> Result<IssuerKey, AppError> {
    let public = IssuerPublicKey::from_spki(&known.spki);
    match (settings, public) {
        (SignerSettings::Token(settings), Some(public)) => Ok(signing(settings, public)),
        _ => Err(AppError::Evidence("the key on record cannot be read".to_owned())),
    }
}

/// Makes a key in the token that an instance file names.
///
/// # Errors
/// Where the token makes none, or has one of this name.
pub fn generate(settings: &TokenSettings) -> Result<MadeKey, AppError> {
    let pin = pin_of(settings);
    let point = in_place(|| pkcs11::generate(&settings.place, &pin));
    let public = IssuerPublicKey(point.map_err(|fault| AppError::Input(settings.told(&fault)))?);
    Ok(MadeKey { place: settings.place.clone(), id: public.id(), public: public.to_pem() })
}

fn signing(settings: &TokenSettings, public: IssuerPublicKey) -> IssuerKey {
    let (settings, pin) = (settings.clone(), pin_of(settings));
    let sign = move |message: &[u8]| {
        let signed = in_place(|| pkcs11::sign(&settings.place, &pin, Digest::of(message)));
        signed.map_err(|fault| {
            tracing::error!(
                why = settings.told(&fault),
                "the token gave no signature; what waits for it is signed once it does"
            );
        })
    };
    IssuerKey::elsewhere(public, Arc::new(sign))
}

fn pin_of(settings: &TokenSettings) -> AskPin {
    let (reference, folder) = (settings.pin.clone(), settings.folder.clone());
    let ask = move || -> Result<SecretString, String> {
        reference.resolve(&folder).map_err(|error| error.to_string())
    };
    Arc::new(ask)
}
