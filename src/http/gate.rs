//! The gate: who comes in, how many at once, and for how long.
//!
//! Every token is compared, in the same time, whichever is presented. Wrong ones are counted for
//! the whole process; once there are too many they are turned away without a word in the log.
//! Valid tokens are never slowed down by that, so nobody can lock the others out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::Api;
use super::answer::Refusal;
use super::{answers, health};
use crate::app::Actor;
use crate::app::access::{KnownToken, TokenRole};

/// Requests served at once.
const MOST_REQUESTS: usize = 64;
/// How long a request may take; longer than any read needs.
const LONGEST_REQUEST: Duration = Duration::from_mins(1);
/// Requests without a token served at once: whoever has one is never kept waiting by them.
const MOST_VISITORS: usize = 8;
/// Longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 512;
/// Wrong tokens in a row before they are turned away.
const MOST_FAILURES: f64 = 100.0;
/// Wrong tokens that are forgiven a second.
const FORGIVEN: f64 = 5.0;

/// Who is at the door.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Name of the token, as it stands in evidence and logs.
    pub name: Arc<str>,
    role: TokenRole,
}

impl Caller {
    /// Who acts, in evidence.
    pub fn actor(&self) -> Actor {
        Actor(self.name.to_string())
    }
}

/// Tokens and bounds.
pub struct Gate {
    tokens: Vec<(KnownToken, Caller)>,
    requests: Semaphore,
    visitors: Semaphore,
    failures: Mutex<Failures>,
}

/// A bucket of failures that empties with time.
struct Failures {
    count: f64,
    since: Instant,
}

impl Failures {
    /// Counts one more; `false` where the bucket is full.
    fn one_more(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs_f64();
        self.count = (self.count - passed * FORGIVEN).max(0.0);
        self.since = now;
        let room = self.count + 1.0 <= MOST_FAILURES;
        if room {
            self.count += 1.0;
        }
        room
    }
}

impl Gate {
    /// A gate for these tokens.
    pub fn new(tokens: Vec<KnownToken>) -> Self {
        let tokens = tokens.into_iter().map(|known| {
            let caller = Caller { name: known.token.name.as_str().into(), role: known.token.role };
            (known, caller)
        });
        Self {
            tokens: tokens.collect(),
            requests: Semaphore::new(MOST_REQUESTS),
            visitors: Semaphore::new(MOST_VISITORS),
            failures: Mutex::new(Failures { count: 0.0, since: Instant::now() }),
        }
    }

    /// Whose token it is. All are compared, so that the time tells nothing.
    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let presented = presented(headers).unwrap_or_default();
        let mut found = None;
        for (token, caller) in &self.tokens {
            let matches = token.matches(presented);
            if matches {
                found = Some(caller);
            }
        }
        found.filter(|_| !presented.is_empty()).cloned()
    }

    /// Counts a token or a link that is none of ours; `false` where there were too many lately.
    pub fn one_more_failure(&self) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.one_more(Instant::now())
    }

    fn turn_away(&self) -> Refusal {
        if self.one_more_failure() {
            Refusal::unknown_caller()
        } else {
            Refusal::too_many_failures(1)
        }
    }
}

/// The token of the header; `None` where there is none, more than one, or no bearer's.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= LONGEST_TOKEN).then_some(token)
}

/// Lets in who has a token, so many at once; also before it is known whether an address exists.
/// Two addresses need none: the one that says whether it lives, and the one behind links of mails,
/// which are tokens themselves.
pub async fn admit(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<MatchedPath>();
    if address.is_some_and(|address| address.as_str() == health::ADDRESS) {
        return next.run(request).await;
    }
    if address.is_some_and(|address| address.as_str() == answers::ADDRESS) {
        return within_bounds(&api.gate.visitors, request, next).await;
    }
    let Some(caller) = api.gate.caller(request.headers()) else {
        return api.gate.turn_away().into_response();
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = within_bounds(&api.gate.requests, request, next).await;
    response.extensions_mut().insert(caller);
    response
}

/// Serves a request where there is a place, and not for ever.
async fn within_bounds(places: &Semaphore, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => match tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Refusal::too_slow().into_response(),
        },
        Err(_) => Refusal::busy().into_response(),
    }
}

/// Lets through who has one of the roles of this door.
pub async fn authorise(
    State(roles): State<&'static [TokenRole]>,
    request: Request,
    next: Next,
) -> Response {
    match request.extensions().get::<Caller>() {
        Some(caller) if roles.contains(&caller.role) => next.run(request).await,
        Some(_) => Refusal::wrong_role(roles).into_response(),
        None => Refusal::unknown_caller().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_forgiven_with_time() {
        let start = Instant::now();
        let mut failures = Failures { count: 0.0, since: start };
        let most = (0..1000).take_while(|_| failures.one_more(start)).count();
        assert_eq!(most, 100);
        assert!(!failures.one_more(start + Duration::from_millis(100)));
        assert!(failures.one_more(start + Duration::from_millis(300)));
        let later = start + Duration::from_hours(1);
        assert_eq!((0..1000).take_while(|_| failures.one_more(later)).count(), 100);
    }

    #[test]
    fn only_one_bearer_token_is_read() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            headers
        };
        assert_eq!(presented(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(presented(&headers(&["bearer  abc "])), Some("abc"));
        for wrong in [&["Basic abc"][..], &["abc"], &["Bearer"], &[], &["Bearer a", "Bearer b"]] {
            assert_eq!(presented(&headers(wrong)), None, "{wrong:?}");
        }
        let long = format!("Bearer {}", "a".repeat(513));
        assert_eq!(presented(&headers(&[&long])), None);
    }
}
