//! Others vouch for the log: time-stamp authorities stamp its heads, witnesses sign them.
//!
//! Nothing here keeps anything else waiting: a certificate is signed and logged without it, and
//! becomes anchored once enough others have answered. What they answer is checked before it is kept.
//! Each step commits before the next begins, and each can be repeated: an answer that is lost in a
//! crash is asked for again.

mod asking;
mod due;
mod folder;
mod stamping;
pub mod standing;
mod upgrading;
mod witnessing;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::back_off::BackOff;
use super::{AppError, Quietus};
use crate::store::{Checkpoint, Cosignature, Head, LogState};

/// Whoever did not answer is asked again after a minute, and at the latest after an hour.
const BACK_OFF: BackOff =
    BackOff { first: Duration::from_mins(1), longest: Duration::from_hours(1) };

/// How the last question to somebody ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    failures: u32,
    not_before: Option<Timestamp>,
    fault: Option<String>,
}

/// What this process knows of those who vouch.
#[derive(Debug, Default)]
pub(crate) struct Anchoring {
    /// How questions ended, by whom they went to.
    asked: Mutex<BTreeMap<String, Asked>>,
    /// When all certificates were looked at last.
    looked_at: Mutex<Option<Timestamp>>,
}

/// Certificates are looked at when somebody has vouched, and so often in case a process died
/// between that and this.
const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_mins(1);

/// What came of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnchorTally {
    /// New time stamps.
    pub stamped: u32,
    /// Witnesses that signed.
    pub witnessed: u32,
    /// Certificates that others vouch for now.
    pub anchored: u32,
    /// Who did not, and why.
    pub faults: Vec<(String, String)>,
}

impl AnchorTally {
    fn add(&mut self, part: Self) {
        self.stamped += part.stamped;
        self.witnessed += part.witnessed;
        self.anchored += part.anchored;
        self.faults.extend(part.faults);
    }
}

/// What others are asked to vouch for.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedFor<'a> {
    /// The newest signed head of a log.
    pub head: &'a Checkpoint,
    /// Index of the newest of its leaves for which somebody waits.
    pub waits: Option<u64>,
    /// Whether the log can still grow. One that was closed is vouched for once more, and then only
    /// renewed.
    pub lives: bool,
}

impl Quietus {
    /// Whether others are asked to vouch for the log.
    pub fn has_anchors(&self) -> bool {
        !self.instance.anchors.is_empty()
    }

    /// Whether witnesses sign the log.
    pub fn has_witnesses(&self) -> bool {
        !self.instance.anchors.witnesses.is_empty()
    }

    /// Asks everybody who is due, and gives certificates what came of it.
    ///
    /// # Errors
    /// Where the store or a key does not do its part; that somebody does not answer is no error.
    pub async fn advance_anchors(&self) -> Result<AnchorTally, AppError> {
        let mut tally = AnchorTally::default();
        if !self.has_anchors() {
            return Ok(tally);
        }
        // What is stamped holds all evidence that was written before it.
        self.advance_log().await?;
        let waiting = self.store.leaves_to_anchor().await?;
        for log in self.store.logs().await? {
            let Some(head) = self.store.latest_checkpoint(&log.log_id).await? else { continue };
            self.sign_again(&log, &head).await?;
            let waits = waiting.get(&log.log_id).copied();
            let asked = AskedFor { head: &head, waits, lives: log.state == LogState::Open };
            let (witnessed, stamped) = tokio::join!(
                Box::pin(self.ask_witnesses(&asked)),
                Box::pin(self.ask_authorities(&asked)),
            );
            tally.add(witnessed?);
            tally.add(stamped?);
        }
        tally.add(Box::pin(self.stamp_certificates()).await?);
        if tally.stamped + tally.witnessed > 0 || self.looks_again() {
            tally.anchored = Box::pin(self.anchor_certificates()).await?;
        }
        Ok(tally)
    }

    /// Whether certificates have not been looked at for a while; they are now.
    fn looks_again(&self) -> bool {
        let now = self.now();
        let Ok(mut looked_at) = self.anchoring.looked_at.lock() else { return true };
        let due = looked_at.is_none_or(|last| now.duration_since(last) >= BETWEEN_LOOKS);
        if due {
            *looked_at = Some(now);
        }
        due
    }

    /// The log's own second signature under one of its heads.
    pub(super) async fn sign_again(&self, log: &Head, head: &Checkpoint) -> Result<(), AppError> {
        let Some(key) = self.keys.second_of(log)? else { return Ok(()) };
        let own = cosigner_id(&key.cosigner().verifier_key());
        let lines = self.store.cosignatures(&head.log_id, head.size).await?;
        if lines.iter().any(|one| one.cosigner == own) {
            return Ok(());
        }
        let now = whole_second(self.now());
        let line = key
            .cosign(&text_of(head)?, now)
            .map_err(|error| AppError::Evidence(error.to_string()))?;
        let signed = Cosignature {
            log_id: head.log_id.clone(),
            size: head.size,
            cosigner: own,
            line,
            signed_at: now,
        };
        Ok(self.store.keep_cosignatures(vec![signed]).await?)
    }

    /// Whether somebody may be asked now: not soon after a question that failed.
    pub(super) fn may_ask(&self, name: &str) -> bool {
        let Ok(asked) = self.anchoring.asked.lock() else { return true };
        let not_before = asked.get(name).and_then(|one| one.not_before);
        not_before.is_none_or(|moment| self.now() >= moment)
    }

    /// Remembers how a question ended, and gives the fault for people.
    pub(super) fn asked(&self, name: &str, fault: Option<String>) -> Option<(String, String)> {
        let Ok(mut all) = self.anchoring.asked.lock() else { return None };
        let asked = all.entry(name.to_owned()).or_default();
        match &fault {
            None => *asked = Asked::default(),
            Some(fault) => {
                asked.failures = asked.failures.saturating_add(1);
                let pause = self.pause_after(BACK_OFF, asked.failures);
                asked.not_before = self.now().checked_add(pause).ok();
                tracing::warn!(name, fault, "nobody vouches for the log there");
            }
        }
        asked.fault.clone_from(&fault);
        fault.map(|fault| (name.to_owned(), fault))
    }

    /// The last fault of somebody in this process.
    pub(super) fn fault_of(&self, name: &str) -> Option<String> {
        self.anchoring.asked.lock().ok()?.get(name)?.fault.clone()
    }
}

/// Before the newest in the order of certificates.
pub(super) const BEFORE_ALL: (Timestamp, Uuid) = (Timestamp::MAX, Uuid::max());

/// The signed text of a head.
pub(super) fn text_of(head: &Checkpoint) -> Result<String, AppError> {
    let note = std::str::from_utf8(&head.note).unwrap_or_default();
    crate::evidence::note::Note::parse(note)
        .map(|note| note.text)
        .map_err(|error| AppError::Evidence(error.to_string()))
}

/// How a key is called in the store: name and identifier.
pub(crate) fn cosigner_id(key: &crate::evidence::cosignature::VerifierKey) -> String {
    format!("{}+{}", key.name, hex::encode(key.id()))
}

/// Cosignatures name whole seconds.
pub(super) fn whole_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment)
}
