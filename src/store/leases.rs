//! Leader leases: one row a name. They spare replicas the same work; nothing is wrong where two
//! lead for a moment.

use jiff::{SignedDuration, Timestamp};

use super::connection::{Backend, Store};
use super::error::StoreError;
use super::statement::{Sql, args};

/// The wish to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead<'a> {
    /// What.
    pub name: &'a str,
    /// Who.
    pub holder: &'a str,
    /// Until when.
    pub until: Timestamp,
}

/// Whose lead lasts longer has taken it by a clock that was wrong.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

const LEAD: Sql = Sql::both(
    "INSERT INTO leases (name, holder, lease_until) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
     WHERE leases.holder = excluded.holder OR leases.lease_until < $4 OR leases.lease_until > $5",
);
const YIELD: Sql = Sql::both("DELETE FROM leases WHERE name = $1 AND holder = $2");

pub(super) const STATEMENTS: &[(&str, Sql)] = &[("leases::LEAD", LEAD), ("leases::YIELD", YIELD)];

impl Store {
    /// Whether processes on several machines may share it, so that it is worth asking who leads.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend(), Backend::Postgres { .. })
    }

    /// Takes or keeps the lead; `false` where another one has it.
    pub async fn try_lead(&self, lead: Lead<'_>, now: Timestamp) -> Result<bool, StoreError> {
        let too_far = now.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
        let values = args![lead.name, lead.holder, lead.until, now, too_far];
        Ok(self.write(LEAD, values).await? == 1)
    }

    /// Gives the lead back, for instance at shutdown.
    pub async fn yield_lead(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.write(YIELD, args![name, holder]).await.map(|_| ())
    }
}
