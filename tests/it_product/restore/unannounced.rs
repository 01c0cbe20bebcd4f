//! A restore behind our back is noticed within one interval, and dealt with like any other.

use jiff::ToSpan as _;
use quietus::app::Actor;
use quietus::domain::AskedRight;

use super::house::{ask, copy, house, put_back, rows};
use crate::company::database::{Kind, take_away};
use crate::company::engine::work;
use crate::company::identifier_in;
use crate::request::estate::{clock, live};

const EVERY: &str = "restores: {watch: PT5M}\n";
const NO_LATER_LOOKS: &str = "later_looks: {every: never}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_behind_our_back_is_noticed_within_one_interval() {
    let company = house(Kind::Sqlite, 10).await;
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}{EVERY}"));
    let clock = clock();
    let product = company.replica(&clock).await;
    product.look_after_restores().await.unwrap();
    let canaries = "SELECT CAST(number AS TEXT) FROM canaries";
    assert!(company.store_rows(canaries).await.is_empty(), "nothing was done there yet");
    ask(&product, AskedRight::Erasure, 1).await;
    live(&product, &clock, 1.seconds()).await;
    clock.advance(5.minutes());
    product.look_after_restores().await.unwrap();
    assert_eq!(company.store_rows(canaries).await, ["1"]);
    copy(&company, "data/desk.copy").await;
    let copied_at = product.now();
    for number in [2, 3] {
        ask(&product, AskedRight::Erasure, number).await;
    }
    ask(&product, AskedRight::Restriction, 4).await;
    live(&product, &clock, 1.seconds()).await;
    // What rules have made due goes with the restore.
    let mut settled = rows(&company).await;
    settled.retain(|row| !["visit 1", "visit 2", "visit 3"].contains(&row.as_str()));
    clock.advance(5.minutes());
    product.look_after_restores().await.unwrap();
    assert_eq!(company.store_rows(canaries).await, ["2"]);
    let seen_fine_at = product.now();

    put_back(&company, "data/desk.copy");
    product.look_after_restores().await.unwrap();
    assert_eq!(company.count_of("restores").await, 0, "it is not time to look again");
    clock.advance(5.minutes());
    product.look_after_restores().await.unwrap();
    let restores = product.read_restores(10).await.unwrap();
    let [restore] = restores.as_slice() else { panic!("{restores:#?}") };
    assert!(!restore.announced && restore.state == "quarantined", "{restore:#?}");
    assert!(restore.taken_at <= copied_at, "what it holds is no older than its canary");
    let micros = |at: jiff::Timestamp| at.as_microsecond();
    assert_eq!(micros(restore.back_since), micros(seen_fine_at));
    assert_eq!(restore.persons.all, 3, "who went before the canary was written is not back");
    work(&product).await;
    assert_eq!(rows(&company).await, settled);
    let opened = product.open_restored("desk", &Actor("Ada Example".to_owned())).await.unwrap();
    assert_eq!((opened.came_back, opened.records), (3, 3));
    let certificate = company.certificate(&opened.certificate.unwrap().to_string()).await;
    assert_eq!(certificate.predicate["restores"][0]["announced"], false);

    // It shows the newest number again, so that it is not taken for restored once more.
    clock.advance(5.minutes());
    product.look_after_restores().await.unwrap();
    assert_eq!(company.count_of("restores").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_by_hand_says_what_it_has_seen() {
    let company = house(Kind::Sqlite, 3).await;
    let said = company.quietus(&["restore", "watch"]).await.expect(0).out;
    assert!(said.contains("nothing was done there yet"), "{said}");
    company.quietus(&["run", "--once"]).await.expect(0);
    copy(&company, "data/before.copy").await;
    let said = company.quietus(&["restore", "watch"]).await.expect(0).out;
    assert!(said.contains("holds what was last written there"), "{said}");
    copy(&company, "data/desk.copy").await;
    company.quietus(&["restore", "watch"]).await.expect(0);
    put_back(&company, "data/desk.copy");
    let said = company.quietus(&["restore", "watch"]).await.expect(1).out;
    assert!(said.contains("was put back to its state of about"), "{said}");
    company.quietus(&["restore", "watch"]).await.expect(1);
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    let opened = company.quietus(&["restore", "open", "desk"]).await.expect(0);
    identifier_in(&opened.out);
    company.quietus(&["restore", "watch"]).await.expect(0);
    // A copy from before there was any canary shows none.
    put_back(&company, "data/before.copy");
    let said = company.quietus(&["restore", "watch"]).await.expect(1).out;
    assert!(said.contains("was put back"), "{said}");
    let shown = company.quietus(&["restore", "show", "desk", "--json"]).await.expect(0).json();
    assert!(shown["reason"].as_str().unwrap().contains("its canary is gone"), "{shown:#}");
    assert_eq!(shown["announced"], false);
}

/// After weeks in which nobody worked, whoever carries requests on may be faster than whoever looks at
/// the systems.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_before_somebody_has_looked() {
    let company = house(Kind::Sqlite, 10).await;
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}{EVERY}{NO_LATER_LOOKS}"));
    let clock = clock();
    let product = company.replica(&clock).await;
    let first = ask(&product, AskedRight::Erasure, 1).await;
    live(&product, &clock, 1.seconds()).await;
    product.look_after_restores().await.unwrap();
    copy(&company, "data/desk.copy").await;
    let second = ask(&product, AskedRight::Erasure, 2).await;
    live(&product, &clock, 1.seconds()).await;
    clock.advance(5.minutes());
    product.look_after_restores().await.unwrap();
    put_back(&company, "data/desk.copy");

    clock.advance((40 * 24).hours());
    let known = async |id| product.rights_request(id).await.unwrap().person.is_some();
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        clock.advance(6.minutes());
    }
    assert!(known(first).await && known(second).await, "forgotten before anybody has looked");
    product.look_after_restores().await.unwrap();
    let restores = product.read_restores(10).await.unwrap();
    let [restore] = restores.as_slice() else { panic!("{restores:#?}") };
    assert_eq!((restore.persons.all, restore.persons.forgotten), (2, 0), "{restore:#?}");
    work(&product).await;
    let opened = product.open_restored("desk", &Actor("Ada Example".to_owned())).await.unwrap();
    assert_eq!(opened.came_back, 1);
    live(&product, &clock, 1.seconds()).await;

    // Who is owed nothing more is forgotten once it was looked at again.
    clock.advance((40 * 24).hours());
    for (looks, expected) in [(false, true), (true, false)] {
        if looks {
            product.look_after_restores().await.unwrap();
        }
        product.advance_requests().await.unwrap();
        assert_eq!((known(first).await, known(second).await), (expected, expected), "{looks}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_away_for_two_months_keeps_nobody_known() {
    let company = house(Kind::Sqlite, 10).await;
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}{EVERY}{NO_LATER_LOOKS}"));
    let clock = clock();
    let product = company.replica(&clock).await;
    let person = ask(&product, AskedRight::Erasure, 1).await;
    live(&product, &clock, 1.seconds()).await;
    product.look_after_restores().await.unwrap();
    take_away(&company.path("data/desk.db"));
    let known = async || product.rights_request(person).await.unwrap().person.is_some();
    for (days, expected) in [(40, true), (15, true), (10, false)] {
        clock.advance((days * 24).hours());
        product.look_after_restores().await.unwrap();
        product.advance_requests().await.unwrap();
        assert_eq!(known().await, expected, "after {days} more days");
    }
}
