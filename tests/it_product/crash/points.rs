//! One death at each numbered point, for both stores and two kinds of system.

use crate::company::database::Kind;
use crate::company::shop::{self, MOMENT};
use crate::company::{Company, Ended, ended, long_tests};

const POINTS: std::ops::RangeInclusive<u8> = 1..=11;

/// The first point at which an attempt has been recorded as started.
const STARTED: u8 = 2;
/// The first point at which the attempt has been settled.
const SETTLED: u8 = 7;

async fn shop_in_small_chunks(store: Kind, target: Kind) -> Company {
    let company = shop::company(store, &[target]).await;
    let map = format!("pace: {{ chunk_records: 2 }}\n{}", shop::MAP);
    company.change_map(&shop::name_of(target), &map);
    shop::place_holds(&company).await;
    company
}

/// `quietus run --once`. Where a point is given it dies there, with a lease that ends soon, and yet
/// not before a busy machine has reached the point: another worker of the same process would take
/// the job over. Whoever goes on has the usual lease, for the same reason.
async fn run(company: &Company, point: Option<u8>) -> Ended {
    let mut command = company.command(&["run", "--once", "--as-of", MOMENT]);
    if let Some(point) = point {
        command.env("QUIETUS_LEASE_MS", "2000").env("QUIETUS_CRASH_POINT", point.to_string());
    }
    ended(command).await
}

/// What a run leaves behind, apart from identifiers and moments.
#[derive(Debug, PartialEq)]
struct Traces {
    rows: Vec<String>,
    certified: Vec<String>,
    overall: String,
}

async fn traces(company: &Company, case: &str) -> Traces {
    let certificate = company.certificate_of(case).await;
    Traces {
        rows: shop::dump(company).await,
        certified: certificate.counts(),
        overall: certificate.overall().to_owned(),
    }
}

/// Results of the attempts at the first case's job, in order.
async fn attempts(company: &Company, case: &str) -> Vec<String> {
    let case = company.store_id(case);
    company
        .store_rows(&format!(
            "SELECT attempts.result FROM attempts JOIN jobs ON jobs.id = attempts.job_id \
             WHERE jobs.case_id = {case} ORDER BY attempts.attempt"
        ))
        .await
}

async fn survives_every_point(store: Kind, target: Kind) {
    let undisturbed = shop_in_small_chunks(store, target).await;
    run(&undisturbed, None).await.expect(0);
    let expected = traces(&undisturbed, &undisturbed.oldest_case().await).await;
    let after = shop::expected(&undisturbed, |story| story.after);
    assert_eq!(expected.rows, after, "the undisturbed run");
    for point in POINTS {
        let company = shop_in_small_chunks(store, target).await;
        let killed = run(&company, Some(point)).await;
        assert_eq!(
            killed.code, -1,
            "point {point} was not reached:\n{}\n{}",
            killed.out, killed.err
        );
        let case = company.oldest_case().await;
        let resumed = run(&company, None).await.expect(0);
        assert_eq!(traces(&company, &case).await, expected, "point {point}\n{}", resumed.out);
        let attempts = attempts(&company, &case).await;
        match point {
            _ if point < STARTED => assert_eq!(attempts.last().unwrap(), "completed"),
            _ if point < SETTLED => assert_eq!(attempts, ["lost", "completed"], "point {point}"),
            _ => assert_eq!(attempts, ["completed"], "point {point}"),
        }
        let certificates = company
            .store_rows(&format!(
                "SELECT CAST(COUNT(*) AS TEXT) FROM certificates WHERE case_id = {}",
                company.store_id(&case)
            ))
            .await;
        assert_eq!(certificates, ["1"], "point {point}: one certificate, not two");
        company.check_log().await;
        for system in &company.systems {
            let rest = system
                .database
                .rows("SELECT * FROM quietus_progress WHERE order_key NOT LIKE 'canary-%'")
                .await;
            assert!(rest.is_empty(), "point {point}: progress is left in the system: {rest:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_sqlite_system_in_sqlite() {
    survives_every_point(Kind::Sqlite, Kind::Sqlite).await;
}

/// Only with `QUIETUS_TEST_LONG`: what crosses is much like what does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_sqlite_system_in_postgresql() {
    if !long_tests() {
        return;
    }
    survives_every_point(Kind::Sqlite, Kind::Postgres).await;
}

/// Only with `QUIETUS_TEST_LONG`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_postgresql_system_in_sqlite() {
    if !long_tests() {
        return;
    }
    survives_every_point(Kind::Postgres, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_in_postgresql_system_in_postgresql() {
    survives_every_point(Kind::Postgres, Kind::Postgres).await;
}
