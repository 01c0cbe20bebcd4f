//! The request of a drill: its person was invented. It goes through the same corridor as anybody's,
//! but reaches only what the drill has planted: third parties are not asked, nobody is written to,
//! and where more than that is found, nothing is erased.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::find::Found;
use super::record::{Decided, Move, OpenRequest};
use crate::app::fire::SCHEDULER;
use crate::app::forecast::CountedPlan;
use crate::app::recording::About;
use crate::app::{AppError, Quietus};
use crate::domain::{RequestOutcome, SystemName};
use crate::evidence::EvidenceKind;
use crate::plan::{LeftOut, Plan};

/// Why a system has no part in the request of a drill.
const NOT_DRILLED: &str = "this is a drill, and nothing was planted there";

/// What makes a request that of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// The drill.
    pub id: Uuid,
    /// How many records it has planted, by system and collection.
    pub planted: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Drilled {
    /// Only systems with something of the drill count.
    pub(super) fn confine_found(&self, found: &mut Found) {
        found.not_asked.retain(|name, _| self.planted.contains_key(name.as_str()));
    }

    fn confine_plan(&self, plan: &mut Plan) {
        let is_drilled = |name: &SystemName| self.planted.contains_key(name.as_str());
        let left_out = plan.systems.iter().filter(|one| !is_drilled(&one.system));
        let why = || NOT_DRILLED.to_owned();
        let left_out: Vec<LeftOut> =
            left_out.map(|one| LeftOut { system: one.system.clone(), why: why() }).collect();
        plan.systems.retain(|one| is_drilled(&one.system));
        for one in plan.left_out.iter_mut().filter(|one| !is_drilled(&one.system)) {
            one.why = why();
        }
        plan.left_out.extend(left_out);
        plan.left_out.sort_by(|one, other| one.system.cmp(&other.system));
    }

    /// How many records it has planted in a system.
    pub(crate) fn planted_in(&self, system: &SystemName) -> u64 {
        self.planted.get(system.as_str()).map_or(0, |all| all.values().sum())
    }

    fn planted_as(&self, system: &SystemName, collection: &str) -> u64 {
        let all = self.planted.get(system.as_str());
        all.and_then(|all| all.get(collection)).copied().unwrap_or(0)
    }

    /// Where more would go than was planted: somebody else's may be among it.
    fn excess(&self, counted: &CountedPlan) -> Option<String> {
        for (system, counts) in &counted.counts {
            for one in &counts.collections {
                let changed = one.treat.values().copied().max().unwrap_or(0).max(one.restrict);
                let (found, planted) =
                    (one.delete + changed, self.planted_as(system, &one.collection));
                if found > planted {
                    return Some(format!(
                        "in `{system}.{}` {found} record(s) would go, and {planted} were planted: somebody's may be among them, so nothing is erased",
                        one.collection
                    ));
                }
            }
        }
        None
    }
}

impl Quietus {
    /// Confines a plan to what a drill has planted; `false` where nothing may be carried out by it:
    /// the request waits for a system that could not be counted, or ends because more was found.
    pub(super) async fn is_confined(
        &self,
        request: &mut OpenRequest,
        counted: &mut CountedPlan,
    ) -> Result<bool, AppError> {
        let Some(drill) = request.record.drill.clone() else { return Ok(true) };
        drill.confine_plan(&mut counted.plan);
        counted.counts.retain(|name, _| counted.plan.system(name).is_some());
        let known = |name: &SystemName| counted.counts.contains_key(name);
        if let Some(waits) = counted.plan.systems.iter().find(|one| !known(&one.system)) {
            tracing::warn!(drill = %drill.id, system = %waits.system, "a drill waits for a system that could not be counted");
            return Ok(false);
        }
        let Some(why) = drill.excess(counted) else { return Ok(true) };
        tracing::error!(drill = %drill.id, %why, "a drill is stopped");
        let by = SCHEDULER.to_owned();
        let evidence = self.record(
            EvidenceKind::RequestChanged,
            About::default(),
            &json!({ "request": request.stored.id, "what": "stopped", "by": by, "reason": why }),
        )?;
        request.record.ended = Some(Decided { by, reason: why, at: self.now() });
        let next = Move::closed(&request.stored, RequestOutcome::Cancelled);
        self.keep_request(request, next, vec![evidence]).await?;
        Ok(false)
    }
}
