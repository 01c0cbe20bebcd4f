//! Encryption and login: a letter goes only where the server proves who it is, and where it does
//! not, nothing goes in the open instead.

use jiff::ToSpan as _;
use quietus::domain::AskedRight;

use super::house::{House, NOON, Replica};
use super::maildir::{self, variable};
use super::stubborn::{Mood, Stubborn};

fn port_of(name: &str) -> u16 {
    variable(name).rsplit(':').next().unwrap().parse().unwrap()
}

/// One letter through this server; what the store has of it afterwards.
async fn one_letter(house: &House) -> Vec<String> {
    let replica = Replica::open(house, NOON).await;
    replica.bring(AskedRight::Access, Some(&house.address("grace"))).await;
    replica.product.send_mails().await.unwrap();
    house.mails().await
}

async fn through(port: u16, encryption: &str, trusts: bool) -> (House, Vec<String>) {
    let house = House::open(maildir::port(), "").await;
    std::fs::copy(variable("QUIETUS_TEST_SMTP_AUTHORITY"), house.company.path("authority.pem"))
        .unwrap();
    house.configure(port, if trusts { "  trust: file:authority.pem\n" } else { "" });
    let instance = house.company.read("quietus.yaml");
    let server = format!("host: localhost\n  port: {port}\n  encryption: {encryption}\n");
    let (head, rest) = instance.split_once("host: 127.0.0.1").unwrap();
    let (_, rest) = rest.split_once("encryption: none\n").unwrap();
    house.company.write("quietus.yaml", &format!("{head}{server}{rest}"));
    let mails = one_letter(&house).await;
    (house, mails)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_goes_encrypted_to_a_server_that_proves_who_it_is() {
    for (name, encryption) in
        [("QUIETUS_TEST_SMTP_STARTTLS", "starttls"), ("QUIETUS_TEST_SMTP_IMPLICIT", "implicit")]
    {
        let (house, mails) = through(port_of(name), encryption, true).await;
        assert_eq!(mails, ["letter person sent 1"], "{encryption}");
        assert_eq!(house.received("grace").len(), 1, "{encryption}");
        // Somebody else's certificate is none.
        let (house, mails) = through(port_of(name), encryption, false).await;
        assert_eq!(mails, ["letter person due 1"], "{encryption}");
        assert_eq!(house.received("grace").len(), 0, "{encryption}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_in_the_open_where_encryption_is_asked_for() {
    for encryption in ["starttls", "implicit"] {
        let (house, mails) = through(maildir::port(), encryption, true).await;
        assert_eq!(mails, ["letter person due 1"], "{encryption}");
        assert_eq!(house.received("grace").len(), 0, "{encryption}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_is_no_matter_of_the_letter() {
    let server = Stubborn::start(Mood::RefusesLogin).await;
    let login = "  user: file:secrets/smtp-user\n  password: file:secrets/smtp-password\n";
    let house = House::open(server.port, login).await;
    let replica = Replica::open(&house, NOON).await;
    let request = replica.bring(AskedRight::Access, Some(&house.address("grace"))).await;
    // The secrets are read when they are needed, and it is said which one is missing.
    let missing = replica.product.send_mails().await.unwrap_err().to_string();
    assert!(missing.contains("secrets/smtp-user"), "{missing}");
    assert_eq!(house.mails().await, ["letter person due 0"]);
    house.company.write_secret("smtp-user", "privacy@company.example");
    house.company.write_secret("smtp-password", "correct horse battery staple");
    replica.product.send_mails().await.unwrap();
    assert_eq!(house.mails().await, ["letter person due 1"]);
    let listed = house.letters(&request).await;
    assert!(listed.contains("did not accept user and password (535)"), "{listed}");
    assert!(!listed.contains("horse"), "{listed}");
    server.becomes(Mood::Accepts);
    replica.clock.advance(1.hour());
    replica.product.send_mails().await.unwrap();
    assert_eq!(house.mails().await, ["letter person sent 2"]);
    assert_eq!(
        server.logins(),
        ["AHByaXZhY3lAY29tcGFueS5leGFtcGxlAGNvcnJlY3QgaG9yc2UgYmF0dGVyeSBzdGFwbGU="; 2]
    );
}
