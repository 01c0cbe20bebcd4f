//! Who calls us back is believed only with the signature of the processor that was asked, and then
//! the job that waits asks at once. Everything else changes nothing.

use serde_json::{Value, json};

use super::authority::Identity;
use super::company::{Answer, DOMAIN, nothing_logged};
use super::erased::Pair;

const AT: &str = "/opendsr/callbacks/partner";

async fn waiting() -> (Pair, String) {
    let pair = Pair::open("v2", "/opendsr/v2").await;
    pair.ask().await;
    let id = pair.id().await;
    (pair, id)
}

fn body(pair: &Pair, id: &str, status: &str) -> Value {
    json!({
        "controller_id": "shop",
        "expected_completion_time": "2026-12-18T22:59:59Z",
        "status_callback_url": pair.own_url,
        "subject_request_id": id,
        "request_status": status,
        "api_version": "2.0",
        "results_url": null,
    })
}

async fn call(pair: &Pair, at: &str, domain: &str, body: &[u8], signature: &str) -> Answer {
    let request = pair.shop.request("POST", at);
    let request = request.header("X-OpenDSR-Processor-Domain", domain);
    let request = request.header("X-OpenDSR-Signature", signature);
    pair.shop.send(request.body(body.to_vec())).await
}

/// A callback as the processor would make it, signed by somebody.
async fn say(pair: &Pair, by: &Identity, body: &Value) -> u16 {
    let bytes = body.to_string().into_bytes();
    call(pair, AT, DOMAIN, &bytes, &by.sign(&bytes)).await.status.as_u16()
}

/// What is known of the request, when its job asks next, and how much was kept of callbacks.
async fn known(pair: &Pair) -> (u64, u64, String, u64) {
    let step = pair.shop.count("SELECT step FROM opendsr_asked").await;
    let told =
        pair.shop.count("SELECT COUNT(*) FROM opendsr_asked WHERE told_at IS NOT NULL").await;
    let next = pair.job().await["available_at"].as_str().unwrap().to_owned();
    let kept = "SELECT COUNT(*) FROM evidence_details WHERE kind = 'processor.receipt'";
    (step, told, next, pair.shop.count(kept).await)
}

#[tokio::test]
async fn nobody_but_the_processor_wakes_a_job() {
    let (pair, id) = waiting().await;
    let before = known(&pair).await;
    assert_eq!((before.0, before.1, before.3), (0, 0, 0));
    let right = body(&pair, &id, "completed");
    let bytes = right.to_string().into_bytes();
    let signature = pair.identity.sign(&bytes);

    // No headers, another domain, another system, one that does not call, one that is not there.
    let request = pair.shop.request("POST", AT).body(bytes.clone());
    pair.shop.send(request).await.expect(401);
    call(&pair, AT, "opendsr.other.example", &bytes, &signature).await.expect(401);
    call(&pair, "/opendsr/callbacks/crm", DOMAIN, &bytes, &signature).await.expect(401);
    call(&pair, "/opendsr/callbacks/nobody", DOMAIN, &bytes, &signature).await.expect(401);
    // A wrong key, an altered byte, the same JSON in other bytes, no signature.
    let stranger = pair.authority.issue(DOMAIN);
    assert_eq!(say(&pair, &stranger, &right).await, 400);
    let mut altered = bytes.clone();
    let place = altered.windows(9).position(|word| word == b"completed").unwrap();
    altered[place] = b'C';
    call(&pair, AT, DOMAIN, &altered, &signature).await.expect(400);
    let spaced = [&bytes[..], b"\n"].concat();
    call(&pair, AT, DOMAIN, &spaced, &signature).await.expect(400);
    call(&pair, AT, DOMAIN, &bytes, "").await.expect(400);
    // Signed, and about nothing of ours.
    for (name, value) in [
        ("subject_request_id", json!("00000000-0000-4000-8000-000000000000")),
        ("subject_request_id", json!("grace@mail.example")),
        ("status_callback_url", json!("https://localhost/opendsr/callbacks/other")),
        ("status_callback_url", Value::Null),
        ("request_status", json!("melted")),
    ] {
        let mut wrong = right.clone();
        wrong[name] = value;
        assert_eq!(say(&pair, &pair.identity, &wrong).await, 400, "{name}");
    }
    let rubbish = pair.identity.sign(b"no json");
    call(&pair, AT, DOMAIN, b"no json", &rubbish).await.expect(400);
    let large = vec![b' '; 100_000];
    call(&pair, AT, DOMAIN, &large, &pair.identity.sign(&large)).await.expect(413);
    assert_eq!(known(&pair).await, before, "something of it had an effect");
    nothing_logged(&[]);
}

#[tokio::test]
async fn what_comes_twice_or_out_of_order_changes_nothing() {
    let (pair, id) = waiting().await;
    let before = known(&pair).await;
    let on_the_way = body(&pair, &id, "in_progress");
    pair.shop.clock.pass(60);
    assert_eq!(say(&pair, &pair.identity, &on_the_way).await, 202);
    let woken = known(&pair).await;
    assert_eq!((woken.0, woken.1, woken.3), (1, 1, 1));
    assert_ne!(woken.2, before.2, "the job asks at once");
    assert_eq!(woken.2, "2026-11-23T12:01:00Z");
    // The job asks and goes on waiting: the callback was a hint and no more.
    pair.shop.carry_on().await;
    let job = pair.job().await;
    assert_eq!(job["state"], "waiting");
    let asked = known(&pair).await;
    // Replayed, and one that was overtaken.
    pair.shop.clock.pass(60);
    assert_eq!(say(&pair, &pair.identity, &on_the_way).await, 202);
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "pending")).await, 202);
    assert_eq!(known(&pair).await, asked);
    // The end, twice, and then an end that contradicts it.
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "completed")).await, 202);
    let ended = known(&pair).await;
    assert_eq!((ended.0, ended.3), (2, 2));
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "completed")).await, 202);
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "cancelled")).await, 400);
    assert_eq!(say(&pair, &pair.identity, &on_the_way).await, 202);
    assert_eq!(known(&pair).await, ended);
    // Nobody is taken at the word of a callback: the partner still cools off, and so it is told.
    pair.shop.carry_on().await;
    assert_eq!(pair.job().await["state"], "waiting");
    nothing_logged(&[]);
}

#[tokio::test]
async fn a_certificate_that_has_expired_vouches_for_nobody() {
    let (pair, id) = waiting().await;
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "in_progress")).await, 202);
    let before = known(&pair).await;
    // The certificate at hand was good; four years later it is fetched anew and is not.
    pair.shop.clock.pass_hours(4 * 366 * 24);
    assert_eq!(say(&pair, &pair.identity, &body(&pair, &id, "completed")).await, 401);
    assert_eq!(known(&pair).await, before);
}
