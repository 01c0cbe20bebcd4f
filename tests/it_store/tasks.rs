//! Tasks: one person says that it is done, another one confirms, and then the job wakes up.

use quietus::domain::{Digest, JobState};
use quietus::store::{
    Settle, Settlement, Task, TaskConfirmation, TaskReport, TaskResult, TaskState,
};
use uuid::Uuid;

use crate::stage::{Stage, at, claim, entry, new_id, tenure};

on_both! {
    a_task_is_opened_once,
    a_second_person_confirms_and_the_job_wakes_up,
    nobody_confirms_what_nobody_has_said,
    somebody_is_reminded_once,
    a_task_that_is_called_off_is_over,
    what_was_confirmed_is_never_rewritten,
    tasks_are_listed_by_their_dates,
}

fn new_task(case: Uuid, job: Uuid, due: i64) -> Task {
    Task {
        job_id: job,
        case_id: case,
        system: "archive".to_owned(),
        assignee: "Ben Example".to_owned(),
        state: TaskState::Open,
        result: None,
        opened_at: at(0),
        due_at: at(due),
        reminded_at: None,
        done: None,
        evidence_sha256: None,
        note: None,
        confirmed: None,
    }
}

fn report(job: Uuid, by: &str) -> TaskReport {
    TaskReport {
        job,
        result: TaskResult::Absent,
        by: by.to_owned(),
        evidence_sha256: Some(Digest::of(b"letter")),
        note: Some("no file there".to_owned()),
    }
}

/// A case whose one job waits until second 900 for its task, which is open.
async fn waiting(stage: &Stage) -> (Uuid, Uuid) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let claimed = stage.claim_one("worker", 0).await;
    assert!(stage.store.open_task(&new_task(case, jobs[0], 500), at(1), Vec::new()).await.unwrap());
    let settlement =
        Settlement::Waiting { ask_at: at(900), reference: "task".to_owned(), overdue: None };
    let settle = Settle { tenure: tenure(&claimed), settlement, now: at(2), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    (case, jobs[0])
}

async fn a_task_is_opened_once(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(1).await;
    let task = new_task(case, jobs[0], 500);
    assert!(stage.store.open_task(&task, at(1), vec![entry(Some(case), None)]).await.unwrap());
    let later = Task { due_at: at(9999), assignee: "Somebody Else".to_owned(), ..task.clone() };
    let again = stage.store.open_task(&later, at(2), vec![entry(Some(case), None)]).await;
    assert!(!again.unwrap());
    let found = stage.store.task(jobs[0]).await.unwrap();
    assert_eq!(found, Some(Task { opened_at: at(1), ..task }));
    assert_eq!(stage.rows("evidence_outbox").await, 1);
    assert!(stage.store.open_task(&new_task(case, new_id(), 5), at(3), Vec::new()).await.is_err());
}

async fn a_second_person_confirms_and_the_job_wakes_up(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    let store = &stage.store;
    assert!(store.report_task(report(job, "Ben Example"), at(10), Vec::new()).await.unwrap());
    let again = store.report_task(report(job, "Ada Example"), at(11), Vec::new()).await;
    assert!(!again.unwrap(), "it was said before");
    assert!(store.claim(claim("worker", 12, 5)).await.unwrap().is_empty(), "not on one's word");
    for same in ["Ben Example", "ben example"] {
        let evidence = vec![entry(None, None)];
        let confirmed = store.confirm_task(job, same, at(13), evidence).await.unwrap();
        assert_eq!(confirmed, TaskConfirmation::SamePerson, "{same}");
    }
    assert_eq!(stage.rows("evidence_outbox").await, 0);
    assert!(store.claim(claim("worker", 14, 5)).await.unwrap().is_empty());
    let confirmed = store.confirm_task(job, "Ada Example", at(15), Vec::new()).await.unwrap();
    assert_eq!(confirmed, TaskConfirmation::Confirmed);
    let task = store.task(job).await.unwrap().unwrap();
    assert_eq!((task.state, task.result), (TaskState::Confirmed, Some(TaskResult::Absent)));
    assert_eq!(task.done, Some(("Ben Example".to_owned(), at(10))));
    assert_eq!(task.confirmed, Some(("Ada Example".to_owned(), at(15))));
    assert_eq!(task.evidence_sha256, Some(Digest::of(b"letter")));
    let claimed = stage.claim_one("worker", 15).await;
    assert_eq!((claimed.job.id, claimed.job.reference.as_deref()), (job, Some("task")));
    let twice = store.confirm_task(job, "Eve Example", at(16), Vec::new()).await.unwrap();
    assert_eq!(twice, TaskConfirmation::NotDone);
}

async fn nobody_confirms_what_nobody_has_said(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    for (unsaid, by) in [(job, "Ada Example"), (new_id(), "Ada Example")] {
        let confirmed = stage.store.confirm_task(unsaid, by, at(5), Vec::new()).await.unwrap();
        assert_eq!(confirmed, TaskConfirmation::NotDone);
    }
    let found = stage.store.job(job).await.unwrap().unwrap();
    assert_eq!((found.state, found.available_at), (JobState::Waiting, at(900)));
    assert!(!stage.store.report_task(report(new_id(), "Ben"), at(6), Vec::new()).await.unwrap());
}

async fn somebody_is_reminded_once(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    let store = &stage.store;
    assert!(store.tasks_to_remind(at(499), at(0)).await.unwrap().is_empty(), "it is not due");
    assert_eq!(store.tasks_to_remind(at(500), at(0)).await.unwrap().len(), 1);
    assert!(store.task_reminded(job, at(500)).await.unwrap());
    assert!(!store.task_reminded(job, at(500)).await.unwrap(), "another replica was faster");
    assert!(store.tasks_to_remind(at(600), at(499)).await.unwrap().is_empty(), "not so soon");
    assert_eq!(store.tasks_to_remind(at(1000), at(500)).await.unwrap()[0].job_id, job);
    // Who waits for a second person is reminded too.
    assert!(store.report_task(report(job, "Ben Example"), at(1001), Vec::new()).await.unwrap());
    assert_eq!(store.tasks_to_remind(at(1002), at(501)).await.unwrap().len(), 1);
    store.confirm_task(job, "Ada Example", at(1003), Vec::new()).await.unwrap();
    assert!(store.tasks_to_remind(at(9999), at(9998)).await.unwrap().is_empty());
    assert!(!store.task_reminded(job, at(9999)).await.unwrap());
}

async fn a_task_that_is_called_off_is_over(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    assert!(stage.store.call_off_task(job).await.unwrap());
    assert!(!stage.store.call_off_task(job).await.unwrap());
    assert!(!stage.store.report_task(report(job, "Ben"), at(5), Vec::new()).await.unwrap());
    let confirmed = stage.store.confirm_task(job, "Ada", at(6), Vec::new()).await.unwrap();
    assert_eq!(confirmed, TaskConfirmation::NotDone);
    assert!(stage.store.tasks_to_remind(at(9999), at(9998)).await.unwrap().is_empty());
    assert!(stage.store.wake_waiting(job, at(7)).await.unwrap());
    assert_eq!(stage.claim_one("worker", 7).await.job.id, job);
    assert!(!stage.store.wake_waiting(job, at(8)).await.unwrap(), "it does not wait");
}

async fn what_was_confirmed_is_never_rewritten(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    let alone = "UPDATE tasks SET state = 'confirmed', result = 'done', done_at = 1,
        done_by = 'Ben', confirmed_at = 2, confirmed_by = 'Ben'";
    assert!(stage.intrude(alone).await.is_err(), "one person is not two");
    let unsaid = "UPDATE tasks SET state = 'confirmed', confirmed_at = 2, confirmed_by = 'Ada'";
    assert!(stage.intrude(unsaid).await.is_err(), "nobody has said so");
    stage.store.report_task(report(job, "Ben"), at(5), Vec::new()).await.unwrap();
    stage.store.confirm_task(job, "Ada", at(6), Vec::new()).await.unwrap();
    for attempt in [
        "UPDATE tasks SET result = 'done'",
        "UPDATE tasks SET state = 'open', confirmed_at = NULL, confirmed_by = NULL",
        "UPDATE tasks SET note = NULL",
        "DELETE FROM tasks",
    ] {
        let Err(words) = stage.intrude(attempt).await else { panic!("`{attempt}` was done") };
        assert!(words.contains("append-only"), "{attempt}: {words}");
    }
}

async fn tasks_are_listed_by_their_dates(stage: Stage) {
    let (case, jobs) = stage.case_with_jobs(3).await;
    for (job, due) in jobs.iter().zip([30, 10, 20]) {
        let task = new_task(case, *job, due);
        assert!(stage.store.open_task(&task, at(1), Vec::new()).await.unwrap());
    }
    let listed =
        |tasks: Vec<Task>| -> Vec<Uuid> { tasks.into_iter().map(|task| task.job_id).collect() };
    let open = stage.store.list_tasks(true, 10).await.unwrap();
    assert_eq!(listed(open), [jobs[1], jobs[2], jobs[0]]);
    assert!(stage.store.call_off_task(jobs[1]).await.unwrap());
    assert_eq!(listed(stage.store.list_tasks(true, 1).await.unwrap()), [jobs[2]]);
    assert_eq!(stage.store.list_tasks(false, 10).await.unwrap().len(), 3);
}
