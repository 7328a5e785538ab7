//! The processes of a bench: a private Redis, replicas, workers, yardsticks. None outlives the bench.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::http::{Ask, Connection};
use crate::proc::Watched;
use crate::redis::Redis;

const START_LIMIT: Duration = Duration::from_secs(20);
/// And to end, with requests under way.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What replicas run with: no limits, so that it is the service that is measured, and nothing is logged a request.
const SETTINGS: &[(&str, &str)] = &[
    ("BACKCHANNEL_HOST", "127.0.0.1"),
    ("BACKCHANNEL_RATE_LIMIT", "0"),
    ("BACKCHANNEL_MAX_BYTES_PER_KEY_PER_DAY", "0"),
    ("BACKCHANNEL_MAX_LEASES_PER_CHANNEL", "10000000"),
    // High, not off: keeping count is part of the service.
    ("BACKCHANNEL_MAX_LEASES_PER_KEY", "10000000"),
    ("BACKCHANNEL_MAX_BYTES_PER_KEY", "1099511627776"),
    ("BACKCHANNEL_LONGPOLL_MAX_WAITERS_PER_KEY", "0"),
    ("BACKCHANNEL_KEY_MINT_LIMIT", "0"),
    ("BACKCHANNEL_FLOOD_LIMIT", "0"),
    ("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50"),
    ("BACKCHANNEL_LOG_LEVEL", "warn"),
    ("CH_MAX_PARTICIPANTS", "1000"),
    ("CH_MAX_MESSAGES", "1000000"),
    ("RL_CHANNELS_PER_HOUR", "0"),
    ("RL_MESSAGES_PER_HOUR", "0"),
    ("RL_JOINS_PER_HOUR", "0"),
    ("RL_CONCURRENT_CHANNELS_PER_IP", "0"),
    ("BACKCHANNEL_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8"),
    ("BACKCHANNEL_WEBHOOK_QUEUE_MAX", "10000000"),
];

/// What keys of all replicas begin with that are of one fleet.
const PREFIX: &str = "bc:";

/// Where processes put their logs; removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn new() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("backchannel-bench-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a leftover in the temporary directory harms nobody
    }
}

/// A running process: asked to end when dropped, and killed by the kernel when this process ends in whatever way.
pub struct Server {
    child: Child,
    name: &'static str,
    log: PathBuf,
    pub port: u16,
}

/// What a yardstick server runs on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    One,
    /// One a core.
    Usual,
}

impl Server {
    /// No persistence; what takes longer than 2 ms goes into its slow log.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn redis(scratch: &Scratch) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--maxmemory-policy", "noeviction", "--maxclients", "1000", "--lazyfree-lazy-expire", "yes"]);
        command.args(["--slowlog-log-slower-than", "2000", "--slowlog-max-len", "1000", "--latency-monitor-threshold", "2"]);
        let mut server = Self::start(command, "redis", port, scratch)?;
        let began = Instant::now();
        while Redis::connect(&server.redis_url()).await.is_err() {
            server.still_starting(began).await?;
        }
        Ok(server)
    }

    /// # Errors
    /// When it does not get ready.
    pub async fn replica(program: &Path, redis: &Self, scratch: &Scratch) -> Result<Self> {
        Self::replica_of(PREFIX, program, redis, scratch).await
    }

    /// Of the fleet whose keys begin with this.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn replica_of(fleet: &str, program: &Path, redis: &Self, scratch: &Scratch) -> Result<Self> {
        let (port, mut command) = (free_port()?, ours(program, "serve", redis));
        command.env("BACKCHANNEL_PORT", port.to_string()).env("BACKCHANNEL_KEY_PREFIX", fleet);
        Self::start(command, "server", port, scratch)?.answering("/readyz").await
    }

    /// One that makes so many deliveries at once, and of these so many to one host.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn worker(program: &Path, redis: &Self, scratch: &Scratch, [at_once, to_one]: &[u16; 2]) -> Result<Self> {
        let (port, mut command) = (free_port()?, ours(program, "worker", redis));
        command.env("BACKCHANNEL_PORT", port.to_string());
        command.env("BACKCHANNEL_WEBHOOK_CONCURRENCY", at_once.to_string()).env("BACKCHANNEL_WEBHOOK_PER_HOST", to_one.to_string());
        Self::start(command, "worker", port, scratch)?.answering("/readyz").await
    }

    /// A receiver of webhooks that counts.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn receiver(scratch: &Scratch) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
        command.args(["receive", "--port", &port.to_string()]);
        Self::start(command, "receiver", port, scratch)?.answering("/count").await
    }

    /// The bare loop that posts to `url`; `plain`: without the headers of a delivery.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn pushes(url: &str, at_once: u16, plain: bool, scratch: &Scratch) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
        command.args(["push", "--url", url, "--at-once", &at_once.to_string()]).args(plain.then_some("--plain"));
        Self::start(command, "pushes", 0, scratch)
    }

    /// The yardstick server of this very program, on one thread or as many as tokio takes by itself.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn minimal(redis: &Self, threads: Threads, scratch: &Scratch) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe().context("this program's own path")?);
        command.args(["minimal", "--redis", &redis.redis_url(), "--port", &port.to_string()]);
        command.args((threads == Threads::One).then_some("--one-thread"));
        Self::start(command, "minimal", port, scratch)?.answering("/hold?seconds=0").await
    }

    fn start(mut command: Command, name: &'static str, port: u16, scratch: &Scratch) -> Result<Self> {
        let log = scratch.0.join(format!("{name}-{port}.log"));
        let out = File::create(&log)?;
        command.stdin(std::process::Stdio::null()).stdout(out.try_clone()?).stderr(out).current_dir(&scratch.0).kill_on_drop(true);
        tie_to_this_thread(&mut command);
        let child = command.spawn().with_context(|| format!("{:?} cannot be started", command.as_std().get_program()))?;
        Ok(Self { child, name, log, port })
    }

    async fn answering(mut self, path: &str) -> Result<Self> {
        let began = Instant::now();
        while Connection::new(&self.url(), None)?.send(Ask::get(path)).await.is_err() {
            self.still_starting(began).await?;
        }
        Ok(self)
    }

    async fn still_starting(&mut self, began: Instant) -> Result<()> {
        if self.child.try_wait()?.is_some() || began.elapsed() > START_LIMIT {
            bail!("{} did not start:\n{}", self.name, fs::read_to_string(&self.log).unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// # Errors
    /// When it has ended.
    pub fn watched(&self) -> Result<Watched> {
        Ok(Watched::new(self.name, self.child.id().with_context(|| format!("{} has ended", self.name))?))
    }
}

impl Drop for Server {
    /// As an operator ends it, so that it does what it does at its end; killed by tokio if it has not gone in time.
    fn drop(&mut self) {
        let Some(pid) = self.child.id() else { return };
        let _ = std::process::Command::new("kill").arg(pid.to_string()).status(); // it may have ended by itself
        let began = Instant::now();
        while began.elapsed() < END_LIMIT && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A process of the program to be measured, without whatever this machine has set for one of its own.
fn ours(program: &Path, what: &str, redis: &Server) -> Command {
    let mut command = Command::new(program);
    command.arg(what);
    let prefixes = ["BACKCHANNEL_", "CH_", "RL_"];
    for (name, _) in std::env::vars_os().filter(|(n, _)| prefixes.iter().any(|p| n.to_string_lossy().starts_with(p))) {
        command.env_remove(name);
    }
    command.envs(SETTINGS.iter().copied()).env("BACKCHANNEL_REDIS_URL", redis.redis_url());
    command
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The signal comes when the thread that spawned ends: the bench runs on the main thread, which lives as long as the process.
#[allow(unsafe_code, reason = "pre_exec is the only place where PR_SET_PDEATHSIG can be set")]
fn tie_to_this_thread(command: &mut Command) {
    let parent = std::process::id();
    let before_exec = move || {
        // SAFETY: both calls are async-signal-safe and touch no memory of ours.
        let now = unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::getppid()
        };
        // The parent may have died before the line above: then no signal will come.
        if u32::try_from(now) == Ok(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec the closure calls async-signal-safe functions only and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}
