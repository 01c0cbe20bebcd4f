//! Where a span belongs: in the trace of a case, or in that of a caller.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use uuid::Uuid;

/// The header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// A trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// That of a case.
    Case(Uuid),
    /// That of whoever called.
    Caller(SpanContext),
}

impl Place {
    /// The trace of a caller; `None` where that is no `traceparent`.
    pub(super) fn of_caller(traceparent: &str) -> Option<Self> {
        let header = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &header);
        let caller = context.span().span_context().clone();
        caller.is_valid().then_some(Self::Caller(caller))
    }

    /// The identifier of the trace: that of the case, 128 bits of it.
    pub(super) fn trace(&self) -> TraceId {
        match self {
            Self::Case(case) => TraceId::from(case.as_u128()),
            Self::Caller(caller) => caller.trace_id(),
        }
    }

    /// The span below which everything stands: of a case, the second half of its identifier, so that
    /// every process knows it.
    pub(super) fn whole(&self) -> SpanId {
        match self {
            Self::Case(case) => SpanId::from(case.as_u64_pair().1),
            Self::Caller(caller) => caller.span_id(),
        }
    }

    /// What decides about this trace beside its identifier: whether the caller keeps it.
    pub(super) fn parent(&self) -> Option<Context> {
        match self {
            Self::Case(_) => None,
            Self::Caller(caller) => Some(Context::new().with_remote_span_context(caller.clone())),
        }
    }

    /// A span of this trace.
    pub(super) fn context(&self, span: SpanId) -> SpanContext {
        SpanContext::new(self.trace(), span, TraceFlags::SAMPLED, false, TraceState::default())
    }
}
