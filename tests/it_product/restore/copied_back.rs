//! A database file that is copied back: everybody who was erased or restricted since is erased or
//! restricted again, and nothing else happens there until that is verified.

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::restore::BeginRestore;
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, Clock as _};
use quietus::telemetry::SystemClock;
use uuid::Uuid;

use super::house::{ask, copy, house, put_back, rows};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, ended, identifier_in};
use crate::request::estate::live;

const ERASED: std::ops::RangeInclusive<i64> = 1..=12;
const RESTRICTED: std::ops::RangeInclusive<i64> = 13..=15;
const MEMBERS: i64 = 20;

/// The club after twelve were erased, three restricted and old visits deleted, all after the copy.
struct Club {
    company: Company,
    clock: Arc<TurnedClock>,
    product: Arc<Quietus>,
    taken_at: String,
    requests: Vec<Uuid>,
}

impl Club {
    async fn new(store: Kind) -> Self {
        let company = house(store, MEMBERS).await;
        copy(&company, "data/desk.copy").await;
        // Commands have the machine's clock, and what follows turns this one some seconds ahead.
        let before = SystemClock.now().checked_sub(1.minutes()).unwrap();
        let clock = TurnedClock::at(&before.to_string());
        let product = company.replica(&clock).await;
        let taken_at = product.now().to_string();
        let mut requests = Vec::new();
        for (right, who) in [(AskedRight::Erasure, ERASED), (AskedRight::Restriction, RESTRICTED)] {
            for number in who {
                requests.push(ask(&product, right, number).await);
            }
        }
        live(&product, &clock, 1.seconds()).await;
        company.quietus(&["run", "--once"]).await.expect(0);
        assert_eq!(rows(&company).await, settled(), "before anything is restored");
        Self { company, clock, product, taken_at, requests }
    }

    /// The copy is put back, and somebody says so.
    async fn restored(&self) -> String {
        put_back(&self.company, "data/desk.copy");
        let all = usize::try_from(MEMBERS).unwrap() + 5;
        assert_eq!(rows(&self.company).await.len(), all, "everybody is back");
        let begin = ["restore", "begin", "desk", "--taken-at", &self.taken_at];
        let rest = [
            "--reason",
            "disk lost, OPS-7",
            "--by",
            "Ada Example",
            "--copy",
            "nightly/20261128-030002F",
        ];
        self.company.quietus(&[&begin[..], &rest].concat()).await.expect(0).out
    }

    async fn case_of(&self, request: Uuid) -> String {
        let request = self.product.rights_request(request).await.unwrap();
        request.stored.case_id.unwrap().to_string()
    }
}

/// What is left once everything is done.
fn settled() -> Vec<String> {
    let mut rows: Vec<String> = (13..=MEMBERS)
        .map(|n| if RESTRICTED.contains(&n) { format!("{n} restricted") } else { n.to_string() })
        .collect();
    rows.extend(["visit 4".to_owned(), "visit 5".to_owned()]);
    rows.sort();
    rows
}

async fn everybody_goes_again(store: Kind) {
    let club = Club::new(store).await;
    let company = &club.company;
    let case = club.case_of(club.requests[0]).await;
    let before = company.certificate_of(&case).await;
    let said = club.restored().await;
    assert!(said.contains("15 case(s) of persons are done again"), "{said}");

    // Nothing else goes on there: a new request is planned and waits.
    let late = ask(&club.product, AskedRight::Erasure, 20).await;
    for _ in 0..2 {
        club.clock.advance(2.seconds());
        club.product.advance_requests().await.unwrap();
    }
    let letters = company.count_of("letters").await;
    assert!(company.quietus(&["status"]).await.expect(0).out.contains("in quarantine"));
    assert!(rows(company).await.contains(&"20".to_owned()), "it waits");
    assert_eq!(
        company.certificate_of(&club.case_of(club.requests[0]).await).await.overall(),
        "complete"
    );

    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    assert_eq!(rows(company).await, settled());
    let shown = company.quietus(&["restore", "show", "desk", "--json"]).await.expect(0).json();
    assert_eq!(shown["state"], "quarantined");
    assert_eq!(shown["persons"]["done"], 15);
    assert_eq!(shown["persons"]["came_back"], 15);
    assert_eq!(shown["missing"].as_array().unwrap().len(), 0, "{shown:#}");

    let opened = company.quietus(&["restore", "open", "desk", "--by", "Ada Example"]).await;
    let certificate = company.certificate(&identifier_in(&opened.expect(0).out)).await;
    the_restore_is_certified(&certificate.predicate, &club.taken_at);
    assert_eq!(certificate.sum("deleted", "desk", "visits", Some("trace")), 3);

    // The person's certificate says that they were back; it counts nobody twice.
    let after = company.certificate_of(&case).await;
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(after.predicate["supersedes"]["certificateId"], before.predicate["certificateId"]);
    assert_eq!(after.counts(), before.counts());
    assert_eq!(after.overall(), "complete");
    let restore = &after.predicate["restores"][0];
    assert_eq!((&restore["system"], &restore["records"]), (&"desk".into(), &"1".into()));
    assert!(restore["persons"].is_null(), "one person's certificate counts no others");
    assert_eq!(company.count_of("letters").await, letters, "nobody is written to again");

    // What waited goes on.
    live(&club.product, &club.clock, 2.minutes()).await;
    assert!(!rows(company).await.contains(&"20".to_owned()));
    assert_eq!(company.certificate_of(&club.case_of(late).await).await.overall(), "complete");
    company.quietus(&["restore", "open", "desk"]).await.expect(2);
    assert!(!company.quietus(&["status"]).await.expect(0).out.contains("in quarantine"));
    company.check_log().await;
}

fn the_restore_is_certified(predicate: &serde_json::Value, taken_at: &str) {
    assert_eq!(predicate["class"], "restore");
    assert_eq!(predicate["summary"]["overall"], "complete");
    let restore = &predicate["restores"][0];
    assert_eq!(restore["stateOf"].as_str().unwrap(), taken_at);
    assert_eq!(restore["announced"], true);
    let persons = &restore["persons"];
    assert_eq!((&persons["doneAgain"], &persons["cameBack"]), (&"15".into(), &"15".into()));
    assert_eq!(persons["forgotten"], "0");
    let limits = predicate["limits"].to_string();
    assert!(limits.contains("of whom 15 were back"), "{limits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_came_back_goes_again() {
    Box::pin(everybody_goes_again(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_who_came_back_goes_again_with_the_store_on_a_server() {
    Box::pin(everybody_goes_again(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_is_not_opened_before_everything_is_done() {
    let club = Club::new(Kind::Sqlite).await;
    let company = &club.company;
    let at = |taken_at: &str| {
        ["restore", "begin", "desk", "--reason", "OPS-7", "--taken-at", taken_at].map(str::to_owned)
    };
    let begin = async |arguments: [String; 7]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        company.quietus(&arguments).await
    };
    let future = begin(at("2090-01-01")).await.expect(2);
    assert!(future.err.contains("lies in the future"), "{}", future.err);
    let nobody = company
        .quietus(&["restore", "begin", "shop", "--reason", "x", "--taken-at", "2026-01-01"])
        .await
        .expect(2);
    assert!(nobody.err.contains("there is no system `shop`"), "{}", nobody.err);
    let open = company.quietus(&["restore", "open", "desk"]).await.expect(2);
    assert!(open.err.contains("is not in quarantine"), "{}", open.err);
    assert_eq!(company.count_of("restores").await, 0);

    club.restored().await;
    let twice = begin(at(&club.taken_at)).await.expect(2);
    assert!(twice.err.contains("is in quarantine already"), "{}", twice.err);
    let open = company.quietus(&["restore", "open", "desk"]).await.expect(2);
    assert!(open.err.contains("15 of 15 cases of persons are not done again yet"), "{}", open.err);
    assert!(open.err.contains("what rules have made due, is not done yet"), "{}", open.err);
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    company.quietus(&["restore", "open", "desk"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_it_ends_as_if_nothing_had_happened() {
    let club = Club::new(Kind::Sqlite).await;
    let company = &club.company;
    club.restored().await;
    // Started, answered, looked at, settled.
    for point in 3_u8..=7 {
        let mut command = company.command(&["restore", "carry-out", "desk"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        ended(command).await;
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    assert_eq!(rows(company).await, settled());
    let opened = company.quietus(&["restore", "open", "desk"]).await.expect(0);
    let certificate = company.certificate(&identifier_in(&opened.out)).await;
    the_restore_is_certified(&certificate.predicate, &club.taken_at);
    let after = company.certificate_of(&club.case_of(club.requests[3]).await).await;
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_came_meanwhile_keeps_what_it_holds() {
    let club = Club::new(Kind::Sqlite).await;
    let company = &club.company;
    club.restored().await;
    let hold = ["hold", "place", "LIT-7", "--reason", "a lawsuit"];
    let place = async |scope: &[&str]| {
        company.quietus(&[&hold[..], scope].concat()).await.expect(0);
    };
    place(&["--subject", "email=p3@mail.example"]).await;
    place(&["--collection", "visits"]).await;
    company.quietus(&["restore", "carry-out", "desk"]).await;
    let mut kept = settled();
    kept.extend(["3", "visit 1", "visit 2", "visit 3"].map(str::to_owned));
    kept.sort();
    assert!(
        rows(company)
            .await
            .iter()
            .map(|row| row.trim_end_matches(" restricted"))
            .eq(kept.iter().map(|row| row.trim_end_matches(" restricted"))),
        "{:?}",
        rows(company).await
    );
    let opened = company.quietus(&["restore", "open", "desk"]).await.expect(0);
    let certificate = company.certificate(&identifier_in(&opened.out)).await;
    assert_eq!(certificate.predicate["class"], "restore");
    assert_eq!(certificate.sum("deleted", "desk", "visits", Some("trace")), 0);
    let hers = company.certificate_of(&club.case_of(club.requests[2]).await).await;
    assert!(hers.predicate.to_string().contains("legal-hold"), "{:#}", hers.predicate);
    company.quietus(&["hold", "release", "LIT-7"]).await.expect(0);
    live(&club.product, &club.clock, 2.minutes()).await;
    assert!(!rows(company).await.contains(&"3".to_owned()), "she goes once it is released");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_forgotten_cannot_be_looked_for_and_is_counted() {
    let club = Club::new(Kind::Sqlite).await;
    // Whoever is owed a later look is not forgotten before it.
    club.clock.advance(746.hours());
    club.product.look_for_due().await.unwrap();
    club.product.look_after_restores().await.unwrap();
    live(&club.product, &club.clock, 1.seconds()).await;
    put_back(&club.company, "data/desk.copy");
    let begun = club
        .product
        .begin_restore(BeginRestore {
            system: "desk".to_owned(),
            taken_at: club.taken_at.parse().unwrap(),
            copy: None,
            announced: true,
            back_since: None,
            reason: "OPS-8".to_owned(),
            actor: Actor("Ada Example".to_owned()),
        })
        .await
        .unwrap();
    assert_eq!((begun.replays, begun.forgotten), (3, 12), "restrictions last");
    // Nobody is forgotten while something of theirs is to be done again.
    live(&club.product, &club.clock, 1.minutes()).await;
    let opened = club.product.open_restored("desk", &Actor("Ada Example".to_owned())).await;
    let opened = opened.unwrap();
    assert_eq!(opened.came_back, 3);
    let certificate = club.company.certificate(&opened.certificate.unwrap().to_string()).await;
    assert_eq!(certificate.predicate["restores"][0]["persons"]["forgotten"], "12");
}
