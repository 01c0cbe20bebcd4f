//! What makes a processor's answer a receipt: a signature over the raw bytes of its body, by the
//! key of a certificate that is issued for the processor's domain.
//!
//! The specification leaves open how the digest is signed; what is really sent, and checked here,
//! is RSA PKCS#1 v1.5 with SHA-256 or ECDSA on P-256 with SHA-256, over the bytes as they came,
//! hashed once. Everything else is refused. Such a signature can be checked again from the digest
//! alone, so a receipt outlives the personal data that its body repeats. Lists of revoked
//! certificates are not asked for.

mod certificates;
mod faults;
mod proof;
mod signer;
mod trust;

pub use certificates::SigningCertificates;
pub use faults::{CertificateFault, SignatureFault};
pub use proof::{ProofFault, Signatory, check_digest, proof_of};
pub use signer::Signer;
pub use trust::Trust;
