//! OpenDSR 2.0 and its dialects: the language in which a controller asks a processor to erase a
//! person.
//!
//! `protocol` has the words, `signature` what makes an answer a receipt, `intake` the side of the
//! processor without any input or output of its own, `calling` the line on which it calls controllers
//! back, and `client` the side of the controller, a connector of the kind `opendsr`. What identifies a person never prints and never reaches a
//! message.

pub mod calling;
pub mod client;
pub mod intake;
pub mod protocol;
pub mod signature;

pub use client::{Client, open};
