//! What the instance file says of alarms: who is told of what the doctor finds, and how.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use url::Url;

use super::instance::LanguageWord;
use super::later_looks::Pace;
use super::mail::AddressReference;
use super::requests::YesNo;
use crate::config::alarms::{Least, Topic};
use crate::config::leaf::{Reference, leaf, words};
use crate::config::problem::{Problem, instead};
use crate::config::read::{List, Read, Reader, document, plain_document};
use crate::config::yaml::Node;
use crate::domain::{AlarmKind, AlarmStep, RetentionPeriod};

document! {
    /// Alarms: what the doctor finds is told to whoever is named here, once when it comes up, at a slow
    /// pace while it lasts, and once when it is gone.
    pub struct AlarmsDocument {
        /// Addresses to which signed events are sent (Standard Webhooks).
        optional webhooks: List<WebhookDocument>,
        /// E-mail addresses, each as it stands or as `env:NAME` or `file:PATH` where it is found; they
        /// go out through the server of `mail`.
        optional mail: List<AddressReference>,
        /// Language of these mails: `en`, `de` or `zh`; `en` if left out. What the doctor says in them
        /// is English.
        optional language: LanguageWord,
        /// How often it is looked, at least ten seconds; `PT5M` if left out.
        optional every: RetentionPeriod,
        /// How long after an alarm was told it is told again while it lasts, at least an hour; `P1D` if
        /// left out. `never` tells it once.
        optional again: Pace,
        /// The least for which an alarm is raised: what is `wrong`, or also what somebody should `look`
        /// at; `look` if left out.
        optional least: LeastWord,
    }
}

document! {
    /// An address to which signed events are sent.
    pub struct WebhookDocument {
        /// Its name here, in lists, alarms and metrics; its host if left out.
        optional name: WebhookName,
        /// The address, such as `https://hooks.example.com/quietus`. Redirects are not followed.
        required url: WebhookUrl,
        /// Where the secret is found with which events are signed, `whsec_` and 24 to 64 bytes in
        /// Base64: `env:NAME` or `file:PATH`.
        required secret: Reference,
        /// Where an earlier secret is found, which signs too while the receiver changes over.
        optional former_secret: Reference,
        /// What is sent: steps of all alarms (`alarm.raised`, `alarm.again`, `alarm.cleared`), and kinds
        /// of which every step is sent, such as `request.overdue`; every step of all alarms if left out.
        optional at: List<TopicWord>,
        /// The host may have a private address, and be spoken to without TLS: only where the way there
        /// is safe otherwise. It may not if left out.
        optional private_host: YesNo,
        /// Certificates of authorities that are trusted beside those of the machine, such as
        /// `file:certificates/hooks.pem`.
        optional trust: Reference,
    }
}

plain_document!(AlarmsDocument, WebhookDocument);

words! {
    /// The least for which an alarm is raised.
    LeastWord(Least) { "look" => Least::Look, "wrong" => Least::Wrong, }
}

/// Name of a webhook.
#[derive(Debug, Clone)]
pub struct WebhookName(pub String);

leaf!(WebhookName, "WebhookName", {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9.:-]{0,99}$",
    "examples": ["pager", "operations"],
});

impl WebhookName {
    /// Whether a text is one.
    pub fn fits(text: &str) -> bool {
        let fits =
            |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || ".:-".contains(one);
        text.len() <= 100
            && text.starts_with(|one: char| one.is_ascii_lowercase() || one.is_ascii_digit())
            && text.chars().all(fits)
    }
}

impl Read for WebhookName {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "a name")?;
        if Self::fits(&text) {
            return Some(Self(text));
        }
        let help = "write 1 to 100 small letters, digits, `.`, `:` or `-`, a letter or digit first";
        reader.error(node, format!("`{text}` is no name of a webhook"), help);
        None
    }
}

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct WebhookUrl(pub Url);

leaf!(WebhookUrl, "WebhookUrl", {
    "type": "string",
    "pattern": "^https?://",
    "examples": ["https://hooks.example.com/quietus"],
});

impl Read for WebhookUrl {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an address such as `https://hooks.example.com/quietus`")?;
        let url = Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            // The line is not shown: somebody may have written a password into it.
            let place = reader.place(node);
            let help = "write `https://`, a host and a path, without a user's name: `https://hooks.example.com/quietus`; what proves who sends is `secret`";
            reader.problems.push(
                Problem::error(&place, "nothing can be sent to this address").help(help).secret(),
            );
        }
        url.map(Self)
    }
}

/// What is sent to a webhook.
#[derive(Debug, Clone, Copy)]
pub struct TopicWord(pub Topic);

impl JsonSchema for TopicWord {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Topic".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = [AlarmStep::WORDS, AlarmKind::WORDS].concat();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl Read for TopicWord {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(node, "an event such as `alarm.raised` or `request.overdue`")?;
        let step = AlarmStep::parse(&text).map(Topic::Step);
        let topic = step.or_else(|| AlarmKind::parse(&text).map(Topic::Kind));
        if topic.is_none() {
            let known = AlarmStep::WORDS.iter().chain(AlarmKind::WORDS).copied();
            reader.error(node, format!("there is no event `{text}`"), instead(&text, known));
        }
        topic.map(Self)
    }
}
