//! Sigstore `TrustedRoot`: which logs and time-stamp authorities a verifier trusts, with which keys
//! and since when.
//!
//! A trusted root proves nothing about itself. Whoever relies on one compares its fingerprint with
//! one received on another way: in a contract, on paper, from the operator's own pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::keys::LogPublicKey;
use crate::note::LogIdentity;
use crate::origin::continued_by;
use crate::time_stamp::TimeStampAuthority;

/// Media type of `TrustedRoot` v0.1, in the spelling that all stock verifiers read.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

const NEWER_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot.v0.1+json";

/// Largest trusted root that is read, in bytes.
const ROOT_BYTES: usize = 1024 * 1024;

/// Why bytes are no trusted root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no trusted root: {0}")]
pub struct TrustedRootError(String);

/// A log and the time in which its key signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedLog {
    /// Name and key.
    pub log: LogIdentity,
    /// First moment.
    pub valid_from: Option<Timestamp>,
    /// Last moment; `None` while it is in use.
    pub valid_until: Option<Timestamp>,
}

/// A time-stamp authority and its certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthority {
    /// Where it is asked.
    pub url: String,
    /// Its certificates, its own first.
    pub authority: TimeStampAuthority,
}

/// Logs and time-stamp authorities that a verifier trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRoot {
    /// At least one.
    pub logs: Vec<TrustedLog>,
    /// Perhaps none.
    pub authorities: Vec<TrustedAuthority>,
}

impl TrustedRoot {
    /// Writes it as JSON for people and for stock verifiers.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            media_type: MEDIA_TYPE.to_owned(),
            tlogs: self.logs.iter().map(WireLog::from).collect(),
            certificate_authorities: Vec::new(),
            ctlogs: Vec::new(),
            timestamp_authorities: self.authorities.iter().map(WireAuthority::from).collect(),
        };
        // Texts only: there is nothing that could not be written.
        let mut bytes = serde_json::to_vec_pretty(&wire).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads one; logs with other than Ed25519 keys are left out.
    ///
    /// # Errors
    /// Where the bytes are no trusted root, or no log is left.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        let refuse = |why: &str| TrustedRootError(why.to_owned());
        if bytes.len() > ROOT_BYTES {
            return Err(refuse("it is too large"));
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| TrustedRootError(error.to_string()))?;
        if wire.media_type != MEDIA_TYPE && wire.media_type != NEWER_MEDIA_TYPE {
            return Err(refuse("its media type is not that of TrustedRoot v0.1"));
        }
        let mut logs = Vec::new();
        for log in wire.tlogs.iter().filter(|log| log.public_key.key_details == "PKIX_ED25519") {
            logs.push(log.read().map_err(refuse)?);
        }
        if logs.is_empty() {
            return Err(refuse("it names no log with an Ed25519 key"));
        }
        let authorities = wire
            .timestamp_authorities
            .iter()
            .map(WireAuthority::read)
            .collect::<Option<_>>()
            .ok_or_else(|| refuse("the certificates of a time-stamp authority cannot be read"))?;
        Ok(Self { logs, authorities })
    }

    /// The log with this identifier.
    pub fn log(&self, id: &Digest) -> Option<&TrustedLog> {
        self.logs.iter().find(|one| one.log.full_id() == *id)
    }

    /// The log of this name, where it is not among those that are named but continues one of an
    /// earlier year: with that one's key, and as long as that key is in use.
    pub fn continued_by(&self, origin: &str) -> Option<TrustedLog> {
        let names = self.logs.iter().map(|one| one.log.origin());
        let earlier = continued_by(origin, names)?;
        let earlier = self.logs.iter().find(|one| one.log.origin() == earlier)?;
        let log = LogIdentity::new(origin, earlier.log.key()).ok()?;
        Some(TrustedLog { log, ..earlier.clone() })
    }
}

/// What people compare: SHA-256 of the file, as `sha256sum` prints it.
pub fn fingerprint(file: &[u8]) -> Digest {
    Digest::of(file)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    tlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<serde_json::Value>,
    #[serde(default)]
    ctlogs: Vec<serde_json::Value>,
    #[serde(default)]
    timestamp_authorities: Vec<WireAuthority>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    subject: WireSubject,
    uri: String,
    cert_chain: WireChain,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_for: Option<WireRange>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSubject {
    #[serde(default)]
    organization: String,
    #[serde(default)]
    common_name: String,
}

#[derive(Serialize, Deserialize)]
struct WireChain {
    certificates: Vec<WireCertificate>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCertificate {
    raw_bytes: String,
}

impl From<&TrustedAuthority> for WireAuthority {
    fn from(trusted: &TrustedAuthority) -> Self {
        let certificates = trusted.authority.certificates().iter();
        let validity = trusted.authority.validity();
        Self {
            subject: WireSubject {
                organization: String::new(),
                common_name: trusted.authority.common_name().unwrap_or_default(),
            },
            uri: trusted.url.clone(),
            cert_chain: WireChain {
                certificates: certificates
                    .map(|one| WireCertificate { raw_bytes: STANDARD.encode(one) })
                    .collect(),
            },
            valid_for: validity
                .map(|(start, end)| WireRange { start: Some(start), end: Some(end) }),
        }
    }
}

impl WireAuthority {
    fn read(&self) -> Option<TrustedAuthority> {
        let certificates = self
            .cert_chain
            .certificates
            .iter()
            .map(|one| STANDARD.decode(&one.raw_bytes).ok())
            .collect::<Option<_>>()?;
        let authority = TimeStampAuthority::new(certificates)?;
        Some(TrustedAuthority { url: self.uri.clone(), authority })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    base_url: String,
    hash_algorithm: String,
    public_key: WireKey,
    log_id: WireId,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: String,
    key_details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_for: Option<WireRange>,
}

#[derive(Serialize, Deserialize)]
struct WireRange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireId {
    key_id: String,
}

impl From<&TrustedLog> for WireLog {
    fn from(trusted: &TrustedLog) -> Self {
        let window = trusted.valid_from.is_some() || trusted.valid_until.is_some();
        Self {
            base_url: format!("https://{}", trusted.log.origin()),
            hash_algorithm: "SHA2_256".to_owned(),
            public_key: WireKey {
                raw_bytes: STANDARD.encode(trusted.log.key().to_spki()),
                key_details: "PKIX_ED25519".to_owned(),
                valid_for: window
                    .then_some(WireRange { start: trusted.valid_from, end: trusted.valid_until }),
            },
            log_id: WireId { key_id: STANDARD.encode(trusted.log.full_id().0) },
        }
    }
}

impl WireLog {
    fn read(&self) -> Result<TrustedLog, &'static str> {
        let origin =
            self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, rest)| rest);
        let key = STANDARD
            .decode(&self.public_key.raw_bytes)
            .ok()
            .and_then(|der| LogPublicKey::from_spki(&der))
            .ok_or("a log's key cannot be read")?;
        let log = LogIdentity::new(origin, key).map_err(|_| "a log has no usable name")?;
        if self.hash_algorithm != "SHA2_256" {
            return Err("a log does not hash with SHA-256");
        }
        if STANDARD.encode(log.full_id().0) != self.log_id.key_id {
            return Err("a log's identifier does not belong to its name and key");
        }
        let window = self.public_key.valid_for.as_ref();
        Ok(TrustedLog {
            log,
            valid_from: window.and_then(|range| range.start),
            valid_until: window.and_then(|range| range.end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::LogKey;

    #[test]
    fn a_trusted_root_survives_and_a_changed_key_is_refused() {
        let key = LogKey::new(1).public();
        let log = LogIdentity::new("erasure.example.com/evidence/2026", key).expect("origin");
        let root = TrustedRoot {
            logs: vec![TrustedLog {
                log: log.clone(),
                valid_from: Some("2026-01-01T00:00:00Z".parse().expect("moment")),
                valid_until: None,
            }],
            authorities: Vec::new(),
        };
        let json = root.to_json();
        assert_eq!(TrustedRoot::from_json(&json), Ok(root.clone()));
        assert_eq!(root.log(&log.full_id()).map(|one| &one.log), Some(&log));
        let other = LogKey::new(2).public();
        let swapped = String::from_utf8(json)
            .expect("text")
            .replace(&STANDARD.encode(key.to_spki()), &STANDARD.encode(other.to_spki()));
        assert!(TrustedRoot::from_json(swapped.as_bytes()).is_err());
    }
}
