//! What a minimum keeps of a person: restricted, named on the certificate with its date, and gone by
//! itself when the date comes.

use super::person;
use crate::company::engine::{TurnedClock, work};

async fn live(product: &quietus::app::Quietus) {
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
fn first_export(company: &crate::company::Company) -> String {
    let mut found: Vec<String> = std::fs::read_dir(company.folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("export-").map(str::to_owned))
        .collect();
    found.sort();
    found.remove(0)
}
