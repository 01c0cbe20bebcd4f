//! What the instance file says of e-mail.

use std::borrow::Cow;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::requests::YesNo;
use crate::config::leaf::{Count, Reference, leaf, parse_reference, words};
use crate::config::problem::{Problem, instead};
use crate::config::read::{Entries, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::datamap::SecretReference;
use crate::domain::RetentionPeriod;
use crate::mail::{Address, Encryption};

document! {
    /// The mail server through which letters and tasks go out.
    pub struct MailDocument {
        /// Name of the server, which its certificate has to bear.
        required host: MailHost,
        /// Its port; by the encryption 465, 587 or 25 if left out.
        optional port: Port,
        /// `implicit` (TLS from the first byte, if left out), `starttls`, or `none`, which is for a
        /// server on this machine.
        optional encryption: EncryptionWord,
        /// Mail may go in the open to another machine: only where the way there is safe otherwise.
        optional plain_text: YesNo,
        /// Where the user's name is found: `env:NAME` or `file:PATH`.
        optional user: Reference,
        /// Where the password is found: `env:NAME` or `file:PATH`.
        optional password: Reference,
        /// Certificates of authorities that are trusted beside the public ones, such as
        /// `file:certificates/mail.pem`.
        optional trust: Reference,
        /// Who sends, such as `Example Company <privacy@company.example>`.
        required from: AddressWord,
        /// Where answers go; to `from` if left out.
        optional reply_to: AddressWord,
        /// At most so many messages in a minute; 60 if left out.
        optional rate_a_minute: Count,
        /// Where people reach the HTTP interface in a browser, such as
        /// `https://quietus.company.example`: the links in mails begin so. Mails of tasks have no
        /// links if left out.
        optional pages: Pages,
        /// People who do or confirm tasks or answer for a system, by the name that the data map
        /// gives them, each with an address, or with `env:NAME` or `file:PATH` where it is found.
        optional people: Entries<AddressReference>,
        /// Mails of tasks name the person whom they are about; only the page behind the link does
        /// if left out.
        optional name_persons: YesNo,
        /// Somebody is reminded of a task so long before it is due, such as `P2D`; not at all
        /// before it is due if left out.
        optional remind_before: RetentionPeriod,
        /// Somebody is reminded so often of a task that is overdue; `P1D` if left out.
        optional remind_every: RetentionPeriod,
    }
}

plain_document!(MailDocument);

words! {
    /// How the connection to a mail server is kept from being read.
    EncryptionWord(Encryption) {
        "implicit" => Encryption::Implicit, "starttls" => Encryption::StartTls,
        "none" => Encryption::None,
    }
}

/// Name or address of a mail server, without its port.
#[derive(Debug, Clone)]
pub struct MailHost(pub String);

leaf!(MailHost, "MailHost", { "type": "string", "examples": ["mail.company.example"] });

impl Read for MailHost {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "the name of a mail server")?;
        let named = text.chars().all(|one| one.is_alphanumeric() || matches!(one, '.' | '-'));
        if text.len() <= 253 && (named || text.parse::<IpAddr>().is_ok()) {
            return Some(Self(text));
        }
        let help =
            "write its name alone, such as `mail.company.example`, and the port under `port`";
        reader.error(node, format!("`{text}` is no name of a server"), help);
        None
    }
}

/// A port.
#[derive(Debug, Clone, Copy)]
pub struct Port(pub u16);

leaf!(Port, "Port", { "type": "integer", "minimum": 1, "maximum": 65535 });

impl Read for Port {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a port such as 465")?;
        match text.parse::<u16>() {
            Ok(port) if port > 0 => Some(Self(port)),
            _ => {
                reader.error(node, format!("`{text}` is no port"), "write 465, 587 or 25");
                None
            }
        }
    }
}

/// An address, as it stands in the file.
#[derive(Debug, Clone)]
pub struct AddressWord(pub Address);

leaf!(AddressWord, "Address", {
    "type": "string",
    "examples": ["Example Company <privacy@company.example>"],
});

/// No message shows the line: it may say how to reach a person.
fn no_address(node: &Node, reader: &mut Reader, help: &str) {
    let place = reader.place(node);
    reader.problems.push(Problem::error(&place, "this is no e-mail address").help(help).secret());
}

impl Read for AddressWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an e-mail address")?;
        let address = Address::parse(&text);
        if address.is_none() {
            no_address(node, reader, "write one address, such as `privacy@company.example`");
        }
        address.map(Self)
    }
}

/// An address, or where it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressReference(pub SecretReference);

leaf!(AddressReference, "AddressReference", {
    "type": "string",
    "examples": ["env:BEN_ADDRESS", "file:secrets/ben-address", "archive@company.example"],
});

impl Read for AddressReference {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an e-mail address, `env:NAME` or `file:PATH`")?;
        if text.starts_with("env:") || text.starts_with("file:") {
            match parse_reference(&text) {
                Ok(reference) => return Some(Self(reference)),
                Err((message, help)) => {
                    reader.error(node, message, help);
                    return None;
                }
            }
        }
        if Address::parse(&text).is_none() {
            no_address(node, reader, "write one address, or `env:NAME` or `file:PATH`");
            return None;
        }
        Some(Self(SecretReference::Plain(text)))
    }
}

/// Where people reach the HTTP interface in a browser.
#[derive(Debug, Clone)]
pub struct Pages(pub String);

leaf!(Pages, "Pages", {
    "type": "string",
    "pattern": "^https?://",
    "examples": ["https://quietus.company.example"],
});

impl Read for Pages {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an address such as `https://quietus.company.example`")?;
        let secure = text.strip_prefix("https://");
        let rest = secure.or_else(|| text.strip_prefix("http://").filter(|rest| is_here(rest)));
        let fits = rest.is_some_and(|rest| {
            !rest.is_empty() && !rest.contains(['@', '?', '#', '"', '<', '>', ' ', '\\'])
        });
        if fits && !text.chars().any(char::is_control) {
            return Some(Self(text.trim_end_matches('/').to_owned()));
        }
        let help = "write `https://` and a host, such as `https://quietus.company.example`; `http://` is for this machine alone, as links open tasks";
        reader.error(node, "links cannot begin so", help);
        None
    }
}

/// Whether what follows the scheme of an address is this machine.
fn is_here(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
        authority == *host || authority.strip_prefix(host).is_some_and(|port| port.starts_with(':'))
    })
}
