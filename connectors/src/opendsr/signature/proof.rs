//! What is kept of a signed answer, and how it is checked when nothing else is left.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use super::certificates::SigningCertificates;
use super::faults::{CertificateFault, SignatureFault};
use super::trust::Trust;
use crate::subject::Proof;

/// The word in [`Proof::format`].
const FORMAT: &str = "opendsr";

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// It is a proof of another kind.
    #[error("the proof is not one of OpenDSR")]
    OtherFormat,
    /// Digest, signature or certificate is missing or cannot be read.
    #[error("the proof is incomplete: it needs a SHA-256, a signature and a certificate")]
    Incomplete,
    /// The certificate cannot be read or has a key of another sort.
    #[error(transparent)]
    Certificate(CertificateFault),
    /// The signature is not over this digest.
    #[error(transparent)]
    Signature(SignatureFault),
}

/// Who signed, as the certificate says. Whether it was worth anything at the time is told by
/// [`Signatory::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatory {
    certificates: SigningCertificates,
}

impl Signatory {
    /// The certificate with its chain.
    pub fn certificates(&self) -> &SigningCertificates {
        &self.certificates
    }

    /// Checks that the certificate was good for a domain at the moment of the receipt.
    ///
    /// # Errors
    /// See [`CertificateFault`].
    pub fn check(
        &self,
        trust: &Trust,
        domain: &str,
        at: Timestamp,
    ) -> Result<(), CertificateFault> {
        self.certificates.check(trust, domain, at)
    }
}

/// What is kept of a body whose signature has been checked: its digest, the signature and the
/// chain; nothing of the body.
pub fn proof_of(body: &[u8], signature: &str, certificates: &SigningCertificates) -> Proof {
    Proof {
        format: FORMAT.to_owned(),
        document_sha256: hex::encode(digest(&SHA256, body)),
        signature: Some(signature.to_owned()),
        certificates: Some(certificates.pem()),
    }
}

/// Checks a proof from the digest alone, after the body is gone.
///
/// # Errors
/// See [`ProofFault`].
pub fn check_digest(proof: &Proof) -> Result<Signatory, ProofFault> {
    if proof.format != FORMAT {
        return Err(ProofFault::OtherFormat);
    }
    let (Some(signature), Some(certificates)) = (&proof.signature, &proof.certificates) else {
        return Err(ProofFault::Incomplete);
    };
    let mut sha256 = [0; 32];
    hex::decode_to_slice(&proof.document_sha256, &mut sha256)
        .map_err(|_| ProofFault::Incomplete)?;
    let certificates =
        SigningCertificates::read(certificates.as_bytes()).map_err(ProofFault::Certificate)?;
    certificates.verify_digest(sha256, signature).map_err(ProofFault::Signature)?;
    Ok(Signatory { certificates })
}
