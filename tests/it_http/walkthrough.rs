//! From the wish to erase to what an auditor reads of it and checks without us.

use std::collections::BTreeMap;

use quietus::domain::Digest;
use quietus::evidence::verify::{Material, Source, verify};
use serde_json::json;

use super::house::{House, log};

#[tokio::test]
async fn an_auditor_reads_and_verifies_what_was_done() {
    let house = House::open().await;
    let (case, id) = house.certified().await;
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers").await, 1);

    let list = house.get("auditor", "/v1/certificates").await.expect(200).json();
    assert_eq!(list["certificates"][0]["id"], id.as_str());
    assert_eq!(list["next"], json!(null));
    let facts = house.get("auditor", &format!("/v1/certificates/{id}")).await.expect(200).json();
    assert_eq!(facts["case_id"], case.as_str());
    assert_eq!(facts["state"], "logged");
    assert!(facts["overall"].as_str().unwrap().starts_with("complete"), "{facts}");

    let part = async |name: &str| {
        house.get("auditor", &format!("/v1/certificates/{id}/{name}")).await.expect(200)
    };
    let statement = part("statement").await;
    assert_eq!(statement.header("content-type"), "application/vnd.in-toto+json");
    assert_eq!(facts["statement_sha256"], Digest::of(&statement.body).to_string());
    let manifest = part("manifest").await;
    assert_eq!(facts["manifest_sha256"], Digest::of(&manifest.body).to_string());
    let subject = &statement.json()["subject"][0]["digest"]["sha256"];
    assert_eq!(*subject, facts["manifest_sha256"]);
    let bundle = part("bundle").await;
    assert_eq!(bundle.header("content-type"), "application/vnd.dev.sigstore.bundle.v0.3+json");

    let folder = part("export").await.json();
    let mut files = BTreeMap::new();
    for file in folder["files"].as_array().unwrap() {
        let answer = house.get("auditor", file["address"].as_str().unwrap()).await.expect(200);
        assert_eq!(file["bytes"], answer.body.len());
        assert!(answer.header("content-disposition").starts_with("attachment"));
        files.insert(file["name"].as_str().unwrap().to_owned(), answer.body);
    }
    assert_eq!(files["certificate.sigstore.json"], bundle.body);
    assert_eq!(files["manifest.json"], manifest.body);
    let material = Material {
        bundle: &bundle.body,
        trusted_root: Some((&files["trusted_root.json"], Source::Given)),
        issuer_key: Some((&files["issuer.pub.pem"], Source::Given)),
        manifest: Some(&manifest.body),
        ..Material::default()
    };
    let verdict = verify(&material);
    assert!(verdict.passed(), "{:?}", verdict.steps);
    let certificate = verdict.certificate.unwrap();
    assert_eq!(certificate.predicate.certificate_id.to_string(), id);
    // Records as a whole are stated once for each collection, beside its categories.
    let records = certificate.predicate.statements.iter().filter(|one| one.category.is_none());
    assert_eq!(records.map(|one| one.records.deleted.0).sum::<u64>(), 2);

    printed_forms_are_those_of_the_folder(&house, &id, &files).await;
    house.get("auditor", &format!("/v1/certificates/{id}/export/passwd")).await.expect(404);
    house.nothing_leaked();
}

async fn printed_forms_are_those_of_the_folder(
    house: &House,
    id: &str,
    files: &BTreeMap<String, Vec<u8>>,
) {
    let part = async |name: &str| {
        house.get("auditor", &format!("/v1/certificates/{id}/{name}")).await.expect(200)
    };
    assert_eq!(part("text").await.body, files["certificate.txt"]);
    let page = part("html").await;
    assert_eq!(page.body, files["certificate.html"]);
    // The header lets the page run what the page itself names, and nothing else.
    let policy = page.header("content-security-policy");
    let own = policy.strip_suffix("; frame-ancestors 'none'").unwrap_or_default();
    assert!(!own.is_empty(), "{policy}");
    assert!(String::from_utf8_lossy(&page.body).contains(own), "{policy}");
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let pdf = part("pdf").await;
    assert_eq!(pdf.header("content-type"), "application/pdf");
    assert_eq!(pdf.body, files["certificate.pdf"]);
    let german = part("text?language=de-AT").await.body;
    assert!(String::from_utf8_lossy(&german).starts_with("LÖSCHBESCHEINIGUNG"));
    let folder = part("export?language=zh").await.json();
    for file in folder["files"].as_array().unwrap() {
        let answer = house.get("auditor", file["address"].as_str().unwrap()).await.expect(200);
        assert_eq!(file["bytes"], answer.body.len(), "{}", file["address"]);
    }
    for query in ["language=tlh", "tongue=de"] {
        house.get("auditor", &format!("/v1/certificates/{id}/text?{query}")).await.expect(422);
    }
}

#[tokio::test]
async fn certificates_are_found_by_what_they_speak_of() {
    let house = House::open().await;
    let (case, first) = house.certified().await;
    let opened = house.post("operator", "/v1/cases", &json!({})).await.expect(201);
    assert_eq!(opened.json()["state"], "executing");
    house.work().await;
    let found = async |query: &str| -> Vec<String> {
        let list = house.get("auditor", &format!("/v1/certificates?{query}")).await.expect(200);
        let list = list.json()["certificates"].clone();
        list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = found("").await;
    assert_eq!(all.len(), 2);
    assert!(all.contains(&first));
    assert_eq!(found("system=crm&rule=contact-after-contract&text=CONTACT").await.len(), 2);
    assert_eq!(found("system=billing").await.len(), 0);
    assert_eq!(found("text=%25").await.len(), 0);
    assert_eq!(found(&format!("case={case}")).await, [first]);
    assert_eq!(found("from=2026-11-23T12:00:00Z&to=2026-11-23T12:00:01Z").await.len(), 2);
    assert_eq!(found("to=2026-11-23T12:00:00Z").await.len(), 0);
    let page = house.get("auditor", "/v1/certificates?limit=1").await.expect(200).json();
    assert_eq!(page["certificates"][0]["id"], all[0].as_str());
    assert_eq!(page["next"], all[0].as_str());
    assert_eq!(found(&format!("limit=1&before={}", all[0])).await, [all[1].clone()]);
    let end = house.get("auditor", &format!("/v1/certificates?before={}", all[1])).await;
    assert_eq!(end.expect(200).json(), json!({"certificates": [], "next": null}));
}

#[tokio::test]
async fn rules_and_map_are_read_in_force_and_on_record() {
    let house = House::open().await;
    let rules = house.get("auditor", "/v1/rules").await.expect(200).json();
    assert_eq!(rules["rules"][0]["name"], "contact-after-contract");
    assert_eq!(rules["rules"][0]["period"], "P90D");
    assert_eq!(rules["rules"][0]["cap"]["records"], 1);
    assert_eq!(rules["schedules"]["nightly"]["cron"], "30 2 * * *");
    let digest = rules["digest"].as_str().unwrap();
    let kept = house.get("author", &format!("/v1/rules/{digest}")).await.expect(200).json();
    assert!(kept[0]["text"].as_str().unwrap().contains("rule: notes-after-contract"));
    let map = house.get("auditor", "/v1/map").await.expect(200).json();
    let fields = &map["systems"][0]["collections"][0]["fields"];
    assert_eq!(fields["email"]["category"], "account.contact");
    assert_eq!(fields["email"]["identity"], "email");
    let digest = map["digest"].as_str().unwrap();
    let kept = house.get("auditor", &format!("/v1/map/{digest}")).await.expect(200).json();
    let kept = kept.as_array().unwrap();
    assert!(kept.iter().any(|one| one["text"].as_str().unwrap().contains("system: crm")));
    house.nothing_leaked();
}

#[tokio::test]
async fn a_case_is_read_with_plan_jobs_attempts_and_evidence() {
    let house = House::open().await;
    let (case, id) = house.certified().await;
    let record = house.get("auditor", &format!("/v1/cases/{case}")).await.expect(200).json();
    assert_eq!(record["opened_by"], "night-shift");
    assert_eq!(record["approved"]["by"], "second-person");
    assert_eq!(record["state"], "closed");
    assert_eq!(record["certificate"], id.as_str());
    assert_eq!(record["plan"]["systems"][0]["counts"]["collections"][0]["delete"], 2);
    assert_eq!(record["plan"]["exceeded"][0]["rule"], "contact-after-contract");
    assert_eq!(record["jobs"][0]["state"], "completed");
    assert_eq!(record["jobs"][0]["attempts"][0]["result"], "completed");
    let list = house.get("auditor", "/v1/cases?state=closed&limit=1").await.expect(200).json();
    assert_eq!(list["cases"][0]["id"], case.as_str());

    let path = format!("/v1/evidence/cases/{case}");
    let evidence = house.get("auditor", &path).await.expect(200).json();
    let entries = evidence["entries"].as_array().unwrap();
    let kinds: Vec<&str> = entries.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    for kind in ["case.opened", "case.approved", "step.started", "erasure.step", "case.closed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    for entry in entries {
        let detail = entry["detail"].as_str().unwrap();
        assert_eq!(entry["detail_sha256"], Digest::of(detail.as_bytes()).to_string());
        assert!(entry["leaf_index"].is_u64());
    }
    let page = house.get("auditor", &format!("{path}?limit=2")).await.expect(200).json();
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (2, &json!(2)));
    let rest = house.get("auditor", &format!("{path}?from=2")).await.expect(200).json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), entries.len() - 2);
    assert_eq!(rest["next"], json!(null));

    // The log names the door and the token, never the address as it came.
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    let line = r#"method="GET" address="/v1/cases/{id}" status=200"#;
    let line = log.lines().find(|one| one.contains(line)).unwrap();
    assert!(line.contains(r#"token="audit""#), "{line}");
    assert!(!log.contains(&format!("/v1/cases/{case}")));
    house.nothing_leaked();
}

#[tokio::test]
async fn a_forecast_counts_and_changes_nothing() {
    let house = House::open().await;
    let before = house.rows().await;
    let plan = house.get("approver", "/v1/plan?system=crm&schedule=nightly").await.expect(200);
    let plan = plan.json();
    assert_eq!(plan["systems"][0]["counts"]["collections"][0]["delete"], 2);
    assert_eq!(plan["exceeded"][0]["would_change"], 2);
    let early = house.get("author", "/v1/plan?at=2025-01-02T00:00:00Z").await.expect(200).json();
    assert_eq!(early["systems"][0]["counts"]["collections"][0]["delete"], 0);
    assert_eq!(house.rows().await, before);
    assert_eq!(house.customers("SELECT COUNT(*) FROM customers").await, 3);
    house.nothing_leaked();
}
