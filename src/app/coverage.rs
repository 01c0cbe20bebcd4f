//! What a certificate covers: the systems that it speaks for, and everything that it leaves out, by
//! name and with the reason.

use super::plan_on_record::PlanOnRecord;
use crate::domain::SystemName;
use crate::evidence::certificate::NotCovered;
use crate::evidence::statement::SystemStatement;
use crate::plan::{Plan, Step, StepStatus, SystemPlan};

/// Systems in which something is disposed of; the others have no job and need no statement.
pub(super) fn swept(on_record: &PlanOnRecord) -> impl Iterator<Item = &SystemPlan> {
    on_record.plan.systems.iter().filter(|system| is_swept(system))
}

fn is_swept(system: &SystemPlan) -> bool {
    system.persons.is_some() || system.instructions.iter().any(|one| !one.keep)
}

/// What is left out: systems, exemptions, and categories for which nothing was done. `stated` is
/// what the certificate says.
pub(super) fn not_covered(
    plan: &Plan,
    idle: &[SystemName],
    stated: &[SystemStatement],
) -> Vec<NotCovered> {
    let mut left_out: Vec<NotCovered> = plan
        .left_out
        .iter()
        .map(|one| NotCovered {
            system: Some(one.system.clone()),
            collection: None,
            category: None,
            reason: one.why.clone(),
        })
        .collect();
    for system in &plan.systems {
        let whole = if !is_swept(system) {
            Some("nothing in it is disposed of")
        } else if !idle.contains(&system.system) {
            None
        } else if system.persons.is_some() {
            Some("no known identity reaches it")
        } else {
            Some("no rule had its turn in it").filter(|_| !system.steps.iter().any(is_unreached))
        };
        // What could not be reached when the case was planned may have been reached since.
        let is_stated = |step: &Step| {
            stated.iter().any(|one| {
                one.system.id == system.system
                    && one.collection.as_ref() == Some(&step.collection)
                    && one.category.as_ref() == Some(&step.category)
            })
        };
        left_out.extend(whole.map(|reason| NotCovered {
            system: Some(system.system.clone()),
            collection: None,
            category: None,
            reason: reason.to_owned(),
        }));
        for exempt in &system.exempt {
            left_out.push(NotCovered {
                system: Some(system.system.clone()),
                collection: None,
                category: None,
                reason: format!("`{}` is exempt: {}", exempt.what, exempt.reason),
            });
        }
        for step in &system.steps {
            let reason = match &step.status {
                StepStatus::WaitingForSchedule => "its schedule has runs of its own",
                StepStatus::NoRule => "no rule disposes of it",
                StepStatus::InGrace => "marked; it goes when the rule's grace is over",
                StepStatus::NotAsked => "it was not asked for",
                StepStatus::NotCovered { why } if !is_stated(step) => why.as_str(),
                _ => continue,
            };
            left_out.push(NotCovered {
                system: Some(system.system.clone()),
                collection: Some(step.collection.clone()),
                category: Some(step.category.clone()),
                reason: reason.to_owned(),
            });
        }
    }
    left_out
}

fn is_unreached(step: &Step) -> bool {
    matches!(step.status, StepStatus::NotCovered { .. })
}
