//! Alarms in words: of what kind a matter is that somebody has to see to, and which step of an alarm
//! is told. The words stand in the store, in settings and in what is sent, so none of them changes.

use serde::{Serialize, Serializer};

macro_rules! dotted {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every word, in the order in which they are listed.
            pub const WORDS: &'static [&'static str] = &[$($text,)*];

            /// The word used in the store, in settings and in what is sent.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

dotted! {
    /// Of what kind a matter is. Together with its area and its place it says which alarm it is.
    AlarmKind {
        /// A file of the instance has a mistake, or something to look at.
        FileProblem = "file.problem",
        /// The store cannot be opened.
        StoreUnavailable = "store.unavailable",
        /// The schema of the store is not the one of the binary.
        StoreSchema = "store.schema",
        /// The store is behind a pooler, and nothing says how it is reached past it.
        StorePooled = "store.pooled",
        /// Others may read a key.
        KeyExposed = "key.exposed",
        /// A copy of one folder holds the database and the keys.
        KeyBesideStore = "key.beside_store",
        /// The keys folder cannot be read, or a key in it.
        KeyUnreadable = "key.unreadable",
        /// A key that is in use is not there.
        KeyMissing = "key.missing",
        /// What signs in the place of a key file is not there.
        SignerMissing = "signer.missing",
        /// Files have changed and nobody has read them.
        RulesUnread = "rules.unread",
        /// A process works by earlier rules.
        RulesEarlier = "rules.earlier",
        /// The clock is behind what was written down before.
        ClockBehind = "clock.behind",
        /// Nothing is published in the log.
        LogStopped = "log.stopped",
        /// Entries wait for the log, and nobody publishes them.
        LogWaiting = "log.waiting",
        /// The re-erasure list lacks changes.
        ListWaiting = "list.waiting",
        /// Something is paused.
        PauseLasting = "pause.lasting",
        /// A restored system is in quarantine.
        SystemQuarantined = "system.quarantined",
        /// A system does not answer, or is not as the data map says.
        SystemUnwell = "system.unwell",
        /// A system fails time after time, and one job at a time tries it.
        SystemFailing = "system.failing",
        /// A system has asked to be left alone.
        SystemLeftAlone = "system.left_alone",
        /// More waits for a system than is begun in a day under its limits, or something for too long.
        BacklogLasting = "backlog.lasting",
        /// Nobody has looked at occurrences that were due.
        ScheduleOverdue = "schedule.overdue",
        /// Occurrences were missed.
        ScheduleMissed = "schedule.missed",
        /// No process counts occurrences, and nobody runs anything by hand.
        ScheduleUnserved = "schedule.unserved",
        /// A case waits for a second person.
        CaseUnapproved = "case.unapproved",
        /// Jobs have failed.
        JobFailed = "job.failed",
        /// Whoever worked on a job is gone, and nobody took over.
        JobAbandoned = "job.abandoned",
        /// Jobs wait that a worker could claim.
        JobWaiting = "job.waiting",
        /// What was due by a rule in its latest run stayed.
        RuleStayed = "rule.stayed",
        /// A rule finds nothing for much longer than ever before.
        RuleSilent = "rule.silent",
        /// Records that should have gone by a rule are there.
        RuleOverdue = "rule.overdue",
        /// A request is not answered, and its last day is over.
        RequestOverdue = "request.overdue",
        /// A request will hardly be answered in time.
        RequestAtRisk = "request.at_risk",
        /// A task is beyond its date.
        TaskOverdue = "task.overdue",
        /// A task is done and not confirmed, beyond its date.
        TaskUnconfirmed = "task.unconfirmed",
        /// A mail cannot be sent.
        MailByHand = "mail.by_hand",
        /// Nobody knows whether a mail was sent.
        MailUnknown = "mail.unknown",
        /// A mail is to be sent, and nobody does.
        MailWaiting = "mail.waiting",
        /// Data of erased persons are back, and somebody has to decide.
        ReappearanceUndecided = "reappearance.undecided",
        /// Nobody can look whether somebody is back in a system.
        LookTroubled = "look.troubled",
        /// Somebody is to be looked for again, and nobody has looked.
        LookOwed = "look.owed",
        /// A store of copies cannot be listed, or does not let go.
        CopiesTroubled = "copies.troubled",
        /// Copies should have gone by their store's own retention.
        CopiesOverstaying = "copies.overstaying",
        /// Files or logs hold what was erased, and do not let it go.
        ResidueHeld = "residue.held",
        /// Somebody who vouches for the log does not.
        AnchorLate = "anchor.late",
        /// What somebody stamped is not sound for much longer.
        AnchorAgeing = "anchor.ageing",
        /// No time stamp over the log is sound for long.
        AnchorRenewal = "anchor.renewal",
        /// A case is done and has no certificate.
        CertificateOwed = "certificate.owed",
        /// Certificates are not proven to be in the log.
        CertificateUnproven = "certificate.unproven",
        /// Not enough others vouch for certificates.
        CertificateUnvouched = "certificate.unvouched",
        /// A drill was not done.
        DrillNotDone = "drill.not_done",
        /// An erasure of a drill took too long.
        DrillLate = "drill.late",
        /// Something of an ended drill may be left.
        DrillLeft = "drill.left",
        /// Our own records should have gone.
        OwnRecordsOverdue = "own_records.overdue",
        /// Somebody who is to be told of alarms has not heard for an hour.
        TellingWaiting = "telling.waiting",
        /// Somebody who was to be told of alarms has not heard, and is not told any more.
        TellingGivenUp = "telling.given_up",
        /// A webhook has said that it wants nothing any more.
        TellingGone = "telling.gone",
        /// Nobody looks whether there is anything to tell.
        AlarmsUnwatched = "alarms.unwatched",
        /// An area cannot be looked at.
        AreaUnseen = "area.unseen",
        /// An area has more findings than are told one by one.
        AreaCrowded = "area.crowded",
        /// Anything else.
        Other = "other",
    }
}

dotted! {
    /// Which step of an alarm is told.
    AlarmStep {
        /// There is something to see to that was not there before.
        Raised = "alarm.raised",
        /// It is there still, or has become worse.
        Again = "alarm.again",
        /// It is gone.
        Cleared = "alarm.cleared",
    }
}

/// The type of what is sent to try a webhook out.
pub const ALARM_TEST: &str = "alarm.test";

#[cfg(test)]
mod tests {
    use super::*;

    /// Types of Standard Webhooks: parts of letters, digits and `_`, with full stops between them.
    fn is_type(word: &str) -> bool {
        let plain = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
        word.split('.').all(|part| !part.is_empty() && part.chars().all(plain))
    }

    #[test]
    fn words_are_read_as_they_are_written_and_are_types_of_events() {
        for word in AlarmKind::WORDS {
            assert!(is_type(word), "{word}");
            assert_eq!(AlarmKind::parse(word).map(AlarmKind::as_str), Some(*word));
            assert_eq!(AlarmStep::parse(word), None, "{word} would have two meanings");
        }
        for word in AlarmStep::WORDS {
            assert!(is_type(word) && *word != ALARM_TEST, "{word}");
            assert_eq!(AlarmStep::parse(word).map(AlarmStep::as_str), Some(*word));
        }
        let distinct: std::collections::BTreeSet<_> = AlarmKind::WORDS.iter().collect();
        assert_eq!(distinct.len(), AlarmKind::WORDS.len());
        assert_eq!(AlarmKind::parse("request"), None);
    }
}
