//! Connectors of Quietus: the only place that speaks to a connected system.
//!
//! This crate sees an [`Order`] and answers with a [`Receipt`] or a [`Fault`]. It never sees a
//! rule, a legal hold, the store or a certificate, and it never retries, sleeps for a retry or
//! polls: the engine of the product decides what follows from a fault.

pub mod backup;
pub mod connector;
pub mod guard;
pub mod kinds;
pub mod objects;
pub mod opendsr;
pub mod order;
pub mod outbound;
pub mod plant;
pub mod predicate;
pub mod processor;
pub mod receipt;
pub mod residue;
pub mod sample;
pub mod schema;
pub mod sql;
pub mod subject;
pub mod together;
pub mod tokens;
pub mod value;

pub use backup::{
    BackupCopy, BackupParameter, BackupSettings, BackupStore, CopyKind, Counting, Expiry, Horizon,
    InsideCopy, InsideErasure, InsideFiles, InsidePart, Stay, StoreRetention, backup_parameters,
    kinds_that_erase_inside,
};
pub use connector::{Connector, Direction, Going, Progress, ProgressReport};
pub use guard::{CanaryRow, CanarySight};
pub use kinds::{
    Now, ProcessorSettings, Settings, backup_kinds, kinds, open, open_backup, open_processor,
    processor_kinds,
};
pub use order::{
    FieldTreatment, Instruction, KeyList, Link, LinkKind, MappedField, Order, Pace,
    PartitionPolicy, Probe, RecordKey, Restriction, Strategy, Treatment, TreatmentKind,
    association_named,
};
pub use plant::{PlantedRecord, PlantedValue};
pub use predicate::{Comparison, Cutoff, FieldRef, Predicate};
pub use processor::testkit;
pub use receipt::{
    CollectionOutcome, Counts, Drift, Fault, Health, LookedAt, Outcome, ProbeCount, Receipt,
    RefusalKind, Survivor, Verification,
};
pub use residue::{
    ResidueDrive, ResidueLook, ResidueSight, ResidueStage, ResidueWait, StageSight, residue_drives,
    residue_stages, residues_beyond,
};
pub use schema::{Capabilities, CollectionSchema, FieldSchema, ForeignKey, OnDelete, Schema};
pub use subject::{
    Answer, Grade, Identity, Proof, Question, Subject, SubjectAction, SubjectRequest,
    SubjectResult, Testimony,
};
pub use together::{JointProgress, Together, alike};
pub use tokens::{TokenKeeper, Tokens};
pub use value::{FieldType, Record, Stored, Value};
