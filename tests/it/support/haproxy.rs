//! HAProxy with the configuration that is shipped, in front of the replicas of a fleet: only addresses are others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, Routes};
use super::fleet::Fleet;
use super::process::{Process, free_port, serial, tail};
use super::wait::eventually;

/// Its health checks come once a second.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Ends when it is dropped.
pub struct Haproxy {
    port: u16,
    log: PathBuf,
    _process: Process,
}

/// What health checks say of a replica.
#[derive(Clone, Copy, Debug)]
pub enum Health {
    Up,
    Down,
}

impl Haproxy {
    /// In front of all places of the fleet, whether a replica runs there or not. Returns once it passes requests on.
    pub async fn start(fleet: &Fleet) -> Self {
        let (config, log) = (fleet.dir().join(format!("haproxy-{}.cfg", serial())), fleet.dir().join("haproxy.log"));
        for _ in 0..10 {
            let port = free_port();
            fs::write(&config, shipped_for(fleet, port)).expect("the scratch directory can be written to");
            let mut command = Command::new("haproxy");
            // Debian keeps it where only root looks.
            command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
            command.arg("-db").arg("-f").arg(&config);
            let process = Process::start(command, &log).expect("haproxy is there: run `make test`, or scripts/install-haproxy.sh alone");
            if let Some(process) = passes_on(process, port, &log).await {
                return Self { port, log, _process: process };
            }
        }
        panic!("haproxy found each of 10 ports taken:\n{}", tail(&log, 40));
    }

    /// `http://127.0.0.1:<port>`: the one URL that clients know.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until health checks have found, once or more, that a replica has become so. At first all are taken to be up.
    pub async fn finds(&self, replica: usize, health: Health) {
        let word = format!("Server replicas/replica{replica} is {}", if matches!(health, Health::Up) { "UP" } else { "DOWN" });
        eventually(&word, Duration::from_secs(30), || async { fs::read_to_string(&self.log).is_ok_and(|log| log.contains(&word)) }).await;
    }

    /// A client without a key that knows this address alone.
    pub fn client(&self) -> Client {
        Client::new(Arc::new(Routes::new(vec![self.port])))
    }
}

/// `deploy/haproxy.cfg` with a port of this machine, and with the fleet's replicas in place of those that Docker names.
fn shipped_for(fleet: &Fleet, port: u16) -> String {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg");
    let mut config = fs::read_to_string(shipped).expect("it is in the repository");
    let template = config.lines().find(|line| line.trim().starts_with("server-template ")).expect("a line for the replicas").to_owned();
    let (_, options) = template.split_once(" api:8080 ").expect("the template names the service of docker-compose.yml");
    let options = options.strip_suffix(" resolvers docker init-addr none").expect("addresses come from Docker");
    let server = |replica| format!("  server replica{replica} {} {options}", fleet.url(replica).trim_start_matches("http://"));
    let servers: Vec<String> = (0..fleet.size()).map(server).collect();
    let replaced = [
        ("  bind :8080\n".to_owned(), format!("  bind 127.0.0.1:{port}\n")),
        (template, servers.join("\n")),
        // Two files each, which this machine need not allow.
        ("  maxconn 20000\n".to_owned(), "  maxconn 2000\n".to_owned()),
    ];
    for (ours, theirs) in replaced {
        assert_eq!(config.matches(&ours).count(), 1, "{shipped}: once {ours:?}");
        config = config.replace(&ours, &theirs);
    }
    config
}

/// None: the port was taken.
async fn passes_on(mut process: Process, port: u16, log: &Path) -> Option<Process> {
    let began = Instant::now();
    loop {
        if process.ended().is_some() {
            let said = fs::read_to_string(log).unwrap_or_default();
            assert!(said.contains("cannot bind socket"), "haproxy ended at start:\n{said}");
            return None;
        }
        if answers(port).await.unwrap_or(false) {
            return Some(process);
        }
        assert!(began.elapsed() < START_LIMIT, "haproxy passes nothing on:\n{}", tail(log, 40));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// By hand: HAProxy's own 503 has no headers of ours, which a `Reply` would not take.
async fn answers(port: u16) -> io::Result<bool> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}
