//! The log in a bucket of an S3-compatible store: exported, fetched, and never written over.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use quietus::app::audit::Sought;
use quietus::app::{Actor, Quietus};
use quietus::config::ExportPlace;
use quietus::telemetry::SystemClock;
use quietus_connectors::objects::{Bucket, BucketSettings};
use uuid::Uuid;

use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap};

#[expect(clippy::disallowed_methods, reason = "the environment says where the test servers are")]
fn told(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run tests/run, which starts it"))
}

fn host() -> String {
    told("QUIETUS_TEST_S3").trim_start_matches("http://").to_owned()
}

/// A place that no other test has.
fn place(company: &Company) -> String {
    let own = company.path("").file_name().unwrap().to_string_lossy().replace('.', "");
    format!("s3://{}/{own}-{}", told("QUIETUS_TEST_S3_BUCKET"), std::process::id())
}

async fn certified(more: &str) -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    company.write_secret("access", &told("QUIETUS_TEST_S3_ACCESS_KEY"));
    company.write_secret("secret", &told("QUIETUS_TEST_S3_SECRET_KEY"));
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}{}{more}", store("secret")));
    company.quietus(&["run", "--once"]).await.expect(0);
    company
}

fn store(secret: &str) -> String {
    let (endpoint, host) = (told("QUIETUS_TEST_S3"), host());
    format!(
        "object_store:\n  endpoint: {endpoint}\n  private_hosts: ['{host}']\n  \
         access_key: file:secrets/access\n  secret_key: file:secrets/{secret}\n"
    )
}

/// Every file below a folder, by its name from there on.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn bucket(place: &str) -> Bucket {
    Bucket::open(&BucketSettings {
        who: "test".to_owned(),
        place: place.to_owned(),
        endpoint: Some(told("QUIETUS_TEST_S3")),
        region: "us-east-1".to_owned(),
        addressing: None,
        access_key: told("QUIETUS_TEST_S3_ACCESS_KEY").into(),
        secret_key: told("QUIETUS_TEST_S3_SECRET_KEY").into(),
        session_token: None,
        private_hosts: vec![host()],
        trust: None,
        now: Arc::new(|| quietus::domain::Clock::now(&SystemClock)),
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_into_a_bucket_and_comes_back() {
    let company = certified("").await;
    let place = place(&company);
    let out = company.quietus(&["log", "export", "--to", &place]).await.expect(0).out;
    assert!(out.contains(&place) && !out.contains(" 0 of them new"), "{out}");
    let out = company.quietus(&["log", "export", "--to", &place]).await.expect(0).out;
    assert!(out.contains(" 0 of them new"), "{out}");
    let (folder, fetched) = (company.path("export"), company.path("fetched"));
    let (export, back) = (folder.to_str().unwrap(), fetched.to_str().unwrap());
    company.quietus(&["log", "export", export]).await.expect(0);
    company.quietus(&["log", "fetch", &place, back]).await.expect(0);
    assert_eq!(files(&fetched), files(&folder), "the same files, byte by byte");
    company.quietus(&["audit", "replay", "--from", back]).await.expect(0);

    // The log grows; only what is new is put, and only what is missing fetched.
    company.quietus(&["audit", "find", "--identity", "email=nobody@mail.example"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["log", "export", "--to", &place]).await.expect(0);
    let out = company.quietus(&["log", "fetch", &place, back]).await.expect(0).out;
    assert!(!out.contains(" 0 were there"), "{out}");
    company.quietus(&["log", "export", export]).await.expect(0);
    let (fetched, exported) = (files(&fetched), files(&folder));
    for (name, content) in &exported {
        assert_eq!(fetched.get(name), Some(content), "{name}");
    }
    company.quietus(&["audit", "replay", "--from", back]).await.expect(0);
    let size = company.signed().0;
    let replayed = company.quietus(&["audit", "replay", "--from", back]).await.expect(0).out;
    assert!(replayed.contains(&size.to_string()), "{replayed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn published_heads_go_into_a_bucket_by_themselves() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let place = place(&company);
    company.write_secret("access", &told("QUIETUS_TEST_S3_ACCESS_KEY"));
    company.write_secret("secret", &told("QUIETUS_TEST_S3_SECRET_KEY"));
    let instance = company.read("quietus.yaml");
    let export = format!("evidence: {{ export: \"{place}\" }}\n");
    // Without a word on where buckets are, nothing begins.
    company.write("quietus.yaml", &format!("{instance}{export}"));
    let refused = company.quietus(&["run", "--once"]).await.expect(2);
    assert!(refused.err.contains("object_store"), "{}", refused.err);
    company.write("quietus.yaml", &format!("{instance}{export}{}", store("secret")));
    company.quietus(&["run", "--once"]).await.expect(0);
    let back = company.path("fetched");
    company.quietus(&["log", "fetch", &place, back.to_str().unwrap()]).await.expect(0);
    company.quietus(&["audit", "replay", "--from", back.to_str().unwrap()]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_with_other_content_is_not_written_over() {
    let company = certified("").await;
    let place = place(&company);
    let log = company.logs().await[0].rsplit('/').next().unwrap().to_owned();
    let prefix = place.rsplit('/').next().unwrap();
    let key = format!("{prefix}/{log}/tile/0/000.p/{}", company.signed().0);
    let bucket = bucket(&place);
    bucket.put(&key, b"somebody else's").await.unwrap();
    let refused = company.quietus(&["log", "export", "--to", &place]).await.expect(2);
    assert!(refused.err.contains("never written over"), "{}", refused.err);
    assert_eq!(bucket.get(&key).await.unwrap().unwrap(), b"somebody else's");
    let head = bucket.get(&format!("{prefix}/{log}/checkpoint")).await.unwrap();
    assert_eq!(head, None, "no head covers what is not there");
    let nothing = company.quietus(&["log", "fetch", &place, "nowhere"]).await.expect(2);
    assert!(nothing.err.contains("no exported log"), "{}", nothing.err);
    // The head of another log.
    bucket.put(&format!("{prefix}/{log}/checkpoint"), b"other.example/log\n7\n\n").await.unwrap();
    let refused = company.quietus(&["log", "export", "--to", &place]).await.expect(2);
    assert!(refused.err.contains("not an exported copy of this log"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_lead_to_the_setting_and_are_not_shown() {
    let company = certified("").await;
    let place = place(&company);
    let wrong = "espalier-marmot-0815";
    company.write_secret("secret", wrong);
    let failed = company.quietus(&["log", "export", "--to", &place]).await.expect(1);
    assert!(failed.err.contains("`secret_key`") && failed.err.contains("object_store"));
    assert!(!failed.err.contains(wrong), "{}", failed.err);
    let no_place = company.quietus(&["log", "export", "--to", "s3://No_Bucket"]).await;
    assert!(no_place.expect(1).err.contains("is no bucket"));
    company.quietus(&["log", "export"]).await.expect(2);
    let instance = company.read("quietus.yaml");
    let plain = instance.replace("file:secrets/secret", wrong);
    company.write("quietus.yaml", &plain);
    let refused = company.quietus(&["log", "export", "--to", &place]).await.expect(2);
    assert!(refused.err.contains("where a secret is found"), "{}", refused.err);
    assert!(!refused.err.contains(wrong), "{}", refused.err);
    let without = instance.split("object_store:").next().unwrap();
    company.write("quietus.yaml", without);
    let refused = company.quietus(&["log", "export", "--to", &place]).await.expect(2);
    assert!(refused.err.contains("write `object_store`"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_put_back_comes_forward_from_a_bucket() {
    let company = certified("").await;
    let place = place(&company);
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}evidence: {{re_erasure_list: '{place}'}}\n"));
    company.quietus(&["list", "show"]).await.expect(1);
    let out = company.quietus(&["list", "export"]).await.expect(0).out;
    assert!(out.contains("up to date"), "{out}");
    let copy = company.copy_store().await;
    let hold = ["hold", "place", "LIT-1", "--system", "heap", "--reason", "lawsuit", "--by", "Ada"];
    company.quietus(&hold).await.expect(0);
    let pause = ["pause", "system", "heap", "--by", "Grace", "--reason", "test"];
    company.quietus(&pause).await.expect(0);
    let out = company.quietus(&["list", "export"]).await.expect(0).out;
    assert!(out.contains("up to date"), "{out}");
    let versions = bucket(&place).versions("").await.unwrap();
    let prefix = place.rsplit('/').next().unwrap();
    let indices = versions.iter().filter(|one| {
        one.key.starts_with(&format!("{prefix}/re-erasure/")) && one.key.ends_with(".index.json")
    });
    assert_eq!(indices.count(), 1, "earlier indices are gone with all their versions");

    company.put_back(&copy).await;
    company.quietus(&["run", "--once"]).await.expect(1);
    let out = company.quietus(&["recover", &place, "--by", "Ada"]).await.expect(0).out;
    assert!(out.contains("are back"), "{out}");
    company.quietus(&["log", "status"]).await.expect(0);
    let holds = company.quietus(&["hold", "list"]).await.expect(0).out;
    assert!(holds.contains("LIT-1"), "{holds}");
    assert!(company.quietus(&["status"]).await.expect(0).out.contains("paused"));
    assert!(!company.path(".recovered-log").exists(), "what was fetched stays");
    company.check_log().await;
}

/// Two processes export into one bucket while the log grows.
#[tokio::test(flavor = "multi_thread")]
async fn of_exporters_at_once_the_newest_head_stays() {
    let company = certified("").await;
    let place = place(&company);
    let clock = TurnedClock::at_present();
    let (one, other) = (company.replica(&clock).await, company.replica(&clock).await);
    let to = ExportPlace::Bucket(place.clone());
    let ada = Actor("Ada Example".to_owned());
    let export = |product: Arc<Quietus>| {
        let (to, ada) = (&to, &ada);
        async move {
            product.find_evidence(Sought::Certificate(Uuid::nil()), ada).await.unwrap();
            product.advance_log().await.unwrap();
            product.export_logs(to).await.unwrap();
        }
    };
    let log = company.logs().await[0].rsplit('/').next().unwrap().to_owned();
    let key = format!("{}/{log}/checkpoint", place.rsplit('/').next().unwrap());
    for _ in 0..6 {
        tokio::join!(export(Arc::clone(&one)), export(Arc::clone(&other)));
        let head = bucket(&place).get(&key).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(head).unwrap(), company.read("keys/log.head"));
    }
}
