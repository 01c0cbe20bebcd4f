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

    pub(super) fn third_parties(&self) -> &[String] {
        match self {
            Self::Any | Self::Background => &[],
            Self::Databases(systems) | Self::ThirdParties(systems) => systems,
        }
    }
}

// A kind of work that a newer version has brought is left to those that know it: while both work on
// one store, this one would claim it, not read it, and come no further.
macro_rules! in_lane {
    ($systems:literal) => {
        concat!(
            " AND kind IN ('sweep', 'request', 'retained', 'upkeep', 'replay', 'backup', 'residue')
             AND CASE $3 WHEN 'any' THEN TRUE
               WHEN 'background' THEN kind IN ('sweep', 'backup', 'residue')
               WHEN 'databases' THEN kind NOT IN ('sweep', 'backup', 'residue')
                   AND system NOT IN (",
            $systems,
            ") ELSE kind NOT IN ('sweep', 'backup', 'residue') AND system IN (",
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
pub(super) use in_lane;
