//! What a time-stamp authority is asked (RFC 3161, section 2.4.1).

use super::der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, plain_integer, write};
use crate::digest::Digest;

/// Media type of a request.
pub const REQUEST_TYPE: &str = "application/timestamp-query";

/// Media type of an answer.
pub const ANSWER_TYPE: &str = "application/timestamp-reply";

/// `AlgorithmIdentifier` of SHA-256, with its NULL parameters.
const SHA_256: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];

/// A random number that an answer has to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// As the value of a positive INTEGER, in as few bytes as can be.
    pub(super) fn integer(self) -> Vec<u8> {
        let plain = plain_integer(&self.0);
        match plain.first() {
            Some(first) if *first < 0x80 => plain.to_vec(),
            _ => [&[0], plain].concat(),
        }
    }
}

/// Asks for a time stamp of these bytes' SHA-256, with the certificates that it is checked with.
pub fn request(imprint: &Digest, nonce: Nonce) -> Vec<u8> {
    let hashed = [SHA_256, &write(OCTET_STRING, &imprint.0)].concat();
    let parts = [
        write(INTEGER, &[1]),
        write(SEQUENCE, &hashed),
        write(INTEGER, &nonce.integer()),
        write(BOOLEAN, &[0xff]),
    ];
    write(SEQUENCE, &parts.concat())
}
