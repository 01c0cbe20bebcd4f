//! A restriction lasts until it is lifted: it is seen and verified everywhere, records that appear
//! later are restricted too, and it ends only once the person was told.

use jiff::ToSpan as _;

use super::estate::{self, ACCOUNTS, CHATS, Estate, NUMBER, TICKETS, USUAL, census, live};
use super::person;
use crate::company::database::Kind;
use crate::company::identifier_in;

/// Rows of all databases that are restricted, by their keys, and members of the vendor.
async fn restricted(estate: &Estate) -> Vec<String> {
    let mut found = Vec::new();
    for system in &estate.company.systems {
        for row in census::all_rows(&system.database).await {
            let flagged = ["|true", "|1"].iter().any(|end| row.ends_with(end));
            if flagged && !row.starts_with("quietus_progress") {
                found.push(row.split('|').next().unwrap().to_owned());
            }
        }
    }
    let members = estate.vendor.holds();
    found.extend(members.into_iter().filter(|one| one.ends_with("|true")));
    found.sort();
    found
}

const HERS: [&str; 7] = [
    "accounts: 51",
    "chats: 41",
    "contact-5fd1c8|grace.hopple@mail.example|true",
    "customers: 918273645546",
    "orders: 11",
    "orders: 12",
    "tickets: 31",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_appears_later_is_restricted_too_until_the_person_was_told_of_the_end() {
    let settings = "requests: {restriction_upkeep: P2D}\n";
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", settings).await;
    estate.without(&["mailer", "backend", "archive"]);
    let company = &estate.company;
    let by_number = format!("customer_id={NUMBER}\n");
    let before = estate.everything().await;
    let request = person::brought(company, "restriction", &by_number).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(restricted(&estate).await, HERS);
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.predicate["class"], "restriction");
    for one in first.statements() {
        assert_eq!(one["verification"]["result"], "absent", "{one:#}");
        assert_eq!(one["verification"]["type"], "post-query", "{one:#}");
    }
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert_eq!(shown.matches("stays restricted; looked at again on").count(), 3, "{shown}");

    // New records of hers, and of somebody else.
    let new = ["33|918273645546|It blinks again|2026-01-02T00:00:00|~"];
    TICKETS.fill(estate.database("desk"), &new).await;
    CHATS
        .fill(
            estate.database("desk"),
            &[
                "43|grace.hopple@mail.example|hello again|2026-01-02T00:00:00|~",
                "44|alan.tarring@mail.example|hello again|2026-01-02T00:00:00|~",
            ],
        )
        .await;
    live(&product, &clock, 24.hours()).await;
    assert_eq!(restricted(&estate).await, HERS, "they are looked for every other day");
    live(&product, &clock, 24.hours()).await;
    let mut more: Vec<&str> = HERS.to_vec();
    more.extend(["chats: 43", "tickets: 33"]);
    more.sort_unstable();
    assert_eq!(restricted(&estate).await, more);
    let later = company.certificate_of(&case).await;
    assert_eq!(later.overall(), "complete", "{:#?}", later.statements());
    assert_eq!(later.predicate["supersedes"]["certificateId"], first.predicate["certificateId"]);
    assert_eq!(later.sum("restricted", "desk", "tickets", Some("contact")), 2);
    let certificates = company.count_of("certificates").await;

    // Again and again, also after looks that found nothing; those are not certified.
    live(&product, &clock, 49.hours()).await;
    live(&product, &clock, 49.hours()).await;
    assert_eq!(company.count_of("certificates").await, certificates);
    let new = ["53|918273645546|Grace Hopple|DE00|2026-01-02T00:00:00|~"];
    ACCOUNTS.fill(estate.database("billing"), &new).await;
    live(&product, &clock, 49.hours()).await;
    assert!(restricted(&estate).await.contains(&"accounts: 53".to_owned()));
    assert_eq!(company.count_of("certificates").await, certificates + 1);

    lifted(&estate, &product, &clock, &before).await;
}

async fn lifted(
    estate: &Estate,
    product: &quietus::app::Quietus,
    clock: &crate::company::engine::TurnedClock,
    before: &[String],
) {
    let company = &estate.company;
    // By another name than the restriction was asked under.
    let lifting = person::brought(company, "lifting", &format!("email={}\n", estate::GRACE)).await;
    let while_restricted = restricted(estate).await;
    live(product, clock, 1.hours()).await;
    assert_eq!(restricted(estate).await, while_restricted, "she was not told yet");
    let letters = company.quietus(&["letter", "list", &lifting]).await.expect(0).out;
    let notice = identifier_in(letters.lines().find(|line| line.contains("lifting")).unwrap());
    let how = ["--how", "hand", "--by", "Ada Example"];
    company.quietus(&[&["letter", "delivered", &notice][..], &how].concat()).await.expect(0);
    live(product, clock, 1.hours()).await;
    assert_eq!(restricted(estate).await, Vec::<String>::new());
    let shown = company.quietus(&["letter", "list", &lifting]).await.expect(0).out;
    assert!(shown.lines().any(|line| line.contains("lifting") && line.contains("hand")), "{shown}");

    // Nobody keeps it up any more.
    let new = ["34|918273645546|All is well|2026-01-03T00:00:00|~"];
    TICKETS.fill(estate.database("desk"), &new).await;
    for _ in 0..3 {
        live(product, clock, 49.hours()).await;
    }
    assert_eq!(restricted(estate).await, Vec::<String>::new());
    let after = estate.everything().await;
    let unchanged = before.iter().filter(|row| row.contains("700300200"));
    for row in unchanged {
        assert!(after.contains(row), "{row} in {after:#?}");
    }
    // What named her goes a month later, from both requests.
    live(product, clock, 960.hours()).await;
    assert_eq!(company.count_of("request_persons").await, 0);
    company.check_log().await;
}

/// Whether an objection is right is for a person to say; until then nothing of theirs is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_objection_restricts_what_appears_while_it_is_not_decided() {
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    estate.without(&["mailer", "backend", "archive", "club"]);
    let company = &estate.company;
    let request = person::brought(company, "objection", &format!("customer_id={NUMBER}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    let new = ["33|918273645546|It blinks again|2026-01-02T00:00:00|~"];
    TICKETS.fill(estate.database("desk"), &new).await;
    live(&product, &clock, 25.hours()).await;
    assert!(restricted(&estate).await.contains(&"tickets: 33".to_owned()));
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(shown.contains("is with a person"), "{shown}");
}
