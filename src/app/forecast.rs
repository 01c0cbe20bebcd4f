//! What a plan would do, counted in the systems. Changes nothing anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::{Connector, Counts, Fault, Order, alike};
use tracing::Instrument as _;

use super::circumstances::Basis;
use super::{AppError, Quietus, spans};
use crate::domain::SystemName;
use crate::plan::{
    Acting, CapExceeded, PersonScope, Plan, PlanInput, SystemPlan, check_caps, plan,
};

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
        let counted = self.count(moment, acting, &[None], only).await?;
        let Some(mut counted) = counted.into_iter().next() else {
            return Err(AppError::Input("there is nothing to plan for".to_owned()));
        };
        counted.exceeded = check_caps(&counted.plan, &self.rules, &counted.counts);
        Ok(counted)
    }

    /// Makes a plan for each of these scopes and asks every database how many records each of them
    /// would touch. Caps of rules are not checked: they bound what a rule may do to a collection.
    ///
    /// # Errors
    /// Where the store is not there. A system that does not answer is named in the result.
    pub(crate) async fn counted_plans_for(
        &self,
        moment: Timestamp,
        persons: &[PersonScope],
    ) -> Result<Vec<CountedPlan>, AppError> {
        let scopes: Vec<Option<&PersonScope>> = persons.iter().map(Some).collect();
        self.count(moment, &Acting::Everything, &scopes, None).await
    }

    async fn count(
        &self,
        moment: Timestamp,
        acting: &Acting,
        scopes: &[Option<&PersonScope>],
        only: Option<&SystemName>,
    ) -> Result<Vec<CountedPlan>, AppError> {
        let basis = Basis {
            map: &self.map,
            rules: &self.rules,
            limits: &self.rules.limits,
            moment,
            zone: &self.zone,
            told_until: None,
            acting,
        };
        let circumstances = self.circumstances(basis).await?;
        let mut counted = Vec::with_capacity(scopes.len());
        for persons in scopes {
            let input = PlanInput { persons: *persons, ..circumstances.input(basis) };
            let mut plan = plan(&input);
            if let Some(only) = only {
                plan.systems.retain(|system| system.system == *only);
            }
            counted.push(CountedPlan {
                plan,
                counts: BTreeMap::new(),
                faults: BTreeMap::new(),
                exceeded: Vec::new(),
                holds_version: circumstances.holds_version,
                told_until: circumstances.read_at,
            });
        }
        let answers = {
            let mut asked: BTreeMap<&SystemName, Vec<(usize, &SystemPlan)>> = BTreeMap::new();
            for (number, one) in counted.iter().enumerate() {
                let databases = one.plan.systems.iter().filter(|system| system.persons.is_none());
                for system in databases {
                    asked.entry(&system.system).or_default().push((number, system));
                }
            }
            let previews = asked.into_iter().map(|(name, plans)| async move {
                let counting = self.preview(name, plans).instrument(spans::count(name));
                (name.clone(), counting.await)
            });
            futures_util::future::join_all(previews).await
        };
        for (name, answers) in answers {
            for (number, answer) in answers {
                match answer {
                    Ok(counts) => drop(counted[number].counts.insert(name.clone(), counts)),
                    Err(fault) => drop(counted[number].faults.insert(name.clone(), fault)),
                }
            }
        }
        Ok(counted)
    }

    /// What one system counts for each of these plans.
    async fn preview(
        &self,
        name: &SystemName,
        plans: Vec<(usize, &SystemPlan)>,
    ) -> Vec<(usize, Result<Counts, Fault>)> {
        let misconfigured = |error: AppError| match error {
            AppError::System { fault, .. } => fault,
            AppError::Secret(message) => Fault::Misconfigured { message },
            other => Fault::Misconfigured { message: other.to_string() },
        };
        let connected = self.system(name.as_str()).and_then(|system| self.connect(system));
        let mut answers = Vec::new();
        let connector = match connected.map_err(misconfigured) {
            Ok(connector) => connector,
            Err(fault) => {
                return plans.into_iter().map(|one| (one.0, Err(fault.clone()))).collect();
            }
        };
        let mut orders: Vec<(usize, Order)> = Vec::new();
        for (number, plan) in plans {
            match plan.order(format!("preview-{number}"), 1) {
                Ok(order) => orders.push((number, order)),
                Err(error) => {
                    let message = error.to_string();
                    answers.push((number, Err(Fault::Misconfigured { message })));
                }
            }
        }
        for group in groups_of(orders, |one, other| alike(&one.1, &other.1)) {
            let (numbers, orders): (Vec<usize>, Vec<Order>) = group.into_iter().unzip();
            let counts = count_together(connector.as_ref(), &orders).await;
            answers.extend(numbers.into_iter().zip(counts));
        }
        answers
    }
}

/// Counts for orders that are alike; where they are refused together, each is asked for by itself,
/// so that nobody is in anybody's way.
pub(super) async fn count_together(
    connector: &dyn Connector,
    orders: &[Order],
) -> Vec<Result<Counts, Fault>> {
    match connector.preview_together(orders).await {
        Ok(counts) => counts.into_iter().map(Ok).collect(),
        Err(Fault::Misconfigured { .. } | Fault::Rejected { .. }) if orders.len() > 1 => {
            let mut counts = Vec::with_capacity(orders.len());
            for order in orders {
                counts.push(connector.preview(order).await);
            }
            counts
        }
        Err(fault) => orders.iter().map(|_| Err(fault.clone())).collect(),
    }
}

/// Things that are alike, together, in the order in which the first of each kind came.
pub(super) fn groups_of<T>(things: Vec<T>, alike: impl Fn(&T, &T) -> bool) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for thing in things {
        match groups.iter_mut().find(|group| alike(&group[0], &thing)) {
            Some(group) => group.push(thing),
            None => groups.push(vec![thing]),
        }
    }
    groups
}
