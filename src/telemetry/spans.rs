//! The spans: one a request, one a script that a request runs, one a try to deliver a webhook.

use std::fmt::Write as _;

use http::{HeaderMap, Method};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::Url;

use super::{PROPAGATES, Relaxed, ids, is_on};
use crate::operation::Operation;

/// What every span of ours is addressed to: logging leaves these out, and the exporter takes no others.
pub const TARGET: &str = "backchannel::span";

/// Of a request that is traced.
pub struct RequestSpan(Span);

impl RequestSpan {
    /// Begins a span under the caller's, if its headers name one. With it comes the `traceparent` of the answer. None: it is not sampled.
    pub fn begin(
        method: &Method,
        route: Option<&str>,
        operation: Option<&'static Operation>,
        request_id: &str,
        headers: &HeaderMap,
    ) -> (Option<Box<Self>>, String) {
        let known = matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS");
        let name = route.map_or_else(String::new, |route| format!(" {route}"));
        let span = tracing::info_span!(
            target: TARGET,
            "request",
            otel.name = format!("{}{name}", if known { method.as_str() } else { "HTTP" }),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = if known { method.as_str() } else { "_OTHER" },
            http.route = route,
            http.response.status_code = Empty,
            error.type = Empty,
            backchannel.operation = operation.map(|o| o.id),
            backchannel.request_id = request_id,
            backchannel.error_code = Empty,
        );
        if PROPAGATES.load(Relaxed) {
            let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
            // It has not begun yet, so it takes a parent.
            let _ = span.set_parent(caller);
        }
        let context = context_of(&span);
        let sampled = context.is_sampled().then(|| Box::new(Self(span)));
        (sampled, traceparent(&context))
    }

    /// What the request's futures run in.
    pub fn span(&self) -> Span {
        self.0.clone()
    }

    /// The answer is there; `code` is the word of an error of ours.
    pub fn ended(&self, status: u16, code: Option<&'static str>) {
        self.0.record("http.response.status_code", status);
        if let Some(code) = code {
            self.0.record("backchannel.error_code", code);
        }
        if status >= 500 {
            self.0.record("otel.status_code", "ERROR");
            self.0.record("error.type", code.unwrap_or("5xx"));
        }
    }
}

/// Of a script that a traced request runs.
pub struct ScriptSpan(Span);

impl ScriptSpan {
    /// None outside of a traced request: in background tasks, and in reads that serve several requests.
    pub fn begin(script: &'static str) -> Option<Box<Self>> {
        in_traced_request().then(|| {
            Box::new(Self(tracing::info_span!(
                target: TARGET,
                "script",
                otel.name = script,
                otel.kind = "client",
                otel.status_code = Empty,
                db.system.name = "redis",
                db.operation.name = script,
                error.type = Empty,
            )))
        })
    }

    /// Redis did not do it, or nobody knows. A refusal of the script is none of these.
    pub fn failed(&self, class: &'static str) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", class);
    }
}

/// Of one try to deliver a webhook.
pub struct TrySpan {
    span: Span,
    traceparent: String,
}

impl TrySpan {
    /// All tries of a delivery are one trace, which the receiver sees. It links to the post, whose trace belongs to somebody else.
    pub fn begin(delivery: &str, event: &'static str, attempt: u32, url: &Url, post: Option<&Mark>) -> Option<Box<Self>> {
        if !is_on() {
            return None;
        }
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "webhook",
            otel.name = "POST webhook",
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = "POST",
            http.request.resend_count = attempt.saturating_sub(1),
            http.response.status_code = Empty,
            server.address = url.host_str(),
            server.port = url.port_or_known_default(),
            error.type = Empty,
            backchannel.delivery.id = delivery,
            backchannel.delivery.event = event,
            backchannel.delivery.attempt = attempt,
        );
        if let Some(post) = post {
            span.add_link(post.context()); // before it begins: whether it is sampled depends on it
        }
        let context = ids::as_next(ids::of_delivery(delivery), || context_of(&span));
        Some(Box::new(Self { span, traceparent: traceparent(&context) }))
    }

    /// What the receiver is told.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// It has ended: the status of the answer, 0 if there was none, and a word where it failed.
    pub fn ended(&self, status: u16, error: &'static str) {
        if status > 0 {
            self.span.record("http.response.status_code", status);
        }
        if !error.is_empty() {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", error);
        }
    }
}

/// Where a message was posted: kept with it if that request was traced, so that its claims and deliveries can point there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    trace: TraceId,
    span: SpanId,
}

impl Mark {
    /// Reads what [`Mark::to_text`] writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (trace, span) = text.strip_prefix("00-")?.strip_suffix("-01")?.split_once('-')?;
        let mark = Self { trace: TraceId::from_hex(trace).ok()?, span: SpanId::from_hex(span).ok()? };
        (mark.to_text() == text && mark.trace != TraceId::INVALID && mark.span != SpanId::INVALID).then_some(mark)
    }

    /// As a `traceparent`.
    pub fn to_text(self) -> String {
        traceparent(&self.context())
    }

    fn context(self) -> SpanContext {
        SpanContext::new(self.trace, self.span, TraceFlags::SAMPLED, true, TraceState::default())
    }
}

/// The request that runs now, if it is traced.
pub fn mark() -> Option<Box<Mark>> {
    (is_on() && in_traced_request()).then(|| {
        let context = context_of(&Span::current());
        Box::new(Mark { trace: context.trace_id(), span: context.span_id() })
    })
}

/// The request that runs now took a message that was posted there.
pub fn link(post: Option<&Mark>) {
    if let Some(post) = post
        && is_on()
        && in_traced_request()
    {
        Span::current().add_link(post.context());
    }
}

fn in_traced_request() -> bool {
    Span::current().metadata().is_some_and(|metadata| metadata.target() == TARGET)
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

fn traceparent(context: &SpanContext) -> String {
    let mut text = String::with_capacity(55);
    // Writing to a String cannot fail.
    let _ = write!(text, "00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags());
    text
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is_one() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Mark::parse(text).map(Mark::to_text).as_deref(), Some(text));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
    }
}
