//! Alarms: raised once, told in their order, cleared once, whoever tries; what is to be told is lost with
//! nobody.

use quietus::domain::AlarmStep;
use quietus::store::{Alarm, AlarmMark, NewTelling, Telling, TellingTo, TellingWay};
use uuid::Uuid;

use crate::stage::{Stage, at, new_id};

on_both! {
    the_same_matter_is_raised_once,
    steps_are_taken_once_and_in_order,
    many_who_raise_at_once_raise_one,
    a_telling_is_taken_by_one_and_told_once,
    an_end_is_told_after_its_beginning,
    whoever_does_not_hear_is_left_alone_and_given_up,
    a_webhook_that_is_gone_is_told_again_when_somebody_says_so,
    what_is_over_is_forgotten_and_nothing_else,
    one_look_at_a_time_and_no_clock_keeps_it_off,
    an_alarm_is_never_rewritten,
}

fn alarm(place: &str) -> Alarm {
    Alarm {
        id: new_id(),
        area: "jobs".to_owned(),
        place: place.to_owned(),
        kind: "job.failed".to_owned(),
        mark: AlarmMark::Look,
        what: "a job has failed".to_owned(),
        advice: Some("mend the cause first".to_owned()),
        commands: vec!["quietus retry --system crm".to_owned()],
        since: Some(at(1)),
        raised_at: at(10),
        told_at: at(10),
        steps: 1,
        cleared_at: None,
    }
}

fn hook() -> TellingTo {
    TellingTo { way: TellingWay::Webhook, recipient: "hook".to_owned() }
}

fn address() -> TellingTo {
    TellingTo { way: TellingWay::Mail, recipient: "1".to_owned() }
}

/// What is to be told of a step, until second 1000.
fn telling(to: TellingTo, event: AlarmStep) -> NewTelling {
    let body = format!("{{\"type\":\"{event}\"}}");
    NewTelling { to, event, body, give_up_at: at(1_000), is_gone: false }
}

/// An alarm that was raised at second 10, of which the hook is to be told.
async fn raised(stage: &Stage, place: &str) -> Alarm {
    let alarm = alarm(place);
    let tellings = vec![telling(hook(), AlarmStep::Raised)];
    assert!(stage.store.raise_alarm(&alarm, tellings).await.unwrap());
    alarm
}

async fn due(stage: &Stage, second: i64) -> Vec<Telling> {
    stage.store.due_tellings(&hook(), at(second), 99).await.unwrap()
}

async fn taken(stage: &Stage, telling: &Telling, second: i64) -> Option<Telling> {
    stage.store.take_telling(telling, at(second), at(second + 60)).await.unwrap()
}

async fn the_same_matter_is_raised_once(stage: Stage) {
    let store = &stage.store;
    let first = raised(&stage, "system crm").await;
    assert_eq!(store.open_alarms(9).await.unwrap(), vec![first.clone()]);
    let again = alarm("system crm");
    let tellings = vec![telling(hook(), AlarmStep::Raised)];
    assert!(!store.raise_alarm(&again, tellings).await.unwrap());
    assert_eq!(due(&stage, 10).await.len(), 1, "nothing is told of what was not raised");
    let other =
        Alarm { kind: "job.waiting".to_owned(), area: "jobs".to_owned(), ..alarm("system crm") };
    assert!(store.raise_alarm(&other, Vec::new()).await.unwrap(), "another kind is another alarm");
    assert_eq!(store.open_alarms_by_area().await.unwrap(), [("jobs".to_owned(), 2)]);
    assert!(store.clear_alarm(&first, at(20), Vec::new()).await.unwrap());
    assert_eq!(store.open_alarms_by_area().await.unwrap(), [("jobs".to_owned(), 1)]);
    let cleared = store.cleared_alarms(9).await.unwrap();
    assert_eq!(cleared.len(), 1);
    assert_eq!((cleared[0].id, cleared[0].cleared_at), (first.id, Some(at(20))));
    let later = Alarm { raised_at: at(30), told_at: at(30), ..alarm("system crm") };
    assert!(store.raise_alarm(&later, Vec::new()).await.unwrap(), "it is back: a new alarm");
}

async fn steps_are_taken_once_and_in_order(stage: Stage) {
    let store = &stage.store;
    let first = raised(&stage, "system crm").await;
    let changed = Alarm { what: "two jobs have failed".to_owned(), since: None, ..first.clone() };
    assert!(store.change_alarm(&changed).await.unwrap());
    assert_eq!(store.open_alarms(9).await.unwrap(), vec![changed.clone()]);
    let worse = Alarm { mark: AlarmMark::Wrong, ..changed };
    let again = || vec![telling(hook(), AlarmStep::Again)];
    assert!(store.alarm_again(&worse, at(20), again()).await.unwrap());
    assert!(!store.alarm_again(&worse, at(20), again()).await.unwrap(), "by one of two");
    assert!(!store.change_alarm(&worse).await.unwrap(), "it has gone on since it was read");
    assert!(!store.clear_alarm(&worse, at(20), Vec::new()).await.unwrap());
    let [now] = <[Alarm; 1]>::try_from(store.open_alarms(9).await.unwrap()).unwrap();
    assert_eq!((now.mark, now.steps, now.told_at), (AlarmMark::Wrong, 2, at(20)));
    let cleared = || vec![telling(hook(), AlarmStep::Cleared)];
    assert!(store.clear_alarm(&now, at(30), cleared()).await.unwrap());
    assert!(!store.clear_alarm(&now, at(30), cleared()).await.unwrap(), "once");
    let ended = Alarm { steps: 3, ..now };
    assert!(!store.alarm_again(&ended, at(40), again()).await.unwrap(), "it is over");
    let told = due(&stage, 99).await;
    let steps: Vec<(u32, AlarmStep)> = told.iter().map(|one| (one.step, one.event)).collect();
    assert_eq!(steps, [(1, AlarmStep::Raised), (2, AlarmStep::Again), (3, AlarmStep::Cleared)]);
}

async fn many_who_raise_at_once_raise_one(stage: Stage) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = stage.store.clone();
        let tellings =
            vec![telling(hook(), AlarmStep::Raised), telling(address(), AlarmStep::Raised)];
        tasks
            .spawn(async move { store.raise_alarm(&alarm("system crm"), tellings).await.unwrap() });
    }
    let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!((stage.rows("alarms").await, stage.rows("alarm_tellings").await), (1, 2));
    let alarm = stage.store.open_alarms(9).await.unwrap().remove(0);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, alarm) = (stage.store.clone(), alarm.clone());
        let tellings = vec![telling(hook(), AlarmStep::Cleared)];
        tasks.spawn(async move { store.clear_alarm(&alarm, at(20), tellings).await.unwrap() });
    }
    let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(stage.rows("alarm_tellings").await, 3);
}

async fn a_telling_is_taken_by_one_and_told_once(stage: Stage) {
    let store = &stage.store;
    raised(&stage, "system crm").await;
    assert!(due(&stage, 9).await.is_empty());
    assert_eq!(store.waiting_recipients().await.unwrap(), [hook()]);
    let one = due(&stage, 10).await.remove(0);
    assert_eq!((one.attempts, one.event, one.written_at), (0, AlarmStep::Raised, at(10)));
    let mine = taken(&stage, &one, 11).await.unwrap();
    assert_eq!(mine.attempts, 1);
    assert!(taken(&stage, &one, 11).await.is_none(), "another one has it");
    assert!(due(&stage, 70).await.is_empty());
    // Whoever took it is gone: another one takes it, and the first one's late word is none.
    let second = taken(&stage, &due(&stage, 71).await.remove(0), 71).await.unwrap();
    assert!(!store.telling_told(&mine, at(72)).await.unwrap());
    assert!(!store.telling_later(&mine, at(99), "away").await.unwrap());
    assert!(!store.telling_refused(&mine, at(99), "no").await.unwrap());
    assert!(store.telling_told(&second, at(73)).await.unwrap());
    assert!(!store.telling_told(&second, at(73)).await.unwrap());
    assert!(due(&stage, 9_999).await.is_empty());
    assert!(store.waiting_recipients().await.unwrap().is_empty());
    let standing = store.telling_standings().await.unwrap().remove(0);
    assert_eq!((standing.waiting, standing.told_at), (0, Some(at(73))));
    assert_eq!((standing.unheard, standing.last_fault), (0, None));
}

async fn an_end_is_told_after_its_beginning(stage: Stage) {
    let store = &stage.store;
    let alarm = raised(&stage, "system crm").await;
    let tellings =
        vec![telling(hook(), AlarmStep::Cleared), telling(address(), AlarmStep::Cleared)];
    assert!(store.clear_alarm(&alarm, at(20), tellings).await.unwrap());
    let first = due(&stage, 20).await.remove(0);
    let mine = taken(&stage, &first, 20).await.unwrap();
    assert!(due(&stage, 30).await.is_empty(), "the beginning is being told");
    assert!(store.telling_later(&mine, at(50), "it is away").await.unwrap());
    assert!(due(&stage, 49).await.is_empty());
    let both = due(&stage, 50).await;
    assert_eq!(both.iter().map(|one| one.step).collect::<Vec<_>>(), [1, 2]);
    // Somebody else is told by themselves.
    let mailed = store.due_tellings(&address(), at(30), 9).await.unwrap();
    assert_eq!(mailed.len(), 1);
}

async fn whoever_does_not_hear_is_left_alone_and_given_up(stage: Stage) {
    let store = &stage.store;
    raised(&stage, "system crm").await;
    raised(&stage, "system shop").await;
    let mine = taken(&stage, &due(&stage, 10).await.remove(0), 10).await.unwrap();
    assert!(store.telling_later(&mine, at(100), "it is away").await.unwrap());
    assert_eq!(store.put_tellings_off(&hook(), (at(11), at(100)), "it is away").await.unwrap(), 0);
    assert!(due(&stage, 99).await.is_empty());
    assert_eq!(due(&stage, 100).await.len(), 2, "with it all others wait");
    let standing = store.telling_standings().await.unwrap().remove(0);
    assert_eq!((standing.waiting, standing.waiting_since), (2, Some(at(10))));
    assert_eq!(standing.next_at, Some(at(100)));
    assert_eq!(standing.last_fault.as_deref(), Some("it is away"));

    let late = (at(1_000), at(2_000));
    assert_eq!(store.put_tellings_off(&hook(), late, "it was away").await.unwrap(), 2);
    assert!(due(&stage, 9_999).await.is_empty());
    let standing = store.telling_standings().await.unwrap().remove(0);
    assert_eq!((standing.waiting, standing.unheard), (0, 2));
    assert_eq!((standing.given_up_at, standing.gone_at), (Some(at(1_000)), None));
    assert_eq!(store.tellings_again(&hook(), at(3_000), at(4_000)).await.unwrap(), 2);
    let again = due(&stage, 3_000).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|one| one.attempts == 0 && one.give_up_at == at(4_000)), "{again:?}");
    assert_eq!(
        store.call_off_tellings(&hook(), at(3_999)).await.unwrap(),
        0,
        "its time is not over"
    );
    assert_eq!(store.call_off_tellings(&hook(), at(4_000)).await.unwrap(), 2);
    assert_eq!(store.tellings_again(&hook(), at(5_000), at(6_000)).await.unwrap(), 0);
}

async fn a_webhook_that_is_gone_is_told_again_when_somebody_says_so(stage: Stage) {
    let store = &stage.store;
    let alarm = raised(&stage, "system crm").await;
    let mine = taken(&stage, &due(&stage, 10).await.remove(0), 10).await.unwrap();
    assert_eq!(store.tellings_gone(&hook(), at(11), "410").await.unwrap(), 1);
    assert!(!store.telling_told(&mine, at(12)).await.unwrap());
    let end = NewTelling { is_gone: true, ..telling(hook(), AlarmStep::Cleared) };
    assert!(store.clear_alarm(&alarm, at(20), vec![end]).await.unwrap());
    assert!(due(&stage, 9_999).await.is_empty());
    let standing = store.telling_standings().await.unwrap().remove(0);
    assert_eq!((standing.gone_at, standing.unheard), (Some(at(11)), 2));
    assert_eq!(store.tellings_again(&hook(), at(30), at(1_000)).await.unwrap(), 2);
    assert_eq!(due(&stage, 30).await.len(), 2);
    assert_eq!(store.telling_standings().await.unwrap()[0].gone_at, None);

    // Of an alarm whose end was heard, its beginning is no news.
    let [first, second] = <[Telling; 2]>::try_from(due(&stage, 30).await).unwrap();
    let first = taken(&stage, &first, 30).await.unwrap();
    assert!(store.telling_refused(&first, at(31), "no").await.unwrap());
    let second = taken(&stage, &second, 32).await.unwrap();
    assert!(store.telling_told(&second, at(33)).await.unwrap());
    assert_eq!(store.tellings_again(&hook(), at(40), at(1_000)).await.unwrap(), 0);
}

async fn what_is_over_is_forgotten_and_nothing_else(stage: Stage) {
    let store = &stage.store;
    let over = raised(&stage, "system crm").await;
    raised(&stage, "system shop").await;
    let waits = raised(&stage, "system desk").await;
    assert!(store.clear_alarm(&over, at(20), Vec::new()).await.unwrap());
    assert!(store.clear_alarm(&waits, at(20), Vec::new()).await.unwrap());
    let told = due(&stage, 20).await;
    for one in told.iter().filter(|one| one.alarm_id != waits.id) {
        let one = taken(&stage, one, 21).await.unwrap();
        assert!(store.telling_told(&one, at(22)).await.unwrap());
    }
    assert_eq!(store.forget_alarms(at(19)).await.unwrap(), 0);
    assert_eq!(stage.rows("alarm_tellings").await, 3);
    assert_eq!(store.forget_alarms(at(22)).await.unwrap(), 1);
    let left = store.cleared_alarms(9).await.unwrap();
    assert_eq!(
        left.iter().map(|one| one.id).collect::<Vec<Uuid>>(),
        [waits.id],
        "it is to be told"
    );
    assert_eq!(store.open_alarms(9).await.unwrap().len(), 1, "what is open stays");
    assert_eq!(stage.rows("alarm_tellings").await, 1);
}

async fn one_look_at_a_time_and_no_clock_keeps_it_off(stage: Stage) {
    let store = &stage.store;
    assert_eq!(store.alarms_looked_at().await.unwrap(), None);
    let claim = async |second: i64| {
        let within = (at(second - 300), at(second + 300));
        store.claim_alarm_look(at(second), within).await.unwrap()
    };
    assert!(claim(1_000).await);
    assert!(!claim(1_000).await);
    assert!(!claim(1_299).await);
    assert!(claim(1_300).await);
    assert_eq!(store.alarms_looked_at().await.unwrap(), Some(at(1_300)));
    assert!(!claim(1_000).await, "another machine's clock is a little behind");
    assert!(claim(999).await, "the clock was set back");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = stage.store.clone();
        let within = (at(4_700), at(5_300));
        tasks.spawn(async move { store.claim_alarm_look(at(5_000), within).await.unwrap() });
    }
    let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
}

async fn an_alarm_is_never_rewritten(stage: Stage) {
    let alarm = raised(&stage, "system crm").await;
    for wrong in [
        "UPDATE alarms SET area = 'other'",
        "UPDATE alarms SET place = 'other'",
        "UPDATE alarms SET kind = 'other'",
        "UPDATE alarms SET raised_at = 9",
        "UPDATE alarms SET steps = 0",
    ] {
        let Err(words) = stage.intrude(wrong).await else { panic!("`{wrong}` was done") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
    for wrong in [
        "UPDATE alarms SET mark = 'well'",
        "UPDATE alarms SET cleared_at = 5",
        "UPDATE alarm_tellings SET state = 'told'",
        "UPDATE alarm_tellings SET state = 'lost'",
        "UPDATE alarm_tellings SET way = 'pigeon'",
        "UPDATE alarm_tellings SET event = 'alarm.test'",
        "UPDATE alarm_tellings SET attempts = 1",
        "DELETE FROM alarms",
        "INSERT INTO alarm_looks (one, looked_at) VALUES (2, 1)",
    ] {
        assert!(stage.intrude(wrong).await.is_err(), "`{wrong}` was carried out");
    }
    assert!(stage.store.clear_alarm(&alarm, at(20), Vec::new()).await.unwrap());
    for wrong in ["UPDATE alarms SET cleared_at = NULL", "UPDATE alarms SET what = 'other'"] {
        let Err(words) = stage.intrude(wrong).await else { panic!("`{wrong}` was done") };
        assert!(words.contains("append-only"), "{wrong}: {words}");
    }
}
