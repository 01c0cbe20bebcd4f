//! Tests of stores of copies in the files that people write.

use super::*;
use crate::datamap::{Expire, SecretReference};

const VAULT: &str = r"system: vault
kind: restic
role: backup
owner: Operations
place: /srv/restic/shop
copies: [example]
keeps: {daily: 7, weekly: 5, monthly: 12}
every: PT6H
longest_run: PT2H
prunes_every: P7D
parameters: {password: env:RESTIC_PASSWORD, host: shop-1, AWS_DEFAULT_REGION: eu-central-1}
zone: Europe/Berlin
";

const STANZA: &str = "system: stanza\nkind: pgbackrest\nowner: Operations\nplace: shop\n\
                      copies: [example]\nexpire: by_quietus\n";

/// The starting folder with more systems, and with something added to its own one.
fn told(own: &str, systems: &[&str]) -> Result<Loaded, String> {
    let mut files = start();
    let whole = format!("{}\n{own}", files[1].1);
    files[1].1 = whole.leak();
    let names: Vec<String> = (0..systems.len()).map(|n| format!("systems/more-{n}.yaml")).collect();
    files.extend(names.iter().zip(systems).map(|(name, text)| (name.as_str(), *text)));
    let folder = folder(&files);
    load(folder.path()).map_err(|problems| report::short(&problems))
}

#[track_caller]
fn refuses(systems: &[&str], expected: &str) {
    let told = told("", systems).map(|_| ()).unwrap_err();
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(expected)).collect();
    assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{told}");
    assert!(lines[0].starts_with("systems/more-") && lines[0].contains('('), "{}", lines[0]);
}

fn own_name() -> String {
    let text = start()[1].1;
    let line = text.lines().find(|line| line.starts_with("system:")).unwrap();
    line.trim_start_matches("system:").trim().to_owned()
}

#[test]
fn stores_are_read_with_all_that_they_say() {
    let own = own_name();
    let vault = VAULT.replace("example", &own);
    let stanza = STANZA.replace("example", &own);
    let loaded = told("", &[&vault, &stanza]).unwrap();
    assert_eq!(loaded.warnings.found, []);
    let of = |name: &str| {
        let name = crate::domain::SystemName::parse(name).unwrap();
        loaded.data_map.systems[&name].clone()
    };
    let vault = of("vault");
    assert_eq!(vault.role, crate::datamap::Role::Backup);
    assert!(!vault.is_database() && vault.collections.is_empty());
    let backup = vault.backup.unwrap();
    assert_eq!(backup.copies.iter().map(ToString::to_string).collect::<Vec<_>>(), [own.as_str()]);
    assert_eq!(backup.place, SecretReference::Plain("/srv/restic/shop".to_owned()));
    let password = SecretReference::Environment("RESTIC_PASSWORD".to_owned());
    assert_eq!(backup.parameters["password"], password);
    let keeps = backup.keeps.clone().unwrap();
    assert_eq!((keeps.daily, keeps.weekly, keeps.monthly), (Some(7), Some(5), Some(12)));
    assert_eq!((keeps.last, keeps.within), (None, None));
    assert_eq!((backup.cadence().as_hours(), backup.longest().as_hours()), (6, 2));
    assert_eq!(backup.pruned_within().as_hours(), 168);
    assert_eq!((backup.expire, backup.zone.as_str()), (Expire::ByStore, "Europe/Berlin"));
    let stanza = of("stanza").backup.unwrap();
    assert_eq!((stanza.expire, stanza.keeps.is_none()), (Expire::ByQuietus, true));
    assert_eq!((stanza.cadence().as_hours(), stanza.longest().as_hours()), (24, 24));
    let own = crate::domain::SystemName::parse(&own).unwrap();
    let stores: Vec<String> =
        loaded.data_map.stores_of(&own).map(|(one, _)| one.name.to_string()).collect();
    assert_eq!(stores, ["stanza", "vault"]);
    // What was kept with a case is read in the same way.
    let zone = &loaded.instance.controller.zone;
    let (again, _) = compile(&loaded.map_files, &loaded.rule_files, zone).unwrap();
    assert_eq!(again.systems.len(), 1 + 3);
}

#[test]
fn a_database_may_say_that_nobody_copies_it() {
    let own = own_name();
    let loaded = told("no_backups: rebuilt from the register each night\n", &[]).unwrap();
    let system = loaded.data_map.systems.values().find(|one| !one.is_house()).unwrap();
    assert_eq!(system.no_backups.as_deref(), Some("rebuilt from the register each night"));
    let vault = VAULT.replace("example", &own);
    let told = told("no_backups: none\n", &[&vault]).map(|_| ()).unwrap_err();
    assert!(told.contains(&format!("`vault` copies `{own}`")), "{told}");
}

#[test]
fn what_does_not_fit_is_told_with_what_to_do() {
    let own = own_name();
    let vault = VAULT.replace("example", &own);
    let with = |from: &str, to: &str| {
        assert!(vault.contains(from), "{from}");
        vault.replace(from, to)
    };
    for (from, to, expected) in [
        ("copies: [", "copies: [nowhere, ", "there is no system `nowhere`"),
        ("copies: [", "copies: [vault, ", "`vault` is of kind `restic`, which is not copied"),
        ("place: /srv/restic/shop\n", "", "`place` is missing"),
        ("keeps: {daily: 7, weekly: 5, monthly: 12}\n", "", "`keeps` is missing"),
        ("daily: 7", "daily: 7000000", "`7000000` is too much"),
        ("PT6H", "P1M", "this is no length of time"),
        ("role: backup", "role: database", "a system of kind `restic` is a store of copies"),
        ("password: env:RESTIC_PASSWORD", "password: hunter2", "stands here in plain"),
        ("password: env:RESTIC_PASSWORD, ", "", "parameter `password` is missing"),
        ("host:", "hots:", "has no parameter `hots`"),
        ("AWS_DEFAULT_REGION: eu-central-1", "AWS_SECRET_ACCESS_KEY: x", "stands here in plain"),
        (
            "place: /srv/restic/shop",
            "place: rest:https://a:b@host/",
            "`place` stands here in plain",
        ),
        ("zone: Europe/Berlin", "pace: {chunk_records: 5}", "a store of copies has no `pace`"),
        ("zone: Europe/Berlin", "limits: {at_once: 5}", "a store of copies has no `limits`"),
    ] {
        refuses(&[&with(from, to)], expected);
    }
    let secret = told("", &[&with("password: env:RESTIC_PASSWORD", "password: hunter2")]);
    assert!(!secret.map(|_| ()).unwrap_err().contains("hunter2"));
    let empty = vault.replace(&format!("copies: [{own}]"), "copies: []");
    refuses(&[&empty], "`copies` is empty");
    let twice = vault.replace(&format!("copies: [{own}]"), &format!("copies: [{own}, {own}]"));
    refuses(&[&twice], "stands here twice");
}

#[test]
fn other_systems_have_nothing_of_a_store() {
    let database = "system: more\nkind: sqlite\nrole: backup\nowner: a\n\
                    connection: {url: 'sqlite:more.db'}\nexempt: [{collection: t, reason: r}]\n";
    refuses(&[database], "a system of kind `sqlite` is no store of copies");
    let keeps = database.replace("role: backup", "keeps: {daily: 1}");
    refuses(&[&keeps], "a system of kind `sqlite` has no `keeps`");
}

/// A store whose archives have the files of each person of the starting folder's system.
fn with_inside(own: &str, more: &str) -> String {
    format!(
        "system: vault\nkind: borg\nowner: Operations\nplace: /srv/borg\ncopies: [{own}]\n\
         keeps: {{daily: 7}}\n{more}"
    )
}

#[test]
fn a_store_may_say_where_the_files_of_each_person_are() {
    let own = own_name();
    let inside = format!("inside:\n  {own}: {{identity: email, files: 'customers/{{}}/'}}\n");
    let loaded = told("", &[&with_inside(&own, &inside)]).unwrap();
    let vault = crate::domain::SystemName::parse("vault").unwrap();
    let backup = loaded.data_map.systems[&vault].backup.clone().unwrap();
    let own_name = crate::domain::SystemName::parse(&own).unwrap();
    let one = &backup.inside[&own_name];
    assert_eq!((one.identity.as_str(), one.files.to_string().as_str()), ("email", "customers/{}/"));
    let wrong = |from: &str, to: &str, expected: &str| {
        assert!(inside.contains(from), "{from}");
        refuses(&[&with_inside(&own, &inside.replace(from, to))], expected);
    };
    wrong("customers/{}/", "customers/", "the path has no `{}`");
    wrong("customers/{}/", "customers/{}*", "the path goes on behind `{}`");
    wrong("customers/{}/", "/customers/{}", "the path begins with `/`");
    wrong("customers/{}/", "*/{}", "the path has a wildcard");
    wrong(&own, "nowhere", "`vault` does not copy `nowhere`");
    wrong("identity: email, ", "", "`identity` is missing");
    wrong("identity: email", "identity: passport", "no system knows the identity type `passport`");
    let dumps = with_inside(&own, &inside)
        .replace("borg\n", "dumps\n")
        .replace("keeps:", "parameters: {files: '%F.sql'}\nkeeps:");
    refuses(&[&dumps], "a store of kind `dumps` cannot erase inside of copies");
    let bucket = with_inside(&own, &format!("expire: by_quietus\n{inside}"))
        .replace("kind: borg", "kind: s3")
        .replace("place: /srv/borg", "place: s3://shop-backups/")
        .replace("keeps:", "parameters: {access_key: env:A, secret_key: env:B}\nkeeps:");
    refuses(&[&bucket], "the log would name objects whose keys name persons");
}
