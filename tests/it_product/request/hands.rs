//! What only people can do: a task for a paper archive, and the letters of its request, from the
//! first word to the confirmation, with the date and the evidence of every step.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use quietus::app::request::{OpenRequest, OutcomeFacts, Requester, TakeIn, Taken, ToldRecipient};
use quietus::app::task::{Onlooker, SaidOfTask};
use quietus::app::{Actor, Opening, Quietus};
use quietus::config::{Process, load};
use quietus::domain::{
    AskedRight, Assurance, Clock, Digest, JobState, RequestOutcome, RequestState, SystemName,
};
use quietus::store::{Delivery, Job, Letter, LetterKind, NewLetter, TaskResult, TaskState};
use quietus::telemetry::SystemIds;
use quietus_connectors::{
    Direction, Grade, Order, Pace, Progress, ProgressReport, Receipt, Subject, SubjectAction,
    SubjectRequest,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::company::ARCHIVE;

const INSTANCE: &str = "controller: {name: Example Shop GmbH, zone: Europe/Berlin, country: DE}
store: sqlite:quietus.db
";

const SHOP: &str = "system: shop
kind: sqlite
owner: Shop team
connection: {url: 'sqlite:shop.db'}
zone: UTC
collections:
  customers:
    key: id
    fields:
      id: {type: integer, identity: customer_id}
      email: {type: text, category: contact, identity: email, clear: {unique: erased-}}
      created_at: {type: timestamp}
      restricted: {type: boolean}
    starting_points: {collection: created_at}
    restrict: {flag: restricted}
";

const PACK: &str = "pack: rules
version: '1'
owner: Ada Example
categories:
  contact: {purpose: talk to people}
schedules:
  nightly: {cron: '0 2 * * *'}
schedule: nightly
rules:
  - {rule: contact, category: contact, starting_point: collection, period: P9Y, action: erase, basis: {citation: contract}}
";

const CONTENT: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, created_at TEXT, restricted BOOLEAN);
INSERT INTO customers VALUES (1, 'grace@mail.example', '2024-01-01T00:00:00Z', NULL);
";

const EMAIL: &str = "grace@mail.example";
const NOON: &str = "2026-11-23T12:00:00Z";

/// A clock that a test sets.
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

struct Shop {
    product: Arc<Quietus>,
    clock: Arc<Hands>,
    // Kept so that the folder outlives the test.
    _folder: tempfile::TempDir,
}

fn named(name: &str) -> Actor {
    Actor(name.to_owned())
}

impl Shop {
    async fn open(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("quietus.yaml", INSTANCE),
            ("systems/shop.yaml", SHOP),
            ("systems/archive.yaml", ARCHIVE),
            ("schedules/rules.yaml", PACK),
        ];
        for (name, text) in files.iter().chain(more) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let database = folder.path().join("shop.db");
        quietus_connectors::sample::write(&database, CONTENT).await.unwrap();
        let loaded = load(folder.path()).unwrap_or_else(|problems| panic!("{problems:?}"));
        let noon: Timestamp = NOON.parse().unwrap();
        let clock = Arc::new(Hands(AtomicI64::new(noon.as_second())));
        let product = Quietus::open(Opening {
            loaded,
            process: Process::default(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(SystemIds),
        })
        .await
        .unwrap();
        Self { product, clock, _folder: folder }
    }

    fn pass(&self, hours: i64) {
        self.clock.0.fetch_add(hours * 3600, Ordering::SeqCst);
    }

    async fn ask(&self, asked: AskedRight, language: &str) -> OpenRequest {
        let taken = self
            .product
            .take_in(TakeIn {
                asked,
                identities: vec![("email".to_owned(), EMAIL.to_uppercase())],
                received_at: None,
                channel: "web".to_owned(),
                requester: Requester::Person,
                ground: None,
                regime: None,
                language: Some(language.to_owned()),
                categories: None,
                contact: Some(EMAIL.to_owned()),
                check: Some((Assurance::High, "login".to_owned(), None)),
                source: None,
                external_id: None,
                actor: named("Carl Clerk"),
            })
            .await
            .unwrap();
        let Taken::New(request) = taken else { panic!("{taken:?}") };
        *request
    }

    /// Advances requests and carries out every job that can be claimed now.
    async fn work(&self) {
        self.product.advance_requests().await.unwrap();
        let stop = CancellationToken::new();
        while self.product.carry_out_next("worker", &stop).await.unwrap().is_some() {}
        self.product.remind_of_tasks().await.unwrap();
    }

    async fn request(&self, id: Uuid) -> OpenRequest {
        self.product.rights_request(id).await.unwrap()
    }

    /// The archive's job of a request.
    async fn by_hand(&self, request: Uuid) -> Job {
        let case = self.request(request).await.stored.case_id.expect("a case");
        let jobs = self.product.store.jobs_of_case(case).await.unwrap();
        jobs.into_iter().find(|job| job.system == "archive").expect("the archive's job")
    }

    async fn letter(&self, request: Uuid, kind: LetterKind) -> Option<Letter> {
        let letters = self.product.letters_of(request).await.unwrap();
        letters.into_iter().find(|letter| letter.kind == kind)
    }

    /// Writes the answer to a request as a certificate does.
    async fn answer(&self, request: &OpenRequest, facts: OutcomeFacts) {
        let answer = self.product.outcome_letter(request, facts).await.unwrap();
        let NewLetter { letter, mail, evidence } = answer.expect("she is known");
        self.product.store.write_letter_to_mail(letter, mail, evidence).await.unwrap();
    }

    async fn text(&self, letter: &Letter) -> String {
        let opened = self.product.open_letter(letter.id, &named("Carl Clerk")).await.unwrap();
        format!("{}\n{}", opened.subject, opened.text)
    }

    /// What evidence says of the case of a request, one text an entry; it never names the person.
    async fn evidence(&self, request: Uuid) -> Vec<String> {
        let case = self.request(request).await.stored.case_id.expect("a case");
        let details = self.product.store.details_of_case(case).await.unwrap();
        let texts: Vec<String> =
            details.iter().filter_map(|one| self.product.open_detail(one).unwrap()).collect();
        assert!(!texts.is_empty() && texts.iter().all(|text| !text.contains("mail.example")));
        texts
    }
}

fn said(result: TaskResult) -> SaidOfTask {
    SaidOfTask {
        result,
        evidence_sha256: Some(Digest::of(b"a photograph of the shredder")),
        note: Some("shredded, shelf 3".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_done_by_one_person_and_confirmed_by_another() {
    let shop = Shop::open(&[]).await;
    let product = &shop.product;
    let request = shop.ask(AskedRight::Erasure, "en").await.stored.id;
    shop.work().await;
    let job = shop.by_hand(request).await;
    assert_eq!((job.state, job.reference.as_deref()), (JobState::Waiting, Some("task")));
    let task = product.store.task(job.id).await.unwrap().expect("a task");
    assert_eq!(task.due_at, "2026-12-03T12:00:00Z".parse().unwrap());
    assert_eq!((task.assignee.as_str(), task.state), ("Ben Example", TaskState::Open));

    // Whom it is about is shown to whoever does it, and each look is on record.
    let curious = product.task_sheet(job.id, &Onlooker::Named(named("Eve Example"))).await;
    assert!(curious.err().expect("a refusal").to_string().contains("for `Ben Example`"));
    let sheet = product.task_sheet(job.id, &Onlooker::Named(named("ben example"))).await.unwrap();
    let shown: Vec<(&str, &str)> =
        sheet.identities.iter().map(|one| (one.kind.as_str(), one.value.as_str())).collect();
    assert_eq!(shown, [("email", EMAIL)]);
    assert_eq!(sheet.instructions, "Take the file out of shelf 3 and shred it");
    let looks = |texts: Vec<String>| {
        texts.iter().filter(|text| text.contains("shown with whom it is about")).count()
    };
    assert_eq!(looks(shop.evidence(request).await), 1);

    // One person's word is not enough, and the same person's second word is none.
    let ben = named("Ben Example");
    assert!(product.confirm_task(job.id, &named("Ada Example")).await.is_err());
    let nothing = SaidOfTask { evidence_sha256: None, note: None, ..said(TaskResult::Done) };
    assert!(product.report_task(job.id, nothing, &ben).await.is_err());
    product.report_task(job.id, said(TaskResult::Done), &ben).await.unwrap();
    for same in ["Ben Example", " BEN EXAMPLE "] {
        let error = product.confirm_task(job.id, &named(same)).await.unwrap_err();
        assert!(error.to_string().contains("somebody else"), "{error}");
    }
    shop.work().await;
    assert_eq!(shop.by_hand(request).await.state, JobState::Waiting);
    product.confirm_task(job.id, &named("Ada Example")).await.unwrap();
    shop.work().await;

    let job = shop.by_hand(request).await;
    assert_eq!(job.state, JobState::Completed, "{:?}", job.last_fault);
    let verification = job.verification.expect("what is relied upon");
    assert_eq!(verification["found"]["relied_upon"], true);
    let page = product.read_request(request).await.unwrap().unwrap();
    let by_hand = page.systems.iter().flat_map(|one| &one.jobs).find(|one| one.id == job.id);
    assert!(by_hand.is_some_and(|one| !one.verified), "a word is no second look");
    let told = &job.done.expect("what was done")["current"]["testimonies"][0];
    assert_eq!((&told["grade"], &told["result"]), (&"told".into(), &"done".into()));
    assert_eq!(told["words"], "shredded, shelf 3");
    assert_eq!(told["proof"]["format"], "file");
    let digest = hex::encode(Digest::of(b"a photograph of the shredder").0);
    assert_eq!(told["proof"]["document_sha256"], digest);
    let notice = shop.letter(request, LetterKind::Recipient).await.expect("a notice");
    let (by, how, _) = notice.delivered.expect("told by hand");
    assert_eq!((by.as_str(), how), ("Ben Example", Delivery::Hand));
    // Over is over: nobody is shown anything any more.
    assert!(product.task_sheet(job.id, &Onlooker::Operator(ben)).await.is_err());
    shop.evidence(request).await;
}

/// The engine's side of an attempt that is told to stop, or not.
struct Told(Direction);

#[async_trait]
impl Progress for Told {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        self.0
    }

    async fn before_sending(&self) -> Direction {
        self.0
    }
}

/// A hold comes after the attempt was begun: nobody is told to shred what it covers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_opened_once_something_stands_in_the_way() {
    let shop = Shop::open(&[]).await;
    let product = &shop.product;
    let request = shop.ask(AskedRight::Erasure, "en").await.stored.id;
    product.advance_requests().await.unwrap();
    let job = shop.by_hand(request).await;
    let persons = SubjectRequest {
        action: SubjectAction::Erase,
        subjects: vec![Subject { reference: "p1".to_owned(), identities: Vec::new() }],
        regime: "gdpr".to_owned(),
        submitted_at: job.created_at,
        answer_by: None,
    };
    let order = Order {
        key: format!("{}-1", job.id.simple()),
        attempt: 1,
        moment: job.created_at,
        instructions: Vec::new(),
        lists: Vec::new(),
        pace: Pace::default(),
        most_records: None,
        persons: Some(persons),
    };
    let archive = product.connect(product.system("archive").unwrap()).unwrap();
    let stopped = archive.execute(&order, &Told(Direction::Stop)).await.unwrap();
    assert!(matches!(stopped, Receipt::Stopped(_)), "{stopped:?}");
    assert!(product.store.task(job.id).await.unwrap().is_none(), "nobody is told");
    let opened = archive.execute(&order, &Told(Direction::Continue)).await.unwrap();
    assert!(matches!(opened, Receipt::Pending { .. }), "{opened:?}");
    assert!(product.store.task(job.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_task_is_reminded_of_once_a_day_and_never_passed_over() {
    let shop = Shop::open(&[]).await;
    let request = shop.ask(AskedRight::Erasure, "en").await.stored.id;
    shop.work().await;
    let reminders = async || {
        let texts = shop.evidence(request).await;
        texts.iter().filter(|text| text.contains("overdue, reminded")).count()
    };
    shop.pass(24 * 10 - 1);
    shop.work().await;
    assert_eq!(reminders().await, 0);
    shop.pass(2);
    for _ in 0..3 {
        shop.work().await;
    }
    assert_eq!(reminders().await, 1);
    shop.pass(23);
    shop.work().await;
    assert_eq!(reminders().await, 1, "not twice a day");
    shop.pass(1);
    shop.work().await;
    assert_eq!(reminders().await, 2);
    let listed = shop.product.tasks(true).await.unwrap();
    assert_eq!((listed.len(), listed[0].standing()), (1, "overdue"));
    shop.pass(24 * 90);
    shop.work().await;
    let job = shop.by_hand(request).await;
    assert_eq!(job.state, JobState::Waiting, "nobody has done it");
    let case = shop.request(request).await.stored.case_id.unwrap();
    assert!(shop.product.certify_finished().await.unwrap().is_empty());

    // Called off with its case, the task is over too.
    shop.product.cancel(case, &named("Ada Example"), "asked by mistake").await.unwrap();
    assert!(shop.product.tasks(true).await.unwrap().is_empty());
    let ben = named("Ben Example");
    assert!(shop.product.report_task(job.id, said(TaskResult::Done), &ben).await.is_err());
    let task = shop.product.store.task(job.id).await.unwrap().unwrap();
    assert_eq!(task.state, TaskState::CalledOff);
    // Its job does not wait until it would have looked at the task again.
    shop.work().await;
    assert_eq!(shop.by_hand(request).await.state, JobState::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_written_as_the_request_goes_on_and_only_once() {
    let own = "Eingang {{ request }}\n\nHausvorlage von {{ controller }}, bis {{ answer_by }}.\n";
    let shop = Shop::open(&[("letters/de/acknowledgement.txt", own)]).await;
    let product = &shop.product;
    let request = shop.ask(AskedRight::Erasure, "de-AT").await.stored.id;
    let first = shop.letter(request, LetterKind::Acknowledgement).await.expect("a letter");
    assert_eq!((first.language.as_str(), first.recipient.as_str()), ("de", "person"));
    assert_eq!(first.template_digest, Digest::of(own.as_bytes()));
    assert!(shop.text(&first).await.contains("Hausvorlage von Example Shop GmbH, bis 2026-12-23"));
    let opened = product.open_letter(first.id, &named("Carl Clerk")).await.unwrap();
    assert_eq!(opened.to.as_deref(), Some(EMAIL));

    product.extend_request(request, &named("Ada Example"), "three systems, ABC-1").await.unwrap();
    let longer = shop.letter(request, LetterKind::Extension).await.expect("a letter");
    assert!(shop.text(&longer).await.contains("three systems, ABC-1"));
    shop.work().await;
    let notice = shop.letter(request, LetterKind::Recipient).await.expect("a notice");
    assert_eq!((notice.recipient.as_str(), notice.language.as_str()), ("archive", "en"));
    assert!(shop.text(&notice).await.contains("- contact"));
    for _ in 0..3 {
        assert_eq!(product.letters_of(request).await.unwrap().len(), 3);
    }

    // Delivered once; an excuse is for recipients, and needs a reason.
    let ada = named("Ada Example");
    let impossible = |reason: Option<&str>| (Delivery::Impossible, reason.map(str::to_owned));
    assert!(product.letter_delivered(first.id, impossible(Some("no")), &ada).await.is_err());
    assert!(product.letter_delivered(notice.id, impossible(None), &ada).await.is_err());
    product.letter_delivered(notice.id, impossible(Some("it is closed")), &ada).await.unwrap();
    product.letter_delivered(first.id, (Delivery::Mail, None), &ada).await.unwrap();
    assert!(product.letter_delivered(first.id, (Delivery::Hand, None), &ada).await.is_err());

    let answer = OutcomeFacts {
        outcome: RequestOutcome::PartiallyRetained,
        kept: Vec::new(),
        copies: None,
        files: None,
        third_parties: vec![ToldRecipient {
            system: SystemName::parse("archive").unwrap(),
            grade: Some(Grade::Told),
        }],
        certificate: Some(Uuid::from_u128(7)),
    };
    let open = shop.request(request).await;
    for _ in 0..2 {
        shop.answer(&open, answer.clone()).await;
    }
    let later = OutcomeFacts { certificate: Some(Uuid::from_u128(8)), ..answer };
    shop.answer(&open, later).await;
    let letters = product.letters_of(request).await.unwrap();
    let answers: Vec<&Letter> =
        letters.iter().filter(|letter| letter.kind == LetterKind::Outcome).collect();
    assert_eq!(answers.len(), 2, "one for each certificate");
    let text = shop.text(answers[0]).await;
    assert!(text.contains("Example Archive (told)") && text.contains("Einiges muss"), "{text}");
    shop.evidence(request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_told_to_the_person() {
    let shop = Shop::open(&[]).await;
    let (product, ada) = (&shop.product, named("Ada Example"));
    let access = shop.ask(AskedRight::Access, "en").await.stored.id;
    product.close_request(access, &ada, "sent by post").await.unwrap();
    let answer = shop.letter(access, LetterKind::Outcome).await.expect("an answer");
    assert!(shop.text(&answer).await.contains("by hand"));

    let refused = shop.ask(AskedRight::Rectification, "en").await.stored.id;
    product.refuse_request(refused, &ada, "unfounded, ABC-2").await.unwrap();
    assert!(shop.letter(refused, LetterKind::Refusal).await.is_none(), "one person proposes");
    product.refuse_request(refused, &named("Ben Example"), "agreed").await.unwrap();
    let refusal = shop.letter(refused, LetterKind::Refusal).await.expect("a refusal");
    let text = shop.text(&refusal).await;
    assert!(text.contains("unfounded, ABC-2") && text.contains("supervisory authority"), "{text}");

    let taken_back = shop.ask(AskedRight::Portability, "zh").await.stored.id;
    product.cancel_request(taken_back, &ada, "by phone").await.unwrap();
    let letter = shop.letter(taken_back, LetterKind::Cancelled).await.expect("a letter");
    assert_eq!(letter.language, "zh");
    assert!(shop.letter(taken_back, LetterKind::Outcome).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_is_lifted_only_after_the_person_was_told() {
    let shop = Shop::open(&[]).await;
    let product = &shop.product;
    let request = shop.ask(AskedRight::Lifting, "en").await.stored.id;
    for _ in 0..3 {
        shop.work().await;
        shop.pass(2);
    }
    let waiting = shop.request(request).await;
    assert_eq!((waiting.stored.state, waiting.stored.case_id), (RequestState::Ready, None));
    let needs = waiting.record.needs.expect("it says why");
    assert!(needs.contains("notice") && needs.contains("letter list"), "{needs}");
    let notice = shop.letter(request, LetterKind::BeforeLifting).await.expect("a notice");
    let ben = named("Ben Example");
    let excuse = (Delivery::Impossible, Some("moved away".to_owned()));
    assert!(product.letter_delivered(notice.id, excuse, &ben).await.is_err(), "no excuse");
    product.letter_delivered(notice.id, (Delivery::Mail, None), &ben).await.unwrap();
    product.advance_requests().await.unwrap();
    let going = shop.request(request).await;
    assert_eq!(going.stored.state, RequestState::Executing);
    assert_eq!(going.record.needs, None);
}
