//! The data map after validation. Whoever holds one may rely on every name in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use quietus_connectors::{
    FieldRef, FieldType, Link, Pace, PartitionPolicy, Restriction, Stored, Strategy,
};

use super::backup::Backup;
use super::third_party::ThirdParty;
use crate::domain::{CategoryName, CollectionName, Digest, SystemLimits, SystemName};

/// Every connected system.
#[derive(Debug, Clone)]
pub struct DataMap {
    /// Systems, by name.
    pub systems: BTreeMap<SystemName, System>,
    /// Digest of the bytes of all files, in the order of their names, and of the definitions that
    /// they name.
    pub digest: Digest,
}

/// One system.
#[derive(Debug, Clone)]
pub struct System {
    /// Its name.
    pub name: SystemName,
    /// The kind of connector (`postgresql`, `mariadb`, `mysql`, `sqlite`; `house` for our own store),
    /// of third party (`processor`, `opendsr`, `own`, `manual`), or of a store of copies (`restic`,
    /// `borg`, …).
    pub kind: String,
    /// What it is for.
    pub role: Role,
    /// Who answers for it.
    pub owner: String,
    /// Where its data are, in the controller's own words.
    pub region: Option<String>,
    /// Where its connection URL is found; empty where `third_party` or `backup` says how it is
    /// reached.
    pub url: SecretReference,
    /// Table in which SQL connectors keep their progress.
    pub progress_table: String,
    /// How gently to go within an order.
    pub pace: Pace,
    /// How many jobs it is asked to carry out at most, by all replicas together.
    pub limits: SystemLimits,
    /// Mapped collections, by name.
    pub collections: BTreeMap<CollectionName, Collection>,
    /// Collections that hold no personal data or are deliberately not erased.
    pub exempt: Vec<ExemptCollection>,
    /// A third party that is asked by the name of a person; it has no collections.
    pub third_party: Option<ThirdParty>,
    /// What is done once it was put back to an earlier state.
    pub restore: super::restore::RestoreSettings,
    /// What a drill plants here; `None` where it is not drilled.
    pub drill: Option<super::drill::Planting>,
    /// How its files and logs are looked at for what was deleted; `None` where nobody does.
    pub residues: Option<super::residues::Residues>,
    /// A store of copies of other systems; it has no collections.
    pub backup: Option<Backup>,
    /// Why no store copies it, where somebody said so.
    pub no_backups: Option<String>,
}

impl System {
    /// Whether it is asked by predicates: it has collections.
    pub fn is_database(&self) -> bool {
        self.third_party.is_none() && self.backup.is_none()
    }

    /// Whether it is our own store.
    pub fn is_house(&self) -> bool {
        self.kind == super::house::HOUSE_KIND
    }

    /// Whether it is a database in which persons are looked for and erased: not our own store, where
    /// nobody is found but by the key of their request.
    pub fn holds_persons(&self) -> bool {
        self.is_database() && !self.is_house()
    }
}

impl DataMap {
    /// The stores that copy a system, in the order of their names.
    pub fn stores_of(&self, system: &SystemName) -> impl Iterator<Item = (&System, &Backup)> {
        let stores = self.systems.values().filter_map(|one| Some((one, one.backup.as_ref()?)));
        stores.filter(|(_, backup)| backup.copies.contains(system))
    }
}

/// What a system is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A live database.
    Database,
    /// Copies of other systems.
    Backup,
    /// A third party that processes for the controller.
    Processor,
    /// Files.
    Files,
    /// A queue or stream.
    Queue,
}

/// Where a secret is found; the secret itself is read when a connection is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// `env:NAME`: an environment variable.
    Environment(String),
    /// `file:PATH`: the first line of a file; relative to the instance's folder.
    File(PathBuf),
    /// A URL that holds no credentials (`sqlite:data/crm.db`); relative to the instance's folder.
    Plain(String),
}

/// A collection that is not swept, and why.
#[derive(Debug, Clone)]
pub struct ExemptCollection {
    /// Name in the system.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// One collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name in the data map.
    pub name: CollectionName,
    /// Its name in the system.
    pub source: String,
    /// Key fields, in key order.
    pub key: Vec<String>,
    /// Fields, by name.
    pub fields: BTreeMap<String, Field>,
    /// Links to parents in the same system. `needed` is left false here: the plan decides it.
    pub links: Vec<Link>,
    /// Where each starting point is read, by the name that rules use (`collection`,
    /// `order.completed`, `relationship.ended`, `inactivity`, …).
    pub starting_points: BTreeMap<String, StartSource>,
    /// Names that conditions of rules use, and the field that each stands for, beside the
    /// collection's own field names.
    pub attributes: BTreeMap<String, FieldRef>,
    /// How records are restricted, if they can be.
    pub restriction: Option<Restriction>,
    /// What may be done with partitions.
    pub partitions: PartitionPolicy,
    /// Of what schedules' deletions keep a manifest.
    pub manifest: Manifest,
}

/// Of what deletions of a collection keep a manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manifest {
    /// Of nothing.
    #[default]
    None,
    /// Of each record that goes as a whole.
    Records,
}

impl Collection {
    /// The categories of a record of this collection.
    pub fn categories(&self) -> std::collections::BTreeSet<&CategoryName> {
        self.fields
            .values()
            .filter_map(|field| match &field.class {
                FieldClass::Category(category) => Some(category),
                FieldClass::Exempt(_) | FieldClass::Structure => None,
            })
            .collect()
    }
}

/// One field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name in the system.
    pub name: String,
    /// Declared type.
    pub field_type: FieldType,
    /// How moments and days are kept.
    pub stored: Stored,
    /// IANA zone of moments without a zone.
    pub zone: String,
    /// What it belongs to.
    pub class: FieldClass,
    /// It identifies a person: the identity type (`email`, `customer_id`, `msisdn`, …).
    pub identity: Option<String>,
    /// Capitals do not count where it is compared with what a person is known by.
    pub ignores_case: bool,
    /// What becomes of it when its category is erased and the record stays.
    pub clear: Strategy,
    /// What becomes of it when its category is anonymised.
    pub anonymise: Option<Strategy>,
}

/// What a field belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldClass {
    /// A data category.
    Category(CategoryName),
    /// Not personal data, or deliberately not erased: the reason. It goes with its record.
    Exempt(String),
    /// A key field, a link field, a starting point or a flag of restriction, without a category.
    /// It goes with its record.
    Structure,
}

/// Where a starting point is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartSource {
    /// A field of the record or of a linked parent record.
    Field(FieldRef),
    /// The latest of several fields (inactivity).
    Latest(Vec<FieldRef>),
    /// A business event that somebody posts; `field` of the record holds the key that the event
    /// names.
    Event {
        /// Name of the event.
        event: String,
        /// The field whose value the event names, of the record or of a linked parent.
        field: FieldRef,
    },
}
