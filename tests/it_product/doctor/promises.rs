//! What was promised of copies, of files and logs, and of those who vouch.

use jiff::ToSpan as _;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{commands, examined, finding, is_well, pasted};
use crate::anchors::{anchor, start_witness, witness_entry};
use crate::backup::{self, dump, live, prune};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, opened, work};
use crate::company::heap;
use crate::request::person;
use crate::residue::{add_to_map, looks};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_copies_that_do_not_go() {
    let company = backup::company(Kind::Sqlite).await;
    for day in 1..=6 {
        dump(&company, &format!("2026-06-0{day}"));
    }
    company.quietus(&["status"]).await.expect(0);
    let said = examined(&company, 1).await;
    let alarm = finding(&said, "copies", "wrong", "store vault:");
    let [list] = commands(&alarm).try_into().unwrap();
    pasted(&list).await.expect(1);
    for day in 1..=6 {
        prune(&company, &format!("2026-06-0{day}"));
    }
    let today = SystemClock.now().strftime("%Y-%m-%d").to_string();
    dump(&company, &today);
    assert!(is_well(&examined(&company, 0).await, "copies"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_vouches_before_somebody_is_asked() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{}").await;
    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    opened(&product).await;
    work(&product).await;
    product.store.close().await;
    let said = examined(&company, 0).await;
    finding(&said, "anchors", "well", "nobody is asked to vouch");
    let witness = start_witness(&company, "witness.example/doctor").await;
    anchor(&company, "", &witness_entry(&company, "notary", &witness), "");
    let said = examined(&company, 1).await;
    let silent = finding(&said, "anchors", "wrong", "witness notary: it does not vouch");
    assert!(silent["since"].as_str().unwrap().starts_with("2026-06-01"), "{silent:#}");
    let unvouched = finding(&said, "certificates", "wrong", "not enough others vouch for 1");
    let [now] = commands(&silent).try_into().unwrap();
    assert_eq!(commands(&unvouched), std::slice::from_ref(&now));
    pasted(&now).await.expect(0);
    let said = examined(&company, 0).await;
    assert!(is_well(&said, "anchors") && is_well(&said, "certificates"), "{said:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_a_reader_holds_back() {
    let company = person::company_on(Kind::Sqlite, "").await;
    add_to_map(&company, "shop", "residues: {look: PT1H, drive: [checkpoint]}\n");
    let mut reader = company.database("shop").raw().await;
    reader.run("BEGIN; SELECT count(*) FROM customers").await;
    let clock = TurnedClock::at("2026-06-01T09:00:00Z");
    let product = company.replica(&clock).await;
    let who = ("email", "alan@mail.example".to_owned());
    person::bring(&product, quietus::domain::AskedRight::Erasure, who).await;
    live(&product).await;
    for _ in 0..2 {
        clock.advance(61.minutes());
        live(&product).await;
    }
    product.store.close().await;
    assert_eq!(looks(&company).await, ["available held"]);
    let said = company.quietus(&["doctor", "--json"]).await.expect(1);
    assert!(!said.out.contains("alan"), "{}", said.out);
    let held = finding(&said.json(), "files and logs", "wrong", "system shop: for 1 of 1 cases");
    let [list] = commands(&held).try_into().unwrap();
    pasted(&list).await.expect(1);
    reader.run("ROLLBACK").await;
}
