//! A certificate speaks of the order as it was carried out: of the holds and pauses of that moment,
//! of what was counted after the second look, and only of what that look looked at.

use serde_json::Value;

use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::{Company, heap};

const OLD: i64 = 100;
const PACE: &str = "{ chunk_records: 50 }";

/// A case that was planned and waits, because its system is paused; what follows happens before it
/// is carried out.
async fn planned(company: &Company) -> String {
    company.quietus(&["pause", "system", "heap", "--reason", "to look first"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(1);
    company.latest_case().await
}

async fn carried_out(company: &Company, case: &str, code: i32) -> Certificate {
    company.quietus(&["resume", "system", "heap"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(code);
    company.certificate_of(case).await
}

async fn heap_of_hundred() -> Company {
    heap::company(Kind::Sqlite, Kind::Sqlite, OLD.unsigned_abs(), PACE).await
}

/// The statement of a category, or of whole records.
fn said<'a>(certificate: &'a Certificate, category: Option<&str>) -> &'a Value {
    let all = certificate.statements();
    let found = all.iter().find(|one| one["category"].as_str() == category);
    found.unwrap_or_else(|| panic!("{all:#?}"))
}

fn kept_by(statement: &Value, reason: &str) -> u64 {
    let kept = statement["kept"].as_array().unwrap().iter();
    kept.filter(|one| one["reason"] == reason)
        .map(|one| one["records"].as_str().unwrap().parse::<u64>().unwrap())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_paused_after_planning_is_not_complete() {
    let company = heap_of_hundred().await;
    let case = planned(&company).await;
    let pause = ["pause", "rule", "notes-after-a-month", "--reason", "to look first"];
    company.quietus(&pause).await.expect(0);
    let certificate = carried_out(&company, &case, 1).await;
    assert_eq!(heap::left(&company).await, OLD + 10);
    assert_eq!(certificate.overall(), "partial");
    let body = said(&certificate, Some("note.body"));
    assert_eq!(body["outcome"], "skipped");
    assert_eq!(body["records"]["left"], "100", "what had been counted is still there");
    assert_eq!(body["verification"]["type"], "none", "nobody looked for it");
    assert_eq!(body["method"]["nist80088"], "n/a");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_category_held_after_planning_is_kept_and_named() {
    let company = heap_of_hundred().await;
    let case = planned(&company).await;
    let hold = ["hold", "place", "LIT-1", "--category", "note.body", "--reason", "a lawsuit"];
    company.quietus(&hold).await.expect(0);
    let certificate = carried_out(&company, &case, 0).await;
    assert_eq!(heap::left(&company).await, OLD + 10);
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let body = said(&certificate, Some("note.body"));
    assert_eq!(body["outcome"], "retained");
    assert_eq!(kept_by(body, "legal-hold"), 100);
    assert_eq!(body["kept"][0]["because"], "matter LIT-1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_released_before_it_was_carried_out_keeps_nothing() {
    let company = heap_of_hundred().await;
    for hold in [
        ["hold", "place", "LIT-1", "--category", "note.body", "--reason", "a lawsuit"],
        ["hold", "place", "M-77", "--subject", "email=nobody@mail.example", "--reason", "another"],
    ] {
        company.quietus(&hold).await.expect(0);
    }
    let case = planned(&company).await;
    company.quietus(&["hold", "release", "LIT-1"]).await.expect(0);
    let certificate = carried_out(&company, &case, 0).await;
    assert_eq!(heap::left(&company).await, 10);
    assert_eq!(certificate.overall(), "complete", "{:?}", certificate.counts());
    for one in certificate.statements() {
        assert_eq!(one["records"]["matched"], "100");
        assert_eq!(one["kept"].as_array().unwrap().len(), 0, "{one}");
    }
}

/// Whole records of one person are held: the category's own statement says so as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_records_that_are_held_are_kept_in_each_category() {
    let company = heap_of_hundred().await;
    let subject = "email=person7@mail.example";
    let hold = ["hold", "place", "LIT-2", "--subject", subject, "--reason", "a lawsuit"];
    company.quietus(&hold).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    let certificate = company.certificate("latest").await;
    for category in [Some("note.body"), None] {
        let one = said(&certificate, category);
        assert_eq!(kept_by(one, "legal-hold"), 2, "{one}");
        assert_eq!(one["records"]["matched"], "100");
        assert_eq!(one["kept"][0]["because"], "matter LIT-2");
    }
}

const MINIMUM: &str = "minimums:\n\
    \x20 - name: notes-for-decades\n\
    \x20   category: note.body\n\
    \x20   starting_point: collection\n\
    \x20   period: P50Y\n\
    \x20   jurisdiction: DE\n\
    \x20   citation: Example Act 1\n";

/// The system was down when the case was planned, so nothing was counted; what a law keeps is
/// counted all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_law_keeps_is_counted_when_it_is_carried_out() {
    let company = heap_of_hundred().await;
    company.write("schedules/notes.yaml", &(heap::rules(heap::WIDE) + MINIMUM));
    let (there, away) = (company.path("data/heap.db"), company.path("data/away.db"));
    std::fs::rename(&there, &away).unwrap();
    let case = planned(&company).await;
    std::fs::rename(&away, &there).unwrap();
    let certificate = carried_out(&company, &case, 0).await;
    assert_eq!(heap::left(&company).await, OLD + 10);
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let body = said(&certificate, Some("note.body"));
    assert_eq!(kept_by(body, "statutory-minimum"), 100);
    assert_eq!(body["outcome"], "retained");
    assert_eq!(body["kept"][0]["restricted"], false, "nothing restricts notes");
}

/// Rules that have their turn in another run are not spoken for, and not verified.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_asked_is_not_verified() {
    let mut company = heap_of_hundred().await;
    let other = "collections:\n  letters:\n    key: id\n    fields:\n\
        \x20     id: { type: integer }\n\
        \x20     person: { type: text, identity: email, exempt: they go as a whole }\n\
        \x20     text: { type: text, category: letter.text }\n\
        \x20     made_at: { type: timestamp }\n\
        \x20   starting_points: { collection: made_at }\n";
    let letters = company.add_system("letters", Kind::Sqlite, other).await;
    letters
        .run("CREATE TABLE letters (id BIGINT NOT NULL PRIMARY KEY, person TEXT, text TEXT, made_at TEXT NOT NULL)")
        .await;
    letters
        .run("INSERT INTO letters VALUES (1, 'p@mail.example', 'x', '2020-01-01T00:00:00Z')")
        .await;
    let rules = heap::rules(heap::WIDE)
        .replace("pack: notes", "pack: letters")
        .replace("nightly", "weekly")
        .replace("notes-after", "letters-after")
        .replace("note.body", "letter.text");
    company.write("schedules/letters.yaml", &rules);
    company.quietus(&["run", "--once", "--schedule", "nightly"]).await.expect(0);
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "complete");
    assert!(certificate.statements().iter().all(|one| one["system"]["id"] == "heap"));
    assert_eq!(certificate.predicate["scope"]["systemsInScope"], 1);
    let left_out = certificate.predicate["scope"]["notCovered"].as_array().unwrap();
    let named = left_out.iter().find(|one| one["system"] == "letters").expect("it is named");
    assert_eq!(named["reason"], "no rule had its turn in it");
    assert_eq!(certificate.predicate["asOf"], said(&certificate, None)["verification"]["at"]);
    assert!(certificate.predicate["asOf"].as_str() < certificate.predicate["issuedAt"].as_str());
}

/// Whoever runs a processor's system is not us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_is_not_run_by_ourselves() {
    let company = heap_of_hundred().await;
    let file = company.read("systems/heap.yaml").replace("role: database", "role: processor");
    company.write("systems/heap.yaml", &file);
    company.quietus(&["run", "--once"]).await.expect(0);
    let certificate = company.certificate("latest").await;
    for one in certificate.statements() {
        assert_eq!(one["system"]["operator"], "heap");
        assert_eq!(one["method"]["nist80088"], "clear");
    }
}
