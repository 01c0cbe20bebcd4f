//! Keys that sign certificates: one in use, earlier ones stay.

use quietus::domain::Digest;

use crate::stage::{Stage, at, entry};

on_both! {
    one_key_is_in_use,
    a_new_key_takes_the_place_of_the_one_in_use,
    only_a_retired_key_is_compromised,
    what_a_key_was_is_never_rewritten,
}

const ONE: &[u8] = b"the first public key";
const TWO: &[u8] = b"the second public key";

async fn one_key_is_in_use(stage: Stage) {
    assert_eq!(stage.store.issuer_in_use().await.unwrap(), None);
    let first = stage.store.first_issuer(ONE, at(1), vec![entry(None, None)]).await.unwrap();
    assert_eq!((first.id, first.added_at, first.retired_at), (Digest::of(ONE), at(1), None));
    let other = stage.store.first_issuer(TWO, at(2), vec![entry(None, None)]).await.unwrap();
    assert_eq!(other, first, "another process was faster");
    assert_eq!(stage.rows("evidence_outbox").await, 1);
    assert_eq!(stage.store.issuer_in_use().await.unwrap(), Some(first));
}

async fn a_new_key_takes_the_place_of_the_one_in_use(stage: Stage) {
    let store = &stage.store;
    let first = store.first_issuer(ONE, at(1), Vec::new()).await.unwrap().id;
    assert!(!store.rotate_issuer(Digest::of(TWO), TWO, at(2), Vec::new()).await.unwrap());
    assert!(store.rotate_issuer(first, TWO, at(3), vec![entry(None, None)]).await.unwrap());
    assert!(!store.rotate_issuer(first, b"third", at(4), Vec::new()).await.unwrap());
    let keys = store.issuer_keys().await.unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!((keys[0].id, keys[0].retired_at), (first, Some(at(3))));
    assert_eq!((keys[1].spki.as_slice(), keys[1].retired_at), (TWO, None));
    assert_eq!(store.issuer_in_use().await.unwrap().as_ref(), keys.get(1));
    // An earlier key does not come back.
    assert!(!store.rotate_issuer(Digest::of(TWO), ONE, at(5), Vec::new()).await.unwrap_or(false));
    assert_eq!(store.issuer_keys().await.unwrap(), keys);
}

async fn only_a_retired_key_is_compromised(stage: Stage) {
    let store = &stage.store;
    let first = store.first_issuer(ONE, at(1), Vec::new()).await.unwrap().id;
    assert!(!store.compromise_issuer(first, at(2), at(9), Vec::new()).await.unwrap());
    assert!(store.rotate_issuer(first, TWO, at(3), Vec::new()).await.unwrap());
    assert!(store.compromise_issuer(first, at(2), at(9), Vec::new()).await.unwrap());
    assert!(!store.compromise_issuer(first, at(3), at(9), Vec::new()).await.unwrap(), "later");
    assert!(store.compromise_issuer(first, at(1), at(9), Vec::new()).await.unwrap(), "earlier");
    let keys = store.issuer_keys().await.unwrap();
    assert_eq!(keys[0].compromised_since, Some(at(1)));
}

async fn what_a_key_was_is_never_rewritten(stage: Stage) {
    let first = stage.store.first_issuer(ONE, at(1), Vec::new()).await.unwrap().id;
    assert!(stage.store.rotate_issuer(first, TWO, at(3), Vec::new()).await.unwrap());
    for wrong in [
        "UPDATE signing_keys SET added_at = 7",
        "UPDATE signing_keys SET retired_at = NULL WHERE retired_at IS NOT NULL",
        "UPDATE signing_keys SET retired_at = 7 WHERE retired_at IS NOT NULL",
        "DELETE FROM signing_keys",
    ] {
        let refused = stage.intrude(wrong).await;
        let Err(words) = refused else { panic!("`{wrong}` was carried out") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
}
