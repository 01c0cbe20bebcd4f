//! MUST SHOW 6: whoever says stop is obeyed at the next chunk, and nothing is lost by it.

use tokio::process::Child;

use crate::company::database::Kind;
use crate::company::{Company, heap, until, wait};

const OLD: i64 = 5_000;
const CHUNK: i64 = 200;
/// About six seconds for everything.
const PACE: &str = "{ chunk_records: 200, records_per_second: 800 }";

/// A company whose run is under way: at least one chunk has gone and many have not.
async fn under_way(store: Kind, target: Kind) -> (Company, Child, String) {
    let company = heap::company(store, target, OLD.unsigned_abs(), PACE).await;
    let child = company.start(&["run", "--once"]);
    until("the first chunk", 30, async || {
        (heap::left(&company).await <= OLD + 10 - CHUNK).then_some(())
    })
    .await;
    let case = company.latest_case().await;
    (company, child, case)
}

/// After the word was given, at most the chunk under way still goes, and then nothing.
async fn nothing_more_goes(company: &Company, when_said: i64) -> i64 {
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let stopped_at = heap::left(company).await;
    assert!(when_said - stopped_at <= CHUNK, "{when_said} were left, and {stopped_at} are");
    assert!(stopped_at > 10 + CHUNK, "the run was over before it could be stopped");
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(heap::left(company).await, stopped_at, "it went on");
    stopped_at
}

async fn finishes(company: &Company, case: &str) {
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(company).await, 10);
    let certificate = company.certificate_of(case).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(
        certificate.sum("deleted", "heap", "notes", Some("note.body")),
        OLD.unsigned_abs(),
        "what went before and after the stop, counted once"
    );
}

async fn a_hold_stops_a_running_job(store: Kind, target: Kind) {
    let (company, child, case) = under_way(store, target).await;
    company
        .quietus(&["hold", "place", "LIT-1", "--system", "heap", "--reason", "a lawsuit"])
        .await
        .expect(0);
    let said = heap::left(&company).await;
    nothing_more_goes(&company, said).await;
    let ended = wait(child).await.expect(1);
    assert!(ended.out.contains("held") && ended.out.contains("LIT-1"), "{}", ended.out);
    let status = company.quietus(&["status", &case]).await.expect(0);
    assert!(status.out.contains("held by matter LIT-1"), "{}", status.out);

    company.quietus(&["hold", "release", "LIT-1"]).await.expect(0);
    finishes(&company, &case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_a_running_job_on_sqlite() {
    a_hold_stops_a_running_job(Kind::Sqlite, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_a_running_job_on_postgresql() {
    a_hold_stops_a_running_job(Kind::Postgres, Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_a_running_job_on_mariadb() {
    a_hold_stops_a_running_job(Kind::Sqlite, Kind::MariaDb).await;
}

async fn a_pause_stops_a_running_job(store: Kind, target: Kind, what: &[&str]) {
    let (company, child, case) = under_way(store, target).await;
    let scope: Vec<&str> = if what == ["case"] { vec!["case", &case] } else { what.to_vec() };
    let mut pause = vec!["pause"];
    pause.extend(&scope);
    pause.extend(["--reason", "to look first"]);
    company.quietus(&pause).await.expect(0);
    let said = heap::left(&company).await;
    nothing_more_goes(&company, said).await;
    let ended = wait(child).await.expect(1);
    assert!(ended.out.contains("paused"), "the operator learns why:\n{}", ended.out);
    let mut resume = vec!["resume"];
    resume.extend(&scope);
    company.quietus(&resume).await.expect(0);
    finishes(&company, &case).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_a_system_stops_its_job() {
    a_pause_stops_a_running_job(Kind::Sqlite, Kind::Postgres, &["system", "heap"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_everything_stops_every_job() {
    a_pause_stops_a_running_job(Kind::Postgres, Kind::Sqlite, &["everything"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_a_case_stops_its_jobs() {
    a_pause_stops_a_running_job(Kind::Sqlite, Kind::Sqlite, &["case"]).await;
    a_pause_stops_a_running_job(Kind::Postgres, Kind::Postgres, &["case"]).await;
}

/// A paused rule does nothing from the next chunk on, and the rest of the job ends without it: the
/// certificate says what went before, names the pause, and claims nothing more. After the pause the
/// next run does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_a_rule_stops_what_it_does() {
    let (company, child, case) = under_way(Kind::Sqlite, Kind::Sqlite).await;
    let pause = ["pause", "rule", "notes-after-a-month", "--reason", "to look first"];
    company.quietus(&pause).await.expect(0);
    let said = heap::left(&company).await;
    let left = nothing_more_goes(&company, said).await;
    let ended = wait(child).await.expect(1);
    assert!(ended.out.contains("paused: rule notes-after-a-month"), "{}", ended.out);
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "partial");
    let gone = (OLD + 10 - left).unsigned_abs();
    assert_eq!(first.sum("deleted", "heap", "notes", Some("note.body")), gone);
    for one in first.statements() {
        assert_eq!(one["outcome"], "partial", "{one}");
        assert_eq!(one["records"]["left"], (left - 10).to_string(), "{one}");
        let reason = one["failure"]["reason"].as_str().unwrap();
        assert!(reason.contains("`notes-after-a-month` is paused"), "{reason}");
    }
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(heap::left(&company).await, left, "paused is paused");

    company.quietus(&["resume", "rule", "notes-after-a-month"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    let last = company.certificate("latest").await;
    assert_eq!(last.overall(), "complete");
    let rest = last.sum("deleted", "heap", "notes", Some("note.body"));
    assert_eq!(rest + gone, OLD.unsigned_abs());
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_a_case_stops_its_job_for_good() {
    let (company, child, case) = under_way(Kind::Sqlite, Kind::Sqlite).await;
    company.quietus(&["cancel", &case, "--reason", "a mistake"]).await.expect(0);
    let said = heap::left(&company).await;
    let left = nothing_more_goes(&company, said).await;
    wait(child).await.expect(1);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "partial", "what was not done is not claimed");
    let gone = (OLD + 10 - left).unsigned_abs();
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), gone);
    assert!(certificate.statements().iter().all(|one| one["outcome"] != "completed"));
}

/// A hold on one person, placed while the job runs, is respected from the next chunk on.
async fn a_person_held_meanwhile_stays(store: Kind, target: Kind) {
    let (company, child, case) = under_way(store, target).await;
    let subject = "email=person7@mail.example";
    company
        .quietus(&["hold", "place", "LIT-2", "--subject", subject, "--reason", "a lawsuit"])
        .await
        .expect(0);
    let text = target.pick("TEXT", "CHAR", "TEXT");
    let theirs = format!(
        "SELECT CAST(COUNT(*) AS {text}) FROM notes \
         WHERE person = 'person7@mail.example' AND made_at < '2080-01-01'"
    );
    let database = company.database("heap");
    let when_said = database.number(&theirs).await;
    wait(child).await.expect(0);
    let kept = database.number(&theirs).await;
    assert!(when_said - kept <= CHUNK / 50, "{when_said} were there and {kept} are left");
    assert!(kept > 20, "the hold came too late to show anything");
    assert_eq!(heap::left(&company).await, 10 + kept, "everybody else's are gone");
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let deleted = certificate.sum("deleted", "heap", "notes", Some("note.body"));
    assert_eq!(deleted, (OLD - kept).unsigned_abs());
    let said = certificate.statements().iter().any(|one| {
        one["kept"].as_array().unwrap().iter().any(|kept| kept["reason"] == "legal-hold")
    });
    assert!(said, "the certificate names the hold: {:?}", certificate.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_held_meanwhile_stays_on_sqlite() {
    a_person_held_meanwhile_stays(Kind::Sqlite, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_held_meanwhile_stays_on_postgresql() {
    a_person_held_meanwhile_stays(Kind::Postgres, Kind::Postgres).await;
}

/// A run while the hold is in force takes the held case over: its certificate says what was done
/// and names the matter, and after the release one run does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_under_a_hold_takes_over_what_is_held() {
    let (company, child, case) = under_way(Kind::Sqlite, Kind::Sqlite).await;
    company
        .quietus(&["hold", "place", "LIT-1", "--system", "heap", "--reason", "a lawsuit"])
        .await
        .expect(0);
    wait(child).await.expect(1);
    let left = heap::left(&company).await;
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(heap::left(&company).await, left, "held is held");
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "partial");
    let gone = (OLD + 10 - left).unsigned_abs();
    assert_eq!(first.sum("deleted", "heap", "notes", Some("note.body")), gone);
    let reason = first.statements()[0]["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("LIT-1"), "{reason}");

    company.quietus(&["hold", "release", "LIT-1"]).await.expect(0);
    let last = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(last.out.contains("complete"), "{}", last.out);
    assert_eq!(heap::left(&company).await, 10);
    assert_eq!(company.certificate("latest").await.overall(), "complete");
    company.check_log().await;
}
