//! Whether alarms reach anybody: whether somebody looks for them, and who has not heard.

use jiff::SignedDuration;

use super::{Finding, Found};
use crate::app::Quietus;
use crate::app::alarm::RecipientFacts;
use crate::domain::AlarmKind;

/// Whoever hears does so within an hour.
const HEARD_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Where a process looks, it looks again after a few of its paces, but no sooner than this.
const LOOKED_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// Where somebody calls `quietus run --once`, that is once a day.
const LOOKED_BY_HAND_WITHIN: SignedDuration = SignedDuration::from_hours(49);

impl Quietus {
    /// Alarms for which nobody looks, or which nobody hears.
    pub(super) async fn alarms_at_fault(&self) -> Found {
        let Some(settings) = &self.instance.alarms else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let standings = self.schedule_standings().await?;
        let by_hand = standings.iter().all(|one| one.looked_at_until.is_none());
        let (within, command) = if by_hand {
            (LOOKED_BY_HAND_WITHIN, "quietus run --once")
        } else {
            ((settings.every * 3).max(LOOKED_WITHIN), "quietus run")
        };
        match self.store.alarms_looked_at().await? {
            None => found.push(
                Finding::look("alarms", "nobody has looked yet whether there is anything to tell")
                    .kind(AlarmKind::AlarmsUnwatched)
                    .command(command),
            ),
            Some(last) if self.has_lasted(within, last) => found.push(
                Finding::wrong("alarms", "nobody looks any more whether there is anything to tell")
                    .kind(AlarmKind::AlarmsUnwatched)
                    .since(last)
                    .command(command),
            ),
            Some(_) => {}
        }
        for one in self.alarm_recipients().await? {
            found.extend(self.unheard(&one));
        }
        Ok(found)
    }

    /// What is wrong with one of those who are told, if anything is.
    fn unheard(&self, one: &RecipientFacts) -> Option<Finding> {
        let again = format!(
            "quietus alarm again {}",
            if one.way.as_str() == "mail" { "mail" } else { one.recipient.as_str() }
        );
        let why = one.last_fault.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let wrong = |what: String| Finding::wrong(one.place(), what);
        if let Some(gone_at) = one.gone_at {
            let what = format!("it has said that it wants nothing any more{why}");
            return Some(
                wrong(what)
                    .kind(AlarmKind::TellingGone)
                    .since(gone_at)
                    .advice("nothing is sent there before somebody says so; correct its address, or take it out of `alarms` in `quietus.yaml`")
                    .command(again),
            );
        }
        if one.is_given_up() {
            let what = format!("{} messages were not heard and are given up{why}", one.unheard);
            return Some(
                wrong(what)
                    .kind(AlarmKind::TellingGivenUp)
                    .since(one.given_up_at)
                    .advice("mend the cause first")
                    .command("quietus alarm test")
                    .command(again),
            );
        }
        let since = one.waiting_since.filter(|since| self.has_lasted(HEARD_WITHIN, *since))?;
        let what = format!("{} messages wait and are not heard{why}", one.waiting);
        Some(
            wrong(what)
                .kind(AlarmKind::TellingWaiting)
                .since(since)
                .advice("this says why")
                .command("quietus alarm test"),
        )
    }

    /// Who is told, in few words.
    pub(super) fn alarms_in_words(&self) -> String {
        let Some(settings) = &self.instance.alarms else {
            return "nobody is told of what is found (`alarms` in `quietus.yaml`)".to_owned();
        };
        let (webhooks, addresses) = (settings.webhooks.len(), settings.mail.len());
        if webhooks + addresses == 0 {
            return "they are kept, and nobody is told of them".to_owned();
        }
        format!("{webhooks} webhooks and {addresses} addresses are told")
    }
}
