//! Buckets of S3-compatible stores, on the Ceph RADOS gateway that `tests/run` starts, and against
//! answers that no store gives.
//!
//! What a test prepares and what it compares with is done by a client of its own ([`owner`]), which
//! signs in another way (Signature Version 2).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod bucket;
mod faults;
mod ground;
#[path = "../heard/mod.rs"]
mod heard;
mod inside;
mod life_cycle;
mod locks;
mod owner;
mod store;
