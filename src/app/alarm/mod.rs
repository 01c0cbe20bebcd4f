//! Alarms that go out: what the doctor finds is raised once, told to whoever the instance file names,
//! told again at a slow pace while it lasts, and cleared once.
//!
//! One of all replicas looks at a time ([`look`]). Each step of an alarm is written in one transaction
//! with what is to be told of it; then it is told ([`tell`]), to webhooks ([`webhook`]) and by e-mail
//! ([`message`]), again and again until it is heard or its time is over. Nothing of it names a person.

mod event;
pub mod list;
mod look;
mod message;
mod tell;
mod webhook;

use std::time::Duration;

use jiff::SignedDuration;

use super::{AppError, Quietus};
use crate::config::AlarmSettings;
use crate::store::{TellingTo, TellingWay};

pub use self::list::{AlarmGauges, AlarmList, RecipientFacts, Tried};
pub use self::look::AlarmTally;
pub use self::tell::TellTally;

/// What nobody has heard after so long is given up.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(4 * 24);

impl Quietus {
    /// Whether anybody looks for alarms here.
    pub fn has_alarms(&self) -> bool {
        self.instance.alarms.is_some()
    }

    /// How often somebody looks for alarms; `None` where nobody does.
    pub fn pace_of_alarms(&self) -> Option<Duration> {
        let every = self.instance.alarms.as_ref()?.every;
        Some(every.try_into().unwrap_or(Duration::ZERO))
    }

    fn settings_of_alarms(&self) -> Result<&AlarmSettings, AppError> {
        self.instance.alarms.as_ref().ok_or_else(|| {
            AppError::Input(
                "nobody looks for alarms here: write `alarms` into `quietus.yaml`, then `quietus check`"
                    .to_owned(),
            )
        })
    }
}

/// The webhook of a name.
fn to_webhook(name: &str) -> TellingTo {
    TellingTo { way: TellingWay::Webhook, recipient: name.to_owned() }
}

/// The address at this place of the list, from 1.
fn to_address(place: usize) -> TellingTo {
    TellingTo { way: TellingWay::Mail, recipient: place.to_string() }
}

/// Everybody who is told, webhooks first.
fn recipients(settings: &AlarmSettings) -> Vec<TellingTo> {
    let webhooks = settings.webhooks.iter().map(|one| to_webhook(&one.name));
    webhooks.chain((1..=settings.mail.len()).map(to_address)).collect()
}
