//! What the instance file says of signers somewhere else.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{Words, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::signers::SignerInput;
use crate::config::yaml::Node;

document! {
    /// Commands that sign with keys that this machine does not hold: in a KMS, an HSM or a card.
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
    /// A command that signs.
    pub struct SignerDocument {
        /// The program and its arguments. It is given what to sign on its standard input and writes
        /// the signature, DER, to its standard output within 30 seconds.
        required command: List<Words>,
        /// The PEM file of the public key that it signs with.
        required public_key: Words,
        /// What it is given: the `message` (if left out), or its `digest`, 32 bytes of SHA-256.
        optional input: SignerInputWord,
    }
}

plain_document!(SignersDocument, SignerDocument);

words! {
    /// What a signer is given.
    SignerInputWord(SignerInput) {
        "message" => SignerInput::Message, "digest" => SignerInput::Digest,
    }
}
