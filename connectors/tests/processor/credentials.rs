//! How requests show who sends them: keys, tokens that are kept and renewed, signatures.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{Fault, open_processor};
use serde_json::json;

use crate::exchange::{Answer, Exchange, Seen, World, erase, now};

/// A definition that has one harmless request and this authentication.
pub fn definition(authentication: &str) -> String {
    format!(
        r#"
processor: 1
name: door
vendor: Door
api: "1"
documentation: https://door.example/docs
erasure_grade: deleted
parameters:
  user: {{ about: the user }}
  secret: {{ about: the secret, secret: true }}
base: https://door.example
authentication:
  {authentication}
identities:
  - kind: email
    shape: email
check:
  send: GET /door
  query: {{ a: "1 + 1", b: "ü&=" }}
  answers: [{{ status: [200], means: done }}]
actions:
  erase:
    repeatable: true
    steps:
      - send: DELETE /door
        answers: [{{ status: [200], means: done }}]
"#
    )
}

/// Lets everybody in who has the newest token, and hands tokens out.
fn door(world: &mut World, seen: &Seen) -> Answer {
    if seen.path != ["token"] {
        let newest = format!("Bearer token-{}", world.tokens);
        let in_time = seen.header("authorization") == newest;
        return Answer::json(if in_time { 200 } else { 401 }, &json!({}));
    }
    world.tokens += 1;
    let token = format!("token-{}", world.tokens);
    let refresh = format!("refresh-{}", world.tokens);
    let body = json!({"access_token": token, "expires_in": 600, "refresh_token": refresh});
    Answer::json(200, &body)
}

fn open_door(_: &mut World, _: &Seen) -> Answer {
    Answer::json(200, &json!({}))
}

/// What one request looked like under an authentication.
async fn seen(authentication: &str) -> Seen {
    let exchange = Exchange::open(open_door, Vec::new()).await;
    let parameters = [("user", "anna"), ("secret", "s3cret/+&")];
    let connector = exchange.connector(&definition(authentication), &parameters);
    connector.check(&erase(1, &[])).await.unwrap();
    let seen = exchange.world().seen[0].clone();
    assert_eq!((seen.query("a"), seen.query("b")), ("1 + 1", "ü&="));
    seen
}

#[tokio::test]
async fn keys_stand_where_they_belong() {
    assert_eq!(seen("none").await.header("authorization"), "");
    let header = seen("header: { name: X-Api-Key, value: 'Key {secret}' }").await;
    assert_eq!(header.header("x-api-key"), "Key s3cret/+&");
    assert_eq!(seen("query: { name: key, value: '{secret}' }").await.query("key"), "s3cret/+&");
    let basic = seen("basic: { user: '{user}', password: '{secret}' }").await;
    assert_eq!(basic.header("authorization"), "Basic YW5uYTpzM2NyZXQvKyY=");
    let bearer = seen("bearer: { token: '{secret}' }").await;
    assert_eq!(bearer.header("authorization"), "Bearer s3cret/+&");
}

#[tokio::test]
async fn signatures_cover_the_request() {
    let signed = seen(
        "hmac: { key: '{secret}', over: '{timestamp}.{method}.{target}.{body}', \
         header: X-Signature, prefix: 'v1=', encoding: hex, timestamp_header: X-Time }",
    )
    .await;
    let time = now().as_second();
    assert_eq!(signed.header("x-time"), time.to_string());
    let over = format!("{time}.GET./door?a=1%20%2B%201&b=%C3%BC%26%3D.");
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret/+&");
    let tag = hex::encode(hmac::sign(&key, over.as_bytes()));
    assert_eq!(signed.header("x-signature"), format!("v1={tag}"));
}

#[tokio::test]
async fn tokens_are_kept_until_they_end_and_renewed_once_when_they_end_early() {
    let clock = Arc::new(AtomicI64::new(now().as_second()));
    for grant in ["oauth2_client_credentials", "oauth2_refresh_token"] {
        let refreshes = grant == "oauth2_refresh_token";
        let more = if refreshes { ", refresh_token: 'refresh-0'" } else { ", scope: 'read write'" };
        let exchange = Exchange::open(door, Vec::new()).await;
        let text = definition(&format!(
            "{grant}: {{ token_url: /token, client_id: '{{user}}', client_secret: '{{secret}}'{more} }}"
        ));
        let mut settings = exchange.settings(&text, &[("user", "anna"), ("secret", "s3cret/+&")]);
        let time = Arc::clone(&clock);
        settings.now = Arc::new(move || {
            Timestamp::UNIX_EPOCH + SignedDuration::from_secs(time.load(Ordering::SeqCst))
        });
        let connector = open_processor("processor", settings).unwrap();
        let order = erase(1, &[]);
        for _ in 0..3 {
            connector.check(&order).await.unwrap();
        }
        assert_eq!(exchange.world().tokens, 1, "{grant}: one token for three requests");
        clock.fetch_add(600, Ordering::SeqCst);
        connector.check(&order).await.unwrap();
        assert_eq!(exchange.world().tokens, 2, "{grant}: the token has ended");
        exchange.world().tokens = 7;
        connector.check(&order).await.unwrap();
        assert_eq!(exchange.world().tokens, 8, "{grant}: renewed once after a 401");
        let forms: Vec<String> = exchange
            .world()
            .seen
            .iter()
            .filter(|seen| seen.path == ["token"])
            .map(|seen| String::from_utf8(seen.body.clone()).unwrap())
            .collect();
        assert!(forms[0].contains("client_secret=s3cret%2F%2B%26"), "{}", forms[0]);
        if refreshes {
            assert!(forms[0].ends_with("refresh_token=refresh-0"), "{}", forms[0]);
            assert!(forms[1].ends_with("refresh_token=refresh-1"), "a token that replaced it");
        } else {
            assert!(forms[0].ends_with("scope=read%20write"), "{}", forms[0]);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_not_given_is_for_a_person_to_mend() {
    let exchange = Exchange::open(|_, _| Answer::status(400), Vec::new()).await;
    let text = definition(
        "oauth2_client_credentials: { token_url: /token, client_id: '{user}', \
         client_secret: '{secret}' }",
    );
    let connector = exchange.connector(&text, &[("user", "anna"), ("secret", "s3cret/+&")]);
    let fault = connector.check(&erase(1, &[])).await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("token endpoint answered 400"), "{message}");
    assert!(!message.contains("s3cret") && !message.contains("anna"), "{message}");
}
