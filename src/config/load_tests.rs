use std::path::Path;

use super::*;
use crate::config::report;

fn start() -> Vec<(&'static str, &'static str)> {
    vec![
        ("quietus.yaml", include_str!("start/quietus.yaml")),
        ("systems/example.yaml", include_str!("start/systems/example.yaml")),
        ("schedules/retention.yaml", include_str!("start/schedules/retention.yaml")),
    ]
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The starting folder with one replacement in one file.
fn changed(file: &str, from: &str, to: &str) -> String {
    let mut files: Vec<(&str, String)> =
        start().into_iter().map(|(name, text)| (name, text.to_owned())).collect();
    let text = &mut files.iter_mut().find(|(name, _)| name.contains(file)).unwrap().1;
    assert!(text.contains(from), "`{from}` is not in {file}");
    *text = text.replacen(from, to, 1);
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let folder = folder(&files);
    match load(folder.path()) {
        Ok(loaded) => report::short(&loaded.warnings),
        Err(problems) => report::short(&problems),
    }
}

#[test]
fn the_starting_folder_is_fine() {
    let folder = folder(&start());
    let loaded = load(folder.path()).map_err(|problems| problems.to_string()).unwrap();
    assert_eq!(loaded.warnings.found, []);
    assert_eq!(loaded.data_map.systems.len(), 1);
    assert_eq!(loaded.rules.rules.len(), 3);
    assert_eq!(loaded.instance.evidence_origin, "example-shop-gmbh/evidence");
    assert_eq!(loaded.rules.rules[0].cap.records, Some(10_000));
}
