//! Holds, pauses, events, marks and leases.

use quietus::domain::{JobState, RuleName, SystemName};
use quietus::store::{
    BlockedReason, EventPage, HeldBy, HoldFilter, HoldKey, Lead, NewCertificate, NewEvent, NewHold,
    NewJob, NewPause, PauseScope, Recorded, Settle, Settlement, Start, Started,
};
use serde_json::json;
use uuid::Uuid;

use crate::certificates::{certificate, completed, settle};
use crate::stage::{Stage, at, claim, entry, new_id, new_job, tenure};

on_both! {
    a_hold_counts_the_version_up,
    a_release_wakes_what_was_held,
    a_release_in_between_is_not_missed,
    a_release_before_a_job_waits_for_it_is_not_missed,
    what_is_paused_is_neither_claimed_nor_started,
    a_resumption_in_between_is_not_missed,
    an_event_told_twice_is_one,
    the_latest_event_counts,
    marks_and_leads,
}

fn hold(matter: &str) -> NewHold {
    NewHold {
        id: new_id(),
        matter: matter.to_owned(),
        scope: json!({"system": "shop"}),
        sealed: Some(vec![1, 2, 3]),
        reason: "litigation".to_owned(),
        placed_by: "counsel".to_owned(),
        review_on: Some("2027-03-01".parse().unwrap()),
    }
}

async fn a_hold_counts_the_version_up(stage: Stage) {
    let store = &stage.store;
    stage.case_with_jobs(1).await;
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let before = store.heartbeat(&mine, at(90)).await.unwrap().unwrap();
    let placed = store.place_hold(hold("matter-1"), at(1), vec![entry(None, None)]).await.unwrap();
    let after = store.heartbeat(&mine, at(90)).await.unwrap().unwrap();
    assert_eq!((before.holds_version, after.holds_version, placed), (0, 1, 1));
    let second = hold("matter-1");
    store.place_hold(second.clone(), at(2), Vec::new()).await.unwrap();
    // One that cannot be written does not count.
    assert!(store.place_hold(second.clone(), at(3), Vec::new()).await.is_err());
    let (version, holds) = store.holds_in_force().await.unwrap();
    assert_eq!((version, holds.len()), (2, 2));
    assert_eq!(
        (holds[1].id, &holds[1].scope, holds[1].review_on),
        (second.id, &second.scope, second.review_on)
    );
    assert_eq!(holds[1].sealed, Some(vec![1, 2, 3]));
    let key = HoldKey::Id(second.id);
    assert_eq!(store.release_holds(key.clone(), "counsel", at(4), Vec::new()).await.unwrap(), 1);
    assert_eq!(store.release_holds(key, "counsel", at(5), Vec::new()).await.unwrap(), 0);
    assert_eq!(store.holds_version().await.unwrap(), 3);
    let all = store.list_holds(HoldFilter::All).await.unwrap();
    assert_eq!((all.len(), all[1].released.clone()), (2, Some(("counsel".to_owned(), at(4)))));
    assert_eq!(store.list_holds(HoldFilter::Active).await.unwrap().len(), 1);
}

async fn a_release_wakes_what_was_held(stage: Stage) {
    let store = &stage.store;
    let (_, jobs) = stage.case_with_jobs(1).await;
    let version = store.place_hold(hold("matter-1"), at(0), Vec::new()).await.unwrap();
    store.place_hold(hold("matter-1"), at(0), Vec::new()).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let matters = vec!["matter-1".to_owned()];
    let settlement = Settlement::Held { matters: matters.clone(), holds_version: version + 1 };
    let settle = Settle { tenure: mine, settlement, now: at(1), evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    let held = store.job(jobs[0]).await.unwrap().unwrap();
    assert_eq!((held.state, held.hold_matters), (JobState::Held, matters));
    assert!(store.claim(claim("worker", 999, 5)).await.unwrap().is_empty());
    let key = HoldKey::Matter("matter-1".to_owned());
    assert_eq!(store.release_holds(key, "counsel", at(1000), Vec::new()).await.unwrap(), 2);
    let again = stage.claim_one("worker", 1000).await;
    assert!(again.job.hold_matters.is_empty());
}

async fn a_release_in_between_is_not_missed(stage: Stage) {
    let store = &stage.store;
    let (_, jobs) = stage.case_with_jobs(1).await;
    let seen = store.place_hold(hold("matter-1"), at(0), Vec::new()).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 0).await);
    let key = HoldKey::Matter("matter-1".to_owned());
    store.release_holds(key, "counsel", at(1), Vec::new()).await.unwrap();
    let matters = vec!["matter-1".to_owned()];
    let settlement = Settlement::Held { matters, holds_version: seen };
    let settle = Settle { tenure: mine, settlement, now: at(2), evidence: Vec::new() };
    assert!(store.settle(settle).await.unwrap());
    // Nothing would ever wake it again, had it been put to sleep.
    assert_eq!(store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Available);
}

/// Something was kept for a hold, and before the certificate says so and a job waits for its release,
/// it is released: whoever released it found no such job.
async fn a_release_before_a_job_waits_for_it_is_not_missed(stage: Stage) {
    let store = &stage.store;
    let (stays, goes) = (hold("m-1"), hold("m-1"));
    for one in [&stays, &goes] {
        store.place_hold(one.clone(), at(0), Vec::new()).await.unwrap();
    }
    store.release_holds(HoldKey::Id(goes.id), "counsel", at(1), Vec::new()).await.unwrap();
    let waits = |matter: &str, holds: &[Uuid]| {
        let matters = vec![matter.to_owned()];
        let held_by = HeldBy { matters, holds: holds.iter().copied().collect() };
        NewJob { held_by: Some(held_by), ..new_job("system-0") }
    };
    let later = [
        (waits("m-1", &[stays.id]), JobState::Held),
        (waits("m-1", &[goes.id]), JobState::Available),
        (waits("m-1", &[stays.id, goes.id]), JobState::Available),
        (waits("m-1", &[]), JobState::Held),
        (waits("m-2", &[]), JobState::Available),
    ];
    let (case, _) = stage.case_with_jobs(1).await;
    settle(&stage, 2, completed()).await;
    let certificate = NewCertificate {
        later: later.iter().map(|(job, _)| job.clone()).collect(),
        ..certificate(case, 3, "old-accounts")
    };
    assert!(stage.certify(certificate).await.unwrap());
    for (job, state) in &later {
        let written = store.job(job.id).await.unwrap().unwrap();
        assert_eq!(written.state, *state, "{:?}", job.held_by);
        assert_eq!(written.hold_matters.is_empty(), *state == JobState::Available);
    }
}

async fn what_is_paused_is_neither_claimed_nor_started(stage: Stage) {
    let store = &stage.store;
    let (case, jobs) = stage.case_with_jobs(2).await;
    let scopes = [
        PauseScope::Everything,
        PauseScope::Case(case),
        PauseScope::System(SystemName::parse("system-0").unwrap()),
    ];
    let begun = stage.claim_one("worker", 0).await;
    let other = stage.claim_one("worker", 0).await;
    let (paused, free) =
        if begun.job.system == "system-0" { (begun, other) } else { (other, begun) };
    for scope in scopes {
        let pause = NewPause {
            id: new_id(),
            scope: scope.clone(),
            paused_by: "operator".to_owned(),
            reason: "maintenance".to_owned(),
        };
        assert!(store.pause(pause.clone(), at(1), vec![entry(None, None)]).await.unwrap());
        let again = NewPause { id: new_id(), ..pause };
        assert!(!store.pause(again, at(1), Vec::new()).await.unwrap());
        assert_eq!(store.active_pauses().await.unwrap()[0].scope, scope);
        let start =
            |tenure| Start { tenure, now: at(2), lease_until: at(60), evidence: Vec::new() };
        let started = store.start_attempt(start(tenure(&paused))).await.unwrap();
        assert!(matches!(started, Started::Paused(_)), "{scope:?}");
        let claimed = store.claim(claim("worker", 500, 5)).await.unwrap();
        let only_other = matches!(scope, PauseScope::System(_));
        assert_eq!(claimed.len(), usize::from(only_other), "{scope:?}");
        assert!(claimed.iter().all(|one| one.job.id == free.job.id));
        assert!(store.resume(&scope, "operator", at(3), Vec::new()).await.unwrap());
        assert!(!store.resume(&scope, "operator", at(3), Vec::new()).await.unwrap());
    }
    assert_eq!(store.pauses_version().await.unwrap(), 6);
    assert!(store.active_pauses().await.unwrap().is_empty());
    assert_eq!(store.claim(claim("worker", 9000, 5)).await.unwrap().len(), jobs.len());
}

async fn a_resumption_in_between_is_not_missed(stage: Stage) {
    let store = &stage.store;
    let (_, jobs) = stage.case_with_jobs(1).await;
    let scope = PauseScope::Rule(RuleName::parse("old-accounts").unwrap());
    let pause = || NewPause {
        id: new_id(),
        scope: scope.clone(),
        paused_by: "operator".to_owned(),
        reason: "doubt".to_owned(),
    };
    let settle = |tenure, pauses_version, second| Settle {
        tenure,
        settlement: Settlement::Blocked {
            reason: BlockedReason::Pause,
            pauses_version,
            asks: None,
        },
        now: at(second),
        evidence: Vec::new(),
    };
    store.pause(pause(), at(0), Vec::new()).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 0).await);
    store.resume(&scope, "operator", at(1), Vec::new()).await.unwrap();
    assert!(store.settle(settle(mine, 1, 2)).await.unwrap());
    assert_eq!(store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Available);

    store.pause(pause(), at(3), Vec::new()).await.unwrap();
    let mine = tenure(&stage.claim_one("worker", 3).await);
    assert!(store.settle(settle(mine, 3, 4)).await.unwrap());
    assert_eq!(store.job(jobs[0]).await.unwrap().unwrap().state, JobState::Blocked);
    store.resume(&scope, "operator", at(5), Vec::new()).await.unwrap();
    assert_eq!(stage.claim_one("worker", 5).await.job.id, jobs[0]);
}

fn event(tag: u8, second: i64, revokes: bool, key: &str) -> NewEvent {
    NewEvent {
        id: new_id(),
        name: "contract.ended".to_owned(),
        key_tag: vec![tag; 32],
        sealed_key: vec![9; 40],
        occurred_at: at(second),
        source: "billing".to_owned(),
        revokes,
        idempotency_key: key.to_owned(),
    }
}

async fn an_event_told_twice_is_one(stage: Stage) {
    let store = &stage.store;
    let first = event(1, 10, false, "billing-1");
    assert_eq!(store.record_event(first.clone(), at(20)).await.unwrap(), Recorded::New);
    let again = NewEvent { id: new_id(), sealed_key: vec![8; 40], ..first.clone() };
    assert_eq!(store.record_event(again, at(21)).await.unwrap(), Recorded::Duplicate);
    let other = NewEvent { id: new_id(), occurred_at: at(11), ..first };
    assert_eq!(store.record_event(other, at(22)).await.unwrap(), Recorded::Differs);
    assert_eq!(stage.rows("events").await, 1);
}

async fn the_latest_event_counts(stage: Stage) {
    let store = &stage.store;
    for (tag, second, revokes) in [
        (1, 10, false), // ended
        (2, 10, false), // ended, renewed, ended again too late
        (2, 20, true),
        (2, 500, false),
        (3, 30, false), // ended, taken back
        (3, 40, true),
        (4, 50, true), // taken back before, told late
        (4, 60, false),
        (5, 70, false), // ended twice; the later moment counts
        (5, 5, false),
    ] {
        let key = format!("{tag}-{second}");
        let told = event(tag, second, revokes, &key);
        assert_eq!(store.record_event(told, at(second)).await.unwrap(), Recorded::New);
    }
    // Told after the first moment that is asked for: what it begins does not count there, and what
    // it takes back does.
    for (tag, second, revokes) in [(6, 80, false), (5, 90, true)] {
        let told = event(tag, second, revokes, &format!("late-{tag}-{second}"));
        assert_eq!(store.record_event(told, at(300)).await.unwrap(), Recorded::New);
    }
    let mut page = EventPage {
        name: "contract.ended".to_owned(),
        until: at(100),
        told_until: at(100),
        after: Vec::new(),
        limit: 2,
    };
    let mut found = Vec::new();
    loop {
        let events = store.events_in_force(page.clone()).await.unwrap();
        let Some(last) = events.last() else { break };
        page.after.clone_from(&last.key_tag);
        found.extend(events.iter().map(|one| (one.key_tag[0], one.occurred_at)));
    }
    assert_eq!(found, vec![(1, at(10)), (4, at(60))]);
    page = EventPage { until: at(500), told_until: at(500), after: Vec::new(), limit: 99, ..page };
    assert_eq!(store.events_in_force(page).await.unwrap().len(), 4);
}

async fn marks_and_leads(stage: Stage) {
    let store = &stage.store;
    let rule = RuleName::parse("old-accounts").unwrap();
    assert_eq!(store.newest_mark(&rule, at(100)).await.unwrap(), None);
    for second in [10, 50, 50, 200] {
        store.record_mark(&rule, at(second)).await.unwrap();
    }
    assert_eq!(store.newest_mark(&rule, at(100)).await.unwrap(), Some(at(50)));
    assert_eq!(store.newest_mark(&rule, at(50)).await.unwrap(), Some(at(50)));
    assert_eq!(store.newest_mark(&rule, at(9)).await.unwrap(), None);

    let lead = |holder, until| Lead { name: "sweep", holder, until: at(until) };
    assert!(store.try_lead(lead("one", 15), at(0)).await.unwrap());
    assert!(!store.try_lead(lead("two", 20), at(5)).await.unwrap());
    assert!(store.try_lead(lead("one", 25), at(10)).await.unwrap());
    assert!(!store.try_lead(lead("two", 40), at(25)).await.unwrap());
    assert!(store.try_lead(lead("two", 41), at(26)).await.unwrap());
    store.yield_lead("sweep", "one").await.unwrap();
    assert!(!store.try_lead(lead("one", 50), at(27)).await.unwrap());
    store.yield_lead("sweep", "two").await.unwrap();
    assert!(store.try_lead(lead("one", 50), at(28)).await.unwrap());
    // Nobody leads for so long: whoever took it had a clock that was wrong.
    assert!(store.try_lead(lead("one", 90_004), at(90_000)).await.unwrap());
    assert!(store.try_lead(lead("two", 34), at(30)).await.unwrap());
}
