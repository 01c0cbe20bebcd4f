//! What an instance stands on: files, keys, store, rules in force and clock.

use std::os::unix::fs::PermissionsExt as _;

use super::{commands, examined, finding, is_well, pasted};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::heap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_read_are_named_by_file_and_line() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    let rules = company.read("schedules/notes.yaml");
    company.write("schedules/notes.yaml", &rules.replace("period: P1M", "period: a while"));
    let said = examined(&company, 1).await;
    let place = rules.lines().position(|line| line.contains("P1M")).unwrap() + 1;
    let wrong = finding(&said, "files", "wrong", &format!("schedules/notes.yaml:{place}"));
    let [check] = commands(&wrong).try_into().unwrap();
    pasted(&check).await.expect(2);
    company.write("schedules/notes.yaml", &rules);
    pasted(&check).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_without_an_instance_is_wrong_input() {
    let wrong = pasted("quietus --dir /nowhere/at/all doctor").await.expect(2);
    assert!(wrong.err.contains("cannot be read"), "{}", wrong.err);
    let empty = tempfile::tempdir().unwrap();
    pasted(&format!("quietus --dir {} doctor", empty.path().display())).await.expect(2);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_others_may_read_is_closed_again() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let key = company.path("keys/log.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = examined(&company, 1).await;
    let wrong = finding(&said, "keys", "wrong", "keys/log.pem: others may read it");
    let [chmod] = commands(&wrong).try_into().unwrap();
    pasted(&chmod).await.expect(0);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let said = examined(&company, 0).await;
    assert!(is_well(&said, "log"), "{said:#}");
    std::fs::rename(&key, company.path("log.pem.away")).unwrap();
    let said = examined(&company, 1).await;
    finding(&said, "keys", "wrong", "is missing");
    assert!(!key.exists(), "no other one is made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_schema_is_told_and_not_touched() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    company.quietus(&["status"]).await.expect(0);
    let url = format!("sqlite://{}", company.path("quietus.db").display());
    let mut raw = crate::company::database::Raw::open(Kind::Sqlite, &url).await;
    let newest = raw.rows("SELECT CAST(max(version) AS TEXT) FROM _sqlx_migrations").await;
    let newest: u64 = newest[0].parse().unwrap();
    raw.run(&format!(
        "UPDATE _sqlx_migrations SET version = 9999, description = 'needs 9998 of the future'
         WHERE version = {newest}"
    ))
    .await;
    let said = examined(&company, 1).await;
    let newer = finding(
        &said,
        "store",
        "wrong",
        &format!("its schema is 9999, and this binary knows {newest}"),
    );
    assert!(newer["advice"].as_str().unwrap().contains("newer binary"), "{newer:#}");
    raw.run("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    let said = examined(&company, 1).await;
    let older = finding(&said, "store", "wrong", &format!("and this binary has {newest}"));
    assert_eq!(commands(&older).len(), 1);
    let left = raw.rows("SELECT CAST(max(version) AS TEXT) FROM _sqlx_migrations").await;
    assert_eq!(left, [(newest - 1).to_string()], "it was only looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_version_has_added_to_the_schema_is_told() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let url = format!("sqlite://{}", company.path("quietus.db").display());
    let mut raw = crate::company::database::Raw::open(Kind::Sqlite, &url).await;
    raw.run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', 1, x'00', 0)",
    )
    .await;
    let said = examined(&company, 0).await;
    let newer = finding(&said, "store", "look", "a newer version has brought its schema to 9999");
    assert!(newer["advice"].as_str().unwrap().contains("newer version"), "{newer:#}");
    company.quietus(&["run", "--once"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_nobody_has_read_and_a_clock_that_is_behind_are_told() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(is_well(&examined(&company, 0).await, "rules in force"));
    let rules = company.read("schedules/notes.yaml");
    company.write("schedules/notes.yaml", &rules.replace("period: P1M", "period: P2M"));
    let said = examined(&company, 0).await;
    finding(&said, "rules in force", "look", "nobody has read them since");
    company.quietus(&["status"]).await.expect(0);
    assert!(is_well(&examined(&company, 0).await, "rules in force"));

    // A process lived a year ahead of this machine.
    let clock = TurnedClock::at("2027-11-29T12:00:00Z");
    let ahead = company.replica(&clock).await;
    ahead.advance_log().await.unwrap();
    let said = examined(&company, 1).await;
    let behind =
        finding(&said, "clock", "wrong", "behind the newest moment of the log, 2027-11-29");
    assert_eq!(commands(&behind), ["timedatectl set-ntp true"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_works_by_earlier_rules_is_found() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 5, "{}").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let earlier = company.replica(&clock).await;
    earlier.seed_schedules().await.unwrap();
    let rules = company.read("schedules/notes.yaml");
    company.write("schedules/notes.yaml", &rules.replace("period: P1M", "period: P2M"));
    clock.set("2026-06-01T13:00:00Z");
    let later = company.replica(&clock).await;
    drop(later);
    // Nobody has started it anew: it opens the night's case by what it has read.
    clock.set("2026-06-02T01:00:00Z");
    earlier.fire_due().await.unwrap();
    let said = examined(&company, 1).await;
    let case = company.oldest_case().await;
    finding(
        &said,
        "rules in force",
        "wrong",
        &format!("case {case}: a process still works by earlier rules"),
    );
}
