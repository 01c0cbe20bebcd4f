//! From the persons of an order to requests that the processor can take.

use super::request_id::request_id;
use super::settings::ClientSettings;
use crate::opendsr::protocol::{
    CreateRequest, Discovery, IdentityType, Regulation, RequestType, SubjectIdentity,
};
use crate::order::Order;
use crate::receipt::Fault;
use crate::subject::{Subject, SubjectAction, SubjectRequest};

/// The type that must stand alone in the third dialect: it names a whole profile.
const ALONE: &str = "mpid";

/// What is asked for one person.
#[derive(Debug)]
pub(super) struct Composition {
    /// The person, as the order calls it.
    pub subject: String,
    /// The requests, or why there are none.
    pub requests: Result<Vec<CreateRequest>, String>,
    /// Names of identities that the processor does not take, as the data map has them.
    pub skipped: Vec<String>,
}

/// What the order asks of a processor that is asked by name.
///
/// # Errors
/// `Misconfigured` where it names nobody, `Rejected` where it asks for a restriction.
pub(super) fn asked<'a>(
    settings: &ClientSettings,
    order: &'a Order,
) -> Result<&'a SubjectRequest, Fault> {
    let Some(request) = order.persons.as_ref().filter(|request| !request.subjects.is_empty())
    else {
        return Err(settings.misconfigured(
            "the order names no person, and an OpenDSR processor is asked by name: give the \
             system no rules that are due by date",
        ));
    };
    match request.action {
        SubjectAction::Erase => Ok(request),
        SubjectAction::Restrict | SubjectAction::Lift => Err(Fault::Rejected {
            message: format!(
                "system `{}`: opendsr has no restriction: give `{}` to somebody as a task",
                settings.system,
                request.action.as_str()
            ),
        }),
    }
}

/// Composes the requests for every person of the order.
///
/// # Errors
/// `Misconfigured` where the law cannot be named.
pub(super) fn compose(
    settings: &ClientSettings,
    discovery: &Discovery,
    order: &Order,
    asked: &SubjectRequest,
) -> Result<Vec<Composition>, Fault> {
    let regulation = settings.regulation.or_else(|| regulation_of(&asked.regime));
    let Some(regulation) = regulation else {
        return Err(settings.misconfigured(
            "the regime of the request is none that OpenDSR can name: set the parameter \
             `regulation` to `gdpr` or `ccpa`",
        ));
    };
    let compose = |subject: &Subject| {
        let (identities, skipped) = match taken(settings, discovery, subject) {
            Ok(taken) => taken,
            Err(why) => {
                let subject = subject.reference.clone();
                return Composition { subject, requests: Err(why), skipped: Vec::new() };
            }
        };
        if identities.is_empty() {
            let why = not_taken(settings, discovery, subject);
            let subject = subject.reference.clone();
            return Composition { subject, requests: Err(why), skipped };
        }
        let parts = parts(settings, identities);
        let requests = (0..).zip(parts).map(|(part, identities)| CreateRequest {
            id: request_id(&order.key, &subject.reference, &settings.domain, part),
            kind: RequestType::Erasure,
            regulation: Some(regulation),
            submitted_at: asked.submitted_at,
            identities,
            callback_urls: settings.callback_url.iter().cloned().collect(),
            group: None,
            skips_waiting: settings.skips_waiting,
            further: settings.further.clone(),
        });
        let subject = subject.reference.clone();
        Composition { subject, requests: Ok(requests.collect()), skipped }
    };
    Ok(asked.subjects.iter().map(compose).collect())
}

fn regulation_of(regime: &str) -> Option<Regulation> {
    match regime {
        "gdpr" | "uk-gdpr" => Some(Regulation::Gdpr),
        "ccpa" | "cpra" => Some(Regulation::Ccpa),
        _ => None,
    }
}

/// Identities that the processor takes, in its best format, and names of those it does not.
///
/// # Errors
/// In words, where one of them cannot be that of one person: then the person is not asked for at
/// all, because something is confused.
fn taken(
    settings: &ClientSettings,
    discovery: &Discovery,
    subject: &Subject,
) -> Result<(Vec<SubjectIdentity>, Vec<String>), String> {
    let mut identities = Vec::new();
    let mut skipped = Vec::new();
    for identity in &subject.identities {
        let kind = settings.kind_of(&identity.kind);
        let format = kind.as_ref().and_then(|kind| discovery.format_of(kind));
        let (Some(kind), Some(format)) = (kind, format) else {
            skipped.push(identity.kind.clone());
            continue;
        };
        let raw = crate::opendsr::protocol::Format::Raw;
        SubjectIdentity::of(kind.clone(), raw, &identity.value).check().map_err(|unusable| {
            format!(
                "not asked: an identity of the type `{}` cannot be used, because {unusable}",
                identity.kind
            )
        })?;
        identities.push(SubjectIdentity::of(kind, format, &identity.value));
    }
    identities.sort();
    identities.dedup();
    skipped.sort();
    skipped.dedup();
    Ok((identities, skipped))
}

/// Why nothing can be asked, by types only.
fn not_taken(settings: &ClientSettings, discovery: &Discovery, subject: &Subject) -> String {
    let mut known: Vec<&str> = subject.identities.iter().map(|one| one.kind.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let quoted = |names: Vec<&str>| {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let mut takes: Vec<&str> = discovery.identities.iter().map(|one| one.kind.as_str()).collect();
    takes.sort_unstable();
    takes.dedup();
    format!(
        "not asked: the person is known by {}, and `{}` takes {}",
        quoted(known),
        settings.domain,
        quoted(takes)
    )
}

/// Splits identities so that each part can be written in the dialect.
fn parts(settings: &ClientSettings, identities: Vec<SubjectIdentity>) -> Vec<Vec<SubjectIdentity>> {
    if !settings.dialect.has_dictionary() {
        return vec![identities];
    }
    let is_alone = |kind: &IdentityType| kind.as_str() == ALONE;
    let mut parts: Vec<Vec<SubjectIdentity>> = Vec::new();
    for identity in identities {
        // The first part that has room for its type.
        let room = parts.iter_mut().find(|part| {
            let taken = |one: &SubjectIdentity| one.kind == identity.kind || is_alone(&one.kind);
            !is_alone(&identity.kind) && !part.iter().any(taken)
        });
        match room {
            Some(part) => part.push(identity),
            None => parts.push(vec![identity]),
        }
    }
    parts
}
