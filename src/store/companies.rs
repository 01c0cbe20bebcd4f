//! Companies: parts of requests in one system that one worker claims along, to carry them out together.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::claims::{
    Claim, ClaimedJob, find, lost, not_in_quarantine, not_paused, not_paused_here, waiting,
};
use super::connection::Store;
use super::error::StoreError;
use super::statement::{Sql, args};
use super::together::{self, Candidate};
use super::turns::Turns;
use crate::domain::SystemLimits;

/// The attempt from which on a job that has failed goes only with such as have failed too, because
/// some failures do not count against it and could keep others for as long as it fails.
pub const TOGETHER_AFTER_FAULT: u32 = 3;
/// The kind of a fault after which a job goes by itself.
pub const APART: &str = "apart";

/// With which jobs one would go together.
#[derive(Debug, Clone)]
pub struct Company {
    /// Of which system.
    pub system: String,
    /// More than so many attempts must be left of each before this one.
    pub attempts_left: u32,
    /// Those that have failed `TOGETHER_AFTER_FAULT` times or more; otherwise those that have not.
    pub troubled: bool,
}

// Who tries a system while its breaker is open does so alone.
macro_rules! alone_while_spared {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM breakers WHERE breakers.system = $3
             AND (breakers.opened_at IS NOT NULL OR breakers.leave_until > $1))"
    };
}
// Parts of requests in one system that were not tried too often yet. All that no index knows is one
// question, as where what could be claimed is sought.
macro_rules! company {
    ($which:expr $(, $database:ident)?) => {
        concat!(
            "SELECT id, case_id, state, attempt FROM jobs WHERE ",
            $which,
            " AND system = $3
               AND CASE WHEN state <> 'waiting' AND kind IN ('request', 'retained', 'replay')
                   AND reference IS NULL AND cancel_requested_at IS NULL
                   AND attempts_allowed - attempt > $4
                   AND (last_fault_kind IS NULL OR last_fault_kind <> 'apart')
                   AND (($6 = 1 AND last_fault_kind IS NOT NULL AND attempt >= $5)
                       OR ($6 = 0 AND (last_fault_kind IS NULL OR attempt < $5)))
                   THEN TRUE ELSE FALSE END",
            alone_while_spared!(),
            not_paused_here!($($database)?),
            " ORDER BY available_at, id LIMIT $2"
        )
    };
}
const LOST_COMPANY: Sql =
    Sql::fork(company!(lost!()), concat!(company!(lost!(), postgres), " FOR UPDATE SKIP LOCKED"));
const COMPANY: Sql = Sql::fork(
    company!(waiting!()),
    concat!(company!(waiting!(), postgres), " FOR UPDATE SKIP LOCKED"),
);
pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("companies::LOST_COMPANY", LOST_COMPANY), ("companies::COMPANY", COMPANY)];

impl Store {
    /// Claims the oldest parts of requests in one system that could be carried out together.
    pub async fn claim_company(
        &self,
        claim: Claim,
        company: &Company,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        self.claim_company_within(claim, company, &BTreeMap::new()).await
    }

    /// `claim_company` where some systems have limits: each job of a company counts.
    pub async fn claim_company_within(
        &self,
        claim: Claim,
        company: &Company,
        limits: &BTreeMap<String, SystemLimits>,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        let mut tx = self.begin().await?;
        let Company { system, attempts_left, troubled } = company;
        let (turns, limit) = Turns::of_company(&mut tx, limits, (system, &claim)).await?;
        let values = |limit: u32| {
            args![
                claim.now,
                limit,
                system.as_str(),
                *attempts_left,
                TOGETHER_AFTER_FAULT,
                i64::from(*troubled),
            ]
        };
        let mut candidates = Vec::new();
        for row in find(&mut tx, [LOST_COMPANY, COMPANY], limit.min(1000), values).await? {
            candidates.push((row.get::<Uuid>("case_id")?, Candidate::of(&row)?));
        }
        // Cases may be opened again: everybody in the same order, so that nobody waits for each other.
        candidates.sort_by_key(|(case, _)| *case);
        let candidates = candidates.into_iter().map(|(_, candidate)| candidate).collect();
        let claimed = together::take(&mut tx, &claim, candidates).await?;
        turns.take(&mut tx, &claimed).await?;
        tx.commit().await?;
        Ok(claimed)
    }
}
