//! Numbered points between claim and settle at which a debug build can be made to die as by
//! `kill -9`, so that tests can show that nothing is lost or counted twice. A release build has
//! none of this.

/// A place where the process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashPoint {
    /// The job is claimed; nothing else has happened.
    Claimed = 1,
    /// The intent is recorded; the connector has not been asked.
    Started = 2,
    /// The connector has committed a chunk; the store does not know.
    ChunkCommitted = 3,
    /// The store knows of the chunk.
    ProgressSaved = 4,
    /// The connector has answered; nothing is recorded.
    Answered = 5,
    /// The verification has answered; nothing is recorded.
    Verified = 6,
    /// The transition and its evidence are written; the connector still keeps its progress.
    Settled = 7,
    /// All jobs are final; the certificate is not made.
    BeforeCertificate = 8,
    /// The certificate is signed and written; its leaf is not in the log.
    CertificateSigned = 9,
    /// The log holds the leaf; the checkpoint is not published.
    Sequenced = 10,
    /// The checkpoint is published; the bundle is not stored.
    Published = 11,
    /// A mail is claimed; the mail server has not been asked.
    MailBegun = 12,
    /// The mail server has answered; nothing is recorded.
    MailAnswered = 13,
    /// What goes with a chunk is written down; the connector has not committed it.
    Listed = 14,
    /// A store of copies was listed; nothing is recorded.
    StoreListed = 15,
    /// Files and logs of a system were looked at; nothing is recorded.
    FilesLookedAt = 16,
    /// Some entries of the re-erasure list are brought back into a store that had lost them.
    PartlyBroughtBack = 17,
    /// All of them are; the log is not filled up.
    BroughtBack = 18,
    /// Entries of the re-erasure list are written; nothing is noted of them.
    ListBegun = 19,
    /// The evidence of an index of the re-erasure list is on record; its file is not written.
    ListOnRecord = 20,
    /// Persons were looked for again; what is back is not recorded.
    LookedAgain = 21,
    /// A drill has planted in a system; the store does not know.
    DrillPlanted = 22,
    /// The request of a drill is taken in; the drill does not know.
    DrillAsked = 23,
    /// A drill has planted once more in a system; the store does not know.
    DrillPlantedAgain = 24,
    /// That files are erased inside of copies is on record; the store has not been asked.
    InsideBegun = 25,
    /// The store has erased files inside of copies; nothing is recorded.
    InsideErased = 26,
}

/// Which point to die at, if any.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrashPlan {
    /// The number of the point.
    pub point: Option<u8>,
}

impl CrashPlan {
    /// Dies here if this is the point.
    pub fn reach(self, point: CrashPoint) {
        if cfg!(debug_assertions) && self.point == Some(point as u8) {
            die();
        }
    }
}

/// Ends the process without any unwinding, flushing or handlers.
fn die() {
    let identifier = std::process::id().to_string();
    let killed = std::process::Command::new("kill").args(["-9", &identifier]).status();
    if killed.is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}
