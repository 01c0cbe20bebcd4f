//! A company in which much is wrong: each matter has its line, and its command mends it.

use jiff::ToSpan as _;
use serde_json::Value;

use super::{commands, examined, finding, findings, is_well, masked, pasted, pasted_until_well};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, opened, work};
use crate::company::{Company, heap};

const NOWHERE: &str = "postgres://nobody:nothing@127.0.0.1:9/none";

/// One heap, of which nobody has looked at the schedule since June.
async fn asleep(store: Kind) -> Company {
    let company = heap::company(store, Kind::Sqlite, 100, "{ chunk_records: 50 }").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    product.store.close().await;
    company
}

async fn a_missed_run_and_evidence_that_nobody_publishes(store: Kind) {
    let company = asleep(store).await;
    let said = examined(&company, 1).await;
    let missed = finding(&said, "schedules", "wrong", "schedule nightly:");
    assert!(missed["what"].as_str().unwrap().contains("occurrences are overdue"), "{missed:#}");
    assert_eq!(missed["since"], "2026-06-02T00:30:00Z");
    let waiting = finding(&said, "log", "wrong", "wait to be published");
    assert!(waiting["since"].as_str().unwrap().starts_with("2026-06-01T12:00:00"), "{waiting:#}");
    let [publish] = commands(&waiting).try_into().unwrap();
    assert!(publish.ends_with("run --once"), "{publish}");
    let [run] = commands(&missed).try_into().unwrap();
    pasted_until_well(&company, &run, &["schedules", "log"]).await;
    assert!(is_well(&examined(&company, 0).await, "log"));
    assert_eq!(company.fires().await.iter().filter(|one| *one == "run").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_run_and_evidence_that_nobody_publishes_on_sqlite() {
    a_missed_run_and_evidence_that_nobody_publishes(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_run_and_evidence_that_nobody_publishes_on_postgresql() {
    a_missed_run_and_evidence_that_nobody_publishes(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_that_nobody_publishes_is_published_by_what_is_printed() {
    let company = asleep(Kind::Sqlite).await;
    let waiting = finding(&examined(&company, 1).await, "log", "wrong", "wait to be published");
    let [publish] = commands(&waiting).try_into().unwrap();
    pasted(&publish).await.expect(0);
    assert!(is_well(&examined(&company, 1).await, "log"));
}

async fn a_case_that_waits_for_a_second_person(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 100, "{}").await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 5 }"));
    company.quietus(&["run", "--once"]).await.expect(1);
    let case = company.oldest_case().await;
    let said = examined(&company, 0).await;
    let waits = finding(&said, "approvals", "look", &format!("case {case}"));
    assert!(waits["what"].as_str().unwrap().contains("would change 100 of 110"), "{waits:#}");
    let [approve] = commands(&waits).try_into().unwrap();
    pasted(&approve).await.expect(0);
    assert!(is_well(&examined(&company, 0).await, "approvals"));
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_waits_for_a_second_person_on_sqlite() {
    a_case_that_waits_for_a_second_person(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_waits_for_a_second_person_on_postgresql() {
    a_case_that_waits_for_a_second_person(Kind::Postgres).await;
}

/// A system that is down: it is told as such, and so is the job that has failed in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_down_and_the_job_that_failed_there() {
    let mut company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    let other = company.add_system("other", Kind::Postgres, &heap::map("{}")).await;
    heap::furnish(other, 100).await;
    let url = other.url.clone();
    company.write_secret("other-url", NOWHERE);
    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    opened(&product).await;
    for _ in 0..20 {
        work(&product).await;
        clock.advance(5.minutes());
    }
    product.store.close().await;

    let said = examined(&company, 1).await;
    let down = finding(&said, "systems", "wrong", "system other:");
    let [test] = commands(&down).try_into().unwrap();
    pasted(&test).await.expect(1);
    let failed = finding(&said, "jobs", "wrong", "system other:");
    assert!(failed["what"].as_str().unwrap().contains("has failed"), "{failed:#}");
    let [retry] = commands(&failed).try_into().unwrap();
    assert!(!said.to_string().contains("nothing@"), "no password is shown");

    company.write_secret("other-url", &url);
    pasted(&test).await.expect(0);
    pasted(&retry).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    let said = examined(&company, 0).await;
    assert!(is_well(&said, "jobs") && is_well(&said, "systems"), "{said:#}");
    let left = "SELECT CAST(COUNT(*) AS TEXT) FROM notes";
    assert_eq!(company.database("other").rows(left).await, ["10"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_in_quarantine_is_opened_by_what_is_printed() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let begin = ["restore", "begin", "heap", "--taken-at", "2026-01-01", "--reason", "OPS-1"];
    let answer = company.quietus(&begin).await;
    assert!(answer.code < 2, "{}\n{}", answer.out, answer.err);
    let said = examined(&company, 0).await;
    let restored = finding(&said, "quarantine", "look", "system heap:");
    for command in commands(&restored) {
        pasted(&command).await.expect(0);
    }
    assert!(is_well(&examined(&company, 0).await, "quarantine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_took_over_and_one_that_nobody_claims() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-02T01:00:00Z");
    product.fire_due().await.unwrap();
    product.store.close().await;
    let said = examined(&company, 1).await;
    let waits = finding(&said, "jobs", "wrong", "system heap: 1 jobs wait, and nobody works");
    let [run] = commands(&waits).try_into().unwrap();
    let lost = "UPDATE jobs SET state = 'running', leased_by = 'gone', lease_until = available_at
        RETURNING kind";
    company.store_rows(lost).await;
    let said = examined(&company, 1).await;
    let lost = finding(&said, "jobs", "wrong", "whoever worked on it in `heap` is gone");
    assert_eq!(commands(&lost), std::slice::from_ref(&run));
    pasted_until_well(&company, &run, &["jobs"]).await;
    assert_eq!(heap::left(&company).await, 10);
}

/// All of it at once, as people read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_company_is_told_everything() {
    let mut company = asleep(Kind::Sqlite).await;
    let other = company.add_system("other", Kind::Postgres, &heap::map("{}")).await;
    heap::furnish(other, 10).await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 5 }"));
    let clock = TurnedClock::at("2026-06-02T01:00:00Z");
    let product = company.replica(&clock).await;
    product.fire_due().await.unwrap();
    work(&product).await;
    product.store.close().await;
    company.write_secret("other-url", NOWHERE);
    company.quietus(&["pause", "system", "heap", "--reason", "OPS-1"]).await.expect(0);
    let said = company.quietus(&["doctor"]).await.expect(1);
    let told = masked(&company, &said.out);
    // How many nights it is ago depends on the day of the test.
    let told: Vec<String> = told
        .lines()
        .map(|line| match line.split_once(" occurrences are overdue") {
            Some((before, after)) => {
                let before = before.trim_end_matches(|one: char| one.is_ascii_digit());
                format!("{before}MANY occurrences are overdue{after}")
            }
            None => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    let whole = examined(&company, 1).await;
    let wrong = |area: &str| findings(&whole, area).iter().any(|one| one["mark"] == "wrong");
    assert!(wrong("schedules") && wrong("systems") && wrong("approvals"), "{whole:#}");
    assert_eq!(whole["wrong"].as_u64().unwrap(), counted(&whole, "wrong"));
}

fn counted(diagnosis: &Value, mark: &str) -> u64 {
    let areas = diagnosis["areas"].as_array().unwrap();
    areas.iter().map(|area| area[mark].as_u64().unwrap()).sum()
}
