//! The table of laws, read from data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::deadline::{ClockStop, StopReason};
use crate::domain::RetentionPeriod;

/// The table that this version brings along; an instance may bring its own.
const TABLE: &str = include_str!("../../schedules/regimes.yaml");

/// One law under which a person asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a law")]
pub struct Regime {
    /// Its name for people.
    pub title: String,
    /// Where it says so.
    pub citation: String,
    /// Working days within which receipt must be confirmed, if it must.
    #[serde(default)]
    pub acknowledge_business_days: Option<u32>,
    /// Within what time an answer is due.
    pub answer: RetentionPeriod,
    /// By how much the time may be prolonged once, with a notice within the first one.
    #[serde(default)]
    pub extension: Option<RetentionPeriod>,
    /// The clock stops while somebody's identity is in doubt.
    pub stops_for_identity: bool,
    /// The clock stops while a fee is not paid.
    #[serde(default)]
    pub stops_for_fee: bool,
    /// An end on a Saturday, Sunday or public holiday moves to the next working day.
    pub rolls_over: bool,
    /// Where the person may complain, for letters.
    pub complaint: String,
    /// Taken from a published source and not from general knowledge.
    pub confirmed: bool,
}

/// All laws, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regimes {
    regimes: BTreeMap<String, Regime>,
}

/// Why the table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegimeError {
    /// It cannot be read.
    #[error("the table of laws cannot be read: {0}")]
    Unreadable(String),
    /// It has no such law.
    #[error("there is no law `{name}` in the table; there is {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

impl Regime {
    /// Whether the clock stands for this.
    pub fn stops_for(&self, stop: &ClockStop) -> bool {
        match stop.because {
            StopReason::Identity => self.stops_for_identity,
            StopReason::Fee => self.stops_for_fee,
        }
    }
}

impl Regimes {
    /// The table that this version brings along.
    ///
    /// # Errors
    /// Never for a released version: a test reads it.
    pub fn built_in() -> Result<Self, RegimeError> {
        Self::parse(TABLE)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, RegimeError> {
        serde_saphyr::from_str(text).map_err(|error| RegimeError::Unreadable(error.to_string()))
    }

    /// The law of this name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn get(&self, name: &str) -> Result<&Regime, RegimeError> {
        self.regimes.get(name).ok_or_else(|| RegimeError::Unknown {
            name: name.to_owned(),
            known: self.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        })
    }

    /// Names of all laws.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regimes.keys().map(String::as_str)
    }
}
