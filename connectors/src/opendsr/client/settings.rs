//! What the client is told about a processor, read and checked once.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::DnsName;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::kinds::{Now, ProcessorSettings};
use crate::opendsr::protocol::{Dialect, IdentityType, Regulation};
use crate::opendsr::signature::Trust;
use crate::outbound::{Limits, Outbound, OutboundSettings};
use crate::receipt::Fault;

/// Names of the data map that mean a type of the core list without being spelled like it.
const MEANINGS: &[(&str, &str)] = &[("customer_id", "controller_customer_id")];

/// What every processor that is known bears.
const REQUESTS_PER_MINUTE: u32 = 300;

/// Everything that the parameters say.
pub(super) struct ClientSettings {
    pub system: String,
    /// Base of all addresses; its path ends with `/`.
    pub address: Url,
    /// The processor's domain, in small letters.
    pub domain: String,
    pub dialect: Dialect,
    /// Value of the header `Authorization`.
    pub authorization: Option<SecretString>,
    pub callback_url: Option<String>,
    /// Replaces what follows from the regime.
    pub regulation: Option<Regulation>,
    /// Types by the name that the data map gives them.
    kinds: BTreeMap<String, IdentityType>,
    /// An answer without a signature is taken as reported.
    pub accepts_unsigned: bool,
    pub requests_per_minute: u32,
    /// Hosts beside the processor's own that may serve its certificate.
    pub certificate_hosts: Vec<String>,
    pub skips_waiting: bool,
    pub further: Vec<(String, String)>,
    pub trust: Trust,
    pub outbound: Outbound,
    pub now: Now,
}

impl ClientSettings {
    pub(super) fn read(settings: ProcessorSettings) -> Result<Self, Fault> {
        let ProcessorSettings { system, address, parameters, private_hosts, trust, now, .. } =
            settings;
        let wrong =
            |why: &str| Fault::Misconfigured { message: format!("system `{system}`: {why}") };
        let address = address.as_deref().ok_or_else(|| {
            wrong("the address is missing: give it with the version (`https://opendsr.example.com/v2`)")
        })?;
        let address = base(address).ok_or_else(|| {
            wrong("the address has to be `https://host/path` without a query, a fragment or a user")
        })?;
        let given = Given { system: &system, parameters: &parameters };
        given.only_known()?;
        let domain = given.text("domain")?.ok_or_else(|| {
            wrong("the parameter `domain` is missing: give the domain that the processor's certificate is issued for")
        })?;
        let domain = domain.to_ascii_lowercase();
        if DnsName::try_from(domain.as_str()).is_err() {
            return Err(wrong("the parameter `domain` is no domain name"));
        }
        let dialect = given.word("dialect", "`v1`, `v2` or `v3`", Dialect::read)?;
        let dialect = dialect.unwrap_or(Dialect::V2);
        let authorities = Trust::of_the_machine(trust.as_deref())
            .map_err(|_| wrong("`trust` holds no certificate: give the authority's as PEM"))?;
        let certificate_hosts: Vec<String> = given
            .text("certificate_hosts")?
            .map(|hosts| hosts.split(',').map(|host| host.trim().to_ascii_lowercase()).collect())
            .unwrap_or_default();
        let outbound = Outbound::new(OutboundSettings {
            system: system.clone(),
            hosts: hosts(&address, &domain, &certificate_hosts),
            private_hosts,
            trust,
            limits: Limits::default(),
            now: now.clone(),
        })?;
        Ok(Self {
            authorization: given.authorization()?,
            callback_url: given.text("callback_url")?.map(str::to_owned),
            regulation: given.word("regulation", "`gdpr` or `ccpa`", Regulation::read)?,
            kinds: given.kinds()?,
            accepts_unsigned: given.flag("unsigned", "accept")?,
            requests_per_minute: given
                .word("requests_per_minute", "a number of at least 1", |text| {
                    text.parse().ok().filter(|rate| *rate > 0)
                })?
                .unwrap_or(REQUESTS_PER_MINUTE),
            skips_waiting: given.flag("skip_waiting_period", "true")?,
            further: given.further()?,
            system: system.clone(),
            address,
            domain,
            dialect,
            certificate_hosts,
            trust: authorities,
            outbound,
            now,
        })
    }

    /// The type of OpenDSR that a name of the data map means.
    pub(super) fn kind_of(&self, name: &str) -> Option<IdentityType> {
        self.kinds.get(name).cloned().or_else(|| meaning(name))
    }

    /// Names of the data map that are understood.
    pub(super) fn names(&self) -> Vec<String> {
        let known = IdentityType::known().map(|kind| kind.as_str().to_owned());
        let meanings = MEANINGS.iter().map(|(name, _)| (*name).to_owned());
        let mut names: Vec<String> =
            known.chain(meanings).chain(self.kinds.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// A fault that names the system.
    pub(super) fn misconfigured(&self, why: &str) -> Fault {
        Fault::Misconfigured { message: format!("system `{}`: {why}", self.system) }
    }
}

/// The type that a name means where the parameters say nothing else.
fn meaning(name: &str) -> Option<IdentityType> {
    let spelled = MEANINGS.iter().find(|(one, _)| *one == name).map_or(name, |(_, kind)| *kind);
    IdentityType::read_known(spelled)
}

/// The address with a path that ends with `/`.
fn base(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !bare || !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return None;
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Some(url)
}

/// Hosts that are spoken to.
fn hosts(address: &Url, domain: &str, certificate_hosts: &[String]) -> Vec<String> {
    let host = address.host_str().unwrap_or_default();
    let own = match address.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut hosts = vec![own, domain.to_owned()];
    hosts.extend_from_slice(certificate_hosts);
    hosts
}

struct Given<'a> {
    system: &'a str,
    parameters: &'a BTreeMap<String, SecretString>,
}

impl Given<'_> {
    fn wrong(&self, why: &str) -> Fault {
        Fault::Misconfigured { message: format!("system `{}`: {why}", self.system) }
    }

    /// A misspelled parameter would be one that is silently not heeded.
    fn only_known(&self) -> Result<(), Fault> {
        const KNOWN: &[&str] = &[
            "callback_url",
            "certificate_hosts",
            "dialect",
            "domain",
            "key",
            "regulation",
            "requests_per_minute",
            "skip_waiting_period",
            "token",
            "unsigned",
            "user",
        ];
        let unknown = self.parameters.keys().find(|name| {
            let prefixed = name.starts_with("identity.") || name.starts_with("field.");
            !prefixed && !KNOWN.contains(&name.as_str())
        });
        match unknown {
            None => Ok(()),
            Some(name) => Err(self.wrong(&format!(
                "the parameter `{name}` is not known: there are {}, `identity.NAME` and \
                 `field.NAME`",
                KNOWN.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        let value = value.expose_secret().trim();
        if value.is_empty() {
            return Err(self.wrong(&format!("the parameter `{name}` is empty")));
        }
        Ok(Some(value))
    }

    fn word<T>(
        &self,
        name: &str,
        words: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.text(name)? else { return Ok(None) };
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(&format!("the parameter `{name}` has to be {words}"))),
        }
    }

    fn flag(&self, name: &str, yes: &str) -> Result<bool, Fault> {
        let set =
            self.word(name, &format!("`{yes}` or left out"), |text| (text == yes).then_some(()))?;
        Ok(set.is_some())
    }

    fn authorization(&self) -> Result<Option<SecretString>, Fault> {
        let user = self.text("user")?.map(str::to_owned);
        let key = self.text("key")?.map(str::to_owned);
        let token = self.text("token")?.map(str::to_owned);
        let value = match (user, key, token) {
            (None, None, None) => return Ok(None),
            (None, None, Some(token)) => format!("Bearer {token}"),
            (Some(user), Some(key), None) if !user.contains(':') => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{key}")))
            }
            _ => {
                return Err(self.wrong(
                    "the credentials have to be `user` (without a colon) and `key`, or `token`",
                ));
            }
        };
        Ok(Some(SecretString::from(value)))
    }

    fn kinds(&self) -> Result<BTreeMap<String, IdentityType>, Fault> {
        let mut kinds = BTreeMap::new();
        for (name, value) in self.parameters {
            let Some(own) = name.strip_prefix("identity.") else { continue };
            let kind = IdentityType::read(value.expose_secret().trim()).ok_or_else(|| {
                self.wrong(&format!("the parameter `{name}` has to be a type of identity"))
            })?;
            kinds.insert(own.to_owned(), kind);
        }
        Ok(kinds)
    }

    fn further(&self) -> Result<Vec<(String, String)>, Fault> {
        const OURS: &[&str] = &[
            "api_version",
            "extensions",
            "group_id",
            "regulation",
            "status_callback_urls",
            "subject_identities",
            "subject_request_id",
            "subject_request_type",
            "submitted_time",
        ];
        let mut fields = Vec::new();
        for (name, value) in self.parameters {
            let Some(field) = name.strip_prefix("field.") else { continue };
            if OURS.contains(&field) || field.is_empty() {
                return Err(
                    self.wrong(&format!("the parameter `{name}` would replace what is asked"))
                );
            }
            fields.push((field.to_owned(), value.expose_secret().to_owned()));
        }
        Ok(fields)
    }
}
