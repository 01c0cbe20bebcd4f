//! Hearing vendors that a definition describes: a callback that proves where it comes from wakes the
//! job that waits under what it names, which then asks the vendor as ever. It is believed in nothing
//! else, so it can neither end nor change what it speaks of.
//!
//! Anybody can call. Nothing is read from the store before the proof holds, and no answer says
//! whether anything has the name that was called.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::processor::Definition;
use quietus_connectors::processor::callback::{Incoming, Listener, Unheard, names_under_way};

use super::{AppError, Quietus};
use crate::datamap::System;
use crate::store::{HeardVendor, Job, Settlement, VendorCallback};

pub use quietus_connectors::processor::callback::LARGEST_CALLBACK;

/// The kind of system that calls back so.
const KIND: &str = "processor";
/// Parameters are read anew so often: a secret that was changed is heard after this.
const READ_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What listens for each system's callbacks; `None` for one that does not call.
#[derive(Default)]
pub struct Listeners(Mutex<BTreeMap<String, Known>>);

#[derive(Clone)]
struct Known {
    listener: Option<Arc<Listener>>,
    read_at: Timestamp,
}

/// What became of a callback.
#[derive(Debug)]
pub enum Called {
    /// It counts; whether anything waited for it is not told.
    Heard,
    /// It has not proven that it comes from a vendor that may call.
    NotProven,
    /// It comes from the vendor and is no JSON.
    NoJson,
    /// The same was heard already.
    Again,
    /// So many came lately that they cannot be told apart any more.
    TooMany,
}

/// Headers of a callback.
#[derive(Default)]
pub struct VendorHeaders(pub Vec<(String, String)>);

impl VendorHeaders {
    /// The value of a header that came exactly once.
    fn once(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

impl Quietus {
    /// Whether any vendor may call back.
    pub fn hears_vendors(&self) -> bool {
        self.map.systems.values().any(calls_back)
    }

    /// A vendor calls back.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn hear_vendor(
        &self,
        name: &str,
        headers: &VendorHeaders,
        body: &[u8],
    ) -> Result<Called, AppError> {
        let now = self.now();
        let system = self.map.systems.values().find(|one| one.name.as_str() == name);
        let Some(listener) = system.and_then(|one| self.listener(one)) else {
            return Ok(Called::NotProven);
        };
        let header = |one: &str| headers.once(one);
        let heard = match listener.hear(&Incoming { header: &header, body }, now) {
            Ok(heard) => heard,
            Err(Unheard::NotProven) => return Ok(Called::NotProven),
            Err(Unheard::NoJson) => return Ok(Called::NoJson),
        };
        let callback = VendorCallback {
            system: name.to_owned(),
            message: heard.message,
            name_tag: heard.reference.map(|reference| self.name_tag(name, &reference)),
            remember_until: heard.remember_until,
        };
        Ok(match self.store.hear_vendor(callback, now).await? {
            HeardVendor::New { woken } => {
                tracing::info!(system = name, woken, "a vendor called back");
                if woken > 0 {
                    self.wake.up();
                }
                Called::Heard
            }
            HeardVendor::Again => Called::Again,
            HeardVendor::TooMany => {
                tracing::warn!(
                    system = name,
                    "too many callbacks are remembered to hear another one"
                );
                Called::TooMany
            }
        })
    }

    /// Where a job begins to wait for a vendor that calls back: writes down under which names it
    /// will call. Says whether it may.
    pub(super) async fn note_vendor_names(
        &self,
        job: &Job,
        settlement: &Settlement,
    ) -> Result<bool, AppError> {
        let Settlement::Waiting { reference, .. } = settlement else { return Ok(false) };
        let system = self.map.systems.values().find(|one| one.name.as_str() == job.system);
        if system.and_then(|one| self.listener(one)).is_none() {
            return Ok(false);
        }
        let names = names_under_way(reference);
        let tags = names.iter().map(|name| self.name_tag(&job.system, name)).collect();
        self.store.await_vendor(&job.system, job.id, tags, self.now()).await?;
        Ok(!names.is_empty())
    }

    fn name_tag(&self, system: &str, name: &str) -> Vec<u8> {
        self.vault.tag(&format!("callback of {system}"), name)
    }

    /// What listens for a system, read anew once in a while.
    fn listener(&self, system: &System) -> Option<Arc<Listener>> {
        let third_party = system.third_party.as_ref().filter(|_| system.kind == KIND)?;
        let now = self.now();
        let name = system.name.as_str();
        let mut known = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |one: &&Known| now.duration_since(one.read_at).abs() < READ_EVERY;
        if let Some(found) = known.get(name).filter(fresh) {
            return found.listener.clone();
        }
        let listener = self.processor_settings(system, third_party).and_then(|settings| {
            Listener::open(&settings)
                .map_err(|fault| AppError::System { system: name.to_owned(), fault })
        });
        let listener = listener.unwrap_or_else(|error| {
            tracing::error!(system = name, %error, "callbacks of a system cannot be heard");
            None
        });
        let listener = listener.map(Arc::new);
        known.insert(name.to_owned(), Known { listener: listener.clone(), read_at: now });
        listener
    }
}

/// Whether a system's vendor calls back and the secret by which it is known is given.
fn calls_back(system: &System) -> bool {
    let Some(third_party) = system.third_party.as_ref().filter(|_| system.kind == KIND) else {
        return false;
    };
    let definition = third_party.definition_text.as_deref();
    let definition = definition.and_then(|text| Definition::read(text).ok());
    let callback = definition.and_then(|one| one.callback);
    callback.is_some_and(|one| {
        one.secrets().iter().all(|name| third_party.parameters.contains_key(name))
    })
}
