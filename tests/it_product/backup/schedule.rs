//! A schedule's case, whose copies are in a real restic repository that prunes itself.

use std::process::Output;

use jiff::{Span, Timestamp, ToSpan as _};
use quietus::app::backup::Trouble;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{company, copies, live, looks};
use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

const PASSWORD: &str = "invented-password";

async fn restic(company: &Company, arguments: &[&str]) -> Output {
    let output = tokio::process::Command::new("restic")
        .env("RESTIC_REPOSITORY", company.path("repository"))
        .env("RESTIC_PASSWORD", PASSWORD)
        .env("RESTIC_CACHE_DIR", company.path("cache"))
        .env("TZ", "UTC")
        .args(arguments)
        .output()
        .await
        .expect("restic is installed; `tests/run` does it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A snapshot that began at this moment, and the store's own pruning after it.
async fn backed_up(company: &Company, at: Timestamp) {
    let time = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let data = company.path("data").display().to_string();
    restic(company, &["backup", "--host", "shop", "--time", &time, &data]).await;
    restic(company, &["forget", "--host", "shop", "--keep-daily", "2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_schedule_erases_is_gone_when_restic_has_forgotten_it() {
    let company = company(Kind::Sqlite).await;
    company.write_secret("restic", PASSWORD);
    let place = company.path("repository").display().to_string();
    company.write(
        "systems/vault.yaml",
        &format!(
            "system: vault\nkind: restic\nowner: Operations\nplace: '{place}'\n\
             copies: [shop, desk]\nkeeps: {{daily: 2}}\nlongest_run: PT1H\n\
             parameters: {{password: 'file:secrets/restic', host: shop}}\n"
        ),
    );
    company.write("schedules/rules.yaml", &super::soon());
    let now = SystemClock.now();
    let after = |span: Span| now.checked_add(span).unwrap();
    restic(&company, &["init"]).await;
    backed_up(&company, after((-25).hours())).await;
    backed_up(&company, after((-1).hours())).await;
    company.quietus(&["run", "--once"]).await.expect(0);

    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.predicate["class"], "scheduled-disposal");
    assert_eq!(first.overall(), "complete-with-exceptions");
    let stated = copies(&first);
    assert_eq!((stated.len(), &stated[0]["copies"]), (1, &"2".into()), "{stated:#?}");
    assert!(stated[0]["goneBy"].is_string());
    assert_eq!(looks(&company).await, ["scheduled -"]);

    // Copies that began before it was erased are there: nothing is final.
    let clock = TurnedClock::at(&after(24.hours()).to_string());
    let product = company.replica(&clock).await;
    backed_up(&company, after(23.hours())).await;
    clock.advance(0.seconds());
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    // The next copy has the store forget the last one that can hold it, and its data is there.
    backed_up(&company, after(47.hours())).await;
    clock.set(&after(50.hours()).to_string());
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    let standing = &product.store_standings()[0];
    assert_eq!(standing.alarm, Some(Trouble::Stuck));
    assert!(standing.remains.as_ref().unwrap().contains("restic prune"), "{standing:?}");
    restic(&company, &["prune", "--max-unused", "0"]).await;
    clock.advance(7.hours());
    live(&product).await;
    assert_eq!(product.store_standings()[0].alarm, None);
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    assert_eq!(last.predicate["supersedes"]["reason"], "backup-expired");
    assert_eq!(last.counts(), first.counts());
    company.check_log().await;
}
