//! SQLite: the value is in the file and its write-ahead log until a checkpoint, which a reader holds
//! back.

use jiff::ToSpan as _;

use super::{add_to_map, files, holds, looks, stages};
use crate::backup::{self, copies, dump, live, prune};
use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::person as people;

const VALUE: &str = "alan@mail.example";
const DRIVEN: &str = "residues: {look: PT1H, drive: [checkpoint]}\n";

fn is_on_disk(company: &Company) -> bool {
    holds(&company.path("data"), &["shop.db"], VALUE)
}

async fn a_reader_holds_it_back(store: Kind) {
    let company = people::company_on(store, "").await;
    add_to_map(&company, "shop", DRIVEN);
    people::brought(&company, "erasure", &format!("email={VALUE}\n")).await;
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    assert!(is_on_disk(&company));
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;

    // It is gone from what the system shows, and the bytes are there.
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    let left = "SELECT count(*) FROM customers WHERE email = 'alan@mail.example'";
    assert_eq!(company.database("shop").rows(left).await, ["0"]);
    assert!(is_on_disk(&company), "a DELETE alone removes nothing from the disk");
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let stated = files(&certificate, "shop");
    let pending = [("pages".to_owned(), false), ("journal".to_owned(), false)];
    assert_eq!(stages(&stated), pending);
    assert!(stated["seenGoneAt"].is_null() && stated["reason"].is_string(), "{stated:#}");
    assert!(files(&certificate, "desk").is_null(), "nobody looks there");
    let limits = certificate.predicate["limits"].to_string();
    let of = |system: &str| {
        limits.contains(&format!(
            "System `{system}` may still hold what was deleted in: the write-ahead log"
        ))
    };
    assert!(of("desk") && !of("shop"), "{limits}");
    let text = company.quietus(&["certificate", "show", &first]).await.expect(0).out;
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("from its files and logs cannot be said"), "{text}");
    assert_eq!(looks(&company).await, ["scheduled -"]);

    // The first look cannot empty the log; the second finds the same, which is an alarm.
    for (hour, word, code) in [(1, "left", 0), (2, "held", 1)] {
        clock.set(&format!("2027-01-04T{:02}:00:01Z", 9 + hour));
        live(&product).await;
        assert_eq!(looks(&company).await, [format!("available {word}")]);
        assert_eq!(company.certificate_id(&case).await, first);
        assert!(is_on_disk(&company));
        let list = company.quietus(&["residue", "list"]).await.expect(code).out;
        assert!(list.contains("shop") && list.contains("oldest"), "{list}");
    }
    let gauges = product.residue_gauges().await.unwrap();
    assert_eq!((gauges.len(), gauges[0].waiting, gauges[0].held), (1, 1, 1));

    // The reader ends, and goes on with something else.
    reader.run("COMMIT").await;
    clock.advance(1.hours());
    live(&product).await;
    assert!(!is_on_disk(&company), "the bytes are gone");
    assert_eq!(looks(&company).await, ["completed held"]);
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.predicate["statements"]);
    assert_eq!(last.predicate["supersedes"]["certificateId"], first);
    assert_eq!(last.predicate["supersedes"]["reason"], "residues-gone");
    assert_eq!(files(&last, "shop")["seenGoneAt"], "2027-01-04T12:00:01Z");
    assert_eq!(last.counts(), certificate.counts());
    company.quietus(&["residue", "list"]).await.expect(0);
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_final_certificate_comes_when_the_bytes_are_gone() {
    a_reader_holds_it_back(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_final_certificate_comes_when_the_bytes_are_gone_with_the_store_on_postgresql() {
    a_reader_holds_it_back(Kind::Postgres).await;
}

/// Files are rid of it in an hour and copies in days: one final certificate says both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_certificate_ends_what_files_and_copies_held() {
    let company = backup::company(Kind::Sqlite).await;
    add_to_map(&company, "shop", DRIVEN);
    people::brought(&company, "erasure", &format!("email={VALUE}\n")).await;
    dump(&company, "2027-01-04");
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    assert!(certificate.predicate["pending"].is_null(), "files have no day");
    assert_eq!(copies(&certificate).len(), 1);
    reader.run("COMMIT").await;
    clock.advance(1.hours());
    live(&product).await;
    assert_eq!(looks(&company).await, ["completed -"]);
    assert!(!is_on_disk(&company));
    assert_eq!(company.certificate_id(&case).await, first, "the copies are still there");
    clock.set("2027-01-07T12:00:00Z");
    dump(&company, "2027-01-07");
    prune(&company, "2027-01-04");
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.predicate["statements"]);
    assert_eq!(last.predicate["supersedes"]["certificateId"], first);
    assert_eq!(last.predicate["supersedes"]["reason"], "backup-expired");
    assert_eq!(files(&last, "shop")["seenGoneAt"], "2027-01-04T10:00:00Z");
    assert_eq!(copies(&last)[0]["seenGoneAt"], "2027-01-07T12:00:00Z");
}

/// Without `residues` all is as it was: the certificate names the log among its limits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_ask_for_it_sees_no_difference() {
    let company = people::company("").await;
    people::brought(&company, "erasure", &format!("email={VALUE}\n")).await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete");
    assert!(certificate.statements().iter().all(|one| one.get("files").is_none()));
    assert_eq!(looks(&company).await, Vec::<String>::new());
    let said = company.quietus(&["residue", "list"]).await.expect(0).out;
    assert!(said.contains("docs/residues.md"), "{said}");
}

/// A hold on a person of the system, and a pause of the system: nothing is driven.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_system_waits() {
    let company = people::company("").await;
    add_to_map(&company, "shop", DRIVEN);
    people::brought(&company, "erasure", &format!("email={VALUE}\n")).await;
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    reader.run("COMMIT").await;
    company.quietus(&["pause", "system", "shop", "--reason", "OPS-1"]).await.expect(0);
    clock.advance(2.hours());
    live(&product).await;
    assert_eq!(looks(&company).await, ["scheduled -"]);
    assert!(is_on_disk(&company));
    company.quietus(&["resume", "system", "shop"]).await.expect(0);
    live(&product).await;
    assert_eq!(looks(&company).await, ["completed -"]);
    assert!(!is_on_disk(&company));
}

/// `residues` was taken out of the data map when the date of what a minimum keeps comes: nobody has
/// looked since, which the certificate says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_after_the_last_look_is_not_said_to_be_gone() {
    let company = people::company("").await;
    let map = company.read("systems/shop.yaml");
    add_to_map(&company, "shop", DRIVEN);
    people::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    reader.run("COMMIT").await;
    clock.advance(1.hours());
    live(&product).await;
    assert_eq!(looks(&company).await, ["completed -"]);
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(files(&first, "shop")["seenGoneAt"], "2027-01-04T10:00:00Z");
    assert_eq!(people::orders(&company).await.len(), 3, "an invoice of hers is kept");
    product.store.close().await;

    company.write("systems/shop.yaml", &map);
    clock.set("2034-01-02T09:00:00Z");
    let product = company.replica(&clock).await;
    product.bring_rules_in_force().await.unwrap();
    live(&product).await;
    assert_eq!(people::orders(&company).await.len(), 1, "its date has come");
    let last = company.certificate_of(&case).await;
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.predicate["certificateId"]);
    assert_eq!(last.overall(), "complete-with-exceptions");
    let stated = files(&last, "shop");
    let unseen = [("pages".to_owned(), false), ("journal".to_owned(), false)];
    assert_eq!(stages(&stated), unseen);
    assert!(stated["seenGoneAt"].is_null() && stated["lookedAt"].is_null(), "{stated:#}");
    let reason = stated["reason"].as_str().unwrap();
    assert!(reason.contains("no longer has `residues`"), "{reason}");
}
