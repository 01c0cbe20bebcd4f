//! Sigstore Bundle v0.3: envelope, log entry, inclusion proof and checkpoint in one JSON file.
//!
//! Reading is strict: unknown fields, a second entry or a number in another spelling refuse the
//! bundle, so that no byte of it can change unnoticed. Time stamps are over the signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::dsse::{Envelope, WireEnvelope};
use crate::note::{Checkpoint, LogIdentity};
use crate::{hashedrekord, merkle, note};

/// Media type of Bundle v0.3.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Largest bundle that is read, in bytes.
pub const BUNDLE_BYTES: usize = 16 * 1024 * 1024;

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no Sigstore bundle of a certificate: {0}")]
pub struct BundleError(String);

/// Where the leaf stands in the log, and the signed head that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Index of the leaf.
    pub index: u64,
    /// Size of the tree that the path leads through.
    pub size: u64,
    /// Root of that tree.
    pub root: Digest,
    /// Audit path from the leaf upwards.
    pub path: Vec<Digest>,
    /// The signed checkpoint of that tree.
    pub checkpoint: String,
}

/// A certificate with everything that proves it was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The signed statement.
    pub envelope: Envelope,
    /// The log entry, byte for byte.
    pub leaf: Vec<u8>,
    /// Identifier of the log: [`LogIdentity::full_id`].
    pub log_id: Digest,
    /// Where the entry stands.
    pub inclusion: Inclusion,
    /// Hint at the issuer's key; proves nothing.
    pub key_hint: String,
    /// Answers of time-stamp authorities (RFC 3161) about the signature of the envelope.
    pub time_stamps: Vec<Vec<u8>>,
}

impl Bundle {
    /// Puts a bundle together.
    pub fn new(envelope: Envelope, leaf: Vec<u8>, inclusion: Inclusion, log: &LogIdentity) -> Self {
        let key_hint = envelope.key_id.clone();
        Self { envelope, leaf, log_id: log.full_id(), inclusion, key_hint, time_stamps: Vec::new() }
    }

    /// The head that its proof leads to, which this log has to have signed.
    ///
    /// # Errors
    /// Where it did not, or where what it signed is another head.
    pub(crate) fn signed_head(&self, log: &LogIdentity) -> Result<Checkpoint, String> {
        let place = &self.inclusion;
        let head =
            note::verify_checkpoint(&place.checkpoint, log).map_err(|error| error.to_string())?;
        if (head.size, head.root) != (place.size, place.root) {
            return Err("the signed checkpoint has another size or root than the proof".to_owned());
        }
        Ok(head)
    }

    /// Checks that its entry stands where its proof says.
    ///
    /// # Errors
    /// Where the proof does not lead from the entry to the root.
    pub(crate) fn check_inclusion(&self) -> Result<(), String> {
        let place = &self.inclusion;
        let leaf = merkle::leaf_hash(&self.leaf);
        merkle::check_inclusion(&leaf, place.index, place.size, &place.path, &place.root)
            .map_err(|error| error.to_string())
    }

    /// Writes the bundle as one line of JSON with a line feed.
    pub fn to_json(&self) -> Vec<u8> {
        let index = self.inclusion.index.to_string();
        let wire = Wire {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: KeyHint { hint: self.key_hint.clone() },
                tlog_entries: vec![LogEntry {
                    log_index: index.clone(),
                    log_id: LogId { key_id: STANDARD.encode(self.log_id.0) },
                    kind_version: KindVersion {
                        kind: hashedrekord::KIND.to_owned(),
                        version: hashedrekord::VERSION.to_owned(),
                    },
                    integrated_time: None,
                    inclusion_proof: Proof {
                        log_index: index,
                        root_hash: STANDARD.encode(self.inclusion.root.0),
                        tree_size: self.inclusion.size.to_string(),
                        hashes: self
                            .inclusion
                            .path
                            .iter()
                            .map(|one| STANDARD.encode(one.0))
                            .collect(),
                        checkpoint: CheckpointText { envelope: self.inclusion.checkpoint.clone() },
                    },
                    canonicalized_body: STANDARD.encode(&self.leaf),
                }],
                timestamp_verification_data: TimeStamps {
                    rfc3161_timestamps: self
                        .time_stamps
                        .iter()
                        .map(|one| TimeStamp { signed_timestamp: STANDARD.encode(one) })
                        .collect(),
                },
            },
            dsse_envelope: WireEnvelope::from(&self.envelope),
        };
        // Texts and lists of texts only: there is nothing that could not be written.
        let mut bytes = serde_json::to_vec(&wire).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a bundle. Nothing is verified yet.
    ///
    /// # Errors
    /// Where the bytes are no bundle of the one form that certificates have.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let refuse = |why: &str| BundleError(why.to_owned());
        if bytes.len() > BUNDLE_BYTES {
            return Err(refuse("it is too large"));
        }
        let wire: Wire =
            serde_json::from_slice(bytes).map_err(|error| BundleError(error.to_string()))?;
        if wire.media_type != MEDIA_TYPE {
            return Err(refuse("its media type is not that of Bundle v0.3"));
        }
        let [entry]: [LogEntry; 1] = wire
            .verification_material
            .tlog_entries
            .try_into()
            .map_err(|_| refuse("it does not hold exactly one log entry"))?;
        if entry.kind_version.kind != hashedrekord::KIND
            || entry.kind_version.version != hashedrekord::VERSION
            || entry.integrated_time.is_some_and(|time| time != "0")
        {
            return Err(refuse("its log entry is no `hashedrekord` of version `0.0.2`"));
        }
        let proof = entry.inclusion_proof;
        if proof.log_index != entry.log_index {
            return Err(refuse("it names two different log indexes"));
        }
        let path = proof
            .hashes
            .iter()
            .map(|text| digest(text).ok_or_else(|| refuse("a hash of its proof is no SHA-256")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            envelope: Envelope::try_from(wire.dsse_envelope).map_err(refuse)?,
            leaf: STANDARD
                .decode(entry.canonicalized_body)
                .map_err(|_| refuse("its log entry is not base64"))?,
            log_id: digest(&entry.log_id.key_id)
                .ok_or_else(|| refuse("its log has no identifier"))?,
            inclusion: Inclusion {
                index: number(&entry.log_index)
                    .ok_or_else(|| refuse("its log index is no number"))?,
                size: number(&proof.tree_size)
                    .ok_or_else(|| refuse("its tree size is no number"))?,
                root: digest(&proof.root_hash).ok_or_else(|| refuse("its root is no SHA-256"))?,
                path,
                checkpoint: proof.checkpoint.envelope,
            },
            key_hint: wire.verification_material.public_key.hint,
            time_stamps: wire
                .verification_material
                .timestamp_verification_data
                .rfc3161_timestamps
                .iter()
                .map(|one| STANDARD.decode(&one.signed_timestamp).ok())
                .collect::<Option<_>>()
                .ok_or_else(|| refuse("a time stamp is not base64"))?,
        })
    }
}

fn digest(text: &str) -> Option<Digest> {
    Some(Digest(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// A number in its one plain spelling.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    media_type: String,
    verification_material: Material,
    dsse_envelope: WireEnvelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Material {
    public_key: KeyHint,
    tlog_entries: Vec<LogEntry>,
    timestamp_verification_data: TimeStamps,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyHint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    inclusion_proof: Proof,
    canonicalized_body: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogId {
    key_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Proof {
    log_index: String,
    root_hash: String,
    tree_size: String,
    hashes: Vec<String>,
    checkpoint: CheckpointText,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointText {
    envelope: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeStamps {
    #[serde(rename = "rfc3161Timestamps")]
    rfc3161_timestamps: Vec<TimeStamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimeStamp {
    signed_timestamp: String,
}
