//! The same operation in a channel with ten messages and in one with very many: it should cost the same.

use std::time::Duration;

use anyhow::Result;

use super::report::{Ratio, table};
use super::{Bench, ROUNDS};
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
/// Of a turn of posts, which make short channels longer.
const LONGEST: Duration = Duration::from_millis(500);

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
        let [mut list, mut claim, mut post] = [(); 3].map(|()| (Measured::default(), Measured::default()));
        for _ in 0..ROUNDS {
            list.0.add(scenarios::list(&target, &short[0], &in_short, PAGE, self.round(), &watched).await?);
            list.1.add(scenarios::list(&target, &long[0], &in_long, PAGE, self.round(), &watched).await?);
        }
        // Both take the same number of messages; posts come after, so that the channels of claims are as long as they are said to be.
        for some in short.chunks(short_channels.div_ceil(ROUNDS as usize)) {
            let stock = some.len() as u64 * SHORT;
            claim.0.add(scenarios::claim_next(&target, some, stock, Window::whole(), &watched).await?);
            claim.1.add(self.claim_some(&target, &long, stock).await?);
        }
        let spare = target.channels("claimable", short_channels).await?;
        target.fill(&spare, SHORT).await?;
        let few = Window { length: self.round().length.min(LONGEST), ..self.round() };
        for _ in 0..ROUNDS {
            post.0.add(scenarios::posts(&target, &spare, few, &watched).await?);
            post.1.add(scenarios::posts(&target, &long, few, &watched).await?);
        }
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
             channel. Pages have {PAGE} messages. In turns, {ROUNDS} each.",
            table(&head, &rows)
        );
        self.report.section("Short and long channels", text);
        Ok(())
    }

    /// As many claims as short channels gave, from one long channel that is topped up before.
    async fn claim_some(&self, target: &Target, long: &[String], stock: u64) -> Result<Measured> {
        target.fill(long, stock).await?;
        scenarios::claim_next(target, long, stock, Window { length: self.window().length, ..Window::whole() }, &self.watched()?).await
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
