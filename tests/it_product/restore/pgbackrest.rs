//! A PostgreSQL of our own that pgBackRest restores to the moment before 500 persons were erased and
//! 50 restricted.

use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use quietus::app::Actor;
use quietus::app::restore::BeginRestore;
use quietus::domain::AskedRight;

use super::house::ask;
use crate::company::cluster::{Cluster, Keeper};
use crate::company::database::Kind;
use crate::company::engine::carry_out;
use crate::company::{Company, ONE_RULE, long_tests};
use crate::request::estate::{clock, live};

const MAP: &str = "restore: {keep_out: [crm_app]}
collections:
  members:
    key: id
    fields:
      id: {type: integer}
      email: {type: text, category: contact, identity: email}
      name: contact
      remarks: contact
      opened_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: opened_at}
    restrict: {flag: restricted}
";

const ERASED: i64 = 500;
const RESTRICTED: i64 = 50;

#[expect(clippy::disallowed_methods, reason = "the environment says how large it is")]
fn told(name: &str, otherwise: i64) -> i64 {
    std::env::var(name).map_or(otherwise, |many| many.parse().expect("a number"))
}

/// How many the restored database has. With millions, as `QUIETUS_TEST_MEMBERS` says, one measures
/// how long it takes beside the restore itself.
fn members() -> i64 {
    told("QUIETUS_TEST_MEMBERS", 20_000)
}

/// Megabytes of papers in a database beside it, which a restore brings back as well; none, or as
/// `QUIETUS_TEST_PAPERS` says.
fn papers() -> i64 {
    told("QUIETUS_TEST_PAPERS", 0)
}

/// Half of it shrinks when it is packed.
async fn put_papers_beside(cluster: &Cluster) {
    cluster.raw("postgres").await.run("CREATE DATABASE archive").await;
    let mut archive = cluster.raw("archive").await;
    archive.run("CREATE EXTENSION pgcrypto; CREATE TABLE papers (content BYTEA)").await;
    for _ in 0..papers() {
        let some =
            "INSERT INTO papers SELECT gen_random_bytes(512) || decode(repeat('00', 512), 'hex')
                FROM generate_series(1, 1024)";
        archive.run(some).await;
    }
}

/// Restores the state of a moment, as after the loss of a disk; how long that took.
async fn restore(cluster: &Cluster, target: &str) -> Duration {
    cluster.raw("shop").await.run("SELECT pg_switch_wal()").await;
    cluster.lose().await;
    let begun = Instant::now();
    let target = format!("--target={target}");
    cluster.keep(&["--type=time", &target, "--target-action=promote", "restore"]).await;
    cluster.start().await;
    begun.elapsed()
}

async fn application_comes_in(cluster: &Cluster) -> bool {
    use sqlx::Connection as _;
    sqlx::PgConnection::connect(&cluster.url("crm_app", "shop")).await.is_ok()
}

async fn furnish(cluster: &Cluster) {
    let members = members();
    cluster.raw("postgres").await.run("CREATE DATABASE shop").await;
    cluster
        .raw("shop")
        .await
        .run(&format!(
            "CREATE TABLE members (id BIGINT PRIMARY KEY, email TEXT, name TEXT,
                 opened_at TIMESTAMPTZ, restricted BOOLEAN, remarks TEXT);
             INSERT INTO members SELECT n, 'p' || n || '@mail.example', 'Name ' || n,
                 '2026-01-01', NULL, repeat(md5(n::text), 8)
                 FROM generate_series(1, {members}) AS n;
             CREATE INDEX members_email ON members (email);
             CREATE INDEX members_opened_at ON members (opened_at);
             ANALYZE members;
             CREATE ROLE crm_app LOGIN;
             GRANT SELECT, INSERT, UPDATE ON members TO crm_app"
        ))
        .await;
}

/// A company whose members are in the cluster.
async fn company_on(cluster: &Cluster) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", ONE_RULE);
    company.connect_system("desk", (Kind::Postgres, cluster.url("postgres", "shop")), MAP);
    let instance = company.read("quietus.yaml");
    let identities = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{identities}"));
    company
}

/// How many are there, and how many of them are restricted.
async fn count(cluster: &Cluster) -> Vec<String> {
    let text = "SELECT count(*)::text, (count(*) FILTER (WHERE restricted))::text FROM members";
    cluster.raw("shop").await.rows(text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "how long it took is to be read")]
async fn pgbackrest_restores_to_before_500_erasures_and_50_restrictions() {
    if !long_tests() {
        return;
    }
    let cluster = Cluster::new(Keeper::PgBackRest("")).await;
    cluster.start().await;
    cluster.keep(&["stanza-create"]).await;
    furnish(&cluster).await;
    put_papers_beside(&cluster).await;
    cluster.keep(&["--type=full", "backup"]).await;
    let company = company_on(&cluster).await;
    let clock = clock();
    let product = company.replica(&clock).await;
    // pgBackRest counts in whole seconds, and restores to moments of after a backup only.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let target = cluster.raw("shop").await.rows("SELECT CAST(now() AS text)").await.remove(0);
    let taken_at = product.now();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for number in 1..=ERASED + RESTRICTED {
        let right = if number <= ERASED { AskedRight::Erasure } else { AskedRight::Restriction };
        ask(&product, right, number).await;
    }
    live(&product, &clock, 1.seconds()).await;
    live(&product, &clock, 1.seconds()).await;
    let settled = [format!("{}|{RESTRICTED}", members() - ERASED)];
    assert_eq!(count(&cluster).await, settled);

    let restored_in = restore(&cluster, &target).await;
    assert_eq!(count(&cluster).await, [format!("{}|0", members())], "everybody is back");
    assert!(application_comes_in(&cluster).await);

    let begun = Instant::now();
    let quarantine = product
        .begin_restore(BeginRestore {
            system: "desk".to_owned(),
            taken_at,
            copy: None,
            announced: true,
            back_since: None,
            reason: "OPS-7".to_owned(),
            actor: Actor("Ada Example".to_owned()),
        })
        .await
        .unwrap();
    assert_eq!(quarantine.not_kept_out, Vec::<String>::new());
    let all = u64::try_from(ERASED + RESTRICTED).unwrap();
    assert_eq!((quarantine.replays, quarantine.forgotten), (all, 0));
    assert!(!application_comes_in(&cluster).await, "it does not come in before");
    let shut_in = begun.elapsed();
    carry_out(&product).await;
    let done_in = begun.elapsed();
    assert!(!application_comes_in(&cluster).await, "it does not come in before");
    assert_eq!(count(&cluster).await, settled);
    let opening = Instant::now();
    let opened = product.open_restored("desk", &Actor("Ada Example".to_owned())).await.unwrap();
    let opened_in = done_in + opening.elapsed();
    assert!(application_comes_in(&cluster).await);
    product.certify_finished().await.unwrap();
    let certified_in = done_in + opening.elapsed();
    assert_eq!(opened.came_back, all);
    let certificate = company.certificate(&opened.certificate.unwrap().to_string()).await;
    assert_eq!(certificate.predicate["restores"][0]["persons"]["cameBack"], all.to_string());
    let states = company.store_rows("SELECT DISTINCT state FROM cases").await;
    assert_eq!(states, ["closed"], "everybody is certified anew");
    println!(
        "restored by pgBackRest in {:.2} s; in quarantine, with the application outside, after {:.2} s; {all} persons done again and verified after {:.2} s; opened, with a certificate of its own, after {:.2} s; all persons certified anew after {:.2} s",
        restored_in.as_secs_f64(),
        shut_in.as_secs_f64(),
        done_in.as_secs_f64(),
        opened_in.as_secs_f64(),
        certified_in.as_secs_f64()
    );
    cluster.stop().await;
}
