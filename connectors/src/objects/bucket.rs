//! The client of one bucket: signing, sending, and what an answer that is none means.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use secrecy::SecretString;
use url::Url;

use crate::kinds::Now;
use crate::outbound::{Call, Limits, Method, Outbound, OutboundSettings, Reply};
use crate::receipt::Fault;

use super::address::{Addressing, BucketAddress};
use super::faults::Refusal;
use super::signature::Signer;
use super::xml::Element;

/// Largest body of an answer: a page of a thousand long names, or a bundle of entries of a log.
const MOST_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Longest time for one call, in milliseconds.
const LONGEST_CALL_MS: u64 = 300_000;

/// What is needed to speak to a bucket. Secrets do not print.
#[derive(Clone)]
pub struct BucketSettings {
    /// Who asks, as messages begin: ``backup store `vault` ``.
    pub who: String,
    /// `s3://bucket/prefix`.
    pub place: String,
    /// Where the store is, such as `https://s3.example.com`; AWS where nothing is said.
    pub endpoint: Option<String>,
    /// Region for which requests are signed.
    pub region: String,
    /// Where the bucket's name stands; by what the endpoint is where nothing is said.
    pub addressing: Option<Addressing>,
    /// Access key.
    pub access_key: SecretString,
    /// Its secret.
    pub secret_key: SecretString,
    /// Token of credentials that are lent for a time.
    pub session_token: Option<SecretString>,
    /// Hosts with their port that may be spoken to although their address is private, and without
    /// TLS.
    pub private_hosts: Vec<String>,
    /// Authorities that are trusted beside those of the machine, as PEM.
    pub trust: Option<String>,
    /// Where the time comes from.
    pub now: Now,
}

impl fmt::Debug for BucketSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BucketSettings").field("who", &self.who).finish_non_exhaustive()
    }
}

/// One bucket, or the part of it below a prefix.
pub struct Bucket {
    pub(super) who: String,
    pub(super) address: BucketAddress,
    pub(super) now: Now,
    outbound: Outbound,
    signer: Signer,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bucket").field("who", &self.who).finish_non_exhaustive()
    }
}

/// One call, before it is signed.
pub(super) struct Wanted<'a> {
    pub method: Method,
    /// Without one, the bucket itself is meant.
    pub key: Option<&'a str>,
    pub query: &'a [(&'a str, &'a str)],
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What is wanted, in words that name no object.
    pub what: &'static str,
    /// The permission that it needs.
    pub grant: &'static str,
}

impl<'a> Wanted<'a> {
    pub(super) fn get(
        what: &'static str,
        grant: &'static str,
        query: &'a [(&'a str, &'a str)],
    ) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method: Method::GET, key: None, query, headers, body, what, grant }
    }
}

/// Yes with what was asked for, or the store's no.
pub(super) enum Answer {
    Yes(Reply),
    No(Refusal),
}

impl Bucket {
    /// Builds the client. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where the place, the endpoint or the certificates to trust cannot be read.
    pub fn open(settings: &BucketSettings) -> Result<Self, Fault> {
        let who = settings.who.clone();
        let address = BucketAddress::parse(
            &settings.place,
            settings.endpoint.as_deref(),
            &settings.region,
            settings.addressing,
        );
        let address = address
            .map_err(|why| Fault::Misconfigured { message: format!("{who}: the place {why}") })?;
        let mut private_hosts = settings.private_hosts.clone();
        if private_hosts.iter().any(|host| host.eq_ignore_ascii_case(&address.endpoint_host())) {
            private_hosts.push(address.host());
        }
        let outbound = Outbound::new(OutboundSettings {
            system: who.clone(),
            hosts: vec![address.host()],
            private_hosts,
            trust: settings.trust.clone(),
            limits: Limits {
                read_ms: 60_000,
                total_ms: LONGEST_CALL_MS,
                body_bytes: MOST_BODY_BYTES,
                ..Limits::default()
            },
            now: settings.now.clone(),
        });
        let signer = Signer {
            access_key: settings.access_key.clone(),
            secret_key: settings.secret_key.clone(),
            session_token: settings.session_token.clone(),
            region: settings.region.clone(),
        };
        let outbound = outbound.map_err(|fault| own_words(&who, fault))?;
        Ok(Self { who, address, now: settings.now.clone(), outbound, signer })
    }

    /// Where it is.
    pub fn address(&self) -> &BucketAddress {
        &self.address
    }

    /// Sends one call. All that are made here can be made again without harm, so that an answer
    /// that never comes is a matter of patience.
    pub(super) async fn send(&self, wanted: &Wanted<'_>) -> Result<Answer, Fault> {
        let url = self.address.url(wanted.key, wanted.query).ok_or_else(|| {
            self.misconfigured(
            "an object has `.` or `..` as a part of its name, which cannot stand in an address: \
             give it another name",
        )
        })?;
        let mut headers = wanted.headers.clone();
        if !wanted.body.is_empty() {
            // Deleting many at once and writing below a lock are refused without it.
            headers.push(("content-md5".to_owned(), STANDARD.encode(Md5::digest(&wanted.body))));
        }
        let call = self.signed(url, wanted, headers)?;
        let reply = self.outbound.send(call).await.map_err(|fault| own_words(&self.who, fault))?;
        Ok(Refusal::of(&reply).map_or(Answer::Yes(reply), Answer::No))
    }

    fn signed(
        &self,
        url: Url,
        wanted: &Wanted<'_>,
        headers: Vec<(String, String)>,
    ) -> Result<Call, Fault> {
        let method = wanted.method.as_str();
        let added = self.signer.headers(method, &url, &headers, &wanted.body, (self.now)());
        let added = added.ok_or_else(|| {
            self.misconfigured(
                "a request cannot be signed: check `access_key`, `secret_key` and `session_token` \
                 for line breaks",
            )
        })?;
        let mut call = Call::reading(wanted.method.clone(), url);
        for (name, value) in headers.into_iter().chain(added) {
            call = call.header(name, value);
        }
        Ok(call.content(wanted.body.clone()))
    }

    /// Asks for a document; `None` where the store's no is one of these codes.
    pub(super) async fn document(
        &self,
        wanted: &Wanted<'_>,
        root: &str,
        absent: &[&str],
    ) -> Result<Option<Element>, Fault> {
        match self.send(wanted).await? {
            Answer::Yes(reply) => {
                let document = Element::parse(reply.body(), root);
                document.map(Some).ok_or_else(|| self.nonsense(wanted.what))
            }
            Answer::No(refusal) if refusal.is_one_of(absent) => Ok(None),
            Answer::No(refusal) => Err(self.no(&refusal, wanted)),
        }
    }

    /// The fault of a no.
    pub(super) fn no(&self, refusal: &Refusal, wanted: &Wanted<'_>) -> Fault {
        refusal.fault(&self.who, wanted.what, wanted.grant)
    }

    /// The fault of an answer that no store of this interface gives.
    pub(super) fn nonsense(&self, what: &str) -> Fault {
        self.misconfigured(&format!(
            "{what}: what answers is no S3-compatible store, or its answer is damaged: check the \
             place and `endpoint`"
        ))
    }

    pub(super) fn misconfigured(&self, what: &str) -> Fault {
        Fault::Misconfigured { message: format!("{}: {what}", self.who) }
    }
}

/// Faults of the way out begin with the system's name, which is told here by its kind.
fn own_words(who: &str, fault: Fault) -> Fault {
    let system = format!("system `{who}`");
    let said = |message: String| match message.strip_prefix(&system) {
        Some(rest) => format!("{who}{rest}"),
        None => message,
    };
    match fault {
        Fault::Transient { message, retry_after_ms } => {
            Fault::Transient { message: said(message), retry_after_ms }
        }
        Fault::Misconfigured { message } => Fault::Misconfigured { message: said(message) },
        Fault::Rejected { message } => Fault::Rejected { message: said(message) },
        Fault::Unknown { message } => Fault::Unknown { message: said(message) },
    }
}
