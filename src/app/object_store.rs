//! Buckets of the instance's store of objects.

use quietus_connectors::objects::{Bucket, BucketSettings};
use secrecy::ExposeSecret as _;

use super::{AppError, Quietus};
use crate::datamap::SecretReference;

impl Quietus {
    /// Opens `s3://bucket/prefix`. No connection is made yet.
    ///
    /// # Errors
    /// Where the instance file names no store, a secret is not there, or the place cannot be read.
    pub(crate) fn bucket(&self, place: &str) -> Result<Bucket, AppError> {
        let Some(store) = &self.instance.object_store else {
            return Err(AppError::Input(
                "nothing says where buckets are: write `object_store` with `endpoint`, \
                 `access_key` and `secret_key` into `quietus.yaml`"
                    .to_owned(),
            ));
        };
        let folder = &self.instance.folder;
        let secret = |reference: &SecretReference| {
            let read = reference.resolve(folder);
            read.map_err(|error| AppError::Secret(format!("`object_store`: {error}")))
        };
        let whole = |reference: &SecretReference| {
            let read = reference.resolve_whole(folder);
            read.map_err(|error| AppError::Secret(format!("`object_store`: {error}")))
        };
        let trust = store.trust.as_ref().map(whole).transpose()?;
        Bucket::open(&BucketSettings {
            who: "object store".to_owned(),
            place: place.to_owned(),
            endpoint: store.endpoint.clone(),
            region: store.region.clone(),
            addressing: store.addressing,
            access_key: secret(&store.access_key)?,
            secret_key: secret(&store.secret_key)?,
            session_token: store.session_token.as_ref().map(secret).transpose()?,
            private_hosts: store.private_hosts.clone(),
            trust: trust.map(|pem| pem.expose_secret().to_owned()),
            now: self.time(),
        })
        .map_err(AppError::ObjectStore)
    }
}
