//! The owner of a bucket: whoever makes backups, sets rules and locks, and looks what is left.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use reqwest::{Method, Response};

/// Parts of an address that Signature Version 2 signs along.
const SIGNED: &[&str] = &["delete", "lifecycle", "versionId", "versioning", "versions"];

/// Where buckets are, and by whom they are reached.
pub struct Door {
    /// The gateway's address.
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: String,
    /// What time it is there: signatures are accepted for some minutes.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

/// One bucket, as its owner has it.
pub struct Owner {
    pub bucket: String,
    pub door: Door,
    client: reqwest::Client,
}

/// An entry of the store's own list: what it is, key, version, and moment of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub marker: bool,
    pub key: String,
    pub version: String,
    pub modified: String,
}

impl Owner {
    /// A bucket of its own, which can be locked if wanted.
    #[expect(clippy::disallowed_methods, reason = "each test has a bucket that nobody else has")]
    pub async fn with_bucket(door: Door, lockable: bool) -> Self {
        let bucket = format!("shop-{}", uuid::Uuid::new_v4().simple());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let owner = Self { bucket, door, client };
        let header = ("x-amz-bucket-object-lock-enabled", "true");
        let headers: &[(&str, &str)] = if lockable { &[header] } else { &[] };
        owner.send(Method::PUT, "", &[], headers, "").await;
        owner
    }

    pub async fn keep_versions(&self, status: &str) {
        let body =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.send(Method::PUT, "", &[("versioning", "")], &[], &body).await;
    }

    pub async fn life_cycle(&self, rules: &str) {
        let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        self.send(Method::PUT, "", &[("lifecycle", "")], &[], &body).await;
    }

    /// Writes an object, and gives its version.
    pub async fn put(&self, key: &str, content: &str) -> String {
        let reply = self.send(Method::PUT, key, &[], &[], content).await;
        let version = reply.headers().get("x-amz-version-id");
        version.map_or("null", |version| version.to_str().unwrap()).to_owned()
    }

    /// Deletes an object without naming a version.
    pub async fn delete(&self, key: &str) {
        self.send(Method::DELETE, key, &[], &[], "").await;
    }

    pub async fn hold(&self, key: &str, version: &str, status: &str) {
        let query = [("legal-hold", ""), ("versionId", version)];
        let body = format!("<LegalHold><Status>{status}</Status></LegalHold>");
        self.send(Method::PUT, key, &query, &[], &body).await;
    }

    pub async fn retain(&self, key: &str, version: &str, mode: &str, until: &str) {
        let query = [("retention", ""), ("versionId", version)];
        let until = format!("<RetainUntilDate>{until}</RetainUntilDate>");
        let body = format!("<Retention><Mode>{mode}</Mode>{until}</Retention>");
        self.send(Method::PUT, key, &query, &[], &body).await;
    }

    /// When the store itself says that an object expires.
    pub async fn expiry(&self, key: &str) -> String {
        let reply = self.send(Method::HEAD, key, &[], &[], "").await;
        let header = reply.headers().get("x-amz-expiration").unwrap().to_str().unwrap().to_owned();
        header.split('"').nth(1).unwrap().to_owned()
    }

    /// The content of a version; `None` where it is gone.
    pub async fn read(&self, key: &str, version: &str) -> Option<String> {
        let reply = self.answer(Method::GET, key, &[("versionId", version)], &[], "").await;
        match reply.status().as_u16() {
            200 => Some(reply.text().await.unwrap()),
            404 => None,
            other => panic!("{other}"),
        }
    }

    /// The store's own list, of at most a thousand.
    pub async fn list(&self) -> Vec<Listed> {
        let reply = self.send(Method::GET, "", &[("versions", "")], &[], "").await;
        let text = reply.text().await.unwrap();
        let mut listed = Vec::new();
        let mut rest = text.as_str();
        loop {
            let next = |name: &str| rest.find(&format!("<{name}>"));
            let (version, marker) = (next("Version"), next("DeleteMarker"));
            let Some(at) = version.into_iter().chain(marker).min() else { return listed };
            rest = &rest[at + 1..];
            let word = |name: &str| {
                let from = rest.split_once(&format!("<{name}>")).unwrap().1;
                from.split_once('<').unwrap().0.to_owned()
            };
            listed.push(Listed {
                marker: marker == Some(at),
                key: word("Key"),
                version: word("VersionId"),
                modified: word("LastModified"),
            });
        }
    }

    async fn send(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let reply = self.answer(method, key, query, headers, body).await;
        assert!(reply.status().is_success(), "{}: {:?}", reply.status(), reply.text().await);
        reply
    }

    async fn answer(
        &self,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let path = match key {
            "" => format!("/{}", self.bucket),
            key => format!("/{}/{}", self.bucket, encoded(key)),
        };
        let mut url: reqwest::Url = self.door.endpoint.parse().unwrap();
        url.set_path(&path);
        let mut resource = url.path().to_owned();
        for (number, (name, value)) in
            query.iter().filter(|(name, _)| SIGNED.contains(name)).enumerate()
        {
            let between = if number == 0 { '?' } else { '&' };
            let is = if value.is_empty() { "" } else { "=" };
            write!(resource, "{between}{name}{is}{value}").unwrap();
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let now = (self.door.now)().to_zoned(jiff::tz::TimeZone::UTC);
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let digest =
            if body.is_empty() { String::new() } else { STANDARD.encode(Md5::digest(body)) };
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let amz = lines.concat();
        let text = format!("{method}\n{digest}\ntext/plain\n{date}\n{amz}{resource}");
        let secret = self.door.secret_key.as_bytes();
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        let signature = STANDARD.encode(hmac::sign(&secret, text.as_bytes()));
        let access = &self.door.access_key;
        let mut request = self
            .client
            .request(method, url)
            .header("date", date)
            .header("content-type", "text/plain")
            .header("authorization", format!("AWS {access}:{signature}"));
        if !digest.is_empty() {
            request = request.header("content-md5", digest);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.to_owned()).send().await.unwrap()
    }
}

fn encoded(key: &str) -> String {
    let plain = |one: u8| one.is_ascii_alphanumeric() || b"-._~/".contains(&one);
    let bytes = key.bytes();
    bytes
        .map(|one| if plain(one) { char::from(one).to_string() } else { format!("%{one:02X}") })
        .collect()
}
