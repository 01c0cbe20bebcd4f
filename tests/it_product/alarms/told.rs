//! What is told: silence, what was put back, what has become worse, what a webhook asks for; each once, in
//! words that name nobody.

use jiff::ToSpan as _;
use quietus::app::alarm::AlarmTally;
use quietus::app::doctor::TOLD_AREAS;
use quietus::app::open_case::{CaseOpened, Opening};
use quietus::app::{Actor, Quietus};
use quietus::plan::Acting;
use quietus::store::CaseCause;

use super::receiver::{Receiver, secret};
use super::{BYTE, configure, heap_with, open_kinds, pause, resume, serving, soon, watch};
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, ring};
use crate::company::{Company, heap};
use crate::request::person;

async fn write_note(company: &Company, number: usize) {
    let text = format!(
        "INSERT INTO notes VALUES ({}, 'person1@mail.example', 'late', '2020-01-01T00:00:00Z')",
        1_000 + number
    );
    company.database("heap").run(&text).await;
}

async fn silence_is_told_once_and_its_end_once(store: Kind) {
    let (company, receiver) = heap_with(store, "", "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    product.seed_schedules().await.unwrap();
    for night in 0..4 {
        write_note(&company, night).await;
        clock.advance(24.hours());
        ring(&product).await;
        watch(&product).await;
    }
    assert_eq!(receiver.heard(), Vec::<String>::new(), "all is well");
    for _ in 0..3 {
        clock.advance(24.hours());
        ring(&product).await;
        // It is looked many times, and told once.
        for _ in 0..3 {
            watch(&product).await;
        }
    }
    assert_eq!(receiver.heard(), ["alarm.raised rule.silent"]);
    let raised = receiver.came().remove(0);
    let data = &raised.body["data"];
    assert_eq!(data["area"], "rules");
    assert_eq!(data["place"], "rule notes-after-a-month");
    assert_eq!((&data["mark"], &data["step"]), (&"look".into(), &1.into()));
    assert_eq!(data["controller"], "Example Company");
    assert!(data["text"].as_str().unwrap().contains("in its latest 3 runs"), "{data:#}");
    assert!(data["since"].as_str().unwrap().starts_with("2026-06-06"), "{data:#}");
    assert_eq!(data["commands"][0], "quietus plan --schedule nightly");
    assert_eq!(raised.body["timestamp"], data["raised_at"]);
    assert_eq!(open_kinds(&company).await, ["rule.silent"]);

    // While it lasts it is told again a day later, and not before.
    clock.advance(12.hours());
    watch(&product).await;
    assert_eq!(receiver.heard().len(), 1);
    clock.advance(13.hours());
    ring(&product).await;
    watch(&product).await;
    watch(&product).await;
    assert_eq!(receiver.heard()[1..], ["alarm.again rule.silent"]);

    write_note(&company, 9).await;
    clock.advance(24.hours());
    ring(&product).await;
    for _ in 0..3 {
        watch(&product).await;
    }
    assert_eq!(receiver.heard()[2..], ["alarm.cleared rule.silent"]);
    let came = receiver.came();
    let alarm = |place: usize| &came[place].body["data"]["id"];
    assert!(alarm(0) == alarm(1) && alarm(1) == alarm(2), "one alarm");
    assert!(came[0].id != came[1].id && came[1].id != came[2].id, "three messages");
    assert_eq!(came[2].body["data"]["cleared_at"], came[2].body["timestamp"]);
    assert_eq!(open_kinds(&company).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_told_once_and_its_end_once_on_sqlite() {
    Box::pin(silence_is_told_once_and_its_end_once(Kind::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_told_once_and_its_end_once_on_postgresql() {
    Box::pin(silence_is_told_once_and_its_end_once(Kind::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_area_is_looked_at_and_each_finding_has_a_kind() {
    let (company, _) = heap_with(Kind::Sqlite, "", "").await;
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    product.advance_log().await.unwrap();
    product.look_for_alarms().await.unwrap();
    let known = product.examine_known().await;
    let names: Vec<&str> = known.iter().map(|one| one.area.name).collect();
    assert_eq!(names, TOLD_AREAS);
    assert!(known.iter().all(|one| one.is_whole), "{known:#?}");
    let findings = known.iter().flat_map(|one| &one.area.findings);
    assert!(findings.clone().all(|one| one.kind.is_some()), "{known:#?}");
    assert_eq!(findings.count(), 1, "{known:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_what_it_asks_for() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    let (ends, kinds, others) =
        (Receiver::start(1).await, Receiver::start(2).await, Receiver::start(3).await);
    for (name, byte) in [("ends", 1), ("kinds", 2), ("others", 3)] {
        company.write_secret(name, &secret(byte));
    }
    let entries = [
        ends.entry("ends", ", at: [alarm.cleared]"),
        kinds.entry("kinds", ", at: [pause.lasting]"),
        others.entry("others", ", at: [request.overdue, job.failed]"),
    ];
    configure(&company, "", &entries.concat());
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    watch(&product).await;
    resume(&company).await;
    watch(&product).await;
    assert_eq!(ends.heard(), ["alarm.cleared pause.lasting"]);
    assert_eq!(kinds.heard(), ["alarm.raised pause.lasting", "alarm.cleared pause.lasting"]);
    assert_eq!(others.heard(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_request_is_told_and_nobody_is_named() {
    let company = person::company_on(Kind::Sqlite, "").await;
    let receiver = Receiver::start(BYTE).await;
    company.write_secret("hook", &secret(BYTE));
    configure(&company, "", &receiver.entry("hook", ", at: [request.overdue]"));
    company.write("who.txt", "email=alan@mail.example\n");
    let who = company.path("who.txt").display().to_string();
    let new = ["request", "new", "--right", "access", "--identities-file", &who];
    let then = ["--received", "2026-08-01T09:00:00+02:00", "--by", "Ben Example"];
    company.quietus(&[&new[..], &then].concat()).await.expect(0);
    let product = serving(&company, &soon()).await;
    watch(&product).await;
    assert_eq!(receiver.heard(), ["alarm.raised request.overdue"]);
    let raised = receiver.came().remove(0);
    assert!(!raised.text.contains("alan") && !raised.text.contains("Ben"), "{}", raised.text);
    assert_eq!(raised.body["data"]["mark"], "wrong");
    let command = raised.body["data"]["commands"][0].as_str().unwrap().to_owned();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    company.quietus(&words).await.expect(0);
    let shown = company.quietus(&["alarm", "list"]).await.expect(1);
    assert!(shown.out.contains("request.overdue") && !shown.out.contains("alan"), "{}", shown.out);
}

/// Opens a case for all that is due, which exceeds its cap.
async fn exceed(product: &Quietus) {
    let opening = Opening {
        cause: CaseCause::Command,
        actor: Actor("operator".to_owned()),
        moment: product.now(),
        acting: &Acting::Everything,
        occurrence: None,
    };
    let opened = product.open_case(opening).await.unwrap();
    assert!(matches!(opened, CaseOpened::AwaitingApproval { .. }), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_worse_is_told_at_once() {
    let (company, receiver) = heap_with(Kind::Sqlite, "  again: never\n", "").await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 5 }"));
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    exceed(&product).await;
    product.advance_log().await.unwrap();
    let kind = "case.unapproved";
    for _ in 0..3 {
        watch(&product).await;
        clock.advance(23.hours());
    }
    assert_eq!(receiver.heard_of(kind), ["alarm.raised case.unapproved"], "never again");
    clock.advance(24.hours());
    watch(&product).await;
    watch(&product).await;
    assert_eq!(receiver.heard_of(kind)[1..], ["alarm.again case.unapproved"]);
    let came = receiver.came();
    let of_case: Vec<_> = came.iter().filter(|one| one.kind() == kind).collect();
    assert_eq!(of_case[0].body["data"]["mark"], "look");
    assert_eq!(of_case[1].body["data"]["mark"], "wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_wrong_where_nothing_else_is_asked_for() {
    let (company, receiver) = heap_with(Kind::Sqlite, "  least: wrong\n", "").await;
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard(), Vec::<String>::new());
    assert_eq!(open_kinds(&company).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_look_at_stays_as_it_was() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard(), ["alarm.raised pause.lasting"]);
    company.store_rows("ALTER TABLE pauses RENAME TO pauses_away").await;
    watch(&product).await;
    watch(&product).await;
    let open = open_kinds(&company).await;
    assert!(open.contains(&"pause.lasting".to_owned()), "it was not seen to be gone: {open:?}");
    assert!(open.contains(&"area.unseen".to_owned()), "{open:?}");
    assert_eq!(receiver.heard_of("pause.lasting"), ["alarm.raised pause.lasting"]);
    company.store_rows("ALTER TABLE pauses_away RENAME TO pauses").await;
    watch(&product).await;
    assert_eq!(open_kinds(&company).await, ["pause.lasting"]);
    resume(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard_of("pause.lasting")[1..], ["alarm.cleared pause.lasting"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_looked_at_the_pace_that_was_set() {
    let (company, _) = heap_with(Kind::Sqlite, "", "").await;
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = serving(&company, &clock).await;
    product.advance_log().await.unwrap();
    let looked = async || product.look_for_alarms_in_turn().await.unwrap();
    assert_eq!(looked().await, Some(AlarmTally::default()));
    assert_eq!(looked().await, None);
    clock.advance(299.seconds());
    assert_eq!(looked().await, None);
    clock.advance(1.second());
    assert!(looked().await.is_some());
    // A clock that is set back by a day keeps nobody from looking for a day.
    clock.set("2026-05-31T12:00:00Z");
    assert!(looked().await.is_some());
    assert_eq!(looked().await, None);
}
