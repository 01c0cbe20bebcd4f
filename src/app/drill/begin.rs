//! Beginning and ending: a drill that is due or that somebody wants, and how it ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::PlantedHere;
use crate::app::fire::SCHEDULER;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::{Invented, System};
use crate::domain::ScheduleName;
use crate::evidence::EvidenceKind;
use crate::schedule::{Missed, Schedule, Timetable};
use crate::store::{Drill, DrillState, NewDrill, PauseScope};

/// Why a drill is over before it was done, where the next one is due.
const OVERTAKEN: &str = "the next drill was due before this one was done";

impl Quietus {
    /// Begins a drill now; its identifier.
    ///
    /// # Errors
    /// Where one is under way, or no system says what is planted there; nothing is changed then.
    pub async fn begin_drill(&self, actor: &Actor) -> Result<Uuid, AppError> {
        if let Some(open) = self.store.open_drill().await? {
            return Err(AppError::Input(format!(
                "drill `{}` is under way: see `quietus drill show {}`",
                open.id, open.id
            )));
        }
        self.begin_drill_of(actor, None)
            .await?
            .ok_or_else(|| AppError::Input("another process has just begun a drill".to_owned()))
    }

    /// Begins the drill of the latest occurrence that is due and has none; one that is still under
    /// way ends with that.
    pub(super) async fn begin_due_drill(&self) -> Result<bool, AppError> {
        let Some(latest) = self.due_drill().await? else { return Ok(false) };
        if let Some(open) = self.store.open_drill().await? {
            self.end_drill(&open, Some(OVERTAKEN)).await?;
        }
        let scheduler = Actor(SCHEDULER.to_owned());
        Ok(self.begin_drill_of(&scheduler, Some(latest)).await?.is_some())
    }

    /// The latest occurrence of the schedule that is due and has no drill yet.
    pub(super) async fn due_drill(&self) -> Result<Option<Timestamp>, AppError> {
        let Some(cron) = &self.instance.drills.schedule else { return Ok(None) };
        let Some(cursor) = self.store.drill_cursor().await? else {
            self.store.seed_drills(self.now()).await?;
            return Ok(None);
        };
        let timetable = Timetable::of(&Schedule {
            name: ScheduleName::parse("drills")
                .map_err(|error| AppError::Input(error.to_string()))?,
            cron: cron.clone(),
            zone: self.instance.controller.zone.clone(),
            windows: Vec::new(),
            blackouts: Vec::new(),
            missed: Missed::Latest,
        });
        let timetable = timetable.map_err(|error| AppError::Input(error.to_string()))?;
        let latest = timetable.due(cursor, self.now()).last().copied();
        if latest.is_none() {
            return Ok(None);
        }
        let pauses = self.store.active_pauses().await?;
        let stands_still = pauses.iter().any(|pause| pause.scope == PauseScope::Everything);
        Ok(latest.filter(|_| !stands_still))
    }

    /// Writes a drill down with all that it is going to plant; `None` where another process was
    /// faster.
    async fn begin_drill_of(
        &self,
        actor: &Actor,
        due_at: Option<Timestamp>,
    ) -> Result<Option<Uuid>, AppError> {
        let id = self.ids.new_id();
        let person = Invented { drill: id, at: self.this_second() };
        let mut systems = Vec::new();
        let mut planted = BTreeMap::new();
        for system in self.map.systems.values() {
            let name = system.name.to_string();
            if let Some(why) = self.left_out_of_drills(system) {
                systems.push((name, Err(why)));
                continue;
            }
            let here = PlantedHere {
                records: system.planted_records(&person),
                identities: system.planted_identities(&person),
            };
            planted.insert(name.clone(), here.records.len());
            systems.push((name, Ok(here.stored()?)));
        }
        if planted.is_empty() {
            return Err(AppError::Input(
                "no system says what a drill plants there: add `drill: {plant: […]}` to the file of at least one database".to_owned(),
            ));
        }
        let evidence = self.record(
            EvidenceKind::DrillBegun,
            About::default(),
            &json!({ "drill": id, "by": actor.0, "dueAt": due_at, "records": planted }),
        )?;
        let begun_by = actor.0.clone();
        let new = NewDrill { id, due_at, begun_by, systems, evidence: vec![evidence] };
        Ok(self.store.begin_drill(new, self.now()).await?.then_some(id))
    }

    /// Why nothing is planted in a system; `None` where something is.
    fn left_out_of_drills(&self, system: &System) -> Option<String> {
        let why = if system.third_party.is_some() {
            "a third party is asked by the name of a person: nothing can be planted there"
        } else if system.backup.is_some() {
            "a store of copies: nothing can be planted there"
        } else if system.drill.is_none() {
            "its file does not say what a drill plants there (`drill`)"
        } else {
            let named = self.instance.drills.systems.as_ref();
            if named.is_none_or(|named| named.contains(&system.name)) {
                return None;
            }
            "`drills: {systems}` in `quietus.yaml` does not name it"
        };
        Some(why.to_owned())
    }

    /// Ends a drill: as done, or with the reason why it is not. What is left of it is taken away by
    /// itself.
    pub(super) async fn end_drill(&self, drill: &Drill, why: Option<&str>) -> Result<(), AppError> {
        let now = self.now();
        let state = if why.is_none() { DrillState::Done } else { DrillState::NotDone };
        let ended =
            Drill { state, ended_at: Some(now), why: why.map(str::to_owned), ..drill.clone() };
        let facts = self.drill_facts(ended).await?;
        let detail = serde_json::to_value(&facts).map_err(|error| super::unreadable(&error))?;
        let evidence = self.record(EvidenceKind::DrillEnded, About::default(), &as_text(detail))?;
        if !self.store.end_drill(drill.id, why, now, vec![evidence]).await? {
            return Ok(());
        }
        match why {
            None => tracing::info!(drill = %drill.id, "a drill is done"),
            Some(why) => {
                tracing::error!(drill = %drill.id, %why, "a drill is not done: see `quietus drill show`");
            }
        }
        if let (Some(request), Some(why)) = (drill.request_id, why) {
            let scheduler = Actor(SCHEDULER.to_owned());
            // What is carried out already goes on to its end.
            if let Err(error @ AppError::Store(_)) =
                self.cancel_request(request, &scheduler, why).await
            {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Evidence holds no numbers that are not whole: they are written as text.
fn as_text(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(list) => Value::Array(list.into_iter().map(as_text).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(name, value)| (name, as_text(value))).collect())
        }
        other => other,
    }
}
