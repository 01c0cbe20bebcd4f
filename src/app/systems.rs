//! Opening connectors to the systems of the data map.

use std::collections::BTreeMap;
use std::sync::Arc;

use quietus_connectors::opendsr::Client;
use quietus_connectors::{Connector, Fault, ProcessorSettings, Settings};
use secrecy::ExposeSecret as _;

use super::{AppError, Lane, Quietus};
use crate::datamap::{DataMap, System, ThirdParty};
use crate::domain::SystemName;

/// What keeps our own records from being disposed of behind a pooler.
pub(super) const NEEDS_SESSION: &str = "the store is reached through a pooler in transaction mode, and own records are disposed of in a session: write in `quietus.yaml` how the same database is reached past it (`store_direct`)";

/// Opens what answers in the place of a system; `None` leaves the system to its kind. For programs
/// that hold systems themselves, such as a simulation.
pub type StandIns = Arc<dyn Fn(&System) -> Option<Box<dyn Connector>> + Send + Sync>;

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

    /// The lanes in which this process takes jobs; each job is in exactly one of them.
    pub fn lanes(&self) -> Vec<Lane> {
        let others = self.map.systems.values().filter(|system| system.third_party.is_some());
        let others: Arc<[String]> = others.map(|system| system.name.to_string()).collect();
        let mut lanes = vec![Lane::Background, Lane::Databases(Arc::clone(&others))];
        if !others.is_empty() {
            lanes.push(Lane::ThirdParties(others));
        }
        lanes
    }

    /// A connector to a system. No connection is made before it is asked something.
    ///
    /// # Errors
    /// Where the secret cannot be read or the connector refuses the URL.
    pub fn connect(&self, system: &System) -> Result<Box<dyn Connector>, AppError> {
        if system.backup.is_some() {
            return Err(AppError::Input(format!(
                "`{}` is a store of copies, in which nobody can be asked for or erased: see `quietus backup list {}`",
                system.name, system.name
            )));
        }
        if let Some(stand_in) = self.stand_ins.as_ref().and_then(|open| open(system)) {
            return Ok(stand_in);
        }
        if let Some(third_party) = &system.third_party {
            if let Some(task) = &third_party.task {
                return Ok(Box::new(self.by_hand(system, third_party, task)));
            }
            return self.connect_third_party(system, third_party);
        }
        let is_house = system.is_house();
        let url = match &self.instance.store_direct {
            Some(direct) if is_house => direct,
            None if is_house && self.store.is_pooled() => {
                let fault = Fault::Misconfigured { message: NEEDS_SESSION.to_owned() };
                return Err(AppError::System { system: system.name.to_string(), fault });
            }
            _ if is_house => &self.instance.store,
            _ => &system.url,
        };
        let url = url
            .resolve(&self.instance.folder)
            .map_err(|error| {
                // What comes out of here may be put on a certificate: paths stay in the log.
                tracing::error!(system = %system.name, %error, "a secret cannot be read");
                AppError::Secret(format!(
                    "the URL of system `{}` cannot be read from where `connection` says; the log of the process says why",
                    system.name
                ))
            })?;
        let kind = match url.expose_secret().split(':').next() {
            Some("sqlite") if is_house => "sqlite",
            _ if is_house => "postgresql",
            _ => system.kind.as_str(),
        };
        let settings = Settings {
            system: system.name.to_string(),
            url,
            progress_table: system.progress_table.clone(),
        };
        quietus_connectors::open(kind, settings)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }

    /// A connector for a case: reached as the data map of now says, since addresses and credentials
    /// change, and spoken to by the definition that the case was planned with.
    ///
    /// # Errors
    /// As [`Self::connect`]; where the definition is not on record, or where what the data map says
    /// now does not fit it.
    pub(crate) fn connect_as_planned(
        &self,
        planned: &DataMap,
        name: &str,
    ) -> Result<Box<dyn Connector>, AppError> {
        let system = self.system(name)?;
        let Some(third_party) = system.third_party.as_ref().filter(|one| one.definition.is_some())
        else {
            return self.connect(system);
        };
        let planned = planned.systems.get(&system.name).and_then(|one| one.third_party.as_ref());
        let planned_text = planned.and_then(|one| one.definition_text.clone());
        let Some(text) = planned_text else {
            return Err(AppError::Input(format!(
                "the definition by which system `{name}` was to be asked is not on record with the case: cancel the case and open it again"
            )));
        };
        let changed = third_party.definition_text.as_ref() != Some(&text);
        let as_planned = ThirdParty { definition_text: Some(text), ..third_party.clone() };
        self.connect_third_party(system, &as_planned).map_err(|error| match error {
            AppError::System { system, fault: Fault::Misconfigured { message } } if changed => {
                let message = format!(
                    "{message}; the case was planned with an earlier definition, and goes on with it: put its parameters back, or cancel the case and open it again"
                );
                AppError::System { system, fault: Fault::Misconfigured { message } }
            }
            other => other,
        })
    }

    fn connect_third_party(
        &self,
        system: &System,
        third_party: &ThirdParty,
    ) -> Result<Box<dyn Connector>, AppError> {
        let settings = self.processor_settings(system, third_party)?;
        quietus_connectors::open_processor(&system.kind, settings)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }

    /// The client of a processor that speaks `OpenDSR`, for what it calls back.
    pub(super) fn opendsr_client(&self, system: &System) -> Result<Client, AppError> {
        let misfit = || AppError::Input(format!("system `{}` is no third party", system.name));
        let third_party = system.third_party.as_ref().ok_or_else(misfit)?;
        Client::new(self.processor_settings(system, third_party)?)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }

    pub(super) fn processor_settings(
        &self,
        system: &System,
        third_party: &ThirdParty,
    ) -> Result<ProcessorSettings, AppError> {
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
        Ok(ProcessorSettings {
            system: system.name.to_string(),
            address: address.map(|address| address.expose_secret().to_owned()),
            definition: third_party.definition_text.as_deref().map(str::to_owned),
            parameters,
            private_hosts: third_party.private_hosts.clone(),
            trust: third_party.trust.as_deref().map(read).transpose()?,
            now: self.time(),
            tokens: Some(self.token_keeper(system.name.as_str())),
        })
    }
}
