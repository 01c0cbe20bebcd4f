//! A third party that does not do in time what it was asked: everybody can see it, somebody is told
//! to act, the certificate names it as open, and it is never passed over.

use jiff::ToSpan as _;

use super::estate::{self, Estate, GRACE, USUAL, live};
use super::person;
use crate::company::database::Kind;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_processor_is_named_and_never_passed_over() {
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    estate.without(&["archive"]);
    let company = &estate.company;
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    live(&product, &clock, 25.hours()).await;
    let show = async || company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(!show().await.contains("overdue"), "{}", show().await);
    assert_eq!(company.count_of("certificates").await, 0);

    // The day by which the person has to be answered passes.
    for _ in 0..3 {
        live(&product, &clock, (31 * 24).hours()).await;
    }
    let shown = show().await;
    for part in [
        "mailer (third party): overdue; asked again on",
        "and is not: Marketing has to turn to Example mailer Ltd",
        "is being carried out",
    ] {
        assert!(shown.contains(part), "`{part}` in\n{shown}");
    }
    let case = company.oldest_case().await;
    let open = company.certificate_of(&case).await;
    assert_eq!(open.overall(), "partial");
    let of_mailer = |certificate: &crate::company::certificate::Certificate| {
        let mut statements = certificate.statements().iter();
        statements.find(|one| one["system"]["id"] == "mailer").unwrap().clone()
    };
    let stated = of_mailer(&open);
    assert_eq!(stated["outcome"], "pending", "{stated:#}");
    let why = stated["failure"]["reason"].as_str().unwrap();
    assert!(why.contains("it had to be done by") && why.contains("Example mailer Ltd"), "{why}");
    assert_eq!(stated["failure"]["owner"], "Marketing");
    assert!(stated["failure"]["nextAttemptAt"].is_string(), "{stated:#}");
    let certificates = company.count_of("certificates").await;
    live(&product, &clock, 48.hours()).await;
    assert_eq!(company.count_of("certificates").await, certificates, "it is not said every day");
    let letters = company.quietus(&["letter", "list", &request]).await.expect(0).out;
    assert!(!letters.contains("outcome"), "it is not answered: {letters}");

    // However often it is asked.
    for _ in 0..20 {
        live(&product, &clock, 25.hours()).await;
    }
    let left = "SELECT CAST(MIN(attempts_allowed - attempt) AS TEXT) || ' ' ||
        CAST(MAX(attempt) > 16 AS TEXT) FROM jobs WHERE kind = 'request'";
    assert_eq!(company.store_rows(left).await, ["7 1"], "waiting costs no attempt");

    // Late, but done.
    estate.mailer.carry_out();
    live(&product, &clock, 25.hours()).await;
    let last = company.certificate_of(&case).await;
    let stated = of_mailer(&last);
    assert_eq!(stated["outcome"], "attested-by-processor", "{stated:#}");
    assert_eq!(stated["recipient"]["grade"], "signed");
    assert_eq!(last.predicate["supersedes"]["certificateId"], open.predicate["certificateId"]);
    let shown = show().await;
    assert!(shown.contains("mailer (third party): done, by their own word"), "{shown}");
    assert!(shown.contains("is closed") && shown.contains("answered after the law's last day"));
    assert_eq!(estate.mailer.posts(), 1);
}

/// What the processor itself has announced counts where it is earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_is_held_to_its_own_word_and_can_be_called_off() {
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    estate.without(&["archive", "club", "backend"]);
    let company = &estate.company;
    let clock = estate::clock();
    let soon = quietus::domain::Clock::now(clock.as_ref()).checked_add(24.hours()).unwrap();
    estate.mailer.expects(&format!("{soon:.0}"));
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    live(&product, &clock, 25.hours()).await;
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(shown.contains(&format!("it had to be done by {soon:.0}")), "{shown}");
    assert_eq!(estate.mailer.holds().len(), 3);

    let case = company.oldest_case().await;
    let reason = ["--reason", "they have told us by letter, M-17", "--by", "Ada Example"];
    company.quietus(&[&["cancel", &case][..], &reason].concat()).await.expect(0);
    live(&product, &clock, 7.hours()).await;
    let certificate = company.certificate_of(&case).await;
    let mut statements = certificate.statements().iter();
    let stated = statements.find(|one| one["system"]["id"] == "mailer").unwrap();
    assert_eq!(stated["outcome"], "skipped", "{stated:#}");
    assert!(stated["failure"]["reason"].as_str().unwrap().contains("by letter, M-17"));
    assert_eq!(certificate.overall(), "partial");
}

/// A database that is down beyond the day is named in the same way, and caught up all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_beyond_the_day_is_overdue_too() {
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    estate.without(&["archive", "club", "backend", "mailer"]);
    let company = &estate.company;
    let line = estate.cut_line_to("billing").await;
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.hours()).await;
    assert_eq!(company.count_of("certificates").await, 0);
    live(&product, &clock, (32 * 24).hours()).await;
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(shown.contains("billing: overdue; asked again on"), "{shown}");
    let case = company.oldest_case().await;
    let open = company.certificate_of(&case).await;
    assert_eq!(open.overall(), "partial", "{:#?}", open.statements());
    let mut of_billing = open.statements().iter().filter(|one| one["system"]["id"] == "billing");
    let stated = of_billing.next().expect("it is stated");
    assert_eq!(stated["outcome"], "pending", "{stated:#}");
    let why = stated["failure"]["reason"].as_str().unwrap();
    assert!(why.contains("and is not: Operations has to look why"), "{why}");

    line.mend();
    live(&product, &clock, 1.hours()).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete-with-exceptions", "{:#?}", last.statements());
    assert_eq!(last.sum("deleted", "billing", "accounts", Some("contact")), 1);
    assert_eq!(last.predicate["supersedes"]["certificateId"], open.predicate["certificateId"]);
    let left = estate.of_grace().await;
    assert_eq!(left.len(), 1, "the invoice that the law keeps: {left:?}");
    company.check_log().await;
}
