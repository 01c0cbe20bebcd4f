//! Pauses: somebody stops everything, a rule, a system or a case, and lets it go on later.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::Store;
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::holds::count_up;
use super::jobs::{self, BlockedReason};
use super::statement::{Row, Sql, args};
use crate::domain::{RuleName, SystemName};

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseScope {
    /// All work.
    Everything,
    /// A rule.
    Rule(RuleName),
    /// A system.
    System(SystemName),
    /// A case.
    Case(Uuid),
}

impl PauseScope {
    fn to_words(&self) -> (&'static str, String) {
        match self {
            Self::Everything => ("everything", String::new()),
            Self::Rule(rule) => ("rule", rule.to_string()),
            Self::System(system) => ("system", system.to_string()),
            Self::Case(case) => ("case", case.simple().to_string()),
        }
    }

    fn from_words(scope: &str, name: &str) -> Option<Self> {
        match scope {
            "everything" => Some(Self::Everything),
            "rule" => RuleName::parse(name).ok().map(Self::Rule),
            "system" => SystemName::parse(name).ok().map(Self::System),
            "case" => Uuid::try_parse(name).ok().map(Self::Case),
            _ => None,
        }
    }
}

/// A pause to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPause {
    /// Its identifier.
    pub id: Uuid,
    /// What is paused.
    pub scope: PauseScope,
    /// Who pauses it.
    pub paused_by: String,
    /// Why, without personal data.
    pub reason: String,
}

/// A pause on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Its identifier.
    pub id: Uuid,
    /// What is paused.
    pub scope: PauseScope,
    /// Who paused it.
    pub paused_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub paused_at: Timestamp,
}

const PAUSE: Sql = Sql::both(
    "INSERT INTO pauses (id, scope, name, paused_by, reason, paused_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (scope, name) WHERE resumed_at IS NULL DO NOTHING",
);
const RESUME: Sql = Sql::both(
    "UPDATE pauses SET resumed_at = $3, resumed_by = $4
     WHERE scope = $1 AND name = $2 AND resumed_at IS NULL",
);
const ACTIVE: Sql = Sql::both(
    "SELECT id, scope, name, paused_by, reason, paused_at FROM pauses
     WHERE resumed_at IS NULL ORDER BY paused_at, id",
);

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("pauses::PAUSE", PAUSE), ("pauses::RESUME", RESUME), ("pauses::ACTIVE", ACTIVE)];

fn from_row(row: &Row) -> Result<Pause, StoreError> {
    let scope: String = row.get("scope")?;
    let name: String = row.get("name")?;
    Ok(Pause {
        id: row.get("id")?,
        scope: PauseScope::from_words(&scope, &name)
            .ok_or(StoreError::Corrupt { column: "pauses.name" })?,
        paused_by: row.get("paused_by")?,
        reason: row.get("reason")?,
        paused_at: row.instant("paused_at")?,
    })
}

impl Store {
    /// Begins a pause; `false`, with nothing written, where it is paused already.
    pub async fn pause(
        &self,
        pause: NewPause,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        count_up(&mut tx, "pauses").await?;
        let (scope, name) = pause.scope.to_words();
        let values = args![pause.id, scope, name, pause.paused_by, pause.reason, now];
        if tx.execute(PAUSE, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a pause and makes jobs that were blocked by one available again, to be looked at anew.
    /// `false`, with nothing written, where it is not paused.
    pub async fn resume(
        &self,
        scope: &PauseScope,
        by: &str,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        count_up(&mut tx, "pauses").await?;
        let (scope, name) = scope.to_words();
        if tx.execute(RESUME, args![scope, name, now, by]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        jobs::unblock(&mut tx, BlockedReason::Pause, now).await?;
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// All pauses that last, oldest first.
    pub async fn active_pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.read(ACTIVE, Vec::new()).await?.iter().map(from_row).collect()
    }
}
