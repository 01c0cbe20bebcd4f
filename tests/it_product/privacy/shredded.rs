//! A case is shredded: its certificate and its proofs still verify, nobody can read what was behind
//! its leaves, also not from a copy of everything that was made before, once the month's key is
//! gone; and nothing anywhere names the person.

use std::path::Path;

use jiff::{Span, ToSpan as _};
use quietus::app::audit::Sought;
use quietus::app::{Actor, Quietus};
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;
use uuid::Uuid;

use super::forms;
use super::haystack::Haystack;
use crate::company::Company;
use crate::company::database::{Database, Kind};
use crate::company::engine::{TurnedClock, work};
use crate::request::person;

const ALAN: &str = "alan@mail.example";
const HIS_NAME: &str = "Alan Example";
const GRACE: &str = "grace@mail.example";

fn days(days: i64) -> Span {
    (24 * days).hours()
}

async fn carry_on(product: &Quietus) {
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}

/// Whether each detail of a case can be read.
async fn readable(product: &Quietus, case: &str) -> Vec<bool> {
    let case = Uuid::parse_str(case).unwrap();
    let details = product.store.details_of_case(case).await.unwrap();
    assert!(details.len() > 3, "a case has details");
    let open = |detail| product.open_detail(detail).unwrap().is_some_and(|it| it.contains("salt"));
    details.iter().map(open).collect()
}

/// The cases of Alan, whose is over, and of Grace, of whom an invoice is kept.
struct Two {
    his_request: String,
    his: String,
    hers: String,
}

async fn two_cases(company: &Company, product: &Quietus) -> Two {
    let his_request = person::brought(company, "erasure", &format!("email={ALAN}\n")).await;
    carry_on(product).await;
    let his = company.oldest_case().await;
    person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    carry_on(product).await;
    let hers = company.latest_case().await;
    assert_ne!(his, hers);
    assert_eq!(company.certificate_of(&his).await.overall(), "complete");
    Two { his_request, his, hers }
}

fn clock_of_today() -> std::sync::Arc<TurnedClock> {
    let soon = SystemClock.now().checked_add(1.hour()).unwrap();
    TurnedClock::at(&soon.to_string())
}

/// Searches everything for Alan, in every form.
async fn traces(company: &Company, mut heard: Haystack) -> Vec<String> {
    let server = Database::fresh(Kind::Postgres, Path::new("")).await;
    let mut forms = forms::of(ALAN, &server).await;
    forms.extend(forms::of(HIS_NAME, &server).await);
    heard.files(company);
    heard.store(company).await;
    heard.search(&forms)
}

async fn shredded(store: Kind) {
    let company = person::company_on(store, "").await;
    let clock = clock_of_today();
    let product = company.replica(&clock).await;
    let Two { his, hers, his_request } = two_cases(&company, &product).await;
    assert!(readable(&product, &his).await.iter().all(|open| *open));

    // The search is awake: the person's copy has the opening, which names him.
    let copy = company.path("copy");
    let to = copy.to_str().unwrap();
    let his_certificate = company
        .store_rows(&format!(
            "SELECT {} FROM certificates WHERE case_id = {}",
            if store == Kind::Sqlite { "lower(hex(id))" } else { "CAST(id AS TEXT)" },
            company.store_id(&his)
        ))
        .await
        .remove(0);
    let his_certificate = Uuid::parse_str(&his_certificate).unwrap().to_string();
    let export = ["certificate", "export", &his_certificate, "--for-person", "--to", to];
    company.quietus(&export).await.expect(0);
    let before = traces(&company, Haystack(Vec::new())).await;
    assert!(before.iter().any(|line| line.contains("subject-opening.json")), "{before:?}");
    std::fs::remove_dir_all(&copy).unwrap();

    let refused = company.quietus(&["evidence", "shred", "--case", &hers]).await.expect(2);
    assert!(refused.err.contains("a job of it waits for its day"), "{}", refused.err);
    let mut heard = Haystack(Vec::new());
    let dry = ["evidence", "shred", "--older-than", "P1D", "--dry-run"];
    let said = company.quietus(&dry).await.expect(0);
    assert!(said.out.contains("nothing to shred"), "{}", said.out);
    let shred = ["evidence", "shred", "--case", &his, "--reason", "the test is over"];
    let said = company.quietus(&shred).await.expect(0);
    assert!(said.out.contains("1 person(s) forgotten"), "{}", said.out);
    heard.heard("shredding", &said);
    heard.heard("keys", &company.quietus(&["keys", "list"]).await.expect(0));
    let again = company.quietus(&shred).await.expect(0);
    assert!(again.out.contains("nothing to shred"), "{}", again.out);

    // What was proven stays proven.
    assert_eq!(company.certificate_of(&his).await.overall(), "complete");
    company.check_log().await;
    let open = readable(&product, &his).await;
    let log = company
        .store_rows(&format!(
            "SELECT kind FROM evidence_details WHERE sealed IS NOT NULL AND case_id = {}",
            company.store_id(&his)
        ))
        .await;
    assert!(log.iter().all(|kind| kind == "evidence.shredded"), "{log:?}");
    assert_eq!(open.iter().filter(|open| **open).count(), log.len());
    assert_eq!(log.len(), 2, "the person, and then the case: {log:?}");
    let request = product.rights_request(Uuid::parse_str(&his_request).unwrap()).await.unwrap();
    assert!(request.person.is_none());
    assert!(readable(&product, &hers).await.iter().all(|open| *open), "another case");
    let found = traces(&company, heard).await;
    assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_in_sqlite() {
    shredded(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_in_postgresql() {
    shredded(Kind::Postgres).await;
}

/// A copy of everything but the month's key, which is destroyed in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_everything_does_not_help() {
    let company = person::company_on(Kind::Sqlite, "").await;
    let clock = clock_of_today();
    let product = company.replica(&clock).await;
    let Two { his, hers, his_request } = two_cases(&company, &product).await;
    let his_request = Uuid::parse_str(&his_request).unwrap();
    let month = product.store.key_epochs().await.unwrap()[0].name.clone();
    let file = format!("keys/epochs/{month}.key");
    let key = company.read(&file);
    let copy = company.copy_without(&file).await;
    assert!(!copy.path(&file).exists() && copy.path("keys/vault.key").exists());
    company.quietus(&["evidence", "shred", "--case", &his]).await.expect(0);

    let current = company.quietus(&["keys", "destroy-epoch", month.as_str()]).await.expect(2);
    assert!(current.err.contains("wraps what is sealed now"), "{}", current.err);
    clock.advance(days(62));
    product.keep_house().await.unwrap();
    assert_eq!(product.store.key_epochs().await.unwrap()[0].left_at, None, "others may be asleep");
    clock.advance(days(2));
    product.keep_house().await.unwrap();
    let left = product.store.key_epochs().await.unwrap().remove(0);
    assert_eq!((left.data_keys, left.request_keys, left.destroyed_at), (0, 0, None));
    assert!(left.left_at.is_some());
    clock.advance(days(30));
    product.keep_house().await.unwrap();
    assert!(company.path(&file).exists(), "a copy of the store may still need it");
    let early = company.quietus(&["keys", "destroy-epoch", month.as_str()]).await.expect(2);
    assert!(early.err.contains("copies of the store"), "{}", early.err);
    clock.advance(days(6));
    product.keep_house().await.unwrap();
    assert!(!company.path(&file).exists(), "nothing needs it any more");
    assert!(product.store.key_epochs().await.unwrap()[0].destroyed_at.is_some());
    assert!(readable(&product, &hers).await.iter().all(|open| *open), "what lives, lives on");
    product.advance_log().await.unwrap();
    company.check_log().await;
    let retired = "SELECT kind FROM evidence_details WHERE kind = 'key.retired'";
    assert!(company.store_rows(retired).await.len() >= 2);

    // Whoever has the copy, with every other key, reads nothing of it.
    let thief = copy.replica(&clock).await;
    assert!(readable(&thief, &his).await.iter().all(|open| !open));
    assert!(thief.rights_request(his_request).await.is_err());
    // Whoever restores such a copy goes on with what is left.
    for _ in 0..2 {
        thief.keep_house().await.unwrap();
        clock.advance(days(2));
    }
    let epochs = thief.store.key_epochs().await.unwrap();
    assert!(epochs.len() > 1 && epochs[0].left_at.is_none(), "what stays closed is not left");
    drop(thief);
    // It is the month's key that keeps it: with that key it opens.
    write_private(&copy.path(&file), &key);
    let owner = copy.replica(&clock).await;
    assert!(readable(&owner, &his).await.iter().all(|open| *open));
    let request = owner.rights_request(his_request).await.unwrap();
    let known = request.person.unwrap().known();
    assert!(known["email"].contains(ALAN), "{known:?}");
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Two processes whose keys folders are not the same one do not seal past each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_of_the_same_month_is_refused() {
    let company = person::company_on(Kind::Sqlite, "").await;
    let clock = clock_of_today();
    let product = company.replica(&clock).await;
    let month = product.store.key_epochs().await.unwrap()[0].name.clone();
    let file = company.path(&format!("keys/epochs/{month}.key"));
    write_private(&file, &format!("{}=", "A".repeat(43)));
    let refused = company.quietus(&["keys", "list"]).await.expect(2);
    assert!(refused.err.contains("share one keys folder"), "{}", refused.err);
    std::fs::remove_file(&file).unwrap();
    let refused = company.quietus(&["keys", "list"]).await.expect(2);
    assert!(refused.err.contains("is missing"), "{}", refused.err);
}

/// What belongs to no case is shredded from the command line, under the very key with which another
/// process goes on sealing.
async fn another_process_goes_on(store: Kind) {
    let company = person::company_on(store, "").await;
    let clock = TurnedClock::at_present();
    clock.advance(-days(3));
    let product = company.replica(&clock).await;
    let ada = Actor("Ada Example".to_owned());
    let look = || product.find_evidence(Sought::Certificate(Uuid::nil()), &ada);
    look().await.unwrap();
    let lookups = "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'audit.lookup'";
    assert_eq!(company.store_rows(lookups).await, ["1"]);
    let shred = ["evidence", "shred", "--older-than", "P1D"];
    let said = company.quietus(&shred).await.expect(0);
    assert!(!said.out.contains("nothing to shred"), "{}", said.out);
    // It is told once that its key is gone, and takes another one.
    assert!(look().await.is_err());
    look().await.unwrap();
    look().await.unwrap();
    assert_eq!(company.store_rows(lookups).await, ["3"]);
    product.advance_log().await.unwrap();
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_no_case_in_sqlite() {
    another_process_goes_on(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_no_case_in_postgresql() {
    another_process_goes_on(Kind::Postgres).await;
}
