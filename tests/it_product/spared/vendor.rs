//! A vendor that keeps people, takes one in a request, and fails as often as it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

pub fn address(person: usize) -> String {
    format!("p{person}@mail.example")
}

#[derive(Default)]
struct World {
    people: BTreeSet<String>,
    /// How often somebody was erased who was there.
    erased: BTreeMap<String, usize>,
    calls: usize,
    /// So many calls are answered with 503.
    failures: usize,
    /// The next call is answered with 429 and asks for a pause of so many seconds.
    pause: Option<u64>,
}

#[derive(Clone)]
pub struct Vendor {
    pub host: String,
    many: usize,
    world: Arc<Mutex<World>>,
}

impl Vendor {
    pub async fn open(many: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let world = World { people: (0..many).map(address).collect(), ..World::default() };
        let this = Self { host, many, world: Arc::new(Mutex::new(world)) };
        let router = axum::Router::new()
            .route("/", get(async || "post"))
            .route("/people/{address}", get(look).delete(erase))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// How many people it kept at first.
    pub fn many(&self) -> usize {
        self.many
    }

    /// From now on so many calls are answered with 503.
    pub fn fails(&self, times: usize) {
        self.world().failures = times;
    }

    /// How many of these are to come.
    pub fn failures_left(&self) -> usize {
        self.world().failures
    }

    /// The next call is told to come again after so many seconds.
    pub fn asks_for_a_pause(&self, seconds: u64) {
        self.world().pause = Some(seconds);
    }

    /// Calls that have come.
    pub fn calls(&self) -> usize {
        self.world().calls
    }

    /// People whom it keeps.
    pub fn left(&self) -> usize {
        self.world().people.len()
    }

    /// How often each was erased.
    pub fn erased(&self) -> Vec<usize> {
        self.world().erased.values().copied().collect()
    }

    /// What a call is answered with instead of what it asks for.
    fn trouble(&self) -> Option<Response> {
        let mut world = self.world();
        world.calls += 1;
        if let Some(seconds) = world.pause.take() {
            let pause = [("retry-after", seconds.to_string())];
            return Some((StatusCode::TOO_MANY_REQUESTS, pause).into_response());
        }
        world.failures = world.failures.checked_sub(1)?;
        Some(StatusCode::SERVICE_UNAVAILABLE.into_response())
    }
}

async fn erase(State(vendor): State<Vendor>, Path(address): Path<String>) -> Response {
    if let Some(trouble) = vendor.trouble() {
        return trouble;
    }
    let mut world = vendor.world();
    if !world.people.remove(&address) {
        return StatusCode::NOT_FOUND.into_response();
    }
    *world.erased.entry(address).or_default() += 1;
    StatusCode::NO_CONTENT.into_response()
}

async fn look(State(vendor): State<Vendor>, Path(address): Path<String>) -> Response {
    if let Some(trouble) = vendor.trouble() {
        return trouble;
    }
    let there = vendor.world().people.contains(&address);
    if there { StatusCode::OK } else { StatusCode::NOT_FOUND }.into_response()
}
