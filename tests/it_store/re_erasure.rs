//! What the re-erasure list mirrors is all of its tables, in both databases.

use std::collections::BTreeSet;

use quietus::store::mirrored;

use crate::stage::Stage;

on_both! {
    statements_of_mirrored_tables_prepare,
    no_column_is_forgotten,
}

async fn statements_of_mirrored_tables_prepare(stage: Stage) {
    let tables = mirrored();
    assert!(tables.len() > 20, "{} tables", tables.len());
    for one in tables {
        for sql in one.statements {
            if let Err(error) = stage.store.prepare(sql).await {
                panic!("`{}` on {}: {error}\n{sql:?}", one.table, stage.store.kind());
            }
        }
    }
}

/// Whoever adds a column to a mirrored table adds it to the list too.
async fn no_column_is_forgotten(stage: Stage) {
    let mut intruder = stage.intruder().await;
    for one in mirrored() {
        let text = if stage.store.kind() == "sqlite" {
            format!("SELECT name FROM pragma_table_info('{}')", one.table)
        } else {
            format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{}'",
                one.table
            )
        };
        let there: BTreeSet<String> = intruder.texts(&text).await.into_iter().collect();
        let mirrored: BTreeSet<String> = one.columns.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(mirrored, there, "`{}`", one.table);
    }
}
