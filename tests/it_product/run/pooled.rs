//! MUST SHOW: replicas whose store is behind a pooler in transaction mode share the work, lose nothing
//! when they are killed, and leave nothing in connections that belong to everybody.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, Row as _};

use super::replicas::{self, replica};
use crate::company::database::Kind;
use crate::company::{Company, heap, until, wait};

/// Connections of the server that the pooler shares among all.
const SHARED: usize = 4;

/// Leads a company's store through the pooler.
fn go_through_pooler(company: &Company) {
    company.write_secret("store-url", &company.store.as_ref().unwrap().through_pooler());
}

/// Says how the store is reached past it.
fn say_how_past_it(company: &Company) {
    company.write_secret("store-direct-url", &company.store.as_ref().unwrap().url);
    let file = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{file}store_direct: file:secrets/store-direct-url\n"));
}

/// What the connections of the server have kept of those who used them.
async fn kept(company: &Company) -> Vec<String> {
    let options: PgConnectOptions =
        company.store.as_ref().unwrap().through_pooler().parse().unwrap();
    let options = options.extra_float_digits(None);
    let mut borrowers = Vec::new();
    for _ in 0..SHARED {
        let mut borrower = PgConnection::connect_with(&options).await.unwrap();
        borrower.execute("BEGIN").await.unwrap();
        borrowers.push(borrower);
    }
    let mut found = Vec::new();
    for borrower in &mut borrowers {
        let asked = "SELECT 'statement ' || name FROM pg_prepared_statements
             UNION ALL SELECT 'channel ' || name FROM pg_listening_channels() AS name
             UNION ALL SELECT 'table ' || relname FROM pg_class
                 WHERE relnamespace = pg_my_temp_schema()
             UNION ALL SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let rows = borrower.fetch_all(asked).await.unwrap();
        found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    found
}

async fn stop(replica: tokio::process::Child) {
    let id = replica.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
    wait(replica).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_persons_behind_a_pooler() {
    let company = replicas::company(34).await;
    go_through_pooler(&company);
    // All three find an empty database at once.
    let openers = [replica(&company), replica(&company), replica(&company)];
    until("each has begun", 60, async || {
        let rows = "SELECT to_regclass('schedules') IS NOT NULL AND EXISTS (
            SELECT 1 FROM pg_class WHERE relname = 'breakers')";
        (company.store_rows(rows).await == ["t"]).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for opener in openers {
        stop(opener).await;
    }
    replicas::nothing_is_lost_and_nothing_done_twice(&company, 24, 4).await;
    assert_eq!(kept(&company).await, Vec::<String>::new(), "left to whoever comes next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_rule_behind_a_pooler() {
    let company = heap::company(Kind::Postgres, Kind::Postgres, 4_000, "{ chunk_records: 20 }");
    let company = company.await;
    go_through_pooler(&company);
    company.quietus(&["status"]).await.expect(0);
    let mut killed = replica(&company);
    let other = replica(&company);
    let mut command = company.command(&["run", "--once", "--schedule", "nightly"]);
    let once = command.env("QUIETUS_LEASE_MS", "2000").spawn().unwrap();
    until("some are gone", 60, async || (heap::left(&company).await < 3_500).then_some(())).await;
    killed.kill().await.unwrap();
    wait(once).await.expect(0);
    stop(other).await;
    assert_eq!(heap::left(&company).await, 10);
    for (count, from) in [
        (1, "jobs WHERE state = 'completed'"),
        (1, "jobs"),
        (1, "attempts WHERE result = 'completed'"),
        (1, "certificates WHERE overall = 'complete' AND state = 'logged'"),
    ] {
        let rows = company.store_rows(&format!("SELECT COUNT(*)::text FROM {from}")).await;
        assert_eq!(rows, [count.to_string()], "{from}");
    }
    company.check_log().await;
    assert_eq!(kept(&company).await, Vec::<String>::new(), "left to whoever comes next");

    // Own records are disposed of in a session, which is past the pooler.
    let said = company.quietus(&["doctor"]).await;
    assert!(said.out.contains("own records stay"), "{}", said.out);
    let held = company.quietus(&["run", "--once"]).await.expect(1);
    let told = format!("{}{}", held.out, held.err);
    assert!(told.contains("store_direct"), "{told}");
    say_how_past_it(&company);
    let said = company.quietus(&["doctor"]).await;
    assert!(said.out.contains("behind a pooler: replicas look every two seconds"), "{}", said.out);
    assert!(!said.out.contains("own records stay"), "{}", said.out);
    assert_eq!(kept(&company).await, Vec::<String>::new(), "left to whoever comes next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_system_behind_a_pooler_is_named() {
    let company = heap::company(Kind::Sqlite, Kind::Postgres, 5, "{}").await;
    company.quietus(&["connector", "test", "heap"]).await.expect(0);
    let direct = &company.database("heap").url;
    company.write_secret("heap-url", &company.database("heap").through_pooler());
    let refused = company.quietus(&["connector", "test", "heap"]).await;
    assert_ne!(refused.code, 0);
    assert!(refused.out.contains("reach the database directly"), "{}", refused.out);
    let doctor = company.quietus(&["doctor"]).await.expect(1);
    assert!(doctor.out.contains("reach the database directly"), "{}", doctor.out);
    // One that passes over what it does not know: two sessions are one.
    company.write_secret("heap-url", &company.database("heap").through_lenient_pooler());
    let found = company.quietus(&["connector", "test", "heap"]).await;
    assert_ne!(found.code, 0);
    assert!(found.out.contains("a pooler in transaction mode"), "{}", found.out);
    company.write_secret("heap-url", direct);
    company.quietus(&["connector", "test", "heap"]).await.expect(0);
}
