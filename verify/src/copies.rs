//! The step `copies`: what a certificate says of copies for recovery, and whether its day is over.
//!
//! Nobody can see a store from a file, so the step never passes; it is there only where a statement
//! speaks of copies. Whether the certificate contradicts itself about them is the matter of the step
//! `statements`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::certificate::Certificate;
use crate::verify::{Finding, Step, printable};

/// The step; `None` where nothing is said of copies. `now` is the present moment, if it is known.
pub(crate) fn step(certificate: &Certificate, now: Option<Timestamp>) -> Option<Step> {
    let statements = certificate.predicate.statements.iter();
    let backups: Vec<_> = statements.flat_map(|one| &one.backup).collect();
    if backups.is_empty() {
        return None;
    }
    let mut dated: BTreeMap<&str, Date> = BTreeMap::new();
    let mut undated: BTreeSet<&str> = BTreeSet::new();
    for one in backups.iter().filter(|one| one.is_pending()) {
        match one.gone_by {
            Some(day) => {
                let latest = dated.entry(&one.store).or_insert(day);
                *latest = day.max(*latest);
            }
            None => drop(undated.insert(&one.store)),
        }
    }
    let mut sentences = Vec::new();
    if dated.is_empty() && undated.is_empty() {
        sentences.push(
            "The issuer says that the stores were listed and no copy is left that can hold it; an \
             auditor asks for their own listings."
                .to_owned(),
        );
    }
    for (store, day) in dated {
        // In every zone it is over by then.
        let over = now
            .is_some_and(|now| now.to_zoned(TimeZone::UTC).date() > day.tomorrow().unwrap_or(day));
        sentences.push(if over {
            format!(
                "Copies in `{store}` had to be gone by {day}, which is over: ask the issuer for the \
                 certificate that says so."
            )
        } else {
            format!("Copies in `{store}` can hold it; gone by {day}.")
        });
    }
    for store in undated {
        sentences.push(format!("Copies in `{store}` can hold it, and no day is promised."));
    }
    let sentence = printable(&sentences.join(" "));
    Some(Step { name: "copies", finding: Finding::NotChecked, sentence })
}
