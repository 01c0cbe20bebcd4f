//! One person's files in the archives of a Borg repository.

use std::fs;

use quietus_connectors::{Fault, InsideFiles, InsidePart};

use crate::ground::Ground;
use crate::heard::Heard;

/// By what the person is known here, and nobody else.
const PERSON: &str = "alan-0815@mail.example";

/// A repository with two archives of files of three persons; the archives name their paths without
/// the folder in which the test lives.
fn filled() -> Ground {
    let ground = Ground::bare("borg");
    ground.run(&["init", "--encryption=repokey"]);
    for (person, words) in
        [(PERSON, "alan's"), ("alan-0815@mail.example2", "another"), ("2", "two")]
    {
        let folder = ground.path("source/customers").join(person).join("deep");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("letter"), format!("{words} letter")).unwrap();
    }
    for day in 1..=2 {
        archived(&ground, &format!("shop-{day}"), &format!("2026-03-0{day}T02:00:00"));
    }
    ground
}

fn archived(ground: &Ground, name: &str, time: &str) {
    let name = format!("::{name}");
    let mut command =
        ground.command(&["create", "--comment", "nightly", "--timestamp", time, &name, "."]);
    let output = command.current_dir(ground.path("source")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn part(value: &str) -> InsidePart {
    InsideFiles::parse("customers/{}/").unwrap().of(value).unwrap()
}

/// Every entry of an archive as borg lists it, without those of the person.
fn others(ground: &Ground, archive: &str) -> Vec<String> {
    let format = "--format={mode} {uid} {size} {mtime} {path}{NL}";
    let listed = ground.run(&["list", format, &format!("::{archive}")]);
    let own =
        |line: &&str| line.contains(&format!("customers/{PERSON}/")) || line.ends_with(PERSON);
    listed.lines().filter(|line| !own(line)).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_persons_files_go_from_every_archive_and_nothing_else() {
    let ground = filled();
    let before = [others(&ground, "shop-1"), others(&ground, "shop-2")];
    let copies = ground.copies().await;
    let parts = [part(PERSON)];
    let holding = ground.store().holding(&parts).await.unwrap();
    let ids: Vec<&str> = holding.iter().map(|one| one.copy.as_str()).collect();
    assert_eq!(ids, copies.iter().map(|one| one.id.as_str()).collect::<Vec<_>>());
    assert!(holding.iter().all(|one| one.entries == 3), "two folders and a file: {holding:?}");
    assert_eq!(ground.copies().await, copies, "looking changes nothing");

    let erasure = ground.store().erase_inside(&parts).await.unwrap();
    assert_eq!((erasure.gone, erasure.kept), (holding, vec![]));
    assert_eq!(ground.store().holding(&parts).await.unwrap(), []);
    assert_eq!([others(&ground, "shop-1"), others(&ground, "shop-2")], before);
    let all = ground.run(&["list", "--short", "::shop-1"]);
    assert!(!all.lines().any(|line| line.split('/').any(|one| one == PERSON)), "{all}");
    let letter = "customers/alan-0815@mail.example2/deep/letter";
    assert_eq!(ground.run(&["extract", "--stdout", "::shop-2", letter]), "another letter");
    ground.run(&["check", "--verify-data"]);
    // Name and moment are what they were, and so is everything that follows from them.
    let after = ground.copies().await;
    for (one, other) in copies.iter().zip(&after) {
        assert_eq!(one.id.split('#').next(), other.id.split('#').next());
        assert_ne!(one.id, other.id, "what was written anew is another archive");
        assert_eq!((one.taken_at, one.holds_from), (other.taken_at, other.holds_from));
    }
    let comments = ground.run(&["list", "--format={comment}{NL}"]);
    assert_eq!(comments.trim(), "nightly\nnightly");
    // Begun again, it finds nothing to do.
    let again = ground.store().erase_inside(&parts).await.unwrap();
    assert_eq!((again.gone, again.kept), (vec![], vec![]));
    assert_eq!(ground.copies().await, after, "no archive is written anew for nothing");
}

#[tokio::test]
async fn only_archives_that_hold_something_are_written_anew() {
    let ground = filled();
    fs::remove_dir_all(ground.path("source/customers").join(PERSON)).unwrap();
    archived(&ground, "shop-3", "2026-03-03T02:00:00");
    let before = ground.ids().await;
    let erasure = ground.store().erase_inside(&[part(PERSON), part("nobody")]).await.unwrap();
    assert_eq!(erasure.gone.len(), 2);
    let after = ground.ids().await;
    assert_eq!((after.len(), &after[2]), (3, &before[2]));
    assert!(after[0] != before[0] && after[1] != before[1]);
}

#[tokio::test]
async fn what_a_run_that_was_cut_short_left_behind_is_cleared_away() {
    let ground = filled();
    // As `borg recreate` leaves it: the new archive is there, and so is the old one.
    archived(&ground, "shop-1.recreate", "2026-03-01T02:00:00");
    let parts = [part(PERSON)];
    let erasure = ground.store().erase_inside(&parts).await.unwrap();
    assert_eq!(erasure.gone.len(), 2);
    assert_eq!(ground.store().remains().await.unwrap(), None);
    let ids = ground.ids().await;
    let names: Vec<&str> = ids.iter().map(|id| id.split('#').next().unwrap()).collect();
    assert_eq!(names, ["shop-1", "shop-2"]);
    assert_eq!(ground.store().holding(&parts).await.unwrap(), []);
    ground.run(&["check"]);
}

#[tokio::test]
async fn a_repository_that_only_adds_keeps_everything() {
    let ground = filled();
    ground.run(&["config", "--", "::", "append_only", "1"]);
    let before = ground.copies().await;
    let erasure = ground.store().erase_inside(&[part(PERSON)]).await.unwrap();
    assert!(erasure.gone.is_empty(), "{erasure:?}");
    assert_eq!(erasure.kept.len(), 2);
    assert!(erasure.kept.iter().all(|(_, stay)| stay.why.contains("`append_only`")));
    assert_eq!(ground.copies().await, before);
}

#[tokio::test]
async fn of_a_shared_repository_only_our_archives_are_changed() {
    let mut ground = filled();
    archived(&ground, "news-1", "2026-03-03T02:00:00");
    let before = ground.ids().await;
    ground.tell("archives", "shop-*");
    let parts = [part(PERSON)];
    assert_eq!(ground.store().erase_inside(&parts).await.unwrap().gone.len(), 2);
    assert_eq!(ground.store().holding(&parts).await.unwrap(), []);
    ground.settings.parameters.remove("archives");
    assert!(ground.ids().await.contains(&before[2]), "that one is not ours");
    assert_eq!(ground.store().holding(&parts).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whom_it_is_about_is_in_no_argument_no_file_and_no_message() {
    let (heard, _guard) = Heard::listen();
    let mut ground = filled();
    let parts = [part(PERSON)];
    let arguments = ground.path("arguments");
    let script = format!(
        "tr '\\0' ' ' </proc/$$/cmdline >>{0}\necho >>{0}\nenv >>{0}\nexec {1} \"$@\"",
        arguments.display(),
        ground.real_tool()
    );
    ground.tell("program", &ground.script(&script));
    let mut said = vec![format!("{parts:?} {:?}", ground.store().holding(&parts).await.unwrap())];
    said.push(format!("{:?}", ground.store().erase_inside(&parts).await.unwrap()));
    let started = fs::read_to_string(&arguments).unwrap();
    assert!(started.contains(" recreate ") && started.contains(" list "), "{started}");
    said.push(started);
    // A tool that repeats all that it is told.
    ground.tell("program", &ground.script("cat; cat >&2; exit 2"));
    let fault = ground.store().holding(&parts).await.unwrap_err();
    assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
    said.push(format!("{fault} {fault:?}"));
    said.push(heard.words());
    for words in said {
        assert!(!words.contains("alan"), "{words}");
    }
}

#[tokio::test]
async fn a_command_that_takes_the_input_away_changes_nothing_and_is_no_proof() {
    let mut ground = filled();
    let before = ground.copies().await;
    let script = format!("exec {} \"$@\" </dev/null", ground.real_tool());
    let parts = [part("nobody")];
    assert_eq!(ground.store().holding(&parts).await.unwrap(), []);
    ground.tell("program", &ground.script(&script));
    // It is noticed, or borg lists everything: nothing is called gone.
    let held = ground.store().holding(&parts).await;
    assert!(held.as_ref().is_ok_and(|held| held.len() == 2) || held.is_err(), "{held:?}");
    ground.store().erase_inside(&parts).await.unwrap_err();
    ground.settings.parameters.remove("program");
    let after = ground.copies().await;
    assert_eq!(after.len(), before.len());
    assert!(ground.run(&["list", "--short", "::shop-1"]).contains(PERSON));
}

#[tokio::test]
async fn kinds_that_cannot_say_so() {
    let ground = Ground::of("dumps").await;
    let fault = ground.store().erase_inside(&[part(PERSON)]).await.unwrap_err();
    let Fault::Rejected { message } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("`dumps`") && message.contains("`borg`"), "{message}");
    assert!(ground.store().holding(&[part(PERSON)]).await.is_err());
}
