//! Checks what Quietus certifies, and nothing else.
//!
//! Pure: bytes in, findings out; no clock, no randomness, no private key, and no I/O but in
//! [`folder`], which reads the files that it is told to. The product signs and assembles around
//! these modules, so that there is one implementation of every format; but signatures are made by
//! `aws-lc-rs` and checked here by `p256` and `ed25519-dalek`.

pub mod anchor_folder;
pub mod anchors;
pub mod bundle;
pub mod canonical;
pub mod certificate;
mod copies;
pub mod cosignature;
pub mod digest;
pub mod dsse;
pub mod files;
pub mod folder;
pub mod hashedrekord;
mod issuer_keys;
mod key_validity;
pub mod keys;
pub mod logged;
pub mod manifest;
pub mod merkle;
pub mod name;
pub mod note;
pub mod origin;
pub mod pem;
pub mod policy;
pub mod print;
pub mod record_proof;
pub mod statement;
pub mod status;
pub mod status_list;
pub mod summary;
pub mod tiles;
pub mod time_stamp;
pub mod tlog_proof;
pub mod trust_folder;
pub mod trusted_root;
pub mod verify;
pub mod witnessing;

#[cfg(test)]
mod test_keys;
