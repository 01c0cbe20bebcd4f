//! What a doctor says: findings by area, each with a mark, a place, since when, and what to do.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::AlarmKind;

/// How a matter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Something is not as it must be.
    Wrong,
    /// Somebody should look when there is time.
    Look,
    /// All is well.
    Well,
}

impl Mark {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Look => "look",
            Self::Well => "well",
        }
    }
}

/// One matter. No word of it is about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub mark: Mark,
    /// Of what kind it is; `None` where all is well.
    pub kind: Option<AlarmKind>,
    /// Where: a system, a rule, a case, a job.
    pub place: String,
    /// What there is to say.
    pub what: String,
    /// Since when it is so, as far as anybody knows.
    pub since: Option<Timestamp>,
    /// What to do, in words, where a command alone does not say it.
    pub advice: Option<String>,
    /// Commands that one can paste; capital letters (`NAME`, `WHY`) stand for what only people know.
    pub commands: Vec<String>,
}

impl Finding {
    fn new(mark: Mark, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            mark,
            kind: None,
            place: place.into(),
            what: what.into(),
            since: None,
            advice: None,
            commands: Vec::new(),
        }
    }

    /// All is well.
    pub fn well(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Mark::Well, place, what)
    }

    /// Somebody should look.
    pub fn look(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Mark::Look, place, what)
    }

    /// Something is wrong.
    pub fn wrong(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Mark::Wrong, place, what)
    }

    /// Of what kind it is.
    #[must_use]
    pub fn kind(mut self, kind: AlarmKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Since when.
    #[must_use]
    pub fn since(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.since = at.into();
        self
    }

    /// What to do, in words.
    #[must_use]
    pub fn advice(mut self, words: impl Into<String>) -> Self {
        self.advice = Some(words.into());
        self
    }

    /// A command that one can paste.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }
}

/// The findings of one area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Area {
    /// Its name, one word.
    pub name: &'static str,
    /// Findings, the worst and then the oldest first; at most as many as were asked for.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// How many findings are wrong, those that are not shown among them.
    pub wrong: u64,
    /// How many somebody should look at, those that are not shown among them.
    pub look: u64,
}

impl Area {
    /// Makes an area of all that was found there; `well` is said where nothing was.
    pub fn of(
        name: &'static str,
        mut found: Vec<Finding>,
        well: impl FnOnce() -> Finding,
        most: usize,
    ) -> Self {
        if found.is_empty() {
            found.push(well());
        }
        let never = Timestamp::MAX;
        found.sort_by(|one, other| {
            let order = |one: &Finding| (one.mark, one.since.unwrap_or(never));
            order(one).cmp(&order(other)).then_with(|| one.place.cmp(&other.place))
        });
        let count = |mark: Mark| found.iter().filter(|one| one.mark == mark).count() as u64;
        let (wrong, look) = (count(Mark::Wrong), count(Mark::Look));
        let more = found.len().saturating_sub(most) as u64;
        found.truncate(most);
        Self { name, findings: found, more, wrong, look }
    }
}

/// All that a doctor has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// When it was looked at.
    pub at: Timestamp,
    /// Connected systems and stores of copies were not asked.
    pub offline: bool,
    /// How many findings are wrong.
    pub wrong: u64,
    /// How many somebody should look at.
    pub look: u64,
    /// The areas, in the order in which to mend them.
    pub areas: Vec<Area>,
}

impl Diagnosis {
    pub(super) fn of(at: Timestamp, offline: bool, areas: Vec<Area>) -> Self {
        let wrong = areas.iter().map(|area| area.wrong).sum();
        let look = areas.iter().map(|area| area.look).sum();
        Self { at, offline, wrong, look, areas }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_worst_and_oldest_come_first_and_the_rest_is_counted() {
        let found = vec![
            Finding::look("c", "to be looked at"),
            Finding::wrong("b", "new").since(at("2026-11-02T00:00:00Z")),
            Finding::wrong("a", "nobody knows since when"),
            Finding::wrong("d", "old").since(at("2026-11-01T00:00:00Z")),
        ];
        let area = Area::of("jobs", found, || panic!("something was found"), 2);
        let places: Vec<&str> = area.findings.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["d", "b"]);
        assert_eq!((area.more, area.wrong, area.look), (2, 3, 1));
        let whole = Diagnosis::of(at("2026-11-03T00:00:00Z"), true, vec![area.clone(), area]);
        assert_eq!((whole.wrong, whole.look), (6, 2));
    }

    #[test]
    fn where_nothing_was_found_all_is_well() {
        let area = Area::of("jobs", Vec::new(), || Finding::well("jobs", "none has failed"), 5);
        assert_eq!(area.findings[0].mark, Mark::Well);
        assert_eq!((area.more, area.wrong, area.look), (0, 0, 0));
    }
}
