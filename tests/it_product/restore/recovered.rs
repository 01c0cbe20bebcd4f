//! Our own database is put back to yesterday, or lost: what was done since comes back from the
//! re-erasure list, nothing is published or carried out before, and a restore of a connected system
//! finds the people of today too.

use std::path::Path;
use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::Quietus;
use quietus::domain::{AskedRight, Clock as _};
use quietus::telemetry::SystemClock;
use serde_json::Value;
use sigstore_verify::PublicKeyVerificationPolicy;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};

use super::house::{ask, copy, house, put_back, rows};
use crate::company::database::{Kind, take_away};
use crate::company::engine::TurnedClock;
use crate::company::{Company, copy_folder, ended};
use crate::proof::restored::Copy;
use crate::request::estate::live;

const MEMBERS: i64 = 20;
/// Erased before the copy of our own database, and after it.
const YESTERDAY: std::ops::RangeInclusive<i64> = 1..=3;
const TODAY: std::ops::RangeInclusive<i64> = 4..=9;
/// Restricted after it.
const RESTRICTED: std::ops::RangeInclusive<i64> = 10..=11;
/// Asked for after it, and held since.
const HELD: i64 = 12;

/// The list with the log, beside the instance.
const LIST: &str = "list";

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            found.extend(files_below(&entry));
        } else {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// A club that keeps a list.
async fn club(store: Kind) -> (Company, Arc<TurnedClock>) {
    let company = house(store, MEMBERS).await;
    let instance = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{instance}evidence: {{re_erasure_list: {LIST}}}\n"));
    let before = SystemClock.now().checked_sub(20.minutes()).unwrap();
    (company, TurnedClock::at(&before.to_string()))
}

async fn erase(
    product: &Quietus,
    clock: &TurnedClock,
    asked: AskedRight,
    who: std::ops::RangeInclusive<i64>,
) {
    for number in who {
        ask(product, asked, number).await;
    }
    live(product, clock, 1.seconds()).await;
}

/// What the store knows of cases, requests, holds and certificates, in words that both databases
/// have.
async fn known(company: &Company) -> Vec<String> {
    let id = |column: &str| match company.store {
        Some(_) => format!("REPLACE(CAST({column} AS TEXT), '-', '')"),
        None => format!("lower(hex({column}))"),
    };
    let mut known = Vec::new();
    for text in [
        format!("SELECT 'case ' || {} || state || COALESCE(outcome, '') FROM cases", id("id")),
        format!("SELECT 'job ' || {} || state || attempt FROM jobs", id("id")),
        format!(
            "SELECT 'request ' || {} || state || COALESCE({}, '') FROM requests",
            id("id"),
            id("sealed")
        ),
        format!("SELECT 'person ' || {} || {} FROM request_persons", id("request_id"), id("tag")),
        format!("SELECT 'hold ' || {} || matter || placed_by FROM holds", id("id")),
        format!(
            "SELECT 'certificate ' || {} || overall || {} FROM certificates",
            id("id"),
            id("envelope")
        ),
        format!("SELECT 'letter ' || {} || kind FROM letters", id("id")),
        format!(
            "SELECT 'detail ' || {} || kind FROM evidence_details WHERE case_id IS NOT NULL",
            id("entry_id")
        ),
        format!("SELECT 'key ' || {} || epoch FROM data_keys WHERE case_id IS NOT NULL", id("id")),
    ] {
        known.extend(company.store_rows(&text).await);
    }
    known.sort();
    known
}

async fn certificates(company: &Company) -> Vec<String> {
    let id = if company.store.is_some() { "CAST(id AS TEXT)" } else { "lower(hex(id))" };
    let rows = company.store_rows(&format!("SELECT {id} FROM certificates")).await;
    let mut ids: Vec<String> =
        rows.iter().map(|id| uuid::Uuid::parse_str(id).unwrap().to_string()).collect();
    ids.sort();
    ids
}

/// What `sigstore-verify`, which nobody here wrote, says of an exported certificate.
fn sigstore(company: &Company, id: &str) -> Result<(), String> {
    let folder = format!("export-{id}");
    let read = |name: &str| company.read(&format!("{folder}/{name}"));
    let bundle = Bundle::from_json(&read("certificate.sigstore.json")).unwrap();
    let root = TrustedRoot::from_json(&read("trusted_root.json")).unwrap();
    let key = DerPublicKey::from_pem(&read("issuer.pub.pem")).unwrap();
    let policy = PublicKeyVerificationPolicy::new(key);
    // The subject of a person's certificate is their opening, whose digest stands in the statement.
    let payload: Value = serde_json::from_str(&read("certificate.sigstore.json")).unwrap();
    let payload = payload["dsseEnvelope"]["payload"].as_str().unwrap().to_owned();
    let statement = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, payload);
    let statement: Value = serde_json::from_slice(&statement.unwrap()).unwrap();
    let digest = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
    let digest = sigstore_verify::types::Sha256Hash::from_hex(digest).unwrap();
    let verified = sigstore_verify::verify(digest, &bundle, &policy, &root);
    let verified = verified.map_err(|error| error.to_string())?;
    if verified.tlog_verified() { Ok(()) } else { Err("the log was not verified".to_owned()) }
}

/// The club at the end of the second day, with everything that will be compared.
struct Days {
    company: Company,
    clock: Arc<TurnedClock>,
    yesterday: Copy,
    taken_at: String,
    known: Vec<String>,
    certificates: Vec<String>,
    signed: (usize, Vec<u8>),
}

async fn two_days(store: Kind) -> Days {
    let (company, clock) = club(store).await;
    let product = company.replica(&clock).await;
    erase(&product, &clock, AskedRight::Erasure, YESTERDAY).await;
    // What was done in the two minutes before a restored state is done again too.
    clock.advance(5.minutes());
    let shown = company.quietus(&["list", "show"]).await.expect(0).out;
    assert!(shown.contains("up to date"), "{shown}");
    copy_folder(&company.path(LIST), &company.path("list-yesterday"), Path::new(""));
    // A database that somebody is connected to cannot be copied.
    product.store.close().await;
    let yesterday = company.copy_store().await;
    let product = company.replica(&clock).await;
    copy(&company, "data/desk.copy").await;
    let taken_at = product.now().to_string();

    let whom = format!("email=p{HELD}@mail.example");
    let hold =
        ["hold", "place", "LIT-2026-7", "--subject", &whom, "--reason", "lawsuit", "--by", "Grace"];
    company.quietus(&hold).await.expect(0);
    erase(&product, &clock, AskedRight::Erasure, TODAY).await;
    erase(&product, &clock, AskedRight::Restriction, RESTRICTED).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    product.store.close().await;
    let shown = company.quietus(&["list", "show"]).await.expect(0).out;
    assert!(shown.contains("up to date"), "{shown}");
    std::fs::copy(company.path("keys/log.head"), company.path("head-of-today")).unwrap();
    let (known, certificates) = (known(&company).await, certificates(&company).await);
    let signed = company.signed();
    Days { company, clock, yesterday, taken_at, known, certificates, signed }
}

/// What is left of the members once everything is done.
fn settled() -> Vec<String> {
    let mut rows: Vec<String> = (10..=MEMBERS)
        .map(|n| if RESTRICTED.contains(&n) { format!("{n} restricted") } else { n.to_string() })
        .collect();
    rows.extend(["visit 4".to_owned(), "visit 5".to_owned()]);
    rows.sort();
    rows
}

/// Everything that stands in the way of somebody who goes on with yesterday's database.
async fn nothing_goes_on(company: &Company, head: &str) {
    let stopped = company.quietus(&["run", "--once"]).await.expect(1).err;
    assert!(stopped.contains("nothing is carried out"), "{stopped}");
    let status = company.quietus(&["log", "status"]).await.expect(1).out;
    for words in ["quietus recover PLACE", "nothing is carried out"] {
        assert!(status.contains(words), "`{words}` is missing in {status}");
    }
    let list = company.path(LIST).join("log");
    let refill = ["log", "refill", list.to_str().unwrap()];
    let refused = company.quietus(&refill).await.expect(2).err;
    assert!(refused.contains("quietus recover"), "{refused}");
    assert_eq!(company.read("keys/log.head"), head, "something was signed");
}

/// Lists that are not the newest one, or not whole, change nothing and are named.
async fn other_lists_are_refused(company: &Company) {
    let before = known(company).await;
    let old = company.path("list-yesterday");
    let refused = company.quietus(&["recover", old.to_str().unwrap()]).await.expect(2).err;
    assert!(refused.contains("does not reach the head"), "{refused}");
    // An older list beside the newest log.
    let mixed = company.path("list-mixed");
    copy_folder(
        &company.path("list-yesterday/re-erasure"),
        &mixed.join("re-erasure"),
        Path::new(""),
    );
    copy_folder(&company.path("list/log"), &mixed.join("log"), Path::new(""));
    let refused = company.quietus(&["recover", mixed.to_str().unwrap()]).await.expect(2).err;
    assert!(refused.contains("more time(s) after index"), "{refused}");
    // A changed entry, and a missing one.
    let broken = company.path("list-broken");
    copy_folder(&company.path(LIST), &broken, Path::new(""));
    let entries = files_below(&broken.join("re-erasure/entries"));
    assert!(entries.len() > 10, "{entries:?}");
    let mut bytes = std::fs::read(&entries[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&entries[0], bytes).unwrap();
    std::fs::remove_file(&entries[1]).unwrap();
    let refused = company.quietus(&["recover", broken.to_str().unwrap()]).await.expect(2).err;
    for (file, words) in [(&entries[0], "is not the entry"), (&entries[1], "is missing")] {
        let line = refused.lines().find(|line| line.contains(file.to_str().unwrap()));
        assert!(line.is_some_and(|line| line.contains(words)), "{refused}");
    }
    assert_eq!(known(company).await, before, "something was changed");
}

async fn nothing_is_lost(store: Kind) {
    let days = two_days(store).await;
    let company = &days.company;
    let log = company.logs().await.remove(0);
    let head = company.read("keys/log.head");
    company.put_back(&days.yesterday).await;
    nothing_goes_on(company, &head).await;
    other_lists_are_refused(company).await;

    let list = company.path(LIST);
    let recover = ["recover", list.to_str().unwrap(), "--by", "Ada Example"];
    let dry = [&recover[..], &["--dry-run"]].concat();
    let dry = company.quietus(&dry).await.expect(0).out;
    assert!(dry.contains("nothing was changed"), "{dry}");
    for point in ["17", "18", "10"] {
        let mut command = company.command(&recover);
        command.env("QUIETUS_CRASH_POINT", point);
        assert_eq!(ended(command).await.code, -1, "it dies at point {point}");
        if point != "10" {
            company.quietus(&["log", "status"]).await.expect(1);
            let stopped = company.quietus(&["run", "--once"]).await.expect(1).err;
            assert!(stopped.contains("nothing is carried out"), "{stopped}");
        }
    }
    // The last one died behind the last leaf: nothing is lost any more, and it says so.
    let done = company.quietus(&recover).await;
    assert!(done.code == 0 || done.err.contains("has lost nothing"), "{}", done.err);
    company.quietus(&["log", "status"]).await.expect(0);
    company.quietus(&["list", "export"]).await.expect(0);
    everything_is_there(&days, &log).await;
    the_people_of_today_go_again(&days).await;
}

async fn everything_is_there(days: &Days, log: &str) {
    let company = &days.company;
    assert_eq!(known(company).await, days.known);
    let (size, root) = &days.signed;
    assert!(company.continues(log, *size, root).await, "what was released is not continued");
    company.check_log().await;
    assert_eq!(certificates(company).await, days.certificates);
    for id in &days.certificates {
        company.certificate(id).await;
        assert_eq!(sigstore(company, id), Ok(()), "{id}");
    }
    go_says_that_it_continues(company, log).await;
    let holds = company.quietus(&["hold", "list"]).await.expect(0).out;
    assert!(holds.contains("LIT-2026-7"), "{holds}");
    company.quietus(&["audit", "replay", "--details"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    let shown = company.quietus(&["list", "show"]).await.expect(0).out;
    assert!(shown.contains("up to date"), "{shown}");
}

/// What Go's `sumdb/note` and `tlog`, which nobody here wrote, say of the head that was signed before
/// and of the files of the log now; not in a quick run.
async fn go_says_that_it_continues(company: &Company, log: &str) {
    let trust = company.path("trust");
    let to = trust.to_str().unwrap();
    company.quietus(&["keys", "trust", "--to", to]).await.expect(0);
    let files = company.path(LIST).join("log").join(log.rsplit('/').next().unwrap());
    let Some(folder) = std::env::var_os("QUIETUS_TEST_FOREIGN") else { return };
    let program = Path::new(&folder).join("continues");
    if !program.exists() {
        assert!(Path::new(&folder).join("not-run").exists(), "Go's tlog is not named as not run");
        return;
    }
    let say = |earlier: &Path| {
        let mut command = std::process::Command::new(&program);
        let output = command.arg(trust.join("log.vkeys")).arg(earlier).arg(&files).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let said = say(&company.path("head-of-today"));
    assert!(said.starts_with("continues "), "{said}");
    // The search is awake: a head of another history is refused.
    let other = company.path("other-head");
    let text = std::fs::read_to_string(company.path("head-of-today")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1] = "1";
    std::fs::write(&other, lines.join("\n") + "\n").unwrap();
    assert!(say(&other).starts_with("refused"), "a changed head is accepted");
}

/// A connected system is restored to before today: whom today's certificates name goes again.
async fn the_people_of_today_go_again(days: &Days) {
    let company = &days.company;
    put_back(company, "data/desk.copy");
    let again = rows(company).await;
    assert!(again.contains(&"4".to_owned()) && again.contains(&"10".to_owned()), "{again:?}");
    let begin = ["restore", "begin", "desk", "--taken-at", &days.taken_at, "--reason", "disk lost"];
    let said = company.quietus(&begin).await.expect(0).out;
    assert!(said.contains("8 case(s) of persons are done again"), "{said}");
    company.quietus(&["restore", "carry-out", "desk"]).await.expect(0);
    company.quietus(&["restore", "open", "desk", "--by", "Ada Example"]).await.expect(0);
    assert_eq!(rows(company).await, settled());
    // The hold that was placed today holds: who asks meanwhile stays.
    let product = company.replica(&days.clock).await;
    days.clock.advance(3.minutes());
    erase(&product, &days.clock, AskedRight::Erasure, HELD..=HELD).await;
    product.store.close().await;
    assert!(rows(company).await.contains(&HELD.to_string()), "the hold is lost");
    company.check_log().await;
}

/// The database is gone altogether; the keys are there.
async fn a_lost_database_comes_back(store: Kind) {
    let days = two_days(store).await;
    let company = &days.company;
    let log = company.logs().await.remove(0);
    let head = company.read("keys/log.head");
    match &company.store {
        None => take_away(&company.path("quietus.db")),
        Some(database) => {
            database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        }
    }
    nothing_goes_on(company, &head).await;
    let list = company.path(LIST);
    let recover = ["recover", list.to_str().unwrap(), "--by", "Ada Example"];
    let done = company.quietus(&recover).await.expect(0).out;
    assert!(done.contains("are back"), "{done}");
    company.quietus(&["log", "status"]).await.expect(0);
    everything_is_there(&days, &log).await;
    the_people_of_today_go_again(&days).await;
}

/// A process that dies while it writes the list leaves one from which everything comes back.
async fn killed_while_it_is_written(store: Kind) {
    let points: &[&str] =
        if store == Kind::Sqlite { &["19", "20", "10", "11"] } else { &["20", "11"] };
    for point in points {
        let (company, clock) = club(store).await;
        let product = company.replica(&clock).await;
        erase(&product, &clock, AskedRight::Erasure, YESTERDAY).await;
        product.store.close().await;
        let yesterday = company.copy_store().await;
        let product = company.replica(&clock).await;
        for number in TODAY {
            ask(&product, AskedRight::Erasure, number).await;
        }
        clock.advance(1.minutes());
        product.advance_requests().await.unwrap();
        product.store.close().await;
        let mut command = company.command(&["run", "--once"]);
        command.env("QUIETUS_CRASH_POINT", point);
        assert_eq!(ended(command).await.code, -1, "it dies at point {point}");
        company.put_back(&yesterday).await;
        let status = company.quietus(&["log", "status"]).await;
        if status.code == 0 {
            // It died before anything of today was published: nothing that was promised is lost.
            continue;
        }
        let list = company.path(LIST);
        company.quietus(&["recover", list.to_str().unwrap()]).await.expect(0);
        company.quietus(&["log", "status"]).await.expect(0);
        company.quietus(&["run", "--once"]).await.expect(0);
        company.check_log().await;
        company.quietus(&["audit", "replay"]).await.expect(0);
    }
}

crate::proof::restored::on_both! {
    nothing_is_lost a_lost_database_comes_back killed_while_it_is_written
}
