//! `docs/configuration.md`, written from the table: `backchannel print configuration > docs/configuration.md`.

use std::fmt::Write as _;

use super::{Row, TABLE};
use crate::telemetry::environment::SUPPORTED;

const TRACING: &str = "
## Tracing

The standard variables of OpenTelemetry, without a prefix and without flags. Tracing is off while no endpoint is named. Any other `OTEL_*`, and a value that cannot be used, is
a warning at the start. What is traced: docs/operations.md, \"Traces\".

| variable | default | what it does |
| --- | --- | --- |
";

const INTRODUCTION: &str = "\
# Settings

Written by `backchannel print configuration`; a test compares it with the program.

Each setting is an environment variable and a flag: `BACKCHANNEL_RATE_LIMIT` is `--rate-limit`. The flag wins, an empty value counts as unset.
A value that is not allowed stops the start; all mistakes are reported at once. An unknown `BACKCHANNEL_*` variable is a warning.
Replicas of one fleet should have the same settings. `backchannel dev` has defaults of its own where the table says so.
";

/// The whole page.
pub fn configuration_md() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut section = "";
    for row in TABLE {
        if row.section != section {
            section = row.section;
            // Writing to a String cannot fail.
            let _ = write!(page, "\n## {section}\n\n| variable | default | must be | what it does |\n| --- | --- | --- | --- |\n");
        }
        let _ = writeln!(page, "| `{}` | {} | {} | {} |", row.name, default(row), cell(&row.allowed()), cell(row.help));
    }
    page += TRACING;
    for (name, default, help) in SUPPORTED {
        let _ = writeln!(page, "| `{name}` | {} | {} |", value(default), cell(help));
    }
    page
}

/// A default as it is shown.
fn value(text: &str) -> String {
    if text.is_empty() { "unset".to_owned() } else { format!("`{text}`") }
}

fn default(row: &Row) -> String {
    match row.dev_default {
        Some(dev) => format!("{}, `dev`: {}", value(row.default), value(dev)),
        None => value(row.default),
    }
}

/// Text that may stand in a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::configuration_md;

    #[test]
    fn the_committed_page_is_what_the_program_writes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let committed = std::fs::read_to_string(path).expect("docs/configuration.md is there");
        assert!(committed == configuration_md(), "run: cargo run -- print configuration > docs/configuration.md");
    }
}
