//! Tries a connector out, step by step, and tells each as PASS, FAIL or NOT CHECKED.
//!
//! [`check_up`] changes nothing and may be run against the real system. [`rehearse`] erases a test
//! person and belongs to a rehearsal system only.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::connector::{Connector, Direction, Progress, ProgressReport};
use crate::kinds::Now;
use crate::order::{Order, Pace};
use crate::receipt::{Outcome, Receipt};
use crate::subject::{Identity, Subject, SubjectAction, SubjectRequest, SubjectResult};

/// How often an undertaking is asked after before it is given up.
const MOST_ASKED: u32 = 60;

/// Longest wait between two of these, in milliseconds: a rehearsal has no hours to lose.
const LONGEST_WAIT_MS: u64 = 1_000;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How it ended.
    pub ending: Ending,
    /// A sentence, without personal data.
    pub words: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Pass,
    /// Not as it should.
    Fail,
    /// It could not be tried.
    NotChecked,
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotChecked => "NOT CHECKED",
        })
    }
}

/// Takes no notice and never stops.
struct Onward;

#[async_trait::async_trait]
impl Progress for Onward {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }
}

/// An order about one person, as the product sends it.
pub fn order(key: &str, attempt: u32, moment: Timestamp, person: SubjectRequest) -> Order {
    Order {
        key: key.to_owned(),
        attempt,
        moment,
        instructions: Vec::new(),
        lists: Vec::new(),
        pace: Pace::default(),
        most_records: None,
        persons: Some(person),
    }
}

/// Somebody who is nowhere: the top-level domain `invalid` and the country code 999 are reserved.
pub fn nobody(identities: &[String]) -> Option<Subject> {
    let value = |kind: &str| match kind {
        "email" => Some("quietus-nobody@nowhere.invalid"),
        "msisdn" => Some("+999000000000"),
        _ => None,
    };
    let identities: Vec<Identity> = identities
        .iter()
        .filter_map(|kind| {
            let value = value(kind)?.to_owned();
            Some(Identity { kind: kind.clone(), value })
        })
        .collect();
    (!identities.is_empty()).then(|| Subject { reference: "p1".to_owned(), identities })
}

fn request(action: SubjectAction, moment: Timestamp, subject: Subject) -> SubjectRequest {
    SubjectRequest {
        action,
        subjects: vec![subject],
        regime: "gdpr".to_owned(),
        submitted_at: moment,
        answer_by: None,
    }
}

/// Tries whatever changes nothing: the line, the credentials, and the search for somebody who is
/// nowhere. `key` is an order key that is used for nothing else.
pub async fn check_up(connector: &dyn Connector, key: &str, now: &Now) -> Vec<Step> {
    let moment = now();
    let capabilities = connector.capabilities();
    let person = nobody(&capabilities.identities);
    let someone = person
        .clone()
        .unwrap_or_else(|| Subject { reference: "p1".to_owned(), identities: Vec::new() });
    let order = order(key, 1, moment, request(SubjectAction::Erase, moment, someone));
    let mut steps = Vec::new();
    steps.push(match connector.check(&order).await {
        Ok(health) => pass("check", format!("reached {}", health.product)),
        Err(fault) => fail("check", fault.to_string()),
    });
    if steps[0].ending == Ending::Fail {
        steps.push(skip("nobody", "the check failed".to_owned()));
        return steps;
    }
    let Some(_) = person else {
        let kinds = capabilities.identities.join("`, `");
        steps.push(skip("nobody", format!("nobody can be made up who is known by `{kinds}`")));
        return steps;
    };
    steps.push(match connector.preview(&order).await {
        Err(fault) => fail("nobody", fault.to_string()),
        Ok(counts) if !counts.refusals.is_empty() => {
            fail("nobody", format!("refused: {}", counts.refusals.join("; ")))
        }
        Ok(counts) => {
            let records: u64 = counts.collections.iter().map(|one| one.delete).sum();
            let at_most = counts.collections.iter().any(|one| one.at_most);
            match (records, at_most) {
                (0, false) => pass("nobody", "no record of somebody who is nowhere".to_owned()),
                (_, true) => {
                    skip("nobody", "the interface cannot be asked who it knows".to_owned())
                }
                (some, false) => {
                    fail("nobody", format!("{some} record(s) of somebody who is nowhere"))
                }
            }
        }
    });
    steps
}

/// Carries a whole order out on a test person of a rehearsal system: found, erased, erased again
/// without harm, and gone. The person is erased.
pub async fn rehearse(
    connector: &dyn Connector,
    key: &str,
    person: Subject,
    now: &Now,
) -> Vec<Step> {
    let moment = now();
    let mut steps = check_up(connector, key, now).await;
    let request = request(SubjectAction::Erase, moment, person);
    let first = order(key, 1, moment, request.clone());
    let later = order(key, 2, moment, request);
    steps.push(match connector.preview(&first).await {
        Err(fault) => fail("find", fault.to_string()),
        Ok(counts) if !counts.refusals.is_empty() => {
            fail("find", format!("refused: {}", counts.refusals.join("; ")))
        }
        Ok(counts) => match counts.collections.iter().map(|one| one.delete).sum::<u64>() {
            0 if counts.collections.iter().any(|one| one.at_most) => {
                skip("find", "the interface cannot be asked who it knows".to_owned())
            }
            0 => fail("find", "the test person is not found: create them first".to_owned()),
            records => pass("find", format!("{records} record(s) of the test person")),
        },
    });
    steps.push(carry_out("erase", connector, &first, now, SubjectResult::Done).await);
    steps.push(match connector.verify(&first).await {
        Err(fault) => fail("verify", fault.to_string()),
        Ok(found) if found.relied_upon => skip("verify", found.method),
        Ok(found) if found.survivors.is_empty() => pass("verify", found.method),
        Ok(found) => {
            let records: u64 = found.survivors.iter().map(|one| one.records).sum();
            fail("verify", format!("{records} record(s) are still there: {}", found.method))
        }
    });
    let again = carry_out("erase again", connector, &later, now, SubjectResult::Absent).await;
    steps.push(again);
    steps
}

async fn carry_out(
    name: &'static str,
    connector: &dyn Connector,
    order: &Order,
    now: &Now,
    least: SubjectResult,
) -> Step {
    let mut receipt = connector.execute(order, &Onward).await;
    for _ in 0..MOST_ASKED {
        let Ok(Receipt::Pending { reference, ask_at }) = &receipt else { break };
        let wait = ask_at.as_millisecond() - now().as_millisecond();
        let wait = u64::try_from(wait).unwrap_or(0).min(LONGEST_WAIT_MS);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        receipt = connector.follow(order, &reference.clone()).await;
    }
    match receipt {
        Err(fault) => fail(name, fault.to_string()),
        Ok(Receipt::Pending { .. }) => {
            fail(name, format!("still under way after being asked {MOST_ASKED} times"))
        }
        Ok(Receipt::Refused { reasons, .. }) => fail(name, reasons.join("; ")),
        Ok(Receipt::Deferred { why, .. } | Receipt::Again { why }) => fail(name, why),
        Ok(Receipt::Done(outcome) | Receipt::Stopped(outcome)) => judged(name, &outcome, least),
    }
}

/// The first time has to be done; later, nobody to be found is as good.
fn judged(name: &'static str, outcome: &Outcome, least: SubjectResult) -> Step {
    let Some(testimony) = outcome.testimonies.first() else {
        return fail(name, "nothing was said of the person".to_owned());
    };
    let fine = testimony.result == SubjectResult::Done
        || (least == SubjectResult::Absent && testimony.result == SubjectResult::Absent);
    let words = format!("{}: {}", testimony.grade.as_str(), testimony.words);
    if fine { pass(name, words) } else { fail(name, words) }
}

fn pass(name: &'static str, words: String) -> Step {
    Step { name, ending: Ending::Pass, words }
}

fn fail(name: &'static str, words: String) -> Step {
    Step { name, ending: Ending::Fail, words }
}

fn skip(name: &'static str, words: String) -> Step {
    Step { name, ending: Ending::NotChecked, words }
}
