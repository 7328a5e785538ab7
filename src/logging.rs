//! Log lines to standard error, JSON or text. What may stand in them is decided where they are written: never content or secrets.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Starts logging for the whole process. Call it once, before the first log line.
///
/// # Errors
/// If logging was started before, or the filter is not one (settings have checked it).
pub fn init(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::builder().parse(&settings.log_level).context("the log filter")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.log_format {
        // Spans are left out: a line has its fields at the top level, where a log collector looks for them.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
