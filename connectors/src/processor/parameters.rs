//! What the user has filled in, checked against the definition.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::definition::{Definition, Parameter};
use super::fit::of_parameters;
use super::template::{Place, Values, fill};
use crate::receipt::Fault;

/// The values of a definition's parameters. They do not print.
pub(super) struct Parameters(BTreeMap<String, SecretString>);

impl Parameters {
    /// Takes the user's values, or the defaults.
    ///
    /// # Errors
    /// `Misconfigured` where one is missing, unknown or does not have its shape.
    pub fn new(
        system: &str,
        definition: &Definition,
        given: &BTreeMap<String, SecretString>,
    ) -> Result<Self, Fault> {
        let written = given
            .iter()
            .map(|(name, value)| (name.as_str(), Some(value.expose_secret())))
            .collect();
        if let Some(misfit) = of_parameters(definition, &written).into_iter().next() {
            return Err(Fault::Misconfigured { message: format!("system `{system}`: {misfit}") });
        }
        let default = |one: &Parameter| one.default.clone().map(SecretString::from);
        let values = definition
            .parameters
            .iter()
            .filter_map(|(name, one)| {
                let value = given.get(name).cloned().or_else(|| default(one))?;
                Some((name.clone(), value))
            })
            .collect();
        Ok(Self(values))
    }

    /// The values, to fill templates in.
    pub fn values(&self) -> Values {
        self.0
            .iter()
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect()
    }

    /// Fills in a template that uses nothing but parameters.
    ///
    /// # Errors
    /// `Misconfigured` where a value cannot stand there.
    pub fn fill(&self, system: &str, text: &str, place: Place) -> Result<String, Fault> {
        fill(text, &self.values(), place).map_err(|unfit| Fault::Misconfigured {
            message: format!("system `{system}`: {}: correct the parameter", unfit.0),
        })
    }
}
