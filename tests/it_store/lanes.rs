//! Lanes: each job is in exactly one of those of a process.

use std::collections::BTreeSet;
use std::sync::Arc;

use quietus::domain::SystemName;
use quietus::store::{JobKind, Lane, OpenedCase};
use uuid::Uuid;

use crate::stage::{Stage, at, claim, new_case, new_id};

on_both! {
    every_job_is_in_one_lane,
    work_of_a_newer_version_is_left_to_it,
}

async fn every_job_is_in_one_lane(stage: Stage) {
    let jobs = [
        (JobKind::Sweep, "shop"),
        (JobKind::Backup, "vault"),
        (JobKind::Residue, "shop"),
        (JobKind::Request, "shop"),
        (JobKind::Request, "mailer"),
        (JobKind::Replay, "shop"),
    ];
    let mut case = new_case(6);
    for (job, (kind, system)) in case.jobs.iter_mut().zip(jobs) {
        (job.kind, job.system) = (kind, SystemName::parse(system).unwrap());
    }
    let ids: Vec<Uuid> = case.jobs.iter().map(|job| job.id).collect();
    assert_eq!(stage.store.open_case(case, at(0)).await.unwrap(), OpenedCase::Opened);
    let mailer: Arc<[String]> = Arc::new(["mailer".to_owned()]);
    let lanes = [
        (Lane::ThirdParties(Arc::clone(&mailer)), vec![ids[4]]),
        (Lane::Background, vec![ids[0], ids[1], ids[2]]),
        (Lane::Databases(mailer), vec![ids[3], ids[5]]),
    ];
    for (lane, expected) in lanes {
        let claimed = stage.store.claim_in(&lane, claim("worker", 1, 100)).await.unwrap();
        let claimed: BTreeSet<Uuid> = claimed.iter().map(|one| one.job.id).collect();
        assert_eq!(claimed, expected.into_iter().collect(), "{}", lane.as_str());
    }
    assert!(stage.store.claim(claim("worker", 1, 100)).await.unwrap().is_empty());
    // Whose lease has ended is taken over in its lane.
    let lane = Lane::ThirdParties(Arc::new(["mailer".to_owned()]));
    let again = stage.store.claim_in(&lane, claim("other", 100, 100)).await.unwrap();
    assert_eq!(again.iter().map(|one| one.job.id).collect::<Vec<_>>(), [ids[4]]);
    // A process whose data map has no third parties takes their jobs with the others.
    let lane = Lane::Databases(Arc::new([]));
    assert_eq!(stage.store.claim_in(&lane, claim("third", 100, 100)).await.unwrap().len(), 2);
}

async fn work_of_a_newer_version_is_left_to_it(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    let id = new_id();
    let id = if stage.store.kind() == "sqlite" {
        format!("x'{}'", id.simple())
    } else {
        format!("'{id}'")
    };
    let newer = format!(
        "INSERT INTO jobs (id, case_id, system, kind, state, attempt, attempts_allowed,
             available_at, payload, created_at)
         SELECT {id}, case_id, system, 'of-the-future', state, attempt, attempts_allowed,
             available_at - 1, payload, created_at FROM jobs"
    );
    assert_eq!(stage.intrude(&newer).await.unwrap(), 1);
    let none: Arc<[String]> = Arc::new([]);
    for lane in
        [Lane::Background, Lane::ThirdParties(Arc::clone(&none)), Lane::Databases(none), Lane::Any]
    {
        let claimed = stage.store.claim_in(&lane, claim("worker", 1, 100)).await.unwrap();
        for one in claimed {
            assert_eq!(one.job.id, jobs[0], "{}", lane.as_str());
        }
    }
    let waits = "jobs WHERE kind = 'of-the-future' AND state = 'available' AND attempt = 0";
    assert_eq!(stage.rows(waits).await, 1);
}
