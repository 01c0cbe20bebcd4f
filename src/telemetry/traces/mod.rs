//! Traces, told to a collector by OTLP over HTTP.
//!
//! What stands in a span is listed in [`ATTRIBUTES`]; nothing else of it leaves the process. A collector
//! that does not answer delays nothing: spans wait in a queue with a bound, a thread of its own sends them,
//! and what does not fit is dropped and said once. What a process has not sent when it is killed is lost.

mod layer;
mod place;
mod queue;
mod said;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{RetryPolicy, SpanExporter as OtlpExporter};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use self::layer::Shown;
use self::queue::Queue;
use crate::app::spans::TARGET;
use crate::config::Collector;

/// Fields of spans that are shown, and under which name.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("answer", "quietus.answer"),
    ("attempt", "quietus.attempt"),
    ("case", "quietus.case"),
    ("cause", "quietus.cause"),
    ("certificate", "quietus.certificate"),
    ("counted", "quietus.records.counted"),
    ("deleted", "quietus.records.deleted"),
    ("exceeded", "quietus.caps.exceeded"),
    ("fault", "quietus.fault"),
    ("job", "quietus.job"),
    ("jobs", "quietus.jobs"),
    ("kind", "quietus.job.kind"),
    ("left", "quietus.records.left"),
    ("lifted", "quietus.records.lifted"),
    ("lost_attempt", "quietus.lost_attempt"),
    ("method", "http.request.method"),
    ("outcome", "quietus.outcome"),
    ("overall", "quietus.overall"),
    ("relied_upon", "quietus.relied_upon"),
    ("request", "quietus.request"),
    ("restricted", "quietus.records.restricted"),
    ("right", "quietus.right"),
    ("route", "http.route"),
    ("schedule", "quietus.schedule"),
    ("status", "http.response.status_code"),
    ("supersedes", "quietus.supersedes"),
    ("survivors", "quietus.records.survivors"),
    ("system", "quietus.system"),
    ("systems", "quietus.systems"),
    ("together", "quietus.together"),
    ("treated", "quietus.records.treated"),
];

/// Tries of one batch beyond the first.
const RETRIES: usize = 2;
/// How long a process waits at its end for what it has not sent.
const AT_THE_END: Duration = Duration::from_secs(3);
/// The name of the service where the environment gives none.
const SERVICE: &str = "quietus";

/// Where spans go.
#[derive(Clone)]
pub struct Traces {
    queue: Arc<Queue>,
}

impl Traces {
    /// Tells a collector. Nothing is sent before there is something to tell.
    ///
    /// # Errors
    /// Where a variable of OpenTelemetry says something that cannot be done; the text says which one.
    pub fn to(collector: &Collector) -> Result<Self, String> {
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_endpoint(&collector.endpoint)
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(RETRIES))
            .build()
            .map_err(|error| format!("traces cannot be sent: {error}"))?;
        Ok(Self::through(exporter))
    }

    fn through(exporter: impl SpanExporter + 'static) -> Self {
        Self { queue: Arc::new(Queue::new(exporter, &resource())) }
    }

    /// What hears of spans.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = Targets::new().with_target(TARGET, LevelFilter::INFO);
        Shown::new(Arc::clone(&self.queue)).with_filter(ours)
    }

    /// Sends what waits, for as long as a process may be kept from its end; not at all where the collector
    /// did not answer the last time.
    pub fn finish(&self) {
        self.queue.finish(AT_THE_END);
    }
}

/// Who speaks, as the environment says it (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().build().get(&Key::from_static_str("service.name"));
    let named = named.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(version);
    if named { resource.build() } else { resource.with_service_name(SERVICE).build() }
}

#[cfg(test)]
mod tests;
