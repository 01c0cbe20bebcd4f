//! Who is carried out along: jobs of one system that go with one that was just claimed, and how many
//! at most.
//!
//! A company that does not come through is halved, so that what is wrong with one of them, or takes
//! too long for so many, does not keep all of them for ever; each success doubles it again. Jobs
//! that have failed some times have companies of their own, so that they keep nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use quietus_connectors::processor::Definition;
use quietus_connectors::{Fault, LinkKind};

use super::deaths::{FEWEST_ATTEMPTS_LEFT, goes_alone};
use super::{AppError, Quietus};
use crate::datamap::System;
use crate::store::{APART, Claim, ClaimedJob, Company, Job, JobKind, TOGETHER_AFTER_FAULT};

/// Jobs that one worker carries out together.
const MOST_TOGETHER: u32 = 250;

/// How many may go together where that is fewer than usual, by system and by whether they have
/// failed before. Each process learns it for itself.
#[derive(Default)]
pub struct Companies(Mutex<BTreeMap<(String, bool), u32>>);

impl Companies {
    fn most(&self, system: &str, troubled: bool) -> u32 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(system.to_owned(), troubled)).copied().unwrap_or(MOST_TOGETHER)
    }

    /// So many did not come through together.
    fn halve(&self, system: &str, troubled: bool, many: usize) {
        let half = u32::try_from(many / 2).unwrap_or(MOST_TOGETHER).clamp(1, MOST_TOGETHER);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = known.entry((system.to_owned(), troubled)).or_insert(MOST_TOGETHER);
        *most = half.min(*most);
    }

    /// Some came through, alone or together.
    fn double(&self, system: &str, troubled: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (system.to_owned(), troubled);
        let Some(most) = known.get_mut(&key) else { return };
        *most = most.saturating_mul(2);
        if *most >= MOST_TOGETHER {
            known.remove(&key);
        }
    }
}

impl Quietus {
    /// Claims jobs that could go together with one that was just claimed.
    pub(super) async fn claim_company(
        &self,
        claimed: &ClaimedJob,
        worker: &str,
    ) -> Result<Vec<ClaimedJob>, AppError> {
        let job = &claimed.job;
        let of_request = matches!(job.kind, JobKind::Request | JobKind::Retained | JobKind::Replay);
        let apart = job.last_fault.as_ref().is_some_and(|fault| fault.kind == APART);
        if !of_request
            || apart
            || claimed.trial
            || job.reference.is_some()
            || job.cancel_requested.is_some()
            || goes_alone(job)
            || !self.system(&job.system).is_ok_and(can_join)
        {
            return Ok(Vec::new());
        }
        let troubled = is_troubled(job);
        let more = self.companies.most(&job.system, troubled) - 1;
        if more == 0 {
            return Ok(Vec::new());
        }
        let claim = Claim {
            worker: worker.to_owned(),
            now: self.now(),
            lease_until: self.lease_until(),
            limit: more,
        };
        let company =
            Company { system: job.system.clone(), attempts_left: FEWEST_ATTEMPTS_LEFT, troubled };
        Ok(self.store.claim_company_within(claim, &company, &self.limits()).await?)
    }

    /// So many jobs did not come through together: the next time they are fewer.
    pub(super) fn too_many_together(&self, job: &Job, many: usize) {
        if many > 1 {
            self.companies.halve(&job.system, is_troubled(job), many);
        }
    }

    /// A fault of so many jobs together. A system that asks for a pause is there, and is not asked
    /// for less by fewer.
    pub(super) fn failed_together(&self, job: &Job, many: usize, fault: &Fault) {
        let too_many = match fault {
            Fault::Transient { retry_after_ms, .. } => retry_after_ms.is_none(),
            Fault::Unknown { .. } => true,
            Fault::Misconfigured { .. } | Fault::Rejected { .. } => false,
        };
        if too_many {
            self.too_many_together(job, many);
        }
    }

    /// A job came through, alone or with others.
    pub(super) fn came_through(&self, job: &Job) {
        self.companies.double(&job.system, is_troubled(job));
    }
}

/// It has failed some times. Some failures do not count against a job, so that it could keep others
/// for as long as it fails.
fn is_troubled(job: &Job) -> bool {
    job.last_fault.is_some() && job.attempt > TOGETHER_AFTER_FAULT
}

/// A system whose orders can go together: a third party that takes several persons in a request, or
/// a database. Where associations are emptied or the last parent takes a record along, databases
/// cannot, and then several workers side by side are faster than one.
fn can_join(system: &System) -> bool {
    let Some(third_party) = &system.third_party else {
        let mut links = system.collections.values().flat_map(|one| &one.links);
        return links.all(|link| link.kind == LinkKind::Deep);
    };
    let definition = third_party.definition_text.as_deref();
    definition
        .and_then(|text| Definition::read(text).ok())
        .is_some_and(|definition| definition.carries_many())
}

#[cfg(test)]
mod tests {
    use super::{Companies, MOST_TOGETHER};

    #[test]
    fn a_company_is_halved_until_it_is_one_and_doubled_until_it_is_whole() {
        let companies = Companies::default();
        assert_eq!(companies.most("crm", false), MOST_TOGETHER);
        companies.halve("crm", false, 250);
        companies.halve("crm", false, 250);
        assert_eq!(companies.most("crm", false), 125, "by how many they were");
        assert_eq!(companies.most("crm", true), MOST_TOGETHER, "the others go on");
        for many in [125, 62, 31, 15, 7, 3, 1] {
            companies.halve("crm", false, many);
        }
        assert_eq!(companies.most("crm", false), 1, "alone");
        for most in [2, 4, 8, 16, 32, 64, 128, 250] {
            companies.double("crm", false);
            assert_eq!(companies.most("crm", false), most.min(MOST_TOGETHER));
        }
    }
}
