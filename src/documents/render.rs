//! Templates: Jinja's syntax, a name that is not there is an error, HTML is escaped.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use crate::error::{ApiError, Result};

macro_rules! templates {
    ($($name:literal),* $(,)?) => { &[ $( ($name, include_str!(concat!("text/", $name))) ),* ] };
}

/// By name; the ending says whether values are escaped.
static TEMPLATES: &[(&str, &str)] = templates![
    "llms.txt",
    "agent-guide.txt",
    "first-success-prompt.txt",
    "robots.txt",
    "begin.txt",
    "quickstart.md",
    "protocol.md",
    "invitations-flow.md",
    "sla.md",
    "humans.html",
    "playground.html",
    "status.html",
    "room.md",
    "room-stub.md",
    "room.html",
    "rooms-begin.sh",
    "rooms-bootstrap.sh",
    "rooms-join.sh",
];

static ENVIRONMENT: LazyLock<Result<Environment<'static>>> = LazyLock::new(|| {
    let fault = |error: minijinja::Error| ApiError::internal(format!("a template does not fit: {error:#}"));
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(fault)?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(write);
    environment.add_filter("span", |seconds: f64| span(seconds));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).map_err(fault)?;
    }
    Ok(environment)
});

/// The template with its names filled in.
///
/// # Errors
/// A fault that names template and line.
pub fn fill(name: &str, facts: &impl Serialize) -> Result<String> {
    let environment = ENVIRONMENT.as_ref().map_err(Clone::clone)?;
    let filled = environment.get_template(name).and_then(|template| template.render(Serde(facts)));
    filled.map_err(|error| ApiError::internal(format!("{name} cannot be filled: {error:#}")))
}

/// Texts in HTML keep their slashes, unlike the usual escaping: URLs stay readable for who reads the source.
fn write(out: &mut Output, state: &mut State, value: &Value) -> std::result::Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(minijinja::Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn escaped(text: &str) -> String {
    let signs = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#x27;")];
    signs.iter().fold(text.to_owned(), |text, (sign, name)| text.replace(*sign, name))
}

/// A number of seconds as people say it: `1 day`, `90 seconds`, `5 minutes`.
fn span(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")];
    let whole = |unit: f64| seconds >= unit && seconds % unit == 0.0;
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| whole(*unit)).unwrap_or((1.0, "second"));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1.0 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_largest_unit_that_fits() {
        for (seconds, said) in
            [(1.0, "1 second"), (90.0, "90 seconds"), (300.0, "5 minutes"), (3600.0, "1 hour"), (172_800.0, "2 days"), (0.5, "0.5 seconds")]
        {
            assert_eq!(span(seconds), said);
        }
    }

    #[test]
    fn what_could_end_an_attribute_is_escaped_in_html_only() {
        let settings = crate::settings::Settings::for_tests();
        let facts = crate::documents::Facts::new(&settings, "https://bus.example/it's?\"<b>&", true);
        let (page, text) = (fill("humans.html", &facts).expect("a page"), fill("llms.txt", &facts).expect("a text"));
        assert!(page.contains("https://bus.example/it&#x27;s?&quot;&lt;b&gt;&amp;") && !page.contains("\"<b>"));
        assert!(text.contains("https://bus.example/it's?\"<b>&"));
    }

    #[test]
    fn a_name_that_is_not_there_is_a_fault_and_not_a_gap() {
        let error = fill("llms.txt", &serde_json::json!({ "base": "http://x" })).expect_err("a fault");
        assert!(error.log_cause().is_some_and(|cause| cause.contains("llms.txt")), "{error:?}");
    }
}
