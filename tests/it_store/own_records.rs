//! The inventory of our own house says what the schema has, and nothing else.

use std::collections::BTreeSet;

use quietus::datamap::house::{KeptIn, inventory};
use quietus::store::COUNTED;

use crate::stage::Stage;

on_both! {
    every_table_stands_in_the_inventory,
    statements_that_count_prepare,
}

/// Whoever adds a table says in `src/datamap/house` what it holds, and until when.
async fn every_table_stands_in_the_inventory(stage: Stage) {
    let mut intruder = stage.intruder().await;
    let text = if stage.store.kind() == "sqlite" {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    };
    let there: BTreeSet<String> = intruder.texts(text).await.into_iter().collect();
    // Made by the first disposal.
    let made_later = "house_progress";
    let said: BTreeSet<String> = inventory()
        .filter(|one| one.place == KeptIn::Store && one.name != made_later)
        .map(|one| one.name.to_owned())
        .collect();
    assert_eq!(said, there);
    let counted: BTreeSet<String> = COUNTED.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(counted, there);
}

async fn statements_that_count_prepare(stage: Stage) {
    for (table, sql) in COUNTED {
        if let Err(error) = stage.store.prepare(*sql).await {
            panic!("`{table}` on {}: {error}", stage.store.kind());
        }
    }
}
