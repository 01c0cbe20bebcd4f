//! Certificates: one in force for each closed case; its words never change.
//!
//! A certificate, its leaf, the closing of its case and the letter to its person are one transaction.
//! Later it gains its bundle (the proof that the leaf is in the log) and perhaps a successor.

use jiff::Timestamp;
use uuid::Uuid;

use super::certificate_words::pattern;
use super::claims::{self, Turn};
use super::closing::{self, JobsStated};
use super::compressed::{compress, expand};
use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs::{self, JobKind, NewJob};
use super::letters::{self, NewLetter};
use super::requests::{self, RequestChange};
use super::rows::Rows;
use super::statement::{Row, Sql, args, words};
use super::status_lists::{self, StatusPlace};
use crate::domain::CaseOutcome;

words! {
    /// How far a certificate has come.
    CertificateState {
        /// Signed; its leaf may still wait in the outbox.
        Signed = "signed",
        /// In the log, with its proof.
        Logged = "logged",
        /// Others vouch for when it was in the log, and that everybody is shown this log.
        Anchored = "anchored",
    }

    /// By what a certificate is found.
    TopicKind {
        /// A system that it speaks of.
        System = "system",
        /// A rule that it speaks of.
        Rule = "rule",
        /// A category that it speaks of.
        Category = "category",
    }
}

/// A word by which a certificate is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// What the word is.
    pub kind: TopicKind,
    /// The word.
    pub name: String,
}

/// A certificate to write.
#[derive(Debug, Clone)]
pub struct NewCertificate {
    /// Its identifier.
    pub id: Uuid,
    /// The case, which it closes.
    pub case_id: Uuid,
    /// How the case ended.
    pub outcome: CaseOutcome,
    /// Its class, as on the certificate.
    pub class: String,
    /// Its verdict, as on the certificate.
    pub overall: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The jobs that it was stated from.
    pub stated: JobsStated,
    /// The signed words.
    pub statement: Vec<u8>,
    /// The signed envelope.
    pub envelope: Vec<u8>,
    /// The manifest of what it rests on.
    pub manifest: Vec<u8>,
    /// By what it is found.
    pub topics: Vec<Topic>,
    /// Where its status is published.
    pub status: Option<StatusPlace>,
    /// Its leaf.
    pub leaf: OutboxEntry,
    /// Dated jobs for what is kept: they are written with the certificate that names the dates.
    pub later: Vec<NewJob>,
    /// How often other rules had come in force when these dates were computed; `None` without a law.
    pub rules_version: Option<u64>,
    /// The request that is answered by it.
    pub request: Option<RequestChange>,
    /// The letter that tells the person.
    pub letter: Option<NewLetter>,
    /// Further evidence, such as the closing of the case.
    pub evidence: Vec<OutboxEntry>,
}

/// A certificate on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What lists show.
    pub summary: CertificateSummary,
    /// The signed words.
    pub statement: Vec<u8>,
    /// The signed envelope.
    pub envelope: Vec<u8>,
    /// The manifest of what it rests on.
    pub manifest: Vec<u8>,
    /// The bundle; only where it is logged.
    pub bundle: Option<Vec<u8>>,
}

/// A certificate as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Its identifier.
    pub id: Uuid,
    /// The case.
    pub case_id: Uuid,
    /// Its class.
    pub class: String,
    /// How far it has come.
    pub state: CertificateState,
    /// Its verdict.
    pub overall: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The entry that is its leaf.
    pub entry_id: Uuid,
    /// The one that replaced it.
    pub superseded_by: Option<Uuid>,
}

/// Which certificates to list; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    /// Only those that speak of this system.
    pub system: Option<String>,
    /// Only those that speak of this rule.
    pub rule: Option<String>,
    /// Only those with a topic that contains these letters.
    pub text: Option<String>,
    /// Only those of this case.
    pub case_id: Option<Uuid>,
    /// Only those issued at this moment or later.
    pub from: Option<Timestamp>,
    /// Only those issued before this moment.
    pub to: Option<Timestamp>,
    /// Only those that come after this one in the list.
    pub before: Option<(Timestamp, Uuid)>,
    /// How many; at most 1000, 0 means 100.
    pub limit: u32,
}

macro_rules! certificate_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, case_id, class,
                 CASE WHEN anchored_at IS NULL THEN state ELSE 'anchored' END AS state,
                 overall, issued_at, entry_id, statement, envelope,
                 manifest, bundle, superseded_by FROM certificates ",
            $rest
        )
    };
}

const IN_FORCE: Sql =
    Sql::both("SELECT id FROM certificates WHERE case_id = $1 AND superseded_by IS NULL");
// The outcome is that of the certificate in force.
const STILL_CLOSED: Sql = Sql::both(
    "UPDATE cases SET outcome = $2 WHERE id = $1 AND state = 'closed'
       AND EXISTS (SELECT 1 FROM certificates WHERE certificates.id = $3
           AND certificates.case_id = $1 AND certificates.superseded_by IS NULL)",
);
const SUPERSEDE: Sql = Sql::both("UPDATE certificates SET superseded_by = $2 WHERE id = $1");
const INSERT: Sql = Sql::both(
    "INSERT INTO certificates (id, case_id, class, state, overall, issued_at, entry_id, statement,
         envelope, manifest, status_list, status_index)
     VALUES ($1, $2, $3, 'signed', $4, $5, $6, $7, $8, $9, $10, $11)",
);
// Each database takes many rows in its own way.
const TOPICS: Sql = Sql::fork(
    "INSERT INTO certificate_topics (certificate_id, kind, name)
     SELECT $1, value ->> 0, value ->> 1 FROM json_each($2) WHERE TRUE
     ON CONFLICT (certificate_id, kind, name) DO NOTHING",
    "INSERT INTO certificate_topics (certificate_id, kind, name)
     SELECT $1, kind, name FROM unnest($2::text[], $3::text[]) AS rows (kind, name)
     ON CONFLICT (certificate_id, kind, name) DO NOTHING",
);
const STATEMENT: Sql = Sql::both("SELECT statement FROM certificates WHERE id = $1");
// Once it has one, only a stronger one takes its place: another process may have anchored it meanwhile.
const SET_BUNDLE: Sql = Sql::both(
    "UPDATE certificates SET state = 'logged', bundle = $2 WHERE id = $1 AND bundle IS NULL",
);
// The newest first: whoever has just been given one waits for it.
const TO_ANCHOR: Sql = Sql::both(certificate_columns!(
    "WHERE anchored_at IS NULL AND bundle IS NOT NULL AND (issued_at, id) < ($1, $2)
     ORDER BY issued_at DESC, id DESC LIMIT $3"
));
const ANCHOR: Sql = Sql::both(
    "UPDATE certificates SET bundle = $2, anchored_at = $3
     WHERE id = $1 AND anchored_at IS NULL AND bundle IS NOT NULL",
);
const BY_ID: Sql = Sql::both(certificate_columns!("WHERE id = $1"));
const OF_CASE: Sql =
    Sql::both(certificate_columns!("WHERE case_id = $1 AND superseded_by IS NULL"));
const TO_BUNDLE: Sql = Sql::both(certificate_columns!(
    "WHERE state = 'signed' AND (issued_at, id) > ($1, $2)
       AND EXISTS (SELECT 1 FROM log_leaves WHERE log_leaves.entry_id = certificates.entry_id)
     ORDER BY issued_at, id LIMIT $3"
));
const OF_ENTRY: Sql = Sql::both("SELECT id FROM certificates WHERE entry_id = $1");
const LIST: Sql = Sql::both(
    "SELECT id, case_id, class,
         CASE WHEN anchored_at IS NULL THEN state ELSE 'anchored' END AS state,
         overall, issued_at, entry_id, superseded_by
     FROM certificates
     WHERE (CAST($1 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM certificate_topics AS topics
             WHERE topics.certificate_id = certificates.id AND topics.kind = 'system'
               AND topics.name = $1))
       AND (CAST($2 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM certificate_topics AS topics
             WHERE topics.certificate_id = certificates.id AND topics.kind = 'rule'
               AND topics.name = $2))
       AND (CAST($3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM certificate_topics AS topics
             WHERE topics.certificate_id = certificates.id
               AND lower(topics.name) LIKE $3 ESCAPE '\\'))
       AND case_id = COALESCE($4, case_id)
       AND (CAST($5 AS BIGINT) IS NULL OR issued_at >= $5)
       AND (CAST($6 AS BIGINT) IS NULL OR issued_at < $6)
       AND (CAST($7 AS BIGINT) IS NULL OR (issued_at, id) < ($7, $8))
     ORDER BY issued_at DESC, id DESC LIMIT $9",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("certificates::IN_FORCE", IN_FORCE),
    ("certificates::STILL_CLOSED", STILL_CLOSED),
    ("certificates::SUPERSEDE", SUPERSEDE),
    ("certificates::INSERT", INSERT),
    ("certificates::TOPICS", TOPICS),
    ("certificates::STATEMENT", STATEMENT),
    ("certificates::SET_BUNDLE", SET_BUNDLE),
    ("certificates::TO_ANCHOR", TO_ANCHOR),
    ("certificates::ANCHOR", ANCHOR),
    ("certificates::BY_ID", BY_ID),
    ("certificates::OF_CASE", OF_CASE),
    ("certificates::TO_BUNDLE", TO_BUNDLE),
    ("certificates::OF_ENTRY", OF_ENTRY),
    ("certificates::LIST", LIST),
];

fn summary(row: &Row) -> Result<CertificateSummary, StoreError> {
    Ok(CertificateSummary {
        id: row.get("id")?,
        case_id: row.get("case_id")?,
        class: row.get("class")?,
        state: row.word("state", CertificateState::parse)?,
        overall: row.get("overall")?,
        issued_at: row.instant("issued_at")?,
        entry_id: row.get("entry_id")?,
        superseded_by: row.get("superseded_by")?,
    })
}

/// The signed words of a row, as they were signed.
pub(super) fn statement_of(row: &Row) -> Result<Vec<u8>, StoreError> {
    expand("statement", row.get("statement")?, &[])
}

/// How a value is read that is kept beside a statement.
type Expand = fn(&'static str, Vec<u8>, &[u8]) -> Result<Vec<u8>, StoreError>;

fn from_row(row: &Row) -> Result<Certificate, StoreError> {
    read_with(expand, row)
}

/// A certificate for whoever verifies it before anything else: what is damaged is handed on as it is
/// kept, so that this one is refused by its name and keeps no other one waiting.
fn to_verify(row: &Row) -> Result<Certificate, StoreError> {
    let or_as_kept: Expand =
        |column, kept, statement| Ok(expand(column, kept.clone(), statement).unwrap_or(kept));
    read_with(or_as_kept, row)
}

fn read_with(expand: Expand, row: &Row) -> Result<Certificate, StoreError> {
    let statement = expand("statement", row.get("statement")?, &[])?;
    let bundle: Option<Vec<u8>> = row.get("bundle")?;
    Ok(Certificate {
        summary: summary(row)?,
        envelope: expand("envelope", row.get("envelope")?, &statement)?,
        manifest: expand("manifest", row.get("manifest")?, &statement)?,
        bundle: bundle.map(|kept| expand("bundle", kept, &statement)).transpose()?,
        statement,
    })
}

/// A bundle as it is kept beside the statement of its certificate.
async fn compressed_beside(tx: &mut Tx, id: Uuid, bundle: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let row = tx.read_one(STATEMENT, args![id]).await?;
    let statement = row.as_ref().map(statement_of).transpose()?.unwrap_or_default();
    Ok(compress(bundle, &statement))
}

/// Writes a certificate in the place of the one in force; `false` where its request has moved.
async fn write(tx: &mut Tx, certificate: NewCertificate) -> Result<bool, StoreError> {
    let now = certificate.issued_at;
    if let Some(earlier) = tx.read_one(IN_FORCE, args![certificate.case_id]).await? {
        let earlier: Uuid = earlier.get("id")?;
        tx.execute(SUPERSEDE, args![earlier, certificate.id]).await?;
        status_lists::changed(tx, earlier).await?;
    }
    let envelope = compress(certificate.envelope, &certificate.statement);
    let manifest = compress(certificate.manifest, &certificate.statement);
    let values = args![
        certificate.id,
        certificate.case_id,
        certificate.class,
        certificate.overall,
        now,
        certificate.leaf.entry_id,
        compress(certificate.statement, &[]),
        envelope,
        manifest,
        certificate.status.as_ref().map(|place| place.list.clone()),
        certificate.status.as_ref().map(|place| i64::from(place.index)),
    ];
    tx.execute(INSERT, values).await?;
    if let Some(place) = &certificate.status {
        status_lists::join(tx, &place.list).await?;
    }
    let mut topics = Rows::default();
    for Topic { kind, name } in certificate.topics {
        topics.push(args![kind.as_str(), name])?;
    }
    if let Some(topics) = topics.take() {
        tx.execute(TOPICS, args![certificate.id, topics]).await?;
    }
    for job in certificate.later {
        jobs::insert(tx, certificate.case_id, job, now).await?;
    }
    if let Some(change) = certificate.request
        && !requests::change(tx, change, now).await?
    {
        return Ok(false);
    }
    evidence::append(tx, vec![certificate.leaf], now).await?;
    evidence::append(tx, certificate.evidence, now).await?;
    if let Some(letter) = certificate.letter {
        letters::write(tx, letter).await?;
    }
    Ok(true)
}

/// Where other rules have come in force since the dates of later jobs were computed, what waits for a
/// date is decided anew at once: it was not there to come forward with the others.
async fn date_by_the_law(tx: &mut Tx, certificate: &mut NewCertificate) -> Result<(), StoreError> {
    let Some(known) = certificate.rules_version else { return Ok(()) };
    if claims::versions(tx, Turn::Wait).await?.rules == known {
        return Ok(());
    }
    let dated = |job: &&mut NewJob| job.kind == JobKind::Retained && job.held_by.is_none();
    for job in certificate.later.iter_mut().filter(dated) {
        job.available_at = job.available_at.min(certificate.issued_at);
    }
    Ok(())
}

impl Store {
    /// Writes a certificate with its leaf and closes its case; an earlier certificate of the case
    /// is superseded. `false`, with nothing written, where the case is closed already, a job of it is
    /// not final, or something has ended or begun since it was stated, of which it says nothing.
    pub async fn insert_certificate(
        &self,
        mut certificate: NewCertificate,
    ) -> Result<bool, StoreError> {
        let now = certificate.issued_at;
        let mut tx = self.begin().await?;
        date_by_the_law(&mut tx, &mut certificate).await?;
        jobs::let_go_of_released(&mut tx, &mut certificate.later).await?;
        let (case, outcome) = (certificate.case_id, certificate.outcome);
        let may = closing::close(&mut tx, case, (outcome, now), Some(certificate.stated)).await?;
        if !may || !write(&mut tx, certificate).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Writes a certificate that corrects a withdrawn one of the same case, which is closed and stays
    /// so. `false`, with nothing written, where the case is open, or another one is in force by now.
    pub async fn insert_correction(
        &self,
        mut certificate: NewCertificate,
        withdrawn: Uuid,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        date_by_the_law(&mut tx, &mut certificate).await?;
        jobs::let_go_of_released(&mut tx, &mut certificate.later).await?;
        let closed = args![certificate.case_id, certificate.outcome.as_str(), withdrawn];
        let may = tx.execute(STILL_CLOSED, closed).await? == 1;
        if !may || !write(&mut tx, certificate).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Gives certificates their first bundles in one transaction; how many of them had none.
    pub async fn set_bundles(&self, bundles: Vec<(Uuid, Vec<u8>)>) -> Result<u64, StoreError> {
        let (mut tx, mut set) = (self.begin().await?, 0);
        for (id, bundle) in bundles {
            let bundle = compressed_beside(&mut tx, id, bundle).await?;
            set += tx.execute(SET_BUNDLE, args![id, bundle]).await?;
        }
        tx.commit().await.map(|()| set)
    }

    /// Certificates in the log for which nobody vouches yet, newest first; only those that come
    /// after `before` in this order. At most 1000.
    pub async fn certificates_to_anchor(
        &self,
        before: (Timestamp, Uuid),
        limit: u32,
    ) -> Result<Vec<Certificate>, StoreError> {
        let values = args![before.0, before.1, limit.min(1000)];
        self.read(TO_ANCHOR, values).await?.iter().map(to_verify).collect()
    }

    /// Gives a certificate the bundle that others vouch for; `false` where it has one already.
    pub async fn anchor_certificate(
        &self,
        id: Uuid,
        bundle: Vec<u8>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let bundle = compressed_beside(&mut tx, id, bundle).await?;
        let anchored = tx.execute(ANCHOR, args![id, bundle, now]).await? == 1;
        tx.commit().await.map(|()| anchored)
    }

    /// The certificate with this identifier.
    pub async fn certificate(&self, id: Uuid) -> Result<Option<Certificate>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// The certificate whose leaf this entry is.
    pub async fn certificate_of_entry(&self, entry: Uuid) -> Result<Option<Uuid>, StoreError> {
        let row = self.read_one(OF_ENTRY, args![entry]).await?;
        row.map(|row| row.get("id")).transpose()
    }

    /// The certificate of a case that is in force.
    pub async fn certificate_of_case(&self, case: Uuid) -> Result<Option<Certificate>, StoreError> {
        self.read_one(OF_CASE, args![case]).await?.as_ref().map(from_row).transpose()
    }

    /// Certificates whose leaf is in the log and that have no bundle yet, the oldest first; only those
    /// that come after `after` in this order. At most 1000.
    pub async fn certificates_to_bundle(
        &self,
        after: (Timestamp, Uuid),
        limit: u32,
    ) -> Result<Vec<Certificate>, StoreError> {
        let values = args![after.0, after.1, limit.min(1000)];
        self.read(TO_BUNDLE, values).await?.iter().map(to_verify).collect()
    }

    /// Certificates, newest first.
    pub async fn list_certificates(
        &self,
        filter: CertificateFilter,
    ) -> Result<Vec<CertificateSummary>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(1000) };
        let values = args![
            filter.system,
            filter.rule,
            filter.text.as_deref().map(pattern),
            filter.case_id,
            filter.from,
            filter.to,
            filter.before.map(|(issued_at, _)| issued_at),
            filter.before.map(|(_, id)| id),
            limit,
        ];
        self.read(LIST, values).await?.iter().map(summary).collect()
    }
}
