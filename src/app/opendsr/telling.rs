//! Telling controllers: every change of a request's state becomes a call at each address that the
//! request named. Calls are on record before they are made, and made again until they are heard or
//! have been tried often enough.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use quietus_connectors::Fault;
use quietus_connectors::opendsr::calling::host_of;
use serde::Serialize;
use uuid::Uuid;

use super::desk::{Asking, Desk};
use super::intake::ADDRESSES;
use super::standing::{dialect_of, status_of};
use crate::app::back_off::BackOff;
use crate::app::{AppError, Quietus};
use crate::store::{Callback, Called, OpendsrMove, OpendsrRequest};

/// Requests looked at in one go.
const AT_ONCE: u32 = 100;
/// Calls made side by side.
const CALLS_AT_ONCE: u32 = 16;
/// Rounds of calls in one go; what is left is made in the next one.
const MOST_ROUNDS: usize = 16;
/// Attempts before a call is given up: with growing pauses, about a day.
const MOST_ATTEMPTS: u32 = 15;
/// Pauses between two attempts.
const PAUSES: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_hours(6) };
/// Nobody else makes a call that is being made; longer than a call may take.
const BEING_MADE: Duration = Duration::from_mins(1);

/// A call as the page of a request shows it.
#[derive(Debug, Serialize)]
pub struct CallbackFacts {
    /// The host that is called; its address may hold a password.
    pub host: Option<String>,
    /// The state that it tells of.
    pub status: &'static str,
    /// `waiting`, `delivered` or `given_up`.
    pub state: &'static str,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is made next; absent where it is not.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_fault: Option<String>,
    /// When the state changed.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub settled_at: Option<Timestamp>,
}

impl Quietus {
    /// Sees how the requests of other controllers stand now, and calls those that want to be told.
    ///
    /// # Errors
    /// Where the store is not there. That a controller does not answer is not an error.
    pub async fn tell_controllers(&self) -> Result<(), AppError> {
        let Some(desk) = self.desk()? else { return Ok(()) };
        self.see_changes().await?;
        for _ in 0..MOST_ROUNDS {
            let (now, again_at) = (self.now(), self.after(BEING_MADE));
            let calls = self.store.take_callbacks(now, again_at, CALLS_AT_ONCE).await?;
            if calls.is_empty() {
                return Ok(());
            }
            for made in join_all(calls.iter().map(|call| self.make(&desk, call))).await {
                made?;
            }
        }
        Ok(())
    }

    async fn see_changes(&self) -> Result<(), AppError> {
        for brought in self.store.opendsr_changed(AT_ONCE).await? {
            let id = brought.request_id;
            let Some(request) = self.store.request(id).await? else { continue };
            let moved = OpendsrMove {
                request_id: id,
                from: brought.status,
                to: status_of(&request, brought.status),
                seen_version: request.version,
                places: self.addresses(&brought)?.len().try_into().unwrap_or(u32::MAX),
            };
            if !self.store.opendsr_moved(moved, self.now()).await? {
                tracing::debug!(request = %id, "another process has seen it");
            }
        }
        Ok(())
    }

    /// Makes one call and writes down how it ended.
    async fn make(&self, desk: &Desk, call: &Callback) -> Result<(), AppError> {
        let called = match self.call(desk, call).await {
            Ok(()) => Called::Delivered,
            Err(fault) => self.not_heard(call, &fault),
        };
        if let Called::GivenUp { fault } = &called {
            let request = call.key.request_id;
            tracing::error!(%request, %fault, "a controller could not be called back; it is given up");
        }
        self.store.callback_called(call, called, self.now()).await?;
        Ok(())
    }

    async fn call(&self, desk: &Desk, call: &Callback) -> Result<(), Fault> {
        let unreadable = |why: &dyn std::fmt::Display| Fault::Misconfigured {
            message: format!("the callback cannot be composed: {why}"),
        };
        let brought = self.store.opendsr_request(call.key.request_id).await;
        let request = self.store.request(call.key.request_id).await;
        let (Ok(Some(brought)), Ok(Some(request))) = (brought, request) else {
            let message = "what the callback tells of could not be read".to_owned();
            return Err(Fault::Transient { message, retry_after_ms: None });
        };
        let asking =
            Asking { controller: brought.controller.clone(), dialect: dialect_of(brought.dialect) };
        let Some(line) = desk.line(&asking.controller) else {
            return Err(unreadable(&"the controller is not declared any more"));
        };
        let urls = self.addresses(&brought).map_err(|error| unreadable(&error))?;
        let place = usize::try_from(call.key.place).unwrap_or(usize::MAX);
        let url = urls.get(place).ok_or_else(|| unreadable(&"it has no such address"))?;
        let standing = self.standing(desk, (request, call.status)).await;
        let standing = standing.map_err(|error| unreadable(&error))?;
        let answer = desk.answers(&asking).callback(&standing, url);
        line.call(url, &answer.map_err(|fault| unreadable(&fault))?).await
    }

    /// Tried again after a pause that doubles and varies by chance, or given up.
    fn not_heard(&self, call: &Callback, fault: &Fault) -> Called {
        let words = fault.to_string();
        if call.attempts >= MOST_ATTEMPTS {
            return Called::GivenUp { fault: words };
        }
        let asked_for = match fault {
            Fault::Transient { retry_after_ms: Some(wanted), .. } => Duration::from_millis(*wanted),
            _ => Duration::ZERO,
        };
        let pause = self.pause_after(PAUSES, call.attempts).max(asked_for);
        Called::Later { next_at: self.after(pause), fault: words }
    }

    fn addresses(&self, brought: &OpendsrRequest) -> Result<Vec<String>, AppError> {
        match &brought.sealed_urls {
            None => Ok(Vec::new()),
            Some(sealed) => Ok(self.vault.open(ADDRESSES, sealed)?),
        }
    }

    /// The calls of a request, as its page shows them.
    pub(crate) async fn callback_facts(
        &self,
        request: Uuid,
    ) -> Result<Vec<CallbackFacts>, AppError> {
        let Some(brought) = self.store.opendsr_request(request).await? else {
            return Ok(Vec::new());
        };
        let urls = self.addresses(&brought)?;
        let calls = self.store.callbacks_of(request).await?.into_iter().map(|call| {
            let place = usize::try_from(call.key.place).unwrap_or(usize::MAX);
            CallbackFacts {
                host: urls.get(place).and_then(|url| host_of(url)),
                status: call.status.as_str(),
                state: call.state.as_str(),
                attempts: call.attempts,
                next_at: call.settled_at.is_none().then_some(call.next_at),
                last_fault: call.last_fault,
                created_at: call.created_at,
                settled_at: call.settled_at,
            }
        });
        Ok(calls.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_vary_and_end() {
        assert_eq!(PAUSES.pause(1, 0), Duration::from_secs(5));
        assert_eq!(PAUSES.pause(1, u16::MAX), Duration::from_secs(10));
        assert_eq!(PAUSES.pause(4, u16::MAX), Duration::from_secs(80));
        assert_eq!(PAUSES.pause(u32::MAX, u16::MAX), PAUSES.longest);
        let all: Duration = (1..MOST_ATTEMPTS).map(|attempt| PAUSES.pause(attempt, u16::MAX)).sum();
        assert!((Duration::from_hours(20)..Duration::from_hours(30)).contains(&all), "{all:?}");
    }
}
