//! One person's objects in a bucket: every version of them goes, and nothing of anybody else.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{Fault, InsideFiles, InsidePart};

use crate::ground::{Ground, now};
use crate::owner::Listed;

fn of(files: &str, value: &str) -> InsidePart {
    InsideFiles::parse(files).unwrap().of(value).unwrap()
}

/// Key, version and whether it is a marker, of everything in the bucket.
fn lines(listed: &[Listed]) -> Vec<String> {
    let line = |one: &Listed| format!("{}#{} {}", one.key, one.version, one.marker);
    let mut lines: Vec<String> = listed.iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn all_versions_of_one_person_go_and_nobody_elses() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    for key in [
        "daily/customers/10/a",
        "daily/customers/10/b",
        "daily/customers/2/1/a",
        "daily/customers/1.",
        "daily/customers",
        "daily/else/1/a",
        "customers/1/a",
        "daily/Customers/1/a",
    ] {
        owner.put(key, "somebody else's").await;
    }
    owner.delete("daily/customers/10/b").await;
    let before = lines(&owner.list().await);
    let mut versions = Vec::new();
    for key in [
        "daily/customers/1/a",
        "daily/customers/1/a",
        "daily/customers/1/deep/b ä+%",
        "daily/customers/1",
        "daily/customers/1/",
    ] {
        versions.push((key, owner.put(key, "the person's").await));
    }
    owner.delete("daily/customers/1/a").await;
    let store = ground.store();
    let parts = [of("customers/{}/", "1")];
    let holding = store.holding(&parts).await.unwrap();
    assert_eq!(holding.len(), 6, "five versions and a marker: {holding:?}");
    assert!(holding.iter().all(|one| one.copy.starts_with('#') && one.entries == 1));
    assert_eq!(owner.list().await.len(), before.len() + 6, "looking changes nothing");
    let erasure = store.erase_inside(&parts).await.unwrap();
    assert_eq!((erasure.gone.len(), erasure.kept), (6, vec![]));
    assert_eq!(lines(&owner.list().await), before, "nothing else has changed");
    for (key, version) in versions {
        assert_eq!(owner.read(key, &version).await, None, "{key}");
    }
    assert_eq!(store.holding(&parts).await.unwrap(), []);
    // Begun again, it finds nothing to do.
    let again = store.erase_inside(&parts).await.unwrap();
    assert_eq!((again.gone, again.kept), (vec![], vec![]));
    assert_eq!(lines(&owner.list().await), before);
    assert_eq!(store.erase_inside(&[]).await.unwrap().gone, vec![]);
    assert_eq!(store.holding(&[]).await.unwrap(), vec![]);
}

#[tokio::test]
async fn without_versions_the_objects_themselves_go() {
    let ground = Ground::plain().await;
    let owner = &ground.owner;
    for key in ["daily/letters/c-7", "daily/letters/c-70", "daily/letters/c-7/x", "daily/seven/7"] {
        owner.put(key, "words").await;
    }
    let parts = [of("letters/c-{}", "7"), of("seven/{}/", "8")];
    assert_eq!(ground.store().holding(&parts).await.unwrap().len(), 2);
    assert_eq!(ground.store().erase_inside(&parts).await.unwrap().gone.len(), 2);
    let left: Vec<String> = owner.list().await.into_iter().map(|one| one.key).collect();
    assert_eq!(left, ["daily/letters/c-70", "daily/seven/7"]);
}

#[tokio::test]
async fn what_is_locked_is_kept_with_its_date_and_goes_after_it() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    let key = "daily/customers/1/a";
    let governed = owner.put(key, "governed").await;
    let held = owner.put(key, "held").await;
    let free = owner.put(key, "free").await;
    owner.put("daily/customers/1/b", "free").await;
    let soon = now().checked_add(SignedDuration::from_secs(6)).unwrap();
    let soon = Timestamp::from_second(soon.as_second()).unwrap();
    owner.retain(key, &governed, "GOVERNANCE", &soon.to_string()).await;
    owner.hold(key, &held, "ON").await;
    owner.delete(key).await;
    let parts = [of("customers/{}/", "1")];
    let erasure = ground.store().erase_inside(&parts).await.unwrap();
    assert_eq!(erasure.gone.len(), 2, "what nothing keeps: {erasure:?}");
    let mut kept: Vec<_> =
        erasure.kept.iter().map(|(copy, stay)| (copy.clone(), stay.until)).collect();
    kept.sort();
    let mut expected = vec![(format!("#{governed}"), Some(soon)), (format!("#{held}"), None)];
    expected.sort();
    assert_eq!(kept, expected);
    assert!(erasure.kept.iter().any(|(_, stay)| stay.why.contains("legal hold")));
    assert!(erasure.kept.iter().all(|(_, stay)| !stay.why.contains("customers")));
    assert_eq!(owner.read(key, &free).await, None);
    assert_eq!(owner.read(key, &governed).await.as_deref(), Some("governed"));
    let markers = owner.list().await.into_iter().filter(|one| one.marker).count();
    assert_eq!(markers, 1, "it hides what is left");
    assert_eq!(ground.store().holding(&parts).await.unwrap().len(), 3);
    owner.hold(key, &held, "OFF").await;
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    let erasure = ground.store().erase_inside(&parts).await.unwrap();
    assert_eq!((erasure.gone.len(), erasure.kept), (3, vec![]));
    assert_eq!(owner.list().await, vec![]);
}

#[tokio::test]
async fn who_may_not_is_refused_and_no_message_tells_whom_it_was_about() {
    let mut ground = Ground::lockable().await;
    ground.owner.put("daily/customers/alan@mail.example/a", "words").await;
    ground.tell("access_key", "nobody");
    let parts = [of("customers/{}/", "alan@mail.example")];
    for fault in [
        ground.store().holding(&parts).await.unwrap_err(),
        ground.store().erase_inside(&parts).await.unwrap_err(),
    ] {
        assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
        assert!(!format!("{fault} {fault:?} {parts:?}").contains("alan"), "{fault}");
    }
    assert_eq!(ground.owner.list().await.len(), 1);
}
