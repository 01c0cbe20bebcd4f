//! MariaDB: the value is in the redo log and in the binary log after the deletion. An old read view holds
//! purge back.

use jiff::ToSpan as _;

use super::postgresql::company_on;
use super::servers::Server;
use super::{files, stages};
use crate::backup::live;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::request::person as people;

const VALUE: &str = "p1500@mail.example";

async fn furnished() -> Server {
    let server = Server::mariadb().await;
    server.raw("mysql").await.run("CREATE DATABASE club").await;
    server
        .raw("club")
        .await
        .run(
            "CREATE TABLE members (id BIGINT PRIMARY KEY, email VARCHAR(100), name VARCHAR(60),
                 opened_at TIMESTAMP NULL, KEY (email)) ENGINE = InnoDB;
             INSERT INTO members SELECT seq, CONCAT('p', seq, '@mail.example'), CONCAT('Name ', seq),
                 '2026-01-01' FROM seq_1_to_2000;
             FLUSH TABLES members FOR EXPORT; UNLOCK TABLES",
        )
        .await;
    server
}

/// Writes so much that the redo log comes round.
async fn write_on(server: &Server, number: u32) {
    let mut raw = server.raw("club").await;
    let text = format!(
        "CREATE TABLE filler_{number} ENGINE = InnoDB AS
             SELECT seq, REPEAT('y', 200) AS words FROM seq_1_to_40000"
    );
    raw.run(&text).await;
    raw.run("FLUSH TABLES members FOR EXPORT; UNLOCK TABLES").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_view_holds_it_back_and_then_the_bytes_are_gone() {
    let server = furnished().await;
    let driven = "residues: {look: PT1H, drive: [rewrite, purge_binlogs]}\n";
    let company = company_on(&server, Kind::MariaDb, driven).await;
    people::brought(&company, "erasure", &format!("email={VALUE}\n")).await;
    for names in [&["members.ibd"], &["binlog."], &["ib_logfile"]] {
        assert!(server.holds(names, VALUE), "{names:?}");
    }
    let mut reader = server.raw("club").await;
    reader.run("START TRANSACTION WITH CONSISTENT SNAPSHOT").await;
    reader.rows("SELECT CAST(COUNT(*) AS CHAR) FROM members").await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let pending: Vec<_> =
        ["undo", "free_space", "redo", "binlog"].map(|name| (name.to_owned(), false)).into();
    assert_eq!(stages(&files(&certificate, "club")), pending);

    // Purge waits for the read view; the binary log does not.
    for (hour, code) in [(1, 0), (2, 1)] {
        clock.set(&format!("2027-01-04T{:02}:00:01Z", 9 + hour));
        live(&product).await;
        let list = company.quietus(&["residue", "list", "club"]).await.expect(code).out;
        assert!(list.contains("still see"), "{list}");
    }
    // The server lets go of a binary log only after a checkpoint of its own, which comes by itself, a
    // moment later; until then each look tries again and says that it is left.
    let mut looks = 0;
    while server.holds(&["binlog."], VALUE) {
        looks += 1;
        assert!(looks <= 5, "the binary log does not go");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        clock.advance(1.hours());
        live(&product).await;
    }
    server.raw("club").await.run("FLUSH TABLES members FOR EXPORT; UNLOCK TABLES").await;
    assert!(server.holds(&["members.ibd"], VALUE), "it is only marked as deleted");

    reader.run("COMMIT").await;
    // Purge comes by itself, a moment later.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    clock.advance(1.hours());
    live(&product).await;
    server.raw("club").await.run("FLUSH TABLES members FOR EXPORT; UNLOCK TABLES").await;
    assert!(!server.holds(&["members.ibd"], VALUE));
    assert!(server.holds(&["ib_logfile"], VALUE));
    assert_eq!(company.certificate_id(&case).await, first, "the redo log still holds it");
    for number in 1..=3 {
        write_on(&server, number).await;
    }
    clock.advance(1.hours());
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#}", files(&last, "club"));
    assert_eq!(last.predicate["supersedes"]["reason"], "residues-gone");
    assert!(!server.holds(&[], VALUE), "the bytes are gone");
    assert!(server.holds(&[], "p1501@mail.example"), "who stays is there");
}
