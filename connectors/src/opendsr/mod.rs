//! OpenDSR 2.0 and its dialects: the language in which a controller asks a processor to erase a
//! person.
//!
//! `protocol` has the words, `signature` what makes an answer a receipt. What identifies a person never prints and never reaches a message.

pub mod protocol;
pub mod signature;
