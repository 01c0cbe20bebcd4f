//! Alarms by mail: everything that waits for an address in one message, in the language that was set; the
//! address stands nowhere but in the message.

use jiff::ToSpan as _;

use super::{configure, open_kinds, pause, resume, serving, soon, tellings, watch};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap};
use crate::mail::stubborn::{Mood, Stubborn};
use crate::request::person;

const OFFICER: &str = "officer-of-the-company@company.example";
const OTHER: &str = "second-officer@company.example";

/// A heap whose alarms are mailed to two addresses, one of which is found in a file.
async fn company(port: u16, settings: &str) -> Company {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{}").await;
    let instance = company.read("quietus.yaml");
    company.write(
        "quietus.yaml",
        &format!(
            "{instance}mail:\n  host: 127.0.0.1\n  port: {port}\n  encryption: none\n  from: Example Company <privacy@company.example>\n"
        ),
    );
    company.write_secret("other", OTHER);
    let mail = format!("  mail: [{OFFICER}, \"file:secrets/other\"]\n{settings}");
    configure(&company, &mail, "");
    company.quietus(&["check"]).await.expect(0);
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_one_message_to_each() {
    let server = Stubborn::start(Mood::Accepts).await;
    let company = company(server.port, "").await;
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    let rule = ["pause", "rule", "notes-after-a-month", "--reason", "OPS-2"];
    company.quietus(&rule).await.expect(0);
    watch(&product).await;
    watch(&product).await;
    let taken = server.taken();
    assert_eq!(taken.len(), 2, "one to each");
    let to: Vec<&str> = taken.iter().map(|one| one.header("To")).collect();
    assert!(to.contains(&OFFICER) && to.contains(&OTHER), "{to:?}");
    assert_ne!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    let first = &taken[0];
    assert_eq!(first.subject(), "Quietus, Example Company: 2 new alarms");
    assert_eq!(first.header("Auto-Submitted"), "auto-generated");
    for words in ["pauses: system heap (pause.lasting), to look at", "quietus resume system heap"] {
        assert!(first.text.contains(words), "{words} in\n{}", first.text);
    }
    resume(&company).await;
    watch(&product).await;
    let over = server.taken();
    assert_eq!(over.len(), 4);
    assert_eq!(over[2].subject(), "Quietus, Example Company: 1 over");
    assert_eq!(open_kinds(&company).await, ["pause.lasting"]);

    // Nobody else is shown where it went.
    product.store.close().await;
    let mut said = String::new();
    for command in [&["alarm", "list"][..], &["alarm", "list", "--json"], &["doctor", "--json"]] {
        let shown = company.quietus(command).await;
        said = format!("{said}{}{}", shown.out, shown.err);
    }
    assert!(said.contains("mail 1"), "{said}");
    for address in [OFFICER, OTHER] {
        assert!(!said.contains(address), "{said}");
    }
    assert_eq!(person::in_the_store(&company, &[OFFICER, OTHER]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_asked_again_and_a_refused_address_is_not() {
    let server = Stubborn::start(Mood::Greylists).await;
    let company = company(server.port, "  language: de\n").await;
    let clock = soon();
    let product = serving(&company, &clock).await;
    pause(&company).await;
    watch(&product).await;
    product.tell_alarms().await.unwrap();
    let waits = ["mail 1 alarm.raised waiting 1", "mail 2 alarm.raised waiting 1"];
    assert_eq!(tellings(&company).await, waits);
    server.becomes(Mood::Accepts);
    clock.advance(11.seconds());
    product.tell_alarms().await.unwrap();
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].subject(), "Quietus, Example Company: 1 neuer Alarm");
    assert_eq!(taken[0].header("Content-Language"), "de");
    assert!(taken[0].text.contains("NEU"), "{}", taken[0].text);

    server.becomes(Mood::RefusesRecipient);
    resume(&company).await;
    watch(&product).await;
    let settled = tellings(&company).await;
    assert!(
        settled[2..].iter().all(|one| one.ends_with("alarm.cleared given_up 1")),
        "{settled:?}"
    );
    let listed = company.quietus(&["alarm", "list"]).await.expect(1);
    assert!(listed.out.contains("mail 1: 1 message(s) given up"), "{}", listed.out);
    assert!(listed.out.contains("(550)") && !listed.out.contains("secret"), "{}", listed.out);
    server.becomes(Mood::Accepts);
    let tried = company.quietus(&["alarm", "test", "mail"]).await.expect(0);
    assert_eq!(tried.out.matches("the mail server has accepted it").count(), 2, "{}", tried.out);
    company.quietus(&["alarm", "again", "mail"]).await.expect(0);
    let later = company.replica(&TurnedClock::at("2100-01-01T00:00:00Z")).await;
    later.tell_alarms().await.unwrap();
    let over = server.taken();
    let over = over.iter().filter(|one| one.subject().ends_with("1 vorbei")).count();
    assert_eq!(over, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_which_nobody_knows_goes_again_under_the_same_identifier() {
    let server = Stubborn::start(Mood::HangsUp).await;
    let company = company(server.port, "").await;
    let clock = soon();
    let product = serving(&company, &clock).await;
    pause(&company).await;
    watch(&product).await;
    server.becomes(Mood::Accepts);
    clock.advance(11.seconds());
    product.tell_alarms().await.unwrap();
    let taken = server.taken();
    let to_officer: Vec<&str> = taken
        .iter()
        .filter(|one| one.header("To") == OFFICER)
        .map(|one| one.header("Message-ID"))
        .collect();
    assert_eq!(to_officer.len(), 2);
    assert_eq!(to_officer[0], to_officer[1]);
}
