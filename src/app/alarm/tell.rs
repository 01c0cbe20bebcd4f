//! Telling: what waits is sent to each webhook and each address, in the order in which it happened. All
//! are told side by side, so that whoever does not hear keeps nobody else waiting; one who does not is
//! left alone for a while, for longer each time, and given up after four days.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::event::message_id;
use super::webhook::NotHeard;
use super::{to_address, to_webhook};
use crate::app::back_off::BackOff;
use crate::app::{AppError, Quietus};
use crate::config::{AlarmSettings, WebhookSettings};
use crate::store::{Telling, TellingTo, TellingWay};

/// Messages that one webhook gets in one go.
const AT_ONCE: u32 = 100;
/// Pauses between two attempts.
const PAUSES: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_hours(6) };
/// No longer pause is granted to whoever asks for one.
const LONGEST_ASKED: Duration = Duration::from_hours(24);
/// Nobody else sends what is being sent; longer than a message may take.
const BEING_SENT: Duration = Duration::from_mins(1);
/// What cannot be sent because of a setting is tried again after this time.
const AFTER_A_SETTING: Duration = Duration::from_mins(5);

/// What came of telling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TellTally {
    /// Heard.
    pub told: u64,
    /// Not heard, and told later.
    pub later: u64,
    /// Not heard, and not told any more.
    pub given_up: u64,
}

impl TellTally {
    fn add(&mut self, other: Self) {
        self.told += other.told;
        self.later += other.later;
        self.given_up += other.given_up;
    }
}

impl Quietus {
    /// Tells whoever is to be told now; nothing where the instance has no alarms.
    ///
    /// # Errors
    /// Where the store is not there. That somebody does not hear is no error.
    pub async fn tell_alarms(&self) -> Result<TellTally, AppError> {
        let mut tally = TellTally::default();
        let Some(settings) = &self.instance.alarms else { return Ok(tally) };
        let waiting = self.store.waiting_recipients().await?;
        for told in join_all(waiting.iter().map(|to| self.tell_one(settings, to))).await {
            tally.add(told?);
        }
        Ok(tally)
    }

    async fn tell_one(
        &self,
        settings: &AlarmSettings,
        to: &TellingTo,
    ) -> Result<TellTally, AppError> {
        match to.way {
            TellingWay::Webhook => {
                let mut webhooks = settings.webhooks.iter();
                if let Some(webhook) = webhooks.find(|one| one.name == to.recipient) {
                    return Box::pin(self.tell_webhook(webhook)).await;
                }
            }
            TellingWay::Mail => {
                let mut places = settings.mail.iter().zip(1_usize..);
                let found = places.find(|(_, place)| place.to_string() == to.recipient);
                if let (Some((reference, place)), Some(server)) = (found, &self.instance.mail) {
                    let language = settings.language;
                    let to = to_address(place);
                    return Box::pin(self.mail_alarms((server, language), reference, &to)).await;
                }
            }
        }
        let given_up = self.store.call_off_tellings(to, self.now()).await?;
        Ok(TellTally { given_up, ..TellTally::default() })
    }

    async fn tell_webhook(&self, webhook: &WebhookSettings) -> Result<TellTally, AppError> {
        let to = to_webhook(&webhook.name);
        let mut tally = TellTally::default();
        let due = self.store.due_tellings(&to, self.now(), AT_ONCE).await?;
        if due.is_empty() {
            return Ok(tally);
        }
        let line = match self.line_to(webhook) {
            Ok(line) => line,
            Err(error) => return self.put_off_all(&to, &due, &error.to_string()).await,
        };
        for telling in due {
            let again_at = self.after(BEING_SENT);
            // Where another replica has it, it has those after it too.
            let Some(telling) = self.store.take_telling(&telling, self.now(), again_at).await?
            else {
                break;
            };
            match self.send_event(&line, &message_id(&telling), &telling.body).await {
                Ok(_) => {
                    self.store.telling_told(&telling, self.now()).await?;
                    tally.told += 1;
                }
                Err(NotHeard::Gone(why)) => {
                    tracing::error!(webhook = %webhook.name, %why, "a webhook wants nothing any more: see `quietus alarm list`");
                    tally.given_up += self.store.tellings_gone(&to, self.now(), &why).await?;
                    break;
                }
                Err(NotHeard::Later(why, asked_for)) => {
                    tracing::info!(webhook = %webhook.name, %why, "an alarm was not heard yet");
                    tally.later += 1;
                    let unheard = std::slice::from_ref(&telling);
                    tally.given_up += self.tell_later(unheard, asked_for, &why).await?;
                    break;
                }
            }
        }
        Ok(tally)
    }

    /// What somebody has not heard is told later, and everything else that waits for them after it; how
    /// many were given up because their time is over.
    pub(super) async fn tell_later(
        &self,
        unheard: &[Telling],
        asked_for: Duration,
        why: &str,
    ) -> Result<u64, AppError> {
        let Some(first) = unheard.first() else { return Ok(0) };
        let pause = self.pause_after(PAUSES, first.attempts);
        let until = self.after(pause.max(asked_for.min(LONGEST_ASKED)));
        for telling in unheard {
            self.store.telling_later(telling, until, why).await?;
        }
        self.give_up_or_put_off(&first.to, until, why).await
    }

    /// Nothing can be sent because of a setting: everything that waits for somebody is put off.
    pub(super) async fn put_off_all(
        &self,
        to: &TellingTo,
        due: &[Telling],
        why: &str,
    ) -> Result<TellTally, AppError> {
        tracing::error!(way = %to.way, recipient = %to.recipient, %why, "alarms cannot be told");
        let again_at = self.after(BEING_SENT);
        let mut given_up = 0;
        if let Some(first) = due.first()
            && let Some(taken) = self.store.take_telling(first, self.now(), again_at).await?
        {
            let until = self.after(AFTER_A_SETTING);
            self.store.telling_later(&taken, until, why).await?;
            given_up = self.give_up_or_put_off(to, until, why).await?;
        }
        let later = (due.len() as u64).saturating_sub(given_up);
        Ok(TellTally { later, given_up, ..TellTally::default() })
    }

    async fn give_up_or_put_off(
        &self,
        to: &TellingTo,
        until: Timestamp,
        why: &str,
    ) -> Result<u64, AppError> {
        let given_up = self.store.put_tellings_off(to, (self.now(), until), why).await?;
        if given_up > 0 {
            tracing::error!(
                way = %to.way, recipient = %to.recipient, given_up, %why,
                "alarms that nobody has heard are given up: see `quietus alarm list`"
            );
        }
        Ok(given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::alarm::GIVEN_UP_AFTER;

    #[test]
    fn pauses_grow_to_hours_and_leave_many_attempts_before_the_end() {
        let whole = |attempts: u32| PAUSES.pause(attempts, u16::MAX);
        assert_eq!(PAUSES.pause(1, 0), Duration::from_secs(5));
        assert_eq!((whole(1), whole(4)), (Duration::from_secs(10), Duration::from_secs(80)));
        assert_eq!(whole(u32::MAX), PAUSES.longest);
        let (mut attempts, mut passed) = (1, Duration::ZERO);
        while passed < Duration::try_from(GIVEN_UP_AFTER).unwrap() {
            passed += whole(attempts);
            attempts += 1;
        }
        assert!((20..40).contains(&attempts), "{attempts} attempts");
    }
}
