//! What may be of a new relationship waits for somebody to decide.

use quietus::domain::AskedRight;

use super::{AFTERWARDS, Club, LONG_AGO};
use crate::company::database::Kind;
use crate::restore::house::rows;

const WHY: [&str; 4] = ["--reason", "CRM-12", "--by", "Ada Example"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_customer_is_not_erased_without_asking() {
    let club = Club::new(Kind::Sqlite, "").await;
    let company = &club.company;
    let (back, stays) =
        (club.done(AskedRight::Erasure, 1).await, club.done(AskedRight::Erasure, 2).await);
    let certificates = company.count_of("certificates").await;
    club.import(101, 1, AFTERWARDS).await;
    // Beside what is old, which waits with it.
    club.import(102, 2, LONG_AGO).await;
    club.import(103, 2, AFTERWARDS).await;
    let tally = club.look(24 * 7).await;
    assert_eq!((tally.persons, tally.again, tally.asks), (2, 0, 2));
    let all = rows(company).await;
    assert!(["101", "102", "103"].iter().all(|one| all.contains(&(*one).to_owned())), "{all:?}");
    assert_eq!(company.count_of("certificates").await, certificates, "nothing is certified anew");
    let status = company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("somebody has to decide"), "{status}");
    let told = company.quietus(&["reappeared", "list"]).await.expect(0).out;
    assert!(told.contains("of after the erasure, such as in `desk`"), "{told}");
    assert!(told.contains(&format!("quietus reappeared leave {back}")), "{told}");

    // Asked once, however often it is looked at.
    let tally = club.look(24 * 7 + 1).await;
    assert_eq!((tally.again, tally.asks), (0, 2));
    assert_eq!(company.count_of("reappearances").await, 2);

    // Whoever has to be decided about is not forgotten.
    for _ in 0..6 {
        club.look(24 * 7 + 1).await;
    }
    assert_eq!(company.count_of("request_persons").await, 2);

    let refused = company
        .quietus(&[&["reappeared", "leave", &back][..], &["--reason", "p1@mail.example"]].concat())
        .await;
    assert_eq!(refused.code, 2, "{}", refused.out);
    company.quietus(&[&["reappeared", "leave", &back][..], &WHY].concat()).await.expect(0);
    company.quietus(&[&["reappeared", "again", &stays][..], &WHY].concat()).await.expect(0);
    let twice =
        company.quietus(&[&["reappeared", "again", &stays][..], &WHY].concat()).await.expect(2);
    assert!(twice.err.contains("waits for a decision"), "{}", twice.err);
    crate::request::estate::live(&club.product, &club.clock, jiff::Span::new().minutes(2)).await;
    let all = rows(company).await;
    assert!(all.contains(&"101".to_owned()), "decided: {all:?}");
    assert!(!all.contains(&"102".to_owned()) && !all.contains(&"103".to_owned()), "{all:?}");
    let certificate = company.certificate_of(&stays).await;
    assert_eq!(certificate.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(certificate.predicate["reappearances"][0]["records"], "2");

    // Nobody looks for the customer any more, whatever comes.
    club.import(104, 1, LONG_AGO).await;
    let tally = club.look(24 * 7 + 1).await;
    assert_eq!((tally.again, tally.asks), (0, 0));
    assert!(rows(company).await.contains(&"104".to_owned()));
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    assert!(counted.contains("reappearance.decided"), "{counted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instance_may_say_that_everything_goes_or_nothing() {
    for (word, again, asks) in [("everything", 1, 0), ("nothing", 0, 1)] {
        let settings = format!("later_looks: {{erase_again: {word}}}\n");
        let club = Club::new(Kind::Sqlite, &settings).await;
        club.done(AskedRight::Erasure, 1).await;
        let at = if word == "everything" { AFTERWARDS } else { LONG_AGO };
        club.import(101, 1, at).await;
        let tally = club.look(24 * 7).await;
        assert_eq!((tally.again, tally.asks), (again, asks), "{word}");
        assert_eq!(rows(&club.company).await.contains(&"101".to_owned()), asks == 1, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_by_itself_asks_nobody_any_more() {
    let club = Club::new(Kind::Sqlite, "").await;
    club.done(AskedRight::Erasure, 1).await;
    club.import(101, 1, AFTERWARDS).await;
    assert_eq!(club.look(24 * 7).await.asks, 1);
    club.company.database("desk").run("DELETE FROM members WHERE id = 101").await;
    assert_eq!(club.look(24 * 7 + 1).await.asks, 0);
    assert_eq!(club.listed().await["reappearances"][0]["state"], "gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_of_many_waits_for_somebody() {
    let club = Club::new(Kind::Sqlite, "later_looks: {at_once: 2}\n").await;
    let company = &club.company;
    for number in 1..=3 {
        club.done(AskedRight::Erasure, number).await;
        club.import(100 + number, number, LONG_AGO).await;
    }
    let tally = club.look(24 * 7).await;
    assert_eq!((tally.persons, tally.again, tally.asks), (3, 0, 3));
    assert!(rows(company).await.contains(&"101".to_owned()));
    let told = company.quietus(&["reappeared", "list"]).await.expect(0).out;
    assert!(told.contains("3 persons are back at once, more than the 2 of `at_once`"), "{told}");
    company.quietus(&[&["reappeared", "again", "--all"][..], &WHY].concat()).await.expect(0);
    // The command was given by the machine's own clock, an hour later.
    crate::request::estate::live(&club.product, &club.clock, jiff::Span::new().hours(2)).await;
    assert!(!rows(company).await.iter().any(|row| row.starts_with("10")));
}
