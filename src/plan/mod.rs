//! From rules to orders: what is due in each system, what is kept, and why.
//!
//! Pure: no clock, no randomness, no I/O. The same input gives the same bytes. Everything that
//! cannot be read or told apart keeps data and becomes a finding; nothing is guessed.

mod cap;
mod category;
mod collection;
mod evaluate;
mod event_key;
mod explain;
mod explanation;
mod finding;
mod forecast;
mod hold;
mod hold_scope;
mod input;
mod kept_until;
mod law;
mod lists;
mod named_person;
mod pause;
mod person;
mod person_collection;
mod probe;
mod reach;
mod resolution;
mod shares;
mod start;
mod steering;
mod step;
mod system_plan;
mod translate;

pub use cap::{CapExceeded, CapMeasure, check_caps, check_system_caps, would_change};
pub use evaluate::evaluate;
pub use event_key::{event_key_text, plain_decimal};
pub use explain::{explain, fields_needed};
pub use explanation::{
    CategoryExplanation, Explanation, LimitExplanation, RecordState, StartValue, State,
};
pub use finding::{Finding, FindingKind};
pub use forecast::{CollectionForecast, Forecast, Kept, KeptWhy, SystemForecast, forecast};
pub use hold::{may_be_named, third_party_holds};
pub use hold_scope::concerns_system;
pub use input::{Acting, EventKeys, Marks, PlanInput};
pub use kept_until::{KeptUntil, few_ends};
pub use law::{digest_of_law, limits_of_both, says_the_same};
pub use lists::{FilledLists, ListSource};
pub use named_person::NamedPerson;
pub use person::{PersonScope, RecordKeys, StaysRestricted};
pub use probe::{ProbeName, StaysGround};
pub use reach::answer_name;
pub use resolution::{
    Ambiguity, Asking, Lesson, Person, kept_by_keys, learn, questions, questions_by_keys, scope_of,
};
pub use shares::{can_be_shared_out, shares};
pub use step::{HeldPart, LimitCitation, RuleCitation, StartCutoff, Step, StepStatus};
pub use system_plan::{
    ExemptPart, LeftOut, MarkToMake, PersonsPart, Plan, PlanError, SystemPlan, compile, plan,
};

#[cfg(test)]
mod tests;
