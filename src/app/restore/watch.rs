//! Noticing a restore that nobody told of: each system in which something was done holds a row that
//! only counts up. One that shows an older number than was written there was put back.

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{CanaryRow, CanarySight, Connector};

use super::{BeginRestore, Begun};
use crate::app::mutation::Mutation;
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::{RestoredOpens, System};
use crate::domain::SystemName;
use crate::store::{Canary, Restore};

/// Who acts when no person does.
pub const GUARD: &str = "guard";

/// A system that nobody could look at for so long keeps nobody known any more.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(60 * 24);

/// What a look at a system has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// It holds what was last written there.
    Fine,
    /// Nothing was done there yet, or this kind of system keeps no row.
    NotWatched,
    /// It is in quarantine already.
    InQuarantine,
    /// It could not be looked at, and why.
    Unreachable(String),
    /// It was put back, and is in quarantine now.
    PutBack {
        /// It holds the state of this moment or of a little later.
        taken_at: Timestamp,
        /// The quarantine.
        begun: Begun,
    },
}

impl Quietus {
    /// Looks after restores: what is new is noticed at the pace of the instance file, applications
    /// are kept out that could not be before, and what opens by itself is opened.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn look_after_restores(&self) -> Result<(), AppError> {
        self.carry_restores_on().await?;
        let Some(every) = self.instance.watch_restores else { return Ok(()) };
        for system in self.map.systems.values().filter(|one| one.holds_persons()) {
            if !self.is_to_be_looked_at(system, every) {
                continue;
            }
            match self.look_for_restore(system).await {
                Err(error @ AppError::Store(_)) => return Err(error),
                // It does not keep the others from being looked at.
                Err(error) => {
                    tracing::error!(system = %system.name, %error, "a restore could not be looked for");
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Keeps applications out that could not be before, and opens what opens by itself.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn carry_restores_on(&self) -> Result<(), AppError> {
        for restore in self.store.restores_under_way().await? {
            self.shut_out(&restore).await?;
            let Ok(system) = self.system(&restore.system) else { continue };
            if system.restore.opens == RestoredOpens::ByItself {
                self.open_by_itself(&restore).await?;
            }
        }
        Ok(())
    }

    async fn open_by_itself(&self, restore: &Restore) -> Result<(), AppError> {
        if !self.missing_of(restore).await?.is_empty() {
            return Ok(());
        }
        match Box::pin(self.open_restored(&restore.system, &Actor(GUARD.to_owned()))).await {
            Err(error @ AppError::Store(_)) => Err(error),
            Err(error) => {
                tracing::error!(system = %restore.system, %error, "a restored system could not be opened");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Whether it is time; each process looks for itself.
    fn is_to_be_looked_at(&self, system: &System, every: SignedDuration) -> bool {
        let now = self.now();
        self.last_look(&system.name).is_none_or(|at| now.duration_since(at) >= every)
    }

    /// When this process looked at a system last, whatever it saw.
    fn last_look(&self, system: &SystemName) -> Option<Timestamp> {
        let looks =
            self.canaries_looked_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        looks.get(system).copied()
    }

    fn was_looked_at(&self, system: &System) {
        let now = self.now();
        let mut looks =
            self.canaries_looked_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        looks.insert(system.name.clone(), now);
    }

    /// A system in which something was done and of which nobody has seen lately whether it was put
    /// back: who is forgotten meanwhile could not be looked for there any more. One that this process
    /// could not look at, and nobody else for [`GIVEN_UP_AFTER`], keeps nobody known.
    ///
    /// # Errors
    /// Where the store is not there.
    pub(in crate::app) async fn unwatched_system(&self) -> Result<Option<SystemName>, AppError> {
        let Some(every) = self.instance.watch_restores else { return Ok(None) };
        let now = self.now();
        let ago = |time: SignedDuration| now.checked_sub(time).unwrap_or(Timestamp::MIN);
        // Once more than it takes: the next look is on its way.
        let (lately, given_up) = (ago(every.saturating_mul(2)), ago(GIVEN_UP_AFTER));
        for (name, written_at) in self.store.canaries_written_before(lately).await? {
            let Some(system) = self.map.systems.values().find(|one| one.name.as_str() == name)
            else {
                continue;
            };
            let in_vain = || self.last_look(&system.name).is_some_and(|at| at >= lately);
            if system.holds_persons() && !(written_at < given_up && in_vain()) {
                return Ok(Some(system.name.clone()));
            }
        }
        Ok(None)
    }

    /// Looks at every database now.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn watch_restores(&self) -> Result<Vec<(String, Sighting)>, AppError> {
        let mut seen = Vec::new();
        for system in self.map.systems.values().filter(|one| one.holds_persons()) {
            seen.push((system.name.to_string(), self.look_for_restore(system).await?));
        }
        Ok(seen)
    }

    async fn look_for_restore(&self, system: &System) -> Result<Sighting, AppError> {
        let seen = self.compare_canary(system).await;
        self.was_looked_at(system);
        seen
    }

    async fn compare_canary(&self, system: &System) -> Result<Sighting, AppError> {
        let name = system.name.as_str();
        let under_way = self.store.restores_under_way().await?;
        if under_way.iter().any(|one| one.system == name) {
            return Ok(Sighting::InQuarantine);
        }
        let last = self.store.canary(name).await?;
        if last.is_none() && !self.store.has_done_something(name).await? {
            return Ok(Sighting::NotWatched);
        }
        let unreachable = |why: String| {
            tracing::warn!(system = name, %why, "nobody can see whether it was restored");
            Sighting::Unreachable(why)
        };
        let connector = match self.connect(system) {
            Ok(connector) => connector,
            Err(error) => return Ok(unreachable(error.to_string())),
        };
        let names = self.canary_names().await?;
        let own = match names.look(connector.as_ref(), last.as_ref()).await {
            Ok(own) => own,
            Err(fault) => return Ok(unreachable(fault.to_string())),
        };
        let found = match (last, own.sight) {
            (_, CanarySight::NotKept) => return Ok(Sighting::NotWatched),
            (Some(last), CanarySight::Missing) => {
                return self.was_put_back(system, last, None).await;
            }
            (Some(last), CanarySight::Seen(row)) if row.number < last.number => {
                return self.was_put_back(system, last, Some(row)).await;
            }
            (None, CanarySight::Missing) => 0,
            (_, CanarySight::Seen(row)) => row.number,
        };
        match self.write_canary(name, connector.as_ref(), (own.name, found)).await? {
            Ok(()) => {
                self.forget_what_was_left(name, connector.as_ref()).await?;
                Ok(Sighting::Fine)
            }
            Err(why) => Ok(unreachable(why)),
        }
    }

    /// Writes the row that follows on a number, under its name: into the system first, so that what we
    /// remember was there.
    async fn write_canary(
        &self,
        system: &str,
        connector: &dyn Connector,
        (name, found): (String, u64),
    ) -> Result<Result<(), String>, AppError> {
        let (number, written_at) = (found + 1, self.now());
        if let Err(fault) = connector.set_canary(&name, number, written_at).await {
            return Ok(Err(fault.to_string()));
        }
        let canary = Canary { number, written_at, name: Some(name) };
        self.store.remember_canary(system, canary).await?;
        Ok(Ok(()))
    }

    /// A system that is opened shows the newest number again.
    ///
    /// # Errors
    /// Where it cannot be written there: it would be taken for restored once more.
    pub(super) async fn renew_canary(&self, system: &str) -> Result<(), AppError> {
        let Some(last) = self.store.canary(system).await? else { return Ok(()) };
        let connector = self.connect(self.system(system)?)?;
        let name = self.canary_names().await?.name_after(&last);
        let written = self.write_canary(system, connector.as_ref(), (name, last.number)).await?;
        written.map_err(|why| AppError::Input(format!("`{system}` stays in quarantine: {why}")))
    }

    async fn was_put_back(
        &self,
        system: &System,
        last: Canary,
        row: Option<CanaryRow>,
    ) -> Result<Sighting, AppError> {
        if self.suffers(Mutation::GuardRemoved) {
            return Ok(Sighting::Fine);
        }
        let name = system.name.to_string();
        // Where not even the row is there, it may be of any time before.
        let taken_at = row.map_or(Timestamp::UNIX_EPOCH, |row| row.written_at);
        let reason = match row {
            Some(row) => format!(
                "its canary shows number {}, and number {} was written there",
                row.number, last.number
            ),
            None => format!("its canary is gone, and number {} was written there", last.number),
        };
        tracing::error!(system = %name, %taken_at, %reason, "a system was restored and nobody said so");
        let begun = Box::pin(self.begin_restore(BeginRestore {
            system: name,
            taken_at: taken_at.min(self.now()),
            copy: None,
            announced: false,
            back_since: Some(last.written_at),
            reason,
            actor: Actor(GUARD.to_owned()),
        }))
        .await;
        match begun {
            Ok(begun) => Ok(Sighting::PutBack { taken_at, begun }),
            // Somebody else was faster.
            Err(AppError::Input(_)) => Ok(Sighting::InQuarantine),
            Err(error) => Err(error),
        }
    }
}
