//! The plan of a case on record: what is to be done in each system, and what each of them counted when
//! it was made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quietus_connectors::Counts;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::AppError;
use super::forecast::CountedPlan;
use crate::domain::{Digest, SystemName};
use crate::plan::{CapExceeded, Plan, SystemPlan};
use crate::store::{Case, PlannedDocument};

/// A plan on record, with what the systems counted when it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PlanOnRecord {
    /// The plan.
    pub plan: Plan,
    /// What the systems counted.
    pub counts: BTreeMap<SystemName, Counts>,
    /// Systems that could not be counted, and why.
    pub uncounted: BTreeMap<SystemName, String>,
    /// Caps that it exceeds.
    pub exceeded: Vec<CapExceeded>,
    /// No event that was told later is in it, nor makes anything due when it is carried out;
    /// `None` on plans of earlier versions, for which it is the plan's moment.
    #[serde(default)]
    pub told_until: Option<Timestamp>,
}

impl PlanOnRecord {
    /// The plan of a case.
    ///
    /// # Errors
    /// Where this version cannot read it.
    pub fn of(case: &Case) -> Result<Self, AppError> {
        serde_json::from_str(&case.plan.text).map_err(unreadable)
    }

    /// The text that is kept, with its digest.
    pub(crate) fn document(&self) -> Result<PlannedDocument, AppError> {
        let text = serde_json::to_string(self).map_err(unreadable)?;
        Ok(PlannedDocument { digest: Digest::of(text.as_bytes()), text })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn unreadable(error: serde_json::Error) -> AppError {
    AppError::Unreadable { what: "a plan", why: error.to_string() }
}

/// What a plan on record was made with, without which it cannot be compiled again.
pub(super) struct PlannedWith {
    /// The name of the zone.
    pub(super) zone: String,
    /// Until when events were told that count for the case.
    pub(super) told_until: Timestamp,
}

impl PlannedWith {
    /// What the plan of a case was made with.
    ///
    /// # Errors
    /// Where this version cannot read it.
    pub(super) fn of(case: &Case) -> Result<Self, AppError> {
        #[derive(Deserialize)]
        struct Parts {
            plan: Zoned,
            #[serde(default)]
            told_until: Option<Timestamp>,
        }
        #[derive(Deserialize)]
        struct Zoned {
            zone: String,
        }

        let parts: Parts = serde_json::from_str(&case.plan.text).map_err(unreadable)?;
        let told_until = parts.told_until.unwrap_or(case.moment);
        Ok(Self { zone: parts.plan.zone, told_until })
    }
}

/// What a plan on record says of one system. A job asks for no more, and reading all the others for
/// each of them costs as much as everything else that a job does in this process.
pub(crate) struct PartOnRecord {
    /// What is to be done there; `None` where the plan says nothing of it.
    pub(crate) plan: Option<SystemPlan>,
    /// What the system counted; `None` where it did not.
    pub(crate) counts: Option<Counts>,
}

impl PartOnRecord {
    /// What the plan of a case says of a system.
    ///
    /// # Errors
    /// Where this version cannot read it. What it says of others is not read, and not complained of.
    pub(crate) fn of(case: &Case, system: &str) -> Result<Self, AppError> {
        Self::read(&case.plan.text, system).map_err(unreadable)
    }

    fn read(text: &str, system: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Parts<'a> {
            #[serde(borrow)]
            plan: Plans<'a>,
            #[serde(borrow)]
            counts: BTreeMap<SystemName, &'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Plans<'a> {
            #[serde(borrow)]
            systems: Vec<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Named {
            system: SystemName,
        }

        let parts: Parts<'_> = serde_json::from_str(text)?;
        let mut plan = None;
        for part in parts.plan.systems {
            let Named { system: name } = serde_json::from_str(part.get())?;
            if name.as_str() == system {
                plan = Some(serde_json::from_str(part.get())?);
                break;
            }
        }
        let counts = parts.counts.into_iter().find(|(name, _)| name.as_str() == system);
        let counts = counts.map(|(_, counts)| serde_json::from_str(counts.get())).transpose()?;
        Ok(Self { plan, counts })
    }
}

impl From<CountedPlan> for PlanOnRecord {
    fn from(counted: CountedPlan) -> Self {
        let faults = counted.faults.into_iter();
        Self {
            plan: counted.plan,
            counts: counted.counts,
            uncounted: faults.map(|(system, fault)| (system, fault.to_string())).collect(),
            exceeded: counted.exceeded,
            told_until: Some(counted.told_until),
        }
    }
}

#[cfg(test)]
mod tests {
    use quietus_connectors::Pace;

    use super::*;

    fn on_record() -> PlanOnRecord {
        let system = |name: &str| {
            serde_json::json!({
                "system": name, "moment": "2026-11-30T00:00:00Z", "instructions": [],
                "list_sources": [], "known_by": name.len(),
                "pace": Pace::default(),
                "steps": [], "findings": [], "exempt": [],
            })
        };
        serde_json::from_value(serde_json::json!({
            "plan": {
                "moment": "2026-11-30T00:00:00Z", "zone": "UTC",
                "map_digest": Digest::of(b"map"), "rules_digest": Digest::of(b"rules"),
                "systems": [system("crm"), system("shop"), system("warehouse")],
                "marks_to_make": [],
            },
            "counts": { "shop": { "collections": [], "drift": [], "refusals": ["told apart"] } },
            "uncounted": { "crm": "not there" },
            "exceeded": [],
        }))
        .expect("a plan")
    }

    #[test]
    fn a_part_is_what_the_whole_says_of_its_system() {
        let whole = on_record();
        let text = whole.document().expect("a document").text;
        for name in ["crm", "shop", "warehouse", "unknown"] {
            let part = PartOnRecord::read(&text, name).expect("a part");
            let same = |one: &&SystemPlan| one.system.as_str() == name;
            assert_eq!(part.plan.as_ref(), whole.plan.systems.iter().find(same), "{name}");
            let counts = whole.counts.iter().find(|(system, _)| system.as_str() == name);
            assert_eq!(part.counts.as_ref(), counts.map(|(_, counts)| counts), "{name}");
        }
    }

    #[test]
    fn a_part_that_cannot_be_read_is_an_error() {
        let text = on_record().document().expect("a document").text;
        let torn = text.replace(r#""known_by":4"#, r#""known_by":"four""#);
        assert_ne!(torn, text);
        assert!(PartOnRecord::read(&torn, "shop").is_err());
        assert!(PartOnRecord::read(&torn, "crm").is_ok(), "it says nothing of another");
        assert!(PartOnRecord::read(&text[..text.len() - 1], "crm").is_err());
    }
}
