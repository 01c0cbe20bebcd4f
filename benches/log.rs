//! A large evidence log on SQLite: how fast it grows, how large it is, how long a proof takes, how
//! fast all of it is counted anew. What the design expected stands beside it.
//!
//! `cargo bench --bench log -- --entries 10000000 --folder /where/there/is/room`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::expect_used, reason = "a benchmark stops where it cannot go on")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use quietus::domain::Digest;
use quietus::evidence::replay::Replay;
use quietus::evidence::tiles::{self, TileId};
use quietus::evidence::{EvidenceKind, LogKey, checkpoint, evidence_entry, merkle};
use quietus::store::{Checkpoint, NewLog, OpenOptions, OutboxEntry, Store};
use uuid::Uuid;

const LOG: &str = "example.com/evidence/2026";
const PROOFS: u64 = 5_000;

struct Settings {
    entries: u64,
    batch: u32,
    folder: Option<PathBuf>,
}

fn settings() -> Settings {
    let mut settings = Settings { entries: 200_000, batch: 2_000, folder: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("a value behind the option");
        match word.as_str() {
            "--entries" => settings.entries = value().parse().expect("a number"),
            "--batch" => settings.batch = value().parse().expect("a number up to 10000"),
            "--folder" => settings.folder = Some(value().into()),
            // What `cargo bench` adds by itself.
            _ => {}
        }
    }
    settings
}

fn entry(number: u64, now: Timestamp) -> OutboxEntry {
    let salt = Digest::of(&number.to_be_bytes()).0;
    let detail = serde_json::json!({ "number": number.to_string() });
    let entry = evidence_entry(EvidenceKind::ErasureStep, &detail, salt, "quietus-bench", now);
    OutboxEntry {
        entry_id: Uuid::from_u128(u128::from(number) + (1 << 100)),
        case_id: None,
        job_id: None,
        kind: EvidenceKind::ErasureStep.as_str().to_owned(),
        body: entry.expect("an entry").body,
        detail: None,
        numbered: None,
    }
}

#[derive(Default)]
struct Appending {
    outbox: Duration,
    sequence: Duration,
    publish: Duration,
}

async fn append(store: &Store, settings: &Settings, key: &LogKey) -> Appending {
    let (now, mut spent, mut number) = (Timestamp::UNIX_EPOCH, Appending::default(), 0);
    while number < settings.entries {
        let count = u64::from(settings.batch).min(settings.entries - number);
        let begun = Instant::now();
        let entries = (number..number + count).map(|number| entry(number, now)).collect();
        store.record_evidence(entries, now).await.expect("recorded");
        spent.outbox += begun.elapsed();
        let begun = Instant::now();
        let batch = store.sequence(LOG, settings.batch, now, &mut <[Uuid]>::reverse).await;
        let batch = batch.expect("sequenced").expect("a batch");
        spent.sequence += begun.elapsed();
        let begun = Instant::now();
        let note = checkpoint::sign(LOG, batch.size, batch.root, key).expect("signed");
        let (log_id, note) = (LOG.to_owned(), note.into_bytes());
        let head = Checkpoint { log_id, size: batch.size, root: batch.root, note, signed_at: now };
        store.store_checkpoint(head).await.expect("published");
        spent.publish += begun.elapsed();
        number += count;
        if number % 500_000 < count {
            println!("  {number} entries");
        }
    }
    spent
}

/// One inclusion proof out of the store, verified; how long reading and proving took.
async fn prove(store: &Store, index: u64, size: u64, root: &Digest) -> Duration {
    let leaf = store.leaves(LOG, index, 1).await.expect("a leaf").remove(0);
    let begun = Instant::now();
    let needed = tiles::tiles_of_inclusion(index, size);
    let stored = store.tiles(LOG, &needed).await.expect("tiles");
    let path = tiles::inclusion_proof(index, size, |tile: TileId| stored.get(&tile).cloned())
        .expect("a proof");
    merkle::check_inclusion(&leaf.leaf_hash, index, size, &path, root).expect("proven");
    begun.elapsed()
}

async fn replay(store: &Store, size: u64, root: Digest) -> Duration {
    let begun = Instant::now();
    let (mut replay, mut at) = (Replay::new([(size, root)]), 0);
    while at < size {
        let leaves = store.leaves(LOG, at, 10_000).await.expect("leaves");
        at += leaves.len() as u64;
        for leaf in &leaves {
            replay.push(&leaf.body, &mut |_, _| true);
        }
    }
    let counted = replay.finish(&mut |_, _| true);
    assert_eq!((counted.heads, counted.faults.len()), (1, 0), "{:?}", counted.faults);
    begun.elapsed()
}

fn rate(count: u64, time: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = count as f64 / time.as_secs_f64();
    format!("{rate:.0} a second ({:.1} s)", time.as_secs_f64())
}

fn row(what: &str, measured: &str, expected: &str) {
    println!("| {what} | {measured} | {expected} |");
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let settings = settings();
    let own = tempfile::tempdir().expect("a folder");
    let folder = settings.folder.clone().unwrap_or_else(|| own.path().to_owned());
    let file = folder.join(format!("log-{}.db", std::process::id()));
    let options = OpenOptions { create: true, ..OpenOptions::default() };
    let store = Store::open(&format!("sqlite:{}", file.display()), options).await.expect("a store");
    let key = LogKey::generate().expect("a key");
    let log = NewLog { log_id: LOG.to_owned(), origin: LOG.to_owned(), ..NewLog::default() };
    store.create_log(log, Timestamp::UNIX_EPOCH).await.expect("a log");

    let begun = Instant::now();
    let spent = append(&store, &settings, &key).await;
    let whole = begun.elapsed();
    let head = store.head(LOG).await.expect("a head").expect("a log");
    let mut bytes = 0;
    for companion in ["", "-wal", "-shm"] {
        let path = format!("{}{companion}", file.display());
        bytes += std::fs::metadata(path).map_or(0, |found| found.len());
    }
    let mut times = Vec::new();
    for number in 0..PROOFS {
        let digest = Digest::of(&number.to_le_bytes()).0;
        let drawn = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let index = drawn % head.size;
        times.push(prove(&store, index, head.size, &head.root).await);
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)];
    let counted = replay(&store, head.size, head.root).await;

    println!("\n| {} entries, batches of {} | measured | design |", head.size, settings.batch);
    println!("|---|---|---|");
    row("entry and outbox", &rate(head.size, spent.outbox), "106 000 to 270 000 a second");
    row("sequence", &rate(head.size, spent.sequence), "63 000 to 122 000 a second");
    row("sign and publish", &rate(head.size, spent.publish), "in the line above");
    row("all together", &rate(head.size, whole), "about 70 000 a second");
    #[expect(clippy::cast_precision_loss, reason = "sizes for people")]
    let (mib, each) = (bytes as f64 / 1_048_576.0, bytes as f64 / head.size as f64);
    row("size", &format!("{mib:.0} MiB, {each:.0} bytes an entry"), "555 bytes an entry of 463");
    let proof = format!("{:?} / {:?} / {:?}", at(500), at(990), at(1000));
    row("proof from tiles, verified: median / 99 % / worst", &proof, "0.2 ms in 2 million");
    row("replay", &rate(head.size, counted), "2 550 000 a second and core");
    store.close().await;
    for companion in ["", "-wal", "-shm"] {
        let path = format!("{}{companion}", file.display());
        if std::fs::exists(&path).unwrap_or(false) {
            std::fs::remove_file(&path).expect("the file goes");
        }
    }
}
