//! A system that is down: the drill is not done, the system is named, and once it is there the drill
//! goes on by itself, or is cleaned away once the next one is due.

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::Quietus;
use quietus::app::drill::DrillPace;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{company, everybody, of, shown};
use crate::company::Company;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::estate::forwarder::{Forwarder, by_way_of};
use crate::request::estate::live;

const SHOPS: &[(&str, Kind)] = &[("club", Kind::Sqlite), ("crm", Kind::Postgres)];

/// Puts a line before a database that is cut at first.
async fn cut_line_to(company: &Company, system: &str) -> Forwarder {
    let (host, with_host) = by_way_of(&company.database(system).url);
    let forwarder = Forwarder::to(host).await;
    company.write_secret(&format!("{system}-url"), &with_host(&forwarder.host));
    forwarder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_named_and_finished_later_by_itself() {
    let company = company(Kind::Sqlite, SHOPS, "").await;
    let before = everybody(&company).await;
    let line = cut_line_to(&company, "crm").await;
    let told = company.quietus(&["drill", "run"]).await.expect(1).out;
    assert!(told.contains("planting") && told.contains("it cannot go on there"), "{told}");
    let drill = shown(&company).await;
    assert_eq!(drill["state"], "planting");
    assert!(of(&drill, "club")["planted_at"].is_string(), "{drill:#}");
    assert!(of(&drill, "crm")["trouble"].is_string(), "{drill:#}");
    assert_eq!(company.count_of("requests").await, 0, "nobody asks before all is planted");
    let told = company.quietus(&["drill", "run"]).await.expect(1).out;
    assert!(told.contains("crm: not planted"), "it is carried on, and not begun anew: {told}");

    line.mend();
    company.quietus(&["run", "--once"]).await.expect(0);
    let drill = shown(&company).await;
    assert_eq!(drill["state"], "done", "{drill:#}");
    assert!(of(&drill, "crm")["trouble"].is_null(), "{drill:#}");
    assert_eq!(everybody(&company).await, before);
}

/// Time passes, and everything is done that can be done by then.
async fn passes(product: &Arc<Quietus>, clock: &Arc<TurnedClock>, hours: i64) {
    clock.advance(hours.hours());
    for _ in 0..6 {
        product.advance_drills(DrillPace::Patient).await.unwrap();
        live(product, clock, 1.minutes()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_overtaken_is_cleaned_away() {
    let settings = "drills: {schedule: '0 4 * * *', at_most: PT1H}\n";
    let company = company(Kind::Sqlite, SHOPS, settings).await;
    let before = everybody(&company).await;
    let line = cut_line_to(&company, "crm").await;
    let begun = SystemClock.now().checked_sub((24 * 3).hours()).unwrap();
    let day = begun.to_zoned(jiff::tz::TimeZone::UTC).date();
    let clock = TurnedClock::at(&format!("{day}T12:00:00Z"));
    let product = company.replica(&clock).await;
    passes(&product, &clock, 0).await;
    assert_eq!(company.count_of("drills").await, 0, "the schedule counts from its first sight");

    passes(&product, &clock, 24).await;
    let first = shown(&company).await;
    assert_eq!((&first["state"], &first["by"]), (&"planting".into(), &"scheduler".into()));
    assert!(first["due_at"].is_string());
    passes(&product, &clock, 3).await;
    assert_eq!(shown(&company).await["late"], true);
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("took longer than PT1H"), "{status}");

    passes(&product, &clock, 24).await;
    let listed = company.quietus(&["drill", "list", "--json"]).await.expect(0).json();
    let drills = listed["drills"].as_array().unwrap();
    assert_eq!(drills.len(), 2, "{listed:#}");
    assert_eq!(drills[1]["drill"], first["drill"]);
    assert_eq!(drills[1]["state"], "not_done");
    assert!(drills[1]["why"].as_str().unwrap().contains("the next drill was due"));
    assert!(of(&drills[1], "club")["cleaned_at"].is_string(), "{listed:#}");
    assert!(of(&drills[1], "crm")["cleaned_at"].is_null(), "nobody has looked there yet");
    assert_eq!(listed["standing"]["to_clean"], 1);

    line.mend();
    passes(&product, &clock, 1).await;
    let listed = company.quietus(&["drill", "list", "--json"]).await.expect(0).json();
    assert_eq!(listed["drills"][0]["state"], "done", "{listed:#}");
    assert_eq!(
        (&listed["standing"]["to_clean"], &listed["standing"]["not_done"]),
        (&0.into(), &1.into())
    );
    assert_eq!(everybody(&company).await, before);
    company.quietus(&["drill", "list"]).await.expect(0);
}
