//! `look_at_residues`: the stages that a kind declares, for each who waits, and no effect where nothing
//! may be driven. What the bytes on the disk say is tested with servers of one's own.

use quietus_connectors::{
    Fault, ResidueLook, ResidueSight, ResidueWait, residue_drives, residue_stages, residues_beyond,
};
use serde_json::json;

use crate::fixture::Fixture;

fn names(fixture: &Fixture) -> Vec<String> {
    let stages = residue_stages(fixture.kind.name()).iter();
    stages.map(|stage| stage.name.to_owned()).collect()
}

async fn furnish(fixture: &Fixture) -> ResidueWait {
    fixture
        .sql(
            "CREATE TABLE people (id {bigint} NOT NULL PRIMARY KEY, name {text});
             INSERT INTO people VALUES (1, 'one'), (2, 'two'); DELETE FROM people WHERE id = 1",
        )
        .await;
    ResidueWait { collections: vec![fixture.kind.source("people")], mark: None }
}

fn stages_of(sight: &ResidueSight) -> Vec<&str> {
    sight.stages.iter().map(|stage| stage.stage.as_str()).collect()
}

pub async fn every_declared_stage_is_told_for_each_who_waits(fixture: &Fixture) {
    let wait = furnish(fixture).await;
    let (all, connector) = (names(fixture), fixture.connector());
    assert!(!all.is_empty());
    let look = ResidueLook {
        stages: all.clone(),
        drive: Vec::new(),
        acts: true,
        waits: vec![wait.clone(), wait.clone()],
    };
    let first = connector.look_at_residues(&look).await.expect("a look");
    assert_eq!(first.len(), 2);
    for sight in &first {
        assert_eq!(stages_of(sight), all);
        // What is not gone says why.
        assert!(sight.stages.iter().all(|one| one.gone != one.why.is_some()), "{sight:?}");
        assert!(!sight.mark.to_string().contains("two"));
    }
    // One goes on where it was, and one comes new; only some stages are asked for.
    let last = all.last().expect("a stage").clone();
    let again = ResidueLook {
        stages: vec![last.clone()],
        drive: Vec::new(),
        acts: true,
        waits: vec![ResidueWait { mark: Some(first[0].mark.clone()), ..wait.clone() }, wait],
    };
    let second = connector.look_at_residues(&again).await.expect("a look");
    assert!(second.iter().all(|sight| stages_of(sight) == [last.as_str()]), "{second:?}");
}

pub async fn a_table_that_is_gone_keeps_nobody_waiting_and_a_strange_mark_is_refused(
    fixture: &Fixture,
) {
    let mut wait = furnish(fixture).await;
    wait.collections.push("nowhere".to_owned());
    let connector = fixture.connector();
    let look = |wait: ResidueWait| ResidueLook {
        stages: names(fixture),
        drive: Vec::new(),
        acts: true,
        waits: vec![wait],
    };
    assert_eq!(connector.look_at_residues(&look(wait.clone())).await.expect("a look").len(), 1);
    let strange = ResidueWait { mark: Some(json!("of tomorrow")), ..wait };
    let refused = connector.look_at_residues(&look(strange)).await;
    assert!(matches!(refused, Err(Fault::Rejected { .. })), "{refused:?}");
}

pub async fn stages_and_drives_belong_together(fixture: &Fixture) {
    let kind = fixture.kind.name();
    let sentences = fixture.connector().capabilities().residues;
    for stage in residue_stages(kind) {
        assert!(stage.covers.is_empty() || sentences.iter().any(|one| one == stage.covers));
        let earlier = residue_stages(kind).iter().take_while(|one| one.name != stage.name);
        let earlier: Vec<&str> = earlier.map(|one| one.name).collect();
        assert!(stage.after.iter().all(|one| earlier.contains(one)), "{stage:?}");
    }
    for drive in residue_drives(kind) {
        assert!(residue_stages(kind).iter().any(|stage| stage.name == drive.stage), "{drive:?}");
    }
    assert!(!residues_beyond(kind).is_empty());
}
