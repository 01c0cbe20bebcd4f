//! Taking away what ended drills have left, by the marks that nobody else has.

use serde_json::json;

use super::{DrillPace, PlantedHere};
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::evidence::EvidenceKind;
use crate::store::{DrillStep, DrillSystem};

impl Quietus {
    /// Sees to it that nothing of ended drills is left anywhere; whether anything came of it.
    pub(super) async fn clean_after_drills(&self, pace: DrillPace) -> Result<bool, AppError> {
        let mut moved = false;
        for system in self.store.drills_to_clean().await? {
            if self.may_try(&system, pace) {
                moved |= self.clean_after(&system).await?;
            }
        }
        Ok(moved)
    }

    async fn clean_after(&self, system: &DrillSystem) -> Result<bool, AppError> {
        let Some(drill) = self.store.drill(system.drill_id).await? else { return Ok(false) };
        let here = PlantedHere::of(system)?;
        let taken = match self.ground(system, drill.began_at) {
            Ok(ground) => {
                let taken = ground.connector.unplant(&ground.order, &here.records).await;
                taken.map_err(|fault| fault.to_string())
            }
            Err(why) => Err(why),
        };
        let records = match taken {
            Ok(records) => records,
            Err(why) => {
                self.note_trouble(system, &why).await?;
                return Ok(false);
            }
        };
        if records > 0 {
            let detail = json!({
                "drill": system.drill_id,
                "system": system.system,
                "records": records.to_string(),
            });
            let entry = self.record(EvidenceKind::DrillCleaned, About::default(), &detail)?;
            self.store.record_evidence(vec![entry], self.now()).await?;
            tracing::warn!(drill = %system.drill_id, system = %system.system, records, "what a drill had left was taken away");
        }
        self.note_step(system, DrillStep::Cleaned, self.now()).await
    }
}
