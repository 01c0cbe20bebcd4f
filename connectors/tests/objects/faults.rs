//! Whatever is not a store's sound answer is a fault that leads on, and never an empty list.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use quietus_connectors::{BackupStore, Fault};

use crate::ground::{Ground, misconfigured, told};
use crate::heard::Heard;

const SECRET: &str = "espalier-marmot-0815-vanilla-trombone";

async fn all(store: &dyn BackupStore) -> Vec<Fault> {
    let ids = ["daily/shop-2026-03-01.sql#v1".to_owned()];
    vec![
        store.check().await.unwrap_err(),
        store.copies().await.unwrap_err(),
        store.expire(&ids).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_key_are_told_apart() {
    let mut ground = Ground::lockable().await;
    ground.owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    ground.tell("secret_key", SECRET);
    for fault in all(&*ground.store()).await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.contains("check `secret_key`"), "{message}");
    }
    ground.tell("access_key", "NOBODYATALL");
    for fault in all(&*ground.store()).await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.contains("check `access_key`"), "{message}");
    }
    ground.tell("access_key", "a\nb");
    let message = misconfigured(ground.store().copies().await);
    assert!(message.contains("line breaks"), "{message}");
}

#[tokio::test]
async fn somebody_without_rights_is_told_what_to_grant() {
    let mut ground = Ground::lockable().await;
    ground.owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    ground.tell("access_key", &told("QUIETUS_TEST_S3_STRANGER_ACCESS_KEY"));
    ground.tell("secret_key", &told("QUIETUS_TEST_S3_STRANGER_SECRET_KEY"));
    for fault in all(&*ground.store()).await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.contains("grant `s3:"), "{message}");
    }
    assert_eq!(ground.owner.list().await.len(), 1);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_empty_store() {
    let mut ground = Ground::plain().await;
    ground.settings.place = format!("s3://{}-not/daily/", ground.owner.bucket).into();
    for fault in all(&*ground.store()).await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.starts_with("backup store `vault`: "), "{message}");
        assert!(message.contains("no such bucket: correct the place"), "{message}");
        assert!(!message.contains(&ground.owner.bucket), "{message}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let mut ground = Ground::plain().await;
    ground.settings.now = Arc::new(|| "2020-01-01T00:00:00Z".parse().unwrap());
    let message = misconfigured(ground.store().copies().await);
    assert!(message.contains("clock"), "{message}");
}

#[tokio::test]
async fn a_private_address_has_to_be_declared() {
    let mut ground = Ground::plain().await;
    ground.settings.parameters.remove("private_hosts");
    let message = misconfigured(ground.store().copies().await);
    assert!(message.starts_with("backup store `vault`: "), "{message}");
    assert!(message.contains("`private_hosts`"), "{message}");
}

/// Something that gives the same answer to all; its address.
async fn answering(status: u16, body: &'static str) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(move || async move { (status, body) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn with_answer(status: u16, body: &'static str) -> Vec<Fault> {
    let address = answering(status, body).await;
    let mut ground = Ground::plain().await;
    ground.tell("endpoint", &format!("http://{address}"));
    ground.tell("private_hosts", &address);
    ground.settings.place = "s3://shop-dumps/daily/".into();
    all(&*ground.store()).await
}

#[tokio::test]
async fn nonsense_is_a_fault_and_no_empty_list() {
    let empty = "<ListVersionsResult><Name>another</Name><Prefix>daily/</Prefix>\
                 <IsTruncated>false</IsTruncated></ListVersionsResult>";
    let html = "<html><body>It works! a person@example.com</body></html>";
    for body in ["", "{}", html, "<ListVersionsResult/>", empty, "<Error/>"] {
        for fault in with_answer(200, body).await {
            let message = misconfigured::<()>(Err(fault));
            assert!(message.contains("check the place"), "{message}");
            assert!(!message.contains("person"), "{message}");
        }
    }
    for (status, body) in [(500, html), (503, "<Error><Code>SlowDown</Code></Error>"), (429, "")] {
        for fault in with_answer(status, body).await {
            assert!(matches!(fault, Fault::Transient { .. }), "{status}: {fault:?}");
        }
    }
    for fault in with_answer(501, "<Error><Code>NotImplemented</Code></Error>").await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.contains("this store cannot do that"), "{message}");
    }
    for fault in with_answer(301, "").await {
        let message = misconfigured::<()>(Err(fault));
        assert!(message.contains("`region`"), "{message}");
    }
}

/// A list of the bucket `shop-dumps`, after answers to what is asked before it.
async fn listed(list: &'static str) -> Result<usize, Fault> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = move |request: axum::extract::Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = match query.as_str() {
            "versioning=" => "<VersioningConfiguration/>",
            "lifecycle=" => "<LifecycleConfiguration/>",
            _ if query.contains("versions=") => list,
            _ => {
                return (
                    StatusCode::NOT_FOUND,
                    "<Error><Code>NoSuchObjectLockConfiguration</Code></Error>",
                );
            }
        };
        (StatusCode::OK, body)
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut ground = Ground::plain().await;
    ground.tell("endpoint", &format!("http://{address}"));
    ground.tell("private_hosts", &address);
    ground.settings.place = "s3://shop-dumps/daily/".into();
    Ok(ground.store().copies().await?.len())
}

#[tokio::test]
async fn a_list_that_is_damaged_is_none() {
    let page = |inner: &str| -> &'static str {
        let text = format!(
            "<ListVersionsResult><Name>shop-dumps</Name><Prefix>daily/</Prefix>{inner}\
             </ListVersionsResult>"
        );
        Box::leak(text.into_boxed_str())
    };
    let version = "<Version><Key>daily/shop-2026-03-01.sql</Key><VersionId>v1</VersionId>\
                   <IsLatest>true</IsLatest><LastModified>2026-03-01T02:00:00.000Z</LastModified>\
                   <Size>7</Size></Version>";
    let end = "<IsTruncated>false</IsTruncated>";
    assert_eq!(listed(page(&format!("{version}{end}"))).await, Ok(1));
    let more = "<IsTruncated>true</IsTruncated>";
    let next = "<NextKeyMarker>daily/shop-2026-03-01.sql</NextKeyMarker>\
                <NextVersionIdMarker>v1</NextVersionIdMarker>";
    let damaged = [
        version.to_owned(),
        format!("{version}{more}"),
        // The same page for ever.
        format!("{version}{more}{next}"),
        format!("{more}{next}"),
        format!("{}{end}", version.replace("daily/", "weekly/")),
        format!("{}{end}", version.replace("2026-03-01T02", "yesterday")),
        format!("{}{end}", version.replace("<VersionId>v1</VersionId>", "")),
        format!("{}{end}", version.replace("<Size>7</Size>", "<Size>-7</Size>")),
        format!("{version}<CommonPrefixes><Prefix>daily/x</Prefix></CommonPrefixes>{end}"),
    ];
    for inner in damaged {
        let message = misconfigured(listed(page(&inner)).await);
        assert!(message.contains("its list of versions"), "{inner}: {message}");
    }
}

#[tokio::test]
async fn a_store_that_lists_what_it_does_not_find_is_no_store_without_copies() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let list = "<ListVersionsResult><Name>shop-dumps</Name><Prefix>daily/</Prefix><Version>\
                <Key>daily/shop-2026-03-01.sql</Key><VersionId>v1</VersionId><IsLatest>true\
                </IsLatest><LastModified>2026-03-01T02:00:00.000Z</LastModified><Size>7</Size>\
                </Version><IsTruncated>false</IsTruncated></ListVersionsResult>";
    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                </ObjectLockConfiguration>";
    let answer = move |request: axum::extract::Request| async move {
        let query = request.uri().query().unwrap_or_default().to_owned();
        match query.as_str() {
            "versioning=" => (StatusCode::OK, "<VersioningConfiguration/>"),
            "lifecycle=" => (StatusCode::OK, "<LifecycleConfiguration/>"),
            "object-lock=" => (StatusCode::OK, lock),
            _ if query.contains("versions=") => (StatusCode::OK, list),
            _ => (StatusCode::NOT_FOUND, ""),
        }
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut ground = Ground::plain().await;
    ground.tell("endpoint", &format!("http://{address}"));
    ground.tell("private_hosts", &address);
    ground.settings.place = "s3://shop-dumps/daily/".into();
    let message = misconfigured(ground.store().copies().await);
    assert!(message.contains("does not find them one by one"), "{message}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_matter_of_patience() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut ground = Ground::plain().await;
    ground.tell("endpoint", &format!("http://{address}"));
    ground.tell("private_hosts", &address);
    for fault in all(&*ground.store()).await {
        let Fault::Transient { message, .. } = fault else { panic!("{fault:?}") };
        assert!(message.starts_with("backup store `vault`: "), "{message}");
    }
}

#[tokio::test]
async fn secrets_and_keys_of_objects_are_in_no_message_and_no_log() {
    let mut ground = Ground::lockable().await;
    ground.owner.put("daily/shop-2026-03-01.sql", "seven spoons").await;
    let mut said = Vec::new();
    // Who prepares the bucket names objects; the store must not.
    let (heard, _guard) = Heard::listen();
    let store = ground.store();
    said.push(format!("{:?}", store.check().await));
    let ids: Vec<String> = store.copies().await.unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(store.expire(&ids).await.unwrap().gone, ids);
    let secret = told("QUIETUS_TEST_S3_SECRET_KEY");
    ground.tell("secret_key", SECRET);
    ground.tell("session_token", SECRET);
    said.extend(all(&*ground.store()).await.iter().map(|fault| format!("{fault:?} {fault}")));
    said.push(format!("{:?}", ground.settings));
    said.push(heard.words());
    for words in said {
        for word in [SECRET, secret.as_str(), "shop-2026-03-01", "AWS4-HMAC-SHA256"] {
            assert!(!words.contains(word), "{word}: {words}");
        }
    }
}
