//! Data of copies that are in no list any more: nobody is called gone while it lies there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use quietus_connectors::Fault;

use crate::ground::{Ground, PASSWORD};

/// Of every kind: what has let a copy go keeps nothing of it.
pub async fn keeps_nothing_of_what_it_gave_up(kind: &'static str) {
    let ground = Ground::of(kind).await;
    assert_eq!(ground.store().remains().await.unwrap(), None);
    let first = std::slice::from_ref(&ground.before[0]);
    assert_eq!(ground.store().expire(first).await.unwrap().gone, first);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    assert_eq!(ground.store().remove_remains().await.unwrap(), None);
    assert!(!ground.ids().await.is_empty(), "what is listed stays");
}

/// Something that cannot be told apart by chance, too much to be shorter when it is packed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(next).collect()
}

/// A letter beside much more that stays: restic packs small files anew whatever is left of them.
fn letter_beside_much(ground: &Ground) {
    fs::write(ground.path("source/orders"), noise(3_000_000, 1)).unwrap();
    fs::write(ground.path("source/letter"), noise(4_000, 2)).unwrap();
}

async fn tells(ground: &Ground, what: &str) {
    let remains = ground.store().remains().await.unwrap().unwrap();
    assert!(remains.contains(what), "{remains}");
}

#[tokio::test]
async fn what_restic_forgets_remains_until_all_of_it_is_pruned() {
    let ground = Ground::of("restic").await;
    letter_beside_much(&ground);
    let with_letter = ground.snapshot("2026-03-05 02:00:00", &[]);
    fs::remove_file(ground.path("source/letter")).unwrap();
    ground.snapshot("2026-03-06 02:00:00", &[]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    ground.run(&["forget", &with_letter]);
    assert!(!ground.ids().await.contains(&with_letter));
    tells(&ground, "`restic prune --max-unused 0`").await;
    // restic leaves up to a twentieth where it is.
    ground.run(&["prune"]);
    tells(&ground, "`restic prune --max-unused 0`").await;
    ground.run(&["prune", "--max-unused", "0"]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    // Copies that come afterwards change nothing of it.
    ground.snapshot("2026-03-07 02:00:00", &[]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_asked_to_go_from_restic_goes_with_all_its_data() {
    let ground = Ground::of("restic").await;
    letter_beside_much(&ground);
    let with_letter = ground.snapshot("2026-03-05 02:00:00", &[]);
    fs::remove_file(ground.path("source/letter")).unwrap();
    ground.snapshot("2026-03-06 02:00:00", &[]);
    let ids = std::slice::from_ref(&with_letter);
    assert_eq!(ground.store().expire(ids).await.unwrap().gone, ids);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    // Somebody forgets another one and does not prune.
    fs::write(ground.path("source/letter"), noise(4_000, 3)).unwrap();
    let other = ground.snapshot("2026-03-07 02:00:00", &[]);
    ground.run(&["forget", &other]);
    assert_eq!(ground.store().remove_remains().await.unwrap(), None);
    assert_eq!(ground.ids().await.len(), 5);
    ground.run(&["check", "--read-data"]);
}

#[tokio::test]
async fn what_a_run_of_restic_left_in_no_index_remains() {
    let ground = Ground::of("restic").await;
    // As a run leaves it that was cut short before it could say what it had written.
    let name = "ab".repeat(32);
    fs::write(ground.path("repository/data/ab").join(&name), noise(300, 4)).unwrap();
    tells(&ground, "was cut short").await;
    ground.run(&["prune"]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
}

#[tokio::test]
async fn what_restic_may_forget_and_not_prune_is_not_gone() {
    let mut ground = Ground::of("restic").await;
    fs::write(ground.path("source/orders"), "eight forks").unwrap();
    let later = ground.snapshot("2026-03-05 02:00:00", &[]);
    let script = format!(
        "case $1 in prune) echo 'server response unexpected: 403 Forbidden' >&2; exit 1 ;; esac\n\
         exec {} \"$@\"",
        ground.real_tool()
    );
    ground.tell("program", &ground.script(&script));
    let expiry = ground.store().expire(std::slice::from_ref(&later)).await.unwrap();
    assert_eq!(expiry.gone, Vec::<String>::new());
    assert_eq!(expiry.kept[0].0, later);
    assert!(expiry.kept[0].1.why.contains("does not give its data up"), "{expiry:?}");
    assert!(!ground.ids().await.contains(&later));
    let remains = ground.store().remove_remains().await.unwrap();
    assert!(remains.unwrap().contains("restic prune"));
}

#[tokio::test]
async fn a_tool_that_does_not_say_what_remains_says_nothing() {
    for kind in ["restic", "borg", "pgbackrest"] {
        let mut ground = Ground::of(kind).await;
        for words in ["echo hello", ":", "echo '{}'", "exit 3", "kill -9 $$"] {
            ground.tell("program", &ground.script(words));
            let remains = ground.store().remains().await;
            assert!(remains.is_err(), "{kind} {words}: {remains:?}");
        }
    }
}

#[tokio::test]
async fn what_borg_deletes_remains_until_all_of_it_is_compacted() {
    let ground = Ground::of("borg").await;
    letter_beside_much(&ground);
    ground.archive("with-letter", "2026-03-05T02:00:00");
    fs::remove_file(ground.path("source/letter")).unwrap();
    ground.archive("without", "2026-03-06T02:00:00");
    assert_eq!(ground.store().remains().await.unwrap(), None, "old lists of archives are nobody's");
    ground.run(&["delete", "::with-letter"]);
    assert!(!ground.ids().await.iter().any(|id| id.starts_with("with-letter")));
    tells(&ground, "`borg compact --threshold 0`").await;
    // Borg leaves up to a tenth of each segment where it is.
    ground.run(&["compact"]);
    tells(&ground, "`borg compact --threshold 0`").await;
    ground.run(&["compact", "--threshold", "0"]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    // Archives that come afterwards change nothing of it.
    ground.archive("later", "2026-03-07T02:00:00");
    assert_eq!(ground.store().remains().await.unwrap(), None);
    // Nor does it depend on what borg remembers of what it deleted.
    ground.run(&["delete", "::later"]);
    for entry in fs::read_dir(ground.path("repository")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("/hints.") {
            fs::remove_file(path).unwrap();
        }
    }
    tells(&ground, "of a form that is not known").await;
    ground.archive("latest", "2026-03-08T02:00:00");
    tells(&ground, "`borg compact --threshold 0`").await;
    assert_eq!(ground.store().remove_remains().await.unwrap(), None);
    ground.run(&["check"]);
}

#[tokio::test]
async fn what_is_asked_to_go_from_borg_goes_with_all_its_data() {
    let ground = Ground::of("borg").await;
    letter_beside_much(&ground);
    ground.archive("with-letter", "2026-03-05T02:00:00");
    fs::remove_file(ground.path("source/letter")).unwrap();
    ground.archive("without", "2026-03-06T02:00:00");
    let with_letter = ground.ids().await[4].clone();
    let ids = std::slice::from_ref(&with_letter);
    assert_eq!(ground.store().expire(ids).await.unwrap().gone, ids);
    assert_eq!(ground.store().remains().await.unwrap(), None);
}

#[tokio::test]
async fn what_borg_only_hides_remains() {
    let ground = Ground::of("borg").await;
    ground.run(&["config", "--", "::", "append_only", "1"]);
    let first = ground.before[0].clone();
    ground.run(&["delete", "::shop-1"]);
    ground.run(&["compact", "--threshold", "0"]);
    assert!(!ground.ids().await.contains(&first));
    tells(&ground, "`append_only`").await;
    assert!(ground.store().remove_remains().await.unwrap().unwrap().contains("`append_only`"));
    let expiry = ground.store().expire(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!((expiry.gone.len(), &expiry.kept[0].0), (0, &first));
    ground.run(&["config", "--", "::", "append_only", "0"]);
    tells(&ground, "`borg compact --threshold 0`").await;
    assert_eq!(ground.store().expire(std::slice::from_ref(&first)).await.unwrap().gone, [first]);
    assert_eq!(ground.store().remains().await.unwrap(), None);
}

#[tokio::test]
async fn what_pgbackrest_has_not_finished_to_remove_remains() {
    let ground = Ground::of("pgbackrest").await;
    let folder = ground.path("pgbackrest/repository/backup/shop/20260101-020000F");
    fs::create_dir_all(folder.join("pg_data")).unwrap();
    fs::write(folder.join("pg_data/1"), "seven spoons").unwrap();
    assert!(!ground.ids().await.contains(&"20260101-020000F".to_owned()));
    tells(&ground, "`pgbackrest expire`").await;
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(ground.store().remains().await.unwrap(), None);
}

/// A repository that is reached over ssh, on a machine where the server is started with this as well.
fn over_ssh(ground: &mut Ground, more: &str) {
    let script = ground.path("rsh");
    fs::write(&script, format!("#!/bin/sh\nshift\nexec \"$@\" {more}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    ground.tell("BORG_RSH", script.to_str().unwrap());
    ground.tell("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
    let place = format!("ssh://store.example{}", ground.path("repository").display());
    ground.place(&place);
}

#[tokio::test]
async fn over_ssh_nobody_sees_what_borg_keeps_unless_its_files_are_here() {
    let mut ground = Ground::of("borg").await;
    ground.run(&["delete", "::shop-1"]);
    over_ssh(&mut ground, "");
    assert_eq!(ground.ids().await.len(), 3);
    tells(&ground, "over ssh").await;
    let files = ground.path("repository");
    ground.tell("files", files.to_str().unwrap());
    tells(&ground, "`borg compact --threshold 0`").await;
    // What compacts says so, whoever can see it.
    ground.settings.parameters.remove("files");
    assert_eq!(ground.store().remove_remains().await.unwrap(), None);
    tells(&ground, "over ssh").await;
    ground.tell("files", files.to_str().unwrap());
    assert_eq!(ground.store().remains().await.unwrap(), None);
    ground.tell("files", ground.path("base").to_str().unwrap());
    tells(&ground, "cannot be read by this account").await;
    let other = Ground::of("borg").await;
    ground.tell("files", other.path("repository").to_str().unwrap());
    let fault = ground.store().remains().await.unwrap_err();
    let Fault::Misconfigured { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("`files`"), "{message}");
}

#[tokio::test]
async fn a_server_that_only_adds_is_not_believed_to_have_let_anything_go() {
    let mut ground = Ground::of("borg").await;
    over_ssh(&mut ground, "--append-only");
    let first = std::slice::from_ref(&ground.before[0]);
    let expiry = ground.store().expire(first).await.unwrap();
    assert!(expiry.gone.is_empty(), "{expiry:?}");
    let (id, stay) = &expiry.kept[0];
    assert_eq!(id, &first[0]);
    assert!(stay.why.contains("`borg serve --append-only`"), "{}", stay.why);
    assert!(!stay.why.contains(PASSWORD));
    assert!(ground.store().remove_remains().await.unwrap().is_some());
}
