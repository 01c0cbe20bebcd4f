//! Deadline alarms: metrics in the text form of Prometheus, and a line of the log, for each request
//! once a day.

use serde_json::{Value, json};

use super::house::{House, log};

async fn access(house: &House, received_at: &str, number: u64) -> String {
    let body = json!({
        "right": "access",
        "identities": [{"type": "customer_id", "value": number}],
        "received_at": received_at,
        "identity_check": {"assurance": "substantial", "method": "login"},
    });
    let brought = house.post("operator", "/v1/requests", &body).await.expect(201).json();
    brought["id"].as_str().unwrap().to_owned()
}

fn sample(text: &str, name: &str, right: &str) -> u64 {
    let line = format!("{name}{{right=\"{right}\",regime=\"gdpr\"}} ");
    let found = text.lines().find_map(|one| one.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no `{line}` in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_count_what_is_open_what_presses_and_how_old_it_is() {
    let house = House::open().await;
    let empty = house.get("auditor", "/metrics").await.expect(200);
    assert_eq!(empty.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(sample(&empty.text(), "quietus_requests_open", "erasure"), 0);
    // It is 23 November: a month is over, nearly over, and has hardly begun.
    access(&house, "2026-10-01T09:00:00Z", 471_100_815).await;
    access(&house, "2026-10-25T09:00:00Z", 2).await;
    access(&house, "2026-11-22T12:00:00Z", 3).await;
    let text = house.get("operator", "/metrics").await.expect(200).text();
    let of = |name: &str| sample(&text, name, "access");
    assert_eq!(of("quietus_requests_open"), 3);
    assert_eq!(of("quietus_requests_at_risk"), 1);
    assert_eq!(of("quietus_requests_overdue"), 1);
    assert_eq!(of("quietus_requests_oldest_age_seconds"), 53 * 86_400 + 3 * 3_600);
    assert_eq!(sample(&text, "quietus_requests_open", "erasure"), 0);
    let (requests, others): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .partition(|line| line.starts_with("quietus_requests_"));
    assert!(!requests.is_empty(), "{text}");
    let quarantines = ["true", "false"]
        .map(|one| format!("quietus_systems_in_quarantine{{announced=\"{one}\"}} 0"));
    let looks = ["later_looks", "later_looks_troubled", "reappeared_total", "reappeared_asking"]
        .map(|one| format!("quietus_{one} 0"));
    let own = ["quietus_own_records_overdue_seconds 0".to_owned()];
    let of_runs = |line: &&str| {
        ["quietus_schedule_", "quietus_rule_"].iter().any(|name| line.starts_with(name))
    };
    let (runs, others): (Vec<&str>, Vec<&str>) = others.into_iter().partition(of_runs);
    assert!(runs.contains(&"quietus_rule_silent{rule=\"contact-after-contract\"} 0"), "{text}");
    let of_breakers = |line: &&str| line.starts_with("quietus_breaker_open{");
    let (breakers, others): (Vec<&str>, Vec<&str>) = others.into_iter().partition(of_breakers);
    let systems = house.product.map.systems.len();
    assert!(breakers.len() == systems && breakers.iter().all(|one| one.ends_with(" 0")), "{text}");
    let work = [
        "jobs_waiting_age_seconds",
        "cases_awaiting_approval",
        "cases_awaiting_approval_oldest_age_seconds",
        "log_waiting_age_seconds",
    ]
    .map(|one| format!("quietus_{one} 0"));
    assert_eq!(others, [&quarantines[..], &looks, &own, &work].concat());
    for name in ["open", "at_risk", "overdue", "oldest_age_seconds"] {
        let kind = format!("# TYPE quietus_requests_{name} gauge");
        assert_eq!(text.matches(&kind).count(), 1, "{text}");
    }
    house.get("event-source", "/metrics").await.expect(403);
    house.nothing_leaked();
}

/// The value of a metric that has this label.
fn of(text: &str, name: &str, label: &str) -> String {
    let line = format!("{name}{{{label}}} ");
    let found = text.lines().find_map(|one| one.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no `{line}` in\n{text}")).to_owned()
}

#[tokio::test]
async fn metrics_tell_what_should_have_run_what_waits_and_which_rule_is_silent() {
    let house = House::open().await;
    let nightly = "schedule=\"nightly\"";
    let text = house.get("auditor", "/metrics").await.expect(200).text();
    assert_eq!(of(&text, "quietus_schedule_overdue_occurrences", nightly), "0");
    // It is noon of the 23rd; the night of the 22nd was looked at, and no later one.
    let schedule = house.product.rules.schedules.keys().find(|one| one.as_str() == "nightly");
    let until = "2026-11-22T03:00:00Z".parse().unwrap();
    house.product.store.seed_schedule(schedule.unwrap(), until).await.unwrap();
    house.post("operator", "/v1/cases", &json!({})).await.expect(201);
    let text = house.get("auditor", "/metrics").await.expect(200).text();
    assert_eq!(of(&text, "quietus_schedule_overdue_occurrences", nightly), "1");
    // From half past two in Berlin until noon in London.
    let late = 10 * 3_600 + 1_800;
    assert_eq!(of(&text, "quietus_schedule_overdue_seconds", nightly), late.to_string());
    assert_eq!(of(&text, "quietus_schedule_missed_occurrences", nightly), "0");
    assert!(text.lines().any(|line| line == "quietus_cases_awaiting_approval 1"), "{text}");
    let rule = "rule=\"contact-after-contract\"";
    assert_eq!(of(&text, "quietus_rule_runs_without_deletions", rule), "0");
    assert!(!text.contains(&format!("quietus_rule_last_run_age_seconds{{{rule}}}")), "{text}");
    assert!(!text.contains("rule=\"quietus"), "our own records have an alarm of their own");
    for name in ["rule_silent", "schedule_overdue_seconds", "jobs_failed"] {
        let kind = format!("# TYPE quietus_{name} gauge");
        assert_eq!(text.matches(&kind).count(), 1, "{text}");
    }
    house.nothing_leaked();
}

fn told(id: &str) -> usize {
    let log = String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
    log.lines().filter(|line| line.contains("a request presses") && line.contains(id)).count()
}

#[tokio::test]
async fn the_log_is_told_once_a_day_of_what_presses() {
    let house = House::open().await;
    let overdue = access(&house, "2026-10-01T09:00:00Z", 471_100_815).await;
    let fresh = access(&house, "2026-11-22T12:00:00Z", 3).await;
    for _ in 0..3 {
        house.product.warn_of_deadlines().await.unwrap();
    }
    assert_eq!((told(&overdue), told(&fresh)), (1, 0));
    // Another replica looks at the same store on the same day.
    let again = quietus::app::Quietus::open(quietus::app::Opening {
        loaded: quietus::config::load(house.folder.path()).unwrap(),
        process: quietus::config::Process::default(),
        clock: house.product.clock.clone(),
        ids: house.product.ids.clone(),
    });
    again.await.unwrap().warn_of_deadlines().await.unwrap();
    assert_eq!(told(&overdue), 1);
    let page = house.get("auditor", &format!("/v1/requests/{overdue}")).await.json();
    assert_eq!(page["state"], "with_a_person");
    house.nothing_leaked();
}

#[tokio::test]
async fn lists_show_only_what_presses() {
    let house = House::open().await;
    let overdue = access(&house, "2026-10-01T09:00:00Z", 471_100_815).await;
    let risky = access(&house, "2026-10-25T09:00:00Z", 2).await;
    access(&house, "2026-11-22T12:00:00Z", 3).await;
    let list = async |how: &str| -> Vec<Value> {
        let path = format!("/v1/requests?pressing={how}");
        let page = house.get("auditor", &path).await.expect(200).json();
        page["requests"].as_array().unwrap().clone()
    };
    for (how, id) in [("overdue", &overdue), ("at_risk", &risky)] {
        let found = list(how).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["id"], id.as_str());
        assert_eq!(found[0]["clock"]["standing"], how);
    }
    house.get("auditor", "/v1/requests?pressing=soon").await.expect(422);
}

#[tokio::test]
async fn alarms_are_listed_and_counted_where_somebody_looks_for_them() {
    let house = House::open().await;
    let none = house.get("auditor", "/v1/alarms").await.expect(200).json();
    assert_eq!((&none["is_looked_for"], &none["alarms"]), (&json!(false), &json!([])));
    let text = house.get("auditor", "/metrics").await.expect(200).text();
    assert!(!text.contains("quietus_alarm_"), "{text}");

    let hook = "alarms: {webhooks: [{name: hook, url: \"http://127.0.0.1:9/\", secret: \"file:secrets/hook\", private_host: true}]}\n";
    let house = House::open_with_lines(hook).await;
    let overdue = access(&house, "2026-10-01T09:00:00Z", 471_100_815).await;
    house.product.advance_log().await.unwrap();
    for _ in 0..2 {
        house.product.look_for_alarms().await.unwrap();
    }
    let open = house.get("auditor", "/v1/alarms").await.expect(200).json();
    let all = open["alarms"].as_array().unwrap();
    let told: Vec<&Value> = all.iter().filter(|one| one["kind"] == "request.overdue").collect();
    assert_eq!(told.len(), 1, "{open:#}");
    assert_eq!(told[0]["place"], format!("request {overdue}"));
    assert_eq!((&told[0]["mark"], &told[0]["cleared_at"]), (&json!("wrong"), &json!(null)));
    assert_eq!(open["looked_at"], "2026-11-23T12:00:00Z");
    assert_eq!(open["recipients"][0]["waiting"], all.len());
    let text = house.get("operator", "/metrics").await.expect(200).text();
    for line in [
        "quietus_alarm_open{area=\"requests\"} 1",
        "quietus_alarm_open{area=\"jobs\"} 0",
        "quietus_alarm_look_age_seconds 0",
        "quietus_alarm_messages_unheard{way=\"webhook\",recipient=\"hook\"} 0",
        "quietus_alarm_messages_waiting_age_seconds{way=\"webhook\",recipient=\"hook\"} 0",
        "# TYPE quietus_alarm_open gauge",
    ] {
        assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{line} in\n{text}");
    }
    let cleared = house.get("operator", "/v1/alarms?cleared=true&limit=5").await.expect(200);
    assert_eq!(cleared.json()["alarms"], json!([]));
    house.get("operator", "/v1/alarms?state=open").await.expect(422);
    house.get("event-source", "/v1/alarms").await.expect(403);
    house.nothing_leaked();
}

#[tokio::test]
async fn objections_and_fees_are_decided_by_two_persons() {
    let house = House::open().await;
    let id = access(&house, "2026-11-22T12:00:00Z", 3).await;
    let path = |what: &str| format!("/v1/requests/{id}/{what}");
    house
        .post("operator", &path("decide"), &json!({"decision": "uphold", "reason": "r"}))
        .await
        .expect(409);
    house
        .post("operator", &path("decide"), &json!({"decision": "maybe", "reason": "r"}))
        .await
        .expect(422);
    for wrong in [json!({}), json!({"amount": "5 EUR"}), json!({"ended": "forgotten"})] {
        house.post("operator", &path("fee"), &wrong).await.expect(422);
    }
    let fee = json!({"amount": "5 EUR", "reason": "third copy, T-9"});
    let proposed = house.post("operator", &path("fee"), &fee).await.expect(200).json();
    assert_eq!(proposed["fee"]["agreed"], json!(null));
    house.post("operator", &path("fee"), &fee).await.expect(409);
    let agreed = house.post("approver", &path("fee"), &fee).await.expect(200).json();
    assert_eq!(agreed["fee"]["agreed"]["by"], "second-person");
    // The GDPR knows no stop of the clock for a fee.
    assert_eq!(agreed["clock"]["legal_latest"], proposed["clock"]["legal_latest"]);
    assert_eq!(agreed["clock"]["stands_for"], "fee");
    let close = json!({"reason": "sent, T-10"});
    house.post("operator", &path("close"), &close).await.expect(409);
    house.post("operator", &path("fee"), &json!({"ended": "waived"})).await.expect(200);
    house.post("operator", &path("close"), &close).await.expect(200);
    house.nothing_leaked();
}

#[tokio::test]
async fn stores_of_copies_that_need_somebody_are_an_alarm() {
    let house = House::open_with_files(&[
        ("systems/vault.yaml", "system: vault\nkind: dumps\nowner: a\nplace: dumps\ncopies: [crm]\nkeeps: {daily: 2}\nparameters: {files: '*-%Y-%m-%d.sql'}\n"),
        ("systems/away.yaml", "system: away\nkind: dumps\nowner: a\nplace: not-mounted\ncopies: [crm]\nkeeps: {daily: 2}\nparameters: {files: '*-%Y-%m-%d.sql'}\n"),
    ]).await;
    let folder = house.folder.path().join("dumps");
    std::fs::create_dir(&folder).unwrap();
    // It is 23 November: two are kept, and the first should have gone days ago.
    for day in ["2026-11-18", "2026-11-21", "2026-11-22", "2026-11-23"] {
        std::fs::write(folder.join(format!("crm-{day}.sql")), "x").unwrap();
    }
    let text = house.get("operator", "/metrics").await.expect(200).text();
    assert!(!text.contains("quietus_backup_copies{"), "nobody has listed anything: {text}");
    house.product.watch_stores().await;
    house.product.watch_stores().await;
    let text = house.get("operator", "/metrics").await.expect(200).text();
    for line in [
        "quietus_backup_copies{store=\"vault\"} 4",
        "quietus_backup_overstaying_copies{store=\"vault\"} 1",
        "quietus_backup_alarm{store=\"vault\",what=\"stuck\"} 1",
        "quietus_backup_alarm{store=\"vault\",what=\"unlisted\"} 0",
        "quietus_backup_alarm{store=\"away\",what=\"unlisted\"} 1",
        "# TYPE quietus_backup_alarm gauge",
    ] {
        assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{line} in\n{text}");
    }
    let list = house.get("auditor", "/v1/backups").await.expect(200).json();
    assert_eq!((&list[0]["store"], &list[0]["alarm"]), (&json!("away"), &json!("unlisted")));
    assert_eq!((&list[1]["copies"], &list[1]["alarm"]), (&json!(4), &json!("stuck")));
    let log = String::from_utf8_lossy(&log().lock().unwrap()).into_owned();
    let told = log.lines().filter(|line| line.contains("a store of copies needs somebody"));
    assert_eq!(told.filter(|line| line.contains("away")).count(), 1, "once a day");
}
