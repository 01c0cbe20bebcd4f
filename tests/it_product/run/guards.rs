//! What must not make a run do more than it was planned to, or keep it from being certified.

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::event::PostedEvent;
use quietus::app::open_case::CaseOpened;
use quietus::app::{Actor, Quietus};
use quietus_connectors::Value;
use tokio_util::sync::CancellationToken;

use crate::company::database::{Kind, Raw};
use crate::company::engine::{TurnedClock, ring, work};
use crate::company::{Company, heap};

async fn heap_of_ten() -> Company {
    heap::company(Kind::Sqlite, Kind::Sqlite, 10, "{ chunk_records: 50 }").await
}

/// Runs everything that is due now, as a person asks for it.
async fn run_now(product: &Quietus) {
    let actor = Actor("Grace Example".to_owned());
    let opened = product.open_case_now(&[], None, actor).await.unwrap();
    assert!(matches!(opened, CaseOpened::Open { .. }), "{opened:?}");
    work(product).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_changed_after_the_plan_has_no_effect_on_it() {
    let company = heap_of_ten().await;
    // On the first of May in Berlin and on the last of April in New York: only there is a month
    // over on the last of May.
    company
        .database("heap")
        .run("INSERT INTO notes VALUES (2001, 'new@mail.example', 'x', '2026-05-01T02:00:00Z')")
        .await;
    let clock = TurnedClock::at("2026-05-31T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    assert_eq!(product.fire_due().await.unwrap().len(), 1);
    let instance = company.read("quietus.yaml").replace("Europe/Berlin", "America/New_York");
    company.write("quietus.yaml", &instance);
    work(&*company.replica(&clock).await).await;
    assert_eq!(heap::left(&company).await, 11, "the ten old ones went and nothing else");
    // A run that is planned in the new zone finds it due: the row tells the zones apart.
    run_now(&*company.replica(&clock).await).await;
    assert_eq!(heap::left(&company).await, 10);
}

/// Notes of one person are ruled first and never go; all others go a fortnight after a mark.
fn with_grace(first: &str) -> String {
    let rule = "rules:\n\
                \x20 - rule: kept-notes\n\
                \x20   category: note.body\n\
                \x20   when: person = \"person1@mail.example\"\n\
                \x20   starting_point: collection\n\
                \x20   period: P90Y\n\
                \x20   action: erase\n\
                \x20   basis: { citation: \"GDPR Art. 6(1)(f)\" }\n";
    heap::rules(heap::WIDE)
        .replace("rules:\n", if first.is_empty() { "rules:\n" } else { rule })
        .replace("period: P1M\n", "period: P1M\n    grace: P14D\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_come_under_a_rule_with_grace_are_marked_before_they_go() {
    let company = heap_of_ten().await;
    company.write("schedules/notes.yaml", &with_grace("kept-notes"));
    let clock = TurnedClock::at("2026-05-31T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    clock.set("2026-06-01T01:00:00Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 20, "marked only");
    clock.set("2026-06-16T01:00:00Z");
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 11, "what was marked went");
    // The first rule is taken out: its notes fall to the second, which never marked them.
    company.write("schedules/notes.yaml", &with_grace(""));
    let product = company.replica(&clock).await;
    clock.advance(24.hours());
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 11, "marked only");
    clock.advance((15 * 24).hours());
    ring(&product).await;
    assert_eq!(heap::left(&company).await, 10);
}

/// Notes that go a month after their person, known by a number, has left.
const LEAVERS: &str = "collections:
  notes:
    key: id
    fields:
      id: { type: integer }
      person: { type: integer, identity: customer_id, exempt: a number }
      body: { type: text, category: note.body }
    starting_points:
      collection: { event: customer.left, field: person }
";

async fn leavers() -> (Company, Arc<Quietus>, Arc<TurnedClock>) {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE));
    company
        .add_system("heap", Kind::Sqlite, LEAVERS)
        .await
        .run(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, person INTEGER, body TEXT);
              INSERT INTO notes VALUES (1, 4711, 'a note'), (2, 815, 'a note')",
        )
        .await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    (company, product, clock)
}

async fn post(product: &Quietus, key: Value, occurred_at: &str, revokes: bool) {
    let event = PostedEvent {
        name: "customer.left".to_owned(),
        key,
        occurred_at: occurred_at.parse().unwrap(),
        revokes,
        idempotency_key: None,
        actor: Actor("shop".to_owned()),
    };
    product.record_posted(event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_finds_its_event_however_the_key_is_spelt() {
    let (company, product, _) = leavers().await;
    let text = |key: &str| Value::Text(key.to_owned());
    post(&product, text("04711"), "2026-01-01T00:00:00Z", false).await;
    post(&product, text("0815"), "2026-01-01T00:00:00Z", false).await;
    post(&product, Value::Integer(4711), "2026-02-01T00:00:00Z", true).await;
    run_now(&product).await;
    let left = company.database("heap").rows("SELECT CAST(id AS TEXT) FROM notes").await;
    assert_eq!(left, ["1"], "the customer came back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_told_after_the_plan_makes_nothing_more_due_in_it() {
    let (company, product, clock) = leavers().await;
    post(&product, Value::Integer(815), "2026-01-01T00:00:00Z", false).await;
    let actor = Actor("Grace Example".to_owned());
    let opened = product.open_case_now(&[], None, actor).await.unwrap();
    assert!(matches!(opened, CaseOpened::Open { .. }), "{opened:?}");
    clock.advance(1.hours());
    post(&product, Value::Integer(4711), "2026-01-01T00:00:00Z", false).await;
    work(&product).await;
    let left =
        || async { company.database("heap").rows("SELECT CAST(id AS TEXT) FROM notes").await };
    assert_eq!(left().await, ["1"]);
    run_now(&product).await;
    assert!(left().await.is_empty(), "the next plan knows it");
    // Also one for an earlier moment, when nobody had told it yet.
    let again = "INSERT INTO notes VALUES (1, 4711, 'a note')";
    company.database("heap").run(again).await;
    let past = Some("2026-03-01T00:00:00Z".parse().unwrap());
    let actor = Actor("Grace Example".to_owned());
    product.open_case_now(&[], past, actor).await.unwrap();
    work(&product).await;
    assert!(left().await.is_empty());
}

/// A table of which nothing has a category.
const REFERENCE: &str = "collections:
  countries:
    key: id
    fields:
      id: { type: integer }
      name: { type: text, exempt: a country points to nobody }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_without_anything_to_dispose_of_is_named_and_does_not_count() {
    let mut company = heap_of_ten().await;
    company
        .add_system("reference", Kind::Sqlite, REFERENCE)
        .await
        .run("CREATE TABLE countries (id INTEGER PRIMARY KEY, name TEXT)")
        .await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "complete");
    let scope = &certificate.predicate["scope"];
    assert_eq!(scope["systemsInScope"], 1, "{scope}");
    let left_out = scope["notCovered"].as_array().unwrap();
    let named = left_out
        .iter()
        .any(|one| one["system"] == "reference" && one["reason"] == "nothing in it is disposed of");
    assert!(named, "{scope}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_cannot_be_read_does_not_keep_others_from_their_certificates() {
    let company = heap_of_ten().await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    let actor = || Actor("Grace Example".to_owned());
    product.open_case_now(&[], None, actor()).await.unwrap();
    let stop = CancellationToken::new();
    while product.carry_out_next("worker", &stop).await.unwrap().is_some() {}
    let url = format!("sqlite://{}", company.path("quietus.db").display());
    Raw::open(Kind::Sqlite, &url)
        .await
        .run("DROP TRIGGER cases_no_rewriting; UPDATE cases SET plan = '{}'")
        .await;
    run_now(&product).await;
    assert_eq!(company.count_of("certificates").await, 1);
    let states = company.store_rows("SELECT state FROM cases ORDER BY created_at, id").await;
    assert_eq!(states, ["verifying", "closed"]);
}
