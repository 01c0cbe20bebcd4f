//! Requests of persons: what was asked, where it stands, and the sealed part that names the person.
//!
//! The open part is JSON that names nobody. The sealed part opens with the request's own key, which
//! is kept wrapped; forgetting a person destroys that key, the sealed part and the tags by which a
//! second request of the same person would be seen.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::opendsr::{self, NewOpendsrRequest};
use super::person_tags::{self, PersonTag};
use super::statement::{Row, Sql, args, json};
use crate::domain::{AskedRight, Digest, EpochName, RequestOutcome, RequestState};

/// A request to write.
#[derive(Clone)]
pub struct NewRequest {
    /// Its identifier.
    pub id: Uuid,
    /// Who brought it: the controller's own door, or the name of another one's token.
    pub source: String,
    /// What the source calls it.
    pub external_id: String,
    /// Digest of the content, by which the same request is known again.
    pub content_digest: Digest,
    /// What is asked.
    pub asked: AskedRight,
    /// Where it stands from the start.
    pub state: RequestState,
    /// When the person asked: this starts the law's clock.
    pub received_at: Timestamp,
    /// When the engine has to look at it next.
    pub look_at: Option<Timestamp>,
    /// The open part.
    pub body: Value,
    /// The request's own key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// With the key of this epoch; `None` is the vault's secret.
    pub key_epoch: Option<EpochName>,
    /// The part that names the person, sealed under that key.
    pub sealed: Vec<u8>,
    /// Keyed digests of the person's identities.
    pub tags: Vec<PersonTag>,
    /// Under which tags the same request of the same person would be under way.
    pub compared: Vec<Vec<u8>>,
}

/// What became of the wish to write a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenIn {
    /// It is written.
    New,
    /// The source has brought the same before; nothing was written.
    Same(Box<Request>),
    /// The source has brought another one under the same name; nothing was written.
    Differs,
    /// The same person has asked the same and that is not closed yet; nothing was written.
    UnderWay(Uuid),
}

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identifier.
    pub id: Uuid,
    /// Who brought it.
    pub source: String,
    /// What the source calls it.
    pub external_id: String,
    /// Digest of the content.
    pub content_digest: Digest,
    /// What is asked.
    pub asked: AskedRight,
    /// Where it stands.
    pub state: RequestState,
    /// How it ended; only where it is closed.
    pub outcome: Option<RequestOutcome>,
    /// When the person asked.
    pub received_at: Timestamp,
    /// When it was written down.
    pub recorded_at: Timestamp,
    /// When the engine has to look at it next.
    pub look_at: Option<Timestamp>,
    /// The case that carries it out.
    pub case_id: Option<Uuid>,
    /// The open part.
    pub body: Value,
    /// The request's own key, wrapped; `None` once the person is forgotten.
    pub wrapped_key: Option<Vec<u8>>,
    /// With the key of this epoch; `None` is the vault's secret.
    pub key_epoch: Option<EpochName>,
    /// The part that names the person, sealed; `None` once the person is forgotten.
    pub sealed: Option<Vec<u8>>,
    /// Counts its changes.
    pub version: u64,
    /// When it was closed; what follows after the answer does not change it.
    pub closed_at: Option<Timestamp>,
    /// When the person was forgotten.
    pub forgotten_at: Option<Timestamp>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Request({}, {}, {})", self.id, self.asked, self.state)
    }
}

/// A change of a request; it takes place only if nobody has changed it since it was read.
#[derive(Clone)]
pub struct RequestChange {
    /// Which one.
    pub id: Uuid,
    /// The version that was read.
    pub version: u64,
    /// Where it stands from now on.
    pub state: RequestState,
    /// How it ended, where it is closed.
    pub outcome: Option<RequestOutcome>,
    /// When the engine has to look at it next.
    pub look_at: Option<Timestamp>,
    /// The case that carries it out.
    pub case_id: Option<Uuid>,
    /// The open part.
    pub body: Value,
    /// A new sealed part; `None` leaves it as it is.
    pub sealed: Option<Vec<u8>>,
}

impl std::fmt::Debug for RequestChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RequestChange({}, {})", self.id, self.state)
    }
}

/// Which requests to list; those that came last first.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only in this state.
    pub state: Option<RequestState>,
    /// Only from this source.
    pub source: Option<String>,
    /// Only those that are not closed.
    pub open: bool,
    /// Only those that come after this one in the list.
    pub before: Option<(Timestamp, Uuid)>,
    /// How many; at most 1000, 0 means 100.
    pub limit: u32,
}

macro_rules! request_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, source, external_id, content_digest, asked, state, outcome, received_at,
             recorded_at, look_at, case_id, body, wrapped_key, sealed, version, closed_at,
             forgotten_at, key_epoch FROM requests ",
            $rest
        )
    };
}
pub(super) use request_columns;

// The same request may come several times at once. Who takes one in takes turns with the others, so
// that whoever comes later sees what the first has written, also where the two have different names
// and only a person in common. SQLite's one writer does so by itself. The number is the word
// `quietus` in ASCII and a one.
const TAKE_TURNS: Sql =
    Sql::fork("SELECT 1 AS turn", "SELECT pg_advisory_xact_lock(8175556583027471105) AS turn");
const INSERT: Sql = Sql::both(
    "INSERT INTO requests (id, source, external_id, content_digest, asked, state, received_at,
         recorded_at, look_at, body, wrapped_key, sealed, version, key_epoch)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13)",
);
const UNDER_WAY: Sql = Sql::both(
    "SELECT requests.id FROM requests, request_persons
     WHERE request_persons.request_id = requests.id AND request_persons.tag = $1
       AND requests.asked = $2 AND requests.state <> 'closed'
     ORDER BY requests.recorded_at, requests.id LIMIT 1",
);
const BY_ID: Sql = Sql::both(request_columns!("WHERE id = $1"));
const BY_NAME: Sql = Sql::both(request_columns!("WHERE source = $1 AND external_id = $2"));
const OF_CASE: Sql = Sql::both(request_columns!("WHERE case_id = $1"));
const TO_LOOK_AT: Sql = Sql::both(request_columns!(
    "WHERE look_at IS NOT NULL AND look_at <= $1 AND (state <> 'closed' OR $3)
     ORDER BY look_at, id LIMIT $2"
));
// Each change counts the version up; a law of the schema refuses any other.
const PUT_OFF: Sql = Sql::both(
    "UPDATE requests SET look_at = $3, version = version + 1
     WHERE id = $1 AND version = $2 AND look_at <= $3",
);
const LIST: Sql = Sql::both(request_columns!(
    "WHERE (CAST($1 AS TEXT) IS NULL OR state = $1)
       AND (CAST($2 AS TEXT) IS NULL OR source = $2)
       AND (state <> 'closed' OR NOT $3)
       AND (CAST($4 AS BIGINT) IS NULL OR (received_at, id) < ($4, $5))
     ORDER BY received_at DESC, id DESC LIMIT $6"
));
const OF_PERSON: Sql = Sql::both(request_columns!(
    "WHERE forgotten_at IS NULL
       AND id IN (SELECT request_id FROM request_persons WHERE tag = $1)
     ORDER BY recorded_at, id LIMIT 1000"
));
const CHANGE: Sql = Sql::both(
    "UPDATE requests SET version = version + 1, state = $3, outcome = $4,
         closed_at = CASE WHEN $3 = 'closed' AND state = 'closed' AND outcome <> 'failed'
             THEN closed_at ELSE CAST($5 AS BIGINT) END,
         look_at = $6, case_id = $7, body = $8, sealed = COALESCE($9, sealed)
     WHERE id = $1 AND version = $2 AND forgotten_at IS NULL",
);
pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("requests::TAKE_TURNS", TAKE_TURNS),
    ("requests::INSERT", INSERT),
    ("requests::UNDER_WAY", UNDER_WAY),
    ("requests::BY_ID", BY_ID),
    ("requests::BY_NAME", BY_NAME),
    ("requests::OF_CASE", OF_CASE),
    ("requests::TO_LOOK_AT", TO_LOOK_AT),
    ("requests::LIST", LIST),
    ("requests::OF_PERSON", OF_PERSON),
    ("requests::CHANGE", CHANGE),
    ("requests::PUT_OFF", PUT_OFF),
];

pub(super) fn from_row(row: &Row) -> Result<Request, StoreError> {
    Ok(Request {
        id: row.get("id")?,
        source: row.get("source")?,
        external_id: row.get("external_id")?,
        content_digest: row.digest("content_digest")?,
        asked: row.word("asked", AskedRight::parse)?,
        state: row.word("state", RequestState::parse)?,
        outcome: row.maybe_word("outcome", RequestOutcome::parse)?,
        received_at: row.instant("received_at")?,
        recorded_at: row.instant("recorded_at")?,
        look_at: row.maybe_instant("look_at")?,
        case_id: row.get("case_id")?,
        body: row.json("body")?,
        wrapped_key: row.get("wrapped_key")?,
        key_epoch: row.maybe_word("key_epoch", EpochName::parse)?,
        sealed: row.get("sealed")?,
        version: row.whole("version")?,
        closed_at: row.maybe_instant("closed_at")?,
        forgotten_at: row.maybe_instant("forgotten_at")?,
    })
}

/// Changes a request within the transaction of what it belongs to; `false` where somebody was
/// faster.
pub(super) async fn change(
    tx: &mut Tx,
    change: RequestChange,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let closed_at = (change.state == RequestState::Closed).then_some(now);
    let values = args![
        change.id,
        super::statement::count(change.version, "a version so large")?,
        change.state.as_str(),
        change.outcome.map(RequestOutcome::as_str),
        closed_at,
        change.look_at,
        change.case_id,
        json(&change.body)?,
        change.sealed,
    ];
    Ok(tx.execute(CHANGE, values).await? == 1)
}

/// Writes a request with its tags.
async fn insert(tx: &mut Tx, request: NewRequest, now: Timestamp) -> Result<(), StoreError> {
    let values = args![
        request.id,
        request.source,
        request.external_id,
        request.content_digest,
        request.asked.as_str(),
        request.state.as_str(),
        request.received_at,
        now,
        request.look_at,
        json(&request.body)?,
        request.wrapped_key,
        request.sealed,
        request.key_epoch.as_ref().map(EpochName::as_str),
    ];
    tx.execute(INSERT, values).await?;
    person_tags::add(tx, request.id, request.tags).await
}

impl Store {
    /// Writes a request, unless the source has brought it before or the same person's same request
    /// is under way. However many bring the same at once, one is written and the others are told of
    /// it.
    pub async fn take_in_request(
        &self,
        request: NewRequest,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<TakenIn, StoreError> {
        self.take_in(request, None, (now, evidence)).await
    }

    /// Writes a request that another controller brings, unless it has brought it before or its same
    /// request for the same identities is under way. What others have under way is not its matter.
    pub async fn take_in_opendsr_request(
        &self,
        request: NewRequest,
        brought: NewOpendsrRequest,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<TakenIn, StoreError> {
        self.take_in(request, Some(brought), (now, evidence)).await
    }

    async fn take_in(
        &self,
        mut request: NewRequest,
        brought: Option<NewOpendsrRequest>,
        (now, evidence): (Timestamp, Vec<OutboxEntry>),
    ) -> Result<TakenIn, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(TAKE_TURNS, Vec::new()).await?;
        let name = args![request.source.as_str(), request.external_id.as_str()];
        if let Some(row) = tx.read_one(BY_NAME, name).await? {
            let earlier = from_row(&row)?;
            tx.rollback().await?;
            return Ok(if earlier.content_digest == request.content_digest {
                TakenIn::Same(Box::new(earlier))
            } else {
                TakenIn::Differs
            });
        }
        for tag in std::mem::take(&mut request.compared) {
            let values = args![tag, request.asked.as_str()];
            if let Some(row) = tx.read_one(UNDER_WAY, values).await? {
                let earlier = row.get("id")?;
                tx.rollback().await?;
                return Ok(TakenIn::UnderWay(earlier));
            }
        }
        let id = request.id;
        insert(&mut tx, request, now).await?;
        if let Some(brought) = brought {
            opendsr::insert(&mut tx, id, brought).await?;
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(TakenIn::New)
    }

    /// The request with this identifier.
    pub async fn request(&self, id: Uuid) -> Result<Option<Request>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// The request that a source calls so.
    pub async fn request_named(
        &self,
        source: &str,
        external_id: &str,
    ) -> Result<Option<Request>, StoreError> {
        self.read_one(BY_NAME, args![source, external_id]).await?.as_ref().map(from_row).transpose()
    }

    /// The request that a case carries out.
    pub async fn request_of_case(&self, case: Uuid) -> Result<Option<Request>, StoreError> {
        self.read_one(OF_CASE, args![case]).await?.as_ref().map(from_row).transpose()
    }

    /// Requests of a person who is not forgotten, by the keyed digests of the person's identities;
    /// at most 1000 for each of them.
    pub async fn requests_of_person(&self, tags: Vec<Vec<u8>>) -> Result<Vec<Request>, StoreError> {
        let mut found: Vec<Request> = Vec::new();
        for tag in tags {
            for row in self.read(OF_PERSON, args![tag]).await? {
                let request = from_row(&row)?;
                if found.iter().all(|one| one.id != request.id) {
                    found.push(request);
                }
            }
        }
        Ok(found)
    }

    /// Requests that the engine has to look at now, with or without those of persons whose time has
    /// come to be forgotten; at most 1000.
    pub async fn requests_to_look_at(
        &self,
        now: Timestamp,
        limit: u32,
        forgets: bool,
    ) -> Result<Vec<Request>, StoreError> {
        let values = args![now, limit.min(1000), forgets];
        self.read(TO_LOOK_AT, values).await?.iter().map(from_row).collect()
    }

    /// Looks at a request that could not go on at this moment only, so that it stands in nobody's way;
    /// nothing happens where somebody has changed it meanwhile.
    pub async fn put_request_off(
        &self,
        request: &Request,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(
            PUT_OFF,
            args![
                request.id,
                super::statement::count(request.version, "a version so large")?,
                until
            ],
        )
        .await?;
        Ok(())
    }

    /// Requests, those that came last first.
    pub async fn list_requests(&self, filter: RequestFilter) -> Result<Vec<Request>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(1000) };
        let values = args![
            filter.state.map(RequestState::as_str),
            filter.source,
            filter.open,
            filter.before.map(|(received_at, _)| received_at),
            filter.before.map(|(_, id)| id),
            limit,
        ];
        self.read(LIST, values).await?.iter().map(from_row).collect()
    }

    /// Changes a request; `false`, with nothing written, where somebody was faster.
    pub async fn change_request(
        &self,
        wanted: RequestChange,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !change(&mut tx, wanted, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Closes a request by a decision, together with the request that carries the decision out;
    /// `false`, with nothing written, where somebody was faster.
    pub async fn decide_request(
        &self,
        decided: RequestChange,
        further: NewRequest,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !change(&mut tx, decided, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        insert(&mut tx, further, now).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}
