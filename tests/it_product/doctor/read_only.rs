//! Looking changes nothing: no database is created, no key made, no row written.

use std::collections::BTreeMap;
use std::path::Path;

use super::{commands, examined, finding, findings, is_well, masked, pasted};
use crate::company::database::Kind;
use crate::company::{Company, heap};

/// Every file below a folder, with its bytes, but for the databases of systems, into which the test
/// writes itself; companions of databases come and go with whoever reads.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains("/data/") && !name.contains("-shm") && !name.contains("-wal") {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// How many rows each table of the store has.
async fn rows(company: &Company) -> Vec<String> {
    let listed = if company.store.is_some() {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    };
    let mut counted = Vec::new();
    for table in company.store_rows(listed).await {
        let text = format!("SELECT '{table} ' || COUNT(*) FROM {table}");
        counted.extend(company.store_rows(&text).await);
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_that_was_never_opened_stays_so() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 20, "{}").await;
    let before = files(company.folder());
    let said = examined(&company, 1).await;
    let store = finding(&said, "store", "wrong", "there is no such file");
    assert!(store["advice"].as_str().unwrap().contains("quietus status"), "{store:#}");
    assert_eq!(files(company.folder()), before, "nothing was made");
    company.quietus(&["status"]).await.expect(0);
    let said = examined(&company, 0).await;
    assert!(is_well(&said, "store") && is_well(&said, "systems"), "{said:#}");
}

async fn looking_changes_no_row(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 20, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let (before, keys) = (rows(&company).await, files(&company.path("keys")));
    assert!(before.len() > 30, "{before:?}");
    for arguments in [&["doctor"][..], &["doctor", "--overdue"], &["doctor", "--json"]] {
        company.quietus(arguments).await.expect(0);
    }
    assert_eq!(rows(&company).await, before);
    assert_eq!(files(&company.path("keys")), keys);
    assert_eq!(heap::left(&company).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_no_row_on_sqlite() {
    looking_changes_no_row(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_no_row_on_postgresql() {
    looking_changes_no_row(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_company_is_told_so() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 20, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let said = company.quietus(&["doctor"]).await.expect(0);
    insta::assert_snapshot!(masked(&company, &said.out));
    let offline = company.quietus(&["doctor", "--offline"]).await.expect(0);
    assert!(offline.out.contains("none of which was asked"), "{}", offline.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_cut_and_the_rest_is_counted() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 20, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let case = company.oldest_case().await;
    for scope in [["system", "heap"], ["case", case.as_str()], ["rule", "notes-after-a-month"]] {
        let pause = [&["pause"][..], &scope[..], &["--reason", "OPS-1"][..]].concat();
        company.quietus(&pause).await.expect(0);
    }
    let said = company.quietus(&["doctor", "--limit", "1"]).await.expect(0);
    assert!(said.out.contains("pauses: and 2 more"), "{}", said.out);
    let whole = examined(&company, 0).await;
    let paused = findings(&whole, "pauses");
    assert_eq!(paused.len(), 3, "{paused:#?}");
    for one in paused {
        assert_eq!(one["mark"], "look");
        let [resume] = commands(&one).try_into().unwrap();
        pasted(&resume).await.expect(0);
    }
    assert!(is_well(&examined(&company, 0).await, "pauses"));
}
