//! MUST SHOW 4, first half: a database that is down for the whole run. The others finish, everybody
//! can see who is missing, nothing is called complete, and it is caught up with nobody's help.

use jiff::ToSpan as _;
use quietus::app::Actor;

use super::estate::{self, Estate, GRACE, Kinds, NUMBER, USUAL, live};
use super::person;
use crate::company::database::Kind;

/// MariaDB holds what nothing else is found by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_finish_and_the_one_is_caught_up_by_itself() {
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    estate.without(&["archive", "mailer"]);
    let company = &estate.company;
    let line = estate.cut_line_to("billing").await;
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    for _ in 0..20 {
        live(&product, &clock, 6.minutes()).await;
    }
    let left = estate.of_grace().await;
    assert_eq!(left.len(), 2, "the account, and the invoice that the law keeps: {left:?}");
    assert!(left[1].starts_with("billing.accounts: 51|"), "{left:?}");
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    for part in [
        "crm: done, and looked at once more",
        "desk: done, and looked at once more",
        "club (third party): done, and looked at once more",
        "billing: not done yet; tried again on",
        "billing: it could not be asked yet what it knows",
        "is being carried out",
    ] {
        assert!(shown.contains(part), "`{part}` in\n{shown}");
    }
    let case = company.oldest_case().await;
    let status = company.quietus(&["status", &case]).await.expect(0).out;
    assert!(status.contains("billing"), "{status}");
    let of_case =
        format!("SELECT id FROM certificates WHERE case_id = {}", company.store_id(&case));
    assert_eq!(company.store_rows(&of_case).await.len(), 0, "nothing is certified");

    line.mend();
    live(&product, &clock, 6.minutes()).await;
    let left = estate.of_grace().await;
    assert_eq!(left.len(), 1, "the invoice that the law keeps: {left:?}");
    let certificate = company.certificate_of(&case).await;
    let billing = certificate.sum("deleted", "billing", "accounts", Some("contact"));
    assert_eq!(billing, 1, "{:#?}", certificate.statements());
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(shown.contains("billing: done, and looked at once more"), "{shown}");
    assert!(!shown.contains("could not be asked yet"), "{shown}");
}

/// MariaDB knows who the person is everywhere else: an address leads to a number and to the name
/// that the vendor has for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_missing_one_knows_is_followed_when_it_is_back() {
    let kinds = Kinds { crm: Kind::MariaDb, billing: Kind::Postgres, desk: Kind::Sqlite };
    let mut estate = Estate::new(Kind::Postgres, kinds, "[contact_id]", "").await;
    estate.without(&["archive", "mailer", "backend"]);
    let company = &estate.company;
    let line = estate.cut_line_to("crm").await;
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    for _ in 0..4 {
        live(&product, &clock, 6.minutes()).await;
    }
    // Only the chat could be found by the address alone.
    let left = estate.everything().await.join("\n");
    assert!(!left.contains("desk.chats: 41"), "{left}");
    for stays in ["desk.tickets: 31", "billing.accounts: 51", "club: contact-5fd1c8"] {
        assert!(left.contains(stays), "{stays} in {left}");
    }
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    let waits = "it waits for what `crm` knows, which could not be asked yet";
    assert_eq!(shown.matches(waits).count(), 2, "billing and the vendor: {shown}");
    assert!(shown.contains("is being carried out"), "{shown}");
    assert_eq!(company.count_of("certificates").await, 0);

    line.mend();
    for _ in 0..3 {
        live(&product, &clock, 6.minutes()).await;
    }
    let left = estate.of_grace().await;
    assert_eq!(left.len(), 1, "the invoice that the law keeps: {left:?}");
    let left = estate.everything().await.join("\n");
    for gone in ["desk.tickets: 31", "billing.accounts: 51", "club: contact-5fd1c8"] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
    assert!(
        left.contains("desk.tickets: 32") && left.contains(&format!("crm.customers: {NUMBER}"))
    );
    let case = company.oldest_case().await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete-with-exceptions", "{:#?}", certificate.predicate);
    for collection in ["tickets", "chats"] {
        assert_eq!(certificate.sum("deleted", "desk", collection, Some("contact")), 1);
    }
    assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"]);
    let not_covered = certificate.predicate["scope"]["notCovered"].to_string();
    assert!(!not_covered.contains("no known identity"), "{not_covered}");
}

/// A person's part that failed is nobody else's: a later run of the rules does not do its work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_rules_does_not_do_the_work_of_a_request() {
    let company = person::company("").await;
    person::brought(&company, "erasure", "customer_id=2\n").await;
    company.database("desk").run("ALTER TABLE tickets RENAME TO elsewhere").await;
    company.quietus(&["run", "--once"]).await.expect(1);
    company.database("desk").run("ALTER TABLE elsewhere RENAME TO tickets").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert!(person::tickets(&company).await.contains(&"33|help".to_owned()));
    company.quietus(&["retry", "--system", "desk"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(person::tickets(&company).await, ["31|help", "32|court", "34|Sally asks"]);
}

/// A part that failed can be tried again for as long as it is not done: nobody is forgotten before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_part_has_failed_stays_known_until_it_is_done() {
    let company = person::company("later_looks: {every: never}\n").await;
    let request = person::brought(&company, "erasure", "customer_id=2\n").await;
    let desk = company.database("desk");
    desk.run("ALTER TABLE tickets RENAME TO elsewhere").await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    let id = request.parse().unwrap();
    let is_known = async || product.rights_request(id).await.unwrap().person.is_some();
    let certificate = company.certificate_of(&company.oldest_case().await).await;
    let stated = certificate.statements().iter();
    let failed: Vec<_> = stated.filter(|one| one["outcome"] == "failed").collect();
    assert!(failed.iter().all(|one| one["system"]["id"] == "desk"), "{failed:#?}");
    assert!(!failed.is_empty(), "{:#?}", certificate.statements());
    for _ in 0..3 {
        live(&product, &clock, (31 * 24).hours()).await;
        assert!(is_known().await, "he can be looked for again");
    }
    desk.run("ALTER TABLE elsewhere RENAME TO tickets").await;
    let ada = Actor("Ada Example".to_owned());
    assert_eq!(product.retry_failed(Some("desk"), &ada).await.unwrap().tried, 1);
    live(&product, &clock, 1.minutes()).await;
    assert!(!person::tickets(&company).await.contains(&"33|help".to_owned()));
    assert!(is_known().await, "the answer has to reach him");
    for _ in 0..2 {
        live(&product, &clock, (31 * 24).hours()).await;
    }
    assert!(!is_known().await, "nobody needs to know any more who he was");
}
