//! What a plan would do, counted in the systems. Changes nothing anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{Counts, Fault};

use super::circumstances::Basis;
use super::{AppError, Quietus};
use crate::domain::SystemName;
use crate::plan::{Acting, CapExceeded, PersonScope, Plan, PlanInput, check_caps, plan};

/// A plan with what the systems counted.
pub struct CountedPlan {
    /// The plan.
    pub plan: Plan,
    /// Counts of the systems that answered.
    pub counts: BTreeMap<SystemName, Counts>,
    /// Faults of the systems that did not.
    pub faults: BTreeMap<SystemName, Fault>,
    /// Caps that it exceeds.
    pub exceeded: Vec<CapExceeded>,
    /// The version of holds under which it was counted.
    pub holds_version: u64,
    /// No event that was told later is in it.
    pub told_until: Timestamp,
}

impl Quietus {
    /// Plans for a moment and asks every system how many records that would touch.
    ///
    /// # Errors
    /// Where the store is not there. A system that does not answer is named in the result.
    pub async fn counted_plan(
        &self,
        moment: Timestamp,
        acting: &Acting,
        only: Option<&SystemName>,
    ) -> Result<CountedPlan, AppError> {
        let mut counted = self.count(moment, acting, None, only).await?;
        counted.exceeded = check_caps(&counted.plan, &self.rules, &counted.counts);
        Ok(counted)
    }

    /// Plans for persons and asks every database how many records that would touch. Caps of rules
    /// are not checked: they bound what a rule may do to a collection.
    ///
    /// # Errors
    /// Where the store is not there. A system that does not answer is named in the result.
    pub(crate) async fn counted_plan_for(
        &self,
        moment: Timestamp,
        persons: &PersonScope,
    ) -> Result<CountedPlan, AppError> {
        self.count(moment, &Acting::Everything, Some(persons), None).await
    }

    async fn count(
        &self,
        moment: Timestamp,
        acting: &Acting,
        persons: Option<&PersonScope>,
        only: Option<&SystemName>,
    ) -> Result<CountedPlan, AppError> {
        let basis = Basis {
            map: &self.map,
            rules: &self.rules,
            moment,
            zone: &self.zone,
            told_until: None,
            acting,
        };
        let circumstances = self.circumstances(basis).await?;
        let input = PlanInput { persons, ..circumstances.input(basis) };
        let mut plan = plan(&input);
        if let Some(only) = only {
            plan.systems.retain(|system| system.system == *only);
        }
        let databases = plan.systems.iter().filter(|system| system.persons.is_none());
        let previews = databases.map(|system| async {
            let name = system.system.clone();
            (name, self.preview(system).await)
        });
        let mut counts = BTreeMap::new();
        let mut faults = BTreeMap::new();
        for (name, answer) in futures_util::future::join_all(previews).await {
            match answer {
                Ok(counted) => {
                    counts.insert(name, counted);
                }
                Err(fault) => {
                    faults.insert(name, fault);
                }
            }
        }
        Ok(CountedPlan {
            plan,
            counts,
            faults,
            exceeded: Vec::new(),
            holds_version: circumstances.holds_version,
            told_until: circumstances.read_at,
        })
    }

    async fn preview(&self, plan: &crate::plan::SystemPlan) -> Result<Counts, Fault> {
        let misconfigured = |error: AppError| match error {
            AppError::System { fault, .. } => fault,
            AppError::Secret(message) => Fault::Misconfigured { message },
            other => Fault::Misconfigured { message: other.to_string() },
        };
        let system = self.system(plan.system.as_str()).map_err(misconfigured)?;
        let connector = self.connect(system).map_err(misconfigured)?;
        let order = plan
            .order("preview", 1)
            .map_err(|error| Fault::Misconfigured { message: error.to_string() })?;
        connector.preview(&order).await
    }
}
