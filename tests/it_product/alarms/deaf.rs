//! Receivers that do not hear: they are asked again, left alone for longer each time, and given up after
//! days; one that wants nothing any more is not asked again before somebody says so.

use jiff::ToSpan as _;
use serde_json::Value;

use super::receiver::secret;
use super::{BYTE, configure, heap_with, pause, resume, serving, soon, tellings, watch};
use crate::company::database::Kind;
use crate::company::engine::TurnedClock;
use crate::doctor::{commands, finding, is_well, pasted};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_twice_hears_once() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let clock = soon();
    let product = serving(&company, &clock).await;
    receiver.says(&[(500, None), (503, Some(120))]);
    pause(&company).await;
    watch(&product).await;
    product.tell_alarms().await.unwrap();
    assert_eq!(receiver.came().len(), 1, "not at once again");
    assert_eq!(tellings(&company).await, ["webhook hook alarm.raised waiting 1"]);
    // What happens meanwhile waits behind it.
    resume(&company).await;
    watch(&product).await;
    assert_eq!(receiver.came().len(), 1);
    clock.advance(11.seconds());
    product.tell_alarms().await.unwrap();
    assert_eq!(receiver.came().len(), 2);
    clock.advance(119.seconds());
    product.tell_alarms().await.unwrap();
    assert_eq!(receiver.came().len(), 2, "it has asked for two minutes");
    clock.advance(2.seconds());
    product.tell_alarms().await.unwrap();
    product.tell_alarms().await.unwrap();
    assert_eq!(
        receiver.heard(),
        ["alarm.raised pause.lasting", "alarm.cleared pause.lasting"],
        "once, in their order"
    );
    let came = receiver.came();
    assert_eq!(came.len(), 4);
    assert!(came[0].id == came[1].id && came[1].id == came[2].id && came[2].id != came[3].id);
    assert!(came[0].text == came[1].text && came[1].text == came[2].text);
    assert!(came[0].second < came[1].second && came[1].second < came[2].second);
    assert_ne!(came[0].signatures, came[1].signatures, "each attempt is signed anew");
    assert_eq!(
        tellings(&company).await,
        ["webhook hook alarm.raised told 3", "webhook hook alarm.cleared told 1"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_hears_for_days_is_given_up_and_told_again_by_what_is_printed() {
    let (company, receiver) = heap_with(Kind::Sqlite, "  again: never\n", "").await;
    // Commands go by the clock of the machine, for which this is long ago.
    let clock = TurnedClock::at("2026-06-01T12:00:00Z");
    let product = serving(&company, &clock).await;
    receiver.usually_says(500);
    pause(&company).await;
    watch(&product).await;
    for _ in 0..15 {
        clock.advance(6.hours().minutes(1));
        product.tell_alarms().await.unwrap();
    }
    let attempts = receiver.came().len();
    assert!((10..=16).contains(&attempts), "{attempts} attempts in nearly four days");
    let waits = company.quietus(&["doctor", "--json"]).await.expect(1).json();
    let waits = finding(&waits, "alarms", "wrong", "messages wait and are not heard");
    assert!(waits["what"].as_str().unwrap().contains("answered 500"), "{waits:#}");
    for _ in 0..3 {
        clock.advance(6.hours().minutes(1));
        product.tell_alarms().await.unwrap();
    }
    let last = receiver.came().len();
    clock.advance(48.hours());
    product.tell_alarms().await.unwrap();
    assert_eq!(receiver.came().len(), last, "it is given up");
    assert!(tellings(&company).await[0].contains("given_up"), "{:?}", tellings(&company).await);
    let said = company.quietus(&["doctor", "--json"]).await.expect(1);
    assert!(!said.out.contains("/quietus\""), "no address is shown: {}", said.out);
    let given_up =
        finding(&said.json(), "alarms", "wrong", "messages were not heard and are given up");
    assert_eq!(given_up["kind"], "telling.given_up");
    let [test, again] = commands(&given_up).try_into().unwrap();
    let failed = pasted(&test).await.expect(1);
    assert!(failed.out.contains("not heard") && failed.out.contains("500"), "{}", failed.out);
    // That it was given up is an alarm itself, which somebody else would hear.
    product.look_for_alarms().await.unwrap();
    assert!(super::open_kinds(&company).await.contains(&"telling.given_up".to_owned()));

    receiver.usually_says(200);
    let heard = pasted(&test).await.expect(0);
    assert!(heard.out.contains("it has answered 200"), "{}", heard.out);
    assert!(pasted(&again).await.expect(0).out.contains("message(s) are told again"));
    let later = company.replica(&TurnedClock::at("2100-01-01T00:00:00Z")).await;
    later.tell_alarms().await.unwrap();
    assert_eq!(receiver.heard_of("pause.lasting"), ["alarm.raised pause.lasting"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_is_left_alone_until_somebody_says_so() {
    let (company, receiver) = heap_with(Kind::Sqlite, "  again: never\n", "").await;
    let clock = soon();
    let product = serving(&company, &clock).await;
    receiver.says(&[(410, None)]);
    pause(&company).await;
    watch(&product).await;
    resume(&company).await;
    for _ in 0..5 {
        clock.advance(24.hours());
        watch(&product).await;
    }
    assert_eq!(receiver.came().len(), 1, "nothing more is sent there");
    let said = company.quietus(&["doctor", "--json"]).await.expect(1).json();
    let gone = finding(&said, "alarms", "wrong", "webhook hook: it has said that it wants nothing");
    assert_eq!(gone["kind"], "telling.gone");
    let [again] = commands(&gone).try_into().unwrap();
    let listed = company.quietus(&["alarm", "list"]).await.expect(1);
    assert!(listed.out.contains("webhook hook: wants nothing any more"), "{}", listed.out);
    pasted(&again).await.expect(0);
    let later = company.replica(&TurnedClock::at("2100-01-01T00:00:00Z")).await;
    watch(&later).await;
    assert!(
        receiver.heard().contains(&"alarm.raised pause.lasting".to_owned()),
        "{:?}",
        receiver.heard()
    );
    let said = company.quietus(&["doctor", "--json"]).await.json();
    let alarms = crate::doctor::findings(&said, "alarms");
    assert!(alarms.iter().all(|one| one["kind"] != "telling.gone"), "{alarms:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_away_keeps_no_other_one_waiting() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    company.write_secret("away", &secret(9));
    // Nobody listens there, and another one takes a name that leads nowhere.
    let away = "    - {name: away, url: \"http://127.0.0.1:9/quietus\", secret: \"file:secrets/away\", private_host: true}\n";
    configure(&company, "", &format!("{away}{}", receiver.entry("hook", "")));
    let product = serving(&company, &soon()).await;
    pause(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard(), ["alarm.raised pause.lasting"]);
    let listed = company.quietus(&["alarm", "list", "--json"]).await.expect(1).json();
    let of = |name: &str| -> Value {
        let all = listed["recipients"].as_array().unwrap();
        all.iter().find(|one| one["recipient"] == name).unwrap().clone()
    };
    assert_eq!((&of("away")["waiting"], &of("hook")["waiting"]), (&1.into(), &0.into()));
    assert!(of("away")["last_fault"].as_str().unwrap().contains("could not be reached"));
    assert!(of("hook")["told_at"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_changed_without_a_gap_and_one_that_is_none_is_named() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let clock = soon();
    company.write_secret("new", &secret(8));
    // The receiver still knows the earlier one.
    let both = receiver.entry("hook", ", former_secret: \"file:secrets/hook\"");
    configure(&company, "", &both.replacen("file:secrets/hook", "file:secrets/new", 1));
    let product = serving(&company, &clock).await;
    pause(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard().len(), 1);
    assert_eq!(receiver.came()[0].signatures.split(' ').count(), 2);
    receiver.knows(8);
    resume(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard().len(), 2);

    company.write_secret("new", "correct horse battery staple");
    company.write_secret("hook", &secret(BYTE));
    let tried = company.quietus(&["alarm", "test"]).await.expect(1);
    assert!(tried.out.contains("its secret is none: write `whsec_`"), "{}", tried.out);
    assert!(!tried.out.contains("horse"), "{}", tried.out);
    pause(&company).await;
    watch(&product).await;
    assert_eq!(receiver.heard().len(), 2);
    assert!(tellings(&company).await.last().unwrap().ends_with("waiting 1"));
    company.write_secret("new", &secret(8));
    clock.advance(6.minutes());
    product.tell_alarms().await.unwrap();
    assert_eq!(receiver.heard().len(), 3, "the secret is read when it is needed");
    assert_eq!(receiver.forged(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_left_the_file_is_told_nothing_more() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let clock = soon();
    let product = serving(&company, &clock).await;
    receiver.usually_says(500);
    pause(&company).await;
    watch(&product).await;
    product.store.close().await;
    configure(&company, "", "");
    let product = company.replica(&clock).await;
    clock.advance(1.hour());
    product.tell_alarms().await.unwrap();
    assert_eq!(
        tellings(&company).await,
        ["webhook hook alarm.raised waiting 1"],
        "a newer file may know it"
    );
    clock.advance(96.hours());
    product.tell_alarms().await.unwrap();
    assert_eq!(tellings(&company).await, ["webhook hook alarm.raised called_off 1"]);
    assert_eq!(receiver.came().len(), 1);
    // Months later nothing of it is left.
    resume(&company).await;
    product.look_for_alarms().await.unwrap();
    clock.advance((24 * 91).hours());
    product.look_for_alarms().await.unwrap();
    assert_eq!(tellings(&company).await, Vec::<String>::new());
    let paused = "SELECT kind FROM alarms WHERE kind = 'pause.lasting'";
    assert_eq!(company.store_rows(paused).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_looks_any_more_is_what_the_doctor_says() {
    let (company, _) = heap_with(Kind::Sqlite, "", "").await;
    company.quietus(&["status"]).await.expect(0);
    let said = company.quietus(&["doctor", "--json"]).await.json();
    let never = finding(&said, "alarms", "look", "nobody has looked yet");
    let [run] = commands(&never).try_into().unwrap();
    assert!(run.ends_with("run --once"), "{run}");
    pasted(&run).await.expect(0);
    let said = company.quietus(&["doctor", "--json"]).await.json();
    assert!(is_well(&said, "alarms"), "{said:#}");
    let text =
        "UPDATE alarm_looks SET looked_at = looked_at - 180000000000 RETURNING CAST(one AS TEXT)";
    company.store_rows(text).await;
    let said = company.quietus(&["doctor", "--json"]).await.json();
    finding(&said, "alarms", "wrong", "nobody looks any more");
    configure(&company, "", "");
    let none = company.read("quietus.yaml").split("alarms:").next().unwrap().to_owned();
    company.write("quietus.yaml", &none);
    let said = company.quietus(&["doctor", "--json"]).await.json();
    finding(&said, "alarms", "well", "nobody is told of what is found");
    company.quietus(&["alarm", "test"]).await.expect(2);
    company.quietus(&["alarm", "again", "hook"]).await.expect(2);
    let listed = company.quietus(&["alarm", "list"]).await.expect(0);
    assert!(listed.out.contains("nobody looks for alarms"), "{}", listed.out);
}
