//! Records go when their time has come, and not before.

use std::sync::Arc;

use jiff::{Span, ToSpan as _};
use quietus::app::Quietus;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::{id_of, rows_of};
use crate::company::Company;
use crate::company::database::{Kind, Raw};
use crate::company::engine::{TurnedClock, ring, work};
use crate::request::person;

const KEPT: &str =
    "own_records: {requests: P60D, letters: P50D, callbacks: P60D, holds: P40D, pauses: P41D}\n";
const ALAN: &str = "email=alan@mail.example\n";
const GRACE: &str = "email=grace@mail.example\n";
/// What proves something.
const PROOF: &[&str] = &["certificates", "log_leaves", "cases", "jobs", "evidence_details"];

fn days(days: i64) -> Span {
    (24 * days).hours()
}

async fn carry_on(product: &Quietus) {
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}

/// A day passes: persons are forgotten, the house is kept, the bell rings.
pub async fn pass(product: &Quietus, clock: &TurnedClock, by: i64) {
    clock.advance(days(by));
    product.look_for_due().await.unwrap();
    carry_on(product).await;
    product.keep_house().await.unwrap();
    ring(product).await;
    product.advance_log().await.unwrap();
}

pub struct Scene {
    pub company: Company,
    pub clock: Arc<TurnedClock>,
    pub product: Arc<Quietus>,
}

/// Alan's matter is over but for the time in which he is told; of Grace an invoice is kept for years.
async fn scene(store: Kind) -> Scene {
    scene_with(store, "").await
}

pub async fn scene_with(store: Kind, settings: &str) -> Scene {
    let company = person::company_on(store, &format!("{KEPT}{settings}")).await;
    let clock = TurnedClock::at(&SystemClock.now().checked_add(1.hour()).unwrap().to_string());
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    for identity in [ALAN, GRACE] {
        person::brought(&company, "erasure", identity).await;
        carry_on(&product).await;
    }
    assert_eq!(rows_of(&company, &["requests", "cases"]).await, ["requests 2", "cases 2"]);
    Scene { company, clock, product }
}

async fn cases_of_the_house(company: &Company) -> Vec<String> {
    let id = id_of(company, "id");
    let text = format!("SELECT {id} FROM cases WHERE schedule = 'quietus' ORDER BY created_at");
    let ids = company.store_rows(&text).await;
    ids.iter().map(|id| uuid::Uuid::parse_str(id).unwrap().to_string()).collect()
}

/// A hold on the record of the request that is over.
async fn hold_what_is_over(company: &Company) {
    let alan = company
        .store_rows(&format!(
            "SELECT {} FROM requests WHERE over_at IS NOT NULL",
            id_of(company, "id")
        ))
        .await
        .remove(0);
    let alan = uuid::Uuid::parse_str(&alan).unwrap().to_string();
    company
        .quietus(&[
            "hold",
            "place",
            "B-2",
            "--system",
            "quietus",
            "--collection",
            "requests",
            "--record",
            &alan,
            "--reason",
            "a claim",
        ])
        .await
        .expect(0);
}

async fn on_time(store: Kind) {
    let Scene { company, clock, product } = scene(store).await;
    company
        .quietus(&["hold", "place", "A-1", "--system", "desk", "--reason", "a court"])
        .await
        .expect(0);
    company.quietus(&["hold", "release", "A-1"]).await.expect(0);
    company.quietus(&["pause", "system", "desk", "--reason", "a repair"]).await.expect(0);
    company.quietus(&["resume", "system", "desk"]).await.expect(0);
    company.quietus(&["connector", "test", "quietus"]).await.expect(0);

    // Day 33: Alan is forgotten, and his matter is over; nothing's time has come.
    pass(&product, &clock, 33).await;
    let over = "SELECT CAST(COUNT(*) AS TEXT) FROM requests WHERE over_at IS NOT NULL";
    assert_eq!(company.store_rows(over).await, ["1"]);
    let tables = ["requests", "letters", "holds", "pauses"];
    let before = rows_of(&company, &tables).await;
    assert_eq!(
        (before[0].as_str(), before[2].as_str(), before[3].as_str()),
        ("requests 2", "holds 1", "pauses 1")
    );
    assert!(cases_of_the_house(&company).await.is_empty(), "nothing to do opens no case");

    // Day 43: the released hold and the ended pause.
    pass(&product, &clock, 10).await;
    let cases = cases_of_the_house(&company).await;
    assert_eq!(cases.len(), 1);
    let certificate = company.certificate_of(&cases[0]).await;
    assert_eq!(certificate.sum("deleted", "quietus", "holds", Some("quietus.holds")), 1);
    assert_eq!(certificate.sum("deleted", "quietus", "pauses", Some("quietus.pauses")), 1);
    assert_eq!(certificate.sum("deleted", "quietus", "requests", Some("quietus.requests")), 0);
    assert_eq!(
        rows_of(&company, &["requests", "holds", "pauses"]).await,
        ["requests 2", "holds 0", "pauses 0"]
    );

    // Day 53: Alan's letters, and with them nothing else.
    let letters = company.count_of("letters").await;
    pass(&product, &clock, 10).await;
    let left = company.count_of("letters").await;
    assert!(left < letters && left > 0, "{left} of {letters}");
    assert_eq!(company.count_of("requests").await, 2);

    // Day 63: a hold on his record keeps it, and nothing is opened.
    hold_what_is_over(&company).await;
    pass(&product, &clock, 10).await;
    assert_eq!(company.count_of("requests").await, 2);
    let cases = cases_of_the_house(&company).await.len();
    company.quietus(&["hold", "release", "B-2"]).await.expect(0);
    let proof = rows_of(&company, PROOF).await;
    let shown = company.quietus(&["house", "list", "--personal"]).await;
    assert!(shown.out.contains("requests") && !shown.out.contains("alan@"), "{}", shown.out);

    // Day 64.
    pass(&product, &clock, 1).await;
    let all = cases_of_the_house(&company).await;
    assert_eq!(all.len(), cases + 1);
    assert_eq!(company.count_of("requests").await, 1, "Grace's stays: an invoice is kept");
    let certificate = company.certificate_of(&all[cases]).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.sum("deleted", "quietus", "requests", Some("quietus.requests")), 1);
    // What proves something only grows, and still does.
    let after = rows_of(&company, PROOF).await;
    for (before, after) in proof.iter().zip(&after) {
        let number = |text: &str| text.split(' ').nth(1).unwrap().parse::<u64>().unwrap();
        assert!(number(after) > number(before), "{before}, {after}");
    }
    let his = company.oldest_case().await;
    assert_eq!(company.certificate_of(&his).await.overall(), "complete");
    company.check_log().await;
    company.quietus(&["audit", "replay"]).await.expect(0);

    // Whoever is looked for by others is kept for as long as they may be.
    pass(&product, &clock, 400).await;
    assert_eq!(company.count_of("requests").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    on_time(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql() {
    on_time(Kind::Postgres).await;
}

/// A legal hold that names the person keeps what we know of them, so that it keeps our record too.
async fn held_by_name(store: Kind) {
    let Scene { company, clock, product } = scene(store).await;
    company
        .quietus(&[
            "hold",
            "place",
            "C-3",
            "--subject",
            "email=Alan@Mail.Example",
            "--reason",
            "a claim",
        ])
        .await
        .expect(0);
    pass(&product, &clock, 100).await;
    let forgotten = "SELECT CAST(COUNT(*) AS TEXT) FROM requests WHERE forgotten_at IS NOT NULL";
    assert_eq!(company.store_rows(forgotten).await, ["0"]);
    company.quietus(&["hold", "release", "C-3"]).await.expect(0);
    assert_eq!(company.count_of("requests").await, 2);
    // He is forgotten now, and his sixty days are over long since: his record goes the same night.
    pass(&product, &clock, 31).await;
    assert_eq!(company.count_of("requests").await, 1);
    assert_eq!(company.store_rows(forgotten).await, ["0"], "Grace is known as long as she is owed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_by_name_in_sqlite() {
    held_by_name(Kind::Sqlite).await;
}

/// Whoever deletes by another way is refused by the database itself.
async fn not_early(store: Kind) {
    let Scene { company, clock, product } = scene(store).await;
    pass(&product, &clock, 33).await;
    let url = match &company.store {
        Some(store) => store.url.clone(),
        None => company.path("quietus.db").display().to_string(),
    };
    let mut raw = Raw::open(store, &url).await;
    let not_his = "over_at IS NULL";
    for text in [
        format!("DELETE FROM requests WHERE {not_his}"),
        format!(
            "DELETE FROM letters WHERE request_id IN (SELECT id FROM requests WHERE {not_his})"
        ),
        "DELETE FROM cases".to_owned(),
        "DELETE FROM certificates".to_owned(),
        "DELETE FROM log_leaves".to_owned(),
        "UPDATE requests SET over_at = 1, version = version + 1 WHERE forgotten_at IS NULL"
            .to_owned(),
    ] {
        assert!(raw.attempt(&text).await.is_err(), "{text}");
    }
    // A case that is opened again is not over.
    let opened = "UPDATE cases SET state = 'executing', outcome = NULL, closed_at = NULL WHERE id = (SELECT case_id FROM requests WHERE over_at IS NOT NULL)";
    raw.run(opened).await;
    let over = "SELECT CAST(COUNT(*) AS TEXT) FROM requests WHERE over_at IS NOT NULL";
    assert_eq!(company.store_rows(over).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_early_in_sqlite() {
    not_early(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_early_in_postgresql() {
    not_early(Kind::Postgres).await;
}
