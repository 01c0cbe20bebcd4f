//! What may never be changed is refused, whoever tries.

use std::collections::BTreeSet;

use quietus::domain::{CaseOutcome, CaseState, ScheduleName, SystemName};
use quietus::store::{
    Approval, Canary, CertificateDecision, Checkpoint, Decision, FoundAgain, HoldKey, JobFault,
    JobKind, JobsStated, KeptLook, LookResult, NewCase, NewCertificate, NewDrill, NewHold, NewJob,
    NewLog, NewPause, NewRestore, OutboxEntry, PauseScope, RestoreBegun, Settle, Settlement,
    Stamped, StatusPlace, Topic, TopicKind,
};

use crate::anchors;
use crate::restores::new_restore;
use crate::stage::{Stage, at, entry, new_case, new_id, new_job, scheduled_case, tenure};

on_both! {
    triggers_refuse,
    a_released_hold_stays_released,
    shredding_takes_the_sealed_bytes_only,
    decisions_about_a_case_stay,
}

/// A store with a row in every table whose rows may not be changed.
async fn fill(stage: &Stage) {
    let store = &stage.store;
    store.seed_schedule(&ScheduleName::parse("nightly").unwrap(), at(0)).await.unwrap();
    let case = scheduled_case(10, 0);
    let case_id = case.id;
    store.open_case(case, at(11)).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 12).await);
    let job = mine.job;
    let fault = JobFault { kind: "rejected".to_owned(), message: "no".to_owned() };
    let settle = Settle {
        tenure: mine,
        settlement: Settlement::Failed { fault },
        now: at(13),
        evidence: vec![entry(Some(case_id), None)],
    };
    assert!(store.settle(settle).await.unwrap());
    let certificate = NewCertificate {
        id: new_id(),
        case_id,
        outcome: CaseOutcome::Failed,
        class: "scheduled".to_owned(),
        overall: "failed".to_owned(),
        issued_at: at(14),
        stated: JobsStated::default(),
        statement: b"statement".to_vec(),
        envelope: b"envelope".to_vec(),
        manifest: b"manifest".to_vec(),
        topics: vec![Topic { kind: TopicKind::System, name: "shop".to_owned() }],
        leaf: OutboxEntry { detail: None, ..entry(Some(case_id), None) },
        status: Some(StatusPlace { list: "example.com/2026/status/1".to_owned(), index: 7 }),
        later: Vec::new(),
        rules_version: None,
        request: None,
        letter: None,
        evidence: Vec::new(),
    };
    let id = certificate.id;
    assert!(stage.certify(certificate).await.unwrap());
    say_of_it(stage, id).await;
    let log = NewLog {
        log_id: "2026".to_owned(),
        origin: "example.com/2026".to_owned(),
        ..NewLog::default()
    };
    store.create_log(log, at(0)).await.unwrap();
    store.begin_producers("quietus-test", at(0)).await.unwrap();
    let batch = store.sequence("2026", 9, at(15), &mut |_| {}).await.unwrap().unwrap();
    let checkpoint = Checkpoint {
        log_id: "2026".to_owned(),
        size: batch.size,
        root: batch.root,
        note: b"note".to_vec(),
        signed_at: at(16),
    };
    let about = Stamped::Head { log_id: "2026".to_owned(), size: batch.size };
    store.store_checkpoint(checkpoint).await.unwrap();
    store.keep_time_stamp(anchors::stamp(about, "notary", 16), at(16)).await.unwrap();
    let signed = anchors::line(batch.size, "w.example+00000001", 16);
    store.keep_cosignatures(vec![signed]).await.unwrap();
    store
        .record_evidence(vec![OutboxEntry { detail: None, ..entry(None, None) }], at(17))
        .await
        .unwrap();
    hold_and_pause(stage).await;
    restore(stage, case_id).await;
    back_again(stage, case_id).await;
    drill(stage).await;
    inside(stage, case_id).await;
    seal(stage, case_id, job).await;
}

/// Keys of a case and of no case, and a manifest of records.
async fn seal(stage: &Stage, case_id: uuid::Uuid, job: uuid::Uuid) {
    let store = &stage.store;
    let epoch = crate::data_keys::begin(stage, "2026-11").await;
    let key = crate::data_keys::key(None, &epoch);
    store.record_evidence(vec![crate::data_keys::entry_under(&key)], at(18)).await.unwrap();
    let key = crate::data_keys::key(Some(case_id), &epoch);
    store.begin_record_manifest(job, key, at(18)).await.unwrap();
    crate::record_manifests::add(stage, job, None, 2).await;
}

/// What somebody says of a certificate, and the list that says it.
async fn say_of_it(stage: &Stage, certificate: uuid::Uuid) {
    let store = &stage.store;
    let decision = CertificateDecision::Disputed;
    assert!(store.decide_about(certificate, None, decision, Vec::new(), at(14)).await.unwrap());
    let due = store.due_status_lists(at(0)).await.unwrap().pop().unwrap();
    let leaf = OutboxEntry { detail: None, ..entry(None, None) };
    assert!(store.sign_status_list(&due, Vec::new(), leaf, (at(14), at(0))).await.unwrap());
}

async fn hold_and_pause(stage: &Stage) {
    let store = &stage.store;
    let hold = NewHold {
        id: new_id(),
        matter: "matter-1".to_owned(),
        scope: serde_json::json!({"system": "shop"}),
        sealed: Some(vec![1, 2, 3]),
        reason: "litigation".to_owned(),
        placed_by: "counsel".to_owned(),
        review_on: None,
    };
    store.place_hold(hold, at(18), Vec::new()).await.unwrap();
    let pause = NewPause {
        id: new_id(),
        scope: PauseScope::System(SystemName::parse("shop").unwrap()),
        paused_by: "operator".to_owned(),
        reason: "maintenance".to_owned(),
    };
    assert!(store.pause(pause, at(19), Vec::new()).await.unwrap());
}

/// A system that was restored, with somebody's case that is done again.
async fn restore(stage: &Stage, case: uuid::Uuid) {
    let replay = NewJob { kind: JobKind::Replay, ..new_job("system-0") };
    let evidence = Vec::new();
    let restore = NewRestore { evidence, ..new_restore(vec![(case, replay)]) };
    assert_eq!(stage.store.begin_restore(restore, at(20)).await.unwrap(), RestoreBegun::Yes);
    let canary = Canary { number: 7, written_at: at(20), name: Some("canary-1".to_owned()) };
    stage.store.remember_canary("shop", canary).await.unwrap();
}

/// Somebody who is looked for, and of whom something is back.
async fn back_again(stage: &Stage, case_id: uuid::Uuid) {
    let planted = "INSERT INTO later_looks (case_id, system, done_at, well_at, seen_at)
         SELECT id, 'shop', 1, 1, 1 FROM cases";
    assert!(stage.intrude(planted).await.unwrap() > 0);
    let look = &stage.store.later_looks_of(case_id).await.unwrap()[0];
    let (done_at, seen_at) = (look.done_at, look.seen_at);
    let found = FoundAgain { id: new_id(), done_at, seen_at, well_at: at(20), records: 1 };
    let replay = NewJob { kind: JobKind::Replay, ..new_job("shop") };
    let result = LookResult::Again(found, replay);
    let look = KeptLook { case_id, system: "shop".to_owned(), result, evidence: Vec::new() };
    assert_eq!(stage.store.keep_looks(vec![look], at(21)).await.unwrap(), 1);
}

/// An erasure inside copies that was asked for and refused.
async fn inside(stage: &Stage, case_id: uuid::Uuid) {
    let new = crate::inside_erasures::new(case_id);
    let (id, store) = (new.id, &stage.store);
    assert!(store.ask_inside_erasure(new, at(3), Vec::new()).await.unwrap());
    let refused = store.refuse_inside_erasure(id, ("grace", "OPS-8"), at(4), Vec::new()).await;
    assert!(refused.unwrap());
}

/// A drill that is over, and was in one system.
async fn drill(stage: &Stage) {
    let systems = vec![("shop".to_owned(), Ok(serde_json::json!({})))];
    let (id, begun_by) = (new_id(), "operator".to_owned());
    let new = NewDrill { id, due_at: Some(at(1)), begun_by, systems, evidence: Vec::new() };
    assert!(stage.store.begin_drill(new, at(2)).await.unwrap());
    let planted = (&serde_json::json!({}), (at(3), false));
    assert!(stage.store.drill_planted((id, "shop"), planted.0, planted.1).await.unwrap());
    assert!(stage.store.end_drill(id, Some("overtaken"), at(4), Vec::new()).await.unwrap());
}

/// Changes of what stands for good.
fn changes(sqlite: bool) -> Vec<String> {
    let bytes = if sqlite { "x'00'" } else { "'\\x00'" };
    vec![
        "UPDATE schedule_fires SET disposition = 'missed'".to_owned(),
        "UPDATE log_leaves SET idx = idx + 100".to_owned(),
        format!("UPDATE log_leaves SET body = {bytes}"),
        "UPDATE log_checkpoints SET signed_at = 1".to_owned(),
        format!("UPDATE documents SET content = {bytes}"),
        "UPDATE certificate_topics SET name = 'other'".to_owned(),
        "UPDATE attempts SET result = 'completed'".to_owned(),
        "UPDATE attempts SET ended_at = NULL, result = NULL".to_owned(),
        "UPDATE evidence_details SET kind = 'other'".to_owned(),
        format!("UPDATE evidence_details SET sealed = {bytes}"),
        format!("UPDATE certificates SET statement = {bytes}"),
        "UPDATE certificates SET overall = 'complete'".to_owned(),
        "UPDATE certificates SET status_index = status_index + 1".to_owned(),
        "UPDATE certificate_decisions SET status = 'current'".to_owned(),
        "UPDATE status_list_issues SET issued_at = 1".to_owned(),
        "UPDATE logs SET size = size - 1".to_owned(),
        "UPDATE logs SET origin = 'other'".to_owned(),
        format!("UPDATE log_tiles SET data = {bytes}"),
        "UPDATE log_tiles SET n = n + 1".to_owned(),
        "UPDATE evidence_outbox SET created_at = 1".to_owned(),
        "UPDATE holds SET scope = '{}'".to_owned(),
        "UPDATE holds SET sealed = NULL".to_owned(),
        "UPDATE pauses SET name = 'other'".to_owned(),
        "UPDATE restores SET taken_at = 2".to_owned(),
        "UPDATE restores SET forgotten = 0".to_owned(),
        "UPDATE restore_jobs SET restore_id = job_id".to_owned(),
        "UPDATE canaries SET number = number - 1".to_owned(),
        "UPDATE later_looks SET done_at = done_at - 1".to_owned(),
        "UPDATE later_looks SET system = 'other'".to_owned(),
        "UPDATE reappearances SET found_at = found_at + 1".to_owned(),
        "UPDATE reappearances SET state = 'asks', why = 'x', job_id = NULL".to_owned(),
        "UPDATE drills SET began_at = 1".to_owned(),
        "UPDATE drills SET state = 'planting', why = NULL, ended_at = NULL".to_owned(),
        "UPDATE drill_systems SET planted_at = 1".to_owned(),
        "UPDATE drill_systems SET system = 'other'".to_owned(),
        "UPDATE inside_erasures SET reason = 'other'".to_owned(),
        "UPDATE inside_erasures SET state = 'approved', refusal = NULL".to_owned(),
        "UPDATE cases SET plan = '{}'".to_owned(),
        "UPDATE cases SET authors = '[]'".to_owned(),
        "UPDATE jobs SET payload = '{}'".to_owned(),
        "UPDATE jobs SET attempt = attempt - 1".to_owned(),
        "UPDATE jobs SET done = '{}'".to_owned(),
        "UPDATE jobs SET verification = '{}'".to_owned(),
        format!("UPDATE logs SET frontier = {bytes}"),
        format!("UPDATE time_stamps SET answer = {bytes}"),
        "UPDATE time_stamp_chains SET certificates = 'other'".to_owned(),
        "UPDATE log_cosignatures SET line = 'other'".to_owned(),
        "UPDATE logs SET created_at = 1".to_owned(),
        "UPDATE evidence_producers SET entries = entries - 1".to_owned(),
        "UPDATE evidence_producers SET name = 'other'".to_owned(),
        "UPDATE key_epochs SET begun_at = 1".to_owned(),
        "UPDATE data_keys SET created_at = 1".to_owned(),
        "UPDATE evidence_details SET key_id = NULL WHERE key_id IS NOT NULL".to_owned(),
        "UPDATE record_manifests SET created_at = 1".to_owned(),
        "UPDATE record_manifest_chunks SET records = records + 1".to_owned(),
        format!("UPDATE record_manifest_chunks SET hashes = {bytes}"),
        "UPDATE record_manifest_chunks SET previous = id".to_owned(),
    ]
}

async fn triggers_refuse(stage: Stage) {
    fill(&stage).await;
    let sqlite = stage.store.kind() == "sqlite";
    let mut attempts = changes(sqlite);
    let tables = [
        "schedule_fires",
        "log_leaves",
        "log_checkpoints",
        "documents",
        "certificate_topics",
        "attempts",
        "evidence_details",
        "certificates",
        "logs",
        "log_tiles",
        "cases",
        "jobs",
        "holds",
        "pauses",
        "restores",
        "restore_jobs",
        "later_looks",
        "reappearances",
        "drills",
        "drill_systems",
        "inside_erasures",
        "evidence_outbox",
        "time_stamps",
        "time_stamp_chains",
        "log_cosignatures",
        "evidence_producers",
        "certificate_decisions",
        "status_list_issues",
        "key_epochs",
        "data_keys",
        "record_manifests",
        "record_manifest_chunks",
    ];
    for table in tables {
        assert!(stage.rows(table).await > 0, "`{table}` is empty: the test would prove nothing");
        attempts.push(format!("DELETE FROM {table}"));
        if !sqlite {
            attempts.push(format!("TRUNCATE {table} CASCADE"));
        }
    }
    for attempt in attempts {
        let refused = stage.intrude(&attempt).await;
        let Err(words) = refused else { panic!("`{attempt}` was carried out") };
        assert!(
            words.contains("append-only") || words.contains("only grows"),
            "{attempt}: {words}"
        );
    }
}

/// A table, a column of its key with another value, and another column with another value.
const REPLACEABLE: &[(&str, [&str; 2], [&str; 2])] = &[
    ("schedule_fires", ["due_at", "due_at + 1"], ["disposition", "'missed'"]),
    ("log_leaves", ["entry_id", "randomblob(16)"], ["body", "x'00'"]),
    ("log_checkpoints", ["size", "size - 1"], ["note", "x'00'"]),
    ("documents", ["digest", "randomblob(32)"], ["content", "x'00'"]),
    ("certificate_topics", ["name", "'other'"], ["kind", "kind"]),
    ("attempts", ["attempt", "attempt + 1"], ["message", "'other'"]),
    ("evidence_details", ["entry_id", "randomblob(16)"], ["kind", "'other'"]),
    ("certificates", ["id", "randomblob(16)"], ["overall", "'complete'"]),
    ("logs", ["log_id", "'other'"], ["frontier", "x'00'"]),
    ("log_tiles", ["n", "n + 1"], ["data", "zeroblob(64)"]),
    ("cases", ["id", "randomblob(16)"], ["opened_by", "'other'"]),
    ("jobs", ["id", "randomblob(16)"], ["system", "'other'"]),
    ("holds", ["id", "randomblob(16)"], ["reason", "'other'"]),
    ("pauses", ["id", "randomblob(16)"], ["reason", "'other'"]),
    ("evidence_outbox", ["entry_id", "randomblob(16)"], ["body", "x'00'"]),
    ("time_stamps", ["id", "randomblob(16)"], ["answer", "x'00'"]),
    ("time_stamp_chains", ["digest", "randomblob(32)"], ["certificates", "'other'"]),
    ("log_cosignatures", ["signed_at", "signed_at + 1"], ["line", "'other'"]),
    ("evidence_producers", ["name", "'other'"], ["entries", "entries + 1"]),
    ("certificate_decisions", ["number", "number + 1"], ["status", "'current'"]),
    ("status_list_issues", ["entry_id", "randomblob(16)"], ["issued_at", "1"]),
    ("key_epochs", ["epoch", "'2030-01'"], ["begun_at", "1"]),
    ("data_keys", ["id", "randomblob(16)"], ["wrapped", "x'00'"]),
    ("record_manifests", ["job_id", "randomblob(16)"], ["created_at", "1"]),
    ("record_manifest_chunks", ["id", "randomblob(16)"], ["hashes", "zeroblob(64)"]),
];

/// SQLite replaces rows without asking the triggers that refuse to delete them.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replaced() {
    let stage = Stage::sqlite().await;
    fill(&stage).await;
    for (table, key, content) in REPLACEABLE {
        let names = format!("SELECT group_concat(name, ', ') FROM pragma_table_info('{table}')");
        let columns = stage.text(&names).await;
        let every = columns.replace(", ", ") || '/' || quote(");
        let look = format!("SELECT group_concat(quote({every}), ' ') FROM {table}");
        let before = stage.text(&look).await;
        let with = |[column, value]: [&str; 2]| {
            let changed: Vec<&str> =
                columns.split(", ").map(|one| if one == column { value } else { one }).collect();
            changed.join(", ")
        };
        for attempt in [
            format!(
                "INSERT OR REPLACE INTO {table} ({columns}) SELECT {} FROM {table}",
                with(*content)
            ),
            format!("REPLACE INTO {table} ({columns}) SELECT {} FROM {table}", with(*content)),
            format!(
                "INSERT OR REPLACE INTO {table} (rowid, {columns}) SELECT rowid, {} FROM {table}",
                with(*key)
            ),
            format!("UPDATE OR REPLACE {table} SET rowid = rowid + 1"),
        ] {
            match stage.intrude(&attempt).await {
                Ok(rows) => assert_eq!(rows, 0, "{attempt}"),
                Err(words) => assert!(
                    words.contains("append-only") || words.contains("only grows"),
                    "{attempt}: {words}"
                ),
            }
            assert_eq!(stage.text(&look).await, before, "{attempt}");
        }
    }
}

async fn decisions_about_a_case_stay(stage: Stage) {
    let case = NewCase { state: CaseState::AwaitingApproval, ..new_case(1) };
    let id = case.id;
    stage.store.open_case(case, at(0)).await.unwrap();
    let decision = Decision { by: "auditor".to_owned(), reason: "checked".to_owned(), at: at(1) };
    let approved =
        stage.store.approve_case(id, decision, &BTreeSet::new(), Vec::new()).await.unwrap();
    assert_eq!(approved, Approval::Approved);
    let decision = Decision { by: "operator".to_owned(), reason: "wrong".to_owned(), at: at(2) };
    assert!(stage.store.cancel_case(id, decision, Vec::new()).await.unwrap());
    for wrong in [
        "UPDATE cases SET approved_by = 'somebody else'",
        "UPDATE cases SET approved_reason = 'another'",
        "UPDATE cases SET approved_at = NULL, approved_by = NULL",
        "UPDATE cases SET cancelled_by = 'somebody else'",
        "UPDATE cases SET cancelled_reason = 'another'",
        "UPDATE cases SET cancelled_at = NULL, cancelled_by = NULL",
    ] {
        let refused = stage.intrude(wrong).await;
        let Err(words) = refused else { panic!("`{wrong}` was carried out") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
}

async fn shredding_takes_the_sealed_bytes_only(stage: Stage) {
    fill(&stage).await;
    let shred = "UPDATE evidence_details SET sealed = NULL, shredded_at = 99";
    assert_eq!(stage.intrude(shred).await.unwrap(), 2);
    let bytes = if stage.store.kind() == "sqlite" { "x'00'" } else { "'\\x00'" };
    let back = format!("UPDATE evidence_details SET sealed = {bytes}, shredded_at = NULL");
    assert!(stage.intrude(&back).await.is_err());
}

async fn a_released_hold_stays_released(stage: Stage) {
    fill(&stage).await;
    let key = HoldKey::Matter("matter-1".to_owned());
    assert_eq!(stage.store.release_holds(key, "counsel", at(20), Vec::new()).await.unwrap(), 1);
    for wrong in [
        "UPDATE holds SET released_at = NULL, released_by = NULL",
        "UPDATE holds SET released_by = 'somebody else'",
    ] {
        assert!(stage.intrude(wrong).await.is_err(), "`{wrong}` was carried out");
    }
    // Its sealed values are needed no more.
    assert_eq!(stage.intrude("UPDATE holds SET sealed = NULL").await.unwrap(), 1);
}
