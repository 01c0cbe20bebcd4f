//! Alarms by e-mail: everything that waits for an address goes in one message, through the mail server of
//! the instance. The frame is in the language of the settings; what the doctor says is English.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use uuid::Uuid;

use super::event::{Event, message_id};
use super::tell::TellTally;
use crate::app::{AppError, Quietus};
use crate::config::MailSettings;
use crate::datamap::SecretReference;
use crate::domain::{AlarmStep, Digest};
use crate::evidence::print::Language;
use crate::mail::server::LONGEST_ATTEMPT;
use crate::mail::{Address, Message, NotSent, Server};
use crate::rights::fill;
use crate::store::{AlarmMark, Telling, TellingTo};

/// Steps that one message tells of.
const MOST_IN_A_MESSAGE: u32 = 50;

/// What a message is written from.
#[derive(Serialize)]
struct Filling<'a> {
    controller: &'a str,
    raised: usize,
    again: usize,
    cleared: usize,
    events: Vec<FilledEvent>,
}

/// A step as the template names it.
#[derive(Serialize)]
struct FilledEvent {
    step: &'static str,
    area: String,
    place: String,
    kind: String,
    mark: AlarmMark,
    text: String,
    since: Option<String>,
    raised: String,
    at: String,
    advice: Option<String>,
    commands: Vec<String>,
}

fn template(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("mail/en.txt"),
        Language::German => include_str!("mail/de.txt"),
        Language::Chinese => include_str!("mail/zh.txt"),
    }
}

/// Subject and text of a message about these steps; `moment` writes moments as people do.
fn write(
    language: Language,
    controller: &str,
    events: Vec<(AlarmStep, Event)>,
    moment: impl Fn(Timestamp) -> String,
) -> Result<(String, String), AppError> {
    let count = |step: AlarmStep| events.iter().filter(|(one, _)| *one == step).count();
    let filling = Filling {
        controller,
        raised: count(AlarmStep::Raised),
        again: count(AlarmStep::Again),
        cleared: count(AlarmStep::Cleared),
        events: events
            .into_iter()
            .map(|(step, event)| FilledEvent {
                step: match step {
                    AlarmStep::Raised => "raised",
                    AlarmStep::Again => "again",
                    AlarmStep::Cleared => "cleared",
                },
                area: event.data.area,
                place: event.data.place,
                kind: event.data.kind,
                mark: event.data.mark,
                text: event.data.text,
                since: event.data.since.map(&moment),
                raised: moment(event.data.raised_at),
                at: moment(event.timestamp),
                advice: event.data.advice,
                commands: event.data.commands,
            })
            .collect(),
    };
    fill("alarm", template(language), &filling)
        .map_err(|error| AppError::Unreadable { what: "a template", why: error.to_string() })
}

/// The same for a message of the same steps to the same address.
fn id_of(to: &TellingTo, tellings: &[Telling]) -> Uuid {
    let steps: Vec<String> = tellings.iter().map(message_id).collect();
    let name = format!("mail {} {}", to.recipient, steps.join(" "));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(name.as_bytes()).0[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

impl Quietus {
    /// Sends everything that waits for an address in one message.
    pub(super) async fn mail_alarms(
        &self,
        (settings, language): (&MailSettings, Language),
        reference: &SecretReference,
        to: &TellingTo,
    ) -> Result<TellTally, AppError> {
        let due = self.store.due_tellings(to, self.now(), MOST_IN_A_MESSAGE).await?;
        if due.is_empty() {
            return Ok(TellTally::default());
        }
        let (address, server) = match self.line_by_mail(settings, reference) {
            Ok(line) => line,
            Err(error) => return self.put_off_all(to, &due, &error.to_string()).await,
        };
        let longest = self.now().checked_add(LONGEST_ATTEMPT).unwrap_or(Timestamp::MAX);
        let mut taken = Vec::new();
        for telling in &due {
            let Some(telling) = self.store.take_telling(telling, self.now(), longest).await? else {
                break;
            };
            taken.push(telling);
        }
        if taken.is_empty() {
            return Ok(TellTally::default());
        }
        let (subject, text) = self.words_of(language, &taken)?;
        let message = Message {
            id: id_of(to, &taken),
            from: &settings.from,
            reply_to: settings.reply_to.as_ref(),
            to: &address,
            at: self.now(),
            subject: &subject,
            text: &text,
            language: language.code(),
        };
        let answer = server.send(&message).await;
        self.settle_mailed(&taken, answer).await
    }

    /// The address, and the mail server.
    pub(super) fn line_by_mail(
        &self,
        settings: &MailSettings,
        reference: &SecretReference,
    ) -> Result<(Address, Server), AppError> {
        let refuse = |why: String| AppError::Secret(format!("`alarms: mail`: {why}"));
        let text = reference.resolve(&self.instance.folder);
        let text = text.map_err(|error| refuse(error.to_string()))?;
        let address = Address::parse(text.expose_secret())
            .ok_or_else(|| refuse("what is found as an address is none: correct it".to_owned()))?;
        Ok((address, self.mail_server(settings)?))
    }

    fn words_of(
        &self,
        language: Language,
        tellings: &[Telling],
    ) -> Result<(String, String), AppError> {
        let events = tellings.iter().map(|one| Ok((one.event, Event::read(&one.body)?)));
        let events = events.collect::<Result<Vec<_>, AppError>>()?;
        let moment = |at: Timestamp| {
            at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
        };
        write(language, &self.instance.controller.name, events, moment)
    }

    /// Where nobody knows whether a message went, it goes again under the same identifier: two of it harm
    /// nobody.
    async fn settle_mailed(
        &self,
        tellings: &[Telling],
        answer: Result<(), NotSent>,
    ) -> Result<TellTally, AppError> {
        let mut tally = TellTally::default();
        match answer {
            Ok(()) => {
                for telling in tellings {
                    self.store.telling_told(telling, self.now()).await?;
                    tally.told += 1;
                }
            }
            Err(NotSent::Refused(trouble)) => {
                let why = trouble.to_string();
                tracing::error!(%why, "an address of `alarms: mail` is refused: see `quietus alarm list`");
                for telling in tellings {
                    self.store.telling_refused(telling, self.now(), &why).await?;
                    tally.given_up += 1;
                }
            }
            Err(NotSent::Later(trouble) | NotSent::Unknown(trouble)) => {
                let why = trouble.to_string();
                tracing::info!(%why, "alarms could not be mailed yet");
                tally.given_up = self.tell_later(tellings, Duration::ZERO, &why).await?;
                tally.later = (tellings.len() as u64).saturating_sub(tally.given_up);
            }
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: AlarmStep) -> (AlarmStep, Event) {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut event =
            Event::test("Example Company", Uuid::from_u128(7), at("2026-11-02T00:00:00Z"));
        event.name = step.as_str().to_owned();
        event.data.area = "requests".to_owned();
        event.data.place = "request 7".to_owned();
        event.data.kind = "request.overdue".to_owned();
        event.data.mark = AlarmMark::Wrong;
        event.data.text = "it is not answered".to_owned();
        event.data.since = Some(at("2026-11-01T00:00:00Z"));
        event.data.advice = Some("answer it".to_owned());
        event.data.commands = vec!["quietus request show 7".to_owned()];
        (step, event)
    }

    fn written(language: Language, steps: &[AlarmStep]) -> (String, String) {
        let events = steps.iter().copied().map(event).collect();
        write(language, "Example Company", events, |at| at.to_string()).unwrap()
    }

    #[test]
    fn every_message_is_written_in_every_language() {
        use AlarmStep::{Again, Cleared, Raised};
        for language in [Language::English, Language::German, Language::Chinese] {
            let (subject, text) = written(language, &[Raised, Raised, Again, Cleared]);
            for part in
                ["request 7", "request.overdue", "it is not answered", "quietus request show"]
            {
                assert!(text.contains(part), "{part} in {text}");
            }
            assert_eq!(text.matches("quietus request show 7").count(), 3, "what is over is over");
            assert!(subject.contains("Example Company") && subject.contains('2'), "{subject}");
            let all = [subject, text].join("\n\n");
            assert!(!all.contains("none") && !all.contains("{{"), "{all}");
            insta::assert_snapshot!(format!("alarm_{}", language.code()), all);
        }
    }

    #[test]
    fn the_subject_counts_what_there_is() {
        let subject = |steps: &[AlarmStep]| written(Language::English, steps).0;
        let all = [AlarmStep::Raised, AlarmStep::Raised, AlarmStep::Again, AlarmStep::Cleared];
        assert_eq!(subject(&all), "Quietus, Example Company: 2 new alarms, 1 still there, 1 over");
        assert_eq!(subject(&all[..1]), "Quietus, Example Company: 1 new alarm");
        assert_eq!(subject(&all[3..]), "Quietus, Example Company: 1 over");
    }

    #[test]
    fn the_same_message_has_the_same_identifier() {
        let telling = |step: u32| Telling {
            alarm_id: Uuid::from_u128(9),
            step,
            to: super::super::to_address(1),
            event: AlarmStep::Raised,
            body: String::new(),
            attempts: 1,
            written_at: Timestamp::UNIX_EPOCH,
            give_up_at: Timestamp::UNIX_EPOCH,
        };
        let (one, two) = (telling(1), telling(2));
        let to = super::super::to_address(1);
        let id = id_of(&to, &[one.clone(), two.clone()]);
        assert_eq!(id, id_of(&to, &[Telling { attempts: 4, ..one.clone() }, two]));
        assert_ne!(id, id_of(&to, std::slice::from_ref(&one)));
        let one = std::slice::from_ref(&one);
        assert_ne!(id_of(&super::super::to_address(2), one), id_of(&to, one));
    }
}
