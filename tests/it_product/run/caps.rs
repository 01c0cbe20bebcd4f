//! MUST SHOW 5: a rule that would touch much more than usual stops before it has begun, and only
//! another person than its author can let it go on.

use quietus::app::Actor;

use crate::company::database::Kind;
use crate::company::engine::{TurnedClock, opened, work};
use crate::company::{Company, heap, identifier_in};

/// Twenty thousand rows of which all but ten are due; the cap is what stands in no file.
async fn widened(store: Kind, target: Kind) -> Company {
    let mut company = Company::new(store).await;
    let narrow = heap::rules("{ share: 10% }").replace("P1M", "P90Y");
    company.write("schedules/notes.yaml", &narrow);
    heap::furnish(
        company.add_system("heap", target, &heap::map("{ chunk_records: 500 }")).await,
        2_000,
    )
    .await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 2_010);
    let widened = heap::rules("{}").replace("cap: {}\n", "");
    company.write("schedules/notes.yaml", &widened);
    company
}

async fn a_second_person_is_asked(store: Kind, target: Kind) {
    let company = widened(store, target).await;
    let stopped = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(stopped.out.contains("nothing was deleted"), "{}", stopped.out);
    assert!(
        stopped.out.contains("would change 2000 of 2010 records of `heap.notes`"),
        "{}",
        stopped.out
    );
    assert!(stopped.out.contains("10 % of the collection"), "{}", stopped.out);
    assert_eq!(heap::left(&company).await, 2_010);
    let case = identifier_in(&stopped.out);

    // Nobody carries it out while it waits, and asking again opens nothing: whoever is looking at
    // the case looks at one that is alive.
    let again = company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(heap::left(&company).await, 2_010);
    assert!(again.out.contains("nothing new is opened"), "{}", again.out);
    assert!(again.out.contains(&format!("quietus approve {case}")), "{}", again.out);
    assert_eq!(company.latest_case().await, case, "no new case");

    let approve = async |by: &str, reason: &str| {
        company.quietus(&["approve", &case, "--by", by, "--reason", reason]).await
    };
    let author = approve("Ada Example", "I am sure").await.expect(2);
    assert!(author.err.contains("somebody else has to approve"), "{}", author.err);
    let shouting = approve("ADA EXAMPLE", "I am sure").await.expect(2);
    assert!(shouting.err.contains("somebody else has to approve"), "{}", shouting.err);
    approve("Grace Example", "  ").await.expect(2);
    assert_eq!(heap::left(&company).await, 2_010);
    approve("Grace Example", "checked with finance").await.expect(0);
    approve("Grace Example", "twice").await.expect(2);

    let done = company.quietus(&["run", "--once"]).await;
    assert_eq!(heap::left(&company).await, 10, "{}\n{}", done.out, done.err);
    assert!(done.out.contains(&case), "the approved case is shown:\n{}", done.out);
    let status = company.quietus(&["status", &case]).await.expect(0);
    assert!(status.out.contains("closed, fulfilled"), "{}", status.out);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), 2_000);
    assert_eq!(certificate.predicate["trigger"]["approvedBy"], "approver");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_is_asked_on_sqlite() {
    a_second_person_is_asked(Kind::Sqlite, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_is_asked_on_postgresql() {
    a_second_person_is_asked(Kind::Postgres, Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_person_is_asked_on_mariadb() {
    a_second_person_is_asked(Kind::Sqlite, Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_over_its_cap_can_be_called_off() {
    let company = widened(Kind::Sqlite, Kind::Sqlite).await;
    let case = identifier_in(&company.quietus(&["run", "--once"]).await.expect(1).out);
    company.quietus(&["cancel", &case, "--reason", "widened by mistake"]).await.expect(0);
    let late = ["approve", &case, "--by", "Grace Example", "--reason", "too late"];
    company.quietus(&late).await.expect(2);
    assert_eq!(heap::left(&company).await, 2_010);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "partial");
    assert_eq!(certificate.sum("deleted", "heap", "notes", None), 0);
}

/// More becomes due than anybody counted: the run stops at what it may do and asks for the number that
/// there is, and what comes on top of that number is asked for once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_agrees_to_a_number_lets_so_many_go_and_no_more() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 2_000, "{ chunk_records: 500 }").await;
    let clock = TurnedClock::at("2026-06-01T00:00:00Z");
    let product = company.replica(&clock).await;
    let case = opened(&product).await;
    company.database("heap").run(&old_rows(5_001, 7_000)).await;
    work(&product).await;
    // A thousand more than were counted may go, and no more: it stops before the chunk that would.
    let left = heap::left(&company).await;
    assert!((1_010..1_510).contains(&left), "{left}");
    let status = async || company.quietus(&["status", &case.to_string()]).await.expect(0).out;
    let asks = "waits for a second person: counted again while it was carried out: it would change 4000 records of `heap`";
    assert!(status().await.contains(asks), "{}", status().await);
    let approve =
        async |by: &str| product.approve((case, None), &Actor(by.to_owned()), "checked").await;
    let question = word_after(&status().await, "--question");
    let refused = approve("Ada Example").await.unwrap_err().to_string();
    assert!(refused.contains("somebody else has to approve"), "{refused}");
    approve("Grace Example").await.unwrap();
    company.database("heap").run(&old_rows(8_001, 8_300)).await;
    work(&product).await;
    // Two hundred more than were asked for.
    let left = heap::left(&company).await;
    assert!((110..610).contains(&left), "{left}");
    let asks = "it would change 4300 records of `heap`";
    assert!(status().await.contains(asks), "{}", status().await);
    // Whoever names what they saw agrees to that, and not to what is asked since.
    let id = case.to_string();
    let approve = async |question: &str| {
        let who = ["--by", "Grace Example", "--reason", "checked", "--question", question];
        company.quietus(&[&["approve", &id], &who[..]].concat()).await
    };
    let refused = approve(&question).await.expect(2);
    assert!(refused.err.contains("asks for something else by now"), "{}", refused.err);
    approve(&word_after(&status().await, "--question")).await.expect(0);
    // Commands run on the real clock, which is later.
    clock.set("2026-12-31T00:00:00Z");
    work(&product).await;
    assert_eq!(heap::left(&company).await, 10);
    assert!(status().await.contains("closed, fulfilled"), "{}", status().await);
    let certificate = company.certificate_of(&case.to_string()).await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), 4_300);
    company.check_log().await;
}

/// The word that follows another one in a text.
fn word_after(text: &str, word: &str) -> String {
    let mut words = text.split_whitespace().skip_while(|one| *one != word);
    words.nth(1).unwrap_or_else(|| panic!("no `{word}` in\n{text}")).to_owned()
}

/// Notes of 2020 with these numbers.
fn old_rows(from: i64, to: i64) -> String {
    format!(
        "WITH RECURSIVE r (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM r WHERE i < {to}) \
         INSERT INTO notes SELECT i, 'more@mail.example', 'x', '2020-01-01T00:00:00Z' FROM r"
    )
}

/// What is to be approved has changed: the waiting case is called off, and the operator is told
/// which one and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_case_that_is_outgrown_is_replaced() {
    let company = widened(Kind::Sqlite, Kind::Sqlite).await;
    let first = identifier_in(&company.quietus(&["run", "--once"]).await.expect(1).out);
    let replaced = async |earlier: &str, why: &str| {
        let run = company.quietus(&["run", "--once"]).await.expect(1);
        let later = company.latest_case().await;
        assert_ne!(later, earlier);
        let said = format!("case {earlier} no longer waits: case {later} took its place: {why}");
        assert!(run.out.contains(&said), "`{said}` in\n{}", run.out);
        assert!(run.out.contains(&format!("quietus approve {later}")), "{}", run.out);
        let status = company.quietus(&["status", earlier]).await.expect(0);
        assert!(status.out.contains("closed, cancelled"), "{}", status.out);
        later
    };
    // A few more are the same question; many more are another one.
    company.database("heap").run(&old_rows(5_001, 5_050)).await;
    company.quietus(&["run", "--once"]).await.expect(1);
    assert_eq!(company.latest_case().await, first);
    company.database("heap").run(&old_rows(5_051, 5_200)).await;
    let more = "rule `notes-after-a-month` would now change 2200 records of `heap.notes`, and it asked for 2000";
    let second = replaced(&first, more).await;
    let rules = company.read("schedules/notes.yaml").replace("P1M", "P2M");
    company.write("schedules/notes.yaml", &rules);
    let third = replaced(&second, "the rules have changed since it was planned").await;

    // A run for less neither opens the same twice nor calls the wider case off.
    let narrow = ["run", "--once", "--schedule", "nightly"];
    company.quietus(&narrow).await.expect(1);
    let narrower = company.latest_case().await;
    assert_ne!(narrower, third);
    company.quietus(&narrow).await.expect(1);
    assert_eq!(company.latest_case().await, narrower);
    for case in [&third, &narrower] {
        let status = company.quietus(&["status", case]).await.expect(0);
        assert!(status.out.contains("waits for a second person"), "{}", status.out);
    }
    assert_eq!(heap::left(&company).await, 2_210);

    // A wider cap lets everything go, and nothing is left to ask.
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE));
    let done = company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    assert!(done.out.contains("it carried out everything that is due"), "{}", done.out);
    for case in [&third, &narrower] {
        let status = company.quietus(&["status", case]).await.expect(0);
        assert!(status.out.contains("closed, cancelled"), "{}", status.out);
    }
    company.check_log().await;
}
