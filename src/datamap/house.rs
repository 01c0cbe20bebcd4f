//! Our own house: everything that Quietus itself keeps, what of it is about people, how long it
//! stays and who takes it away.
//!
//! This list is the machine-readable truth: tests hold it against the schema of the store, so that a
//! table without an entry, or an entry without its table, fails. What has a rule is carried out by
//! the same engine as everything else: the store is the system [`HOUSE`] of every data map.

mod files;
mod records;

/// Name of the system of the data map that our own store is, of its kind, and of the schedule of
/// its rules. No other system may have it.
pub const HOUSE: &str = "quietus";

/// The kind of the system that our own store is.
pub const HOUSE_KIND: &str = "house";

/// Something that Quietus keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its name: of a table, of a file or of a folder.
    pub name: &'static str,
    /// Where it is.
    pub place: KeptIn,
    /// What it holds, in plain language.
    pub holds: &'static str,
    /// What of it is about people.
    pub personal: Personal,
    /// Why it is kept.
    pub why: &'static str,
    /// When it goes, in plain language.
    pub until: Until,
    /// Who takes it away, and how that is proven.
    pub proof: &'static str,
}

/// Where something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptIn {
    /// A table of the store.
    Store,
    /// The keys folder.
    Keys,
    /// A file or folder of the instance, or a place that its file names.
    Files,
    /// What a process writes or shows.
    Process,
    /// A connected system.
    Systems,
}

impl KeptIn {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Keys => "keys",
            Self::Files => "files",
            Self::Process => "process",
            Self::Systems => "systems",
        }
    }
}

/// What of something is about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Personal {
    /// Nothing.
    None,
    /// Who acted for the controller: names of its people, roles and machines.
    Staff,
    /// Keyed digests, which say nothing without the key.
    Tokens,
    /// What identifies a person, sealed with a key that is elsewhere.
    Sealed,
}

impl Personal {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Staff => "staff",
            Self::Tokens => "tokens",
            Self::Sealed => "sealed",
        }
    }
}

/// When something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// By a rule of `own_records`, of this name there, so long after a moment.
    Rule {
        /// The entry of `own_records`.
        entry: &'static str,
        /// From when it counts, in words.
        from: &'static str,
    },
    /// What it says is shredded so long after the end of its case (`details_for`); the row stays.
    Shredded,
    /// As soon as it has served; in words.
    Served(&'static str),
    /// It stays; in words, why.
    Stays(&'static str),
}

/// Everything that Quietus keeps.
pub fn inventory() -> impl Iterator<Item = &'static Kept> {
    records::TABLES.iter().chain(files::FILES)
}

/// The entry of a table of the store.
pub fn table(name: &str) -> Option<&'static Kept> {
    records::TABLES.iter().find(|one| one.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_is_said_once_and_whole() {
        let mut names = BTreeSet::new();
        for one in inventory() {
            assert!(names.insert((one.place, one.name)), "`{}` stands there twice", one.name);
            for text in [one.holds, one.why, one.proof] {
                assert!(text.len() > 10, "`{}` says too little: `{text}`", one.name);
            }
        }
        assert!(names.len() > 60, "{}", names.len());
    }
}
