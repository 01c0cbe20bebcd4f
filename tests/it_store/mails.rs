//! Mails: written once, claimed by one, settled once, and never rewritten.

use quietus::domain::Digest;
use quietus::store::{
    Delivery, LetterKind, Mail, MailAbout, MailOutcome, MailState, TaskReport, TaskResult,
};
use uuid::Uuid;

use crate::requests::{letter, taken};
use crate::stage::{Stage, at, entry, new_id};
use crate::tasks::waiting;

on_both! {
    a_letter_is_written_with_its_mail,
    one_claims_and_settles,
    what_nobody_settled_is_found,
    a_letter_given_by_hand_is_not_claimed,
    a_mail_is_sent_again_only_where_that_is_open,
    the_rate_is_counted,
    mails_of_tasks_go_with_their_tasks,
    a_mail_is_never_rewritten,
}

pub fn mail_of(letter: Uuid) -> Mail {
    Mail {
        id: letter,
        about: MailAbout::Letter,
        letter_id: Some(letter),
        job_id: None,
        recipient: "person".to_owned(),
        state: MailState::Due,
        written_at: at(1),
        next_at: at(1),
        attempts: 0,
        attempts_allowed: 3,
        tried_at: None,
        fault: None,
        settled_at: None,
    }
}

/// A letter with its mail; the mail.
async fn written(stage: &Stage, external: &str) -> Mail {
    let request = taken(stage, external, &[]).await;
    let letter = letter(request, LetterKind::Outcome, "person");
    let mail = mail_of(letter.id);
    let store = &stage.store;
    assert!(store.write_letter_to_mail(letter, Some(mail.clone()), Vec::new()).await.unwrap());
    mail
}

async fn read(stage: &Stage, id: Uuid) -> Mail {
    stage.store.mail(id).await.unwrap().unwrap()
}

async fn a_letter_is_written_with_its_mail(stage: Stage) {
    let mail = written(&stage, "one").await;
    assert_eq!(read(&stage, mail.id).await, mail);
    let request = stage.store.letter(mail.id).await.unwrap().unwrap().request_id;
    assert_eq!(stage.store.mails_of_request(request).await.unwrap(), vec![mail.clone()]);
    assert!(!stage.store.write_mail(&mail).await.unwrap(), "once");
    let other = Mail { id: new_id(), ..mail.clone() };
    assert!(!stage.store.write_mail(&other).await.unwrap(), "a letter has one mail");
    assert_eq!(stage.store.due_mails(at(0), 9).await.unwrap(), Vec::new());
    assert_eq!(stage.store.due_mails(at(1), 9).await.unwrap(), vec![mail]);
    assert_eq!(stage.store.mail(new_id()).await.unwrap(), None);
}

async fn one_claims_and_settles(stage: Stage) {
    let mail = written(&stage, "one").await;
    let before = stage.rows("evidence_outbox").await;
    let evidence = || vec![entry(None, None)];
    assert!(stage.store.begin_mail(&mail, at(2), evidence()).await.unwrap());
    assert!(!stage.store.begin_mail(&mail, at(2), evidence()).await.unwrap(), "one of two");
    let later = MailOutcome::Later(at(60), "(451)".to_owned());
    let by = ("scheduler", at(3));
    let wrong = (mail.id, 2);
    assert!(!stage.store.settle_mail(wrong, MailOutcome::Sent, by, evidence()).await.unwrap());
    let settle = stage.store.settle_mail((mail.id, 1), later.clone(), by, evidence());
    assert!(settle.await.unwrap());
    assert!(!stage.store.settle_mail((mail.id, 1), later, by, evidence()).await.unwrap());
    let due = read(&stage, mail.id).await;
    assert_eq!((due.state, due.attempts, due.next_at), (MailState::Due, 1, at(60)));
    assert_eq!((due.fault.as_deref(), due.tried_at), (Some("(451)"), Some(at(2))));
    assert!(stage.store.letter(mail.id).await.unwrap().unwrap().delivered.is_none());

    assert!(stage.store.begin_mail(&due, at(60), evidence()).await.unwrap());
    let by = ("scheduler", at(61));
    assert!(
        stage.store.settle_mail((mail.id, 2), MailOutcome::Sent, by, evidence()).await.unwrap()
    );
    let sent = read(&stage, mail.id).await;
    assert_eq!((sent.state, sent.settled_at, sent.fault), (MailState::Sent, Some(at(61)), None));
    let letter = stage.store.letter(mail.id).await.unwrap().unwrap();
    assert_eq!(letter.delivered, Some(("scheduler".to_owned(), Delivery::Mail, at(61))));
    assert_eq!(stage.store.open_mails(9).await.unwrap(), Vec::new());
    assert_eq!(stage.rows("evidence_outbox").await - before, 4);
}

async fn what_nobody_settled_is_found(stage: Stage) {
    let mail = written(&stage, "one").await;
    assert!(stage.store.begin_mail(&mail, at(2), Vec::new()).await.unwrap());
    assert_eq!(stage.store.lost_mails(at(1)).await.unwrap(), Vec::new());
    let lost = stage.store.lost_mails(at(2)).await.unwrap();
    assert_eq!((lost.len(), lost[0].state, lost[0].attempts), (1, MailState::Sending, 1));
    let unknown = MailOutcome::Unknown("the process ended".to_owned());
    let by = ("scheduler", at(600));
    assert!(stage.store.settle_mail((mail.id, 1), unknown, by, Vec::new()).await.unwrap());
    assert_eq!(stage.store.lost_mails(at(9999)).await.unwrap(), Vec::new());
    assert_eq!(stage.store.due_mails(at(9999), 9).await.unwrap(), Vec::new());
    assert_eq!(stage.store.open_mails(9).await.unwrap()[0].state, MailState::Unknown);
    // Whoever sent it and was only slow changes nothing any more.
    let sent = stage.store.settle_mail((mail.id, 1), MailOutcome::Sent, by, Vec::new());
    assert!(!sent.await.unwrap());
}

async fn a_letter_given_by_hand_is_not_claimed(stage: Stage) {
    let mail = written(&stage, "one").await;
    let by_hand = || ("Ben Example".to_owned(), Delivery::Hand, at(5));
    assert!(stage.store.letter_delivered(mail.id, by_hand(), None, Vec::new()).await.unwrap());
    assert_eq!(read(&stage, mail.id).await.state, MailState::CalledOff);
    assert!(!stage.store.begin_mail(&mail, at(6), Vec::new()).await.unwrap());

    // While one sends it, another one gives it by hand: what was sent was sent, and the letter
    // keeps the first word.
    let mail = written(&stage, "two").await;
    assert!(stage.store.begin_mail(&mail, at(4), Vec::new()).await.unwrap());
    assert!(stage.store.letter_delivered(mail.id, by_hand(), None, Vec::new()).await.unwrap());
    assert_eq!(read(&stage, mail.id).await.state, MailState::Sending);
    let by = ("scheduler", at(6));
    let later = MailOutcome::Later(at(7), "away".to_owned());
    assert!(stage.store.settle_mail((mail.id, 1), later, by, Vec::new()).await.unwrap());
    let due = read(&stage, mail.id).await;
    assert!(!stage.store.begin_mail(&due, at(8), Vec::new()).await.unwrap(), "not once more");
    assert!(stage.store.call_off_mail(mail.id, at(8)).await.unwrap());
    assert!(!stage.store.call_off_mail(mail.id, at(8)).await.unwrap());
    let letter = stage.store.letter(mail.id).await.unwrap().unwrap();
    assert_eq!(letter.delivered, Some(by_hand()));
}

async fn a_mail_is_sent_again_only_where_that_is_open(stage: Stage) {
    let mut mail = written(&stage, "one").await;
    let id = mail.id;
    let again = async || stage.store.mail_again(id, (2, at(50)), Vec::new()).await.unwrap();
    assert!(!again().await, "it is due");
    for attempt in 1..=3 {
        assert!(stage.store.begin_mail(&mail, at(2), Vec::new()).await.unwrap());
        assert!(!again().await, "it is being sent");
        let outcome = if attempt == 3 {
            MailOutcome::ByHand("(550)".to_owned())
        } else {
            MailOutcome::Later(at(2), "(451)".to_owned())
        };
        let by = ("scheduler", at(3));
        assert!(
            stage.store.settle_mail((mail.id, attempt), outcome, by, Vec::new()).await.unwrap()
        );
        mail = read(&stage, mail.id).await;
    }
    assert_eq!(mail.state, MailState::ByHand);
    assert!(again().await);
    mail = read(&stage, mail.id).await;
    assert_eq!((mail.state, mail.attempts, mail.attempts_allowed), (MailState::Due, 3, 5));
    assert_eq!(mail.next_at, at(50));
}

async fn the_rate_is_counted(stage: Stage) {
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let mail = written(&stage, name).await;
        let tried = at(10 + i64::try_from(number).unwrap());
        assert!(stage.store.begin_mail(&mail, tried, Vec::new()).await.unwrap());
    }
    for (since, tried) in [(9, 3), (10, 2), (12, 0)] {
        assert_eq!(stage.store.mails_tried_since(at(since)).await.unwrap(), tried, "{since}");
    }
}

async fn mails_of_tasks_go_with_their_tasks(stage: Stage) {
    let (_, job) = waiting(&stage).await;
    let about = |about: MailAbout| Mail {
        id: new_id(),
        about,
        letter_id: None,
        job_id: Some(job),
        recipient: "Ben Example".to_owned(),
        ..mail_of(new_id())
    };
    let (task, reminder) = (about(MailAbout::Task), about(MailAbout::Reminder));
    for mail in [&task, &reminder] {
        assert!(stage.store.write_mail(mail).await.unwrap());
    }
    assert_eq!(stage.store.mails_of_task(job).await.unwrap().len(), 2);
    assert_eq!(stage.store.mails_of_pending_tasks().await.unwrap().len(), 2);
    assert!(stage.store.begin_mail(&task, at(2), Vec::new()).await.unwrap());
    let by = ("scheduler", at(3));
    let sent = stage.store.settle_mail((task.id, 1), MailOutcome::Sent, by, Vec::new());
    assert!(sent.await.unwrap(), "a task has no letter that is delivered");
    let report = TaskReport {
        job,
        result: TaskResult::Done,
        by: "Ben Example".to_owned(),
        evidence_sha256: Some(Digest::of(b"letter")),
        note: None,
    };
    assert!(stage.store.report_task(report, at(4), Vec::new()).await.unwrap());
    stage.store.confirm_task(job, "Ada Example", at(5), Vec::new()).await.unwrap();
    assert_eq!(stage.store.mails_of_pending_tasks().await.unwrap(), Vec::<Uuid>::new());
    assert_eq!(stage.store.mails_of_task(job).await.unwrap().len(), 2, "they stay on record");
}

async fn a_mail_is_never_rewritten(stage: Stage) {
    let mail = written(&stage, "one").await;
    for wrong in [
        "UPDATE mails SET recipient = 'somebody'",
        "UPDATE mails SET written_at = 9",
        "UPDATE mails SET about = 'task'",
        "DELETE FROM mails",
    ] {
        let Err(words) = stage.intrude(wrong).await else { panic!("`{wrong}` was done") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
    for wrong in [
        "UPDATE mails SET state = 'sent'",
        "UPDATE mails SET state = 'lost'",
        "UPDATE mails SET state = 'called_off'",
        "UPDATE mails SET attempts = 4, tried_at = 1",
        "UPDATE mails SET tried_at = 1",
    ] {
        assert!(stage.intrude(wrong).await.is_err(), "`{wrong}` was carried out");
    }
    assert!(stage.store.begin_mail(&mail, at(2), Vec::new()).await.unwrap());
    let by = ("scheduler", at(3));
    assert!(
        stage.store.settle_mail((mail.id, 1), MailOutcome::Sent, by, Vec::new()).await.unwrap()
    );
    for wrong in
        ["UPDATE mails SET state = 'due', settled_at = NULL", "UPDATE mails SET attempts = 2"]
    {
        let Err(words) = stage.intrude(wrong).await else { panic!("`{wrong}` was done") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
}
