//! Versions that something keeps: legal holds, retention in both modes.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::Horizon;

use crate::ground::{Ground, at, now};

const KEY: &str = "daily/shop-2026-03-01.sql";

#[tokio::test]
async fn what_is_locked_stays_with_its_date_and_is_removed_after_it() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    let mut versions = Vec::new();
    for number in 0..4 {
        versions.push(owner.put(KEY, &format!("{number} spoons")).await);
    }
    let soon = now().checked_add(SignedDuration::from_secs(6)).unwrap();
    let soon = Timestamp::from_second(soon.as_second()).unwrap();
    owner.hold(KEY, &versions[0], "ON").await;
    owner.retain(KEY, &versions[1], "GOVERNANCE", "2031-01-01T00:00:00Z").await;
    owner.retain(KEY, &versions[2], "COMPLIANCE", &soon.to_string()).await;
    owner.delete(KEY).await;
    let ids: Vec<String> = versions.iter().map(|version| format!("{KEY}#{version}")).collect();
    let copies = ground.copies().await;
    let stays: Vec<_> = copies
        .iter()
        .map(|copy| copy.stay.as_ref().map(|stay| (stay.until, stay.why.clone())))
        .collect();
    assert_eq!(copies.iter().map(|copy| copy.id.clone()).collect::<Vec<_>>(), ids);
    let why = |place: usize, word: &str| {
        let (until, why) = stays[place].clone().unwrap();
        assert!(why.contains(word), "{why}");
        until
    };
    assert_eq!(why(0, "legal hold"), None);
    assert_eq!(why(1, "governance"), Some(at("2031-01-01T00:00:00Z")));
    assert_eq!(why(2, "compliance"), Some(soon));
    assert_eq!(stays[3], None);
    let horizon = Horizon::of(&copies, at("2026-03-02T00:00:00Z"), |copy| Some(copy.taken_at));
    assert_eq!(horizon.without_end.len(), 1, "no day while the hold is on: {horizon:?}");
    // Only the one that nothing keeps goes, although the key could remove the governed one.
    let expiry = ground.store().expire(&ids).await.unwrap();
    assert_eq!(expiry.gone, [ids[3].clone()]);
    let kept: Vec<_> = expiry.kept.iter().map(|(id, stay)| (id.clone(), stay.until)).collect();
    for (place, until) in [(0, None), (1, Some(at("2031-01-01T00:00:00Z"))), (2, Some(soon))] {
        assert!(kept.contains(&(ids[place].clone(), until)), "{kept:?}");
        let content = owner.read(KEY, &versions[place]).await;
        assert_eq!(content.unwrap(), format!("{place} spoons"));
    }
    assert_eq!(owner.read(KEY, &versions[3]).await, None);
    assert!(owner.list().await.iter().any(|one| one.marker), "the marker hides what is left");
    // The hold is lifted and the compliance has ended.
    owner.hold(KEY, &versions[0], "OFF").await;
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    let expiry = ground.store().expire(&ids).await.unwrap();
    let mut gone = expiry.gone;
    gone.sort();
    let mut expected = vec![ids[0].clone(), ids[2].clone(), ids[3].clone()];
    expected.sort();
    assert_eq!(gone, expected);
    assert_eq!(expiry.kept.len(), 1);
    assert_eq!(ground.ids().await, ids[1..2]);
}

#[tokio::test]
async fn a_lock_that_comes_between_look_and_removal_is_an_outcome() {
    let ground = Ground::lockable().await;
    let held = ground.owner.put(KEY, "seven spoons").await;
    let free = ground.owner.put(KEY, "eight spoons").await;
    ground.owner.hold(KEY, &held, "ON").await;
    // The client says what the store says of each.
    let names = [&held, &free].map(|version| (KEY.to_owned(), version.clone()));
    let removal = ground.bucket("daily/").remove(&names).await.unwrap();
    assert_eq!(removal.gone, [names[1].clone()]);
    assert_eq!(removal.kept, [(names[0].clone(), "AccessDenied".to_owned())]);
}
