//! Opening connectors to the systems of the data map.

use quietus_connectors::{Connector, Settings};

use super::{AppError, Quietus};
use crate::datamap::System;
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
}
