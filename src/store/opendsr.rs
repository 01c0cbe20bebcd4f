//! Requests that other controllers bring over `OpenDSR`, and the calls by which they are told of
//! every change of state.
//!
//! A state only goes on, and every step is a guarded `UPDATE`: what is seen twice is told once.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Row, Sql, args, count, words};
use crate::domain::Digest;

words! {
    /// How a request stands in the words of `OpenDSR`.
    OpendsrStatus {
        /// It can still be cancelled.
        Pending = "pending",
        /// It is being carried out.
        InProgress = "in_progress",
        /// It is over.
        Completed = "completed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }

    /// A spelling of the protocol.
    OpendsrDialect {
        /// OpenGDPR 1.0.
        V1 = "v1",
        /// OpenDSR 2.0.
        V2 = "v2",
        /// OpenDSR 2.0 with dictionaries.
        V3 = "v3",
    }

    /// What became of a call.
    CallbackState {
        /// It is to be made, for the first time or again.
        Waiting = "waiting",
        /// The controller has heard it.
        Delivered = "delivered",
        /// It was tried often enough.
        GivenUp = "given_up",
    }
}

impl OpendsrStatus {
    /// How far it is: 0, 1, and 2 where nothing follows.
    pub fn step(self) -> u32 {
        match self {
            Self::Pending => 0,
            Self::InProgress => 1,
            Self::Completed | Self::Cancelled => 2,
        }
    }
}

/// What is written with a request that another controller brings.
#[derive(Clone)]
pub struct NewOpendsrRequest {
    /// The controller's name with us.
    pub controller: String,
    /// The spelling in which it came.
    pub dialect: OpendsrDialect,
    /// Keyed digest of the body's bytes, by which the same one is known again.
    pub body_tag: Digest,
    /// Keyed digest of the group's name.
    pub group_tag: Option<Digest>,
    /// When it is expected to be over, as the first answer says.
    pub expected_at: Timestamp,
    /// Addresses to call back, sealed.
    pub sealed_urls: Option<Vec<u8>>,
}

/// A request that another controller brought.
#[derive(Clone, PartialEq, Eq)]
pub struct OpendsrRequest {
    /// The request.
    pub request_id: Uuid,
    /// The controller's name with us.
    pub controller: String,
    /// The spelling in which it came.
    pub dialect: OpendsrDialect,
    /// Keyed digest of the body's bytes.
    pub body_tag: Digest,
    /// When it is expected to be over, as the first answer says.
    pub expected_at: Timestamp,
    /// The state that was last seen.
    pub status: OpendsrStatus,
    /// The version of the request at which it was seen; -1 before the first look.
    pub seen_version: i64,
    /// Addresses to call back, sealed.
    pub sealed_urls: Option<Vec<u8>>,
}

/// A step of a request's state that was seen, with the calls that tell of it.
#[derive(Debug, Clone)]
pub struct OpendsrMove {
    /// The request.
    pub request_id: Uuid,
    /// The state that was read.
    pub from: OpendsrStatus,
    /// The state from now on.
    pub to: OpendsrStatus,
    /// The version of the request at which it was seen.
    pub seen_version: u64,
    /// How many addresses are called.
    pub places: u32,
}

/// Which call: the request, the place of its address, and the step that it tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackKey {
    /// The request.
    pub request_id: Uuid,
    /// Place of the address in the request.
    pub place: u32,
    /// Step of the state.
    pub step: u32,
}

/// A call by which a controller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Which one.
    pub key: CallbackKey,
    /// The state that it tells of.
    pub status: OpendsrStatus,
    /// What became of it.
    pub state: CallbackState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// What went wrong last: the host and the status code, never an address.
    pub last_fault: Option<String>,
    /// When the state changed.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    pub settled_at: Option<Timestamp>,
}

/// How an attempt to call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// The controller has heard it.
    Delivered,
    /// It is tried again.
    Later {
        /// When.
        next_at: Timestamp,
        /// What went wrong.
        fault: String,
    },
    /// It is not tried again.
    GivenUp {
        /// What went wrong.
        fault: String,
    },
}

macro_rules! request_columns {
    ($rest:literal) => {
        concat!(
            "SELECT o.request_id, o.controller, o.dialect, o.body_tag, o.expected_at, o.status,
             o.seen_version, o.sealed_urls FROM opendsr_requests o ",
            $rest
        )
    };
}
macro_rules! callback_columns {
    ($rest:literal) => {
        concat!(
            "SELECT c.request_id, c.place, c.step, c.status, c.state, c.attempts, c.next_at,
             c.last_fault, c.created_at, c.settled_at FROM opendsr_callbacks c ",
            $rest
        )
    };
}

const INSERT: Sql = Sql::both(
    "INSERT INTO opendsr_requests (request_id, controller, dialect, body_tag, group_tag,
         expected_at, status, seen_version, sealed_urls)
     VALUES ($1, $2, $3, $4, $5, $6, 'pending', -1, $7)",
);
const BY_REQUEST: Sql = Sql::both(request_columns!("WHERE o.request_id = $1"));
const OF_GROUP: Sql = Sql::both(request_columns!(
    "WHERE o.controller = $1 AND o.group_tag = $2 ORDER BY o.request_id LIMIT $3"
));
const CHANGED: Sql = Sql::both(request_columns!(
    "JOIN requests r ON r.id = o.request_id
     WHERE o.status IN ('pending', 'in_progress') AND r.version > o.seen_version
     ORDER BY o.seen_version, o.request_id LIMIT $1"
));
const MOVE: Sql = Sql::both(
    "UPDATE opendsr_requests SET status = $3, seen_version = $4
     WHERE request_id = $1 AND status = $2 AND seen_version < $4",
);
const CALL: Sql = Sql::both(
    "INSERT INTO opendsr_callbacks (request_id, place, step, status, state, attempts, next_at,
         created_at)
     VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $5)
     ON CONFLICT (request_id, place, step) DO NOTHING",
);
const TO_CALL: Sql = Sql::both(callback_columns!(
    "WHERE c.state = 'waiting' AND c.next_at <= $1
       AND NOT EXISTS (SELECT 1 FROM opendsr_callbacks e WHERE e.request_id = c.request_id
           AND e.place = c.place AND e.step < c.step AND e.state = 'waiting')
     ORDER BY c.next_at, c.request_id, c.place LIMIT $2"
));
const TAKE: Sql = Sql::both(
    "UPDATE opendsr_callbacks SET attempts = attempts + 1, next_at = $5
     WHERE request_id = $1 AND place = $2 AND step = $3 AND attempts = $4 AND state = 'waiting'",
);
const LATER: Sql = Sql::both(
    "UPDATE opendsr_callbacks SET next_at = $5, last_fault = $6
     WHERE request_id = $1 AND place = $2 AND step = $3 AND attempts = $4 AND state = 'waiting'",
);
const SETTLE: Sql = Sql::both(
    "UPDATE opendsr_callbacks SET state = $5, settled_at = $6, last_fault = $7
     WHERE request_id = $1 AND place = $2 AND step = $3 AND attempts = $4 AND state = 'waiting'",
);
const CALLS: Sql = Sql::both(callback_columns!("WHERE c.request_id = $1 ORDER BY c.step, c.place"));
pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("opendsr::INSERT", INSERT),
    ("opendsr::BY_REQUEST", BY_REQUEST),
    ("opendsr::OF_GROUP", OF_GROUP),
    ("opendsr::CHANGED", CHANGED),
    ("opendsr::MOVE", MOVE),
    ("opendsr::CALL", CALL),
    ("opendsr::TO_CALL", TO_CALL),
    ("opendsr::TAKE", TAKE),
    ("opendsr::LATER", LATER),
    ("opendsr::SETTLE", SETTLE),
    ("opendsr::CALLS", CALLS),
];

fn request_from(row: &Row) -> Result<OpendsrRequest, StoreError> {
    Ok(OpendsrRequest {
        request_id: row.get("request_id")?,
        controller: row.get("controller")?,
        dialect: row.word("dialect", OpendsrDialect::parse)?,
        body_tag: row.digest("body_tag")?,
        expected_at: row.instant("expected_at")?,
        status: row.word("status", OpendsrStatus::parse)?,
        seen_version: row.get("seen_version")?,
        sealed_urls: row.get("sealed_urls")?,
    })
}

fn callback_from(row: &Row) -> Result<Callback, StoreError> {
    Ok(Callback {
        key: CallbackKey {
            request_id: row.get("request_id")?,
            place: row.small("place")?,
            step: row.small("step")?,
        },
        status: row.word("status", OpendsrStatus::parse)?,
        state: row.word("state", CallbackState::parse)?,
        attempts: row.small("attempts")?,
        next_at: row.instant("next_at")?,
        last_fault: row.get("last_fault")?,
        created_at: row.instant("created_at")?,
        settled_at: row.maybe_instant("settled_at")?,
    })
}

/// Writes what belongs to a request of another controller, in the transaction of the request.
pub(super) async fn insert(
    tx: &mut Tx,
    request: Uuid,
    new: NewOpendsrRequest,
) -> Result<(), StoreError> {
    let values = args![
        request,
        new.controller,
        new.dialect.as_str(),
        new.body_tag,
        new.group_tag.map(|tag| tag.0.to_vec()),
        new.expected_at,
        new.sealed_urls,
    ];
    tx.execute(INSERT, values).await?;
    Ok(())
}

impl Store {
    /// What belongs to a request of another controller; `None` where it came by another door.
    pub async fn opendsr_request(
        &self,
        request: Uuid,
    ) -> Result<Option<OpendsrRequest>, StoreError> {
        self.read_one(BY_REQUEST, args![request]).await?.as_ref().map(request_from).transpose()
    }

    /// Requests of a group of one controller, in the order in which they came; at most 1000.
    pub async fn opendsr_group(
        &self,
        controller: &str,
        group_tag: Digest,
    ) -> Result<Vec<OpendsrRequest>, StoreError> {
        let values = args![controller, group_tag, 1000_u32];
        self.read(OF_GROUP, values).await?.iter().map(request_from).collect()
    }

    /// Requests that are not over and have changed since they were last looked at.
    pub async fn opendsr_changed(&self, limit: u32) -> Result<Vec<OpendsrRequest>, StoreError> {
        self.read(CHANGED, args![limit.min(1000)]).await?.iter().map(request_from).collect()
    }

    /// Writes down how a request stands now, with a call for each address and each step between;
    /// `false`, with nothing written, where somebody was faster.
    pub async fn opendsr_moved(
        &self,
        moved: OpendsrMove,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let OpendsrMove { request_id, from, to, seen_version, places } = moved;
        let mut tx = self.begin().await?;
        let version = count(seen_version, "a version so large")?;
        let values = args![request_id, from.as_str(), to.as_str(), version];
        if tx.execute(MOVE, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        // What was completed was in progress before, however quickly; what was cancelled was not.
        let between = from == OpendsrStatus::Pending && to == OpendsrStatus::Completed;
        let mut told = Vec::new();
        if between {
            told.push(OpendsrStatus::InProgress);
        }
        if to != from {
            told.push(to);
        }
        for status in told {
            for place in 0..places {
                let values = args![request_id, place, status.step(), status.as_str(), now];
                tx.execute(CALL, values).await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes calls that are to be made now, so that no other replica makes them before `again_at`.
    pub async fn take_callbacks(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        limit: u32,
    ) -> Result<Vec<Callback>, StoreError> {
        let due = self.read(TO_CALL, args![now, limit.min(1000)]).await?;
        let mut taken = Vec::new();
        for row in &due {
            let callback = callback_from(row)?;
            let CallbackKey { request_id, place, step } = callback.key;
            let values = args![request_id, place, step, callback.attempts, again_at];
            if self.write(TAKE, values).await? == 1 {
                taken.push(Callback { attempts: callback.attempts + 1, ..callback });
            }
        }
        Ok(taken)
    }

    /// Writes down how an attempt ended; `false` where another one has been begun meanwhile.
    pub async fn callback_called(
        &self,
        callback: &Callback,
        called: Called,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let CallbackKey { request_id, place, step } = callback.key;
        let attempts = callback.attempts;
        let settle = |state: CallbackState, fault: Option<String>| {
            args![request_id, place, step, attempts, state.as_str(), now, fault]
        };
        let written = match called {
            Called::Delivered => self.write(SETTLE, settle(CallbackState::Delivered, None)).await?,
            Called::GivenUp { fault } => {
                self.write(SETTLE, settle(CallbackState::GivenUp, Some(fault))).await?
            }
            Called::Later { next_at, fault } => {
                let values = args![request_id, place, step, attempts, next_at, fault];
                self.write(LATER, values).await?
            }
        };
        Ok(written == 1)
    }

    /// Calls of a request, in the order of its states.
    pub async fn callbacks_of(&self, request: Uuid) -> Result<Vec<Callback>, StoreError> {
        self.read(CALLS, args![request]).await?.iter().map(callback_from).collect()
    }
}
