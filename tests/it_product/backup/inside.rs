//! Erasing a person's files inside of copies: one asks, another agrees, nothing of anybody else goes, and
//! the final certificate says how it ended.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quietus::app::backup::inside::InsideEnd;
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, Clock as _};
use quietus::telemetry::SystemClock;
use serde_json::Value;
use uuid::Uuid;

use super::borg::{PASSPHRASE, borg_from};
use super::{copies, live, looks, people};
use crate::company::certificate::Certificate;
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::company::gateway::told;
use crate::company::owner::{Door, Owner};
use crate::company::{Company, ended, identifier_in};

/// Who asks to be erased: the customer with the number 2.
const ALAN: &str = "email=alan@mail.example\n";
/// Where the files of each customer are, of both systems.
const INSIDE: &str = "inside:
  shop: {identity: customer_id, files: 'customers/{}/'}
  desk: {identity: customer_id, files: 'customers/{}/'}
";
/// That it is erased is on record; the store has not been asked.
const BEGUN: u8 = 25;
/// The store has erased it; nothing is recorded.
const ERASED: u8 = 26;

/// A company whose customers' files are objects of their own in a bucket, after Alan was erased.
struct Attic {
    company: Company,
    owner: Owner,
    clock: Arc<TurnedClock>,
    product: Arc<Quietus>,
    request: String,
    /// Keys and versions of everybody else.
    others: Vec<(String, String)>,
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// When whatever was being copied a moment ago is listed. Signatures are accepted for a quarter of an
/// hour.
fn soon() -> Timestamp {
    now().checked_add(SignedDuration::from_mins(7)).unwrap()
}

impl Attic {
    /// Erased a moment ago.
    async fn filled(inside: &str) -> Self {
        let endpoint = told("QUIETUS_TEST_S3");
        let host = endpoint.trim_start_matches("http://").to_owned();
        let door = Door {
            endpoint: endpoint.clone(),
            access_key: told("QUIETUS_TEST_S3_ACCESS_KEY"),
            secret_key: told("QUIETUS_TEST_S3_SECRET_KEY"),
            now: Box::new(now),
        };
        let owner = Owner::with_bucket(door, true).await;
        let mut others = Vec::new();
        for key in ["customers/20/photo", "customers/1/photo", "customers/1/photo", "customers/2x"]
        {
            others.push((key.to_owned(), owner.put(key, "somebody else's").await));
        }
        for content in ["first", "second"] {
            owner.put("customers/2/photo", content).await;
        }
        owner.put("customers/2/letters/1", "dear Alan").await;
        owner.delete("customers/2/photo").await;
        let company = people::company_on(Kind::Sqlite, "").await;
        company.write("schedules/rules.yaml", &super::soon());
        company.write_secret("access", &told("QUIETUS_TEST_S3_ACCESS_KEY"));
        company.write_secret("secret", &told("QUIETUS_TEST_S3_SECRET_KEY"));
        company.write(
            "systems/vault.yaml",
            &format!(
                "system: vault\nkind: s3\nrole: backup\nowner: Operations\nzone: UTC\n\
                 place: s3://{bucket}/\ncopies: [shop, desk]\nlongest_run: PT1M\n\
                 parameters:\n  endpoint: {endpoint}\n  private_hosts: '{host}'\n  \
                 access_key: file:secrets/access\n  secret_key: file:secrets/secret\n{inside}",
                bucket = owner.bucket,
            ),
        );
        let clock = TurnedClock::at(&now().to_string());
        let product = company.replica(&clock).await;
        let alan = ("email", "alan@mail.example".to_owned());
        let request = people::bring(&product, AskedRight::Erasure, alan).await.to_string();
        live(&product).await;
        Self { company, owner, clock, product, request, others }
    }

    async fn inside(&self, arguments: &[&str]) -> crate::company::Ended {
        let mut all = vec!["backup", "inside"];
        all.extend(arguments);
        self.company.quietus(&all).await
    }

    async fn asked(&self) -> String {
        let arguments =
            ["vault", "--request", &self.request, "--ask", "--by", "ada", "--reason", "OPS-77"];
        let out = self.inside(&arguments).await.expect(0).out;
        let line = out.lines().find(|line| line.contains("asked for as")).unwrap();
        identifier_in(line)
    }

    /// How much of Alan the bucket still lists, markers included.
    async fn left(&self) -> usize {
        let listed = self.owner.list().await;
        listed.iter().filter(|one| one.key.starts_with("customers/2/")).count()
    }

    async fn is_all_there_of_others(&self) {
        for (key, version) in &self.others {
            let content = self.owner.read(key, version).await;
            assert_eq!(content.as_deref(), Some("somebody else's"), "{key}");
        }
    }

    /// The certificate in force.
    async fn certificate_id(&self) -> String {
        self.company.certificate_id(&self.company.oldest_case().await).await
    }

    /// The certificate in force, once everything is done that can be done now.
    async fn latest(&self) -> Certificate {
        self.clock.set(&soon().to_string());
        live(&self.product).await;
        self.company.certificate_of(&self.company.oldest_case().await).await
    }
}

/// Every copy ended by an erasure inside of it.
fn ended_inside(certificate: &Certificate) {
    let stated = copies(certificate);
    assert!(!stated.is_empty());
    for one in &stated {
        assert_eq!(one["mechanism"], "erasure inside copies", "{one:#}");
        assert!(!one["seenGoneAt"].is_null() && one["withoutDay"].is_null(), "{one:#}");
    }
}

async fn entries(company: &Company) -> usize {
    let text =
        "SELECT CAST(COUNT(*) AS TEXT) FROM evidence_details WHERE kind = 'backup.erased_inside'";
    company.store_rows(text).await[0].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_persons_want_is_erased_and_the_certificate_says_how_it_ended() {
    let attic = Attic::filled(INSIDE).await;
    let first = attic.certificate_id().await;
    let certificate = attic.latest().await;
    assert_eq!(certificate.overall(), "complete-with-exceptions");
    assert!(
        !copies(&certificate)[0]["withoutDay"].is_null(),
        "the bucket never lets go of anything"
    );
    assert_eq!(attic.left().await, 4);

    let dry = attic.inside(&["vault", "--request", &attic.request]).await.expect(0).out;
    assert!(
        dry.contains("4 copies hold 4 files and folders of the person, by desk, shop"),
        "{dry}"
    );
    assert!(!dry.contains("customers/2"), "{dry}");
    let json =
        attic.inside(&["vault", "--request", &attic.request, "--json"]).await.expect(0).json();
    assert_eq!(json["copies"].as_array().unwrap().len(), 4);
    let listed = attic.company.quietus(&["backup", "list", "vault"]).await.out;
    assert!(!listed.contains("customers/"), "{listed}");
    assert_eq!((attic.left().await, entries(&attic.company).await), (4, 0), "nothing has changed");

    let id = attic.asked().await;
    let status = attic.company.quietus(&["status"]).await.expect(0).out;
    assert!(status.contains("1 erasure(s) wait for a second person"), "{status}");
    let twice = ["vault", "--request", &attic.request, "--ask", "--reason", "OPS-78"];
    let told = attic.inside(&twice).await.expect(2).err;
    assert!(told.contains("is asked for or under way"), "{told}");
    let told = attic.inside(&["--approve", &id, "--by", "Ada"]).await.expect(2).err;
    assert!(told.contains("somebody else has to approve"), "{told}");
    attic.product.carry_out_approved_inside().await.unwrap();
    assert_eq!(attic.left().await, 4, "nobody has agreed");
    attic.latest().await;
    assert_eq!(attic.certificate_id().await, first);

    let done = attic.inside(&["--approve", &id, "--by", "grace"]).await.expect(0).out;
    assert!(done.contains("4 files and folders are gone from 4 copies"), "{done}");
    assert_eq!(attic.left().await, 0);
    attic.is_all_there_of_others().await;
    let told = attic.inside(&["--approve", &id, "--by", "grace"]).await.expect(2).err;
    assert!(told.contains("waits for nobody"), "{told}");
    let listed = attic.inside(&["--json"]).await.expect(0).json();
    assert_eq!((&listed[0]["state"], &listed[0]["gone"]), (&"done".into(), &4.into()));
    assert_eq!(
        (&listed[0]["asked_by"], &listed[0]["decided_by"]),
        (&"ada".into(), &"grace".into())
    );

    let last = attic.latest().await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    assert_eq!(last.predicate["supersedes"]["certificateId"], first.as_str());
    assert_eq!(last.counts(), certificate.counts());
    ended_inside(&last);
    let cited = |certificate: &Certificate| {
        let statements = certificate.statements().iter().filter(|one| !one["backup"].is_null());
        statements.map(|one| one["evidence"].as_array().unwrap().len()).max().unwrap()
    };
    assert!(cited(&last) >= cited(&certificate) + 4, "what was asked, agreed, begun and ended");
    assert_eq!(looks(&attic.company).await, ["completed -"]);
    assert_eq!(entries(&attic.company).await, 4, "asked, approved, begun, ended");
    attic.is_all_there_of_others().await;
    let text = attic
        .company
        .quietus(&["certificate", "show", &attic.certificate_id().await])
        .await
        .expect(0)
        .out;
    assert!(!text.contains("customers/"), "{text}");
    attic.company.check_log().await;
    // What a backup's own words had of him is nowhere in our store.
    assert_eq!(people::in_the_store(&attic.company, &["customers/2/"]).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_comes_late_is_seen_and_nobody_is_called_gone() {
    let attic = Attic::filled(INSIDE).await;
    let first = attic.certificate_id().await;
    let id = attic.asked().await;
    attic.inside(&["--approve", &id, "--by", "grace"]).await.expect(0);
    attic.owner.put("customers/2/photo", "a copy that was under way").await;
    let still = attic.latest().await;
    assert_eq!(attic.certificate_id().await, first, "the store has something of him");
    assert_eq!(looks(&attic.company).await, ["scheduled -"]);
    assert_eq!(still.overall(), "complete-with-exceptions");
    // Once it is erased as well, he is gone.
    let id = attic.asked().await;
    attic.inside(&["--approve", &id, "--by", "grace"]).await.expect(0);
    let last = attic.latest().await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    ended_inside(&last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legal_hold_and_a_pause_stop_it_before_and_after_it_was_asked_for() {
    let attic = Attic::filled(INSIDE).await;
    let id = attic.asked().await;
    let place = ["hold", "place", "M-1", "--system", "desk", "--reason", "lawsuit, T-1"];
    attic.company.quietus(&place).await.expect(0);
    let approve = ["--approve", &id, "--by", "grace"];
    for arguments in [&approve[..], &["vault", "--request", &attic.request]] {
        let told = attic.inside(arguments).await.expect(2).err;
        assert!(told.contains("a legal hold (`M-1`)"), "{told}");
    }
    assert_eq!(attic.left().await, 4);
    attic.company.quietus(&["hold", "release", "M-1"]).await.expect(0);
    let pause = ["pause", "system", "vault", "--reason", "OPS-1"];
    attic.company.quietus(&pause).await.expect(0);
    let told = attic.inside(&approve).await.expect(2).err;
    assert!(told.contains("is paused"), "{told}");
    attic.company.quietus(&["resume", "system", "vault"]).await.expect(0);
    assert_eq!(attic.left().await, 4);
    let refuse = ["--refuse", &id, "--by", "grace", "--reason", "OPS-78"];
    attic.inside(&refuse).await.expect(0);
    let told = attic.inside(&approve).await.expect(2).err;
    assert!(told.contains("is refused"), "{told}");
    assert_eq!(attic.left().await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_had_begun_is_begun_again() {
    let attic = Attic::filled(INSIDE).await;
    let id = attic.asked().await;
    for point in [BEGUN, ERASED] {
        let mut command =
            attic.company.command(&["backup", "inside", "--approve", &id, "--by", "grace"]);
        command.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", point.to_string());
        let killed = ended(command).await;
        assert_eq!(killed.code, -1, "at {point}: {}\n{}", killed.out, killed.err);
        assert_eq!(attic.left().await, if point == BEGUN { 4 } else { 0 });
        assert_eq!(attic.latest().await.overall(), "complete-with-exceptions");
        tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    }
    let other = ["vault", "--request", &attic.request];
    attic.inside(&other).await.expect(0);
    // Whoever runs next takes it up; nobody has to agree again.
    assert_eq!(attic.product.carry_out_approved_inside().await.unwrap(), 1);
    attic.is_all_there_of_others().await;
    let last = attic.latest().await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    ended_inside(&last);
    attic.company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_keeps_is_told_and_nobody_is_called_gone() {
    let attic = Attic::filled(INSIDE).await;
    let listed = attic.owner.list().await;
    let letter = listed.iter().find(|one| one.key == "customers/2/letters/1").unwrap();
    attic.owner.retain(&letter.key, &letter.version, "GOVERNANCE", "2031-01-01T00:00:00Z").await;
    let id = attic.asked().await;
    let told = attic.inside(&["--approve", &id, "--by", "grace"]).await.expect(1).out;
    assert!(told.contains("3 files and folders are gone"), "{told}");
    assert!(told.contains("1 stay until 2031-01-01T00:00:00Z"), "{told}");
    assert_eq!(attic.left().await, 1);
    assert_eq!(attic.latest().await.overall(), "complete-with-exceptions");
    attic.is_all_there_of_others().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_say_where_files_are_is_refused() {
    let attic = Attic::filled("").await;
    let told = attic.inside(&["vault", "--request", &attic.request]).await.expect(2).err;
    assert!(told.contains("does not say where") && told.contains("inside:"), "{told}");
    assert_eq!(attic.left().await, 4);
    // A request that is not done with.
    let other = people::brought(&attic.company, "erasure", "email=grace@mail.example\n").await;
    let vault = attic.company.read("systems/vault.yaml");
    attic.company.write("systems/vault.yaml", &format!("{vault}{INSIDE}"));
    let told = attic.inside(&["vault", "--request", &other]).await.expect(2).err;
    assert!(told.contains("has no case yet"), "{told}");
    let nobody = attic.inside(&["vault", "--request", &attic.company.oldest_case().await]).await;
    assert_eq!(nobody.code, 2, "{}", nobody.err);
}

async fn borg(company: &Company, arguments: &[&str]) -> String {
    borg_from((company, "files"), arguments).await
}

/// Two archives of everybody's files, as a nightly job takes them.
async fn company_with_archives() -> Company {
    let company = people::company_on(Kind::Sqlite, "").await;
    company.write_secret("borg", PASSPHRASE);
    let (repository, base) = (company.path("repository"), company.path("base"));
    company.write(
        "systems/vault.yaml",
        &format!(
            "system: vault\nkind: borg\nowner: Operations\nplace: '{}'\nzone: UTC\n\
             copies: [shop, desk]\nkeeps: {{daily: 30}}\nlongest_run: PT1H\n\
             parameters: {{passphrase: 'file:secrets/borg', BORG_BASE_DIR: '{}'}}\n{INSIDE}",
            repository.display(),
            base.display()
        ),
    );
    for customer in ["1", "2", "20"] {
        let folder = company.path(&format!("files/customers/{customer}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("letter"), format!("letter of {customer}")).unwrap();
    }
    borg(&company, &["init", "--encryption=repokey"]).await;
    for day in ["2027-01-02", "2027-01-03"] {
        let (time, name) = (format!("{day}T02:00:00"), format!("::shop-{day}"));
        borg(&company, &["create", "--timestamp", &time, &name, "customers"]).await;
    }
    company
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_from_the_archives_of_a_repository_and_the_rest_stays() {
    let company = company_with_archives().await;
    let request = people::brought(&company, "erasure", ALAN).await;
    let clock = TurnedClock::at("2027-01-03T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_of(&case).await;
    assert_eq!(copies(&first)[0]["copies"], "2");
    let day: &Value = &copies(&first)[0]["goneBy"];
    assert!(day.as_str().unwrap() > "2027-01-20", "{day}");

    let request = Uuid::parse_str(&request).unwrap();
    let (ada, grace) = (Actor("ada".to_owned()), Actor("grace".to_owned()));
    clock.set("2027-01-03T10:30:00Z");
    let (id, preview) = product.ask_inside("vault", request, (&ada, "OPS-77")).await.unwrap();
    assert_eq!((preview.copies.len(), preview.entries()), (2, 4), "a folder and a letter in each");
    let refused = product.approve_inside(id, &ada).await.unwrap_err();
    assert!(refused.is_input(), "{refused}");
    let end = product.approve_inside(id, &grace).await.unwrap();
    assert_eq!(end, InsideEnd::Done { gone: 4, copies: 2, kept: Vec::new() });
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    ended_inside(&last);
    assert_eq!(last.counts(), first.counts());
    company.check_log().await;

    for day in ["2027-01-02", "2027-01-03"] {
        let archive = format!("::shop-{day}");
        let files = borg(&company, &["list", "--short", &archive]).await;
        let files: Vec<&str> = files.lines().filter(|one| one.ends_with("letter")).collect();
        assert_eq!(files, ["customers/1/letter", "customers/20/letter"]);
        let letter =
            borg(&company, &["extract", "--stdout", &archive, "customers/20/letter"]).await;
        assert_eq!(letter, "letter of 20");
    }
    borg(&company, &["check"]).await;
}

/// An archive that was begun before the erasure and is listed after it holds him: the day by which it
/// goes stands until it was erased there too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_called_gone_while_a_copy_may_still_be_taken() {
    let company = company_with_archives().await;
    let request = people::brought(&company, "erasure", ALAN).await;
    let clock = TurnedClock::at("2027-01-03T09:00:00Z");
    let product = company.replica(&clock).await;
    live(&product).await;
    let case = company.oldest_case().await;
    let first = company.certificate_id(&case).await;
    let request = Uuid::parse_str(&request).unwrap();
    let (ada, grace) = (Actor("ada".to_owned()), Actor("grace".to_owned()));
    clock.set("2027-01-03T09:10:00Z");
    let (id, _) = product.ask_inside("vault", request, (&ada, "OPS-77")).await.unwrap();
    product.approve_inside(id, &grace).await.unwrap();
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, first, "one can be under way for an hour");
    borg(&company, &["create", "--timestamp", "2027-01-03T08:59:00", "::shop-late", "customers"])
        .await;
    clock.set("2027-01-03T10:10:00Z");
    live(&product).await;
    assert_eq!(company.certificate_id(&case).await, first, "it is listed now, and holds him");
    assert_eq!(looks(&company).await, ["scheduled -"]);
    let (id, preview) = product.ask_inside("vault", request, (&ada, "OPS-78")).await.unwrap();
    assert_eq!(preview.copies.len(), 1);
    product.approve_inside(id, &grace).await.unwrap();
    live(&product).await;
    let last = company.certificate_of(&case).await;
    assert_eq!(last.overall(), "complete", "{:#?}", copies(&last));
    ended_inside(&last);
}
