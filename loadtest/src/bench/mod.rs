//! `bench`: the service and its yardsticks in one run, on the same machine, by the same generator. Only ratios are kept.

mod bare;
mod children;
mod costs;
mod isolation;
mod memory;
mod pages;
mod report;
mod rooms;
mod sizes;
mod stalls;
mod waking;
mod webhooks;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::children::{Scratch, Server, Threads};
use self::report::Report;
use crate::api::Target;
use crate::drive::Window;
use crate::proc::Watched;
use crate::redis::Redis;

/// What is compared is measured in so many turns each: what else the machine does meanwhile changes from second to second.
const ROUNDS: u32 = 4;

/// What to measure, and how much of it.
#[derive(Args, Clone)]
pub struct Options {
    /// The `backchannel` program to measure; a release build, or the numbers mean nothing.
    #[arg(long)]
    server: PathBuf,
    /// Length of each measurement, after a second of warm-up.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Messages of the large channel.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    backlog: u64,
    /// Readers that wait on one channel.
    #[arg(long, default_value_t = 10_000)]
    waiters: usize,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Costs, Part::Waking, Part::Sizes, Part::Pages, Part::Stalls, Part::Memory, Part::Fanout, Part::Rooms, Part::Webhooks, Part::Isolation])]
    only: Vec<Part>,
    /// The page whose measured part is rewritten.
    #[arg(long)]
    write: Option<PathBuf>,
}

/// A part of a bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// CPU of the server and of Redis per operation.
    Costs,
    /// Wake-up across replicas.
    Waking,
    /// The same operations in a short and in a long channel.
    Sizes,
    /// The same pages of short and of long listings.
    Pages,
    /// The longest time Redis is held up.
    Stalls,
    /// Memory of Redis per message.
    Memory,
    /// Many idle waiters.
    Fanout,
    /// Encrypted rooms: sends, their delivery, and many who poll.
    Rooms,
    /// Deliveries of one worker, and posts that are pushed.
    Webhooks,
    /// Deliveries beside a target that hangs.
    Isolation,
}

/// What all parts work on. Dropped, it ends its processes.
struct Bench {
    options: Options,
    replicas: [Server; 2],
    minimal: Server,
    /// The same on one thread, as the replicas are.
    minimal_alone: Server,
    redis: Server,
    scratch: Scratch,
    asking: Redis,
    report: Report,
}

/// # Errors
/// When something does not start or cannot be measured. A missed target is no error.
pub async fn bench(mut options: Options) -> Result<()> {
    options.server = options.server.canonicalize().with_context(|| format!("{} is not there", options.server.display()))?;
    if options.only.contains(&Part::Costs) {
        costs::benchmark_is_here().await?;
    }
    let mut bench = Bench::start(options).await?;
    for part in bench.options.only.clone() {
        println!("\n--- {part:?}");
        match part {
            Part::Costs => bench.costs().await,
            Part::Waking => bench.waking().await,
            Part::Sizes => bench.sizes().await,
            Part::Pages => bench.pages().await,
            Part::Stalls => bench.stalls().await,
            Part::Memory => bench.memory().await,
            Part::Fanout => bench.fanout().await,
            Part::Rooms => bench.rooms().await,
            Part::Webhooks => bench.webhooks().await,
            Part::Isolation => bench.isolation().await,
        }
        .with_context(|| format!("{part:?}"))?;
        bench.asking.run::<()>(&["FLUSHALL"]).await?; // parts do not weigh on each other
    }
    let machine = bench.machine().await?;
    let page = bench.report.page(&machine);
    println!("\n{page}");
    bench.options.write.as_ref().map_or(Ok(()), |path| report::write(path, &page))
}

impl Bench {
    async fn start(options: Options) -> Result<Self> {
        let scratch = Scratch::new()?;
        let redis = Server::redis(&scratch).await?;
        let first = Server::replica(&options.server, &redis, &scratch).await?;
        let second = Server::replica(&options.server, &redis, &scratch).await?;
        let minimal = Server::minimal(&redis, Threads::Usual, &scratch).await?;
        let minimal_alone = Server::minimal(&redis, Threads::One, &scratch).await?;
        let asking = Redis::connect(&redis.redis_url()).await?;
        Ok(Self { options, replicas: [first, second], minimal, minimal_alone, redis, scratch, asking, report: Report::default() })
    }

    fn window(&self) -> Window {
        Window::seconds(self.options.seconds)
    }

    /// One of [`ROUNDS`] in which things that are compared take turns.
    fn round(&self) -> Window {
        Window { warm_up: Duration::from_millis(500), ..Window::seconds(self.options.seconds / f64::from(ROUNDS)) }
    }

    /// Load for the first replica alone: what it costs is then one process' cost.
    async fn target(&self, connections: usize) -> Result<Target> {
        Target::prepare(&[self.replicas[0].url()], connections).await
    }

    fn connections(&self) -> usize {
        self.options.connections.into()
    }

    /// The first replica and Redis.
    fn watched(&self) -> Result<Vec<Watched>> {
        Ok(vec![self.replicas[0].watched()?, self.redis.watched()?])
    }

    /// When and where it ran, and with what.
    async fn machine(&mut self) -> Result<String> {
        let version = self.asking.info("server", "redis_version").await?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processor.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map_or("unknown", |(_, m)| m).to_owned();
        let date = jiff::Timestamp::now().to_string();
        let options = &self.options;
        Ok(format!(
            "Measured on {}, on {cores} cores ({model}), Redis {version} without persistence, {} connections, {} s a measurement; generator, \
             servers and Redis share the machine. CPU is user + kernel time of the process from `/proc`, per operation. Absolute numbers hold \
             for this machine and run only.",
            &date[..10.min(date.len())],
            options.connections,
            options.seconds
        ))
    }
}
