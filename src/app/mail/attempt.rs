//! One mail, once: the intent on record, the mail server asked, and the outcome on record.

use serde_json::{Value, json};

use super::compose::{Composed, NotComposed};
use crate::app::crash::CrashPoint;
use crate::app::fire::SCHEDULER;
use crate::app::{Actor, AppError, Quietus};
use crate::config::MailSettings;
use crate::mail::{Message, NotSent, Server, Step};
use crate::store::{LetterKind, Mail, MailAbout, MailOutcome, OutboxEntry};

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempted {
    /// The mail server has accepted it.
    Sent,
    /// It is tried again later.
    Later,
    /// The same, because the mail server lets nobody in.
    ServerAway,
    /// Nobody knows.
    Unknown,
    /// Somebody gives it by hand.
    ByHand,
    /// It is not wanted any more.
    NotWanted,
    /// Another process has it.
    Another,
}

impl Quietus {
    /// Tries one mail once.
    pub(super) async fn attempt_mail(
        &self,
        settings: &MailSettings,
        server: &Server,
        mail: &Mail,
    ) -> Result<Attempted, AppError> {
        let composed = match self.compose_mail(settings, mail).await {
            Err(NotComposed::NotWanted) => {
                self.store.call_off_mail(mail.id, self.now()).await?;
                return Ok(Attempted::NotWanted);
            }
            Err(NotComposed::App(error @ AppError::Store(_))) => return Err(error),
            // One mail that cannot be written keeps no other one waiting.
            Err(NotComposed::App(error)) => Err((Attempted::Later, error.to_string())),
            Ok(composed) => Ok(composed),
            Err(NotComposed::Later(why)) => Err((Attempted::Later, why)),
            Err(NotComposed::ByHand(why)) => Err((Attempted::ByHand, why.to_owned())),
        };
        let attempt = Mail { attempts: mail.attempts + 1, ..mail.clone() };
        let begun = self.entry(&attempt, "mail being sent", &json!({})).await?;
        if !self.store.begin_mail(mail, self.now(), vec![begun]).await? {
            return Ok(Attempted::Another);
        }
        self.crash.reach(CrashPoint::MailBegun);
        let (attempted, outcome) = match composed {
            Ok(composed) => {
                let answer = server.send(&self.message(settings, &attempt, &composed)).await;
                self.crash.reach(CrashPoint::MailAnswered);
                self.outcome_of(&attempt, answer)
            }
            Err((Attempted::ByHand, why)) => (Attempted::ByHand, MailOutcome::ByHand(why)),
            Err((attempted, why)) => {
                let (attempts, allowed) = (attempt.attempts, attempt.attempts_allowed);
                (attempted, self.again_or_by_hand(attempts, allowed, &why))
            }
        };
        self.settle_attempt_of_mail(&attempt, outcome).await?;
        Ok(attempted)
    }

    fn message<'a>(
        &self,
        settings: &'a MailSettings,
        mail: &Mail,
        composed: &'a Composed,
    ) -> Message<'a> {
        Message {
            id: mail.id,
            from: &settings.from,
            reply_to: settings.reply_to.as_ref(),
            to: &composed.to,
            at: self.now(),
            subject: &composed.subject,
            text: &composed.text,
            language: &composed.language,
        }
    }

    fn outcome_of(&self, mail: &Mail, answer: Result<(), NotSent>) -> (Attempted, MailOutcome) {
        match answer {
            Ok(()) => (Attempted::Sent, MailOutcome::Sent),
            Err(NotSent::Refused(trouble)) => {
                (Attempted::ByHand, MailOutcome::ByHand(trouble.to_string()))
            }
            Err(NotSent::Unknown(trouble)) => {
                (Attempted::Unknown, self.outcome_of_unknown(mail, &trouble.to_string()))
            }
            Err(NotSent::Later(trouble)) => {
                let why = trouble.to_string();
                let outcome = self.again_or_by_hand(mail.attempts, mail.attempts_allowed, &why);
                let away = matches!(
                    trouble.step,
                    Step::Preparing | Step::Connecting | Step::LoggingIn | Step::Sender
                );
                (if away { Attempted::ServerAway } else { Attempted::Later }, outcome)
            }
        }
    }

    /// Puts the outcome on record, with the delivery of a letter, and lets go on what has waited
    /// for it.
    async fn settle_attempt_of_mail(
        &self,
        mail: &Mail,
        outcome: MailOutcome,
    ) -> Result<(), AppError> {
        let (what, detail) = match &outcome {
            MailOutcome::Sent if mail.about == MailAbout::Letter => {
                ("delivered", json!({ "how": "mail" }))
            }
            MailOutcome::Sent => ("mail sent", json!({})),
            MailOutcome::Later(next, why) => {
                ("mail not sent", json!({ "why": why, "nextAt": next }))
            }
            MailOutcome::Unknown(why) => ("mail sent or not, nobody knows", json!({ "why": why })),
            MailOutcome::ByHand(why) => {
                ("mail cannot be sent, to be given by hand", json!({ "why": why }))
            }
        };
        match &outcome {
            MailOutcome::Sent => tracing::info!(mail = %mail.id, about = %mail.about, "mail sent"),
            MailOutcome::Later(_, why) => {
                tracing::info!(mail = %mail.id, about = %mail.about, %why, "mail not sent yet");
            }
            MailOutcome::Unknown(why) | MailOutcome::ByHand(why) => tracing::warn!(
                mail = %mail.id, about = %mail.about, %why,
                "a mail needs a person: see `quietus mail list`"
            ),
        }
        let sent = outcome == MailOutcome::Sent;
        let evidence = self.entry(mail, what, &detail).await?;
        let settled = (SCHEDULER, self.now());
        self.store.settle_mail((mail.id, mail.attempts), outcome, settled, vec![evidence]).await?;
        if sent {
            self.goes_on_after(mail).await?;
        }
        Ok(())
    }

    /// A request that waited until its notice was delivered goes on.
    async fn goes_on_after(&self, mail: &Mail) -> Result<(), AppError> {
        let Some(letter) = mail.letter_id else { return Ok(()) };
        let letter = self.store.letter(letter).await?;
        if let Some(letter) = letter.filter(|one| one.kind == LetterKind::BeforeLifting) {
            let request = self.rights_request(letter.request_id).await?;
            self.look_at_soon(&request).await?;
        }
        Ok(())
    }

    /// What is put on record of a mail: with its letter and request, or with its task. Neither its
    /// address nor its text.
    pub(super) async fn mail_entry(
        &self,
        mail: &Mail,
        what: &str,
        actor: &Actor,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        let missing = |what: &'static str| AppError::Unreadable {
            what: "a mail",
            why: format!("its {what} is missing"),
        };
        let mut detail = detail.clone();
        detail["mail"] = mail.id.to_string().into();
        detail["attempt"] = mail.attempts.into();
        if let Some(letter) = mail.letter_id {
            let letter = self.store.letter(letter).await?.ok_or_else(|| missing("letter"))?;
            let request = self.store.request(letter.request_id).await?;
            let request = request.ok_or_else(|| missing("request"))?;
            return self.letter_entry(&request, &letter, what, actor, &detail);
        }
        let task = match mail.job_id {
            Some(job) => self.store.task(job).await?,
            None => None,
        };
        detail["about"] = mail.about.as_str().into();
        detail["recipient"] = mail.recipient.as_str().into();
        self.task_entry(&task.ok_or_else(|| missing("task"))?, what, actor, &detail)
    }

    async fn entry(
        &self,
        mail: &Mail,
        what: &str,
        detail: &Value,
    ) -> Result<OutboxEntry, AppError> {
        self.mail_entry(mail, what, &Actor(SCHEDULER.to_owned()), detail).await
    }
}
