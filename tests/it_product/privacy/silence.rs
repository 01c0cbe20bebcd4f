//! Everything is done to planted people, and then nobody knows them.

use super::planted::{PEOPLE, Planted};
use crate::company::database::Kind;

async fn nobody_is_named(store: Kind, look: &'static str) {
    let mut planted = Planted::new(store, look).await;
    planted.everything().await;
    planted.over_http().await;
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        let streets = planted.streets_left(kind).await;
        assert_eq!(streets, ["cleared", PEOPLE[4], PEOPLE[4]], "cleared, held, held: {kind:?}");
    }
    let forms = planted.forms().await;
    let mut everything =
        std::mem::replace(&mut planted.heard, super::haystack::Haystack(Vec::new()));
    assert!(everything.0.iter().any(|(_, bytes)| bytes.len() > 10_000), "the logs are talkative");
    let told = planted.collector.bytes();
    assert!(told.len() > 5_000, "and so are the traces: {}", told.len());
    everything.0.push(("traces".to_owned(), told));
    everything.files(&planted.company);
    everything.store(&planted.company).await;
    let found = everything.search(&forms);
    assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_sqlite_logs_as_text() {
    nobody_is_named(Kind::Sqlite, "text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_postgresql_logs_as_json() {
    nobody_is_named(Kind::Postgres, "json").await;
}

/// The search itself is awake: what is planted in the open is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_finds_what_is_there() {
    let mut planted = Planted::new(Kind::Sqlite, "text").await;
    planted
        .tell(&["hold", "place", "LIT-1", "--everything", "--reason", PEOPLE[3]])
        .await
        .expect(0);
    let forms = planted.forms().await;
    let mut haystack = super::haystack::Haystack(Vec::new());
    haystack.files(&planted.company);
    let found = haystack.search(&forms);
    assert!(
        found.iter().any(|line| line.contains(PEOPLE[3]) && line.contains("quietus.db")),
        "a name in plain words is kept as it was written: {found:?}"
    );
}
