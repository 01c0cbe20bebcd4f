//! Speaking to the processor: what it offers, its certificate, and whether an answer is signed.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use url::Url;
use uuid::Uuid;

use super::pacing::Pacing;
use super::settings::ClientSettings;
use crate::opendsr::protocol::{Dialect, Discovery, RequestType, SignatureHeaders, StatusAnswer};
use crate::opendsr::signature::{SigningCertificates, proof_of};
use crate::outbound::{Call, Method, Reply};
use crate::receipt::Fault;
use crate::subject::Proof;

/// What a processor offers is asked anew after this.
const DISCOVERY_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// Whether an answer has to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// Without one it is not believed.
    Needed,
    /// With one it counts for more; a wrong one is never borne.
    IfThere,
}

/// What the processor says about a request.
pub(super) enum Found {
    /// It stands so.
    Standing(Box<StatusAnswer>, Option<Proof>),
    /// There is no such request.
    Nothing,
    /// There was one, and it is no longer kept.
    Gone,
}

pub(super) struct Exchange {
    pub settings: ClientSettings,
    pacing: Pacing,
    discovery: Mutex<Option<(Timestamp, Arc<Discovery>)>>,
    certificates: Mutex<Option<Arc<SigningCertificates>>>,
}

impl Exchange {
    pub(super) fn new(settings: ClientSettings) -> Self {
        let pacing = Pacing::new(settings.requests_per_minute);
        Self { settings, pacing, discovery: Mutex::new(None), certificates: Mutex::new(None) }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.settings.now)()
    }

    fn url(&self, path: &str) -> Result<Url, Fault> {
        let joined = self.settings.address.join(path);
        joined.map_err(|_| self.settings.misconfigured("the address cannot be extended by a path"))
    }

    fn requests_url(&self, id: Option<Uuid>) -> Result<Url, Fault> {
        let path = self.settings.dialect.requests_path();
        match id {
            Some(id) => self.url(&format!("{path}/{id}")),
            None => self.url(path),
        }
    }

    fn authorised(&self, call: Call) -> Call {
        let call = call.header("accept", "application/json");
        match &self.settings.authorization {
            Some(value) => call.header("authorization", value.expose_secret()),
            None => call,
        }
    }

    async fn send(&self, call: Call) -> Result<Reply, Fault> {
        self.pacing.wait().await;
        self.settings.outbound.send(call).await
    }

    /// What the processor offers; asked anew once an hour, or at once.
    pub(super) async fn discovery(&self, anew: bool) -> Result<Arc<Discovery>, Fault> {
        let now = self.now();
        let cached = self.discovery.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, discovery)) = cached
            && !anew
            && now.duration_since(at) < DISCOVERY_LASTS
        {
            return Ok(discovery);
        }
        let call = self.authorised(Call::reading(Method::GET, self.url("discovery")?));
        let reply = self.send(call).await?;
        if let Some(fault) = reply.fault() {
            return Err(fault);
        }
        let discovery = Discovery::read(reply.body()).map_err(|_| {
            self.settings.misconfigured(
                "the answer to `discovery` cannot be read: check that the address is that of \
                 OpenDSR with its version",
            )
        })?;
        let discovery = Arc::new(discovery);
        *self.discovery.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((now, Arc::clone(&discovery)));
        Ok(discovery)
    }

    /// What it offers, if that includes erasure.
    pub(super) async fn erasing_discovery(&self) -> Result<Arc<Discovery>, Fault> {
        let discovery = self.discovery(false).await?;
        if discovery.takes(RequestType::Erasure) {
            return Ok(discovery);
        }
        Err(Fault::Rejected {
            message: format!(
                "system `{}`: `{}` takes no requests for erasure over OpenDSR: ask it another way",
                self.settings.system, self.settings.domain
            ),
        })
    }

    /// The certificate and whether it was fetched just now.
    pub(super) async fn certificates(
        &self,
        anew: bool,
    ) -> Result<(Arc<SigningCertificates>, bool), Fault> {
        let cached = self.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(certificates) = cached.filter(|_| !anew) {
            return Ok((certificates, false));
        }
        let settings = &self.settings;
        let discovery = self.discovery(false).await?;
        let Some(address) = &discovery.certificate_url else {
            return Err(settings.misconfigured(
                "the processor does not say where its certificate is, so nothing that it signs \
                 can be checked; set the parameter `unsigned` to `accept` to take its word as \
                 reported",
            ));
        };
        let url = Url::parse(address).map_err(|_| {
            settings.misconfigured("the address of the processor's certificate is none")
        })?;
        self.admit_certificate_host(&url)?;
        let reply = self.send(Call::reading(Method::GET, url)).await?;
        if let Some(fault) = reply.fault() {
            return Err(fault);
        }
        let certificates = SigningCertificates::read(reply.body()).map_err(|fault| {
            settings.misconfigured(&format!("the processor publishes what cannot be used: {fault}"))
        })?;
        let certificates = Arc::new(certificates);
        *self.certificates.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&certificates));
        Ok((certificates, true))
    }

    /// The certificate comes from the processor's own host unless another one is declared.
    fn admit_certificate_host(&self, url: &Url) -> Result<(), Fault> {
        let settings = &self.settings;
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let shown = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let own = host == settings.domain || url.origin() == settings.address.origin();
        if own || settings.certificate_hosts.contains(&shown) {
            return Ok(());
        }
        Err(settings.misconfigured(&format!(
            "the processor's certificate is served by `{shown}`: if that is right, name the host \
             in the parameter `certificate_hosts`"
        )))
    }

    /// The certificate that vouches for the processor now. One that does not do is fetched once
    /// more.
    pub(super) async fn good_certificates(&self) -> Result<Arc<SigningCertificates>, Fault> {
        let settings = &self.settings;
        let check = |certificates: &SigningCertificates| {
            certificates.check(&settings.trust, &settings.domain, self.now())
        };
        let (certificates, fetched_now) = self.certificates(false).await?;
        let fault = match check(&certificates) {
            Ok(()) => return Ok(certificates),
            Err(fault) => fault,
        };
        let fault = if fetched_now {
            fault
        } else {
            let (certificates, _) = self.certificates(true).await?;
            match check(&certificates) {
                Ok(()) => return Ok(certificates),
                Err(fault) => fault,
            }
        };
        Err(settings.misconfigured(&format!(
            "{fault}: nothing is asked of `{}` until its certificate is right, or its authority \
             is given under `trust`",
            settings.domain
        )))
    }

    /// Checks the signature of an answer and gives what is kept of it.
    pub(super) async fn proof(
        &self,
        reply: &Reply,
        signature: Signature,
    ) -> Result<Option<Proof>, Fault> {
        let settings = &self.settings;
        let Some(headers) = SignatureHeaders::read(|name| reply.header(name)) else {
            if signature == Signature::IfThere || settings.accepts_unsigned {
                return Ok(None);
            }
            return Err(settings.misconfigured(
                "the answer is not signed: set the parameter `unsigned` to `accept` to take the \
                 processor's word as reported; the request may have been taken in and is looked \
                 for first when it is tried again",
            ));
        };
        if !headers.domain.eq_ignore_ascii_case(&settings.domain) {
            return Err(settings.misconfigured(&format!(
                "the answer is signed in the name of another domain than `{}`: correct the \
                 parameter `domain`, or ask the processor",
                settings.domain
            )));
        }
        let mut certificates = self.good_certificates().await?;
        let mut verified = certificates.verify(reply.body(), headers.signature);
        if verified.is_err() {
            // It may have been renewed since it was fetched.
            self.certificates(true).await?;
            certificates = self.good_certificates().await?;
            verified = certificates.verify(reply.body(), headers.signature);
        }
        match verified {
            Ok(()) => Ok(Some(proof_of(reply.body(), headers.signature, &certificates))),
            Err(fault) => Err(settings.misconfigured(&format!(
                "an answer of `{}` is not to be relied on: {fault}; ask the processor whether its \
                 certificate is the right one",
                settings.domain
            ))),
        }
    }

    /// Makes a request.
    pub(super) async fn create(&self, body: Vec<u8>) -> Result<Reply, Fault> {
        let call = self.authorised(Call::changing(Method::POST, self.requests_url(None)?));
        self.send(call.body("application/json", body)).await
    }

    /// Looks for a request.
    pub(super) async fn look_up(&self, id: Uuid) -> Result<Found, Fault> {
        let settings = &self.settings;
        let call = self.authorised(Call::reading(Method::GET, self.requests_url(Some(id))?));
        let reply = self.send(call).await?;
        match reply.status() {
            200 => {}
            404 => return Ok(Found::Nothing),
            // So a processor of the first version says that there is none.
            400 if settings.dialect == Dialect::V1 => return Ok(Found::Nothing),
            410 => return Ok(Found::Gone),
            status => {
                return Err(reply.fault().unwrap_or_else(|| Fault::Rejected {
                    message: format!(
                        "system `{}`: the answer {status} to a question about a request is not \
                         of OpenDSR",
                        settings.system
                    ),
                }));
            }
        }
        let proof = self.proof(&reply, Signature::IfThere).await?;
        let says =
            StatusAnswer::read(reply.body(), &settings.domain).map_err(|_| Fault::Rejected {
                message: format!(
                    "system `{}`: the state of a request cannot be read",
                    settings.system
                ),
            })?;
        if says.id.is_some_and(|named| named != id) {
            return Err(Fault::Rejected {
                message: format!(
                    "system `{}`: the processor answers about another request than was asked for",
                    settings.system
                ),
            });
        }
        Ok(Found::Standing(Box::new(says), proof))
    }
}
