//! What is owed to people: requests that press, mails that do not go out, and looks whether somebody
//! is back. No finding names a person, nor who of the controller has to act.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Found};
use crate::app::Quietus;
use crate::app::reading::alarms::Pressing;
use crate::domain::AlarmKind;
use crate::store::MailState;

/// A mail that could be sent waits no longer where a process sends.
const SENT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// A look that is due is taken within so much time, whatever else goes on.
const LOOKED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

impl Quietus {
    /// Requests that press.
    pub(super) async fn requests_at_fault(&self) -> Found {
        let mut found = Vec::new();
        let zone = self.zone.clone();
        self.each_open_request(|facts| {
            let Some(pressing) = facts.clock.standing.pressing() else { return };
            let place = format!("request {}", facts.id);
            let dates = facts.clock.deadlines;
            let last = dates.legal_latest;
            let about = format!("{}, {}", facts.asked, facts.regime);
            let marked = match pressing {
                Pressing::Overdue => Finding::wrong(
                    place,
                    format!("({about}) it is not answered, and its last day was {last}"),
                )
                .kind(AlarmKind::RequestOverdue),
                Pressing::AtRisk => Finding::look(
                    place,
                    format!("({about}) it will hardly be answered by {}", dates.answer_by),
                )
                .kind(AlarmKind::RequestAtRisk),
            };
            let over = last.tomorrow().ok().and_then(|day| day.to_zoned(zone.clone()).ok());
            let since = match pressing {
                Pressing::Overdue => over.map(|day| day.timestamp()),
                Pressing::AtRisk => Some(facts.received_at),
            };
            found.push(marked.since(since).command(format!("quietus request show {}", facts.id)));
        })
        .await?;
        Ok(found)
    }

    /// Mails that cannot be sent, and those that nobody sends.
    pub(super) async fn mails_at_fault(&self) -> Found {
        let mut found = Vec::new();
        for mail in self.open_mails().await? {
            let facts = self.mail_facts(&mail);
            let place = format!("mail {}", mail.id);
            let why = facts.fault.map(|why| format!(": {why}")).unwrap_or_default();
            let again = format!("quietus mail again {} --by NAME", mail.id);
            let late = mail.state == MailState::Due && self.has_lasted(SENT_WITHIN, mail.next_at);
            let one = if facts.state == MailState::ByHand.as_str() {
                Finding::wrong(place, format!("it cannot be sent{why}"))
                    .kind(AlarmKind::MailByHand)
                    .advice("mend the cause and send it again, or give it by hand")
                    .command(again)
            } else if facts.state == MailState::Unknown.as_str() {
                Finding::look(place, format!("nobody knows whether it was sent{why}"))
                    .kind(AlarmKind::MailUnknown)
                    .advice("ask the recipient, or send it again")
                    .command(again)
            } else if late {
                Finding::wrong(place, format!("it is to be sent, and nobody does{why}"))
                    .kind(AlarmKind::MailWaiting)
                    .command("quietus run")
            } else {
                continue;
            };
            found.push(one.since(mail.written_at));
        }
        Ok(found)
    }

    /// Whoever is back, and looks that are owed or cannot be taken.
    pub(super) async fn looks_at_fault(&self) -> Found {
        let mut found = Vec::new();
        let looks = self.read_later_looks().await?;
        if looks.asking > 0 {
            let what = format!(
                "data of {} persons who were erased are back, and somebody has to decide",
                looks.asking
            );
            found.push(
                Finding::wrong("later looks", what)
                    .kind(AlarmKind::ReappearanceUndecided)
                    .advice("then `quietus reappeared again` or `leave`")
                    .command("quietus reappeared list"),
            );
        }
        for one in looks.troubles {
            found.push(
                Finding::look(
                    format!("system {}", one.system),
                    format!("nobody can look whether somebody is back there: {}", one.why),
                )
                .kind(AlarmKind::LookTroubled)
                .since(one.seen_at)
                .command(format!("quietus connector test {}", one.system)),
            );
        }
        let due = self.instance.later_looks.every.zip(looks.oldest_seen);
        let due: Option<Timestamp> = due.map(|(every, seen)| self.due_after(seen, &every));
        if let Some(due) = due.filter(|due| self.has_lasted(LOOKED_WITHIN, *due)) {
            found.push(
                Finding::wrong(
                    "later looks",
                    "somebody is to be looked for again, and nobody has looked",
                )
                .kind(AlarmKind::LookOwed)
                .since(due)
                .advice("`quietus run` does it all the time; this does it once")
                .command("quietus reappeared look --due"),
            );
        }
        Ok(found)
    }
}
