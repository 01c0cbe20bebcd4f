//! How the log in the store stands to the head that was signed last, and what follows from it.
//!
//! The one fault that nothing heals is to sign two histories under one name. So before anything is
//! appended or signed, the store is compared with the head beside the key. An earlier copy of the
//! database is noticed before it grows, so that what it has lost can still be put back behind it.

use super::keys::newest;
use super::signed_head::{self, SignedHead};
use super::{AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::tiles;
use crate::store::{Head, LogState, ReleasedHead};

/// How the log in the store stands to the head that was signed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It holds all that was signed, and may grow.
    Sound,
    /// It has fewer leaves than were signed: the store is an earlier copy.
    Behind {
        /// Leaves in the store.
        has: u64,
        /// What was signed.
        signed: ReleasedHead,
    },
    /// The head that was signed last is of a log that the store does not know.
    Unknown {
        /// What was signed.
        signed: ReleasedHead,
    },
    /// It has as many leaves as were signed or more, and others.
    Other {
        /// What was signed.
        signed: ReleasedHead,
    },
    /// Its tiles are not those of its head.
    Damaged,
}

impl Standing {
    /// What is wrong, for people; `None` where nothing is.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Sound => None,
            Self::Behind { has, signed } => Some(format!(
                "it has {has} entries, and a head of {} was signed (the store may be an older copy)",
                signed.size
            )),
            Self::Unknown { signed } => Some(format!(
                "a head of the log `{}` was signed, and the store does not know that log (the store may be an older copy)",
                signed.origin
            )),
            Self::Other { signed } => {
                Some(format!("it is not the one whose head of {} entries was signed", signed.size))
            }
            Self::Damaged => Some("its tiles are not those of its head".to_owned()),
        }
    }

    /// Whether leaves that were exported can be put back behind what is there.
    pub fn can_be_refilled(&self) -> bool {
        matches!(self, Self::Behind { .. } | Self::Unknown { .. })
    }
}

impl Quietus {
    /// The head that was signed last, as it lies beside the key.
    pub(super) fn signed_head(&self, logs: &[Head]) -> Result<Option<SignedHead>, AppError> {
        signed_head::read(&self.keys.folder, |origin| self.keys.identity_among(logs, origin))
    }

    /// Keeps a signed head beside the key, where no later one is there.
    ///
    /// # Errors
    /// Where the store or the file beside the key cannot be read, or the file not be written.
    pub(super) async fn remember_head(&self, note: &str) -> Result<(), AppError> {
        let logs = self.store.logs().await?;
        let identity = |origin: &str| self.keys.identity_among(&logs, origin);
        signed_head::write(&self.keys.folder, note, identity)
    }

    /// How the newest of these logs stands to the head that was signed last.
    ///
    /// # Errors
    /// Where the store or the file beside the key cannot be read.
    pub(super) async fn log_standing(&self, logs: &[Head]) -> Result<Standing, AppError> {
        let Some(log) = newest(logs) else {
            let signed = self.signed_head(logs)?.map(|SignedHead { head, .. }| ReleasedHead {
                origin: head.origin,
                size: head.size,
                root: head.root,
            });
            return Ok(signed.map_or(Standing::Sound, |signed| Standing::Unknown { signed }));
        };
        if self.root_at(log, log.size).await? != Some(log.root) {
            return Ok(Standing::Damaged);
        }
        let Some(SignedHead { head, .. }) = self.signed_head(logs)? else {
            return Ok(Standing::Sound);
        };
        let signed = ReleasedHead { origin: head.origin, size: head.size, root: head.root };
        if signed.origin != log.origin {
            return self.standing_of_link(logs, log, signed).await;
        }
        if log.size < signed.size {
            return Ok(Standing::Behind { has: log.size, signed });
        }
        if self.root_at(log, signed.size).await? == Some(signed.root) {
            return Ok(Standing::Sound);
        }
        Ok(Standing::Other { signed })
    }

    /// How the logs stand to a signed head of another log than the newest: that log has to be one
    /// that the newest follows, and the head not later than the one that was followed.
    async fn standing_of_link(
        &self,
        logs: &[Head],
        newest: &Head,
        signed: ReleasedHead,
    ) -> Result<Standing, AppError> {
        let find = |origin: &str| logs.iter().find(|log| log.origin == origin);
        let Some(earlier) = find(&signed.origin) else {
            return Ok(linked(newest, &signed).unwrap_or(Standing::Unknown { signed }));
        };
        let mut later = Some(newest);
        // Each step goes to an earlier log, so that there are no more of them than logs.
        for _ in 0..logs.len() {
            let Some(previous) = later.and_then(|log| log.previous.as_ref()) else { break };
            if previous.origin != signed.origin {
                later = find(&previous.origin);
                continue;
            }
            if *previous == signed {
                return Ok(Standing::Sound);
            }
            // Another replica signed later heads than this one has seen.
            let known = signed.size <= earlier.size;
            let same = !known || self.root_at(earlier, signed.size).await? == Some(signed.root);
            if signed.size < previous.size && same {
                return Ok(Standing::Sound);
            }
            return Ok(Standing::Other { signed });
        }
        Ok(Standing::Other { signed })
    }

    /// Root of the first `size` leaves of a log by its tiles; `None` where they do not have it.
    pub(super) async fn root_at(&self, log: &Head, size: u64) -> Result<Option<Digest>, AppError> {
        let needed = tiles::tiles_of_root(size);
        let stored = self.store.tiles(&log.log_id, &needed).await?;
        Ok(tiles::root(size, |tile| stored.get(&tile).cloned()).ok())
    }

    /// How the log stands, for people and machines.
    ///
    /// # Errors
    /// Where the store or the file beside the key cannot be read.
    pub async fn log_status(&self) -> Result<LogStatus, AppError> {
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        let signed = self.signed_head(&logs)?.map(|signed| ReleasedHead {
            origin: signed.head.origin,
            size: signed.head.size,
            root: signed.head.root,
        });
        let mut facts = Vec::new();
        for log in &logs {
            let released = self.store.latest_checkpoint(&log.log_id).await?;
            facts.push(LogFacts {
                origin: log.origin.clone(),
                open: log.state == LogState::Open,
                size: log.size,
                root: log.root,
                released: released.map(|head| (head.size, head.root)),
                follows: log.previous.clone(),
            });
        }
        let gauges = self.store.gauges(self.now()).await?;
        Ok(LogStatus {
            logs: facts,
            signed,
            standing,
            waiting: gauges.outbox_entries,
            unproven: gauges.unlogged_certificates,
        })
    }
}

/// Whether a log follows the signed head of a log that the store never knew, by declaration.
fn linked(newest: &Head, signed: &ReleasedHead) -> Option<Standing> {
    (newest.previous.as_ref() == Some(signed)).then_some(Standing::Sound)
}

/// How the logs stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// All logs, oldest first.
    pub logs: Vec<LogFacts>,
    /// The head that was signed last, by the file beside the key.
    pub signed: Option<ReleasedHead>,
    /// Whether it may be published.
    pub standing: Standing,
    /// Entries that are in no log yet.
    pub waiting: u64,
    /// Certificates that are signed and not proven to be in a log.
    pub unproven: u64,
}

/// What is known of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFacts {
    /// Its name.
    pub origin: String,
    /// Whether it grows.
    pub open: bool,
    /// Number of leaves in the store.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
    /// Size and root of the latest checkpoint in the store.
    pub released: Option<(u64, Digest)>,
    /// The released head of the log before it.
    pub follows: Option<ReleasedHead>,
}
