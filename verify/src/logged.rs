//! Signed statements that go beside a certificate: the issuer signed them and they are in a log
//! that is trusted, or they say nothing.

use crate::bundle::Bundle;
use crate::keys::IssuerPublicKey;
use crate::trusted_root::TrustedRoot;
use crate::{dsse, hashedrekord, merkle, note};

/// Reads a bundle and checks everything about it but what it says: signature, log entry, head of
/// the log and place in it.
///
/// # Errors
/// A sentence without its first capital where one of them does not hold.
pub fn logged(bytes: &[u8], key: &IssuerPublicKey, root: &TrustedRoot) -> Result<Bundle, String> {
    let bundle = Bundle::from_json(bytes).map_err(|error| error.to_string())?;
    let name = dsse::key_name(key);
    let envelope = &bundle.envelope;
    if envelope.key_id != name || bundle.key_hint != name {
        return Err("it names another key than the issuer's".to_owned());
    }
    if !key.verifies(&envelope.signed_bytes(), &envelope.signature) {
        return Err("the issuer did not sign it so".to_owned());
    }
    if hashedrekord::leaf(envelope, key) != bundle.leaf {
        return Err("its log entry is not the one of this statement".to_owned());
    }
    let place = &bundle.inclusion;
    let log = root.log(&bundle.log_id).ok_or("the trusted root does not know its log")?;
    let head =
        note::verify_checkpoint(&place.checkpoint, &log.log).map_err(|error| error.to_string())?;
    if (head.size, head.root) != (place.size, place.root) {
        return Err("the signed checkpoint has another size or root than the proof".to_owned());
    }
    let leaf = merkle::leaf_hash(&bundle.leaf);
    merkle::check_inclusion(&leaf, place.index, place.size, &place.path, &place.root)
        .map_err(|error| error.to_string())?;
    Ok(bundle)
}
