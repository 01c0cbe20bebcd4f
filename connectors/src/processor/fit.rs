//! Whether what the user has written fits a definition, as far as it can be seen without secrets and
//! without a connection.

use std::collections::BTreeMap;
use std::fmt;

use url::Url;

use super::definition::Definition;
use super::template::{self, Place, Values, fill};
use crate::outbound::Door;
use crate::receipt::Fault;

/// What the user has written of one system.
#[derive(Debug, Clone, Default)]
pub struct Written<'a> {
    /// Parameters: the value, or `None` where it is found elsewhere.
    pub parameters: BTreeMap<&'a str, Option<&'a str>>,
    /// An address in place of the definition's own; `Some(None)` where it is found elsewhere.
    pub address: Option<Option<&'a str>>,
    /// Hosts with port that may be spoken to although they have a private address.
    pub private_hosts: Vec<String>,
    /// Types of identities by which the system is asked.
    pub identities: Vec<&'a str>,
}

/// The part of what was written that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A parameter that is not there.
    Missing(String),
    /// A parameter that nobody asked for.
    Unknown(String),
    /// The value of a parameter.
    Value(String),
    /// A secret that stands in the open.
    Plain(String),
    /// A type of identity.
    Identity(String),
    /// The address, or one of the hosts that follow from parameters.
    Address,
    /// A host that may have a private address, as it was written.
    PrivateHost(String),
}

/// Something that does not fit. It repeats no value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Where.
    pub part: Part,
    /// What is wrong.
    pub message: String,
    /// What to write; empty where the message says it.
    pub help: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.help) }
    }
}

impl Definition {
    /// Everything that does not fit this definition.
    pub fn misfits(&self, written: &Written<'_>) -> Vec<Misfit> {
        let mut misfits = of_parameters(self, &written.parameters);
        let open = |name: &str| written.parameters.get(name).is_some_and(Option::is_some);
        for (name, _) in self.parameters.iter().filter(|(name, one)| one.secret && open(name)) {
            misfits.push(Misfit {
                part: Part::Plain(name.clone()),
                message: format!("the secret `{name}` stands here in plain"),
                help: "write where it is found, and change it: it has been in this file".to_owned(),
            });
        }
        let known: Vec<&str> = self.identities.iter().map(|rule| rule.kind.as_str()).collect();
        for kind in written.identities.iter().filter(|kind| !known.contains(kind)) {
            misfits.push(Misfit {
                part: Part::Identity((*kind).to_owned()),
                message: format!("the definition `{}` understands no `{kind}`", self.name),
                help: format!("it understands `{}`", known.join("`, `")),
            });
        }
        // Addresses that parameters spoil are told as parameters.
        if misfits.is_empty() {
            misfits.extend(self.of_hosts(written));
        }
        misfits
    }

    /// What does not fit of the hosts; nothing where an address is only known at run time.
    fn of_hosts(&self, written: &Written<'_>) -> Vec<Misfit> {
        let values = self.plain_values(written);
        let known = |text: &str| {
            let names = template::names(text).unwrap_or_default();
            if names.iter().all(|name| values.contains_key(name)) {
                fill(text, &values, Place::Host).ok()
            } else {
                None
            }
        };
        let base = match written.address {
            Some(None) => None,
            Some(Some(address)) => Some(address.trim_end_matches('/').to_owned()),
            None => known(&self.base),
        };
        let hosts: Option<Vec<String>> = self.hosts.iter().map(|host| known(host)).collect();
        let (Some(base), Some(mut hosts)) = (base, hosts) else { return Vec::new() };
        let wrong =
            |message: String| vec![Misfit { part: Part::Address, message, help: String::new() }];
        let Ok(url) = Url::parse(&base) else {
            return wrong("the address cannot be read: write `https://host/path`".to_owned());
        };
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("the address has a query: write it up to the path".to_owned());
        }
        let port = url.port_or_known_default().unwrap_or(443);
        hosts.push(format!("{}:{port}", url.host_str().unwrap_or_default()));
        let door = match Door::new("", &hosts, &written.private_hosts) {
            Ok(door) => door,
            Err(fault) => return wrong(words(&fault)),
        };
        let mut misfits: Vec<Misfit> = door
            .idle_private_hosts()
            .map(|host| Misfit {
                part: Part::PrivateHost(host.to_owned()),
                message: format!("nothing is ever sent to `{host}`"),
                help: format!(
                    "it speaks to `{}`: correct this or leave it out",
                    door.hosts().collect::<Vec<_>>().join("`, `")
                ),
            })
            .collect();
        if let Err(fault) = door.admit(&url) {
            misfits.extend(wrong(words(&fault)));
        }
        misfits
    }

    /// Parameters that are no secrets, as far as they are known.
    fn plain_values(&self, written: &Written<'_>) -> Values {
        let value = |(name, one): (&String, &super::definition::Parameter)| {
            let value = match written.parameters.get(name.as_str()) {
                Some(value) => (*value)?.to_owned(),
                None => one.default.clone()?,
            };
            Some((name.clone(), value))
        };
        self.parameters.iter().filter_map(value).collect()
    }
}

/// Parameters that are missing, unknown, or not of their shape.
pub(super) fn of_parameters(
    definition: &Definition,
    given: &BTreeMap<&str, Option<&str>>,
) -> Vec<Misfit> {
    let known: Vec<&str> = definition.parameters.keys().map(String::as_str).collect();
    let mut misfits: Vec<Misfit> = given
        .keys()
        .filter(|name| !known.contains(*name))
        .map(|name| Misfit {
            part: Part::Unknown((*name).to_owned()),
            message: format!("the definition `{}` has no parameter `{name}`", definition.name),
            help: if known.is_empty() {
                "it takes none".to_owned()
            } else {
                format!("it takes `{}`", known.join("`, `"))
            },
        })
        .collect();
    for (name, parameter) in &definition.parameters {
        let value = match given.get(name.as_str()) {
            Some(None) => continue,
            Some(Some(value)) => Some(*value),
            None => parameter.default.as_deref(),
        };
        let (part, message) = match value {
            None if definition.only_for_callbacks(name) => continue,
            None => (Part::Missing(name.clone()), format!("the parameter `{name}` is missing")),
            Some(value) if parameter.fits(value) => continue,
            Some(_) => {
                let shape = parameter.shape_in_words();
                let message = format!("the parameter `{name}` has to be {shape}");
                (Part::Value(name.clone()), message)
            }
        };
        misfits.push(Misfit { part, message, help: parameter.about.clone() });
    }
    misfits
}

/// The words of a fault, without the name of the system.
fn words(fault: &Fault) -> String {
    let text = fault.to_string();
    text.strip_prefix("system ``: ").unwrap_or(&text).to_owned()
}
