//! MUST SHOW 8: a system that says "deleted" and did not is found out, and no certificate claims
//! what is not so.

use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::{Company, heap};

/// Profiles of which one category is due and another is not: they are cleared, not deleted.
const PROFILES: &str = "\
collections:
  profiles:
    key: id
    fields:
      id: { type: integer }
      email: { type: text, identity: email, category: profile.contact, clear: { unique: erased- } }
      address: { type: text, category: profile.address }
      made_at: { type: timestamp }
    starting_points:
      collection: made_at
";

const PROFILE_RULES: &str = "\
pack: profiles
version: \"1\"
owner: Ada Example
categories:
  profile.address: { purpose: to deliver }
  profile.contact: { purpose: to reach }
schedules: { nightly: { cron: \"30 2 * * *\", zone: Europe/Berlin } }
schedule: nightly
cap: { records: unlimited, share: unlimited }
rules:
  - rule: address-after-a-month
    category: profile.address
    starting_point: collection
    period: P1M
    action: erase
    basis: { citation: \"GDPR Art. 6(1)(b)\" }
  - rule: contact-after-a-life
    category: profile.contact
    starting_point: collection
    period: P90Y
    action: erase
    basis: { citation: \"GDPR Art. 6(1)(b)\" }
";

async fn profiles(kind: Kind, lie: &str) -> Company {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/profiles.yaml", PROFILE_RULES);
    let database = company.add_system("liar", kind, PROFILES).await;
    let text = kind.pick("TEXT", "VARCHAR(100)", "TEXT");
    let moment = kind.pick("TIMESTAMPTZ", "DATETIME(6)", "TEXT");
    database
        .run(&format!(
            "CREATE TABLE profiles (id BIGINT NOT NULL PRIMARY KEY, email {text} NOT NULL, \
             address {text}, made_at {moment} NOT NULL)"
        ))
        .await;
    database
        .run(
            "INSERT INTO profiles VALUES (1, 'a@mail.example', 'Street 1', '2020-01-01 00:00:00'), \
             (2, 'b@mail.example', 'Street 2', '2020-01-01 00:00:00')",
        )
        .await;
    for statement in lie.split(";;") {
        database.run(statement).await;
    }
    company
}

/// The run fails, says so, and every certificate of it says so as well. Nothing is matched twice.
async fn is_found_out(company: &Company, system: &str, collection: &str) {
    let run = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(run.out.contains("verification found survivors"), "{}\n{}", run.out, run.err);
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "failed");
    let left: u64 = certificate
        .statements()
        .iter()
        .filter(|one| one["system"]["id"] == system && one["collection"] == collection)
        .map(|one| one["records"]["left"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    assert!(left > 0, "the certificate says how many are left: {:?}", certificate.counts());
    let due = if system == "heap" { 40 } else { 2 };
    for one in certificate.statements() {
        let matched: u64 = one["records"]["matched"].as_str().unwrap().parse().unwrap();
        assert!(matched <= due, "{matched} of {due} records matched: {:?}", certificate.counts());
    }
    for one in certificate.statements() {
        assert_eq!(one["outcome"], "failed");
        // Each statement speaks for what was looked for under its own name.
        let absent = one["verification"]["result"] == "absent";
        assert!(!absent || one["records"]["left"] == "0", "{one}");
        assert!(one["failure"]["reason"].as_str().unwrap().contains("survivors"));
    }
    let list = company.quietus(&["certificate", "list"]).await.expect(0);
    assert!(list.out.contains("failed") && !list.out.contains("complete"), "{}", list.out);
}

async fn deletes(kind: Kind, lie: &str) {
    let company = heap::company(Kind::Sqlite, kind, 40, "{ chunk_records: 15 }").await;
    for statement in lie.split(";;") {
        company.database("heap").run(statement).await;
    }
    is_found_out(&company, "heap", "notes").await;
    assert!(heap::left(&company).await > 10, "the lie works");
    claims_what_is_gone(&company).await;
    // A person mends the system and has it tried again: it begins anew, and forty are forty.
    let drop = kind.pick("DROP TRIGGER lie ON notes", "DROP TRIGGER lie", "DROP TRIGGER lie");
    company.database("heap").run(drop).await;
    company.quietus(&["retry", "--system", "heap"]).await.expect(0);
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    let mended = company.certificate_of(&company.oldest_case().await).await;
    assert_eq!(mended.overall(), "complete");
    assert_eq!(counts_of_notes(&mended), [(40, 0, 0, 40), (40, 0, 0, 40)]);
    company.check_log().await;
}

/// Deleted, cleared, left and matched: of the category, and of whole records.
fn counts_of_notes(certificate: &Certificate) -> Vec<(i64, i64, i64, i64)> {
    let number = |one: &serde_json::Value, name: &str| -> i64 {
        one["records"][name].as_str().unwrap().parse().unwrap()
    };
    let four = |one| {
        let [deleted, cleared, left, matched] =
            ["deleted", "cleared", "left", "matched"].map(|name| number(one, name));
        (deleted, cleared, left, matched)
    };
    certificate.statements().iter().map(four).collect()
}

/// Forty were due. What is gone is counted past the product, and the certificate says neither more
/// nor less: records that do not go have at least lost their text.
async fn claims_what_is_gone(company: &Company) {
    let left = heap::left(company).await - 10;
    let text = company.database("heap").kind.pick("TEXT", "CHAR", "TEXT");
    let empty = format!("SELECT CAST(COUNT(*) AS {text}) FROM notes WHERE body IS NULL");
    assert_eq!(company.database("heap").number(&empty).await, left);
    let certificate = company.certificate("latest").await;
    let expected = [(40 - left, left, 0, 40), (40 - left, 0, left, 40)];
    assert_eq!(counts_of_notes(&certificate), expected);
    let method = |index: usize| {
        certificate.statements()[index]["verification"]["method"].as_str().unwrap().to_owned()
    };
    let looks = format!("3 round(s), with {left}, {left}, {left} survivor(s) found");
    assert!(method(1).contains(&looks), "{}", method(1));
    assert!(method(0).contains("3 round(s), with 0, 0, 0 survivor(s) found"), "{}", method(0));
    let status = company.quietus(&["status", &company.latest_case().await]).await.expect(0);
    assert!(status.out.contains(&format!("{} deleted", 40 - left)), "{}", status.out);
}

/// Brought back once and gone for good at the second time: one record each.
async fn comes_back_once(kind: Kind, lie: &str, says: &str) {
    let company = heap::company(Kind::Sqlite, kind, 40, "{ chunk_records: 15 }").await;
    company.database("heap").run("CREATE TABLE seen (id BIGINT NOT NULL PRIMARY KEY)").await;
    for statement in lie.split(";;") {
        company.database("heap").run(statement).await;
    }
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);
    let certificate = company.certificate("latest").await;
    assert_eq!(certificate.overall(), "complete");
    assert_eq!(counts_of_notes(&certificate), [(40, 0, 0, 40), (40, 0, 0, 40)]);
    let method = certificate.statements()[1]["verification"]["method"].as_str().unwrap();
    assert!(method.contains(says), "{method}");
}

/// Windows go by the key: what comes back is found by the look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_brings_back_once() {
    comes_back_once(
        Kind::Postgres,
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF OLD.id % 7 = 0 AND NOT EXISTS (SELECT 1 FROM seen WHERE id = OLD.id) THEN \
         INSERT INTO seen VALUES (OLD.id); INSERT INTO notes VALUES (OLD.*); END IF; \
         RETURN NULL; END$$;;\
         CREATE TRIGGER lie AFTER DELETE ON notes FOR EACH ROW EXECUTE FUNCTION back()",
        "2 round(s), with 5, 0 survivor(s) found",
    )
    .await;
}

/// Windows go by the row's number: what comes back comes later in the same round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_brings_back_once() {
    comes_back_once(
        Kind::Sqlite,
        "CREATE TRIGGER lie AFTER DELETE ON notes \
         WHEN OLD.id % 7 = 0 AND OLD.id NOT IN (SELECT id FROM seen) BEGIN \
         INSERT INTO seen VALUES (OLD.id); \
         INSERT INTO notes VALUES (OLD.id, OLD.person, OLD.body, OLD.made_at); END",
        "the system reports 45 deletions, and 40 records are gone",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_skips_deletes() {
    deletes(
        Kind::Postgres,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF OLD.id % 7 = 0 THEN RETURN NULL; END IF; RETURN OLD; END$$;;\
         CREATE TRIGGER lie BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION no()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_brings_back() {
    deletes(
        Kind::Postgres,
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF OLD.id % 7 = 0 THEN INSERT INTO notes VALUES (OLD.*); END IF; RETURN NULL; END$$;;\
         CREATE TRIGGER lie AFTER DELETE ON notes FOR EACH ROW EXECUTE FUNCTION back()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_brings_back() {
    deletes(
        Kind::Sqlite,
        "CREATE TRIGGER lie AFTER DELETE ON notes WHEN OLD.id % 7 = 0 BEGIN \
         INSERT INTO notes VALUES (OLD.id, OLD.person, OLD.body, OLD.made_at); END",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_skips_deletes() {
    deletes(
        Kind::Sqlite,
        "CREATE TRIGGER lie BEFORE DELETE ON notes WHEN OLD.id % 7 = 0 BEGIN \
         SELECT RAISE(IGNORE); END",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_restores_cleared_fields() {
    let company = profiles(
        Kind::Postgres,
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN NEW.address := OLD.address; RETURN NEW; END$$;;\
         CREATE TRIGGER keep BEFORE UPDATE ON profiles FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    .await;
    is_found_out(&company, "liar", "profiles").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_that_restores_cleared_fields() {
    let company = profiles(
        Kind::MariaDb,
        "CREATE TRIGGER keep BEFORE UPDATE ON profiles FOR EACH ROW SET NEW.address = OLD.address",
    )
    .await;
    is_found_out(&company, "liar", "profiles").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_restores_cleared_fields() {
    let company = profiles(
        Kind::Sqlite,
        "CREATE TRIGGER keep AFTER UPDATE OF address ON profiles WHEN NEW.address IS NULL BEGIN \
         UPDATE profiles SET address = OLD.address WHERE id = OLD.id; END",
    )
    .await;
    is_found_out(&company, "liar", "profiles").await;
}
