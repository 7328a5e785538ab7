//! Workers of a fleet: child processes of the real binary, beside its replicas.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{Client, Routes};
use super::fleet::{Fleet, without_surroundings};
use super::process::{Process, free_port, says_port_taken, serial, tail};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running worker; killed when dropped.
pub struct Worker {
    process: Process,
    client: Client,
    log: PathBuf,
}

impl Worker {
    /// Starts one with the settings of the fleet and these, and waits until it is ready.
    pub async fn start(fleet: &Fleet, env: &[(&str, &str)]) -> Self {
        for _ in 0..10 {
            if let Some(worker) = Self::launch(fleet, env).await {
                return worker;
            }
        }
        panic!("a worker found each of 10 ports taken");
    }

    /// None: the port was taken.
    async fn launch(fleet: &Fleet, env: &[(&str, &str)]) -> Option<Self> {
        let (port, log) = (free_port(), fleet.dir().join(format!("worker-{}.log", serial())));
        let mut command = Command::new(env!("CARGO_BIN_EXE_backchannel"));
        command.arg("worker");
        without_surroundings(&mut command);
        command.envs(fleet.env().iter().map(|(name, value)| (name, value)));
        command.envs(env.iter().copied()).env("BACKCHANNEL_PORT", port.to_string());
        let process = Process::start(command, &log).expect("the binary was built with the tests");
        let mut worker = Self { process, client: Client::new(Arc::new(Routes::new(vec![port]))), log };
        let began = Instant::now();
        loop {
            let answer = worker.client.get("/readyz").within(Duration::from_secs(2)).attempt().await;
            if answer.is_ok_and(|reply| reply.status == 200) {
                return Some(worker);
            }
            if let Some(status) = worker.process.ended() {
                assert!(says_port_taken(&worker.log()), "a worker ended at start, {status}:\n{}", worker.log());
                return None;
            }
            assert!(began.elapsed() < START_LIMIT, "a worker does not get ready:\n{}", worker.log());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// SIGKILL, in the middle of whatever it does.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// SIGSTOP.
    pub fn freeze(&mut self) {
        self.process.freeze();
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.process.thaw();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.terminate();
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.ended() {
                return status;
            }
            assert!(began.elapsed() < STOP_LIMIT, "a worker runs on {STOP_LIMIT:?} after SIGTERM:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        tail(&self.log, 400)
    }

    /// The value of a metric, summed over its labels; 0 when it is not there yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.client.get("/metrics").await.has_status(200).text;
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        text.lines().filter(of_name).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// The page of metrics.
    pub async fn metrics(&self) -> String {
        self.client.get("/metrics").await.has_status(200).text
    }
}
