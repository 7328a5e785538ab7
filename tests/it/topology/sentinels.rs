//! A primary with two replicas, and three sentinels that watch them.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, FromRedisValue, RedisResult, cmd};

use super::SOON;
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::free_port;
use crate::support::redis::RedisServer;
use crate::support::tls::Tls;
use crate::support::wait::eventually_blocking;

const SERVICE: &str = "main";
/// Of servers: a replica begins to follow at once.
const PLAIN: &[&str] = &["--repl-diskless-sync-delay", "0"];
/// After so long sentinels have given a failover up, and one that was refused may be asked for again (`failover-timeout`, and a little).
const HAND_OVER: Duration = Duration::from_secs(6);
/// Longer than a test.
const NEVER_MS: u32 = 600_000;

fn lines(primary: u16, down_ms: u32) -> String {
    format!(
        "sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\nsentinel down-after-milliseconds {SERVICE} {down_ms}\n\
         sentinel failover-timeout {SERVICE} 5000\nsentinel parallel-syncs {SERVICE} 2"
    )
}

/// The servers, of which the first begins as the primary, and their sentinels.
pub struct Sentinels {
    pub servers: Vec<Arc<RedisServer>>,
    pub sentinels: Vec<Arc<RedisServer>>,
    /// Where the service meets each sentinel: another port than that of tests, where it speaks TLS.
    doors: Vec<u16>,
    scheme: &'static str,
}

impl Sentinels {
    /// The one that tests share which break nothing. It does not take a busy machine for a dead server.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Sentinels>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::start(NEVER_MS))).clone()
    }

    /// One for a test that breaks it: `down_ms` is `down-after-milliseconds`.
    pub fn start(down_ms: u32) -> Self {
        let primary = RedisServer::start_private(PLAIN);
        let (port, port_text) = (primary.port(), primary.port().to_string());
        let mut servers = vec![primary];
        let follow = [PLAIN, &["--replicaof", "127.0.0.1", &port_text]].concat();
        servers.extend((0..2).map(|_| RedisServer::start_private(&follow)));
        let sentinels: Vec<_> = (0..3).map(|_| RedisServer::start_sentinel(&lines(port, down_ms))).collect();
        let doors = sentinels.iter().map(|sentinel| sentinel.port()).collect();
        Self { servers, sentinels, doors, scheme: "redis-sentinel" }.that_know_all()
    }

    /// All of them speak TLS, with each other too.
    pub fn start_with_tls(tls: &Tls) -> Self {
        let secured = |args: &[&str]| {
            let (port, plain) = (free_port(), PLAIN);
            let more = tls.args(port);
            let all: Vec<_> = plain.iter().chain(args).copied().chain(more.iter().map(String::as_str)).collect();
            (RedisServer::start_private(&all), port)
        };
        let (primary, port) = secured(&[]);
        let mut servers = vec![primary];
        servers.extend((0..2).map(|_| secured(&["--replicaof", "127.0.0.1", &port.to_string()]).0));
        let doors: Vec<_> = (0..3).map(|_| free_port()).collect();
        let sentinel = |door: &u16| {
            let own: Vec<_> = tls.settings(*door).into_iter().map(|(name, value)| format!("{name} {value}")).collect();
            RedisServer::start_sentinel(&format!("{}\n{}", own.join("\n"), lines(port, NEVER_MS)))
        };
        let sentinels = doors.iter().map(sentinel).collect();
        Self { servers, sentinels, doors, scheme: "rediss-sentinel" }.that_know_all()
    }

    fn that_know_all(self) -> Self {
        for replica in &self.servers[1..] {
            let follows = || replica.run::<String>(&["INFO", "replication"]).contains("master_link_status:up");
            eventually_blocking("a replica follows the primary", SOON, follows);
        }
        for sentinel in &self.sentinels {
            eventually_blocking("a sentinel knows all", SOON, || {
                let known = master(sentinel);
                let says = |name: &str, number: &str| known.windows(2).any(|pair| pair[0] == name && pair[1] == number);
                says("num-slaves", "2") && says("num-other-sentinels", "2")
            });
        }
        self
    }

    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.doors[1..].iter().map(|door| format!("node=127.0.0.1:{door}")).collect();
        format!("{}://127.0.0.1:{}/0?sentinelServiceName={SERVICE}&{}", self.scheme, self.doors[0], nodes.join("&"))
    }

    /// Replicas on it, two unless said.
    pub fn fleet(&self) -> Builder {
        Fleet::builder().redis_of(&self.servers, &self.url())
    }

    /// Asks for a planned failover, and again if it is given up; whether another server than `old` is the primary.
    pub fn replaces(&self, old: usize) -> impl FnMut() -> bool {
        let mut asked: Option<Instant> = None;
        move || {
            if asked.is_none_or(|at| at.elapsed() > HAND_OVER) {
                asked = Some(Instant::now());
                if let Err(refusal) = ask::<()>(&self.sentinels[0], "FAILOVER") {
                    println!("the sentinel does not begin a failover: {refusal}");
                }
            }
            self.primary().is_some_and(|now| now != old)
        }
    }

    /// Which server is the primary, as most sentinels say that run; none while they do not agree.
    pub fn primary(&self) -> Option<usize> {
        let said = |sentinel: &Arc<RedisServer>| {
            let known = master(sentinel);
            known.windows(2).find(|pair| pair[0] == "port").and_then(|pair| pair[1].parse::<u16>().ok())
        };
        let running: Vec<_> = self.sentinels.iter().filter(|sentinel| sentinel.answers()).map(said).collect();
        let first = running.first().copied().flatten()?;
        let agreed = running.iter().all(|port| *port == Some(first));
        agreed.then(|| self.servers.iter().position(|server| server.port() == first)).flatten()
    }
}

/// What a sentinel knows of the primary: names and values.
fn master(sentinel: &RedisServer) -> Vec<String> {
    ask(sentinel, "MASTER").unwrap_or_default()
}

fn ask<T: FromRedisValue>(sentinel: &RedisServer, what: &str) -> RedisResult<T> {
    let client = Client::open(sentinel.plain_url()).expect("a loopback URL is valid");
    let mut connection = client.get_connection().expect("the sentinel is up");
    cmd("SENTINEL").arg(what).arg(SERVICE).query(&mut connection)
}
