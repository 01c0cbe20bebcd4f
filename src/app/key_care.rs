//! Looking after the keys of epochs: once a later month has begun, everything that lives is wrapped
//! anew with its key and the earlier one is left; once no copy of the store from before that can
//! exist any more, the earlier one is destroyed, and with it all that was shredded in its time, also
//! where somebody has kept a copy of the store.
//!
//! Each step can be repeated: a process that dies between the entry and the file leaves a file that
//! the next look removes.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::{EpochName, Rounding};
use crate::evidence::EvidenceKind;
use crate::store::KeyEpoch;

/// Keys wrapped anew in one transaction.
const BATCH: u32 = 500;
/// How long after a month has begun all processes wrap with its key, and the one before is left.
const SETTLING: SignedDuration = A_DAY;
/// Time from one look to the next.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// Who acts where nobody does.
const KEEPER: &str = "quietus";

/// How far the end of an epoch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochEnd {
    /// Nothing living is wrapped with its key any more; so many keys were wrapped anew. It can be
    /// destroyed once copies of the store from before are gone.
    Left {
        /// Keys that were wrapped anew.
        rewrapped: u64,
        /// From when on its key can be destroyed.
        destroy_from: Timestamp,
    },
    /// Its key is destroyed.
    Destroyed,
}

impl Quietus {
    /// When the last copy of the store from before `left_at` is gone.
    pub fn copies_end(&self, left_at: Timestamp) -> Timestamp {
        self.instance.evidence.copies_for.due_at(left_at, Rounding::None, &self.zone)
    }

    /// Leaves epochs that are over and destroys the keys of those whose time has come.
    ///
    /// # Errors
    /// Where the store or the keys folder does not do its part.
    pub async fn care_for_epochs(&self) -> Result<(), AppError> {
        self.keep_epoch().await?;
        let Some(current) = self.epochs.current() else { return Ok(()) };
        self.rewrap_requests_of(None, &current).await?;
        self.renew_tags_of(None).await?;
        let (now, keeper) = (self.now(), Actor(KEEPER.to_owned()));
        let epochs = self.store.key_epochs().await?;
        for epoch in epochs.iter().filter(|one| one.name < current) {
            let settled = |later: &KeyEpoch| {
                later.name > epoch.name && now.duration_since(later.begun_at) >= SETTLING
            };
            match (left_for_good(epoch), epoch.destroyed_at) {
                (_, Some(_)) => self.epochs.destroy(&epoch.name)?,
                // A store that was restored from before its end: what that key sealed stays closed,
                // and must not keep the others from their end.
                (None, None) if epochs.iter().any(settled) && self.epochs.is_here(&epoch.name) => {
                    self.leave(epoch, &current, &keeper).await?;
                }
                (Some(left_at), None) if self.copies_end(left_at) <= now => {
                    self.end_for_good(&epoch.name, &keeper).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends an epoch at somebody's wish: leaves it, where that was not done, and destroys its key
    /// where copies of the store from before are gone or `early` says that they do not matter.
    ///
    /// # Errors
    /// Where there is no such epoch, its key is needed, or it is not time yet.
    pub async fn end_epoch(
        &self,
        name: &EpochName,
        early: bool,
        actor: &Actor,
    ) -> Result<EpochEnd, AppError> {
        let epochs = self.store.key_epochs().await?;
        let epoch = epochs.iter().find(|one| one.name == *name).ok_or_else(|| {
            AppError::Input(format!("there is no epoch `{name}`: see `quietus keys list`"))
        })?;
        if let Some(destroyed_at) = epoch.destroyed_at {
            self.epochs.destroy(name)?;
            return Err(AppError::Input(format!(
                "the key of epoch `{name}` was destroyed on {}",
                destroyed_at.strftime("%Y-%m-%d")
            )));
        }
        let current = self.epochs.current().filter(|current| current > name).ok_or_else(|| {
            AppError::Input(format!(
                "the key of epoch `{name}` wraps what is sealed now: wait until the next month has begun"
            ))
        })?;
        let before = left_for_good(epoch);
        let rewrapped = match before {
            None => self.leave(epoch, &current, actor).await?,
            Some(_) => 0,
        };
        let left_at = before.unwrap_or_else(|| self.now());
        let destroy_from = self.copies_end(left_at);
        if early || destroy_from <= self.now() {
            self.end_for_good(name, actor).await?;
            return Ok(EpochEnd::Destroyed);
        }
        if before.is_none() {
            return Ok(EpochEnd::Left { rewrapped, destroy_from });
        }
        Err(AppError::Input(format!(
            "copies of the store from before {} may exist until {}, and cannot be restored in full without the key of epoch `{name}`: wait until then (`evidence: {{copies_for: …}}` says how long copies are kept), or write `--early`",
            left_at.strftime("%Y-%m-%d"),
            destroy_from.strftime("%Y-%m-%d"),
        )))
    }

    /// Wraps all that lives anew and leaves the epoch; how many keys were wrapped anew.
    async fn leave(
        &self,
        epoch: &KeyEpoch,
        current: &EpochName,
        actor: &Actor,
    ) -> Result<u64, AppError> {
        let name = &epoch.name;
        let mut rewrapped = 0;
        loop {
            let keys = self.store.keys_of_epoch(name, BATCH).await?;
            if keys.is_empty() {
                break;
            }
            let anew = keys.iter().map(|key| self.epochs.rewrap(key, self.ids.random()));
            rewrapped += self.store.rewrap_keys(name, anew.collect::<Result<_, _>>()?).await?;
        }
        rewrapped += self.rewrap_requests_of(Some(name), current).await?;
        self.renew_tags_of(Some(name)).await?;
        self.seal_list_anew(name).await?;
        let retired = self.record(
            EvidenceKind::KeyRetired,
            About::default(),
            &json!({
                "key": "epoch",
                "name": name.as_str(),
                "what": "left",
                "rewrapped": rewrapped.to_string(),
                "by": actor.0,
            }),
        )?;
        if self.store.leave_epoch(name, self.now(), vec![retired]).await? {
            return Ok(rewrapped);
        }
        Err(AppError::Evidence(format!(
            "something was wrapped with the key of epoch `{name}` just now: try again"
        )))
    }

    async fn rewrap_requests_of(
        &self,
        from: Option<&EpochName>,
        to: &EpochName,
    ) -> Result<u64, AppError> {
        let mut rewrapped = 0;
        loop {
            let keys = self.store.request_keys_of_epoch(from, BATCH).await?;
            if keys.is_empty() {
                return Ok(rewrapped);
            }
            let anew = keys.iter().map(|key| self.rewrap_request_key(from, key));
            let anew = anew.collect::<Result<Vec<_>, _>>()?;
            let done = self.store.rewrap_request_keys(to, anew).await?;
            if done == 0 {
                // Somebody works on all of them just now: they are found with the next look.
                return Ok(rewrapped);
            }
            rewrapped += done;
        }
    }

    /// Destroys the key of an epoch that was left.
    async fn end_for_good(&self, name: &EpochName, actor: &Actor) -> Result<(), AppError> {
        let retired = self.record(
            EvidenceKind::KeyRetired,
            About::default(),
            &json!({
                "key": "epoch",
                "name": name.as_str(),
                "what": "destroyed",
                "by": actor.0,
            }),
        )?;
        self.store.destroy_epoch(name, self.now(), vec![retired]).await?;
        self.epochs.destroy(name)
    }

    /// Once a day: leaves and destroys epochs, shreds what is due, and writes down of which of our own
    /// records the end has begun to count.
    ///
    /// # Errors
    /// Where the store or the keys folder does not do its part.
    pub async fn keep_house(&self) -> Result<(), AppError> {
        let now = self.now();
        {
            let mut kept = self.house_kept_at.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.is_some_and(|at| now.duration_since(at).abs() < A_DAY) {
                return Ok(());
            }
            *kept = Some(now);
        }
        self.shred_due().await?;
        self.close_own_records().await?;
        self.sweep_list_again().await?;
        self.care_for_epochs().await
    }
}

/// When an epoch was left, where nothing has been wrapped with its key since (a process that was
/// asleep may have).
fn left_for_good(epoch: &KeyEpoch) -> Option<Timestamp> {
    epoch.left_at.filter(|_| epoch.data_keys + epoch.request_keys + epoch.tags == 0)
}
