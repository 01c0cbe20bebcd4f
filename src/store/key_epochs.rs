//! Epochs: the months whose keys wrap the data keys. Their own keys are never here, only a digest by
//! which another key of the same name is told.
//!
//! An epoch is begun, left (all living keys are wrapped anew with a later epoch's key) and, once
//! every copy of the database from before that is gone, destroyed. The schema refuses to end one
//! that still wraps something.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::data_keys::{DataKey, Refused};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, count};
use crate::domain::{Digest, EpochName};

/// An epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEpoch {
    /// Its month.
    pub name: EpochName,
    /// A keyed digest that only this epoch's key gives.
    pub key_check: Digest,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When its last living key was wrapped anew.
    pub left_at: Option<Timestamp>,
    /// When its key was destroyed.
    pub destroyed_at: Option<Timestamp>,
    /// Living data keys that it wraps.
    pub data_keys: u64,
    /// Living keys of requests that it wraps.
    pub request_keys: u64,
    /// Keyed digests of what persons are known by that were made with it.
    pub tags: u64,
}

/// The wrapped key of a request whose person is not forgotten.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The request.
    pub request: Uuid,
    /// Its version when this was read.
    pub version: u64,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

impl std::fmt::Debug for RequestKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RequestKey({})", self.request)
    }
}

macro_rules! epoch_columns {
    ($rest:literal) => {
        concat!(
            "SELECT epoch, key_check, begun_at, left_at, destroyed_at,
                 (SELECT COUNT(*) FROM data_keys WHERE data_keys.epoch = key_epochs.epoch
                     AND wrapped IS NOT NULL) AS data_keys,
                 (SELECT COUNT(*) FROM requests WHERE key_epoch = key_epochs.epoch
                     AND wrapped_key IS NOT NULL) AS request_keys,
                 (SELECT COUNT(*) FROM request_persons
                     WHERE request_persons.epoch = key_epochs.epoch) AS tags
             FROM key_epochs ",
            $rest
        )
    };
}

const BEGIN: Sql = Sql::both(
    "INSERT INTO key_epochs (epoch, key_check, begun_at) VALUES ($1, $2, $3)
     ON CONFLICT (epoch) DO NOTHING",
);
const BY_NAME: Sql = Sql::both(epoch_columns!("WHERE epoch = $1"));
const ALL: Sql = Sql::both(epoch_columns!("ORDER BY epoch"));
const LIVING: Sql =
    Sql::both("SELECT epoch FROM key_epochs WHERE destroyed_at IS NULL ORDER BY epoch");
const KEYS: Sql = Sql::both(
    "SELECT id, case_id, epoch, wrapped FROM data_keys
     WHERE epoch = $1 AND wrapped IS NOT NULL ORDER BY id LIMIT $2",
);
const REWRAP: Sql = Sql::both(
    "UPDATE data_keys SET epoch = $3, wrapped = $4
     WHERE id = $1 AND epoch = $2 AND wrapped IS NOT NULL",
);
const REQUEST_KEYS: Sql = Sql::both(
    "SELECT id, version, wrapped_key FROM requests
     WHERE key_epoch = $1 AND wrapped_key IS NOT NULL ORDER BY id LIMIT $2",
);
const REQUEST_KEYS_OF_VAULT: Sql = Sql::both(
    "SELECT id, version, wrapped_key FROM requests
     WHERE key_epoch IS NULL AND wrapped_key IS NOT NULL ORDER BY id LIMIT $1",
);
const REWRAP_REQUEST: Sql = Sql::both(
    "UPDATE requests SET version = version + 1, key_epoch = $3, wrapped_key = $4
     WHERE id = $1 AND version = $2 AND wrapped_key IS NOT NULL",
);
const LEAVE: Sql = Sql::both(
    "UPDATE key_epochs SET left_at = $2
     WHERE epoch = $1 AND destroyed_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM data_keys WHERE data_keys.epoch = $1 AND wrapped IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM requests WHERE key_epoch = $1 AND wrapped_key IS NOT NULL)
       AND NOT EXISTS (SELECT 1 FROM request_persons WHERE request_persons.epoch = $1)
       AND NOT EXISTS (SELECT 1 FROM re_erasure_entries WHERE re_erasure_entries.epoch = $1)",
);
const DESTROY: Sql = Sql::both(
    "UPDATE key_epochs SET destroyed_at = $2
     WHERE epoch = $1 AND destroyed_at IS NULL AND left_at IS NOT NULL",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("key_epochs::BEGIN", BEGIN),
    ("key_epochs::BY_NAME", BY_NAME),
    ("key_epochs::ALL", ALL),
    ("key_epochs::LIVING", LIVING),
    ("key_epochs::KEYS", KEYS),
    ("key_epochs::REWRAP", REWRAP),
    ("key_epochs::REQUEST_KEYS", REQUEST_KEYS),
    ("key_epochs::REQUEST_KEYS_OF_VAULT", REQUEST_KEYS_OF_VAULT),
    ("key_epochs::REWRAP_REQUEST", REWRAP_REQUEST),
    ("key_epochs::LEAVE", LEAVE),
    ("key_epochs::DESTROY", DESTROY),
];

fn from_row(row: &Row) -> Result<KeyEpoch, StoreError> {
    Ok(KeyEpoch {
        name: row.word("epoch", EpochName::parse)?,
        key_check: row.digest("key_check")?,
        begun_at: row.instant("begun_at")?,
        left_at: row.maybe_instant("left_at")?,
        destroyed_at: row.maybe_instant("destroyed_at")?,
        data_keys: row.whole("data_keys")?,
        request_keys: row.whole("request_keys")?,
        tags: row.whole("tags")?,
    })
}

impl Store {
    /// Begins an epoch, unless it is on record; what is on record then.
    pub async fn begin_epoch(
        &self,
        name: &EpochName,
        key_check: Digest,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<KeyEpoch, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(BEGIN, args![name.as_str(), key_check, now]).await? == 1 {
            evidence::append(&mut tx, evidence, now).await?;
        }
        let row = tx.read_one(BY_NAME, args![name.as_str()]).await?;
        let epoch = from_row(&row.ok_or(StoreError::Corrupt { column: "epoch" })?)?;
        tx.commit().await?;
        Ok(epoch)
    }

    /// All epochs, the oldest first.
    pub async fn key_epochs(&self) -> Result<Vec<KeyEpoch>, StoreError> {
        self.read(ALL, Vec::new()).await?.iter().map(from_row).collect()
    }

    /// Epochs whose keys are not destroyed, the oldest first.
    pub async fn living_epochs(&self) -> Result<Vec<EpochName>, StoreError> {
        let rows = self.read(LIVING, Vec::new()).await?;
        rows.iter().map(|row| row.word("epoch", EpochName::parse)).collect()
    }

    /// Living data keys that an epoch wraps; at most 1000.
    pub async fn keys_of_epoch(
        &self,
        epoch: &EpochName,
        limit: u32,
    ) -> Result<Vec<DataKey>, StoreError> {
        let rows = self.read(KEYS, args![epoch.as_str(), limit.min(1000)]).await?;
        rows.iter()
            .map(|row| {
                Ok(DataKey {
                    id: row.get("id")?,
                    case_id: row.get("case_id")?,
                    epoch: row.word("epoch", EpochName::parse)?,
                    wrapped: row.get("wrapped")?,
                    refused: Refused::default(),
                })
            })
            .collect()
    }

    /// Puts keys that were wrapped anew in the place of what `from` wrapped; how many. One that was
    /// destroyed meanwhile stays destroyed.
    pub async fn rewrap_keys(
        &self,
        from: &EpochName,
        keys: Vec<DataKey>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut rewrapped = 0;
        for key in keys {
            let values = args![key.id, from.as_str(), key.epoch.as_str(), key.wrapped];
            rewrapped += tx.execute(REWRAP, values).await?;
        }
        tx.commit().await?;
        Ok(rewrapped)
    }

    /// Living keys of requests that an epoch wraps, or the vault's secret for `None`; at most 1000.
    pub async fn request_keys_of_epoch(
        &self,
        epoch: Option<&EpochName>,
        limit: u32,
    ) -> Result<Vec<RequestKey>, StoreError> {
        let limit = limit.min(1000);
        let rows = match epoch {
            Some(epoch) => self.read(REQUEST_KEYS, args![epoch.as_str(), limit]).await?,
            None => self.read(REQUEST_KEYS_OF_VAULT, args![limit]).await?,
        };
        rows.iter()
            .map(|row| {
                Ok(RequestKey {
                    request: row.get("id")?,
                    version: row.whole("version")?,
                    wrapped: row.get("wrapped_key")?,
                })
            })
            .collect()
    }

    /// Puts keys of requests that were wrapped anew with the key of `to` in their place; how many.
    /// A request that was changed meanwhile is left as it is.
    pub async fn rewrap_request_keys(
        &self,
        to: &EpochName,
        keys: Vec<RequestKey>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let mut rewrapped = 0;
        for key in keys {
            let version = count(key.version, "a version")?;
            let values = args![key.request, version, to.as_str(), key.wrapped];
            rewrapped += tx.execute(REWRAP_REQUEST, values).await?;
        }
        tx.commit().await?;
        Ok(rewrapped)
    }

    /// Writes down that nothing living is wrapped with an epoch's key any more; `false` where
    /// something is.
    pub async fn leave_epoch(
        &self,
        name: &EpochName,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.end_epoch(LEAVE, name, now, evidence).await
    }

    /// Writes down that an epoch's key is destroyed; `false` where it was before, or the epoch was
    /// never left. The key itself is destroyed afterwards.
    ///
    /// # Errors
    /// Where it still wraps a living key.
    pub async fn destroy_epoch(
        &self,
        name: &EpochName,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.end_epoch(DESTROY, name, now, evidence).await
    }

    async fn end_epoch(
        &self,
        sql: Sql,
        name: &EpochName,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(sql, args![name.as_str(), now]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
