//! What the instance file says of a store of objects.

use std::borrow::Cow;

use quietus_connectors::objects::Addressing;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{Reference, Words, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;

document! {
    /// An S3-compatible store in which `s3://bucket/prefix` is looked for.
    pub struct ObjectStoreDocument {
        /// Where it is, such as `https://s3.example.com`; AWS in the region if left out.
        optional endpoint: Words,
        /// Region for which requests are signed; `us-east-1` if left out.
        optional region: Words,
        /// Where the bucket's name stands in addresses: in the `path`, or in the `host`; as the
        /// endpoint wants it if left out.
        optional addressing: AddressingWord,
        /// Access key, such as `env:S3_ACCESS_KEY` or `file:PATH`.
        required access_key: Reference,
        /// Its secret, such as `env:S3_SECRET_KEY` or `file:PATH`.
        required secret_key: Reference,
        /// Token of credentials that are lent for a time.
        optional session_token: Reference,
        /// Hosts with their port that may be spoken to at a private address and without TLS, such as
        /// `ceph.example.internal:7480`; none if left out.
        optional private_hosts: List<Words>,
        /// Certificates of authorities that are trusted beside those of the machine, PEM, such as
        /// `file:certificates/store.pem`.
        optional trust: Reference,
    }
}

plain_document!(ObjectStoreDocument);

words! {
    /// Where in an address the name of a bucket stands.
    AddressingWord(Addressing) { "path" => Addressing::Path, "host" => Addressing::Host, }
}
