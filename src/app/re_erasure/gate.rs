//! While the store is an older copy nothing is carried out: a hold that was placed since, a pause or
//! a lifting is not known here, and whoever goes on would act against it.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};

use crate::app::{AppError, Quietus};

/// How long an answer holds.
const FOR: SignedDuration = SignedDuration::from_secs(5);

/// Whether this process may act, and when it looked.
#[derive(Debug, Default)]
pub struct Gate(std::sync::Mutex<Option<(Timestamp, Option<String>)>>);

impl Quietus {
    /// Why nothing may be carried out now; `None` where it may. Looked at every few seconds.
    ///
    /// # Errors
    /// Where the store or the file beside the key cannot be read.
    pub async fn stands_still(&self) -> Result<Option<String>, AppError> {
        let now = self.now();
        {
            let looked = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((at, why)) = looked.as_ref()
                && now.duration_since(*at).abs() < FOR
            {
                return Ok(why.clone());
            }
        }
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        let why = standing.why().filter(|_| standing.can_be_refilled());
        let mut looked = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        *looked = Some((now, why.clone()));
        Ok(why)
    }

    /// Refuses to carry anything out while the store is an older copy.
    ///
    /// # Errors
    /// `Evidence` with what to do, where it is.
    pub async fn refuse_to_stand_behind(&self) -> Result<(), AppError> {
        match self.stands_still().await? {
            None => Ok(()),
            Some(why) => Err(AppError::Evidence(format!(
                "nothing is carried out: {why}, and what was decided since is not known here; `quietus log status` shows how to go on"
            ))),
        }
    }

    /// Looks anew with the next question.
    pub(super) fn look_anew(&self) {
        *self.gate.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
