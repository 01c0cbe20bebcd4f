//! The client by itself: long lists, objects that are written once.

use futures_util::{StreamExt as _, stream};
use quietus_connectors::objects::{EntryKind, Placed, Versioning};

use crate::ground::Ground;

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let ground = Ground::lockable().await;
    let owner = &ground.owner;
    // Of one key more versions than a page has, and markers in between; keys before and after it.
    owner.put("daily/a key & more.sql", "first").await;
    let put = |number: u32| async move {
        owner.put("daily/shop-2026-03-01.sql", &number.to_string()).await;
    };
    stream::iter(0..1_200).for_each_concurrent(16, put).await;
    owner.delete("daily/shop-2026-03-01.sql").await;
    owner.put("daily/shop-2026-03-01.sql", "last").await;
    owner.put("daily/z.sql", "after it").await;
    let bucket = ground.bucket("");
    assert_eq!(bucket.versioning().await.unwrap(), Versioning::Enabled);
    let entries = bucket.versions("").await.unwrap();
    let of = |key: &str, kind| {
        entries.iter().filter(|one| one.key == key && one.kind == kind).collect::<Vec<_>>()
    };
    assert_eq!(entries.len(), 1_204);
    let versions = of("daily/shop-2026-03-01.sql", EntryKind::Version);
    assert_eq!(versions.len(), 1_201);
    assert_eq!(of("daily/shop-2026-03-01.sql", EntryKind::Marker).len(), 1);
    assert_eq!(versions.iter().filter(|one| one.latest).count(), 1);
    let distinct: std::collections::BTreeSet<&str> =
        versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(distinct.len(), 1_201);
    assert_eq!(of("daily/a key & more.sql", EntryKind::Version)[0].bytes, 5);
    // All of them as copies, and all of them removed: two calls of a thousand at most.
    let copies = ground.copies().await;
    assert_eq!(copies.len(), 1_201);
    let ids: Vec<String> = copies.into_iter().map(|copy| copy.id).collect();
    let expiry = ground.store().expire(&ids).await.unwrap();
    assert_eq!((expiry.gone.len(), expiry.kept.len()), (1_201, 0));
    assert_eq!(owner.list().await.len(), 2, "its marker went as well, and nothing else");
}

#[tokio::test]
async fn what_is_written_once_is_never_written_over() {
    let ground = Ground::lockable().await;
    let bucket = ground.bucket("log/");
    assert_eq!(bucket.get("log/tile/0/000").await.unwrap(), None);
    assert_eq!(bucket.put_once("log/tile/0/000", b"\x00\xffa").await.unwrap(), Placed::Written);
    assert_eq!(bucket.put_once("log/tile/0/000", b"\x00\xffa").await.unwrap(), Placed::Same);
    assert_eq!(bucket.put_once("log/tile/0/000", b"b").await.unwrap(), Placed::Other);
    assert_eq!(bucket.get("log/tile/0/000").await.unwrap().unwrap(), b"\x00\xffa");
    assert_eq!(ground.owner.list().await.len(), 1, "only one version was ever written");
    bucket.put("log/checkpoint", b"one").await.unwrap();
    bucket.put("log/checkpoint", b"two").await.unwrap();
    assert_eq!(bucket.get("log/checkpoint").await.unwrap().unwrap(), b"two");
    // A bundle of entries at its largest.
    let large = vec![7_u8; 16 * 1024 * 1024];
    assert_eq!(bucket.put_once("log/tile/entries/000", &large).await.unwrap(), Placed::Written);
    assert_eq!(bucket.get("log/tile/entries/000").await.unwrap().unwrap().len(), large.len());
    assert_eq!(bucket.put_once("log/empty", b"").await.unwrap(), Placed::Written);
    assert_eq!(bucket.get("log/empty").await.unwrap().unwrap(), b"");
    // What would be another object's address is refused.
    assert!(bucket.put_once("log/../other", b"x").await.is_err());
}
