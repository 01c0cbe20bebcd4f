//! Behind a pooler that lends connections of the server for one transaction: it is noticed without
//! being told, limits are in force, and nothing is left to whoever is lent a connection next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use quietus::domain::{JobState, ScheduleName};
use quietus::store::{OpenOptions, Settle, Settlement, Store, StoreError};
use serde_json::json;
use sqlx::migrate::Migrate as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, Row as _};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{LENIENT, STRICT, Stage, at, claim, entry, tenure};

/// Connections of the server that a pooler of the tests shares among all that use one database.
const SHARED: usize = 4;

async fn open(url: &str) -> Result<Store, StoreError> {
    Store::open(url, OpenOptions { wait: Duration::from_secs(5), ..OpenOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_noticed_by_what_happens() {
    let direct = Stage::postgres().await;
    assert!(!direct.store.is_pooled());
    assert!(direct.store.hints().await.unwrap().is_some());
    for pooler in [STRICT, LENIENT] {
        let stage = Stage::behind(pooler).await;
        assert!(stage.store.hints().await.unwrap().is_none(), "nobody may listen there");
        stage.store.give_hint("somebody").await.unwrap();
        let (account, _) = stage.url.rsplit_once('@').unwrap();
        let (_, password) = account.rsplit_once(':').unwrap();
        assert!(!format!("{:?}", stage.store).contains(password), "its password is shown");
        let looking = Store::look(&stage.url, OpenOptions::default()).await.unwrap();
        assert!(looking.is_pooled() && looking.hints().await.unwrap().is_none());
        looking.close().await;
        // Past it the same store is as ever.
        let past = open(stage.database()).await.unwrap();
        assert!(!past.is_pooled() && past.hints().await.unwrap().is_some());
        past.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_past_it_hears_whoever_is_behind_it() {
    let stage = Stage::pooled().await;
    let past = open(stage.database()).await.unwrap();
    let mut hints = past.hints().await.unwrap().unwrap();
    stage.store.give_hint("replica behind").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap();
    assert_eq!(heard.unwrap().as_deref(), Some("replica behind"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_would_be_lost_are_refused() {
    let database = Stage::empty_postgres().await;
    let settings = "?options=-c%20search_path%3Dpublic";
    for pooler in [STRICT, LENIENT] {
        let url = format!("{}{settings}", Stage::through(pooler, &database));
        for opened in [open(&url).await, Store::look(&url, OpenOptions::default()).await] {
            let error = opened.unwrap_err();
            let StoreError::Url { why } = &error else { panic!("{error}") };
            assert!(why.contains("ALTER ROLE") && !error.is_transient(), "{error}");
        }
    }
    let direct = format!("{}{settings}", database.trim_end_matches('?'));
    open(&direct).await.unwrap().ping().await.unwrap();
}

/// Has every row that is written into `schedules` tell under which limits that was.
async fn watch_limits(stage: &Stage) {
    let mut intruder = stage.intruder().await;
    for statement in [
        "CREATE TABLE seen (limits TEXT)",
        "CREATE FUNCTION watch() RETURNS TRIGGER LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO seen SELECT string_agg(name || '=' || setting, ' ' ORDER BY name)
                 FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
                     'idle_in_transaction_session_timeout', 'synchronous_commit');
             RETURN NEW;
         END $$",
        "CREATE TRIGGER watch AFTER INSERT ON schedules FOR EACH ROW EXECUTE FUNCTION watch()",
    ] {
        intruder.execute(statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_the_same_as_without_it() {
    let name = ScheduleName::parse("nightly").unwrap();
    for stage in
        [Stage::postgres().await, Stage::behind(STRICT).await, Stage::behind(LENIENT).await]
    {
        watch_limits(&stage).await;
        stage.store.seed_schedule(&name, at(0)).await.unwrap();
        let limits = "idle_in_transaction_session_timeout=60000 lock_timeout=10000 \
                      statement_timeout=60000 synchronous_commit=on";
        assert_eq!(stage.text("SELECT limits FROM seen").await, limits);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_lock_does_not_wait_for_ever() {
    let stage = Stage::pooled().await;
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let mut intruder = stage.intruder().await;
    intruder.execute("BEGIN").await;
    intruder.execute("SELECT * FROM jobs FOR UPDATE").await;
    let begun = std::time::Instant::now();
    let refused = stage.store.heartbeat(&mine, at(60)).await.unwrap_err();
    assert_eq!(refused, StoreError::Busy { code: "55P03".to_owned() });
    let waited = begun.elapsed();
    assert!((9..20).contains(&waited.as_secs()), "{waited:?}");
    intruder.execute("ROLLBACK").await;
    stage.store.heartbeat(&mine, at(60)).await.unwrap().unwrap();
}

/// What every connection of the server that a pooler shares has kept of those who used it.
async fn kept(stage: &Stage) -> Vec<String> {
    let options: PgConnectOptions = stage.url.parse().unwrap();
    let options = options.extra_float_digits(None);
    let mut borrowers = Vec::new();
    for _ in 0..SHARED {
        let mut borrower = PgConnection::connect_with(&options).await.unwrap();
        borrower.execute("BEGIN").await.unwrap();
        borrowers.push(borrower);
    }
    let mut found = Vec::new();
    for borrower in &mut borrowers {
        let asked = "SELECT 'statement ' || name FROM pg_prepared_statements
             UNION ALL SELECT 'channel ' || name FROM pg_listening_channels() AS name
             UNION ALL SELECT 'setting ' || name FROM pg_settings
                 WHERE source = 'session' AND name IN ('statement_timeout', 'lock_timeout',
                     'idle_in_transaction_session_timeout', 'synchronous_commit',
                     'client_min_messages', 'default_transaction_read_only')
             UNION ALL SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let rows = borrower.fetch_all(asked).await.unwrap();
        found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    for borrower in borrowers {
        borrower.close().await.unwrap();
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_few_connections_and_leave_nothing_in_them() {
    for pooler in [STRICT, LENIENT] {
        let stage = Stage::behind(pooler).await;
        let (case, jobs) = stage.case_with_jobs(24).await;
        let mut replicas = Vec::new();
        for number in 0..3 {
            let options = OpenOptions { readers: 16, ..OpenOptions::default() };
            let store = Store::open(&stage.url, options).await.unwrap();
            for worker in 0..8 {
                let (store, name) = (store.clone(), format!("replica-{number}-{worker}"));
                replicas.push(tokio::spawn(async move {
                    for claimed in store.claim(claim(&name, 0, 1)).await.unwrap() {
                        let mine = tenure(&claimed);
                        let evidence = vec![entry(Some(case), Some(mine.job))];
                        store.heartbeat(&mine, at(90)).await.unwrap().unwrap();
                        assert!(store.job(mine.job).await.unwrap().is_some());
                        let settlement =
                            Settlement::Completed { done: json!({}), verification: json!({}) };
                        let settle = Settle { tenure: mine, settlement, now: at(2), evidence };
                        assert!(store.settle(settle).await.unwrap());
                    }
                }));
            }
        }
        for replica in replicas {
            replica.await.unwrap();
        }
        // Whoever found nobody's job has left one to the others.
        for claimed in stage.store.claim(claim("last", 1, 100)).await.unwrap() {
            let settlement = Settlement::Completed { done: json!({}), verification: json!({}) };
            let tenure = tenure(&claimed);
            let settle = Settle { tenure, settlement, now: at(2), evidence: Vec::new() };
            assert!(stage.store.settle(settle).await.unwrap());
        }
        for job in jobs {
            let job = stage.store.job(job).await.unwrap().unwrap();
            assert_eq!((job.state, job.attempt), (JobState::Completed, 1));
        }
        let backends = "pg_stat_activity WHERE datname = current_database()
            AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        assert!(stage.rows(backends).await <= i64::try_from(SHARED).unwrap());
        assert_eq!(kept(&stage).await, Vec::<String>::new(), "left to whoever comes next");
    }
}

/// A binary of before has sqlx bring the schema forward, under the lock that sqlx takes.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_waits_for_a_binary_of_before() {
    let database = Stage::empty_postgres().await;
    let ways = [database.clone(), Stage::through(STRICT, &database)];
    for url in ways {
        let mut before = PgConnection::connect(&database).await.unwrap();
        before.lock().await.unwrap();
        let opening = tokio::spawn(async move { open(&url).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!opening.is_finished(), "it did not wait");
        before.unlock().await.unwrap();
        opening.await.unwrap().unwrap().ping().await.unwrap();
    }
}

/// A way to a server that can be led elsewhere.
struct Way {
    port: u16,
    to: Arc<AtomicU16>,
    /// Who listens here ends all connections and makes them anew.
    broken: tokio::sync::watch::Sender<u32>,
}

impl Way {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (broken, _) = tokio::sync::watch::channel(0);
        let way = Self {
            port: listener.local_addr().unwrap().port(),
            to: Arc::new(AtomicU16::new(port)),
            broken,
        };
        let (to, broken) = (Arc::clone(&way.to), way.broken.clone());
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let (port, mut broken) = (to.load(Ordering::SeqCst), broken.subscribe());
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut from, &mut server) => {}
                        _ = broken.changed() => {}
                    }
                });
            }
        });
        way
    }

    fn lead_to(&self, port: u16) {
        self.to.store(port, Ordering::SeqCst);
        self.broken.send_modify(|times| *times += 1);
    }
}

fn port_of(url: &str) -> u16 {
    url.parse::<PgConnectOptions>().unwrap().get_port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_comes_and_goes_while_the_store_is_open_is_worked_with() {
    for pooler in [STRICT, LENIENT] {
        let database = Stage::empty_postgres().await;
        let (server, pooled) = (port_of(&database), port_of(&Stage::through(pooler, &database)));
        let way = Way::to(server).await;
        let url = database.replace(&format!(":{server}/"), &format!(":{}/", way.port));
        let store = open(&url).await.unwrap();
        let mut hints = store.hints().await.unwrap().unwrap();
        assert!(!store.is_pooled());
        let answers = async |what: &str| {
            // Whoever was just asking learns that the connection broke.
            for turn in 0.. {
                match store.record_evidence(vec![entry(None, None)], at(turn)).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_transient() && turn < 20, "{what}: {error}"),
                }
            }
        };
        answers("without").await;

        way.lead_to(pooled);
        answers("a pooler has come").await;
        assert!(store.is_pooled());
        // What broke may have hidden a hint; then there is nobody to hear one from.
        let mut told = Ok(Some(String::new()));
        for _ in 0..3 {
            let next = tokio::time::timeout(Duration::from_secs(10), hints.next());
            told = next.await.unwrap();
            if told.is_err() {
                break;
            }
        }
        assert!(told.unwrap_err().is_transient());
        assert!(store.hints().await.unwrap().is_none());

        way.lead_to(server);
        answers("it has gone").await;
        store.ping().await.unwrap();
        store.close().await;
    }
}
