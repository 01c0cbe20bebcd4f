//! What is known of files and logs of one system, for one case. Pure: the same sight gives the same
//! answer.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::StageSight;
use serde::{Deserialize, Serialize};

/// Said of a stage at which nobody has looked yet.
pub(super) const NOT_LOOKED: &str = "nobody has looked yet";
/// Said of a stage where the system could not be asked.
pub(super) const NOT_ASKED: &str = "the system could not be asked";
/// Said where more was erased after the last look, and the data map names nothing to look at any more.
pub(super) const NOT_COVERED: &str = "nobody has looked since more was erased, and the data map no longer has `residues` at this system";

/// One stage, as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSeen {
    /// Its name.
    pub stage: String,
    /// When somebody saw that it holds nothing any more.
    pub gone_at: Option<Timestamp>,
    /// When the system itself lets it go, where it says so.
    pub gone_by: Option<Timestamp>,
    /// Why it is not gone, and what somebody can do about it.
    pub why: Option<String>,
    /// Since when something holds it back that does not go by itself.
    pub held_since: Option<Timestamp>,
}

/// The stages that are looked at, in the order in which they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesSeen {
    /// When somebody looked last; `None` where nobody could.
    pub looked_at: Option<Timestamp>,
    /// Each stage.
    pub stages: Vec<StageSeen>,
}

impl FilesSeen {
    /// Nothing could be seen yet.
    pub(super) fn nothing(stages: &[String], why: &str) -> Self {
        let stage = |name: &String| StageSeen {
            stage: name.clone(),
            gone_at: None,
            gone_by: None,
            why: Some(why.to_owned()),
            held_since: None,
        };
        Self { looked_at: None, stages: stages.iter().map(stage).collect() }
    }

    /// The same stages, of which nothing is known: what was seen does not cover what is spoken of now.
    pub(super) fn not_covering(&self) -> Self {
        let stages: Vec<String> = self.stages.iter().map(|one| one.stage.clone()).collect();
        Self::nothing(&stages, NOT_COVERED)
    }

    /// Whether every stage was seen to be gone.
    pub fn gone(&self) -> bool {
        !self.stages.is_empty() && self.stages.iter().all(|one| one.gone_at.is_some())
    }

    /// What is known after a look. A stage that was seen to be gone stays so.
    pub(super) fn after(&self, sights: &[StageSight], at: Timestamp) -> Self {
        let stages = self.stages.iter().map(|before| {
            if before.gone_at.is_some() {
                return before.clone();
            }
            let Some(sight) = sights.iter().find(|sight| sight.stage == before.stage) else {
                return before.clone();
            };
            StageSeen {
                stage: before.stage.clone(),
                gone_at: sight.gone.then_some(at),
                gone_by: sight.gone_by.filter(|_| !sight.gone),
                why: (!sight.gone)
                    .then(|| sight.why.clone().unwrap_or_else(|| NOT_LOOKED.to_owned())),
                held_since: sight.held.then(|| before.held_since.unwrap_or(at)),
            }
        });
        Self { looked_at: Some(at), stages: stages.collect() }
    }

    /// The first stage that is not gone.
    pub fn left(&self) -> Option<&StageSeen> {
        self.stages.iter().find(|one| one.gone_at.is_none())
    }

    /// Whether something has held a stage back for so long that a person is needed.
    pub(super) fn is_held(&self, now: Timestamp, for_longer_than: SignedDuration) -> bool {
        let since = self.stages.iter().filter_map(|one| one.held_since).min();
        since.is_some_and(|since| now.duration_since(since) >= for_longer_than)
    }

    /// Whether it differs in nothing but when it was looked at.
    pub(super) fn says_the_same(&self, earlier: &Self) -> bool {
        self.stages == earlier.stages && self.looked_at.is_some() == earlier.looked_at.is_some()
    }

    /// Whether another stage is gone, or something holds one back that did not, or no longer does.
    pub(super) fn says_more_than(&self, earlier: &Self) -> bool {
        let of = |seen: &Self| -> Vec<(String, bool, bool)> {
            let one =
                |it: &StageSeen| (it.stage.clone(), it.gone_at.is_some(), it.held_since.is_some());
            seen.stages.iter().map(one).collect()
        };
        of(self) != of(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_a_look_does_not_cover_is_not_seen() {
        let stages = ["rows".to_owned(), "log".to_owned()];
        let sights = [StageSight::gone("rows"), StageSight::gone("log")];
        let gone = FilesSeen::nothing(&stages, NOT_LOOKED).after(&sights, at(10));
        assert!(gone.gone());
        let unseen = gone.not_covering();
        assert_eq!(unseen, FilesSeen::nothing(&stages, NOT_COVERED));
        assert!(!unseen.gone() && unseen.looked_at.is_none());
    }

    #[test]
    fn what_was_gone_once_stays_gone_and_what_is_held_is_held_since_the_first_time() {
        let stages = ["rows".to_owned(), "log".to_owned()];
        let first = FilesSeen::nothing(&stages, NOT_LOOKED);
        assert!(!first.gone() && first.looked_at.is_none());
        let sights = [StageSight::gone("rows"), StageSight::held("log", "a slot")];
        let second = first.after(&sights, at(10));
        assert!(second.says_more_than(&first) && !second.gone());
        assert_eq!(second.left().map(|one| one.stage.as_str()), Some("log"));
        let sights = [StageSight::left("rows", "?"), StageSight::held("log", "a slot")];
        let third = second.after(&sights, at(20));
        assert!(!third.says_more_than(&second));
        assert_eq!(third.stages[0].gone_at, Some(at(10)));
        assert_eq!(third.stages[1].held_since, Some(at(10)));
        let hour = SignedDuration::from_secs(10);
        assert!(third.is_held(at(20), hour) && !third.is_held(at(19), hour));
        let last = third.after(&[StageSight::gone("log")], at(30));
        assert!(last.gone() && !last.is_held(at(90), hour));
        assert_eq!((last.stages[1].gone_at, last.looked_at), (Some(at(30)), Some(at(30))));
    }
}
