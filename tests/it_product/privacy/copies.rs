//! Copies of everything, made before a case was shredded and after: without the month's key nobody
//! reads in them what the case was about; certificate and proofs go on verifying; and no file, no
//! page, no log of the database and no copy names the person.

use std::path::Path;
use std::sync::Arc;

use jiff::{Span, ToSpan as _};
use quietus::app::Quietus;
use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;

use super::burglar::{Burglar, Loot, Sealed, sealed_of};
use super::forms::{self, Form};
use super::haystack::Haystack;
use crate::company::Company;
use crate::company::database::{Database, Kind};
use crate::company::engine::{TurnedClock, work};
use crate::request::person;

// Nobody else in the tests is called so: servers keep what all tests write side by side.
const WANDA: &str = "wanda.widmark@post.example";
const HER_NAME: &str = "Wanda Widmark";

fn days(days: i64) -> Span {
    (24 * days).hours()
}

/// The forms in which she may turn up.
async fn forms_of_her() -> Vec<Form> {
    let server = Database::fresh(Kind::Postgres, Path::new("")).await;
    let mut forms = forms::of(WANDA, &server).await;
    forms.extend(forms::of(HER_NAME, &server).await);
    forms.extend(forms::of("wanda.widmark", &server).await);
    forms
}

/// A company that erased Wanda, and all that it has said meanwhile.
struct House {
    company: Company,
    product: Arc<Quietus>,
    clock: Arc<TurnedClock>,
    case: String,
    heard: Haystack,
    log_begins: Option<String>,
}

async fn house(store: Kind) -> House {
    let company = person::company_on(store, "evidence: {export: log-export}\n").await;
    company
        .database("shop")
        .run(&format!(
            "INSERT INTO customers VALUES (5, '{WANDA}', '{HER_NAME}', '2024-01-01T00:00:00Z', NULL);
             INSERT INTO orders VALUES (51, 5, '{WANDA}', 'Example Street 5', '{HER_NAME}',
                 '2012-05-01', NULL);"
        ))
        .await;
    let log_begins = match &company.store {
        Some(store) => {
            Some(store.rows("SELECT pg_walfile_name(pg_current_wal_lsn())").await.remove(0))
        }
        None => None,
    };
    let soon = SystemClock.now().checked_add(1.hour()).unwrap();
    let clock = TurnedClock::at(&soon.to_string());
    let product = company.replica(&clock).await;
    person::brought(&company, "erasure", &format!("email={WANDA}\n")).await;
    for _ in 0..3 {
        product.advance_requests().await.unwrap();
        work(&product).await;
    }
    let case = company.latest_case().await;
    assert_eq!(company.certificate_of(&case).await.overall(), "complete");
    House { company, product, clock, case, heard: Haystack(Vec::new()), log_begins }
}

impl House {
    async fn say(&mut self, arguments: &[&str]) -> String {
        let traced = [&["--log", "trace"], arguments].concat();
        let said = self.company.quietus(&traced).await.expect(0);
        self.heard.heard(&arguments.join(" "), &said);
        said.out
    }

    /// What is found of her in all that the company has and has said, and in these copies.
    async fn traces(&self, forms: &[Form], copies: &[&Company]) -> Vec<String> {
        let mut everything = Haystack(self.heard.0.clone());
        everything.files(&self.company);
        everything.store(&self.company).await;
        everything.pages(&self.company, self.log_begins.as_deref()).await;
        for copy in copies {
            everything.files(copy);
            everything.store(copy).await;
        }
        // Where it looked it would have found her: a word that is everywhere is found everywhere.
        let word = "evidence.shredded";
        let known = Form { needle: word.to_owned(), how: "as it is", bytes: word.into() };
        let found = everything.search(&[known]);
        let place = if self.company.store.is_some() { "page" } else { "file quietus.db" };
        assert!(found.iter().any(|line| line.contains(place)), "{found:?}");
        everything.search(forms)
    }
}

/// Where all that opens a case without a month's key is tried.
async fn loot(keys: &Path, copy: &Company, case: &str) -> Loot {
    Burglar::with_keys_of(keys).break_into(&sealed_of(copy, case).await)
}

async fn outlives_its_shredding(store: Kind) {
    let mut house = house(store).await;
    let case = house.case.clone();
    let month = house.product.store.key_epochs().await.unwrap()[0].name.to_string();
    let file = format!("keys/epochs/{month}.key");
    let key = house.company.read(&file);
    let certificate = house.company.certificate_id(&case).await;
    let hers = tempfile::tempdir().unwrap();
    let to = hers.path().join("copy");
    let to = to.to_str().unwrap().to_owned();
    house
        .company
        .quietus(&["certificate", "export", &certificate, "--for-person", "--to", &to])
        .await
        .expect(0);
    let before = house.company.copy_without(&file).await;

    house.say(&["evidence", "shred", "--case", &case, "--reason", "the test is over"]).await;
    // A copy of afterwards is of no use even with the month's key.
    let after = house.company.copy_without("nothing").await;
    for span in [64, 2, 36] {
        house.clock.advance(days(span));
        house.product.keep_house().await.unwrap();
        house.product.advance_log().await.unwrap();
    }
    assert!(!house.company.path(&file).exists(), "the month's key is destroyed");

    // What was proven stays proven, here, in the exported folder and in her own copy.
    assert_eq!(house.company.certificate_of(&case).await.overall(), "complete");
    house.company.check_log().await;
    house.say(&["audit", "replay", "--details"]).await;
    let root = house.company.path(&format!("export-{certificate}"));
    let trust = root.to_str().unwrap().to_owned();
    house.company.quietus(&["verify", &to, "--trust", &trust, "--require-trust"]).await.expect(0);

    // All that anybody has of before, and all other keys of all times.
    let sealed = sealed_of(&before, &case).await;
    assert!(sealed.wrapped.len() > 1, "keys of her case and of her request");
    assert_eq!(sealed.persons.len(), 1);
    assert!(sealed.details.len() > 3);
    assert_eq!(loot(&before.path("keys"), &before, &case).await, Loot::default());
    assert_eq!(loot(&house.company.path("keys"), &before, &case).await, Loot::default());
    for keys in [before.path("keys"), house.company.path("keys")] {
        assert!(!Burglar::with_keys_of(&keys).finds(&before, WANDA).await, "nor guesses her");
    }
    let thief = before.replica(&house.clock).await;
    let details = thief.store.details_of_case(case.parse().unwrap()).await.unwrap();
    assert!(details.iter().all(|one| thief.open_detail(one).unwrap().is_none()));
    drop(thief);

    // It is the month's key that they lack: with it all of that opens, and names her.
    put_back(&before.path(&file), &key);
    assert!(Burglar::with_keys_of(&before.path("keys")).finds(&before, WANDA).await);
    let opened = loot(&before.path("keys"), &before, &case).await;
    assert_eq!((opened.keys, opened.details), (sealed.wrapped.len(), sealed.details.len()));
    assert!(opened.persons.len() == 1 && opened.persons[0].contains(WANDA));
    std::fs::remove_file(before.path(&file)).unwrap();
    // And in a copy of afterwards there is nothing that it opens but that it was shredded.
    let sealed: Sealed = sealed_of(&after, &case).await;
    assert!(after.path(&file).exists() && sealed.wrapped.is_empty() && sealed.persons.is_empty());
    let opened = loot(&after.path("keys"), &after, &case).await;
    assert_eq!((opened.keys, opened.details), (0, sealed.details.len()));
    assert_eq!(sealed.details.len(), 2, "the person, and then the case");

    let found = house.traces(&forms_of_her().await, &[&before, &after]).await;
    assert!(found.is_empty(), "{} traces:\n{}", found.len(), found.join("\n"));
    // The search is awake: her own copy names her.
    let mut own = Haystack(Vec::new());
    own.folder(hers.path(), hers.path());
    assert!(!own.search(&forms_of_her().await).is_empty());
}

fn put_back(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_sqlite() {
    outlives_its_shredding(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql() {
    outlives_its_shredding(Kind::Postgres).await;
}
