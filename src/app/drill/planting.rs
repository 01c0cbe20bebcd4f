//! Planting, and asking: once everything is planted, the invented person asks to be erased.

use std::collections::{BTreeMap, BTreeSet};

use super::{DRILL_CHANNEL, DRILL_SOURCE, DrillPace, PlantedHere};
use crate::app::crash::CrashPoint;
use crate::app::request::{Drilled, Requester, TakeIn, Taken};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, Assurance};
use crate::store::{Drill, DrillSystem};

impl Quietus {
    /// Plants where nothing is planted yet, and asks once everything is.
    pub(super) async fn plant_drill(
        &self,
        drill: &Drill,
        pace: DrillPace,
    ) -> Result<bool, AppError> {
        let systems = self.drilled_systems(drill).await?;
        let mut moved = false;
        let mut waiting = false;
        for system in systems.iter().filter(|one| one.planted_at.is_none()) {
            let planted = self.plant_in(drill, system, (pace, false)).await?;
            moved |= planted;
            waiting |= !planted;
        }
        if waiting {
            return Ok(moved);
        }
        self.ask_for_drill(drill).await?;
        Ok(true)
    }

    /// Plants in one system, once more where it is brought back; `false` where it could not be done
    /// now.
    pub(super) async fn plant_in(
        &self,
        drill: &Drill,
        system: &DrillSystem,
        (pace, back): (DrillPace, bool),
    ) -> Result<bool, AppError> {
        if !self.may_try(system, pace) {
            return Ok(false);
        }
        let mut here = PlantedHere::of(system)?;
        let planted = match self.ground(system, drill.began_at) {
            Ok(ground) => {
                let planted = ground.connector.plant(&ground.order, &here.records).await;
                planted.map_err(|fault| fault.to_string())
            }
            Err(why) => Err(why),
        };
        let keys = match planted {
            Ok(keys) => keys,
            Err(why) => {
                self.note_trouble(system, &why).await?;
                return Ok(false);
            }
        };
        let point = if back { CrashPoint::DrillPlantedAgain } else { CrashPoint::DrillPlanted };
        self.crash.reach(point);
        for (record, key) in here.records.iter_mut().zip(keys) {
            record.key = Some(key);
        }
        let at = (drill.id, system.system.as_str());
        let stored = here.stored()?;
        Ok(self.store.drill_planted(at, &stored, (self.now(), back)).await?)
    }

    /// Takes the request of a drill in. Its name there is the drill's, so that it is taken in once.
    async fn ask_for_drill(&self, drill: &Drill) -> Result<(), AppError> {
        let mut identities = BTreeSet::new();
        let mut planted: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for system in self.drilled_systems(drill).await? {
            let here = PlantedHere::of(&system)?;
            let counts = planted.entry(system.system).or_default();
            for record in here.records {
                *counts.entry(record.collection).or_default() += 1;
            }
            identities.extend(here.identities.into_iter().map(|one| (one.kind, one.value)));
        }
        let taken = self
            .take_in_drill(
                TakeIn {
                    asked: AskedRight::Erasure,
                    identities: identities.into_iter().collect(),
                    received_at: None,
                    channel: DRILL_CHANNEL.to_owned(),
                    requester: Requester::Person,
                    ground: None,
                    regime: None,
                    language: None,
                    categories: None,
                    contact: None,
                    check: Some((Assurance::High, DRILL_CHANNEL.to_owned(), None)),
                    source: Some(DRILL_SOURCE.to_owned()),
                    external_id: Some(drill.id.to_string()),
                    actor: Actor(drill.begun_by.clone()),
                },
                Drilled { id: drill.id, planted },
            )
            .await;
        let request = match taken {
            Ok(Taken::New(request) | Taken::Same(request)) => request,
            Ok(Taken::UnderWay(other)) => {
                let why = format!("request `{other}` is of the same person and under way");
                return self.end_drill(drill, Some(&why)).await;
            }
            Err(AppError::Input(why)) => return self.end_drill(drill, Some(&why)).await,
            Err(error) => return Err(error),
        };
        self.crash.reach(CrashPoint::DrillAsked);
        let (id, at) = (request.stored.id, request.stored.recorded_at);
        self.store.drill_asked(drill.id, id, at).await?;
        Ok(())
    }
}
