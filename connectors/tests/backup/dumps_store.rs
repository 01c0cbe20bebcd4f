//! What is peculiar to folders of dumps.

use std::fs;
use std::os::unix::fs::symlink;

use jiff::SignedDuration;
use quietus_connectors::Fault;

use crate::ground::{Ground, at};

#[tokio::test]
async fn without_a_moment_in_the_name_the_files_own_counts() {
    let mut ground = Ground::of("dumps").await;
    ground.tell("files", "shop-*.sql");
    let Err(Fault::Misconfigured { message }) = ground.try_store() else { panic!("it opened") };
    assert!(message.contains("`longest_run`"), "{message}");
    ground.settings.longest_run = SignedDuration::from_hours(3);
    let path = ground.path("dumps/shop-2026-03-01.sql");
    let ended = at("2026-04-01T05:00:00.25Z");
    fs::File::options().write(true).open(&path).unwrap().set_modified(ended.into()).unwrap();
    let copies = ground.copies().await;
    assert_eq!(copies[0].id, "shop-2026-03-01.sql");
    assert_eq!(copies[0].taken_at, ended);
    assert_eq!(copies[0].holds_from, Some(at("2026-04-01T02:00:00.25Z")));
    assert_eq!(copies.len(), 4);
}

#[tokio::test]
async fn names_have_the_zone_that_they_were_written_in() {
    let mut ground = Ground::of("dumps").await;
    ground.tell("zone", "Europe/Berlin");
    let copies = ground.copies().await;
    assert_eq!(copies[0].holds_from, Some(at("2026-02-28T23:00:00Z")));
    ground.tell("zone", "Mars/Olympus");
    assert!(ground.try_store().is_err());
    ground.settings.parameters.remove("zone");
    ground.tell("files", "shop-%d.sql");
    let Err(Fault::Misconfigured { message }) = ground.try_store() else { panic!("it opened") };
    assert!(message.contains("`files` has"), "{message}");
}

#[tokio::test]
async fn a_name_that_is_no_moment_is_told() {
    let ground = Ground::of("dumps").await;
    fs::write(ground.path("dumps/shop-2026-13-01.sql"), "").unwrap();
    let fault = ground.store().copies().await.unwrap_err();
    assert!(matches!(fault, Fault::Misconfigured { .. }), "{fault:?}");
    assert!(!fault.to_string().contains("2026-13"), "names stay where they are: {fault}");
}

#[tokio::test]
async fn what_is_no_plain_file_is_a_fault() {
    for folder in [true, false] {
        let ground = Ground::of("dumps").await;
        let odd = ground.path("dumps/shop-2026-03-05.sql");
        if folder {
            fs::create_dir(&odd).unwrap();
        } else {
            symlink(ground.path("dumps/README"), &odd).unwrap();
        }
        let fault = ground.store().copies().await.unwrap_err();
        let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
        assert!(message.contains("no plain file"), "{message}");
        assert!(ground.store().expire(&ground.before).await.is_err());
        assert!(ground.path("dumps/shop-2026-03-01.sql").exists());
    }
}

#[tokio::test]
async fn nothing_but_a_fitting_name_is_removed() {
    let ground = Ground::of("dumps").await;
    fs::write(ground.path("shop-2026-03-01.sql"), "outside").unwrap();
    for name in ["README", "../shop-2026-03-01.sql", "/etc/passwd", "", "shop-*.sql"] {
        let wanted = [ground.before[0].clone(), name.to_owned()];
        let fault = ground.store().expire(&wanted).await.unwrap_err();
        let Fault::Rejected { message } = &fault else { panic!("{fault:?}") };
        assert!(message.contains("nothing was"), "{message}");
        assert_eq!(ground.ids().await.len(), 4, "{name}");
    }
    assert!(ground.path("shop-2026-03-01.sql").exists());
    assert!(ground.path("dumps/README").exists());
}

#[tokio::test]
async fn a_file_with_another_name_is_kept() {
    let ground = Ground::of("dumps").await;
    let path = ground.path("dumps/shop-2026-03-01.sql");
    fs::hard_link(&path, ground.path("elsewhere")).unwrap();
    let expiry = ground.store().expire(&ground.before).await.unwrap();
    assert_eq!(expiry.gone, ground.before[1..]);
    assert_eq!(expiry.kept[0].0, ground.before[0]);
    assert!(expiry.kept[0].1.why.contains("2 names"), "{:?}", expiry.kept);
    assert!(path.exists());
}
