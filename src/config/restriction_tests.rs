//! Where restricted records may move to.

use quietus_connectors::Restriction;

use super::{changed, compile, folder, load, start};
use crate::datamap::Collection;

#[test]
fn records_move_only_to_a_collection_with_the_same_fields() {
    let told = changed("example", "restrict: {flag: restricted}", "restrict: {move: customers}");
    assert!(told.contains("`shop.customers` has no fields `amount`, `completed_at`"), "{told}");
}

/// Where no rule reaches, what is moved stays for ever.
#[test]
fn records_move_only_to_a_collection_that_is_mapped() {
    let told = changed("example", "restrict: {flag: restricted}", "restrict: {move: articles}");
    assert!(told.contains("`articles` is exempt: records that are moved there would never go"));
    assert!(told.starts_with("systems/example.yaml:"), "{told}");
    let told = changed("example", "restrict: {flag: restricted}", "restrict: {move: nowhere}");
    assert!(told.contains("`shop` has no collection `nowhere`"), "{told}");
}

/// Cases that were planned when it was allowed are carried out by what was in force then.
#[test]
fn what_was_in_force_before_it_was_refused_is_still_read() {
    let loaded = load(folder(&start()).path()).unwrap();
    let kept = |file: &str, changes: &[(&str, &str)]| {
        let (mut maps, mut rules) = (loaded.map_files.clone(), loaded.rule_files.clone());
        let mut files = maps.iter_mut().chain(rules.iter_mut());
        let (_, bytes) = files.find(|(name, _)| name.contains(file)).unwrap();
        let mut text = String::from_utf8(bytes.clone()).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "`{from}` is not in {file}");
            text = text.replacen(from, to, 1);
        }
        *bytes = text.into_bytes();
        compile(&maps, &rules, "Europe/Berlin").unwrap()
    };
    let moved = [
        ("restrict: {flag: restricted}", "restrict: {move: articles}"),
        (
            "restricted: {type: boolean",
            "restricted: {exempt: \"kept with the order\", type: boolean",
        ),
    ];
    let (map, _) = kept("example", &moved);
    let mut collections = map.systems.values().flat_map(|system| system.collections.values());
    let into_articles = |one: &Collection| matches!(&one.restriction, Some(Restriction::Move { to }) if to.ends_with("articles"));
    assert!(collections.any(into_articles));
    let nowhere = [("    period: P3M\n", "    period: P3M\n    systems: []\n")];
    assert_eq!(kept("retention", &nowhere).1.rules.len(), loaded.rules.rules.len());
    let first = "\nrules:\n  - {rule: all, category: order.delivery, starting_point: order.completed, period: P1M, action: erase, basis: {citation: x}}\n";
    let swallowed = kept("retention", &[("\nrules:\n", first)]).1;
    assert_eq!(swallowed.rules.len(), loaded.rules.rules.len() + 1);
}
