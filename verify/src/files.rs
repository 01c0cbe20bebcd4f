//! What a certificate says of a system's own files and logs: which of them can still hold what was
//! deleted, and that they were seen to hold it no more.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, Predicate};
use crate::statement::SystemStatement;
use crate::verify::{Finding, Step, printable};

/// One place below of what a system shows: dead rows, free space, a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedStage {
    /// Its short name, such as `wal`.
    pub stage: String,
    /// What it is, in words.
    pub what: String,
    /// The day by which the system lets it go, where it says so.
    #[serde(default)]
    pub gone_by: Option<Date>,
    /// Why it is not gone and no day is promised.
    #[serde(default)]
    pub reason: Option<String>,
    /// When somebody saw that it holds nothing any more.
    #[serde(default)]
    pub seen_gone_at: Option<Timestamp>,
}

/// The files and logs of a system, as far as somebody looks at them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatedFiles {
    /// The places that are looked at, in the order in which they go.
    pub stages: Vec<StatedStage>,
    /// The day by which the last of them is gone, where each has one.
    #[serde(default)]
    pub gone_by: Option<Date>,
    /// Why no day is promised.
    #[serde(default)]
    pub reason: Option<String>,
    /// When the last of them was seen to be gone.
    #[serde(default)]
    pub seen_gone_at: Option<Timestamp>,
    /// When somebody looked last; `None` where nobody could.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
}

impl StatedFiles {
    /// Whether a file or a log can still hold what was deleted, as far as the statement knows.
    pub fn is_pending(&self) -> bool {
        self.seen_gone_at.is_none() || self.stages.iter().any(|one| one.seen_gone_at.is_none())
    }
}

/// Says exactly one of the three: a day, a reason, a moment.
fn says_one(day: Option<Date>, reason: Option<&str>, seen: Option<Timestamp>) -> bool {
    let reason = reason.is_some_and(|why| !why.trim().is_empty());
    [day.is_some(), reason, seen.is_some()].into_iter().filter(|one| *one).count() == 1
}

/// In what a statement contradicts itself about files and logs.
pub(crate) fn violations(
    predicate: &Predicate,
    statement: &SystemStatement,
    files: &StatedFiles,
) -> Vec<&'static str> {
    let mut found = Vec::new();
    let nameless = |one: &StatedStage| one.stage.trim().is_empty() || one.what.trim().is_empty();
    if files.stages.is_empty() || files.stages.iter().any(nameless) {
        found.push("it does not say which files and logs it speaks of");
    }
    let stages = files.stages.iter();
    let sound =
        stages.clone().all(|one| says_one(one.gone_by, one.reason.as_deref(), one.seen_gone_at));
    if !sound || !says_one(files.gone_by, files.reason.as_deref(), files.seen_gone_at) {
        found.push(
            "it has to say of files and logs by which day they let it go, why no day is promised, or \
             when they were seen to have let it go: one of the three",
        );
    }
    let left = stages.clone().any(|one| one.seen_gone_at.is_none());
    if files.seen_gone_at.is_some() && left {
        found.push("files and logs were seen to have let it go, and one of them has not");
    }
    if files.seen_gone_at.is_none() && !left {
        found.push("each file and log was seen to have let it go, and together they have not");
    }
    let seen = stages.clone().filter_map(|one| one.seen_gone_at).chain(files.seen_gone_at);
    let seen: Vec<Timestamp> = seen.collect();
    if seen.iter().any(|at| files.looked_at.is_none_or(|looked| looked < *at)) {
        found.push("files and logs were seen to have let it go, and nobody looked");
    }
    if seen.iter().any(|at| statement.completed_at.is_none_or(|deleted| *at < deleted)) {
        found.push("files and logs were seen to have let it go before it was deleted");
    }
    if files.looked_at.is_some_and(|at| at > predicate.issued_at) {
        found.push("files and logs were looked at after the certificate was issued");
    }
    // A day of any zone begins at most 14 hours before that of UTC and ends 12 hours after it.
    let issued = predicate.issued_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let yesterday = issued.yesterday().unwrap_or(issued);
    let days = stages.filter_map(|one| one.gone_by).chain(files.gone_by);
    if days.into_iter().any(|day| day < yesterday) {
        found.push(
            "the day on which files and logs let it go was over when the certificate was issued",
        );
    }
    found
}

/// The step `files`; `None` where nothing is said of files and logs. Nobody can see a database from a
/// certificate, so the step never passes.
pub(crate) fn step(certificate: &Certificate) -> Option<Step> {
    let statements = certificate.predicate.statements.iter();
    let stated: Vec<_> =
        statements.filter_map(|one| Some((one.system.id.as_str(), one.files.as_ref()?))).collect();
    if stated.is_empty() {
        return None;
    }
    let mut sentences: Vec<String> = Vec::new();
    for (system, files) in stated.iter().filter(|(_, files)| files.is_pending()) {
        let sentence = match files.gone_by {
            Some(day) => format!("Files and logs of `{system}` can hold it; gone by {day}."),
            None => format!("Files and logs of `{system}` can hold it, and no day is promised."),
        };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    if sentences.is_empty() {
        sentences.push(
            "The issuer says that files and logs of its systems were looked at and hold it no more."
                .to_owned(),
        );
    }
    let sentence = printable(&sentences.join(" "));
    Some(Step { name: "files", finding: Finding::NotChecked, sentence })
}
