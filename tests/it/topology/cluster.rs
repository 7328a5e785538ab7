//! A cluster of three primaries with a replica each.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::SOON;
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::free_port;
use crate::support::redis::RedisServer;
use crate::support::tls::Tls;
use crate::support::wait::eventually_blocking;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// How long a planned failover may take before it is asked for again.
const HAND_OVER: Duration = Duration::from_secs(6);

/// Six servers; the first three begin as primaries, each with a third of the slots, and each of the others follows one of them.
pub struct Cluster {
    pub servers: Vec<Arc<RedisServer>>,
    ids: Vec<String>,
    /// Where the service and the others meet each server: another port than that of tests, where it speaks TLS.
    doors: Vec<u16>,
    scheme: &'static str,
}

impl Cluster {
    /// The one that tests share which break nothing. It does not take a busy machine for a dead server.
    pub fn shared() -> Arc<Self> {
        static SHARED: OnceLock<Arc<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Self::start(15_000))).clone()
    }

    /// One for a test that breaks it: `timeout_ms` is the `cluster-node-timeout`.
    pub fn start(timeout_ms: u32) -> Self {
        Self::start_with(timeout_ms, None)
    }

    /// One whose servers speak TLS, with each other too.
    pub fn start_with_tls(tls: &Tls) -> Self {
        Self::start_with(15_000, Some(tls))
    }

    fn start_with(timeout_ms: u32, tls: Option<&Tls>) -> Self {
        let timeout = timeout_ms.to_string();
        let plain = ["--cluster-node-timeout", &timeout, "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"];
        let starting: Vec<_> = (0..2 * PRIMARIES)
            .map(|_| {
                let mut args = plain.map(str::to_owned).to_vec();
                let door = tls.map(|tls| {
                    let door = free_port();
                    args.extend(tls.args(door));
                    args.extend(["--tls-cluster", "yes"].map(str::to_owned));
                    door
                });
                std::thread::spawn(move || {
                    let server = RedisServer::start_node(&args.iter().map(String::as_str).collect::<Vec<_>>());
                    let door = door.unwrap_or(server.port());
                    (server, door)
                })
            })
            .collect();
        let (servers, doors): (Vec<_>, Vec<_>) = starting.into_iter().map(|one| one.join().expect("a server starts")).unzip();
        let ids = servers.iter().map(|server| server.run(&["CLUSTER", "MYID"])).collect();
        let cluster = Self { servers, ids, doors, scheme: if tls.is_some() { "rediss-cluster" } else { "redis-cluster" } };
        cluster.meet();
        cluster
    }

    fn meet(&self) {
        for (n, server) in self.servers.iter().enumerate() {
            let _: () = server.run(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
            if n < PRIMARIES {
                let (first, next) = (SLOTS * n / PRIMARIES, SLOTS * (n + 1) / PRIMARIES);
                let _: () = server.run(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(next - 1).to_string()]);
            }
        }
        let first = &self.servers[0];
        let nodes: String = first.run(&["CLUSTER", "NODES"]);
        let bus = nodes.split('@').nth(1).and_then(|rest| rest.split([',', ' ']).next()).expect("a node names its bus").to_owned();
        for server in &self.servers[1..] {
            let _: () = server.run(&["CLUSTER", "MEET", "127.0.0.1", &self.doors[0].to_string(), &bus]);
        }
        let all = format!("cluster_known_nodes:{}\r", self.servers.len());
        self.each("all know each other", |server| server.run::<String>(&["CLUSTER", "INFO"]).contains(&all));
        for (n, server) in self.servers.iter().enumerate().skip(PRIMARIES) {
            let _: () = server.run(&["CLUSTER", "REPLICATE", &self.ids[n - PRIMARIES]]);
        }
        self.each("all are well", |server| {
            let info: String = server.run(&["CLUSTER", "INFO"]);
            let nodes: String = server.run(&["CLUSTER", "NODES"]);
            let replication: String = server.run(&["INFO", "replication"]);
            let follows = replication.contains("role:master") || replication.contains("master_link_status:up");
            let followers = nodes.lines().filter(|line| line.contains("slave")).count();
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && follows && followers == PRIMARIES
        });
    }

    fn each(&self, what: &str, holds: impl Fn(&RedisServer) -> bool) {
        for server in &self.servers {
            eventually_blocking(what, SOON, || holds(server));
        }
    }

    /// All servers are named, so that it can be entered whichever of them has died.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.doors[1..].iter().map(|door| format!("node=127.0.0.1:{door}")).collect();
        format!("{}://127.0.0.1:{}?{}", self.scheme, self.doors[0], nodes.join("&"))
    }

    /// Replicas on it, two unless said.
    pub fn fleet(&self) -> Builder {
        Fleet::builder().redis_of(&self.servers, &self.url())
    }

    pub fn id(&self, server: usize) -> &str {
        &self.ids[server]
    }

    pub fn slot(&self, channel: &str) -> usize {
        self.alive().run(&["CLUSTER", "KEYSLOT", &format!("{{{channel}}}")])
    }

    /// Asks this replica to take over from its primary, in order; what it returns is whether it has the slot. A hand-over that did not come
    /// about in 5 s is given up by Redis, and asked for again here; who has become the primary before others heard of it refuses that.
    pub fn takes_over(&self, slot: usize, replica: usize) -> impl FnMut() -> bool {
        let mut asked: Option<Instant> = None;
        move || {
            if asked.is_none_or(|at| at.elapsed() > HAND_OVER) {
                asked = Some(Instant::now());
                let _: Option<()> = self.servers[replica].try_run(&["CLUSTER", "FAILOVER"]);
            }
            self.owner(slot) == Some(replica)
        }
    }

    /// Which server has this slot, as one of those knows that run; none while a failover goes on.
    pub fn owner(&self, slot: usize) -> Option<usize> {
        let nodes: String = self.alive().run(&["CLUSTER", "NODES"]);
        let owns = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let here = |range: &str| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let range = first.parse().ok().zip(last.parse().ok());
                range.is_some_and(|(first, last): (usize, usize)| (first..=last).contains(&slot))
            };
            !words[2].contains("fail") && words.iter().skip(8).any(|range| here(range))
        };
        let line = nodes.lines().find(|line| owns(line))?;
        self.ids.iter().position(|id| line.starts_with(id.as_str()))
    }

    fn alive(&self) -> &RedisServer {
        self.servers.iter().rev().find(|server| server.answers()).expect("a server runs")
    }
}
