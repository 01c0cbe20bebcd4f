//! Checks what Quietus certifies, and nothing else.
//!
//! Pure: bytes in, findings out; no clock, no I/O, no randomness, no private key. The product signs
//! and assembles around these modules, so that there is one implementation of every format; but
//! signatures are made by `aws-lc-rs` and checked here by `p256` and `ed25519-dalek`.

pub mod bundle;
pub mod canonical;
pub mod certificate;
pub mod digest;
pub mod dsse;
pub mod hashedrekord;
pub mod keys;
pub mod manifest;
pub mod merkle;
pub mod name;
pub mod note;
pub mod pem;
pub mod statement;
pub mod summary;
pub mod tiles;
pub mod trusted_root;
pub mod verify;

#[cfg(test)]
mod test_keys;
