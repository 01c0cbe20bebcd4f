//! This instance as an OpenDSR processor, from the instance file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::date;
use quietus_connectors::opendsr::intake::CallbackHosts;
use quietus_connectors::opendsr::protocol::{Format, IdentityType};
use quietus_connectors::opendsr::signature::SigningCertificates;

use super::document::InstanceDocument;
use super::document::opendsr::{ControllerAtDeskDocument, OpendsrDocument, TakenIdentityDocument};
use super::leaf::Reference;
use super::map::SystemDraft;
use super::problem::{At, Problem, instead};
use super::read::items;
use super::requests::{days, mapped};
use crate::datamap::SecretReference;
use crate::domain::{AskedRight, Assurance, RetentionPeriod};

/// A longer time to cancel would leave no month to answer in.
const LONGEST_COOLING_OFF: i64 = 21;

/// This instance as a processor that other controllers ask.
#[derive(Debug, Clone)]
pub struct OpendsrSettings {
    /// The domain that the certificate is issued for, in small letters.
    pub domain: String,
    /// Scheme, host and port under which controllers reach us, without a `/` at the end.
    pub address: String,
    /// Where the private key is found.
    pub key: SecretReference,
    /// The key's certificate with its chain, relative to the instance's folder.
    pub certificate: PathBuf,
    /// Controllers that may ask.
    pub controllers: Vec<ControllerAtDesk>,
    /// Identities that are taken.
    pub identities: Vec<TakenIdentity>,
    /// Rights that are taken; never empty.
    pub rights: Vec<AskedRight>,
    /// How long a request can be cancelled before anything is done.
    pub cooling_off: RetentionPeriod,
    /// Nobody asked longer ago than this.
    pub oldest: RetentionPeriod,
    /// Authorities that are trusted when controllers are called back.
    pub trust: Option<PathBuf>,
}

/// A controller that may ask.
#[derive(Debug, Clone)]
pub struct ControllerAtDesk {
    /// Its name with us.
    pub id: String,
    /// Where its credential is found.
    pub secret: SecretReference,
    /// How sure it is of who asks.
    pub assurance: Assurance,
    /// Where it may be called back.
    pub callback_hosts: CallbackHosts,
}

/// An identity that is taken: what it is called in OpenDSR, and in the data map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenIdentity {
    /// Type of OpenDSR.
    pub kind: IdentityType,
    /// How its value is written.
    pub format: Format,
    /// Identity type of the data map.
    pub name: String,
}

/// The settings; `None` where there are none, or where one of them cannot be read.
pub(super) fn compile(
    document: &InstanceDocument,
    folder: &Path,
    problems: &mut Vec<Problem>,
) -> Option<OpendsrSettings> {
    let written = &document.opendsr.as_ref()?.value;
    if let Some(key) = written.key.as_ref() {
        refuse_plain(key, "a key never stands in this file", problems);
    }
    let certificate = written.certificate.as_ref().and_then(|it| file_of(it, problems));
    if let (Some(path), Some(at)) = (&certificate, &written.certificate) {
        check_certificate(&folder.join(path), at, written, problems);
    }
    let trust = written.trust.as_ref().and_then(|it| file_of(it, problems));
    if let (Some(path), Some(at)) = (&trust, &written.trust)
        && !folder.join(path).is_file()
    {
        problems.push(
            Problem::error(&at.place, format!("there is no file `{}`", path.display()))
                .help("write a path from the folder of quietus.yaml"),
        );
    }
    let controllers = controllers(written, problems);
    let identities = identities(items(written.identities.as_ref()), problems);
    check_cooling_off(written, problems);
    let rights = rights(written, problems);
    let domain = written.domain.as_ref()?.value.0.clone();
    let address = address(written, &domain, problems);
    let period = |entry: &Option<At<RetentionPeriod>>, default: u16| {
        entry.as_ref().map_or_else(|| days(default), |it| it.value)
    };
    Some(OpendsrSettings {
        address,
        key: written.key.as_ref()?.value.0.clone(),
        certificate: certificate?,
        controllers,
        identities,
        rights,
        cooling_off: period(&written.cooling_off, 1),
        oldest: period(&written.oldest, 365),
        trust,
        domain,
    })
}

/// Reports identities that the data map does not have, and digests that no system can look up.
pub(super) fn check_identities(
    document: &InstanceDocument,
    drafts: &[SystemDraft<'_>],
    problems: &mut Vec<Problem>,
) {
    let Some(written) = document.opendsr.as_ref() else { return };
    let in_fields = mapped(drafts);
    let of_third_parties: BTreeSet<&str> = drafts
        .iter()
        .filter_map(|draft| draft.model.third_party.as_ref())
        .flat_map(|party| party.identities.iter().map(String::as_str))
        .collect();
    for taken in items(written.value.identities.as_ref()) {
        let Some(name) = taken.value.name.as_ref() else { continue };
        let format = taken.value.format.as_ref().map_or(Format::Raw, |it| it.value.0);
        let word = name.value.0.as_str();
        let known = in_fields.contains_key(word) || of_third_parties.contains(word);
        if !known {
            let all = in_fields.keys().map(String::as_str).chain(of_third_parties.iter().copied());
            problems.push(
                Problem::error(&name.place, format!("unknown identity type `{word}`"))
                    .help(instead(word, all)),
            );
        } else if format != Format::Raw && !in_fields.contains_key(word) {
            problems.push(
                Problem::error(&name.place, "no system can look this digest up")
                    .help("give a field that holds the digests an `identity` in the data map, and name that; or leave this format out"),
            );
        }
    }
}

fn refuse_plain(reference: &At<Reference>, message: &str, problems: &mut Vec<Problem>) {
    if let SecretReference::Plain(_) = reference.value.0 {
        problems.push(
            Problem::error(&reference.place, message)
                .help("write `env:NAME` or `file:PATH`")
                .secret(),
        );
    }
}

fn file_of(reference: &At<Reference>, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    if let SecretReference::File(path) = &reference.value.0 {
        return Some(path.clone());
    }
    problems.push(
        Problem::error(&reference.place, "certificates are read from a file")
            .help("write `file:` and a path, such as `file:certificates/opendsr.pem`"),
    );
    None
}

/// The certificate is no secret, so what is wrong with it is told here. Whether it is still valid
/// is a matter of the day on which it is used.
fn check_certificate(
    path: &Path,
    at: &At<Reference>,
    written: &OpendsrDocument,
    problems: &mut Vec<Problem>,
) {
    let Ok(bytes) = std::fs::read(path) else {
        problems.push(
            Problem::error(&at.place, "there is no such certificate, or it cannot be read")
                .help("put the certificate there, PEM, leaf first and then its chain"),
        );
        return;
    };
    let certificates = match SigningCertificates::read(&bytes) {
        Ok(certificates) => certificates,
        Err(fault) => {
            problems.push(
                Problem::error(&at.place, fault.to_string())
                    .help("put the certificate there, PEM, leaf first and then its chain"),
            );
            return;
        }
    };
    let Some(domain) = written.domain.as_ref() else { return };
    let named = |name: &String| {
        let wild = name.strip_prefix("*.");
        let rest = domain.value.0.split_once('.').map(|(_, rest)| rest);
        name.eq_ignore_ascii_case(&domain.value.0)
            || wild.is_some_and(|wild| rest.is_some_and(|rest| wild.eq_ignore_ascii_case(rest)))
    };
    if !certificates.names().iter().any(named) {
        let issued_for = certificates.names().iter().map(String::as_str);
        problems.push(
            Problem::error(
                &domain.place,
                format!("the certificate is not issued for `{}`", domain.value.0),
            )
            .help(format!("it is for other names; {}", instead(&domain.value.0, issued_for))),
        );
    }
}

fn controllers(written: &OpendsrDocument, problems: &mut Vec<Problem>) -> Vec<ControllerAtDesk> {
    let mut found: Vec<ControllerAtDesk> = Vec::new();
    let list = items(written.controllers.as_ref());
    if let Some(at) = written.controllers.as_ref().filter(|_| list.is_empty()) {
        problems.push(
            Problem::error(&at.place, "nobody may ask")
                .help("name at least one controller, or leave `opendsr` out to serve none of it"),
        );
    }
    for document in list {
        let ControllerAtDeskDocument {
            id,
            secret,
            assurance,
            callback_hosts,
            private_callback_hosts,
            ..
        } = &document.value;
        let (Some(id), Some(secret)) = (id, secret) else { continue };
        refuse_plain(secret, "a credential never stands in this file", problems);
        if found.iter().any(|one| one.id == id.value.0) {
            problems.push(
                Problem::error(&id.place, format!("`{}` stands here twice", id.value.0))
                    .help("give each controller a name of its own"),
            );
        }
        let public = items(callback_hosts.as_ref()).iter().map(|it| it.value.0.clone());
        let private = items(private_callback_hosts.as_ref()).iter().map(|it| it.value.0.clone());
        found.push(ControllerAtDesk {
            id: id.value.0.clone(),
            secret: secret.value.0.clone(),
            assurance: assurance.as_ref().map_or(Assurance::Substantial, |it| it.value.0),
            callback_hosts: CallbackHosts { public: public.collect(), private: private.collect() },
        });
    }
    found
}

fn identities(
    list: &[At<TakenIdentityDocument>],
    problems: &mut Vec<Problem>,
) -> Vec<TakenIdentity> {
    let mut found: Vec<TakenIdentity> = Vec::new();
    for document in list {
        let TakenIdentityDocument { kind, format, name, .. } = &document.value;
        let (Some(kind), Some(name)) = (kind, name) else { continue };
        let word = kind.value.0.as_str();
        let Some(known) = IdentityType::read_known(word) else {
            let all: Vec<IdentityType> = IdentityType::known().collect();
            problems.push(
                Problem::error(&kind.place, format!("`{word}` is no identity type of OpenDSR"))
                    .help(instead(word, all.iter().map(IdentityType::as_str))),
            );
            continue;
        };
        let format = format.as_ref().map_or(Format::Raw, |it| it.value.0);
        if found.iter().any(|one| one.kind == known && one.format == format) {
            problems.push(
                Problem::error(
                    &kind.place,
                    format!("`{word}` as `{}` stands here twice", format.as_str()),
                )
                .help("a value means one thing: remove one of them"),
            );
        }
        found.push(TakenIdentity { kind: known, format, name: name.value.0.clone() });
    }
    found
}

fn rights(written: &OpendsrDocument, problems: &mut Vec<Problem>) -> Vec<AskedRight> {
    let Some(list) = written.rights.as_ref() else { return vec![AskedRight::Erasure] };
    if list.value.0.is_empty() {
        problems.push(
            Problem::error(&list.place, "no right is taken")
                .help("name `erasure`, `access` or `portability`, or leave this out"),
        );
    }
    list.value.0.iter().map(|it| it.value.0).collect()
}

fn check_cooling_off(written: &OpendsrDocument, problems: &mut Vec<Problem>) {
    let Some(period) = written.cooling_off.as_ref() else { return };
    let start = date(2026, 1, 1);
    let end = start.saturating_add(period.value.span());
    if i64::from((end - start).get_days()) > LONGEST_COOLING_OFF {
        problems.push(
            Problem::error(
                &period.place,
                format!("a request could be cancelled for more than {LONGEST_COOLING_OFF} days"),
            )
            .help("write a shorter period: the law's month goes on meanwhile"),
        );
    }
}

/// Where we are reached; the certificate has to be served by its own domain.
fn address(written: &OpendsrDocument, domain: &str, problems: &mut Vec<Problem>) -> String {
    let Some(at) = written.address.as_ref() else { return format!("https://{domain}") };
    let text = at.value.0.as_str();
    let host = text.split_once("://").map_or(text, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if text.starts_with("https://") && !name.eq_ignore_ascii_case(domain) {
        problems
            .push(Problem::error(&at.place, format!("this is another host than `{domain}`")).help(
            "controllers fetch the certificate from the domain that signs: let both be the same",
        ));
    }
    text.to_owned()
}
