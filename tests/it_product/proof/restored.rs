//! Yesterday's database is put back: nothing is signed, and there are two ways on.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quietus::evidence::leaf::read_leaf;
use serde_json::Value;

use crate::company::database::{Database, Kind, Raw, take_away};
use crate::company::engine::TurnedClock;
use crate::company::{Company, heap};

/// A copy of the store as it was.
pub enum Copy {
    File(std::path::PathBuf),
    Database(Database),
}

/// The same URL with another name of a database.
fn name_of(url: &str) -> String {
    url.rsplit('/').next().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the environment says where the test servers are")]
async fn administrator() -> Raw {
    Raw::open(Kind::Postgres, &std::env::var("QUIETUS_TEST_POSTGRES_URL").unwrap()).await
}

impl Company {
    /// Copies the store.
    pub async fn copy_store(&self) -> Copy {
        let Some(store) = &self.store else {
            let path = self.path("early.db");
            self.store_rows(&format!("VACUUM INTO '{}'", path.display())).await;
            return Copy::File(path);
        };
        let copy = Database::fresh(Kind::Postgres, Path::new("")).await;
        copy_database(&name_of(&store.url), &name_of(&copy.url)).await;
        Copy::Database(copy)
    }

    /// Puts a copy back in place of the store.
    pub async fn put_back(&self, copy: &Copy) {
        match copy {
            Copy::Database(copy) => {
                let store = self.store.as_ref().unwrap();
                copy_database(&name_of(&copy.url), &name_of(&store.url)).await;
            }
            Copy::File(path) => {
                take_away(&self.path("quietus.db"));
                std::fs::copy(path, self.path("quietus.db")).unwrap();
            }
        }
    }

    /// Size and root of the head beside the key.
    pub fn signed(&self) -> (usize, Vec<u8>) {
        let note = self.read("keys/log.head");
        let mut lines = note.lines().skip(1);
        let size = lines.next().unwrap().parse().unwrap();
        (size, STANDARD.decode(lines.next().unwrap()).unwrap())
    }

    /// Origins of all logs, oldest first.
    pub async fn logs(&self) -> Vec<String> {
        self.store_rows("SELECT log_id FROM logs ORDER BY logs.created_at, logs.log_id").await
    }
}

async fn copy_database(from: &str, to: &str) {
    let mut admin = administrator().await;
    admin.run(&format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)")).await;
    // The source must have no other connection; those of a process that has just ended go by and by.
    for _ in 0..100 {
        if admin.attempt(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the store could not be copied");
}

async fn paused(company: &Company, code: i32) -> String {
    let pause = ["pause", "system", "heap", "--by", "Grace", "--reason", "test"];
    company.quietus(&pause).await.expect(code).err
}

async fn resumed(company: &Company, code: i32) -> String {
    let resume = ["resume", "system", "heap", "--by", "Grace"];
    company.quietus(&resume).await.expect(code).err
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap().path(), to);
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

/// A company whose database of before the second certificate is put back; the copies of its exports
/// before and after.
async fn put_back(store: Kind) -> (Company, (usize, Vec<u8>)) {
    let company = heap::company(store, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let export = company.path("export");
    let export = export.to_str().unwrap();
    company.quietus(&["log", "export", export]).await.expect(0);
    copy_folder(&company.path("export"), &company.path("export-early"));
    let copy = company.copy_store().await;
    paused(&company, 0).await;
    resumed(&company, 0).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.quietus(&["log", "export", export]).await.expect(0);
    let signed = company.signed();
    company.put_back(&copy).await;
    (company, signed)
}

async fn leaves(company: &Company) -> usize {
    company.count_of("log_leaves").await
}

async fn noticed_and_filled_up(store: Kind) {
    let (company, (size, root)) = put_back(store).await;
    let log = company.logs().await.remove(0);
    let before = leaves(&company).await;
    assert!(before < size);

    // It stops, says how to go on, and appends nothing.
    let error = paused(&company, 1).await;
    assert!(error.contains("the head of the evidence log is not signed"), "{error}");
    assert!(error.contains("`quietus log status`"), "{error}");
    let status = company.quietus(&["log", "status"]).await.expect(1).out;
    for words in ["the store may be an older copy", "quietus log refill", "quietus log succeed"] {
        assert!(status.contains(words), "`{words}` is missing in {status}");
    }
    assert_eq!(leaves(&company).await, before);

    // Files that do not lead to the signed head change nothing.
    let early = company.path("export-early");
    let short = company.quietus(&["log", "refill", early.to_str().unwrap()]).await.expect(2).err;
    assert!(short.contains("does not reach the head"), "{short}");
    copy_folder(&company.path("export"), &company.path("export-forged"));
    let entries = company.path("export-forged").join(log.rsplit('/').next().unwrap());
    let entries = entries.join(format!("tile/entries/000.p/{size}"));
    let mut bytes = std::fs::read(&entries).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(&entries, bytes).unwrap();
    let forged = company.path("export-forged");
    let forged = company.quietus(&["log", "refill", forged.to_str().unwrap()]).await.expect(2).err;
    assert!(forged.contains("do not lead"), "{forged}");
    assert_eq!(leaves(&company).await, before);

    let export = company.path("export");
    let export = export.to_str().unwrap();
    let done = company.quietus(&["log", "refill", export]).await.expect(0).out;
    assert!(done.contains(&format!("{} entries are back", size - before)), "{done}");
    company.quietus(&["log", "status"]).await.expect(0);
    company.check_log().await;
    assert!(company.continues(&log, size, &root).await, "what was released is not continued");
    assert!(leaves(&company).await > size, "what arrived in the meantime came after");
    let again = company.quietus(&["log", "refill", export]).await.expect(2).err;
    assert!(again.contains("has lost nothing"), "{again}");

    // Nothing is missing but the details that only the lost database had.
    let counted = company.quietus(&["audit", "replay", "--details"]).await.expect(0).out;
    assert!(counted.contains("log.refilled") && counted.contains("no detail"), "{counted}");

    // Everything goes on, in the same log.
    resumed(&company, 0).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
    company.check_log().await;
    company.quietus(&["log", "export", export]).await.expect(0);
    assert_eq!(company.logs().await, [log]);
}

/// The first leaf of a log, opened.
pub async fn first_leaf(company: &Company, log: &str) -> Value {
    let product = company.replica(&TurnedClock::at("2026-11-29T00:00:00Z")).await;
    let leaf = read_leaf(&company.leaves_of(log).await[0]).unwrap();
    let detail = product.store.detail(leaf.spec.detail_sha256).await.unwrap().unwrap();
    let opened = product.open_detail(&detail).unwrap().unwrap();
    product.store.close().await;
    serde_json::from_str::<Value>(&opened).unwrap()["detail"].clone()
}

async fn succeeded(store: Kind) {
    let (company, (size, root)) = put_back(store).await;
    let log = company.logs().await.remove(0);
    let found = leaves(&company).await;
    paused(&company, 1).await;
    let succeed = ["log", "succeed", "--reason", "ticket 4711", "--by", "Grace"];
    let done = company.quietus(&succeed).await.expect(0).out;
    assert!(done.contains("is closed"), "{done}");
    company.quietus(&["log", "status"]).await.expect(0);
    let logs = company.logs().await;
    assert_eq!(logs, [log.clone(), format!("{log}-2")]);

    // What was there stays; the successor has what waited, and names the break first.
    assert_eq!(company.leaves_of(&log).await.len(), found);
    let opened = first_leaf(&company, &logs[1]).await;
    assert_eq!(opened["origin"], logs[1]);
    let broken = &opened["break"];
    let hexadecimal: Vec<String> = root.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(broken["released"]["origin"], log);
    assert_eq!(broken["released"]["size"], size);
    assert_eq!(broken["released"]["root"], hexadecimal.concat());
    assert_eq!(broken["found"]["size"], found);
    assert_eq!(broken["reason"], "ticket 4711");
    assert!(broken["released"]["checkpoint"].as_str().unwrap().starts_with(&log));

    company.certificate("latest").await;
    resumed(&company, 0).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    company.certificate("latest").await;
    company.check_log().await;
    let again = company.quietus(&succeed).await.expect(2).err;
    assert!(again.contains("nothing to succeed"), "{again}");
}

/// Somebody had the copy grow without the head beside the key, and put that head back later.
async fn grown_past_what_was_signed(store: Kind) {
    let (company, _) = put_back(store).await;
    let (head, aside) = (company.path("keys/log.head"), company.path("aside"));
    std::fs::rename(&head, &aside).unwrap();
    paused(&company, 0).await;
    std::fs::rename(&aside, &head).unwrap();
    let export = company.path("export");
    let before = leaves(&company).await;
    let refused = company.quietus(&["log", "refill", export.to_str().unwrap()]).await.expect(2).err;
    assert!(refused.contains("do not lead") && refused.contains("log succeed"), "{refused}");
    assert_eq!(leaves(&company).await, before);
    let succeed = ["log", "succeed", "--reason", "ticket 4712", "--by", "Grace"];
    company.quietus(&succeed).await.expect(0);
    resumed(&company, 0).await;
    company.quietus(&["log", "status"]).await.expect(0);
    company.check_log().await;
}

/// The files lead further than the head beside the key, and whoever puts them back dies in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_built_upon_what_was_put_back_in_part() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await;
    company.quietus(&["run", "--once"]).await.expect(0);
    let copy = company.copy_store().await;
    paused(&company, 0).await;
    let early = company.read("keys/log.head");
    // More than a bundle of entries comes after it.
    company.store_rows(&super::entries_without_words(300)).await;
    resumed(&company, 0).await;
    let (log, export) = (company.logs().await.remove(0), company.path("export"));
    let export = export.to_str().unwrap();
    company.quietus(&["log", "export", export]).await.expect(0);
    let (size, root) = company.signed();
    company.put_back(&copy).await;
    company.write("keys/log.head", &early);
    let before = company.signed().0;
    assert!(leaves(&company).await < before && before < 256 && size > 300);

    let dies = "CREATE TRIGGER dies BEFORE INSERT ON log_leaves WHEN NEW.idx >= 256
        BEGIN SELECT RAISE(ABORT, 'dies'); END";
    company.store_rows(dies).await;
    let refill = company.quietus(&["log", "refill", export]).await;
    assert_ne!(refill.code, 0, "{}", refill.out);
    assert_eq!(leaves(&company).await, 256, "all that the earlier head covers, and more");
    company.store_rows("DROP TRIGGER dies").await;
    let error = paused(&company, 1).await;
    assert!(error.contains("the head of the evidence log is not signed"), "{error}");
    assert_eq!(leaves(&company).await, 256);
    assert_eq!(company.signed(), (size, root.clone()));

    company.quietus(&["log", "refill", export]).await.expect(0);
    company.check_log().await;
    assert!(company.continues(&log, size, &root).await, "what was signed is not continued");
    resumed(&company, 0).await;
    company.quietus(&["log", "status"]).await.expect(0);
}

macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::company::database::Kind::Sqlite).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() { super::$name(crate::company::database::Kind::Postgres).await; })*
        }
    };
}
pub(crate) use on_both;

on_both! { noticed_and_filled_up succeeded grown_past_what_was_signed }
