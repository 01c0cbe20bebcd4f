//! Who is told of alarms, and how, from the instance file.

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::SignedDuration;
use quietus_connectors::outbound::is_public;
use url::{Host, Url};

use super::document::InstanceDocument;
use super::document::alarms::{AlarmsDocument, WebhookDocument, WebhookName};
use super::later_looks::{length, written};
use super::leaf::Reference;
use super::problem::{At, Problem};
use super::read::items;
use crate::datamap::SecretReference;
use crate::domain::{AlarmKind, AlarmStep, RetentionPeriod};
use crate::evidence::print::Language;

/// More webhooks, or more addresses, are one too many for somebody to keep in mind.
const MOST: usize = 16;
/// Time between two looks, at least.
const SHORTEST: SignedDuration = SignedDuration::from_secs(10);
/// Time between two looks, at most: an alarm of the day after is none.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
/// Nobody is told of the same more often.
const SHORTEST_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Who is told of alarms, and how.
#[derive(Debug, Clone)]
pub struct AlarmSettings {
    /// Addresses to which events are sent, each by a name of its own.
    pub webhooks: Vec<WebhookSettings>,
    /// Where e-mail addresses are found.
    pub mail: Vec<SecretReference>,
    /// Language of mails.
    pub language: Language,
    /// How often it is looked.
    pub every: SignedDuration,
    /// How long after it was told an alarm is told again while it lasts; `None` is never.
    pub again: Option<SignedDuration>,
    /// The least for which an alarm is raised.
    pub least: Least,
}

/// An address to which events are sent.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Its name.
    pub name: String,
    /// The address; it may hold what only its owner should know, and does not print.
    pub url: Url,
    /// Where the secrets are found that sign, the present one first.
    pub secrets: Vec<SecretReference>,
    /// What is sent; empty is every step of all alarms.
    pub topics: Vec<Topic>,
    /// The host may have a private address, and be spoken to without TLS.
    pub private_host: bool,
    /// Authorities that are trusted beside those of the machine, below the instance's folder.
    pub trust: Option<PathBuf>,
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("WebhookSettings");
        shown.field("name", &self.name).field("topics", &self.topics).finish_non_exhaustive()
    }
}

/// The least for which an alarm is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Somebody should look.
    Look,
    /// Something is wrong.
    Wrong,
}

/// What is sent to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// This step of all alarms.
    Step(AlarmStep),
    /// Every step of alarms of this kind.
    Kind(AlarmKind),
}

impl WebhookSettings {
    /// Whether this step of an alarm of this kind is sent there.
    pub fn wants(&self, step: AlarmStep, kind: AlarmKind) -> bool {
        let wanted = |topic: &Topic| match topic {
            Topic::Step(one) => *one == step,
            Topic::Kind(one) => *one == kind,
        };
        self.topics.is_empty() || self.topics.iter().any(wanted)
    }
}

/// Settings of alarms; `None` where the file has none.
pub(super) fn compile(
    document: &InstanceDocument,
    problems: &mut Vec<Problem>,
) -> Option<AlarmSettings> {
    let given = &document.alarms.as_ref()?.value;
    if let Some(mail) = given.mail.as_ref().filter(|_| !document.gives("mail")) {
        problems.push(
            Problem::error(&mail.place, "there is no mail server through which they could go")
                .help("write it under `mail`, then `quietus check`; or leave the addresses out"),
        );
    }
    for (place, count, what) in [
        given.webhooks.as_ref().map(|at| (&at.place, at.value.0.len(), "webhooks")),
        given.mail.as_ref().map(|at| (&at.place, at.value.0.len(), "addresses")),
    ]
    .into_iter()
    .flatten()
    .filter(|(_, count, _)| *count > MOST)
    {
        problems.push(
            Problem::error(place, format!("{count} {what}, and {MOST} is the most"))
                .help("name a distribution list, or a program that passes alarms on"),
        );
    }
    let (every, again) = paces(given, problems);
    Some(AlarmSettings {
        webhooks: webhooks(items(given.webhooks.as_ref()), problems),
        mail: items(given.mail.as_ref()).iter().map(|at| at.value.0.clone()).collect(),
        language: given.language.as_ref().map_or(Language::English, |at| at.value.0),
        every,
        again,
        least: given.least.as_ref().map_or(Least::Look, |at| at.value.0),
    })
}

/// How often it is looked, and how often the same is told again.
fn paces(
    given: &AlarmsDocument,
    problems: &mut Vec<Problem>,
) -> (SignedDuration, Option<SignedDuration>) {
    let every = given.every.as_ref().map_or_else(|| written("PT5M"), |at| at.value);
    if let Some(at) = &given.every
        && !(SHORTEST..=LONGEST).contains(&length(at.value))
    {
        problems.push(
            Problem::error(
                &at.place,
                "it is looked every ten seconds at most, and once a day at least",
            )
            .help("write a period from `PT10S` to `P1D`, such as `PT5M`"),
        );
    }
    let again: Option<RetentionPeriod> =
        given.again.as_ref().map_or_else(|| Some(written("P1D")), |at| at.value.0);
    if let (Some(at), Some(again)) = (&given.again, again)
        && length(again) < SHORTEST_AGAIN
    {
        problems.push(
            Problem::error(&at.place, "the same would be told more often than once an hour")
                .help("write `PT1H` or more, or `never`; who is told all the time hears nothing"),
        );
    }
    (length(every), again.map(length))
}

fn webhooks(
    documents: &[At<WebhookDocument>],
    problems: &mut Vec<Problem>,
) -> Vec<WebhookSettings> {
    let mut found: Vec<WebhookSettings> = Vec::new();
    for document in documents {
        check_secrets(&document.value, problems);
        check_host(&document.value, problems);
        check_topics(&document.value, problems);
        let Some(webhook) = webhook(&document.value, problems) else { continue };
        if found.iter().any(|one| one.name == webhook.name) {
            let name = document.value.name.as_ref().map(|at| &at.place);
            problems.push(
                Problem::error(
                    name.unwrap_or(&document.place),
                    format!("two webhooks are called `{}`", webhook.name),
                )
                .help("give each a `name` of its own; without one it is called by its host"),
            );
        }
        found.push(webhook);
    }
    found
}

fn webhook(document: &WebhookDocument, problems: &mut Vec<Problem>) -> Option<WebhookSettings> {
    let url = document.url.as_ref()?;
    let trust = document.trust.as_ref().and_then(|at| file_of(at, problems));
    let host = host_of(&url.value.0);
    if document.name.is_none() && !WebhookName::fits(&host) {
        problems.push(
            Problem::error(&url.place, "its host cannot be its name")
                .help("give it a `name`, such as `pager`"),
        );
        return None;
    }
    let name = document.name.as_ref().map_or(host, |at| at.value.0.clone());
    let secrets = [&document.secret, &document.former_secret];
    Some(WebhookSettings {
        name,
        url: url.value.0.clone(),
        secrets: secrets.into_iter().flatten().map(|at| at.value.0.clone()).collect(),
        topics: items(document.at.as_ref()).iter().map(|at| at.value.0).collect(),
        private_host: document.private_host.as_ref().is_some_and(|at| at.value.0),
        trust,
    })
}

/// A host with its port where that is not the scheme's own.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn check_secrets(document: &WebhookDocument, problems: &mut Vec<Problem>) {
    for at in [&document.secret, &document.former_secret].into_iter().flatten() {
        if let SecretReference::Plain(_) = at.value.0 {
            problems.push(
                Problem::error(&at.place, "a secret never stands in this file")
                    .help("write `env:NAME` or `file:PATH`")
                    .secret(),
            );
        }
    }
}

/// An empty list would send nothing. Where what stands in it could not be read, that is told already.
fn check_topics(document: &WebhookDocument, problems: &mut Vec<Problem>) {
    let Some(at) = document.at.as_ref().filter(|at| at.value.0.is_empty()) else { return };
    let inside = format!("{}[", at.place.path);
    if !problems.iter().any(|one| one.place.path.starts_with(&inside)) {
        problems.push(
            Problem::error(&at.place, "nothing is sent there")
                .help("name events, such as `alarm.raised`, or leave `at` out for all of them"),
        );
    }
}

/// Nothing goes in the open or to a private address unless somebody says that it may.
fn check_host(document: &WebhookDocument, problems: &mut Vec<Problem>) {
    let Some(url) = &document.url else { return };
    if document.private_host.as_ref().is_some_and(|at| at.value.0) {
        return;
    }
    if url.value.0.scheme() != "https" {
        problems.push(
            Problem::error(&url.place, "alarms would go there in the open").help(
                "write `https://`; `private_host: true` where the way there is safe otherwise",
            ),
        );
        return;
    }
    let number = match url.value.0.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) | None => None,
    };
    if number.is_some_and(|address| !is_public(address)) {
        problems.push(
            Problem::error(&url.place, "this is a private address")
                .help("write `private_host: true` beside it if it is meant"),
        );
    }
}

fn file_of(reference: &At<Reference>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if let SecretReference::File(path) = &reference.value.0 {
        return Some(path.clone());
    }
    problems.push(
        Problem::error(&reference.place, "certificates are read from a file")
            .help("write `file:` and a path, such as `file:certificates/hooks.pem`"),
    );
    None
}
