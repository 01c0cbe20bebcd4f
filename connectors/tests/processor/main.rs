//! Third parties over real HTTP, against an exchange of our own on loopback: vendors that keep
//! state, check credentials, are busy, lose answers, lead elsewhere and say nonsense.

#![expect(clippy::unwrap_used, reason = "a test may stop where its own exchange fails")]

mod callbacks;
mod credentials;
mod definitions;
mod described;
mod exchange;
mod fit;
mod language;
mod lifecycle;
mod line;
mod own;
mod tokens;
mod vendors;
