//! The hub against a real `redis-server`, one a test: what a waiter is promised, and that it holds when the connection
//! does not.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
};

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::store::target::RedisTarget;

mod losses;
mod reads;
mod waking;

/// Long enough on a busy machine; what is awaited takes milliseconds, a second for what only the checks notice.
const SOON: Duration = Duration::from_secs(5);
const NOT_NOW: Duration = Duration::from_millis(60);
const TOPIC: &str = "bc:{ch_aaaa}:wake";

/// A private Redis that ends with the test.
struct Redis {
    child: Option<Child>,
    port: u16,
    cluster: bool,
    dir: std::path::PathBuf,
}

impl Redis {
    async fn start() -> Self {
        let mut redis = Self::absent();
        redis.run().await;
        redis
    }

    async fn start_cluster() -> Self {
        let mut redis = Self::absent();
        redis.cluster = true;
        redis.run().await;
        redis.tell("CLUSTER ADDSLOTSRANGE 0 16383").await;
        redis.is_whole().await;
        redis
    }

    /// A second node without slots.
    async fn joining(first: &Self) -> Self {
        let mut redis = Self::absent();
        redis.cluster = true;
        redis.run().await;
        redis.tell(&format!("CLUSTER MEET 127.0.0.1 {} {}", first.port, first.port + 1)).await;
        redis.is_whole().await;
        first.is_whole().await;
        let known = format!("CLUSTER COUNT-FAILURE-REPORTS {}", redis.tell("CLUSTER MYID").await);
        eventually(|| async { !first.tell(&known).await.starts_with('-') }).await;
        redis
    }

    /// Waits until the cluster serves (a key of another node's slot is refused with MOVED).
    async fn is_whole(&self) {
        eventually(|| async { !self.tell("GET x").await.starts_with("-CLUSTERDOWN") }).await;
    }

    /// A port at which nothing answers yet.
    fn absent() -> Self {
        // Below the ports that the system gives to outgoing connections, or one of those takes it before Redis does.
        // The next one is the cluster bus'.
        // Each port is given out once: two tests that choose at the same time would both find it free.
        static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(rand::random_range(0..11_000)));
        let port = loop {
            let port = (5_000 + NEXT.fetch_add(1, SeqCst) % 11_000) * 2;
            if [port, port + 1].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
                break port;
            }
        };
        let dir = std::env::temp_dir().join(format!("backchannel-hub-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self { child: None, port, cluster: false, dir }
    }

    async fn run(&mut self) {
        let mut arguments = vec!["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let (port, bus) = (self.port.to_string(), (self.port + 1).to_string());
        arguments.extend(["--port", &port]);
        if self.cluster {
            arguments.extend(["--cluster-enabled", "yes", "--cluster-port", &bus]);
            arguments.extend(["--cluster-announce-ip", "127.0.0.1"]); // a node alone does not know its address
        }
        let child = Command::new("redis-server").args(arguments).current_dir(&self.dir).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server is installed"));
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() || self.tell("PING").await != "+PONG" {
            sleep(Duration::from_millis(10)).await;
        }
        let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("our own child can be waited for"));
        assert!(ended.is_none(), "redis-server found port {port} taken: {ended:?}");
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn target(&self) -> RedisTarget {
        let scheme = if self.cluster { "redis-cluster" } else { "redis" };
        RedisTarget::parse(&format!("{scheme}://127.0.0.1:{}", self.port)).unwrap()
    }

    /// Runs one inline command and returns the first line of the answer that is not just its length.
    async fn tell(&self, command: &str) -> String {
        let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap());
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        if line.starts_with('$') && !line.starts_with("$-1") {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        line.trim_end().to_owned()
    }

    /// Publishes a wake-up; returns how many heard it.
    async fn publish(&self, topic: &str, payload: &str) -> String {
        self.tell(&format!("SPUBLISH {topic} {payload}")).await
    }

    /// Waits until exactly `count` connections are subscribed to the topic.
    async fn subscribers(&self, topic: &str, count: usize) {
        eventually(|| async {
            let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await.unwrap());
            stream.write_all(format!("PUBSUB SHARDNUMSUB {topic}\r\n").as_bytes()).await.unwrap();
            let mut lines = stream.lines();
            for _ in 0..3 {
                lines.next_line().await.unwrap();
            }
            lines.next_line().await.unwrap() == Some(format!(":{count}"))
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

/// A hub whose first connection stands: that it was made wakes everybody, too.
async fn hub(redis: &Redis) -> Arc<Hub> {
    let hub = start(redis);
    eventually(|| async { hub.stats().connected }).await;
    sleep(NOT_NOW).await;
    hub
}

fn start(redis: &Redis) -> Arc<Hub> {
    Hub::start(HubConfig { linger: Duration::from_millis(200), ..HubConfig::new(redis.target()) }).unwrap()
}

async fn eventually<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let holds = async {
        while !condition().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), holds).await.expect("the condition never came true");
}

/// `n` claim waiters in line; what they got is counted, and kept unspent until the end of the test.
struct Claimers {
    woken: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Claimers {
    async fn line_up(hub: &Arc<Hub>, n: usize) -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for _ in 0..n {
            let (place, woken) = (hub.topic(TOPIC).await.unwrap(), woken.clone());
            tasks.push(tokio::spawn(async move {
                let turn = place.claim_turn().await;
                woken.fetch_add(1, SeqCst);
                turn.spend();
            }));
        }
        sleep(NOT_NOW).await;
        assert_eq!(woken.load(SeqCst), 0);
        Self { woken, tasks }
    }

    async fn are_woken(&self, n: usize) {
        eventually(|| async { self.woken.load(SeqCst) >= n }).await;
        sleep(NOT_NOW).await;
        assert_eq!(self.woken.load(SeqCst), n);
    }
}
