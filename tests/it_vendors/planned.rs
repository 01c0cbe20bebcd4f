//! A case goes on with the definition that it was planned with, whatever has become of the file
//! meanwhile, or stops with a clear word.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::exchange::{Answer, Exchange, Kept, Seen, World};
use crate::instance::{Instance, TurnedClock, system, work};

/// Erases later, and can be asked after that.
const CLUB: &str = r#"processor: 1
name: club
vendor: Club
api: "1"
documentation: https://club.example/docs
erasure_grade: deleted
residues: [invoices of the club]
base: https://club.example
authentication: none
identities:
  - kind: email
    shape: email
    resolve:
      - send: GET /v1/people
        query: { email: "{email}" }
        list: /people
        take: { id: /id }
        match: { at: /email }
check:
  send: GET /v1/me
  answers: [{ status: [200], means: done }]
actions:
  erase:
    steps:
      - send: POST /v1/erasures
        json: { person: "{id}" }
        answers: [{ status: [202], means: pending }]
        reference: /job
        ask_after_seconds: 60
    follow:
      send: GET /v1/erasures/{reference}
      answers:
        - { status: [200], at: /ended, equals: true, means: done }
        - { status: [200], at: /ended, equals: false, means: pending }
    verify:
      - send: GET /v1/people/{id}
        answers: [{ status: [404], means: absent }, { status: [200], means: present }]
"#;

/// Plays the club. What an address of another version is asked, it believes at once.
fn club(world: &mut World, seen: &Seen) -> Answer {
    match seen.route() {
        ("GET", path) if path == ["v1", "people"] => {
            let people: Vec<Value> = world
                .kept
                .iter()
                .filter(|one| !one.gone && one.email == seen.query("email"))
                .map(|one| json!({"id": one.id, "email": one.email}))
                .collect();
            Answer::json(200, &json!({"people": people}))
        }
        ("POST", path) if path == ["v1", "erasures"] => {
            let id = seen.json()["person"].as_str().unwrap_or_default().to_owned();
            world.jobs.insert("job-1".to_owned(), (vec![id], 1));
            Answer::json(202, &json!({"job": "job-1"}))
        }
        ("GET", path) if path == ["v1", "erasures", "job-1"] => {
            let (ids, left) = world.jobs.get_mut("job-1").unwrap();
            let ended = *left == 0;
            if ended {
                let ids = ids.clone();
                for one in world.kept.iter_mut().filter(|one| ids.contains(&one.id)) {
                    one.gone = true;
                }
            }
            Answer::json(200, &json!({"ended": ended}))
        }
        ("GET", path) if path[..2] == ["v1", "people"] => match world.by_id(path[2]) {
            Some(_) => Answer::json(200, &json!({})),
            None => Answer::status(404),
        },
        _ => Answer::json(200, &json!({"ended": true})),
    }
}

/// A company whose request is under way at the club since a first run.
async fn under_way() -> (Instance, Exchange, std::sync::Arc<TurnedClock>) {
    let grace =
        Kept { id: "p-1".to_owned(), email: "grace@mail.example".to_owned(), ..Kept::default() };
    let exchange = Exchange::open(club, vec![grace]).await;
    let instance = Instance::new("").await;
    instance.write("definitions/club.yaml", CLUB);
    let file = system("club", "./definitions/club.yaml", &exchange.host, "");
    instance.write("systems/club.yaml", &file);
    let new = [
        "request",
        "new",
        "--right",
        "erasure",
        "--identities-file",
        "-",
        "--channel",
        "phone",
        "--check",
        "substantial",
        "--method",
        "call-back",
        "--reference",
        "T-123",
    ];
    instance.told(&new, "email=grace@mail.example\n").await.expect(0);
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = instance.open(&clock).await;
    product.advance_requests().await.unwrap();
    product.advance_requests().await.unwrap();
    work(&product).await;
    product.store.close().await;
    let sent = exchange.world().seen.iter().filter(|seen| seen.method == "POST").count();
    assert_eq!((sent, exchange.world().jobs.len()), (1, 1), "it is under way");
    (instance, exchange, clock)
}

/// The predicate of the newest certificate, as a stranger reads it.
async fn certificate(instance: &Instance) -> Value {
    let folder = instance.path().join("export");
    let to = folder.to_str().unwrap();
    instance.quietus(&["certificate", "export", "latest", "--to", to]).await.expect(0);
    instance.quietus(&["verify", to]).await.expect(0);
    let bundle = std::fs::read(folder.join("certificate.sigstore.json")).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    statement["predicate"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_changes_meanwhile_does_not_change_the_case() {
    let (instance, exchange, clock) = under_way().await;
    let planned = quietus::config::load(instance.path()).unwrap().data_map.digest;
    let other = CLUB
        .replace("/v1/", "/v2/")
        .replacen("erasure_grade: deleted", "erasure_grade: hidden", 1)
        .replacen("invoices of the club", "minutes of meetings", 1);
    instance.write("definitions/club.yaml", &other);
    assert_ne!(quietus::config::load(instance.path()).unwrap().data_map.digest, planned);

    // Once it is asked after while the club is still at it, once when the club has done it.
    for (moment, left) in [("2027-01-04T09:02:00Z", 1), ("2027-01-04T09:10:00Z", 0)] {
        exchange.world().jobs.get_mut("job-1").unwrap().1 = left;
        clock.set(moment);
        let product = instance.open(&clock).await;
        work(&product).await;
        product.store.close().await;
    }
    assert_eq!(exchange.world().alive(), Vec::<&str>::new(), "the person is gone");
    let targets: Vec<String> =
        exchange.world().seen.iter().map(|seen| seen.target.clone()).collect();
    assert!(targets.iter().all(|target| target.starts_with("/v1/")), "{targets:?}");
    assert!(targets.iter().any(|target| target == "/v1/erasures/job-1"), "{targets:?}");

    let predicate = certificate(&instance).await;
    let text = predicate.to_string();
    assert!(text.contains(&planned.to_string()), "the map with its definition is pinned: {text}");
    assert!(text.contains("invoices of the club"), "{text}");
    assert!(!text.contains("minutes of meetings") && !text.contains("hidden"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_do_not_fit_the_planned_definition_any_more_stop_the_case() {
    let (instance, exchange, clock) = under_way().await;
    let before = exchange.world().seen.len();
    let other = CLUB.replace("/v1/", "/v2/").replacen(
        "base:",
        "parameters: { region: { about: where the club is } }\nbase:",
        1,
    );
    instance.write("definitions/club.yaml", &other);
    let parameters = "parameters: {region: north}\n";
    let file = system("club", "./definitions/club.yaml", &exchange.host, parameters);
    instance.write("systems/club.yaml", &file);
    clock.set("2027-01-04T09:02:00Z");
    let product = instance.open(&clock).await;
    work(&product).await;
    product.store.close().await;
    assert_eq!(exchange.world().seen.len(), before, "nothing is sent by halves");
    let status = instance.quietus(&["status"]).await.expect(0).out;
    let case = status
        .split(|one: char| !one.is_ascii_hexdigit() && one != '-')
        .find(|word| word.len() == 36)
        .unwrap();
    let status = instance.quietus(&["status", case]).await.expect(0).out;
    let words = status.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "the definition `club` has no parameter `region`",
        "the case was planned with an earlier definition, and goes on with it",
        "cancel the case and open it again",
    ] {
        assert!(words.contains(part), "`{part}` in\n{status}");
    }

    // Put back, it goes on where it was.
    instance.write("definitions/club.yaml", CLUB);
    let file = system("club", "./definitions/club.yaml", &exchange.host, "");
    instance.write("systems/club.yaml", &file);
    exchange.world().jobs.get_mut("job-1").unwrap().1 = 0;
    instance.quietus(&["retry", "--system", "club"]).await.expect(0);
    clock.set("2027-01-04T09:30:00Z");
    let product = instance.open(&clock).await;
    work(&product).await;
    product.store.close().await;
    assert_eq!(exchange.world().alive(), Vec::<&str>::new());
    let sent = exchange.world().seen.iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(sent, 1, "the club is not asked twice");
}
