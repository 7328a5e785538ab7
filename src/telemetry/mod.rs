//! OpenTelemetry: traces over OTLP, off unless the operator's environment names a collector.
//!
//! - `environment.rs`: the standard `OTEL_*` variables.
//! - `spans.rs`: which spans there are, what stands in them, how context comes in, goes out, and is carried through a message.
//! - `exporter.rs`, `ids.rs`, `sampler.rs`: what the SDK is given by us.
//!
//! While it is off, a request pays for looks at [`is_on`]. What is not sampled is decided when a request begins, and costs nothing further on.
//! In spans stand names of operations, routes and scripts, ids of requests and deliveries, hosts of webhooks, statuses and codes: never
//! paths, queries, keys, tokens or content.

pub mod environment;
mod exporter;
mod ids;
mod sampler;
mod spans;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanLimits};

use self::environment::Plan;
use self::exporter::{Quiet, trusting};
use self::ids::Ids;
use self::sampler::Following;
use crate::ids::suffix;

pub use spans::{Mark, RequestSpan, ScriptSpan, TARGET, TrySpan, link, mark};

/// How long a process that ends waits for its last spans to leave.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

static ON: AtomicBool = AtomicBool::new(false);
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();
static PROPAGATES: AtomicBool = AtomicBool::new(false);

/// Whether anything is traced.
pub fn is_on() -> bool {
    ON.load(Relaxed)
}

/// What makes spans, for the layer that logging installs. Once a process, with TLS installed before.
///
/// # Errors
/// When the exporter cannot be made.
pub fn start(plan: &Plan) -> Result<SdkTracer> {
    let mut exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    if let Some(authorities) = &plan.authorities {
        exporter =
            exporter.with_http_client(trusting(authorities, plan.timeout).context("the authorities of traces' collector cannot be read")?);
    }
    let exporter = exporter.build().context("the exporter of traces cannot be made")?;
    let mut resource = Resource::builder();
    if !plan.is_named {
        resource = resource.with_service_name("backchannel");
    }
    let resource = resource
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", suffix()))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(Quiet::new(exporter)).build())
        .with_sampler(Following(plan.sampler.clone()))
        .with_id_generator(Ids::default())
        .with_span_limits(SpanLimits::default()) // not those of the environment: a claim has at most ten links
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("backchannel");
    PROPAGATES.store(plan.propagates, Relaxed);
    if PROVIDER.set(provider).is_ok() {
        ON.store(true, Relaxed);
    }
    Ok(tracer)
}

/// Sends what is left, for three seconds at most. Afterwards nothing is traced any more.
pub async fn stop() {
    ON.store(false, Relaxed);
    let Some(provider) = PROVIDER.get().cloned() else { return };
    let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WITHIN));
    match tokio::time::timeout(FLUSH_WITHIN * 2, flush).await {
        Ok(Ok(Ok(()))) => {}
        _ => tracing::warn!("the last spans were not exported in time"),
    }
}
