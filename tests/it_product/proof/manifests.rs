//! Whoever has a record's reference can have it proven that the record was in a run, by two inclusion
//! proofs; nobody learns anything else, a crash loses nothing, and shredding ends it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::company::database::{Database, Kind};
use crate::company::table::Column;
use crate::company::{Company, Ended, ended, heap};
use crate::privacy::forms;
use crate::privacy::haystack::Haystack;

/// A key that nothing else looks like.
const PLANTED: &str = "QUOKKA-7781=ä, b";
/// How many records are due, in chunks of ten.
const OLD: usize = 25;

const MAP: &str = "pace: { chunk_records: 10 }
collections:
  members:
    key: card
    fields:
      card: { type: text, identity: card_number }
      body: { type: text, category: note.body }
      made_at: { type: timestamp }
    starting_points: { collection: made_at }
    manifest: records
  visits:
    key: id
    fields:
      id: { type: integer, identity: visit_number }
      body: { type: text, category: note.body }
      made_at: { type: timestamp }
    starting_points: { collection: made_at }
";

/// A club with 25 members that are due and three that are not, and two visits of which one is.
async fn club(store: Kind, kind: Kind) -> Company {
    let mut company = Company::new(store).await;
    company.write("schedules/notes.yaml", &heap::rules(heap::WIDE));
    let database = company.add_system("club", kind, MAP).await;
    let (text, moment) = (Column::Text.native(kind), Column::Moment.native(kind));
    let (old, young) = ("'2020-01-01 00:00:00'", "'2090-01-01 00:00:00'");
    let mut rows = vec![format!("('{PLANTED}', 'a note', {old})")];
    rows.extend((1..OLD).map(|number| format!("('card-{number:02}', 'a note', {old})")));
    rows.extend((1..=3).map(|number| format!("('young-{number}', 'a note', {young})")));
    for statement in [
        format!(
            "CREATE TABLE members (card {text} NOT NULL PRIMARY KEY, body {text}, made_at {moment} NOT NULL)"
        ),
        format!(
            "CREATE TABLE visits (id BIGINT NOT NULL PRIMARY KEY, body {text}, made_at {moment} NOT NULL)"
        ),
        format!("INSERT INTO members VALUES {}", rows.join(", ")),
        format!("INSERT INTO visits VALUES (1, 'x', {old}), (2, 'x', {young})"),
    ] {
        database.run(&statement).await;
    }
    company
}

/// `quietus run --once`; where a point is given it dies there.
async fn run(company: &Company, point: Option<u8>) -> Ended {
    let mut command = company.command(&["--log", "trace", "run", "--once"]);
    if let Some(point) = point {
        command.env("QUIETUS_LEASE_MS", "2000").env("QUIETUS_CRASH_POINT", point.to_string());
    }
    ended(command).await
}

/// Asks whether a record was in the run of a case; the proof is in the folder of this name.
async fn ask(company: &Company, case: &str, (table, key): (&str, &str), to: &str) -> Ended {
    company.write("secrets/key", &format!("{key}\n"));
    let (file, to) = (company.path("secrets/key"), company.path(to));
    let (file, to) = (file.to_str().unwrap(), to.to_str().unwrap());
    let at = ["--system", "club", "--collection", table, "--key-file", file, "--to", to];
    company.quietus(&[&["audit", "record", "--case", case][..], &at].concat()).await
}

async fn proven(company: &Company, case: &str, card: &str, to: &str) -> PathBuf {
    let key = format!("card={card}");
    let said = ask(company, case, ("members", &key), to).await.expect(0);
    assert!(said.out.contains("it was in this run"), "{}", said.out);
    company.path(to)
}

fn detail(proof: &Path) -> Value {
    let bytes = std::fs::read(proof.join("detail.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["detail"].take()
}

async fn verified(company: &Company, proof: &Path, more: &[&str]) -> Ended {
    company.quietus(&[&["verify", proof.to_str().unwrap()][..], more].concat()).await
}

/// A shell in the folder of the proof, with the tools of others only.
fn shell(folder: &Path, script: &str) -> Result<String, String> {
    let output = std::process::Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(out)
    } else {
        Err(out + &String::from_utf8_lossy(&output.stderr))
    }
}

/// The commands that the instructions tell people to type, one after the other.
fn typed_commands(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("VERIFY.txt")).unwrap();
    let (_, by_hand) = text.split_once("3. By hand").unwrap();
    let lines = by_hand.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Whoever has nothing of ours comes to the same answer, step by step.
fn checked_by_others(folder: &Path) {
    let said = shell(folder, "sh verify.sh .").expect("accepted");
    assert_eq!(said.matches("PASS").count(), 4, "{said}");
    let said = shell(folder, &typed_commands(folder)).expect("all commands work");
    let lines: Vec<&str> = said.lines().collect();
    let entry = quietus::domain::Digest::of(
        &["record.salt", "record.json"]
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .concat(),
    );
    assert!(lines[0].starts_with(&entry.to_string()), "{said}");
    assert_eq!(lines[1], lines[2], "{said}");
    assert_eq!(lines[3..], ["True", "True"], "{said}");
}

/// One byte of any file, and neither our verifier nor the script accepts it.
async fn one_changed_byte_fails(company: &Company, folder: &Path) {
    for (name, at) in [
        ("record.json", "QUOKKA"),
        ("record.json", "club"),
        ("record.salt", ""),
        ("detail.json", "manifestRoot\":\""),
        ("detail.json", "lastChunks\":[\""),
        ("leaf.json", "detailSha256\":\""),
        ("checkpoint", "\n"),
        ("record-proof.json", "\"path\": [\n      \""),
    ] {
        let path = folder.join(name);
        let good = std::fs::read(&path).unwrap();
        let begin =
            good.windows(at.len().max(1)).position(|one| at.is_empty() || one == at.as_bytes());
        let mut bad = good.clone();
        let byte = begin.unwrap_or_else(|| panic!("`{at}` is not in {name}")) + at.len();
        bad[byte] = if bad[byte] == b'1' { b'2' } else { b'1' };
        std::fs::write(&path, bad).unwrap();
        let said = verified(company, folder, &[]).await.expect(1);
        assert!(said.out.contains("do not rely on this proof"), "{name}: {}", said.out);
        assert!(shell(folder, "sh verify.sh .").is_err(), "{name} after `{at}`");
        std::fs::write(&path, good).unwrap();
    }
    verified(company, folder, &[]).await.expect(0);
}

/// Nothing that is kept or said has the key of a record.
async fn nothing_names_it(company: &Company, heard: &[(&str, &Ended)]) {
    let server = Database::fresh(Kind::Postgres, Path::new("")).await;
    let forms = forms::of(PLANTED, &server).await;
    let mut haystack = Haystack(Vec::new());
    for (what, ended) in heard {
        haystack.heard(what, ended);
    }
    haystack.files(company);
    haystack.store(company).await;
    let found = haystack.search(&forms);
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The search is awake.
    haystack.0.push(("planted".to_owned(), PLANTED.as_bytes().to_vec()));
    assert!(!haystack.search(&forms).is_empty());
}

async fn records_are_proven(store: Kind, kind: Kind) {
    let company = club(store, kind).await;
    let ran = run(&company, None).await.expect(0);
    let case = company.latest_case().await;
    let database = company.database("club");
    let cards = database.rows("SELECT card FROM members ORDER BY card").await;
    assert_eq!(cards, ["young-1", "young-2", "young-3"]);

    let folder = proven(&company, &case, PLANTED, "proof").await;
    let said = detail(&folder);
    let (listed, deleted) = (OLD.to_string(), OLD.to_string());
    assert_eq!((&said["entries"], &said["deleted"]), (&listed.into(), &deleted.into()));
    assert_eq!((&said["difference"], &said["case"]), (&Value::Null, &Value::from(case.clone())));
    let root = folder.join("trusted_root.json");
    let trusted = ["--trusted-root", root.to_str().unwrap(), "--require-trust"];
    let out = verified(&company, &folder, &trusted).await.expect(0).out;
    for step in ["record", "run", "manifest", "listed", "leaf", "trusted-root", "checkpoint"] {
        assert!(out.contains(&format!("  {step}")), "`{step}` is missing in {out}");
    }
    assert!(out.contains("8 passed, 0 failed, 1 not checked"), "{out}");
    assert!(!out.contains("QUOKKA"), "{out}");
    verified(&company, &folder, &["--require-trust"]).await.expect(1);
    verified(&company, &folder, &["--format", "json"]).await.expect(0);
    checked_by_others(&folder);
    one_changed_byte_fails(&company, &folder).await;

    // Each that went, and nobody else.
    for number in [1, 11, 24] {
        let again = proven(&company, &case, &format!("card-{number:02}"), "another").await;
        verified(&company, &again, &[]).await.expect(0);
    }
    for card in ["young-1", "nobody", "quokka-7781=ä, b"] {
        let key = format!("card={card}");
        let none = ask(&company, &case, ("members", &key), "none").await.expect(1);
        assert_eq!(none.out.trim(), "it was not in this run");
    }
    let none = ask(&company, &case, ("visits", "1"), "none").await.expect(1);
    assert!(none.out.contains("kept no manifest of that collection"), "{}", none.out);
    for (table, key, words) in [
        ("members", "id=1", "the key of `members` is (card)"),
        ("nothing", "1", "it had `members`, `visits`"),
    ] {
        let wrong = if key == "id=1" { "card=1\nid=1" } else { key };
        let wrong = ask(&company, &case, (table, wrong), "none").await.expect(2);
        assert!(wrong.err.contains(words), "{}", wrong.err);
    }
    assert!(!company.path("none").exists(), "nothing is written of what is not proven");
    company.quietus(&["audit", "replay", "--details"]).await.expect(0);
    shredded(&company, &case, &ran).await;
}

/// The end of it, and that no trace of the key was left before.
async fn shredded(company: &Company, case: &str, ran: &Ended) {
    let kept = company.path("proof");
    let aside = tempfile::tempdir().unwrap();
    let moved = aside.path().join("proof");
    std::fs::rename(&kept, &moved).unwrap();
    std::fs::remove_dir_all(company.path("another")).unwrap();
    nothing_names_it(company, &[("run", ran)]).await;

    let shred = ["evidence", "shred", "--case", case, "--reason", "asked for"];
    let said = company.quietus(&shred).await.expect(0);
    assert!(said.out.contains("1 manifest(s) of records"), "{}", said.out);
    let said = company.quietus(&shred).await.expect(0);
    assert!(said.out.contains("nothing to shred"), "{}", said.out);
    let left = "SELECT CAST(COUNT(*) AS TEXT) FROM record_manifest_chunks WHERE hashes IS NOT NULL";
    assert_eq!(company.store_rows(left).await, ["0"]);
    let key = format!("card={PLANTED}");
    let gone = ask(company, case, ("members", &key), "none").await.expect(1);
    assert!(gone.out.contains("the manifest of this run was shredded at 2"), "{}", gone.out);
    // What was handed out stands.
    verified(company, &moved, &[]).await.expect(0);
    company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_postgresql() {
    records_are_proven(Kind::Postgres, Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_mariadb() {
    records_are_proven(Kind::Sqlite, Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sqlite() {
    records_are_proven(Kind::Sqlite, Kind::Sqlite).await;
}

/// The points between the first chunk and the end: begun, committed and unknown, known, written down
/// and not committed, answered, verified, settled.
const POINTS: [u8; 7] = [2, 3, 4, 14, 5, 6, 7];

async fn nothing_is_lost_in_a_crash(store: Kind, kind: Kind) {
    for point in POINTS {
        let company = club(store, kind).await;
        let killed = run(&company, Some(point)).await;
        assert_eq!(killed.code, -1, "point {point}\n{}\n{}", killed.out, killed.err);
        run(&company, None).await.expect(0);
        let case = company.oldest_case().await;
        for card in [PLANTED, "card-01", "card-12", "card-24"] {
            let proof = proven(&company, &case, card, "proof").await;
            verified(&company, &proof, &[]).await.expect(0);
            let said = detail(&proof);
            assert_eq!(said["entries"], OLD.to_string(), "point {point}");
            assert_eq!(said["deleted"], OLD.to_string(), "point {point}");
        }
        let young = ask(&company, &case, ("members", "card=young-2"), "none").await.expect(1);
        assert!(young.out.contains("not in this run"), "{}", young.out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_of_sqlite() {
    nothing_is_lost_in_a_crash(Kind::Sqlite, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_of_mariadb() {
    nothing_is_lost_in_a_crash(Kind::Postgres, Kind::MariaDb).await;
}

/// Whoever takes a chunk out of the store cannot make it look whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named() {
    let company = club(Kind::Sqlite, Kind::Sqlite).await;
    assert_eq!(run(&company, Some(4)).await.code, -1);
    company.store_rows("DROP TRIGGER record_manifest_chunks_no_delete").await;
    company.store_rows("DELETE FROM record_manifest_chunks").await;
    run(&company, None).await.expect(0);
    let case = company.oldest_case().await;
    let proof = proven(&company, &case, "card-24", "proof").await;
    let said = detail(&proof);
    assert_eq!((&said["entries"], &said["deleted"]), (&"15".into(), &"25".into()));
    assert!(said["difference"].as_str().unwrap().contains("25 deletions were reported"));
    let out = verified(&company, &proof, &[]).await.expect(0).out;
    assert!(out.contains("25 deletions were reported and 15 are listed: ask why"), "{out}");
    let lost = ask(&company, &case, ("members", "card=card-01"), "none").await.expect(1);
    assert!(lost.out.contains("it may have been one of the others"), "{}", lost.out);

    // After the end it does not fit what the log says.
    company.store_rows("DELETE FROM record_manifest_chunks").await;
    let gone = ask(&company, &case, ("members", "card=card-24"), "none").await.expect(1);
    assert!(gone.err.contains("another root than the log says"), "{}{}", gone.out, gone.err);
}

/// A manifest and partitions that are dropped do not go together, and whoever writes it is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_of_dropped_partitions_is_refused() {
    let company = club(Kind::Sqlite, Kind::Sqlite).await;
    let map = MAP.replacen("manifest: records", "manifest: records\n    partitions: drop", 1);
    company.change_map("club", &map);
    let refused = company.quietus(&["check"]).await.expect(2);
    let said = refused.out + &refused.err;
    assert!(
        said.contains("a manifest lists records") && said.contains("partitions: records"),
        "{said}"
    );
}
