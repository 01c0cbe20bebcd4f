//! Whom a trace names: nobody.

use std::time::Duration;

use super::collector::Collector;
use crate::company::{Company, until, wait};
use crate::request::person;

/// What is known of Grace, in the systems and from her request.
const OF_GRACE: &[&str] =
    &["grace", "mail.example", "Example Street", "T-123", "court", "Ada Example"];
/// From the specification of W3C Trace Context.
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TOKEN: &str = "a-token-that-only-this-test-knows-01";

/// Whatever of these words the bytes hold, in whatever capitals.
fn found_in(bytes: &[u8], words: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    words
        .iter()
        .filter(|word| text.contains(&word.to_lowercase()))
        .map(|&word| word.into())
        .collect()
}

async fn held_and_asked_for(company: &Company, collector: &Collector) -> String {
    let hold = ["hold", "place", "LIT-1", "--system", "desk", "--collection", "tickets"];
    let rest = ["--record", "32", "--reason", "lawsuit"];
    collector.quietus(company, &[&hold[..], &rest].concat()).await.expect(0);
    person::brought(company, "erasure", "email=grace@mail.example\n").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_of_a_persons_case_names_nobody() {
    let company = person::company("").await;
    let collector = Collector::start().await;
    let request = held_and_asked_for(&company, &collector).await;
    let run = collector.quietus(&company, &["--log", "trace", "run", "--once"]).await;
    assert!(
        person::customers(&company).await.iter().all(|row| !row.contains("Grace")),
        "{}",
        run.out
    );
    let spans = collector.spans();
    let asked =
        spans.iter().find(|span| span.name == "request").expect("the request is in a trace");
    assert_eq!((asked.says("request"), asked.says("right")), (request.clone(), "erasure".into()));
    let trace: Vec<_> = spans.iter().filter(|span| span.trace == asked.trace).collect();
    let names: Vec<&str> = trace.iter().map(|span| &*span.name).collect();
    for name in
        ["plan", "attempt", "order", "verification", "settle", "certification", "case", "log"]
    {
        assert!(names.contains(&name), "no `{name}` in {names:?}");
    }
    let case = trace.iter().find(|span| span.name == "case").unwrap();
    assert_eq!((case.says("request"), case.parent.as_str()), (request, ""));
    assert!(case.begins <= asked.begins, "it begins with the request");
    let attempts = trace.iter().filter(|span| span.name == "attempt");
    let systems: std::collections::BTreeSet<String> =
        attempts.map(|one| one.says("system")).collect();
    assert!(systems.contains("shop") && systems.contains("desk"), "{systems:?}");

    let bytes = collector.bytes();
    assert!(bytes.len() > 2_000, "something came");
    assert_eq!(found_in(&bytes, OF_GRACE), Vec::<String>::new());
    assert!(!found_in(&bytes, &["shop"]).is_empty(), "the search is awake");
}

/// A caller finds what became of a call in a trace of their own. Whoever has no token adds to nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_stands_in_the_trace_of_its_caller() {
    let company = person::company("").await;
    company.write_secret("shift-token", TOKEN);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let instance =
        company.read("quietus.yaml").replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let tokens = "tokens:\n  - { name: night-shift, role: operator, secret: \"file:secrets/shift-token\" }\n";
    company.write("quietus.yaml", &format!("{instance}{tokens}"));
    let collector = Collector::start().await;
    let child = collector.command(&company, &["run"]).spawn().unwrap();
    let identifier = child.id().unwrap().to_string();
    let ended = tokio::spawn(wait(child));
    let (base, client) = (format!("http://127.0.0.1:{port}"), reqwest::Client::new());
    until("the interface", 30, async || {
        client.get(format!("{base}/health")).send().await.ok().map(drop)
    })
    .await;
    let list = async |token: &str, caller: Option<&str>| {
        let call =
            client.get(format!("{base}/v1/requests?text=grace@mail.example")).bearer_auth(token);
        let call = caller.into_iter().fold(call, |call, trace| call.header("traceparent", trace));
        call.send().await.unwrap().status().as_u16()
    };
    list(TOKEN, None).await;
    assert_eq!(list("another", Some(CALLER)).await, 401);
    let status = list(TOKEN, Some(CALLER)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::process::Command::new("kill").args(["-TERM", &identifier]).status().unwrap();
    ended.await.unwrap().expect(0);
    let calls: Vec<_> = collector.spans().into_iter().filter(|span| span.name == "call").collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(calls[0].parent, "00f067aa0ba902b7");
    assert_eq!(calls[0].says_as("http.route"), "/v1/requests");
    assert_eq!(calls[0].says_as("http.response.status_code"), status.to_string());
    assert_eq!(
        found_in(&collector.bytes(), &[TOKEN, "grace", "night-shift"]),
        Vec::<String>::new()
    );
}
