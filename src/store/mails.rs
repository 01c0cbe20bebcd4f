//! Mails: what goes out by e-mail. Each is written before it is sent, claimed by whoever sends it,
//! and what became of it is written afterwards; a claim that nobody has settled is told as such.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::letters::{self, Delivery};
use super::statement::{Row, Sql, args, words};

words! {
    /// What a mail is about.
    MailAbout {
        /// A letter to a person, or a notice to a recipient.
        Letter = "letter",
        /// Somebody has a task.
        Task = "task",
        /// Somebody has to confirm what another one has said of a task.
        Confirmation = "confirmation",
        /// A task is due soon, or overdue.
        Reminder = "reminder",
        /// Whoever owns the system is told that a task is overdue.
        Escalation = "escalation",
    }

    /// Where a mail stands.
    MailState {
        /// It is sent when its time comes.
        Due = "due",
        /// Somebody sends it just now, or did when the process ended.
        Sending = "sending",
        /// The mail server has accepted it.
        Sent = "sent",
        /// It was handed over and nobody knows whether it was accepted.
        Unknown = "unknown",
        /// It cannot be sent: somebody gives it by hand.
        ByHand = "by_hand",
        /// It is not wanted any more.
        CalledOff = "called_off",
    }
}

/// A mail. It names no address and holds no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its identifier, of which its `Message-ID` is made; of a letter the letter's own.
    pub id: Uuid,
    /// What it is about.
    pub about: MailAbout,
    /// The letter.
    pub letter_id: Option<Uuid>,
    /// The job whose task it is about.
    pub job_id: Option<Uuid>,
    /// `person`, the name of a system, or the name of whoever has to do something.
    pub recipient: String,
    /// Where it stands.
    pub state: MailState,
    /// When it was written.
    pub written_at: Timestamp,
    /// When it is tried next, while it is due.
    pub next_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts after which somebody gives it by hand.
    pub attempts_allowed: u32,
    /// When the latest attempt began.
    pub tried_at: Option<Timestamp>,
    /// What went wrong last, without personal data.
    pub fault: Option<String>,
    /// When it was sent or called off.
    pub settled_at: Option<Timestamp>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server has accepted it.
    Sent,
    /// It is tried again at this moment.
    Later(Timestamp, String),
    /// Nobody knows.
    Unknown(String),
    /// Somebody gives it by hand.
    ByHand(String),
}

const WRITE: Sql = Sql::both(
    "INSERT INTO mails (id, about, letter_id, job_id, recipient, state, written_at, next_at,
         attempts, attempts_allowed)
     VALUES ($1, $2, $3, $4, $5, 'due', $6, $7, 0, $8) ON CONFLICT DO NOTHING",
);

macro_rules! mail_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, about, letter_id, job_id, recipient, state, written_at, next_at, attempts,
             attempts_allowed, tried_at, fault, settled_at FROM mails ",
            $rest
        )
    };
}

const BY_ID: Sql = Sql::both(mail_columns!("WHERE id = $1"));
const OF_REQUEST: Sql = Sql::both(mail_columns!(
    "WHERE letter_id IN (SELECT letters.id FROM letters WHERE letters.request_id = $1)"
));
const OF_TASK: Sql = Sql::both(mail_columns!("WHERE job_id = $1 ORDER BY written_at, id"));
const OF_PENDING_TASKS: Sql = Sql::both(
    "SELECT mails.id AS id FROM mails JOIN tasks ON tasks.job_id = mails.job_id
     WHERE tasks.state IN ('open', 'done')",
);
const OPEN: Sql = Sql::both(mail_columns!(
    "WHERE state IN ('due', 'sending', 'unknown', 'by_hand') ORDER BY written_at, id LIMIT $1"
));
const DUE: Sql =
    Sql::both(mail_columns!("WHERE state = 'due' AND next_at <= $1 ORDER BY next_at, id LIMIT $2"));
const LOST: Sql =
    Sql::both(mail_columns!("WHERE state = 'sending' AND tried_at <= $1 ORDER BY id LIMIT 1000"));
const TRIED_SINCE: Sql = Sql::both("SELECT COUNT(*) AS tried FROM mails WHERE tried_at > $1");
const BEGIN: Sql = Sql::both(
    "UPDATE mails SET state = 'sending', attempts = attempts + 1, tried_at = $3
     WHERE id = $1 AND state = 'due' AND attempts = $2 AND attempts < attempts_allowed
       AND NOT EXISTS (SELECT 1 FROM letters
           WHERE letters.id = mails.letter_id AND letters.delivered_at IS NOT NULL)",
);
const SETTLE: Sql = Sql::both(
    "UPDATE mails SET state = $3, next_at = $4, fault = $5, settled_at = $6
     WHERE id = $1 AND state = 'sending' AND attempts = $2",
);
const AGAIN: Sql = Sql::both(
    "UPDATE mails SET state = 'due', next_at = $2, attempts_allowed = attempts + $3
     WHERE id = $1 AND state IN ('unknown', 'by_hand')",
);
const CALL_OFF: Sql = Sql::both(
    "UPDATE mails SET state = 'called_off', settled_at = $2
     WHERE id = $1 AND state IN ('due', 'unknown', 'by_hand')",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("mails::WRITE", WRITE),
    ("mails::BY_ID", BY_ID),
    ("mails::OF_REQUEST", OF_REQUEST),
    ("mails::OF_TASK", OF_TASK),
    ("mails::OF_PENDING_TASKS", OF_PENDING_TASKS),
    ("mails::OPEN", OPEN),
    ("mails::DUE", DUE),
    ("mails::LOST", LOST),
    ("mails::TRIED_SINCE", TRIED_SINCE),
    ("mails::BEGIN", BEGIN),
    ("mails::SETTLE", SETTLE),
    ("mails::AGAIN", AGAIN),
    ("mails::CALL_OFF", CALL_OFF),
];

fn from_row(row: &Row) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: row.get("id")?,
        about: row.word("about", MailAbout::parse)?,
        letter_id: row.get("letter_id")?,
        job_id: row.get("job_id")?,
        recipient: row.get("recipient")?,
        state: row.word("state", MailState::parse)?,
        written_at: row.instant("written_at")?,
        next_at: row.instant("next_at")?,
        attempts: row.small("attempts")?,
        attempts_allowed: row.small("attempts_allowed")?,
        tried_at: row.maybe_instant("tried_at")?,
        fault: row.get("fault")?,
        settled_at: row.maybe_instant("settled_at")?,
    })
}

/// Writes a mail, unless it is there; how many rows there are more.
pub(super) async fn write(tx: &mut Tx, mail: &Mail) -> Result<u64, StoreError> {
    let values = args![
        mail.id,
        mail.about.as_str(),
        mail.letter_id,
        mail.job_id,
        mail.recipient.as_str(),
        mail.written_at,
        mail.next_at,
        mail.attempts_allowed,
    ];
    tx.execute(WRITE, values).await
}

/// A letter was delivered by hand: its mail is not wanted any more. One that is being sent just now
/// is settled by whoever sends it.
pub(super) async fn call_off(tx: &mut Tx, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(CALL_OFF, args![id, now]).await?;
    Ok(())
}

impl Store {
    /// Writes a mail; `false` where the same one was written before.
    pub async fn write_mail(&self, mail: &Mail) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let rows = write(&mut tx, mail).await?;
        tx.commit().await?;
        Ok(rows == 1)
    }

    /// The mail with this identifier.
    pub async fn mail(&self, id: Uuid) -> Result<Option<Mail>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// The mails of a request's letters.
    pub async fn mails_of_request(&self, request: Uuid) -> Result<Vec<Mail>, StoreError> {
        self.read(OF_REQUEST, args![request]).await?.iter().map(from_row).collect()
    }

    /// The mails of a task, in the order in which they were written.
    pub async fn mails_of_task(&self, job: Uuid) -> Result<Vec<Mail>, StoreError> {
        self.read(OF_TASK, args![job]).await?.iter().map(from_row).collect()
    }

    /// Identifiers of all mails of tasks that somebody still has to do or to confirm.
    pub async fn mails_of_pending_tasks(&self) -> Result<Vec<Uuid>, StoreError> {
        self.read(OF_PENDING_TASKS, Vec::new()).await?.iter().map(|row| row.get("id")).collect()
    }

    /// Mails that were neither sent nor called off, the oldest first; at most 1000.
    pub async fn open_mails(&self, limit: u32) -> Result<Vec<Mail>, StoreError> {
        self.read(OPEN, args![limit.min(1000)]).await?.iter().map(from_row).collect()
    }

    /// Mails whose time has come, the earliest first; at most 1000.
    pub async fn due_mails(&self, now: Timestamp, limit: u32) -> Result<Vec<Mail>, StoreError> {
        self.read(DUE, args![now, limit.min(1000)]).await?.iter().map(from_row).collect()
    }

    /// Mails that somebody began to send at or before this moment, and that nobody has settled.
    pub async fn lost_mails(&self, before: Timestamp) -> Result<Vec<Mail>, StoreError> {
        self.read(LOST, args![before]).await?.iter().map(from_row).collect()
    }

    /// How many mails were tried last after this moment.
    pub async fn mails_tried_since(&self, moment: Timestamp) -> Result<u64, StoreError> {
        let row = self.read_one(TRIED_SINCE, args![moment]).await?;
        row.map_or(Ok(0), |row| row.whole("tried"))
    }

    /// Claims a mail to send it, as it was read: the intent stands before the effect. `false` where
    /// another one does so, or its letter was delivered otherwise.
    pub async fn begin_mail(
        &self,
        mail: &Mail,
        now: Timestamp,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(BEGIN, args![mail.id, mail.attempts, now]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Writes what became of an attempt, by its number; a letter that was sent is delivered by
    /// `by`. `false` where it is settled already.
    pub async fn settle_mail(
        &self,
        (mail, attempt): (Uuid, u32),
        outcome: MailOutcome,
        (by, now): (&str, Timestamp),
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let (state, next_at, fault) = match outcome {
            MailOutcome::Sent => (MailState::Sent, now, None),
            MailOutcome::Later(next_at, fault) => (MailState::Due, next_at, Some(fault)),
            MailOutcome::Unknown(fault) => (MailState::Unknown, now, Some(fault)),
            MailOutcome::ByHand(fault) => (MailState::ByHand, now, Some(fault)),
        };
        let settled_at = (state == MailState::Sent).then_some(now);
        let values = args![mail, attempt, state.as_str(), next_at, fault, settled_at];
        if tx.execute(SETTLE, values).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        if state == MailState::Sent {
            letters::delivered(&mut tx, mail, (by, Delivery::Mail, now), None).await?;
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Sends a mail again whose outcome is unknown or that was to be given by hand, with so many
    /// further attempts; `false` where it is in another state.
    pub async fn mail_again(
        &self,
        id: Uuid,
        (attempts, now): (u32, Timestamp),
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.execute(AGAIN, args![id, now, attempts]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        evidence::append(&mut tx, evidence, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// A mail is not wanted any more; `false` where it is sent, being sent or called off already.
    pub async fn call_off_mail(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.write(CALL_OFF, args![id, now]).await? == 1)
    }
}
