//! A task by mail: the link is followed, somebody answers, a second person confirms, and the case
//! closes; and every link that is not as it should be is refused.

use jiff::ToSpan as _;
use quietus::domain::{AskedRight, JobState};
use quietus::store::{Job, Task, TaskState};

use super::house::{House, NOON, PERSON, Replica};
use super::maildir::{self, Received};

const DIGEST: &str = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";

/// The archive's job and its task.
async fn task(replica: &Replica) -> (Job, Task) {
    let tasks = replica.product.store.list_tasks(false, 9).await.unwrap();
    assert_eq!(tasks.len(), 1);
    let job = replica.product.store.job(tasks[0].job_id).await.unwrap().unwrap();
    (job, tasks[0].clone())
}

/// How often evidence of the task's case says this.
async fn evidence(replica: &Replica, words: &str) -> usize {
    let (job, _) = task(replica).await;
    let details = replica.product.store.details_of_case(job.case_id).await.unwrap();
    let texts: Vec<String> =
        details.iter().filter_map(|one| replica.product.open_detail(one).unwrap()).collect();
    assert!(texts.iter().all(|text| !text.contains("mail.example") && !text.contains("@company")));
    texts.iter().filter(|text| text.contains(words)).count()
}

async fn opened(more: &str) -> (House, Replica) {
    let house = House::open(maildir::port(), more).await;
    let replica = Replica::open(&house, NOON).await;
    replica.bring(AskedRight::Erasure, Some(&house.address("grace"))).await;
    replica.work().await;
    (house, replica)
}

/// Has the task answered by its assignee with a note.
async fn answered(replica: &Replica, token: &str) {
    let form = replica.get(token).await.expect(200).form();
    let fields = [
        ("form", form.as_str()),
        ("act", "answer"),
        ("result", "done"),
        ("note", "shelf 3, ARC-1"),
    ];
    replica.post(token, &fields).await.expect(200);
}

/// Programs that read mail follow links: that changes nothing and shows nobody.
async fn looking_changes_nothing(replica: &Replica, token: &str) {
    let before = (task(replica).await.1, evidence(replica, "").await);
    for _ in 0..3 {
        let page = replica.get(token).await.expect(200);
        assert!(page.text.contains("Take the file out of shelf 3") && !page.text.contains("grace"));
    }
    assert_eq!((task(replica).await.1, evidence(replica, "").await), before);
}

/// What does not fit is refused and not repeated, and nothing is on record of it.
async fn only_what_fits_is_taken(replica: &Replica, token: &str, form: &str) {
    for (fields, status) in [
        (&[("form", form), ("act", "answer")][..], 422),
        (&[("form", form), ("act", "answer"), ("result", "done")], 422),
        (&[("form", form), ("act", "answer"), ("result", "song"), ("note", "x")], 422),
        (&[("form", form), ("act", "answer"), ("result", "done"), ("note", PERSON)], 422),
        (&[("form", form), ("act", "answer"), ("result", "done"), ("evidence_sha256", "9f")], 422),
        (&[("form", form), ("act", "confirm")], 422),
        (&[("form", "1.00"), ("act", "answer"), ("result", "done"), ("note", "x")], 403),
        (&[("act", "answer"), ("result", "done"), ("note", "x")], 403),
        (&[("form", form), ("act", "dance")], 403),
    ] {
        let page = replica.post(token, fields).await.expect(status);
        assert!(!page.text.contains("grace"), "{}", page.text);
    }
    assert_eq!(task(replica).await.1.state, TaskState::Open);
}

/// The second person looks, and confirms once.
async fn confirmed(replica: &Replica, token: &str) {
    let page = replica.get(token).await.expect(200);
    assert!(page.text.contains(&DIGEST.to_lowercase()) && page.text.contains("Ben Example"));
    let form = page.form();
    let not_for = [("form", form.as_str()), ("act", "answer"), ("result", "done"), ("note", "x")];
    replica.post(token, &not_for).await.expect(422);
    let confirm = [("form", form.as_str()), ("act", "confirm")];
    replica.post(token, &confirm).await.expect(200);
    replica.post(token, &confirm).await.expect(410);
    replica.get(token).await.expect(410);
    assert_eq!(task(replica).await.1.confirmed.unwrap().0, "Ada Example");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_by_mail_is_done_behind_its_link_and_confirmed_by_another() {
    let (house, replica) = opened("").await;
    let mails = house.received("ben");
    assert_eq!(mails.len(), 1);
    let (subject, text) = (mails[0].subject(), &mails[0].text);
    assert!(subject.starts_with("Task: archive, by 2027-01-14 13:00"), "{subject}");
    assert!(text.contains("Take the file out of shelf 3") && text.contains("Example Archive"));
    assert!(!text.contains("grace") && !text.contains('@'), "the person is behind the link alone");
    let token = mails[0].token();
    looking_changes_nothing(&replica, &token).await;

    // Whom it is about is shown to whoever asks with the form, and is on record.
    let form = replica.get(&token).await.form();
    let shown = replica.post(&token, &[("form", &form), ("act", "show")]).await.expect(200);
    assert!(shown.text.contains(PERSON), "{}", shown.text);
    assert_eq!(evidence(&replica, "shown with whom it is about").await, 1);
    let form = shown.form();
    only_what_fits_is_taken(&replica, &token, &form).await;
    let fields = [
        ("form", form.as_str()),
        ("act", "answer"),
        ("result", "done"),
        ("evidence_sha256", DIGEST),
        ("note", ""),
    ];
    let thanks = replica.post(&token, &fields).await.expect(200);
    assert!(thanks.text.contains("On record"), "{}", thanks.text);
    let said = task(&replica).await.1;
    assert_eq!((said.state, said.done.unwrap().0.as_str()), (TaskState::Done, "Ben Example"));
    assert_eq!(said.evidence_sha256.unwrap().to_string(), DIGEST.to_lowercase());
    // The link is used up.
    assert!(replica.post(&token, &fields).await.expect(410).text.contains("somebody has said"));
    replica.get(&token).await.expect(410);

    // A second person has a link of their own.
    replica.work().await;
    assert_eq!(task(&replica).await.0.state, JobState::Waiting, "one word is not enough");
    let mails = house.received("ada");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].text.contains("Ben Example has said what became of a task"), "{mails:?}");
    confirmed(&replica, &mails[0].token()).await;
    assert_eq!(evidence(&replica, "link of a mail").await, 3, "shown, said, confirmed");

    replica.work().await;
    assert_eq!(task(&replica).await.0.state, JobState::Completed);
    let answer = house.received("grace");
    assert!(answer.iter().any(|one| one.text.contains("Example Archive (told)")), "{answer:?}");
    let case = task(&replica).await.0.case_id;
    let certificate = replica.product.store.certificate_of_case(case).await.unwrap();
    assert!(certificate.is_some(), "the case is closed");
    house.names_nobody("").await;
}

/// Whoever works on a task reads it in their language: the mail, the page and what it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_and_its_page_are_in_the_language_of_whoever_works_on_it() {
    for (language, subject, page_says, asks, over) in [
        (
            "de-AT",
            "Aufgabe: archive, bis ",
            "Eine Aufgabe für Sie",
            "geben Sie an",
            "gilt nicht mehr",
        ),
        ("zh", "任务：archive，截止 ", "您有一项任务", "请说明处理结果", "该链接已失效"),
    ] {
        let house = House::open(maildir::port(), "").await;
        let archive = house.company.read("systems/archive.yaml");
        let archive = archive.replace("  due_in:", &format!("  language: {language}\n  due_in:"));
        house.company.write("systems/archive.yaml", &archive);
        let replica = Replica::open(&house, NOON).await;
        replica.bring(AskedRight::Erasure, Some(&house.address("grace"))).await;
        replica.work().await;
        let mail = house.received("ben").remove(0);
        assert!(mail.subject().starts_with(subject), "{}", mail.subject());
        assert_eq!(mail.header("Content-Language"), &language[..2]);
        assert!(!mail.text.contains("Where:") && mail.text.contains("shelf 3"), "{}", mail.text);
        let token = mail.token();
        let page = replica.get(&token).await.expect(200);
        assert!(page.text.contains(&format!("<html lang=\"{}\">", &language[..2])));
        assert!(page.text.contains(page_says) && !page.text.contains("What became"));
        let form = page.form();
        let nothing = [("form", form.as_str()), ("act", "answer")];
        assert!(replica.post(&token, &nothing).await.expect(422).text.contains(asks));
        answered(&replica, &token).await;
        assert!(replica.get(&token).await.expect(410).text.contains(over));
        // The second person is written to in the same language.
        replica.work().await;
        let mail = house.received("ada").remove(0);
        assert_eq!(mail.header("Content-Language"), &language[..2]);
        let token = mail.token();
        let form = replica.get(&token).await.expect(200).form();
        let confirm = [("form", form.as_str()), ("act", "confirm")];
        replica.post(&token, &confirm).await.expect(200);
        house.names_nobody("").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_are_altered_old_or_for_somebody_else_are_refused() {
    let (house, replica) = opened("").await;
    let token = house.received("ben")[0].token();
    for place in [0, 10, 22, 30, 40, 75] {
        let other = if token[place..].starts_with('A') { "B" } else { "A" };
        let altered = format!("{}{other}{}", &token[..place], &token[place + 1..]);
        replica.get(&altered).await.expect(404);
        replica.post(&altered, &[("form", "x"), ("act", "show")]).await.expect(404);
    }
    for wrong in ["a", &token[1..], &format!("{token}A"), "00000000-0000-7000-8000-000000000000"] {
        replica.get(wrong).await.expect(404);
    }
    // Good until two weeks after the task is due.
    replica.clock.set("2027-01-28T11:59:59Z");
    let page = replica.get(&token).await.expect(200);
    let form = page.form();
    assert!(page.text.contains("overdue"), "{}", page.text);
    replica.clock.set("2027-01-28T12:00:00Z");
    assert!(replica.get(&token).await.expect(410).text.contains("is over"));
    let late = [("form", form.as_str()), ("act", "answer"), ("result", "done"), ("note", "x")];
    replica.post(&token, &late).await.expect(410);
    assert_eq!(task(&replica).await.1.state, TaskState::Open);

    // A form that was open for too long.
    replica.clock.set(NOON);
    let form = replica.get(&token).await.form();
    replica.clock.set("2027-01-04T14:00:01Z");
    let late = [("form", form.as_str()), ("act", "answer"), ("result", "done"), ("note", "x")];
    replica.post(&token, &late).await.expect(403);

    // A case that is called off has nothing to answer.
    let (job, _) = task(&replica).await;
    let ada = quietus::app::Actor("Ada Example".to_owned());
    replica.product.cancel(job.case_id, &ada, "asked by mistake").await.unwrap();
    assert!(replica.get(&token).await.expect(410).text.contains("called off"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_said_it_never_gets_the_link_that_confirms() {
    let (house, replica) = opened("").await;
    let (job, _) = task(&replica).await;
    // Ada, who confirms as a rule, has done it herself this time: the owner is asked.
    let said = quietus::app::task::SaidOfTask {
        result: quietus::store::TaskResult::Absent,
        evidence_sha256: None,
        note: Some("no file there".to_owned()),
    };
    let ada = quietus::app::Actor(" ADA example".to_owned());
    replica.product.report_task(job.id, said, &ada).await.unwrap();
    replica.work().await;
    assert_eq!(house.received("ada").len(), 0);
    assert_eq!(house.received("clara").len(), 1);

    // One address behind two names is one person.
    let (house, replica) = opened("").await;
    house.company.write_secret("ada-address", &house.address("ben"));
    answered(&replica, &house.received("ben")[0].token()).await;
    replica.work().await;
    assert_eq!(house.received("ben").len(), 1, "no second link to the same reader");
    let list = house.company.quietus(&["mail", "list"]).await.expect(0).out;
    assert!(list.contains("give it by hand") && list.contains("confirmation"), "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reminders_come_before_and_after_each_once_and_the_owner_hears_of_it() {
    let (house, replica) = opened("  remind_before: P2D\n  remind_every: P1D\n").await;
    let subjects =
        |name: &str| house.received(name).iter().map(Received::subject).collect::<Vec<_>>();
    // The request is answered late on purpose; nobody is reminded too early.
    for (now, ben, clara) in [
        ("2027-01-12T11:59:00Z", 1, 0),
        ("2027-01-12T12:00:00Z", 2, 0),
        ("2027-01-12T18:00:00Z", 2, 0),
        ("2027-01-14T11:59:00Z", 2, 0),
        ("2027-01-14T12:00:00Z", 3, 1),
        ("2027-01-14T23:00:00Z", 3, 1),
        ("2027-01-15T12:00:00Z", 4, 1),
        // After days without the process there is one reminder, not three.
        ("2027-01-18T13:00:00Z", 5, 1),
    ] {
        replica.clock.set(now);
        for _ in 0..2 {
            replica.work().await;
        }
        assert_eq!((subjects("ben").len(), subjects("clara").len()), (ben, clara), "{now}");
    }
    let ben = subjects("ben");
    assert!(ben[1].starts_with("Task due soon: archive"), "{ben:?}");
    assert!(ben[2..].iter().all(|one| one.starts_with("Task overdue: archive")), "{ben:?}");
    let owner = &house.received("clara")[0];
    assert!(owner.text.contains("is overdue. It is with Ben Example"), "{}", owner.text);
    assert!(!owner.text.contains("/v1/tasks/answer/"), "the owner has no link");

    // Every link that is not over leads there; once one of them is used all are over.
    let last = house.received("ben")[4].token();
    answered(&replica, &last).await;
    for mail in house.received("ben") {
        replica.get(&mail.token()).await.expect(410);
    }
    // From now on it is the second person who is reminded.
    replica.work().await;
    replica.clock.advance(24.hours());
    replica.work().await;
    assert_eq!(subjects("ben").len(), 5);
    assert!(
        subjects("ada").iter().any(|one| one.starts_with("Task overdue")),
        "{:?}",
        subjects("ada")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_names_the_person_only_where_the_instance_says_so() {
    let (house, replica) = opened("  name_persons: true\n").await;
    assert!(house.received("ben")[0].text.contains(PERSON));
    assert_eq!(evidence(&replica, "shown with whom it is about").await, 1);
}
