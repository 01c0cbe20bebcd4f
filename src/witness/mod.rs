//! A witness: it runs on somebody else's machine, remembers the last head that it has signed of each
//! log, and signs only what continues it (C2SP tlog-witness). It can refuse or sign, and nothing
//! else; it never sees what a log holds.
//!
//! Everything is in one folder: its name and keys, the keys of the logs that it knows, and a file a
//! log with the last head. That file is on disk before a signature leaves. A folder that is put back
//! to an earlier state could sign a second history: keep it out of restores, or make new keys.

mod seen;
pub mod server;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{KeyError, read_key, write_key};
use crate::domain::{Clock, Digest};
use crate::evidence::LogPublicKey;
use crate::evidence::cosignature::{CosignatureKind, LOG_TYPE, VerifierKey};
use crate::evidence::cosigning::CosigningKey;
use crate::evidence::note::{LogIdentity, Note};
use crate::evidence::origin::{LogName, continued_by};
use crate::evidence::witnessing::{Growth, Judgement, SIZE_TYPE, SeenHead, judge, origin_of};

/// The witness's name, as its signatures bear it.
const NAME: &str = "witness.name";
/// Verifier keys of the logs that it knows, one a line.
const LOGS: &str = "logs";
/// Held by the one process that signs.
const LOCK: &str = "lock";
/// So far the clock of a log may go ahead of that of the witness.
const CLOCKS_APART: SignedDuration = SignedDuration::from_hours(1);
/// Keys, each with its file.
const KEYS: [(CosignatureKind, &str); 2] =
    [(CosignatureKind::Ed25519, "ed25519.pem"), (CosignatureKind::MlDsa44, "ml-dsa-44.pem")];

/// Why a witness cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A key is not as it must be.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The input does not fit; nothing was changed.
    #[error("{0}")]
    Input(String),
    /// The folder cannot be read or written.
    #[error("`{path}` cannot be read or written ({why}); look at its owner and space")]
    Folder {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::ErrorKind,
    },
    /// The last head that was signed cannot be read.
    #[error(
        "`{0}`, the last head that was signed, cannot be read: nothing more of this log is signed; restore the file, never an older one"
    )]
    Seen(PathBuf),
}

/// What is answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// Media type of the body.
    pub media_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// An opened witness.
pub struct Witness {
    folder: PathBuf,
    keys: Vec<CosigningKey>,
    clock: Arc<dyn Clock>,
    /// Whoever compares what was seen and signs holds it until what is seen now is on disk.
    turn: Mutex<()>,
    /// Keeps every other process out of the folder.
    _lock: std::fs::File,
}

fn folder_error(path: &Path) -> impl Fn(std::io::Error) -> WitnessError {
    let path = path.to_owned();
    move |error| WitnessError::Folder { path: path.clone(), why: error.kind() }
}

fn read_text(folder: &Path, name: &str) -> Result<Option<String>, WitnessError> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(folder_error(&path)(error)),
    }
}

/// Makes the folder of a new witness; its verifier keys.
///
/// # Errors
/// Where there is one already, or the name may not stand in a note.
pub fn init(folder: &Path, name: &str) -> Result<Vec<VerifierKey>, WitnessError> {
    if folder.join(NAME).exists() {
        return Err(WitnessError::Input(format!(
            "there is a witness in `{}` already: name another folder",
            folder.display()
        )));
    }
    let refuse = |error: crate::evidence::keys::KeyError| WitnessError::Input(error.to_string());
    let mut made = Vec::new();
    for (kind, file) in KEYS {
        let key = CosigningKey::generate(kind, name).map_err(refuse)?;
        made.push((file, key.to_pem().map_err(refuse)?, key.cosigner().verifier_key()));
    }
    for (file, pem, _) in &made {
        write_key(folder, file, pem.expose_secret().as_bytes())?;
    }
    write_key(folder, NAME, format!("{name}\n").as_bytes())?;
    Ok(made.into_iter().map(|(_, _, key)| key).collect())
}

fn keys_of(folder: &Path) -> Result<Vec<CosigningKey>, WitnessError> {
    let Some(name) = read_text(folder, NAME)? else {
        return Err(WitnessError::Input(format!(
            "there is no witness in `{}`: `quietus witness init` makes one",
            folder.display()
        )));
    };
    let mut keys = Vec::new();
    for (kind, file) in KEYS {
        let bytes = read_key(folder, file)?;
        let text = String::from_utf8_lossy(bytes.expose_secret()).into_owned();
        let key = CosigningKey::from_pem(kind, name.trim(), &SecretString::from(text));
        keys.push(key.map_err(|error| WitnessError::Input(format!("`{file}`: {error}")))?);
    }
    Ok(keys)
}

/// The verifier keys of a witness, for the operators of logs and for auditors.
///
/// # Errors
/// Where there is no witness.
pub fn verifier_keys(folder: &Path) -> Result<Vec<VerifierKey>, WitnessError> {
    Ok(keys_of(folder)?.iter().map(|key| key.cosigner().verifier_key()).collect())
}

/// A log by its verifier key.
fn log_of(text: &str) -> Result<LogIdentity, String> {
    let key = VerifierKey::parse(text).map_err(|error| error.to_string())?;
    let bytes = <[u8; 32]>::try_from(key.key.as_slice()).ok().filter(|_| key.kind == LOG_TYPE);
    let Some(bytes) = bytes else {
        return Err(
            "this is no Ed25519 key of a log: give the first one that `quietus anchor key` prints"
                .to_owned(),
        );
    };
    LogIdentity::new(&key.name, LogPublicKey(bytes)).map_err(|error| error.to_string())
}

/// The logs that a witness knows.
fn logs_of(folder: &Path) -> Result<Vec<LogIdentity>, WitnessError> {
    let text = read_text(folder, LOGS)?.unwrap_or_default();
    let mut logs = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let log = log_of(line).map_err(|why| {
            WitnessError::Input(format!("`{}`, line {number}: {why}", folder.join(LOGS).display()))
        })?;
        logs.push(log);
    }
    Ok(logs)
}

/// The log of this name, among those that are known: the one that is called so, or the next year's
/// of one that is, with the same key. A log does not begin before its year.
fn log_among(known: &[LogIdentity], origin: &str, now: Timestamp) -> Option<LogIdentity> {
    let named = |name: &str| known.iter().find(|log| log.origin() == name);
    if let Some(log) = named(origin) {
        return Some(log.clone());
    }
    // Clocks differ.
    let year = now.saturating_add(CLOCKS_APART).ok()?.to_zoned(TimeZone::UTC).year();
    LogName::of(origin).year.filter(|begins| *begins <= year)?;
    let earlier = named(continued_by(origin, known.iter().map(LogIdentity::origin))?)?;
    LogIdentity::new(origin, earlier.key()).ok()
}

/// Makes a witness know a log; `false` where it does already.
///
/// # Errors
/// Where the key is none of a log, or another key is known under its name.
pub fn trust(folder: &Path, key: &str) -> Result<bool, WitnessError> {
    keys_of(folder)?;
    let log = log_of(key.trim()).map_err(WitnessError::Input)?;
    let known = logs_of(folder)?;
    if let Some(other) = known.iter().find(|one| one.origin() == log.origin()) {
        if *other == log {
            return Ok(false);
        }
        return Err(WitnessError::Input(format!(
            "another key is known under `{}`: a log that changes its key gets a new name",
            log.origin()
        )));
    }
    let mut text = read_text(folder, LOGS)?.unwrap_or_default();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text += key.trim();
    text.push('\n');
    seen::write_whole(folder, LOGS, &text).map_err(folder_error(&folder.join(LOGS)))?;
    Ok(true)
}

impl Witness {
    /// Opens a witness, and keeps every other process from signing with it.
    ///
    /// # Errors
    /// Where there is none, a key cannot be read, or another process has it.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, WitnessError> {
        let keys = keys_of(folder)?;
        logs_of(folder)?;
        let path = folder.join(LOCK);
        let lock = std::fs::File::create(&path).map_err(folder_error(&path))?;
        if lock.try_lock().is_err() {
            return Err(WitnessError::Input(format!(
                "another process signs with the witness in `{}`: one may",
                folder.display()
            )));
        }
        Ok(Self { folder: folder.to_owned(), keys, clock, turn: Mutex::new(()), _lock: lock })
    }

    /// Its verifier keys.
    pub fn verifier_keys(&self) -> Vec<VerifierKey> {
        self.keys.iter().map(|key| key.cosigner().verifier_key()).collect()
    }

    /// Answers `add-checkpoint`.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        self.judge(body).unwrap_or_else(|error| {
            tracing::error!(%error, "a head could not be signed");
            Answer::text(500, "the witness cannot sign now\n")
        })
    }

    fn judge(&self, body: &[u8]) -> Result<Answer, WitnessError> {
        let Some(question) = Growth::parse(body) else {
            return Ok(Answer::text(400, "this is no question of a log\n"));
        };
        let Some(origin) = origin_of(&question) else {
            return Ok(Answer::text(400, "this is no checkpoint\n"));
        };
        // Read each time: a log is made known while the witness runs.
        let log = log_among(&logs_of(&self.folder)?, &origin, self.clock.now());
        // Nobody leaves this part of the house while another one is in it (a poisoned turn is one
        // that ended early, before anything was signed).
        let turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seen = match &log {
            Some(log) => seen::read(&self.folder, log)?,
            None => None,
        };
        let state = seen.as_ref().map(|seen| (seen.head.size, seen.head.root));
        let answer = match judge(&question, log.as_ref(), state) {
            Judgement::Sign(head) => self.sign(&head, seen.and_then(|seen| seen.signed_at))?,
            Judgement::BadRequest => Answer::text(400, "this cannot be read, or goes backwards\n"),
            Judgement::Forbidden => Answer::text(403, "no known key of this log signed it\n"),
            Judgement::NotFound => Answer::text(404, "this log is not known here\n"),
            Judgement::Conflict(size) => {
                tracing::warn!(
                    origin,
                    size,
                    asked = question.old,
                    "a head does not begin where the last one ended"
                );
                Answer { status: 409, media_type: SIZE_TYPE, body: format!("{size}\n") }
            }
            Judgement::Unprocessable => {
                tracing::warn!(origin, "a head does not continue the last one");
                Answer::text(422, "this does not continue what was signed before\n")
            }
        };
        drop(turn);
        Ok(answer)
    }

    /// Remembers a head, and then signs it.
    fn sign(&self, head: &SeenHead, last: Option<Timestamp>) -> Result<Answer, WitnessError> {
        let now = self.clock.now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        if last.is_some_and(|last| now < last) {
            return Err(WitnessError::Input(
                "the clock of this machine was set back: nothing is signed before it is right"
                    .to_owned(),
            ));
        }
        let mut lines = String::new();
        for key in &self.keys {
            let line = key
                .cosign(&head.text, now)
                .map_err(|error| WitnessError::Input(error.to_string()))?;
            lines.push_str(&line);
        }
        seen::write(&self.folder, head, &lines)?;
        Ok(Answer::text(200, lines))
    }

    /// The last head of a log that was signed, by the SHA-256 of the log's name, so that anybody can
    /// compare it with what they are shown.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn last_head(&self, name: &Digest) -> Result<Option<String>, WitnessError> {
        let text = read_text(&self.folder, &seen::file_name(name))?;
        Ok(text.filter(|text| Note::parse(text).is_ok()))
    }
}
