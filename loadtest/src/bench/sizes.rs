//! The same operation in a channel with ten messages and in one with very many: it should cost the same.

use anyhow::Result;

use super::Bench;
use super::report::{Ratio, table};
use crate::api::Target;
use crate::drive::Window;
use crate::scenarios;
use crate::stats::{Measured, ms};

/// Messages of a short channel.
const SHORT: u64 = 10;
/// Short enough for a short channel: half of it is behind a cursor in its middle.
const PAGE: u64 = 5;
/// Operations of each claim-next and post run: so many short channels are filled that they stay short.
const OPERATIONS: u64 = 10_000;

impl Bench {
    pub(super) async fn sizes(&mut self) -> Result<()> {
        let target = self.target(self.connections()).await?;
        let short_channels = usize::try_from(OPERATIONS / SHORT)?;
        let short = target.channels("claimable", short_channels).await?;
        let long = target.channels("claimable", 1).await?;
        println!("filling {} messages", self.options.backlog + OPERATIONS);
        let in_short = target.fill(&short[..1], SHORT).await?;
        target.fill(&short[1..], SHORT).await?;
        let in_long = target.fill(&long, self.options.backlog).await?;

        let watched = self.watched()?;
        let window = self.window();
        let list = (
            scenarios::list(&target, &short[0], &in_short, PAGE, window, &watched).await?,
            scenarios::list(&target, &long[0], &in_long, PAGE, window, &watched).await?,
        );
        // Both take the same number of messages; posts come after, so that the channels of claims are as long as they are said to be.
        let claim =
            (scenarios::claim_next(&target, &short, OPERATIONS, Window::whole(), &watched).await?, self.claim_some(&target, &long).await?);
        let spare = target.channels("claimable", short_channels).await?;
        target.fill(&spare, SHORT).await?;
        let few = Window { length: std::time::Duration::from_secs_f64(self.options.seconds.min(2.0)), ..window };
        let post = (scenarios::posts(&target, &spare, few, &watched).await?, scenarios::posts(&target, &long, few, &watched).await?);
        let mut rows = Vec::new();
        for (name, (small, large)) in [("post", &post), ("claim-next", &claim), ("list", &list)] {
            print!("{small}{large}");
            let what = format!("CPU of server and Redis per {name}, {} messages in the channel against {SHORT}", self.options.backlog);
            self.report.ratio(Ratio::of(&what, total(large), total(small), "µs", 1.2));
            rows.push(row(name, SHORT, small));
            rows.push(row(name, self.options.backlog, large));
        }
        let head = ["operation", "messages in the channel", "p50 ms", "p99 ms", "CPU of the server, µs", "CPU of Redis, µs", "errors"];
        let text = format!(
            "{}\nMany short channels are used in turn, so that {SHORT} messages stay about {SHORT} while operations add and take; the long one is one \
             channel. Pages have {PAGE} messages.",
            table(&head, &rows)
        );
        self.report.section("Short and long channels", text);
        Ok(())
    }

    /// As many claims as the short channels gave, from one long channel that is topped up before.
    async fn claim_some(&self, target: &Target, long: &[String]) -> Result<Measured> {
        target.fill(long, OPERATIONS).await?;
        scenarios::claim_next(target, long, OPERATIONS, Window { length: self.window().length, ..Window::whole() }, &self.watched()?).await
    }
}

pub(super) fn total(m: &Measured) -> Option<f64> {
    Some(m.cpu_us("server")? + m.cpu_us("redis")?)
}

pub(super) fn row(name: &str, messages: u64, m: &Measured) -> Vec<String> {
    let us = |name: &str| m.cpu_us(name).map_or_else(String::new, |v| format!("{v:.1}"));
    let errors = m.errors.values().sum::<u64>().to_string();
    let (p50, p99) = (ms(m.latencies.quantile(0.5)), ms(m.latencies.quantile(0.99)));
    vec![name.to_owned(), messages.to_string(), p50, p99, us("server"), us("redis"), errors]
}
