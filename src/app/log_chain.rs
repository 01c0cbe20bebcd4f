//! Which log is in use: the first one, the one of the next year, and the successor of a log that
//! can never be published again.
//!
//! Points at which a process may die at the turn of a year: after the last leaf, the log is closed
//! and the next call publishes its last head; after that, the next call begins the log that
//! follows, whose first leaf holds that head.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::evidence_log::not_signed;
use super::keys::newest;
use super::log_standing::Standing;
use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::Digest;
use crate::evidence::origin::LogName;
use crate::evidence::{EvidenceKind, LogIdentity};
use crate::store::{Head, LogState, NewLog, ReleasedHead, StoreError};

/// What came of closing a log that could not be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The log that was closed.
    pub closed: String,
    /// The one that follows it.
    pub origin: String,
    /// The head that was released last.
    pub released: ReleasedHead,
}

impl Quietus {
    /// Begins the first log of a store that has none. Where a head was signed already, the store is
    /// another one than before, and no second history begins under the same name.
    pub(super) async fn begin_first_log(&self) -> Result<(), AppError> {
        if !self.store.logs().await?.is_empty() || self.signed_head(&[])?.is_some() {
            return Ok(());
        }
        let wanted = LogName::of(&self.instance.evidence_origin);
        let name = if wanted.year.is_some() { wanted } else { wanted.next(self.this_year(), &[]) };
        self.begin_log(name.origin(), None, &Value::Null).await
    }

    /// The log that entries go into now. Ends the one of an earlier year and begins the next.
    ///
    /// # Errors
    /// Where the log may not be published, or the store does not do its part.
    pub(super) async fn log_in_use(&self) -> Result<String, AppError> {
        let logs = self.store.logs().await?;
        if let Some(why) = self.log_standing(&logs).await?.why() {
            return Err(not_signed(&why));
        }
        let newest = newest(&logs).ok_or_else(no_log)?;
        // Only forwards: a clock that is set back ends nothing.
        let is_of_this_year = year_of(newest) >= self.this_year();
        if newest.state == LogState::Open && is_of_this_year {
            return Ok(newest.log_id.clone());
        }
        self.end_log(newest).await?;
        self.follow_log(&newest.log_id).await?;
        let logs = self.store.logs().await?;
        let open = logs.into_iter().find(|log| log.state == LogState::Open);
        open.map(|log| log.log_id).ok_or_else(no_log)
    }

    /// Moves what waits into a log and ends it with its last leaf.
    async fn end_log(&self, log: &Head) -> Result<(), AppError> {
        if log.state == LogState::Closed {
            return Ok(());
        }
        match self.sequence_into(&log.log_id).await {
            // Another replica ended it in between: what waits goes into the next one.
            Ok(()) | Err(AppError::Store(StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
        let last = self.record(
            EvidenceKind::LogClosed,
            About::default(),
            &json!({ "origin": log.origin, "why": "the year ended" }),
        )?;
        self.store.end_log(&log.log_id, last, self.now()).await?;
        Ok(())
    }

    /// Publishes the last head of a closed log and begins the one that follows.
    async fn follow_log(&self, log_id: &str) -> Result<(), AppError> {
        self.publish_head(log_id).await?;
        let head = self.store.head(log_id).await?.ok_or_else(no_log)?;
        let last = self.store.latest_checkpoint(log_id).await?.ok_or_else(no_log)?;
        let note = String::from_utf8(last.note)
            .map_err(|_| AppError::Evidence("a checkpoint is not text".to_owned()))?;
        let previous =
            ReleasedHead { origin: head.origin.clone(), size: last.size, root: last.root };
        let taken = self.store.logs().await?;
        let taken: Vec<&str> = taken.iter().map(|log| log.origin.as_str()).collect();
        let year = self.this_year().max(year_of(&head));
        let next = LogName::of(&head.origin).next(year, &taken).origin();
        let detail = json!({
            "origin": previous.origin,
            "size": previous.size,
            "root": previous.root,
            "checkpoint": note,
        });
        self.begin_log(next, Some(previous), &detail).await
    }

    async fn begin_log(
        &self,
        origin: String,
        previous: Option<ReleasedHead>,
        follows: &Value,
    ) -> Result<(), AppError> {
        let first = self.first_leaf(&origin, follows, &Value::Null)?;
        let log = self.new_log(origin, previous);
        match self.store.begin_log(log, first, self.now()).await {
            // Another replica was first.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn new_log(&self, origin: String, previous: Option<ReleasedHead>) -> NewLog {
        let verifier_key = Some(self.keys.log.public().0);
        NewLog { log_id: origin.clone(), origin, verifier_key, previous }
    }

    fn first_leaf(
        &self,
        origin: &str,
        follows: &Value,
        broken: &Value,
    ) -> Result<crate::store::OutboxEntry, AppError> {
        let identity = LogIdentity::new(origin, self.keys.log.public())
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        self.record(
            EvidenceKind::LogOpened,
            About::default(),
            &json!({
                "origin": origin,
                "verifierKey": identity.verifier_key(),
                "issuerKeySha256": Digest::of(&self.keys.issuer.key().public().to_spki()),
                "follows": follows,
                "break": broken,
            }),
        )
    }

    /// Closes a log that can never be published again and begins its successor, whose first leaf
    /// names the break. What waits in the outbox goes into the successor.
    ///
    /// # Errors
    /// `Input` where nothing is wrong with the log.
    pub async fn succeed_log(&self, reason: &str, actor: &Actor) -> Result<Succession, AppError> {
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        if standing == Standing::Sound {
            return Err(AppError::Input(
                "the evidence log continues the head that was signed last: there is nothing to succeed".to_owned(),
            ));
        }
        let broken = newest(&logs).ok_or_else(no_log)?;
        let signed = self.signed_head(&logs)?;
        let released = match &signed {
            Some(signed) => ReleasedHead {
                origin: signed.head.origin.clone(),
                size: signed.head.size,
                root: signed.head.root,
            },
            None => return Err(AppError::Input("no head of the log was ever signed".to_owned())),
        };
        let mut taken: Vec<&str> = logs.iter().map(|log| log.origin.as_str()).collect();
        taken.push(&released.origin);
        let last = LogName::of(&broken.origin).max(LogName::of(&released.origin));
        let year = self.this_year().max(year_of(broken));
        let origin = last.next(year.max(last.year.unwrap_or(year)), &taken).origin();
        let detail = json!({
            "why": standing.why(),
            "reason": reason,
            "declaredBy": actor.0,
            "released": {
                "origin": released.origin,
                "size": released.size,
                "root": released.root,
                "checkpoint": signed.map(|signed| signed.note),
            },
            "found": { "origin": broken.origin, "size": broken.size, "root": broken.root },
        });
        let first = self.first_leaf(&origin, &Value::Null, &detail)?;
        let log = self.new_log(origin.clone(), Some(released.clone()));
        let now = self.now();
        let begun = if broken.state == LogState::Open {
            self.store.succeed_log((&broken.log_id, broken.size), log, first, now).await?
        } else {
            self.store.begin_log(log, first, now).await?
        };
        if !begun {
            return Err(AppError::Input(
                "the evidence log changed in this moment: look at `quietus log status` again"
                    .to_owned(),
            ));
        }
        self.advance_log().await?;
        Ok(Succession { closed: broken.origin.clone(), origin, released })
    }

    /// The year in UTC.
    fn this_year(&self) -> i16 {
        self.now().to_zoned(TimeZone::UTC).year()
    }

    /// The newest log's name, as certificates state it.
    pub(super) async fn log_name(&self) -> Result<String, AppError> {
        let logs = self.store.logs().await?;
        newest(&logs).map(|log| log.origin.clone()).ok_or_else(no_log)
    }
}

/// The year of a log: that of its name, or else that in which it was begun.
fn year_of(log: &Head) -> i16 {
    let begun = log.created_at.to_zoned(TimeZone::UTC).year();
    LogName::of(&log.origin).year.unwrap_or(begun)
}

/// The error of a store whose log is not there.
pub(super) fn no_log() -> AppError {
    AppError::Evidence("the store has no evidence log: restore it from your copy".to_owned())
}
