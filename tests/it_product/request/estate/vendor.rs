//! A vendor with an interface of its own, which the user has described in a definition file. It
//! keeps members, checks its key, and writes down every request.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

/// As the user writes it, from the vendor's documentation.
pub const DEFINITION: &str = r#"
processor: 1
name: club
vendor: Club
api: "1"
documentation: https://club.example/docs/erasure
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://club.example
authentication:
  header: { name: X-Key, value: "{key}" }
identities:
  - kind: contact_id
    shape: { text: { characters: token, most: 40 } }
  - kind: email
    shape: email
    resolve:
      - send: GET /people
        query: { email: "{email}" }
        list: /people
        take: { id: /id }
        match: { at: /email, ignore_case: true }
check:
  send: GET /people
  answers: [{ status: [200], at: /people, exists: true, means: done }]
actions:
  erase:
    steps:
      - send: DELETE /people/{id}
        answers: [{ status: [204], means: done }, { status: [404], means: absent }]
    verify:
      - send: GET /people/{id}
        answers: [{ status: [404], means: absent }, { status: [200], means: present }]
  restrict:
    steps:
      - send: PUT /people/{id}
        json: { restricted: true }
        answers: [{ status: [204], means: done }, { status: [404], means: absent }]
    verify:
      - send: GET /people/{id}
        answers:
          - { status: [200], at: /restricted, equals: true, means: done }
          - { status: [200], means: present }
          - { status: [404], means: absent }
  lift:
    steps:
      - send: PUT /people/{id}
        json: { restricted: false }
        answers: [{ status: [204], means: done }, { status: [404], means: absent }]
    verify:
      - send: GET /people/{id}
        answers:
          - { status: [200], at: /restricted, equals: false, means: done }
          - { status: [200], means: present }
          - { status: [404], means: absent }
"#;

pub const KEY: &str = "club-key-8f2c11d0";

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: &'static str,
    pub email: &'static str,
    pub restricted: bool,
}

#[derive(Default)]
struct World {
    members: Vec<Member>,
    changes: Vec<String>,
}

#[derive(Clone)]
pub struct Vendor {
    pub host: String,
    world: Arc<Mutex<World>>,
}

impl Vendor {
    pub async fn open(members: Vec<Member>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let world = World { members, ..World::default() };
        let vendor = Self { host, world: Arc::new(Mutex::new(world)) };
        let router = axum::Router::new()
            .route("/people", get(search))
            .route("/people/{id}", get(read).delete(erase).put(restrict))
            .with_state(vendor.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        vendor
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Everything that it holds, one line a member.
    pub fn holds(&self) -> Vec<String> {
        let line = |one: &Member| format!("{}|{}|{}", one.id, one.email, one.restricted);
        self.world().members.iter().map(line).collect()
    }

    /// Requests that change something, as they came.
    pub fn changes(&self) -> Vec<String> {
        self.world().changes.clone()
    }

    fn change(
        &self,
        words: String,
        headers: &HeaderMap,
    ) -> Result<MutexGuard<'_, World>, Response> {
        allowed(headers)?;
        let mut world = self.world();
        world.changes.push(words);
        Ok(world)
    }
}

fn allowed(headers: &HeaderMap) -> Result<(), Response> {
    let key = headers.get("x-key").and_then(|value| value.to_str().ok());
    if key == Some(KEY) { Ok(()) } else { Err(StatusCode::UNAUTHORIZED.into_response()) }
}

/// Like many searches, it finds more than it was asked for.
async fn search(State(vendor): State<Vendor>, headers: HeaderMap) -> Result<Json<Value>, Response> {
    allowed(&headers)?;
    let people = vendor.world().members.clone();
    let people = people.iter().map(|one| json!({ "id": one.id, "email": one.email }));
    Ok(Json(json!({ "people": people.collect::<Vec<_>>() })))
}

async fn read(
    State(vendor): State<Vendor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    allowed(&headers)?;
    let world = vendor.world();
    let one = world.members.iter().find(|one| one.id == id);
    let one = one.ok_or_else(|| StatusCode::NOT_FOUND.into_response())?;
    Ok(Json(json!({ "id": one.id, "restricted": one.restricted })))
}

async fn erase(
    State(vendor): State<Vendor>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Response> {
    let mut world = vendor.change(format!("DELETE {id}"), &headers)?;
    let before = world.members.len();
    world.members.retain(|one| one.id != id);
    let gone = world.members.len() < before;
    Ok(if gone { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

async fn restrict(
    State(vendor): State<Vendor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<StatusCode, Response> {
    let mut world = vendor.change(format!("PUT {id} {body}"), &headers)?;
    let Some(one) = world.members.iter_mut().find(|one| one.id == id) else {
        return Ok(StatusCode::NOT_FOUND);
    };
    one.restricted = body["restricted"] == true;
    Ok(StatusCode::NO_CONTENT)
}
