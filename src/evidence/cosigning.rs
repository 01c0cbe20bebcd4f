//! Keys that sign heads of logs as others' (C2SP tlog-cosignature): those of a witness, and the
//! second one of the log itself.
//!
//! Private keys leave this module only as PKCS#8 version 1 inside a secret, and are never printed.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::cosignature::{
    self, CosignatureKind, Cosigner, ML_DSA_44_KEY_BYTES, ML_DSA_44_SIGNATURE_BYTES,
};
use super::keys::{KeyError, LogKey};
use super::pem;

enum Pair {
    Ed25519(LogKey),
    MlDsa44(Box<PqdsaKeyPair>),
}

impl Pair {
    fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.public().0.to_vec(),
            Self::MlDsa44(pair) => pair.public_key().as_ref().to_vec(),
        }
    }
}

/// A key under the name of its owner.
pub struct CosigningKey {
    pair: Arc<Pair>,
    cosigner: Cosigner,
}

impl CosigningKey {
    /// A new key from the cryptographic library's own random source.
    ///
    /// # Errors
    /// Where that source fails, or the name may not stand in a note.
    pub fn generate(kind: CosignatureKind, name: &str) -> Result<Self, KeyError> {
        let refused = KeyError::Refused("make a key");
        let pair = match kind {
            CosignatureKind::Ed25519 => Pair::Ed25519(LogKey::generate()?),
            CosignatureKind::MlDsa44 => Pair::MlDsa44(Box::new(
                PqdsaKeyPair::generate(&ML_DSA_44_SIGNING).map_err(|_| refused)?,
            )),
        };
        Self::of(Arc::new(pair), kind, name)
    }

    /// Reads PKCS#8 PEM.
    ///
    /// # Errors
    /// Where the text is no private key of this kind, or the name may not stand in a note.
    pub fn from_pem(
        kind: CosignatureKind,
        name: &str,
        text: &SecretString,
    ) -> Result<Self, KeyError> {
        let pair = match kind {
            CosignatureKind::Ed25519 => Pair::Ed25519(LogKey::from_pem(text)?),
            CosignatureKind::MlDsa44 => {
                let unreadable = KeyError::Unreadable("ML-DSA-44 private key");
                let der =
                    pem::decode("PRIVATE KEY", text.expose_secret()).ok_or(unreadable.clone())?;
                let pair =
                    PqdsaKeyPair::from_pkcs8(&ML_DSA_44_SIGNING, &der).map_err(|_| unreadable)?;
                Pair::MlDsa44(Box::new(pair))
            }
        };
        Self::of(Arc::new(pair), kind, name)
    }

    /// The same key under another name. What it signs then is told apart by the identifier, which is
    /// made of name and key (C2SP signed-note).
    ///
    /// # Errors
    /// Where the name may not stand in a note.
    pub fn under(&self, name: &str) -> Result<Self, KeyError> {
        Self::of(Arc::clone(&self.pair), self.cosigner.kind(), name)
    }

    fn of(pair: Arc<Pair>, kind: CosignatureKind, name: &str) -> Result<Self, KeyError> {
        debug_assert!(
            kind == CosignatureKind::Ed25519 || pair.public().len() == ML_DSA_44_KEY_BYTES
        );
        let cosigner = Cosigner::new(name, kind, &pair.public())
            .ok_or(KeyError::Refused("use this name for a key: write one like `witness.example.com/w1`, without spaces or `+`"))?;
        Ok(Self { pair, cosigner })
    }

    /// The private key as PKCS#8 version 1 in PEM.
    ///
    /// # Errors
    /// Where the cryptographic library refuses.
    pub fn to_pem(&self) -> Result<SecretString, KeyError> {
        match &*self.pair {
            Pair::Ed25519(key) => key.to_pem(),
            Pair::MlDsa44(pair) => {
                let der = pair.to_pkcs8v1().map_err(|_| KeyError::Refused("export the key"))?;
                Ok(pem::encode("PRIVATE KEY", der.as_ref()).into())
            }
        }
    }

    /// The public half under its name.
    pub fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// Signs a head as of this moment; the line, with its line feed.
    ///
    /// # Errors
    /// Where the text is no checkpoint, or the cryptographic library refuses.
    pub fn cosign(&self, text: &str, moment: Timestamp) -> Result<String, KeyError> {
        let message =
            cosignature::message(text, self.cosigner.name(), self.cosigner.kind(), moment)
                .ok_or(KeyError::Refused("sign what is no checkpoint"))?;
        let signature = match &*self.pair {
            Pair::Ed25519(key) => key.sign(&message),
            Pair::MlDsa44(pair) => {
                let mut signature = vec![0; ML_DSA_44_SIGNATURE_BYTES];
                let length =
                    pair.sign(&message, &mut signature).map_err(|_| KeyError::Refused("sign"))?;
                signature.truncate(length);
                signature
            }
        };
        Ok(cosignature::line(&self.cosigner, moment, &signature))
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CosigningKey(private)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::evidence::note::{Checkpoint, Note};

    const KINDS: [CosignatureKind; 2] = [CosignatureKind::Ed25519, CosignatureKind::MlDsa44];

    fn text(size: u64) -> String {
        Checkpoint { origin: "example.com/log".to_owned(), size, root: Digest([5; 32]) }.text()
    }

    fn note(text: &str, lines: &str) -> Note {
        Note::parse(&format!("{text}\n{lines}")).expect("note")
    }

    #[test]
    fn what_one_library_signs_the_other_verifies_and_nothing_else() {
        let moment: Timestamp = "2026-11-23T10:00:00Z".parse().expect("moment");
        for kind in KINDS {
            let key = CosigningKey::generate(kind, "witness.example/w1").expect("key");
            let line = key.cosign(&text(7), moment).expect("signed");
            let who = Cosigner::parse(&key.cosigner().verifier_key().to_string()).expect("vkey");
            assert_eq!(&who, key.cosigner());
            assert_eq!(who.verify(&note(&text(7), &line)), Ok(Some(moment)));
            assert!(who.verify(&note(&text(8), &line)).is_err(), "another size");
            let named = Cosigner::new("witness.example/w2", kind, who.key()).expect("cosigner");
            assert_eq!(named.verify(&note(&text(7), &line)), Ok(None), "another name");
            let other = CosigningKey::generate(kind, "witness.example/w1").expect("key");
            assert_eq!(other.cosigner().verify(&note(&text(7), &line)), Ok(None));
            let later = line.clone()
                + &key
                    .cosign(&text(7), moment + jiff::SignedDuration::from_secs(9))
                    .expect("signed");
            assert_eq!(
                who.verify(&note(&text(7), &later)),
                Ok(Some(moment + jiff::SignedDuration::from_secs(9)))
            );
        }
    }

    #[test]
    fn keys_survive_their_pem_and_are_never_printed() {
        for kind in KINDS {
            let key = CosigningKey::generate(kind, "w.example").expect("key");
            let again = CosigningKey::from_pem(kind, "w.example", &key.to_pem().expect("pem"));
            assert_eq!(again.expect("read").cosigner(), key.cosigner());
            assert_eq!(format!("{key:?}"), "CosigningKey(private)");
        }
        assert!(CosigningKey::generate(CosignatureKind::MlDsa44, "a b").is_err());
        assert!(CosigningKey::generate(CosignatureKind::Ed25519, "a+b").is_err());
    }

    /// A changed byte anywhere in the line is seen.
    #[test]
    fn every_part_of_a_cosignature_counts() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let moment: Timestamp = "2026-11-23T10:00:00Z".parse().expect("moment");
        for kind in KINDS {
            let key = CosigningKey::generate(kind, "w.example").expect("key");
            let line = key.cosign(&text(7), moment).expect("signed");
            let encoded = line.trim_end().rsplit(' ').next().expect("signature");
            let bytes = STANDARD.decode(encoded).expect("base64");
            for place in [0, 4, 11, 12, bytes.len() / 2, bytes.len() - 1] {
                let mut changed = bytes.clone();
                changed[place] ^= 1;
                let lines = format!("\u{2014} w.example {}\n", STANDARD.encode(changed));
                let found = key.cosigner().verify(&note(&text(7), &lines));
                // Another identifier is another key, which says nothing.
                let expected = if place < 4 { Ok(None) } else { Err(()) };
                assert_eq!(found.map_err(|_| ()), expected, "{kind:?} {place}");
            }
        }
    }
}
