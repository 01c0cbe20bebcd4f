//! From what a person is known by to the vendor's records of them. Nobody is guessed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Processor;
use super::answers::{document_of, misshapen, read, text_at};
use super::definition::{IdentityRule, Meaning, Pages, Request, Several};
use super::exchange::{Filling, Trouble};
use super::request::Turn;
use super::template::Values;
use crate::outbound::{Effect, Reply};
use crate::receipt::Fault;
use crate::subject::{Identity, Subject};

/// Most records of one person.
const MOST_RECORDS: usize = 10_000;

/// The vendor's name of one record: `id`, and further parts where the definition has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Handle {
    pub parts: BTreeMap<String, String>,
    /// A search found it; otherwise it was taken from the person's own identities, unseen.
    pub seen: bool,
}

impl Handle {
    pub fn id(&self) -> &str {
        self.parts.get("id").map(String::as_str).unwrap_or_default()
    }
}

/// What was found of a person.
pub(super) enum Found {
    /// These records, perhaps none.
    Records(Vec<Handle>),
    /// Nothing may be done; the words say why and what to do, without personal data.
    Refused(String),
}

/// Why looking for one identity came to nothing.
enum Stop {
    Refused(String),
    Fault(Fault),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unfit(unfit) => Self::Refused(format!("{}: nothing was asked", unfit.0)),
            Trouble::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault {
            // A no to one person's question is no fault of the line.
            Fault::Rejected { message } => Self::Refused(format!("{message} when asked who it is")),
            other => Self::Fault(other),
        }
    }
}

impl Processor {
    /// Finds the records of a person by every identity that is understood.
    ///
    /// # Errors
    /// Where the vendor cannot be asked now or at all.
    pub(super) async fn find(&self, subject: &Subject, context: &Values) -> Result<Found, Fault> {
        let mut known: Vec<Handle> = Vec::new();
        let mut to_search: Vec<(&IdentityRule, &Identity)> = Vec::new();
        for rule in &self.definition.identities {
            for identity in subject.identities.iter().filter(|one| one.kind == rule.kind) {
                if !rule.shape.fits(&identity.value) {
                    return Ok(Found::Refused(format!(
                        "the person's `{}` is not {}: nothing was asked, correct the identity",
                        rule.kind,
                        rule.shape.words()
                    )));
                }
                if rule.resolve.is_empty() {
                    known.push(taken(rule, identity));
                } else {
                    to_search.push((rule, identity));
                }
            }
        }
        if known.is_empty() && to_search.is_empty() {
            return Ok(Found::Refused(format!(
                "the person is known by nothing that is understood here: give one of `{}`",
                self.identities().join("`, `")
            )));
        }
        let named: BTreeSet<&str> = known.iter().map(Handle::id).collect();
        let mut found: Vec<Handle> = Vec::new();
        for (rule, identity) in to_search {
            match self.search_by(rule, identity, &named, context).await {
                Ok(handles) => found.extend(handles),
                Err(Stop::Refused(words)) => return Ok(Found::Refused(words)),
                Err(Stop::Fault(fault)) => return Err(fault),
            }
        }
        Ok(self.agree(&known, found))
    }

    /// All searches by one identity. Beside the records that are named, they may lead to one
    /// record, or to several where the definition says that they are all the person's.
    async fn search_by(
        &self,
        rule: &IdentityRule,
        identity: &Identity,
        named: &BTreeSet<&str>,
        context: &Values,
    ) -> Result<Vec<Handle>, Stop> {
        let mut all: Vec<Handle> = Vec::new();
        let one_only = rule.resolve.iter().any(|request| request.several == Several::Refuse);
        for request in &rule.resolve {
            all.extend(self.search(request, identity, named, context).await?);
            if one_only && unnamed(&all, named) > 1 {
                return Err(several(identity));
            }
        }
        Ok(all)
    }

    /// Records that were named and records that were found have to be the same ones.
    fn agree(&self, known: &[Handle], found: Vec<Handle>) -> Found {
        let named: BTreeSet<&str> = known.iter().map(Handle::id).collect();
        let mut all: BTreeMap<(String, Vec<String>), Handle> = BTreeMap::new();
        let key = |handle: &Handle| {
            let parts = handle.parts.iter().map(|(name, value)| format!("{name}={value}"));
            (handle.id().to_owned(), parts.collect::<Vec<_>>())
        };
        for handle in found {
            if !named.is_empty() && !named.contains(handle.id()) {
                return Found::Refused(
                    "the person's identities lead to different records: nothing was done, name \
                     every record that is theirs by its own id"
                        .to_owned(),
                );
            }
            all.insert(key(&handle), handle);
        }
        let seen: BTreeSet<String> = all.values().map(|handle| handle.id().to_owned()).collect();
        for handle in known.iter().filter(|handle| !seen.contains(handle.id())) {
            all.insert(key(handle), handle.clone());
        }
        if all.len() > MOST_RECORDS {
            return Found::Refused(format!(
                "more than {MOST_RECORDS} records belong to the person: nothing was done, erase \
                 them at `{}` by hand",
                self.definition.vendor
            ));
        }
        Found::Records(all.into_values().collect())
    }

    /// One search by one identity, page by page.
    async fn search(
        &self,
        request: &Request,
        identity: &Identity,
        named: &BTreeSet<&str>,
        context: &Values,
    ) -> Result<Vec<Handle>, Stop> {
        let mut filling = Filling { values: context.clone(), ..Filling::default() };
        filling.values.insert(identity.kind.clone(), identity.value.clone());
        let mut handles: BTreeSet<Handle> = BTreeSet::new();
        let mut link: Option<String> = None;
        for page in 1.. {
            let reply = match &link {
                None => self.exchange.ask(request, &filling, Effect::Reads).await?,
                Some(link) => self.exchange.ask_link(request, &filling, link).await?,
            };
            let Some((document, records)) = records(request, &reply)? else { break };
            for record in &records {
                if is_about(request, record, identity) {
                    handles.insert(handle(request, record, &reply)?);
                }
            }
            if request.several == Several::Refuse && unnamed(&handles, named) > 1 {
                return Err(several(identity));
            }
            match next_page(request, &document, &records, page) {
                Next::End => break,
                Next::Turn(turn) => filling.turn = turn,
                Next::Link(address) => link = Some(address),
            }
            if page >= request.most_pages() || handles.len() > MOST_RECORDS {
                return Err(Stop::Refused(format!(
                    "more than {page} pages answer to the person's `{}`: nothing was done, name \
                     the records that are theirs by their own id",
                    identity.kind
                )));
            }
        }
        Ok(handles.into_iter().collect())
    }
}

/// Distinct records that the person's own identities do not name.
fn unnamed<'a>(handles: impl IntoIterator<Item = &'a Handle>, named: &BTreeSet<&str>) -> usize {
    let ids: BTreeSet<&str> = handles.into_iter().map(Handle::id).collect();
    ids.difference(named).count()
}

fn several(identity: &Identity) -> Stop {
    Stop::Refused(format!(
        "several records answer to the person's `{}`: nothing was done, name those that are \
         theirs by their own id",
        identity.kind
    ))
}

/// The identity itself is the vendor's id.
fn taken(rule: &IdentityRule, identity: &Identity) -> Handle {
    let mut parts = rule.set.clone();
    parts.insert("id".to_owned(), identity.value.clone());
    Handle { parts, seen: false }
}

/// The whole answer and the records in it; `None` where it says that there are none.
fn records(request: &Request, reply: &Reply) -> Result<Option<(Value, Vec<Value>)>, Fault> {
    if !request.answers.is_empty() {
        match read(reply, &request.answers)?.meaning {
            Meaning::Absent => return Ok(None),
            Meaning::Done | Meaning::Present => {}
            _ => return Err(misshapen(reply, "neither records nor their absence")),
        }
    } else if let Some(fault) = reply.fault() {
        return Err(fault);
    }
    let document = document_of(reply)?;
    let records = match &request.list {
        None => vec![document.clone()],
        Some(list) => document
            .pointer(list)
            .and_then(Value::as_array)
            .cloned()
            .ok_or_else(|| misshapen(reply, &format!("no list of records at `{list}`")))?,
    };
    Ok(Some((document, records)))
}

/// The record carries the identity that was asked for.
fn is_about(request: &Request, record: &Value, identity: &Identity) -> bool {
    let Some(rule) = &request.matching else { return false };
    let Some(value) = text_at(record, &rule.at) else { return false };
    value == identity.value || (rule.ignore_case && value.eq_ignore_ascii_case(&identity.value))
}

fn handle(request: &Request, record: &Value, reply: &Reply) -> Result<Handle, Fault> {
    let mut parts = request.set.clone();
    for (name, at) in &request.take {
        let value = text_at(record, at)
            .ok_or_else(|| misshapen(reply, &format!("a record without `{name}` at `{at}`")))?;
        parts.insert(name.clone(), value);
    }
    Ok(Handle { parts, seen: true })
}

enum Next {
    End,
    Turn(Turn),
    Link(String),
}

fn next_page(request: &Request, document: &Value, records: &[Value], page: u32) -> Next {
    match &request.pages {
        None => Next::End,
        Some(Pages::Cursor { at, query, json, .. }) => match text_at(document, at) {
            None => Next::End,
            Some(cursor) => Next::Turn(Turn {
                query: query.clone().map(|name| (name, cursor.clone())),
                json: json.clone().map(|place| (place, cursor)),
            }),
        },
        Some(Pages::LastRecord { more, at, query, .. }) => {
            let more = document.pointer(more).and_then(Value::as_bool).unwrap_or(false);
            match records.last().and_then(|record| text_at(record, at)) {
                Some(last) if more => {
                    Next::Turn(Turn { query: Some((query.clone(), last)), json: None })
                }
                _ => Next::End,
            }
        }
        Some(Pages::Link { at, .. }) => text_at(document, at).map_or(Next::End, Next::Link),
        Some(Pages::Offset { query, size, .. }) => {
            if records.len() < *size as usize {
                return Next::End;
            }
            let skip = (u64::from(page) * u64::from(*size)).to_string();
            Next::Turn(Turn { query: Some((query.clone(), skip)), json: None })
        }
    }
}
