//! A collector that is not there, does not answer or is named wrongly.

use std::time::{Duration, Instant};

use crate::company::database::Kind;
use crate::company::{Company, Ended, ended, heap};

/// What a process may wait at its end, and some more for a machine that has much to do.
const MOST_WAIT: Duration = Duration::from_secs(3 + 5);

async fn run_with(endpoint: Option<&str>) -> (Ended, Duration) {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 50, "{}").await;
    let mut command = company.command(&["run", "--once"]);
    if let Some(endpoint) = endpoint {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        // Sent often, so that it fails often.
        command.env("OTEL_BSP_SCHEDULE_DELAY", "20");
    }
    let begun = Instant::now();
    let ended = ended(command).await.expect(0);
    let took = begun.elapsed();
    assert_eq!(heap::left(&company).await, 10);
    (ended, took)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_nobody_reaches_is_named_once_and_delays_nothing() {
    let (quiet, usual) = run_with(None).await;
    assert!(!quiet.err.contains("collector"), "{}", quiet.err);
    let (run, took) = run_with(Some("http://127.0.0.1:9")).await;
    assert_eq!(run.err.matches("do not reach the collector").count(), 1, "{}", run.err);
    assert_eq!(run.err.lines().count(), quiet.err.lines().count() + 1, "{}", run.err);
    assert!(took < usual + MOST_WAIT, "{took:?} instead of {usual:?}");

    // Somebody listens and never says a word.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let (_, took) = run_with(Some(&address)).await;
    assert!(took < usual + MOST_WAIT, "{took:?} instead of {usual:?}");
}

#[tokio::test]
async fn what_cannot_be_done_is_wrong_input() {
    let company = Company::new(Kind::Sqlite).await;
    company.write("schedules/rules.yaml", crate::company::ONE_RULE);
    for (endpoint, more, words) in [
        ("collector.example", ("LANG", "C"), "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("http://127.0.0.1:9", ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "http/protobuf"),
        ("http://127.0.0.1:9", ("OTEL_TRACES_EXPORTER", "zipkin"), "`otlp` or `none`"),
    ] {
        let mut command = company.command(&["run", "--once"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env(more.0, more.1);
        let refused = ended(command).await.expect(2);
        assert!(refused.err.contains(words), "`{words}` in {}", refused.err);
        assert!(!company.path("quietus.db").exists(), "nothing was changed");
    }
}
