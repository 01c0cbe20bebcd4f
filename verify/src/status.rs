//! The step `status`: whether a certificate still is the issuer's last word.
//!
//! What has been superseded was true as of its moment, but must not be shown as if it spoke of
//! today. Without a fresh list nobody knows, and the step says so: it never passes on stale data.

use jiff::{SignedDuration, Timestamp};

use crate::anchors::CLOCK_SKEW;
use crate::certificate::{Certificate, PREDICATE_TYPE, STATEMENT_TYPE};
use crate::digest::Digest;
use crate::keys::IssuerPublicKey;
use crate::logged::{Silent, logged};
use crate::status_list::{CertificateStatus, StatusList};
use crate::trusted_root::TrustedRoot;
use crate::verify::{Finding, Step, printable};

/// Name of the status list beside a certificate.
pub const STATUS_LIST_NAME: &str = "status.sigstore.json";

/// Name of the certificate that takes the place of the one beside it.
pub const SUCCESSOR_NAME: &str = "successor.sigstore.json";

/// No list is believed to be good for longer, whatever it says: otherwise an issuer could go on showing
/// an old one.
const LONGEST_GOOD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What says how things stand now.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatusFiles<'a> {
    /// The newest status list that there is.
    pub list: Option<&'a [u8]>,
    /// The certificate that takes the place of this one.
    pub successor: Option<&'a [u8]>,
    /// What time it is; without it no list is fresh.
    pub now: Option<Timestamp>,
}

/// What everything here is checked against; each is missing where it does not hold.
pub(crate) struct Ground<'a> {
    pub certificate: Option<&'a Certificate>,
    /// The signed bytes of the certificate.
    pub payload: &'a [u8],
    /// The issuer's keys: the one of the certificate, and others that are known.
    pub keys: &'a [IssuerPublicKey],
    pub root: Option<&'a TrustedRoot>,
    pub files: StatusFiles<'a>,
}

/// The step.
pub(crate) fn step(ground: &Ground<'_>) -> Step {
    let (finding, sentence) = found(ground);
    Step { name: "status", finding, sentence: printable(&sentence) }
}

fn unknown(why: impl AsRef<str>) -> (Finding, String) {
    (Finding::NotChecked, format!("Status unknown: {}", why.as_ref()))
}

fn found(ground: &Ground<'_>) -> (Finding, String) {
    let Some(certificate) = ground.certificate else {
        return unknown("the certificate's signature does not hold.");
    };
    let Some(root) = ground.root else {
        return unknown("there is no trusted root to check a status list with.");
    };
    let listed = by_list(ground, certificate, root);
    let Some(file) = ground.files.successor else { return listed };
    // What cannot be checked here may stand in the list.
    worse(by_successor(file, ground, certificate, root), listed)
}

/// The worse of two answers; the first where they are as bad.
fn worse(one: (Finding, String), other: (Finding, String)) -> (Finding, String) {
    let how_bad = |finding: Finding| match finding {
        Finding::Pass => 0,
        Finding::NotChecked => 1,
        Finding::Fail => 2,
    };
    if how_bad(other.0) > how_bad(one.0) { other } else { one }
}

/// What the file says that is to take the certificate's place.
fn by_successor(
    file: &[u8],
    ground: &Ground<'_>,
    certificate: &Certificate,
    root: &TrustedRoot,
) -> (Finding, String) {
    match successor(file, certificate, ground.payload, (ground.keys, root)) {
        Ok(later) => (
            Finding::Fail,
            format!(
                "Superseded by certificate {} of {} ({}): it was true as of {}, and is not the \
                 issuer's last word.",
                later.predicate.certificate_id,
                later.predicate.issued_at,
                later.predicate.supersedes.map(|one| one.reason).unwrap_or_default(),
                certificate.predicate.as_of,
            ),
        ),
        Err(Silent::UnknownKey) => unknown(format!(
            "of `{SUCCESSOR_NAME}`, {}; get the issuer's newest keys.",
            Silent::UnknownKey
        )),
        Err(why) => (Finding::Fail, format!("The file `{SUCCESSOR_NAME}` does not hold: {why}.")),
    }
}

/// What the issuer's list says.
fn by_list(
    ground: &Ground<'_>,
    certificate: &Certificate,
    root: &TrustedRoot,
) -> (Finding, String) {
    let Some(entry) = &certificate.predicate.status else {
        return unknown("the certificate names no status list; ask its issuer.");
    };
    let Some(file) = ground.files.list else {
        return unknown(format!(
            "whether a later certificate supersedes this one stands in the issuer's list `{}`; \
             give the newest one with `--status`.",
            entry.list
        ));
    };
    match read_list(file, (ground.keys, root)) {
        Err(Silent::UnknownKey) => unknown(format!(
            "of the status list, {}; get the issuer's newest keys.",
            Silent::UnknownKey
        )),
        Err(why) => (Finding::Fail, format!("The status list does not hold: {why}.")),
        Ok(list) if list.list != entry.list => unknown(format!(
            "the list given is `{}`, and the certificate stands in `{}`.",
            list.list, entry.list
        )),
        Ok(list) => match list.bits.get(entry.index.0) {
            None => (Finding::Fail, "The certificate's place is beyond its list.".to_owned()),
            Some(CertificateStatus::Current) => current(&list, certificate, ground.files.now),
            Some(status) => (
                Finding::Fail,
                format!(
                    "The issuer's list of {} says `{}`: {}. It was claimed as of {}.",
                    list.issued_at,
                    status.as_str(),
                    meaning(status),
                    certificate.predicate.as_of,
                ),
            ),
        },
    }
}

fn meaning(status: CertificateStatus) -> &'static str {
    match status {
        CertificateStatus::Current => "it is the issuer's last word",
        CertificateStatus::Superseded => "ask the issuer for the certificate that follows it",
        CertificateStatus::Withdrawn => "it was issued in error",
        CertificateStatus::Disputed => "it is contested; do not rely on it before it is cleared up",
    }
}

fn current(
    list: &StatusList,
    certificate: &Certificate,
    now: Option<Timestamp>,
) -> (Finding, String) {
    let (from, until) = (list.issued_at, list.valid_until);
    if from < certificate.predicate.issued_at {
        return unknown(format!(
            "the list is of {from}, from before the certificate; get a newer one."
        ));
    }
    if until.duration_since(from) > LONGEST_GOOD {
        return unknown(format!(
            "the list of {from} says `current`, and claims to be good until {until}, longer than any \
             is believed; get a newer one."
        ));
    }
    match now {
        Some(now) if from > now.saturating_add(CLOCK_SKEW).unwrap_or(Timestamp::MAX) => {
            unknown(format!("the list is of {from}, which has not come yet; look at your clock."))
        }
        Some(now) if now <= until => (
            Finding::Pass,
            format!("The issuer's list of {from} says `current`, and is good until {until}."),
        ),
        Some(_) => unknown(format!(
            "stale since {until}: the list of {from} says `current`; get a newer one."
        )),
        None => unknown(format!(
            "the list of {from} says `current`, and whether it is stale is not known without a clock."
        )),
    }
}

/// Reads a list that the issuer signed and logged.
///
/// # Errors
/// Where it is none.
pub fn read_list(
    file: &[u8],
    (keys, root): (&[IssuerPublicKey], &TrustedRoot),
) -> Result<StatusList, Silent> {
    Ok(StatusList::from_statement(&logged(file, keys, root)?.envelope.payload)?)
}

fn successor(
    file: &[u8],
    earlier: &Certificate,
    payload: &[u8],
    (keys, root): (&[IssuerPublicKey], &TrustedRoot),
) -> Result<Certificate, Silent> {
    let bundle = logged(file, keys, root)?;
    let later: Certificate = serde_json::from_slice(&bundle.envelope.payload)
        .map_err(|_| "what the issuer signed is no certificate".to_owned())?;
    if later.statement_type != STATEMENT_TYPE || later.predicate_type != PREDICATE_TYPE {
        return Err("what the issuer signed is another kind of statement".to_owned().into());
    }
    let names_it = later.predicate.supersedes.as_ref().is_some_and(|named| {
        named.certificate_id == earlier.predicate.certificate_id
            && named.statement_sha256 == Digest::of(payload)
    });
    if names_it {
        Ok(later)
    } else {
        Err("it takes the place of another certificate".to_owned().into())
    }
}
