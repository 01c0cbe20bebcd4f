//! Proof of what was done: an append-only Merkle log, and certificates that anyone can check.
//!
//! Pure: bytes in, bytes out; no clock, no I/O. Salts, times and keys are parameters; the only
//! randomness is inside the cryptographic library (new keys, ECDSA nonces). Formats are RFC 6962,
//! C2SP tiles and checkpoints, in-toto, DSSE and Sigstore Bundle v0.3, so that tools which nobody
//! here wrote can verify everything. The log proves what was claimed and in which order, not that
//! records are gone; verification and receipts, named on each certificate, speak for that.
//!
//! Whatever it takes to check proofs is the `quietus-verify` crate, whose modules appear here under
//! their names; this room signs, assembles and prints.

pub mod checkpoint;
pub mod cosigning;
pub mod entries;
pub mod export;
pub mod keys;
pub mod leaf;
pub mod numbers;
pub mod print;
pub mod record_export;
pub mod replay;
pub mod sample;
pub mod signing;
pub mod streamed_path;
pub mod trust;

pub use quietus_verify::{
    anchor_folder, anchors, bundle, canonical, certificate, cosignature, dsse, files, hashedrekord,
    manifest, merkle, note, origin, pem, policy, record_proof, statement, status, status_list,
    summary, tiles, time_stamp, tlog_proof, trust_folder, trusted_root, verify, witnessing,
};

pub use bundle::{Bundle, Inclusion};
pub use certificate::{Certificate, Predicate};
pub use keys::{IssuerKey, LogKey};
pub use leaf::{
    CanonicalDetail, Entry, EvidenceKind, evidence_entry, fits_a_producer, numbered_entry,
};
pub use merkle::Frontier;
pub use note::{Checkpoint, LogIdentity};
pub use quietus_verify::keys::{IssuerPublicKey, LogPublicKey};
pub use signing::SignedCertificate;
pub use statement::SystemStatement;
pub use summary::{Overall, Summary, summarise};
pub use tiles::{Appended, TileId, TileWrite};
pub use trusted_root::{TrustedLog, TrustedRoot};
