//! Tests of reading whole folders.

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
    // Our own store and its rules are part of each.
    assert_eq!(loaded.data_map.systems.len(), 1 + 1);
    assert_eq!(loaded.rules.rules.len(), 8 + 3);
    assert_eq!(loaded.instance.evidence_origin, "example-shop-gmbh/evidence");
    assert_eq!(loaded.rules.rules[0].cap.records, Some(10_000));
}

/// What is said of a folder that cannot be read.
fn said_of(path: &std::path::Path) -> String {
    report::short(&load(path).unwrap_err())
}

#[test]
fn what_is_missing_or_no_file_is_named_with_what_to_do() {
    let folder = folder(&start());
    let path = folder.path();
    let missing = said_of(&path.join("nowhere"));
    assert!(missing.contains("nowhere:1:1: error: the folder cannot be read: it is not there"));
    assert!(missing.contains("`quietus init FOLDER`"), "{missing}");
    std::fs::remove_dir_all(path.join("systems")).unwrap();
    std::fs::write(path.join("systems"), "").unwrap();
    let told = said_of(path);
    assert!(told.contains("systems:1:1: error: the folder cannot be read: it is a file"), "{told}");
    std::fs::remove_file(path.join("quietus.yaml")).unwrap();
    assert!(said_of(path).contains("quietus.yaml:1:1: error: the file cannot be read: it is not"));
    std::fs::create_dir(path.join("quietus.yaml")).unwrap();
    let told = said_of(path);
    assert!(told.contains("cannot be read: it is a folder (put a file there"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let folder = folder(&start());
    let path = folder.path().join("systems/pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let told = said_of(folder.path());
    assert!(told.contains("systems/pipe.yaml:1:1: error: the file cannot be read: it is a pipe"));
}

#[test]
fn a_huge_file_is_neither_read_to_its_end_nor_shown() {
    let folder = folder(&start());
    let path = folder.path().join("quietus.yaml");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let problems = load(folder.path()).unwrap_err();
    assert!(report::short(&problems).contains("larger than 4194304 bytes (split it"));
    std::fs::write(&path, format!("a: {}", "x".repeat(100_000))).unwrap();
    let told = report::human(&load(folder.path()).unwrap_err(), false);
    assert!(told.contains("quietus.yaml:1:1") && told.len() < 2_000, "{} bytes", told.len());
}

#[test]
fn who_acts_is_told_without_contact_data_and_without_showing_them() {
    let people = "people: [Ada Example, anna@mail.example]\n";
    let tokens = "tokens: [{name: \"+49 170 1234567\", role: auditor, secret: env:X}]\n";
    for (line, place) in [(people, "53:23"), (tokens, "53:17")] {
        let text = format!("{}{line}", include_str!("start/quietus.yaml"));
        let mut files = start();
        files[0].1 = &text;
        let problems = load(folder(&files).path()).unwrap_err();
        let told = report::short(&problems) + &report::human(&problems, false);
        assert!(told.contains("this looks like") && told.contains("`night-shift`"), "{told}");
        assert!(told.starts_with(&format!("quietus.yaml:{place}")), "{told}");
        assert!(!told.contains("anna") && !told.contains("170"), "{told}");
    }
}

#[path = "broken_tests.rs"]
mod broken;

#[path = "definitions_tests.rs"]
mod definitions;

#[path = "alarms_tests.rs"]
mod alarms;
#[path = "backup_tests.rs"]
mod backup_tests;
#[path = "residues_tests.rs"]
mod residues_tests;
#[path = "restriction_tests.rs"]
mod restriction;
#[path = "third_party_tests.rs"]
mod third_party;

#[path = "signers_tests.rs"]
mod signers;

#[path = "opendsr_tests.rs"]
mod opendsr;

/// One mistake in the starting folder, and the one thing that is said of it.
#[track_caller]
fn says(file: &str, from: &str, to: &str, expected: &str) {
    let told = changed(file, from, to);
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(expected)).collect();
    assert_eq!(lines.len(), 1, "expected `{expected}` once in:\n{told}");
}

/// One mistake in the starting folder, and nothing else that is said.
#[track_caller]
fn says_only(file: &str, from: &str, to: &str, expected: &str) {
    let told = changed(file, from, to);
    assert!(told.lines().count() == 1 && told.contains(expected), "{expected}:\n{told}");
}

#[test]
fn a_store_in_sqlite_has_no_pooler_before_it() {
    let said = |store: &str, direct: &str| {
        let lines = format!("log: {{format: text}}\n{store}store_direct: {direct}");
        let text = include_str!("start/quietus.yaml");
        let kept: String = text
            .lines()
            .filter(|line| !line.starts_with("store:"))
            .map(|line| line.to_owned() + "\n")
            .collect();
        let text = kept.replacen("log: {format: text}", &lines, 1);
        let mut files = start();
        files[0].1 = &text;
        match load(folder(&files).path()) {
            Ok(loaded) => format!("{:?}", loaded.instance.store_direct),
            Err(problems) => report::short(&problems),
        }
    };
    let refused = "before a store in SQLite there is no pooler";
    for (store, direct) in [
        ("", "env:PAST"),
        ("store: 'sqlite:own.db'\n", "env:PAST"),
        ("store: env:URL\n", "'sqlite:own.db'"),
    ] {
        let told = said(store, direct);
        assert!(told.contains(refused) && told.starts_with("quietus.yaml:"), "{told}");
    }
    assert_eq!(said("store: env:URL\n", "env:PAST"), "Some(Environment(\"PAST\"))");
}

#[test]
fn every_category_has_a_way_out() {
    let pack = "retention";
    says(
        pack,
        "    category: order.delivery\n    starting_point",
        "    category: order.invoice\n    starting_point",
        "systems/example.yaml:45:25: error: no rule disposes of `order.delivery` in `shop`",
    );
    says_only(
        pack,
        "    action: erase\n    basis: {citation: \"GDPR Art. 6(1)(b)\", note",
        "    action: erase\n    when: country = \"DE\"\n    basis: {citation: \"GDPR Art. 6(1)(b)\", note",
        "records of `order.delivery` that meet no condition would stay for ever",
    );
    says_only(
        pack,
        "exemptions: []",
        "exemptions: [{category: order.delivery, reason: x, owner: y}]",
        "has a rule and is exempt",
    );
    says(
        pack,
        "  order.delivery: {purpose",
        "  order.deliveries: {purpose",
        "example.yaml:45:25: error: no pack declares the category `order.delivery` (did you mean `order.deliveries`?",
    );
    says_only(
        pack,
        "\nrules:\n",
        "\nrules:\n  - {rule: all, category: order.delivery, starting_point: order.completed, period: P1M, action: erase, basis: {citation: x}}\n",
        "error: `delivery-after-order` is never used: `all` stands before it",
    );
    // However far behind, and with a condition of its own.
    let french = "\nrules:\n  - {rule: all, category: order.delivery, starting_point: order.completed, period: P1M, action: erase, basis: {citation: x}}\n  - {rule: french, category: order.delivery, starting_point: order.completed, period: P10Y, when: country = \"FR\", action: erase, basis: {citation: x}}\n";
    for swallowed in ["french", "delivery-after-order"] {
        let told = format!("error: `{swallowed}` is never used: `all` stands before it");
        says(pack, "\nrules:\n", french, &told);
    }
}

#[test]
fn rules_fit_the_data_map() {
    let pack = "retention";
    says_only(
        pack,
        "starting_point: order.completed\n    period: P3M",
        "starting_point: order.shipped\n    period: P3M",
        "category `order.delivery` in `shop.orders` has no starting point `order.shipped`",
    );
    for (systems, told) in [
        ("[shp]", "unknown system `shp` (did you mean `shop`?)"),
        ("[]", "error: `systems` is empty"),
    ] {
        let written = format!("    period: P3M\n    systems: {systems}\n");
        says(pack, "    period: P3M\n", &written, told);
    }
    says_only(
        pack,
        "action: erase",
        "action: anonymise",
        "nobody says how `email`, `name` of `shop.customers` become anonymous",
    );
    says_only(
        "example",
        "    restrict: {flag: restricted_at}\n\n",
        "",
        "nobody says what `restricted_at` belongs to",
    );
    says_only(
        pack,
        "when: country = \"DE\"",
        "when: land = \"DE\"",
        "`shop.orders` knows no `land`",
    );
    says_only(
        pack,
        "when: country = \"DE\"",
        "when: country = 7",
        "`country` is `text` and is compared with a whole number",
    );
    says_only(
        pack,
        "when: country = \"DE\"",
        "when: country > \"DE\"",
        "which systems order differently",
    );
    says_only(
        pack,
        "when: country = \"DE\"",
        "when: delivery_address is null",
        "once that is erased, this condition changes its answer",
    );
    says_only(
        pack,
        "schedule: nightly ",
        "schedule: nightley ",
        "unknown schedule `nightley` (did you mean `nightly`?)",
    );
    says_only(
        pack,
        "version: \"2026.1\"",
        "version: \"2026.1\"\nrules_: []",
        "unknown entry `rules_` (did you mean `rules`?)",
    );
}

#[test]
fn a_restriction_needs_a_way() {
    let told =
        changed("retention", "period: P3M\n    action: erase", "period: P3M\n    action: restrict");
    assert_eq!(told, "");
    let told = changed("example", "    restrict: {flag: restricted}\n", "");
    assert!(told.contains("nobody says what `restricted` belongs to"), "{told}");
}

#[test]
fn what_a_minimum_keeps_should_be_restricted() {
    says_only(
        "example",
        "      restricted: {type: boolean}\n",
        "      restricted: {type: text, exempt: no flag}\n",
        "`restricted` is `text` and no flag",
    );
    let told = changed("example", "    restrict: {flag: restricted}\n", "");
    assert!(
        told.contains("warning: what `de-invoices` keeps in `shop.orders` cannot be restricted"),
        "{told}"
    );
}

#[test]
fn a_moment_may_be_compared_with_a_day() {
    let when = "when: completed_at < 2020-01-01";
    assert_eq!(changed("retention", "when: country = \"DE\"", when), "");
    let when = "when: completed_at < 7";
    says_only("retention", "when: country = \"DE\"", when, "compared with a whole number");
}

#[test]
fn limits_do_not_contradict_each_other() {
    let pack = "retention";
    says_only(
        pack,
        "period: P6M\n    action",
        "period: P13M\n    action",
        "`contact-after-contract` keeps `account.contact` longer than `contact-at-most` allows",
    );
    // A calendar year that ends later than twelve months after any start.
    says_only(
        pack,
        "period: P6M\n    action",
        "period: P6M\n    round: end_of_calendar_year\n    action",
        "keeps `account.contact` longer",
    );
    let minimum = "minimums:\n  - {name: keep, category: account.contact, starting_point: relationship.ended, period: P2Y, jurisdiction: DE, citation: Law 1}\n";
    says_only(
        pack,
        "minimums:\n",
        minimum,
        "`account.contact` must be kept longer (`keep`, Law 1) than it may be kept",
    );
    let early = minimum.replace("citation: Law 1", "citation: Law 1, valid_to: 2018-05-24");
    assert_eq!(changed(pack, "minimums:\n", &early), "");
}

#[test]
fn links_stay_in_their_system_and_make_no_circle() {
    let map = "example";
    says(map, "{to: customers, fields", "{to: costumers, fields", "did you mean `customers`?");
    says(map, "{customer_id: id}", "{customer: id}", "`shop.orders` has no field `customer`");
    says(map, "{customer_id: id}", "{}", "this link has no fields");
    says_only(
        map,
        "    restrict: {flag: restricted_at}\n",
        "    restrict: {flag: restricted_at}\n    links:\n      favourite: {to: orders, fields: {id: id}}\n",
        "these links make a circle: customers → orders → customers",
    );
    let itself = "    restrict: {flag: restricted_at}\n    links:\n      parent: {to: customers, fields: {id: id}}\n";
    assert_eq!(changed(map, "    restrict: {flag: restricted_at}\n", itself), "");
    says(
        map,
        "    links:\n      customer: {to: customers, fields: {customer_id: id}, kind: deep}\n    starting_points:\n      order.completed: completed_at\n    attributes:\n      country: customer.country\n",
        "    starting_points:\n      order.completed: completed_at\n    attributes: {country: invoice_name}\n",
        "no person can be found in `shop.orders`",
    );
}

#[test]
fn a_grace_counts_against_a_maximum_and_a_law_that_ends_only_warns() {
    let pack = "retention";
    let grace = "period: P6M\n    grace: P7M\n    action";
    says_only(pack, "period: P6M\n    action", grace, "error: `contact-after-contract` keeps");
    let ends = "    period: P3M\n    jurisdiction: EU\n    valid_to: 2030-12-31\n";
    says_only(
        pack,
        "    period: P1Y\n    jurisdiction: EU\n",
        ends,
        "warning: `contact-after-contract` keeps",
    );
}

#[test]
fn files_in_inner_folders_are_not_overlooked() {
    let mut files = start();
    files.push(("systems/europe/crm.yaml", "system: crm\n"));
    let told = report::short(&load(folder(&files).path()).unwrap_err());
    assert!(told.starts_with("systems/europe:1:1: error: folders in here are not read"), "{told}");
    let mut files = start();
    files.push(("systems/CRM.YAML", "system: crm\n"));
    assert!(load(folder(&files).path()).is_err());
}

#[test]
fn digests_follow_the_bytes() {
    let one = load(folder(&start()).path()).unwrap();
    let two = load(folder(&start()).path()).unwrap();
    assert_eq!(one.data_map.digest, two.data_map.digest);
    assert_eq!(one.rules.rules[0].digest, two.rules.rules[0].digest);
    let mut files = start();
    let pack = files[2].1.replace("period: P6M", "period: P5M");
    files[2].1 = pack.leak();
    let three = load(folder(&files).path()).unwrap();
    assert_eq!(one.data_map.digest, three.data_map.digest);
    assert_ne!(one.rules.digest, three.rules.digest);
    assert_ne!(one.rules.rules[0].digest, three.rules.rules[0].digest);
    assert_eq!(one.rules.rules[1].digest, three.rules.rules[1].digest);
}

#[test]
fn the_example_pack_stands_beside_others() {
    let mut files = start();
    files.push(("schedules/statutory-de.yaml", include_str!("../../schedules/statutory-de.yaml")));
    let loaded = load(folder(&files).path()).map_err(|problems| problems.to_string()).unwrap();
    assert_eq!(loaded.rules.limits.len(), 7);
    assert_eq!(loaded.warnings.found, []);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    /// Whatever is torn out of or written into the files: there is an answer, and every place is
    /// inside its file.
    #[test]
    fn torn_files_never_panic(
        file in 0_usize..3,
        at in 0.0_f64..1.0,
        length in 0_usize..60,
        put in "[a-z0-9:{}\\[\\]\", \n#&*|>P%ü-]{0,12}",
    ) {
        let mut files = start();
        let text: Vec<char> = files[file].1.chars().collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position in a short text")]
        let from = (at * text.len() as f64) as usize;
        let to = (from + length).min(text.len());
        let torn: String =
            text[..from].iter().chain(put.chars().collect::<Vec<_>>().iter()).chain(&text[to..]).collect();
        files[file].1 = torn.clone().leak();
        let told = match load(folder(&files).path()) {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        };
        drop(report::human(&told, false));
        let lines = torn.split('\n').count();
        for problem in told.found.iter().filter(|problem| &*problem.place.file == files[file].0) {
            proptest::prop_assert!(problem.place.span.line as usize <= lines + 1, "{problem:?}");
        }
    }
}

#[test]
fn a_collection_without_categories_may_not_follow_a_parent() {
    let line = "\n  lines:\n    key: id\n    fields:\n      id: {type: integer}\n      order_id: {type: integer}\n      article: {type: text, exempt: a thing}\n    links:\n      order: {to: orders, fields: {order_id: id}KIND}\n\nexempt:\n  - {collection: articles";
    let with = |kind: &str| line.replace("KIND", kind);
    let from = "\nexempt:\n  - {collection: articles";
    for kind in ["", ", kind: deep", ", kind: shared"] {
        says_only(
            "example",
            from,
            &with(kind),
            "error: nothing in `shop.lines` has a category, so no rule deletes its records when those of `orders` go",
        );
    }
    assert_eq!(changed("example", from, &with(", kind: shallow")), "");
}

#[test]
fn files_of_one_name_are_read_back_apart() {
    let mut files = start();
    files[1].0 = "systems/shop.yaml";
    files[2].0 = "schedules/shop.yaml";
    let folder = folder(&files);
    let loaded = load(folder.path()).map_err(|problems| problems.to_string()).unwrap();
    let (map, rules) = compile(&loaded.map_files, &loaded.rule_files, "Europe/Berlin")
        .map_err(|problems| problems.to_string())
        .unwrap();
    assert_eq!((map.digest, rules.digest), (loaded.data_map.digest, loaded.rules.digest));
    assert_eq!(map.systems.len(), 1 + 1);
    assert_eq!(rules.rules.len(), 8 + 3);
}

#[test]
fn capitals_count_the_same_in_a_field_and_in_what_persons_are_known_by() {
    let says = |from: &str, to: &str, expected: &str| {
        let told = changed("example", from, to);
        assert_eq!(told.lines().filter(|line| line.contains(expected)).count(), 1, "{told}");
    };
    let warning = "warning: capitals do not count in identities of the type `email`";
    says("compare: ignore_case", "zone: UTC", warning);
    assert_eq!(changed("example", "compare: ignore_case", "compare: exact"), "");
    let login = "error: capitals count in identities of the type `login`";
    says("identity: email", "identity: login", login);
    let number = "{type: integer, identity: customer_id, compare: exact}";
    let unfit = "error: `compare` is for text fields with an `identity`";
    says("{type: integer, identity: customer_id}", number, unfit);
    says("identity: email\n", "\n", unfit);
}
