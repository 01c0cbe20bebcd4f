//! Silence is a fault: a rule of which what was due stayed, and one that finds nothing any more.

use jiff::ToSpan as _;
use quietus::app::silence::{RuleStanding, Silence};

use super::{commands, examined, finding, is_well, pasted};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, ring, work};
use crate::company::{Company, heap};

const RULE: &str = "notes-after-a-month";

async fn standing(product: &quietus::app::Quietus) -> RuleStanding {
    let standings = product.rule_standings().await.unwrap();
    let [one] = <[RuleStanding; 1]>::try_from(standings).unwrap();
    assert_eq!(one.rule.as_str(), RULE);
    one
}

/// One note more that is due.
async fn write_note(company: &Company, number: usize) {
    let text = format!(
        "INSERT INTO notes VALUES ({}, 'person1@mail.example', 'late', '2020-01-01T00:00:00Z')",
        1_000 + number
    );
    company.database("heap").run(&text).await;
}

async fn a_rule_that_finds_nothing_any_more(store: Kind) {
    let company = heap::company(store, Kind::Sqlite, 10, "{}").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    assert_eq!(standing(&product).await.last_run, None);
    for night in 0..4 {
        write_note(&company, night).await;
        clock.advance(24.hours());
        ring(&product).await;
    }
    let well = standing(&product).await;
    assert_eq!((well.silence, well.runs_without, well.stayed), (None, 0, 0));
    let last_gone = well.last_gone.unwrap();
    for night in 1..=3 {
        clock.advance(24.hours());
        ring(&product).await;
        let now = standing(&product).await;
        assert_eq!(now.runs_without, night);
        assert_eq!(now.last_gone, Some(last_gone));
        assert_eq!(now.silence, (night == 3).then_some(Silence::Unusual), "night {night}");
    }
    // Another process that knows nothing yet reads the same from the store.
    product.store.close().await;
    let said = company.quietus(&["doctor", "--json"]).await.json();
    let silent = finding(&said, "rules", "look", &format!("rule {RULE}"));
    let what = silent["what"].as_str().unwrap();
    assert!(what.contains("nothing was due in its latest 3 runs"), "{what}");
    let [plan] = commands(&silent).try_into().unwrap();
    pasted(&plan).await.expect(0);

    // Notes come again, and the rule is silent no longer.
    let product = company.replica(&clock).await;
    write_note(&company, 9).await;
    clock.advance(24.hours());
    ring(&product).await;
    let again = standing(&product).await;
    assert_eq!((again.silence, again.runs_without, again.longest_before), (None, 0, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_finds_nothing_any_more_on_sqlite() {
    Box::pin(a_rule_that_finds_nothing_any_more(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_finds_nothing_any_more_on_postgresql() {
    Box::pin(a_rule_that_finds_nothing_any_more(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_due_and_stayed_is_told_until_it_goes() {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE));
    heap::furnish(company.add_system("heap", Kind::Postgres, &heap::map("{}")).await, 100).await;
    let url = company.database("heap").url.clone();
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-02T01:00:00Z");
    // It was counted, and is down when its turn comes.
    product.fire_due().await.unwrap();
    company.write_secret("heap-url", "postgres://nobody:nothing@127.0.0.1:9/none");
    for _ in 0..20 {
        clock.advance(5.minutes());
        work(&product).await;
    }
    let stayed = standing(&product).await;
    assert_eq!((stayed.silence, stayed.stayed), (Some(Silence::Stayed), 100));
    let said = company.quietus(&["doctor", "--json"]).await.expect(1).json();
    let told =
        finding(&said, "rules", "wrong", "100 records were due in its latest run, and none went");
    let [status] = commands(&told).try_into().unwrap();
    assert!(pasted(&status).await.expect(0).out.contains("heap: failed"));

    company.write_secret("heap-url", &url);
    clock.set("2026-06-03T01:00:00Z");
    ring(&product).await;
    let mended = standing(&product).await;
    assert_eq!((mended.silence, mended.stayed, mended.runs_without), (None, 0, 0));
    assert_eq!(heap::left(&company).await, 10);
    // The next run has done the work of the job that failed: nobody has to try that again.
    let said = company.quietus(&["doctor", "--json"]).await.json();
    assert!(is_well(&said, "jobs") && is_well(&said, "rules"), "{said:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_company_without_runs_is_not_said_to_be_silent() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 10, "{}").await;
    company.quietus(&["status"]).await.expect(0);
    let said = examined(&company, 0).await;
    assert!(is_well(&said, "rules"), "{said:#}");
    finding(&said, "rules", "well", "0 of 1 have run");
    finding(&said, "schedules", "look", "no `quietus run` counts occurrences");
}
