//! What is to be told of alarms: an outbox. Each telling is written with the step that it tells of,
//! taken by whoever tells it, tried again until somebody has heard it, and given up after its time.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::statement::{Row, Sql, args, words};
use crate::domain::AlarmStep;

words! {
    /// How somebody is told.
    TellingWay {
        /// An event is sent to a webhook.
        Webhook = "webhook",
        /// A message is sent by e-mail.
        Mail = "mail",
    }
}

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TellingTo {
    /// How.
    pub way: TellingWay,
    /// The name of a webhook, or the place of an address in the instance file, from 1.
    pub recipient: String,
}

/// What is to be told of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTelling {
    /// To whom.
    pub to: TellingTo,
    /// Which step it tells of.
    pub event: AlarmStep,
    /// What is said, as it is signed.
    pub body: String,
    /// When it is given up.
    pub give_up_at: Timestamp,
    /// Nothing is wanted there any more: it is kept for when somebody says so again.
    pub is_gone: bool,
}

/// A telling that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The alarm.
    pub alarm_id: Uuid,
    /// Number of the step that it tells of.
    pub step: u32,
    /// To whom.
    pub to: TellingTo,
    /// Which step it tells of.
    pub event: AlarmStep,
    /// What is said, as it is signed.
    pub body: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When the step was taken.
    pub written_at: Timestamp,
    /// When it is given up.
    pub give_up_at: Timestamp,
}

/// How it stands with one of those who are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TellingStanding {
    /// Who.
    pub to: TellingTo,
    /// How many tellings wait.
    pub waiting: u64,
    /// When the step was taken of which the oldest of them tells.
    pub waiting_since: Option<Timestamp>,
    /// When the earliest of them is tried next.
    pub next_at: Option<Timestamp>,
    /// How many were given up, or not sent because nothing is wanted any more.
    pub unheard: u64,
    /// Since when nothing is wanted there any more.
    pub gone_at: Option<Timestamp>,
    /// When one was given up last.
    pub given_up_at: Option<Timestamp>,
    /// When one was heard last.
    pub told_at: Option<Timestamp>,
    /// What went wrong last: never an address.
    pub last_fault: Option<String>,
}

macro_rules! telling_columns {
    ($rest:literal) => {
        concat!(
            "SELECT t.alarm_id, t.step, t.way, t.recipient, t.event, t.body, t.attempts,
             t.written_at, t.give_up_at FROM alarm_tellings t ",
            $rest
        )
    };
}

const WRITE: Sql = Sql::both(
    "INSERT INTO alarm_tellings (alarm_id, step, way, recipient, event, body, state, written_at,
         next_at, give_up_at, attempts, settled_at)
     VALUES ($1, $2, $3, $4, $5, $6, $9, $7, $7, $8, 0, $10)",
);
// Somebody hears of an alarm's end only after its beginning.
const DUE: Sql = Sql::both(telling_columns!(
    "WHERE t.state = 'waiting' AND t.way = $1 AND t.recipient = $2 AND t.next_at <= $3
       AND NOT EXISTS (SELECT 1 FROM alarm_tellings e WHERE e.alarm_id = t.alarm_id
           AND e.way = t.way AND e.recipient = t.recipient AND e.step < t.step
           AND e.state = 'waiting' AND e.next_at > $3)
     ORDER BY t.written_at, t.alarm_id, t.step LIMIT $4"
));
const WAITING: Sql = Sql::both(
    "SELECT DISTINCT way, recipient FROM alarm_tellings WHERE state = 'waiting'
     ORDER BY way, recipient",
);
const TAKE: Sql = Sql::both(
    "UPDATE alarm_tellings SET attempts = attempts + 1, tried_at = $6, next_at = $7
     WHERE alarm_id = $1 AND step = $2 AND way = $3 AND recipient = $4 AND attempts = $5
       AND state = 'waiting'",
);
const TOLD: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'told', settled_at = $6, last_fault = NULL
     WHERE alarm_id = $1 AND step = $2 AND way = $3 AND recipient = $4 AND attempts = $5
       AND state = 'waiting'",
);
const LATER: Sql = Sql::both(
    "UPDATE alarm_tellings SET next_at = $6, last_fault = $7
     WHERE alarm_id = $1 AND step = $2 AND way = $3 AND recipient = $4 AND attempts = $5
       AND state = 'waiting'",
);
const PUT_OFF: Sql = Sql::both(
    "UPDATE alarm_tellings SET next_at = $3
     WHERE way = $1 AND recipient = $2 AND state = 'waiting' AND next_at < $3",
);
const GIVE_UP: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'given_up', settled_at = $3, last_fault = $4
     WHERE way = $1 AND recipient = $2 AND state = 'waiting' AND give_up_at <= $3",
);
const REFUSE: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'given_up', settled_at = $6, last_fault = $7
     WHERE alarm_id = $1 AND step = $2 AND way = $3 AND recipient = $4 AND attempts = $5
       AND state = 'waiting'",
);
const GONE: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'gone', settled_at = $3, last_fault = $4
     WHERE way = $1 AND recipient = $2 AND state = 'waiting'",
);
const CALL_OFF: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'called_off', settled_at = $3
     WHERE way = $1 AND recipient = $2 AND state = 'waiting' AND give_up_at <= $3",
);
// Of an alarm of which a later step was heard, an earlier one is no news.
const AGAIN: Sql = Sql::both(
    "UPDATE alarm_tellings SET state = 'waiting', settled_at = NULL, next_at = $3, give_up_at = $4,
         attempts = 0, tried_at = NULL
     WHERE way = $1 AND recipient = $2 AND state IN ('given_up', 'gone')
       AND NOT EXISTS (SELECT 1 FROM alarm_tellings l WHERE l.alarm_id = alarm_tellings.alarm_id
           AND l.way = alarm_tellings.way AND l.recipient = alarm_tellings.recipient
           AND l.step > alarm_tellings.step AND l.state = 'told')",
);
const FORGET: Sql = Sql::both("DELETE FROM alarm_tellings WHERE settled_at <= $1");
const STANDINGS: Sql = Sql::both(
    "SELECT t.way, t.recipient,
         COUNT(*) FILTER (WHERE t.state = 'waiting') AS waiting,
         MIN(CASE WHEN t.state = 'waiting' THEN t.written_at END) AS waiting_since,
         MIN(CASE WHEN t.state = 'waiting' THEN t.next_at END) AS next_at,
         COUNT(*) FILTER (WHERE t.state IN ('given_up', 'gone')) AS unheard,
         MIN(CASE WHEN t.state = 'gone' THEN t.settled_at END) AS gone_at,
         MAX(CASE WHEN t.state = 'given_up' THEN t.settled_at END) AS given_up_at,
         MAX(CASE WHEN t.state = 'told' THEN t.settled_at END) AS told_at,
         (SELECT f.last_fault FROM alarm_tellings f WHERE f.way = t.way
             AND f.recipient = t.recipient AND f.last_fault IS NOT NULL
             ORDER BY COALESCE(f.tried_at, f.settled_at) DESC LIMIT 1) AS last_fault
     FROM alarm_tellings t GROUP BY t.way, t.recipient ORDER BY t.way, t.recipient",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("alarm_tellings::WRITE", WRITE),
    ("alarm_tellings::DUE", DUE),
    ("alarm_tellings::WAITING", WAITING),
    ("alarm_tellings::TAKE", TAKE),
    ("alarm_tellings::TOLD", TOLD),
    ("alarm_tellings::LATER", LATER),
    ("alarm_tellings::PUT_OFF", PUT_OFF),
    ("alarm_tellings::GIVE_UP", GIVE_UP),
    ("alarm_tellings::REFUSE", REFUSE),
    ("alarm_tellings::GONE", GONE),
    ("alarm_tellings::CALL_OFF", CALL_OFF),
    ("alarm_tellings::AGAIN", AGAIN),
    ("alarm_tellings::FORGET", FORGET),
    ("alarm_tellings::STANDINGS", STANDINGS),
];

fn to_from(row: &Row) -> Result<TellingTo, StoreError> {
    Ok(TellingTo { way: row.word("way", TellingWay::parse)?, recipient: row.get("recipient")? })
}

fn from_row(row: &Row) -> Result<Telling, StoreError> {
    Ok(Telling {
        alarm_id: row.get("alarm_id")?,
        step: row.small("step")?,
        to: to_from(row)?,
        event: row.word("event", AlarmStep::parse)?,
        body: row.get("body")?,
        attempts: row.small("attempts")?,
        written_at: row.instant("written_at")?,
        give_up_at: row.instant("give_up_at")?,
    })
}

fn standing_from(row: &Row) -> Result<TellingStanding, StoreError> {
    Ok(TellingStanding {
        to: to_from(row)?,
        waiting: row.whole("waiting")?,
        waiting_since: row.maybe_instant("waiting_since")?,
        next_at: row.maybe_instant("next_at")?,
        unheard: row.whole("unheard")?,
        gone_at: row.maybe_instant("gone_at")?,
        given_up_at: row.maybe_instant("given_up_at")?,
        told_at: row.maybe_instant("told_at")?,
        last_fault: row.get("last_fault")?,
    })
}

/// Writes what is to be told of a step, in the transaction of the step.
pub(super) async fn write(
    tx: &mut Tx,
    (alarm, step, now): (Uuid, u32, Timestamp),
    telling: NewTelling,
) -> Result<(), StoreError> {
    let NewTelling { to, event, body, give_up_at, is_gone } = telling;
    let values = args![
        alarm,
        step,
        to.way.as_str(),
        to.recipient,
        event.as_str(),
        body,
        now,
        give_up_at,
        if is_gone { "gone" } else { "waiting" },
        is_gone.then_some(now),
    ];
    tx.execute(WRITE, values).await?;
    Ok(())
}

/// Forgets what was settled before this moment.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp) -> Result<(), StoreError> {
    tx.execute(FORGET, args![before]).await?;
    Ok(())
}

impl Store {
    /// Whom something waits for.
    pub async fn waiting_recipients(&self) -> Result<Vec<TellingTo>, StoreError> {
        self.read(WAITING, Vec::new()).await?.iter().map(to_from).collect()
    }

    /// What somebody is to be told now, in the order in which it happened; at most 1000. Nothing of an
    /// alarm of which an earlier step has to wait.
    pub async fn due_tellings(
        &self,
        to: &TellingTo,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Telling>, StoreError> {
        let values = args![to.way.as_str(), to.recipient.as_str(), now, limit.min(1000)];
        self.read(DUE, values).await?.iter().map(from_row).collect()
    }

    /// Takes a telling as it was read, so that no other replica tells it before `again_at`; it with
    /// one attempt more, or `None` where another one has it.
    pub async fn take_telling(
        &self,
        telling: &Telling,
        now: Timestamp,
        again_at: Timestamp,
    ) -> Result<Option<Telling>, StoreError> {
        let Telling { alarm_id, step, to, attempts, .. } = telling;
        let (way, recipient) = (to.way.as_str(), to.recipient.as_str());
        let values = args![*alarm_id, *step, way, recipient, *attempts, now, again_at];
        let taken = self.write(TAKE, values).await? == 1;
        Ok(taken.then(|| Telling { attempts: attempts + 1, ..telling.clone() }))
    }

    /// It was heard; `false` where another attempt has been begun meanwhile.
    pub async fn telling_told(
        &self,
        telling: &Telling,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Telling { alarm_id, step, to, attempts, .. } = telling;
        let (way, recipient) = (to.way.as_str(), to.recipient.as_str());
        Ok(self.write(TOLD, args![*alarm_id, *step, way, recipient, *attempts, now]).await? == 1)
    }

    /// It is told later; `false` where another attempt has been begun meanwhile.
    pub async fn telling_later(
        &self,
        telling: &Telling,
        next_at: Timestamp,
        fault: &str,
    ) -> Result<bool, StoreError> {
        let Telling { alarm_id, step, to, attempts, .. } = telling;
        let (way, recipient) = (to.way.as_str(), to.recipient.as_str());
        let values = args![*alarm_id, *step, way, recipient, *attempts, next_at, fault];
        Ok(self.write(LATER, values).await? == 1)
    }

    /// It was refused for good; `false` where another attempt has been begun meanwhile.
    pub async fn telling_refused(
        &self,
        telling: &Telling,
        now: Timestamp,
        fault: &str,
    ) -> Result<bool, StoreError> {
        let Telling { alarm_id, step, to, attempts, .. } = telling;
        let (way, recipient) = (to.way.as_str(), to.recipient.as_str());
        let values = args![*alarm_id, *step, way, recipient, *attempts, now, fault];
        Ok(self.write(REFUSE, values).await? == 1)
    }

    /// Whoever does not hear is left alone until `until`; what nobody has heard by its time is given up;
    /// how many of these there are.
    pub async fn put_tellings_off(
        &self,
        to: &TellingTo,
        (now, until): (Timestamp, Timestamp),
        fault: &str,
    ) -> Result<u64, StoreError> {
        let (way, recipient) = (to.way.as_str(), to.recipient.as_str());
        let mut tx = self.begin().await?;
        let given_up = tx.execute(GIVE_UP, args![way, recipient, now, fault]).await?;
        tx.execute(PUT_OFF, args![way, recipient, until]).await?;
        tx.commit().await?;
        Ok(given_up)
    }

    /// A webhook wants nothing any more; how many tellings waited for it.
    pub async fn tellings_gone(
        &self,
        to: &TellingTo,
        now: Timestamp,
        fault: &str,
    ) -> Result<u64, StoreError> {
        let values = args![to.way.as_str(), to.recipient.as_str(), now, fault];
        self.write(GONE, values).await
    }

    /// Nobody of that name is told any more: what waits beyond its time is called off; how many tellings.
    /// A replica whose settings are newer may know the name, so that nothing goes before.
    pub async fn call_off_tellings(
        &self,
        to: &TellingTo,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.write(CALL_OFF, args![to.way.as_str(), to.recipient.as_str(), now]).await
    }

    /// Tells again what was given up, or was not wanted any more; how many there are.
    pub async fn tellings_again(
        &self,
        to: &TellingTo,
        now: Timestamp,
        give_up_at: Timestamp,
    ) -> Result<u64, StoreError> {
        let values = args![to.way.as_str(), to.recipient.as_str(), now, give_up_at];
        self.write(AGAIN, values).await
    }

    /// How it stands with each of those for whom something was ever written and is on record.
    pub async fn telling_standings(&self) -> Result<Vec<TellingStanding>, StoreError> {
        self.read(STANDINGS, Vec::new()).await?.iter().map(standing_from).collect()
    }
}
