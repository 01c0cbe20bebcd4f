//! The store: all that Quietus remembers, in SQLite or in PostgreSQL.
//!
//! The only room that names sqlx. Every write takes the present moment as a parameter, every
//! transition is a guarded `UPDATE` whose row count is checked, and what has to be proven later is
//! written to the evidence outbox in the same transaction. No transaction stays open while
//! somebody else is called.

pub mod alarm_tellings;
pub mod alarms;
pub mod anchors;
pub mod approvals;
pub mod attempts;
mod breakers;
mod candidates;
pub mod cases;
mod certificate_words;
pub mod certificates;
pub mod claims;
pub mod closing;
mod companies;
mod compressed;
pub mod connection;
pub mod data_keys;
pub mod documents;
pub mod drills;
mod ended_restrictions;
pub mod error;
pub mod events;
pub mod evidence;
mod forgetting;
pub mod gauges;
pub mod hints;
mod holds;
pub mod inside_erasures;
pub mod jobs;
pub mod key_epochs;
pub mod lanes;
mod later_looks;
pub mod leases;
pub mod letters;
pub mod log;
pub mod log_chain;
pub mod log_reading;
pub mod log_refill;
mod looks;
pub mod mails;
pub mod marks;
mod migrating;
pub mod migrations;
pub mod opendsr;
pub mod opendsr_asked;
pub mod own_records;
pub mod pauses;
pub mod person_tags;
mod postgresql;
pub mod producers;
pub mod re_erasure;
pub mod re_erasure_bring;
pub mod re_erasure_state;
mod re_erasure_table;
mod re_erasure_tables;
pub mod record_manifests;
pub mod renewed_tokens;
pub mod requests;
pub mod residues;
pub mod restores;
mod rows;
mod rules_in_force;
pub mod schedules;
pub mod schema;
pub mod settlement;
pub mod signing_keys;
pub mod statement;
pub mod status_lists;
pub mod tasks;
mod together;
pub mod troubles;
mod turns;
pub mod vendor_callbacks;

pub use alarm_tellings::{NewTelling, Telling, TellingStanding, TellingTo, TellingWay};
pub use alarms::{Alarm, AlarmMark};
pub use anchors::{Anchored, Cosignature, NewTimeStamp, Stamped, StampedHead, TimeStampRow};
pub use approvals::{Approval, Waits};
pub use attempts::{Attempt, AttemptResult};
pub use breakers::{BreakerOnRecord, Heard, Moved};
pub use cases::{Case, CaseCause, CaseFilter, Decision, NewCase, OpenedCase, PlannedDocument};
pub use certificates::{
    Certificate, CertificateFilter, CertificateState, CertificateSummary, NewCertificate, Topic,
    TopicKind,
};
pub use claims::{Claim, ClaimedJob, JointStep, Progress, Start, Started, StillMine, Tenure};
pub use closing::JobsStated;
pub use companies::{APART, Company, TOGETHER_AFTER_FAULT};
pub use connection::{OpenOptions, Store};
pub use data_keys::{DataKey, DetailKey, OldDetails, Refused, Shredded};
pub use documents::{Document, DocumentKind};
pub use drills::{Drill, DrillCounts, DrillFinding, DrillState, DrillStep, DrillSystem, NewDrill};
pub use ended_restrictions::EndedRestriction;
pub use error::StoreError;
pub use events::{EventInForce, EventPage, NewEvent, Recorded};
pub use evidence::{Detail, Numbered, OutboxEntry, SealedDetail};
pub use gauges::{Gauges, LaterLookCounts};
pub use hints::Hints;
pub use holds::{Hold, HoldFilter, HoldKey, NewHold};
pub use inside_erasures::{InsideErasureRow, InsideState, NewInsideErasure};
pub use jobs::{BlockedReason, HeldBy, Job, JobFault, JobKind, NewJob};
pub use key_epochs::{KeyEpoch, RequestKey};
pub use lanes::Lane;
pub use later_looks::{
    Decides, FoundAgain, KeptLook, LaterLook, LookResult, Reappearance, ReappearanceState,
};
pub use leases::Lead;
pub use letters::{Delivery, Letter, LetterKind, NewLetter};
pub use log::{Head, LogState, NewLog, ReleasedHead, SequencedBatch};
pub use log_reading::{Checkpoint, Leaf, Tile};
pub use log_refill::{Refill, RefilledLeaf};
pub use mails::{Mail, MailAbout, MailOutcome, MailState};
pub use marks::NewMark;
pub use opendsr::{
    Callback, CallbackKey, CallbackState, Called, NewOpendsrRequest, OpendsrDialect, OpendsrMove,
    OpendsrRequest, OpendsrStatus,
};
pub use opendsr_asked::{AskedRequest, HeardCallback};
pub use own_records::{COUNTED, OwnRows};
pub use pauses::{NewPause, Pause, PauseScope};
pub use person_tags::{PersonTag, TagOnRecord};
pub use producers::DueProducer;
pub use re_erasure::{ListLeaf, ListMatter, ListRows, Mirrored, mirrored};
pub use re_erasure_bring::Brought;
pub use re_erasure_state::{ListChange, ListEntry, ListState, Shard, WrittenIndex};
pub use record_manifests::{ManifestChunk, NewManifestChunk, RecordManifest};
pub use requests::{NewRequest, Request, RequestChange, RequestFilter, TakenIn};
pub use residues::ResidueGauge;
pub use restores::{Canary, NewRestore, Replayable, Restore, RestoreBegun, RestoreCounts};
pub use rules_in_force::{ComingInForce, RulesInForce};
pub use schedules::{Disposition, Fire, FireBatch, NewFire, ScheduleCursor};
pub use schema::SchemaStanding;
pub use settlement::{Learned, Settle, Settled, Settlement};
pub use signing_keys::SigningKey;
pub use status_lists::{
    CertificateDecision, Changed, DueStatusList, SignedStatusList, StatusPlace,
};
pub use tasks::{Task, TaskConfirmation, TaskReport, TaskResult, TaskState};
pub use troubles::{EndedLease, RunOnRecord, Unpublished, Waiting};
pub use turns::{Backlog, Begun};
pub use vendor_callbacks::{HeardVendor, VendorCallback};

use statement::Sql;

/// Every statement of the store, each with its name; a test prepares all of them.
pub fn statements() -> Vec<(&'static str, Sql)> {
    [
        alarm_tellings::STATEMENTS,
        alarms::STATEMENTS,
        anchors::STATEMENTS,
        approvals::STATEMENTS,
        attempts::STATEMENTS,
        breakers::STATEMENTS,
        candidates::STATEMENTS,
        cases::STATEMENTS,
        certificate_words::STATEMENTS,
        certificates::STATEMENTS,
        claims::STATEMENTS,
        closing::STATEMENTS,
        companies::STATEMENTS,
        connection::STATEMENTS,
        data_keys::STATEMENTS,
        documents::STATEMENTS,
        drills::STATEMENTS,
        ended_restrictions::STATEMENTS,
        events::STATEMENTS,
        evidence::STATEMENTS,
        forgetting::STATEMENTS,
        gauges::STATEMENTS,
        hints::STATEMENTS,
        holds::STATEMENTS,
        inside_erasures::STATEMENTS,
        jobs::STATEMENTS,
        key_epochs::STATEMENTS,
        later_looks::STATEMENTS,
        leases::STATEMENTS,
        letters::STATEMENTS,
        log::STATEMENTS,
        log_reading::STATEMENTS,
        log_refill::STATEMENTS,
        looks::STATEMENTS,
        mails::STATEMENTS,
        marks::STATEMENTS,
        migrating::STATEMENTS,
        opendsr::STATEMENTS,
        opendsr_asked::STATEMENTS,
        own_records::STATEMENTS,
        pauses::STATEMENTS,
        person_tags::STATEMENTS,
        producers::STATEMENTS,
        re_erasure::STATEMENTS,
        re_erasure_bring::STATEMENTS,
        re_erasure_state::STATEMENTS,
        re_erasure_tables::STATEMENTS,
        record_manifests::STATEMENTS,
        renewed_tokens::STATEMENTS,
        requests::STATEMENTS,
        residues::STATEMENTS,
        restores::STATEMENTS,
        rules_in_force::STATEMENTS,
        schedules::STATEMENTS,
        schema::STATEMENTS,
        settlement::STATEMENTS,
        signing_keys::STATEMENTS,
        status_lists::STATEMENTS,
        tasks::STATEMENTS,
        together::STATEMENTS,
        troubles::STATEMENTS,
        turns::STATEMENTS,
        vendor_callbacks::STATEMENTS,
    ]
    .concat()
}
