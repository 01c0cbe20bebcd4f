//! A log line as a JSON object. What the spans say in which it was written stands beside its own fields,
//! so that all lines of a case, a job or an attempt are found by the same names, whoever wrote them.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Under which a record of the crate `log` brings its target.
const LOG_TARGET: &str = "log.target";
/// What else such a record brings.
const LOG_PLACE: [&str; 3] = ["log.module_path", "log.file", "log.line"];

/// One JSON object a line.
pub(super) struct JsonLines;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    level: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
    target: &'a str,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let Some(known) = extensions.get::<FormattedFields<N>>() else { continue };
            fields.extend(serde_json::from_str::<Map<String, Value>>(known).unwrap_or_default());
        }
        event.record(&mut Fields(&mut fields));
        let target = fields.remove(LOG_TARGET);
        for place in LOG_PLACE {
            fields.remove(place);
        }
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let metadata = event.metadata();
        let line = Line {
            timestamp: &timestamp,
            level: metadata.level().as_str(),
            fields,
            target: target.as_ref().and_then(Value::as_str).unwrap_or(metadata.target()),
        };
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// The fields of an event, which take the place of those of its spans.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines)
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_within_spans_has_their_fields_beside_its_own() {
        let lines = lines(|| {
            let attempt = tracing::info_span!("attempt", case = %"c1", attempt = 2, left = Empty);
            attempt.record("left", 7);
            let inner = tracing::info_span!(parent: &attempt, "verification", system = %"crm");
            inner.in_scope(|| tracing::warn!(attempt = 3, "it \"speaks\""));
            tracing::info!(fine = true, "alone");
        });
        assert_eq!(lines.len(), 2, "a span writes no line");
        let first = &lines[0];
        assert_eq!(first["case"], "c1");
        assert_eq!(first["system"], "crm");
        assert_eq!(first["left"], 7);
        assert_eq!(first["attempt"], 3, "its own word counts");
        assert_eq!(first["message"], "it \"speaks\"");
        assert_eq!((&first["level"], first["target"].is_string()), (&"WARN".into(), true));
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(lines[1]["fine"], true);
        assert!(lines[1].get("case").is_none());
    }
}
