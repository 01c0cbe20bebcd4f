//! What the instance file says of signers somewhere else.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{Reference, Words, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::signers::SignerInput;
use crate::config::yaml::Node;

document! {
    /// Who signs with keys that this machine does not hold: a token behind PKCS#11, or a command that
    /// speaks to a KMS, an HSM or a card.
    pub struct SignersDocument {
        /// Signs certificates (ECDSA P-256 with SHA-256); `issuer.pem` of the keys folder does if
        /// left out.
        optional issuer: SignerDocument,
        /// Signs the folders that auditors check with (ECDSA P-256 with SHA-256); `root.pem` of the
        /// keys folder does if left out.
        optional root: SignerDocument,
    }
}

document! {
    /// A signer: either `pkcs11`, or `command` with `public_key`.
    pub struct SignerDocument {
        /// A key in a token, which signs through PKCS#11.
        optional pkcs11: Pkcs11Document,
        /// The program and its arguments. It is given what to sign on its standard input and writes
        /// the signature, DER, to its standard output within 30 seconds.
        optional command: List<Words>,
        /// The PEM file of the public key that the command signs with.
        optional public_key: Words,
        /// What the command is given: the `message` (if left out), or its `digest`, 32 bytes of
        /// SHA-256.
        optional input: SignerInputWord,
    }
}

document! {
    /// A key in a token behind PKCS#11.
    pub struct Pkcs11Document {
        /// The module: the library of the token's vendor.
        required module: Words,
        /// The label of the token; or give its `serial`.
        optional token: Words,
        /// The serial number of the token, as `pkcs11-tool --list-token-slots` shows it.
        optional serial: Words,
        /// The label of the key; or give its `id`, or both.
        optional key: Words,
        /// The identifier of the key, in hexadecimal, such as `01`.
        optional id: Words,
        /// Where the PIN is found: `env:NAME` or `file:PATH`.
        required pin: Reference,
    }
}

plain_document!(SignersDocument, SignerDocument, Pkcs11Document);

words! {
    /// What a signer is given.
    SignerInputWord(SignerInput) {
        "message" => SignerInput::Message, "digest" => SignerInput::Digest,
    }
}
