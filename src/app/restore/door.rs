//! Keeping an application out of a system in quarantine, and letting it in again.
//!
//! Whom it concerns is written down before anything is locked, so that after a crash nobody stays
//! locked who was not before, and nobody is let in who was locked by somebody else.

use std::process::Stdio;
use std::time::Duration;

use quietus_connectors::Connector;
use serde::{Deserialize, Serialize};

use crate::app::{AppError, Quietus};
use crate::store::Restore;

/// How long a hook may take.
const LONGEST: Duration = Duration::from_mins(1);

/// What has been done to keep the application out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Shut {
    /// Accounts that could come in before; `None` where nobody has looked yet.
    accounts: Option<Vec<String>>,
    /// They are kept out.
    out: bool,
    /// The hook was told.
    told: bool,
}

impl Quietus {
    /// Keeps the application out of a system in quarantine, as far as that is not done yet; why it
    /// could not be, in words.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(crate) async fn shut_out(&self, restore: &Restore) -> Result<Vec<String>, AppError> {
        let Ok(system) = self.system(&restore.system) else { return Ok(Vec::new()) };
        let settings = &system.restore;
        let mut shut = shut_of(restore)?;
        let mut problems = Vec::new();
        if !settings.keep_out.is_empty() && !shut.out {
            match self.connect(system) {
                Ok(connector) => {
                    let done =
                        self.lock(restore, connector.as_ref(), &settings.keep_out, &mut shut);
                    problems.extend(done.await?);
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        if !settings.hook.is_empty() && !shut.told {
            match self.tell_hook(&settings.hook, "begin", &restore.system).await {
                Ok(()) => {
                    shut.told = true;
                    self.note(restore, &shut).await?;
                }
                Err(why) => problems.push(why),
            }
        }
        for why in &problems {
            tracing::error!(system = %restore.system, %why, "the application is not kept out of a restored system");
        }
        Ok(problems)
    }

    async fn lock(
        &self,
        restore: &Restore,
        connector: &dyn Connector,
        wanted: &[String],
        shut: &mut Shut,
    ) -> Result<Option<String>, AppError> {
        let accounts = match shut.accounts.clone() {
            Some(accounts) => accounts,
            None => match connector.can_come_in(wanted).await {
                Ok(accounts) => accounts,
                Err(fault) => return Ok(Some(fault.to_string())),
            },
        };
        shut.accounts = Some(accounts.clone());
        self.note(restore, shut).await?;
        if let Err(fault) = connector.keep_out(&accounts).await {
            return Ok(Some(fault.to_string()));
        }
        shut.out = true;
        self.note(restore, shut).await?;
        Ok(None)
    }

    async fn note(&self, restore: &Restore, shut: &Shut) -> Result<(), AppError> {
        let shut = serde_json::to_value(shut)
            .map_err(|error| AppError::Unreadable { what: "a restore", why: error.to_string() })?;
        self.store.keep_out(restore.id, &shut).await?;
        Ok(())
    }

    /// Lets the application in again.
    ///
    /// # Errors
    /// Where that is not possible: the system stays in quarantine then.
    pub(crate) async fn let_in(&self, restore: &Restore) -> Result<(), AppError> {
        let system = self.system(&restore.system)?;
        let shut = shut_of(restore)?;
        let accounts = shut.accounts.unwrap_or_default();
        if !accounts.is_empty() {
            let let_in = self.connect(system)?.let_in(&accounts).await;
            let_in.map_err(|fault| AppError::System { system: restore.system.clone(), fault })?;
        }
        if !system.restore.hook.is_empty() {
            let told = self.tell_hook(&system.restore.hook, "open", &restore.system).await;
            told.map_err(AppError::Input)?;
        }
        Ok(())
    }

    async fn tell_hook(&self, hook: &[String], event: &str, system: &str) -> Result<(), String> {
        let Some((program, arguments)) = hook.split_first() else { return Ok(()) };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).args([event, system]).current_dir(&self.instance.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        command.kill_on_drop(true);
        let failed = |why: String| format!("the hook `{program}` of `{system}` {why}");
        let ended = tokio::time::timeout(LONGEST, command.status()).await;
        match ended {
            Err(_) => Err(failed(format!("took longer than {} seconds", LONGEST.as_secs()))),
            Ok(Err(error)) => Err(failed(format!("cannot be started: {}", error.kind()))),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(format!("ended with {status}"))),
        }
    }
}

fn shut_of(restore: &Restore) -> Result<Shut, AppError> {
    let kept = restore.kept_out.clone().map(serde_json::from_value).transpose();
    let kept =
        kept.map_err(|error| AppError::Unreadable { what: "a restore", why: error.to_string() })?;
    Ok(kept.unwrap_or_default())
}
