//! A case that was opened while some system could not be asked: what that system knows may lead to
//! more of the person in systems that are done already. Before such a case is certified, every
//! system is asked once more, and whoever was asked by less than is known now is asked again.

use std::collections::BTreeSet;

use quietus_connectors::Identity;
use serde_json::json;

use super::fan_out::remember;
use super::find::{Ground, Seeking};
use super::record::{Move, OpenRequest, Person};
use crate::app::fire::SCHEDULER;
use crate::app::law::GoesBy;
use crate::app::plan_on_record::PlanOnRecord;
use crate::app::recording::About;
use crate::app::{Actor, AppError, Quietus};
use crate::datamap::System;
use crate::domain::JobState;
use crate::evidence::EvidenceKind;
use crate::plan::SystemPlan;
use crate::store::{Case, Job, JobKind};

impl Quietus {
    /// Whether the case goes on: systems have to be asked again, or one cannot be asked yet.
    ///
    /// # Errors
    /// Where the person is forgotten or the store is not there.
    pub(crate) async fn catch_up(&self, case: &Case, jobs: &[Job]) -> Result<bool, AppError> {
        let Some(stored) = self.store.request_of_case(case.id).await? else { return Ok(false) };
        let mut request = self.open_request(stored)?;
        // What failed, was called off or was lifted is certified as it is, and never as complete.
        let mut asked = jobs.iter().filter(|job| job.kind == JobKind::Request);
        let all_done = asked.all(|job| job.state == JobState::Completed);
        let ended = request.record.restriction_ended_by.is_some();
        if !request.record.incomplete || !all_done || case.cancelled.is_some() || ended {
            return Ok(false);
        }
        let pinned = self.pinned(case).await?;
        let law = self.law_for((&pinned, None), GoesBy::InForce).await?;
        let (map, rules) = (pinned.map(), pinned.rules());
        let ground = Ground { map, rules, limits: &law.limits, moment: case.moment };
        let told_apart = request.record.told_apart;
        let mut people = [Seeking { person: self.sought(&request)?, told_apart }];
        let Some(mut found) = self.find_people(ground, &mut people, None).await?.pop() else {
            return Ok(true);
        };
        if let Some(drill) = &request.record.drill {
            drill.confine_found(&mut found);
        }
        let [Seeking { person: sought, .. }] = people;
        if !found.not_asked.is_empty() {
            return Ok(true);
        }
        if !found.doubts.is_empty() {
            self.doubt(&mut request, found.doubts.join("; ")).await?;
            return Ok(true);
        }
        remember(&mut request, &sought, &found);
        request.record.not_asked.clear();
        let known: BTreeSet<Identity> = sought.identities().cloned().collect();
        let on_record = PlanOnRecord::of(case)?;
        let behind: Vec<&SystemPlan> = on_record
            .plan
            .systems
            .iter()
            .filter(|plan| {
                let system = ground.map.systems.get(&plan.system);
                let asked = jobs.iter().any(|job| job.system == plan.system.as_str());
                asked && system.is_some_and(|system| is_behind(&request, system, &known))
            })
            .collect();
        self.ask_again(case, &mut request, &behind).await?;
        Ok(!behind.is_empty())
    }

    /// More than one person fits by what is known now: nothing more is done, and nothing is
    /// certified, before somebody has looked.
    async fn doubt(&self, request: &mut OpenRequest, doubt: String) -> Result<(), AppError> {
        if request.record.needs.as_ref() == Some(&doubt) {
            return Ok(());
        }
        let engine = Actor(SCHEDULER.to_owned());
        let evidence =
            self.record_change(request, "more than one person fits", &engine, Some(&doubt))?;
        request.record.needs = Some(doubt);
        self.keep_request(request, Move::stay(&request.stored), vec![evidence]).await
    }

    async fn ask_again(
        &self,
        case: &Case,
        request: &mut OpenRequest,
        behind: &[&SystemPlan],
    ) -> Result<(), AppError> {
        if behind.is_empty() {
            request.record.incomplete = false;
            if let Some(person) = &mut request.person {
                person.asked_by.clear();
            }
        }
        let change = self.change_of(request, Move::stay(&request.stored))?;
        let drill = request.record.drill.as_ref();
        let new = behind.iter().map(|system| self.new_person_job(system, None, (0, drill)));
        let new = new.collect::<Result<Vec<_>, _>>()?;
        let named: Vec<_> =
            new.iter().map(|job| json!({ "id": job.id, "system": job.system })).collect();
        let evidence = self.record(
            EvidenceKind::RequestChanged,
            About { case: Some(case.id), job: None },
            &json!({
                "request": request.stored.id,
                "what": "every system was asked once more who the person is",
                "jobs": named,
            }),
        )?;
        // Where somebody else has just changed the request, the next round looks again.
        if self.store.add_jobs(case.id, new, change, self.now(), vec![evidence]).await? {
            self.wake.up();
        }
        Ok(())
    }
}

/// Whether something that a system understands is known of the person by which it was not asked.
fn is_behind(request: &OpenRequest, system: &System, known: &BTreeSet<Identity>) -> bool {
    let understood: BTreeSet<&str> = if let Some(party) = &system.third_party {
        party.identities.iter().map(String::as_str).collect()
    } else {
        let fields = system.collections.values().flat_map(|one| one.fields.values());
        fields.filter_map(|field| field.identity.as_deref()).collect()
    };
    let asked_by = request.person.as_ref().map(|person: &Person| &person.asked_by);
    let asked_by = asked_by.and_then(|all| all.get(system.name.as_str()));
    known.iter().any(|one| {
        understood.contains(one.kind.as_str()) && asked_by.is_none_or(|asked| !asked.contains(one))
    })
}
