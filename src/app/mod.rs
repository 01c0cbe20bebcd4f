//! The use cases, one file each. Every door (timer, command line, HTTP) ends here.
//!
//! A use case reads the store, calls connected systems without a transaction open, and writes
//! what came of it in one transaction together with its evidence.

pub mod access;
pub mod account;
pub mod alarm;
pub mod anchor;
pub mod approve;
mod associations;
pub mod audit;
mod back_off;
pub mod backup;
pub mod brought;
mod by_hand;
pub mod carry_out;
pub mod certify;
pub mod check_up;
pub mod circumstances;
pub mod company;
pub mod correction;
mod coverage;
pub mod crash;
mod deaths;
pub mod doctor;
mod done;
pub mod drill;
mod epochs;
pub mod event;
pub mod evidence_log;
pub mod explain;
mod export;
pub mod fire;
pub mod forecast;
mod heard;
mod held_back;
pub mod hold;
pub mod issuer;
mod issuing;
mod joint_ending;
mod joint_leases;
mod joint_watch;
mod kept;
mod kept_tokens;
pub mod key_care;
pub mod keys;
pub mod later_look;
mod law;
pub mod lead;
pub mod log_chain;
pub mod log_export;
pub mod log_fetch;
mod log_files;
pub mod log_folder;
pub mod log_refill;
pub mod log_standing;
mod look;
pub mod mail;
mod marking;
pub mod mutation;
mod object_store;
pub mod occurrences;
pub mod open_case;
pub mod opendsr;
pub mod opening;
mod over_jobs;
mod overdue;
pub mod own_records;
mod patience;
pub mod pause;
mod person_tags;
mod plan_on_record;
pub mod posting;
mod prepare;
pub mod progress;
pub mod re_erasure;
pub mod reading;
mod record_manifest;
pub mod recording;
mod recount;
pub mod request;
pub mod residue;
pub mod restore;
pub mod retry;
mod second_look;
pub mod settle;
pub mod shred;
mod signed_head;
mod signer;
pub mod silence;
pub mod spans;
pub mod spared;
pub mod statement;
pub mod status_list;
mod superseded;
pub mod systems;
pub mod task;
mod testimony;
mod together;
pub mod token;
pub mod trust;
pub mod upgrade;
pub mod vault;
pub mod vendor_callbacks;
pub mod waiting;
pub mod wake;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Instance;
use crate::datamap::DataMap;
use crate::domain::{Clock, Ids};
use crate::plan::Acting;
use crate::rights::Regimes;
use crate::schedule::RuleSet;
use crate::store::{Document, Store, StoreError};

use self::crash::CrashPlan;
use self::epochs::Epochs;
use self::keys::Keys;
use self::mutation::Mutation;
use self::systems::StandIns;
use self::vault::{Vault, VaultError};

pub use self::opening::{Opening, Surroundings};
pub use crate::store::Lane;

/// The assembled product: one instance with its rules, its data map and its store.
pub struct Quietus {
    /// The instance file.
    pub instance: Instance,
    /// The data map in force.
    pub map: DataMap,
    /// The rules in force.
    pub rules: RuleSet,
    /// Laws under which persons ask.
    pub regimes: Regimes,
    /// Where everything is remembered.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where identifiers come from.
    pub ids: Arc<dyn Ids>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) epochs: Arc<Epochs>,
    /// Renewed tokens that the store did not take yet.
    pub(crate) unwritten_tokens: kept_tokens::Unwritten,
    pub(crate) keys: Keys,
    /// What this process knows of those who vouch for the log.
    pub(crate) anchoring: anchor::Anchoring,
    pub(crate) zone: TimeZone,
    pub(crate) map_document: Document,
    pub(crate) rules_document: Document,
    pub(crate) lease: std::time::Duration,
    pub(crate) crash: CrashPlan,
    /// What answers in the place of systems, where anything does.
    pub(crate) stand_ins: Option<StandIns>,
    /// The fault that was put in, if one was.
    pub(crate) mutation: Option<Mutation>,
    pub(crate) wake: wake::Wake,
    pub(crate) desk: OnceLock<Arc<opendsr::Desk>>,
    pub(crate) callers: opendsr::Callers,
    pub(crate) listeners: vendor_callbacks::Listeners,
    pub(crate) companies: company::Companies,
    pub(crate) stores: backup::Stores,
    /// Where logs of systems stood when somebody asked last.
    pub(crate) marks: residue::Marks,
    /// Who did not answer whoever certifies.
    pub(crate) silent: patience::Silent,
    /// Up to which case the last turn of certifying came, where it came to no end.
    pub(crate) certified_up_to: std::sync::Mutex<Option<uuid::Uuid>>,
    /// When the deadlines of requests were looked at last.
    pub(crate) deadlines_looked_at: std::sync::Mutex<Option<Timestamp>>,
    /// When the canary of each system was looked at last.
    pub(crate) canaries_looked_at:
        std::sync::Mutex<std::collections::BTreeMap<crate::domain::SystemName, Timestamp>>,
    /// When it was noted down last who is looked for later.
    pub(crate) looks_planted_at: std::sync::Mutex<Option<Timestamp>>,
    /// Whether anything may be carried out.
    pub(crate) gate: re_erasure::Gate,
    /// When epochs and old evidence were looked at last.
    pub(crate) house_kept_at: std::sync::Mutex<Option<Timestamp>>,
    /// Rules in force that are not those of this process, as they were read last.
    pub(crate) rules_read: law::ReadAnew,
    /// What the latest runs of rules found and did.
    pub(crate) runs_seen: silence::RunsSeen,
}

/// Why a use case could not be carried out. No message holds personal data.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The input names something that is not there or does not fit; nothing was changed.
    #[error("{0}")]
    Input(String),
    /// This process cannot go by the rules in force; one that was started since can.
    #[error("{0}")]
    EarlierRules(String),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed message does not open, or cannot be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A connected system could not be asked.
    #[error("system `{system}`: {fault}")]
    System {
        /// The system.
        system: String,
        /// Why.
        fault: quietus_connectors::Fault,
    },
    /// A secret or a key could not be read.
    #[error("{0}")]
    Secret(String),
    /// The mail server did not accept a message.
    #[error("{0}; see `mail` in `quietus.yaml`")]
    Mail(String),
    /// The store of objects did not do it.
    #[error("{0}; see `object_store` in `quietus.yaml`")]
    ObjectStore(quietus_connectors::Fault),
    /// Evidence could not be built or signed.
    #[error("evidence: {0}")]
    Evidence(String),
    /// What the store holds cannot be read by this version.
    #[error("the store holds {what} that this version cannot read: {why}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
}

impl AppError {
    /// The caller's input was wrong, and nothing was changed.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Input(_))
    }
}

/// Who does something: a name as it stands in evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

impl Quietus {
    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The present moment in whole seconds, for plans that people read.
    pub fn this_second(&self) -> Timestamp {
        let now = self.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// The zone of the instance.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The acting rules of a list of schedules; empty means every rule.
    ///
    /// # Errors
    /// Where a schedule does not exist.
    pub fn acting(&self, schedules: &[String]) -> Result<Acting, AppError> {
        if schedules.is_empty() {
            return Ok(Acting::Everything);
        }
        let known = || self.rules.schedules.keys().map(|name| format!("`{name}`"));
        let mut acting = std::collections::BTreeSet::new();
        for wanted in schedules {
            let found = self.rules.schedules.keys().find(|name| name.as_str() == wanted);
            let Some(name) = found else {
                let known = known().collect::<Vec<_>>().join(", ");
                return Err(AppError::Input(format!(
                    "there is no schedule `{wanted}`; there is {known}"
                )));
            };
            acting.insert(name.clone());
        }
        Ok(Acting::Schedules(acting))
    }
}
