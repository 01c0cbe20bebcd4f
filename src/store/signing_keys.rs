//! Public keys that sign certificates, each with the time in which it does. At most one is in use;
//! an earlier one stays, so that what it has signed can be checked and handed out.

use jiff::Timestamp;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args};
use crate::domain::Digest;

/// A key that signs certificates, or has signed some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: Digest,
    /// Its `SubjectPublicKeyInfo`, DER.
    pub spki: Vec<u8>,
    /// When it came into use.
    pub added_at: Timestamp,
    /// When it went out of use.
    pub retired_at: Option<Timestamp>,
    /// From when on it may have been in other hands.
    pub compromised_since: Option<Timestamp>,
}

macro_rules! key_columns {
    ($rest:literal) => {
        concat!(
            "SELECT key_id, spki, added_at, retired_at, compromised_since FROM signing_keys
             WHERE role = 'issuer' ",
            $rest
        )
    };
}

const ADD: Sql = Sql::both(
    "INSERT INTO signing_keys (key_id, role, spki, added_at) VALUES ($1, 'issuer', $2, $3)
     ON CONFLICT DO NOTHING",
);
const IN_USE: Sql = Sql::both(key_columns!("AND retired_at IS NULL"));
const BY_ID: Sql = Sql::both(key_columns!("AND key_id = $1"));
const ALL: Sql = Sql::both(key_columns!("ORDER BY added_at, key_id"));
const RETIRE: Sql = Sql::both(
    "UPDATE signing_keys SET retired_at = $2
     WHERE key_id = $1 AND role = 'issuer' AND retired_at IS NULL",
);
const COMPROMISE: Sql = Sql::both(
    "UPDATE signing_keys SET compromised_since = $2
     WHERE key_id = $1 AND role = 'issuer' AND retired_at IS NOT NULL
       AND (compromised_since IS NULL OR compromised_since > $2)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("signing_keys::ADD", ADD),
    ("signing_keys::IN_USE", IN_USE),
    ("signing_keys::BY_ID", BY_ID),
    ("signing_keys::ALL", ALL),
    ("signing_keys::RETIRE", RETIRE),
    ("signing_keys::COMPROMISE", COMPROMISE),
];

fn from_row(row: &Row) -> Result<SigningKey, StoreError> {
    Ok(SigningKey {
        id: row.digest("key_id")?,
        spki: row.get("spki")?,
        added_at: row.instant("added_at")?,
        retired_at: row.maybe_instant("retired_at")?,
        compromised_since: row.maybe_instant("compromised_since")?,
    })
}

impl Store {
    /// Writes down the first issuer's key of this store, unless one is in use; which one is then.
    pub async fn first_issuer(
        &self,
        spki: &[u8],
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<SigningKey, StoreError> {
        let mut tx = self.begin().await?;
        let none = tx.read_one(IN_USE, Vec::new()).await?.is_none();
        if none && tx.execute(ADD, args![Digest::of(spki), spki.to_vec(), now]).await? == 1 {
            evidence::append(&mut tx, evidence, now).await?;
        }
        let row = tx.read_one(IN_USE, Vec::new()).await?;
        let key = from_row(&row.ok_or(StoreError::Corrupt { column: "key_id" })?)?;
        tx.commit().await?;
        Ok(key)
    }

    /// The issuer's key in use.
    pub async fn issuer_in_use(&self) -> Result<Option<SigningKey>, StoreError> {
        self.read_one(IN_USE, Vec::new()).await?.as_ref().map(from_row).transpose()
    }

    /// An issuer's key by its identifier, also an earlier one.
    pub async fn issuer_key(&self, id: Digest) -> Result<Option<SigningKey>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// All issuers' keys, the earliest first.
    pub async fn issuer_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.read(ALL, Vec::new()).await?.iter().map(from_row).collect()
    }

    /// Puts a new issuer's key in the place of the one in use; `false`, with nothing changed, where
    /// another one is in use by now.
    pub async fn rotate_issuer(
        &self,
        from: Digest,
        to_spki: &[u8],
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let retired = tx.execute(RETIRE, args![from, now]).await?;
        let added = tx.execute(ADD, args![Digest::of(to_spki), to_spki.to_vec(), now]).await?;
        if (retired, added) != (1, 1) {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes down that a retired key may have been in other hands since a moment; `false` where it
    /// is in use, or an earlier moment is on record.
    pub async fn compromise_issuer(
        &self,
        id: Digest,
        since: Timestamp,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(COMPROMISE, args![id, since]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
