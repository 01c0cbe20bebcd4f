//! Sending a definition's requests: paced, authenticated, and a token renewed once.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::authentication::Authenticator;
use super::definition::{Definition, Request};
use super::pacing::Pacing;
use super::parameters::Parameters;
use super::request::{Prepared, Turn, prepare};
use super::template::{Place, Unfit, Values};
use crate::kinds::ProcessorSettings;
use crate::outbound::{Call, Effect, Limits, Outbound, OutboundSettings, Reply};
use crate::receipt::Fault;

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// This person's values cannot be sent; nothing was.
    Unfit(Unfit),
    /// Anything else.
    Fault(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unfit> for Trouble {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

/// What is sent with a request, besides what the definition says.
#[derive(Clone, Default)]
pub(super) struct Filling {
    /// Values for places, besides the parameters.
    pub values: Values,
    /// Ids of a batch.
    pub ids: Vec<String>,
    /// What is different on this page.
    pub turn: Turn,
    /// The next request has to wait at least so long.
    pub gap: Duration,
}

/// A line to one vendor.
pub(super) struct Exchange {
    outbound: Outbound,
    authenticator: Authenticator,
    pacing: Pacing,
    parameters: Arc<Parameters>,
    base: String,
    headers: Vec<(String, String)>,
}

impl Exchange {
    /// Reads parameters and addresses. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where a parameter or an address does not fit.
    pub fn new(settings: &ProcessorSettings, definition: &Definition) -> Result<Self, Fault> {
        let system = settings.system.as_str();
        let parameters = Arc::new(Parameters::new(system, definition, &settings.parameters)?);
        let base = match &settings.address {
            Some(address) => address.trim_end_matches('/').to_owned(),
            None => parameters.fill(system, &definition.base, Place::Host)?,
        };
        let wrong =
            |why: &str| Fault::Misconfigured { message: format!("system `{system}`: {why}") };
        let url = Url::parse(&base).map_err(|_| wrong("its address is no address"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("its address has a query: write it up to the path"));
        }
        let own = url.host_str().ok_or_else(|| wrong("its address has no host"))?;
        let port = url.port_or_known_default().unwrap_or(443);
        let mut hosts = Vec::new();
        if url.scheme() == "https" {
            hosts.push(format!("{own}:{port}"));
        }
        for host in &definition.hosts {
            hosts.push(parameters.fill(system, host, Place::Host)?);
        }
        let mut headers = Vec::new();
        for (name, text) in &definition.headers {
            headers.push((name.clone(), parameters.fill(system, text, Place::Header)?));
        }
        let outbound = Outbound::new(OutboundSettings {
            system: system.to_owned(),
            hosts,
            private_hosts: settings.private_hosts.clone(),
            trust: settings.trust.clone(),
            limits: Limits::default(),
            now: settings.now.clone(),
        })?;
        let authenticator =
            Authenticator::new(settings, &definition.authentication, &parameters, &base);
        let pacing = Pacing::new(definition.requests_per_minute);
        Ok(Self { outbound, authenticator, pacing, parameters, base, headers })
    }

    /// Sends a request of the definition.
    ///
    /// # Errors
    /// As [`Outbound::send`], or where a value does not fit its place.
    pub async fn ask(
        &self,
        request: &Request,
        filling: &Filling,
        effect: Effect,
    ) -> Result<Reply, Trouble> {
        let mut values = self.parameters.values();
        values.extend(filling.values.clone());
        let prepared = prepare(request, &self.base, &values, &filling.ids, &filling.turn)?;
        Ok(self.send(prepared, effect, filling.gap).await?)
    }

    /// Asks for an address that an answer named. It has to be on the host of `base`, so that
    /// credentials go nowhere else.
    ///
    /// # Errors
    /// As [`Self::ask`]; `Misconfigured` where it leads elsewhere.
    pub async fn ask_link(
        &self,
        request: &Request,
        filling: &Filling,
        link: &str,
    ) -> Result<Reply, Trouble> {
        let mut values = self.parameters.values();
        values.extend(filling.values.clone());
        let mut prepared = prepare(request, &self.base, &values, &[], &Turn::default())?;
        let next =
            prepared.url.join(link).ok().filter(|next| {
                next.origin() == prepared.url.origin() && next.username().is_empty()
            });
        let Some(next) = next else {
            return Err(Trouble::Fault(Fault::Misconfigured {
                message: format!(
                    "`{}` names a next page on another host, which is not followed: check the \
                     address",
                    prepared.url.host_str().unwrap_or_default()
                ),
            }));
        };
        prepared.url = next;
        Ok(self.send(prepared, Effect::Reads, filling.gap).await?)
    }

    async fn send(
        &self,
        prepared: Prepared,
        effect: Effect,
        gap: Duration,
    ) -> Result<Reply, Fault> {
        let reply = self.send_once(prepared.clone(), effect, gap).await?;
        // Who is not let in has changed nothing, so sending again is harmless.
        if reply.status() != 401 || !self.authenticator.can_renew() {
            return Ok(reply);
        }
        self.authenticator.renew().await;
        self.send_once(prepared, effect, gap).await
    }

    async fn send_once(
        &self,
        mut prepared: Prepared,
        effect: Effect,
        gap: Duration,
    ) -> Result<Reply, Fault> {
        for (name, value) in &self.headers {
            if !prepared.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                prepared.headers.push((name.clone(), value.clone()));
            }
        }
        self.authenticator.sign(&self.outbound, &mut prepared).await?;
        let mut call = match effect {
            Effect::Reads => Call::reading(prepared.method, prepared.url),
            Effect::Changes => Call::changing(prepared.method, prepared.url),
        };
        call = call.header("accept", "application/json");
        for (name, value) in prepared.headers {
            call = call.header(name, value);
        }
        if let Some((content_type, body)) = prepared.body {
            call = call.body(content_type, body);
        }
        self.pacing.wait(gap).await;
        self.outbound.send(call).await
    }
}
