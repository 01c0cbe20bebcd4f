//! What a system's file says of a third party, or of what a person has to do by hand.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{Words, leaf, parse_reference};
use crate::config::problem::Problem;
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::datamap::{Definition, SecretReference};
use crate::domain::{CategoryName, RetentionPeriod};

document! {
    /// What is held of persons where no collection can be mapped, and by what it can be asked.
    pub struct PersonsDocument {
        /// Data categories that are held there.
        required categories: List<CategoryName>,
        /// Identity types by which a person can be asked for, such as `email`.
        required identities: List<Words>,
        /// How long the third party has to answer, as was agreed with it.
        optional answers_within: RetentionPeriod,
    }
}

document! {
    /// What a person does by hand where no interface can be asked.
    pub struct TaskDocument {
        /// What to do, in words, without personal data.
        required instructions: Words,
        /// How long the person has, such as `P10D`.
        required due_in: RetentionPeriod,
        /// Who does it.
        required assignee: Words,
        /// Where the address of who does it is found, `env:NAME` or `file:PATH`, where the task
        /// goes out by e-mail and the instance file does not name it under `mail`.
        optional mail: AddressAt,
        /// Language of the mails about it and of the page behind their links: `en`, `de` or `zh`;
        /// English if left out.
        optional language: Language,
        /// Who confirms it, and is somebody else; whoever owns the system if left out.
        optional confirmer: Words,
    }
}

plain_document!(PersonsDocument, TaskDocument);

/// Where an address is found. It never stands in the data map itself, which is kept for good.
#[derive(Debug, Clone)]
pub struct AddressAt(pub SecretReference);

leaf!(AddressAt, "AddressAt", {
    "type": "string",
    "pattern": "^(env|file):",
    "examples": ["env:MAILER_ADDRESS", "file:secrets/mailer-address"],
});

impl Read for AddressAt {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "`env:NAME` or `file:PATH`")?;
        match parse_reference(&text) {
            Ok(SecretReference::Plain(_)) | Err(_) => {
                let place = reader.place(node);
                let message = "an address never stands in the data map, which is kept for good";
                let help = "write `env:NAME` or `file:PATH` of a file that only its owner may read";
                reader.problems.push(Problem::error(&place, message).help(help).secret());
                None
            }
            Ok(reference) => Some(Self(reference)),
        }
    }
}

/// A language.
#[derive(Debug, Clone)]
pub struct Language(pub String);

leaf!(Language, "Language", {
    "type": "string",
    "pattern": "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$",
    "examples": ["de", "en", "zh"],
});

impl Read for Language {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a language such as `de`")?;
        let mut parts = text.split(['-', '_']);
        let first = parts.next().unwrap_or_default();
        let fits = (2..=3).contains(&first.len())
            && first.chars().all(|one| one.is_ascii_alphabetic())
            && parts.all(|part| {
                (2..=8).contains(&part.len()) && part.chars().all(|one| one.is_ascii_alphanumeric())
            })
            && text.len() <= 35;
        if fits {
            return Some(Self(text));
        }
        let help = "write the letters of RFC 5646, such as `de`, `en` or `zh`";
        reader.error(node, format!("`{text}` is no language"), help);
        None
    }
}

/// The description of an interface: a name, or a file of one's own.
#[derive(Debug, Clone)]
pub struct DefinitionWord(pub Definition);

leaf!(DefinitionWord, "Definition", {
    "type": "string",
    "examples": ["stripe", "./definitions/own-crm.yaml"],
});

impl Read for DefinitionWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "the name of a definition or a path such as `./crm.yaml`")?;
        let is_path = text.contains(['/', '\\', '.']);
        let name = !text.is_empty()
            && text.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'));
        if is_path {
            Some(Self(Definition::File(PathBuf::from(text))))
        } else if name {
            Some(Self(Definition::Named(text)))
        } else {
            let help = "write a name such as `stripe`, or a path that begins with `./`";
            reader.error(node, format!("`{text}` is no definition"), help);
            None
        }
    }
}

/// A parameter: a value that is no secret, or where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter(pub SecretReference);

leaf!(Parameter, "Parameter", {
    "type": ["string", "number"],
    "examples": ["env:CRM_API_KEY", "file:secrets/crm-key", "eu1"],
});

impl Read for Parameter {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a value, `env:NAME` or `file:PATH`")?;
        if !text.starts_with("env:") && !text.starts_with("file:") {
            return Some(Self(SecretReference::Plain(text)));
        }
        match parse_reference(&text) {
            Ok(reference) => Some(Self(reference)),
            Err((message, help)) => {
                let place = reader.place(node);
                reader.problems.push(Problem::error(&place, message).help(help).secret());
                None
            }
        }
    }
}

/// A host with its port.
#[derive(Debug, Clone)]
pub struct HostWord(pub String);

leaf!(HostWord, "Host", { "type": "string", "examples": ["127.0.0.1:9801", "crm.internal:443"] });

impl Read for HostWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a host with its port, such as `127.0.0.1:9801`")?;
        let parts = text.rsplit_once(':');
        let fits = parts.is_some_and(|(host, port)| {
            let named = !host.contains(['/', '@', '*', '?', '#']) && !host.contains("::");
            let address = host.starts_with('[') && host.ends_with(']') && !host.contains('/');
            !host.is_empty()
                && (named || address)
                && !host.contains(char::is_whitespace)
                && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if fits {
            return Some(Self(text));
        }
        let help = "write one host and its port, such as `127.0.0.1:9801` or `crm.internal:443`";
        reader.error(node, format!("`{text}` is no host with a port"), help);
        None
    }
}
