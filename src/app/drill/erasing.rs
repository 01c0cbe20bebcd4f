//! Watching the erasure: what the jobs of the invented person's case have done, and whether anything
//! is left.

use uuid::Uuid;

use super::DrillPace;
use crate::app::request::OpenRequest;
use crate::app::{AppError, Quietus};
use crate::domain::{JobState, RequestState};
use crate::evidence::summary::Overall;
use crate::store::{Drill, DrillStep, DrillSystem, Job, JobKind};

impl Quietus {
    /// Notes what is erased; once everything is, it is planted once more.
    pub(super) async fn watch_erasure(
        &self,
        drill: &Drill,
        pace: DrillPace,
    ) -> Result<bool, AppError> {
        let Some(request) = drill.request_id else { return Ok(false) };
        let request = self.rights_request(request).await?;
        let Some(case) = request.stored.case_id else {
            return match why_no_case(&request) {
                None => Ok(false),
                Some(why) => self.end_drill(drill, Some(&why)).await.map(|()| true),
            };
        };
        let systems = self.drilled_systems(drill).await?;
        let jobs = self.store.jobs_of_case(case).await?;
        let mut moved = false;
        for system in systems.iter().filter(|one| one.erased_at.is_none()) {
            let done = erased_by(&jobs, system).and_then(|job| job.settled_at);
            if let Some(at) = done {
                moved |= self.note_step(system, DrillStep::Erased, at).await?;
            }
        }
        let Some(overall) = self.certified_as(case, drill.asked_at).await? else {
            return Ok(moved);
        };
        let under_way = |job: &Job| job.kind == JobKind::Request && !job.state.is_final();
        if jobs.iter().any(under_way) {
            return Ok(moved);
        }
        let left = match self.insist_on_gone(drill, pace).await? {
            Err(()) => return Ok(moved),
            Ok(left) => left,
        };
        let complete = matches!(overall, Overall::Complete | Overall::CompleteWithExceptions);
        let missing = systems.iter().find(|one| erased_by(&jobs, one).is_none());
        let why = match (left, missing) {
            (Some(left), _) => Some(left),
            (None, Some(one)) => Some(format!("`{}` was not erased", one.system)),
            (None, None) if !complete => {
                Some(format!("its certificate says `{}`", overall.as_str()))
            }
            (None, None) => None,
        };
        if let Some(why) = why {
            self.end_drill(drill, Some(&why)).await?;
        } else if self.instance.later_looks.every.is_none() {
            // Who is looked for by nobody is not brought back.
            self.end_drill(drill, None).await?;
        } else {
            self.store.drill_brings_back(drill.id).await?;
        }
        Ok(true)
    }

    /// What the certificate of a case says that was issued at this moment or later; `None` where
    /// there is none yet.
    pub(super) async fn certified_as(
        &self,
        case: Uuid,
        since: Option<jiff::Timestamp>,
    ) -> Result<Option<Overall>, AppError> {
        let Some(certificate) = self.store.certificate_of_case(case).await? else {
            return Ok(None);
        };
        if since.is_some_and(|since| certificate.summary.issued_at < since) {
            return Ok(None);
        }
        let words =
            [Overall::Complete, Overall::CompleteWithExceptions, Overall::Partial, Overall::Failed];
        let overall = certificate.summary.overall.as_str();
        Ok(words.into_iter().find(|one| one.as_str() == overall))
    }
}

/// Why there will be no case for the request of a drill.
fn why_no_case(request: &OpenRequest) -> Option<String> {
    let record = &request.record;
    match request.stored.state {
        RequestState::Closed => Some(record.ended.as_ref().map_or_else(
            || "nothing of what was planted was found".to_owned(),
            |ended| ended.reason.clone(),
        )),
        RequestState::Ambiguous => {
            let doubt = record.needs.as_deref().unwrap_or("more than one person fits");
            Some(format!("nobody knows who is meant: {doubt}"))
        }
        _ => None,
    }
}

/// The job that has erased what was planted in a system, and looked again.
fn erased_by<'jobs>(jobs: &'jobs [Job], system: &DrillSystem) -> Option<&'jobs Job> {
    let own = jobs.iter().filter(|job| job.kind == JobKind::Request && job.system == system.system);
    own.filter(|job| job.state == JobState::Completed).max_by_key(|job| job.settled_at)
}
