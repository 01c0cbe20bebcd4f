//! MUST SHOW 8: a system that says "deleted" and did not is found out, and no certificate claims
//! what is not so.

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

/// The run fails, says so, and every certificate of it says so as well.
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
    for one in certificate.statements() {
        assert_eq!(one["outcome"], "failed");
        assert_eq!(one["verification"]["result"], "survivors");
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_skips_deletes() {
    deletes(
        Kind::Postgres,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF OLD.id % 7 = 0 THEN RETURN NULL; END IF; RETURN OLD; END$$;;\
         CREATE TRIGGER no BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION no()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_brings_back() {
    deletes(
        Kind::Postgres,
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS \
         $$BEGIN IF OLD.id % 7 = 0 THEN INSERT INTO notes VALUES (OLD.*); END IF; RETURN NULL; END$$;;\
         CREATE TRIGGER back AFTER DELETE ON notes FOR EACH ROW EXECUTE FUNCTION back()",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_brings_back() {
    deletes(
        Kind::Sqlite,
        "CREATE TRIGGER back AFTER DELETE ON notes WHEN OLD.id % 7 = 0 BEGIN \
         INSERT INTO notes VALUES (OLD.id, OLD.person, OLD.body, OLD.made_at); END",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_that_skips_deletes() {
    deletes(
        Kind::Sqlite,
        "CREATE TRIGGER no BEFORE DELETE ON notes WHEN OLD.id % 7 = 0 BEGIN \
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
