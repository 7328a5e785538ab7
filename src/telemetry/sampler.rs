//! Which traces are kept. As the SDK's samplers, with one more rule: a delivery goes the way of the post that it links to.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// A sampler that takes a link for a parent where a parent decides.
#[derive(Clone, Debug)]
pub struct Following(pub Sampler);

impl ShouldSample for Following {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_root = !parent.is_some_and(|parent| parent.span().span_context().is_valid());
        if is_root && matches!(self.0, Sampler::ParentBased(_)) && links.iter().any(|link| link.span_context.is_sampled()) {
            let decision = SamplingDecision::RecordAndSample;
            return SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() };
        }
        self.0.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn keeps(sampler: Sampler, links: &[Link]) -> bool {
        let trace = TraceId::from_bytes([7; 16]);
        let result = Following(sampler).should_sample(None, trace, "a", &SpanKind::Client, &[], links);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn a_delivery_is_kept_where_its_post_was_unless_nobody_asks_for_parents() {
        let post = |flags| {
            let context = SpanContext::new(TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]), flags, true, TraceState::default());
            [Link::new(context, Vec::new(), 0)]
        };
        let none = || Sampler::ParentBased(Box::new(Sampler::AlwaysOff));
        assert!(!keeps(none(), &[]));
        assert!(!keeps(none(), &post(TraceFlags::default())));
        assert!(keeps(none(), &post(TraceFlags::SAMPLED)));
        assert!(!keeps(Sampler::AlwaysOff, &post(TraceFlags::SAMPLED)));
        assert!(keeps(Sampler::AlwaysOn, &[]));
    }
}
