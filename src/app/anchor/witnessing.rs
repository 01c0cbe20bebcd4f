//! Witnesses: they are sent each new head with the proof that it continues the last one that they
//! signed (C2SP tlog-witness), and what they sign is kept.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::{AppError, Quietus};
use super::asking::Question;
use super::{AnchorTally, AskedFor, cosigner_id, text_of};
use crate::config::WitnessSettings;
use crate::evidence::note::Note;
use crate::evidence::tiles;
use crate::evidence::witnessing::{Growth, number};
use crate::store::{Checkpoint, Cosignature};

/// A certificate does not wait longer for a witness.
const PATIENCE: Duration = Duration::from_secs(15);

/// A witness is not asked more often, unless a certificate waits.
const BETWEEN_HEADS: SignedDuration = SignedDuration::from_mins(1);

/// A head that does not change is signed again so often: it shows that the log still lives.
const BETWEEN_HEARTBEATS: SignedDuration = SignedDuration::from_hours(1);

/// What a witness answered.
enum Answer {
    /// It signed.
    Signed(Vec<Cosignature>),
    /// The last tree that it signed has this size.
    HasSeen(u64),
}

impl Quietus {
    /// Sends the head to every witness that is due, each beside the others.
    pub(super) async fn ask_witnesses(
        &self,
        asked: &AskedFor<'_>,
    ) -> Result<AnchorTally, AppError> {
        let all = self.instance.anchors.witnesses.iter();
        let asked = all.map(|witness| self.ask_witness(witness, asked));
        let mut tally = AnchorTally::default();
        for one in futures_util::future::join_all(asked).await {
            let one = one?;
            tally.witnessed += one.witnessed;
            tally.faults.extend(one.faults);
        }
        Ok(tally)
    }

    async fn ask_witness(
        &self,
        witness: &WitnessSettings,
        asked: &AskedFor<'_>,
    ) -> Result<AnchorTally, AppError> {
        let head = asked.head;
        let mut tally = AnchorTally::default();
        let last = self.last_signed_by(witness, &head.log_id).await?;
        // That a witness does not know a log that was closed keeps nobody from asking about the one
        // in use.
        let who = if asked.lives {
            witness.name.clone()
        } else {
            format!("{} ({})", witness.name, head.log_id)
        };
        if !self.may_ask(&who) || !is_due(self.now(), asked, last) {
            return Ok(tally);
        }
        let old = last.map_or(0, |(size, _)| size);
        let answered = tokio::time::timeout(PATIENCE, self.send_head(witness, head, old)).await;
        let fault = match answered {
            Ok(Ok(lines)) => {
                self.store.keep_cosignatures(lines).await?;
                tally.witnessed += 1;
                None
            }
            Ok(Err(fault)) => Some(fault),
            Err(_) => Some(format!("it did not answer within {} seconds", PATIENCE.as_secs())),
        };
        tally.faults.extend(self.asked(&who, fault));
        Ok(tally)
    }

    /// The largest head that one of a witness's keys has signed, and when.
    pub(super) async fn last_signed_by(
        &self,
        witness: &WitnessSettings,
        log_id: &str,
    ) -> Result<Option<(u64, Timestamp)>, AppError> {
        let mut last = None;
        for key in &witness.keys {
            let name = cosigner_id(&key.verifier_key());
            last = last.max(self.store.last_cosigned(log_id, &name).await?);
        }
        Ok(last)
    }

    /// Sends a head; where the witness has seen another one than we think, once more from there.
    async fn send_head(
        &self,
        witness: &WitnessSettings,
        head: &Checkpoint,
        old: u64,
    ) -> Result<Vec<Cosignature>, String> {
        let contradicts = |size: u64| {
            format!(
                "it has signed a head of {size} entries that this log does not continue: the store may be an older copy, or somebody else signs with the log's key"
            )
        };
        let size = match self.send_growth(witness, head, old).await? {
            Answer::Signed(lines) => return Ok(lines),
            Answer::HasSeen(size) => size,
        };
        if size > head.size || size == old {
            return Err(contradicts(size));
        }
        match self.send_growth(witness, head, size).await? {
            Answer::Signed(lines) => Ok(lines),
            Answer::HasSeen(size) => Err(contradicts(size)),
        }
    }

    async fn send_growth(
        &self,
        witness: &WitnessSettings,
        head: &Checkpoint,
        old: u64,
    ) -> Result<Answer, String> {
        let path = self.path_between(&head.log_id, old, head.size).await?;
        let note = String::from_utf8(head.note.clone())
            .map_err(|_| "the head that is sent is no text".to_owned())?;
        let trust = match &witness.trust {
            Some(path) => Some(
                std::fs::read_to_string(self.instance.folder.join(path))
                    .map_err(|_| format!("`{}` cannot be read", path.display()))?,
            ),
            None => None,
        };
        let reply = self
            .put(Question {
                name: &witness.name,
                url: &format!("{}/add-checkpoint", witness.url),
                trust,
                media_type: "text/plain; charset=utf-8",
                body: Growth { old, path, note }.to_text().into_bytes(),
            })
            .await?;
        let body = std::str::from_utf8(reply.body()).unwrap_or_default();
        match reply.status() {
            200 => Ok(Answer::Signed(checked(witness, head, body)?)),
            409 => number(body.trim_end_matches('\n'))
                .map(Answer::HasSeen)
                .ok_or_else(|| "it refused the head without a word of what it has seen".to_owned()),
            403 => Err(
                "it does not know the log's key: give it the one that `quietus anchor key` prints"
                    .to_owned(),
            ),
            404 => {
                Err("it does not know this log: give it the key that `quietus anchor key` prints"
                    .to_owned())
            }
            422 => Err("it says that this log does not continue what it has seen".to_owned()),
            other => Err(format!("it answered {other}, and did not sign")),
        }
    }

    /// Proof that the tree of `old` leaves is a part of that of `new`.
    pub(super) async fn path_between(
        &self,
        log_id: &str,
        old: u64,
        new: u64,
    ) -> Result<Vec<crate::domain::Digest>, String> {
        if old == 0 || old >= new {
            return Ok(Vec::new());
        }
        let needed = tiles::tiles_of_consistency(old, new);
        let stored = self.store.tiles(log_id, &needed).await.map_err(|error| error.to_string())?;
        tiles::consistency_proof(old, new, |tile| stored.get(&tile).cloned())
            .map_err(|error| error.to_string())
    }
}

/// The lines by a witness's keys under this head, each of which holds. Lines of others are left out.
fn checked(
    witness: &WitnessSettings,
    head: &Checkpoint,
    lines: &str,
) -> Result<Vec<Cosignature>, String> {
    let text = text_of(head).map_err(|error| error.to_string())?;
    let wrong = || "what it signed is no signature line".to_owned();
    let note = Note::parse(&format!("{text}\n{lines}")).map_err(|_| wrong())?;
    let mut found = Vec::new();
    for (line, written) in note.signatures.iter().zip(lines.split_inclusive('\n')) {
        for key in witness.keys.iter().filter(|key| key.is_named_by(line)) {
            let signed_at = key
                .verify_line(&text, line)
                .map_err(|error| format!("{error} (`{}`)", key.name()))?;
            found.push(Cosignature {
                log_id: head.log_id.clone(),
                size: head.size,
                cosigner: cosigner_id(&key.verifier_key()),
                line: written.to_owned(),
                signed_at,
            });
        }
    }
    if found.is_empty() {
        return Err("it signed with other keys than those that are named here".to_owned());
    }
    Ok(found)
}

/// Whether a witness is sent the head.
fn is_due(now: Timestamp, asked: &AskedFor<'_>, last: Option<(u64, Timestamp)>) -> bool {
    let Some((seen, at)) = last else { return asked.lives || asked.waits.is_some() };
    let (since, size) = (now.duration_since(at), asked.head.size);
    if size == seen {
        return asked.lives && since >= BETWEEN_HEARTBEATS;
    }
    asked.waits.is_some_and(|index| index >= seen) || since >= BETWEEN_HEADS || size < seen
}
