//! Refresh tokens that a vendor replaces at every use, over restarts and several processes at once:
//! each command of the real binary is a process of its own.

use serde_json::json;

use crate::exchange::{Answer, Exchange, Seen, World};
use crate::instance::{Instance, system};

const DOOR: &str = r#"processor: 1
name: door
vendor: Door
api: "1"
documentation: https://door.example/docs
erasure_grade: deleted
parameters:
  client_secret: { about: the client's secret, secret: true }
  refresh_token: { about: the refresh token, secret: true }
base: https://door.example
authentication:
  oauth2_refresh_token:
    token_url: /token
    client_id: quietus
    client_secret: "{client_secret}"
    refresh_token: "{refresh_token}"
identities:
  - kind: email
    shape: email
check:
  send: GET /door
  answers: [{ status: [200], means: done }]
actions:
  erase:
    repeatable: true
    steps:
      - send: DELETE /door
        answers: [{ status: [200], means: done }]
"#;

/// Seconds for which access tokens are good. The connector uses none in its last minute.
const ENDED: u32 = 60;
const LONG: u32 = 3_600;

/// Lets in whoever has an access token, and takes each refresh token once: whoever brings one a
/// second time loses everything.
fn door(seconds: u32, world: &mut World, seen: &Seen) -> Answer {
    if seen.path != ["token"] {
        let known = seen.header("authorization").starts_with("Bearer access-");
        return Answer::json(if known { 200 } else { 401 }, &json!({}));
    }
    let form = String::from_utf8(seen.body.clone()).unwrap();
    let expected = format!("refresh_token=refresh-{}", world.tokens);
    if !form.ends_with(&expected) {
        world.tokens = 1_000_000;
        return Answer::json(400, &json!({"error": "invalid_grant"}));
    }
    world.tokens += 1;
    let (access, refresh) =
        (format!("access-{}", world.tokens), format!("refresh-{}", world.tokens));
    Answer::json(
        200,
        &json!({"access_token": access, "refresh_token": refresh, "expires_in": seconds}),
    )
}

fn short_door(world: &mut World, seen: &Seen) -> Answer {
    door(ENDED, world, seen)
}

fn long_door(world: &mut World, seen: &Seen) -> Answer {
    door(LONG, world, seen)
}

async fn company(vendor: crate::exchange::Vendor) -> (Instance, Exchange) {
    let exchange = Exchange::open(vendor, Vec::new()).await;
    let mut instance = Instance::new("").await;
    instance.write("definitions/door.yaml", DOOR);
    let parameters =
        "parameters: {client_secret: 'env:DOOR_SECRET', refresh_token: 'env:DOOR_TOKEN'}\n";
    let file = system("door", "./definitions/door.yaml", &exchange.host, parameters);
    instance.write("systems/door.yaml", &file);
    instance.set("DOOR_SECRET", "s3cret");
    instance.set("DOOR_TOKEN", "refresh-0");
    (instance, exchange)
}

const TEST: [&str; 3] = ["connector", "test", "door"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_does_not_lose_the_access() {
    let (mut instance, exchange) = company(short_door).await;
    for process in 1..=3 {
        instance.quietus(&TEST).await.expect(0);
        assert_eq!(exchange.world().tokens, process, "each process renews with the last token");
    }
    let store = instance.store();
    assert!(!store.contains("refresh-3") && !store.contains("access-3"), "tokens are sealed");

    // A token that was granted anew begins anew.
    exchange.world().tokens = 70;
    let lost = instance.quietus(&TEST).await.expect(1);
    assert!(lost.out.contains("has to be granted anew"), "{}", lost.out);
    exchange.world().tokens = 70;
    instance.set("DOOR_TOKEN", "refresh-70");
    instance.quietus(&TEST).await.expect(0);
    instance.quietus(&TEST).await.expect(0);
    assert_eq!(exchange.world().tokens, 72);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_at_once_do_not_burn_each_others_token() {
    for (vendor, renewals) in [(short_door as crate::exchange::Vendor, 4), (long_door, 1)] {
        let (instance, exchange) = company(vendor).await;
        // The store is made by one process, so that they meet at the vendor.
        instance.quietus(&["status"]).await.expect(0);
        let all = [(); 4].map(|()| instance.quietus(&TEST));
        for ended in futures_util::future::join_all(all).await {
            ended.expect(0);
        }
        assert_eq!(exchange.world().tokens, renewals, "no refresh token was used twice");
        instance.quietus(&TEST).await.expect(0);
    }
}
