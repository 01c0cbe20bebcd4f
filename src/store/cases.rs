//! Cases: one disposition undertaking each, from its plan to its certificate.
//!
//! A case, its plan, its jobs, the fires that it answers and its first evidence are written in one
//! transaction. What it was opened for is never rewritten.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::documents::{self, Document};
use super::ended_restrictions::{self, EndedRestriction};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::jobs::{self, NewJob};
use super::marks::{self, NewMark};
use super::requests::{self, RequestChange};
use super::schedules::{self, FireBatch};
use super::statement::{Arg, Row, Sql, args, json, words};
use crate::domain::{CaseOutcome, CaseState, Digest, ScheduleName};

words! {
    /// Which door a case came in by.
    CaseCause {
        /// A due moment of a schedule.
        Schedule = "schedule",
        /// A person's command.
        Command = "command",
        /// A rights request.
        Request = "request",
        /// A business event.
        Event = "event",
    }
}

/// The text of a plan with its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDocument {
    /// JSON text; it comes back byte for byte.
    pub text: String,
    /// Its digest, as the plan room counts it.
    pub digest: Digest,
}

/// A case to open.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// Its identifier.
    pub id: Uuid,
    /// Which door it came in by.
    pub cause: CaseCause,
    /// The schedule, where the cause is one.
    pub schedule: Option<ScheduleName>,
    /// When it was due, where the cause is a schedule.
    pub due_at: Option<Timestamp>,
    /// The moment for which it was planned.
    pub moment: Timestamp,
    /// `Executing`, or `AwaitingApproval` where a second person has to agree first.
    pub state: CaseState,
    /// The rule set under which it was planned.
    pub rules: Document,
    /// The data map under which it was planned.
    pub map: Document,
    /// The plan.
    pub plan: PlannedDocument,
    /// Who wrote the rules or opened the case: none of them may approve it.
    pub authors: Vec<String>,
    /// Who opened it: a person, or the name of the replica.
    pub opened_by: String,
    /// How long after the due moment it was opened, in microseconds.
    pub lag_us: Option<i64>,
    /// Why a second person has to agree.
    pub blocked_reason: Option<String>,
    /// Its jobs.
    pub jobs: Vec<NewJob>,
    /// The due moments that it answers.
    pub fires: Option<FireBatch>,
    /// Marks of rules whose grace begins.
    pub marks: Vec<NewMark>,
    /// The request that it carries out.
    pub request: Option<RequestChange>,
    /// Restrictions that end with it.
    pub ends: Vec<EndedRestriction>,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

/// What became of the wish to open a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenedCase {
    /// It is open.
    Opened,
    /// Another replica answered the same due moments; nothing was written.
    Lost,
    /// The schedule's earlier case is not closed yet; nothing was written.
    Overlapping(Uuid),
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its identifier.
    pub id: Uuid,
    /// Which door it came in by.
    pub cause: CaseCause,
    /// The schedule.
    pub schedule: Option<String>,
    /// When it was due.
    pub due_at: Option<Timestamp>,
    /// The moment for which it was planned.
    pub moment: Timestamp,
    /// Where it stands.
    pub state: CaseState,
    /// How it ended; only where it is closed.
    pub outcome: Option<CaseOutcome>,
    /// Digest of the rule set.
    pub rules_digest: Digest,
    /// Digest of the data map.
    pub map_digest: Digest,
    /// The plan.
    pub plan: PlannedDocument,
    /// Who may not approve it.
    pub authors: Vec<String>,
    /// Who opened it.
    pub opened_by: String,
    /// How long after the due moment it was opened, in microseconds.
    pub lag_us: Option<i64>,
    /// Why a second person has to agree, or had to.
    pub blocked_reason: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Who approved it, why and when.
    pub approved: Option<Decision>,
    /// Who called it off, why and when.
    pub cancelled: Option<Decision>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Why, without personal data.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Which cases to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Only in this state.
    pub state: Option<CaseState>,
    /// Only of this schedule.
    pub schedule: Option<ScheduleName>,
    /// Only those that come after this one in the list.
    pub before: Option<(Timestamp, Uuid)>,
    /// How many; at most 1000, 0 means 100.
    pub limit: u32,
}

macro_rules! case_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, cause, schedule, due_at, moment, state, outcome, rules_digest, map_digest,
             plan, plan_digest, authors, lag_us, blocked_reason, opened_by, created_at,
             approved_at, approved_by, approved_reason,
             cancelled_at, cancelled_by, cancelled_reason, closed_at FROM cases ",
            $rest
        )
    };
}
pub(super) use case_columns;
const OPEN: Sql = Sql::both(
    "INSERT INTO cases (id, cause, schedule, due_at, moment, state, rules_digest, map_digest,
         plan, plan_digest, authors, lag_us, blocked_reason, opened_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
     ON CONFLICT (schedule) WHERE cause = 'schedule' AND state <> 'closed' DO NOTHING",
);
const BY_ID: Sql = Sql::both(case_columns!("WHERE id = $1"));
const LIST: Sql = Sql::both(case_columns!(
    "WHERE (CAST($1 AS TEXT) IS NULL OR state = $1)
       AND (CAST($2 AS TEXT) IS NULL OR schedule = $2)
       AND (CAST($3 AS BIGINT) IS NULL OR (created_at, id) < ($3, $4))
     ORDER BY created_at DESC, id DESC LIMIT $5"
));
const ACTIVE_FOR: Sql = Sql::both(
    "SELECT id FROM cases WHERE schedule = $1 AND cause = 'schedule' AND state <> 'closed'",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("cases::OPEN", OPEN),
    ("cases::BY_ID", BY_ID),
    ("cases::LIST", LIST),
    ("cases::ACTIVE_FOR", ACTIVE_FOR),
];

fn decision(
    row: &Row,
    at: &'static str,
    by: &'static str,
    reason: &'static str,
) -> Result<Option<Decision>, StoreError> {
    let Some(at) = row.maybe_instant(at)? else { return Ok(None) };
    let reason: Option<String> = row.get(reason)?;
    Ok(Some(Decision { by: row.get(by)?, reason: reason.unwrap_or_default(), at }))
}

pub(super) fn from_row(row: &Row) -> Result<Case, StoreError> {
    Ok(Case {
        id: row.get("id")?,
        cause: row.word("cause", CaseCause::parse)?,
        schedule: row.get("schedule")?,
        due_at: row.maybe_instant("due_at")?,
        moment: row.instant("moment")?,
        state: row.word("state", CaseState::parse)?,
        outcome: row.maybe_word("outcome", CaseOutcome::parse)?,
        rules_digest: row.digest("rules_digest")?,
        map_digest: row.digest("map_digest")?,
        plan: PlannedDocument { text: row.get("plan")?, digest: row.digest("plan_digest")? },
        authors: row.json("authors")?,
        opened_by: row.get("opened_by")?,
        lag_us: row.get("lag_us")?,
        blocked_reason: row.get("blocked_reason")?,
        created_at: row.instant("created_at")?,
        approved: decision(row, "approved_at", "approved_by", "approved_reason")?,
        cancelled: decision(row, "cancelled_at", "cancelled_by", "cancelled_reason")?,
        closed_at: row.maybe_instant("closed_at")?,
    })
}

fn open_args(case: &NewCase, now: Timestamp) -> Result<Vec<Arg>, StoreError> {
    Ok(args![
        case.id,
        case.cause.as_str(),
        case.schedule.as_ref().map(ScheduleName::as_str),
        case.due_at,
        case.moment,
        case.state.as_str(),
        case.rules.digest,
        case.map.digest,
        case.plan.text.as_str(),
        case.plan.digest,
        json(&case.authors)?,
        case.lag_us,
        case.blocked_reason.as_deref(),
        case.opened_by.as_str(),
        now,
    ])
}

/// Writes a case with its documents and nothing else; `false` where its schedule has an open one.
pub(super) async fn insert(
    tx: &mut Tx,
    case: &NewCase,
    now: Timestamp,
) -> Result<bool, StoreError> {
    documents::keep(tx, case.rules.clone(), now).await?;
    documents::keep(tx, case.map.clone(), now).await?;
    Ok(tx.execute(OPEN, open_args(case, now)?).await? == 1)
}

impl Store {
    /// Opens a case with all that belongs to it, in one transaction.
    pub async fn open_case(&self, case: NewCase, now: Timestamp) -> Result<OpenedCase, StoreError> {
        let mut tx = self.begin().await?;
        if let Some(batch) = &case.fires
            && !schedules::advance(&mut tx, batch).await?
        {
            tx.rollback().await?;
            return Ok(OpenedCase::Lost);
        }
        if !insert(&mut tx, &case, now).await? {
            tx.rollback().await?;
            let Some(schedule) = &case.schedule else { return Ok(OpenedCase::Lost) };
            let active = self.active_case_for(schedule).await?;
            return Ok(active.map_or(OpenedCase::Lost, OpenedCase::Overlapping));
        }
        if let Some(batch) = &case.fires
            && !schedules::fire(&mut tx, batch, Some(case.id), now).await?
        {
            tx.rollback().await?;
            return Ok(OpenedCase::Lost);
        }
        if let Some(change) = case.request
            && !requests::change(&mut tx, change, now).await?
        {
            tx.rollback().await?;
            return Ok(OpenedCase::Lost);
        }
        if !ended_restrictions::end(&mut tx, case.ends, (&case.opened_by, now)).await? {
            tx.rollback().await?;
            return Ok(OpenedCase::Lost);
        }
        for job in case.jobs {
            jobs::insert(&mut tx, case.id, job, now).await?;
        }
        for mark in &case.marks {
            marks::record(&mut tx, &mark.rule, mark.at).await?;
        }
        evidence::append(&mut tx, case.evidence, now).await?;
        tx.commit().await?;
        Ok(OpenedCase::Opened)
    }

    /// The case with this identifier.
    pub async fn case(&self, id: Uuid) -> Result<Option<Case>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// Cases, newest first.
    pub async fn list_cases(&self, filter: CaseFilter) -> Result<Vec<Case>, StoreError> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit.min(1000) };
        let values = args![
            filter.state.map(CaseState::as_str),
            filter.schedule.as_ref().map(ScheduleName::as_str),
            filter.before.map(|(created_at, _)| created_at),
            filter.before.map(|(_, id)| id),
            limit,
        ];
        self.read(LIST, values).await?.iter().map(from_row).collect()
    }

    /// Gives a case of a request further jobs, with the change of the request that led to them.
    /// `false`, with nothing written, where somebody has changed the request.
    pub async fn add_jobs(
        &self,
        case: Uuid,
        new: Vec<NewJob>,
        request: RequestChange,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !requests::change(&mut tx, request, now).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        for job in new {
            jobs::insert(&mut tx, case, job, now).await?;
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The case of this schedule that is not closed yet.
    pub async fn active_case_for(
        &self,
        schedule: &ScheduleName,
    ) -> Result<Option<Uuid>, StoreError> {
        let row = self.read_one(ACTIVE_FOR, args![schedule.as_str()]).await?;
        row.map(|row| row.get("id")).transpose()
    }
}
