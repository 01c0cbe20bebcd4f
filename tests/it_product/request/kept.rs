//! What a minimum keeps of a person: restricted, named on the certificate with its date, and gone by
//! itself when the date comes: each record at its own.

use std::sync::Arc;

use super::person;
use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::engine::{TurnedClock, carry_out, work};

pub(super) async fn live(product: &quietus::app::Quietus) {
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(product).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_minimum_keeps_goes_by_itself_and_a_final_certificate_follows() {
    let company = person::company("").await;
    let request = person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;

    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions");
    assert_eq!(first.predicate["class"], "rights-request");
    assert_eq!(first.predicate["request"]["right"], "erasure");
    assert_eq!(first.predicate["request"]["identityTypes"][0], "email");
    let kept: Vec<_> = first
        .statements()
        .iter()
        .flat_map(|one| one["kept"].as_array().unwrap())
        .map(|one| one["because"].as_str().unwrap())
        .collect();
    assert!(kept.iter().any(|why| why.contains("AO 147")), "{kept:?}");
    let left = person::orders(&company).await;
    assert_eq!(
        left,
        [
            "11|~|~|Grace Example|1",
            "13|~|~|Grace Example|1",
            "21|alan@mail.example|Example Street 2|Alan Example|0",
        ]
    );
    let id = uuid::Uuid::parse_str(&request).unwrap();
    let stored = product.rights_request(id).await.unwrap();
    assert_eq!(stored.stored.outcome.unwrap().as_str(), "partially_retained");
    let openings = stored.person.unwrap().openings;
    let opening = openings.values().next().expect("an opening");
    let digest = quietus::domain::Digest::of(opening.as_bytes()).to_string();
    assert!(opening.contains("grace@mail.example"));
    let certificate = openings.keys().next().unwrap().to_string();
    let bundle = company.read(&format!("export-{}/VERIFY.txt", first_export(&company)));
    assert!(bundle.contains(&digest), "the opening of {certificate} is the subject");

    // Nothing happens before the date: eight years, to the end of the calendar year.
    clock.set("2033-12-31T22:00:00Z");
    live(&product).await;
    assert_eq!(person::orders(&company).await, left);

    clock.set("2034-01-02T09:00:00Z");
    live(&product).await;
    assert_eq!(
        person::orders(&company).await,
        ["21|alan@mail.example|Example Street 2|Alan Example|0"]
    );
    assert!(!person::customers(&company).await.iter().any(|row| row.starts_with("1|")));
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.predicate["statements"]);
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.predicate["certificateId"]);
    let stored = product.rights_request(id).await.unwrap();
    assert_eq!(stored.stored.outcome.unwrap().as_str(), "fulfilled");

    // The answer has reached the person by then: nobody needs to know who it was.
    clock.set("2034-03-01T09:00:00Z");
    live(&product).await;
    let forgotten = product.rights_request(id).await.unwrap();
    assert!(forgotten.person.is_none() && forgotten.stored.wrapped_key.is_none());
    assert_eq!(company.count_of("request_persons").await, 0);
    company.check_log().await;
}

/// The folder of the first exported certificate.
fn first_export(company: &Company) -> String {
    let mut found: Vec<String> = std::fs::read_dir(company.folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("export-").map(str::to_owned))
        .collect();
    found.sort();
    found.remove(0)
}

/// Grace has an old order, and three of which each invoice is kept for eight calendar years: of 2019
/// and of 2025 under her number, and of 2022 under nothing but her address, which goes at once.
pub(super) const OF_THREE_YEARS: &str = "
UPDATE orders SET invoiced_on = '2019-05-01' WHERE id = 11;
UPDATE orders SET invoiced_on = '2022-05-01' WHERE id = 13;
INSERT INTO orders VALUES (14, 1, NULL, 'Example Street 1', 'Grace Example', '2025-05-01', NULL);
";
pub(super) const BEGIN: &str = "2027-01-04T09:00:00Z";

/// A process that has just been started does what there is to do.
pub(super) async fn go_on(company: &Company, clock: &Arc<TurnedClock>) {
    let product = company.replica(clock).await;
    product.bring_rules_in_force().await.unwrap();
    live(&product).await;
}

/// Grace asks, and all that may go has gone.
async fn asked(rows: &str) -> (Company, String, Arc<TurnedClock>) {
    asked_under(person::PACK, rows).await
}

/// The same under other rules.
pub(super) async fn asked_under(pack: &str, rows: &str) -> (Company, String, Arc<TurnedClock>) {
    let company = person::company("").await;
    company.write("schedules/rules.yaml", pack);
    company.database("shop").run(rows).await;
    let request = person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let clock = TurnedClock::at(BEGIN);
    go_on(&company, &clock).await;
    (company, request, clock)
}

/// Orders of hers that are left: number and whether it is restricted, without address and name.
pub(super) async fn left(company: &Company) -> Vec<String> {
    let mut rows = person::orders(company).await;
    assert_eq!(rows.pop().unwrap(), "21|alan@mail.example|Example Street 2|Alan Example|0");
    rows.iter().map(|row| row.replace("|~|~|Grace Example|", " ")).collect()
}

/// How many records a minimum keeps by a certificate, until when the first and the last of them.
pub(super) type KeptByMinimum = (String, Option<String>, Option<String>);

pub(super) fn kept_by(certificate: &Certificate) -> Vec<KeptByMinimum> {
    let statements = certificate.statements().iter();
    let kept = statements.flat_map(|one| one["kept"].as_array().unwrap());
    let by_law = kept.filter(|one| one["reason"] == "statutory-minimum");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let stated = by_law.map(|one| {
        assert_eq!(one["restricted"], true, "{one:#}");
        assert!(one["because"].as_str().unwrap().contains("AO 147"), "{one:#}");
        (text(&one["records"]).unwrap(), text(&one["firstUntil"]), text(&one["until"]))
    });
    stated.collect()
}

pub(super) fn kept(records: u64, first: Option<&str>, last: Option<&str>) -> [KeptByMinimum; 1] {
    [(records.to_string(), first.map(str::to_owned), last.map(str::to_owned))]
}

/// The dated jobs: how each stands, and on which day it may begin.
pub(super) async fn dated(company: &Company) -> Vec<String> {
    let text = "SELECT state || ' ' || date(available_at / 1000000, 'unixepoch') FROM jobs
         WHERE kind = 'retained' ORDER BY available_at, created_at";
    company.store_rows(text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_goes_when_its_own_minimum_ends_and_each_certificate_says_what_is_left() {
    let (company, request, clock) = asked(OF_THREE_YEARS).await;
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(left(&company).await, ["11 1", "13 1", "14 1"]);
    assert_eq!(kept_by(&first), kept(3, Some("2028-01-01"), Some("2034-01-01")));
    assert_eq!(first.sum("deleted", "shop", "orders", Some("invoice")), 1);
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    assert!(shown.contains("what is kept goes on 2028-01-01"), "{shown}");
    assert!(shown.contains(", the next until 2028-01-01, the last until 2034-01-01"), "{shown}");
    let letters = company.quietus(&["letter", "list", &request]).await.expect(0).out;
    let answer = letters.lines().find(|line| line.contains("outcome")).expect("an answer");
    let answer = crate::company::identifier_in(answer);
    let letter = company.quietus(&["letter", "show", &answer]).await.expect(0).out;
    let parts = "the first part until 2028-01-01, the last until 2034-01-01";
    assert!(letter.contains(parts), "{letter}");

    // Not a moment before.
    clock.set("2027-12-31T22:59:59Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "13 1", "14 1"]);
    assert_eq!(company.count_of("certificates").await, 1);
    clock.set("2027-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1", "14 1"]);
    let second = company.certificate_of(&case).await;
    assert_eq!(second.overall(), "complete-with-exceptions");
    assert_eq!(kept_by(&second), kept(2, Some("2031-01-01"), Some("2034-01-01")));
    assert_eq!(second.sum("deleted", "shop", "orders", Some("invoice")), 2);
    replaces(&second, &first, "kept-looked-at");
    assert_eq!(dated(&company).await, ["completed 2027-12-31", "scheduled 2030-12-31"]);

    // Whoever has carried it out dies before it is certified.
    clock.set("2031-01-02T09:00:00Z");
    let product = company.replica(&clock).await;
    carry_out(&product).await;
    drop(product);
    assert_eq!(left(&company).await, ["14 1"], "what only its key names has kept its own date");
    go_on(&company, &clock).await;
    let third = company.certificate_of(&case).await;
    assert_eq!(kept_by(&third), kept(1, None, Some("2034-01-01")));
    replaces(&third, &second, "kept-looked-at");
    let id = uuid::Uuid::parse_str(&request).unwrap();
    let outcome = async || {
        let product = company.replica(&clock).await;
        product.rights_request(id).await.unwrap().stored.outcome.unwrap().as_str().to_owned()
    };
    assert_eq!(outcome().await, "partially_retained");

    clock.set("2034-01-02T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, Vec::<String>::new());
    assert!(!person::customers(&company).await.iter().any(|row| row.starts_with("1|")));
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.statements());
    assert_eq!(kept_by(&last), []);
    assert_eq!(last.sum("deleted", "shop", "orders", Some("invoice")), 4);
    replaces(&last, &third, "final");
    assert_eq!(outcome().await, "fulfilled");
    let all = ["completed 2027-12-31", "completed 2030-12-31", "completed 2033-12-31"];
    assert_eq!(dated(&company).await, all, "no job is left");
    company.check_log().await;
}

fn replaces(later: &Certificate, earlier: &Certificate, reason: &str) {
    let supersedes = &later.predicate["supersedes"];
    assert_eq!(supersedes["certificateId"], earlier.predicate["certificateId"]);
    assert_eq!(supersedes["reason"], reason);
}

/// Ends that pass while nobody works are not forgotten for the next one that is to come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_over_while_everything_stood_still_goes_at_once() {
    let (company, _, clock) = asked(OF_THREE_YEARS).await;
    clock.set("2032-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["14 1"]);
    let certificate = company.certificate_of(&company.oldest_case().await).await;
    assert_eq!(kept_by(&certificate), kept(1, None, Some("2034-01-01")));
    let jobs = ["completed 2027-12-31", "completed 2032-03-01", "scheduled 2033-12-31"];
    assert_eq!(dated(&company).await, jobs);
    // And nothing more is done until then.
    clock.set("2033-06-01T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(dated(&company).await, jobs);
    company.check_log().await;
}

/// What is under a hold when its date comes goes once the hold is released, whatever is kept longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hold_has_kept_beyond_its_date_goes_once_it_is_released() {
    let company = person::company("").await;
    company.database("shop").run(OF_THREE_YEARS).await;
    let place = ["hold", "place", "LIT-7", "--reason", "a lawsuit", "--category", "invoice"];
    company.quietus(&place).await.expect(0);
    person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let clock = TurnedClock::at(BEGIN);
    go_on(&company, &clock).await;
    clock.set("2029-06-01T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "12 1", "13 1", "14 1"]);
    company.quietus(&["hold", "release", "LIT-7"]).await.expect(0);
    go_on(&company, &clock).await;
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1", "14 1"], "nobody waits for 2031");
    let certificate = company.certificate_of(&company.oldest_case().await).await;
    assert_eq!(kept_by(&certificate), kept(2, Some("2031-01-01"), Some("2034-01-01")));
    company.check_log().await;
}

/// Of one invoice nobody knows when it was issued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_date_yet_is_looked_at_again_before_the_dates_of_the_others() {
    let unknown = "UPDATE orders SET invoiced_on = NULL WHERE id = 11;";
    let (company, _, clock) = asked(unknown).await;
    let case = company.oldest_case().await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(kept_by(&certificate), kept(2, Some("2034-01-01"), None));
    assert_eq!(dated(&company).await, ["scheduled 2027-02-03"]);
    let told = "UPDATE orders SET invoiced_on = '2018-06-01' WHERE id = 11;";
    company.database("shop").run(told).await;
    clock.set("2027-02-03T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1"]);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(kept_by(&certificate), kept(1, None, Some("2034-01-01")));
    assert_eq!(dated(&company).await, ["completed 2027-02-03", "scheduled 2033-12-31"]);
    company.check_log().await;
}
