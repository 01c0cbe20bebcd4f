//! One case, one trace.

use std::collections::BTreeMap;

use super::collector::{Collector, Span};
use crate::company::database::Kind;
use crate::company::{Company, ended, heap, identifier_in};
use crate::request::person;

/// The spans of a trace by their names; each insists on being there once but for those with many.
fn by_name(spans: &[Span]) -> BTreeMap<&str, Vec<&Span>> {
    let mut names: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        names.entry(&span.name).or_default().push(span);
    }
    names
}

/// Insists that each span of this name stands right below one of the other, and within its time.
fn below(names: &BTreeMap<&str, Vec<&Span>>, inner: &str, outer: &str) {
    for span in &names[inner] {
        let parent = names[outer].iter().find(|one| one.id == span.parent);
        let parent =
            parent.unwrap_or_else(|| panic!("`{inner}` stands below `{outer}`: {names:#?}"));
        assert!(parent.begins <= span.begins, "`{inner}` begins within `{outer}`: {names:#?}");
    }
}

/// What every trace of a finished case has, below each other as it was done.
fn insist_on_whole(case: &str, spans: &[Span]) {
    let names = by_name(spans);
    let one = |name: &str| {
        let found = names.get(name).unwrap_or_else(|| panic!("no `{name}` in {names:#?}"));
        assert_eq!(found.len(), 1, "`{name}`: {names:#?}");
        found[0]
    };
    let whole = one("case");
    assert_eq!(whole.parent, "", "the case is the root");
    assert_eq!(whole.id, case.replace('-', "")[16..], "every process knows the root");
    for inner in ["plan", "attempt", "certification", "log"] {
        below(&names, inner, "case");
    }
    for inner in ["order", "verification", "settle"] {
        below(&names, inner, "attempt");
    }
    for (inner, outer) in [("count", "plan"), ("open", "plan"), ("sign", "certification")] {
        below(&names, inner, outer);
    }
    let (plan, log) = (one("plan"), one("log"));
    assert!(whole.begins <= plan.begins && plan.begins < log.begins, "{names:#?}");
    assert!(one("certification").ends <= log.ends);
    assert_eq!(whole.says("case"), case);
    assert_eq!(one("certification").says("overall"), whole.says("overall"));
    let ids: std::collections::BTreeSet<&str> = spans.iter().map(|span| &*span.id).collect();
    assert_eq!(ids.len(), spans.len(), "no span came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_one_trace_from_its_plan_to_its_certificate() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 100, "{ chunk_records: 30 }").await;
    let collector = Collector::start().await;
    let talkative = ["--log", "quietus=info", "--log-format", "json", "run", "--once"];
    let run = collector.quietus(&company, &talkative).await.expect(0);
    let case = company.oldest_case().await;
    let spans = collector.trace_of(&case);
    insist_on_whole(&case, &spans);
    let names = by_name(&spans);
    let (attempt, look) = (names["attempt"][0], names["verification"][0]);
    for (name, value) in [
        ("system", "heap"),
        ("attempt", "1"),
        ("outcome", "completed"),
        ("records.deleted", "100"),
        ("fault", ""),
    ] {
        assert_eq!(attempt.says(name), value, "{name}");
    }
    assert!(!attempt.failed);
    assert_eq!(
        (look.says("records.survivors"), look.says("records.left")),
        ("0".into(), "10".into())
    );
    assert_eq!(names["count"][0].says("system"), "heap");
    assert_eq!(names["plan"][0].says("records.counted"), "100");
    assert_eq!(names["case"][0].says("overall"), "complete");
    assert_eq!(names["order"][0].says("answer"), "done");
    let certificate = company.certificate_of(&case).await;
    let id = certificate.predicate["certificateId"].as_str().unwrap();
    assert_eq!(names["certification"][0].says("certificate"), id);
    assert!(
        collector.services().iter().all(|name| name == "quietus"),
        "{:?}",
        collector.services()
    );

    // Log lines go by the same names.
    let line = run.err.lines().find(|line| line.contains("attempt ended")).expect(&run.err);
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["case"], case.as_str());
    assert_eq!(line["job"], attempt.says("job").as_str());
    assert_eq!((&line["system"], &line["attempt"]), (&"heap".into(), &1.into()), "{line}");
}

/// The case waits for a second person; then a process dies in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_take_over_from_each_other_add_to_one_trace() {
    let mut company = Company::new(Kind::Sqlite).await;
    company.write("schedules/notes.yaml", &heap::rules("{ records: 50, share: unlimited }"));
    let pace = heap::map("{ chunk_records: 30 }");
    heap::furnish(company.add_system("heap", Kind::Sqlite, &pace).await, 200).await;
    let collector = Collector::start().await;
    let stopped = collector.quietus(&company, &["run", "--once"]).await.expect(1);
    let case = identifier_in(&stopped.out);
    let so_far = collector.trace_of(&case);
    let names = by_name(&so_far);
    assert_eq!(names["plan"][0].says("caps.exceeded"), "1");
    assert!(!names.contains_key("case") && !names.contains_key("attempt"), "{names:#?}");

    let approve = ["approve", &case, "--by", "Grace Example", "--reason", "checked with finance"];
    collector.quietus(&company, &approve).await.expect(0);
    let mut dying = collector.command(&company, &["run", "--once"]);
    dying.env("QUIETUS_LEASE_MS", "300").env("QUIETUS_CRASH_POINT", "5");
    assert_eq!(ended(dying).await.code, -1, "it dies once the system has answered");
    collector.quietus(&company, &["run", "--once"]).await.expect(0);
    assert_eq!(heap::left(&company).await, 10);

    let spans = collector.trace_of(&case);
    insist_on_whole(&case, &spans);
    let names = by_name(&spans);
    assert_eq!(names["approval"].len(), 1);
    let last = names["attempt"].last().unwrap();
    assert_eq!((last.says("attempt"), last.says("lost_attempt")), ("2".into(), "1".into()));
    assert_eq!(last.says("records.deleted"), "200", "what the dead process did counts as well");
    assert!(names["plan"][0].ends < names["approval"][0].begins);
    assert!(names["approval"][0].begins < last.begins);
}

/// A system that is away: every attempt is a span, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_fails_is_one_of_the_trace() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 20, "{}").await;
    let quarrel =
        "CREATE TRIGGER quarrel BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'Grace'); END";
    company.database("heap").run(quarrel).await;
    let collector = Collector::start().await;
    collector.quietus(&company, &["run", "--once"]).await.expect(1);
    let case = company.oldest_case().await;
    let spans = collector.trace_of(&case);
    let names = by_name(&spans);
    let attempts = &names["attempt"];
    assert!(
        attempts.iter().all(|one| one.failed && !one.says("fault").is_empty()),
        "{attempts:#?}"
    );
    assert_eq!(attempts.last().unwrap().says("outcome"), "failed");
    assert_eq!(names["case"][0].says("overall"), "failed");
    let told = String::from_utf8_lossy(&collector.bytes()).into_owned();
    assert!(!told.contains("Grace"), "no word of a system is in a span");

    company.database("heap").run("DROP TRIGGER quarrel").await;
    company.quietus(&["retry"]).await.expect(0);
    collector.quietus(&company, &["run", "--once"]).await.expect(0);
    let spans = collector.trace_of(&case);
    let names = by_name(&spans);
    assert_eq!(names["case"].len(), 1, "a trace has one root");
    let certifications = &names["certification"];
    assert_eq!(certifications.len(), 2, "the second takes the place of the first");
    assert_eq!(certifications[1].says("supersedes"), certifications[0].says("certificate"));
    assert_eq!(certifications[1].says("overall"), "complete");
}

/// What goes to a system for two persons at once is told in the trace of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persons_who_go_together_have_a_trace_each() {
    let company = person::company("").await;
    let collector = Collector::start().await;
    let mut requests = Vec::new();
    for address in ["grace@mail.example", "alan@mail.example"] {
        let identities = format!("email={address}\n");
        requests.push(person::brought(&company, "erasure", &identities).await);
    }
    collector.quietus(&company, &["run", "--once"]).await;
    let spans = collector.spans();
    let attempts: Vec<&Span> = spans.iter().filter(|one| one.name == "attempt").collect();
    let many = attempts.iter().filter(|one| one.says("together") == "2").count();
    assert!(many >= 2, "{attempts:#?}");
    for request in requests {
        let whole = spans.iter().find(|one| one.name == "case" && one.says("request") == request);
        let trace = collector.trace_of(&whole.expect("a case of each").says("case"));
        let names = by_name(&trace);
        for inner in ["order", "verification", "settle"] {
            below(&names, inner, "attempt");
            assert_eq!(names[inner].len(), names["attempt"].len(), "`{inner}`: {names:#?}");
        }
        assert!(names["order"].iter().all(|one| one.says("answer") == "done"), "{names:#?}");
        assert!(names["verification"].iter().all(|one| one.says("records.survivors") == "0"));
        assert!(names["attempt"].iter().all(|one| one.says("outcome") == "completed"));
    }
}

/// The standard variables count: here, that no trace is wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_no_traces_of_all_cases_gets_none() {
    let company = heap::company(Kind::Sqlite, Kind::Sqlite, 20, "{}").await;
    let collector = Collector::start().await;
    let mut command = collector.command(&company, &["run", "--once"]);
    command.env("OTEL_TRACES_SAMPLER", "traceidratio").env("OTEL_TRACES_SAMPLER_ARG", "0");
    ended(command).await.expect(0);
    assert!(collector.spans().is_empty(), "{:#?}", collector.spans());
}
