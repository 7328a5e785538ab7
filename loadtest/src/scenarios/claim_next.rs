//! Claim-next: the oldest unclaimed message of a filled channel, under a lease.

use std::time::Instant;

use anyhow::Result;

use crate::api::{self, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Connection, Failure};
use crate::proc::Watched;
use crate::stats::Measured;

/// Longer than any run, so that no lease ends in it.
const LEASE_S: u64 = 3600;

struct Claimer {
    connection: Connection,
    /// The channels that may have something left for it, and how much; all workers share one where there is only one.
    channels: Vec<(String, u64)>,
}

impl Work for Claimer {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.connection.open().await
    }

    async fn step(&mut self) -> Step {
        while let Some((channel, left)) = self.channels.last_mut() {
            if *left == 0 {
                self.channels.pop();
                continue;
            }
            *left -= 1;
            let ask = api::claim_next(channel, LEASE_S, 1);
            let began = Instant::now();
            match self.connection.send(ask).await {
                Ok(answer) if api::found_nothing(&answer) => _ = self.channels.pop(),
                Ok(_) => return Step::Done(began.elapsed()),
                Err(failure) => return Step::Failed(failure),
            }
        }
        Step::Exhausted
    }
}

/// Takes what the channels hold, `stock` messages in all, until the time is up. Several channels
/// are dealt out to the workers, each of them full of its share of the stock.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn claim_next(target: &Target, channels: &[String], stock: u64, window: Window, watched: &[Watched]) -> Result<Measured> {
    let share = stock / (channels.len() as u64).max(1);
    let worker = |i: usize| {
        let mine = if channels.len() < target.connections {
            vec![(channels[i % channels.len()].clone(), u64::MAX)]
        } else {
            channels.iter().skip(i).step_by(target.connections).map(|c| (c.clone(), share)).collect() // no question in vain
        };
        Ok(Claimer { connection: target.connect(i)?, channels: mine })
    };
    drive("claim-next", (0..target.connections).map(worker).collect::<Result<_>>()?, window.of_stock(stock), watched).await
}
