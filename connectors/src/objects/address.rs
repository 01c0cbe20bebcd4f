//! Where a bucket is, and the addresses of what is in it.

use std::fmt::Write as _;

use url::Url;

/// Longest key of an object, in bytes, as S3 has it.
const MOST_KEY_BYTES: usize = 1_024;

/// Where in an address the name of the bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// `https://host/bucket/key`: every store, whatever the bucket is called.
    Path,
    /// `https://bucket.host/key`: what AWS wants of new buckets.
    Host,
}

/// A bucket and the part of it below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    endpoint: Url,
    addressing: Addressing,
    bucket: String,
    prefix: String,
}

impl BucketAddress {
    /// Reads `s3://bucket/prefix`, or `bucket/prefix`, and the endpoint of the store; without one,
    /// the bucket is at AWS in this region.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with "the place".
    pub fn parse(
        place: &str,
        endpoint: Option<&str>,
        region: &str,
        addressing: Option<Addressing>,
    ) -> Result<Self, String> {
        let place = place.trim();
        let place = place.strip_prefix("s3://").unwrap_or(place);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if !is_bucket(bucket) {
            return Err("is no bucket: write it like `s3://bucket/prefix`, with a bucket of 3 to \
                        63 small letters, digits, `.` and `-`"
                .to_owned());
        }
        if prefix.len() > MOST_KEY_BYTES || prefix.contains(char::is_control) {
            return Err("has a prefix that no object can have".to_owned());
        }
        let known = region.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-');
        if region.is_empty() || !known {
            return Err(
                "is in a region that is none: write `region` like `eu-central-1`".to_owned()
            );
        }
        let at_aws = format!("https://s3.{region}.amazonaws.com");
        let endpoint = Url::parse(endpoint.unwrap_or(&at_aws)).ok().filter(is_endpoint);
        let endpoint = endpoint.ok_or_else(|| {
            "has an endpoint that is none: write `endpoint` like `https://s3.example.com`, without \
             the bucket and without credentials"
                .to_owned()
        })?;
        let numeric = !matches!(endpoint.host(), Some(url::Host::Domain(_)));
        // A certificate for `*.host` is none for a bucket that has a dot in its name.
        let by_host = endpoint.host_str().is_some_and(|host| host.ends_with(".amazonaws.com"))
            && !bucket.contains('.');
        let addressing =
            addressing.unwrap_or(if by_host { Addressing::Host } else { Addressing::Path });
        if addressing == Addressing::Host && numeric {
            return Err("cannot have its bucket in a host that is a number: write \
                        `addressing: path`"
                .to_owned());
        }
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        Ok(Self { endpoint, addressing, bucket, prefix })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What all keys begin with; empty for the whole bucket.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Host and port that are spoken to, as [`OutboundSettings`](crate::outbound::OutboundSettings)
    /// declares hosts.
    pub fn host(&self) -> String {
        let host = self.host_name();
        let port = self.endpoint.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    /// Host and port of the endpoint, without the bucket.
    pub(super) fn endpoint_host(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or_default();
        let port = self.endpoint.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    fn host_name(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or_default();
        match self.addressing {
            Addressing::Path => host.to_owned(),
            Addressing::Host => format!("{}.{host}", self.bucket),
        }
    }

    /// The address of an object, or of the bucket where there is no key; `None` where the key cannot
    /// stand in an address, because a part of it is `.` or `..`, which every reader of addresses
    /// takes for a step.
    pub(super) fn url(&self, key: Option<&str>, query: &[(&str, &str)]) -> Option<Url> {
        let mut written = format!("{}://{}", self.endpoint.scheme(), self.host_name());
        if let Some(port) = self.endpoint.port() {
            write!(written, ":{port}").ok()?;
        }
        let begins = written.len();
        written.push('/');
        if self.addressing == Addressing::Path {
            written.push_str(&self.bucket);
            if key.is_some() {
                written.push('/');
            }
        }
        encode(key.unwrap_or_default(), true, &mut written);
        let path = written.get(begins..)?.to_owned();
        for (number, (name, value)) in query.iter().enumerate() {
            written.push(if number == 0 { '?' } else { '&' });
            encode(name, false, &mut written);
            written.push('=');
            encode(value, false, &mut written);
        }
        Url::parse(&written).ok().filter(|url| url.path() == path)
    }
}

/// AWS's rules for names of buckets, which keep an address from being led elsewhere.
fn is_bucket(name: &str) -> bool {
    let edge = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|&one| edge(one) || one == b'-' || one == b'.')
        && bytes.first().copied().is_some_and(edge)
        && bytes.last().copied().is_some_and(edge)
        && !name.contains("..")
}

fn is_endpoint(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Percent-encodes as signatures want it: all but letters, digits, `-`, `.`, `_`, `~`, and `/` in
/// keys.
fn encode(text: &str, key: bool, into: &mut String) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || (key && byte == b'/') {
            into.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            into.push('%');
            into.push(char::from(DIGITS[usize::from(byte >> 4)]));
            into.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(place: &str, endpoint: Option<&str>) -> Result<BucketAddress, String> {
        BucketAddress::parse(place, endpoint, "eu-central-1", None)
    }

    #[test]
    fn a_bucket_at_aws_has_a_host_of_its_own() {
        let address = parse("s3://shop-dumps/daily/", None).unwrap();
        assert_eq!((address.bucket(), address.prefix()), ("shop-dumps", "daily/"));
        assert_eq!(address.host(), "shop-dumps.s3.eu-central-1.amazonaws.com:443");
        let url = address.url(Some("daily/1 +%.sql"), &[("versionId", "a/b+c")]).unwrap();
        let path = "/daily/1%20%2B%25.sql?versionId=a%2Fb%2Bc";
        assert_eq!(url.as_str(), format!("https://{}{path}", address.host_name()));
        let dotted = parse("shop.dumps", None).unwrap();
        assert_eq!(dotted.host(), "s3.eu-central-1.amazonaws.com:443");
    }

    #[test]
    fn elsewhere_the_bucket_stands_in_the_path() {
        let address = parse("dumps/", Some("http://127.0.0.1:7480")).unwrap();
        let url = |key, query: &[(&str, &str)]| address.url(key, query).map(String::from);
        let base = "http://127.0.0.1:7480/dumps";
        assert_eq!(url(None, &[("acl", "")]).unwrap(), format!("{base}?acl="));
        assert_eq!(url(Some("ä//b"), &[]).unwrap(), format!("{base}/%C3%A4//b"));
        assert_eq!(url(Some("a\\b|c"), &[]).unwrap(), format!("{base}/a%5Cb%7Cc"));
        for step in ["../other/key", "a/./b", "a/../b", ".", "a/.."] {
            assert_eq!(url(Some(step), &[]), None, "{step}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let long = "a".repeat(64);
        for place in
            ["", "s3://", "ab", "Shop", "a_b", "-ab", "ab.", "a..b", "x@evil.example", &long]
        {
            assert!(parse(place, None).is_err(), "{place}");
        }
        let with_path = ["https://s3.example.com/bucket", "https://a:b@s3.example.com"];
        for endpoint in with_path.into_iter().chain(["s3.example.com", "ftp://s3.example.com"]) {
            let refused = parse("dumps", Some(endpoint)).unwrap_err();
            assert!(refused.contains("`endpoint`") && !refused.contains("a:b"), "{refused}");
        }
        let by_host = BucketAddress::parse(
            "dumps",
            Some("http://127.0.0.1:7480"),
            "default",
            Some(Addressing::Host),
        );
        assert!(by_host.is_err());
        assert!(BucketAddress::parse("dumps", None, "a.evil.example/", None).is_err());
    }
}
