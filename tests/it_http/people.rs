//! What people decide: holds, pauses, approvals, cancellations; and that what they decided is
//! carried through.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::house::{House, token};

#[tokio::test]
async fn a_hold_keeps_what_it_names_and_never_says_whom() {
    let house = House::open().await;
    let hold = json!({
        "matter": "LIT-2026-7",
        "reason": "lawsuit",
        "review_on": "2027-06-01",
        "scope": {"subject": {"identity": "email", "value": "anna@mail.example"}},
    });
    let placed = house.post("operator", "/v1/holds", &hold).await.expect(201).json();
    let record = json!({
        "matter": "LIT-2026-8",
        "reason": "lawsuit",
        "scope": {"system": "crm", "collection": "customers", "record": {"id": 471_100_815}},
    });
    house.post("operator", "/v1/holds", &record).await.expect(201);
    let holds = house.get("auditor", "/v1/holds").await.expect(200).json();
    assert_eq!(holds["holds"][0]["matter"], "LIT-2026-7");
    assert_eq!(holds["holds"][0]["names_record_or_person"], true);
    assert_eq!(holds["holds"][0]["placed_by"], "night-shift");
    assert_eq!(holds["holds"][0]["review_on"], "2027-06-01");

    let opened = house.post("operator", "/v1/cases", &json!({})).await.expect(201).json();
    assert_eq!(opened["state"], "executing", "only one record is left to delete");
    house.work().await;
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers WHERE id > 100").await, 1);
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers WHERE id = 2").await, 0);
    let case = format!("/v1/cases/{}", opened["case"].as_str().unwrap());
    house.get("auditor", &case).await.expect(200);

    let id = placed["hold"].as_str().unwrap();
    let release = |name: &str| format!("/v1/holds/{name}/release");
    house.post("operator", &release("nothing"), &json!({})).await.expect(404);
    house.post("operator", &release("bert@mail.example"), &json!({})).await.expect(404);
    house.ask("operator", "POST", &release(id), None).await.expect(200);
    house.post("operator", &release(id), &json!({})).await.expect(404);
    // A matter stands in no address: servers and proxies write those down.
    house.post("operator", &release("LIT-2026-8"), &json!({})).await.expect(404);
    let all_of = |matter: &str| json!({ "matter": matter });
    house.post("operator", "/v1/holds/release", &all_of("nothing")).await.expect(404);
    house.post("auditor", "/v1/holds/release", &all_of("LIT-2026-8")).await.expect(403);
    let released =
        house.post("operator", "/v1/holds/release", &all_of("LIT-2026-8")).await.expect(200);
    assert_eq!(released.json()["released"], 1);
    assert_eq!(house.get("auditor", "/v1/holds").await.json()["holds"], json!([]));
    let all = house.get("auditor", "/v1/holds?all=true").await.expect(200).json();
    assert_eq!(all["holds"][0]["released_by"], "night-shift");
    house.nothing_leaked();
}

#[tokio::test]
async fn scopes_that_do_not_fit_are_refused_and_not_repeated() {
    let house = House::open().await;
    for scope in [
        json!({}),
        json!({"system": "unknown"}),
        json!({"system": "crm", "everything": true}),
        json!({"system": "crm", "collection": "unknown"}),
        json!({"category": "unknown"}),
        json!({"record": {"id": 1}}),
        json!({"system": "crm", "collection": "customers", "record": {"id": "anna@mail.example"}}),
        json!({"system": "crm", "collection": "customers", "record": {"email": "anna@mail.example"}}),
        json!({"subject": {"identity": "anna@mail.example", "value": 1}}),
        json!({"subject": {"identity": "email", "value": ["anna@mail.example"]}}),
        json!({"subject": {"identity": "email", "value": "a", "anna@mail.example": 1}}),
        json!({"person": "anna@mail.example"}),
    ] {
        let hold = json!({"matter": "m", "reason": "r", "scope": scope});
        house.post("operator", "/v1/holds", &hold).await.expect(422);
    }
    let no_reason = json!({"matter": "m", "reason": " ", "scope": {"everything": true}});
    house.post("operator", "/v1/holds", &no_reason).await.expect(422);
    assert_eq!(house.count("SELECT COUNT(*) FROM holds").await, 0);
    house.nothing_leaked();
}

#[tokio::test]
async fn pauses_begin_and_end_once() {
    let house = House::open().await;
    let pause = json!({"scope": "rule", "name": "contact-after-contract", "reason": "checking"});
    let first = house.post("operator", "/v1/pauses", &pause).await.expect(201).json();
    assert_eq!(first["new"], true);
    let second = house.post("operator", "/v1/pauses", &pause).await.expect(200).json();
    assert_eq!(second["new"], false);
    let list = house.get("auditor", "/v1/pauses").await.expect(200).json();
    assert_eq!(list["pauses"][0]["paused"], "rule contact-after-contract");
    for wrong in [
        json!({"scope": "rule", "name": "unknown", "reason": "r"}),
        json!({"scope": "world", "reason": "r"}),
        json!({"scope": "everything"}),
        json!({"scope": "everything", "reason": "r", "by": "somebody else"}),
    ] {
        house.post("operator", "/v1/pauses", &wrong).await.expect(422);
    }
    let path = "/v1/pauses?scope=rule&name=contact-after-contract";
    let ended = house.ask("operator", "DELETE", path, None).await.expect(200).json();
    assert_eq!(ended["resumed"], true);
    let again = house.ask("operator", "DELETE", path, None).await.expect(200).json();
    assert_eq!(again["resumed"], false);
    assert_eq!(house.get("auditor", "/v1/pauses").await.json()["pauses"], json!([]));
}

#[tokio::test]
async fn a_restored_system_is_in_quarantine_until_everything_is_done_again() {
    let house = House::open().await;
    let restore = json!({
        "system": "crm", "taken_at": "2026-01-01T00:00:00Z", "copy": "nightly/7", "reason": "OPS-7",
    });
    for (wrong, value) in [
        ("system", json!("unknown")),
        ("taken_at", json!("2090-01-01T00:00:00Z")),
        ("taken_at", json!("yesterday")),
        ("reason", json!("ask anna@mail.example")),
        ("copy", json!("anna@mail.example")),
        ("by", json!("somebody else")),
    ] {
        let mut body = restore.clone();
        body[wrong] = value;
        house.post("operator", "/v1/restores", &body).await.expect(422);
    }
    assert_eq!(house.get("auditor", "/v1/restores").await.json()["restores"], json!([]));
    let begun = house.post("operator", "/v1/restores", &restore).await.expect(201).json();
    house.post("operator", "/v1/restores", &restore).await.expect(422);
    let list = house.get("auditor", "/v1/restores").await.expect(200).json();
    let one = &list["restores"][0];
    assert_eq!((&one["state"], &one["copy"]), (&json!("quarantined"), &json!("nightly/7")));
    let numbers = house.get("auditor", "/metrics").await.expect(200).text();
    assert!(numbers.contains("quietus_systems_in_quarantine{announced=\"true\"} 1"), "{numbers}");
    let path = format!("/v1/restores/{}", begun["restore"].as_str().unwrap());
    let open = format!("{path}/open");
    let refused = house.post("operator", &open, &json!({})).await.expect(422);
    assert!(refused.text().contains("stays in quarantine"), "{}", refused.text());
    if begun["waits_for_approval"] == true {
        let case = begun["case"].as_str().unwrap();
        let reason = json!({"reason": "looked at the plan"});
        house.post("approver", &format!("/v1/cases/{case}/approve"), &reason).await.expect(200);
    }
    house.work().await;
    let opened = house.post("operator", &open, &json!({})).await.expect(200).json();
    assert_eq!(opened["came_back"], 0);
    let certificate = opened["certificate"].as_str().unwrap();
    let shown = house.get("auditor", &format!("/v1/certificates/{certificate}")).await.expect(200);
    assert_eq!(shown.json()["class"], "restore");
    assert_eq!(house.get("auditor", &path).await.expect(200).json()["state"], "opened");
    house.post("operator", &open, &json!({})).await.expect(404);
    house.nothing_leaked();
}

#[tokio::test]
async fn a_certificate_is_withdrawn_and_corrected_once() {
    let house = House::open().await;
    let (_, id) = house.certified().await;
    let correct = format!("/v1/certificates/{id}/correction");
    let wrong = json!({"what_was_wrong": "the counts were of another day"});
    let refused = house.post("approver", &correct, &wrong).await.expect(409);
    assert!(refused.text().contains("only a withdrawn one is corrected"), "{}", refused.text());
    let declared = json!({"status": "withdrawn", "reason": "the counts were of another day"});
    let status = format!("/v1/certificates/{id}/status");
    house.post("operator", &status, &declared).await.expect(200);
    house.post("operator", &correct, &json!({})).await.expect(422);
    let named = json!({"what_was_wrong": "grace@mail.example"});
    house.post("operator", &correct, &named).await.expect(422);
    house.post("auditor", &correct, &wrong).await.expect(403);
    let corrected = house.post("operator", &correct, &wrong).await.expect(200).json();
    assert_eq!(corrected["corrects"], id.as_str());
    assert_eq!(corrected["on_record_only"], json!([]));
    let second = corrected["certificate"].as_str().unwrap();
    let facts = house.get("auditor", &format!("/v1/certificates/{second}")).await.expect(200);
    assert_eq!(facts.json()["class"], "correction");
    assert_eq!(facts.json()["overall"], corrected["says"]);
    house.post("operator", &correct, &wrong).await.expect(409);
    house.nothing_leaked();
}

#[tokio::test]
async fn a_case_is_approved_or_called_off_once_and_for_a_reason() {
    let house = House::open().await;
    let open = async || {
        let opened = house.post("operator", "/v1/cases", &json!({"schedules": ["nightly"]})).await;
        format!("/v1/cases/{}", opened.expect(201).json()["case"].as_str().unwrap())
    };
    let case = open().await;
    let reason = json!({"reason": "looked at it"});
    house.post("approver", &format!("{case}/approve"), &json!({})).await.expect(422);
    house.post("approver", &format!("{case}/approve"), &json!({"reason": ""})).await.expect(422);
    let forged = json!({"reason": "r", "by": "somebody else"});
    house.post("approver", &format!("{case}/approve"), &forged).await.expect(422);
    house.post("operator", &format!("{case}/cancel"), &reason).await.expect(200);
    house.post("operator", &format!("{case}/cancel"), &reason).await.expect(409);
    house.post("approver", &format!("{case}/approve"), &reason).await.expect(409);
    assert_eq!(house.get("auditor", &case).await.json()["cancelled"]["by"], "night-shift");
    house.work().await;
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers").await, 3, "nothing was deleted");

    let case = open().await;
    house.post("approver", &format!("{case}/approve"), &reason).await.expect(200);
    house.post("approver", &format!("{case}/approve"), &reason).await.expect(409);
    let record = house.get("auditor", &case).await.expect(200).json();
    let job = record["jobs"][0]["id"].as_str().unwrap();
    house.ask("operator", "POST", &format!("/v1/jobs/{job}/retry"), None).await.expect(409);
    let future = json!({"as_of": "2126-01-01T00:00:00Z"});
    house.post("operator", "/v1/cases", &future).await.expect(422);
    house.post("operator", "/v1/cases", &json!({"schedules": ["unknown"]})).await.expect(422);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_half_done() {
    let house = House::open().await;
    for number in 0..20 {
        let body =
            json!({"matter": format!("m-{number}"), "reason": "r", "scope": {"system": "crm"}});
        let body = body.to_string();
        let request = format!(
            "POST /v1/holds HTTP/1.1\r\nHost: quietus\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            token("operator"),
            body.len(),
        );
        let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(number)).await;
        drop(stream);
    }
    house.stop.cancel();
    house.serving.await.unwrap();
    let holds = sample(&house.folder, "SELECT COUNT(*) FROM holds").await;
    let evidence =
        sample(&house.folder, "SELECT COUNT(*) FROM evidence_details WHERE kind = 'hold.placed'")
            .await;
    let version = sample(&house.folder, "SELECT value FROM versions WHERE name = 'holds'").await;
    assert_eq!((holds, holds), (evidence, version));
    assert!(holds > 0, "no request came so far");
}

async fn sample(folder: &tempfile::TempDir, query: &str) -> u64 {
    quietus_connectors::sample::count(&folder.path().join("quietus.db"), query).await.unwrap()
}

#[tokio::test]
async fn after_the_stop_nobody_is_served_and_the_server_ends() {
    let house = House::open().await;
    house.get("auditor", "/v1/rules").await.expect(200);
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(8), house.serving).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(house.address).await.is_err());
}
