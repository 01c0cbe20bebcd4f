//! Killed in the middle, a disposal of our own records ends as if it had never been disturbed.

use std::time::Duration;

use super::{id_of, rows_of};
use crate::company::database::Kind;
use crate::company::{Company, ended};
use crate::request::person;

/// After claim, intent, commit, progress, answer, verification, settlement, certificate.
const POINTS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 9];

/// A company whose one request is over, its person shredded.
async fn one_over(store: Kind) -> Company {
    let kept = "later_looks: {every: never}\nown_records: {requests: PT1S, callbacks: PT1S}\n";
    let company = person::company_on(store, kept).await;
    person::brought(&company, "erasure", "email=alan@mail.example\n").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let case = company
        .store_rows(&format!("SELECT {} FROM requests", id_of(&company, "case_id")))
        .await
        .remove(0);
    let case = uuid::Uuid::parse_str(&case).unwrap().to_string();
    company.quietus(&["evidence", "shred", "--case", &case]).await.expect(0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    company
}

async fn killed(store: Kind, points: &[u8]) {
    for point in points {
        let company = one_over(store).await;
        assert_eq!(rows_of(&company, &["requests"]).await, ["requests 1"]);
        let mut command = company.command(&["run", "--once", "--schedule", "quietus"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        tokio::time::sleep(Duration::from_millis(400)).await;
        company.quietus(&["run", "--once"]).await.expect(0);
        let left = rows_of(&company, &["requests", "letters"]).await;
        assert_eq!(left, ["requests 0", "letters 0"], "killed at {point}");
        let text = "SELECT CAST(COUNT(*) AS TEXT) FROM certificates, cases
            WHERE cases.id = case_id AND plan LIKE '%\"system\":\"quietus\"%'";
        assert_eq!(company.store_rows(text).await, ["1"], "killed at {point}");
        let case = company
            .store_rows(&format!(
                "SELECT {} FROM cases WHERE plan LIKE '%\"system\":\"quietus\"%'",
                id_of(&company, "id")
            ))
            .await
            .remove(0);
        let case = uuid::Uuid::parse_str(&case).unwrap().to_string();
        let certificate = company.certificate_of(&case).await;
        assert_eq!(
            certificate.sum("deleted", "quietus", "requests", Some("quietus.requests")),
            1,
            "at {point}"
        );
        company.check_log().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    killed(Kind::Sqlite, &POINTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql() {
    killed(Kind::Postgres, &[3, 7]).await;
}
