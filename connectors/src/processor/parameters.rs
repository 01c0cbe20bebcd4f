//! What the user has filled in, checked against the definition.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::definition::Definition;
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
        let wrong = |message: String| Fault::Misconfigured {
            message: format!("system `{system}`: {message}"),
        };
        let known: Vec<&str> = definition.parameters.keys().map(String::as_str).collect();
        if let Some(unknown) = given.keys().find(|key| !definition.parameters.contains_key(*key)) {
            return Err(wrong(format!(
                "the definition `{}` has no parameter `{unknown}`: it takes `{}`",
                definition.name,
                known.join("`, `")
            )));
        }
        let mut values = BTreeMap::new();
        for (key, parameter) in &definition.parameters {
            let default = || parameter.default.clone().map(SecretString::from);
            let Some(value) = given.get(key).cloned().or_else(default) else {
                return Err(wrong(format!(
                    "the parameter `{key}` is missing: {}",
                    parameter.about
                )));
            };
            let text = value.expose_secret();
            let fits = match &parameter.shape {
                Some(shape) => shape.fits(text),
                None => !text.is_empty() && !text.chars().any(char::is_control),
            };
            if !fits {
                let shape = parameter.shape.as_ref().map_or_else(
                    || "text without control characters".to_owned(),
                    super::shape::Shape::words,
                );
                return Err(wrong(format!(
                    "the parameter `{key}` has to be {shape}: {}",
                    parameter.about
                )));
            }
            values.insert(key.clone(), value);
        }
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
