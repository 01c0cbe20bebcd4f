//! From spans of the process to spans of a trace. A span that names its case stands in the trace of that
//! case: below the span that it was made in, where that is in the same trace, and else below the case
//! itself. One that does not know its case yet is told once the span around it knows.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::{
    IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks,
};
use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::place::Place;
use super::queue::Queue;
use super::said::Said;

/// Spans that wait for the span around them to learn its case.
const MOST_WAITING: usize = 1_000;

/// Shows spans.
pub(super) struct Shown {
    queue: Arc<Queue>,
    ids: RandomIdGenerator,
    scope: InstrumentationScope,
}

/// A span under way.
struct UnderWay {
    id: SpanId,
    began: SystemTime,
    ended: Option<SystemTime>,
    said: Said,
    waiting: Vec<SpanData>,
}

/// What a span needs to know of one around it.
struct Around {
    id: SpanId,
    place: Option<Place>,
}

impl Shown {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        let scope = InstrumentationScope::builder("quietus")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self { queue, ids: RandomIdGenerator::default(), scope }
    }

    /// As it is handed on; to which trace it belongs may not be known yet.
    fn data(&self, name: &'static str, own: &mut UnderWay) -> SpanData {
        let start_time = own.said.since.unwrap_or(own.began);
        let end_time = own.ended.unwrap_or_else(now).max(start_time);
        let called = matches!(own.said.place, Some(Place::Caller(_)));
        let status = match own.said.fault.take() {
            Some(fault) => Status::error(fault),
            None => Status::Unset,
        };
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: called,
            span_kind: if called { SpanKind::Server } else { SpanKind::Internal },
            name: Cow::Borrowed(name),
            start_time,
            end_time,
            attributes: std::mem::take(&mut own.said.attributes),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }

    /// Hands a span on, with those within it that waited for its trace.
    fn hand_on(&self, place: &Place, (id, mut data): (SpanId, SpanData), waiting: Vec<SpanData>) {
        if !self.queue.is_wanted(place, &data) {
            return;
        }
        for mut inner in waiting {
            inner.span_context = place.context(inner.span_context.span_id());
            self.queue.put(inner);
        }
        data.span_context = place.context(id);
        self.queue.put(data);
    }
}

impl<S> Layer<S> for Shown
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let id = self.ids.new_span_id();
        let own = UnderWay { id, began: now(), ended: None, said, waiting: Vec::new() };
        span.extensions_mut().insert(own);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(own) = extensions.get_mut::<UnderWay>() else { return };
        values.record(&mut own.said);
        if std::mem::take(&mut own.said.over) {
            own.ended = Some(now());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut own) = span.extensions_mut().remove::<UnderWay>() else { return };
        let may_be_nothing = span.metadata().fields().field("said").is_some();
        if may_be_nothing && !own.said.something {
            return;
        }
        let around = around(&span);
        let mut data = self.data(span.name(), &mut own);
        let inherited = around.as_ref().and_then(|one| one.place.clone());
        let Some(place) = own.said.place.take().or_else(|| inherited.clone()) else {
            let Some(Around { id, .. }) = around else { return };
            data.parent_span_id = id;
            data.span_context = unplaced(own.id);
            wait(&span, std::iter::once(data).chain(own.waiting));
            return;
        };
        let mut id = own.id;
        data.parent_span_id = match around {
            _ if own.said.whole => {
                id = place.whole();
                SpanId::INVALID
            }
            Some(around) if around.place.as_ref() == Some(&place) => around.id,
            Some(Around { id, place: Some(other) }) => {
                data.links.links.push(Link::new(other.context(id), Vec::new(), 0));
                place.whole()
            }
            _ => place.whole(),
        };
        self.hand_on(&place, (id, data), own.waiting);
    }
}

/// The span around this one, with the trace that it is in.
fn around<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>) -> Option<Around> {
    let mut outer = span.parent();
    let mut around: Option<Around> = None;
    while let Some(one) = outer {
        if let Some(known) = one.extensions().get::<UnderWay>() {
            let around = around.get_or_insert(Around { id: known.id, place: None });
            around.place.clone_from(&known.said.place);
            if around.place.is_some() {
                break;
            }
        }
        outer = one.parent();
    }
    around
}

/// Has spans wait in the one around them.
fn wait<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>, data: impl Iterator<Item = SpanData>) {
    let Some(outer) = span.parent() else { return };
    let mut extensions = outer.extensions_mut();
    let Some(around) = extensions.get_mut::<UnderWay>() else { return };
    let room = MOST_WAITING.saturating_sub(around.waiting.len());
    around.waiting.extend(data.take(room));
}

/// A span of which nobody knows yet to which trace it belongs.
fn unplaced(span: SpanId) -> SpanContext {
    use opentelemetry::trace::{TraceFlags, TraceId, TraceState};
    let (flags, state) = (TraceFlags::default(), TraceState::default());
    SpanContext::new(TraceId::INVALID, span, flags, false, state)
}

#[expect(clippy::disallowed_methods, reason = "spans are of the machine's time")]
fn now() -> SystemTime {
    SystemTime::now()
}
