//! Status lists: what became of certificates, and the lists that were signed about it.
//!
//! A list is due where something in it changed since it was signed. The number of changes is read
//! before what they are, so that a change that comes in between makes the list due once more.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::statement::{Row, Sql, args, words};

/// Most lists that are looked at in one go.
const LISTS: u32 = 100;

words! {
    /// What somebody decided about a certificate.
    CertificateDecision {
        /// It counts again, after it was disputed.
        Current = "current",
        /// It was issued in error. For good, but for the correction that may take its place.
        Withdrawn = "withdrawn",
        /// It is contested, and looked into.
        Disputed = "disputed",
    }

    /// What became of a certificate, where something did.
    Changed {
        /// Another one takes its place.
        Superseded = "superseded",
        /// It was issued in error.
        Withdrawn = "withdrawn",
        /// It is contested.
        Disputed = "disputed",
    }
}

/// Where a certificate stands in a status list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPlace {
    /// Name of the list.
    pub list: String,
    /// Number in it.
    pub index: u32,
}

/// A list that has to be signed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueStatusList {
    /// Its name.
    pub name: String,
    /// How many changes there were when it was read.
    pub changes: u64,
}

/// A signed list that waits for its bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatusList {
    /// Its name.
    pub name: String,
    /// The entry that is its leaf.
    pub entry_id: Uuid,
    /// The signed envelope.
    pub envelope: Vec<u8>,
}

const PLACE_TAKEN: Sql =
    Sql::both("SELECT 1 AS taken FROM certificates WHERE status_list = $1 AND status_index = $2");
const CERTIFICATES: Sql = Sql::both("SELECT certificates FROM status_lists WHERE name = $1");
const JOINS: Sql = Sql::both(
    "INSERT INTO status_lists (name, certificates, changes) VALUES ($1, 1, 1)
     ON CONFLICT (name) DO UPDATE SET certificates = status_lists.certificates + 1,
         changes = status_lists.changes + 1",
);
const CHANGED: Sql = Sql::both(
    "UPDATE status_lists SET changes = changes + 1
     WHERE name = (SELECT status_list FROM certificates WHERE id = $1)",
);
const DUE: Sql = Sql::both(
    "SELECT name, changes FROM status_lists
     WHERE changes > signed_changes OR issued_at IS NULL OR issued_at <= $1
     ORDER BY name LIMIT $2",
);
const CHANGES: Sql = Sql::both(
    "SELECT certificates.status_index,
         CASE WHEN latest.status = 'withdrawn' AND NOT EXISTS (
                  SELECT 1 FROM certificates AS later WHERE later.id = certificates.superseded_by
                    AND later.class = 'correction') THEN 'withdrawn'
              WHEN certificates.superseded_by IS NOT NULL THEN 'superseded'
              ELSE latest.status END AS status
     FROM certificates
     LEFT JOIN certificate_decisions AS latest ON latest.certificate_id = certificates.id
         AND latest.number = (SELECT max(number) FROM certificate_decisions AS every
             WHERE every.certificate_id = certificates.id)
     WHERE certificates.status_list = $1
       AND (certificates.superseded_by IS NOT NULL
            OR latest.status IN ('withdrawn', 'disputed'))",
);
const SIGNED: Sql = Sql::both(
    "UPDATE status_lists SET signed_changes = $2, issued_at = $3, entry_id = $4, envelope = $5
     WHERE name = $1 AND (signed_changes < $2 OR issued_at IS NULL OR issued_at <= $6)",
);
const ISSUE: Sql =
    Sql::both("INSERT INTO status_list_issues (entry_id, name, issued_at) VALUES ($1, $2, $3)");
const TO_BUNDLE: Sql = Sql::both(
    "SELECT name, entry_id, envelope FROM status_lists
     WHERE entry_id IS NOT NULL AND (bundled_entry IS NULL OR bundled_entry <> entry_id)
       AND EXISTS (SELECT 1 FROM log_leaves WHERE log_leaves.entry_id = status_lists.entry_id)
     ORDER BY name LIMIT $1",
);
const SET_BUNDLE: Sql = Sql::both(
    "UPDATE status_lists SET bundle = $3, bundled_entry = $2 WHERE name = $1 AND entry_id = $2",
);
const BUNDLE: Sql = Sql::both("SELECT bundle FROM status_lists WHERE name = $1");
const LIST_OF: Sql = Sql::both("SELECT status_list FROM certificates WHERE id = $1");
const LIST_OF_ENTRY: Sql = Sql::both("SELECT name FROM status_list_issues WHERE entry_id = $1");
// Whoever decides at the same moment has to wait, or takes the same number and is refused.
const DECIDED: Sql = Sql::both(
    "SELECT status, number FROM certificate_decisions WHERE certificate_id = $1
     ORDER BY number DESC LIMIT 1",
);
const DECIDE: Sql = Sql::both(
    "INSERT INTO certificate_decisions (certificate_id, number, status, decided_at)
     VALUES ($1, $2, $3, $4)",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("status_lists::PLACE_TAKEN", PLACE_TAKEN),
    ("status_lists::CERTIFICATES", CERTIFICATES),
    ("status_lists::JOINS", JOINS),
    ("status_lists::CHANGED", CHANGED),
    ("status_lists::DUE", DUE),
    ("status_lists::CHANGES", CHANGES),
    ("status_lists::SIGNED", SIGNED),
    ("status_lists::ISSUE", ISSUE),
    ("status_lists::TO_BUNDLE", TO_BUNDLE),
    ("status_lists::SET_BUNDLE", SET_BUNDLE),
    ("status_lists::BUNDLE", BUNDLE),
    ("status_lists::LIST_OF", LIST_OF),
    ("status_lists::LIST_OF_ENTRY", LIST_OF_ENTRY),
    ("status_lists::DECIDED", DECIDED),
    ("status_lists::DECIDE", DECIDE),
];

/// A new certificate takes its place in a list.
pub(super) async fn join(tx: &mut Tx, list: &str) -> Result<(), StoreError> {
    tx.execute(JOINS, args![list]).await?;
    Ok(())
}

/// Something became of this certificate: its list is due.
pub(super) async fn changed(tx: &mut Tx, certificate: Uuid) -> Result<(), StoreError> {
    tx.execute(CHANGED, args![certificate]).await?;
    Ok(())
}

fn due(row: &Row) -> Result<DueStatusList, StoreError> {
    Ok(DueStatusList { name: row.get("name")?, changes: row.whole("changes")? })
}

impl Store {
    /// How many certificates have a place in this list.
    pub async fn certificates_of_status_list(&self, name: &str) -> Result<u64, StoreError> {
        let row = self.read_one(CERTIFICATES, args![name]).await?;
        row.map_or(Ok(0), |row| row.whole("certificates"))
    }

    /// Whether a certificate has this place.
    pub async fn status_place_taken(&self, place: &StatusPlace) -> Result<bool, StoreError> {
        let values = args![place.list.as_str(), i64::from(place.index)];
        Ok(self.read_one(PLACE_TAKEN, values).await?.is_some())
    }

    /// Lists that changed since they were signed, or were signed at this moment or before; at most
    /// 100.
    pub async fn due_status_lists(
        &self,
        before: Timestamp,
    ) -> Result<Vec<DueStatusList>, StoreError> {
        self.read(DUE, args![before, LISTS]).await?.iter().map(due).collect()
    }

    /// The places of a list that say something else than `current`.
    pub async fn changes_of_status_list(
        &self,
        name: &str,
    ) -> Result<Vec<(u64, Changed)>, StoreError> {
        let rows = self.read(CHANGES, args![name]).await?;
        rows.iter()
            .map(|row| Ok((row.whole("status_index")?, row.word("status", Changed::parse)?)))
            .collect()
    }

    /// Writes a signed list with its leaf; `false`, with nothing written, where somebody else was
    /// first.
    pub async fn sign_status_list(
        &self,
        list: &DueStatusList,
        envelope: Vec<u8>,
        leaf: OutboxEntry,
        (now, before): (Timestamp, Timestamp),
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let entry = leaf.entry_id;
        let changes =
            i64::try_from(list.changes).map_err(|_| StoreError::Corrupt { column: "changes" })?;
        let values = args![list.name.as_str(), changes, now, entry, envelope, before];
        if tx.execute(SIGNED, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.execute(ISSUE, args![entry, list.name.as_str(), now]).await?;
        evidence::append(&mut tx, vec![leaf], now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Signed lists whose leaf is in the log and whose bundle is that of an earlier one; at most
    /// 100.
    pub async fn status_lists_to_bundle(&self) -> Result<Vec<SignedStatusList>, StoreError> {
        let rows = self.read(TO_BUNDLE, args![LISTS]).await?;
        rows.iter()
            .map(|row| {
                Ok(SignedStatusList {
                    name: row.get("name")?,
                    entry_id: row.get("entry_id")?,
                    envelope: row.get("envelope")?,
                })
            })
            .collect()
    }

    /// Gives a signed list its bundle; `false` where a newer one was signed meanwhile.
    pub async fn set_status_bundle(
        &self,
        list: &SignedStatusList,
        bundle: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let values = args![list.name.as_str(), list.entry_id, bundle];
        Ok(self.write(SET_BUNDLE, values).await? == 1)
    }

    /// The newest bundle of a list.
    pub async fn status_bundle(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.read_one(BUNDLE, args![name]).await?;
        row.map_or(Ok(None), |row| row.get("bundle"))
    }

    /// The list that a certificate stands in; `None` where it stands in none.
    pub async fn status_list_of(&self, certificate: Uuid) -> Result<Option<String>, StoreError> {
        let row = self.read_one(LIST_OF, args![certificate]).await?;
        row.map_or(Ok(None), |row| row.get("status_list"))
    }

    /// The list that was signed with this entry as its leaf.
    pub async fn status_list_of_entry(&self, entry: Uuid) -> Result<Option<String>, StoreError> {
        let row = self.read_one(LIST_OF_ENTRY, args![entry]).await?;
        row.map(|row| row.get("name")).transpose()
    }

    /// What somebody decided last about a certificate.
    pub async fn decided_about(
        &self,
        certificate: Uuid,
    ) -> Result<Option<CertificateDecision>, StoreError> {
        let row = self.read_one(DECIDED, args![certificate]).await?;
        row.map(|row| row.word("status", CertificateDecision::parse)).transpose()
    }

    /// Writes a decision about a certificate where the last one is still the one expected; `false`,
    /// with nothing written, where it is not.
    pub async fn decide_about(
        &self,
        certificate: Uuid,
        expected: Option<CertificateDecision>,
        decision: CertificateDecision,
        evidence: Vec<OutboxEntry>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let last = tx.read_one(DECIDED, args![certificate]).await?;
        let number = match &last {
            Some(row) => row.whole("number")?,
            None => 0,
        };
        let found = last.map(|row| row.word("status", CertificateDecision::parse)).transpose()?;
        if found != expected {
            tx.rollback().await?;
            return Ok(false);
        }
        let number =
            i64::try_from(number + 1).map_err(|_| StoreError::Corrupt { column: "number" })?;
        tx.execute(DECIDE, args![certificate, number, decision.as_str(), now]).await?;
        changed(&mut tx, certificate).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
