//! The instance's keys and its log cannot be swapped, lost or rewritten without a word.

mod audited;
mod bucket;
mod corrections;
mod heartbeats;
mod issuers;
mod manifests;
mod pkcs11;
pub mod restored;
mod status;
mod tokens;
mod trust;
mod yearly;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus::store::CertificateFilter;

use crate::company::database::{Kind, take_away};
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap};

/// A company with one certificate; everything that follows happens to its files and its store.
async fn certified() -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company
}

async fn refused(company: &Company, words: &[&str]) {
    let ended = company.quietus(&["status"]).await;
    assert_ne!(ended.code, 0, "{}", ended.out);
    for word in words {
        assert!(ended.err.contains(word), "`{word}` is missing in {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_is_missed_and_never_made_anew() {
    let company = certified().await;
    for key in ["log.pem", "issuer.pem", "vault.key"] {
        let (path, aside) = (company.path(&format!("keys/{key}")), company.path("aside"));
        std::fs::rename(&path, &aside).unwrap();
        refused(&company, &[key, "missing", "restore it from your copy"]).await;
        assert!(!path.exists(), "`{key}` was made anew");
        std::fs::rename(&aside, &path).unwrap();
    }
    company.quietus(&["status"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_refused() {
    let (company, other) = (certified().await, certified().await);
    for (key, words) in [
        ("log.pem", "does not verify with the key"),
        ("issuer.pem", "another than the one that signed the certificates"),
        ("vault.key", "does not open with the vault's secret"),
    ] {
        let name = format!("keys/{key}");
        let own = company.read(&name);
        company.write(&name, &other.read(&name));
        refused(&company, &[words]).await;
        company.write(&name, &own);
    }
    company.quietus(&["status"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_controller_keeps_the_log_and_its_certificates() {
    let company = certified().await;
    let renamed = company.read("quietus.yaml").replace("Example Company", "Müller & Söhne GmbH");
    company.write("quietus.yaml", &renamed);
    company.certificate("latest").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(company.count_of("logs").await, 1);
    company.write("quietus.yaml", &format!("{renamed}evidence: {{ origin: other.example/log }}\n"));
    refused(&company, &["`example-company/evidence`", "write `evidence: {origin:"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_any_name_gets_a_log() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let named = company.read("quietus.yaml").replace("Example Company", "Müller GmbH");
    company.write("quietus.yaml", &named);
    company.quietus(&["check"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
}

/// A store that was put back to an earlier state would sign a second history under the same name.
#[tokio::test(flavor = "multi_thread")]
async fn no_second_history_is_signed() {
    let company = certified().await;
    let early = company.path("early.db");
    company.store_rows(&format!("VACUUM INTO '{}'", early.display())).await;
    let act = async |arguments: &[&str]| company.quietus(arguments).await;
    let pause = ["pause", "system", "heap", "--by", "Grace", "--reason", "test"];
    let resume = ["resume", "system", "heap", "--by", "Grace"];
    act(&pause).await.expect(0);
    act(&resume).await.expect(0);
    let head = company.read("keys/log.head");
    take_away(&company.path("quietus.db"));
    std::fs::rename(&early, company.path("quietus.db")).unwrap();
    let signed =
        async || company.store_rows("SELECT CAST(MAX(size) AS TEXT) FROM log_checkpoints").await;
    let before = signed().await;
    // With what waits the log would be shorter than what was signed, then as long, then longer.
    for arguments in [&pause[..], &resume, &pause, &resume] {
        let error = act(arguments).await.expect(1).err;
        assert!(error.contains("the head of the evidence log is not signed"), "{error}");
    }
    assert_eq!(company.read("keys/log.head"), head, "the remembered head was given up");
    assert_eq!(signed().await, before, "another history was signed");
}

/// Whoever can write into the database changes what the head says, past the triggers.
#[tokio::test(flavor = "multi_thread")]
async fn no_head_is_signed_that_is_not_that_of_the_tiles() {
    let company = certified().await;
    let before = company.read("keys/log.head");
    company.store_rows("DROP TRIGGER logs_no_other_frontier").await;
    company
        .store_rows(
            "UPDATE logs SET frontier = CAST(substr(frontier, 1, length(frontier) - 32)
                 || randomblob(32) AS BLOB)",
        )
        .await;
    let pause = ["pause", "system", "heap", "--by", "Grace", "--reason", "test"];
    let error = company.quietus(&pause).await.expect(1).err;
    assert!(error.contains("its tiles are not those of its head"), "{error}");
    assert_eq!(company.read("keys/log.head"), before);
}

/// What is stored as proof is what is exported for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_verify_gets_no_bundle() {
    let company = certified().await;
    let clock = TurnedClock::at("2026-11-24T00:00:00Z");
    let product = company.replica(&clock).await;
    for trigger in ["certificates_no_update", "certificates_no_moving"] {
        company.store_rows(&format!("DROP TRIGGER {trigger}")).await;
    }
    let listed = product.store.list_certificates(CertificateFilter::default()).await.unwrap();
    let certificate = product.store.certificate(listed[0].id).await.unwrap().unwrap();
    let manifest = String::from_utf8(certificate.manifest).unwrap();
    let other = manifest.replace("30", "31");
    assert_ne!(other, manifest);
    company
        .store_rows(&format!(
            "UPDATE certificates SET state = 'signed', bundle = NULL, manifest = x'{}'",
            hex::encode(other)
        ))
        .await;
    let error = product.advance_log().await.unwrap_err().to_string();
    assert!(error.contains("does not verify and is not released"), "{error}");
    let bundled = company.store_rows("SELECT state FROM certificates").await;
    assert_eq!(bundled, ["signed"]);
}

/// SQL that has so many entries wait for the log, which stand for nothing.
fn entries_without_words(many: u32) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
         INSERT INTO evidence_outbox (entry_id, body, created_at)
         SELECT randomblob(16), CAST('entry ' || i AS BLOB), 1 FROM n"
    )
}

/// However many certificates can never be bundled, the next one is.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_without_a_proof_keep_no_other_one_waiting() {
    let company = certified().await;
    let product = company.replica(&TurnedClock::at("2026-11-24T00:00:00Z")).await;
    company.store_rows(&entries_without_words(101)).await;
    product.advance_log().await.unwrap();
    for trigger in ["certificates_no_update", "certificates_no_moving"] {
        company.store_rows(&format!("DROP TRIGGER {trigger}")).await;
    }
    company.store_rows("UPDATE certificates SET state = 'signed', bundle = NULL").await;
    // Earlier ones, whose leaves are not theirs.
    company
        .store_rows(
            "INSERT INTO certificates (id, case_id, class, state, overall, issued_at, entry_id,
                 statement, envelope, manifest, superseded_by)
             SELECT randomblob(16), case_id, class, 'signed', overall, issued_at - leaves.number,
                 leaves.entry_id, statement, envelope, manifest, certificates.id
             FROM certificates, (SELECT entry_id, row_number() OVER (ORDER BY idx) AS number
                 FROM log_leaves WHERE CAST(body AS TEXT) LIKE 'entry %') AS leaves",
        )
        .await;
    let error = product.advance_log().await.unwrap_err().to_string();
    assert!(error.contains("does not verify and is not released"), "{error}");
    let states = "SELECT state, CAST(COUNT(*) AS TEXT) FROM certificates GROUP BY 1 ORDER BY 1";
    assert_eq!(company.store_rows(states).await, ["logged|1", "signed|101"]);
}

/// A certificate says by which role it was agreed to, and which person it was stays in the
/// evidence.
#[tokio::test(flavor = "multi_thread")]
async fn no_person_who_agreed_is_named() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 2_000, "{ chunk_records: 500 }").await;
    company.write("schedules/notes.yaml", &heap::rules("{ share: 1% }"));
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.latest_case().await;
    let agree = ["approve", &case, "--by", "Grace Example", "--reason", "checked"];
    company.quietus(&agree).await.expect(0);
    company.quietus(&["run", "--once"]).await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.predicate["trigger"]["approvedBy"], "approver");
    assert!(!certificate.predicate.to_string().contains("Grace"));
}

/// Kinds of evidence as an auditor counts them.
#[tokio::test(flavor = "multi_thread")]
async fn pausing_and_calling_off_are_no_failed_steps() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 2_000, "{ chunk_records: 500 }").await;
    company.write("schedules/notes.yaml", &heap::rules("{ share: 1% }"));
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.latest_case().await;
    company
        .quietus(&["pause", "system", "heap", "--by", "Grace", "--reason", "test"])
        .await
        .expect(0);
    company.quietus(&["resume", "system", "heap", "--by", "Grace"]).await.expect(0);
    company.quietus(&["cancel", &case, "--by", "Grace", "--reason", "test"]).await.expect(0);
    let kinds =
        company.store_rows("SELECT DISTINCT kind FROM evidence_details ORDER BY kind").await;
    for kind in ["case.cancelled", "pause.begun", "pause.ended"] {
        assert!(kinds.iter().any(|one| one == kind), "{kind} is missing in {kinds:?}");
    }
    assert!(!kinds.iter().any(|one| one == "step.failed" || one == "step.started"), "{kinds:?}");
}

/// Whole identifiers are looked up and not searched for among the newest.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_found_however_many_are_newer() {
    let company = certified().await;
    let listed = company.quietus(&["certificate", "list"]).await.expect(0);
    let id = crate::company::identifier_in(&listed.out);
    company
        .store_rows(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
             INSERT INTO certificates (id, case_id, class, state, overall, issued_at, entry_id,
                 statement, envelope, manifest, superseded_by)
             SELECT randomblob(16), case_id, class, 'signed', overall, issued_at + i,
                 randomblob(16), statement, envelope, manifest, certificates.id
             FROM certificates, n",
        )
        .await;
    company.quietus(&["certificate", "show", &id]).await.expect(0);
    company.quietus(&["certificate", "show", &id[..30]]).await.expect(0);
    let none = company.quietus(&["certificate", "show", &"0".repeat(30)]).await.expect(2);
    assert!(none.err.contains("there is no certificate"), "{}", none.err);
}

/// The head beside the key is the one that is published.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_signed_head_lies_beside_the_key() {
    let company = certified().await;
    let notes = company
        .store_rows("SELECT CAST(note AS TEXT) FROM log_checkpoints ORDER BY size DESC")
        .await;
    let head = company.read("keys/log.head");
    assert_eq!(notes[0], head);
    assert!(STANDARD.decode(head.lines().nth(2).unwrap()).is_ok());
}
