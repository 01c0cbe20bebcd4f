//! What is told of spans, heard by a collector in this process.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use tracing::field::Empty;
use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt as _;
use uuid::Uuid;

use super::*;

const CASE: Uuid = Uuid::from_u128(0x0193_4f5e_8a3b_7c4d_9e2f_0123_4567_89ab);
const OTHER: Uuid = Uuid::from_u128(0x0193_4f5e_8a3b_7c4d_9e2f_0123_4567_0000);
/// From the specification of W3C Trace Context.
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A collector in this process.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Heard {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// The spans that are told of this work.
fn told(work: impl FnOnce()) -> Vec<SpanData> {
    let heard = Heard::default();
    let traces = Traces::through(heard.clone());
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    tracing::subscriber::with_default(subscriber, work);
    traces.queue.flush();
    heard.0.lock().unwrap().clone()
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no `{name}` in {spans:?}"));
    assert!(found.next().is_none(), "`{name}` once");
    first
}

fn trace(span: &SpanData) -> String {
    span.span_context.trace_id().to_string()
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key.as_str() == name);
    found.map(|one| one.value.to_string())
}

#[test]
fn spans_of_a_case_stand_in_its_trace_whichever_process_made_them() {
    let work = || {
        let attempt = info_span!(
            target: TARGET, parent: None, "attempt",
            case = %CASE, system = "crm", attempt = 2_u32, fault = Empty, deleted = Empty,
        );
        let order = info_span!(target: TARGET, parent: &attempt, "order", answer = Empty);
        order.record("answer", "done");
        drop(order);
        attempt.record("deleted", 3_u64);
        attempt.record("deleted", 7_u64);
        attempt.record("fault", "transient");
        drop(attempt);
        drop(info_span!(target: TARGET, "case", case = %CASE, since_us = 1_000_000, whole = true));
    };
    let (first, second) = (told(work), told(work));
    for spans in [&first, &second] {
        assert_eq!(spans.len(), 3);
        assert!(spans.iter().all(|span| trace(span) == CASE.simple().to_string()));
        let (case, attempt) = (named(spans, "case"), named(spans, "attempt"));
        assert_eq!(case.parent_span_id, SpanId::INVALID, "the case is the root");
        assert_eq!(case.span_context.span_id().to_string(), "9e2f0123456789ab");
        assert_eq!(case.start_time.duration_since(UNIX_EPOCH).unwrap().as_secs(), 1);
        assert!(case.end_time > attempt.start_time);
        assert_eq!(attempt.parent_span_id, case.span_context.span_id());
        assert_eq!(named(spans, "order").parent_span_id, attempt.span_context.span_id());
        assert_eq!(attribute(attempt, "quietus.attempt").as_deref(), Some("2"));
        assert_eq!(attribute(attempt, "quietus.records.deleted").as_deref(), Some("7"));
        assert_eq!(attribute(attempt, "quietus.case"), Some(CASE.to_string()));
        assert_eq!(attempt.status, Status::error("transient"));
        assert_eq!(case.status, Status::Unset);
    }
    let id = |spans: &[SpanData]| named(spans, "attempt").span_context.span_id();
    assert_ne!(id(&first), id(&second), "each attempt is a span of its own");
}

#[test]
fn what_is_done_before_the_case_is_known_is_told_once_it_is() {
    let planning = |case: Option<Uuid>| {
        told(|| {
            let plan = info_span!(target: TARGET, "plan", case = Empty);
            let count = plan.in_scope(|| info_span!(target: TARGET, "count", system = "crm"));
            count.in_scope(|| drop(info_span!(target: TARGET, "inner")));
            drop(count);
            if let Some(case) = case {
                plan.record("case", tracing::field::display(case));
            }
        })
    };
    let spans = planning(Some(CASE));
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| trace(span) == CASE.simple().to_string()));
    let (plan, count) = (named(&spans, "plan"), named(&spans, "count"));
    assert_eq!(count.parent_span_id, plan.span_context.span_id());
    assert_eq!(named(&spans, "inner").parent_span_id, count.span_context.span_id());
    assert!(planning(None).is_empty(), "a plan of which nothing comes is nobody's");
}

#[test]
fn what_came_to_nothing_is_not_told_and_an_end_is_when_it_is_said() {
    let spans = told(|| {
        let nothing = info_span!(target: TARGET, "certification", case = %CASE, said = Empty);
        nothing.in_scope(|| tracing::info!("no line is a span"));
        drop(nothing);
        let something = info_span!(target: TARGET, "log", case = %CASE, said = Empty);
        something.record("said", true);
        drop(something);
        let attempt = info_span!(target: TARGET, "attempt", case = %CASE, over = Empty);
        attempt.record("over", true);
        std::thread::sleep(Duration::from_millis(30));
        drop(attempt);
        drop(tracing::info_span!("another", case = %CASE));
    });
    assert_eq!(spans.len(), 2, "{spans:?}");
    named(&spans, "log");
    let later = SystemTime::elapsed(&named(&spans, "attempt").end_time).unwrap();
    assert!(later >= Duration::from_millis(30), "{later:?}");
}

/// Nobody writes a person into a span. Somebody who does all the same is not heard.
#[test]
fn no_field_and_no_text_leaves_but_those_that_are_known() {
    let spans = told(|| {
        let attempt = info_span!(
            target: TARGET, "attempt",
            case = %CASE, words = "Grace was here", system = "grace@mail.example",
            outcome = ?Some("Gräce"), fault = "key (email)=(grace)", kind = "sweep",
        );
        attempt.in_scope(|| tracing::error!(target: TARGET, who = "Grace", "Grace is not there"));
    });
    let shown = format!("{spans:?}");
    assert_eq!(spans.len(), 1);
    assert!(shown.contains("sweep") && shown.contains("withheld"), "{shown}");
    for word in ["grace", "Grace", "Gräce", "mail.example", "words"] {
        assert!(!shown.contains(word), "`{word}` in {shown}");
    }
}

#[test]
fn a_call_stands_in_the_trace_of_its_caller_and_a_case_beside_it() {
    let call = |traceparent: &str| {
        told(|| {
            let call = info_span!(target: TARGET, "call", method = "POST", traceparent);
            call.in_scope(|| drop(info_span!(target: TARGET, "approval", case = %OTHER)));
        })
    };
    let spans = call(CALLER);
    let (call_span, approval) = (named(&spans, "call"), named(&spans, "approval"));
    assert_eq!(trace(call_span), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(call_span.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(call_span.span_kind, SpanKind::Server);
    assert_eq!(trace(approval), OTHER.simple().to_string());
    assert_eq!(approval.links.links.len(), 1, "the case says who called");
    assert_eq!(approval.links.links[0].span_context.span_id(), call_span.span_context.span_id());
    for other in [CALLER.replace("-01", "-00").as_str(), "00-x-y-01", "", "grace@mail.example"] {
        let spans = call(other);
        assert_eq!(spans.len(), 1, "`{other}`: a caller without a trace to keep: {spans:?}");
        assert_eq!(spans[0].name, "approval");
    }
}

#[test]
fn the_service_has_a_name() {
    let name = resource().get(&Key::from_static_str("service.name")).unwrap();
    assert_eq!(name.as_str(), SERVICE);
}
