//! `run`: one scenario against a server that runs already.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::api::Target;
use crate::drive::Window;
use crate::proc::Watched;
use crate::redis::Redis;
use crate::scenarios;
use crate::stats::Measured;

/// What to do to which server.
#[derive(Args)]
pub struct Options {
    /// Where a replica listens, such as http://127.0.0.1:8080. Give it again for each replica.
    #[arg(long = "url", required = true)]
    urls: Vec<String>,
    #[arg(long)]
    scenario: Scenario,
    /// Connections, each with one request at a time; wake: pairs; fanout: waiters.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Length of the measurement, after a second of warm-up.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Messages that are in the channel before; for claim, ack and claim-next: how many there are to take.
    #[arg(long)]
    backlog: Option<u64>,
    /// Messages of a page, for list.
    #[arg(long, default_value_t = 50)]
    page: u64,
    /// A process whose CPU time and memory are printed; for fanout, the one that holds the waiters.
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// URL of the server's Redis: fanout then counts what it is asked.
    #[arg(long)]
    redis: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Post to a claimable channel, by its id.
    Post,
    /// Post, claim and ack one message; one operation is all three.
    Cycle,
    /// Claim messages by their ids.
    Claim,
    /// Acknowledge messages that were claimed.
    Ack,
    /// Claim the oldest message of a filled channel, under a lease.
    ClaimNext,
    /// A page of messages after a cursor.
    List,
    /// From a post on the first replica to the answer of a reader that waits on the last one.
    Wake,
    /// One post to many readers that wait on one channel.
    Fanout,
    /// Send to one room, each connection as a participant.
    Send,
    /// From a send to a room on the first replica to the answer of the participant that polls on the last one.
    Rooms,
}

/// # Errors
/// When nothing can be measured.
pub async fn run(options: Options) -> Result<()> {
    let watched: Vec<Watched> = options.pids.iter().map(|pid| Watched::new(&format!("process {pid}"), *pid)).collect();
    if options.scenario == Scenario::Fanout {
        return fanout(&options, &watched).await;
    }
    let target = Target::prepare(&options.urls, options.connections.into()).await?;
    print!("{}", measure(&options, &target, &watched).await?);
    Ok(())
}

async fn measure(options: &Options, target: &Target, watched: &[Watched]) -> Result<Measured> {
    let window = Window::seconds(options.seconds);
    match options.scenario {
        Scenario::Cycle => return scenarios::cycle(target, window, watched).await,
        Scenario::Wake => return scenarios::wake(target, window, watched).await,
        Scenario::Send => return scenarios::rooms::sends(target, window, watched).await,
        Scenario::Rooms => return scenarios::rooms::delivery(target, window, watched).await,
        _ => {}
    }
    let backlog = options.backlog.unwrap_or(if options.scenario == Scenario::Post { 0 } else { 20_000 });
    let channels = target.channels("claimable", 1).await?;
    let messages = target.fill(&channels, backlog).await?;
    match options.scenario {
        Scenario::Claim => scenarios::claims(target, &messages, window, watched).await,
        Scenario::Ack => {
            scenarios::claims(target, &messages, Window::whole(), &[]).await?;
            scenarios::acks(target, &messages, window, watched).await
        }
        Scenario::ClaimNext => scenarios::claim_next(target, &channels, backlog, window, watched).await,
        Scenario::List => scenarios::list(target, &channels[0], &messages, options.page, window, watched).await,
        _ => scenarios::posts(target, &channels, window, watched).await,
    }
}

async fn fanout(options: &Options, watched: &[Watched]) -> Result<()> {
    let Some(server) = watched.last() else { bail!("fanout needs the --pid of the replica that holds the waiters") };
    let target = Target::prepare(&options.urls, options.connections.into()).await?;
    let mut redis = match &options.redis {
        Some(url) => Some(Redis::connect(url).await?),
        None => None,
    };
    print!("{}", scenarios::fanout(&target, options.connections.into(), server, redis.as_mut()).await?);
    Ok(())
}
