//! What an import brings back is found on time, goes again, and the certificate of before no longer
//! passes for today.

use quietus::domain::AskedRight;
use quietus::store::LetterKind;

use super::{Club, LONG_AGO};
use crate::company::database::Kind;
use crate::restore::house::rows;

async fn an_import_brings_somebody_back(store: Kind) {
    let club = Club::new(store, "").await;
    let company = &club.company;
    let case = club.done(AskedRight::Erasure, 1).await;
    club.done(AskedRight::Erasure, 2).await;
    let first = company.certificate_id(&case).await;
    let before = company.certificate_of(&case).await;
    let letters = company.count_of("letters").await;
    let kept = company.path("kept");
    let kept = kept.to_str().unwrap();
    company.quietus(&["certificate", "export", &first, "--to", kept]).await.expect(0);
    company.quietus(&["verify", kept]).await.expect(0);

    club.import(101, 1, LONG_AGO).await;
    assert_eq!(club.look(24 * 6).await.persons, 0, "it is not a week yet");
    assert!(rows(company).await.contains(&"101".to_owned()));
    let tally = club.look(24).await;
    assert_eq!((tally.persons, tally.again, tally.asks, tally.troubled), (2, 1, 0, 0));
    assert_eq!(
        rows(company).await,
        ["3", "4", "5", "6", "visit 1", "visit 2", "visit 3", "visit 4", "visit 5"]
    );

    // The new certificate says from when to when, and counts nobody twice.
    let after = company.certificate_of(&case).await;
    assert_eq!(after.overall(), "complete");
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(after.predicate["supersedes"]["certificateId"], first.as_str());
    assert_eq!(after.counts(), before.counts());
    assert!(before.predicate.get("reappearances").is_none(), "{:#}", before.predicate);
    let stated = &after.predicate["reappearances"][0];
    assert_eq!((&stated["system"], &stated["records"]), (&"desk".into(), &"1".into()));
    let moment = |name: &str| stated[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let back = moment("foundAt").duration_since(moment("lastWellAt")).as_hours();
    assert!((24 * 7 - 1..=24 * 7 + 1).contains(&back), "{stated:#}");
    assert!(moment("foundAt") <= moment("doneAgainAt"));
    assert!(after.predicate["limits"].to_string().contains("were found again"));
    assert_eq!(company.count_of("letters").await, letters, "nobody is written to again");

    the_old_one_is_superseded(company, &first, kept).await;
    let listed = club.listed().await;
    let one = &listed["reappearances"][0];
    assert_eq!((&one["case"], &one["state"]), (&case.as_str().into(), &"again".into()));
    assert_eq!(one["job"], "completed");
    assert_eq!(listed["reappearances"].as_array().unwrap().len(), 1);

    // Looks go on, and find nothing more.
    assert_eq!(club.look(24 * 6).await.persons, 0);
    let tally = club.look(25).await;
    assert_eq!((tally.persons, tally.again), (2, 0));
    company.check_log().await;
    let counted = company.quietus(&["audit", "replay"]).await.expect(0).out;
    for kind in ["reappearance.found", "case.reopened"] {
        assert!(counted.contains(kind), "{counted}");
    }
}

/// By the list of today, whoever has the folder of then is told.
async fn the_old_one_is_superseded(company: &crate::company::Company, first: &str, kept: &str) {
    let now = company.path("now");
    let to = now.to_str().unwrap();
    company.quietus(&["certificate", "export", first, "--to", to]).await.expect(0);
    let told = company.quietus(&["verify", to]).await.expect(1).out;
    assert!(told.contains("Superseded by certificate"), "{told}");
    let list = now.join("status.sigstore.json");
    let by_list = ["verify", kept, "--status", list.to_str().unwrap()];
    let told = company.quietus(&by_list).await.expect(1).out;
    assert!(told.contains("says `superseded`"), "{told}");
    let shown = company.quietus(&["certificate", "show", first]).await.expect(0).out;
    assert!(shown.contains("status: superseded by certificate"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_brings_somebody_back_with_the_store_in_sqlite() {
    an_import_brings_somebody_back(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_brings_somebody_back_with_the_store_in_postgresql() {
    an_import_brings_somebody_back(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_that_an_import_undid_is_imposed_again() {
    let club = Club::new(Kind::Sqlite, "requests: {restriction_upkeep: P1Y}\n").await;
    let company = &club.company;
    let case = club.done(AskedRight::Restriction, 3).await;
    assert!(rows(company).await.contains(&"3 restricted".to_owned()));
    company.database("desk").run("DELETE FROM members WHERE id = 3").await;
    club.import(3, 3, LONG_AGO).await;
    assert!(rows(company).await.contains(&"3".to_owned()));
    let tally = club.look(24 * 7).await;
    assert_eq!((tally.persons, tally.again), (1, 1));
    assert!(rows(company).await.contains(&"3 restricted".to_owned()));
    let after = company.certificate_of(&case).await;
    assert_eq!(after.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(after.predicate["class"], "restriction");
    assert_eq!(after.sum("restricted", "desk", "members", Some("contact")), 1, "it is one record");

    // Once it is lifted, nobody looks any more.
    let lifting = crate::restore::house::ask(&club.product, AskedRight::Lifting, 3).await;
    crate::request::estate::live(&club.product, &club.clock, jiff::Span::new().seconds(1)).await;
    let letters = club.product.letters_of(lifting).await.unwrap();
    let is_notice = |one: &&quietus::store::Letter| one.kind == LetterKind::BeforeLifting;
    let notice = letters.iter().find(is_notice).expect("the notice before the lifting").id;
    let by = quietus::app::Actor("Ada Example".to_owned());
    let how = (quietus::store::Delivery::Hand, None);
    club.product.letter_delivered(notice, how, &by).await.unwrap();
    crate::request::estate::live(&club.product, &club.clock, jiff::Span::new().hours(2)).await;
    assert!(rows(company).await.contains(&"3".to_owned()));
    club.look(24 * 7 + 1).await;
    assert_eq!(club.look(24 * 7 + 1).await.persons, 0);
    assert!(rows(company).await.contains(&"3".to_owned()), "it stays lifted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_was_placed_meanwhile_keeps_what_is_back() {
    let club = Club::new(Kind::Sqlite, "").await;
    let company = &club.company;
    let case = club.done(AskedRight::Erasure, 1).await;
    let first = company.certificate_id(&case).await;
    club.import(101, 1, LONG_AGO).await;
    let hold = ["hold", "place", "LIT-7", "--reason", "a lawsuit"];
    let whom = ["--subject", "email=p1@mail.example"];
    company.quietus(&[&hold[..], &whom].concat()).await.expect(0);
    let tally = club.look(24 * 7).await;
    assert_eq!((tally.persons, tally.again), (1, 1));
    assert!(rows(company).await.iter().any(|row| row.starts_with("101")), "it is held");
    let second = company.certificate_of(&case).await;
    assert_eq!(second.predicate["supersedes"]["certificateId"], first.as_str());
    assert_eq!(second.predicate["supersedes"]["reason"], "reappeared");
    assert_eq!(second.overall(), "complete-with-exceptions");
    assert!(second.predicate.to_string().contains("legal-hold"), "{:#}", second.predicate);
    assert!(second.predicate["reappearances"][0]["doneAgainAt"].is_null());

    // A further look asks for nothing; what is held goes once it is released.
    let tally = club.look(24 * 7 + 1).await;
    assert_eq!((tally.again, tally.asks), (0, 0), "a job waits for the release already");
    club.product
        .release_hold(
            quietus::store::HoldKey::Matter("LIT-7".to_owned()),
            &quietus::app::Actor("Ada Example".to_owned()),
        )
        .await
        .unwrap();
    crate::request::estate::live(&club.product, &club.clock, jiff::Span::new().minutes(2)).await;
    assert!(!rows(company).await.iter().any(|row| row.starts_with("101")));
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
}
