//! A process that dies in the middle of an order: the next attempt ends with the counts of one
//! that was never disturbed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod sql_ground;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use quietus_connectors::{
    Direction, FieldTreatment, FieldType, Order, Progress, ProgressReport, Settings, Strategy,
    Treatment, TreatmentKind,
};
use secrecy::SecretString;
use sql_ground::{System, Watcher, collection, day, done, order};

const RECORDS: u64 = 300_000;
const VICTIM: &str = "QUIETUS_TEST_VICTIM";

async fn fill(system: &mut System) {
    let series = system.pick(
        format!("FROM generate_series(1, {RECORDS}) n"),
        format!("FROM (SELECT seq AS n FROM seq_1_to_{RECORDS}) s"),
        String::new(),
    );
    let name = system.pick("'Person ' || n", "CONCAT('Person ', n)", "");
    system
        .run(&format!(
            "CREATE TABLE visits (id INT PRIMARY KEY, name VARCHAR(40), made_on DATE);
             INSERT INTO visits SELECT n, {name}, CASE WHEN n % 3 = 0 THEN DATE '2010-01-01'
                WHEN n % 3 = 1 THEN DATE '2019-01-01' ELSE DATE '2025-01-01' END {series};"
        ))
        .await;
}

/// A third goes, and the names of another third are cleared.
fn visits() -> Order {
    let mut visits = collection(
        "visits",
        &["id"],
        &[("id", FieldType::Integer), ("name", FieldType::Text), ("made_on", FieldType::Date)],
    );
    visits.delete_when = day("made_on", "2015-01-01");
    visits.treatments = vec![Treatment {
        category: "identity".to_owned(),
        kind: TreatmentKind::Clear,
        due: day("made_on", "2020-01-01"),
        fields: vec![FieldTreatment { field: "name".to_owned(), strategy: Strategy::Null }],
    }];
    let mut order = order("killed", vec![visits]);
    order.pace.chunk_records = 2_000;
    order
}

/// Prints how much is done, so that whoever watches can strike.
struct Loud;

#[async_trait]
impl Progress for Loud {
    async fn committed(&self, report: ProgressReport<'_>) -> Direction {
        let told = std::path::PathBuf::from(victim().unwrap().1);
        std::fs::write(told, report.done.changed().to_string()).unwrap();
        Direction::Continue
    }
}

#[expect(clippy::disallowed_methods, reason = "a test tells its own child process what to do")]
fn victim() -> Option<(String, String)> {
    let words = std::env::var(VICTIM).ok()?;
    let (url, told) = words.split_once(' ')?;
    Some((url.to_owned(), told.to_owned()))
}

/// Not a test of its own: the body of the process that is killed.
#[tokio::test]
async fn victim_process() {
    let Some((url, _)) = victim() else { return };
    let kind = if url.starts_with("postgres") { "postgresql" } else { "mariadb" };
    let settings = Settings {
        system: "test".to_owned(),
        url: SecretString::from(url),
        progress_table: "quietus_progress".to_owned(),
    };
    let connector = quietus_connectors::open(kind, settings).unwrap();
    connector.execute(&visits(), &Loud).await.unwrap();
}

/// Kills a process that carries out the order once this part of it is done.
fn killed_at(url: &str, percent: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim_process", "--nocapture"])
        .env(VICTIM, format!("{url} {}", told.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let whole = RECORDS / 3 * 2;
    let began = Instant::now();
    loop {
        let done: u64 =
            std::fs::read_to_string(&told).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        if done * 100 >= whole * percent {
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert!(!status.success(), "it had ended before it was killed");
            return done;
        }
        assert!(child.try_wait().unwrap().is_none(), "the process ended by itself at {done}");
        assert!(began.elapsed() < Duration::from_mins(2), "the process never got so far");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn a_killed_attempt_is_finished_exactly(kind: &'static str) {
    let mut calm = System::fresh(kind, "calm").await;
    fill(&mut calm).await;
    let undisturbed = done(calm.connector().execute(&visits(), &Watcher::new()).await.unwrap());
    assert_eq!(undisturbed.changed(), RECORDS / 3 * 2);

    let mut system = System::fresh(kind, "killed").await;
    fill(&mut system).await;
    for percent in [40, 70] {
        let struck_at = killed_at(&system.url, percent);
        assert!(struck_at < undisturbed.changed());
    }
    let mut next = visits();
    next.attempt = 2;
    let outcome = done(system.connector().execute(&next, &Watcher::new()).await.unwrap());
    assert_eq!(outcome, undisturbed);
    let left = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM visits";
    let named = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM visits WHERE name IS NOT NULL";
    assert_eq!(system.rows(left).await, calm.rows(left).await);
    assert_eq!(system.rows(named).await, calm.rows(named).await);
    let verification = system.connector().verify(&next).await.unwrap();
    assert!(verification.survivors.is_empty(), "{verification:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql() {
    a_killed_attempt_is_finished_exactly("postgresql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb() {
    a_killed_attempt_is_finished_exactly("mariadb").await;
}
