//! The suspend switch: stop everything, a rule, a system or one case, at once and on record.

use serde_json::json;
use uuid::Uuid;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::{RuleName, SystemName};
use crate::evidence::EvidenceKind;
use crate::store::{NewPause, PauseScope};

impl Quietus {
    /// Pauses. Running jobs stop at their next chunk. `false` where it was paused already.
    ///
    /// # Errors
    /// Where the scope names something that is not there.
    pub async fn pause(
        &self,
        scope: PauseScope,
        actor: &Actor,
        reason: &str,
    ) -> Result<bool, AppError> {
        self.check_pause(&scope).await?;
        let evidence = self.record(
            EvidenceKind::Paused,
            About::default(),
            &json!({"result": "paused", "scope": words(&scope), "by": actor.0, "reason": reason}),
        )?;
        let pause = NewPause {
            id: self.ids.new_id(),
            scope,
            paused_by: actor.0.clone(),
            reason: reason.to_owned(),
        };
        Ok(self.store.pause(pause, self.now(), vec![evidence]).await?)
    }

    /// Lets go on. `false` where it was not paused.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn resume(&self, scope: &PauseScope, actor: &Actor) -> Result<bool, AppError> {
        let evidence = self.record(
            EvidenceKind::Resumed,
            About::default(),
            &json!({"result": "resumed", "scope": words(scope), "by": actor.0}),
        )?;
        let resumed = self.store.resume(scope, &actor.0, self.now(), vec![evidence]).await?;
        self.wake.up();
        Ok(resumed)
    }

    /// Reads `everything`, `rule NAME`, `system NAME` or `case ID`.
    ///
    /// # Errors
    /// Where it is none of them.
    pub fn pause_scope(&self, kind: &str, name: Option<&str>) -> Result<PauseScope, AppError> {
        let wrong = || {
            AppError::Input(
                "write `everything`, `rule NAME`, `system NAME` or `case ID`".to_owned(),
            )
        };
        match (kind, name) {
            ("everything", None) => Ok(PauseScope::Everything),
            ("rule", Some(name)) => {
                Ok(PauseScope::Rule(RuleName::parse(name).map_err(|_| wrong())?))
            }
            ("system", Some(name)) => {
                Ok(PauseScope::System(SystemName::parse(name).map_err(|_| wrong())?))
            }
            ("case", Some(name)) => {
                Ok(PauseScope::Case(Uuid::parse_str(name).map_err(|_| wrong())?))
            }
            _ => Err(wrong()),
        }
    }

    async fn check_pause(&self, scope: &PauseScope) -> Result<(), AppError> {
        match scope {
            PauseScope::Everything => Ok(()),
            PauseScope::System(system) => self.system(system.as_str()).map(|_| ()),
            PauseScope::Rule(rule) => {
                if self.rules.rules.iter().any(|one| one.name == *rule) {
                    return Ok(());
                }
                Err(AppError::Input(format!("there is no rule `{rule}`")))
            }
            PauseScope::Case(case) => match self.store.case(*case).await? {
                Some(_) => Ok(()),
                None => Err(AppError::Input(format!("there is no case `{case}`"))),
            },
        }
    }
}

/// A scope in words.
pub fn words(scope: &PauseScope) -> String {
    match scope {
        PauseScope::Everything => "everything".to_owned(),
        PauseScope::Rule(rule) => format!("rule {rule}"),
        PauseScope::System(system) => format!("system {system}"),
        PauseScope::Case(case) => format!("case {case}"),
    }
}
