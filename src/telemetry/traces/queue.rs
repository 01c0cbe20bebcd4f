//! Spans on their way to the collector: which ones are wanted, how many may wait, and what is said where
//! nobody takes them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::TraceId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Config, SamplingDecision, ShouldSample, SpanData,
    SpanExporter, SpanProcessor as _,
};

use super::place::Place;

/// Spans that may wait; those of a few thousand attempts, some megabytes.
const MOST: usize = 8_192;

/// The queue.
pub(super) struct Queue {
    processor: BatchSpanProcessor,
    sampler: Box<dyn ShouldSample>,
    standing: Arc<Standing>,
}

/// How it stands.
#[derive(Debug, Default)]
struct Standing {
    waiting: AtomicUsize,
    /// The collector did not take the last spans.
    silent: AtomicBool,
    /// Spans that found no room.
    dropped: AtomicUsize,
    /// That some were dropped was said.
    full: AtomicBool,
}

impl Queue {
    /// A queue to this exporter. The environment says which traces are wanted (`OTEL_TRACES_SAMPLER`) and
    /// how often they are sent (`OTEL_BSP_SCHEDULE_DELAY`).
    pub(super) fn new(exporter: impl SpanExporter + 'static, resource: &Resource) -> Self {
        let standing = Arc::new(Standing::default());
        let exporter = Telling { exporter, standing: Arc::clone(&standing) };
        let config = BatchConfigBuilder::default().with_max_queue_size(MOST).build();
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        processor.set_resource(resource);
        Self { processor, sampler: Config::default().sampler, standing }
    }

    /// Whether the trace of a span is wanted; for all spans of one the same, in every process.
    pub(super) fn is_wanted(&self, place: &Place, span: &SpanData) -> bool {
        let (name, kind) = (span.name.as_ref(), &span.span_kind);
        let (trace, parent) = (drawn_by(place), place.parent());
        let decided =
            self.sampler.should_sample(parent.as_ref(), trace, name, kind, &span.attributes, &[]);
        decided.decision == SamplingDecision::RecordAndSample
    }

    /// Puts a span into the queue, where there is room.
    pub(super) fn put(&self, span: SpanData) {
        if self.standing.waiting.fetch_add(1, Ordering::Relaxed) >= MOST {
            self.standing.waiting.fetch_sub(1, Ordering::Relaxed);
            // It is said by the thread that sends: here, the subscriber is at work.
            self.standing.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.processor.on_end(span);
    }

    /// Sends what waits, unless nobody took the last; for no longer than this.
    pub(super) fn finish(&self, longest: Duration) {
        if self.standing.silent.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.processor.shutdown_with_timeout(longest) {
            tracing::debug!(%error, "some spans were not sent");
        }
    }

    /// Sends what waits.
    #[cfg(test)]
    pub(super) fn flush(&self) {
        self.processor.force_flush().unwrap_or_default();
    }
}

/// By what it is drawn which traces are wanted. The samplers of the SDK look at the second half of the
/// identifier from its first bit on, and there a UUID has two bits that are always the same: as it stands,
/// a tenth of the traces would be none. The random bits are put first.
fn drawn_by(place: &Place) -> TraceId {
    match place {
        Place::Case(case) => TraceId::from(u128::from(case.as_u64_pair().1.rotate_left(32))),
        Place::Caller(_) => place.trace(),
    }
}

/// An exporter of which the log says once that nobody answers, and once that somebody does again.
struct Telling<E> {
    exporter: E,
    standing: Arc<Standing>,
}

impl<E> fmt::Debug for Telling<E> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.debug_struct("Telling").field("standing", &self.standing).finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for Telling<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let many = batch.len();
        let exported = self.exporter.export(batch).await;
        self.standing.waiting.fetch_sub(many, Ordering::Relaxed);
        let dropped = self.standing.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !self.standing.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(dropped, most = MOST, "more spans wait for the collector than may");
        }
        let silent = exported.is_err();
        let was_silent = self.standing.silent.swap(silent, Ordering::Relaxed);
        match &exported {
            Err(error) if !was_silent => {
                tracing::warn!(%error, "traces do not reach the collector; work goes on without them");
            }
            Ok(()) if was_silent => {
                self.standing.full.store(false, Ordering::Relaxed);
                tracing::warn!("traces reach the collector again");
            }
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanId, SpanKind, Status};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::{Sampler, SpanEvents, SpanLinks};
    use tracing_subscriber::layer::{Context, SubscriberExt as _};
    use uuid::Uuid;

    use super::*;
    use crate::domain::Ids as _;
    use crate::telemetry::SystemIds;

    fn span() -> SpanData {
        let time = std::time::UNIX_EPOCH;
        let place = Place::Case(Uuid::from_u128(7));
        SpanData {
            span_context: place.context(SpanId::from(7)),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: Cow::Borrowed("attempt"),
            start_time: time,
            end_time: time,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    /// A collector that answers when it is told to.
    #[derive(Debug)]
    struct Slow(Mutex<Receiver<OTelSdkResult>>);

    impl SpanExporter for Slow {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().recv().unwrap_or(Ok(()))
        }
    }

    #[test]
    fn whoever_works_never_waits_for_the_collector() {
        let (answer, answers) = channel();
        let queue = Queue::new(Slow(Mutex::new(answers)), &Resource::builder_empty().build());
        for _ in 0..MOST + 100 {
            queue.put(span());
        }
        assert_eq!(queue.standing.waiting.load(Ordering::Relaxed), MOST, "they have a bound");
        assert_eq!(queue.standing.dropped.load(Ordering::Relaxed), 100);
        let begun = std::time::Instant::now();
        queue.finish(Duration::from_millis(50));
        assert!(begun.elapsed() < Duration::from_secs(2), "nor does the end");
        drop(answer);
    }

    /// Counts lines.
    struct Lines(Arc<AtomicUsize>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn that_nobody_answers_is_said_once() {
        let lines = Arc::new(AtomicUsize::new(0));
        let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(&lines)));
        let _heard = tracing::subscriber::set_default(subscriber);
        let (answer, answers) = channel();
        let standing = Arc::new(Standing::default());
        let exporter =
            Telling { exporter: Slow(Mutex::new(answers)), standing: Arc::clone(&standing) };
        let mut said = Vec::new();
        for fine in [true, false, false, false, true, true, false] {
            standing.waiting.fetch_add(1, Ordering::Relaxed);
            let failure = || OTelSdkError::InternalFailure("nobody is there".to_owned());
            answer.send(if fine { Ok(()) } else { Err(failure()) }).unwrap();
            assert_eq!(exporter.export(vec![span()]).await.is_ok(), fine);
            said.push(lines.load(Ordering::Relaxed));
        }
        assert_eq!(said, [0, 1, 1, 1, 2, 2, 3]);
        assert_eq!(standing.waiting.load(Ordering::Relaxed), 0);
    }

    /// A case's identifier is made as those of cases are.
    #[test]
    fn a_tenth_of_the_traces_is_a_tenth() {
        let tenth = Sampler::TraceIdRatioBased(0.1);
        let drawn = (0..4_000).filter(|_| {
            let place = Place::Case(SystemIds.new_id());
            let trace = drawn_by(&place);
            let sampled = tenth.should_sample(None, trace, "case", &SpanKind::Internal, &[], &[]);
            sampled.decision == SamplingDecision::RecordAndSample
        });
        let drawn = drawn.count();
        assert!((280..520).contains(&drawn), "{drawn} of 4000");
    }
}
