//! `docs/errors.md`, written from the table of codes.

use std::fmt::Write;

use super::Code;

/// The page that `documentation_url` points into: one section a code.
pub fn errors_md() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every error is JSON: `error` (the word to branch on), `message`, `suggestion`, `request_id`, `documentation_url`, and details at the top level\n\
         (`field`, `retry_after`, `required_scope`…). This page is written by `backchannel print errors` from the table the service answers from.\n\n\
         A 4xx changed nothing. A 503 carries `Retry-After` in seconds and may be sent again; only after `outcome_unknown` that may do it twice.\n",
    );
    for code in Code::ALL {
        let spec = code.spec();
        // Writing to a String cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n`{}` · {}\n\n{}\n\n**Do this:** {}\n",
            spec.word.replace('_', "-"),
            spec.word,
            spec.status,
            spec.meaning,
            spec.next_step
        );
    }
    page
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_page_is_what_the_program_writes() {
        assert_eq!(include_str!("../../docs/errors.md"), super::errors_md(), "run: backchannel print errors > docs/errors.md");
    }
}
