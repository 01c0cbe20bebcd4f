//! The sweep: mails that nobody has settled are told as unknown, mails of tasks are written, and
//! what is due goes out, no faster than the mail server is to be asked.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::MOST_ATTEMPTS;
use super::attempt::Attempted;
use crate::app::back_off::BackOff;
use crate::app::fire::SCHEDULER;
use crate::app::{Actor, AppError, Quietus};
use crate::config::{MailSettings, SecretError};
use crate::mail::Server;
use crate::mail::server::LONGEST_ATTEMPT;
use crate::store::{Mail, MailAbout, MailOutcome};

/// The time that a rate is counted over.
const A_MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Pauses between two attempts.
const PAUSES: BackOff = BackOff { first: Duration::from_mins(2), longest: Duration::from_hours(6) };
/// Why nobody knows what became of a mail whose process is gone.
const LOST: &str = "the process ended before it knew whether the mail server had accepted it";

/// What a sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailTally {
    /// Accepted by the mail server.
    pub sent: u32,
    /// Tried again later.
    pub later: u32,
    /// Nobody knows.
    pub unknown: u32,
    /// To be given by hand.
    pub by_hand: u32,
}

impl MailTally {
    fn count(&mut self, attempted: Attempted) {
        match attempted {
            Attempted::Sent => self.sent += 1,
            Attempted::Later | Attempted::ServerAway => self.later += 1,
            Attempted::Unknown => self.unknown += 1,
            Attempted::ByHand => self.by_hand += 1,
            Attempted::NotWanted | Attempted::Another => {}
        }
    }
}

impl Quietus {
    /// Sends what is due by e-mail; nothing where the instance has no mail server.
    ///
    /// # Errors
    /// Where the store is not there, or what logs in cannot be read. That the mail server is away
    /// is no error.
    pub async fn send_mails(&self) -> Result<MailTally, AppError> {
        self.settle_lost_mails().await?;
        let mut tally = MailTally::default();
        let Some(settings) = &self.instance.mail else { return Ok(tally) };
        self.write_task_mails(settings).await?;
        let since = self.now().checked_sub(A_MINUTE).unwrap_or(Timestamp::MIN);
        let tried = self.store.mails_tried_since(since).await?;
        let room = u64::from(settings.rate_a_minute).saturating_sub(tried);
        let due = self.store.due_mails(self.now(), u32::try_from(room).unwrap_or(u32::MAX));
        let due = if room == 0 { Vec::new() } else { due.await? };
        if due.is_empty() {
            return Ok(tally);
        }
        let server = self.mail_server(settings)?;
        for mail in due {
            let attempted = self.attempt_mail(settings, &server, &mail).await?;
            tally.count(attempted);
            // A server that is away is not asked again for every mail that waits.
            if attempted == Attempted::ServerAway {
                break;
            }
        }
        Ok(tally)
    }

    /// The mail server of the instance, with what logs in.
    pub(crate) fn mail_server(&self, settings: &MailSettings) -> Result<Server, AppError> {
        let folder = &self.instance.folder;
        let refuse = |error: SecretError| AppError::Secret(format!("`mail`: {error}"));
        let login = match &settings.login {
            Some((user, password)) => Some((
                user.resolve(folder).map_err(refuse)?.expose_secret().to_owned().into(),
                password.resolve(folder).map_err(refuse)?,
            )),
            None => None,
        };
        let trust = settings.trust.as_ref().map(|path| {
            std::fs::read(folder.join(path)).map_err(|error| {
                AppError::Secret(format!(
                    "`mail`: the certificates `{}` cannot be read: {}",
                    path.display(),
                    error.kind()
                ))
            })
        });
        Ok(Server {
            host: settings.host.clone(),
            port: settings.port,
            encryption: settings.encryption,
            login,
            trust: trust.transpose()?,
        })
    }

    /// Mails that somebody began to send and that nobody can be sending any more. A letter waits
    /// for a person; a task goes out again under the same identifier, as two of it harm nobody.
    async fn settle_lost_mails(&self) -> Result<(), AppError> {
        let longest = SignedDuration::try_from(LONGEST_ATTEMPT).unwrap_or(SignedDuration::MAX);
        let before = self.now().checked_sub(longest).unwrap_or(Timestamp::MIN);
        for mail in self.store.lost_mails(before).await? {
            let outcome = self.outcome_of_unknown(&mail, LOST);
            let detail = json!({ "why": LOST });
            let by = Actor(SCHEDULER.to_owned());
            let evidence =
                self.mail_entry(&mail, "mail sent or not, nobody knows", &by, &detail).await?;
            let settled = (SCHEDULER, self.now());
            self.store
                .settle_mail((mail.id, mail.attempts), outcome, settled, vec![evidence])
                .await?;
            tracing::warn!(mail = %mail.id, "nobody knows whether a mail went out: see `quietus mail list`");
        }
        Ok(())
    }

    /// What follows where nobody knows whether a mail went.
    pub(super) fn outcome_of_unknown(&self, mail: &Mail, why: &str) -> MailOutcome {
        if mail.about == MailAbout::Letter {
            MailOutcome::Unknown(why.to_owned())
        } else {
            self.again_or_by_hand(mail.attempts, mail.attempts_allowed, why)
        }
    }

    /// The next attempt after so many, or none any more.
    pub(super) fn again_or_by_hand(&self, attempts: u32, allowed: u32, why: &str) -> MailOutcome {
        if attempts >= allowed {
            return MailOutcome::ByHand(why.to_owned());
        }
        // Somebody may have allowed further ones: the pauses begin anew with them.
        let made = MOST_ATTEMPTS.saturating_sub(allowed - attempts);
        let pause = self.pause_after(PAUSES, made);
        let next = self.now().checked_add(pause).unwrap_or(Timestamp::MAX);
        MailOutcome::Later(next, why.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_a_bound() {
        let seconds = |attempts: u32, chance: u16| PAUSES.pause(attempts, chance).as_secs();
        assert_eq!((seconds(1, 0), seconds(1, u16::MAX)), (60, 120));
        assert_eq!((seconds(2, 0), seconds(2, u16::MAX)), (120, 240));
        assert_eq!((seconds(9, 0), seconds(9, u16::MAX)), (10_800, 21_600));
        assert_eq!(seconds(u32::MAX, u16::MAX), 21_600);
    }
}
