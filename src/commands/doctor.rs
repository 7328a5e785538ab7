//! `backchannel doctor`: whether the Redis of `--redis-url` keeps what is promised.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{WrongSettings, print};
use crate::settings::{Defaults, SettingFlags};
use crate::store::doctor::{Finding, Level, examine};

/// # Errors
/// When a check fails: then the exit code is 1.
pub(super) fn run(flags: &SettingFlags, as_json: bool) -> Result<()> {
    let settings = flags.load(Defaults::Serve).map_err(|mistakes| WrongSettings { mistakes })?.settings;
    super::install_tls();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    let findings = runtime.block_on(examine(&settings));
    let failed = findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if as_json {
        print(&serde_json::to_string_pretty(&json!({ "ok": failed == 0, "findings": findings })).context("the findings")?)?;
    } else {
        print(&lines(&findings))?;
    }
    match failed {
        0 => Ok(()),
        1 => bail!("1 check failed"),
        many => bail!("{many} checks failed"),
    }
}

/// One line a check.
fn lines(findings: &[Finding]) -> String {
    let widest = |of: fn(&Finding) -> usize| findings.iter().map(of).max().unwrap_or(0);
    let (at, check) = (widest(|f| f.at.len()), widest(|f| f.check.len()));
    let mut text = String::new();
    for finding in findings {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Unknown => "?",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "{level:4}  {:at$}  {:check$}  {}", finding.at, finding.check, finding.is);
        if let Some(change) = &finding.change {
            let _ = write!(text, "  ->  {change}");
        }
        text.push('\n');
    }
    text
}
