//! Where restricted records may move to.

use super::changed;

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
