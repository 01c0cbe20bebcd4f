//! The guard at the door: which addresses may be spoken to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;
use super::call::host_of;
use crate::receipt::Fault;

/// The hosts that one system may be spoken to at.
#[derive(Debug, Clone)]
pub struct Door {
    system: String,
    hosts: BTreeSet<String>,
    private_hosts: BTreeSet<String>,
}

impl Door {
    /// Reads what is declared: hosts over TLS at public addresses, and hosts with their port that
    /// may have a private address.
    ///
    /// # Errors
    /// `Misconfigured` where one of them cannot be read.
    pub fn new(system: &str, hosts: &[String], private_hosts: &[String]) -> Result<Self, Fault> {
        let read = |hosts: &[String], default| {
            hosts.iter().map(|host| declared(system, host, default)).collect::<Result<_, _>>()
        };
        Ok(Self {
            system: system.to_owned(),
            hosts: read(hosts, Some(443))?,
            // No port is taken for granted where private addresses are let in.
            private_hosts: read(private_hosts, None)?,
        })
    }

    /// Hosts that are let in at private addresses and to which nothing is ever sent.
    pub fn idle_private_hosts(&self) -> impl Iterator<Item = &str> {
        self.private_hosts.difference(&self.hosts).map(String::as_str)
    }

    /// Every host that is spoken to, as `name:port`.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// Names of hosts that may have a private address.
    pub(super) fn private_names(&self) -> BTreeSet<String> {
        let names = self.private_hosts.iter().filter_map(|host| host.rsplit_once(':'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    /// Whether an address may be spoken to. One that is written as a number is checked here, since
    /// no resolver sees it; names are checked when they are resolved.
    ///
    /// # Errors
    /// `Misconfigured` with what to declare or to correct.
    pub fn admit(&self, url: &Url) -> Result<(), Fault> {
        let shown = host_of(url);
        let port = url.port_or_known_default().unwrap_or_default();
        let Some(host) = url.host() else {
            return Err(self.misconfigured("an address without a host cannot be spoken to"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.misconfigured(&format!(
                "the address of `{shown}` holds a user name: give credentials as parameters"
            )));
        }
        let key = format!("{host}:{port}").to_ascii_lowercase();
        if self.private_hosts.contains(&key) && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if !self.hosts.contains(&key) {
            return Err(self.misconfigured(&format!(
                "`{shown}` is not among the hosts that may be spoken to: declare it, or correct \
                 the address"
            )));
        }
        if url.scheme() != "https" {
            return Err(self.misconfigured(&format!(
                "`{shown}` may only be spoken to over https: correct the address, or declare the \
                 host under `private_hosts`"
            )));
        }
        let number = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        let name = format!("{host}").to_ascii_lowercase();
        // The resolver lets private addresses through by name alone; another port than the
        // declared one must not profit from that.
        let private_elsewhere = self
            .private_hosts
            .iter()
            .any(|declared| declared.rsplit_once(':').is_some_and(|(one, _)| one == name));
        if private_elsewhere || number.is_some_and(|address| !is_public(address)) {
            return Err(self.misconfigured(&format!(
                "`{shown}` has a private address: if it is meant, write the host with this port \
                 under `private_hosts`"
            )));
        }
        Ok(())
    }

    fn misconfigured(&self, why: &str) -> Fault {
        Fault::Misconfigured { message: format!("system `{}`: {why}", self.system) }
    }
}

/// Reads a declared host into `host:port`, in the spelling that [`Url`] gives hosts.
fn declared(system: &str, text: &str, default: Option<u16>) -> Result<String, Fault> {
    let wrong = |why: &str| Fault::Misconfigured {
        message: format!("system `{system}`: the declared host `{text}` {why}"),
    };
    let url = Url::parse(&format!("https://{text}")).map_err(|_| wrong("is no host name"))?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || text.ends_with('/') || text.contains('*') {
        return Err(wrong("is more than a host: write `name` or `name:port`"));
    }
    let written = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let Some(port) = written.or(default) else {
        return Err(wrong("has no port: write `name:port`"));
    };
    if port == 0 {
        return Err(wrong("has the port 0, which nobody listens on"));
    }
    let host = url.host().ok_or_else(|| wrong("is no host name"))?;
    Ok(format!("{host}:{port}").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn declared_hosts_are_hosts_and_nothing_more() {
        let read = |text: &str| declared("crm", text, Some(443)).ok();
        assert_eq!(read("API.example.com").as_deref(), Some("api.example.com:443"));
        assert_eq!(read("api.example.com:8443").as_deref(), Some("api.example.com:8443"));
        assert_eq!(read("[::1]:9801").as_deref(), Some("[::1]:9801"));
        // The browser's spelling of an address, so that no disguise passes.
        assert_eq!(read("0x7f.1:80").as_deref(), Some("127.0.0.1:80"));
        for wrong in ["", "*", "*.example.com", "example.com/v1", "example.com/", "a@example.com"] {
            assert_eq!(read(wrong), None, "`{wrong}` passes as a host");
        }
        assert!(declared("crm", "example.com", None).is_err(), "a private host needs its port");
        assert!(declared("crm", "example.com:0", None).is_err());
    }
}
