//! Letters to persons and notices to recipients: written once, delivered once.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection::{Store, Tx};
use super::error::StoreError;
use super::evidence::{self, OutboxEntry};
use super::mails::{self, Mail};
use super::statement::{Row, Sql, args, words};
use crate::domain::Digest;

words! {
    /// What a letter is for.
    LetterKind {
        /// We have the request, and this is when we answer.
        Acknowledgement = "acknowledgement",
        /// We need to know who is asking.
        Identity = "identity",
        /// It takes longer, and why (GDPR article 12(3)).
        Extension = "extension",
        /// What was done, what is kept, and where to complain.
        Outcome = "outcome",
        /// It is refused, why, and where to complain (GDPR article 12(4)).
        Refusal = "refusal",
        /// It is dealt with only for a fee, why, and where to complain (GDPR article 12(5)).
        Fee = "fee",
        /// A restriction is about to be lifted (GDPR article 18(3)).
        BeforeLifting = "before_lifting",
        /// The request was taken back.
        Cancelled = "cancelled",
        /// A recipient is told (GDPR article 19).
        Recipient = "recipient",
    }

    /// How a letter was delivered, or why not.
    Delivery {
        /// By e-mail.
        Mail = "mail",
        /// Through the interface of the system that was asked.
        Interface = "interface",
        /// By hand: somebody sent or gave it.
        Hand = "hand",
        /// It proved impossible (GDPR article 19).
        Impossible = "impossible",
        /// It would be a disproportionate effort (GDPR article 19).
        Disproportionate = "disproportionate",
    }
}

/// A letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its identifier.
    pub id: Uuid,
    /// The request.
    pub request_id: Uuid,
    /// What it is for.
    pub kind: LetterKind,
    /// `person`, or the name of a system whose operator is told.
    pub recipient: String,
    /// Language of the template.
    pub language: String,
    /// Digest of the template that it was made from.
    pub template_digest: Digest,
    /// The text, sealed under the request's key; `None` once the person is forgotten.
    pub sealed: Option<Vec<u8>>,
    /// When it was written.
    pub written_at: Timestamp,
    /// Who delivered it, how and when.
    pub delivered: Option<(String, Delivery, Timestamp)>,
    /// Why it was not possible, or not in proportion.
    pub reason: Option<String>,
}

/// A letter to write.
#[derive(Debug, Clone)]
pub struct NewLetter {
    /// The letter.
    pub letter: Letter,
    /// The mail by which it goes, where it does.
    pub mail: Option<Mail>,
    /// What has to be proven later.
    pub evidence: Vec<OutboxEntry>,
}

impl Letter {
    /// Whether it is to the person, and not to a recipient.
    pub fn is_to_person(&self) -> bool {
        self.kind != LetterKind::Recipient
    }
}

/// The word and the mark by which a kind stands in the store. A fee came later than the table, whose
/// words cannot grow in SQLite; it stands there as a refusal to act before something is paid.
fn stored(kind: LetterKind) -> (&'static str, bool) {
    match kind {
        LetterKind::Fee => (LetterKind::Refusal.as_str(), true),
        other => (other.as_str(), false),
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Letter({}, {} to {})", self.id, self.kind, self.recipient)
    }
}

const WRITE: Sql = Sql::both(
    "INSERT INTO letters (id, request_id, kind, recipient, language, template_digest, sealed,
         written_at, is_fee)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
);
macro_rules! letter_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, request_id, kind, is_fee, recipient, language, template_digest, sealed,
             written_at, delivered_at, delivered_by, delivery, reason FROM letters ",
            $rest
        )
    };
}

const BY_ID: Sql = Sql::both(letter_columns!("WHERE id = $1"));
const OF_REQUEST: Sql = Sql::both(letter_columns!("WHERE request_id = $1 ORDER BY written_at, id"));
const DELIVERED: Sql = Sql::both(
    "UPDATE letters SET delivered_at = $2, delivered_by = $3, delivery = $4, reason = $5
     WHERE id = $1 AND delivered_at IS NULL",
);

pub(super) const STATEMENTS: &[(&str, Sql)] = &[
    ("letters::WRITE", WRITE),
    ("letters::BY_ID", BY_ID),
    ("letters::OF_REQUEST", OF_REQUEST),
    ("letters::DELIVERED", DELIVERED),
];

fn from_row(row: &Row) -> Result<Letter, StoreError> {
    let by: Option<String> = row.get("delivered_by")?;
    let delivery = row.maybe_word("delivery", Delivery::parse)?;
    let delivered = match (by, delivery, row.maybe_instant("delivered_at")?) {
        (Some(by), Some(delivery), Some(at)) => Some((by, delivery, at)),
        _ => None,
    };
    let is_fee: i64 = row.get("is_fee")?;
    let kind = row.word("kind", LetterKind::parse)?;
    Ok(Letter {
        id: row.get("id")?,
        request_id: row.get("request_id")?,
        kind: if is_fee == 1 { LetterKind::Fee } else { kind },
        recipient: row.get("recipient")?,
        language: row.get("language")?,
        template_digest: row.digest("template_digest")?,
        sealed: row.get("sealed")?,
        written_at: row.instant("written_at")?,
        delivered,
        reason: row.get("reason")?,
    })
}

/// Writes a letter; `false`, with nothing written, where the same one was written before.
pub(super) async fn write(tx: &mut Tx, new: NewLetter) -> Result<bool, StoreError> {
    let NewLetter { letter, mail, evidence } = new;
    let written_at = letter.written_at;
    let (kind, is_fee) = stored(letter.kind);
    let values = args![
        letter.id,
        letter.request_id,
        kind,
        letter.recipient,
        letter.language,
        letter.template_digest,
        letter.sealed,
        written_at,
        i64::from(is_fee),
    ];
    if tx.execute(WRITE, values).await? == 0 {
        return Ok(false);
    }
    if let Some(mail) = &mail {
        mails::write(tx, mail).await?;
    }
    evidence::append(tx, evidence, written_at).await?;
    Ok(true)
}

/// Writes how a letter was delivered, unless that is on record; how many rows were changed.
pub(super) async fn delivered(
    tx: &mut Tx,
    letter: Uuid,
    (by, delivery, at): (&str, Delivery, Timestamp),
    reason: Option<String>,
) -> Result<u64, StoreError> {
    tx.execute(DELIVERED, args![letter, at, by, delivery.as_str(), reason]).await
}

impl Store {
    /// Writes a letter; `false` where the same one was written before.
    pub async fn write_letter(
        &self,
        letter: Letter,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        self.write_letter_to_mail(letter, None, evidence).await
    }

    /// Writes a letter together with the mail by which it goes, where it does.
    pub async fn write_letter_to_mail(
        &self,
        letter: Letter,
        mail: Option<Mail>,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !write(&mut tx, NewLetter { letter, mail, evidence }).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The letter with this identifier.
    pub async fn letter(&self, id: Uuid) -> Result<Option<Letter>, StoreError> {
        self.read_one(BY_ID, args![id]).await?.as_ref().map(from_row).transpose()
    }

    /// All letters of a request, in the order in which they were written.
    pub async fn letters_of_request(&self, request: Uuid) -> Result<Vec<Letter>, StoreError> {
        self.read(OF_REQUEST, args![request]).await?.iter().map(from_row).collect()
    }

    /// A letter was delivered, or could not be; `false` where that is on record already.
    pub async fn letter_delivered(
        &self,
        letter: Uuid,
        delivered: (String, Delivery, Timestamp),
        reason: Option<String>,
        evidence: Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        let (by, delivery, at) = delivered;
        let mut tx = self.begin().await?;
        if self::delivered(&mut tx, letter, (&by, delivery, at), reason).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        mails::call_off(&mut tx, letter, at).await?;
        evidence::append(&mut tx, evidence, at).await?;
        tx.commit().await?;
        Ok(true)
    }
}
