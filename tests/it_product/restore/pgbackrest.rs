//! A PostgreSQL of our own that pgBackRest restores to the moment before 500 persons were erased and
//! 50 restricted.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use quietus::app::Actor;
use quietus::app::restore::BeginRestore;
use quietus::domain::AskedRight;

use super::house::ask;
use crate::company::database::{Kind, Raw};
use crate::company::engine::carry_out;
use crate::company::{Company, long_tests};
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

const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P90Y, action: erase, basis: {citation: contract}}
";

const ERASED: i64 = 500;
const RESTRICTED: i64 = 50;

/// How many the restored database has. With millions, as `QUIETUS_TEST_MEMBERS` says, one measures
/// how long it takes beside the restore itself.
#[expect(clippy::disallowed_methods, reason = "the environment says how large it is")]
fn members() -> i64 {
    std::env::var("QUIETUS_TEST_MEMBERS").map_or(20_000, |many| many.parse().expect("a number"))
}

/// A server with its copies.
struct Cluster {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    port: u16,
    account: String,
}

#[expect(clippy::disallowed_methods, reason = "the environment says who owns a server")]
fn account() -> String {
    std::env::var("QUIETUS_TEST_BACKUP_ACCOUNT").unwrap_or_else(|_| {
        panic!("`QUIETUS_TEST_BACKUP_ACCOUNT` is not set: run the tests with `tests/run`")
    })
}

fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|one| one.unwrap().path().join("bin")).filter(|bin| bin.is_dir()).collect();
    found.sort();
    found.pop().expect("the programs of PostgreSQL")
}

impl Cluster {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { folder, binaries: binaries(), port, account: account() };
        let path = cluster.path();
        if !cluster.account.is_empty() {
            let owner = cluster.account.clone();
            run("chown", &[&owner, path.to_str().unwrap()]).await;
        }
        let data = path.join("data");
        let data = data.to_str().unwrap();
        cluster
            .postgres(
                "initdb",
                &["--pgdata", data, "--username=postgres", "--auth=trust", "--no-sync"],
            )
            .await;
        for folder in ["repository", "log", "lock", "spool", "socket"] {
            cluster.ask("mkdir", &[path.join(folder).to_str().unwrap()]).await;
        }
        cluster.configure().await;
        cluster.start().await;
        cluster.pgbackrest(&["stanza-create"]).await;
        cluster
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn configure(&self) {
        let path = self.path().display();
        let config = format!(
            "[global]\nrepo1-path={path}/repository\nrepo1-retention-full=2\nlog-path={path}/log\n\
             log-level-console=warn\nlock-path={path}/lock\nspool-path={path}/spool\nstart-fast=y\n\n\
             [shop]\npg1-path={path}/data\npg1-port={port}\npg1-socket-path={path}/socket\n",
            port = self.port
        );
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{path}/socket'\n\
             max_connections = 40\nwal_level = replica\narchive_mode = on\n\
             archive_command = 'pgbackrest --config={path}/pgbackrest.conf --stanza=shop archive-push %p'\n",
            port = self.port
        );
        for (name, text) in [("pgbackrest.conf", config), ("data/postgresql.auto.conf", settings)] {
            let file = self.path().join(name);
            let beside = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(beside.path(), text).unwrap();
            std::fs::set_permissions(beside.path(), std::fs::Permissions::from_mode(0o644))
                .unwrap();
            let (from, to) = (beside.path().to_str().unwrap(), file.to_str().unwrap());
            self.ask("cp", &[from, to]).await;
        }
    }

    async fn ask(&self, program: &str, arguments: &[&str]) {
        if self.account.is_empty() {
            run(program, arguments).await;
        } else {
            let head = ["-u", &self.account, "--", program];
            run("runuser", &[&head[..], arguments].concat()).await;
        }
    }

    async fn postgres(&self, program: &str, arguments: &[&str]) {
        let program = self.binaries.join(program);
        self.ask(program.to_str().unwrap(), arguments).await;
    }

    async fn pgbackrest(&self, arguments: &[&str]) {
        let config = format!("--config={}/pgbackrest.conf", self.path().display());
        let head = [config.as_str(), "--stanza=shop"];
        self.ask("pgbackrest", &[&head[..], arguments].concat()).await;
    }

    async fn start(&self) {
        let (data, log) = (self.path().join("data"), self.path().join("server.log"));
        let (data, log) = (data.to_str().unwrap(), log.to_str().unwrap());
        self.postgres("pg_ctl", &["--pgdata", data, "--log", log, "--wait", "start"]).await;
    }

    async fn stop(&self) {
        let data = self.path().join("data");
        let data = data.to_str().unwrap();
        self.postgres("pg_ctl", &["--pgdata", data, "--mode=fast", "--wait", "stop"]).await;
    }

    /// Restores the state of a moment; how long that took.
    async fn restore(&self, target: &str) -> Duration {
        self.raw().await.run("SELECT pg_switch_wal()").await;
        let begun = Instant::now();
        self.stop().await;
        let target = format!("--target={target}");
        let how = ["--delta", "--type=time", &target, "--target-action=promote", "restore"];
        self.pgbackrest(&how).await;
        self.start().await;
        begun.elapsed()
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    async fn raw(&self) -> Raw {
        Raw::open(Kind::Postgres, &self.url("postgres", "shop")).await
    }

    async fn application_comes_in(&self) -> bool {
        use sqlx::Connection as _;
        sqlx::PgConnection::connect(&self.url("crm_app", "shop")).await.is_ok()
    }
}

async fn run(program: &str, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(program);
    // A server that is started must not hold what the test reads.
    command.args(arguments).current_dir("/").stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null());
    let ended = command.status().await.unwrap_or_else(|error| panic!("`{program}`: {error}"));
    assert!(ended.success(), "{program} {arguments:?}: {ended}");
}

async fn furnish(cluster: &Cluster) {
    let members = members();
    let mut raw = Raw::open(Kind::Postgres, &cluster.url("postgres", "postgres")).await;
    raw.run("CREATE DATABASE shop").await;
    cluster
        .raw()
        .await
        .run(&format!(
            "CREATE TABLE members (id BIGINT PRIMARY KEY, email TEXT, name TEXT,
                 opened_at TIMESTAMPTZ, restricted BOOLEAN, remarks TEXT);
             INSERT INTO members SELECT n, 'p' || n || '@mail.example', 'Name ' || n,
                 '2026-01-01', NULL, repeat(md5(n::text), 8)
                 FROM generate_series(1, {members}) AS n;
             CREATE INDEX members_email ON members (email);
             CREATE ROLE crm_app LOGIN;
             GRANT SELECT, INSERT, UPDATE ON members TO crm_app"
        ))
        .await;
}

/// A company whose members are in the cluster.
async fn company_on(cluster: &Cluster) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", PACK);
    company.add_system("desk", Kind::Postgres, MAP).await;
    company.write_secret("desk-url", &cluster.url("postgres", "shop"));
    let instance = company.read("quietus.yaml");
    let identities = "identities: {email: {normalise: email}}\n";
    company.write("quietus.yaml", &format!("{instance}{identities}"));
    company
}

/// How many are there, and how many of them are restricted.
async fn count(cluster: &Cluster) -> Vec<String> {
    let text = "SELECT count(*)::text, (count(*) FILTER (WHERE restricted))::text FROM members";
    cluster.raw().await.rows(text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "how long it took is to be read")]
async fn pgbackrest_restores_to_before_500_erasures_and_50_restrictions() {
    if !long_tests() {
        return;
    }
    let cluster = Cluster::new().await;
    furnish(&cluster).await;
    cluster.pgbackrest(&["--type=full", "backup"]).await;
    let company = company_on(&cluster).await;
    let clock = clock();
    let product = company.replica(&clock).await;
    // pgBackRest counts in whole seconds, and restores to moments of after a backup only.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let target = cluster.raw().await.rows("SELECT CAST(now() AS text)").await.remove(0);
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

    let restored_in = cluster.restore(&target).await;
    assert_eq!(count(&cluster).await, [format!("{}|0", members())], "everybody is back");
    assert!(cluster.application_comes_in().await);

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
    assert!(!cluster.application_comes_in().await, "it does not come in before");
    let shut_in = begun.elapsed();
    carry_out(&product).await;
    let done_in = begun.elapsed();
    product.certify_finished().await.unwrap();
    let certified_in = begun.elapsed();
    assert!(!cluster.application_comes_in().await, "it does not come in before");
    assert_eq!(count(&cluster).await, settled);
    let opened = product.open_restored("desk", &Actor("Ada Example".to_owned())).await.unwrap();
    assert!(cluster.application_comes_in().await);
    assert_eq!(opened.came_back, all);
    let certificate = company.certificate(&opened.certificate.unwrap().to_string()).await;
    assert_eq!(certificate.predicate["restores"][0]["persons"]["cameBack"], all.to_string());
    let states = company.store_rows("SELECT DISTINCT state FROM cases").await;
    assert_eq!(states, ["closed"], "everybody is certified anew");
    println!(
        "restored by pgBackRest in {:.2} s; in quarantine, with the application outside, after {:.2} s; {all} persons done again and verified after {:.2} s; all certified anew after {:.2} s",
        restored_in.as_secs_f64(),
        shut_in.as_secs_f64(),
        done_in.as_secs_f64(),
        certified_in.as_secs_f64()
    );
    cluster.stop().await;
}
