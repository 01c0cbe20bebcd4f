//! How long what evidence means is kept, and how long copies of the store are.

use super::document::InstanceDocument;
use super::problem::At;
use crate::domain::RetentionPeriod;

/// How long evidence can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// How long after the end of a case what its evidence means is kept.
    pub details_for: RetentionPeriod,
    /// How long copies of the store are kept: the key of a month is destroyed so long after the
    /// last use.
    pub copies_for: RetentionPeriod,
}

/// A period that is written in this file.
fn written(text: &str) -> RetentionPeriod {
    #[expect(clippy::expect_used, reason = "both periods of this file are periods")]
    RetentionPeriod::parse(text).expect("a period")
}

/// Settings of evidence; what was left out is as most are bound to prove it.
pub(super) fn settings(document: &InstanceDocument) -> EvidenceSettings {
    let evidence = document.evidence.as_ref().map(|it| &it.value);
    let period = |entry: Option<&At<RetentionPeriod>>, default: &str| {
        entry.map_or_else(|| written(default), |it| it.value)
    };
    EvidenceSettings {
        details_for: period(evidence.and_then(|it| it.details_for.as_ref()), "P5Y"),
        copies_for: period(evidence.and_then(|it| it.copies_for.as_ref()), "P35D"),
    }
}
