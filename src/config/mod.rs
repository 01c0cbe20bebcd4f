//! What people write, and the only room that reads the environment, secrets and keys.
//!
//! [`load`] reads `quietus.yaml`, the data map and the rule packs of a folder, tells everything
//! that is wrong with them at once, and never touches a connected system or a secret.

pub mod alarms;
pub mod anchors;
pub mod document;
pub mod drills;
pub mod evidence;
pub mod instance;
pub mod keys;
mod keys_place;
pub mod later_looks;
pub mod leaf;
pub mod mail;
pub mod map;
pub mod object_store;
pub mod opendsr;
pub mod own_records;
pub mod problem;
pub mod process;
pub mod read;
pub mod report;
pub mod requests;
pub mod rules;
pub mod schema;
pub mod secret;
pub mod signers;
pub mod traces;
pub mod yaml;

mod complete;
mod definitions;
mod fonts;
mod letters;
mod load;

pub use alarms::{AlarmSettings, Least, Topic, WebhookSettings};
pub use anchors::{AnchorSettings, AuthoritySettings, WitnessSettings};
pub use drills::DrillSettings;
pub use fonts::machine_fonts;
pub use instance::{Controller, Instance, LogFormat, Token, TokenRole};
pub use keys::{
    KeyError, blank_key, destroy_key, exposed_keys, keys_that_begin, read_key, rename_key,
    write_key, write_private,
};
pub use keys_place::folder_of_both;
pub use later_looks::{EraseAgain, LaterLooks};
pub use letters::own_letter;
pub use load::{INSTANCE_FILE, Loaded, compile, load, read_bounded, why};
pub use mail::MailSettings;
pub use object_store::{ExportPlace, ObjectStoreSettings};
pub use opendsr::{ControllerAtDesk, OpendsrSettings, TakenIdentity};
pub use own_records::{BUILT_IN, OwnRecords};
pub use problem::{Place, Problem, Problems, Severity};
pub use process::Process;
pub use requests::{AssuranceNeeded, RequestSettings};
pub use secret::{KnownController, KnownToken, SecretError, controllers, tokens};
pub use signers::{CommandSettings, SignerInput, SignerSettings, TokenSettings};
pub use traces::Collector;
