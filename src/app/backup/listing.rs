//! Asking stores for what they have, once for all who want to know.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{BackupSettings, BackupStore, Fault, open_backup};
use secrecy::{ExposeSecret, SecretString};

use super::seen::{Keeping, Listing, Remains, later};
use crate::app::{AppError, Quietus};
use crate::datamap::{Backup, System};

/// The kind of a store whose place is a folder.
const DUMPS: &str = "dumps";
/// A store that did not answer is not asked again before so much time has passed.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_mins(5);

/// What this process knows of the stores of copies.
#[derive(Default)]
pub(crate) struct Stores(Mutex<BTreeMap<String, Arc<StoreState>>>);

/// One store, as this process knows it.
#[derive(Default)]
pub(super) struct StoreState {
    /// Held by whoever asks it, so that others wait for the same answer.
    asking: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

/// What is known of one store.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) listing: Option<Arc<Listing>>,
    /// Why it could not be listed last.
    pub(super) fault: Option<String>,
    /// When it was asked last.
    pub(super) asked_at: Option<Timestamp>,
    /// That it keeps data of copies that it no longer lists, or may, and when it was asked.
    pub(super) remains: Option<(Timestamp, String)>,
    /// On which day the log was told last of what is wrong with it.
    pub(super) told_on: Option<Date>,
}

impl Stores {
    pub(super) fn of(&self, store: &str) -> Arc<StoreState> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(store.to_owned()).or_default())
    }
}

impl StoreState {
    /// What is known, without asking.
    pub(super) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The log was told today of what is wrong; `false` where it was before.
    pub(super) fn tell(&self, today: Date) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.told_on.replace(today) != Some(today)
    }

    /// Whether it keeps data of copies that it no longer lists, as it has answered.
    pub(super) fn note_remains(&self, asked_at: Timestamp, answer: &Remains) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(remains) = answer {
            known.remains = remains.clone().map(|why| (asked_at, why));
        }
    }

    fn learn(&self, asked_at: Timestamp, answer: &Result<Arc<Listing>, String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked_at = Some(asked_at);
        known.fault = answer.as_ref().err().cloned();
        if let Ok(listing) = answer {
            known.listing = Some(Arc::clone(listing));
        }
    }
}

impl Quietus {
    /// The stores of the data map, in the order of their names.
    pub(crate) fn stores(&self) -> impl Iterator<Item = (&System, &Backup)> {
        self.map.systems.values().filter_map(|system| Some((system, system.backup.as_ref()?)))
    }

    /// A connector to a store. Nothing is asked before it is used.
    ///
    /// # Errors
    /// Where a secret cannot be read or the settings do not fit the kind.
    pub(crate) fn open_store(
        &self,
        system: &System,
        backup: &Backup,
    ) -> Result<Box<dyn BackupStore>, AppError> {
        let folder = &self.instance.folder;
        let secret = |what: &str, reference: &crate::datamap::SecretReference| {
            reference.resolve(folder).map_err(|error| {
                tracing::error!(system = %system.name, what, %error, "a secret cannot be read");
                AppError::Secret(format!(
                    "`{what}` of store `{}` cannot be read from where the data map says; the log of the process says why",
                    system.name
                ))
            })
        };
        let mut place = secret("place", &backup.place)?;
        if system.kind == DUMPS {
            place = below(folder, &place);
        }
        let mut parameters = BTreeMap::new();
        for (name, reference) in &backup.parameters {
            parameters.insert(name.clone(), secret(name, reference)?);
        }
        let settings = BackupSettings {
            system: system.name.to_string(),
            place,
            parameters,
            longest_run: backup.longest(),
            now: self.time(),
        };
        open_backup(&system.kind, &settings)
            .map_err(|fault| AppError::System { system: system.name.to_string(), fault })
    }

    /// What a store has, asked anew unless somebody has asked at this moment or later.
    ///
    /// # Errors
    /// Why it cannot be listed, in words without personal data.
    pub(crate) async fn listing(
        &self,
        system: &System,
        backup: &Backup,
        since: Timestamp,
    ) -> Result<Arc<Listing>, String> {
        let state = self.stores.of(system.name.as_str());
        let _asking = state.asking.lock().await;
        let known = state.known();
        let now = self.now();
        if let Some(asked_at) = known.asked_at.filter(|at| *at >= since && *at <= now) {
            let lately = later(asked_at, AFTER_A_FAULT) > now;
            match (&known.listing, &known.fault) {
                (_, Some(fault)) if lately => return Err(fault.clone()),
                (Some(listing), None) => return Ok(Arc::clone(listing)),
                _ => {}
            }
        }
        let answer = self.ask_store(system, backup).await.map(Arc::new);
        state.learn(now, &answer);
        answer
    }

    /// Lists a store; where quietus removes what is over, it does so and lists it once more.
    async fn ask_store(&self, system: &System, backup: &Backup) -> Result<Listing, String> {
        let words = |error: AppError| error.to_string();
        let store = self.open_store(system, backup).map_err(words)?;
        let listing = self.list(store.as_ref(), backup).await.map_err(|fault| fault.to_string())?;
        let removed = self.remove_expired(system, backup, (store.as_ref(), &listing)).await;
        if removed.map_err(words)? {
            return self.list(store.as_ref(), backup).await.map_err(|fault| fault.to_string());
        }
        Ok(listing)
    }

    async fn list(&self, store: &dyn BackupStore, backup: &Backup) -> Result<Listing, Fault> {
        let at = self.now();
        let copies = store.copies().await?;
        // The store's own word counts for more: it is what its pruning goes by.
        let retention = store.retention().await?.or_else(|| backup.keeps.clone());
        let keeping = Keeping {
            retention: retention.unwrap_or_default(),
            counting: store.counting(),
            zone: TimeZone::get(&backup.zone).unwrap_or_else(|_| self.zone.clone()),
            cadence: backup.cadence(),
            longest: backup.longest(),
            pruned_within: backup.pruned_within(),
        };
        Ok(Listing::new(at, copies, keeping))
    }
}

/// A folder as the data map writes it: relative to that of the instance.
fn below(folder: &Path, place: &SecretString) -> SecretString {
    let place = folder.join(place.expose_secret().trim());
    SecretString::from(place.to_string_lossy().into_owned())
}
