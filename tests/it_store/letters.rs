//! Letters: written once, delivered once, and never rewritten.

use quietus::store::{Delivery, LetterKind};

use crate::requests::{letter, taken};
use crate::stage::{Stage, at, entry, new_id};

on_both! {
    a_letter_is_written_once,
    a_letter_is_delivered_once,
    an_excuse_needs_a_reason,
    a_letter_is_never_rewritten,
}

async fn a_letter_is_written_once(stage: Stage) {
    let request = taken(&stage, "one", &[]).await;
    let before = stage.rows("evidence_outbox").await;
    let evidence = || vec![entry(None, None)];
    let first = letter(request, LetterKind::Acknowledgement, "person");
    assert!(stage.store.write_letter(first.clone(), evidence()).await.unwrap());
    assert!(!stage.store.write_letter(first.clone(), evidence()).await.unwrap(), "the same");
    let again = letter(request, LetterKind::Acknowledgement, "person");
    assert!(!stage.store.write_letter(again, evidence()).await.unwrap(), "one acknowledgement");
    // A later certificate has an answer of its own, and every recipient a notice.
    for (kind, recipient) in [
        (LetterKind::Outcome, "person"),
        (LetterKind::Outcome, "person"),
        (LetterKind::Recipient, "mailer"),
        (LetterKind::Recipient, "archive"),
    ] {
        let letter = letter(request, kind, recipient);
        assert!(stage.store.write_letter(letter, evidence()).await.unwrap(), "{kind} {recipient}");
    }
    let twice = letter(request, LetterKind::Recipient, "archive");
    assert!(!stage.store.write_letter(twice, evidence()).await.unwrap());
    let letters = stage.store.letters_of_request(request).await.unwrap();
    assert_eq!((letters.len(), &letters[0]), (5, &first));
    assert_eq!(stage.store.letter(first.id).await.unwrap(), Some(first));
    assert_eq!(stage.store.letter(new_id()).await.unwrap(), None);
    assert_eq!(stage.rows("evidence_outbox").await - before, 5);
}

async fn a_letter_is_delivered_once(stage: Stage) {
    let request = taken(&stage, "one", &[]).await;
    let notice = letter(request, LetterKind::BeforeLifting, "person");
    assert!(stage.store.write_letter(notice.clone(), Vec::new()).await.unwrap());
    let by_mail = ("Ben Example".to_owned(), Delivery::Mail, at(5));
    let delivered = stage.store.letter_delivered(notice.id, by_mail.clone(), None, Vec::new());
    assert!(delivered.await.unwrap());
    let by_hand = ("Ada Example".to_owned(), Delivery::Hand, at(6));
    let evidence = vec![entry(None, None)];
    let before = stage.rows("evidence_outbox").await;
    assert!(!stage.store.letter_delivered(notice.id, by_hand, None, evidence).await.unwrap());
    assert_eq!(stage.rows("evidence_outbox").await, before);
    let found = stage.store.letter(notice.id).await.unwrap().unwrap();
    assert_eq!(found.delivered, Some(by_mail));
    let nobody = ("Ada Example".to_owned(), Delivery::Interface, at(6));
    assert!(!stage.store.letter_delivered(new_id(), nobody, None, Vec::new()).await.unwrap());
}

async fn an_excuse_needs_a_reason(stage: Stage) {
    let request = taken(&stage, "one", &[]).await;
    let notice = letter(request, LetterKind::Recipient, "mailer");
    assert!(stage.store.write_letter(notice.clone(), Vec::new()).await.unwrap());
    let excused = ("Ben Example".to_owned(), Delivery::Disproportionate, at(5));
    let bare = stage.store.letter_delivered(notice.id, excused.clone(), None, Vec::new()).await;
    assert!(bare.is_err(), "the schema asks for a reason");
    let reason = Some("10 000 readers of a paper".to_owned());
    let with_reason =
        stage.store.letter_delivered(notice.id, excused, reason.clone(), Vec::new()).await;
    assert!(with_reason.unwrap());
    let found = stage.store.letter(notice.id).await.unwrap().unwrap();
    assert_eq!(found.reason, reason);
}

async fn a_letter_is_never_rewritten(stage: Stage) {
    let request = taken(&stage, "one", &[]).await;
    let notice = letter(request, LetterKind::Recipient, "mailer");
    assert!(stage.store.write_letter(notice.clone(), Vec::new()).await.unwrap());
    let by_hand = ("Ben Example".to_owned(), Delivery::Hand, at(5));
    assert!(stage.store.letter_delivered(notice.id, by_hand, None, Vec::new()).await.unwrap());
    let bytes = if stage.store.kind() == "sqlite" { "x'00'" } else { "'\\x00'" };
    for attempt in [
        format!("UPDATE letters SET sealed = {bytes}"),
        "UPDATE letters SET kind = 'outcome'".to_owned(),
        "UPDATE letters SET recipient = 'person'".to_owned(),
        "UPDATE letters SET written_at = 1".to_owned(),
        "UPDATE letters SET delivered_at = 1".to_owned(),
        "DELETE FROM letters".to_owned(),
    ] {
        let Err(words) = stage.intrude(&attempt).await else { panic!("`{attempt}` was done") };
        assert!(words.contains("append-only"), "{attempt}: {words}");
    }
    // The text goes with its person.
    assert_eq!(stage.intrude("UPDATE letters SET sealed = NULL").await.unwrap(), 1);
    let back = format!("UPDATE letters SET sealed = {bytes}");
    assert!(stage.intrude(&back).await.is_err(), "and does not come back");
}
