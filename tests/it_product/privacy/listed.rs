//! Whoever is forgotten leaves the re-erasure list too: the file that knew them is removed, and what
//! copies of yesterday know, of the list as of the database, ends with the month's key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::{Span, ToSpan as _};
use quietus::app::Quietus;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;
use serde_json::Value;
use uuid::Uuid;

use super::forms;
use super::haystack::Haystack;
use crate::company::database::{Database, Kind};
use crate::company::engine::{TurnedClock, work};
use crate::company::{Company, copy_folder};
use crate::request::person;

const ALAN: &str = "alan@mail.example";
const HIS_NAME: &str = "Alan Example";

fn days(days: i64) -> Span {
    (24 * days).hours()
}

async fn carry_on(product: &Quietus) {
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}

/// Files of entries of the list, by what they say of themselves.
fn entries(company: &Company) -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    let mut folders = vec![company.path("list/re-erasure/entries")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read(&path).unwrap();
                found.push((path, serde_json::from_slice(&text).unwrap()));
            }
        }
    }
    found
}

/// The file of one entry.
fn file_of(company: &Company, matter: &str) -> PathBuf {
    let mut own: Vec<PathBuf> = entries(company)
        .into_iter()
        .filter(|(_, said)| said["matter"] == matter)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(own.len(), 1, "one file of entry {matter}: {own:?}");
    own.remove(0)
}

/// Searches every file for Alan, in every form.
async fn traces(folder: &Path) -> Vec<String> {
    let server = Database::fresh(Kind::Postgres, Path::new("")).await;
    let mut forms = forms::of(ALAN, &server).await;
    forms.extend(forms::of(HIS_NAME, &server).await);
    let mut heard = Haystack(Vec::new());
    heard.folder(folder, folder);
    assert!(heard.0.len() > 10, "there is something to search");
    heard.search(&forms)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn yesterdays_list_and_database_end_with_the_month() {
    let company = person::company_on(Kind::Sqlite, "evidence: {re_erasure_list: list}\n").await;
    let soon = SystemClock.now().checked_add(1.hour()).unwrap();
    let clock = TurnedClock::at(&soon.to_string());
    let product = company.replica(&clock).await;
    let request = person::brought(&company, "erasure", &format!("email={ALAN}\n")).await;
    carry_on(&product).await;
    let case = company.oldest_case().await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
    let known_by = file_of(&company, &request);

    // Yesterday: everything of the host but the keys folder.
    let yesterday = company.copy_without("nothing").await;
    std::fs::remove_dir_all(yesterday.path("keys")).unwrap();
    let found = traces(yesterday.folder()).await;
    assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
    let refused = yesterday.quietus(&["status"]).await;
    assert_ne!(refused.code, 0, "it opens without keys");

    // The person is forgotten: the file that knew them goes, another one that does not is there.
    clock.advance(days(40));
    carry_on(&product).await;
    let id = Uuid::parse_str(&request).unwrap();
    assert!(product.rights_request(id).await.unwrap().person.is_none(), "nobody was forgotten");
    product.export_list().await.unwrap();
    assert!(!known_by.exists(), "the file that knew them is there");
    assert_ne!(file_of(&company, &request), known_by);

    // The case is shredded and the months are over.
    let shred = ["evidence", "shred", "--case", &case, "--reason", "the test is over"];
    company.quietus(&shred).await.expect(0);
    for _ in 0..6 {
        clock.advance(days(33));
        for _ in 0..2 {
            product.keep_house().await.unwrap();
            clock.advance(days(2));
        }
        product.advance_log().await.unwrap();
    }
    let gone: BTreeSet<String> = product
        .store
        .key_epochs()
        .await
        .unwrap()
        .into_iter()
        .filter(|epoch| epoch.destroyed_at.is_some())
        .map(|epoch| epoch.name.to_string())
        .collect();
    let month = |said: &Value| said["epoch"].as_str().unwrap().to_owned();
    let before = entries(&yesterday);
    assert!(before.len() > 3, "{before:?}");
    assert!(before.iter().all(|(_, said)| gone.contains(&month(said))), "{gone:?}");
    let now = entries(&company);
    assert!(now.iter().all(|(_, said)| !gone.contains(&month(said))), "what lives, lives on");

    // Yesterday's copy with the keys folder of today opens nothing of them.
    copy_folder(&company.path("keys"), &yesterday.path("keys"), Path::new(""));
    for (_, said) in &before {
        let key = yesterday.path(&format!("keys/epochs/{}.key", month(said)));
        assert!(!key.exists(), "{}", key.display());
    }
    let thief = yesterday.replica(&clock).await;
    assert!(thief.rights_request(id).await.is_err(), "the person can be read");
    let details = thief.store.details_of_case(Uuid::parse_str(&case).unwrap()).await.unwrap();
    assert!(details.len() > 3);
    for detail in details {
        assert!(thief.open_detail(&detail).unwrap().is_none(), "a detail can be read");
    }
    thief.store.close().await;
    product.store.close().await;
    for folder in [yesterday.folder(), company.folder()] {
        let found = traces(folder).await;
        assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
    }
    company.check_log().await;
}
