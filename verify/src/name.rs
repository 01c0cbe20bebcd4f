//! Names that people give to systems, collections, categories, rules and schedules.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no name: write 1 to 100 letters, digits, `.`, `_` or `-`, a letter or digit first"
)]
pub struct NameError {
    /// What was given.
    pub text: String,
}

fn check(text: &str) -> Result<(), NameError> {
    let first_fits = text.chars().next().is_some_and(|first| first.is_ascii_alphanumeric());
    let all_fit =
        text.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-'));
    if first_fits && all_fit && text.len() <= 100 {
        Ok(())
    } else {
        Err(NameError { text: text.to_owned() })
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads a name.
            ///
            /// # Errors
            /// Where the text is no name.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )*};
}

names! {
    /// Name of a connected system.
    SystemName;
    /// Name of a collection in its system's data map.
    CollectionName;
    /// Name of a data category, such as `account.contact`.
    CategoryName;
    /// Name of a retention rule, minimum or maximum; unique in the rule set.
    RuleName;
    /// Name of a schedule (when runs begin).
    ScheduleName;
}
