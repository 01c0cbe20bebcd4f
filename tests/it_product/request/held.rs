//! A legal hold at third parties: nobody is asked to erase what a hold covers, the person is told so,
//! and it goes once the hold is released, with nobody's help.

use jiff::ToSpan as _;

use super::estate::{self, Estate, GRACE, Kinds, NUMBER, live};
use super::killed::{ANSWERED, DONE, STARTED, die_at, with_only};
use super::person;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::identifier_in;

const FILES: Kinds = Kinds { crm: Kind::Sqlite, billing: Kind::Sqlite, desk: Kind::Sqlite };

fn of<'a>(certificate: &'a Certificate, system: &str) -> &'a serde_json::Value {
    let mut statements = certificate.statements().iter();
    statements.find(|one| one["system"]["id"] == system).unwrap()
}

/// Of a company with one third party, where an attempt has died at a point and a hold has come since:
/// what its certificate says.
async fn held_since_a_death(third_party: &str, point: u8) -> (Estate, serde_json::Value) {
    let estate = with_only(third_party).await;
    person::brought(&estate.company, "erasure", &format!("email={GRACE}\n")).await;
    die_at(&estate, point).await;
    let place = ["hold", "place", "LIT-7", "--reason", "a lawsuit", "--system", third_party];
    estate.company.quietus(&place).await.expect(0);
    let clock = estate::clock();
    let product = estate.company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    let case = estate.company.oldest_case().await;
    let stated = of(&estate.company.certificate_of(&case).await, third_party).clone();
    estate.company.check_log().await;
    (estate, stated)
}

/// A hold comes where the answer was lost, or nobody had looked again: the vendor is asked what is
/// there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_before_the_hold_came_is_not_said_to_be_kept() {
    for (point, expected) in [
        (DONE, "nothing of them was there when it was looked for under a legal hold"),
        (ANSWERED, "Club reported 1 record(s) as done"),
    ] {
        let (estate, stated) = held_since_a_death("club", point).await;
        assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"], "and is not asked again");
        assert_eq!(stated["outcome"], "completed", "{stated:#}");
        assert_eq!(stated["kept"], serde_json::json!([]), "{stated:#}");
        assert_eq!(stated["recipient"]["grade"], "verified", "{stated:#}");
        let words = stated["recipient"]["words"].as_str().unwrap();
        assert!(words.starts_with(expected), "{words}");
        assert_eq!(stated["verification"]["result"], "absent", "{stated:#}");
    }
}

/// Nothing had been sent, which nobody knows: it is still there, and goes once it may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_still_there_is_kept_and_goes_once_the_hold_is_released() {
    let (estate, stated) = held_since_a_death("club", STARTED).await;
    assert_eq!(estate.vendor.changes(), Vec::<String>::new());
    assert_eq!(stated["outcome"], "retained", "{stated:#}");
    assert_eq!(stated["kept"][0]["reason"], "legal-hold", "{stated:#}");
    let because = stated["kept"][0]["because"].as_str().unwrap();
    assert!(because.starts_with("matter LIT-7") && because.contains("may be gone"), "{because}");
    assert!(stated["recipient"]["grade"].is_null(), "{stated:#}");
    let company = &estate.company;
    company.quietus(&["hold", "release", "LIT-7"]).await.expect(0);
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"]);
    let case = company.oldest_case().await;
    let last = company.certificate_of(&case).await;
    assert_eq!(of(&last, "club")["outcome"], "completed", "{:#}", of(&last, "club"));
}

/// Nobody can look there: that it was asked is not known, and neither that it was not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_whom_nobody_can_look_for_it_is_said_that_it_is_not_known() {
    let (estate, stated) = held_since_a_death("backend", DONE).await;
    assert!(!estate.backend.holds().contains(&GRACE.to_owned()), "it had erased");
    assert_eq!(stated["outcome"], "pending", "{stated:#}");
    let why = stated["failure"]["reason"].as_str().unwrap();
    assert!(why.contains("whether anything is left is not known"), "{why}");
    let because = stated["kept"][0]["because"].as_str().unwrap();
    assert!(because.starts_with("matter LIT-7") && because.contains("is not known"), "{because}");
    assert!(stated["recipient"]["grade"].is_null(), "{stated:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_what_a_hold_covers_is_not_asked_before_it_is_released() {
    let mut estate = Estate::new(Kind::Sqlite, FILES, "[email]", "").await;
    estate.without(&["mailer", "archive"]);
    let company = &estate.company;
    // By her number, of which the third parties know nothing.
    let subject = format!("customer_id={NUMBER}");
    let place = ["hold", "place", "LIT-7", "--reason", "a lawsuit", "--subject", &subject];
    company.quietus(&place).await.expect(0);
    let before = estate.everything().await;
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(estate.everything().await, before, "nothing of hers goes anywhere");
    assert_eq!(estate.vendor.changes(), Vec::<String>::new());

    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    for system in ["club", "backend"] {
        let stated = of(&first, system);
        assert_eq!(stated["outcome"], "retained", "{stated:#}");
        let kept = &stated["kept"][0];
        assert_eq!(kept["reason"], "legal-hold", "{stated:#}");
        assert_eq!(kept["because"], "matter LIT-7", "{stated:#}");
        assert!(stated["recipient"]["grade"].is_null(), "{stated:#}");
    }
    let page = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(page.contains("outcome to person"), "{page}");
    assert!(!page.contains("recipient to"), "nobody is told to erase: {page}");
    let letters = company.quietus(&["letter", "list", &request]).await.expect(0).out;
    let answer = identifier_in(letters.lines().find(|one| one.contains("outcome")).unwrap());
    let answer = company.quietus(&["letter", "show", &answer]).await.expect(0).out;
    assert!(answer.contains("Example club Ltd: matter LIT-7"), "{answer}");
    assert!(!answer.contains("Who else was told"), "{answer}");

    // Another matter keeps it when the first one is released.
    let second = ["hold", "place", "LIT-8", "--reason", "a lawsuit", "--system", "club"];
    company.quietus(&second).await.expect(0);
    company.quietus(&["hold", "release", "LIT-7"]).await.expect(0);
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(estate.vendor.changes(), Vec::<String>::new());
    let left = estate.of_grace().await;
    let at = |name: &str| left.iter().filter(|one| one.starts_with(name)).count();
    assert_eq!((at("club"), at("backend")), (1, 0), "{left:?}");
    let between = company.certificate_of(&case).await;
    assert_eq!(of(&between, "club")["kept"][0]["because"], "matter LIT-8");

    company.quietus(&["hold", "release", "LIT-8"]).await.expect(0);
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"]);
    let last = company.certificate_of(&case).await;
    for system in ["club", "backend"] {
        let stated = of(&last, system);
        assert_ne!(stated["outcome"], "retained", "{stated:#}");
        assert_eq!(stated["kept"], serde_json::json!([]), "{stated:#}");
        assert!(stated["recipient"]["grade"].is_string(), "{stated:#}");
    }
    let page = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert_eq!(page.matches("recipient to").count(), 2, "they are told now: {page}");
    company.check_log().await;
}

/// A hold that names somebody else, or a database, keeps no third party from being asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_on_somebody_else_keeps_nothing_there() {
    let mut estate = Estate::new(Kind::Sqlite, FILES, "[email]", "").await;
    estate.without(&["mailer", "archive"]);
    let company = &estate.company;
    for (matter, scope) in [
        ("LIT-7", ["--subject", "customer_id=700300200"]),
        ("LIT-8", ["--system", "desk"]),
        ("LIT-9", ["--category", "invoice"]),
    ] {
        let place = ["hold", "place", matter, "--reason", "a lawsuit"];
        company.quietus(&[&place[..], &scope].concat()).await.expect(0);
    }
    person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"]);
    let held = estate.of_grace().await;
    assert!(
        held.iter().all(|one| !one.starts_with("club") && !one.starts_with("backend")),
        "{held:?}"
    );
}
