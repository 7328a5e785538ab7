//! `docs/configuration.md`, written from the table: `backchannel print configuration > docs/configuration.md`.

use std::fmt::Write as _;

use super::{Row, TABLE};

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
    page
}

fn default(row: &Row) -> String {
    let text = |text: &str| if text.is_empty() { "unset".to_owned() } else { format!("`{text}`") };
    match row.dev_default {
        Some(dev) => format!("{}, `dev`: {}", text(row.default), text(dev)),
        None => text(row.default),
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
