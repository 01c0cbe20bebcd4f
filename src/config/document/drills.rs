//! What the instance file says of drills.

use crate::config::leaf::Words;
use crate::config::read::{List, document, plain_document};
use crate::domain::{RetentionPeriod, SystemName};

document! {
    /// Drills: a person who was invented is planted in the systems that say what (`drill` in their
    /// files), erased, brought back and erased again, to see how long it takes.
    pub struct DrillsDocument {
        /// When, as a cron expression in the controller's zone, such as `0 4 * * 1`; by hand alone
        /// (`quietus drill run`) if left out.
        optional schedule: Words,
        /// How long an erasure may take before it is an alarm; `P1D` if left out.
        optional at_most: RetentionPeriod,
        /// The systems in which something is planted; all whose files say what, if left out.
        optional systems: List<SystemName>,
    }
}

plain_document!(DrillsDocument);
