//! Who comes in where: every door of the table with every role, without a token and with wrong
//! ones.

use quietus::app::access::role_word;
use quietus::http::{Door, Entry, doors};
use serde_json::{Value, json};

use super::house::{House, ROLES, token};

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

/// An address of this shape, with identifiers that nothing has.
fn address(door: &Door) -> String {
    door.path
        .replace("{id}", NOBODY)
        .replace("{file}", "manifest.json")
        .replace("{digest}", &"0".repeat(64))
        .replace("{hold}", "matter-1")
        .replace("{name}", "2026")
        .replace("{*tile}", "0/000")
}

/// A body that would change something where the role is right.
fn body(door: &Door) -> Option<Value> {
    match (door.method, door.path) {
        ("POST", "/v1/events") => Some(
            json!({"name": "customer.left", "key": "2", "occurred_at": "2026-01-01T00:00:00Z"}),
        ),
        ("POST", "/v1/holds") => {
            Some(json!({"matter": "m", "reason": "r", "scope": {"system": "crm"}}))
        }
        ("POST", "/v1/pauses") => Some(json!({"scope": "everything", "reason": "r"})),
        ("POST", "/v1/restores") => {
            Some(json!({"system": "crm", "taken_at": "2026-01-01T00:00:00Z", "reason": "r"}))
        }
        ("POST", "/v1/requests") => {
            Some(json!({"right": "erasure", "identities": [{"type": "customer_id", "value": 3}]}))
        }
        ("POST", path) if path.ends_with("/confirm") => {
            Some(json!({"assurance": "high", "method": "eid"}))
        }
        ("POST", path) if path.ends_with("/tell-apart") => {
            Some(json!({"identities": [{"type": "customer_id", "value": 3}]}))
        }
        ("POST", path) if path.ends_with("/fee") => Some(json!({"ended": "waived"})),
        ("POST", path) if path.ends_with("/decide") => {
            Some(json!({"decision": "uphold", "reason": "r"}))
        }
        ("POST", path)
            if ["approve", "cancel", "refuse", "extend", "close", "again", "leave"]
                .iter()
                .any(|word| path.ends_with(word)) =>
        {
            Some(json!({"reason": "r"}))
        }
        ("POST", _) => Some(json!({})),
        _ => None,
    }
}

/// Doors with an entry of their own, which `opendsr`, `callbacks` and `printed` have tests of: they
/// are there only where the instance declares somebody who comes through them.
fn is_for_others(door: &Door) -> bool {
    matches!(
        door.entry,
        Entry::Printed | Entry::Published | Entry::Controller | Entry::Signature | Entry::Vendor
    )
}

#[tokio::test]
async fn where_nobody_declared_others_there_is_no_door_for_them() {
    let house = House::open().await;
    let unknown = house.send(house.request("GET", "/admin")).await.expect(401).body;
    let mut asked = 0;
    for door in doors().iter().filter(|door| is_for_others(door)) {
        let address = address(door).replace("{system}", "crm");
        let nobody = house.send(house.request(door.method, &address)).await.expect(401);
        assert_eq!(nobody.body, unknown, "{address}");
        house.ask("operator", door.method, &address, None).await.expect(404);
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
}

#[tokio::test]
async fn health_needs_no_token_and_tells_nothing_else() {
    let house = House::open().await;
    let health = house.send(house.request("GET", "/health")).await.expect(200);
    assert_eq!(health.text(), r#"{"status":"ok"}"#);
    house.product.store.close().await;
    let health = house.send(house.request("GET", "/health")).await;
    assert_eq!(
        (health.status.as_u16(), health.text().as_str()),
        (503, r#"{"status":"unavailable"}"#)
    );
    let answer = house.get("auditor", "/v1/cases").await.expect(503);
    assert_eq!(answer.json()["error"], "the store is not there");
    house.nothing_leaked();
}

/// The doors that need no token: whether it lives, and the page behind the link of a mail, which
/// is a token itself.
const OPEN: [(&str, &str); 3] =
    [("GET", "/health"), ("GET", "/v1/tasks/answer/{token}"), ("POST", "/v1/tasks/answer/{token}")];

#[tokio::test]
async fn exactly_these_doors_are_open_and_a_link_that_is_none_leads_nowhere() {
    let open: Vec<(&str, &str)> = doors()
        .iter()
        .filter(|door| matches!(door.entry, Entry::Anybody | Entry::Link))
        .map(|door| (door.method, door.path))
        .collect();
    assert_eq!(open, OPEN);
    let house = House::open().await;
    let before = house.rows().await;
    for word in [NOBODY, "anna@mail.example", &"A".repeat(76), &"A".repeat(5000), "..%2f..%2fkeys"]
    {
        let address = format!("/v1/tasks/answer/{word}");
        for method in ["GET", "POST"] {
            let request = house.request(method, &address);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = house.send(request.body("form=1.00&act=show")).await;
            assert!([404, 403].contains(&answer.status.as_u16()), "{method} {}", answer.text());
            assert!(answer.header("content-type").starts_with("text/html"), "{method}");
        }
        // A form that another page sends goes nowhere.
        let forged = house.request("POST", &address).header("sec-fetch-site", "cross-site");
        assert_eq!(house.send(forged).await.status.as_u16(), 403);
        let other = house.send(house.request("DELETE", &address)).await;
        assert_eq!(other.status.as_u16(), 405);
    }
    assert_eq!(house.rows().await, before);
    house.nothing_leaked();
}

#[tokio::test]
async fn links_are_not_guessed_and_who_tries_keeps_nobody_out() {
    let house = House::open().await;
    let mut slowed = 0;
    for number in 0..150 {
        let address = format!("/v1/tasks/answer/{number:076}");
        let answer = house.send(house.request("GET", &address)).await;
        match answer.status.as_u16() {
            404 => {}
            429 => slowed += 1,
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 10, "{slowed}");
    house.get("auditor", "/v1/rules").await.expect(200);
}

#[tokio::test]
async fn without_a_token_nothing_is_served_but_what_is_open() {
    let house = House::open().await;
    let before = house.rows().await;
    let mut asked = 0;
    for door in doors().iter().filter(|door| door.roles().is_some()) {
        let mut request = house.request(door.method, &address(door));
        if let Some(body) = body(door) {
            request = request.json(&body);
        }
        let answer = house.send(request).await.expect(401);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{}", door.path);
        asked += 1;
    }
    let for_others = doors().iter().filter(|door| is_for_others(door)).count();
    assert_eq!(asked, doors().len() - OPEN.len() - for_others);
    // What is not there looks the same, so that nothing can be probed.
    let known = house.send(house.request("GET", "/v1/cases")).await.body;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/admin"),
        ("PUT", "/v1/cases"),
        ("OPTIONS", "/v1/cases"),
    ] {
        let answer = house.send(house.request(method, path)).await.expect(401);
        assert_eq!(answer.body, known, "{method} {path}");
    }
    assert_eq!(house.rows().await, before);
    house.nothing_leaked();
}

#[tokio::test]
async fn wrong_tokens_are_refused() {
    let house = House::open().await;
    let right = token("auditor");
    let short = &right[..right.len() - 1];
    for header in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {short}"),
        format!("Bearer {right}0"),
        format!("Bearer {}", right.to_uppercase()),
        format!("Basic {right}"),
        format!("Token {right}"),
        right.clone(),
        format!("Bearer {right}, Bearer {right}"),
        "Bearer auditor".to_owned(),
        "Bearer file:secrets/auditor".to_owned(),
        format!("Bearer {}", "a".repeat(5000)),
    ] {
        let request = house.request("GET", "/v1/rules").header("authorization", &header);
        house.send(request).await.expect(401);
    }
    let twice = house
        .request("GET", "/v1/rules")
        .header("authorization", format!("Bearer {right}"))
        .header("authorization", format!("Bearer {right}"));
    house.send(twice).await.expect(401);
    let in_the_address = house.request("GET", &format!("/v1/rules?access_token={right}"));
    house.send(in_the_address).await.expect(401);
    house.get("auditor", "/v1/rules").await.expect(200);
    house.nothing_leaked();
}

#[tokio::test]
async fn every_role_comes_through_its_own_doors_and_no_other() {
    let house = House::open().await;
    let before = house.rows().await;
    let mut refused = 0;
    for (role, _) in ROLES {
        for door in doors() {
            let Some(roles) = door.roles() else { continue };
            if roles.iter().any(|one| role_word(*one) == role) {
                continue;
            }
            let answer = house.ask(role, door.method, &address(door), body(door).as_ref()).await;
            let answer = answer.expect(403);
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(role_word(roles[0])), "{role} {}: {error}", door.path);
            refused += 1;
        }
    }
    assert_eq!(house.rows().await, before, "a refused request changed something");
    assert!(refused > 50, "{refused}");
    for (role, _) in ROLES {
        for door in doors() {
            let Some(roles) = door.roles() else { continue };
            if !roles.iter().any(|one| role_word(*one) == role) {
                continue;
            }
            let answer = house.ask(role, door.method, &address(door), body(door).as_ref()).await;
            let status = answer.status.as_u16();
            assert!([200, 201, 404, 422].contains(&status), "{role} {} {status}", door.path);
        }
    }
    house.nothing_leaked();
}

#[tokio::test]
async fn an_auditor_changes_nothing_and_an_event_source_reads_nothing() {
    for door in doors() {
        let Some(roles) = door.roles() else { continue };
        let open_to = |role: &str| roles.iter().any(|one| role_word(*one) == role);
        assert!(door.method == "GET" || !open_to("auditor"), "{}", door.path);
        assert_eq!(open_to("event-source"), door.path == "/v1/events", "{}", door.path);
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_nobody_out() {
    let house = House::open().await;
    let mut slowed = 0;
    for number in 0..150 {
        let guess = format!("guess-number-{number:032}");
        let answer = house.send(house.request("GET", "/v1/rules").bearer_auth(guess)).await;
        match answer.status.as_u16() {
            401 => {}
            429 => {
                assert_eq!(answer.header("retry-after"), "1");
                slowed += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(slowed > 10, "{slowed}");
    house.get("auditor", "/v1/rules").await.expect(200);
}

#[tokio::test]
async fn other_methods_and_addresses_are_named_as_such() {
    let house = House::open().await;
    let answer = house.ask("operator", "PUT", "/v1/holds", None).await.expect(405);
    let allowed = answer.header("allow").to_owned();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    let options = house.ask("operator", "OPTIONS", "/v1/pauses", None).await.expect(204);
    assert!(options.header("allow").contains("DELETE"));
    let head = house.ask("auditor", "HEAD", "/v1/rules", None).await.expect(200);
    assert!(head.body.is_empty() && head.header("content-type") == "application/json");
    for path in ["/", "/v1", "/v2/rules", "/v1/rules/", "/v1//rules", "/log", "/console"] {
        house.get("auditor", path).await.expect(404);
    }
}
