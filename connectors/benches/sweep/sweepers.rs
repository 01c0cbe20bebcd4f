//! The two ways to sweep that are compared: a loop written by hand, and the connector.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use quietus_connectors::{
    Connector, Cutoff, Direction, FieldRef, FieldType, Instruction, MappedField, Order, Pace,
    Predicate, Progress, ProgressReport, Receipt, Settings, Stored, open,
};
use sqlx::{Connection, Executor, MySqlConnection, PgConnection, Row, SqliteConnection};

use crate::Measured;

/// What started at or before this is due.
pub(crate) const CUTOFF: &str = "2026-01-01T00:00:00Z";

const BOUND: [&str; 3] = [
    "SELECT id FROM visits WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1",
    "SELECT id FROM visits WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?",
    "SELECT id FROM visits WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?",
];
const DELETE: [&str; 3] = [
    "DELETE FROM visits WHERE id > $1 AND id <= $2 AND left_at <= '2026-01-01 00:00:00+00'",
    "DELETE FROM visits WHERE id > ? AND id <= ? AND left_at <= '2026-01-01 00:00:00'",
    "DELETE FROM visits WHERE id > ? AND id <= ? AND left_at <= '2026-01-01T00:00:00.000000Z'",
];

/// The loop: find where the window ends, delete what is due in it, one transaction each.
macro_rules! by_hand {
    ($connection:ident, $at:ident, $window:ident) => {{
        let idle_kib = forget_peak();
        let started = Instant::now();
        let (mut from, mut deleted) = (i64::MIN, 0);
        loop {
            let bound = sqlx::query(BOUND[$at])
                .bind(from)
                .bind(i64::from($window) - 1)
                .fetch_optional(&mut $connection)
                .await
                .expect("the end of the window");
            let to = bound.as_ref().map_or(i64::MAX, |row| row.get(0));
            let gone = sqlx::query(DELETE[$at])
                .bind(from)
                .bind(to)
                .execute(&mut $connection)
                .await
                .expect("a deletion");
            deleted += gone.rows_affected();
            from = to;
            if bound.is_none() {
                break;
            }
        }
        measured(deleted, started.elapsed(), idle_kib)
    }};
}

/// The loop inside the server.
const PROCEDURE: &str = "CREATE PROCEDURE by_hand(many bigint, INOUT total bigint)
    LANGUAGE plpgsql AS $$
    DECLARE low bigint := -1; high bigint; gone bigint;
    BEGIN
        LOOP
            SELECT id INTO high FROM visits WHERE id > low ORDER BY id OFFSET many - 1 LIMIT 1;
            DELETE FROM visits WHERE id > low AND id <= COALESCE(high, 9223372036854775807)
                AND left_at <= '2026-01-01 00:00:00+00';
            GET DIAGNOSTICS gone = ROW_COUNT;
            total := total + gone;
            COMMIT;
            EXIT WHEN high IS NULL;
            low := high;
        END LOOP;
    END $$";

/// Who sweeps; the connector is the last one.
pub(crate) fn contenders(kind: &str) -> &'static [&'static str] {
    if kind == "postgresql" { &["hand", "procedure", "connector"] } else { &["hand", "connector"] }
}

/// Counts what would be deleted.
pub(crate) async fn preview(kind: &str, url: &str, window: u32) -> u64 {
    let counts = connector(kind, url).preview(&order(kind, window)).await.expect("a preview");
    counts.collections[0].delete
}

async fn by_procedure(url: &str, window: u32) -> Measured {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    connection.execute(PROCEDURE).await.expect("the procedure");
    let idle_kib = forget_peak();
    let started = Instant::now();
    let call = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CALL by_hand({window}, 0)")));
    let row = call.fetch_one(&mut connection).await.expect("the sweep");
    let deleted: i64 = row.get(0);
    measured(u64::try_from(deleted).expect("a count"), started.elapsed(), idle_kib)
}

/// Sweeps the table `visits` behind `url` and says what it took.
pub(crate) async fn sweep(who: &str, kind: &str, url: &str, window: u32) -> Measured {
    let at = ["postgresql", "mariadb", "sqlite"].iter().position(|known| *known == kind);
    let at = at.expect("a known kind");
    match (who, kind) {
        ("hand", "postgresql") => {
            let mut connection = PgConnection::connect(url).await.expect("a connection");
            by_hand!(connection, at, window)
        }
        ("procedure", _) => by_procedure(url, window).await,
        ("hand", "mariadb") => {
            let mut connection = MySqlConnection::connect(url).await.expect("a connection");
            by_hand!(connection, at, window)
        }
        ("hand", _) => {
            let mut connection = SqliteConnection::connect(url).await.expect("a connection");
            // What a connector must set, a loop by hand gets too.
            let settings = "PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON";
            connection.execute(settings).await.expect("settings");
            by_hand!(connection, at, window)
        }
        _ => by_connector(kind, url, window).await,
    }
}

struct Onward;

#[async_trait]
impl Progress for Onward {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Continue
    }
}

fn connector(kind: &str, url: &str) -> Box<dyn Connector> {
    let settings = Settings {
        system: "bench".to_owned(),
        url: url.to_owned().into(),
        progress_table: "quietus_progress".to_owned(),
    };
    open(kind, settings).expect("good settings")
}

async fn by_connector(kind: &str, url: &str, window: u32) -> Measured {
    let connector = connector(kind, url);
    let order = order(kind, window);
    let health = connector.check(&order).await.expect("it can be reached");
    assert!(health.drift.is_empty(), "{:?}", health.drift);
    let idle_kib = forget_peak();
    let started = Instant::now();
    let receipt = connector.execute(&order, &Onward).await;
    let took = started.elapsed();
    let Ok(Receipt::Done(outcome)) = receipt else { panic!("expected done, got {receipt:?}") };
    measured(outcome.changed(), took, idle_kib)
}

fn order(kind: &str, window: u32) -> Order {
    let field = |name: &str, field_type| MappedField {
        name: name.to_owned(),
        field_type,
        stored: Stored::Native,
        zone: "UTC".to_owned(),
        ignores_case: false,
    };
    let cutoff = Cutoff::Moment(CUTOFF.parse().expect("a moment"));
    let source = if kind == "postgresql" { "public.visits" } else { "visits" };
    Order {
        key: "bench".to_owned(),
        attempt: 1,
        moment: "2026-06-01T00:00:00Z".parse().expect("a moment"),
        instructions: vec![Instruction {
            fields: vec![
                field("id", FieldType::Integer),
                field("email", FieldType::Text),
                field("street", FieldType::Text),
                field("note", FieldType::Text),
                field("left_at", FieldType::Timestamp),
            ],
            delete_when: Predicate::LatestAtOrBefore(vec![(FieldRef::own("left_at"), cutoff)]),
            ..Instruction::idle("visits", source, ["id"])
        }],
        lists: Vec::new(),
        pace: Pace { chunk_records: window, ..Pace::default() },
        most_records: None,
        persons: None,
    }
}

fn measured(deleted: u64, took: Duration, idle_kib: u64) -> Measured {
    Measured { deleted, took, peak_kib: memory_kib("VmHWM").saturating_sub(idle_kib) }
}

/// Forgets the peak so far; returns what is held now, in KiB.
fn forget_peak() -> u64 {
    // Elsewhere than on Linux the peak includes the start of the process.
    std::fs::write("/proc/self/clear_refs", "5").ok();
    memory_kib("VmRSS")
}

fn memory_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let digits = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
