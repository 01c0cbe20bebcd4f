//! What each table of the store holds.

use super::Until::{Rule, Served, Shredded, Stays};
use super::{Kept, KeptIn, Personal};

pub(super) const TABLES: &[Kept] = &[
    table(
        "_sqlx_migrations",
        "which migrations of the schema were applied",
        (Personal::None, Stays("a row a version")),
        ("a schema that is not ours is refused", "pinned checksums"),
    ),
    table(
        "alarm_looks",
        "when it was looked last whether somebody has to see to something",
        (Personal::None, Served("one row, written over")),
        (
            "one of many processes looks, and it is seen when none does",
            "none is needed: it says nothing",
        ),
    ),
    table(
        "alarm_tellings",
        "that an alarm was told at a webhook or by mail, and what went wrong; a mail's recipient is its place in the instance file",
        (Personal::None, Served("until 90 days after it was told or given up")),
        ("nobody is told twice, and nothing is lost", "removed by whoever looks"),
    ),
    table(
        "alarms",
        "what somebody had to see to: area, place, what the doctor said, from when until when",
        (Personal::None, Served("until 90 days after it was cleared")),
        ("the same matter is told once, and its end too", "removed by whoever looks"),
    ),
    table(
        "attempts",
        "each attempt at a job: which worker, when, how it ended, faults in our words",
        (Personal::None, Stays("it names nobody; it is part of how a certificate came about")),
        ("shows how often and when a system was asked", "append-only triggers"),
    ),
    table(
        "breakers",
        "how each system answered lately: failures in a row, which job failed last, when it is tried again",
        (Personal::None, Served("one row a system, written over")),
        ("a system that fails is asked gently", "none is needed: it says nothing of what was done"),
    ),
    table(
        "canaries",
        "the row that was last written into each system, and under which name",
        (Personal::None, Served("one row a system, written over")),
        ("a system that was put back shows an older number", "restores are evidence of their own"),
    ),
    table(
        "cases",
        "undertakings: why opened, when, by whom approved, with which plan",
        (
            Personal::Staff,
            Stays("it names nobody but who acted; what its evidence means is shredded"),
        ),
        ("certificates and evidence refer to them", "append-only triggers; `case.*` in the log"),
    ),
    table(
        "certificate_decisions",
        "that a certificate was withdrawn, disputed or restored",
        (Personal::None, Stays("it is evidence, and names nobody")),
        ("status lists are made of it", "each is an entry of the log"),
    ),
    table(
        "certificate_topics",
        "by which rule, system and case a certificate is found",
        (Personal::None, Stays("it is evidence, and names nobody")),
        ("auditors search by it", "append-only triggers"),
    ),
    table(
        "certificates",
        "signed certificates with their bundles; the subject is the digest of an opening",
        (Personal::None, Stays("it is evidence, and names nobody")),
        ("they are what Quietus is for", "`quietus verify`; append-only triggers"),
    ),
    table(
        "data_keys",
        "keys of cases, wrapped with the key of a month",
        (Personal::None, Shredded),
        ("what evidence means is sealed with them", "`evidence.shredded` in the log"),
    ),
    table(
        "documents",
        "every version of rules and data map that was in force",
        (Personal::Staff, Stays("certificates refer to it; it holds what the controller wrote")),
        ("a certificate names the rules by their digest", "its digest is in the log"),
    ),
    table(
        "drill_cursor",
        "from when on the schedule of drills counts",
        (Personal::None, Served("one row, written over")),
        ("no drill is left out, and none is done twice", "none is needed: it says nothing"),
    ),
    table(
        "drill_systems",
        "what was planted in each system for a drill, and when it was gone there: of an invented person",
        (Personal::None, Stays("it is about nobody; it shows how long erasing takes")),
        ("times to erasure are read from it", "append-only triggers; `drill.*` in the log"),
    ),
    table(
        "drills",
        "drills: when, by whom begun, how they ended",
        (Personal::Staff, Stays("it is about nobody; its request stays with it")),
        ("shows that erasure works, and how fast", "append-only triggers; `drill.*` in the log"),
    ),
    table(
        "events",
        "business events: name, moment, sealed key of the record and a tag of it",
        (Personal::Sealed, Stays("without it the record it speaks of would never be due")),
        ("a period starts with them", "sealed with `vault.key`"),
    ),
    table(
        "evidence_details",
        "what a leaf of the log means, sealed under the key of its case",
        (Personal::Sealed, Shredded),
        ("whoever may read it can explain a certificate", "`evidence.shredded` in the log"),
    ),
    table(
        "evidence_outbox",
        "entries that are not in the log yet",
        (Personal::None, Served("until it is in the log, seconds later")),
        ("nothing that was said is lost", "a trigger lets it go only into the log"),
    ),
    table(
        "evidence_producers",
        "how many entries each process has written",
        (Personal::None, Stays("counts only")),
        ("a missing entry is seen", "heartbeats in the log"),
    ),
    table(
        "holds",
        "legal holds: matter, scope, reason, who placed and released them; the key of a record or a person sealed",
        (Personal::Sealed, Rule { entry: "holds", from: "the hold was released" }),
        (
            "nothing that is held is erased",
            "`hold.placed`, `hold.released` in the log; the certificate of the disposal",
        ),
    ),
    table(
        "house_progress",
        "how far a disposal of our own records has come; made by the first one",
        (Personal::None, Served("its rows go once the disposal is settled")),
        ("a chunk and its count commit together", "conformance tests of the connector"),
    ),
    table(
        "inside_erasures",
        "erasures inside copies: of which case, in which store, who asked, who agreed, how it ended",
        (Personal::Staff, Stays("it names nobody but who acted; a certificate speaks of it")),
        (
            "nobody erases inside copies alone",
            "append-only triggers; `backup.erased_inside` in the log",
        ),
    ),
    table(
        "jobs",
        "what is to be done in one system: state, counts, when",
        (
            Personal::Staff,
            Stays("it names nobody but who called it off; certificates and evidence refer to it"),
        ),
        (
            "work is claimed from it; certificates are made of its counts",
            "append-only triggers; `step.*` in the log",
        ),
    ),
    table(
        "key_epochs",
        "which months have a key, and when it was destroyed",
        (Personal::None, Stays("a row a month")),
        ("says what can still be read", "`key.retired` in the log"),
    ),
    table(
        "later_looks",
        "when somebody of a case was looked for again, by case",
        (
            Personal::None,
            Served("it ends once the person is forgotten; the row says when it was looked last"),
        ),
        ("a person who was erased and is back is found", "append-only triggers"),
    ),
    table(
        "leases",
        "which process has its turn",
        (Personal::None, Served("a row a matter, written over")),
        ("two processes do not do the same", "none is needed: it says nothing"),
    ),
    table(
        "letters",
        "letters to persons and recipients: kind, date, how delivered, by whom; the text sealed",
        (Personal::Sealed, Rule { entry: "letters", from: "the request is over" }),
        ("shows that and when a person was told (GDPR Art. 12)", "the certificate of the disposal"),
    ),
    table(
        "log_checkpoints",
        "signed heads of the log",
        (Personal::None, Stays("it is evidence: hashes only")),
        ("proofs lead to them", "append-only triggers; witnesses"),
    ),
    table(
        "log_cosignatures",
        "signatures of witnesses",
        (Personal::None, Stays("it is evidence: hashes only")),
        ("others saw the same log", "append-only triggers"),
    ),
    table(
        "log_leaves",
        "the log: salted hashes of what happened",
        (Personal::None, Stays("it is evidence: hashes only")),
        ("nothing can be taken back unnoticed", "`quietus audit replay`; append-only triggers"),
    ),
    table(
        "log_tiles",
        "hashes of the log, in tiles",
        (Personal::None, Stays("it is evidence: hashes only")),
        ("proofs are made of them", "counted anew from the leaves"),
    ),
    table(
        "logs",
        "one row a log: its size and its head",
        (Personal::None, Stays("a row a year")),
        ("leaves are appended under it", "append-only triggers"),
    ),
    table(
        "mails",
        "that a letter, a task or a reminder went out, and what the server said; no address, no text",
        (
            Personal::Staff,
            Rule {
                entry: "letters",
                from: "the request is over; about a task: `tasks`, once the case is over",
            },
        ),
        ("nobody is told twice, and nothing is lost", "the certificate of the disposal"),
    ),
    table(
        "marks",
        "when a rule with grace first found records due",
        (Personal::None, Stays("moments and names of rules only")),
        ("the grace is counted from it", "none is needed: it says nothing"),
    ),
    table(
        "opendsr_asked",
        "requests made of third parties that call back, by number",
        (Personal::None, Rule { entry: "callbacks", from: "the case is over" }),
        ("a callback is known again", "the certificate of the disposal"),
    ),
    table(
        "opendsr_callbacks",
        "that another controller was called back",
        (Personal::None, Rule { entry: "requests", from: "the request is over" }),
        ("each change of state is told once", "the certificate of the disposal"),
    ),
    table(
        "opendsr_requests",
        "requests that other controllers brought: which controller, keyed digests, addresses to call back sealed",
        (Personal::Sealed, Rule { entry: "requests", from: "the request is over" }),
        ("they are told what becomes of it", "the certificate of the disposal"),
    ),
    table(
        "pauses",
        "who stopped what, when and why",
        (Personal::Staff, Rule { entry: "pauses", from: "the pause has ended" }),
        ("shows why something was late", "`pause.*` in the log; the certificate of the disposal"),
    ),
    table(
        "re_erasure_changes",
        "what has changed since the re-erasure list was written",
        (Personal::None, Served("until the list is written, seconds later")),
        ("the list is kept up to date", "the log commits to each index"),
    ),
    table(
        "re_erasure_entries",
        "which entries the re-erasure list has, by their hashes",
        (Personal::None, Served("with what it mirrors")),
        ("an entry that is missing is seen", "the log commits to each index"),
    ),
    table(
        "re_erasure_leaves",
        "while a database is brought forward: which entries leaves are",
        (Personal::None, Served("until the database is brought forward")),
        ("the log is filled up from them", "`quietus recover` says what it did"),
    ),
    table(
        "re_erasure_leftovers",
        "files of the list that no index names",
        (Personal::None, Served("until the file is gone")),
        ("they are removed", "the sweep of the list"),
    ),
    table(
        "re_erasure_list",
        "where the re-erasure list is, and its newest index",
        (Personal::None, Served("as long as a list is kept")),
        ("a list that is ahead is not written over", "the log commits to each index"),
    ),
    table(
        "re_erasure_shards",
        "the parts of the index",
        (Personal::None, Served("as long as a list is kept")),
        ("only what has changed is written", "the log commits to each index"),
    ),
    table(
        "reappearances",
        "that something was back in a system, how many records, who decided",
        (Personal::Staff, Stays("it names nobody but who decided; a certificate speaks of it")),
        (
            "shows that it was found and what was done",
            "append-only triggers; an entry of the log each",
        ),
    ),
    table(
        "record_manifest_chunks",
        "salted hashes of the records of a run that keeps a manifest",
        (Personal::Tokens, Shredded),
        ("one record can be proven to have been in a run", "`evidence.shredded` in the log"),
    ),
    table(
        "record_manifests",
        "which jobs keep a manifest of records",
        (Personal::None, Shredded),
        ("its hashes belong to it", "`evidence.shredded` in the log"),
    ),
    table(
        "renewed_tokens",
        "credentials that a vendor gave in place of used ones, sealed",
        (Personal::None, Served("a row a system, written over")),
        ("the access would be lost without them", "sealed with `vault.key`"),
    ),
    table(
        "request_persons",
        "keyed digests of what persons are known by",
        (Personal::Tokens, Served("until the person is forgotten")),
        ("a second request of the same person is seen", "`evidence.shredded` in the log"),
    ),
    table(
        "requests",
        "requests of persons: right, dates, outcome; who asks is sealed and destroyed once nothing is left to do",
        (
            Personal::Sealed,
            Rule { entry: "requests", from: "the request is over and its person forgotten" },
        ),
        (
            "shows that each request was answered, and when",
            "`evidence.shredded` when the person is forgotten; the certificate of the disposal",
        ),
    ),
    table(
        "restore_jobs",
        "which jobs did again what a restore brought back",
        (Personal::None, Stays("it names nobody; the certificate of the restore speaks of it")),
        ("a restore is opened only once all are done", "append-only triggers"),
    ),
    table(
        "restores",
        "restores of systems: when, by whom, why",
        (Personal::Staff, Stays("it names nobody but who acted; a certificate speaks of it")),
        ("shows that nobody came back", "append-only triggers; an entry of the log each"),
    ),
    table(
        "schedule_fires",
        "every occurrence of a schedule and what became of it",
        (Personal::None, Stays("moments and names of schedules only")),
        ("shows that no run was left out", "append-only triggers"),
    ),
    table(
        "schedules",
        "how far each schedule has been looked at",
        (Personal::None, Served("a row a schedule, written over")),
        ("no run is lost or doubled", "none is needed: it says nothing"),
    ),
    table(
        "signing_keys",
        "public keys that signed certificates, each with its days",
        (Personal::None, Stays("public keys")),
        ("old certificates are checked with them", "`key.*` in the log"),
    ),
    table(
        "status_list_issues",
        "each status list that was signed",
        (Personal::None, Stays("it is evidence, and names nobody")),
        ("each leaf of the issuer is accounted for", "append-only triggers"),
    ),
    table(
        "status_lists",
        "the newest status list of each year",
        (Personal::None, Served("a row a list, written over")),
        ("whether a certificate still is the last word", "signed and logged"),
    ),
    table(
        "tasks",
        "what somebody did by hand: who, when, a note, who confirmed it",
        (Personal::Staff, Rule { entry: "tasks", from: "the case is over" }),
        (
            "a certificate speaks of what was done by hand",
            "the certificate of the case names the result; the certificate of the disposal",
        ),
    ),
    table(
        "time_stamp_chains",
        "certificates of authorities that stamp",
        (Personal::None, Stays("public certificates")),
        ("stamps are checked with them", "append-only triggers"),
    ),
    table(
        "time_stamps",
        "time stamps over heads and certificates",
        (Personal::None, Stays("it is evidence: hashes only")),
        ("others say when something was there", "append-only triggers"),
    ),
    table(
        "turns",
        "how many jobs were begun in a system with limits, in each stretch of the last day",
        (Personal::None, Served("a day")),
        ("no system is asked for more than its limits", "removed when the next job is begun there"),
    ),
    table(
        "vendor_callbacks",
        "callbacks that were heard, as keyed digests",
        (Personal::Tokens, Served("until the vendor can no longer repeat it")),
        ("the same callback counts once", "removed when the next one is heard"),
    ),
    table(
        "vendor_names",
        "by which of a vendor's names a waiting job is known, as keyed digests",
        (Personal::Tokens, Served("until the job is settled")),
        ("a callback wakes the right job", "removed by the engine"),
    ),
    table(
        "versions",
        "how often holds, pauses and the rules in force have changed, and which rules those are",
        (Personal::None, Served("three rows, counted up")),
        ("a running job sees a new hold and a new law", "none is needed: it says nothing"),
    ),
];

/// An entry: name, what it holds, what is about people and until when, why and by what proof.
const fn table(
    name: &'static str,
    holds: &'static str,
    (personal, until): (Personal, super::Until),
    (why, proof): (&'static str, &'static str),
) -> Kept {
    Kept { name, place: KeptIn::Store, holds, personal, why, until, proof }
}
