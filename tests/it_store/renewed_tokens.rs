//! Tokens that vendors replace whenever they are used: the newest of each system, and no other.

use crate::stage::{Stage, at};

on_both! {
    the_newest_tokens_replace_those_before,
    nothing_is_kept_for_nobody,
}

async fn the_newest_tokens_replace_those_before(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.renewed_tokens("mailer").await.unwrap(), None);
    store.keep_renewed_tokens("mailer", vec![1, 2, 3], at(0)).await.unwrap();
    store.keep_renewed_tokens("shop", vec![7], at(0)).await.unwrap();
    store.keep_renewed_tokens("mailer", vec![4], at(1)).await.unwrap();
    assert_eq!(store.renewed_tokens("mailer").await.unwrap(), Some(vec![4]));
    assert_eq!(store.renewed_tokens("shop").await.unwrap(), Some(vec![7]));
    let rows = stage.intrude("UPDATE renewed_tokens SET renewed_at = renewed_at").await.unwrap();
    assert_eq!(rows, 2, "one row a system");
}

async fn nothing_is_kept_for_nobody(stage: Stage) {
    assert!(stage.store.keep_renewed_tokens("", vec![1], at(0)).await.is_err());
}
