//! Hearing third parties: what a processor of ours calls back is believed only where its signature
//! holds, and then it wakes the job that waits, which asks as ever. The signed words are kept as
//! evidence.
//!
//! Anybody can call, so nothing is read from the store before the signature holds, and a
//! certificate is fetched at most once a minute.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::opendsr::Client;
use quietus_connectors::opendsr::client::Reference;
use quietus_connectors::opendsr::intake::{
    Authenticated, CallbackRules, CallbackVerdict, Complaint, IncomingCallback, KnownProcessor,
    check_callback,
};
use quietus_connectors::opendsr::protocol::RequestStatus;
use quietus_connectors::opendsr::signature::SigningCertificates;
use serde_json::json;
use uuid::Uuid;

use super::complaint;
use super::standing::{kept, word};
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::datamap::System;
use crate::evidence::EvidenceKind;
use crate::store::{AskedRequest, HeardCallback, Job, Settlement};

/// The kind of system that calls back so.
const KIND: &str = "opendsr";
/// The parameter that names our address to the processor.
const ADDRESS: &str = "callback_url";
/// A certificate is fetched at most so often, and one that is not older is as good as fetched now.
const FETCHED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Headers of a callback, with their names in small letters.
#[derive(Debug, Clone, Default)]
pub struct CallbackHeaders(pub Vec<(String, String)>);

impl CallbackHeaders {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Third parties that have called, with the certificates at hand.
#[derive(Default)]
pub struct Callers {
    known: Mutex<BTreeMap<String, Caller>>,
    /// Many calls at once wait for one fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Caller {
    client: Arc<Client>,
    certificates: Option<Arc<SigningCertificates>>,
    /// When the certificates were asked for last, and whether they came.
    asked_at: Option<Timestamp>,
}

impl Caller {
    fn asked_just_now(&self, now: Timestamp) -> bool {
        self.asked_at.is_some_and(|at| now.duration_since(at).abs() < FETCHED_EVERY)
    }
}

impl Quietus {
    /// Whether any third party may call us back.
    pub fn hears_callbacks(&self) -> bool {
        self.map.systems.values().any(calls_back)
    }

    /// A third party calls back. Answered with 202 where this succeeds.
    ///
    /// # Errors
    /// 401 where it is not known who calls, 400 where the signature does not hold or what it says
    /// is about nothing of ours.
    pub async fn hear_callback(
        &self,
        system: &str,
        headers: &CallbackHeaders,
        body: &[u8],
    ) -> Result<(), Complaint> {
        let found = self.map.systems.values().find(|one| one.name.as_str() == system);
        let Some(system) = found.filter(|one| calls_back(one)) else {
            return Err(Complaint::new(401, "the domain is not that of a processor that may call"));
        };
        let mut caller = self.caller(system).map_err(complaint)?;
        let now = self.now();
        let (mut verdict, mut named) = self.check(&caller, headers, body, RequestStatus::Pending);
        if let CallbackVerdict::FetchCertificate { .. } = verdict {
            let one_at_a_time = self.callers.fetching.lock().await;
            caller = self.caller(system).map_err(complaint)?;
            if !caller.asked_just_now(now) {
                caller = self.fetch(system, caller).await;
            }
            drop(one_at_a_time);
            (verdict, named) = self.check(&caller, headers, body, RequestStatus::Pending);
        }
        match verdict {
            CallbackVerdict::NotBelieved(complaint) => Err(complaint),
            CallbackVerdict::FetchCertificate { .. } => Err(no_certificate()),
            CallbackVerdict::Further(_) | CallbackVerdict::NothingNew => {
                self.heard(system, &caller, (headers, body), named).await
            }
        }
    }

    /// What an authentic callback means beside what is known.
    async fn heard(
        &self,
        system: &System,
        caller: &Caller,
        (headers, body): (&CallbackHeaders, &[u8]),
        named: Option<Uuid>,
    ) -> Result<(), Complaint> {
        let unknown = || Complaint::new(400, "there is no such request of this processor");
        let id = named.ok_or_else(unknown)?;
        let asked = self.store.opendsr_asked_one(system.name.as_str(), id).await;
        let asked = asked.map_err(|error| complaint(error.into()))?.ok_or_else(unknown)?;
        match self.check(caller, headers, body, word(asked.status)).0 {
            CallbackVerdict::Further(callback) => {
                self.write_down(system, &asked, &callback).await.map_err(complaint)
            }
            CallbackVerdict::NothingNew => Ok(()),
            CallbackVerdict::NotBelieved(complaint) => Err(complaint),
            CallbackVerdict::FetchCertificate { .. } => Err(no_certificate()),
        }
    }

    /// Checks a callback as if its request were in a state; and which request it names.
    fn check(
        &self,
        caller: &Caller,
        headers: &CallbackHeaders,
        body: &[u8],
        known: RequestStatus,
    ) -> (CallbackVerdict, Option<Uuid>) {
        let now = self.now();
        let processors = [KnownProcessor {
            domain: caller.client.domain(),
            certificates: caller.certificates.as_deref(),
            fetched_now: caller.certificates.is_some() && caller.asked_just_now(now),
        }];
        let rules = CallbackRules {
            processors: &processors,
            own_url: caller.client.callback_url().unwrap_or_default(),
            trust: caller.client.trust(),
            now,
        };
        let find = |name: &str| headers.get(name);
        let incoming = IncomingCallback { header: &find, body };
        let named = Cell::new(None);
        let verdict = check_callback(&rules, &incoming, &|_, id| {
            named.set(Some(id));
            Some(known)
        });
        (verdict, named.get())
    }

    async fn write_down(
        &self,
        system: &System,
        asked: &AskedRequest,
        callback: &Authenticated,
    ) -> Result<(), AppError> {
        let job = self.store.job(asked.job_id).await?;
        let about = About { case: job.map(|job| job.case_id), job: Some(asked.job_id) };
        let evidence = self.record(
            EvidenceKind::ProcessorReceipt,
            about,
            &json!({
                "system": system.name,
                "job": asked.job_id,
                "subjectRequest": callback.id,
                "status": callback.status,
                "by": callback.domain,
                "proof": callback.proof,
            }),
        )?;
        let heard = HeardCallback {
            system: system.name.to_string(),
            subject_request_id: callback.id,
            status: kept(callback.status),
        };
        if self.store.callback_heard(heard, self.now(), vec![evidence]).await? {
            tracing::info!(system = %system.name, job = %asked.job_id, status = callback.status.as_str(), "called back");
            self.wake.up();
        }
        Ok(())
    }

    fn caller(&self, system: &System) -> Result<Caller, AppError> {
        let mut callers = self.callers.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get(system.name.as_str()) {
            return Ok(caller.clone());
        }
        let client = Arc::new(self.opendsr_client(system)?);
        let caller = Caller { client, certificates: None, asked_at: None };
        callers.insert(system.name.to_string(), caller.clone());
        Ok(caller)
    }

    /// Fetches the certificate; where it does not come, the one at hand stays. That it was asked
    /// for is remembered in either case.
    async fn fetch(&self, system: &System, caller: Caller) -> Caller {
        let mut caller = Caller { asked_at: Some(self.now()), ..caller };
        match caller.client.certificates(true).await {
            Ok(certificates) => caller.certificates = Some(Arc::new(certificates)),
            Err(fault) => {
                tracing::warn!(system = %system.name, %fault, "its certificate cannot be fetched");
            }
        }
        let mut callers = self.callers.known.lock().unwrap_or_else(PoisonError::into_inner);
        callers.insert(system.name.to_string(), caller.clone());
        caller
    }

    /// Where a job begins to wait for a third party that calls back: writes down under which names
    /// it will call. Says whether it does.
    pub(crate) async fn note_who_calls_back(
        &self,
        job: &Job,
        settlement: &Settlement,
    ) -> Result<bool, AppError> {
        let Settlement::Waiting { reference, .. } = settlement else { return Ok(false) };
        let found = self.map.systems.values().find(|one| one.name.as_str() == job.system);
        if !found.is_some_and(calls_back) {
            return Ok(false);
        }
        let Ok(reference) = Reference::read(reference) else { return Ok(false) };
        let asked: Vec<AskedRequest> = reference
            .requests
            .iter()
            .filter_map(|one| {
                let subject_request_id = one.request?;
                Some(AskedRequest { subject_request_id, job_id: job.id, status: kept(one.status) })
            })
            .collect();
        self.store.opendsr_asked(&job.system, &asked).await?;
        Ok(!asked.is_empty())
    }
}

fn no_certificate() -> Complaint {
    Complaint::new(401, "the certificate of the processor cannot be had: call again later")
}

fn calls_back(system: &System) -> bool {
    let party = system.third_party.as_ref().filter(|_| system.kind == KIND);
    party.is_some_and(|party| party.parameters.contains_key(ADDRESS))
}
