//! A log a year: what others know of one goes on into the next, and a break is shown to people.

use std::sync::Arc;

use quietus::app::Actor;
use quietus::domain::{Clock, Digest};
use quietus::evidence::witnessing::Growth;
use quietus::evidence::{LogIdentity, LogKey, checkpoint};
use quietus::store::PauseScope;
use quietus::witness::{self, Witness};

use super::{Running, anchor, company, export, serve, states, witness_entry};
use crate::company::Company;
use crate::company::engine::{TurnedClock, ring, work};

/// A witness on the company's clock that knows the log in use.
async fn witness_on(company: &Company, clock: &Arc<TurnedClock>) -> Running {
    let product = company.replica(clock).await;
    let key = product.anchor_report().await.unwrap().keys.remove(0);
    product.store.close().await;
    let folder = tempfile::tempdir().unwrap();
    witness::init(folder.path(), "one.example/w").unwrap();
    assert!(witness::trust(folder.path(), &key).unwrap());
    serve(folder, Arc::clone(clock) as Arc<dyn Clock>).await
}

/// Everything that an auditor was given in one year, with the certificate of another.
async fn verified_with(company: &Company, given: &str) -> Vec<(String, String, String)> {
    let to = export(company, "latest", "latest").await;
    let [root, key, policy] = ["trusted_root.json", "issuer.pub.pem", "policy.tlog"]
        .map(|name| format!("{given}/{name}"));
    let arguments = ["verify", &to, "--trusted-root", &root, "--issuer-key", &key, "--policy"];
    let arguments: Vec<&str> =
        arguments.into_iter().chain([policy.as_str(), "--format", "json"]).collect();
    let verdict = company.quietus(&arguments).await.json();
    let word = |step: &serde_json::Value, name: &str| step[name].as_str().unwrap().to_owned();
    let steps = verdict["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|one| (word(one, "name"), word(one, "finding"), word(one, "sentence")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_auditor_was_given_in_one_year_serves_in_the_next() {
    let company = company().await;
    let clock = TurnedClock::at("2026-12-31T01:00:00Z");
    let one = witness_on(&company, &clock).await;
    anchor(&company, "", &witness_entry(&company, "one", &one), "");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-12-31T02:00:00Z");
    ring(&product).await;
    assert!(Box::pin(product.advance_anchors()).await.unwrap().faults.is_empty());
    assert_eq!(states(&company).await, ["anchored"]);
    let given = export(&company, "latest", "given").await;

    clock.set("2027-01-01T02:00:00Z");
    ring(&product).await;
    let tally = Box::pin(product.advance_anchors()).await.unwrap();
    assert_eq!(tally.faults, []);
    let logs = company.logs().await;
    assert_eq!(logs, ["example-company/evidence/2026", "example-company/evidence/2027"]);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);

    // The last head of the closed log is signed too, twice by the witness and once by the log.
    for log in &logs {
        let last = company.checkpoints_of(log).await.pop().unwrap().0;
        let lines = company
            .store_rows(&format!(
                "SELECT cosigner FROM log_cosignatures WHERE log_id = '{log}' AND size = {last}"
            ))
            .await;
        let by = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
        assert_eq!((by("one.example/w+"), by(&format!("{log}+"))), (2, 1), "{lines:?}");
    }
    // The one key of both has another identifier under each name.
    let own = company
        .store_rows(
            "SELECT DISTINCT cosigner FROM log_cosignatures WHERE cosigner LIKE 'example-company%'",
        )
        .await;
    let identifiers: Vec<&str> = own.iter().map(|one| one.rsplit('+').next().unwrap()).collect();
    assert!(identifiers.len() == 2 && identifiers[0] != identifiers[1], "{own:?}");

    let steps = verified_with(&company, &given).await;
    for name in ["trusted-root", "checkpoint", "inclusion", "witnesses", "post-quantum", "policy"] {
        let (_, found, said) = steps.iter().find(|step| step.0 == name).unwrap();
        assert_eq!(found, "PASS", "{name}: {said}");
    }
    let (_, _, said) = steps.iter().find(|step| step.0 == "trusted-root").unwrap();
    assert!(said.contains("an earlier year"), "{said}");
}

/// A certificate waits while its witness is away; the log grows, and signs each head itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_waited_long_is_anchored_in_the_end() {
    let company = company().await;
    let clock = TurnedClock::at("2026-12-30T01:00:00Z");
    let one = witness_on(&company, &clock).await;
    let entry = witness_entry(&company, "one", &one);
    anchor(&company, "", &entry.replace(&one.address.to_string(), "127.0.0.1:1"), "");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-12-30T02:00:00Z");
    ring(&product).await;
    let (all, grace) = (PauseScope::Everything, Actor("Grace".to_owned()));
    for _ in 0..30 {
        assert!(product.pause(all.clone(), &grace, "test").await.unwrap());
        Box::pin(product.advance_anchors()).await.unwrap();
        assert!(product.resume(&all, &grace).await.unwrap());
        Box::pin(product.advance_anchors()).await.unwrap();
    }
    assert_eq!(states(&company).await, ["logged"]);
    let signed = company.count_of("log_cosignatures").await;
    assert!(signed >= 60, "the log signed its heads itself: {signed}");
    product.store.close().await;

    anchor(&company, "", &entry, "");
    let product = company.replica(&clock).await;
    work(&product).await;
    assert_eq!(Box::pin(product.advance_anchors()).await.unwrap().anchored, 1);
    assert_eq!(states(&company).await, ["anchored"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_second_key_is_refused() {
    let company = company().await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let other = super::company().await;
    other.quietus(&["run", "--once"]).await.expect(0);
    // The head that is handed out is signed a second time.
    export(&company, "latest", "export").await;
    std::fs::copy(other.path("keys/log-ml-dsa-44.pem"), company.path("keys/log-ml-dsa-44.pem"))
        .unwrap();
    let refused = company.quietus(&["status"]).await.expect(2).err;
    assert!(
        refused.contains("log-ml-dsa-44.pem` is another than the one that signed"),
        "{refused}"
    );
}

fn ask(witness: &Witness, origin: &str, key: &LogKey) -> u16 {
    let root = Digest::of(b"\0leaf");
    let note = checkpoint::sign(origin, 1, root, key).unwrap();
    let question = Growth { old: 0, path: Vec::new(), note }.to_text();
    witness.add_checkpoint(question.as_bytes()).status
}

#[test]
fn a_witness_goes_on_with_the_next_year_and_asks_people_about_a_break() {
    let folder = tempfile::tempdir().unwrap();
    witness::init(folder.path(), "w.example/1").unwrap();
    let (key, other) = (LogKey::generate().unwrap(), LogKey::generate().unwrap());
    let trust = |origin: &str, key: &LogKey| {
        let log = LogIdentity::new(origin, key.public()).unwrap();
        assert!(witness::trust(folder.path(), &log.verifier_key()).unwrap());
    };
    let clock = TurnedClock::at("2026-12-31T22:30:00Z");
    let witness = Witness::open(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    assert_eq!(ask(&witness, "log.example/2026", &key), 404);
    trust("log.example/2026", &key);
    assert_eq!(ask(&witness, "log.example/2026", &key), 200);
    assert_eq!(ask(&witness, "log.example/2027", &key), 404, "before its year");
    clock.set("2026-12-31T23:30:00Z");
    assert_eq!(ask(&witness, "log.example/2027", &other), 403);
    assert_eq!(ask(&witness, "log.example/2027", &key), 200);
    for strange in ["log.example/2025", "log.example/2028", "other.example/2027", "log.example/x"] {
        assert_eq!(ask(&witness, strange, &key), 404, "{strange}");
    }
    // What follows a break is known once somebody has looked.
    for broken in ["log.example/2026-2", "log.example/2027-2"] {
        assert_eq!(ask(&witness, broken, &key), 404, "{broken}");
        trust(broken, &key);
        assert_eq!(ask(&witness, broken, &key), 200, "{broken}");
    }
    // Once the log has another key, the one before it opens no further year.
    clock.set("2029-06-01T00:00:00Z");
    trust("log.example/2028", &other);
    assert_eq!(ask(&witness, "log.example/2029", &key), 403);
    assert_eq!(ask(&witness, "log.example/2029", &other), 200);
    assert_eq!(ask(&witness, "log.example/2027", &key), 409, "it has signed that one");
}
