//! What every kind of store does.

use jiff::tz::TimeZone;
use quietus_connectors::{CopyKind, Fault, Horizon, backup_kinds, backup_parameters, open_backup};

use crate::ground::{Ground, at};

pub async fn says_what_it_is(kind: &'static str) {
    assert!(backup_kinds().contains(&kind));
    let ground = Ground::of(kind).await;
    let store = ground.store();
    assert_eq!(store.kind(), kind);
    let health = store.check().await.unwrap();
    let names = match kind {
        "restic" => "restic 0.",
        "borg" => "borg 1.",
        "pgbackrest" => "pgBackRest 2.",
        "barman" => "barman 3.",
        _ => "folder of dumps, 4 fit and 1 other",
    };
    assert!(health.product.starts_with(names), "{}", health.product);
    assert!(open_backup("tapes", &ground.settings).is_err());
}

pub async fn lists_copies_from_before_and_after(kind: &'static str) {
    let ground = Ground::of(kind).await;
    let copies = ground.copies().await;
    let count = copies.iter().filter(|copy| copy.kind == CopyKind::Whole).count();
    assert_eq!(count, ground.before.len() + ground.after.len(), "each has a moment");
    let expected = match kind {
        "pgbackrest" => (1, 2),
        "barman" => (1, 1),
        _ => (2, 2),
    };
    assert_eq!((ground.before.len(), ground.after.len()), expected);
    for copy in &copies {
        assert!(copy.holds_from.is_none_or(|from| from <= copy.taken_at), "{copy:?}");
    }
    assert!(copies.is_sorted_by_key(|copy| copy.taken_at), "oldest first");
    if matches!(kind, "restic" | "borg" | "dumps") {
        let midnight = kind == "dumps";
        let day = |text: &str| at(&format!("{text}T{}:00:00Z", if midnight { "00" } else { "02" }));
        assert_eq!(copies[0].holds_from, Some(day("2026-03-01")));
        assert_eq!(copies[3].taken_at, day("2026-03-04"));
    }
    let end = |copy: &quietus_connectors::BackupCopy| {
        let zoned = copy.taken_at.to_zoned(TimeZone::UTC);
        Some(zoned.checked_add(jiff::Span::new().days(7)).unwrap().timestamp())
    };
    let horizon = Horizon::of(&copies, ground.erased, end);
    let whole: Vec<&String> = horizon.holding.iter().filter(|id| !id.starts_with("wal")).collect();
    assert_eq!(whole, ground.before.iter().collect::<Vec<_>>());
    let last = copies.iter().find(|copy| Some(&copy.id) == ground.before.last()).unwrap();
    assert_eq!(horizon.gone_by, end(last));
    assert!(horizon.without_end.is_empty(), "{:?}", horizon.without_end);
}

pub async fn expires_exactly_what_is_named(kind: &'static str) {
    let ground = Ground::of(kind).await;
    let before = ground.ids().await;
    let first = ground.before[0].clone();
    let expiry = ground.store().expire(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(expiry.gone, std::slice::from_ref(&first));
    assert!(expiry.kept.is_empty(), "{expiry:?}");
    let left: Vec<String> = before.into_iter().filter(|id| *id != first).collect();
    assert_eq!(ground.ids().await, left);
}

pub async fn expires_again_without_harm(kind: &'static str) {
    let ground = Ground::of(kind).await;
    let first = ground.before[0].clone();
    let ids = std::slice::from_ref(&first);
    ground.store().expire(ids).await.unwrap();
    let left = ground.ids().await;
    // Begun again after it was cut short: what is gone counts as gone.
    let expiry = ground.store().expire(ids).await.unwrap();
    assert_eq!((expiry.gone, expiry.kept), (vec![first], Vec::new()));
    let nothing = ground.store().expire(&[]).await.unwrap();
    assert!(nothing.gone.is_empty() && nothing.kept.is_empty());
    assert_eq!(ground.ids().await, left);
}

pub async fn a_place_that_is_not_there_is_no_empty_store(kind: &'static str) {
    let mut ground = Ground::of(kind).await;
    let elsewhere = match kind {
        "pgbackrest" | "barman" => "nowhere".to_owned(),
        _ => ground.path("nowhere").to_str().unwrap().to_owned(),
    };
    let names = ground.before.clone();
    ground.place(&elsewhere);
    let store = ground.store();
    for fault in [
        store.copies().await.unwrap_err(),
        store.check().await.unwrap_err(),
        store.expire(&names).await.unwrap_err(),
    ] {
        let Fault::Misconfigured { message } = fault else { panic!("{fault:?}") };
        assert!(message.starts_with("backup store `vault`: "), "{message}");
        assert!(message.contains("place"), "it says what to do: {message}");
        assert!(!message.contains(&elsewhere), "{message}");
    }
    ground.place("");
    assert!(matches!(ground.try_store(), Err(Fault::Misconfigured { .. })));
}

pub async fn unknown_parameters_are_refused(kind: &'static str) {
    let mut ground = Ground::of(kind).await;
    ground.tell("retention", "P1Y");
    let Err(Fault::Misconfigured { message }) = ground.try_store() else { panic!("it opened") };
    for parameter in backup_parameters(kind) {
        assert!(message.contains(&format!("`{}`", parameter.name)), "{message}");
        assert!(!parameter.about.is_empty());
    }
    ground.settings.parameters.remove("retention");
    ground.tell("older_by", "a while");
    let Err(Fault::Misconfigured { message }) = ground.try_store() else { panic!("it opened") };
    assert!(message.contains("`older_by`"), "{message}");
    // What a copy holds may be older than the copy.
    ground.tell("older_by", "P1D");
    let copies = ground.copies().await;
    let first = copies.iter().find(|copy| copy.id == ground.before[0]).unwrap();
    let by = first.holds_from.unwrap().duration_until(first.taken_at);
    assert!(by >= jiff::SignedDuration::from_hours(24), "{by}");
}
