//! Plans with their counts, as people read them: steps, findings, counts and caps. The orders
//! themselves stay inside.

use jiff::Timestamp;
use quietus_connectors::Counts;
use serde::Serialize;

use crate::app::plan_on_record::PlanOnRecord;
use crate::app::{AppError, Quietus};
use crate::domain::{Digest, SystemName};
use crate::plan::{CapExceeded, ExemptPart, Finding, Plan, Step, SystemPlan};

/// A plan with what the systems counted.
#[derive(Debug, Serialize)]
pub struct PlanFacts {
    /// The moment that decides what is due.
    pub moment: Timestamp,
    /// Digest of the rules.
    pub rules_digest: Digest,
    /// Digest of the data map.
    pub map_digest: Digest,
    /// What would become of each system.
    pub systems: Vec<SystemPlanFacts>,
    /// Caps that it exceeds: then nothing is deleted before a second person agrees.
    pub exceeded: Vec<CapExceeded>,
}

/// What would become of one system.
#[derive(Debug, Serialize)]
pub struct SystemPlanFacts {
    /// The system.
    pub system: SystemName,
    /// Anything would be changed.
    pub acts: bool,
    /// What must happen, and why.
    pub steps: Vec<Step>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
    /// What is left out on purpose.
    pub exempt: Vec<ExemptPart>,
    /// What the system counted.
    pub counts: Option<Counts>,
    /// Why it counted nothing.
    pub not_counted: Option<String>,
}

fn facts(
    plan: Plan,
    exceeded: Vec<CapExceeded>,
    counted: impl Fn(&SystemName) -> (Option<Counts>, Option<String>),
) -> PlanFacts {
    let systems = plan.systems.into_iter().map(|system: SystemPlan| {
        let acts = system.acts();
        let (counts, not_counted) = counted(&system.system);
        SystemPlanFacts {
            system: system.system,
            acts,
            steps: system.steps,
            findings: system.findings,
            exempt: system.exempt,
            counts,
            not_counted,
        }
    });
    PlanFacts {
        moment: plan.moment,
        rules_digest: plan.rules_digest,
        map_digest: plan.map_digest,
        systems: systems.collect(),
        exceeded,
    }
}

/// The plan of a case, as it was when the case was opened.
pub(super) fn of_case(on_record: PlanOnRecord) -> PlanFacts {
    let PlanOnRecord { plan, counts, uncounted, exceeded, told_until: _ } = on_record;
    facts(plan, exceeded, |system| (counts.get(system).cloned(), uncounted.get(system).cloned()))
}

impl Quietus {
    /// What would be due at a moment, counted in the systems; of one system or of all, by the
    /// rules of these schedules or by all.
    ///
    /// # Errors
    /// Where a system or a schedule does not exist, or the store is not there. A system that does
    /// not answer is named in the result.
    pub async fn forecast(
        &self,
        moment: Timestamp,
        system: Option<&str>,
        schedules: &[String],
    ) -> Result<PlanFacts, AppError> {
        let only = system.map(|name| self.system(name)).transpose()?.map(|system| &system.name);
        let acting = self.acting(schedules)?;
        let counted = self.counted_plan(moment, &acting, only).await?;
        let (counts, faults) = (counted.counts, counted.faults);
        Ok(facts(counted.plan, counted.exceeded, |system| {
            (counts.get(system).cloned(), faults.get(system).map(ToString::to_string))
        }))
    }
}
