//! Restrictions end with the case of what lifts them: in one transaction, or not at all.

use quietus::domain::{CaseState, JobState, RequestState};
use quietus::store::{
    BlockedReason, EndedRestriction, JobKind, NewCase, OpenedCase, RequestChange, Settle,
    Settlement,
};
use uuid::Uuid;

use crate::requests::{change, taken};
use crate::stage::{Stage, at, entry, new_case, tenure};

on_both! {
    a_restriction_ends_with_the_case_of_its_lifting_or_not_at_all,
    nothing_ends_while_somebody_is_at_work_on_it,
    what_waits_for_a_second_person_is_called_off_too,
}

/// A request that restricts.
struct Restriction {
    request: Uuid,
    case: Uuid,
    upkeep: Uuid,
    part: Uuid,
}

impl Restriction {
    /// One part of it is to be done, and it is kept up later on.
    async fn begun(stage: &Stage) -> Self {
        Self::begun_as(stage, CaseState::Executing, None).await
    }

    async fn begun_as(stage: &Stage, is: CaseState, blocked: Option<BlockedReason>) -> Self {
        let request = taken(stage, "restriction", &[7]).await;
        let mut case = NewCase { state: is, ..new_case(2) };
        case.jobs[0].kind = JobKind::Upkeep;
        case.jobs[0].available_at = at(1000);
        case.jobs[1].kind = JobKind::Request;
        case.jobs[1].blocked = blocked;
        let (id, upkeep, part) = (case.id, case.jobs[0].id, case.jobs[1].id);
        let next = change(request, RequestState::Executing, None);
        case.request = Some(RequestChange { case_id: Some(id), ..next });
        assert_eq!(stage.store.open_case(case, at(1)).await.unwrap(), OpenedCase::Opened);
        Self { request, case: id, upkeep, part }
    }

    /// It ends with both of its jobs.
    fn ends(&self) -> EndedRestriction {
        let next = change(self.request, RequestState::Executing, None);
        let case_id = Some(self.case);
        let request = RequestChange { version: 1, look_at: Some(at(500)), case_id, ..next };
        let jobs = [self.upkeep, self.part].map(|job| (job, entry(case_id, Some(job))));
        EndedRestriction { case_id: self.case, request, jobs: jobs.to_vec() }
    }

    /// The states of its jobs, and whether they were asked to stop.
    async fn jobs(&self, stage: &Stage) -> Vec<(JobState, bool)> {
        let mut found = Vec::new();
        for id in [self.upkeep, self.part] {
            let job = stage.store.job(id).await.unwrap().unwrap();
            found.push((job.state, job.cancel_requested.is_some()));
        }
        found
    }

    async fn is_as_before(&self, stage: &Stage, jobs: [JobState; 2]) {
        assert_eq!(self.jobs(stage).await, jobs.map(|state| (state, false)));
        let request = stage.store.request(self.request).await.unwrap().unwrap();
        assert_eq!((request.version, request.look_at), (1, None));
        assert_eq!(stage.rows("cases").await, 1);
    }
}

/// The case of a lifting.
async fn lifting(stage: &Stage, ends: EndedRestriction) -> NewCase {
    let request = taken(stage, "lifting", &[8]).await;
    let case = new_case(1);
    let next = change(request, RequestState::Executing, None);
    let next = RequestChange { case_id: Some(case.id), ..next };
    NewCase { request: Some(next), ends: vec![ends], ..case }
}

async fn a_restriction_ends_with_the_case_of_its_lifting_or_not_at_all(stage: Stage) {
    let restriction = Restriction::begun(&stage).await;
    let case = lifting(&stage, restriction.ends()).await;
    let evidence = stage.rows("evidence_outbox").await;
    let before = [JobState::Scheduled, JobState::Available];

    // Somebody has refused the lifting.
    let mut refused = case.clone();
    refused.request.as_mut().unwrap().version = 3;
    let opened = stage.store.open_case(refused, at(2)).await.unwrap();
    assert_eq!(opened, OpenedCase::Lost);
    restriction.is_as_before(&stage, before).await;

    // A certificate of the restriction came in between.
    let mut answered = case.clone();
    answered.ends[0].request.version = 0;
    let opened = stage.store.open_case(answered, at(2)).await.unwrap();
    assert_eq!(opened, OpenedCase::Lost);
    restriction.is_as_before(&stage, before).await;

    // One of its jobs came in between.
    let mut unnamed = case.clone();
    unnamed.ends[0].jobs.truncate(1);
    let opened = stage.store.open_case(unnamed, at(2)).await.unwrap();
    assert_eq!(opened, OpenedCase::Lost);
    restriction.is_as_before(&stage, before).await;
    assert_eq!(stage.rows("evidence_outbox").await, evidence);

    assert_eq!(stage.store.open_case(case, at(3)).await.unwrap(), OpenedCase::Opened);
    assert_eq!(restriction.jobs(&stage).await, [(JobState::Cancelled, true); 2]);
    let request = stage.store.request(restriction.request).await.unwrap().unwrap();
    assert_eq!((request.version, request.look_at), (2, Some(at(500))));
    assert_eq!(stage.rows("evidence_outbox").await, evidence + 2);
    let certifiable = stage.store.cases_to_certify(None, 9).await.unwrap();
    let certifiable: Vec<Uuid> = certifiable.iter().map(|case| case.id).collect();
    assert_eq!(certifiable, [restriction.case]);
}

async fn nothing_ends_while_somebody_is_at_work_on_it(stage: Stage) {
    let restriction = Restriction::begun(&stage).await;
    let mine = tenure(&stage.claim_one("worker", 2).await);
    assert_eq!(mine.job, restriction.part);
    let case = lifting(&stage, restriction.ends()).await;
    let opened = stage.store.open_case(case.clone(), at(3)).await.unwrap();
    assert_eq!(opened, OpenedCase::Lost);
    restriction.is_as_before(&stage, [JobState::Scheduled, JobState::Running]).await;

    // A third party was asked, and has not answered: whoever would ask it next stops.
    let reference = "theirs".to_owned();
    let settlement = Settlement::Waiting { ask_at: at(900), reference, overdue: None };
    let settle = Settle { tenure: mine, settlement, now: at(4), evidence: Vec::new() };
    assert!(stage.store.settle(settle).await.unwrap());
    assert_eq!(stage.store.open_case(case, at(5)).await.unwrap(), OpenedCase::Opened);
    let jobs = restriction.jobs(&stage).await;
    assert_eq!(jobs, [(JobState::Cancelled, true), (JobState::Waiting, true)]);
}

async fn what_waits_for_a_second_person_is_called_off_too(stage: Stage) {
    let waits = (CaseState::AwaitingApproval, Some(BlockedReason::Approval));
    let restriction = Restriction::begun_as(&stage, waits.0, waits.1).await;
    let case = lifting(&stage, restriction.ends()).await;
    assert_eq!(stage.store.open_case(case, at(3)).await.unwrap(), OpenedCase::Opened);
    assert_eq!(restriction.jobs(&stage).await, [(JobState::Cancelled, true); 2]);
    let case = stage.store.case(restriction.case).await.unwrap().unwrap();
    assert_eq!(case.state, CaseState::Executing, "nobody can approve it any more");
}
