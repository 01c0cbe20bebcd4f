//! A run that waits for a second person while a longer minimum becomes law: what is law when it is
//! carried out keeps what it keeps.

use crate::company::database::Kind;
use crate::company::{Company, heap, identifier_in};

/// Sixty rows of 2020 that are due and wait for an approval.
async fn waiting() -> (Company, String) {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 60, "{ chunk_records: 50 }").await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 5 }"));
    let old = "UPDATE notes SET made_at = '2001-01-01T00:00:00Z' WHERE id <= 20";
    company.database("heap").run(old).await;
    let stopped = company.quietus(&["run", "--once"]).await.expect(1);
    let case = identifier_in(&stopped.out);
    (company, case)
}

/// The same rules with a minimum.
fn with_minimum(period: &str) -> String {
    format!(
        "{}minimums:\n  - {{name: kept, category: note.body, starting_point: collection, period: {period}, jurisdiction: DE, citation: a new law}}\n",
        heap::rules("{ records: 5 }")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_law_while_a_run_waited_is_kept() {
    let (company, case) = waiting().await;
    company.write("schedules/notes.yaml", &with_minimum("P20Y"));
    let approve = ["approve", &case, "--by", "Grace Example", "--reason", "checked"];
    company.quietus(&approve).await.expect(0);
    company.quietus(&["run", "--once"]).await;
    assert_eq!(heap::left(&company).await, 50, "what is of 2001 goes, and what is of 2020 stays");
    let certificate = company.certificate_of(&case).await;
    assert_eq!(
        certificate.overall(),
        "complete-with-exceptions",
        "{:#?}",
        certificate.statements()
    );
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), 20);
    let statements = certificate.statements();
    let kept = statements.iter().flat_map(|one| one["kept"].as_array().unwrap());
    let kept: Vec<(&str, &str)> = kept
        .map(|one| (one["records"].as_str().unwrap(), one["because"].as_str().unwrap()))
        .collect();
    assert_eq!(kept, [("40", "kept: a new law (DE)")]);
    assert!(statements.iter().any(|one| one["limitsRuleSetSha256"].is_string()));
    company.check_log().await;
}

/// A minimum that is shortened meanwhile makes a run do no more than was agreed to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_does_no_more_than_was_agreed_to() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 60, "{ chunk_records: 50 }").await;
    company.write("schedules/notes.yaml", &with_minimum("P20Y"));
    let old = "UPDATE notes SET made_at = '2001-01-01T00:00:00Z' WHERE id <= 20";
    company.database("heap").run(old).await;
    let stopped = company.quietus(&["run", "--once"]).await.expect(1);
    let case = identifier_in(&stopped.out);
    company.write("schedules/notes.yaml", &with_minimum("P1Y"));
    let approve = ["approve", &case, "--by", "Grace Example", "--reason", "checked"];
    company.quietus(&approve).await.expect(0);
    // Whoever agreed did so by the machine's clock.
    let clock = crate::company::engine::TurnedClock::at_present();
    clock.advance(jiff::Span::new().hours(1));
    let product = company.replica(&clock).await;
    product.bring_rules_in_force().await.unwrap();
    crate::company::engine::work(&product).await;
    assert_eq!(heap::left(&company).await, 50);
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.sum("deleted", "heap", "notes", Some("note.body")), 20);
    let statements = certificate.statements();
    let kept = statements.iter().flat_map(|one| one["kept"].as_array().unwrap());
    let kept: Vec<&str> = kept.map(|one| one["because"].as_str().unwrap()).collect();
    assert_eq!(kept, ["kept-as-planned: a new law (DE)"]);
}
