//! Opening, losing and cancelling.

use std::task::Poll;
use std::time::Duration;

use quietus::domain::JobState;
use quietus::store::{OpenOptions, Settle, Settlement, Start, Started, Store, StoreError};
use serde_json::json;

use crate::stage::{LENIENT, STRICT, Stage, at, claim, entry, tenure};

on_both! {
    a_cancelled_call_leaves_no_transaction_open,
    a_closed_store_is_unavailable,
    whoever_starts_waits_for_whoever_places_a_hold,
    a_dropped_transition_leaves_nothing,
    whoever_only_looks_cannot_write,
}

/// Polls a call until it has not been ready so many times, and then drops it.
async fn cut_off<Answer>(call: impl Future<Output = Answer>, most: u32) -> Option<Answer> {
    let (mut call, mut polls) = (std::pin::pin!(call), 0);
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if polls == most => Poll::Ready(None),
        Poll::Pending => {
            polls += 1;
            Poll::Pending
        }
    })
    .await
}

async fn a_cancelled_call_leaves_no_transaction_open(stage: Stage) {
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    // One connection only, so that whatever a call leaves behind meets the next one.
    let lone = Store::open(&stage.url, OpenOptions { readers: 1, ..OpenOptions::default() });
    let lone = lone.await.unwrap();
    let (mut cut, mut answered) = (0, 0);
    // On a busy machine most answers are there before anybody asks twice.
    for round in 0..2_000 {
        if round >= 60 && cut > 5 && answered > 5 {
            break;
        }
        match cut_off(lone.heartbeat(&mine, at(60)), round % 20).await {
            Some(answer) => {
                answer.unwrap().unwrap();
                answered += 1;
            }
            None => cut += 1,
        }
        lone.ping().await.unwrap();
        if lone.kind() == "postgres" {
            let idle = "pg_stat_activity WHERE datname = current_database()
                AND state LIKE 'idle in transaction%'";
            let mut open = stage.rows(idle).await;
            // Behind a pooler what was cut off goes on to its end by itself, without being lent again.
            let begun = std::time::Instant::now();
            while lone.is_pooled() && open > 0 && begun.elapsed() < Duration::from_secs(5) {
                open = stage.rows(idle).await;
            }
            assert_eq!(open, 0, "a transaction is open and nobody knows of it");
        }
    }
    assert!(cut > 5 && answered > 5, "{cut} cut off, {answered} answered");
    // Whatever is written now is seen from outside: no earlier transaction is around it.
    for second in 0..20 {
        stage.store.record_evidence(vec![entry(None, None)], at(second)).await.unwrap();
    }
    assert_eq!(stage.rows("evidence_outbox").await, 20);
    assert_eq!(stage.store.claim(claim("other", 100, 5)).await.unwrap().len(), 1);
}

async fn a_closed_store_is_unavailable(stage: Stage) {
    stage.store.close().await;
    let error = stage.store.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = stage.store.claim(claim("worker", 0, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_url_is_never_told() {
    let wait = Duration::from_secs(2);
    let open = |url: &'static str| Store::open(url, OpenOptions { wait, ..OpenOptions::default() });
    for url in [
        "mysql://somebody:hunter2@db.example.com/quietus",
        "postgres://somebody:hunter2@127.0.0.1:9/quietus",
        "postgres://somebody:hunter2@127.0.0.1:notaport/quietus",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:/nonexistent/folder/hunter2.db",
    ] {
        let error = open(url).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2") && !told.contains("somebody"), "{told}");
    }
    let lost = open("postgres://somebody:hunter2@127.0.0.1:9/quietus").await.unwrap_err();
    assert!(matches!(lost, StoreError::Unavailable { .. }), "{lost}");
    let missing = open("sqlite:/nonexistent/folder/store.db").await.unwrap_err();
    assert!(matches!(missing, StoreError::Unavailable { .. }), "{missing}");
}

#[tokio::test]
async fn sqlite_keeps_what_was_committed() {
    let stage = Stage::sqlite().await;
    let path = stage.url.strip_prefix("sqlite:").unwrap();
    let pragma = |name: &'static str| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        async move {
            let mut connection =
                <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("PRAGMA {name}"));
            sqlx::query_scalar::<_, String>(sql).fetch_one(&mut connection).await.unwrap()
        }
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("integrity_check").await, "ok");
    #[cfg(unix)]
    for companion in ["", "-wal"] {
        use std::os::unix::fs::PermissionsExt as _;
        let rights = std::fs::metadata(format!("{path}{companion}")).unwrap().permissions();
        assert_eq!(rights.mode() & 0o777, 0o600, "{companion}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("store.db").display());
    let server = Stage::empty_postgres().await;
    let pooled = Stage::through(STRICT, &Stage::empty_postgres().await);
    let beside = Stage::empty_postgres().await;
    let ways = [STRICT, LENIENT].map(|pooler| Stage::through(pooler, &beside));
    let [strict, lenient] = ways;
    for urls in [vec![file], vec![server], vec![pooled], vec![beside, strict, lenient]] {
        let openings: Vec<_> = (0..6)
            .map(|number| {
                let url = urls[number % urls.len()].clone();
                let options = OpenOptions { create: true, ..OpenOptions::default() };
                tokio::spawn(async move { Store::open(&url, options).await })
            })
            .collect();
        for opening in openings {
            opening.await.unwrap().unwrap().ping().await.unwrap();
        }
    }
}

async fn whoever_starts_waits_for_whoever_places_a_hold(stage: Stage) {
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let (begin, end) = if stage.store.kind() == "sqlite" {
        ("BEGIN IMMEDIATE", "COMMIT")
    } else {
        ("BEGIN", "COMMIT")
    };
    // Somebody is just placing a hold and has not committed yet.
    let mut intruder = stage.intruder().await;
    intruder.execute(begin).await;
    intruder.execute("UPDATE versions SET value = value + 1 WHERE name = 'holds'").await;
    let store = stage.store.clone();
    let start = Start { tenure: mine, now: at(1), lease_until: at(60), evidence: Vec::new() };
    let starting = tokio::spawn(async move { store.start_attempt(start).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished(), "it did not wait");
    intruder.execute(end).await;
    let Started::Yes(seen) = starting.await.unwrap().unwrap() else { panic!("not started") };
    assert_eq!(seen.holds_version, 1);
}

async fn a_dropped_transition_leaves_nothing(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let mut settled = false;
    for microseconds in (0..60).map(|step| step * 25) {
        let settle = Settle {
            tenure: mine.clone(),
            settlement: Settlement::Completed { done: json!({}), verification: json!({}) },
            now: at(2),
            evidence: vec![entry(Some(case), Some(jobs[0]))],
        };
        let wait = Duration::from_micros(microseconds);
        if let Ok(answered) = tokio::time::timeout(wait, stage.store.settle(settle)).await {
            settled |= answered.unwrap();
        }
        // A commit that was cut off may still be carried out: between two equal looks it was not.
        let look = async || stage.store.job(jobs[0]).await.unwrap().unwrap().state;
        let (found, entries) = loop {
            let (before, entries) = (look().await, stage.rows("evidence_outbox").await);
            if before == look().await {
                break (before, entries);
            }
        };
        match found {
            JobState::Running => assert_eq!((entries, settled), (0, false)),
            // Whoever was cut off while it was committed does not know, and evidence is there.
            JobState::Completed => assert_eq!(entries, 1),
            other => panic!("`{other}`"),
        }
    }
}

async fn whoever_only_looks_cannot_write(stage: Stage) {
    stage.case_with_jobs(2).await;
    let looking = Store::look(&stage.url, OpenOptions::default()).await.unwrap();
    assert!(looking.only_looks() && !stage.store.only_looks());
    let schema = looking.schema().await.unwrap();
    assert_eq!(schema.applied, schema.known);
    assert_eq!(schema, stage.store.schema().await.unwrap());
    let waiting = looking.waiting_jobs(at(1_000)).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.jobs).sum::<u64>(), 2);
    let name = quietus::domain::ScheduleName::parse("never").unwrap();
    let refused = looking.seed_schedule(&name, at(0)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(stage.store.schedule_cursor(&name).await.unwrap(), None);
    looking.close().await;
    // Where there is none, none is made.
    let nowhere = Store::look("sqlite:/no/such/store.db", OpenOptions::default()).await;
    assert!(matches!(nowhere, Err(StoreError::Unavailable { .. })), "{nowhere:?}");
}
