//! What is peculiar to pgBackRest.

use std::fs;
use std::process::{Command, Stdio};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use quietus_connectors::{CopyKind, Counting, Fault, StoreRetention};

use crate::ground::{Ground, as_owner, until};

/// Writes settings into the stanza's file.
fn configure(ground: &Ground, from: &str, to: &str) {
    let path = ground.path("pgbackrest/pgbackrest.conf");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn what_needs_another_keeps_it() {
    let ground = Ground::of("pgbackrest").await;
    let copies = ground.copies().await;
    let (full, incremental) = (&ground.after[0], &ground.after[1]);
    assert!(incremental.ends_with('I') && full.ends_with('F'), "{incremental} {full}");
    let of = |id: &String| copies.iter().find(|copy| copy.id == *id).unwrap();
    assert_eq!(of(incremental).needs, std::slice::from_ref(full));
    assert!(of(full).needs.is_empty());
    let expiry = ground.store().expire(std::slice::from_ref(full)).await.unwrap();
    assert!(expiry.gone.is_empty(), "{expiry:?}");
    assert!(expiry.kept[0].1.why.contains(incremental), "{:?}", expiry.kept);
    assert_eq!(ground.ids().await.len(), copies.len());
    // Together they go, whatever comes first on the list.
    let both = [full.clone(), incremental.clone()];
    let expiry = ground.store().expire(&both).await.unwrap();
    assert_eq!(expiry.gone.len(), 2, "{expiry:?}");
    assert_eq!(ground.ids().await.len(), copies.len() - 2);
}

#[tokio::test]
async fn the_last_full_backup_is_kept() {
    let ground = Ground::of("pgbackrest").await;
    let mut all = ground.before.clone();
    all.extend(ground.after.clone());
    let expiry = ground.store().expire(&all).await.unwrap();
    assert_eq!(expiry.gone.len(), 2, "{expiry:?}");
    let (id, stay) = &expiry.kept[0];
    assert_eq!(expiry.kept.len(), 1);
    assert!(stay.until.is_none() && stay.why.contains("another one"), "{stay:?}");
    assert!(ground.ids().await.contains(id));
}

#[tokio::test]
async fn the_archive_begins_where_a_backup_proves_it() {
    let ground = Ground::of("pgbackrest").await;
    let log = |copies: Vec<quietus_connectors::BackupCopy>| {
        copies.into_iter().find(|copy| copy.kind == CopyKind::Log).unwrap()
    };
    let copies = ground.copies().await;
    let oldest = copies.iter().find(|copy| copy.id == ground.before[0]).unwrap().clone();
    let archive = log(copies);
    assert!(archive.id.starts_with("wal:1"), "{archive:?}");
    assert_eq!(archive.holds_from, oldest.holds_from);
    // It is not shortened with a backup that was expired by hand: then nobody knows.
    ground.store().expire(&ground.before).await.unwrap();
    assert_eq!(log(ground.copies().await).holds_from, None);
    // By its own retention it is.
    configure(&ground, "repo1-retention-full=2", "repo1-retention-full=1");
    let config = format!("--config={}", ground.path("pgbackrest/pgbackrest.conf").display());
    ground.run(&[&config, "--stanza=shop", "expire"]);
    let copies = ground.copies().await;
    let full = copies.iter().find(|copy| copy.id == ground.after[0]).unwrap().clone();
    let archive = log(copies);
    assert_eq!(archive.holds_from, full.holds_from);
    assert!(archive.holds_from.unwrap() > ground.erased);
    let expiry = ground.store().expire(std::slice::from_ref(&archive.id)).await.unwrap();
    assert_eq!(expiry.kept[0].0, archive.id);
}

#[tokio::test]
async fn its_own_words_of_retention_are_read() {
    let mut ground = Ground::of("pgbackrest").await;
    assert_eq!(ground.store().counting(), Counting::Reach);
    let last = StoreRetention { last: Some(2), ..StoreRetention::default() };
    assert_eq!(ground.store().retention().await.unwrap(), Some(last));
    configure(
        &ground,
        "repo1-retention-full=2",
        "repo1-retention-full=35\nrepo1-retention-full-type=time",
    );
    let within = StoreRetention { within: Some("P35D".into()), ..StoreRetention::default() };
    assert_eq!(ground.store().retention().await.unwrap(), Some(within));
    configure(&ground, "repo1-retention-full=35", "repo1-retention-diff=3");
    assert_eq!(ground.store().retention().await.unwrap(), None);
    ground.tell("repository", "two");
    assert!(ground.try_store().is_err());
}

#[tokio::test]
async fn a_backup_under_way_locks() {
    let ground = Ground::of("pgbackrest").await;
    let lock = ground.path("pgbackrest/lock/shop-backup.lock");
    let held = as_owner(&format!("flock --exclusive {} cat", lock.display()));
    let mut words = held.split_whitespace();
    let mut running = Command::new(words.next().unwrap());
    running.args(words).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut running = running.spawn().unwrap();
    until("the lock", || lock.exists()).await;
    let fault = ground.store().expire(&ground.before).await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("locked"), "{message}");
    assert_eq!(ground.ids().await.len(), 4);
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
}

#[tokio::test]
async fn settings_that_it_does_not_take_are_misconfigured() {
    let mut ground = Ground::of("pgbackrest").await;
    ground.tell("repository", "3");
    let fault = ground.store().copies().await.unwrap_err();
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    ground.settings.parameters.remove("repository");
    ground.tell("config", "/nowhere/pgbackrest.conf");
    let fault = ground.store().copies().await.unwrap_err();
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    assert!(ground.store().retention().await.is_err());
}

#[tokio::test]
async fn it_expires_on_the_day_that_was_told() {
    let mut ground = Ground::of("pgbackrest").await;
    configure(
        &ground,
        "repo1-retention-full=2",
        "repo1-retention-full=14\nrepo1-retention-full-type=time",
    );
    let store = ground.store();
    let (copies, rules) = (store.copies().await.unwrap(), store.retention().await.unwrap());
    let daily = SignedDuration::from_hours(24);
    let ends = rules.unwrap().ends(&copies, store.counting(), &TimeZone::UTC, daily);
    let end = ends[&ground.before[0]];
    // Its moment to the hour: the next full backup becomes fourteen days old.
    let next = copies.iter().find(|copy| copy.id == ground.after[0]).unwrap();
    let days = next.taken_at.duration_until(end).as_hours();
    assert_eq!(days, 14 * 24);
    let config = format!("--config={}", ground.path("pgbackrest/pgbackrest.conf").display());
    for (minutes, there) in [(-10, true), (10, false)] {
        let moment = end.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        ground.tell("program", &ground.at_moment(moment, "pgbackrest"));
        ground.run(&[&config, "--stanza=shop", "expire"]);
        ground.tell("program", &as_owner("pgbackrest"));
        let left = ground.copies().await;
        assert_eq!(
            left.iter().any(|copy| copy.id == ground.before[0]),
            there,
            "{minutes} minutes on"
        );
        assert_eq!(left.iter().all(|copy| !copy.can_hold(ground.erased)), !there);
    }
}
