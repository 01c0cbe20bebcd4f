//! What is owed to people: requests beyond their last day, and tasks beyond their date.

use jiff::ToSpan as _;
use quietus::domain::AskedRight;

use super::{commands, examined, finding, is_well, pasted};
use crate::company::ARCHIVE;
use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, work};
use crate::request::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_overdue_is_named_and_nobody_else() {
    let company = person::company_on(Kind::Sqlite, "").await;
    company.write("who.txt", "email=alan@mail.example\n");
    let who = company.path("who.txt").display().to_string();
    let new = ["request", "new", "--right", "access", "--identities-file", &who];
    let received = ["--received", "2026-08-01T09:00:00+02:00", "--by", "Ben Example"];
    company.quietus(&[&new[..], &received].concat()).await.expect(0);
    let said = company.quietus(&["doctor", "--json"]).await.expect(1);
    let overdue = finding(&said.json(), "requests", "wrong", "its last day was 2026-09-01");
    let [show] = commands(&overdue).try_into().unwrap();
    pasted(&show).await.expect(0);
    let text = company.quietus(&["doctor"]).await.expect(1);
    for told in [&said.out, &text.out] {
        assert!(!told.contains("alan") && !told.contains("Example"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_beyond_its_date_is_named_and_not_whose_it_is() {
    let company = person::company_on(Kind::Sqlite, "").await;
    company.write("systems/archive.yaml", ARCHIVE);
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = company.replica(&clock).await;
    person::bring(&product, AskedRight::Erasure, ("email", "alan@mail.example".to_owned())).await;
    for _ in 0..3 {
        clock.advance(1.hour());
        product.advance_requests().await.unwrap();
        work(&product).await;
    }
    product.store.close().await;
    assert_eq!(company.count_of("tasks").await, 1);

    let said = company.quietus(&["doctor", "--json"]).await.expect(1);
    assert!(!said.out.contains("Ben") && !said.out.contains("alan"), "{}", said.out);
    let overdue = finding(&said.json(), "tasks", "wrong", "by hand in `archive` is overdue");
    assert!(overdue["since"].as_str().unwrap().starts_with("2026-06-11"), "{overdue:#}");
    let [list, show] = commands(&overdue).try_into().unwrap();
    assert!(pasted(&list).await.expect(0).out.contains("Ben Example"));
    // Only whoever does it is shown whom it is about.
    pasted(&show).await.expect(2);
    pasted(&show.replace("NAME", "'Ben Example'")).await.expect(0);
    let job = overdue["place"].as_str().unwrap().strip_prefix("task ").unwrap().to_owned();
    let done = [
        "task",
        "done",
        &job,
        "--result",
        "done",
        "--note",
        "shredded, ARC-17",
        "--by",
        "Ben Example",
    ];
    company.quietus(&done).await.expect(0);
    let said = examined(&company, 1).await;
    let waits = finding(&said, "tasks", "wrong", "nobody has confirmed it");
    let [confirm] = commands(&waits).try_into().unwrap();
    pasted(&confirm).await.expect(0);
    assert!(is_well(&examined(&company, 1).await, "tasks"));
}
