//! A vendor of our own invention that has everything at once: jobs, batches and restrictions.

use std::sync::Arc;

use quietus_connectors::{Connector, open_processor};
use serde_json::{Value, json};

use crate::exchange::{Answer, Exchange, Kept, Seen, World};

/// Records are erased one by one; those in place `slow` by a job.
pub const SINGLE: &str = r#"
processor: 1
name: club
vendor: Club
api: "1"
documentation: https://club.example/docs
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://club.example
authentication:
  header: { name: X-Key, value: "{key}" }
identities:
  - kind: club_id
    shape: { text: { characters: token, most: 40 } }
  - kind: email
    shape: email
    resolve:
      - send: GET /people
        query: { email: "{email}" }
        list: /people
        take: { id: /id }
        match: { at: /email, ignore_case: true }
        pages: { offset: { query: skip, size: 2, most: 3 } }
check:
  send: GET /
  answers: [{ status: [200], at: /club, exists: true, means: done }]
actions:
  erase:
    steps:
      - send: DELETE /people/{id}
        headers: { Idempotency-Key: "{idempotency_key}" }
        answers:
          - { status: [200], means: done }
          - { status: [202], means: pending }
          - { status: [404], means: absent }
          - { status: [409], means: refused, words: the membership has not ended }
        reference: /job
        ask_after_seconds: 600
    ask:
      - send: GET /jobs
        query: { key: "{idempotency_key}" }
        answers:
          - { status: [200], at: /state, equals: running, means: pending }
          - { status: [200], at: /state, equals: ended, means: done }
          - { status: [404], means: absent }
        reference: /job
    verify:
      - send: GET /people/{id}
        answers:
          - { status: [404], means: absent }
          - { status: [200], means: present }
    follow:
      send: GET /jobs/{reference}
      ask_after_seconds: 300
      answers:
        - { status: [200], at: /state, equals: ended, means: done }
        - { status: [200], at: /state, equals: running, means: pending }
        - { status: [200], at: /state, equals: failed, means: refused, words: the job failed }
  restrict:
    steps:
      - send: PUT /people/{id}/restriction
        json: { restricted: true, since: "{submitted_at}" }
        answers: [{ status: [204], means: done }, { status: [404], means: absent }]
    verify:
      - send: GET /people/{id}
        answers:
          - { status: [200], at: /restricted, equals: true, means: done }
          - { status: [200], means: present }
          - { status: [404], means: absent }
"#;

/// The same vendor, two records in a request.
pub const BATCH: &str = r#"
processor: 1
name: club
vendor: Club
api: "2"
documentation: https://club.example/docs
erasure_grade: deleted
parameters:
  key: { about: the key, secret: true }
base: https://club.example
authentication:
  header: { name: X-Key, value: "{key}" }
identities:
  - kind: club_id
    shape: { text: { characters: token, most: 40 } }
check:
  send: GET /
  answers: [{ status: [200], at: /club, exists: true, means: done }]
actions:
  erase:
    steps:
      - send: POST /delete
        most: 2
        json: { ids: "{ids}", key: "{idempotency_key}" }
        answers: [{ status: [200], means: done }]
        items:
          list: /results
          id: /id
          answers:
            - { at: /state, equals: erased, means: done }
            - { at: /state, equals: unknown, means: absent }
            - { at: /state, exists: true, means: refused, words: the membership has not ended }
    verify:
      - send: GET /people/{id}
        answers: [{ status: [404], means: absent }, { status: [200], means: present }]
"#;

pub fn club(world: &mut World, seen: &Seen) -> Answer {
    if seen.header("x-key") != "club-key" {
        return Answer::status(401);
    }
    match seen.route() {
        ("GET", path) if path == [""] => Answer::json(200, &json!({"club": "golf"})),
        ("GET", path) if path == ["people"] => {
            let skip: usize = seen.query("skip").parse().unwrap_or(0);
            // Like many searches, it finds more than it was asked for.
            let people: Vec<Value> = world
                .kept
                .iter()
                .filter(|one| !one.gone)
                .skip(skip)
                .take(2)
                .map(|one| json!({"id": one.id, "email": one.email}))
                .collect();
            Answer::json(200, &json!({ "people": people }))
        }
        ("GET", path) if path == ["jobs"] => {
            let name = format!("job-{}", seen.query("key"));
            match world.jobs.get(&name) {
                Some((_, 0)) => Answer::json(200, &json!({"job": name, "state": "ended"})),
                Some(_) => Answer::json(200, &json!({"job": name, "state": "running"})),
                None => Answer::status(404),
            }
        }
        ("GET", path) if path.len() == 2 && path[0] == "jobs" => job(world, path[1]),
        ("POST", path) if path == ["delete"] => batch(world, &seen.json()),
        (method, path) if path.len() >= 2 && path[0] == "people" => {
            let key = seen.header("idempotency-key").to_owned();
            let Some(one) = world.by_id(path[1]) else { return Answer::status(404) };
            match (method, &path[2..]) {
                ("GET", []) => Answer::json(200, &json!({"id": one.id, "restricted": one.hidden})),
                ("PUT", ["restriction"]) => {
                    one.hidden = seen.json()["restricted"] == true;
                    Answer::status(204)
                }
                ("DELETE", []) if one.place == "member" => Answer::status(409),
                ("DELETE", []) if one.place == "teapot" => Answer::status(418),
                ("DELETE", []) if one.place == "slow" => {
                    let id = one.id.clone();
                    let name = format!("job-{key}");
                    world.jobs.insert(name.clone(), (vec![id], 2));
                    Answer::json(202, &json!({ "job": name }))
                }
                ("DELETE", []) => {
                    one.gone = true;
                    Answer::json(200, &json!({}))
                }
                _ => Answer::status(400),
            }
        }
        _ => Answer::status(400),
    }
}

/// Two times it is running, then it has ended.
fn job(world: &mut World, name: &str) -> Answer {
    let Some((ids, left)) = world.jobs.get_mut(name) else { return Answer::status(404) };
    if *left > 0 {
        *left -= 1;
        return Answer::json(200, &json!({"job": name, "state": "running"}));
    }
    let ids = ids.clone();
    for one in &mut world.kept {
        one.gone |= ids.contains(&one.id);
    }
    Answer::json(200, &json!({"job": name, "state": "ended"}))
}

fn batch(world: &mut World, body: &Value) -> Answer {
    let ids = body["ids"].as_array().cloned().unwrap_or_default();
    assert!(ids.len() <= 50 && body["key"].as_str().is_some_and(|key| key.len() == 32));
    let mut results = Vec::new();
    let invalid = |id: &Value| id.as_str().is_some_and(|id| id.starts_with("invalid"));
    if ids.iter().any(invalid) {
        return Answer::status(400);
    }
    for id in ids {
        let state = match world.by_id(id.as_str().unwrap()) {
            None => "unknown",
            Some(one) if one.place == "member" => "kept",
            Some(one) if one.place == "silent" => continue,
            Some(one) => {
                one.gone = true;
                "erased"
            }
        };
        results.push(json!({"id": id, "state": state}));
    }
    Answer::json(200, &json!({ "results": results }))
}

pub fn member(id: &str, email: &str, place: &str) -> Kept {
    Kept { id: id.to_owned(), email: email.to_owned(), place: place.to_owned(), ..Kept::default() }
}

pub async fn opened(kept: Vec<Kept>) -> (Exchange, Box<dyn Connector>) {
    let exchange = Exchange::open(club, kept).await;
    let connector = exchange.connector(SINGLE, &[("key", "club-key")]);
    (exchange, connector)
}

/// The same vendor at another moment, for times that matter.
pub fn at(exchange: &Exchange, definition: &str, moment: &str) -> Box<dyn Connector> {
    let moment = moment.parse().unwrap();
    let mut settings = exchange.settings(definition, &[("key", "club-key")]);
    settings.now = Arc::new(move || moment);
    open_processor("processor", settings).unwrap()
}
