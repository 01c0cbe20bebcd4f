//! A collector that reads what comes by the protocol's own definition, and keeps every byte of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;

use crate::company::{Company, Ended, ended};

/// A span as it came.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty where it is a root.
    pub parent: String,
    pub name: String,
    pub begins: u64,
    pub ends: u64,
    pub failed: bool,
    attributes: Vec<KeyValue>,
}

impl Span {
    /// An attribute of ours as text; empty where it is not there.
    pub fn says(&self, name: &str) -> String {
        says(&self.attributes, &format!("quietus.{name}"))
    }

    /// An attribute that others have named.
    pub fn says_as(&self, name: &str) -> String {
        says(&self.attributes, name)
    }
}

fn says(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|one| one.key == name);
    match found.and_then(|one| one.value.as_ref()) {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.clone(),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        Some(AnyValue { value: Some(Value::BoolValue(truth)) }) => truth.to_string(),
        None => String::new(),
        other => panic!("`{name}` is {other:?}"),
    }
}

#[derive(Default)]
struct Came {
    spans: Vec<Span>,
    services: Vec<String>,
    bytes: Vec<u8>,
}

/// The collector.
#[derive(Clone)]
pub struct Collector {
    pub address: SocketAddr,
    came: Arc<Mutex<Came>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let collector = Self { address, came: Arc::default() };
        let router =
            axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// A command whose spans come here.
    pub fn command(&self, company: &Company, arguments: &[&str]) -> tokio::process::Command {
        let mut command = company.command(arguments);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.address));
        command
    }

    /// Runs a command to its end.
    pub async fn quietus(&self, company: &Company, arguments: &[&str]) -> Ended {
        ended(self.command(company, arguments)).await
    }

    /// Everything that came, in the order in which it began.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = self.came.lock().unwrap().spans.clone();
        spans.sort_by_key(|span| span.begins);
        spans
    }

    /// The trace of a case, by nothing but the identifier of the case.
    pub fn trace_of(&self, case: &str) -> Vec<Span> {
        let trace = case.replace('-', "");
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }

    /// The names of those who spoke.
    pub fn services(&self) -> Vec<String> {
        self.came.lock().unwrap().services.clone()
    }

    /// Every byte of every body and header that came.
    pub fn bytes(&self) -> Vec<u8> {
        self.came.lock().unwrap().bytes.clone()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if headers.get("content-type").is_none_or(|kind| kind != "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut came = collector.came.lock().unwrap();
    came.bytes.extend(&body);
    came.bytes.extend(format!("{headers:?}").bytes());
    for resource in request.resource_spans {
        let about = resource.resource.unwrap_or_default().attributes;
        came.services.push(says(&about, "service.name"));
        let scopes = resource.scope_spans.into_iter();
        came.spans.extend(scopes.flat_map(|scope| scope.spans).map(|span| Span {
            trace: hex::encode(span.trace_id),
            id: hex::encode(span.span_id),
            parent: hex::encode(span.parent_span_id),
            name: span.name,
            begins: span.start_time_unix_nano,
            ends: span.end_time_unix_nano,
            failed: span.status.is_some_and(|status| status.code == 2),
            attributes: span.attributes,
        }));
    }
    StatusCode::OK
}
