//! The last head of each log that was signed, each in a file of its own, on disk before a signature
//! leaves.

use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;

use super::{WitnessError, folder_error, read_text};
use crate::domain::Digest;
use crate::evidence::note::{Checkpoint, LogIdentity, Note, verify_checkpoint};
use crate::evidence::witnessing::SeenHead;

/// A head that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub head: Checkpoint,
    /// When; `None` where the file does not say so.
    pub signed_at: Option<Timestamp>,
}

/// Name of the file about a log: its own name could be no name of a file.
pub(super) fn file_name(origin: &Digest) -> String {
    format!("seen-{origin}.checkpoint")
}

/// What was signed last of a log; `None` where nothing was.
///
/// # Errors
/// Where the file cannot be read: it is never taken for a beginning.
pub(super) fn read(folder: &Path, log: &LogIdentity) -> Result<Option<Seen>, WitnessError> {
    let name = file_name(&Digest::of(log.origin().as_bytes()));
    let Some(text) = read_text(folder, &name)? else { return Ok(None) };
    let unreadable = || WitnessError::Seen(folder.join(&name));
    let head = verify_checkpoint(&text, log).map_err(|_| unreadable())?;
    let note = Note::parse(&text).map_err(|_| unreadable())?;
    // Cosignatures begin with their moment, in seconds.
    let moments =
        note.signatures.iter().filter(|line| line.name != log.origin()).filter_map(|line| {
            let seconds = line.signature.first_chunk::<8>()?;
            Timestamp::from_second(i64::try_from(u64::from_be_bytes(*seconds)).ok()?).ok()
        });
    Ok(Some(Seen { head, signed_at: moments.max() }))
}

/// Keeps a head with the signatures that it gets.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn write(folder: &Path, head: &SeenHead, lines: &str) -> Result<(), WitnessError> {
    let name = file_name(&Digest::of(head.head.origin.as_bytes()));
    let note = format!("{}\n{}{lines}", head.text, head.signatures);
    write_whole(folder, &name, &note).map_err(folder_error(&folder.join(name)))
}

/// Writes a file aside and moves it into place, so that a crash leaves the old one or the new one.
pub(super) fn write_whole(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let aside = folder.join(format!(".{name}.new"));
    let mut file = std::fs::File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, folder.join(name))?;
    std::fs::File::open(folder)?.sync_all()
}
