//! Tests of `check`: a fine folder is summed up, a broken one is told as a whole.

use super::*;
use crate::cli::init;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-10-24T12:00:00Z".parse().unwrap()
    }
}

fn check(dir: &std::path::Path, format: CheckFormat) -> (u8, String) {
    let mut out = Vec::new();
    let args = CheckArgs { format };
    let code = run(&args, dir, &Noon, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_fine_folder_is_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("erasure");
    init::run(&init::InitArgs { dir: dir.clone() }, &mut Vec::new()).unwrap();
    let (code, text) = check(&dir, CheckFormat::Human);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text);
    assert_eq!(check(&dir, CheckFormat::Short), (0, String::new()));
    let (code, text) = check(&dir, CheckFormat::Json);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &answer["fine"]), (0, &json!(true)));
    assert_eq!(answer["summary"]["next_runs"]["nightly"][0], "Sun 2026-10-25 01:30 +02:00");
}

#[test]
fn an_empty_folder_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = check(folder.path(), CheckFormat::Short);
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "quietus.yaml:1:1: error: the file cannot be read: it is not there (run `quietus init` in an empty folder, or name the folder with `--dir`)\n"
    );
}
