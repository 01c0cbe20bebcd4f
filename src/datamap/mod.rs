//! The data map: what systems, collections, fields and links there are. It reads bytes that it is
//! handed and never touches a system.

pub mod backup;
pub mod drill;
pub mod house;
pub mod model;
pub mod residues;
pub mod restore;
pub mod third_party;

pub use backup::{Backup, Expire, Inside};
pub use drill::{Invented, PlantedTemplate, Planting, Template};
pub use model::{
    Collection, DataMap, ExemptCollection, Field, FieldClass, Manifest, Role, SecretReference,
    StartSource, System,
};
pub use residues::Residues;
pub use restore::{RestoreSettings, RestoredOpens};
pub use third_party::{Definition, ManualTask, ThirdParty};
