//! Tests of what files of systems say of their files and logs.

use jiff::SignedDuration;

use super::*;
use crate::datamap::Residues;

/// The starting folder with one more system of this kind, of which this is said.
fn told(kind: &str, residues: &str) -> Result<Option<Residues>, String> {
    let scheme = if kind == "postgresql" { "postgres" } else { kind };
    let more = format!(
        "system: more\nkind: {kind}\nowner: a\nconnection: {{url: '{scheme}:more.db'}}\n\
         exempt: [{{collection: t, reason: r}}]\n{residues}\n"
    );
    let mut files = start();
    files.push(("systems/more.yaml", more.leak()));
    let folder = folder(&files);
    let loaded = load(folder.path()).map_err(|problems| report::short(&problems))?;
    let name = crate::domain::SystemName::parse("more").unwrap();
    Ok(loaded.data_map.systems[&name].residues.clone())
}

#[test]
fn nobody_looks_where_nothing_is_said() {
    assert_eq!(told("sqlite", "").unwrap(), None);
}

#[test]
fn stages_go_in_their_order_and_nothing_is_driven_that_is_not_written() {
    let all = told("sqlite", "residues: {}").unwrap().unwrap();
    assert_eq!(all.stages, ["pages", "journal"]);
    assert_eq!((all.look, all.drive.len()), (SignedDuration::from_hours(1), 0));
    let some = "residues: {look: PT10M, stages: [wal, dead_rows], drive: [switch_wal, vacuum]}";
    let some = told("postgresql", some).unwrap().unwrap();
    assert_eq!(some.look, SignedDuration::from_mins(10));
    assert_eq!(some.stages, ["dead_rows", "wal"]);
    assert_eq!(some.drive, ["switch_wal", "vacuum"]);
}

#[test]
fn what_does_not_fit_is_told_with_what_to_do() {
    for (kind, residues, expected) in [
        ("sqlite", "residues: {stages: [wal]}", "this kind of system knows no `wal`"),
        ("sqlite", "residues: {drive: [vacum]}", "did you mean `vacuum`?"),
        ("sqlite", "residues: {drive: [vacuum, vacuum]}", "`vacuum` stands here twice"),
        ("sqlite", "residues: {stages: []}", "`stages` is empty"),
        ("sqlite", "residues: {look: P1M}", "this is no length of time"),
        ("sqlite", "residues: {see: PT1H}", "see"),
        (
            "sqlite",
            "residues: {stages: [journal], drive: [vacuum]}",
            "`vacuum` makes `pages` go, at which nobody looks",
        ),
        ("postgresql", "residues: {stages: [wal]}", "`wal` counts from when `dead_rows` is gone"),
        ("mariadb", "residues: {stages: [redo, binlog]}", "add `undo` to `stages`"),
    ] {
        let told = told(kind, residues).unwrap_err();
        assert!(told.contains(expected), "expected `{expected}` in:\n{told}");
        assert!(told.contains("systems/more.yaml"), "{told}");
    }
}
