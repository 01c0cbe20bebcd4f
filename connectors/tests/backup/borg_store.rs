//! What is peculiar to Borg.

use std::process::Stdio;

use quietus_connectors::{Counting, Fault};

use crate::ground::{Ground, until};

#[tokio::test]
async fn a_wrong_passphrase_is_misconfigured() {
    let mut ground = Ground::of("borg").await;
    ground.tell("passphrase", "not this one");
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("`passphrase`"), "{message}");
    ground.settings.parameters.remove("passphrase");
    assert!(matches!(ground.store().copies().await, Err(Fault::Misconfigured { .. })));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_transient() {
    let mut ground = Ground::of("borg").await;
    ground.place("ssh://somebody@127.0.0.1:1/vault");
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("cannot be reached"), "{message}");
    assert!(!message.contains("somebody"), "{message}");
}

#[tokio::test]
async fn of_a_shared_repository_only_what_is_ours_is_seen_and_removed() {
    let mut ground = Ground::of("borg").await;
    ground.archive("news-1", "2026-03-05T02:00:00");
    let all = ground.ids().await;
    let other = all.last().unwrap().clone();
    assert!(other.starts_with("news-1#"), "{other}");
    ground.tell("archives", "shop-*");
    assert_eq!(ground.ids().await, all[..4]);
    let wanted = [all[0].clone(), other.clone()];
    let fault = ground.store().expire(&wanted).await.unwrap_err();
    let Fault::Rejected { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains(&other) && message.contains("nothing was removed"), "{message}");
    assert_eq!(ground.ids().await, all[..4]);
}

#[tokio::test]
async fn a_name_that_was_given_anew_is_another_copy() {
    let ground = Ground::of("borg").await;
    let old = ground.before[0].clone();
    ground.run(&["delete", "::shop-1"]);
    ground.archive("shop-1", "2026-03-09T02:00:00");
    let expiry = ground.store().expire(std::slice::from_ref(&old)).await.unwrap();
    assert_eq!(expiry.gone, std::slice::from_ref(&old));
    let left = ground.ids().await;
    assert!(left.iter().any(|id| id.starts_with("shop-1#") && *id != old), "{left:?}");
}

#[tokio::test]
async fn a_locked_repository_is_told_and_the_lock_stays() {
    let ground = Ground::of("borg").await;
    let mut running = ground.command(&["with-lock", "::", "cat"]);
    let mut running = running.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let lock = ground.path("repository/lock.exclusive");
    until("the lock", || lock.exists()).await;
    let first = std::slice::from_ref(&ground.before[0]);
    for fault in [
        ground.store().copies().await.unwrap_err(),
        ground.store().expire(first).await.unwrap_err(),
    ] {
        let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
        assert!(message.contains("locked") && message.contains("borg break-lock"), "{message}");
    }
    assert!(lock.exists());
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success(), "nobody took its lock away");
    assert_eq!(ground.store().expire(first).await.unwrap().gone, first);
}

#[tokio::test]
async fn what_was_cut_short_is_a_copy_too() {
    let ground = Ground::of("borg").await;
    // As an interrupted run leaves one behind.
    ground.archive("shop-5.checkpoint", "2026-03-05T02:00:00");
    assert!(!ground.run(&["list", "--short"]).contains("checkpoint"));
    let copies = ground.copies().await;
    let last = copies.last().unwrap();
    assert!(last.id.starts_with("shop-5.checkpoint#"), "{last:?}");
    assert_ne!(last.series, copies[0].series);
    let expiry = ground.store().expire(std::slice::from_ref(&last.id)).await.unwrap();
    assert_eq!(expiry.gone, std::slice::from_ref(&last.id));
    assert_eq!(ground.ids().await.len(), 4);
}

#[tokio::test]
async fn a_repository_that_only_adds_keeps_what_it_would_hide() {
    let ground = Ground::of("borg").await;
    ground.run(&["config", "--", "::", "append_only", "1"]);
    let first = std::slice::from_ref(&ground.before[0]);
    let expiry = ground.store().expire(first).await.unwrap();
    assert!(expiry.gone.is_empty(), "{expiry:?}");
    let (id, stay) = &expiry.kept[0];
    assert_eq!((id, stay.until), (&first[0], None));
    assert!(stay.why.contains("`append_only`"), "{}", stay.why);
    assert_eq!(ground.ids().await.len(), 4);
    assert!(ground.store().check().await.unwrap().product.contains("only adds"));
}

#[tokio::test]
async fn questions_of_the_tool_are_answered_by_a_parameter() {
    let mut ground = Ground::of("borg").await;
    let moved = ground.path("moved");
    std::fs::rename(ground.path("repository"), &moved).unwrap();
    ground.place(moved.to_str().unwrap());
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("BORG_RELOCATED_REPO_ACCESS_IS_OK"), "{message}");
    ground.tell("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
    assert_eq!(ground.ids().await.len(), 4);
    assert_eq!(ground.store().counting(), Counting::Beyond);
    assert_eq!(ground.store().retention().await.unwrap(), None);
}
