//! What the instance file says of Quietus' own records.

use crate::config::read::{document, plain_document};
use crate::domain::RetentionPeriod;

document! {
    /// How long Quietus keeps its own records once what they are about is over. They are disposed of
    /// by the schedule `quietus`, with a certificate. Certificates and the log stay: they name nobody.
    pub struct OwnRecordsDocument {
        /// Requests of persons, once they are over and their person is forgotten; `P3Y` if left out,
        /// as long as claims can be made in many places.
        optional requests: RetentionPeriod,
        /// That letters went out, counted from the same moment; as long as `requests` if left out,
        /// and never longer.
        optional letters: RetentionPeriod,
        /// What people did by hand, once the case is over; `P3Y` if left out.
        optional tasks: RetentionPeriod,
        /// By which number third parties call back, once the case is over; `P90D` if left out.
        optional callbacks: RetentionPeriod,
        /// Legal holds, once they are released; `P3Y` if left out.
        optional holds: RetentionPeriod,
        /// Pauses, once they have ended; `P3Y` if left out.
        optional pauses: RetentionPeriod,
    }
}

plain_document!(OwnRecordsDocument);
