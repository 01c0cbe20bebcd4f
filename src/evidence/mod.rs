//! Proof of what was done: an append-only Merkle log, and certificates that anyone can check.
//!
//! Pure: bytes in, bytes out; no clock, no I/O. Salts, times and keys are parameters; the only
//! randomness is inside the cryptographic library (new keys, ECDSA nonces). Formats are RFC 6962,
//! C2SP tiles and checkpoints, in-toto, DSSE and Sigstore Bundle v0.3, so that tools which nobody
//! here wrote can verify everything. The log proves what was claimed and in which order, not that
//! records are gone; verification and receipts, named on each certificate, speak for that.

pub mod bundle;
pub mod canonical;
pub mod certificate;
pub mod dsse;
pub mod export;
pub mod hashedrekord;
pub mod keys;
pub mod leaf;
pub mod manifest;
pub mod merkle;
pub mod note;
pub mod pem;
pub mod print;
pub mod statement;
pub mod summary;
pub mod tiles;
pub mod trusted_root;
pub mod verify;

pub use bundle::{Bundle, Inclusion};
pub use certificate::{Certificate, Predicate, SignedCertificate};
pub use keys::{IssuerKey, IssuerPublicKey, LogKey, LogPublicKey};
pub use leaf::{Entry, EvidenceKind, evidence_entry};
pub use merkle::Frontier;
pub use note::{Checkpoint, LogIdentity};
pub use statement::SystemStatement;
pub use summary::{Overall, Summary, summarise};
pub use tiles::{Appended, TileId, TileWrite};
pub use trusted_root::{TrustedLog, TrustedRoot};
