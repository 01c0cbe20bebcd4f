//! Trying a connected system out: a check-up changes nothing; a rehearsal erases a test person and
//! belongs to a rehearsal system only.
//!
//! A rehearsal is on record like every effect, intent before and outcome after, and it does not get
//! past a legal hold or a pause.

use std::sync::Arc;

use quietus_connectors::processor::testkit::{self, Ending, Step};
use quietus_connectors::{Health, Now, Subject};
use serde_json::json;

use super::circumstances::Basis;
use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::datamap::System;
use crate::domain::HoldScope;
use crate::evidence::EvidenceKind;
use crate::plan::{Acting, Person as Sought, compile};
use crate::store::PauseScope;

impl Quietus {
    /// Tries whatever changes nothing: the line, the credentials, and for a third party the search
    /// for somebody who is nowhere; for a database, whether it is as the data map says; for a store,
    /// its copies.
    ///
    /// # Errors
    /// Where there is no such system, or our own store is not there.
    pub async fn check_up(&self, name: &str) -> Result<Vec<Step>, AppError> {
        let system = self.system(name)?;
        if let Some(backup) = &system.backup {
            return Ok(self.check_store(system, backup).await);
        }
        let connector = match self.connect(system) {
            Ok(connector) => connector,
            Err(AppError::System { fault, .. }) => {
                return Ok(vec![step("check", Ending::Fail, fault.to_string())]);
            }
            Err(AppError::Secret(words)) => return Ok(vec![step("check", Ending::Fail, words)]),
            Err(other) => return Err(other),
        };
        let Some(third_party) = &system.third_party else {
            return self.check_database(system, connector.as_ref()).await;
        };
        if third_party.task.is_some() {
            let words = "a person does what is asked here: there is no line to try".to_owned();
            return Ok(vec![step("check", Ending::NotChecked, words)]);
        }
        let key = format!("check-{}", self.ids.new_id().simple());
        Ok(testkit::check_up(connector.as_ref(), &key, &self.time()).await)
    }

    async fn check_database(
        &self,
        system: &System,
        connector: &dyn quietus_connectors::Connector,
    ) -> Result<Vec<Step>, AppError> {
        let basis = Basis {
            map: &self.map,
            rules: &self.rules,
            limits: &self.rules.limits,
            moment: self.this_second(),
            zone: &self.zone,
            told_until: None,
            acting: &Acting::Everything,
        };
        let circumstances = self.circumstances(basis).await?;
        let input_error = |error: crate::plan::PlanError| AppError::Input(error.to_string());
        let plan = compile(&circumstances.input(basis), &system.name).map_err(input_error)?;
        let order = plan.order("check", 1).map_err(input_error)?;
        Ok(match connector.check(&order).await {
            Ok(mut health) => {
                let accounts = &system.restore.keep_out;
                if !accounts.is_empty() {
                    let missing = connector.cannot_keep_out(accounts).await;
                    let missing = missing.unwrap_or_else(|fault| vec![fault.to_string()]);
                    health.missing_privileges.extend(missing);
                }
                health_in_steps(&health)
            }
            Err(fault) => vec![
                step("check", Ending::Fail, fault.to_string()),
                step("data map", Ending::NotChecked, "the check failed".to_owned()),
                step("privileges", Ending::NotChecked, "the check failed".to_owned()),
            ],
        })
    }

    /// Carries a whole order out on a test person of a rehearsal system; `identities` are what the
    /// person is known by, as they were typed. The person is erased.
    ///
    /// # Errors
    /// Where there is no such third party, it is asked by none of the identities, or a legal hold
    /// or a pause stands in the way; nothing was sent then.
    pub async fn rehearse(
        &self,
        name: &str,
        identities: &[(String, String)],
        actor: &Actor,
    ) -> Result<Vec<Step>, AppError> {
        let system = self.system(name)?;
        let person = self.test_person(system, identities)?;
        self.nothing_forbids(system).await?;
        let connector = self.connect(system)?;
        let id = self.ids.new_id();
        let kinds: Vec<&str> = person.identities.iter().map(|one| one.kind.as_str()).collect();
        let about = json!({
            "rehearsal": id,
            "system": name,
            "by": actor.0,
            "identityTypes": kinds,
            "result": "begun",
        });
        let begun = self.record(EvidenceKind::Rehearsed, About::default(), &about)?;
        self.store.record_evidence(vec![begun], self.now()).await?;
        let key = format!("rehearsal-{}", id.simple());
        let steps = testkit::rehearse(connector.as_ref(), &key, person, &self.time()).await;
        let told: Vec<_> = steps
            .iter()
            .map(|one| json!({ "step": one.name, "ending": one.ending.to_string(), "words": one.words }))
            .collect();
        let about = json!({ "rehearsal": id, "system": name, "result": "ended", "steps": told });
        let ended = self.record(EvidenceKind::Rehearsed, About::default(), &about)?;
        self.store.record_evidence(vec![ended], self.now()).await?;
        Ok(steps)
    }

    fn test_person(
        &self,
        system: &System,
        identities: &[(String, String)],
    ) -> Result<Subject, AppError> {
        let third_party = system.third_party.as_ref().filter(|one| one.task.is_none());
        let Some(third_party) = third_party else {
            return Err(AppError::Input(format!(
                "`{}` is of kind `{}`, where nothing can be rehearsed; only third parties with an interface can",
                system.name, system.kind
            )));
        };
        let mut sought = Sought::new("p1");
        for (kind, value) in identities {
            let of = self.instance.identities.of(kind);
            sought.add(&of, value).map_err(|error| AppError::Input(error.to_string()))?;
        }
        sought.subject(&third_party.identities).ok_or_else(|| {
            let kinds: Vec<&str> = third_party.identities.iter().map(String::as_str).collect();
            AppError::Input(format!(
                "`{}` is asked by `{}`, and the file has none of them: write `type=value` lines",
                system.name,
                kinds.join("`, `")
            ))
        })
    }

    /// Refuses what a legal hold or a pause may speak of.
    async fn nothing_forbids(&self, system: &System) -> Result<(), AppError> {
        let (_, holds) = self.store.holds_in_force().await?;
        for hold in &holds {
            let hold = self.unseal_hold(hold)?;
            if may_speak_of(&hold.scope, system) {
                return Err(AppError::Input(format!(
                    "the legal hold of matter `{}` may speak of persons in `{}`: nothing is rehearsed before it is released",
                    hold.matter, system.name
                )));
            }
        }
        let stops = |scope: &PauseScope| match scope {
            PauseScope::Everything => true,
            PauseScope::System(name) => *name == system.name,
            PauseScope::Rule(_) | PauseScope::Case(_) => false,
        };
        if self.store.active_pauses().await?.iter().any(|pause| stops(&pause.scope)) {
            return Err(AppError::Input(format!(
                "`{}` is paused: `quietus resume` lets go on",
                system.name
            )));
        }
        Ok(())
    }

    /// Where connectors ask for the time.
    pub(super) fn time(&self) -> Now {
        let clock = Arc::clone(&self.clock);
        Arc::new(move || clock.now())
    }
}

/// Whether a hold may speak of persons at a third party. It has no collections, so one that names a
/// collection does not.
fn may_speak_of(scope: &HoldScope, system: &System) -> bool {
    let held = |category| {
        system.third_party.as_ref().is_some_and(|party| party.categories.contains(category))
    };
    scope.collection.is_none()
        && scope.system.as_ref().is_none_or(|name| *name == system.name)
        && scope.category.as_ref().is_none_or(held)
}

fn step(name: &'static str, ending: Ending, words: String) -> Step {
    Step { name, ending, words }
}

/// What a database said, step by step.
fn health_in_steps(health: &Health) -> Vec<Step> {
    let drift: Vec<String> = health.drift.iter().map(ToString::to_string).collect();
    let judged = |name, faults: &[String], fine: &str| {
        if faults.is_empty() {
            step(name, Ending::Pass, fine.to_owned())
        } else {
            step(name, Ending::Fail, faults.join("; "))
        }
    };
    let mut steps = vec![
        step("check", Ending::Pass, format!("reached {}", health.product)),
        judged("data map", &drift, "the system is as the data map says"),
        judged("privileges", &health.missing_privileges, "nothing that is needed is missing"),
    ];
    if !health.not_shown.is_empty() {
        steps.push(step("not shown", Ending::NotChecked, health.not_shown.join("; ")));
    }
    steps
}
