//! The trust folder, written: what certificates are checked with, how, and the root key's signature over
//! all of it. Reading and checking it is the verifier's part.

use std::collections::BTreeMap;

use super::canonical;
use super::certificate::STATEMENT_TYPE;
use super::dsse::WireEnvelope;
use super::keys::IssuerKey;
use super::signing::{CertificateError, seal};
use super::trust_folder::{
    FileDigest, ROOT_KEY_NAME, TRUST_MANIFEST_NAME, TRUST_PREDICATE_TYPE, TrustManifest,
    TrustPredicate, TrustedFile, grouped,
};
use crate::domain::Digest;

/// Name of the keys of all logs.
pub const LOG_KEYS_NAME: &str = "log.vkeys";

/// Name of what explains the folder.
pub const EXPLANATION_NAME: &str = "README.txt";

const EXPLANATION: &str = include_str!("templates/TRUST.txt");

/// The files of a trust folder by name: these, the root key's public half, what explains them, and the
/// signed list of them all.
///
/// # Errors
/// Where it cannot be written canonically or signed.
pub fn sign_trust_folder(
    mut files: BTreeMap<String, Vec<u8>>,
    predicate: TrustPredicate,
    root: &IssuerKey,
) -> Result<BTreeMap<String, Vec<u8>>, CertificateError> {
    let public = root.public();
    let explanation = EXPLANATION
        .replace("@ISSUER@", &predicate.issuer)
        .replace("@DATE@", &predicate.issued_at.strftime("%Y-%m-%d").to_string())
        .replace("@FINGERPRINT@", &grouped(&public.id()));
    files.insert(ROOT_KEY_NAME.to_owned(), public.to_pem().into_bytes());
    files.insert(EXPLANATION_NAME.to_owned(), explanation.into_bytes());
    let subject = files
        .iter()
        .map(|(name, bytes)| TrustedFile {
            name: name.clone(),
            digest: FileDigest { sha256: Digest::of(bytes) },
        })
        .collect();
    let manifest = TrustManifest {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject,
        predicate_type: TRUST_PREDICATE_TYPE.to_owned(),
        predicate,
    };
    let payload = canonical::to_bytes(&manifest).ok_or(CertificateError::Unwritable)?;
    let envelope = seal(payload, root).map_err(CertificateError::Unsigned)?;
    let wire = serde_json::to_vec(&WireEnvelope::from(&envelope));
    let mut wire = wire.map_err(|_| CertificateError::Unwritable)?;
    wire.push(b'\n');
    files.insert(TRUST_MANIFEST_NAME.to_owned(), wire);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::trust_folder::check;
    use crate::evidence::verify::Finding;

    #[test]
    fn what_is_written_holds_and_says_the_fingerprint() {
        let root = IssuerKey::generate().expect("a key");
        let files = BTreeMap::from([("policy.tlog".to_owned(), b"quorum none\n".to_vec())]);
        let predicate = TrustPredicate {
            issuer: "Example Shop".to_owned(),
            issued_at: "2026-11-29T00:00:00Z".parse().expect("a moment"),
            issuer_keys: Vec::new(),
        };
        let folder = sign_trust_folder(files, predicate, &root).expect("signed");
        let id = root.public().id();
        assert_eq!(check(&folder, Some(&id)).step.finding, Finding::Pass);
        let text = String::from_utf8(folder[EXPLANATION_NAME].clone()).expect("text");
        assert_eq!(text.matches(&grouped(&id)).count(), 3, "{text}");
        assert!(!text.contains('@'), "{text}");
    }
}
