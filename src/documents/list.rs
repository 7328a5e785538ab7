//! Every document, one row each.

use super::serve::Kind::{self, Css, Html, Markdown, Script, Svg, Text};
use super::{Facts, render};
use crate::error::{Result, render as errors};
use crate::settings::configuration_md;

/// What is served under one path.
pub struct Document {
    pub path: &'static str,
    pub kind: Kind,
    pub source: Source,
}

/// Where its text comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// A template of `text/`, by name.
    Template(&'static str),
    /// As it is.
    Fixed(&'static str),
    /// Written by the program.
    Written(fn() -> String),
}

const fn template(path: &'static str, kind: Kind, name: &'static str) -> Document {
    Document { path, kind, source: Source::Template(name) }
}

const fn fixed(path: &'static str, kind: Kind, text: &'static str) -> Document {
    Document { path, kind, source: Source::Fixed(text) }
}

const fn written(path: &'static str, kind: Kind, write: fn() -> String) -> Document {
    Document { path, kind, source: Source::Written(write) }
}

/// All documents. `docs/errors.md`, `docs/reliability.md`, `docs/security.md`, `docs/configuration.md` and `docs/webhooks.md` are the repository's own pages.
pub static DOCUMENTS: &[Document] = &[
    template("/llms.txt", Text, "llms.txt"),
    template("/agent-guide", Text, "agent-guide.txt"),
    template("/first-success-prompt.txt", Text, "first-success-prompt.txt"),
    template("/robots.txt", Text, "robots.txt"),
    template("/docs/quickstart.md", Markdown, "quickstart.md"),
    template("/docs/protocol.md", Markdown, "protocol.md"),
    template("/docs/invitations-flow.md", Markdown, "invitations-flow.md"),
    template("/docs/sla.md", Markdown, "sla.md"),
    written("/docs/errors.md", Markdown, errors::errors_md),
    written("/docs/configuration.md", Markdown, configuration_md),
    fixed("/docs/reliability.md", Markdown, include_str!("../../docs/reliability.md")),
    fixed("/docs/security.md", Markdown, include_str!("../../docs/security.md")),
    fixed("/docs/webhooks.md", Markdown, include_str!("../../docs/webhooks.md")),
    template("/humans", Html, "humans.html"),
    template("/docs/playground", Html, "playground.html"),
    fixed("/assets/page.css", Css, include_str!("text/page.css")),
    fixed("/assets/page.js", Script, include_str!("text/page.js")),
    fixed("/assets/playground.css", Css, include_str!("text/playground.css")),
    fixed("/assets/playground.js", Script, include_str!("text/playground.js")),
    fixed("/favicon.svg", Svg, include_str!("text/favicon.svg")),
];

impl Document {
    /// The text as this instance serves it.
    ///
    /// # Errors
    /// A fault where a template names what is not there.
    pub fn text(&self, facts: &Facts) -> Result<String> {
        match self.source {
            Source::Template(name) => render::fill(name, facts),
            Source::Fixed(text) => Ok(text.to_owned()),
            Source::Written(write) => Ok(write()),
        }
    }
}
