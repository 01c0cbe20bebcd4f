//! A person's case, whose copies are in a real Borg repository that is pruned by its own tool.

use quietus::app::backup::Trouble;

use super::{company, copies, live, looks, people};
use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

pub(super) const PASSPHRASE: &str = "invented-passphrase";

async fn borg(company: &Company, arguments: &[&str]) -> String {
    borg_from((company, ""), arguments).await
}

/// Runs borg on the company's repository, in this folder of it; what it prints.
pub(super) async fn borg_from((company, folder): (&Company, &str), arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("borg")
        .env("BORG_REPO", company.path("repository"))
        .env("BORG_PASSPHRASE", PASSPHRASE)
        .env("BORG_BASE_DIR", company.path("base"))
        .env("TZ", "UTC")
        .current_dir(company.path(folder))
        .args(arguments)
        .output()
        .await
        .expect("borg is installed; `tests/run` does it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An archive of this day, and the pruning that follows each; the days that are left.
async fn backed_up(company: &Company, day: &str) -> Vec<String> {
    let data = company.path("data").display().to_string();
    let time = format!("{day}T02:00:00");
    borg(company, &["create", "--timestamp", &time, &format!("::shop-{day}"), &data]).await;
    borg(company, &["prune", "--keep-daily", "2"]).await;
    let left = borg(company, &["list", "--format", "{start:%Y-%m-%d}{NL}"]).await;
    left.lines().map(str::to_owned).collect()
}

/// A company whose copies are archives of a new repository.
async fn company_with_repository(more: &str) -> Company {
    let company = company(Kind::Sqlite).await;
    company.write_secret("borg", PASSPHRASE);
    let (repository, base) = (company.path("repository"), company.path("base"));
    company.write(
        "systems/vault.yaml",
        &format!(
            "system: vault\nkind: borg\nowner: Operations\nplace: '{}'\nzone: UTC\n\
             copies: [shop, desk]\nkeeps: {{daily: 2}}\nlongest_run: PT1H\n\
             parameters: {{passphrase: 'file:secrets/borg', BORG_BASE_DIR: '{}'}}\n{more}",
            repository.display(),
            base.display()
        ),
    );
    borg(&company, &["init", "--encryption=repokey"]).await;
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_that_is_told_is_that_on_which_borg_prunes_the_last_one() {
    let company = company_with_repository("").await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    for day in ["2027-01-02", "2027-01-03", "2027-01-04"] {
        backed_up(&company, day).await;
    }
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;

    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions");
    let stated = copies(&first);
    assert_eq!((stated.len(), &stated[0]["copies"]), (1, &"2".into()), "{stated:#?}");
    assert_eq!(stated[0]["goneBy"], "2027-01-06");
    assert_eq!(stated[0]["newestCopyContaining"], "2027-01-04T02:00:00Z");

    assert_eq!(backed_up(&company, "2027-01-05").await, ["2027-01-04", "2027-01-05"]);
    clock.set("2027-01-05T23:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    assert_eq!(looks(&company).await, ["scheduled -"]);

    assert_eq!(backed_up(&company, "2027-01-06").await, ["2027-01-05", "2027-01-06"]);
    clock.set("2027-01-06T12:00:00Z");
    live(&product).await;
    // The list alone would do, and the data of what it no longer shows is there.
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    assert_eq!(looks(&company).await, ["scheduled -"]);
    let standing = &product.store_standings()[0];
    assert_eq!((standing.alarm, standing.overstaying), (Some(Trouble::Stuck), 0));
    assert!(standing.remains.as_ref().unwrap().contains("borg compact"), "{standing:?}");
    let horizon = &product.horizons("shop", "2027-01-04T09:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!((horizon[0].seen.gone, horizon[0].seen.copies), (false, Some(0)));
    assert!(horizon[0].fault.as_ref().unwrap().contains("borg compact"), "{horizon:?}");
    // The day that was promised is over: what was certified is not so.
    clock.set("2027-01-07T12:00:00Z");
    live(&product).await;
    let second = company.certificate_of(&case).await;
    assert_eq!(second.overall(), "complete-with-exceptions");
    assert_eq!(second.predicate["supersedes"]["reason"], "looked-again");
    assert_eq!(
        copies(&second)[0]["withoutDay"],
        "the store no longer lists the copies, and nobody has seen that their data is gone"
    );
    borg(&company, &["compact", "--threshold", "0"]).await;
    clock.set("2027-01-07T19:00:00Z");
    live(&product).await;
    assert_eq!(product.store_standings()[0].alarm, None);
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    assert_eq!(last.predicate["supersedes"]["reason"], "backup-expired");
    assert_eq!(last.counts(), first.counts());
    assert_eq!(looks(&company).await, ["completed -", "completed -"]);
    company.check_log().await;
}

/// What somebody else took out of the list, quietus clears away where it is the one that removes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_archives_is_cleared_away_before_anybody_is_called_gone() {
    let company = company_with_repository("expire: by_quietus\n").await;
    people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    backed_up(&company, "2027-01-04").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    for day in ["2027-01-05", "2027-01-06"] {
        backed_up(&company, day).await;
    }
    clock.set("2027-01-06T12:00:00Z");
    let hold = ["hold", "place", "M-1", "--system", "vault", "--reason", "lawsuit, T-1"];
    company.quietus(&hold).await.expect(0);
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete-with-exceptions");
    let removed =
        "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'backup.expired'";
    assert_eq!(company.store_rows(removed).await, ["0"], "a hold speaks of the store");
    company.quietus(&["hold", "release", "M-1"]).await.expect(0);
    clock.set("2027-01-06T19:00:00Z");
    live(&product).await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
    assert_eq!(company.store_rows(removed).await, ["2"], "before and after");
    company.check_log().await;
}
