//! The client by itself: long lists, objects that are written once.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use quietus_connectors::objects::{
    Bucket, BucketSettings, EntryKind, Placed, Replaced, Seen, Versioning,
};

use crate::ground::{Ground, now};

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

#[tokio::test]
async fn what_was_seen_is_written_over_and_nothing_else() {
    for ground in [Ground::lockable().await, Ground::plain().await] {
        let (key, bucket) = ("log/checkpoint", ground.bucket("log/"));
        let (nothing, absent) = bucket.see(key).await.unwrap();
        assert_eq!((nothing, &absent), (None, &Seen::Absent));
        let put = |content: &'static [u8], seen: Seen| {
            let bucket = &bucket;
            async move { bucket.put_over(key, content, &seen).await.unwrap() }
        };
        assert_eq!(put(b"one", absent.clone()).await, Replaced::Written);
        // Whoever saw nothing comes too late, and so does whoever saw the first one.
        assert_eq!(put(b"late", absent).await, Replaced::Changed);
        let (content, first) = bucket.see(key).await.unwrap();
        assert_eq!(content.as_deref(), Some(b"one".as_slice()));
        assert!(matches!(first, Seen::Tagged(_)), "{first:?}");
        assert_eq!(put(b"two", first.clone()).await, Replaced::Written);
        assert_eq!(put(b"late", first.clone()).await, Replaced::Changed);
        assert_eq!(bucket.get(key).await.unwrap().unwrap(), b"two");
        let (_, second) = bucket.see(key).await.unwrap();
        assert_ne!(second, first);
        ground.owner.delete(key).await;
        assert_eq!(put(b"late", second).await, Replaced::Changed);
        assert_eq!(bucket.get(key).await.unwrap(), None);
    }
}

/// What a store makes of a condition on writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heeds {
    /// It compares tags as it has told them.
    Quoted,
    /// It compares what it is given with the tag between its quotes.
    Bare,
    /// It knows no conditions.
    Nothing,
}

/// A store with one object, whose tag is its content.
struct Shelf {
    heeds: Heeds,
    content: Mutex<Option<String>>,
    /// What somebody else writes right before the next writing.
    intruder: Mutex<Option<String>>,
}

impl Shelf {
    fn answer(&self, method: &Method, headers: &HeaderMap, body: &Bytes) -> Response {
        let refuse = |status, code: &str| {
            (status, format!("<Error><Code>{code}</Code></Error>")).into_response()
        };
        let mut content = self.content.lock().unwrap();
        if *method == Method::GET {
            return match &*content {
                Some(there) => ([("etag", format!("\"{there}\""))], there.clone()).into_response(),
                None => refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
            };
        }
        if let Some(other) = self.intruder.lock().unwrap().take() {
            *content = Some(other);
        }
        let given = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let (if_match, if_none) = (given("if-match"), given("if-none-match"));
        if self.heeds == Heeds::Nothing && (if_match.is_some() || if_none.is_some()) {
            return refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented");
        }
        let tag = content.as_ref().map(|there| match self.heeds {
            Heeds::Bare => there.clone(),
            _ => format!("\"{there}\""),
        });
        if if_none.is_some() && tag.is_some() || if_match.is_some() && if_match != tag {
            return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        *content = Some(String::from_utf8(body.to_vec()).unwrap());
        StatusCode::OK.into_response()
    }
}

async fn shelf(heeds: Heeds) -> (Arc<Shelf>, Bucket) {
    let (content, intruder) = <_>::default();
    let shelf = Arc::new(Shelf { heeds, content, intruder });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let served = Arc::clone(&shelf);
    let router = Router::new().fallback(move |method: Method, headers: HeaderMap, body: Bytes| {
        let answer = served.answer(&method, &headers, &body);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let bucket = Bucket::open(&BucketSettings {
        who: "object store `attic`".to_owned(),
        place: "s3://attic/log/".to_owned(),
        endpoint: Some(format!("http://{address}")),
        region: "us-east-1".to_owned(),
        addressing: None,
        access_key: "nobody".into(),
        secret_key: "at all".into(),
        session_token: None,
        private_hosts: vec![address],
        trust: None,
        now: Arc::new(now),
    });
    (shelf, bucket.unwrap())
}

/// What comes between the last look and the writing is seen by the store alone.
#[tokio::test]
async fn what_comes_in_between_stays_where_the_store_heeds_conditions() {
    for heeds in [Heeds::Quoted, Heeds::Bare, Heeds::Nothing] {
        let (shelf, bucket) = shelf(heeds).await;
        let there = || shelf.content.lock().unwrap().clone().unwrap();
        let key = "log/checkpoint";
        for (content, intruder) in [("one", "first"), ("two", "second")] {
            let (_, seen) = bucket.see(key).await.unwrap();
            *shelf.intruder.lock().unwrap() = Some(intruder.to_owned());
            let replaced = bucket.put_over(key, content.as_bytes(), &seen).await.unwrap();
            assert_eq!((replaced, there()), (Replaced::Changed, intruder.to_owned()), "{heeds:?}");
            let (_, seen) = bucket.see(key).await.unwrap();
            let replaced = bucket.put_over(key, content.as_bytes(), &seen).await.unwrap();
            assert_eq!((replaced, there()), (Replaced::Written, content.to_owned()), "{heeds:?}");
        }
    }
}
