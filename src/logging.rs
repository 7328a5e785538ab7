//! Log lines to standard error, JSON or text. What may stand in them is decided where they are written: never content or secrets.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, FilterFn, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::settings::{LogFormat, Settings};
use crate::telemetry;

/// Starts logging for the whole process, and tracing where there is a tracer. Call it once, before the first log line.
///
/// # Errors
/// If logging was started before, or the filter is not one (settings have checked it).
pub fn init(settings: &Settings, tracer: Option<SdkTracer>) -> Result<()> {
    let filter = EnvFilter::builder().parse(&settings.log_level).context("the log filter")?;
    if let Some(tracer) = tracer {
        return init_with_spans(settings, filter, tracer);
    }
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        // Spans are left out: a line has its fields at the top level, where a log collector looks for them.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}

/// Lines know nothing of spans, and spans nothing of lines: what is logged leaves the process only as a log.
fn init_with_spans(settings: &Settings, filter: EnvFilter, tracer: SdkTracer) -> Result<()> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let no_span_of_ours = FilterFn::new(|metadata| metadata.target() != telemetry::TARGET);
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
        .with_filter(Targets::new().with_target(telemetry::TARGET, Level::INFO));
    let registry = tracing_subscriber::registry().with(lines.with_filter(filter.and(no_span_of_ours))).with(spans);
    registry.try_init().map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
