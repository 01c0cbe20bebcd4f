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
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use super::Api;
use super::answer::Refusal;
use super::opendsr::{dialect_at, refuse};
use super::route::{Entry, entry_of};
use crate::app::Actor;
use crate::app::access::{KnownToken, TokenRole};
use crate::app::opendsr::{Asking, Complaint, Desk, Dialect};

/// Requests served at once.
const MOST_REQUESTS: usize = 64;
/// Callbacks of third parties looked at once: anybody can send one.
const MOST_CALLBACKS: usize = 8;
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
    /// `None` of a controller, who comes in at doors of its own.
    role: Option<TokenRole>,
}

/// A controller at the desk, or whoever fetches what is published there.
#[derive(Clone)]
pub struct Controller {
    /// The desk.
    pub desk: Arc<Desk>,
    /// Who asks, and in which spelling.
    pub asking: Asking,
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
    callbacks: Semaphore,
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
            let caller =
                Caller { name: known.token.name.as_str().into(), role: Some(known.token.role) };
            (known, caller)
        });
        Self {
            tokens: tokens.collect(),
            requests: Semaphore::new(MOST_REQUESTS),
            callbacks: Semaphore::new(MOST_CALLBACKS),
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

    fn turn_away(&self) -> Refusal {
        if self.one_more_failure() {
            Refusal::unknown_caller()
        } else {
            Refusal::too_many_failures(1)
        }
    }

    /// Counts a token or a link that is none of ours; `false` where there were too many lately.
    pub fn one_more_failure(&self) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.one_more(Instant::now())
    }
}

/// Scheme and content of the header; `None` where there is none or more than one.
fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, content) = value.to_str().ok()?.split_once(' ')?;
    let content = content.trim();
    (content.len() <= LONGEST_TOKEN).then_some((scheme, content))
}

/// The token of the header; `None` where it is no bearer's.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = authorization(headers)?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The name and password of basic authentication.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, content) = authorization(headers)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(content).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Which controller comes, by either way.
fn controller(desk: &Desk, headers: &HeaderMap) -> Option<String> {
    if let Some((name, password)) = basic(headers) {
        return desk.controller(Some(&name), &password).map(str::to_owned);
    }
    desk.controller(None, presented(headers)?).map(str::to_owned)
}

/// Lets in who has a token, so many at once; also before it is known whether an address exists.
/// Few addresses need none: the one that says whether it lives, the one behind links of mails,
/// which are tokens themselves, the one of printed certificates, whose identifiers nobody guesses,
/// and the evidence log where the instance publishes it.
pub async fn admit(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<MatchedPath>().cloned();
    let address = address.as_ref().map(MatchedPath::as_str).unwrap_or_default();
    match (entry_of(address), &api.desk) {
        (Entry::Anybody, _) => return next.run(request).await,
        (Entry::Published, Some(desk)) => {
            let asking = Asking { controller: String::new(), dialect: Dialect::V2 };
            request.extensions_mut().insert(Controller { desk: Arc::clone(desk), asking });
            return bounded(&api.gate.requests, next.run(request)).await;
        }
        (Entry::Controller, Some(desk)) => {
            return admit_controller(&api, desk, request, next).await;
        }
        (Entry::Signature | Entry::Vendor, _) => {
            return bounded(&api.gate.callbacks, next.run(request)).await;
        }
        (Entry::Monitors(_), _) if api.publishes_logs() => {
            return bounded(&api.gate.visitors, next.run(request)).await;
        }
        (Entry::Link | Entry::Printed, _) => {
            return bounded(&api.gate.visitors, next.run(request)).await;
        }
        _ => {}
    }
    let Some(caller) = api.gate.caller(request.headers()) else {
        return api.gate.turn_away().into_response();
    };
    request.extensions_mut().insert(caller.clone());
    let mut response = bounded(&api.gate.requests, next.run(request)).await;
    response.extensions_mut().insert(caller);
    response
}

/// Lets a controller in who has a credential.
async fn admit_controller(
    api: &Api,
    desk: &Arc<Desk>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = request.extensions().get::<MatchedPath>();
    let dialect = dialect_at(address.map(MatchedPath::as_str).unwrap_or_default());
    let Some(name) = controller(desk, request.headers()) else {
        let complaint = if api.gate.one_more_failure() {
            Complaint::unauthorised()
        } else {
            Complaint::new(
                429,
                "too many requests without a valid credential: wait, then try again",
            )
        };
        return refuse(desk, dialect, &complaint);
    };
    let caller = Caller { name: format!("opendsr:{name}").into(), role: None };
    let asking = Asking { controller: name, dialect };
    request.extensions_mut().insert(Controller { desk: Arc::clone(desk), asking });
    let mut response = bounded(&api.gate.requests, next.run(request)).await;
    response.extensions_mut().insert(caller);
    response
}

/// So many at once, and none for longer than a request may take.
async fn bounded(places: &Semaphore, answer: impl Future<Output = Response>) -> Response {
    match places.try_acquire() {
        Ok(_place) => match tokio::time::timeout(LONGEST_REQUEST, answer).await {
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
        Some(caller) if caller.role.is_some_and(|role| roles.contains(&role)) => {
            next.run(request).await
        }
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
