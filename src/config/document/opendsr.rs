//! What the instance file says of OpenDSR: this instance as a processor that other controllers ask.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::requests::AssuranceWord;
use super::third_party::HostWord;
use crate::config::leaf::{Reference, Words, leaf, words};
use crate::config::problem::instead;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::domain::{AskedRight, RetentionPeriod};

document! {
    /// This instance as a processor: other controllers ask it over OpenDSR.
    pub struct OpendsrDocument {
        /// The domain that the signing certificate is issued for, such as `opendsr.example.com`.
        required domain: DomainWord,
        /// Where controllers reach this instance; `https://` and the domain if left out.
        optional address: PublicAddress,
        /// Where the private key is found that signs answers, PKCS#8 as PEM: `env:NAME` or
        /// `file:PATH`.
        required key: Reference,
        /// The key's certificate with its chain, PEM, such as `file:certificates/opendsr.pem`.
        required certificate: Reference,
        /// Controllers that may ask.
        required controllers: List<ControllerAtDeskDocument>,
        /// Identities that are taken, and what each is in the data map.
        required identities: List<TakenIdentityDocument>,
        /// Rights that are taken: `erasure`, `access` and `portability`; `erasure` if left out.
        optional rights: List<RightWord>,
        /// How long a request can be cancelled before anything is done; `P1D` if left out.
        optional cooling_off: RetentionPeriod,
        /// Nobody asked longer ago than this; `P1Y` if left out.
        optional oldest: RetentionPeriod,
        /// Certificates of authorities that are trusted beside those of the machine when
        /// controllers are called back, such as `file:certificates/controllers.pem`.
        optional trust: Reference,
    }
}

document! {
    /// A controller that may ask over OpenDSR.
    pub struct ControllerAtDeskDocument {
        /// Its name with us: `controller_id` in answers, and the name before the colon of HTTP
        /// basic authentication.
        required id: ControllerId,
        /// Where its credential is found, for `Bearer` and for basic authentication: `env:NAME`
        /// or `file:PATH`.
        required secret: Reference,
        /// How sure the controller is of who asks; `substantial` if left out.
        optional assurance: AssuranceWord,
        /// Hosts at which it may be called back, over TLS, with the port where it is not 443.
        optional callback_hosts: List<PublicHost>,
        /// Hosts with port at which it may be called back although their address is private.
        optional private_callback_hosts: List<HostWord>,
    }
}

document! {
    /// An identity that is taken.
    pub struct TakenIdentityDocument {
        /// Its type, as OpenDSR writes it: `email`, `controller_customer_id`, `msisdn`, …
        required kind as "type": Words,
        /// `raw`, `sha256`, `sha1` or `md5`; `raw` if left out.
        optional format: FormatWord,
        /// The identity type of the data map that holds just this: for a digest one whose values
        /// are digests.
        required name as "as": Words,
    }
}

plain_document!(OpendsrDocument, ControllerAtDeskDocument, TakenIdentityDocument);

mod word {
    pub use quietus_connectors::opendsr::protocol::Format;
}
use word::Format;

words! {
    /// A right that is taken over OpenDSR.
    RightWord(AskedRight) {
        "erasure" => AskedRight::Erasure, "access" => AskedRight::Access,
        "portability" => AskedRight::Portability,
    }
    /// How an identity is written.
    FormatWord(Format) {
        "raw" => Format::Raw, "sha256" => Format::Sha256, "sha1" => Format::Sha1,
        "md5" => Format::Md5,
    }
}

/// A domain name in small letters.
#[derive(Debug, Clone)]
pub struct DomainWord(pub String);

leaf!(DomainWord, "Domain", { "type": "string", "examples": ["opendsr.example.com"] });

/// Whether a text is a domain name in small letters, with at least one dot.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

impl Read for DomainWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a domain such as `opendsr.example.com`")?;
        let small = text.to_ascii_lowercase();
        if is_domain(&small) {
            return Some(Self(small));
        }
        let help = "write the name that the certificate is issued for, such as `opendsr.example.com`, without `https://`";
        reader.error(node, format!("`{text}` is no domain"), help);
        None
    }
}

/// A host at a public address.
#[derive(Debug, Clone)]
pub struct PublicHost(pub String);

leaf!(PublicHost, "PublicHost", {
    "type": "string",
    "examples": ["hooks.example.com", "hooks.example.com:8443"],
});

impl Read for PublicHost {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a host such as `hooks.example.com`")?;
        let small = text.to_ascii_lowercase();
        let (name, port) = match small.split_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().ok()),
            None => (small.as_str(), Some(443)),
        };
        if is_domain(name) && port.is_some_and(|port| port > 0) {
            return Some(Self(small));
        }
        let help = "write one name, with its port where that is not 443, such as `hooks.example.com`; what has a private address goes under `private_callback_hosts`";
        reader.error(node, format!("`{text}` is no host"), help);
        None
    }
}

/// Where an instance is reached from outside: scheme, host and port, and nothing behind them.
#[derive(Debug, Clone)]
pub struct PublicAddress(pub String);

leaf!(PublicAddress, "PublicAddress", {
    "type": "string",
    "pattern": "^https?://",
    "examples": ["https://opendsr.example.com"],
});

impl Read for PublicAddress {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an address such as `https://opendsr.example.com`")?;
        let bare = text.trim_end_matches('/');
        let host = bare.split_once("://").map(|(scheme, host)| (scheme, host.to_owned()));
        let outside = |host: &str| {
            let forbidden = ['/', '?', '#', '@', ' ', '\\'];
            !host.is_empty() && !host.contains(forbidden)
        };
        let local = |host: &str| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            matches!(name, "127.0.0.1" | "localhost" | "[::1]")
        };
        match host {
            Some(("https", host)) if outside(&host) => Some(Self(bare.to_owned())),
            // To try it out on one machine.
            Some(("http", host)) if outside(&host) && local(&host) => Some(Self(bare.to_owned())),
            _ => {
                let help = "write `https://` and the host, with its port where that is not 443, and no path: `https://opendsr.example.com`";
                reader.error(node, "this is no address that controllers can reach", help);
                None
            }
        }
    }
}

/// A controller's name with us.
#[derive(Debug, Clone)]
pub struct ControllerId(pub String);

leaf!(ControllerId, "ControllerId", {
    "type": ["string", "number"],
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
});

impl Read for ControllerId {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "the name of a controller")?;
        let first = text.starts_with(|one: char| one.is_ascii_alphanumeric());
        let fits = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-');
        if first && text.len() <= 64 && text.chars().all(fits) {
            return Some(Self(text));
        }
        let help = "write 1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first";
        reader.error(node, format!("`{text}` is no name of a controller"), help);
        None
    }
}
