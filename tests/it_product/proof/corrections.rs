//! A certificate that was issued in error is withdrawn, and its case stated anew by one that takes its
//! place: what is found now counts, not what was thought then.

use serde_json::json;

use super::issuers::latest_certificate;
use crate::company::database::{Database, Kind};
use crate::company::{Company, heap};
use crate::request::person;

const WRONG: &str = "heap was searched in the test database";

/// What the status list alone says of a certificate: its export without the one that follows.
async fn listed(company: &Company, id: &str) -> String {
    let to = company.path(&format!("listed-{id}"));
    let folder = to.to_str().unwrap();
    company.quietus(&["certificate", "export", id, "--to", folder]).await.expect(0);
    let successor = to.join("successor.sigstore.json");
    if successor.exists() {
        std::fs::remove_file(successor).unwrap();
    }
    company.quietus(&["verify", folder]).await.expect(1).out
}

async fn withdraw(company: &Company, id: &str) {
    let words = ["certificate", "declare", id, "withdrawn", "--reason", "the wrong database"];
    company.quietus(&words).await.expect(0);
}

/// A run over the test database: the certificate says that all is done, and nothing is.
async fn in_error(store: Kind) -> (Company, String) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    let right = company.read("systems/heap.yaml");
    let test = Database::fresh(Kind::Sqlite, &company.path("data/test.db")).await;
    heap::furnish(&test, 30).await;
    company.write("systems/heap.yaml", &right.replace("data/heap.db", "data/test.db"));
    company.quietus(&["run", "--once"]).await.expect(0);
    company.write("systems/heap.yaml", &right);
    let listed = company.quietus(&["certificate", "list"]).await.expect(0).out;
    (company, crate::company::identifier_in(&listed))
}

async fn what_is_found_now_counts(store: Kind) {
    let (company, first) = in_error(store).await;
    assert_eq!(company.certificate(&first).await.overall(), "complete");
    assert_eq!(heap::left(&company).await, 40, "nothing was deleted where it should be");
    let correct = ["certificate", "correct", &first, "--what-was-wrong", WRONG];
    let refused = company.quietus(&correct).await.expect(2).err;
    assert!(refused.contains("only a withdrawn one is corrected"), "{refused}");
    withdraw(&company, &first).await;
    assert!(listed(&company, &first).await.contains("says `withdrawn`"));

    let said = company.quietus(&correct).await.expect(0).out;
    assert!(said.contains("it says: failed") && said.contains("searched again: heap"), "{said}");
    let second = crate::company::identifier_in(&said);
    assert_ne!(first, second);
    let after = company.certificate(&second).await;
    assert_eq!(after.predicate["class"], "correction");
    assert_eq!(after.predicate["supersedes"]["certificateId"], first);
    assert_eq!(after.predicate["supersedes"]["reason"], "error");
    assert_eq!(
        after.predicate["correction"],
        json!({
            "corrects": "scheduled-disposal", "whatWasWrong": WRONG,
            "lookedAgainIn": ["heap"], "onRecordOnly": [],
        })
    );
    assert_eq!(after.sum("left", "heap", "notes", Some("note.body")), 30);
    assert_eq!(after.sum("deleted", "heap", "notes", Some("note.body")), 0);
    assert_eq!(heap::left(&company).await, 40, "a correction erases nothing");

    // Both ways: the earlier one is superseded, by the list alone and by the one that follows it.
    let told = listed(&company, &first).await;
    assert!(told.contains("says `superseded`"), "{told}");
    let export = company.path(&format!("export-{first}"));
    let to = export.to_str().unwrap();
    company.quietus(&["certificate", "export", &first, "--to", to]).await.expect(0);
    let told = company.quietus(&["verify", to]).await.expect(1).out;
    assert!(told.contains(&format!("Superseded by certificate {second}")), "{told}");
    assert!(told.contains("(error)"), "{told}");
    let paper = company.read(&format!("export-{first}/certificate.txt"));
    assert!(paper.contains("issued in error") && paper.contains(&second), "{paper}");
    for (language, words) in [
        ("en", "Certificate of erasure (corrected)"),
        ("de", "Die frühere Bescheinigung wurde irrtümlich ausgestellt"),
        ("zh", "数据删除证明（更正）"),
    ] {
        let show = ["certificate", "show", &second, "--language", language];
        let shown = company.quietus(&show).await.expect(0).out;
        let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        assert!(flat.contains(&words.to_lowercase()), "{shown}");
        assert!(flat.contains(WRONG), "{shown}");
    }
    let again = company.quietus(&correct).await.expect(2).err;
    assert!(again.contains(&format!("superseded by `{second}`")), "{again}");

    // What is left goes with the next run, whose certificate is one of its own.
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("everything fits"), "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_now_counts_on_sqlite() {
    what_is_found_now_counts(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_now_counts_on_postgresql() {
    what_is_found_now_counts(Kind::Postgres).await;
}

/// The words were wrong and the work was not: it is confirmed by another look. And a correction that
/// was wrong itself is corrected like any other.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_confirmed_and_corrections_are_corrected() {
    let company = super::certified().await;
    let first = latest_certificate(&company).await;
    let mut latest = first.clone();
    for wrong in ["it named another controller", "it named another controller still"] {
        withdraw(&company, &latest).await;
        let correct = ["certificate", "correct", &latest, "--what-was-wrong", wrong];
        let said = company.quietus(&correct).await.expect(0).out;
        latest = crate::company::identifier_in(&said);
        let after = company.certificate(&latest).await;
        assert_eq!(after.overall(), "complete");
        assert_eq!(after.sum("deleted", "heap", "notes", Some("note.body")), 30);
        assert_eq!(after.predicate["correction"]["corrects"], "scheduled-disposal");
        let looked = after.statements().iter().map(|one| one["verification"]["at"].as_str());
        let issued = company.certificate(&first).await.predicate["issuedAt"].clone();
        for at in looked {
            assert!(at.unwrap() > issued.as_str().unwrap(), "it was looked for again");
        }
    }
    // Nobody is named on paper.
    withdraw(&company, &latest).await;
    let named =
        ["certificate", "correct", &latest, "--what-was-wrong", "ada@mail.example was meant"];
    let refused = company.quietus(&named).await.expect(2).err;
    assert!(!refused.contains("ada@"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_issued_where_nobody_can_look_unless_somebody_says_so() {
    let company = super::certified().await;
    let first = latest_certificate(&company).await;
    withdraw(&company, &first).await;
    std::fs::rename(company.path("data/heap.db"), company.path("data/away.db")).unwrap();
    let correct = ["certificate", "correct", &first, "--what-was-wrong", "the counts"];
    let refused = company.quietus(&correct).await.expect(2).err;
    assert!(refused.contains("`heap` cannot be searched again"), "{refused}");
    assert_eq!(company.count_of("certificates").await, 1, "nothing is issued");
    let unknown = [&correct[..], &["--without", "shop"]].concat();
    let refused = company.quietus(&unknown).await.expect(2).err;
    assert!(refused.contains("the case did nothing in a system `shop`"), "{refused}");

    let without = [&correct[..], &["--without", "heap"]].concat();
    let said = company.quietus(&without).await.expect(0).out;
    assert!(said.contains("it says: partial"), "{said}");
    assert!(said.contains("repeated from the record: heap"), "{said}");
    let after = company.certificate(&crate::company::identifier_in(&said)).await;
    for statement in after.statements() {
        assert_eq!(statement["verification"]["type"], "none", "{statement}");
    }
}

/// The person whose certificate was wrong is given another one, with an opening of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_person_is_corrected() {
    let company = person::company("").await;
    person::brought(&company, "erasure", "customer_id=2\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let first = company
        .store_rows("SELECT lower(hex(id)) FROM certificates WHERE class = 'rights-request'")
        .await
        .remove(0);
    let first = uuid::Uuid::parse_str(&first).unwrap().to_string();
    let before = company.certificate(&first).await;
    withdraw(&company, &first).await;
    let correct = ["certificate", "correct", &first, "--what-was-wrong", "the law was another one"];
    let said = company.quietus(&correct).await.expect(0).out;
    let second = crate::company::identifier_in(&said);
    let after = company.certificate(&second).await;
    assert_eq!(after.predicate["correction"]["corrects"], "rights-request");
    assert_eq!(after.predicate["request"], before.predicate["request"]);
    assert_eq!(after.overall(), before.overall());
    let to = company.path("copy");
    let copy = ["certificate", "export", &second, "--for-person", "--to", to.to_str().unwrap()];
    company.quietus(&copy).await.expect(0);
    let verified = company.quietus(&["verify", to.to_str().unwrap()]).await.expect(0).out;
    assert!(verified.contains("`subject-opening.json` is the one signed for"), "{verified}");
    company.check_log().await;
}
