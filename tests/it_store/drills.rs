//! Drills: one at a time, one for each occurrence, only forward, and whatever an ended one has left is
//! to be taken away.

use quietus::store::{Drill, DrillState, DrillStep, NewDrill};
use serde_json::json;
use uuid::Uuid;

use crate::requests::taken;
use crate::stage::{Stage, at, entry, new_id};

on_both! {
    one_at_a_time_and_one_for_each_occurrence,
    it_goes_forward_step_by_step_and_once,
    what_has_ended_is_cleaned_wherever_it_may_have_planted,
    the_schedule_counts_from_the_latest_occurrence,
}

fn new_drill(due: Option<i64>) -> NewDrill {
    NewDrill {
        id: new_id(),
        due_at: due.map(at),
        begun_by: "operator".to_owned(),
        systems: vec![
            ("crm".to_owned(), Ok(json!({"records": []}))),
            ("desk".to_owned(), Err("it plants nothing".to_owned())),
            ("shop".to_owned(), Ok(json!({"records": []}))),
        ],
        evidence: vec![entry(None, None)],
    }
}

async fn begun(stage: &Stage, due: Option<i64>, second: i64) -> Uuid {
    let new = new_drill(due);
    let id = new.id;
    assert!(stage.store.begin_drill(new, at(second)).await.unwrap());
    id
}

async fn read(stage: &Stage, id: Uuid) -> Drill {
    stage.store.drill(id).await.unwrap().unwrap()
}

async fn one_at_a_time_and_one_for_each_occurrence(stage: Stage) {
    let store = &stage.store;
    let first = begun(&stage, Some(10), 11).await;
    assert!(!store.begin_drill(new_drill(None), at(12)).await.unwrap(), "one is under way");
    assert_eq!(store.open_drill().await.unwrap().unwrap().id, first);
    assert!(
        store.end_drill(first, Some("overtaken"), at(13), vec![entry(None, None)]).await.unwrap()
    );
    assert!(!store.end_drill(first, None, at(14), vec![entry(None, None)]).await.unwrap());
    let drill = read(&stage, first).await;
    assert_eq!((drill.state, drill.why.as_deref()), (DrillState::NotDone, Some("overtaken")));
    assert!(!store.begin_drill(new_drill(Some(10)), at(15)).await.unwrap(), "it had its own");
    let second = begun(&stage, Some(20), 21).await;
    let latest: Vec<Uuid> =
        store.latest_drills(10).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(latest, [second, first]);
    assert_eq!(stage.rows("drill_systems").await, 6);
    let counts = store.drill_counts().await.unwrap();
    assert_eq!((counts.not_done, counts.last_done, counts.to_clean), (1, None, 2));
}

async fn it_goes_forward_step_by_step_and_once(stage: Stage) {
    let store = &stage.store;
    let id = begun(&stage, None, 1).await;
    let planted = json!({"records": ["one"]});
    assert!(!store.drill_brings_back(id).await.unwrap(), "it is not erasing");
    store.drill_trouble((id, "crm"), "no answer", at(9)).await.unwrap();
    assert!(store.drill_planted((id, "crm"), &planted, (at(2), false)).await.unwrap());
    assert!(!store.drill_planted((id, "crm"), &planted, (at(3), false)).await.unwrap(), "once");
    let systems = store.drill_systems(id).await.unwrap();
    let names: Vec<&str> = systems.iter().map(|one| one.system.as_str()).collect();
    assert_eq!(names, ["crm", "desk", "shop"]);
    assert_eq!((&systems[0].planted, systems[0].planted_at), (&Some(planted.clone()), Some(at(2))));
    assert_eq!(systems[0].trouble, None, "it went well since");
    assert_eq!(systems[1].left_out.as_deref(), Some("it plants nothing"));
    assert!(
        !store.drill_planted((id, "crm"), &planted, (at(4), true)).await.unwrap(),
        "not erased"
    );
    let request = taken(&stage, "drill", &[1]).await;
    assert!(store.drill_asked(id, request, at(5)).await.unwrap());
    assert!(!store.drill_asked(id, request, at(6)).await.unwrap());
    assert!(store.drill_step((id, "crm"), DrillStep::Erased, at(7)).await.unwrap());
    assert!(!store.drill_step((id, "crm"), DrillStep::Erased, at(8)).await.unwrap());
    assert!(store.drill_brings_back(id).await.unwrap());
    assert!(store.drill_planted((id, "crm"), &planted, (at(9), true)).await.unwrap());
    assert!(store.drill_is_back(id, at(10)).await.unwrap());
    assert!(store.drill_step((id, "crm"), DrillStep::Again, at(11)).await.unwrap());
    assert!(store.end_drill(id, None, at(12), Vec::new()).await.unwrap());
    let drill = read(&stage, id).await;
    assert_eq!(drill.state, DrillState::Done);
    assert_eq!(
        (drill.asked_at, drill.back_at, drill.ended_at),
        (Some(at(5)), Some(at(10)), Some(at(12)))
    );
    assert_eq!(store.drill_counts().await.unwrap().last_done, Some(at(12)));
}

async fn what_has_ended_is_cleaned_wherever_it_may_have_planted(stage: Stage) {
    let store = &stage.store;
    let id = begun(&stage, None, 1).await;
    assert!(store.drills_to_clean().await.unwrap().is_empty(), "it is under way");
    store.end_drill(id, Some("stopped"), at(2), Vec::new()).await.unwrap();
    let names = async || -> Vec<String> {
        store.drills_to_clean().await.unwrap().into_iter().map(|one| one.system).collect()
    };
    // Whatever was not written down may have been planted all the same.
    assert_eq!(names().await, ["crm", "shop"]);
    store.drill_trouble((id, "shop"), "no answer", at(9)).await.unwrap();
    assert!(store.drill_step((id, "crm"), DrillStep::Cleaned, at(3)).await.unwrap());
    assert_eq!(names().await, ["shop"]);
    assert!(store.drill_step((id, "shop"), DrillStep::Cleaned, at(4)).await.unwrap());
    assert!(!store.drill_step((id, "shop"), DrillStep::Cleaned, at(5)).await.unwrap());
    assert!(names().await.is_empty());
}

async fn the_schedule_counts_from_the_latest_occurrence(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.drill_cursor().await.unwrap(), None);
    store.seed_drills(at(5)).await.unwrap();
    store.seed_drills(at(6)).await.unwrap();
    assert_eq!(store.drill_cursor().await.unwrap(), Some(at(5)));
    let id = begun(&stage, None, 7).await;
    store.end_drill(id, Some("stopped"), at(8), Vec::new()).await.unwrap();
    assert_eq!(store.drill_cursor().await.unwrap(), Some(at(5)), "begun by somebody");
    begun(&stage, Some(9), 10).await;
    assert_eq!(store.drill_cursor().await.unwrap(), Some(at(9)));
}
