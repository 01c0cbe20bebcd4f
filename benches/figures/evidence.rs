//! Figure b: entries of evidence a second while producers write and the sequencer moves them into
//! the log, both at once; each entry is made, numbered, sealed and signed for as the engine does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quietus::app::vault::Vault;
use quietus::domain::{Clock as _, Ids as _};
use quietus::evidence::{EvidenceKind, LogKey, checkpoint, numbered_entry};
use quietus::store::{Checkpoint, NewLog, Numbered, OpenOptions, OutboxEntry, SealedDetail, Store};
use quietus::telemetry::{SystemClock, SystemIds};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::arguments::{Database, EvidenceArguments};
use super::ground::{Going, Instance};
use super::measure::rate;
use super::report::{Report, Row};

const LOG: &str = "example.com/evidence/figures";
const FAMILY: &str = "figures";
/// As the engine moves them.
const BATCH: u32 = 2_000;
/// The sequencer rests so long where nothing waits.
const REST: Duration = Duration::from_millis(1);

/// Measures how fast evidence is written and sequenced.
pub async fn measure(arguments: &EvidenceArguments, server: Option<&str>, report: &mut Report) {
    for database in databases(arguments.database) {
        for &together in &arguments.together {
            let mut rates = [Vec::new(), Vec::new()];
            for _ in 0..arguments.rounds {
                let (written, both) = round(database, (together, arguments), server).await;
                rates[0].push(written);
                rates[1].push(both);
            }
            let [written, both] = rates;
            let name = database.name();
            let what = format!(
                "entries written and in the log, {name}, {} producers, {together} in a transaction",
                arguments.producers
            );
            let alone = "writing them alone";
            report.add(Row::new("b", what, "entries a second", both).beside(alone, &written));
        }
    }
}

/// The databases that were asked for.
pub fn databases(asked: Option<Database>) -> Vec<Database> {
    asked.map_or_else(|| vec![Database::Sqlite, Database::Postgres], |one| vec![one])
}

/// Entries a second, written without a sequencer and with one.
async fn round(
    database: Database,
    (together, arguments): (u32, &EvidenceArguments),
    server: Option<&str>,
) -> (f64, f64) {
    let EvidenceArguments { entries, producers, .. } = *arguments;
    let mut rates = [0.0; 2];
    for (place, sequenced) in [false, true].into_iter().enumerate() {
        let instance = Instance::new(database, (0, Going::Together), server).await;
        let options = OpenOptions { create: true, ..OpenOptions::default() };
        let store = instance.store(options).await;
        let key = begin(&store).await;
        let begun = Instant::now();
        let writing = write(&store, (entries, producers, together));
        if sequenced {
            let written = AtomicU64::new(0);
            tokio::join!(
                async {
                    writing.await;
                    written.store(entries, Ordering::Release);
                },
                sequence(&store, &key, &written)
            );
        } else {
            writing.await;
        }
        rates[place] = rate(entries, begun.elapsed());
        let head = store.head(LOG).await.expect("a head").expect("a log");
        assert_eq!(head.size, if sequenced { entries } else { 0 }, "every entry, once");
        store.close().await;
        instance.remove().await;
    }
    (rates[0], rates[1])
}

async fn begin(store: &Store) -> LogKey {
    let now = SystemClock.now();
    let log = NewLog { log_id: LOG.to_owned(), origin: LOG.to_owned(), ..NewLog::default() };
    store.create_log(log, now).await.expect("a log");
    store.begin_producers(FAMILY, now).await.expect("producers");
    LogKey::generate().expect("a key")
}

/// An entry as the end of an attempt writes it: of that size, and sealed.
fn entry(vault: &Arc<Vault>) -> OutboxEntry {
    let (salt, nonce, time) = (SystemIds.random(), SystemIds.random(), SystemClock.now());
    let [case, job] = [SystemIds.new_id(), SystemIds.new_id()];
    let detail = serde_json::json!({
        "case": case,
        "job": job,
        "system": "system-001",
        "attempt": 1,
        "lostAttempt": null,
        "orderKey": format!("{}-1", job.simple()),
        "result": "completed",
        "words": "carried out and verified",
        "done": { "rounds": [], "current": { "collections": [
            { "collection": "people", "deleted": 1, "treated": {}, "restricted": 0, "lifted": 0,
              "partitions_dropped": 0, "referenced": {}, "held": 0 } ] } },
    });
    let vault = Arc::clone(vault);
    let numbered = Numbered::new(FAMILY.to_owned(), move |producer, number| {
        let kind = EvidenceKind::ErasureStep;
        let entry = numbered_entry(kind, &detail, salt, (producer, number), time)
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8(entry.detail_bytes).map_err(|error| error.to_string())?;
        let sealed =
            vault.seal("evidence detail", &text, nonce).map_err(|error| error.to_string())?;
        Ok((entry.body, SealedDetail { sha256: entry.detail_sha256, sealed, key: None }))
    });
    OutboxEntry {
        entry_id: SystemIds.new_id(),
        case_id: None,
        job_id: None,
        kind: EvidenceKind::ErasureStep.as_str().to_owned(),
        body: Vec::new(),
        detail: None,
        numbered: Some(numbered),
    }
}

async fn write(store: &Store, (entries, producers, together): (u64, u32, u32)) {
    let vault = Arc::new(Vault::new(&SystemIds.random()).expect("a vault"));
    let mut all = JoinSet::new();
    for producer in 0..u64::from(producers) {
        let share = (entries + producer) / u64::from(producers);
        let (store, vault) = (store.clone(), Arc::clone(&vault));
        all.spawn(async move {
            let mut left = share;
            while left > 0 {
                let many = left.min(u64::from(together));
                let batch = (0..many).map(|_| entry(&vault)).collect();
                store.record_evidence(batch, SystemClock.now()).await.expect("recorded");
                left -= many;
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("a producer comes to its end");
    }
}

/// Moves entries into the log and signs its heads until as many are there as were written.
async fn sequence(store: &Store, key: &LogKey, written: &AtomicU64) {
    let mut size = 0;
    loop {
        let whole = written.load(Ordering::Acquire);
        let now = SystemClock.now();
        let batch = store.sequence(LOG, BATCH, now, &mut <[Uuid]>::reverse).await;
        let Some(batch) = batch.expect("sequenced") else {
            if whole > 0 && size == whole {
                return;
            }
            tokio::time::sleep(REST).await;
            continue;
        };
        size = batch.size;
        let note = checkpoint::sign(LOG, batch.size, batch.root, key).expect("signed");
        let (log_id, note) = (LOG.to_owned(), note.into_bytes());
        let head = Checkpoint { log_id, size, root: batch.root, note, signed_at: now };
        store.store_checkpoint(head).await.expect("published");
    }
}
