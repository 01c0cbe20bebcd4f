//! Rights requests: taken in, checked who asks, carried out in every system, and answered.
//!
//! A request is the second door into the corridor: once its person is found, it opens a case like
//! a schedule does, and the same workers carry it out.

mod alarm;
mod answer;
mod asking;
mod case;
mod catch_up;
mod decide;
mod delivery;
mod drilled;
mod fan_out;
mod fee;
mod find;
mod forgetting;
mod gate;
mod held;
mod intake;
mod kept_by_law;
mod known_again;
mod later;
mod letters;
mod objection;
mod order;
mod outcome;
mod record;
mod restriction;
mod upkeep;

pub(crate) use answer::{Asked, stated_request};
pub use decide::Refused;
pub use delivery::OpenLetter;
pub(crate) use delivery::letter_text;
pub use drilled::Drilled;
pub(crate) use fan_out::action_of;
pub use fee::{Charged, Fee, FeeEnd};
pub(crate) use find::{Ground, Seeking};
pub(crate) use intake::OnBehalf;
pub use intake::{TakeIn, Taken};
pub use kept_by_law::KeptByLaw;
pub(crate) use later::Sighted;
pub use letters::{OutcomeFacts, ToldRecipient};
pub use objection::{Judged, Verdict};
pub(crate) use order::{PersonPart, Wanted};
pub use record::{
    Decided, IdentityCheck, OpenRequest, Person, Refuses, RequestRecord, Requester, is_carried_out,
};
