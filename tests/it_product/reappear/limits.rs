//! Until when looks go on, what keeps one from being made, and what an instance may say of them.

use jiff::ToSpan as _;
use quietus::domain::AskedRight;

use super::{Club, LONG_AGO};
use crate::company::database::Kind;
use crate::request::estate::live;
use crate::restore::house::rows;

async fn persons(club: &Club) -> usize {
    club.company.count_of("request_persons").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_before_their_last_look() {
    let club = Club::new(Kind::Sqlite, "later_looks: {every: P14D, for: P90D}\n").await;
    club.done(AskedRight::Erasure, 1).await;
    let mut looks = 0;
    for _ in 0..3 {
        looks += club.look(24 * 29).await.persons;
        assert_eq!(persons(&club).await, 1, "looks are promised");
    }
    assert_eq!(looks, 3);
    // The last day is over, and yet a look is owed: it is made first.
    live(&club.product, &club.clock, (24 * 20).hours()).await;
    assert_eq!(persons(&club).await, 1, "a look is owed");
    club.import(101, 1, LONG_AGO).await;
    assert_eq!(club.look(1).await.again, 1);
    assert!(!rows(&club.company).await.contains(&"101".to_owned()));
    // What went again is looked after as long as what went first.
    for _ in 0..3 {
        club.look(24 * 29).await;
        assert_eq!(persons(&club).await, 1);
    }
    for _ in 0..3 {
        club.look(24 * 3).await;
    }
    assert_eq!(persons(&club).await, 0, "forgotten");
    club.import(102, 1, LONG_AGO).await;
    assert_eq!(club.look(24 * 30).await.persons, 0, "nobody knows any more whom to look for");
    assert_eq!(club.listed().await["looks"]["living"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_default_nobody_is_known_for_longer_than_before() {
    let club = Club::new(Kind::Sqlite, "").await;
    club.done(AskedRight::Erasure, 1).await;
    for _ in 0..4 {
        assert_eq!(club.look(24 * 7 + 1).await.persons, 1);
        assert_eq!(persons(&club).await, 1);
    }
    club.look(24 * 3).await;
    assert_eq!(persons(&club).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_does_not_answer_is_named_and_asked_again() {
    let club = Club::new(Kind::Sqlite, "").await;
    let company = &club.company;
    club.done(AskedRight::Erasure, 1).await;
    club.import(101, 1, LONG_AGO).await;
    let (file, aside) = (company.path("data/desk.db"), company.path("data/aside"));
    std::fs::rename(&file, &aside).unwrap();
    let tally = club.look(24 * 7).await;
    assert_eq!((tally.persons, tally.troubled, tally.again), (1, 1, 0));
    let listed = club.listed().await;
    assert_eq!(listed["looks"]["troubled"], 1);
    assert_eq!(listed["looks"]["troubles"][0]["system"], "desk");
    assert!(!listed.to_string().contains("mail.example"), "{listed:#}");
    let looked = company.quietus(&["reappeared", "look"]).await.expect(1).out;
    assert!(looked.contains("could not be looked for everywhere"), "{looked}");
    std::fs::rename(&aside, &file).unwrap();
    let tally = club.look(4).await;
    assert_eq!((tally.troubled, tally.again), (0, 1));
    assert!(!rows(company).await.contains(&"101".to_owned()));
    assert_eq!(club.listed().await["looks"]["troubled"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_looks_now() {
    let club = Club::new(Kind::Sqlite, "").await;
    let company = &club.company;
    let case = club.done(AskedRight::Erasure, 1).await;
    let none = company.quietus(&["reappeared", "look"]).await.expect(0).out;
    assert!(none.contains("1 person(s) looked for again"), "{none}");
    club.import(101, 1, LONG_AGO).await;
    let due = company.quietus(&["reappeared", "look", "--due"]).await.expect(0).out;
    assert!(due.contains("nobody is to be looked for now"), "{due}");
    let found = company.quietus(&["reappeared", "look"]).await.expect(1).out;
    assert!(found.contains("data of 1 person(s) are back: what was done is done again"), "{found}");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(!rows(company).await.contains(&"101".to_owned()));
    let after = company.certificate_of(&case).await;
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_may_look_for_nobody_and_says_no_nonsense() {
    let club = Club::new(Kind::Sqlite, "later_looks: {every: never}\n").await;
    let company = &club.company;
    club.done(AskedRight::Erasure, 1).await;
    club.import(101, 1, LONG_AGO).await;
    assert_eq!(club.look(24 * 8).await.persons, 0);
    let refused = company.quietus(&["reappeared", "look"]).await.expect(2);
    assert!(refused.err.contains("this instance looks for nobody"), "{}", refused.err);
    assert!(rows(company).await.contains(&"101".to_owned()));
    let instance = company.read("quietus.yaml");
    for (settings, message) in [
        ("{every: PT5M}", "less than an hour"),
        ("{every: weekly}", "is no time between two looks"),
        ("{every: P60D, for: P30D}", "it ends before the first look"),
        ("{for: P20Y}", "more than ten years"),
        ("{every: never, for: P1Y}", "nobody is looked for, so this says nothing"),
        ("{erase_again: all}", "unknown word `all`"),
        ("{at_once: 0}", "expected a whole number of at least 1"),
    ] {
        company.write("quietus.yaml", &instance.replace("{every: never}", settings));
        let told = company.quietus(&["check"]).await;
        assert_eq!(told.code, 2, "{settings}: {}{}", told.out, told.err);
        let said = told.out + &told.err;
        assert!(said.contains(message) && said.contains("quietus.yaml:"), "{settings}: {said}");
    }
}
