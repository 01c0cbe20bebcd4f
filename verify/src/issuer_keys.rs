//! The step `issuer-key`: with which of the issuer's keys a certificate was signed, and from where
//! the verifying person has it.

use crate::bundle::Bundle;
use crate::hashedrekord;
use crate::keys::IssuerPublicKey;
use crate::trusted_root::fingerprint;
use crate::verify::{Material, Source, Steps};

/// The key of the certificate, and all others of the issuer that the verifying person has.
pub(crate) fn known_keys(
    material: &Material<'_>,
    own: Option<IssuerPublicKey>,
) -> Vec<IssuerPublicKey> {
    let pem = material.issuer_key.and_then(|(pem, _)| std::str::from_utf8(pem).ok());
    let others = pem.and_then(IssuerPublicKey::all_from_pem).unwrap_or_default();
    own.into_iter().chain(others).collect()
}

/// The key of the certificate: one that was given, or else the one of the log entry.
pub(crate) fn issuer_key(
    steps: &mut Steps,
    material: &Material<'_>,
    bundle: &Bundle,
) -> Option<IssuerPublicKey> {
    const NAME: &str = "issuer-key";
    let logged = hashedrekord::public_key(&bundle.leaf);
    let Some((pem, source)) = material.issuer_key else {
        match &logged {
            Some(logged) => steps.skip(
                NAME,
                format!(
                    "No issuer key was given: the key in the log entry is used. Compare the \
                     SHA-256 of its SubjectPublicKeyInfo, `{}`, with one from the issuer.",
                    logged.id()
                ),
            ),
            None => steps.fail(NAME, "The log entry names no P-256 key."),
        }
        return logged;
    };
    let keys = std::str::from_utf8(pem).ok().and_then(IssuerPublicKey::all_from_pem);
    let keys = keys.unwrap_or_default();
    let Some(first) = keys.first().copied() else {
        steps.fail(NAME, "The issuer's key is no P-256 public key in PEM.");
        return None;
    };
    let named = keys.into_iter().find(|key| logged == Some(*key));
    match source {
        _ if named.is_none() => {
            steps.fail(NAME, "The log entry does not name the issuer's key.");
        }
        Source::Given => steps.pass(NAME, "The log entry names the issuer's key that was given."),
        Source::Beside => steps.skip(
            NAME,
            format!(
                "The issuer's key came with the certificate. Compare the SHA-256 of the file, \
                 `{}`, with one from the issuer.",
                fingerprint(pem)
            ),
        ),
    }
    named.or(Some(first))
}
