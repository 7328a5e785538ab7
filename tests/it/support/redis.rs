//! `redis-server` for tests: one for the whole test process, one in cluster mode, and private ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{Client, Connection, FromRedisValue, cmd};

use super::clock;
use super::process::{Process, free_port, says_port_taken, scratch, serial, tail, unique};

/// A slow machine with two cores and a compiler running beside the tests.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A `redis-server` on a loopback port: no persistence, `noeviction`, DEBUG allowed.
///
/// Tests share one and keep apart by key prefix ([`RedisServer::prefix`]). Take a private one where a test counts
/// commands, flushes, breaks or reconfigures the server.
pub struct RedisServer {
    process: Mutex<Process>,
    port: u16,
    /// What it was started with, for [`RedisServer::restart`].
    args: Vec<String>,
    /// How much its clock is ahead of ours, in seconds.
    clock_offset_s: i64,
    dir: PathBuf,
    cluster: bool,
}

impl RedisServer {
    /// The one that all tests of this process share.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<RedisServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_private(&[])).clone()
    }

    /// A single node in cluster mode that owns all slots, shared like [`RedisServer::shared`]: here an undeclared key
    /// or a second slot in a script is an error.
    pub fn cluster_mode() -> Arc<Self> {
        static SHARED: OnceLock<Arc<RedisServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_private_cluster(&[])).clone()
    }

    /// A server for one test, killed when the last handle is gone. `extra_args` as on redis-server's command line:
    /// `&["--appendonly", "yes"]`; they win over the ones given here.
    pub fn start_private(extra_args: &[&str]) -> Arc<Self> {
        Arc::new(Self::start(extra_args, false, 0))
    }

    /// The same with a clock that is off by that many seconds, behind when negative. Linux only.
    pub fn start_with_clock(offset_s: i64, extra_args: &[&str]) -> Arc<Self> {
        Arc::new(Self::start(extra_args, false, offset_s))
    }

    /// The same as a single cluster node that owns all slots.
    pub fn start_private_cluster(extra_args: &[&str]) -> Arc<Self> {
        let server = Self::start(extra_args, true, 0);
        let _: () = server.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        server.wait_for_slots();
        Arc::new(server)
    }

    /// A node in cluster mode without slots: a cluster is made out of several (`topology/cluster.rs`).
    pub fn start_node(extra_args: &[&str]) -> Arc<Self> {
        Arc::new(Self::start(extra_args, true, 0))
    }

    /// A sentinel with these lines of configuration.
    pub fn start_sentinel(lines: &str) -> Arc<Self> {
        let arguments = |port, dir: &Path| {
            let conf = dir.join("sentinel.conf");
            // It writes into this file what it learns.
            fs::write(&conf, format!("port {port}\nbind 127.0.0.1\n{lines}\n")).expect("the scratch directory can be written to");
            vec![conf.display().to_string(), "--sentinel".to_owned()]
        };
        Arc::new(Self::launch_with(arguments, false, 0))
    }

    /// A cluster node that follows the one that owns all slots.
    pub fn start_cluster_replica(primary: &Self) -> Arc<Self> {
        let replica = Self::start(&[], true, 0);
        let id: String = primary.run(&["CLUSTER", "MYID"]);
        let _: () = replica.run(&["CLUSTER", "MEET", "127.0.0.1", &primary.port.to_string(), primary.bus()]);
        let began = Instant::now();
        let follow = || cmd("CLUSTER").arg("REPLICATE").arg(&id).query::<()>(&mut replica.conn());
        while let Err(error) = follow() {
            assert!(began.elapsed() < START_LIMIT, "it does not follow: {error}");
            std::thread::sleep(Duration::from_millis(50)); // until it has heard of the other
        }
        Arc::new(replica)
    }

    /// The port on which nodes of a cluster talk to each other.
    fn bus(&self) -> &str {
        let at = self.args.iter().position(|arg| arg == "--cluster-port").expect("it is a cluster node");
        &self.args[at + 1]
    }

    fn start(extra_args: &[&str], cluster: bool, clock_offset_s: i64) -> Self {
        Self::launch_with(|port, _| arguments(port, cluster, extra_args), cluster, clock_offset_s)
    }

    fn launch_with(arguments: impl Fn(u16, &Path) -> Vec<String>, cluster: bool, clock_offset_s: i64) -> Self {
        let dir = scratch().join(format!("redis-{}", serial()));
        fs::create_dir_all(&dir).expect("the scratch directory can be written to");
        for _ in 0..10 {
            let port = free_port();
            let args = arguments(port, &dir);
            if let Some(process) = launch(&args, &dir, port, clock_offset_s) {
                return Self { process: Mutex::new(process), port, args, clock_offset_s, dir, cluster };
            }
        }
        panic!("redis-server found each of 10 ports taken:\n{}", tail(&dir.join("log"), 20));
    }

    /// What to put into BACKCHANNEL_REDIS_URL.
    pub fn url(&self) -> String {
        let scheme = if self.cluster { "redis-cluster" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Also in cluster mode a plain URL: the one node answers for all slots.
    pub fn plain_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// A key prefix that no other test has, with the colon at its end.
    pub fn prefix(&self) -> String {
        format!("t{}:", unique())
    }

    /// A connection without a runtime. Use it in async tests too: a loopback command takes a fraction of a
    /// millisecond. Not while the server is frozen.
    pub fn conn(&self) -> Connection {
        self.client().get_connection().expect("the test Redis is up")
    }

    pub async fn async_conn(&self) -> MultiplexedConnection {
        self.client().get_multiplexed_async_connection().await.expect("the test Redis is up")
    }

    fn client(&self) -> Client {
        Client::open(self.plain_url()).expect("a loopback URL is valid")
    }

    /// One command: `let n: i64 = server.run(&["DBSIZE"])`. An error reply fails the test.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.conn()).unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
    }

    /// The same where the server may end the connection before it answers, as one does that sentinels give another role.
    pub fn try_run<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let mut connection = self.client().get_connection().ok()?;
        cmd(words[0]).arg(&words[1..]).query(&mut connection).ok()
    }

    /// Its process runs and is not frozen.
    pub fn answers(&self) -> bool {
        let mut process = self.process();
        process.ended().is_none() && !process.is_frozen()
    }

    /// SIGKILL: connections break, and without `--appendonly yes` its data is gone.
    pub fn kill9(&self) {
        self.process().kill9();
    }

    /// Kills it if it runs, and starts it again with the same arguments on the same port.
    pub fn restart(&self) {
        let mut process = self.process();
        process.kill9();
        *process = launch(&self.args, &self.dir, self.port, self.clock_offset_s)
            .unwrap_or_else(|| panic!("redis-server did not get its port back:\n{}", self.log()));
        drop(process);
        if self.cluster {
            self.wait_for_slots();
        }
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.process().freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process().thaw();
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        tail(&self.dir.join("log"), 40)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait_for_slots(&self) {
        let began = Instant::now();
        while !self.run::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            assert!(began.elapsed() < START_LIMIT, "the cluster did not get ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn arguments(port: u16, cluster: bool, extra_args: &[&str]) -> Vec<String> {
    let port = port.to_string();
    let mut args = vec!["--port", &port, "--bind", "127.0.0.1", "--daemonize", "no"];
    args.extend(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--lazyfree-lazy-expire", "yes"]);
    args.extend(["--enable-debug-command", "local"]);
    let bus = free_port().to_string();
    if cluster {
        args.extend(["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-announce-ip", "127.0.0.1"]);
    }
    args.extend(extra_args);
    args.into_iter().map(str::to_owned).collect()
}

/// Starts it and waits until it answers. `None`: the port was taken.
fn launch(args: &[String], dir: &Path, port: u16, clock_offset_s: i64) -> Option<Process> {
    let log = dir.join("log");
    let mut command = Command::new("redis-server");
    command.args(args).current_dir(dir);
    if clock_offset_s != 0 {
        clock::offset(&mut command, clock_offset_s);
    }
    let mut process = Process::start(command, &log)
        .unwrap_or_else(|error| panic!("redis-server does not start ({error}): run `make test`, or scripts/install-redis.sh alone"));
    let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("a loopback URL is valid");
    let began = Instant::now();
    loop {
        if let Some(status) = process.ended() {
            let said = tail(&log, 20);
            assert!(says_port_taken(&said), "redis-server ended at start, {status}:\n{said}");
            return None;
        }
        let answer = client.get_connection_with_timeout(Duration::from_millis(500));
        // "OK to PING" and not merely connected: while it loads its data it accepts and refuses. The process id says
        // that it is ours that answers, and not one that took the port before.
        let info = answer.and_then(|mut conn| cmd("INFO").arg("server").query::<String>(&mut conn));
        if info.is_ok_and(|info| info.contains(&format!("process_id:{}\r", process.id()))) && loaded(&client) {
            return Some(process);
        }
        assert!(began.elapsed() < START_LIMIT, "redis-server does not answer:\n{}", tail(&log, 20));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn loaded(client: &Client) -> bool {
    client.get_connection().and_then(|mut conn| cmd("PING").query::<String>(&mut conn)).is_ok()
}
