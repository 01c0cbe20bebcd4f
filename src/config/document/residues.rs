//! What a system's file says of its files and logs.

use crate::config::leaf::Words;
use crate::config::read::{List, document, plain_document};
use crate::domain::RetentionPeriod;

document! {
    /// How files and logs of a database are looked at for what was deleted there, until they hold it
    /// no more; without it they are named on certificates as not covered.
    pub struct ResiduesDocument {
        /// How often somebody looks, in days and hours; `PT1H` if left out.
        optional look: RetentionPeriod,
        /// The stages that are looked at; all of the kind if left out.
        optional stages: List<Words>,
        /// What quietus may do there so that they go; nothing if left out. Each costs something: see
        /// docs/residues.md.
        optional drive: List<Words>,
    }
}

plain_document!(ResiduesDocument);
