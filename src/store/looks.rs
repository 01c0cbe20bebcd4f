//! Claiming looks: at copies in a store, or at files and logs of a system. One look serves everybody
//! who waits for it, so that no limit and no breaker of the system concerns it.

use super::claims::{
    Claim, ClaimedJob, find, lost, not_in_quarantine, not_paused, not_paused_here, waiting,
};
use super::connection::Store;
use super::error::StoreError;
use super::jobs::JobKind;
use super::statement::{Sql, args};
use super::together::{self, Candidate};

// Looks at one store, or at files of one system, whose time has come: one look serves all of them.
macro_rules! looks {
    ($which:expr $(, $database:ident)?) => {
        concat!(
            "SELECT id, case_id, state, attempt FROM jobs WHERE ",
            $which,
            " AND state <> 'waiting' AND system = $3 AND kind = $4",
            not_paused_here!($($database)?),
            " ORDER BY available_at, id LIMIT $2"
        )
    };
}
const LOST_LOOKS: Sql =
    Sql::fork(looks!(lost!()), concat!(looks!(lost!(), postgres), " FOR UPDATE SKIP LOCKED"));
const LOOKS: Sql =
    Sql::fork(looks!(waiting!()), concat!(looks!(waiting!(), postgres), " FOR UPDATE SKIP LOCKED"));

pub(super) const STATEMENTS: &[(&str, Sql)] =
    &[("looks::LOST_LOOKS", LOST_LOOKS), ("looks::LOOKS", LOOKS)];

impl Store {
    /// Claims the oldest looks of one kind at one store of copies or system whose time has come, at
    /// most 1000.
    pub async fn claim_looks(
        &self,
        claim: Claim,
        kind: JobKind,
        system: &str,
    ) -> Result<Vec<ClaimedJob>, StoreError> {
        let mut tx = self.begin().await?;
        let values = |limit: u32| args![claim.now, limit, system, kind.as_str()];
        let found = find(&mut tx, [LOST_LOOKS, LOOKS], claim.limit.min(1000), values).await?;
        let candidates = found.iter().map(Candidate::of).collect::<Result<_, StoreError>>()?;
        let claimed = together::take(&mut tx, &claim, candidates).await?;
        tx.commit().await?;
        Ok(claimed)
    }
}
