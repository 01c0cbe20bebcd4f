//! How things stand with those who vouch: for people, and for alarms.

use jiff::Timestamp;

use super::super::keys::newest;
use super::super::log_chain::no_log;
use super::super::{AppError, Quietus};
use super::due::is_near_end;

/// What somebody does for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorRole {
    /// Stamps heads.
    TimeStamps,
    /// Signs heads.
    Witness,
}

impl AnchorRole {
    /// The word for people and for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimeStamps => "time stamps",
            Self::Witness => "witness",
        }
    }
}

/// How things stand with one of those who vouch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorStanding {
    /// Its name in the instance file.
    pub name: String,
    /// What it does.
    pub role: AnchorRole,
    /// Size of the largest head that it vouches for.
    pub size: Option<u64>,
    /// When it did.
    pub at: Option<Timestamp>,
    /// Until when its newest time stamp is thought to be sound.
    pub sound_until: Option<Timestamp>,
    /// Its newest time stamp has to be renewed, and its certificate is still the same.
    pub ages: bool,
    /// Why it did not answer last, as far as this process knows.
    pub fault: Option<String>,
}

/// How things stand with the log and all who vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorReport {
    /// Name of the log in use.
    pub origin: String,
    /// Its verifier keys, for witnesses.
    pub keys: Vec<String>,
    /// Size of its newest signed head.
    pub size: u64,
    /// Those who vouch.
    pub all: Vec<AnchorStanding>,
    /// No time stamp over the log is sound for long, so that it has to be stamped by somebody whose
    /// certificate is: the alarm.
    pub renewal_due: bool,
}

impl Quietus {
    /// How things stand with everybody who vouches for the log.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn anchor_report(&self) -> Result<AnchorReport, AppError> {
        let logs = self.store.logs().await?;
        let log_in_use = newest(&logs).ok_or_else(no_log)?;
        let log_id = log_in_use.log_id.as_str();
        let (now, before) = (self.now(), self.renew_before());
        let near = |sound: Timestamp| is_near_end(now, &self.zone, sound, &before);
        let newest = self.store.latest_checkpoint(log_id).await?;
        let mut all = Vec::new();
        for authority in &self.instance.anchors.authorities {
            let last = self.store.newest_time_stamp(&authority.name, log_id).await?;
            all.push(AnchorStanding {
                name: authority.name.clone(),
                role: AnchorRole::TimeStamps,
                size: last.map(|last| last.size),
                at: last.map(|last| last.stamped_at),
                sound_until: last.map(|last| last.sound_until),
                ages: last.is_some_and(|last| near(last.sound_until)),
                fault: self.fault_of(&authority.name),
            });
        }
        for witness in &self.instance.anchors.witnesses {
            let last = self.last_signed_by(witness, log_id).await?;
            all.push(AnchorStanding {
                name: witness.name.clone(),
                role: AnchorRole::Witness,
                size: last.map(|(size, _)| size),
                at: last.map(|(_, at)| at),
                sound_until: None,
                ages: false,
                fault: self.fault_of(&witness.name),
            });
        }
        let mut renewal_due = false;
        for log in &logs {
            renewal_due |= self.store.stamped_until(&log.log_id).await?.is_some_and(near);
        }
        let policy = self.policy(log_id).await?;
        Ok(AnchorReport {
            origin: log_in_use.origin.clone(),
            keys: policy.logs.iter().map(ToString::to_string).collect(),
            size: newest.map_or(0, |head| head.size),
            all,
            renewal_due,
        })
    }
}
