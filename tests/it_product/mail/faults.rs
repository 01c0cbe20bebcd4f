//! Mail servers that are away, refuse, put off, or hang up; and processes that die in the middle.

use jiff::ToSpan as _;
use quietus::domain::AskedRight;

use super::house::{FAR, House, NOON, Replica};
use super::stubborn::{Mood, Stubborn};
use crate::company::ended;

/// A house with one letter to the person that waits.
async fn with_letter(port: u16) -> (House, Replica, String) {
    let house = House::open(port, "").await;
    let replica = Replica::open(&house, NOON).await;
    let request = replica.bring(AskedRight::Access, Some(&house.address("grace"))).await;
    (house, replica, request)
}

async fn sweep(replica: &Replica) {
    replica.product.send_mails().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_asked_again_and_in_the_end_a_person_gives_the_letter() {
    let server = Stubborn::start(Mood::Accepts).await;
    let (house, replica, request) = with_letter(1).await;
    replica.clock.advance(1.second());
    let other = replica.bring(AskedRight::Portability, Some(&house.address("grace"))).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person due 1", "letter person due 0"], "not stormed");
    let listed = house.letters(&request).await;
    assert!(listed.contains("attempt 2 at") && listed.contains("reached"), "{listed}");
    sweep(&replica).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person due 1", "letter person due 1"], "not at once");
    for _ in 0..30 {
        replica.clock.advance(6.hours());
        sweep(&replica).await;
    }
    assert_eq!(house.mails().await, ["letter person by_hand 10", "letter person by_hand 10"]);
    for request in [&request, &other] {
        let listed = house.letters(request).await;
        assert!(listed.contains("give it by hand"), "{listed}");
    }
    // Somebody mends the settings and sends one of them again.
    let letter = house.letter(&request, "acknowledgement").await;
    house.configure(server.port, "");
    let replica = Replica::open(&house, "2027-02-04T12:00:00Z").await;
    replica.again(&letter).await;
    sweep(&replica).await;
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].header("Message-ID"), format!("<{letter}@company.example>"));
    assert_eq!(house.mails().await, ["letter person sent 11", "letter person by_hand 10"]);
    assert!(house.letters(&request).await.contains("2027-02-04"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recipient_who_is_refused_is_given_the_letter_by_hand_at_once() {
    let server = Stubborn::start(Mood::RefusesRecipient).await;
    let (house, replica, request) = with_letter(server.port).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person by_hand 1"]);
    let list = house.company.quietus(&["mail", "list"]).await.expect(0).out;
    assert!(list.contains("give it by hand") && list.contains("(550)"), "{list}");
    assert!(!list.contains("secret"), "the server's words are not ours to repeat: {list}");
    replica.clock.advance(720.hours());
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 0);
    let letter = house.letter(&request, "acknowledgement").await;
    let how = ["letter", "delivered", &letter, "--how", "hand", "--by", "Ada Example"];
    house.company.quietus(&how).await.expect(0);
    let list = house.company.quietus(&["mail", "list"]).await.expect(0).out;
    assert!(list.contains("no mail is waiting"), "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_refused_is_not_sent_again() {
    let server = Stubborn::start(Mood::RefusesText).await;
    let (house, replica, _) = with_letter(server.port).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person by_hand 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_puts_off_is_asked_again_and_takes_it_once() {
    let server = Stubborn::start(Mood::Greylists).await;
    let (house, replica, request) = with_letter(server.port).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person due 1"]);
    assert!(house.letters(&request).await.contains("(451)"));
    server.becomes(Mood::Accepts);
    replica.clock.advance(59.seconds());
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 0, "not before the pause is over");
    replica.clock.advance(2.minutes());
    for _ in 0..3 {
        sweep(&replica).await;
    }
    assert_eq!(server.taken().len(), 1);
    assert_eq!(house.mails().await, ["letter person sent 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_of_which_nobody_knows_waits_for_a_person() {
    let server = Stubborn::start(Mood::HangsUp).await;
    let (house, replica, request) = with_letter(server.port).await;
    sweep(&replica).await;
    assert_eq!(house.mails().await, ["letter person unknown 1"]);
    let listed = house.letters(&request).await;
    assert!(listed.contains("outcome unknown"), "{listed}");
    replica.clock.advance(720.hours());
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 1, "nobody decides for the person");
    server.becomes(Mood::Accepts);
    let letter = house.letter(&request, "acknowledgement").await;
    replica.again(&letter).await;
    sweep(&replica).await;
    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    assert_eq!(house.mails().await, ["letter person sent 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_which_nobody_knows_goes_out_again_under_the_same_identifier() {
    let server = Stubborn::start(Mood::HangsUp).await;
    let house = House::open(server.port, "").await;
    house.company.write_secret("archive-address", "unused@company.example");
    let replica = Replica::open(&house, NOON).await;
    // Without a contact there are no letters to the person.
    replica.bring(AskedRight::Erasure, None).await;
    replica.work().await;
    server.becomes(Mood::Accepts);
    replica.clock.advance(1.hour());
    replica.work().await;
    let to_ben: Vec<String> = server
        .taken()
        .iter()
        .filter(|one| one.header("To") == house.address("ben"))
        .map(|one| one.header("Message-ID").to_owned())
        .collect();
    assert_eq!(to_ben.len(), 2);
    assert_eq!(to_ben[0], to_ben[1]);
    let mails = house.mails().await;
    assert!(mails.contains(&"task Ben Example sent 2".to_owned()), "{mails:?}");
    assert!(mails.contains(&"letter archive unknown 1".to_owned()), "{mails:?}");
}

/// Sends in a process that dies at a point, and then in one that lives.
async fn after_death_at(point: u8) -> (House, Replica, Stubborn, String) {
    let server = Stubborn::start(Mood::Accepts).await;
    let house = House::open(server.port, "").await;
    let request = house.bring("access", "en", &house.address("grace")).await;
    let mut run = house.company.command(&["run", "--once"]);
    run.env("QUIETUS_CRASH_POINT", point.to_string());
    let died = ended(run).await;
    assert_eq!(died.code, -1, "killed: {}{}", died.out, died.err);
    assert_eq!(house.mails().await, ["letter person sending 1"]);
    // At the same moment somebody else may be sending it: nobody takes it.
    house.company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(house.mails().await, ["letter person sending 1"]);
    let replica = Replica::open(&house, FAR).await;
    sweep(&replica).await;
    (house, replica, server, request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_before_it_asks_leaves_an_unknown_outcome() {
    let (house, replica, server, request) = after_death_at(12).await;
    assert_eq!(house.mails().await, ["letter person unknown 1"]);
    assert_eq!(server.taken().len(), 0);
    let listed = house.letters(&request).await;
    assert!(listed.contains("outcome unknown"), "{listed}");
    let letter = house.letter(&request, "acknowledgement").await;
    house.company.quietus(&["mail", "again", &letter, "--by", "Ada Example"]).await.expect(0);
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 1);
    assert_eq!(house.mails().await, ["letter person sent 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_after_the_answer_does_not_send_it_twice() {
    let (house, replica, server, request) = after_death_at(13).await;
    assert_eq!(house.mails().await, ["letter person unknown 1"]);
    replica.clock.advance(720.hours());
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 1);
    // Somebody asks the person, who has it.
    let letter = house.letter(&request, "acknowledgement").await;
    let how = ["letter", "delivered", &letter, "--how", "mail", "--by", "Ada Example"];
    house.company.quietus(&how).await.expect(0);
    assert_eq!(house.mails().await, ["letter person called_off 1"]);
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_goes_out_in_a_minute_than_the_server_is_to_be_asked() {
    let server = Stubborn::start(Mood::Accepts).await;
    let house = House::open(server.port, "  rate_a_minute: 2\n").await;
    let replica = Replica::open(&house, NOON).await;
    for right in [AskedRight::Access, AskedRight::Portability, AskedRight::Rectification] {
        replica.bring(right, Some(&house.address("grace"))).await;
    }
    for _ in 0..3 {
        sweep(&replica).await;
    }
    assert_eq!(server.taken().len(), 2);
    replica.clock.advance(61.seconds());
    sweep(&replica).await;
    assert_eq!(server.taken().len(), 3);
}
