//! PostgreSQL: the value is in the table's file and in the log after the deletion. An old snapshot, and
//! then a replication slot, hold it back.

use jiff::ToSpan as _;

use super::servers::Server;
use super::{add_to_map, files, looks, stages};
use crate::backup::live;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::{Company, ONE_RULE};
use crate::request::person as people;

const MAP: &str = "collections:
  members:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      name: contact
      opened_at: {type: timestamp}
    starting_points: {collection: opened_at}
";

/// In the middle of a page, and the last of the table.
pub const MIDDLE: &str = "p1000@mail.example";
pub const LAST: &str = "p2000@mail.example";

/// A company with one system on this server, with members `p1` to `p2000`.
pub async fn company_on(server: &Server, kind: Kind, residues: &str) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    company.add_system("club", kind, MAP).await;
    company.write_secret("club-url", &server.url("club"));
    add_to_map(&company, "club", residues);
    let instance = company.read("quietus.yaml");
    let identities = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{identities}"));
    company
}

/// A server with two thousand members, which a checkpoint has written to its files.
pub async fn furnished() -> Server {
    let server = Server::postgresql().await;
    server.raw("postgres").await.run("CREATE DATABASE club").await;
    server
        .raw("club")
        .await
        .run(
            "CREATE TABLE members (id BIGINT PRIMARY KEY, email TEXT, name TEXT, opened_at TIMESTAMPTZ);
             CREATE INDEX members_email ON members (email);
             INSERT INTO members SELECT n, 'p' || n || '@mail.example', 'Name ' || n, '2026-01-01'
                 FROM generate_series(1, 2000) AS n;
             CHECKPOINT",
        )
        .await;
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_and_a_slot_hold_it_back_and_then_the_bytes_are_gone() {
    let server = furnished().await;
    let driven = "residues: {look: PT1H, drive: [vacuum, rewrite, switch_wal]}\n";
    let company = company_on(&server, Kind::Postgres, driven).await;
    for value in [MIDDLE, LAST] {
        people::brought(&company, "erasure", &format!("email={value}\n")).await;
    }
    let mut reader = server.raw("club").await;
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
    reader.rows("SELECT CAST(count(*) AS text) FROM members").await;
    let slot = "SELECT CAST(pg_create_physical_replication_slot('standby', true) AS text)";
    let mut other = server.raw("postgres").await;
    other.rows(slot).await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let gone = "SELECT CAST(count(*) AS text) FROM members WHERE id IN (1000, 2000)";
    assert_eq!(server.raw("club").await.rows(gone).await, ["0"]);
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let certificate = company.certificate_of(&case).await;
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    let pending: Vec<_> =
        ["dead_rows", "free_space", "wal"].map(|name| (name.to_owned(), false)).into();
    assert_eq!(stages(&files(&certificate, "club")), pending);

    // A vacuum behind an old snapshot removes nothing.
    for (hour, code) in [(1, 0), (2, 1)] {
        clock.set(&format!("2027-01-04T{:02}:00:01Z", 9 + hour));
        live(&product).await;
        let list = company.quietus(&["residue", "list", "club"]).await.expect(code).out;
        assert!(list.contains("still see"), "{list}");
    }
    server.raw("club").await.run("CHECKPOINT").await;
    for value in [MIDDLE, LAST] {
        assert!(server.holds(&["/base/"], value) && server.holds(&["/pg_wal/"], value));
    }

    // Without it the table is rid of it, also of what lay last on its page; the log is not.
    reader.run("COMMIT").await;
    clock.advance(1.hours());
    live(&product).await;
    server.raw("club").await.run("CHECKPOINT").await;
    for value in [MIDDLE, LAST] {
        assert!(!server.holds(&["/base/"], value), "{value}");
        assert!(server.holds(&["/pg_wal/"], value), "{value}");
    }
    clock.advance(1.hours());
    live(&product).await;
    let listed = company.quietus(&["residue", "list"]).await.expect(1).out;
    assert!(listed.contains("standby"), "{listed}");
    assert_eq!(company.certificate_id(&case).await, first);
    assert_eq!(looks(&company).await, ["available held", "available held"]);

    // The slot goes, and so do the segments.
    other.rows("SELECT CAST(pg_drop_replication_slot('standby') AS text)").await;
    clock.advance(1.hours());
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#}", files(&last, "club"));
    assert_eq!(last.predicate["supersedes"]["reason"], "residues-gone");
    for value in [MIDDLE, LAST] {
        assert!(!server.holds(&[], value), "{value}");
    }
    assert!(server.holds(&[], "p1999@mail.example"), "who stays is there");
    company.check_log().await;
}

/// A vacuum alone leaves the last of a page where it was: nobody calls that gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_space_is_not_gone_before_the_table_is_built_anew() {
    let server = furnished().await;
    let driven = "residues: {look: PT1H, stages: [dead_rows, free_space], drive: [vacuum]}\n";
    let company = company_on(&server, Kind::Postgres, driven).await;
    people::brought(&company, "erasure", &format!("email={LAST}\n")).await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    clock.advance(1.hours());
    live(&product).await;
    server.raw("club").await.run("CHECKPOINT").await;
    assert!(server.holds(&["/base/"], LAST), "the page keeps what lay last on it");
    let left = product.residues_left(Some("club")).await.unwrap();
    let gone: Vec<bool> = left[0].seen.stages.iter().map(|one| one.gone_at.is_some()).collect();
    assert_eq!(gone, [true, false]);
    // Whoever builds it anew need not be quietus.
    let mut raw = server.raw("club").await;
    raw.run("VACUUM FULL members").await;
    raw.run("VACUUM FULL quietus_progress").await;
    raw.run("VACUUM FULL pg_statistic").await;
    raw.run("CHECKPOINT").await;
    assert!(!server.holds(&["/base/"], LAST));
    clock.advance(1.hours());
    live(&product).await;
    let case = company.oldest_case().await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
}

/// What nobody may do is named with the right that is missing, and what nobody can see is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rights_are_named() {
    let server = furnished().await;
    let mut raw = server.raw("club").await;
    raw.run(
        "CREATE ROLE eraser LOGIN; GRANT SELECT, UPDATE, DELETE ON members TO eraser;
         GRANT CREATE, USAGE ON SCHEMA public TO eraser; GRANT TEMPORARY ON DATABASE club TO eraser",
    )
    .await;
    let driven = "residues: {look: PT1H, stages: [dead_rows, wal], drive: [vacuum, switch_wal]}\n";
    let company = company_on(&server, Kind::Postgres, driven).await;
    let url = server.url("club").replace("postgres@", "eraser@");
    company.write_secret("club-url", &url);
    people::brought(&company, "erasure", &format!("email={MIDDLE}\n")).await;
    let clock = TurnedClock::at("2027-01-04T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let said = async |code: i32, words: &str| {
        clock.advance(1.hours());
        live(&product).await;
        let list = company.quietus(&["residue", "list"]).await.expect(code).out;
        let plain = list.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plain.contains(words), "{words}: {list}");
    };
    said(1, "grant pg_monitor").await;
    raw.run("GRANT pg_monitor TO eraser").await;
    said(0, "grant it the role that owns the table").await;
    raw.run("ALTER TABLE members OWNER TO eraser").await;
    said(0, "grant it EXECUTE on pg_switch_wal()").await;
    raw.run("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO eraser; GRANT pg_checkpoint TO eraser")
        .await;
    clock.advance(1.hours());
    live(&product).await;
    let case = company.oldest_case().await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#}", files(&last, "club"));
    assert!(!server.holds(&["/pg_wal/"], MIDDLE));
}
