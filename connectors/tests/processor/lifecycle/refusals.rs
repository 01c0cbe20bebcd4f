//! A forged or confused order erases nobody.

use quietus_connectors::{SubjectResult, Testimony};

use super::club::{member, opened};
use crate::exchange::{Exchange, Kept, Notes, done, erase};
use crate::vendors::customers;

const JANE: &str = "jane@shop.example";

async fn told(kept: Vec<Kept>, identities: &[(&str, &str)]) -> (Exchange, Testimony) {
    let (exchange, connector) = opened(kept).await;
    let outcome = done(connector.execute(&erase(1, identities), &Notes::going_on()).await);
    (exchange, outcome.testimonies[0].clone())
}

fn two() -> Vec<Kept> {
    vec![
        member("c1", JANE, ""),
        member("c2", "JANE@shop.example", ""),
        member("c3", "x@y.example", ""),
    ]
}

#[tokio::test]
async fn two_persons_under_one_address_are_a_question_not_a_guess() {
    let (exchange, told_of) = told(two(), &[("email", JANE)]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert!(told_of.words.contains("several records answer"), "{}", told_of.words);
    assert!(!told_of.words.contains(JANE));
    assert_eq!(exchange.world().changes(), 0);
    // Naming one of them leaves the other one unexplained: refused as well.
    let (exchange, told_of) = told(two(), &[("email", JANE), ("club_id", "c1")]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert_eq!(exchange.world().changes(), 0);
    // Naming both says that they are one person.
    let both = [("email", JANE), ("club_id", "c1"), ("club_id", "c2")];
    let (exchange, told_of) = told(two(), &both).await;
    assert_eq!(told_of.result, SubjectResult::Done);
    assert_eq!(exchange.world().alive(), ["c3"]);
    // By its own id, without the address, it is the one that is meant.
    let (exchange, told_of) = told(two(), &[("club_id", "c1")]).await;
    assert_eq!(told_of.result, SubjectResult::Done);
    assert_eq!(exchange.world().alive(), ["c2", "c3"]);
}

const SALESFORCE: [(&str, &str); 3] = [
    ("my_domain", "shop"),
    ("client_id", "client0123456789"),
    ("client_secret", "s3cret&with=signs"),
];

#[tokio::test]
async fn two_sorts_of_records_under_one_address_are_a_question_as_well() {
    let (contact, lead) = ("003000000000001AAA", "00Q000000000001AAA");
    let kept = || vec![member(contact, JANE, "Contact"), member(lead, JANE, "Lead")];
    let exchange = Exchange::open(customers::salesforce, kept()).await;
    let connector = exchange.connector("salesforce", &SALESFORCE);
    let told_of = done(connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await);
    assert_eq!(told_of.testimonies[0].result, SubjectResult::Refused);
    assert_eq!(exchange.world().changes(), 0);
    let named = [("email", JANE), ("salesforce_contact_id", contact), ("salesforce_lead_id", lead)];
    let told_of = done(connector.execute(&erase(1, &named), &Notes::going_on()).await);
    assert_eq!(told_of.testimonies[0].result, SubjectResult::Done);
    assert!(exchange.world().alive().is_empty());
}

#[tokio::test]
async fn identities_that_lead_to_different_records_are_refused() {
    let kept = vec![member("c1", JANE, ""), member("c3", "x@y.example", "")];
    let (exchange, told_of) = told(kept, &[("email", JANE), ("club_id", "c3")]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert!(told_of.words.contains("different records"), "{}", told_of.words);
    assert_eq!(exchange.world().changes(), 0);
}

#[tokio::test]
async fn more_pages_than_bounded_are_refused() {
    let kept = (0..20).map(|n| member(&format!("c{n}"), &format!("{n}@y.example"), "")).collect();
    let (exchange, told_of) = told(kept, &[("email", JANE)]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert!(told_of.words.contains("pages"), "{}", told_of.words);
    assert_eq!(exchange.world().changes(), 0);
}

#[tokio::test]
async fn what_is_no_identity_is_not_sent() {
    for (kind, value) in [
        ("email", ""),
        ("email", " "),
        ("email", "*"),
        ("email", "%"),
        ("email", "' OR 1=1 --"),
        ("email", "c1"),
        ("club_id", ""),
        ("club_id", "*"),
        ("club_id", "c1/../c2"),
        ("club_id", "c1?all=true"),
        ("club_id", "c1; DROP TABLE people"),
        ("club_id", JANE),
        ("site_id", "c1"),
    ] {
        let (exchange, told_of) = told(two(), &[(kind, value)]).await;
        assert_eq!(told_of.result, SubjectResult::Refused, "{kind} `{value}`");
        assert!(value.trim().len() < 3 || !told_of.words.contains(value), "{}", told_of.words);
        assert_eq!(exchange.world().seen.len(), 0, "{kind} `{value}` was sent");
    }
    // Dots fit the shape of an id and still lead nowhere but to a refusal.
    for value in [".", ".."] {
        let (exchange, told_of) = told(two(), &[("club_id", value)]).await;
        assert_eq!(told_of.result, SubjectResult::Refused);
        assert_eq!(exchange.world().seen.len(), 0);
    }
}

#[tokio::test]
async fn wildcards_and_quotes_find_only_themselves() {
    for value in ["*@shop.example", "%@shop.example", "_ane@shop.example"] {
        let (exchange, told_of) = told(two(), &[("email", value)]).await;
        assert_eq!(told_of.result, SubjectResult::Absent, "`{value}`");
        assert_eq!(exchange.world().alive().len(), 3);
    }
}

#[tokio::test]
async fn a_no_is_told_with_its_reason_and_a_strange_no_with_its_number() {
    let (_, told_of) = told(vec![member("c1", JANE, "member")], &[("email", JANE)]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert_eq!(told_of.words, "the membership has not ended");
    let (_, told_of) = told(vec![member("c1", JANE, "teapot")], &[("email", JANE)]).await;
    assert_eq!(told_of.result, SubjectResult::Refused);
    assert!(told_of.words.ends_with("answered 418"), "{}", told_of.words);
}

#[tokio::test]
async fn an_address_in_other_letters_is_found() {
    let record = member("cus_1001", "Jane@Shop.example", "");
    let exchange = Exchange::open(customers::stripe, vec![record]).await;
    let connector = exchange.connector("stripe", &[("secret_key", "sk_test_0123456789")]);
    let outcome = done(connector.execute(&erase(1, &[("email", JANE)]), &Notes::going_on()).await);
    assert_eq!(outcome.testimonies[0].result, SubjectResult::Done);
    assert!(exchange.world().alive().is_empty());
}

#[tokio::test]
async fn every_letter_arrives_as_it_was() {
    for address in [
        "o'brien@shop.example",
        "a\"b/c%2Fd*?e=f&g#h\\i@shop.example",
        "jürgen+ß@bücher.example",
        "'; DROP TABLE customers; --@shop.example".replace(' ', "_").as_str(),
        "$(rm)`id`{{7*7}}@shop.example",
    ] {
        let record = Kept { id: "cus_1001".to_owned(), ..member("", address, "") };
        let exchange = Exchange::open(customers::stripe, vec![record]).await;
        let connector = exchange.connector("stripe", &[("secret_key", "sk_test_0123456789")]);
        let outcome =
            done(connector.execute(&erase(1, &[("email", address)]), &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].result, SubjectResult::Done, "`{address}`");

        let id = "003000000000001AAA".to_owned();
        let record = Kept { id, place: "Contact".to_owned(), ..member("", address, "Contact") };
        let exchange = Exchange::open(customers::salesforce, vec![record]).await;
        let connector = exchange.connector("salesforce", &SALESFORCE);
        let outcome =
            done(connector.execute(&erase(1, &[("email", address)]), &Notes::going_on()).await);
        assert_eq!(outcome.testimonies[0].result, SubjectResult::Done, "`{address}`");
    }
}
