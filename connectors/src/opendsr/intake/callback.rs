//! Whether a callback of a processor is believed, in the only safe order: who says it, does the
//! certificate hold, does the signature hold, and only then what it says.

use jiff::Timestamp;
use uuid::Uuid;

use super::complaint::Complaint;
use crate::opendsr::protocol::{RequestStatus, SignatureHeaders, StatusAnswer};
use crate::opendsr::signature::{SigningCertificates, Trust, proof_of};
use crate::subject::Proof;

/// A processor that may call us back.
#[derive(Debug, Clone, Copy)]
pub struct KnownProcessor<'a> {
    /// Its domain.
    pub domain: &'a str,
    /// Its certificate, as it was fetched; `None` where it was not fetched yet.
    pub certificates: Option<&'a SigningCertificates>,
    /// The certificate was fetched for this very callback, so fetching it again cannot help.
    pub fetched_now: bool,
}

/// What a callback is measured by.
#[derive(Debug, Clone, Copy)]
pub struct CallbackRules<'a> {
    /// Processors that may call.
    pub processors: &'a [KnownProcessor<'a>],
    /// Our address that was called, as it was given to processors.
    pub own_url: &'a str,
    /// Authorities that are trusted.
    pub trust: &'a Trust,
    /// The moment.
    pub now: Timestamp,
}

/// A callback as it came.
pub struct IncomingCallback<'a> {
    /// Gives a header by name; names are compared without regard to case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
}

/// A callback whose origin is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The processor's domain.
    pub domain: String,
    /// The request.
    pub id: Uuid,
    /// The state that it tells.
    pub status: RequestStatus,
    /// Everything that it says.
    pub says: StatusAnswer,
    /// What is kept of it.
    pub proof: Proof,
}

/// What a callback means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackVerdict {
    /// The request has come further: answer 202 and write it down.
    Further(Box<Authenticated>),
    /// It repeats what is known, or comes after a later one: answer 202 and change nothing.
    NothingNew,
    /// The certificate at hand does not do: fetch it once more and ask again; if it cannot be
    /// fetched, answer 401. Anybody can bring this about, so a caller fetches at most once in a
    /// while for a domain and answers 401 in between.
    FetchCertificate {
        /// The processor's domain.
        domain: String,
    },
    /// It is not believed: answer with the complaint's status and change nothing.
    NotBelieved(Complaint),
}

fn not_believed(status: u16, message: &str) -> CallbackVerdict {
    CallbackVerdict::NotBelieved(Complaint::new(status, message))
}

/// Checks a callback. `known` gives the last known state of a request that was made of the
/// processor of a domain; of any other request it gives `None`.
pub fn check_callback(
    rules: &CallbackRules<'_>,
    incoming: &IncomingCallback<'_>,
    known: &dyn Fn(&str, Uuid) -> Option<RequestStatus>,
) -> CallbackVerdict {
    let Some(headers) = SignatureHeaders::read(incoming.header) else {
        return not_believed(401, "the headers with domain and signature are missing");
    };
    let mut processors = rules.processors.iter();
    let by_name = |one: &&KnownProcessor<'_>| one.domain.eq_ignore_ascii_case(headers.domain);
    let Some(processor) = processors.find(by_name) else {
        return not_believed(401, "the domain is not that of a processor that may call");
    };
    let again = || CallbackVerdict::FetchCertificate { domain: processor.domain.to_owned() };
    let Some(certificates) = processor.certificates else { return again() };
    if let Err(fault) = certificates.check(rules.trust, processor.domain, rules.now) {
        if processor.fetched_now {
            return not_believed(401, &fault.to_string());
        }
        return again();
    }
    if let Err(fault) = certificates.verify(incoming.body, headers.signature) {
        if processor.fetched_now {
            return not_believed(400, &fault.to_string());
        }
        return again();
    }
    match StatusAnswer::read(incoming.body, processor.domain) {
        Ok(says) => {
            let proof = proof_of(incoming.body, headers.signature, certificates);
            weigh(rules, processor.domain, says, proof, known)
        }
        Err(unreadable) => not_believed(400, &unreadable.to_string()),
    }
}

/// What an authentic callback means beside what is known.
fn weigh(
    rules: &CallbackRules<'_>,
    domain: &str,
    says: StatusAnswer,
    proof: Proof,
    known: &dyn Fn(&str, Uuid) -> Option<RequestStatus>,
) -> CallbackVerdict {
    if says.callback_url.as_deref() != Some(rules.own_url) {
        return not_believed(400, "`status_callback_url` is not the address that was called");
    }
    let Some(id) = says.id else {
        return not_believed(400, "`subject_request_id` is missing or invalid");
    };
    let Some(status) = says.status else {
        return not_believed(400, "`request_status` is missing or unknown");
    };
    let Some(before) = known(domain, id) else {
        return not_believed(400, "there is no such request of this processor");
    };
    if before.is_final() && status.is_final() && before != status {
        return not_believed(400, "the request has already ended in another way");
    }
    if status <= before || before.is_final() {
        return CallbackVerdict::NothingNew;
    }
    let domain = domain.to_owned();
    CallbackVerdict::Further(Box::new(Authenticated { domain, id, status, says, proof }))
}
