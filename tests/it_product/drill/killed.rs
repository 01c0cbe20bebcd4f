//! `kill -9` in the middle of a drill: it is taken up again, plants nothing twice, and leaves nothing.

use super::{company, everybody, of, shown};
use crate::company::database::Kind;
use crate::company::ended;

/// Planted, and the store does not know; asked; planted once more; looked for; and the points that
/// every job passes.
const POINTS: [u8; 9] = [22, 23, 2, 5, 8, 24, 21, 6, 9];

async fn killed_and_taken_up_again(store: Kind) {
    let shops = [("club", Kind::Sqlite), ("shop", Kind::MariaDb)];
    let company = company(store, &shops, "").await;
    let before = everybody(&company).await;
    for point in POINTS {
        let mut command = company.command(&["drill", "run"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    let status = shown(&company).await;
    assert_ne!(status["state"], "done", "{status:#}");
    company.quietus(&["run", "--once"]).await.expect(0);
    let drill = shown(&company).await;
    assert_eq!(drill["state"], "done", "{drill:#}");
    for (system, _) in shops {
        assert!(of(&drill, system)["erased_again_at"].is_string(), "{drill:#}");
    }
    assert_eq!(everybody(&company).await, before);
    assert_eq!(company.count_of("drills").await, 1);
    assert_eq!(company.count_of("requests").await, 1);
    assert_eq!(company.count_of("reappearances").await, 2);
    let certificate = company.certificate_of(drill["case"].as_str().unwrap()).await;
    assert_eq!(certificate.sum("deleted", "shop", "orders", Some("delivery")), 2, "counted once");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_taken_up_again_with_the_store_in_sqlite() {
    killed_and_taken_up_again(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_taken_up_again_with_the_store_in_postgresql() {
    killed_and_taken_up_again(Kind::Postgres).await;
}
