//! A lifting ends what was asked for before it, as a whole and for good: nothing restricts again
//! afterwards, and nothing else ends.

use std::sync::Arc;

use jiff::ToSpan as _;
use quietus::app::request::{OpenRequest, Requester, TakeIn, Taken};
use quietus::app::{Actor, Quietus};
use quietus::domain::{AskedRight, Assurance, CategoryName, JobState, RequestState};
use quietus::store::{Claim, Delivery, Job, JobKind, LetterKind, Settle, Settlement};
use uuid::Uuid;

use super::estate::{clock, live};
use super::person;
use crate::company::engine::TurnedClock;
use crate::company::{ARCHIVE, Company};

const RESTRICTED: &str = "2|alan@mail.example|Alan Example|1";
const LIFTED: &str = "2|alan@mail.example|Alan Example|0";

/// A company in which Alan asks, on a clock that the test turns.
struct Shop {
    company: Company,
    clock: Arc<TurnedClock>,
    product: Arc<Quietus>,
}

impl Shop {
    async fn open() -> Self {
        Self::of(person::company("requests: {restriction_upkeep: P1D}\n").await).await
    }

    async fn of(company: Company) -> Self {
        let clock = clock();
        let product = company.replica(&clock).await;
        Self { company, clock, product }
    }

    async fn pass(&self, hours: i64) {
        live(&self.product, &self.clock, hours.hours()).await;
    }

    /// Alan asks, and what can be done is done.
    async fn asked(&self, asked: AskedRight, category: Option<&str>) -> Uuid {
        let taken = self
            .product
            .take_in(TakeIn {
                asked,
                identities: vec![("customer_id".to_owned(), "2".to_owned())],
                received_at: None,
                channel: "phone".to_owned(),
                requester: Requester::Person,
                ground: None,
                regime: None,
                language: None,
                categories: category.map(|one| [CategoryName::parse(one).unwrap()].into()),
                contact: None,
                check: Some((Assurance::Substantial, "call-back".to_owned(), None)),
                source: None,
                external_id: None,
                actor: ada(),
            })
            .await
            .unwrap();
        let Taken::New(request) = taken else { panic!("{taken:?}") };
        self.pass(1).await;
        request.stored.id
    }

    /// Alan was told that his restriction ends.
    async fn told(&self, lifting: Uuid) {
        let letters = self.product.letters_of(lifting).await.unwrap();
        let notice = letters.iter().find(|one| one.kind == LetterKind::BeforeLifting).unwrap();
        self.product.letter_delivered(notice.id, (Delivery::Hand, None), &ada()).await.unwrap();
    }

    /// Alan asks for the end of it, is told, and it is carried out.
    async fn lifted(&self, category: Option<&str>) -> Uuid {
        let lifting = self.asked(AskedRight::Lifting, category).await;
        self.told(lifting).await;
        self.pass(1).await;
        lifting
    }

    async fn alan(&self) -> String {
        person::customers(&self.company).await.swap_remove(1)
    }

    async fn request(&self, id: Uuid) -> OpenRequest {
        self.product.rights_request(id).await.unwrap()
    }

    async fn jobs(&self, request: Uuid, kind: JobKind) -> Vec<Job> {
        let case = self.request(request).await.stored.case_id.expect("a case");
        let mut jobs = self.product.store.jobs_of_case(case).await.unwrap();
        jobs.retain(|job| job.kind == kind);
        jobs
    }

    async fn states(&self, request: Uuid, kind: JobKind) -> Vec<JobState> {
        self.jobs(request, kind).await.iter().map(|job| job.state).collect()
    }

    async fn certificate_of(&self, request: Uuid) -> String {
        let case = self.request(request).await.stored.case_id.expect("a case");
        self.company.certificate_id(&case.to_string()).await
    }
}

fn ada() -> Actor {
    Actor("Ada Example".to_owned())
}

/// A third party that has not answered when the restriction is lifted is not waited for, and the
/// certificate that comes then brings no upkeep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_certificate_restricts_nobody_again() {
    let company = person::company("requests: {restriction_upkeep: P1D}\n").await;
    company.write("systems/archive.yaml", ARCHIVE);
    let shop = Shop::of(company).await;
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    assert_eq!(shop.alan().await, RESTRICTED);
    let by_hand = shop.jobs(restriction, JobKind::Request).await;
    let by_hand = by_hand.into_iter().find(|job| job.system == "archive").unwrap();
    assert_eq!(by_hand.state, JobState::Waiting, "nobody has locked the paper file yet");
    assert_eq!(shop.request(restriction).await.stored.state, RequestState::Executing);

    let lifting = shop.lifted(None).await;
    assert_eq!(shop.alan().await, LIFTED);
    let called_off = shop.product.store.job(by_hand.id).await.unwrap().unwrap();
    assert!(called_off.cancel_requested.is_some(), "{called_off:?}");
    let tasks = shop.product.tasks(true).await.unwrap();
    assert!(tasks.iter().all(|one| one.task.job_id != by_hand.id), "nobody locks it any more");
    shop.pass(25).await;
    let answered = shop.request(restriction).await;
    assert_eq!(answered.stored.state, RequestState::Closed);
    assert_eq!(answered.record.restriction_ended_by, Some(lifting));
    assert!(answered.stored.look_at.is_some(), "he is forgotten in time");
    assert!(!shop.certificate_of(restriction).await.is_empty());
    assert!(shop.states(restriction, JobKind::Upkeep).await.is_empty());
    let letters = shop.product.letters_of(restriction).await.unwrap();
    let outcome = letters.iter().find(|one| one.kind == LetterKind::Outcome);
    assert!(outcome.is_none(), "it does not go on, so nobody tells him that it does");
    for _ in 0..3 {
        shop.pass(25).await;
    }
    assert_eq!(shop.alan().await, LIFTED);
    shop.company.check_log().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_restricts_nobody_again() {
    let shop = Shop::open().await;
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Scheduled]);
    shop.lifted(None).await;
    assert_eq!(shop.alan().await, LIFTED);
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Cancelled]);

    let certificate = shop.certificate_of(restriction).await;
    let declare = ["certificate", "declare", &certificate, "withdrawn", "--reason", "T-140"];
    shop.company.quietus(&declare).await.expect(0);
    let correct = ["certificate", "correct", &certificate, "--what-was-wrong", "the law"];
    shop.company.quietus(&[&correct[..], &["--without", "shop"]].concat()).await;
    assert_ne!(shop.certificate_of(restriction).await, certificate, "it is corrected");
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Cancelled]);
    for _ in 0..3 {
        shop.pass(25).await;
    }
    assert_eq!(shop.alan().await, LIFTED);
}

/// To try a part again that had failed would restrict what is lifted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_failed_is_not_tried_again_after_the_lifting() {
    let shop = Shop::open().await;
    let database = shop.company.database("shop");
    let refuses =
        "CREATE TRIGGER refuses BEFORE UPDATE ON customers BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.run(refuses).await;
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    assert_eq!(shop.states(restriction, JobKind::Request).await, [JobState::Failed]);
    database.run("DROP TRIGGER refuses").await;
    let failed = shop.jobs(restriction, JobKind::Request).await.swap_remove(0).id;
    assert_eq!(shop.product.failed_jobs().await.unwrap().len(), 1);

    shop.lifted(None).await;
    let why = shop.product.retry_job(failed, &ada()).await.unwrap_err().to_string();
    assert!(why.contains("was lifted since"), "{why}");
    let retried = shop.product.retry_failed(None, &ada()).await.unwrap();
    assert_eq!(retried.tried, 0);
    assert!(shop.product.failed_jobs().await.unwrap().is_empty(), "nobody has to see to it");
    for _ in 0..3 {
        shop.pass(25).await;
    }
    assert_eq!(shop.alan().await, LIFTED);
}

/// While a lifting waits for its notice, the person may ask for a restriction once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_later_outlives_a_lifting() {
    let shop = Shop::open().await;
    let first = shop.asked(AskedRight::Restriction, None).await;
    let lifting = shop.asked(AskedRight::Lifting, None).await;
    let second = shop.asked(AskedRight::Restriction, None).await;
    shop.told(lifting).await;
    shop.pass(1).await;
    assert_eq!(shop.request(lifting).await.stored.state, RequestState::Closed);
    assert_eq!(shop.alan().await, RESTRICTED, "he has asked for it since");
    assert_eq!(shop.states(first, JobKind::Upkeep).await, [JobState::Cancelled]);
    assert_eq!(shop.states(second, JobKind::Upkeep).await, [JobState::Scheduled]);
    assert_eq!(shop.request(first).await.record.restriction_ended_by, Some(lifting));
    assert_eq!(shop.request(second).await.record.restriction_ended_by, None);
    let certificate = shop.company.certificate(&shop.certificate_of(lifting).await).await;
    let mut kept = certificate.statements().iter().flat_map(|one| one["kept"].as_array().unwrap());
    assert!(kept.any(|one| one["reason"] == "still-restricted"), "{:#?}", certificate.statements());

    // The next one ends it.
    shop.lifted(None).await;
    assert_eq!(shop.alan().await, LIFTED);
    assert_eq!(shop.states(second, JobKind::Upkeep).await, [JobState::Cancelled]);
}

/// What was lifted of some categories is no reason to lift the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lifting_of_some_categories_ends_no_restriction_of_all() {
    let shop = Shop::open().await;
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    shop.lifted(Some("delivery")).await;
    assert_eq!(shop.alan().await, RESTRICTED);
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Scheduled]);

    // An objection of his is taken back: its own restriction ends, and not the other one.
    let objection = shop.asked(AskedRight::Objection, None).await;
    shop.product.cancel_request(objection, &ada(), "by telephone, T-141").await.unwrap();
    let lifting = shop.request(objection).await.record.followed_by.unwrap();
    shop.pass(1).await;
    shop.told(lifting).await;
    shop.pass(1).await;
    assert_eq!(shop.request(lifting).await.stored.state, RequestState::Closed);
    assert_eq!(shop.alan().await, RESTRICTED, "the lifting was of his deliveries");
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Scheduled]);

    shop.lifted(None).await;
    assert_eq!(shop.alan().await, LIFTED);
}

/// An earlier version called upkeep off and died before it wrote down when to forget the person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_restricted_no_more_is_forgotten_in_time() {
    let shop = Shop::open().await;
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    let upkeep = shop.jobs(restriction, JobKind::Upkeep).await.swap_remove(0).id;
    let (store, now) = (&shop.product.store, shop.product.now());
    assert!(store.cancel_job(upkeep, "scheduler", now, Vec::new()).await.unwrap());
    assert_eq!(shop.request(restriction).await.stored.look_at, None);
    shop.lifted(None).await;
    assert!(shop.request(restriction).await.stored.look_at.is_some());
    shop.pass(24 * 40).await;
    assert_eq!(shop.company.count_of("request_persons").await, 0);
}

/// Whoever is looking after a restriction would restrict again what is lifted meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lifting_waits_for_whoever_is_at_work() {
    let shop = Shop::open().await;
    let (product, store) = (&shop.product, &shop.product.store);
    let restriction = shop.asked(AskedRight::Restriction, None).await;
    let lifting = shop.asked(AskedRight::Lifting, None).await;
    shop.told(lifting).await;
    shop.clock.advance(25.hours());
    let (worker, now) = ("another".to_owned(), product.now());
    let lease_until = now.checked_add(1.hours()).unwrap();
    let claim = Claim { worker, now, lease_until, limit: 10 };
    let claimed = store.claim(claim).await.unwrap();
    let upkeep = claimed.iter().find(|one| one.job.kind == JobKind::Upkeep).unwrap();
    product.advance_requests().await.unwrap();
    let waiting = shop.request(lifting).await.stored;
    assert_eq!((waiting.state, waiting.case_id), (RequestState::Ready, None));
    assert!(waiting.look_at.is_some_and(|at| at > now), "it is looked at again, and not at once");
    assert_eq!(shop.request(restriction).await.record.restriction_ended_by, None);
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Running]);

    let available_at = now.checked_add(24.hours()).unwrap();
    let settlement = Settlement::Postponed { available_at };
    let settle = Settle { tenure: upkeep.tenure("another"), settlement, now, evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    shop.pass(1).await;
    assert_eq!(shop.request(lifting).await.stored.state, RequestState::Closed);
    assert_eq!(shop.states(restriction, JobKind::Upkeep).await, [JobState::Cancelled]);
    assert_eq!(shop.alan().await, LIFTED);
}
