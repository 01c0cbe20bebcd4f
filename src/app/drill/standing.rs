//! How drills stand: for lists, metrics and whoever asks.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::app::{AppError, Quietus};
use crate::domain::Rounding;
use crate::store::{Drill, DrillCounts, DrillState, DrillSystem};

/// A drill, as doors show it.
#[derive(Debug, Clone, Serialize)]
pub struct DrillFacts {
    /// Its identifier.
    pub drill: Uuid,
    /// How far it has come.
    pub state: DrillState,
    /// The occurrence of the schedule; absent where somebody began it.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub began_at: Timestamp,
    /// Who began it.
    pub by: String,
    /// When everything was planted and the invented person asked: from here time counts.
    pub asked_at: Option<Timestamp>,
    /// When everything was back.
    pub back_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it is not done.
    pub why: Option<String>,
    /// An erasure took longer than `at_most`, or takes longer by now.
    pub late: bool,
    /// The request of the invented person.
    pub request: Option<Uuid>,
    /// Its case.
    pub case: Option<Uuid>,
    /// The certificate in force.
    pub certificate: Option<Uuid>,
    /// What that says.
    pub overall: Option<String>,
    /// Each system.
    pub systems: Vec<DrillSystemFacts>,
}

/// A system in a drill, as doors show it.
#[derive(Debug, Clone, Serialize)]
pub struct DrillSystemFacts {
    /// The system.
    pub system: String,
    /// Why it is not drilled.
    pub left_out: Option<String>,
    /// When it was planted.
    pub planted_at: Option<Timestamp>,
    /// When it was erased, verified.
    pub erased_at: Option<Timestamp>,
    /// Seconds from the request to that.
    pub seconds_to_erasure: Option<f64>,
    /// When it was brought back.
    pub back_at: Option<Timestamp>,
    /// When it was erased again, verified.
    pub erased_again_at: Option<Timestamp>,
    /// Seconds from when all was back to that.
    pub seconds_to_second_erasure: Option<f64>,
    /// Why the next step could not be taken.
    pub trouble: Option<String>,
    /// When it was seen that nothing of the drill is left there.
    pub cleaned_at: Option<Timestamp>,
}

/// How drills stand as a whole.
#[derive(Debug, Clone, Serialize)]
pub struct DrillStanding {
    /// Cron expression; absent where drills are begun by hand alone.
    pub schedule: Option<String>,
    /// How long an erasure may take before it is an alarm.
    pub at_most: String,
    /// When the last one that was done ended.
    pub last_done: Option<Timestamp>,
    /// How many were not done, ever.
    pub not_done: u64,
    /// Systems in which something of an ended drill may still be.
    pub to_clean: u64,
    /// The latest drill.
    pub latest: Option<DrillFacts>,
}

impl DrillFacts {
    /// It ended before it was done.
    pub fn is_not_done(&self) -> bool {
        self.state == DrillState::NotDone
    }
}

impl Quietus {
    /// How drills stand, with the latest one.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_drill_standing(&self) -> Result<DrillStanding, AppError> {
        let DrillCounts { last_done, not_done, to_clean } = self.store.drill_counts().await?;
        let settings = &self.instance.drills;
        Ok(DrillStanding {
            schedule: settings.schedule.clone(),
            at_most: settings.at_most.to_string(),
            last_done,
            not_done,
            to_clean,
            latest: self.read_drills(1).await?.pop(),
        })
    }

    /// Drills, the latest first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_drills(&self, limit: u32) -> Result<Vec<DrillFacts>, AppError> {
        let mut facts = Vec::new();
        for drill in self.store.latest_drills(limit).await? {
            facts.push(self.drill_facts(drill).await?);
        }
        Ok(facts)
    }

    /// One drill; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_drill(&self, id: Uuid) -> Result<Option<DrillFacts>, AppError> {
        match self.store.drill(id).await? {
            Some(drill) => self.drill_facts(drill).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn drill_facts(&self, drill: Drill) -> Result<DrillFacts, AppError> {
        let systems = self.store.drill_systems(drill.id).await?;
        let request = match drill.request_id {
            Some(id) => self.store.request(id).await?,
            None => None,
        };
        let case = request.and_then(|request| request.case_id);
        let certificate = match case {
            Some(case) => self.store.certificate_of_case(case).await?,
            None => None,
        };
        Ok(DrillFacts {
            drill: drill.id,
            state: drill.state,
            due_at: drill.due_at,
            began_at: drill.began_at,
            by: drill.begun_by.clone(),
            asked_at: drill.asked_at,
            back_at: drill.back_at,
            ended_at: drill.ended_at,
            why: drill.why.clone(),
            late: self.is_late(&drill, &systems),
            request: drill.request_id,
            case,
            certificate: certificate.as_ref().map(|one| one.summary.id),
            overall: certificate.map(|one| one.summary.overall),
            systems: systems.into_iter().map(|one| system_facts(&drill, one)).collect(),
        })
    }

    /// Whether an erasure took longer than it may, or takes longer by now.
    fn is_late(&self, drill: &Drill, systems: &[DrillSystem]) -> bool {
        let now = drill.ended_at.unwrap_or_else(|| self.now());
        let at_most = self.instance.drills.at_most;
        let over = |from: Timestamp, until: Option<Timestamp>| {
            until.unwrap_or(now) > at_most.due_at(from, Rounding::None, &self.zone)
        };
        let drilled = || systems.iter().filter(|one| one.left_out.is_none());
        let first = over(drill.asked_at.unwrap_or(drill.began_at), None);
        let by_system = drilled().any(|one| {
            let erased = drill.asked_at.is_some_and(|from| over(from, one.erased_at));
            let again = drill.back_at.is_some_and(|from| over(from, one.again_at));
            erased || again
        });
        let waits = drilled().any(|one| one.erased_at.is_none());
        by_system || (waits && first)
    }
}

fn system_facts(drill: &Drill, one: DrillSystem) -> DrillSystemFacts {
    DrillSystemFacts {
        seconds_to_erasure: seconds(drill.asked_at, one.erased_at),
        seconds_to_second_erasure: seconds(drill.back_at, one.again_at),
        system: one.system,
        left_out: one.left_out,
        planted_at: one.planted_at,
        erased_at: one.erased_at,
        back_at: one.back_at,
        erased_again_at: one.again_at,
        trouble: one.trouble.map(|trouble| trouble.0),
        cleaned_at: one.cleaned_at,
    }
}

/// Seconds from one moment to another, with three decimals; never less than none.
fn seconds(from: Option<Timestamp>, until: Option<Timestamp>) -> Option<f64> {
    let time = until?.duration_since(from?).as_secs_f64().max(0.0);
    Some((time * 1000.0).round() / 1000.0)
}
