//! What is peculiar to restic.

use std::fs;
use std::process::Stdio;

use quietus_connectors::Fault;

use crate::ground::{Ground, PASSWORD, at, until};

#[tokio::test]
async fn a_wrong_password_is_misconfigured() {
    let mut ground = Ground::of("restic").await;
    ground.tell("password", "not this one");
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("`password`"), "{message}");
    assert!(matches!(ground.store().check().await, Err(Fault::Misconfigured { .. })));
    ground.settings.parameters.remove("password");
    let Err(Fault::Misconfigured { message }) = ground.try_store() else { panic!("it opened") };
    assert!(message.contains("`password` is missing"), "{message}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_transient() {
    let mut ground = Ground::of("restic").await;
    ground.place(&format!("rest:http://somebody:{PASSWORD}@127.0.0.1:1/"));
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("cannot be reached"), "{message}");
    assert!(!message.contains("somebody"), "{message}");
}

#[tokio::test]
async fn of_a_shared_repository_only_what_is_ours_is_seen_and_removed() {
    let mut ground = Ground::of("restic").await;
    let other = ground.snapshot("2026-03-05 02:00:00", &["--host=other"]);
    let tagged = ground.snapshot("2026-03-06 02:00:00", &["--tag=shop,nightly"]);
    assert_eq!(ground.ids().await.len(), 6);
    ground.tell("host", "shop");
    assert!(!ground.ids().await.contains(&other));
    assert_eq!(ground.ids().await.len(), 5);
    ground.tell("tags", "nightly, shop");
    assert_eq!(ground.ids().await, std::slice::from_ref(&tagged));
    ground.settings.parameters.remove("tags");
    ground.tell("paths", "/somewhere/else");
    assert!(ground.ids().await.is_empty());
    ground.tell("paths", ground.path("source").to_str().unwrap());
    let wanted = [tagged.clone(), other.clone()];
    let fault = ground.store().expire(&wanted).await.unwrap_err();
    let Fault::Rejected { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains(&other) && message.contains("nothing was removed"), "{message}");
    assert!(ground.ids().await.contains(&tagged));
    let fault = ground.store().expire(&["latest".to_owned()]).await.unwrap_err();
    assert!(matches!(fault, Fault::Rejected { .. }), "{fault:?}");
    assert_eq!(ground.ids().await.len(), 5);
}

#[tokio::test]
async fn groups_are_series_by_themselves() {
    let mut ground = Ground::of("restic").await;
    ground.snapshot("2026-03-05 02:00:00", &["--host=other", "--tag=weekly"]);
    let series = |copies: Vec<quietus_connectors::BackupCopy>| {
        let mut series: Vec<String> = copies.into_iter().map(|copy| copy.series).collect();
        series.sort();
        series.dedup();
        series.len()
    };
    assert_eq!(series(ground.copies().await), 2);
    for (group_by, count) in [("paths", 1), ("nothing", 1), ("tags", 2), ("host", 2)] {
        ground.tell("group_by", group_by);
        assert_eq!(series(ground.copies().await), count, "{group_by}");
    }
    ground.tell("group_by", "moon");
    assert!(ground.try_store().is_err());
}

#[tokio::test]
async fn a_locked_repository_is_read_and_not_changed() {
    let ground = Ground::of("restic").await;
    let mut running = ground.command(&["backup", "--stdin", "--quiet"]);
    let mut running = running.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let locks = ground.path("repository/locks");
    until("the lock", || fs::read_dir(&locks).unwrap().next().is_some()).await;
    assert_eq!(ground.ids().await.len(), 4);
    let first = std::slice::from_ref(&ground.before[0]);
    let fault = ground.store().expire(first).await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("locked") && message.contains("restic unlock"), "{message}");
    // It does not break the lock.
    assert!(fs::read_dir(&locks).unwrap().next().is_some());
    assert_eq!(ground.ids().await.len(), 4);
    running.kill().unwrap();
    running.wait().unwrap();
    ground.run(&["unlock"]);
    assert_eq!(ground.store().expire(first).await.unwrap().gone, first);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_not_left_out() {
    let ground = Ground::of("restic").await;
    let path = ground.path("repository/snapshots").join(&ground.before[0]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, [7; 200]).unwrap();
    let fault = ground.store().copies().await.unwrap_err();
    assert!(!matches!(fault, Fault::Unknown { .. }), "{fault:?}");
}

#[tokio::test]
async fn what_was_forgotten_and_not_pruned_is_pruned() {
    let ground = Ground::of("restic").await;
    fs::write(ground.path("source/orders"), "eight forks").unwrap();
    let later = ground.snapshot("2026-03-05 02:00:00", &[]);
    // A run that ended before it could prune.
    ground.run(&["forget", &later]);
    let size = || ground.run(&["stats", "--mode=raw-data", "--json"]);
    let unused = |ground: &Ground| ground.run(&["list", "blobs", "--quiet"]).lines().count();
    let before = unused(&ground);
    let expiry = ground.store().expire(std::slice::from_ref(&later)).await.unwrap();
    assert_eq!(expiry.gone, [later]);
    assert!(unused(&ground) < before, "{}", size());
}

#[tokio::test]
async fn moments_have_their_zone() {
    let ground = Ground::of("restic").await;
    let copies = ground.copies().await;
    assert_eq!(copies[1].taken_at, at("2026-03-02T02:00:00Z"));
    let health = ground.store().check().await.unwrap();
    let old = health.product.contains("0.14.");
    assert_eq!(health.product.contains("cannot take files out"), old, "{}", health.product);
    assert_eq!(ground.store().retention().await.unwrap(), None);
}
