//! Drills: a person who was invented is planted in the systems that say what, asks to be erased, goes
//! through the same corridor as anybody, is brought back as a restore or an import would do it, is
//! found, and is erased again; with the time that each of it took.
//!
//! What is planted is written down before it is, and known by marks that nobody else can have. So
//! whatever stops a drill, it is taken up again, or ended and cleaned away.

mod again;
mod begin;
mod clean;
mod erasing;
mod planting;
mod standing;

pub use standing::{DrillFacts, DrillStanding, DrillSystemFacts};

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use quietus_connectors::{Connector, Identity, Order, PlantedRecord};
use serde::{Deserialize, Serialize};

use super::{AppError, Quietus};
use crate::store::{Drill, DrillState, DrillStep, DrillSystem, Lead};

/// The channel of a drill's request.
pub const DRILL_CHANNEL: &str = "drill";
/// Who brings the request of a drill. No other source has a blank in its name.
pub(crate) const DRILL_SOURCE: &str = "quietus drill";

/// The right to carry drills on, which one process has at a time.
const LEAD: &str = "drills";
/// A system that did not answer is asked again after so long.
const AFTER_A_FAULT: SignedDuration = SignedDuration::from_mins(1);
/// Steps of a drill that are taken in one go.
const MOST_STEPS: usize = 16;

/// Whether systems that did not answer a moment ago are asked again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillPace {
    /// A minute later.
    Patient,
    /// At once: somebody waits for it.
    AtOnce,
}

/// What a drill plants in one system, as the store keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PlantedHere {
    /// The records, with their keys once they are known.
    records: Vec<PlantedRecord>,
    /// What the invented person is known by there.
    identities: BTreeSet<Identity>,
}

impl PlantedHere {
    fn of(system: &DrillSystem) -> Result<Self, AppError> {
        let planted = system.planted.clone().unwrap_or_default();
        serde_json::from_value(planted).map_err(|error| unreadable(&error))
    }

    fn stored(&self) -> Result<serde_json::Value, AppError> {
        serde_json::to_value(self).map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &serde_json::Error) -> AppError {
    AppError::Unreadable { what: "a drill", why: error.to_string() }
}

/// A system of a drill at which somebody works.
struct Ground {
    connector: Box<dyn Connector>,
    order: Order,
}

impl Quietus {
    /// Begins a drill that is due, carries the one that is under way on, and takes away what ended
    /// ones have left; whether anything came of it.
    ///
    /// # Errors
    /// Where the store is not there. That a system does not answer is written down, and it is asked
    /// again.
    pub async fn advance_drills(&self, pace: DrillPace) -> Result<bool, AppError> {
        if self.stands_still().await?.is_some() || !self.has_drill_to_advance().await? {
            return Ok(false);
        }
        let holder = self.ids.new_id().to_string();
        let until = self.lease_until();
        let lead = Lead { name: LEAD, holder: &holder, until };
        if !self.store.try_lead(lead, self.now()).await? {
            return Ok(false);
        }
        let moved = Box::pin(self.advance_with_lead(pace)).await;
        self.store.yield_lead(LEAD, &holder).await?;
        moved
    }

    /// Whether there is anything to do, so that nothing is written for nothing.
    async fn has_drill_to_advance(&self) -> Result<bool, AppError> {
        Ok(self.store.open_drill().await?.is_some()
            || self.due_drill().await?.is_some()
            || self.store.drill_counts().await?.to_clean > 0)
    }

    async fn advance_with_lead(&self, pace: DrillPace) -> Result<bool, AppError> {
        let mut moved = self.begin_due_drill().await?;
        moved |= self.clean_after_drills(pace).await?;
        for _ in 0..MOST_STEPS {
            let Some(drill) = self.store.open_drill().await? else { break };
            if !Box::pin(self.advance_drill(&drill, pace)).await? {
                return Ok(moved);
            }
            moved = true;
        }
        moved |= self.clean_after_drills(pace).await?;
        Ok(moved)
    }

    async fn advance_drill(&self, drill: &Drill, pace: DrillPace) -> Result<bool, AppError> {
        match drill.state {
            DrillState::Planting => self.plant_drill(drill, pace).await,
            DrillState::Erasing => Box::pin(self.watch_erasure(drill, pace)).await,
            DrillState::BringingBack => self.bring_drill_back(drill, pace).await,
            DrillState::ErasingAgain => Box::pin(self.watch_second_erasure(drill, pace)).await,
            DrillState::Done | DrillState::NotDone => Ok(false),
        }
    }

    /// The systems of a drill in which something is planted.
    async fn drilled_systems(&self, drill: &Drill) -> Result<Vec<DrillSystem>, AppError> {
        let mut systems = self.store.drill_systems(drill.id).await?;
        systems.retain(|one| one.left_out.is_none());
        Ok(systems)
    }

    /// Whether it is time to try something in a system.
    fn may_try(&self, system: &DrillSystem, pace: DrillPace) -> bool {
        let waits = |trouble: &(String, Timestamp)| trouble.1 > self.now();
        pace == DrillPace::AtOnce || !system.trouble.as_ref().is_some_and(waits)
    }

    /// A system of a drill; the error says in words why nothing can be done there now.
    fn ground(&self, system: &DrillSystem, moment: Timestamp) -> Result<Ground, String> {
        let found = self.system(&system.system).map_err(|error| error.to_string())?;
        let connector = self.connect(found).map_err(|error| error.to_string())?;
        Ok(Ground { connector, order: found.bare_order(moment) })
    }

    /// Writes down why the next step could not be taken in a system.
    async fn note_trouble(&self, system: &DrillSystem, why: &str) -> Result<(), AppError> {
        let name = &system.system;
        tracing::warn!(drill = %system.drill_id, system = %name, %why, "a drill cannot go on in a system");
        let now = self.now();
        let try_at = now.checked_add(AFTER_A_FAULT).unwrap_or(now);
        Ok(self.store.drill_trouble((system.drill_id, name), why, try_at).await?)
    }

    /// How many of the records of a drill are left in a system; `None`, with the reason written down,
    /// where nobody knows now.
    async fn left_of_drill(
        &self,
        drill: &Drill,
        system: &DrillSystem,
        pace: DrillPace,
    ) -> Result<Option<u64>, AppError> {
        if !self.may_try(system, pace) {
            return Ok(None);
        }
        let planted = PlantedHere::of(system)?;
        let counted = match self.ground(system, drill.began_at) {
            Ok(ground) => {
                let counted = ground.connector.planted(&ground.order, &planted.records).await;
                counted.map_err(|fault| fault.to_string())
            }
            Err(why) => Err(why),
        };
        match counted {
            Ok(left) => Ok(Some(left)),
            Err(why) => {
                self.note_trouble(system, &why).await?;
                Ok(None)
            }
        }
    }

    /// Insists that nothing of a drill is left anywhere. `Some` names where something is; `None`
    /// within `Ok` where nothing is, and `Err` within where nobody knows yet.
    async fn insist_on_gone(
        &self,
        drill: &Drill,
        pace: DrillPace,
    ) -> Result<Result<Option<String>, ()>, AppError> {
        let mut left = Vec::new();
        for system in self.drilled_systems(drill).await? {
            match self.left_of_drill(drill, &system, pace).await? {
                None => return Ok(Err(())),
                Some(0) => {}
                Some(records) => {
                    left.push(format!(
                        "{records} planted record(s) are left in `{}`",
                        system.system
                    ));
                }
            }
        }
        Ok(Ok((!left.is_empty()).then(|| left.join("; "))))
    }

    /// A system has come a step further.
    async fn note_step(
        &self,
        system: &DrillSystem,
        step: DrillStep,
        at: Timestamp,
    ) -> Result<bool, AppError> {
        Ok(self.store.drill_step((system.drill_id, &system.system), step, at).await?)
    }
}
