//! Opening connectors to the systems of the data map.

use std::collections::BTreeMap;
use std::sync::Arc;

use quietus_connectors::{Connector, ProcessorSettings, Settings};
use secrecy::ExposeSecret as _;

use super::{AppError, Quietus};
use crate::datamap::{Definition, System, ThirdParty};
use crate::domain::SystemName;

impl Quietus {
    /// The system of this name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn system(&self, name: &str) -> Result<&System, AppError> {
        let found = SystemName::parse(name).ok().and_then(|name| self.map.systems.get(&name));
        found.ok_or_else(|| {
            let known: Vec<String> =
                self.map.systems.keys().map(|name| format!("`{name}`")).collect();
            AppError::Input(format!(
                "there is no system `{name}`; the data map has {}",
                known.join(", ")
            ))
        })
    }

    /// A connector to a system. No connection is made before it is asked something.
    ///
    /// # Errors
    /// Where the secret cannot be read or the connector refuses the URL.
    pub fn connect(&self, system: &System) -> Result<Box<dyn Connector>, AppError> {
        if let Some(third_party) = &system.third_party {
            if let Some(task) = &third_party.task {
                return Ok(Box::new(self.by_hand(system, third_party, task)));
            }
            return self.connect_third_party(system, third_party);
        }
        let url = system
            .url
            .resolve(&self.instance.folder)
            .map_err(|error| {
                // What comes out of here may be put on a certificate: paths stay in the log.
                tracing::error!(system = %system.name, %error, "a secret cannot be read");
                AppError::Secret(format!(
                    "the URL of system `{}` cannot be read from where `connection` says; the log of the process says why",
                    system.name
                ))
            })?;
        let settings = Settings {
            system: system.name.to_string(),
            url,
            progress_table: system.progress_table.clone(),
        };
        quietus_connectors::open(&system.kind, settings)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }

    fn connect_third_party(
        &self,
        system: &System,
        third_party: &ThirdParty,
    ) -> Result<Box<dyn Connector>, AppError> {
        let folder = &self.instance.folder;
        let secret = |reference: &crate::datamap::SecretReference| {
            reference.resolve(folder).map_err(|error| AppError::Secret(error.to_string()))
        };
        let address = third_party.address.as_ref().map(secret).transpose()?;
        let mut parameters = BTreeMap::new();
        for (name, reference) in &third_party.parameters {
            parameters.insert(name.clone(), secret(reference)?);
        }
        let read = |path: &std::path::Path| {
            std::fs::read_to_string(folder.join(path)).map_err(|error| {
                AppError::Input(format!("`{}` cannot be read: {}", path.display(), error.kind()))
            })
        };
        let definition = match &third_party.definition {
            None => None,
            Some(Definition::File(path)) => Some(read(path)?),
            Some(Definition::Named(name)) => Some(
                quietus_connectors::processor::library::definition(name)
                    .ok_or_else(|| {
                        AppError::Input(format!("there is no built-in definition `{name}`"))
                    })?
                    .to_owned(),
            ),
        };
        let clock = Arc::clone(&self.clock);
        let settings = ProcessorSettings {
            system: system.name.to_string(),
            address: address.map(|address| address.expose_secret().to_owned()),
            definition,
            parameters,
            private_hosts: third_party.private_hosts.clone(),
            trust: third_party.trust.as_deref().map(read).transpose()?,
            now: Arc::new(move || clock.now()),
            tokens: Some(self.token_keeper(system.name.as_str())),
        };
        quietus_connectors::open_processor(&system.kind, settings)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }
}
