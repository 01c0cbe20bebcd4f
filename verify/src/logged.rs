//! Signed statements that go beside a certificate: the issuer signed them and they are in a log
//! that is trusted, or they say nothing.

use crate::bundle::Bundle;
use crate::keys::IssuerPublicKey;
use crate::trusted_root::TrustedRoot;
use crate::{dsse, hashedrekord};

/// Why a statement says nothing; a sentence without its first capital.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silent {
    /// It does not hold.
    #[error("{0}")]
    Broken(String),
    /// It names a key that is not among those of the issuer that are known: the issuer may have put
    /// a new one in the place of those, and anybody may have signed it.
    #[error("a key signed it that is not among those of the issuer that you have")]
    UnknownKey,
}

impl From<String> for Silent {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

/// Reads a bundle and checks everything about it but what it says: signature by one of these keys,
/// log entry, head of the log and place in it.
///
/// # Errors
/// Where one of them does not hold.
pub fn logged(
    bytes: &[u8],
    keys: &[IssuerPublicKey],
    root: &TrustedRoot,
) -> Result<Bundle, Silent> {
    let bundle = Bundle::from_json(bytes).map_err(|error| error.to_string())?;
    let key = keys.iter().find(|key| dsse::key_name(key) == bundle.envelope.key_id);
    proven(&bundle, key.ok_or(Silent::UnknownKey)?, root)?;
    Ok(bundle)
}

fn proven(bundle: &Bundle, key: &IssuerPublicKey, root: &TrustedRoot) -> Result<(), String> {
    let envelope = &bundle.envelope;
    if bundle.key_hint != envelope.key_id {
        return Err("it names two keys".to_owned());
    }
    if !key.verifies(&envelope.signed_bytes(), &envelope.signature) {
        return Err("the issuer did not sign it so".to_owned());
    }
    if hashedrekord::leaf(envelope, key) != bundle.leaf {
        return Err("its log entry is not the one of this statement".to_owned());
    }
    let log = root.log(&bundle.log_id).ok_or("the trusted root does not know its log")?;
    bundle.signed_head(&log.log)?;
    bundle.check_inclusion()
}
