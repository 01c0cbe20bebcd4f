//! What the instance file says of those who vouch for the evidence log.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::requests::YesNo;
use crate::config::leaf::{Count, Reference, leaf};
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::domain::RetentionPeriod;

document! {
    /// Who vouches for the evidence log: time-stamp authorities and witnesses.
    pub struct AnchorsDocument {
        /// Time-stamp authorities (RFC 3161).
        optional time_stamps: List<AuthorityDocument>,
        /// Witnesses that sign the heads of the log (C2SP tlog-witness).
        optional witnesses: List<WitnessDocument>,
        /// So many witnesses have to have signed; more than half of them if left out.
        optional quorum: Count,
        /// So long before what stamped the log is no longer sound it is stamped anew, and an alarm
        /// is raised where that cannot be; `P90D` if left out.
        optional renew_before: RetentionPeriod,
    }
}

document! {
    /// A time-stamp authority.
    pub struct AuthorityDocument {
        /// Its name here, in files that are handed out and in alarms.
        required name: AnchorName,
        /// Where it is asked, such as `https://tsa.example.com/`.
        required url: AnchorUrl,
        /// Its certificates or those of its issuers, PEM, such as `file:certificates/tsa.pem`; what
        /// does not lead to one of them is refused.
        required certificates: Reference,
        /// A certificate is anchored only with a time stamp of this one; with one of any if left
        /// out.
        optional required as "required": YesNo,
        /// It stamps so often while the log grows, and at the end of each day; `PT1H` if left out.
        optional every: RetentionPeriod,
        /// It stamps the signature of each certificate too; it does if left out.
        optional certificates_too: YesNo,
    }
}

document! {
    /// A witness.
    pub struct WitnessDocument {
        /// Its name here, in the policy and in alarms.
        required name: AnchorName,
        /// Where it is asked, without `/add-checkpoint`, such as `https://witness.example.com`.
        required url: AnchorUrl,
        /// Its verifier keys, one a line as `quietus witness keys` prints them, such as
        /// `file:certificates/witness.keys`.
        required keys: Reference,
        /// Certificates of authorities that are trusted beside those of the machine when it is
        /// asked, such as `file:certificates/partner.pem`.
        optional trust: Reference,
    }
}

plain_document!(AnchorsDocument, AuthorityDocument, WitnessDocument);

/// Name of somebody who vouches.
#[derive(Debug, Clone)]
pub struct AnchorName(pub String);

leaf!(AnchorName, "AnchorName", {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9-]{0,39}$",
    "examples": ["notary", "auditor"],
});

impl Read for AnchorName {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a name")?;
        let fits = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        let named = !text.is_empty() && text.len() <= 40 && text.chars().all(fits);
        if named && !text.starts_with('-') && text != "none" {
            return Some(Self(text));
        }
        let help = "write 1 to 40 small letters, digits or `-`, a letter or digit first; `none` has a meaning of its own";
        reader.error(node, format!("`{text}` is no name of somebody who vouches"), help);
        None
    }
}

/// Where somebody who vouches is asked.
#[derive(Debug, Clone)]
pub struct AnchorUrl(pub String);

leaf!(AnchorUrl, "AnchorUrl", {
    "type": "string",
    "pattern": "^https?://",
    "examples": ["https://tsa.example.com/"],
});

impl Read for AnchorUrl {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an address such as `https://tsa.example.com/`")?;
        let url = url::Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if url.is_some() {
            return Some(Self(text));
        }
        let help = "write `https://` or `http://` and a host, without a user's name: `https://tsa.example.com/`";
        reader.error(node, "nobody can be asked at this address", help);
        None
    }
}
