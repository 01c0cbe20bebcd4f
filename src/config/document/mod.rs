//! The documents that people write, entry by entry: `quietus.yaml`, one file a system, one file a
//! rule pack. They hold what was written; the compilers beside this module make models of them.

pub mod alarms;
pub mod anchors;
pub mod backup;
pub mod drill;
pub mod drills;
pub mod field;
pub mod instance;
pub mod later_looks;
pub mod mail;
pub mod object_store;
pub mod opendsr;
pub mod own_records;
pub mod pack;
pub mod requests;
pub mod residues;
pub mod restore;
pub mod signers;
pub mod system;
pub mod third_party;

pub use field::{FieldDocument, FieldPath, StartDocument, StrategyDocument};
pub use instance::InstanceDocument;
pub use pack::PackDocument;
pub use system::{CollectionDocument, SystemDocument};
