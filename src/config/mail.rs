//! How mail goes out, from the instance file and the data map.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use super::document::InstanceDocument;
use super::document::mail::MailDocument;
use super::map::SystemDraft;
use super::problem::{At, Problem, instead};
use super::read::entries;
use crate::datamap::SecretReference;
use crate::domain::RetentionPeriod;
use crate::mail::{Address, Encryption};

/// No server is sent more messages in a minute.
const MOST_A_MINUTE: u64 = 6000;

/// How mail goes out.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Name of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub encryption: Encryption,
    /// Where user and password are found, where the server wants them.
    pub login: Option<(SecretReference, SecretReference)>,
    /// Certificates that are trusted beside the public ones, below the instance's folder.
    pub trust: Option<PathBuf>,
    /// Who sends.
    pub from: Address,
    /// Where answers go, where not to who sends.
    pub reply_to: Option<Address>,
    /// At most so many messages in a minute, from 1 to 6000.
    pub rate_a_minute: u32,
    /// How the links in mails begin; without it they have none.
    pub pages: Option<String>,
    /// Where the address of somebody is found, by name.
    pub people: BTreeMap<String, SecretReference>,
    /// Mails of tasks name the person whom they are about.
    pub name_persons: bool,
    /// So long before it is due, somebody is reminded of a task.
    pub remind_before: Option<RetentionPeriod>,
    /// So often somebody is reminded of a task that is overdue.
    pub remind_every: RetentionPeriod,
}

/// Makes the settings of the document; `None` where there is none, or it lacks what it needs.
pub(super) fn settings(
    document: &InstanceDocument,
    problems: &mut Vec<Problem>,
) -> Option<MailSettings> {
    let at = document.mail.as_ref()?;
    let document = &at.value;
    let encryption = document.encryption.as_ref().map_or(Encryption::Implicit, |it| it.value.0);
    check_encryption(document, encryption, problems);
    let login = login(at, problems);
    let trust = document.trust.as_ref().and_then(|it| match &it.value.0 {
        SecretReference::File(path) => Some(path.clone()),
        SecretReference::Environment(_) | SecretReference::Plain(_) => {
            problems.push(
                Problem::error(&it.place, "certificates are read from a file")
                    .help("write `file:` and a path, such as `file:certificates/mail.pem`"),
            );
            None
        }
    });
    if let Some(rate) = document.rate_a_minute.as_ref().filter(|it| it.value.0 > MOST_A_MINUTE) {
        problems.push(
            Problem::error(&rate.place, format!("more than {MOST_A_MINUTE} messages in a minute"))
                .help("write a smaller number; a server that is stormed takes nothing at all"),
        );
    }
    let rate = document.rate_a_minute.as_ref().map_or(60, |it| it.value.0.min(MOST_A_MINUTE));
    let usual_port = match encryption {
        Encryption::Implicit => 465,
        Encryption::StartTls => 587,
        Encryption::None => 25,
    };
    #[expect(clippy::expect_used, reason = "a day is a period")]
    let a_day = RetentionPeriod::parse("P1D").expect("a day is a period");
    Some(MailSettings {
        host: document.host.as_ref()?.value.0.clone(),
        port: document.port.as_ref().map_or(usual_port, |it| it.value.0),
        encryption,
        login,
        trust,
        from: document.from.as_ref()?.value.0.clone(),
        reply_to: document.reply_to.as_ref().map(|it| it.value.0.clone()),
        rate_a_minute: u32::try_from(rate).unwrap_or(1),
        pages: document.pages.as_ref().map(|it| it.value.0.clone()),
        people: entries(document.people.as_ref())
            .iter()
            .map(|entry| (entry.name.value.clone(), entry.value.value.0.clone()))
            .collect(),
        name_persons: document.name_persons.as_ref().is_some_and(|it| it.value.0),
        remind_before: document.remind_before.as_ref().map(|it| it.value),
        remind_every: document.remind_every.as_ref().map_or(a_day, |it| it.value),
    })
}

/// Without encryption, mail goes to this machine only, unless somebody says that the way is safe.
fn check_encryption(document: &MailDocument, encryption: Encryption, problems: &mut Vec<Problem>) {
    let Some(host) = &document.host else { return };
    let is_here = host.value.0 == "localhost"
        || host.value.0.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let declared = document.plain_text.as_ref().is_some_and(|it| it.value.0);
    if encryption == Encryption::None && !is_here && !declared {
        let place = document.encryption.as_ref().map_or(&host.place, |it| &it.place);
        problems.push(
            Problem::error(place, format!("letters would go to `{}` in the open", host.value.0))
                .help("write `implicit` or `starttls`; `plain_text: true` where the way there is safe otherwise"),
        );
    }
}

fn login(
    at: &At<MailDocument>,
    problems: &mut Vec<Problem>,
) -> Option<(SecretReference, SecretReference)> {
    let (user, password) = (&at.value.user, &at.value.password);
    for entry in [user, password].into_iter().flatten() {
        if let SecretReference::Plain(_) = entry.value.0 {
            problems.push(
                Problem::error(&entry.place, "what logs in never stands in this file")
                    .help("write `env:NAME` or `file:PATH`")
                    .secret(),
            );
        }
    }
    match (user, password) {
        (Some(user), Some(password)) => Some((user.value.0.clone(), password.value.0.clone())),
        (None, None) => None,
        (Some(alone), None) | (None, Some(alone)) => {
            if at.value.gives("user") != at.value.gives("password") {
                problems.push(
                    Problem::error(&alone.place, "`user` and `password` go together")
                        .help("write both, or none where the server wants none"),
                );
            }
            None
        }
    }
}

/// Reports people who do nothing: a name that is written in another way gets no mail.
pub(super) fn check_people(
    document: &InstanceDocument,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    let Some(mail) = &document.mail else { return };
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for draft in drafts {
        named.insert(draft.model.owner.as_str());
        let task = draft.model.third_party.as_ref().and_then(|it| it.task.as_ref());
        named.extend(task.map(|task| task.assignee.as_str()));
        named.extend(task.and_then(|task| task.confirmer.as_deref()));
    }
    for entry in entries(mail.value.people.as_ref()) {
        let name = entry.name.value.as_str();
        if !named.contains(name) {
            problems.push(
                Problem::error(
                    &entry.name.place,
                    format!("`{name}` owns no system and does or confirms no task"),
                )
                .help(instead(name, named.iter().copied())),
            );
        }
    }
}
