//! What an answer means, by its status code and by what stands in its body.

use serde_json::Value;

use super::definition::{Answer, Meaning};
use crate::outbound::Reply;
use crate::receipt::Fault;

/// What an answer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub meaning: Meaning,
    /// The definition's words for it.
    pub words: Option<String>,
    /// The status code.
    pub status: u16,
}

/// Reads an answer. The first rule that fits wins; what none fits is judged by its status code,
/// and a success that nobody described is not believed.
///
/// # Errors
/// A fault for everything that is no plain answer.
pub(super) fn read(reply: &Reply, rules: &[Answer]) -> Result<Said, Fault> {
    let status = reply.status();
    let mut body: Option<Value> = None;
    for rule in rules {
        let by_status = match rule.status.as_slice() {
            [] => (200..300).contains(&status),
            some => some.contains(&status),
        };
        if !by_status {
            continue;
        }
        if let Some(at) = &rule.at {
            let document = match &body {
                Some(document) => document,
                None => body.insert(document_of(reply)?),
            };
            if !holds(rule, document.pointer(at)) {
                continue;
            }
        }
        return Ok(Said { meaning: rule.means, words: rule.words.clone(), status });
    }
    let undescribed = || misshapen(reply, "something that the definition does not describe");
    Err(reply.fault().unwrap_or_else(undescribed))
}

/// What an entry of a batch means; `None` where no rule fits.
pub(super) fn of_item(entry: &Value, rules: &[Answer], status: u16) -> Option<Said> {
    rules
        .iter()
        .find(|rule| rule.at.as_ref().is_none_or(|at| holds(rule, entry.pointer(at))))
        .map(|rule| Said { meaning: rule.means, words: rule.words.clone(), status })
}

fn holds(rule: &Answer, found: Option<&Value>) -> bool {
    let found = found.filter(|value| !value.is_null());
    if let Some(exists) = rule.exists {
        return found.is_some() == exists;
    }
    let Some(found) = found else { return false };
    rule.equals.as_ref() == Some(found) || rule.one_of.contains(found)
}

/// The body as JSON. A body that is none is for a person to look at when nothing has been changed
/// by the request.
///
/// # Errors
/// `Misconfigured` after a request that only reads, `Unknown` after a change.
pub(super) fn document_of(reply: &Reply) -> Result<Value, Fault> {
    reply.json().map_err(for_a_person)
}

/// The fault of an answer that does not have the form that the definition describes.
pub(super) fn misshapen(reply: &Reply, what: &str) -> Fault {
    for_a_person(reply.unexpected(what))
}

/// An interface that is not as described concerns every person, so none of them is told off.
fn for_a_person(fault: Fault) -> Fault {
    match fault {
        Fault::Rejected { message } => Fault::Misconfigured { message },
        other => other,
    }
}

/// A text or whole number at a place.
pub(super) fn text_at(document: &Value, pointer: &str) -> Option<String> {
    match document.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}
