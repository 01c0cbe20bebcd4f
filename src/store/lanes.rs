//! Lanes: which jobs a worker takes, so that no kind of work waits for another.

use std::sync::Arc;

/// Which jobs a worker takes. What may last for hours keeps nothing else waiting, and a third party
/// that is slow keeps no database waiting.
#[derive(Debug, Clone, Default)]
pub enum Lane {
    /// Every job.
    #[default]
    Any,
    /// What rules make due, and looks at copies, files and logs.
    Background,
    /// What is done for persons, but for these systems.
    Databases(Arc<[String]>),
    /// What is done for persons at these systems.
    ThirdParties(Arc<[String]>),
}

impl Lane {
    /// The word by which statements know it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Background => "background",
            Self::Databases(_) => "databases",
            Self::ThirdParties(_) => "third_parties",
        }
    }

    /// Whether it takes what rules make due, and looks.
    pub(super) fn takes_background(&self) -> bool {
        matches!(self, Self::Any | Self::Background)
    }

    /// Whether it takes what is done for persons in any system.
    pub(super) fn takes_persons(&self) -> bool {
        !matches!(self, Self::Background)
    }

    /// Whether it takes what is done for persons in this system.
    pub(super) fn takes_system(&self, system: &str) -> bool {
        let is_named = |systems: &[String]| systems.iter().any(|one| one == system);
        match self {
            Self::Any => true,
            Self::Background => false,
            Self::Databases(others) => !is_named(others),
            Self::ThirdParties(systems) => is_named(systems),
        }
    }

    pub(super) fn third_parties(&self) -> &[String] {
        match self {
            Self::Any | Self::Background => &[],
            Self::Databases(systems) | Self::ThirdParties(systems) => systems,
        }
    }
}

// A kind of work that a newer version has brought is left to those that know it: while both work on
// one store, this one would claim it, not read it, and come no further.
macro_rules! of_background {
    () => {
        "kind IN ('sweep', 'backup', 'residue')"
    };
}
macro_rules! of_persons {
    () => {
        "kind IN ('request', 'retained', 'upkeep', 'replay')"
    };
}
macro_rules! in_lane {
    ($systems:literal) => {
        concat!(
            " AND CASE $3 WHEN 'any' THEN ",
            of_background!(),
            " OR ",
            of_persons!(),
            " WHEN 'background' THEN ",
            of_background!(),
            " WHEN 'databases' THEN ",
            of_persons!(),
            " AND system NOT IN (",
            $systems,
            ") ELSE ",
            of_persons!(),
            " AND system IN (",
            $systems,
            ") END"
        )
    };
    () => {
        in_lane!("SELECT value FROM json_each($4)")
    };
    (postgres) => {
        in_lane!("SELECT jsonb_array_elements_text(CAST($4 AS jsonb))")
    };
}
pub(super) use {in_lane, of_background, of_persons};
