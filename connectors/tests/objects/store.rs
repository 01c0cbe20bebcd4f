//! A bucket as a backup store: what it lists, and what it removes.

use jiff::SignedDuration;
use quietus_connectors::{CopyKind, Fault, Horizon, backup_kinds, backup_parameters};

use crate::ground::{Ground, at, misconfigured};

#[tokio::test]
async fn says_what_it_is() {
    assert!(backup_kinds().contains(&"s3"));
    let ground = Ground::lockable().await;
    assert_eq!(ground.store().kind(), "s3");
    let health = ground.store().check().await.unwrap();
    assert_eq!(
        health.product,
        "S3-compatible bucket with versions, with object lock, without a life cycle"
    );
    let plain = Ground::plain().await;
    let product = plain.store().check().await.unwrap().product;
    assert!(product.contains("without versions, without object lock"), "{product}");
    assert!(plain.copies().await.is_empty(), "it is there, and empty");
}

#[tokio::test]
async fn every_version_is_a_copy_with_its_moment() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    let first = owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    let second = owner.put("daily/shop-2026-03-02.sql", "eight spoons").await;
    let again = owner.put("daily/shop-2026-03-02.sql", "nine spoons").await;
    let hidden = owner.put("daily/shop-2026-03-03.sql", "ten spoons").await;
    owner.delete("daily/shop-2026-03-03.sql").await;
    owner.put("daily/README", "dumps of the shop").await;
    owner.put("weekly/shop-2026-03-01.sql", "not below the prefix").await;
    let copies = ground.copies().await;
    let id = |day: u8, version: &str| format!("daily/shop-2026-03-0{day}.sql#{version}");
    let expected = [
        (id(1, &first), CopyKind::Whole, at("2026-03-01T00:00:00Z")),
        (id(2, &second), CopyKind::Version, at("2026-03-02T00:00:00Z")),
        (id(2, &again), CopyKind::Whole, at("2026-03-02T00:00:00Z")),
        (id(3, &hidden), CopyKind::Version, at("2026-03-03T00:00:00Z")),
    ];
    let found: Vec<_> =
        copies.iter().map(|copy| (copy.id.clone(), copy.kind, copy.holds_from.unwrap())).collect();
    assert_eq!(found, expected);
    // Against the store's own list.
    for one in owner.list().await.iter().filter(|one| one.key.contains("daily/shop") && !one.marker)
    {
        let id = format!("{}#{}", one.key, one.version);
        let copy = copies.iter().find(|copy| copy.id == id).unwrap();
        assert_eq!(copy.taken_at, at(&one.modified));
        assert_eq!((&copy.stay, copy.ends_at), (&None, None));
    }
    // Without a life cycle nothing ends, and no day may be promised.
    let horizon = Horizon::of(&copies, at("2026-03-02T12:00:00Z"), |_| None);
    assert_eq!(horizon.holding, copies[..3].iter().map(|copy| copy.id.clone()).collect::<Vec<_>>());
    assert_eq!((horizon.gone_by, horizon.without_end.len()), (None, 3));
}

#[tokio::test]
async fn without_a_moment_in_the_key_the_time_of_writing_counts() {
    let mut ground = Ground::plain().await;
    ground.tell("files", "*.sql");
    let message = misconfigured(ground.try_store().map(|_| ()));
    assert!(message.contains("`longest_run`"), "{message}");
    ground.settings.longest_run = SignedDuration::from_hours(3);
    ground.tell("older_by", "PT1H");
    ground.owner.put("daily/2026/shop ä+%.sql", "seven spoons").await;
    let copies = ground.copies().await;
    assert_eq!(copies[0].id, "daily/2026/shop ä+%.sql#null");
    let modified = at(&ground.owner.list().await[0].modified);
    assert_eq!(copies[0].taken_at, modified);
    let from = modified.checked_sub(SignedDuration::from_hours(4)).unwrap();
    assert_eq!(copies[0].holds_from, Some(from));
    ground.settings.parameters.remove("files");
    assert_eq!(ground.ids().await.len(), 1);
    // A name from the future holds nothing that came after it was written.
    ground.tell("files", "*-%F.sql");
    ground.settings.parameters.remove("older_by");
    ground.owner.put("daily/shop-2999-01-01.sql", "eight spoons").await;
    let copies = ground.copies().await;
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].holds_from, Some(copies[0].taken_at));
}

#[tokio::test]
async fn a_name_that_is_no_moment_is_told() {
    let ground = Ground::plain().await;
    ground.owner.put("daily/shop-2026-13-01.sql", "").await;
    let message = misconfigured(ground.store().copies().await);
    assert!(message.contains("rename") && !message.contains("2026-13"), "{message}");
}

#[tokio::test]
async fn expires_exactly_what_is_named_with_its_markers() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    let key = "daily/shop-2026-03-01.sql";
    let first = owner.put(key, "seven spoons").await;
    let second = owner.put(key, "eight spoons").await;
    owner.put("daily/shop-2026-03-02.sql", "nine spoons").await;
    // Another key that begins in the same way is another object.
    let like = owner.put("daily/shop-2026-03-01.sql.old", "ten spoons").await;
    owner.delete(key).await;
    let id = |version: &str| format!("{key}#{version}");
    let expiry = ground.store().expire(&[id(&first)]).await.unwrap();
    assert_eq!((expiry.gone, expiry.kept), (vec![id(&first)], vec![]));
    assert_eq!(owner.read(key, &first).await, None);
    assert_eq!(owner.read(key, &second).await.as_deref(), Some("eight spoons"));
    // The marker stays while it hides a version.
    let markers = |listed: Vec<crate::owner::Listed>| listed.iter().filter(|it| it.marker).count();
    assert_eq!(markers(owner.list().await), 1);
    let both = [id(&first), id(&second)];
    let expiry = ground.store().expire(&both).await.unwrap();
    let mut gone = expiry.gone;
    gone.sort();
    let mut expected = both.to_vec();
    expected.sort();
    assert_eq!(gone, expected, "what is gone already counts as gone");
    let left: Vec<(String, String)> =
        owner.list().await.into_iter().map(|one| (one.key, one.version)).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|(other, _)| other != key), "its marker went with it");
    assert_eq!(owner.read("daily/shop-2026-03-01.sql.old", &like).await.unwrap(), "ten spoons");
    let nothing = ground.store().expire(&[]).await.unwrap();
    assert!(nothing.gone.is_empty() && nothing.kept.is_empty());
}

#[tokio::test]
async fn without_versions_the_object_itself_goes() {
    let ground = Ground::plain().await;
    ground.owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    ground.owner.put("daily/shop-2026-03-02.sql", "eight spoons").await;
    let ids = ground.ids().await;
    assert_eq!(ids, ["daily/shop-2026-03-01.sql#null", "daily/shop-2026-03-02.sql#null"]);
    let expiry = ground.store().expire(&ids[..1]).await.unwrap();
    assert_eq!(expiry.gone, ids[..1]);
    assert_eq!(ground.ids().await, ids[1..]);
    assert_eq!(ground.owner.list().await.len(), 1);
}

#[tokio::test]
async fn nothing_but_a_copy_of_the_store_is_removed() {
    let ground = Ground::lockable().await;
    let version = ground.owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    let readme = ground.owner.put("daily/README", "dumps of the shop").await;
    let outside = ground.owner.put("weekly/shop-2026-03-01.sql", "eight spoons").await;
    let copy = format!("daily/shop-2026-03-01.sql#{version}");
    for other in [
        format!("daily/README#{readme}"),
        format!("weekly/shop-2026-03-01.sql#{outside}"),
        "daily/shop-2026-03-01.sql".to_owned(),
        "daily/shop-2026-03-01.sql#".to_owned(),
        String::new(),
    ] {
        let fault = ground.store().expire(&[copy.clone(), other]).await.unwrap_err();
        let Fault::Rejected { message } = &fault else { panic!("{fault:?}") };
        assert!(message.contains("nothing was"), "{message}");
        assert_eq!(ground.owner.list().await.len(), 3);
    }
}

#[tokio::test]
async fn what_is_told_is_examined() {
    let mut ground = Ground::plain().await;
    ground.tell("retention", "P1Y");
    let message = misconfigured(ground.try_store().map(|_| ()));
    for parameter in backup_parameters("s3") {
        assert!(message.contains(&format!("`{}`", parameter.name)), "{message}");
    }
    ground.settings.parameters.remove("retention");
    let wrong = [
        ("addressing", "sideways"),
        ("must_have", "everything"),
        ("zone", "Mars/Olympus"),
        ("files", "shop-%d.sql"),
        ("endpoint", "s3.example.com"),
        ("region", "there/"),
        ("trust", "/nowhere/at/all.pem"),
        ("private_hosts", "example.com"),
        ("AWS_REGION", "eu-central-1"),
    ];
    for (name, value) in wrong {
        let before = ground.settings.parameters.get(name).cloned();
        ground.tell(name, value);
        let message = misconfigured(ground.try_store().map(|_| ()));
        assert!(message.starts_with("backup store `vault`: "), "{message}");
        match before {
            Some(before) => ground.settings.parameters.insert(name.to_owned(), before),
            None => ground.settings.parameters.remove(name),
        };
    }
    ground.settings.place = "s3://Not_A_Bucket/daily".into();
    let message = misconfigured(ground.try_store().map(|_| ()));
    assert!(message.contains("the place is no bucket"), "{message}");
    ground.settings.place = " ".into();
    assert!(ground.try_store().is_err());
}

#[tokio::test]
async fn what_the_bucket_has_lost_is_seen() {
    let mut ground = Ground::lockable().await;
    ground.tell("must_have", "versions, lock, life_cycle");
    let message = misconfigured(ground.store().check().await);
    assert!(message.contains("life cycle"), "{message}");
    let rule = |status: &str| {
        format!(
            "<Rule><ID>a</ID><Prefix>daily/</Prefix><Status>{status}</Status><Expiration>\
             <Days>30</Days></Expiration></Rule>"
        )
    };
    ground.owner.life_cycle(&rule("Enabled")).await;
    let health = ground.store().check().await.unwrap();
    assert!(health.product.ends_with("with a life cycle of 1 rule(s)"), "{}", health.product);
    ground.owner.life_cycle(&rule("Disabled")).await;
    let message = misconfigured(ground.store().check().await);
    assert!(message.contains("switch the rule on again"), "{message}");
    let mut plain = Ground::plain().await;
    plain.owner.keep_versions("Enabled").await;
    plain.tell("must_have", "versions");
    plain.store().check().await.unwrap();
    plain.owner.keep_versions("Suspended").await;
    let message = misconfigured(plain.store().check().await);
    assert!(message.contains("keeps no versions any more"), "{message}");
    plain.tell("must_have", "lock");
    let message = misconfigured(plain.store().check().await);
    assert!(message.contains("no object lock"), "{message}");
}
