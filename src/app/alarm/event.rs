//! What is said of a step of an alarm: the body of an event, as receivers of webhooks get it and as mails
//! are composed of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::AppError;
use crate::domain::{ALARM_TEST, AlarmStep};
use crate::store::{Alarm, AlarmMark, Telling};

/// The body of an event: its type, when it happened, and what it is about (Standard Webhooks).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// `alarm.raised`, `alarm.again`, `alarm.cleared` or `alarm.test`.
    #[serde(rename = "type")]
    pub(super) name: String,
    /// When it happened, not when it was sent.
    pub(super) timestamp: Timestamp,
    /// What it is about.
    pub(super) data: EventData,
}

/// What an event is about. No word of it is about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EventData {
    /// The controller whose instance it is.
    pub(super) controller: String,
    /// The alarm: the same for all its steps.
    pub(super) id: Uuid,
    /// Number of the step: 1 is raised, each later one is told after it.
    pub(super) step: u32,
    /// The area of the doctor.
    pub(super) area: String,
    /// Where: a system, a rule, a case, a job.
    pub(super) place: String,
    /// Of what kind, such as `request.overdue`.
    pub(super) kind: String,
    /// `wrong` or `look`.
    pub(super) mark: AlarmMark,
    /// Since when it is so, as far as anybody knows.
    pub(super) since: Option<Timestamp>,
    /// What there is to say.
    pub(super) text: String,
    /// What to do, in words.
    pub(super) advice: Option<String>,
    /// Commands that one can paste.
    pub(super) commands: Vec<String>,
    /// When the alarm was raised.
    pub(super) raised_at: Timestamp,
    /// When it was cleared.
    pub(super) cleared_at: Option<Timestamp>,
}

impl Event {
    /// The event of a step of an alarm.
    pub(super) fn of(
        alarm: &Alarm,
        controller: &str,
        (step, number, at): (AlarmStep, u32, Timestamp),
    ) -> Self {
        Self {
            name: step.as_str().to_owned(),
            timestamp: at,
            data: EventData {
                controller: controller.to_owned(),
                id: alarm.id,
                step: number,
                area: alarm.area.clone(),
                place: alarm.place.clone(),
                kind: alarm.kind.clone(),
                mark: alarm.mark,
                since: alarm.since,
                text: alarm.what.clone(),
                advice: alarm.advice.clone(),
                commands: alarm.commands.clone(),
                raised_at: alarm.raised_at,
                cleared_at: (step == AlarmStep::Cleared).then_some(at),
            },
        }
    }

    /// An event by which somebody sees that the settings work.
    pub(super) fn test(controller: &str, id: Uuid, at: Timestamp) -> Self {
        Self {
            name: ALARM_TEST.to_owned(),
            timestamp: at,
            data: EventData {
                controller: controller.to_owned(),
                id,
                step: 1,
                area: "alarms".to_owned(),
                place: "test".to_owned(),
                kind: ALARM_TEST.to_owned(),
                mark: AlarmMark::Look,
                since: None,
                text: "this shows that alarms arrive; nobody has to do anything".to_owned(),
                advice: None,
                commands: Vec::new(),
                raised_at: at,
                cleared_at: None,
            },
        }
    }

    /// Its bytes, as they are signed and sent.
    pub(super) fn body(&self) -> Result<String, AppError> {
        serde_json::to_string(self).map_err(|error| unreadable(&error))
    }

    /// Reads what was written.
    pub(super) fn read(body: &str) -> Result<Self, AppError> {
        serde_json::from_str(body).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &serde_json::Error) -> AppError {
    AppError::Unreadable { what: "an alarm", why: error.to_string() }
}

/// The identifier of a message: the same whenever the same step is told, and without a full stop.
pub(super) fn message_id(telling: &Telling) -> String {
    format!("alarm_{}_{}", telling.alarm_id.simple(), telling.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_when_where_and_what_to_do() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let alarm = Alarm {
            id: Uuid::from_u128(0x0198 << 112),
            area: "requests".to_owned(),
            place: "request 7".to_owned(),
            kind: "request.overdue".to_owned(),
            mark: AlarmMark::Wrong,
            what: "it is not answered".to_owned(),
            advice: None,
            commands: vec!["quietus request show 7".to_owned()],
            since: Some(at("2026-11-01T00:00:00Z")),
            raised_at: at("2026-11-02T00:00:00Z"),
            told_at: at("2026-11-02T00:00:00Z"),
            steps: 1,
            cleared_at: None,
        };
        let step = (AlarmStep::Raised, 1, alarm.raised_at);
        let raised = Event::of(&alarm, "Example Company", step);
        assert_eq!(
            raised.body().unwrap(),
            r#"{"type":"alarm.raised","timestamp":"2026-11-02T00:00:00Z","data":{"controller":"Example Company","id":"01980000-0000-0000-0000-000000000000","step":1,"area":"requests","place":"request 7","kind":"request.overdue","mark":"wrong","since":"2026-11-01T00:00:00Z","text":"it is not answered","advice":null,"commands":["quietus request show 7"],"raised_at":"2026-11-02T00:00:00Z","cleared_at":null}}"#
        );
        let ended = at("2026-11-03T00:00:00Z");
        let cleared = Event::of(&alarm, "Example Company", (AlarmStep::Cleared, 2, ended));
        assert_eq!((cleared.timestamp, cleared.data.cleared_at), (ended, Some(ended)));
        for event in [raised, cleared] {
            assert_eq!(Event::read(&event.body().unwrap()).unwrap(), event);
        }
    }
}
