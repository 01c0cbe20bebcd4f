//! The store of objects of an instance, and places in it.

use std::fmt;
use std::path::{Path, PathBuf};

use quietus_connectors::objects::Addressing;

use super::document::InstanceDocument;
use super::leaf::Reference;
use super::problem::{At, Problem};
use super::read::items;
use crate::datamap::SecretReference;

/// What begins the address of a place in a bucket.
const SCHEME: &str = "s3://";

/// An S3-compatible store, with its credentials still by reference.
#[derive(Debug, Clone)]
pub struct ObjectStoreSettings {
    /// Where it is; `None` is AWS in the region.
    pub endpoint: Option<String>,
    /// Region for which requests are signed.
    pub region: String,
    /// Where the bucket's name stands; `None` as the endpoint wants it.
    pub addressing: Option<Addressing>,
    /// Access key.
    pub access_key: SecretReference,
    /// Its secret.
    pub secret_key: SecretReference,
    /// Token of credentials that are lent for a time.
    pub session_token: Option<SecretReference>,
    /// Hosts with their port that may have a private address.
    pub private_hosts: Vec<String>,
    /// Authorities that are trusted beside those of the machine.
    pub trust: Option<SecretReference>,
}

/// Where logs are exported to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportPlace {
    /// A folder.
    Folder(PathBuf),
    /// `s3://bucket/prefix` in the instance's store of objects.
    Bucket(String),
}

impl ExportPlace {
    /// Reads a place; relative folders start in the given one.
    pub fn parse(text: &str, folder: &Path) -> Self {
        if text.starts_with(SCHEME) {
            Self::Bucket(text.to_owned())
        } else {
            Self::Folder(folder.join(text))
        }
    }
}

impl fmt::Display for ExportPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Bucket(address) => address.fmt(formatter),
        }
    }
}

/// The store of an instance file; `None` where it has none.
pub(super) fn compile(
    document: &InstanceDocument,
    problems: &mut Vec<Problem>,
) -> Option<ObjectStoreSettings> {
    let evidence = document.evidence.as_ref().map(|it| &it.value);
    let export = evidence.and_then(|it| it.export.as_ref());
    let list = evidence.and_then(|it| it.re_erasure_list.as_ref());
    let Some(store) = document.object_store.as_ref().map(|it| &it.value) else {
        let places = [export, list].into_iter().flatten();
        for place in places.filter(|it| it.value.0.starts_with(SCHEME)) {
            problems.push(
                Problem::error(&place.place, "nothing says where this bucket is")
                    .help("write `object_store` with `endpoint`, `access_key` and `secret_key`"),
            );
        }
        return None;
    };
    for secret in [&store.access_key, &store.secret_key, &store.session_token] {
        refuse_plain(secret.as_ref(), problems);
    }
    let reference = |entry: &Option<At<Reference>>| entry.as_ref().map(|it| it.value.0.clone());
    let hosts = items(store.private_hosts.as_ref()).iter();
    Some(ObjectStoreSettings {
        endpoint: store.endpoint.as_ref().map(|it| it.value.0.clone()),
        region: store.region.as_ref().map_or("us-east-1", |it| it.value.0.as_str()).to_owned(),
        addressing: store.addressing.as_ref().map(|it| it.value.0),
        access_key: reference(&store.access_key)?,
        secret_key: reference(&store.secret_key)?,
        session_token: reference(&store.session_token),
        private_hosts: hosts.map(|host| host.value.0.clone()).collect(),
        trust: reference(&store.trust),
    })
}

fn refuse_plain(secret: Option<&At<Reference>>, problems: &mut Vec<Problem>) {
    if let Some(secret) = secret
        && let SecretReference::Plain(_) = secret.value.0
    {
        problems.push(
            Problem::error(&secret.place, "credentials never stand in this file")
                .help("write `env:NAME` or `file:PATH`")
                .secret(),
        );
    }
}
