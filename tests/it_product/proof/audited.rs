//! What an auditor does with the log: count it anew, draw a sample, find certificates.

use jiff::ToSpan as _;
use quietus::domain::{Clock as _, Ids as _};
use quietus::evidence::signing::seal;
use quietus::evidence::{IssuerKey, hashedrekord};
use quietus::store::OutboxEntry;
use quietus::telemetry::{SystemClock, SystemIds};
use secrecy::SecretString;
use serde_json::Value;

use super::restored::on_both;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap, identifier_in};

async fn certified(store: Kind) -> Company {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company
}

async fn counted_anew(store: Kind) {
    let company = certified(store).await;
    let out = company.quietus(&["audit", "replay"]).await.expect(0).out;
    for words in ["example-company/evidence/2", "log.opened", "certificate", "everything fits"] {
        assert!(out.contains(words), "`{words}` is missing in {out}");
    }
    assert!(!out.contains("no detail") && !out.contains("unknown"), "{out}");
    company.quietus(&["audit", "replay", "--details"]).await.expect(0);

    // The same from files, once with the instance and once with what an auditor has.
    let export = company.path("export");
    let export = export.to_str().unwrap();
    company.quietus(&["log", "export", export]).await.expect(0);
    company.quietus(&["audit", "replay", "--from", export]).await.expect(0);
    let certificate = company.path("certificate");
    let to = certificate.to_str().unwrap();
    company.quietus(&["certificate", "export", "latest", "--to", to]).await.expect(0);
    let root = certificate.join("trusted_root.json");
    let by_root = ["audit", "replay", "--from", export, "--trusted-root", root.to_str().unwrap()];
    let elsewhere = async || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_quietus"));
        command.env_clear().current_dir("/").args(by_root);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        crate::company::ended(command).await
    };
    let out = elsewhere().await.expect(0).out;
    assert!(out.contains("1 have the root of their entries"), "{out}");

    // One byte of an entry, of a tile.
    let log = company.path("export").join(company.logs().await[0].rsplit('/').next().unwrap());
    let size = company.signed().0;
    for file in [format!("tile/entries/000.p/{size}"), format!("tile/0/000.p/{size}")] {
        let path = log.join(&file);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[20] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let out = elsewhere().await.expect(1).out;
        assert!(out.contains("does not fit") && out.contains("tile/0/000.p"), "{out}");
        std::fs::write(&path, good).unwrap();
    }
    elsewhere().await.expect(0);
    let nothing = company.path("nothing");
    let none = company.quietus(&["audit", "replay", "--from", nothing.to_str().unwrap()]).await;
    assert!(none.expect(2).err.contains("quietus log export"));
}

/// Whoever can write into the database changes an entry, past the triggers.
async fn a_changed_entry_is_found(store: Kind) {
    let company = certified(store).await;
    match store {
        Kind::Sqlite => {
            company.store_rows("DROP TRIGGER log_leaves_no_update").await;
        }
        _ => {
            company.store_rows("ALTER TABLE log_leaves DISABLE TRIGGER USER").await;
        }
    }
    company.store_rows("UPDATE log_leaves SET body = leaf_hash WHERE idx = 2").await;
    let out = company.quietus(&["audit", "replay"]).await.expect(1).out;
    for words in ["entry 2 has another hash", "tile/0/000.p", "has another root", "not everything"]
    {
        assert!(out.contains(words), "`{words}` is missing in {out}");
    }
    let all = ["audit", "sample", "--seed", "any", "--count", "1000", "--format", "json"];
    let sample = company.quietus(&all).await.expect(1).json();
    let unproven: Vec<&Value> = sample["leaves"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|leaf| leaf["proven"] == false)
        .collect();
    assert_eq!(unproven.len(), 1);
    assert_eq!(unproven[0]["index"], 2);
}

async fn a_sample_is_opened(store: Kind) {
    let company = certified(store).await;
    let token = company.path("token");
    std::fs::write(&token, b"a token of after the period").unwrap();
    let draw =
        ["audit", "sample", "--token", token.to_str().unwrap(), "--count", "4", "--format", "json"];
    let sample = company.quietus(&draw).await.expect(0).json();
    let leaves = sample["leaves"].as_array().unwrap();
    assert_eq!(leaves.len(), 4);
    let index = |leaf: &Value| leaf["index"].as_u64().unwrap();
    let again = company.quietus(&draw).await.expect(0).json();
    assert_eq!(sample["leaves"], again["leaves"], "a draw can be repeated");
    let seeded = ["audit", "sample", "--seed", "other", "--count", "4", "--format", "json"];
    let other = company.quietus(&seeded).await.expect(0).json();
    let indexes = |sample: &Value| -> Vec<u64> {
        sample["leaves"].as_array().unwrap().iter().map(index).collect()
    };
    assert_ne!(indexes(&sample), indexes(&other));
    let bodies = company.leaves_of(sample["log"].as_str().unwrap()).await;
    for leaf in leaves {
        assert_eq!(leaf["proven"], true);
        let body = &bodies[usize::try_from(index(leaf)).unwrap()];
        if leaf["state"] == "opened" {
            let detail = leaf["detail"].as_str().unwrap();
            let digest = quietus::domain::Digest::of(detail.as_bytes()).to_string();
            assert!(String::from_utf8_lossy(body).contains(&digest));
        } else {
            let state = leaf["state"].as_str().unwrap();
            assert!(["certificate", "statusList"].contains(&state), "{leaf:#}");
        }
    }
    let nowhere = ["audit", "sample", "--seed", "x", "--of", "1999"];
    assert!(company.quietus(&nowhere).await.expect(2).err.contains("no such log"));
}

/// T4: whoever has stolen the issuer's key signs a certificate, which counts only with an entry in
/// the log; and an entry that belongs to no certificate of the store is counted and drawn.
async fn a_certificate_that_nobody_issued_is_counted(store: Kind) {
    let company = certified(store).await;
    let soon = SystemClock.now().checked_add(1.minute()).unwrap();
    let product = company.replica(&TurnedClock::at(&soon.to_string())).await;
    let stolen = SecretString::from(company.read("keys/issuer.pem"));
    let stolen = IssuerKey::from_pem(&stolen).unwrap();
    let forged = seal(b"{\"_type\":\"forged\"}".to_vec(), &stolen).unwrap();
    let entry = OutboxEntry {
        entry_id: SystemIds.new_id(),
        case_id: None,
        job_id: None,
        kind: "certificate".to_owned(),
        body: hashedrekord::leaf(&forged, &stolen.public()),
        detail: None,
        numbered: None,
    };
    company.quietus(&["audit", "replay"]).await.expect(0);
    product.store.record_evidence(vec![entry], soon).await.unwrap();
    product.advance_log().await.unwrap();
    let out = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(out.contains("1 entries of certificates that the store does not have"), "{out}");
    let all = ["audit", "sample", "--seed", "any", "--count", "1000"];
    let out = company.quietus(&all).await.expect(1).out;
    assert!(out.contains("MISSING"), "{out}");
}

async fn certificates_are_found_and_nobody_is_named(store: Kind) {
    let company = certified(store).await;
    let to = company.path("certificate");
    let folder = to.to_str().unwrap();
    company.quietus(&["certificate", "export", "latest", "--to", folder]).await.expect(0);
    let id = identifier_in(&company.quietus(&["certificate", "list"]).await.expect(0).out);
    // The subject of a scheduled disposal is its manifest, as a person's is their opening.
    let manifest = to.join("manifest.json");
    let subject = ["audit", "find", "--opening", manifest.to_str().unwrap(), "--format", "json"];
    let found = company.quietus(&subject).await.expect(0).json();
    assert_eq!(found[0]["certificate"], id.as_str());
    assert_eq!(found[0]["proven"], true);
    let by_id = ["audit", "find", "--certificate", &id, "--by", "Grace", "--format", "json"];
    assert_eq!(company.quietus(&by_id).await.expect(0).json(), found);
    std::fs::write(&manifest, b"{}").unwrap();
    assert_eq!(company.quietus(&subject).await.expect(0).json(), serde_json::json!([]));

    let secret = "person7@mail.example";
    let identity = format!("email={secret}");
    let person = ["audit", "find", "--identity", &identity];
    let out = company.quietus(&person).await.expect(0).out;
    assert!(out.contains("no certificate was found"), "{out}");
    let looked = "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'audit.lookup'";
    assert_eq!(company.store_rows(looked).await, ["4"]);
    let opened =
        company.quietus(&["audit", "sample", "--seed", "x", "--count", "1000"]).await.expect(0).out;
    assert!(opened.contains("lookedFor") && !opened.contains(secret), "{opened}");
    company.quietus(&["audit", "find"]).await.expect(2);
}

on_both! {
    counted_anew
    a_changed_entry_is_found
    a_sample_is_opened
    a_certificate_that_nobody_issued_is_counted
    certificates_are_found_and_nobody_is_named
}
