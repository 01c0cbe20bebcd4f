//! Alarms of requests that press: a line of the log, for each request once a day and for all replicas
//! together. The line names no person.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::record::Move;
use crate::app::{AppError, Quietus};
use crate::domain::RequestState;

/// Deadlines are days, so nobody has to look more often.
const LOOKED_AT_EVERY: SignedDuration = SignedDuration::from_mins(10);

impl Quietus {
    /// Tells the log of every open request that is at risk or overdue, and of parts that are overdue
    /// while their system is spared.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn warn_of_deadlines(&self) -> Result<(), AppError> {
        if !self.is_time_to_look() {
            return Ok(());
        }
        let mut pressing = Vec::new();
        self.each_open_request(|facts| {
            if facts.clock.standing.pressing().is_some() {
                pressing.push(facts);
            }
        })
        .await?;
        for facts in pressing {
            if self.note_alarm(facts.id).await? {
                tracing::warn!(
                    request = %facts.id, right = %facts.asked, regime = %facts.regime,
                    standing = facts.clock.standing.as_str(), days_left = facts.clock.days_left,
                    "a request presses: see `quietus request show`"
                );
            }
        }
        self.say_what_is_overdue().await
    }

    /// Notes that the log is told of a request today; `false` where it was told before, also by
    /// another replica, or somebody is just changing the request.
    async fn note_alarm(&self, id: Uuid) -> Result<bool, AppError> {
        let mut request = self.rights_request(id).await?;
        let today = self.zone.to_datetime(self.now()).date();
        if request.stored.state == RequestState::Closed || request.record.alarmed_on == Some(today)
        {
            return Ok(false);
        }
        request.record.alarmed_on = Some(today);
        let change = self.change_of(&request, Move::stay(&request.stored))?;
        Ok(self.store.change_request(change, self.now(), Vec::new()).await?)
    }

    fn is_time_to_look(&self) -> bool {
        let now: Timestamp = self.now();
        let mut last =
            self.deadlines_looked_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| now >= last && now.duration_since(last) < LOOKED_AT_EVERY) {
            return false;
        }
        *last = Some(now);
        true
    }
}
