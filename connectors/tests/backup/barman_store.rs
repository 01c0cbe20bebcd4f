//! What is peculiar to barman.

use std::fs;
use std::process::Command;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use quietus_connectors::{CopyKind, Counting, Fault, Horizon, StoreRetention};

use crate::ground::{Ground, is_root};

fn barman(ground: &Ground, arguments: &[&str]) -> String {
    let config = ground.path("barman/barman.conf");
    let mut all = vec!["-c", config.to_str().unwrap()];
    all.extend(arguments);
    ground.run(&all)
}

#[tokio::test]
async fn below_the_minimum_of_redundancy_it_keeps() {
    let ground = Ground::of("barman").await;
    let all = [ground.before[0].clone(), ground.after[0].clone()];
    let expiry = ground.store().expire(&all).await.unwrap();
    assert_eq!(expiry.gone, ground.before);
    let (id, stay) = &expiry.kept[0];
    assert_eq!((id, stay.until), (&ground.after[0], None));
    assert!(stay.why.contains("`minimum_redundancy`"), "{}", stay.why);
    assert!(ground.ids().await.contains(&ground.after[0]));
}

#[tokio::test]
async fn what_somebody_asked_to_keep_is_kept() {
    let ground = Ground::of("barman").await;
    let kept = &ground.before[0];
    barman(&ground, &["keep", "--target", "full", "shop", kept]);
    let copies = ground.copies().await;
    let stay = copies.iter().find(|copy| copy.id == *kept).unwrap().stay.clone().unwrap();
    assert!(stay.why.contains("barman keep --release"), "{stay:?}");
    let horizon = Horizon::of(&copies, ground.erased, |copy| Some(copy.taken_at));
    assert_eq!(horizon.gone_by, None);
    let expiry = ground.store().expire(&ground.before).await.unwrap();
    assert_eq!(expiry.kept, [(kept.clone(), stay)]);
    barman(&ground, &["keep", "--release", "shop", kept]);
    assert_eq!(ground.store().expire(&ground.before).await.unwrap().gone, ground.before);
}

#[tokio::test]
async fn a_backup_that_failed_is_a_copy_that_no_retention_removes() {
    let ground = Ground::of("barman").await;
    let failed = ground.path("barman/home/shop/base/20260301T020000");
    let taken = ground.path("barman/home/shop/base").join(&ground.before[0]);
    let status = Command::new("cp").arg("-a").arg(&taken).arg(&failed).status().unwrap();
    assert!(status.success());
    let info = failed.join("backup.info");
    let text = fs::read_to_string(&info).unwrap();
    fs::write(&info, text.replace("status=DONE", "status=FAILED")).unwrap();
    let copies = ground.copies().await;
    let copy = copies.iter().find(|copy| copy.id == "20260301T020000").unwrap();
    assert_eq!(copy.holds_from.unwrap().to_string(), "2026-02-28T12:00:00Z");
    let stay = copy.stay.as_ref().unwrap();
    assert!(stay.why.contains("FAILED") && stay.why.contains("barman delete"), "{stay:?}");
    let expiry = ground.store().expire(std::slice::from_ref(&copy.id)).await.unwrap();
    assert_eq!(expiry.gone, ["20260301T020000"]);
    assert!(!failed.exists());
}

#[tokio::test]
async fn the_archive_is_shortened_with_the_backups() {
    let ground = Ground::of("barman").await;
    let log = |copies: &[quietus_connectors::BackupCopy]| {
        copies.iter().find(|copy| copy.kind == CopyKind::Log).cloned().unwrap()
    };
    let copies = ground.copies().await;
    let of = |id: &String| copies.iter().find(|copy| copy.id == *id).unwrap().holds_from;
    assert_eq!(log(&copies).holds_from, of(&ground.before[0]));
    assert!(log(&copies).can_hold(ground.erased));
    ground.store().expire(&ground.before).await.unwrap();
    let left = ground.copies().await;
    assert_eq!(log(&left).holds_from, of(&ground.after[0]));
    assert!(!log(&left).can_hold(ground.erased));
    // Without its catalogue nobody knows where it begins.
    fs::remove_file(ground.path("barman/home/shop/wals/xlog.db")).unwrap();
    assert_eq!(log(&ground.copies().await).holds_from, None);
    let health = ground.store().check().await.unwrap();
    assert!(health.product.contains("rebuild-xlogdb"), "{}", health.product);
    let expiry = ground.store().expire(&["wal".to_owned()]).await.unwrap();
    assert_eq!(expiry.kept[0].0, "wal");
}

#[tokio::test]
async fn its_own_words_of_retention_are_read() {
    let mut ground = Ground::of("barman").await;
    assert_eq!(ground.store().counting(), Counting::Reach);
    let within = StoreRetention { within: Some("P14D".into()), ..StoreRetention::default() };
    assert_eq!(ground.store().retention().await.unwrap(), Some(within));
    ground.place("count");
    let last = StoreRetention { last: Some(3), ..StoreRetention::default() };
    assert_eq!(ground.store().retention().await.unwrap(), Some(last));
    assert!(ground.copies().await.iter().all(|copy| copy.kind == CopyKind::Log));
    // Nothing is said: nothing ever goes.
    ground.place("ever");
    assert_eq!(ground.store().retention().await.unwrap(), Some(StoreRetention::default()));
    for odd in ["all", "--help"] {
        ground.place(odd);
        assert!(ground.try_store().is_err(), "{odd}");
    }
}

#[tokio::test]
async fn another_account_is_told_which_one_it_takes() {
    let mut ground = Ground::of("barman").await;
    if !is_root() {
        // Without root there is only one account.
        return;
    }
    ground.tell("program", "runuser -u nobody -- barman");
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("sudo -n -u barman barman"), "{message}");
}

#[tokio::test]
async fn it_gives_up_on_the_day_that_was_told() {
    let mut ground = Ground::of("barman").await;
    let store = ground.store();
    let (copies, rules) = (store.copies().await.unwrap(), store.retention().await.unwrap());
    let daily = SignedDuration::from_hours(24);
    let ends = rules.unwrap().ends(&copies, store.counting(), &TimeZone::UTC, daily);
    let next = copies.iter().find(|copy| copy.id == ground.after[0]).unwrap();
    assert_eq!(next.taken_at.duration_until(ends[&ground.before[0]]).as_hours(), 14 * 24);
    let end = ends[&ground.before[0]];
    for (minutes, obsolete) in [(-10, false), (10, true)] {
        let moment = end.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        ground.tell("program", &ground.at_moment(moment, "barman"));
        let listed = barman(&ground, &["-f", "json", "list-backups", "shop"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let of = |id: &String| {
            let mut listed = listed["shop"].as_array().unwrap().iter();
            let one = listed.find(|one| one["backup_id"] == **id).unwrap();
            one["retention_status"] == "OBSOLETE"
        };
        assert_eq!(of(&ground.before[0]), obsolete, "{minutes} minutes on: {listed}");
        assert!(!of(&ground.after[0]));
    }
}
