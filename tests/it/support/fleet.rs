//! Replicas as child processes of the real binary, on one Redis, each fleet under a key prefix of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::client::{Agent, Client, Routes};
use super::leftovers::leftovers;
use super::process::{Process, free_port, says_port_taken, scratch, tail};
use super::redis::RedisServer;
use super::wait::eventually;

const START_LIMIT: Duration = Duration::from_secs(30);
/// A graceful stop answers its waiters and finishes what runs; nothing in a test runs for long.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// What is done in the background after an answer is done by then.
const LATE_WORK: Duration = Duration::from_secs(15);
/// What a failed test shows of each replica's log.
const LOG_LINES: usize = 60;

/// What replicas run with unless a test says otherwise: no limits, expiry that can be waited for.
const DEFAULTS: &[(&str, &str)] = &[
    ("BACKCHANNEL_HOST", "127.0.0.1"),
    ("BACKCHANNEL_RATE_LIMIT", "0"),
    ("BACKCHANNEL_KEY_MINT_LIMIT", "0"),
    ("BACKCHANNEL_INVITATION_LOOKUP_LIMIT", "0"),
    ("BACKCHANNEL_FLOOD_LIMIT", "0"),
    ("BACKCHANNEL_MIN_TTL_SECONDS", "1"),
    ("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "25"),
    ("BACKCHANNEL_LOG_FORMAT", "json"),
    // So that /readyz tells tests at once whether Redis answers.
    ("BACKCHANNEL_UNREADY_AFTER_SECONDS", "0"),
    // Receivers of webhooks are on loopback; nothing else is allowed.
    ("BACKCHANNEL_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8"),
    // A walk over the keys of all tests that share a Redis would be for nothing; tests of it turn it on.
    ("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "0"),
    ("RL_CHANNELS_PER_HOUR", "0"),
    ("RL_MESSAGES_PER_HOUR", "0"),
    ("RL_JOINS_PER_HOUR", "0"),
    ("RL_CONCURRENT_CHANNELS_PER_IP", "0"),
    // Counters that are flushed meanwhile would be seen where a test compares all keys or counts round trips.
    ("BACKCHANNEL_USAGE_FLUSH_SECONDS", "3600"),
    // A Redis that a busy machine lets wait for some seconds is not away. Tests in which Redis falls silent say how long is too long.
    ("BACKCHANNEL_REDIS_TIMEOUT_MS", "10000"),
];

/// As in production, of fleets on several servers: there connections to a server that was replaced must be given up in time.
const TIMEOUT_OF_SEVERAL: (&str, &str) = ("BACKCHANNEL_REDIS_TIMEOUT_MS", "1500");

/// Some replicas and the Redis they share. End a test with [`Fleet::finish`]; dropping a fleet kills it.
pub struct Fleet {
    redis: Arc<RedisServer>,
    /// All servers, where there is more than one.
    servers: Vec<Arc<RedisServer>>,
    prefix: String,
    env: Vec<(String, String)>,
    dir: PathBuf,
    replicas: Vec<Mutex<Process>>,
    ports: Vec<u16>,
    routes: Arc<Routes>,
    client: Client,
    finished: bool,
}

/// How a fleet is to be. From [`Fleet::builder`].
pub struct Builder {
    replicas: usize,
    redis: Option<Arc<RedisServer>>,
    servers: Vec<Arc<RedisServer>>,
    prefix: Option<String>,
    env: Vec<(String, String)>,
}

impl Builder {
    /// How many; 2 unless said.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Another Redis than the shared one.
    pub fn redis(mut self, redis: &Arc<RedisServer>) -> Self {
        self.redis = Some(redis.clone());
        self
    }

    /// Several servers that are one Redis under this URL. Tests look into the first one.
    pub fn redis_of(mut self, servers: &[Arc<RedisServer>], url: &str) -> Self {
        self.servers = servers.to_vec();
        self.redis(&servers[0]).env("BACKCHANNEL_REDIS_URL", url)
    }

    /// Another key prefix than one that nobody else has.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// A setting of every replica. The last one of a name holds, also over the defaults.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts all replicas and waits until each is ready.
    pub async fn start(self) -> Fleet {
        let redis = self.redis.unwrap_or_else(RedisServer::shared);
        let unique = redis.prefix();
        let dir = scratch().join(unique.trim_end_matches(':'));
        let prefix = self.prefix.unwrap_or(unique);
        let mut env: Vec<_> = DEFAULTS.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        if !self.servers.is_empty() {
            env.push((TIMEOUT_OF_SEVERAL.0.to_owned(), TIMEOUT_OF_SEVERAL.1.to_owned()));
        }
        env.push(("BACKCHANNEL_REDIS_URL".into(), redis.url()));
        env.push(("BACKCHANNEL_KEY_PREFIX".into(), prefix.clone()));
        env.extend(self.env);
        fs::create_dir_all(&dir).expect("the scratch directory can be written to");

        let launches = (0..self.replicas).map(|replica| {
            let (dir, env) = (&dir, &env);
            async move { launch_on_a_free_port(&dir.join(format!("replica-{replica}.log")), env).await }
        });
        let (replicas, ports): (Vec<_>, Vec<_>) = join_all(launches).await.into_iter().unzip();
        let routes = Arc::new(Routes::new(ports.clone()));
        let client = Client::new(routes.clone());
        let replicas = replicas.into_iter().map(Mutex::new).collect();
        Fleet { redis, servers: self.servers, prefix, env, dir, replicas, ports, routes, client, finished: false }
    }
}

impl Fleet {
    /// `replicas` replicas on the shared Redis, with the defaults.
    pub async fn start(replicas: usize) -> Self {
        Self::builder().replicas(replicas).start().await
    }

    pub fn builder() -> Builder {
        Builder { replicas: 2, redis: None, servers: Vec::new(), prefix: None, env: Vec::new() }
    }

    /// Without a key; each request goes to the next replica that is up.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Without a key; always to this replica.
    pub fn client_on(&self, replica: usize) -> Client {
        self.client.on(replica)
    }

    /// A fresh key; its requests go round all replicas that are up.
    pub async fn agent(&self, label: &str) -> Agent {
        self.client.mint(label).await
    }

    pub fn size(&self) -> usize {
        self.replicas.len()
    }

    /// `http://127.0.0.1:<port>` of a replica; the same after a restart.
    pub fn url(&self, replica: usize) -> String {
        self.routes.url(replica)
    }

    pub fn redis(&self) -> &Arc<RedisServer> {
        &self.redis
    }

    /// How many replicas Redis says have subscribed to what wakes the waiters of a channel, on all its servers that run.
    pub fn subscribers(&self, channel: &str) -> usize {
        let topic = format!("{}{{{channel}}}:wake", self.prefix);
        let one = std::slice::from_ref(&self.redis);
        let servers = if self.servers.is_empty() { one } else { &self.servers };
        let count =
            |server: &Arc<RedisServer>| server.try_run::<(String, usize)>(&["PUBSUB", "SHARDNUMSUB", &topic]).map_or(0, |(_, count)| count);
        servers.iter().filter(|server| server.answers()).map(count).sum()
    }

    /// BACKCHANNEL_KEY_PREFIX of this fleet.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The settings of its replicas.
    pub fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// Where its logs are.
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// All that a replica has logged, restarts included: to assert what is in it, and what is not.
    pub fn log(&self, replica: usize) -> String {
        fs::read_to_string(self.log_path(replica)).unwrap_or_default()
    }

    /// SIGKILL, in the middle of whatever it does. [`Fleet::client`] sends nothing more to it.
    pub fn kill9(&self, replica: usize) {
        self.routes.set_up(replica, false);
        self.replica(replica).kill9();
    }

    /// SIGTERM, and waits for the end: how a replica leaves in a rollout.
    pub async fn terminate(&self, replica: usize) -> ExitStatus {
        self.ask_to_stop(replica);
        self.stopped(replica).await
    }

    /// SIGTERM only. [`Fleet::client`] sends nothing more to it.
    pub fn ask_to_stop(&self, replica: usize) {
        self.routes.set_up(replica, false);
        self.replica(replica).terminate();
    }

    /// Waits until a replica has ended; fails the test if it runs on.
    pub async fn stopped(&self, replica: usize) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.replica(replica).ended() {
                return status;
            }
            assert!(began.elapsed() < STOP_LIMIT, "replica {replica} runs on {STOP_LIMIT:?} after SIGTERM");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGSTOP: it keeps its connections, its port and its leases, and says nothing. [`Fleet::client`] still sends to it.
    pub fn freeze(&self, replica: usize) {
        self.replica(replica).freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self, replica: usize) {
        self.replica(replica).thaw();
    }

    /// Kills it if it runs, starts it again on its port, waits until it is ready.
    pub async fn restart(&self, replica: usize) {
        self.restart_with(replica, &[]).await;
    }

    /// The same with other settings for this replica, until it is restarted again.
    pub async fn restart_with(&self, replica: usize, env: &[(&str, &str)]) {
        self.kill9(replica);
        let log = self.log_path(replica);
        let settings = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let env: Vec<_> = self.env.iter().cloned().chain(settings).collect();
        let process = launch(self.ports[replica], &log, &env).await;
        *self.replica(replica) = process.unwrap_or_else(|| panic!("replica {replica} did not get its port back"));
        self.routes.set_up(replica, true);
    }

    /// The value of a metric of one replica, summed over its labels, or of one series, labels included; `None` when it is not there.
    pub async fn metric(&self, replica: usize, name: &str) -> Option<f64> {
        let text = self.client_on(replica).get("/metrics").await.has_status(200).text;
        let sample = |line: &str| {
            let (series, value) = line.trim().rsplit_once(' ')?;
            (series == name || series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
        };
        let values: Vec<f64> = text.lines().filter_map(sample).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Fails the test if a replica still counts a waiter, or Redis holds a key without owner and expiry.
    pub async fn check_leftovers(&self) {
        for replica in (0..self.size()).filter(|&replica| self.answers(replica)) {
            let what = format!("replica {replica} has no waiter left (backchannel_waiters)");
            eventually(&what, Duration::from_secs(30), || async move {
                let waiters = self.metric(replica, "backchannel_waiters").await;
                waiters.expect("/metrics has backchannel_waiters") == 0.0
            })
            .await;
        }
        // Of several servers each knows a part, and what it belongs to may be elsewhere.
        let look = || if self.servers.is_empty() { leftovers(&self.redis, &self.prefix) } else { Vec::new() };
        // What a replica does after it has answered, such as freeing the aliases of a key that ended, may take its time on a busy machine.
        let (began, mut left) = (Instant::now(), look());
        while !left.is_empty() && began.elapsed() < LATE_WORK {
            tokio::time::sleep(Duration::from_millis(50)).await;
            left = look();
        }
        assert!(left.is_empty(), "the test left behind, {LATE_WORK:?} after its end too:\n{}", left.join("\n"));
    }

    /// The end of a test: nothing is left behind, and every replica that still runs stops gracefully, with status 0.
    pub async fn finish(mut self) {
        self.check_leftovers().await;
        let running: Vec<usize> = (0..self.size()).filter(|&replica| self.answers(replica)).collect();
        for &replica in &running {
            self.ask_to_stop(replica);
        }
        for replica in running {
            let status = self.stopped(replica).await;
            assert!(status.success(), "replica {replica} ended with {status} after SIGTERM");
        }
        self.finished = true;
    }

    /// The end of a test that broke its Redis or its replicas for good: nothing is checked.
    pub fn abandon(mut self) {
        self.finished = true;
    }

    /// Runs and is not frozen.
    fn answers(&self, replica: usize) -> bool {
        let mut process = self.replica(replica);
        process.ended().is_none() && !process.is_frozen()
    }

    fn replica(&self, replica: usize) -> MutexGuard<'_, Process> {
        self.replicas[replica].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_path(&self, replica: usize) -> PathBuf {
        self.dir.join(format!("replica-{replica}.log"))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for replica in 0..self.size() {
                let log = self.log_path(replica);
                eprintln!("--- replica {replica}, the end of {}:\n{}", log.display(), tail(&log, LOG_LINES));
            }
        } else {
            let _ = fs::remove_dir_all(&self.dir); // nobody needs it, and the next run would remove it
            assert!(self.finished, "a test with a fleet ends with fleet.finish().await (or fleet.abandon())");
        }
    }
}

async fn launch_on_a_free_port(log: &std::path::Path, env: &[(String, String)]) -> (Process, u16) {
    for _ in 0..10 {
        let port = free_port();
        if let Some(process) = launch(port, log, env).await {
            return (process, port);
        }
    }
    panic!("a replica found each of 10 ports taken:\n{}", tail(log, LOG_LINES));
}

/// Whatever this machine has set for a Backchannel of its own, or as a proxy, is not what the test is about.
pub fn without_surroundings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if upper.starts_with("BACKCHANNEL_") || upper.starts_with("OTEL_") || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
}

/// Starts a replica and waits until it is ready. `None`: the port was taken.
async fn launch(port: u16, log: &std::path::Path, env: &[(String, String)]) -> Option<Process> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backchannel"));
    command.arg("serve");
    without_surroundings(&mut command);
    command.env("BACKCHANNEL_PORT", port.to_string()).envs(env.iter().map(|(name, value)| (name, value)));
    let before = fs::metadata(log).map_or(0, |file| file.len());
    let mut process = Process::start(command, log).expect("the binary was built with the tests");

    let ready = Client::new(Arc::new(Routes::new(vec![port])));
    let began = Instant::now();
    loop {
        if let Some(status) = process.ended() {
            let all = fs::read_to_string(log).unwrap_or_default();
            let said = &all[usize::try_from(before).unwrap_or(0).min(all.len())..];
            assert!(says_port_taken(said), "a replica ended at start, {status}:\n{said}");
            return None;
        }
        let answer = ready.get("/readyz").within(Duration::from_secs(2)).attempt().await;
        if answer.is_ok_and(|reply| reply.status == 200) && process.ended().is_none() {
            return Some(process);
        }
        assert!(began.elapsed() < START_LIMIT, "a replica does not get ready:\n{}", tail(log, LOG_LINES));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}
