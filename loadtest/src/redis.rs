//! What the bench asks Redis about itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, FromRedisValue, cmd};

/// A connection for questions; none of it goes through while load is measured.
pub struct Redis(MultiplexedConnection);

/// Calls of a command and the microseconds of CPU they took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calls {
    pub calls: u64,
    pub usec: u64,
}

impl Redis {
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = Client::open(url).context("the URL of Redis")?;
        Ok(Self(client.get_multiplexed_async_connection().await.with_context(|| format!("connecting to {url}"))?))
    }

    /// # Errors
    /// When Redis refuses the command, or answers something else.
    pub async fn run<T: FromRedisValue>(&mut self, words: &[&str]) -> Result<T> {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.0).await.with_context(|| words.join(" "))
    }

    /// A field of `INFO`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn info(&mut self, section: &str, field: &str) -> Result<String> {
        let text: String = self.run(&["INFO", section]).await?;
        field_of(&text, field).map(str::to_owned).with_context(|| format!("INFO {section} has no {field}"))
    }

    /// # Errors
    /// When Redis does not answer.
    pub async fn used_memory(&mut self) -> Result<u64> {
        Ok(self.info("memory", "used_memory").await?.parse()?)
    }

    /// # Errors
    /// When Redis does not answer.
    pub async fn command_stats(&mut self) -> Result<BTreeMap<String, Calls>> {
        Ok(command_stats(&self.run::<String>(&["INFO", "commandstats"]).await?))
    }
}

fn field_of<'a>(info: &'a str, field: &str) -> Option<&'a str> {
    info.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
}

/// Lines such as `cmdstat_xadd:calls=3,usec=30,usec_per_call=10.00,rejected_calls=0,failed_calls=0`.
fn command_stats(info: &str) -> BTreeMap<String, Calls> {
    let line = |l: &str| {
        let (name, values) = l.strip_prefix("cmdstat_")?.split_once(':')?;
        let value = |wanted: &str| values.split(',').find_map(|v| v.strip_prefix(wanted)?.strip_prefix('=')?.trim().parse().ok());
        Some((name.to_owned(), Calls { calls: value("calls")?, usec: value("usec")? }))
    };
    info.lines().filter_map(line).collect()
}

/// What was called between two looks.
pub fn since(before: &BTreeMap<String, Calls>, after: &BTreeMap<String, Calls>) -> BTreeMap<String, Calls> {
    let difference = |(name, now): (&String, &Calls)| {
        let then = before.get(name).copied().unwrap_or_default();
        let calls = now.calls.saturating_sub(then.calls);
        (calls > 0).then(|| (name.clone(), Calls { calls, usec: now.usec.saturating_sub(then.usec) }))
    };
    after.iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Commandstats\r\ncmdstat_xadd:calls=3,usec=30,usec_per_call=10.00,rejected_calls=0,failed_calls=0\r\n\
                        cmdstat_config|get:calls=1,usec=5,usec_per_call=5.00,rejected_calls=0,failed_calls=0\r\n";

    #[test]
    fn command_stats_are_read_line_by_line() {
        let stats = command_stats(INFO);
        assert_eq!(stats["xadd"], Calls { calls: 3, usec: 30 });
        assert_eq!(stats.len(), 2);
    }

    #[test]
    fn a_difference_leaves_out_what_was_not_called() {
        let before = command_stats(INFO);
        let mut after = before.clone();
        after.insert("xadd".into(), Calls { calls: 5, usec: 44 });
        assert_eq!(since(&before, &after), BTreeMap::from([("xadd".to_owned(), Calls { calls: 2, usec: 14 })]));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "used_memory_rss:9\r\nused_memory:42\r\n";
        assert_eq!(field_of(info, "used_memory"), Some("42"));
        assert_eq!(field_of(info, "used"), None);
    }
}
