//! What operators load into Prometheus and Grafana speaks of metrics and commands that there are.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::company::Company;
use crate::company::database::Kind;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|one: char| !one.is_ascii_alphanumeric() && one != '_');
    words.filter(|word| word.starts_with("quietus_")).map(str::to_owned).collect()
}

/// Every metric that the product shows.
fn shown() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.to_string_lossy().ends_with("metrics.rs"));
    let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let found = metrics_in(&texts.concat());
    assert!(found.len() > 20 && found.contains("quietus_requests_overdue"), "{found:?}");
    found
}

fn alerts() -> Vec<Value> {
    let whole: Value = serde_saphyr::from_str(&read("docs/monitoring/alerts.yaml")).unwrap();
    let groups = whole["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: Value = serde_json::from_str(&read("docs/monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert_eq!(metrics_in(&asked.join(" ")), shown());
}

#[test]
fn alerts_ask_for_metrics_that_there_are_and_say_what_to_do() {
    let known = shown();
    let mut names = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap().to_owned();
        let asked = metrics_in(alert["expr"].as_str().unwrap());
        assert!(!asked.is_empty() && asked.is_subset(&known), "{name}: {asked:?}");
        assert!(["warning", "critical"].contains(&alert["labels"]["severity"].as_str().unwrap()));
        for words in ["summary", "what_to_do"] {
            assert!(alert["annotations"][words].as_str().unwrap().len() > 20, "{name}: {words}");
        }
        assert!(names.insert(name.clone()), "{name} stands there twice");
    }
}

#[tokio::test]
async fn alerts_name_commands_that_there_are() {
    let company = Company::new(Kind::Sqlite).await;
    let mut named = 0;
    for alert in alerts() {
        let words = alert["annotations"]["what_to_do"].as_str().unwrap();
        let quoted = words.split('`').skip(1).step_by(2);
        for command in quoted.filter_map(|text| text.strip_prefix("quietus ")) {
            let is_plain = |word: &&str| word.chars().all(|one| one.is_lowercase() || one == '-');
            let words: Vec<&str> = command.split(' ').take_while(is_plain).collect();
            company.quietus(&[&words[..], &["--help"]].concat()).await.expect(0);
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}
