//! What should have gone and is there, counted in the databases.

use super::{finding, findings, is_well};
use crate::company::database::Kind;
use crate::company::heap;

async fn what_an_import_brings_back_is_counted_with_its_age(store: Kind, target: Kind) {
    let company = heap::company(store, target, 100, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let overdue = async |code: i32| {
        company.quietus(&["doctor", "--overdue", "--json"]).await.expect(code).json()
    };
    assert!(is_well(&overdue(0).await, "rules"));
    // Seven notes of 2020 are back; without counting nobody knows.
    let moment =
        target.pick("'2020-01-01T00:00:00Z'", "'2020-01-01 00:00:00'", "'2020-01-01T00:00:00Z'");
    let values: Vec<String> = (1..=7)
        .map(|n| format!("({}, 'person1@mail.example', 'old', {moment})", 1_000 + n))
        .collect();
    company.database("heap").run(&format!("INSERT INTO notes VALUES {}", values.join(", "))).await;
    company.quietus(&["doctor"]).await.expect(0);
    let said = overdue(1).await;
    let told = finding(&said, "rules", "wrong", "7 records that should have gone are there");
    let now: jiff::Timestamp = said["at"].as_str().unwrap().parse().unwrap();
    let since: jiff::Timestamp = told["since"].as_str().unwrap().parse().unwrap();
    // The database was asked a moment later.
    let days = (now.duration_since(since).as_hours() + 1) / 24;
    assert_eq!(days, 1_095, "it has been due since 2020");
    assert_eq!(findings(&said, "rules").len(), 1);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(is_well(&overdue(0).await, "rules"));
    company.quietus(&["doctor", "--overdue", "--offline"]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_import_brings_back_is_counted_with_its_age_on_sqlite() {
    what_an_import_brings_back_is_counted_with_its_age(Kind::Sqlite, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_import_brings_back_is_counted_with_its_age_on_servers() {
    what_an_import_brings_back_is_counted_with_its_age(Kind::Postgres, Kind::MariaDb).await;
}
