//! What others vouch for: time stamps over heads of a log and over signatures of certificates, and
//! cosignatures of witnesses. Whatever came is kept byte for byte and never changed; that it holds
//! was checked before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::statement::{Arg, Row, Sql, args, count};
use crate::domain::Digest;

/// What a time stamp is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamped {
    /// The text of a signed head.
    Head {
        /// The log.
        log_id: String,
        /// Its size.
        size: u64,
    },
    /// The signature of a certificate.
    Certificate(Uuid),
}

/// A time stamp that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTimeStamp {
    /// Its identifier.
    pub id: Uuid,
    /// What it is about.
    pub about: Stamped,
    /// Name of the authority in the instance file.
    pub authority: String,
    /// Where it was asked.
    pub url: String,
    /// The answer, as it came.
    pub answer: Vec<u8>,
    /// Certificates from its signer's to one that is trusted, PEM.
    pub chain: String,
    /// The moment that it names.
    pub stamped_at: Timestamp,
    /// Until when it is thought to be sound.
    pub sound_until: Timestamp,
}

/// A time stamp as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStampRow {
    /// Name of the authority.
    pub authority: String,
    /// The answer.
    pub answer: Vec<u8>,
    /// The moment that it names.
    pub stamped_at: Timestamp,
    /// Until when it is thought to be sound.
    pub sound_until: Timestamp,
}

/// The newest time stamp of an authority over a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampedHead {
    /// Size of the head.
    pub size: u64,
    /// The moment that it names.
    pub stamped_at: Timestamp,
    /// Until when it is thought to be sound.
    pub sound_until: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
}

/// An authority's certificates, as time stamps came with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// Name of the authority.
    pub authority: String,
    /// Where it was asked.
    pub url: String,
    /// Certificates, PEM, the signer's first.
    pub chain: String,
}

/// A signature line under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The log.
    pub log_id: String,
    /// Size of the head.
    pub size: u64,
    /// Name and identifier of the key, as in its verifier key.
    pub cosigner: String,
    /// The line, with its line feed.
    pub line: String,
    /// The moment that it names.
    pub signed_at: Timestamp,
}

const KEEP_CHAIN: Sql = Sql::both(
    "INSERT INTO time_stamp_chains (digest, certificates) VALUES ($1, $2)
     ON CONFLICT (digest) DO NOTHING",
);
const KEEP_STAMP: Sql = Sql::both(
    "INSERT INTO time_stamps (id, log_id, size, certificate_id, authority, url, answer, chain,
         stamped_at, sound_until, received_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);
const OF_HEAD: Sql = Sql::both(
    "SELECT authority, answer, stamped_at, sound_until FROM time_stamps
     WHERE log_id = $1 AND size = $2 ORDER BY stamped_at, id",
);
const OF_CERTIFICATE: Sql = Sql::both(
    "SELECT authority, answer, stamped_at, sound_until FROM time_stamps
     WHERE certificate_id = $1 ORDER BY stamped_at, id",
);
const NEWEST: Sql = Sql::both(
    "SELECT size, stamped_at, sound_until, received_at FROM time_stamps
     WHERE authority = $1 AND log_id = $2 ORDER BY size DESC, received_at DESC LIMIT 1",
);
const SOUND_UNTIL: Sql =
    Sql::both("SELECT max(sound_until) AS sound_until FROM time_stamps WHERE log_id = $1");
const CHAINS: Sql = Sql::both(
    "SELECT authority, url, certificates, min(received_at) AS first_at
     FROM time_stamps JOIN time_stamp_chains ON time_stamp_chains.digest = time_stamps.chain
     GROUP BY authority, url, certificates ORDER BY first_at, authority LIMIT 100",
);
const LAST_WITHOUT: Sql =
    Sql::both("SELECT max(size) AS size FROM time_stamps WHERE log_id = $1 AND size <= $2");
const FIRST_WITH: Sql =
    Sql::both("SELECT min(size) AS size FROM time_stamps WHERE log_id = $1 AND size > $2");
const FIRST_WITH_BY: Sql = Sql::both(
    "SELECT min(size) AS size FROM time_stamps
     WHERE log_id = $1 AND size > $2 AND authority = $3",
);
const LAST_STAMPED: Sql =
    Sql::both("SELECT max(size) AS size FROM time_stamps WHERE log_id = $1 AND size > $2");
const KEEP_COSIGNATURE: Sql = Sql::both(
    "INSERT INTO log_cosignatures (log_id, size, cosigner, line, signed_at)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (log_id, size, cosigner, signed_at) DO NOTHING",
);
const COSIGNATURES: Sql = Sql::both(
    "SELECT log_id, size, cosigner, line, signed_at FROM log_cosignatures
     WHERE log_id = $1 AND size = $2 ORDER BY cosigner, signed_at",
);
const TO_ANCHOR: Sql = Sql::both(
    "SELECT log_leaves.log_id AS log_id, max(log_leaves.idx) AS idx
     FROM certificates JOIN log_leaves ON log_leaves.entry_id = certificates.entry_id
     WHERE certificates.anchored_at IS NULL AND certificates.bundle IS NOT NULL
     GROUP BY log_leaves.log_id",
);
const FIRST_COSIGNED: Sql = Sql::both(
    "SELECT min(size) AS size FROM log_cosignatures
     WHERE log_id = $1 AND size > $2 AND cosigner = $3",
);
const LAST_COSIGNED: Sql = Sql::both(
    "SELECT size, signed_at FROM log_cosignatures WHERE log_id = $1 AND cosigner = $2
     ORDER BY size DESC, signed_at DESC LIMIT 1",
);
// The identifier of a key is eight hexadecimal digits behind a `+`.
const COSIGNER_CALLED: Sql = Sql::both(
    "SELECT cosigner FROM log_cosignatures
     WHERE log_id = $1 AND length(cosigner) = length(CAST($2 AS TEXT)) + 9
       AND substr(cosigner, 1, length(CAST($2 AS TEXT))) = $2
     ORDER BY size DESC, signed_at DESC LIMIT 1",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("anchors::KEEP_CHAIN", KEEP_CHAIN),
    ("anchors::KEEP_STAMP", KEEP_STAMP),
    ("anchors::OF_HEAD", OF_HEAD),
    ("anchors::OF_CERTIFICATE", OF_CERTIFICATE),
    ("anchors::NEWEST", NEWEST),
    ("anchors::SOUND_UNTIL", SOUND_UNTIL),
    ("anchors::CHAINS", CHAINS),
    ("anchors::LAST_WITHOUT", LAST_WITHOUT),
    ("anchors::FIRST_WITH", FIRST_WITH),
    ("anchors::FIRST_WITH_BY", FIRST_WITH_BY),
    ("anchors::LAST_STAMPED", LAST_STAMPED),
    ("anchors::KEEP_COSIGNATURE", KEEP_COSIGNATURE),
    ("anchors::COSIGNATURES", COSIGNATURES),
    ("anchors::TO_ANCHOR", TO_ANCHOR),
    ("anchors::FIRST_COSIGNED", FIRST_COSIGNED),
    ("anchors::LAST_COSIGNED", LAST_COSIGNED),
    ("anchors::COSIGNER_CALLED", COSIGNER_CALLED),
];

const TOO_LARGE: &str = "a log so large";

fn stamp(row: &Row) -> Result<TimeStampRow, StoreError> {
    Ok(TimeStampRow {
        authority: row.get("authority")?,
        answer: row.get("answer")?,
        stamped_at: row.instant("stamped_at")?,
        sound_until: row.instant("sound_until")?,
    })
}

fn cosignature(row: &Row) -> Result<Cosignature, StoreError> {
    Ok(Cosignature {
        log_id: row.get("log_id")?,
        size: row.whole("size")?,
        cosigner: row.get("cosigner")?,
        line: row.get("line")?,
        signed_at: row.instant("signed_at")?,
    })
}

impl Store {
    /// Keeps a time stamp that was checked.
    ///
    /// # Errors
    /// `Conflict` where what it is about is not in the store.
    pub async fn keep_time_stamp(
        &self,
        stamp: NewTimeStamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (log_id, size, certificate) = match stamp.about {
            Stamped::Head { log_id, size } => (Some(log_id), Some(count(size, TOO_LARGE)?), None),
            Stamped::Certificate(id) => (None, None, Some(id)),
        };
        let chain = Digest::of(stamp.chain.as_bytes());
        let mut tx = self.begin().await?;
        tx.execute(KEEP_CHAIN, args![chain, stamp.chain]).await?;
        let values = args![
            stamp.id,
            log_id,
            size,
            certificate,
            stamp.authority,
            stamp.url,
            stamp.answer,
            chain,
            stamp.stamped_at,
            stamp.sound_until,
            now,
        ];
        tx.execute(KEEP_STAMP, values).await?;
        tx.commit().await
    }

    /// Time stamps over a head, earliest first.
    pub async fn time_stamps_of_head(
        &self,
        log_id: &str,
        size: u64,
    ) -> Result<Vec<TimeStampRow>, StoreError> {
        let values = args![log_id, count(size, TOO_LARGE)?];
        self.read(OF_HEAD, values).await?.iter().map(stamp).collect()
    }

    /// Time stamps over the signature of a certificate, earliest first.
    pub async fn time_stamps_of_certificate(
        &self,
        id: Uuid,
    ) -> Result<Vec<TimeStampRow>, StoreError> {
        self.read(OF_CERTIFICATE, args![id]).await?.iter().map(stamp).collect()
    }

    /// An authority's newest time stamp over the largest head of a log that it has stamped.
    pub async fn newest_time_stamp(
        &self,
        authority: &str,
        log_id: &str,
    ) -> Result<Option<StampedHead>, StoreError> {
        let row = self.read_one(NEWEST, args![authority, log_id]).await?;
        row.map(|row| {
            Ok(StampedHead {
                size: row.whole("size")?,
                stamped_at: row.instant("stamped_at")?,
                sound_until: row.instant("sound_until")?,
                received_at: row.instant("received_at")?,
            })
        })
        .transpose()
    }

    /// Until when the soundest time stamp over a log is thought to be sound.
    pub async fn stamped_until(&self, log_id: &str) -> Result<Option<Timestamp>, StoreError> {
        match self.read_one(SOUND_UNTIL, args![log_id]).await? {
            Some(row) => row.maybe_instant("sound_until"),
            None => Ok(None),
        }
    }

    /// Certificates that time stamps of this store came with; at most 100.
    pub async fn time_stamp_chains(&self) -> Result<Vec<Anchored>, StoreError> {
        let rows = self.read(CHAINS, Vec::new()).await?;
        rows.iter()
            .map(|row| {
                Ok(Anchored {
                    authority: row.get("authority")?,
                    url: row.get("url")?,
                    chain: row.get("certificates")?,
                })
            })
            .collect()
    }

    /// The largest stamped head that does not hold this leaf.
    pub async fn last_stamped_without(
        &self,
        log_id: &str,
        index: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.size_by(LAST_WITHOUT, (log_id, index), None).await
    }

    /// The smallest head with this leaf that an authority, or this one, has stamped.
    pub async fn first_stamped_with(
        &self,
        log_id: &str,
        index: u64,
        authority: Option<&str>,
    ) -> Result<Option<u64>, StoreError> {
        let statement = if authority.is_some() { FIRST_WITH_BY } else { FIRST_WITH };
        self.size_by(statement, (log_id, index), authority).await
    }

    /// The largest stamped head that is larger than this.
    pub async fn last_stamped_beyond(
        &self,
        log_id: &str,
        size: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.size_by(LAST_STAMPED, (log_id, size), None).await
    }

    /// Of each log that holds certificates for which nobody vouches yet, the index of the newest of
    /// their leaves.
    pub async fn leaves_to_anchor(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self.read(TO_ANCHOR, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.get("log_id")?, row.whole("idx")?))).collect()
    }

    /// Keeps signature lines that were checked.
    ///
    /// # Errors
    /// `Conflict` where their head is not in the store.
    pub async fn keep_cosignatures(&self, lines: Vec<Cosignature>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for one in lines {
            let size = count(one.size, TOO_LARGE)?;
            let values = args![one.log_id, size, one.cosigner, one.line, one.signed_at];
            tx.execute(KEEP_COSIGNATURE, values).await?;
        }
        tx.commit().await
    }

    /// Signature lines of others under a head.
    pub async fn cosignatures(
        &self,
        log_id: &str,
        size: u64,
    ) -> Result<Vec<Cosignature>, StoreError> {
        let values = args![log_id, count(size, TOO_LARGE)?];
        self.read(COSIGNATURES, values).await?.iter().map(cosignature).collect()
    }

    /// The smallest head with this leaf that this key has signed.
    pub async fn first_cosigned_with(
        &self,
        log_id: &str,
        index: u64,
        cosigner: &str,
    ) -> Result<Option<u64>, StoreError> {
        self.size_by(FIRST_COSIGNED, (log_id, index), Some(cosigner)).await
    }

    /// The largest head of a log that this key has signed, and when.
    pub async fn last_cosigned(
        &self,
        log_id: &str,
        cosigner: &str,
    ) -> Result<Option<(u64, Timestamp)>, StoreError> {
        let row = self.read_one(LAST_COSIGNED, args![log_id, cosigner]).await?;
        row.map(|row| Ok((row.whole("size")?, row.instant("signed_at")?))).transpose()
    }

    /// Name and identifier of the key of this name that has signed the largest head of a log.
    pub async fn cosigner_called(
        &self,
        log_id: &str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = self.read_one(COSIGNER_CALLED, args![log_id, name]).await?;
        row.map(|row| row.get("cosigner")).transpose()
    }

    /// The size that a statement finds in a log by a bound, and by whom it was signed or stamped.
    async fn size_by(
        &self,
        statement: Sql,
        (log_id, bound): (&str, u64),
        by: Option<&str>,
    ) -> Result<Option<u64>, StoreError> {
        let mut values = args![log_id, count(bound, TOO_LARGE)?];
        values.extend(by.map(Arg::from));
        let Some(row) = self.read_one(statement, values).await? else { return Ok(None) };
        let size: Option<i64> = row.get("size")?;
        let wrong = |_| StoreError::Corrupt { column: "time_stamps.size" };
        size.map(|size| u64::try_from(size).map_err(wrong)).transpose()
    }
}
