//! MUST SHOW 1 and 2: one request over three databases, a vendor, a processor that speaks OpenDSR, a
//! connector of the controller's own and a paper archive. The case is complete only when all of them
//! are, and nothing of the person is found by a search of its own but for what a law keeps.

use jiff::ToSpan as _;
use serde_json::Value;

use super::estate::{self, Estate, GRACE, NUMBER, OF_GRACE, USUAL, census, live};
use super::person;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::{Ended, ended, identifier_in};
use crate::privacy::forms;
use crate::privacy::haystack::Haystack;

/// A command at the most talkative level, remembered with all that it said.
async fn tell(estate: &Estate, heard: &mut Haystack, arguments: &[&str]) -> Ended {
    let talkative = [&["--log", "trace"][..], arguments].concat();
    let ended = ended(estate.company.command(&talkative)).await;
    heard.heard(&format!("`{}`", arguments[..2].join(" ")), &ended);
    ended
}

async fn page(estate: &Estate, heard: &mut Haystack, request: &str) -> String {
    tell(estate, heard, &["request", "show", request]).await.expect(0).out
}

fn shows(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "`{part}` in\n{page}");
    }
}

fn statement_of<'c>(certificate: &'c Certificate, system: &str) -> Vec<&'c Value> {
    let of = certificate.statements().iter().filter(|one| one["system"]["id"] == system);
    let found: Vec<_> = of.collect();
    assert!(!found.is_empty(), "`{system}` is on the certificate");
    found
}

/// Insists that of Grace nothing is left but the invoice that the law keeps, restricted.
fn only_the_invoice(rows: &[String]) {
    let invoice = format!("crm.orders: 11|{NUMBER}|~|Grace Hopple|2025-05-01 ");
    let fits = |row: &String| row.starts_with(&invoice) && row.ends_with("|true");
    assert!(rows.len() == 1 && rows.iter().all(fits), "{rows:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_complete_when_everybody_is_and_not_before() {
    let estate = Estate::new(Kind::Sqlite, USUAL, "[email]", "").await;
    let company = &estate.company;
    let others = without_grace(&estate.everything().await);
    let mut heard = Haystack(Vec::new());
    let capitals = format!("email={}\n", GRACE.to_uppercase());
    let request = person::brought(company, "erasure", &capitals).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;

    // The databases, the vendor and the own connector are done; the mailing service has taken it in.
    live(&product, &clock, 1.minutes()).await;
    only_the_invoice(&census::rows_with(company, OF_GRACE).await);
    let everywhere = estate.of_grace().await;
    only_the_invoice(&everywhere[..1]);
    assert_eq!(everywhere[1..], [format!("mailer: {GRACE}")]);
    assert_eq!(company.count_of("certificates").await, 0);
    let shown = page(&estate, &mut heard, &request).await;
    shows(
        &shown,
        &[
            "crm: done, and looked at once more",
            "billing: done, and looked at once more",
            "desk: done, and looked at once more",
            "club (third party): done, and looked at once more",
            "backend (third party): done, by their own word",
            "mailer (third party): has been asked",
            "archive (third party): has been asked",
            "is being carried out",
            "crm.orders: invoice of 1 record: minimum `ao-147` (AO 147)",
        ],
    );

    // The mailing service is done; the task is open.
    estate.mailer.carry_out();
    live(&product, &clock, 25.hours()).await;
    only_the_invoice(&estate.of_grace().await);
    assert_eq!(company.count_of("certificates").await, 0);
    let shown = page(&estate, &mut heard, &request).await;
    shows(&shown, &["mailer (third party): done, by their own word", "task of Ben Example, open"]);

    // One person has done it, and nobody has confirmed it.
    company.write("shredded.txt", "shelf 3 is empty");
    let list = tell(&estate, &mut heard, &["task", "list"]).await.expect(0);
    let task = identifier_in(&list.out);
    let file = company.path("shredded.txt").display().to_string();
    let done = ["task", "done", &task, "--result", "done", "--evidence", &file, "--by"];
    tell(&estate, &mut heard, &[&done[..], &["Ben Example"]].concat()).await.expect(0);
    live(&product, &clock, 1.minutes()).await;
    assert_eq!(company.count_of("certificates").await, 0);
    let confirm = ["task", "confirm", &task, "--by"];
    tell(&estate, &mut heard, &[&confirm[..], &["Ben Example"]].concat()).await.expect(2);
    tell(&estate, &mut heard, &[&confirm[..], &["Ada Example"]].concat()).await.expect(0);
    live(&product, &clock, 1.minutes()).await;

    let case = company.oldest_case().await;
    let certificate = company.certificate_of(&case).await;
    graded(&certificate);
    kept_by_law(&certificate);
    let shown = page(&estate, &mut heard, &request).await;
    shows(&shown, &["is closed, partially_retained", "what is kept goes on 2034-01-01"]);
    letters(&estate, &request).await;
    assert_eq!(without_grace(&estate.everything().await), others, "nobody else was touched");
    nobody_is_named(&estate, heard).await;
}

/// Rows of everybody else.
fn without_grace(rows: &[String]) -> Vec<String> {
    let hers =
        |row: &&String| row.contains(NUMBER) || OF_GRACE.iter().any(|word| row.contains(word));
    rows.iter().filter(|row| !hers(row)).cloned().collect()
}

/// The certificate lists everybody with the strength of their word, and does not claim more.
fn graded(certificate: &Certificate) {
    assert_eq!(certificate.overall(), "partial", "words that nobody looked behind stay words");
    for (system, grade, outcome, look) in [
        ("club", "verified", "completed", "post-query"),
        ("mailer", "signed", "attested-by-processor", "attestation"),
        ("backend", "reported", "attested-by-processor", "attestation"),
        ("archive", "told", "attested-by-processor", "attestation"),
    ] {
        let stated = statement_of(certificate, system);
        assert_eq!(stated.len(), 1, "{system}");
        let one = stated[0];
        assert_eq!(one["recipient"]["name"], format!("Example {system} Ltd"));
        assert_eq!(one["recipient"]["grade"], grade, "{system}: {one:#}");
        assert_eq!(one["outcome"], outcome, "{system}: {one:#}");
        assert_eq!(one["verification"]["type"], look, "{system}: {one:#}");
    }
    let signed = &statement_of(certificate, "mailer")[0]["recipient"];
    assert!(signed["signature"].is_string() && signed["receiptSha256"].is_string(), "{signed:#}");
    assert!(signed["certificates"].as_str().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")));
    for system in ["crm", "billing", "desk"] {
        for one in statement_of(certificate, system) {
            let fine = ["completed", "retained", "not-found"];
            assert!(fine.contains(&one["outcome"].as_str().unwrap()), "{one:#}");
            assert_eq!(one["verification"]["type"], "post-query", "{one:#}");
        }
    }
}

/// What stays is restricted, and the day is named on which it may go.
fn kept_by_law(certificate: &Certificate) {
    let stated = statement_of(certificate, "crm");
    let kept: Vec<&Value> = stated
        .iter()
        .flat_map(|one| one["kept"].as_array().unwrap())
        .filter(|one| one["reason"] == "statutory-minimum")
        .collect();
    assert_eq!(kept.len(), 1, "{kept:#?}");
    assert_eq!(kept[0]["records"], "1");
    assert!(kept[0]["because"].as_str().unwrap().contains("AO 147"));
    assert_eq!(kept[0]["restricted"], true, "{:#}", kept[0]);
    assert_eq!(kept[0]["until"], "2034-01-01", "{:#}", kept[0]);
}

async fn letters(estate: &Estate, request: &str) {
    let list = estate.company.quietus(&["letter", "list", request]).await.expect(0).out;
    for kind in ["acknowledgement", "outcome"] {
        assert_eq!(list.lines().filter(|line| line.contains(kind)).count(), 1, "{list}");
    }
    for recipient in ["club", "mailer", "backend", "archive"] {
        let notice = list.lines().find(|line| line.contains(recipient)).expect(recipient);
        let how = if recipient == "archive" { "hand" } else { "interface" };
        assert!(notice.contains("recipient") && notice.contains(how), "{notice}");
    }
    let answer = identifier_in(list.lines().find(|line| line.contains("outcome")).unwrap());
    let text = estate.company.quietus(&["letter", "show", &answer]).await.expect(0).out;
    shows(&text, &["invoice", "AO 147", "2034-01-01", "Example mailer Ltd", "Example archive Ltd"]);
}

/// Neither the store nor logs, pages and the exported certificate hold anything of the person.
async fn nobody_is_named(estate: &Estate, mut heard: Haystack) {
    let company = &estate.company;
    let mut needles = Vec::new();
    let mut words = OF_GRACE.to_vec();
    words.extend([NUMBER, estate::vendor::KEY, estate::backend::SECRET]);
    for word in words {
        needles.extend(forms::of(word, estate.database("crm")).await);
    }
    assert!(heard.0.iter().any(|(_, bytes)| bytes.len() > 10_000), "the logs are talkative");
    heard.files(company);
    heard.store(company).await;
    let found = heard.search(&needles);
    assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_law_keeps_goes_by_itself_when_its_date_comes() {
    let mut estate = Estate::new(Kind::Postgres, USUAL, "[email]", "").await;
    estate.without(&["mailer", "backend", "archive"]);
    let company = &estate.company;
    let others = without_grace(&estate.everything().await);
    let request = person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 1.minutes()).await;
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(first.overall(), "complete-with-exceptions", "{:#?}", first.statements());
    kept_by_law(&first);
    only_the_invoice(&estate.of_grace().await);
    let changes = estate.vendor.changes();

    clock.set("2033-12-31T22:59:00Z");
    live(&product, &clock, 1.seconds()).await;
    only_the_invoice(&estate.of_grace().await);
    clock.set("2033-12-31T23:00:01Z");
    live(&product, &clock, 1.seconds()).await;
    assert_eq!(estate.of_grace().await, Vec::<String>::new());
    let left = estate.everything().await;
    assert!(!left.iter().any(|row| row.contains(NUMBER)), "nor her number: {left:#?}");
    assert_eq!(without_grace(&left), others, "nobody else was touched");
    assert_eq!(estate.vendor.changes(), changes, "nobody else was asked again");

    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", last.statements());
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.predicate["certificateId"]);
    assert_eq!(last.predicate["supersedes"]["reason"], "final");
    assert_eq!(statement_of(&last, "club")[0]["recipient"]["grade"], "verified");
    let shown = company.quietus(&["request", "show", &request]).await.expect(0).out;
    shows(&shown, &["is closed, fulfilled", "answered in time"]);
    company.check_log().await;
}
