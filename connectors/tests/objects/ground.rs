//! A store of kind `s3` over a bucket of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::objects::{Bucket, BucketSettings};
use quietus_connectors::{BackupCopy, BackupSettings, BackupStore, Fault, open_backup};
use secrecy::SecretString;

use crate::owner::{Door, Owner};

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where servers are"
)]
pub fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, which starts what is needed")
    })
}

/// Signatures are accepted for some minutes.
#[expect(clippy::disallowed_methods, reason = "the server has a clock of its own")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Host and port of the gateway.
pub fn host() -> String {
    told("QUIETUS_TEST_S3").trim_start_matches("http://").to_owned()
}

/// The gateway, as whoever owns buckets there reaches it.
fn door() -> Door {
    Door {
        endpoint: told("QUIETUS_TEST_S3"),
        access_key: told("QUIETUS_TEST_S3_ACCESS_KEY"),
        secret_key: told("QUIETUS_TEST_S3_SECRET_KEY"),
        now: Box::new(now),
    }
}

pub struct Ground {
    pub owner: Owner,
    pub settings: BackupSettings,
}

impl Ground {
    /// A bucket that keeps versions and can be locked, with the part below `daily/` as a store.
    pub async fn lockable() -> Self {
        Self::over(Owner::with_bucket(door(), true).await)
    }

    /// A bucket without any of that.
    pub async fn plain() -> Self {
        Self::over(Owner::with_bucket(door(), false).await)
    }

    fn over(owner: Owner) -> Self {
        let parameters = BTreeMap::from(
            [
                ("access_key", told("QUIETUS_TEST_S3_ACCESS_KEY")),
                ("secret_key", told("QUIETUS_TEST_S3_SECRET_KEY")),
                ("endpoint", told("QUIETUS_TEST_S3")),
                ("private_hosts", host()),
                ("files", "shop-%F.sql".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), SecretString::from(value))),
        );
        let settings = BackupSettings {
            system: "vault".to_owned(),
            place: format!("s3://{}/daily/", owner.bucket).into(),
            parameters,
            longest_run: SignedDuration::ZERO,
            now: Arc::new(now),
        };
        Self { owner, settings }
    }

    pub fn tell(&mut self, name: &str, value: &str) {
        self.settings.parameters.insert(name.to_owned(), value.into());
    }

    pub fn try_store(&self) -> Result<Box<dyn BackupStore>, Fault> {
        open_backup("s3", &self.settings)
    }

    pub fn store(&self) -> Box<dyn BackupStore> {
        self.try_store().unwrap()
    }

    pub async fn copies(&self) -> Vec<BackupCopy> {
        self.store().copies().await.unwrap()
    }

    pub async fn ids(&self) -> Vec<String> {
        self.copies().await.into_iter().map(|copy| copy.id).collect()
    }

    /// The bucket by itself, below a prefix.
    pub fn bucket(&self, prefix: &str) -> Bucket {
        Bucket::open(&BucketSettings {
            who: "object store `attic`".to_owned(),
            place: format!("s3://{}/{prefix}", self.owner.bucket),
            endpoint: Some(told("QUIETUS_TEST_S3")),
            region: "us-east-1".to_owned(),
            addressing: None,
            access_key: told("QUIETUS_TEST_S3_ACCESS_KEY").into(),
            secret_key: told("QUIETUS_TEST_S3_SECRET_KEY").into(),
            session_token: None,
            private_hosts: vec![host()],
            trust: None,
            now: Arc::new(now),
        })
        .unwrap()
    }
}

/// What a fault says to somebody who has to change a setting.
pub fn misconfigured<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Err(Fault::Misconfigured { message }) => message,
        other => panic!("{other:?}"),
    }
}
