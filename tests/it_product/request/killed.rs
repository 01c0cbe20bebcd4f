//! MUST SHOW 4, second half: `kill -9` between a third party's answer and our writing it down leaves
//! one request there, and ends as if nothing had happened.

use std::time::Duration;

use jiff::ToSpan as _;

use super::estate::{self, Estate, GRACE, USUAL, live};
use super::person;
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::ended;

/// The intent is recorded, and nothing is sent.
pub const STARTED: u8 = 2;
/// The third party has answered the connector, and nobody else knows.
pub const DONE: u8 = 3;
/// The connector has answered, and nothing is recorded.
pub const ANSWERED: u8 = 5;
/// The second look has answered, and nothing is recorded.
const LOOKED: u8 = 6;
/// The certificate is written, and its leaf is not in the log.
const CERTIFIED: u8 = 9;

/// A company of which only one third party is left, so that it is the one that has answered.
pub async fn with_only(third_party: &str) -> Estate {
    let settings = "identities: {email: {normalise: email}}\n";
    let mut estate = Estate::new(Kind::Sqlite, USUAL, "[email]", settings).await;
    let others = ["archive", "backend", "billing", "club", "crm", "desk", "mailer"].into_iter();
    let others: Vec<&'static str> = others.filter(|one| *one != third_party).collect();
    estate.without(&others);
    estate
}

pub async fn die_at(estate: &Estate, point: u8) {
    let mut command = estate.company.command(&["run", "--once"]);
    command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
    let killed = ended(command).await;
    assert_eq!(killed.code, -1, "{}\n{}", killed.out, killed.err);
    // Nobody works on what a dead process had until its lease has ended.
    tokio::time::sleep(Duration::from_millis(350)).await;
}

/// What a certificate says, but for identifiers, moments, and evidence of attempts.
fn said(certificate: &Certificate) -> Vec<String> {
    let mut said = certificate.counts();
    for one in certificate.statements() {
        said.push(format!(
            "{}: {} {} {} {}",
            one["system"]["id"],
            one["outcome"],
            one["recipient"]["grade"],
            one["verification"]["type"],
            one["verification"]["result"]
        ));
    }
    said.push(certificate.overall().to_owned());
    said
}

/// Runs a request to its end; the certificate's words and what everybody holds then.
async fn carried_out(estate: &Estate, deaths: &[u8]) -> (Vec<String>, Vec<String>) {
    let company = &estate.company;
    person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    for point in deaths {
        die_at(estate, *point).await;
    }
    let clock = estate::clock();
    let product = company.replica(&clock).await;
    live(&product, &clock, 5.seconds()).await;
    estate.mailer.carry_out();
    live(&product, &clock, 25.hours()).await;
    let case = company.oldest_case().await;
    let certificate = company.certificate_of(&case).await;
    company.check_log().await;
    (said(&certificate), estate.everything().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_is_asked_once_to_erase() {
    let undisturbed = with_only("club").await;
    let expected = carried_out(&undisturbed, &[]).await;
    assert_eq!(undisturbed.vendor.changes(), ["DELETE contact-5fd1c8"]);
    for deaths in [&[ANSWERED][..], &[LOOKED], &[ANSWERED, LOOKED, ANSWERED]] {
        let estate = with_only("club").await;
        let ended = carried_out(&estate, deaths).await;
        assert_eq!(estate.vendor.changes(), ["DELETE contact-5fd1c8"], "killed at {deaths:?}");
        assert_eq!(ended, expected, "killed at {deaths:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opendsr_processor_gets_one_request() {
    let undisturbed = with_only("mailer").await;
    let expected = carried_out(&undisturbed, &[]).await;
    assert_eq!(undisturbed.mailer.posts(), 1);
    for deaths in [&[ANSWERED][..], &[ANSWERED, ANSWERED]] {
        let estate = with_only("mailer").await;
        let ended = carried_out(&estate, deaths).await;
        assert_eq!(estate.mailer.posts(), 1, "killed at {deaths:?}");
        assert_eq!(ended, expected, "killed at {deaths:?}");
    }
}

/// The answer is written with the certificate that it speaks of: no death in between leaves a person
/// without it, and nobody gets it twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_certified_has_the_answer() {
    let company = person::company("").await;
    let request = person::brought(&company, "erasure", "customer_id=2\n").await;
    let mut command = company.command(&["run", "--once"]);
    command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", CERTIFIED.to_string());
    let killed = ended(command).await;
    assert_eq!(killed.code, -1, "{}\n{}", killed.out, killed.err);
    let certified = async || {
        let text = "SELECT class FROM certificates WHERE class = 'rights-request'";
        company.store_rows(text).await.len()
    };
    assert_eq!(certified().await, 1, "it died with the certificate");
    let answers = async || {
        let letters = company.quietus(&["letter", "list", &request]).await.expect(0).out;
        letters.lines().filter(|line| line.contains("outcome")).count()
    };
    assert_eq!(answers().await, 1, "it is there with the certificate");
    tokio::time::sleep(Duration::from_millis(350)).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!((answers().await, certified().await), (1, 1));
    company.check_log().await;
}

/// It is taken for what kills them, like anybody's part. Waiting for a third party costs no attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_partys_part_that_kills_every_time_is_given_up() {
    let estate = with_only("club").await;
    let company = &estate.company;
    person::brought(company, "erasure", &format!("email={GRACE}\n")).await;
    for _ in 0..16 {
        die_at(&estate, STARTED).await;
    }
    let case = company.oldest_case().await;
    let ended = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(ended.out.contains("number 16 was the last that was begun"), "{}", ended.out);
    assert_eq!(company.certificate_of(&case).await.overall(), "failed");
    assert_eq!(estate.vendor.changes(), Vec::<String>::new());
}
