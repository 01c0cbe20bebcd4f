//! Signature Version 4, as AWS describes it for S3: the path as it is, the body's digest signed
//! along.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tracing::subscriber::{NoSubscriber, with_default};
use url::Url;

/// Who signs.
#[derive(Clone)]
pub(super) struct Signer {
    /// Access key.
    pub access_key: SecretString,
    /// Its secret.
    pub secret_key: SecretString,
    /// Token of credentials that are lent for a time.
    pub session_token: Option<SecretString>,
    /// Region for which it is signed.
    pub region: String,
}

impl Signer {
    /// The headers that a request needs beside those that it has; `None` where it cannot be signed.
    pub(super) fn headers(
        &self,
        method: &str,
        url: &Url,
        headers: &[(String, String)],
        body: &[u8],
        now: Timestamp,
    ) -> Option<Vec<(String, String)>> {
        let credentials = Credentials::new(
            self.access_key.expose_secret(),
            self.secret_key.expose_secret(),
            self.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "quietus",
        );
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::from(now))
            .settings(settings)
            .build()
            .ok()?
            .into();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Bytes(body);
        let request = SignableRequest::new(method, url.as_str(), headers, body).ok()?;
        // What the library would log names objects.
        let signed = with_default(NoSubscriber::default(), || sign(request, &parameters)).ok()?;
        let (instructions, _) = signed.into_parts();
        let added = instructions.headers();
        Some(added.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of "Signature Calculations for the Authorization Header" in the API reference
    /// of Amazon S3, with its credentials, bucket and moment.
    fn signature(url: &str, headers: &[(&str, &str)]) -> String {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
            region: "us-east-1".to_owned(),
        };
        let headers: Vec<(String, String)> =
            headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let url = format!("https://examplebucket.s3.amazonaws.com{url}").parse().unwrap();
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let added = signer.headers("GET", &url, &headers, b"", now).unwrap();
        let (_, value) = added.iter().find(|(name, _)| name == "authorization").unwrap();
        value.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn signatures_are_those_of_the_reference() {
        assert_eq!(
            signature("/test.txt", &[("range", "bytes=0-9")]),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature("/?lifecycle=", &[]),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("/?max-keys=2&prefix=J", &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }
}
