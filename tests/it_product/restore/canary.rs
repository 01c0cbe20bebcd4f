//! The canary belongs to one instance, whatever that instance is called by now.

use quietus::domain::Digest;

use super::house::{copy, house, neighbour, put_back};
use crate::company::Company;
use crate::company::database::{Kind, Raw};

/// The name of a canary that goes by a name of logs.
fn named_by(base: &str) -> String {
    format!("canary-{}", &Digest::of(base.as_bytes()).to_string()[..32])
}

/// Canaries in the database: name and number.
async fn canaries(company: &Company) -> Vec<String> {
    let text = "SELECT order_key || ' ' || attempt FROM quietus_progress
         WHERE order_key LIKE 'canary-%' ORDER BY order_key";
    company.database("desk").rows(text).await
}

/// What the instance remembers: name and number.
async fn remembered(company: &Company) -> Vec<String> {
    company.store_rows("SELECT coalesce(name, '-') || ' ' || number FROM canaries").await
}

/// As if an earlier version had written it.
async fn change_store(company: &Company, text: &str) {
    let file = company.path("quietus.db").display().to_string();
    Raw::open(Kind::Sqlite, &file).await.run(text).await;
}

/// The controller has another name from now on, as companies do.
fn rename(company: &Company) {
    let instance = company.read("quietus.yaml");
    let renamed = instance.replace("name: Example Company", "name: Another Company");
    assert_ne!(renamed, instance);
    company.write("quietus.yaml", &renamed);
}

async fn looks(company: &Company, code: i32, words: &str) {
    let said = company.quietus(&["restore", "watch"]).await.expect(code).out;
    assert!(said.contains(words), "{said}");
}

const FINE: &str = "holds what was last written there";
const PUT_BACK: &str = "was put back to its state of about";

/// The names that logs of this controller share, before it was renamed and after.
const BEFORE: &str = "example-company/evidence";
const AFTER: &str = "another-company/evidence";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_renamed_finds_its_canary() {
    let company = house(Kind::Sqlite, 3).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    looks(&company, 0, FINE).await;
    let own = named_by(BEFORE);
    assert_eq!(canaries(&company).await, [format!("{own} 1")]);
    assert_eq!(remembered(&company).await, [format!("{own} 1")]);
    copy(&company, "data/desk.copy").await;
    rename(&company);
    looks(&company, 0, FINE).await;
    assert_eq!(canaries(&company).await, [format!("{own} 2")]);
    assert_eq!(remembered(&company).await, [format!("{own} 2")]);
    assert_eq!(company.count_of("restores").await, 0);
    // It is on its guard as before.
    put_back(&company, "data/desk.copy");
    looks(&company, 1, PUT_BACK).await;
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    company.quietus(&["restore", "open", "desk"]).await.expect(0);
    looks(&company, 0, FINE).await;
    assert_eq!(canaries(&company).await, [format!("{own} 4")]);
}

/// Names were not written down: the row of before the name changed is found, and that of after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_wrote_is_found_whatever_the_instance_was_called_then() {
    let company = house(Kind::Sqlite, 3).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    looks(&company, 0, FINE).await;
    let (before, after) = (named_by(BEFORE), named_by(AFTER));
    change_store(&company, "UPDATE canaries SET name = NULL").await;
    looks(&company, 0, FINE).await;
    assert_eq!(remembered(&company).await, [format!("{before} 2")], "names stay");
    change_store(&company, "UPDATE canaries SET name = NULL").await;
    rename(&company);
    looks(&company, 0, FINE).await;
    assert_eq!(remembered(&company).await, [format!("{before} 3")]);

    // It was taken for put back by the earlier version, and opened, under the name of after.
    let renewed = format!(
        "INSERT INTO quietus_progress SELECT '{after}', 4, cursor, done, updated_at
         FROM quietus_progress WHERE order_key = '{before}'"
    );
    company.database("desk").run(&renewed).await;
    change_store(&company, "UPDATE canaries SET name = NULL, number = 4").await;
    copy(&company, "data/desk.copy").await;
    looks(&company, 0, FINE).await;
    assert_eq!(remembered(&company).await, [format!("{after} 5")]);

    put_back(&company, "data/desk.copy");
    change_store(&company, "UPDATE canaries SET name = NULL").await;
    looks(&company, 1, PUT_BACK).await;
}

/// Two instances under one name, as a controller has them for two departments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_on_one_database_have_a_canary_each() {
    let one = house(Kind::Sqlite, 3).await;
    let other = neighbour(&one).await;
    one.quietus(&["run", "--once"]).await.expect(0);
    looks(&one, 0, FINE).await;
    let visit = "INSERT INTO visits VALUES (6, '192.0.2.6', NULL, '2020-01-01T00:00:00Z')";
    one.database("desk").run(visit).await;
    other.quietus(&["run", "--once"]).await.expect(0);
    looks(&other, 0, FINE).await;
    let (ours, theirs) = (remembered(&one).await, remembered(&other).await);
    assert_eq!(ours, [format!("{} 1", named_by(BEFORE))]);
    assert!(theirs[0].ends_with(" 1") && theirs != ours, "{theirs:?}");
    let mut both = [ours, theirs].concat();
    both.sort();
    assert_eq!(canaries(&one).await, both);

    copy(&one, "data/desk.copy").await;
    looks(&one, 0, FINE).await;
    looks(&one, 0, FINE).await;
    looks(&other, 0, FINE).await;
    put_back(&one, "data/desk.copy");
    looks(&one, 1, PUT_BACK).await;
    one.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    one.quietus(&["restore", "open", "desk"]).await.expect(0);
    // That one has seen to it hides nothing from the other.
    looks(&other, 1, PUT_BACK).await;
    looks(&one, 0, FINE).await;
}
