//! Mails as people see them: what has not gone out and why, sending one again, and a message by
//! which the settings are tried.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::MOST_ATTEMPTS;
use crate::app::task::is_pending;
use crate::app::{Actor, AppError, Quietus};
use crate::config::MailSettings;
use crate::mail::{Address, Message};
use crate::store::{Letter, Mail, MailAbout, MailState};

/// Most mails in a list.
const MOST_LISTED: u32 = 1000;

/// How the mail of a letter stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MailFacts {
    /// `due`, `sending`, `sent`, `unknown`, `by_hand` or `called_off`.
    pub state: &'static str,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, while it is due.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub fault: Option<String>,
}

impl From<&Mail> for MailFacts {
    fn from(mail: &Mail) -> Self {
        Self {
            state: mail.state.as_str(),
            attempts: mail.attempts,
            next_at: (mail.state == MailState::Due).then_some(mail.next_at),
            fault: mail.fault.clone(),
        }
    }
}

impl MailFacts {
    /// In words, for people; the moment as `day` writes it.
    pub fn words(&self, day: impl Fn(Timestamp) -> String) -> String {
        let why = self.fault.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        match (self.state, self.next_at) {
            ("due", Some(_)) if self.attempts == 0 => "goes by mail".to_owned(),
            ("due", Some(at)) => {
                format!("by mail, attempt {} at {}{why}", self.attempts + 1, day(at))
            }
            ("sending", _) => "being sent by mail".to_owned(),
            ("unknown", _) => format!("outcome unknown{why}"),
            ("by_hand", _) => format!("give it by hand{why}"),
            (state, _) => state.replace('_', " "),
        }
    }
}

impl Quietus {
    /// Whether letters and tasks go out by e-mail here.
    pub fn has_mail(&self) -> bool {
        self.instance.mail.is_some()
    }

    /// Mails that have not gone out and that somebody still waits for, the oldest first; at most
    /// 1000.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn open_mails(&self) -> Result<Vec<Mail>, AppError> {
        let mut open = Vec::new();
        for mail in self.store.open_mails(MOST_LISTED).await? {
            if self.is_still_wanted(&mail).await? {
                open.push(mail);
            }
        }
        Ok(open)
    }

    /// Whether somebody still waits for a mail: not where its task is over or its person forgotten.
    async fn is_still_wanted(&self, mail: &Mail) -> Result<bool, AppError> {
        if let Some(job) = mail.job_id {
            return Ok(self.store.task(job).await?.is_some_and(|task| is_pending(&task)));
        }
        let letter = match mail.letter_id {
            Some(letter) => self.store.letter(letter).await?,
            None => None,
        };
        Ok(letter.is_some_and(|letter| letter.sealed.is_some()))
    }

    /// How a mail stands. What waits for a mail server that the instance does not name any more
    /// is given by hand.
    pub fn mail_facts(&self, mail: &Mail) -> MailFacts {
        let facts = MailFacts::from(mail);
        if self.has_mail() || mail.state != MailState::Due {
            return facts;
        }
        MailFacts {
            state: MailState::ByHand.as_str(),
            next_at: None,
            fault: Some("`quietus.yaml` names no mail server".to_owned()),
            ..facts
        }
    }

    /// How the mails of a request's letters stand, by letter.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn mails_of(&self, request: Uuid) -> Result<BTreeMap<Uuid, MailFacts>, AppError> {
        let mails = self.store.mails_of_request(request).await?;
        Ok(mails.iter().map(|mail| (mail.id, self.mail_facts(mail))).collect())
    }

    /// The mail by which a letter goes, where it does.
    pub(crate) fn mail_of_letter(&self, letter: &Letter, contact: Option<&str>) -> Option<Mail> {
        self.instance.mail.as_ref()?;
        let has_address = if letter.is_to_person() {
            contact.is_some_and(|contact| Address::parse(contact).is_some())
        } else {
            let system =
                self.map.systems.values().find(|one| one.name.as_str() == letter.recipient);
            system.and_then(|one| one.third_party.as_ref()).is_some_and(|one| one.mail.is_some())
        };
        has_address.then(|| Mail {
            id: letter.id,
            about: MailAbout::Letter,
            letter_id: Some(letter.id),
            job_id: None,
            recipient: letter.recipient.clone(),
            state: MailState::Due,
            written_at: letter.written_at,
            next_at: letter.written_at,
            attempts: 0,
            attempts_allowed: MOST_ATTEMPTS,
            tried_at: None,
            fault: None,
            settled_at: None,
        })
    }

    /// Sends a mail again, under the same `Message-ID`, whose outcome is unknown or that was to be
    /// given by hand.
    ///
    /// # Errors
    /// Where there is no such mail, it is in another state, or its letter was delivered otherwise.
    pub async fn mail_again(&self, id: Uuid, actor: &Actor) -> Result<(), AppError> {
        self.settings_of_mail()?;
        let Some(mail) = self.store.mail(id).await? else {
            return Err(AppError::Input(format!(
                "there is no mail `{id}`: see `quietus mail list`"
            )));
        };
        let evidence = self.mail_entry(&mail, "mail to be sent again", actor, &json!({})).await?;
        let further = (MOST_ATTEMPTS, self.now());
        if self.store.mail_again(id, further, vec![evidence]).await? {
            self.wake.up();
            return Ok(());
        }
        Err(AppError::Input(format!(
            "mail `{id}` is `{}`: only one whose outcome is unknown, or that is to be given by hand, is sent again",
            mail.state
        )))
    }

    /// Sends a message by which somebody sees that the settings work.
    ///
    /// # Errors
    /// Where there are no settings, the address is none, or the mail server does not accept it.
    pub async fn send_test_mail(&self, to: &str) -> Result<(), AppError> {
        let settings = self.settings_of_mail()?;
        let to = Address::parse(to).ok_or_else(|| {
            AppError::Input("the first line of the file is no e-mail address".to_owned())
        })?;
        let text = format!(
            "This message shows that {} can send mail with Quietus.\nNobody has to do anything about it.\n",
            self.instance.controller.name
        );
        let message = Message {
            id: self.ids.new_id(),
            from: &settings.from,
            reply_to: settings.reply_to.as_ref(),
            to: &to,
            at: self.now(),
            subject: "A test of Quietus",
            text: &text,
            language: "en",
        };
        let server = self.mail_server(settings)?;
        server.send(&message).await.map_err(|error| AppError::Mail(error.to_string()))
    }

    fn settings_of_mail(&self) -> Result<&MailSettings, AppError> {
        self.instance.mail.as_ref().ok_or_else(|| {
            AppError::Input(
                "`quietus.yaml` names no mail server: write it under `mail`, then `quietus check`"
                    .to_owned(),
            )
        })
    }
}
