//! Laws that change while a person's records wait for a date: what is law on the day on which
//! something goes decides, and the person is told by which law and until when.

use super::kept::{BEGIN, OF_THREE_YEARS, asked_under, dated, go_on, kept, kept_by, left, live};
use super::person;
use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::engine::TurnedClock;

/// The rules with a minimum of another length, by another law.
fn pack(period: &str, law: &str) -> String {
    let pack = person::PACK.replace("period: P8Y", &format!("period: {period}"));
    pack.replace("citation: AO 147}", &format!("citation: {law}}}"))
}

async fn in_force(company: &Company) -> Certificate {
    company.certificate_of(&company.oldest_case().await).await
}

/// Of which minimums a certificate says that they keep something, each once.
fn laws(certificate: &Certificate) -> Vec<String> {
    let kept = certificate.statements().iter().flat_map(|one| one["kept"].as_array().unwrap());
    let by_law = kept.filter(|one| one["reason"] == "statutory-minimum");
    let mut laws: Vec<String> =
        by_law.map(|one| one["because"].as_str().unwrap().to_owned()).collect();
    laws.sort();
    laws.dedup();
    laws
}

/// The rule sets other than that of the scope whose minimums have counted, each once.
fn rule_sets(certificate: &Certificate) -> Vec<String> {
    let stated = certificate.statements().iter();
    let mut digests: Vec<String> =
        stated.filter_map(|one| one["limitsRuleSetSha256"].as_str().map(str::to_owned)).collect();
    digests.dedup();
    digests
}

async fn shown(company: &Company, request: &str) -> String {
    company.quietus(&["request", "show", request]).await.expect(0).out
}

/// What `explain` says of the minimums of an order's invoice.
async fn explained(company: &Company, order: &str, at: &str) -> Vec<serde_json::Value> {
    let arguments = ["explain", "shop", "orders", order, "--at", at, "--format", "json"];
    let said = company.quietus(&arguments).await.expect(0).json();
    let categories = said["categories"].as_array().unwrap();
    let invoice = categories.iter().find(|one| one["category"] == "invoice").unwrap();
    invoice["minimums"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minimum_that_is_lengthened_keeps_what_was_dated_before() {
    let (company, request, clock) = asked_under(person::PACK, OF_THREE_YEARS).await;
    let first = in_force(&company).await;
    assert_eq!(kept_by(&first), kept(3, Some("2028-01-01"), Some("2034-01-01")));
    assert_eq!(rule_sets(&first), Vec::<String>::new());
    assert_eq!(dated(&company).await, ["scheduled 2027-12-31"]);
    let earlier = company.replica(&clock).await;

    company.write("schedules/rules.yaml", &pack("P10Y", "AO 147 of 2027"));
    clock.set("2027-03-01T09:00:00Z");
    // What somebody only looks at is no law yet.
    company.quietus(&["plan"]).await;
    live(&earlier).await;
    assert_eq!(dated(&company).await, ["scheduled 2027-12-31"]);
    let product = company.replica(&clock).await;
    product.bring_rules_in_force().await.unwrap();
    // A process of before leaves it to one that has read them.
    live(&earlier).await;
    assert_eq!(dated(&company).await.len(), 1);
    assert_eq!(
        in_force(&company).await.predicate["certificateId"],
        first.predicate["certificateId"]
    );
    clock.set("2027-03-01T09:02:00Z");
    live(&product).await;
    let second = in_force(&company).await;
    assert_eq!(kept_by(&second), kept(3, Some("2030-01-01"), Some("2036-01-01")));
    assert_eq!(laws(&second), ["ao-147: AO 147 of 2027 (DE)"]);
    assert_eq!(second.predicate["supersedes"]["reason"], "kept-looked-at");
    assert_eq!(rule_sets(&second).len(), 1);
    assert_ne!(second.predicate["scope"]["ruleSetSha256"], rule_sets(&second)[0]);
    let page = shown(&company, &request).await;
    assert!(page.contains("what is kept goes on 2030-01-01"), "{page}");
    assert!(page.contains("AO 147 of 2027"), "{page}");
    assert!(page.contains(", the next until 2030-01-01, the last until 2036-01-01"), "{page}");
    let minimums = explained(&company, "11", "2027-03-01").await;
    assert_eq!(minimums[0]["citation"], "AO 147 of 2027");
    assert_eq!(minimums[0]["end"], "2029-12-31T23:00:00Z");

    for day in ["2027-12-31T23:00:00Z", "2028-06-01T09:00:00Z", "2029-12-31T22:59:59Z"] {
        clock.set(day);
        go_on(&company, &clock).await;
        assert_eq!(left(&company).await, ["11 1", "13 1", "14 1"], "{day}");
    }
    clock.set("2029-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1", "14 1"]);
    assert_eq!(kept_by(&in_force(&company).await), kept(2, Some("2033-01-01"), Some("2036-01-01")));
    clock.set("2036-01-02T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, Vec::<String>::new());
    let last = in_force(&company).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.statements());
    assert_eq!(last.predicate["supersedes"]["reason"], "final");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minimum_that_is_shortened_keeps_nothing_a_day_longer() {
    let (company, request, clock) = asked_under(person::PACK, OF_THREE_YEARS).await;
    company.write("schedules/rules.yaml", &pack("P5Y", "AO 147 of 2027"));
    clock.set("2027-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    // Of 2019: five years are long over.
    assert_eq!(left(&company).await, ["13 1", "14 1"]);
    assert_eq!(kept_by(&in_force(&company).await), kept(2, Some("2028-01-01"), Some("2031-01-01")));
    assert!(shown(&company, &request).await.contains("what is kept goes on 2028-01-01"));
    clock.set("2027-12-31T22:59:59Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1", "14 1"]);
    clock.set("2027-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["14 1"]);

    // The law of before is law again.
    company.write("schedules/rules.yaml", person::PACK);
    clock.set("2028-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    let certificate = in_force(&company).await;
    assert_eq!(kept_by(&certificate), kept(1, None, Some("2034-01-01")));
    assert_eq!(rule_sets(&certificate), Vec::<String>::new(), "it is that of the case");
    clock.set("2033-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, Vec::<String>::new());
    assert_eq!(in_force(&company).await.overall(), "complete");
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_change_no_minimum_bring_no_job_forward() {
    let (company, _, clock) = asked_under(person::PACK, OF_THREE_YEARS).await;
    let other = person::PACK.replace("version: '1'", "version: '2'").replace("P90Y", "P80Y");
    company.write("schedules/rules.yaml", &other);
    clock.set("2027-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(dated(&company).await, ["scheduled 2027-12-31"]);
    assert_eq!(company.count_of("certificates").await, 1);
}

/// There was no minimum, and a hold has kept the job waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minimum_that_is_added_keeps_what_a_hold_has_kept_until_then() {
    let company = person::company("").await;
    let (without, _) = person::PACK.split_once("minimums:").unwrap();
    company.write("schedules/rules.yaml", without);
    let place = ["hold", "place", "LIT-7", "--reason", "a lawsuit", "--category", "invoice"];
    company.quietus(&place).await.expect(0);
    let request = person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let clock = TurnedClock::at(BEGIN);
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await.len(), 3);

    company.write("schedules/rules.yaml", &pack("P8Y", "AO 147 of 2027"));
    clock.set("2027-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    company.quietus(&["hold", "release", "LIT-7"]).await.expect(0);
    go_on(&company, &clock).await;
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "13 1"], "what is of 2012 goes");
    let certificate = in_force(&company).await;
    assert_eq!(kept_by(&certificate), kept(2, None, Some("2034-01-01")));
    assert_eq!(laws(&certificate), ["ao-147: AO 147 of 2027 (DE)"]);
    assert!(shown(&company, &request).await.contains("what is kept goes on 2034-01-01"));
    clock.set("2033-12-31T22:59:59Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "13 1"]);
    clock.set("2033-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, Vec::<String>::new());
    assert_eq!(in_force(&company).await.overall(), "complete");
    company.check_log().await;
}

/// Ten years until the end of 2027, eight from then on.
const CUT: &str = "minimums:
  - {name: ao-147-ten, category: invoice, starting_point: collection, period: P10Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147 of 1998, valid_to: 2027-12-31}
  - {name: ao-147-eight, category: invoice, starting_point: collection, period: P8Y, round: end_of_calendar_year, jurisdiction: DE, citation: AO 147 of 2028, valid_from: 2028-01-01}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_law_that_is_known_to_change_is_looked_ahead_to() {
    let (rules, _) = person::PACK.split_once("minimums:").unwrap();
    let (company, request, clock) = asked_under(&format!("{rules}{CUT}"), OF_THREE_YEARS).await;
    let first = in_force(&company).await;
    assert_eq!(kept_by(&first), kept(3, Some("2028-01-01"), Some("2034-01-01")));
    let both = "ao-147-ten: AO 147 of 1998 (DE); 2028-01-01: ao-147-eight: AO 147 of 2028";
    assert_eq!(laws(&first), [both]);
    assert!(shown(&company, &request).await.contains("what is kept goes on 2028-01-01"));
    let minimums = explained(&company, "11", BEGIN).await;
    assert_eq!(minimums[0]["citation"], "AO 147 of 1998");
    assert_eq!(minimums[0]["end"], "2029-12-31T23:00:00Z");
    assert_eq!(minimums[0]["law_until"], "2027-12-31");
    assert_eq!(minimums[1]["citation"], "AO 147 of 2028");
    assert_eq!(minimums[1]["end"], "2027-12-31T23:00:00Z");
    assert_eq!(minimums[1]["law_from"], "2028-01-01");

    clock.set("2027-12-31T22:59:59Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "13 1", "14 1"]);
    clock.set("2027-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["13 1", "14 1"]);
    let second = in_force(&company).await;
    assert_eq!(kept_by(&second), kept(2, Some("2031-01-01"), Some("2034-01-01")));
    clock.set("2030-12-31T23:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["14 1"]);
    assert_eq!(laws(&in_force(&company).await), ["ao-147-eight: AO 147 of 2028 (DE)"]);
    company.check_log().await;
}

/// It was started before a category was given up, and its data map has no place in the rules that are
/// law now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_read_the_law_leaves_it_to_one_that_can() {
    let company = person::company("").await;
    let with_support = person::PACK
        .replace("categories:\n", "categories:\n  support: {purpose: help}\n")
        .replace("rules:\n", "rules:\n  - {rule: support, category: support, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}\n");
    company.write("schedules/rules.yaml", &with_support);
    let desk = company.read("systems/desk.yaml");
    company.write("systems/desk.yaml", &desk.replace("words: contact", "words: support"));
    company.database("shop").run(OF_THREE_YEARS).await;
    person::brought(&company, "erasure", "email=grace@mail.example\n").await;
    let clock = TurnedClock::at(BEGIN);
    go_on(&company, &clock).await;
    assert_eq!(dated(&company).await, ["scheduled 2027-12-31"]);
    let earlier = company.replica(&clock).await;

    company.write("systems/desk.yaml", &desk);
    company.write("schedules/rules.yaml", &pack("P10Y", "AO 147 of 2027"));
    clock.set("2027-03-01T09:00:00Z");
    let product = company.replica(&clock).await;
    product.bring_rules_in_force().await.unwrap();
    live(&earlier).await;
    let kind = "SELECT state || ' ' || last_fault_kind FROM jobs WHERE kind = 'retained'";
    assert_eq!(company.store_rows(kind).await, ["available earlier rules"]);
    clock.set("2027-03-01T09:02:00Z");
    live(&product).await;
    let certificate = in_force(&company).await;
    assert_eq!(kept_by(&certificate), kept(3, Some("2030-01-01"), Some("2036-01-01")));
    assert_eq!(laws(&certificate), ["ao-147: AO 147 of 2027 (DE)"]);
    company.check_log().await;
}

/// The rules in force call it by another name: nobody can say which minimum keeps it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_that_was_renamed_keeps_its_records_until_somebody_has_looked() {
    let (company, request, clock) = asked_under(person::PACK, OF_THREE_YEARS).await;
    let renamed = person::PACK.replace("invoice: {", "billing: {");
    company
        .write("schedules/rules.yaml", &renamed.replace("category: invoice", "category: billing"));
    let map = company.read("systems/shop.yaml");
    company
        .write("systems/shop.yaml", &map.replace("invoice_name: invoice", "invoice_name: billing"));
    clock.set("2028-03-01T09:00:00Z");
    go_on(&company, &clock).await;
    assert_eq!(left(&company).await, ["11 1", "13 1", "14 1"]);
    let page = shown(&company, &request).await;
    assert!(page.contains("the rules in force do not know `invoice`"), "{page}");
    // Nobody is asked again and again.
    let jobs = dated(&company).await;
    go_on(&company, &clock).await;
    assert_eq!(dated(&company).await, jobs);
    let failed = jobs.iter().filter(|job| job.starts_with("failed")).count();
    assert_eq!(failed, 1, "{jobs:?}");
    company.check_log().await;
}
