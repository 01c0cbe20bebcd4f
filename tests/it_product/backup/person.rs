//! A person's case: two dates, copies that go one by one, and a letter that says so plainly.

use super::{company, copies, dump, live, looks, observed, people, prune, states_the_end};
use crate::company::Company;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;

async fn letters(company: &Company, request: &str) -> Vec<String> {
    let listed = company.quietus(&["letter", "list", request]).await.expect(0).out;
    let mut texts = Vec::new();
    for line in listed.lines().filter(|line| line.contains("outcome")) {
        let id = crate::company::identifier_in(line);
        texts.push(company.quietus(&["letter", "show", &id]).await.expect(0).out);
    }
    texts
}

/// The live systems are done; the copies have a day.
fn states_two_dates(certificate: &Certificate) {
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    assert_eq!(certificate.predicate["supersedes"], serde_json::Value::Null);
    let stated = copies(certificate);
    assert_eq!(stated.len(), 1, "{stated:#?}");
    let of_vault = &stated[0];
    assert_eq!(of_vault["store"], "vault");
    assert_eq!(of_vault["goneBy"], "2027-01-07");
    assert_eq!(of_vault["newestCopyContaining"], "2027-01-04T00:00:00Z");
    assert_eq!((&of_vault["copies"], &of_vault["mechanism"]), (&"3".into(), &"expiry".into()));
    assert!(of_vault["seenGoneAt"].is_null() && of_vault["withoutDay"].is_null());
    let by = &certificate.predicate["pending"]["finalCertificateBy"];
    assert_eq!(by, "2027-01-07T23:00:00Z", "the end of that day in Berlin");
    let with_copies = certificate.statements().iter().filter(|one| !one["backup"].is_null());
    let systems: std::collections::BTreeSet<_> =
        with_copies.map(|one| one["system"]["id"].as_str().unwrap()).collect();
    assert_eq!(systems.into_iter().collect::<Vec<_>>(), ["desk", "shop"]);
}

async fn copies_go_one_by_one(store: Kind) {
    let company = company(store).await;
    let request = people::brought(&company, "erasure", "email=alan@mail.example\n").await;
    for day in ["2027-01-02", "2027-01-03", "2027-01-04"] {
        dump(&company, day);
    }
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;

    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    states_two_dates(&certificate);
    assert_eq!(looks(&company).await, ["scheduled -"]);
    let told = letters(&company, &request).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("gone by 2027-01-07"), "{}", told[0]);
    let text = company.quietus(&["certificate", "show", &first]).await.expect(0).out;
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("shop: gone from the live system on 4 January 2027"), "{text}");
    assert!(plain.contains("gone from the last copy in vault by 7 January 2027"), "{text}");
    let id = uuid::Uuid::parse_str(&request).unwrap();
    let answered = product.rights_request(id).await.unwrap();
    assert_eq!(answered.stored.outcome.unwrap().as_str(), "fulfilled", "to the person it is");

    // The store goes on as it says, but for one copy: its job was stopped on the last day.
    for (today, gone) in [("2027-01-05", "2027-01-02"), ("2027-01-06", "2027-01-03")] {
        clock.set(&format!("{today}T12:00:00Z"));
        dump(&company, today);
        prune(&company, gone);
        live(&product).await;
        assert_eq!(company.certificate_id(&case).await, first, "{today}");
        assert_eq!(looks(&company).await, ["scheduled -"]);
    }
    let before = observed(&company).await;
    clock.set("2027-01-07T12:00:00Z");
    dump(&company, "2027-01-07");
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, first, "the copy is there");
    assert_eq!(observed(&company).await, before + 1, "a look has found another number of copies");
    clock.set("2027-01-07T18:00:00Z");
    live(&product).await;
    assert_eq!(observed(&company).await, before + 1, "nobody looked again on the same day");

    // Now it goes.
    clock.set("2027-01-08T12:00:00Z");
    dump(&company, "2027-01-08");
    prune(&company, "2027-01-04");
    prune(&company, "2027-01-05");
    live(&product).await;
    assert_eq!(looks(&company).await, ["completed -"]);
    let last = company.certificate_of(&case).await;
    states_the_end(&last, (&first, "2027-01-08T12:00:00Z"));
    assert_eq!(last.counts(), certificate.counts(), "what was erased is what it was");
    let told = letters(&company, &request).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().any(|text| text.contains("2027-01-08")), "{told:?}");

    // Whom it was about is known for as long as the answer needs.
    clock.set("2027-03-01T09:00:00Z");
    live(&product).await;
    assert!(product.rights_request(id).await.unwrap().person.is_none());
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_final_certificate_comes_when_the_last_copy_is_gone() {
    copies_go_one_by_one(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_final_certificate_comes_when_the_last_copy_is_gone_on_postgresql() {
    copies_go_one_by_one(Kind::Postgres).await;
}

/// What a law keeps goes years later, and its own copies after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_later_has_copies_of_its_own() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=grace@mail.example\n").await;
    dump(&company, "2027-01-04");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions");
    assert!(first.predicate["pending"].is_null(), "a law keeps something for longer");
    clock.set("2027-01-07T12:00:00Z");
    dump(&company, "2027-01-07");
    prune(&company, "2027-01-04");
    live(&product).await;
    let second = company.certificate_of(&case).await;
    assert_eq!(second.overall(), "complete-with-exceptions");
    assert_eq!(second.predicate["supersedes"]["reason"], "backup-expired");
    assert!(copies(&second).iter().all(|one| !one["seenGoneAt"].is_null()));

    // The minimum ends, and the rest is erased: what copies of that day hold is new.
    clock.set("2034-01-02T09:00:00Z");
    prune(&company, "2027-01-07");
    dump(&company, "2034-01-02");
    live(&product).await;
    let third = company.certificate_of(&case).await;
    assert_eq!(third.overall(), "complete-with-exceptions");
    assert_eq!(third.predicate["supersedes"]["reason"], "final");
    let of_shop = |one: &&serde_json::Value| one["system"]["id"] == "shop";
    let shop = third.statements().iter().find(of_shop).unwrap();
    assert_eq!(shop["backup"][0]["goneBy"], "2034-01-05");
    clock.set("2034-01-05T12:00:00Z");
    dump(&company, "2034-01-05");
    prune(&company, "2034-01-02");
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete");
    assert_eq!(last.predicate["supersedes"]["reason"], "backup-expired");
}

/// Nothing was erased there, so that nobody needs to look at its copies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_found_has_no_copies_to_wait_for() {
    let company = company(Kind::Sqlite).await;
    people::brought(&company, "erasure", "email=nobody@mail.example\n").await;
    dump(&company, "2027-01-04");
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    assert_eq!(looks(&company).await, Vec::<String>::new());
    if company.count_of("certificates").await > 0 {
        let case = company.oldest_case().await;
        assert_eq!(copies(&company.certificate_of(&case).await), Vec::<serde_json::Value>::new());
    }
}
