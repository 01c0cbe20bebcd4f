//! Our own key, for the answers that we give as a processor.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::certificates::SigningCertificates;
use super::faults::{CertificateFault, SignatureFault};

enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

/// A private key with the certificate that is published for it.
pub struct Signer {
    key: SigningKey,
    certificates: SigningCertificates,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads a private key (PKCS#8 as PEM) and its certificate with the chain (PEM, leaf first).
    ///
    /// # Errors
    /// `Unreadable` where one of them cannot be read, `Key` where the key is of another sort than
    /// RSA or P-256 or is not that of the certificate.
    pub fn read(key: &SecretString, certificates: &str) -> Result<Self, CertificateFault> {
        let certificates = SigningCertificates::read(certificates.as_bytes())?;
        let document = PrivatePkcs8KeyDer::from_pem_slice(key.expose_secret().as_bytes())
            .map_err(|_| CertificateFault::Unreadable)?;
        let document = document.secret_pkcs8_der();
        let rsa = || RsaKeyPair::from_pkcs8(document).map(Box::new).map(SigningKey::Rsa);
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document)
            .map(|pair| SigningKey::P256(Box::new(pair)))
            .or_else(|_| rsa())
            .map_err(|_| CertificateFault::Key)?;
        let signer = Self { key, certificates };
        // A key that does not fit its certificate would sign receipts that nobody can check.
        let trial = b"quietus";
        let signature = signer.sign(trial).map_err(|_| CertificateFault::Key)?;
        signer.certificates.verify(trial, &signature).map_err(|_| CertificateFault::Key)?;
        Ok(signer)
    }

    /// Signs a body, in standard base64: RSA PKCS#1 v1.5 or ECDSA in DER, with SHA-256.
    ///
    /// # Errors
    /// Where the key cannot be used.
    pub fn sign(&self, body: &[u8]) -> Result<String, SignatureFault> {
        let random = SystemRandom::new();
        let signature = match &self.key {
            SigningKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, body, &mut signature)
                    .map_err(|_| SignatureFault::Key)?;
                signature
            }
            SigningKey::P256(pair) => {
                let signature = pair.sign(&random, body).map_err(|_| SignatureFault::Key)?;
                signature.as_ref().to_vec()
            }
        };
        Ok(STANDARD.encode(signature))
    }

    /// The certificate that is published.
    pub fn certificates(&self) -> &SigningCertificates {
        &self.certificates
    }
}
