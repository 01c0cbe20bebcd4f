//! Alarms as people see them: what is open, who is told and who has not heard; trying it out, and telling
//! again whoever was given up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::event::Event;
use super::webhook::NotHeard;
use super::{GIVEN_UP_AFTER, recipients, to_address, to_webhook};
use crate::app::doctor::TOLD_AREAS;
use crate::app::{AppError, Quietus};
use crate::config::{MailSettings, WebhookSettings};
use crate::datamap::SecretReference;
use crate::mail::{Address, Message};
use crate::store::{Alarm, AlarmMark, TellingStanding, TellingTo, TellingWay};

/// An alarm as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmFacts {
    /// Its identifier.
    pub id: Uuid,
    /// The area of the doctor.
    pub area: String,
    /// Where: a system, a rule, a case, a job.
    pub place: String,
    /// Of what kind, such as `request.overdue`.
    pub kind: String,
    /// `wrong` or `look`.
    pub mark: AlarmMark,
    /// What there is to say.
    pub text: String,
    /// What to do, in words.
    pub advice: Option<String>,
    /// Commands that one can paste.
    pub commands: Vec<String>,
    /// Since when it is so, as far as anybody knows.
    pub since: Option<Timestamp>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When it was told last.
    pub told_at: Timestamp,
    /// When it was cleared.
    pub cleared_at: Option<Timestamp>,
}

impl From<Alarm> for AlarmFacts {
    fn from(alarm: Alarm) -> Self {
        Self {
            id: alarm.id,
            area: alarm.area,
            place: alarm.place,
            kind: alarm.kind,
            mark: alarm.mark,
            text: alarm.what,
            advice: alarm.advice,
            commands: alarm.commands,
            since: alarm.since,
            raised_at: alarm.raised_at,
            told_at: alarm.told_at,
            cleared_at: alarm.cleared_at,
        }
    }
}

/// How it stands with one of those who are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecipientFacts {
    /// `webhook` or `mail`.
    pub way: TellingWay,
    /// The name of a webhook, or the place of an address in the instance file, from 1.
    pub recipient: String,
    /// How many messages wait.
    pub waiting: u64,
    /// When that happened of which the oldest of them tells.
    pub waiting_since: Option<Timestamp>,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// How many were not heard and are not told any more.
    pub unheard: u64,
    /// Since when nothing is wanted there any more.
    pub gone_at: Option<Timestamp>,
    /// When one was given up last.
    pub given_up_at: Option<Timestamp>,
    /// When one was heard last.
    pub told_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_fault: Option<String>,
}

impl RecipientFacts {
    fn of(to: &TellingTo, standing: Option<TellingStanding>) -> Self {
        let nothing = Self {
            way: to.way,
            recipient: to.recipient.clone(),
            waiting: 0,
            waiting_since: None,
            next_at: None,
            unheard: 0,
            gone_at: None,
            given_up_at: None,
            told_at: None,
            last_fault: None,
        };
        let Some(standing) = standing else { return nothing };
        Self {
            waiting: standing.waiting,
            waiting_since: standing.waiting_since,
            next_at: standing.next_at,
            unheard: standing.unheard,
            gone_at: standing.gone_at,
            given_up_at: standing.given_up_at,
            told_at: standing.told_at,
            last_fault: standing.last_fault,
            ..nothing
        }
    }

    /// How it is called: `webhook pager`, `mail 1`.
    pub fn place(&self) -> String {
        format!("{} {}", self.way, self.recipient)
    }

    /// Whether something was given up and nothing was heard since.
    pub fn is_given_up(&self) -> bool {
        self.given_up_at.is_some_and(|at| self.told_at.is_none_or(|told| told <= at))
    }
}

/// Alarms, and who is told of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmList {
    /// Somebody looks for alarms here.
    pub is_looked_for: bool,
    /// When somebody looked last.
    pub looked_at: Option<Timestamp>,
    /// What is open, the oldest first; or what was cleared, the latest first.
    pub alarms: Vec<AlarmFacts>,
    /// Whom the instance file names.
    pub recipients: Vec<RecipientFacts>,
}

/// Numbers of alarms, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmGauges {
    /// How many are open in each area.
    pub open: BTreeMap<String, u64>,
    /// When somebody looked last.
    pub looked_at: Option<Timestamp>,
    /// Whom the instance file names.
    pub recipients: Vec<RecipientFacts>,
}

/// What came of trying one of those out who are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// `webhook` or `mail`.
    pub way: TellingWay,
    /// The name of a webhook, or the place of an address in the instance file.
    pub recipient: String,
    /// It was heard.
    pub is_heard: bool,
    /// What was answered, or why nothing was.
    pub answer: String,
}

impl Quietus {
    /// Alarms that are open or were cleared, at most so many, and how it stands with whoever is told.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_alarms(&self, cleared: bool, limit: u32) -> Result<AlarmList, AppError> {
        let alarms = if cleared {
            self.store.cleared_alarms(limit).await?
        } else {
            self.store.open_alarms(limit).await?
        };
        Ok(AlarmList {
            is_looked_for: self.has_alarms(),
            looked_at: self.store.alarms_looked_at().await?,
            alarms: alarms.into_iter().map(AlarmFacts::from).collect(),
            recipients: self.alarm_recipients().await?,
        })
    }

    /// How it stands with whomever the instance file names.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn alarm_recipients(&self) -> Result<Vec<RecipientFacts>, AppError> {
        let Some(settings) = &self.instance.alarms else { return Ok(Vec::new()) };
        let standings = self.store.telling_standings().await?.into_iter();
        let mut standings: BTreeMap<TellingTo, TellingStanding> =
            standings.map(|one| (one.to.clone(), one)).collect();
        let all = recipients(settings).into_iter();
        Ok(all.map(|to| RecipientFacts::of(&to, standings.remove(&to))).collect())
    }

    /// Numbers of alarms; `None` where nobody looks for any.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn alarm_gauges(&self) -> Result<Option<AlarmGauges>, AppError> {
        if !self.has_alarms() {
            return Ok(None);
        }
        let mut open: BTreeMap<String, u64> =
            TOLD_AREAS.iter().map(|area| ((*area).to_owned(), 0)).collect();
        open.extend(self.store.open_alarms_by_area().await?);
        Ok(Some(AlarmGauges {
            open,
            looked_at: self.store.alarms_looked_at().await?,
            recipients: self.alarm_recipients().await?,
        }))
    }

    /// Sends a test to each webhook and each address, or to one webhook, or to all addresses (`mail`).
    ///
    /// # Errors
    /// Where there is nobody of that name, or nobody is told here.
    pub async fn try_alarms(&self, name: Option<&str>) -> Result<Vec<Tried>, AppError> {
        let settings = self.settings_of_alarms()?;
        let wanted = self.named_recipients(name)?;
        if wanted.is_empty() {
            return Err(AppError::Input(
                "nobody is told of alarms here: write `webhooks` or `mail` under `alarms` in `quietus.yaml`"
                    .to_owned(),
            ));
        }
        let mut tried = Vec::new();
        for webhook in &settings.webhooks {
            let to = to_webhook(&webhook.name);
            if wanted.contains(&to) {
                tried.push(Tried::of(to, self.try_webhook(webhook).await?));
            }
        }
        for (reference, place) in settings.mail.iter().zip(1..) {
            let to = to_address(place);
            if let (true, Some(server)) = (wanted.contains(&to), &self.instance.mail) {
                tried.push(Tried::of(to, self.try_address(server, reference).await));
            }
        }
        Ok(tried)
    }

    async fn try_webhook(
        &self,
        webhook: &WebhookSettings,
    ) -> Result<Result<String, String>, AppError> {
        let id = self.ids.new_id();
        let body = Event::test(&self.instance.controller.name, id, self.now()).body()?;
        let line = match self.line_to(webhook) {
            Ok(line) => line,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let sent = self.send_event(&line, &format!("test_{}", id.simple()), &body).await;
        Ok(match sent {
            Ok(status) => Ok(format!("it has answered {status}")),
            Err(NotHeard::Gone(why) | NotHeard::Later(why, _)) => Err(why),
        })
    }

    async fn try_address(
        &self,
        settings: &MailSettings,
        reference: &SecretReference,
    ) -> Result<String, String> {
        let (address, server): (Address, _) =
            self.line_by_mail(settings, reference).map_err(|error| error.to_string())?;
        let text = format!(
            "This message shows that alarms of {} arrive.\nNobody has to do anything about it.\n",
            self.instance.controller.name
        );
        let message = Message {
            id: self.ids.new_id(),
            from: &settings.from,
            reply_to: settings.reply_to.as_ref(),
            to: &address,
            at: self.now(),
            subject: "A test of alarms of Quietus",
            text: &text,
            language: "en",
        };
        let sent = server.send(&message).await;
        sent.map(|()| "the mail server has accepted it; look whether it arrives".to_owned())
            .map_err(|error| error.to_string())
    }

    /// Tells again what was given up at a webhook or by mail (`mail`), and a webhook that wanted nothing
    /// any more; how many messages.
    ///
    /// # Errors
    /// Where there is nobody of that name.
    pub async fn tell_alarms_again(&self, name: &str) -> Result<u64, AppError> {
        let now = self.now();
        let give_up_at = now.checked_add(GIVEN_UP_AFTER).unwrap_or(Timestamp::MAX);
        let mut again = 0;
        for to in self.named_recipients(Some(name))? {
            again += self.store.tellings_again(&to, now, give_up_at).await?;
        }
        Ok(again)
    }

    /// Those whom a name stands for; everybody where there is none.
    fn named_recipients(&self, name: Option<&str>) -> Result<Vec<TellingTo>, AppError> {
        let all = recipients(self.settings_of_alarms()?);
        let Some(name) = name else { return Ok(all) };
        let stands_for = |to: &TellingTo| match to.way {
            TellingWay::Webhook => to.recipient == name,
            TellingWay::Mail => name == TellingWay::Mail.as_str(),
        };
        let known: Vec<String> = all
            .iter()
            .map(|to| match to.way {
                TellingWay::Webhook => format!("`{}`", to.recipient),
                TellingWay::Mail => "`mail`".to_owned(),
            })
            .collect();
        let found: Vec<TellingTo> = all.into_iter().filter(stands_for).collect();
        if found.is_empty() {
            return Err(AppError::Input(format!(
                "nobody called `{name}` is told of alarms; there is {}",
                if known.is_empty() { "nobody".to_owned() } else { known.join(", ") }
            )));
        }
        Ok(found)
    }
}

impl Tried {
    fn of(to: TellingTo, answer: Result<String, String>) -> Self {
        let is_heard = answer.is_ok();
        let answer = answer.unwrap_or_else(|why| why);
        Self { way: to.way, recipient: to.recipient, is_heard, answer }
    }
}
